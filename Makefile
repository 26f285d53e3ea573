.PHONY: run test lint bench

run: # serve config.yaml with the demo data
	go run . serve

test: # everything that must hold, see .ci/test.sh
	.ci/test.sh

lint: # formatting, vet and staticcheck alone
	.ci/lint.sh

bench: # speeds as ratios within one run, against the limits of this machine; on a quiet one
	go run ./bench
