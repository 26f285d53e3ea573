.PHONY: run test test-all screenshots lint bench bench-large benchstat soak overload sbom reproducible faults proof

run: # serve config.yaml with the demo data
	go run . serve

test: # before a commit: every promise, on both databases; a quarter of an hour on two processors
	.ci/test.sh quick

test-all: # the whole matrix: both SQLite drivers, the race detector in every package with goroutines, coverage
	.ci/test.sh all

faults: # plants mistakes into the code, one at a time; the named test must notice each
	go run ./.ci/faults

proof: # at most ten minutes: kills, restarts, power failures, a model beside the program; one table of what was lost (0) and doubled (0)
	go run ./proof/run

PICTURES = screenshots
screenshots: # every page of the dashboard, light, dark and on a telephone, into PICTURES
	mkdir -p $(PICTURES)
	TOLEM_TEST_SCREENSHOTS=$(abspath $(PICTURES)) go test -count=1 -run TestEveryPageFits ./dashboard

lint: # formatting, vet and staticcheck alone
	.ci/lint.sh

bench: # the performance goals, as ratios within one run; on an idle machine
	go run ./bench

bench-large: # the same server with 10^3 to 10^7 payments: 40 minutes and 30 GB of disk
	go run ./bench large

DURATION = 20m
soak: # 70 % of the top rate for DURATION: checks whether anything grows
	go run ./bench -soak $(DURATION) soak

overload: # three times the top rate: refused quickly, and nothing lost
	go run ./bench overload

BASE = HEAD~1
benchstat: # the microbenchmarks, beside those of the commit BASE
	bench/benchstat.sh $(BASE)

SBOM = sbom.cdx.json
sbom: # the modules of the commit's program with versions and licences, as CycloneDX, into SBOM
	.ci/sbom.sh $(SBOM)

reproducible: # builds the commit twice in two folders and compares the programs byte for byte
	.ci/reproducible.sh
