#!/usr/bin/env bash
# The microbenchmarks of the working tree beside those of another commit, in
# turns, compared by benchstat.
#
#	bench/benchstat.sh [COMMIT]     default: HEAD~1
#
# PACKAGES, BENCH (a pattern), COUNT and TIME can be set in the environment.
set -euo pipefail
cd "$(dirname "$0")/.."

BENCHSTAT=golang.org/x/perf/cmd/benchstat@v0.0.0-20260908200009-22c9c6c9d4da
base="${1:-HEAD~1}"
PACKAGES="${PACKAGES:-./signing ./topup ./handlers ./store}"
BENCH="${BENCH:-.}"
COUNT="${COUNT:-6}"
TIME="${TIME:-200ms}"

folder=$(mktemp -d)
trap 'git worktree remove --force "$folder/base" 2>/dev/null || true; rm -rf "$folder"' EXIT
git worktree add --quiet --detach "$folder/base" "$base"

# BenchmarkImport takes minutes, and has a table of its own in docs/performance.md.
run() {
	# shellcheck disable=SC2086 # a list of packages
	(cd "$1" && go test $PACKAGES -run '^$' -bench "$BENCH" -skip 'BenchmarkImport$' -benchmem -benchtime "$TIME" -count 1)
}
for n in $(seq "$COUNT"); do
	echo "round $n of $COUNT" >&2
	run "$folder/base" >>"$folder/base.txt"
	run . >>"$folder/work.txt"
done
go run "$BENCHSTAT" "$base=$folder/base.txt" "working tree=$folder/work.txt"
