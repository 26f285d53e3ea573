#!/usr/bin/env bash
# All passes over the tests: on either database, with either SQLite driver. The
# PostgreSQL server is the one that TOLEM_TEST_POSTGRES names, see test.sh.
set -euo pipefail
cd "$(dirname "$0")/.."

LEAST_COVERAGE=90 # percent of the statements of the packages below
COVERED="tolem/signing tolem/topup tolem/store"
# ./commands runs the pure Go build on PostgreSQL, and its crash tests run it on SQLite in every pass.
PURE_GO="./signing ./topup ./store ./fixtures ./handlers ."
# Tests of the store in which goroutines or servers meet.
MEET='Server|Process|Once|While|Beside|Between|Deadlock|Crash|Lost|Lose|Feed|Cop(y|ies)|Sweep|Batch|Writ|Lock|Neighbour|Other|Share|Meanwhile|Commit|Connection|Wait|Queue|Close|Reader|Import|Backup|Put|Held|Hold|Killed|Restart'
ON_POSTGRES="./store ./fixtures ./handlers ./watch ./commands ."

counters=$(mktemp -d)
trap 'rm -rf "$counters"' EXIT

# The pure Go build first, with the coverage, which is counted over both
# databases; then everything with the C SQLite under the race detector, which
# needs cgo.
with_cgo=0
pure="./..."
if command -v gcc >/dev/null; then
	with_cgo=1
	pure="$PURE_GO"
fi
# shellcheck disable=SC2086 # a list of packages
CGO_ENABLED=0 go test -count=1 -timeout 12m -cover $pure -args -test.gocoverdir="$counters"

if [ -z "${TOLEM_TEST_POSTGRES:-}" ]; then
	echo "without PostgreSQL: its passes are skipped, and the coverage is not judged" >&2
	if [ "${CI:-}" = true ]; then
		exit 1
	fi
else
	# shellcheck disable=SC2086 # a list of packages
	TOLEM_TEST_STORE=postgres CGO_ENABLED=0 go test -count=1 -timeout 12m -cover $ON_POSTGRES -args -test.gocoverdir="$counters"
	too_low=$(go tool covdata percent -i="$counters" | awk -v least="$LEAST_COVERAGE" -v covered="$COVERED" '
		BEGIN { n = split(covered, names, " "); for (i = 1; i <= n; i++) seen[names[i]] = 0 }
		($1 in seen) && $2 == "coverage:" { seen[$1] = $3 + 0 }
		END { for (name in seen) if (seen[name] < least) printf "%s: %s%% of its statements are covered, at least %s%% must be\n", name, seen[name], least }
	')
	if [ -n "$too_low" ]; then
		echo "$too_low" >&2
		exit 1
	fi
fi

if [ "$with_cgo" = 1 ]; then
	CGO_ENABLED=1 go test -race -count=1 -timeout 12m ./...
	if [ -n "${TOLEM_TEST_POSTGRES:-}" ]; then
		TOLEM_TEST_STORE=postgres CGO_ENABLED=1 go test -race -count=1 -timeout 12m -run "$MEET" ./store
		TOLEM_TEST_STORE=postgres CGO_ENABLED=1 go test -race -count=1 -timeout 12m ./watch
	fi
fi
