#!/usr/bin/env bash
# All passes over the tests: on either database, with either SQLite driver. The
# PostgreSQL server is the one that TOLEM_TEST_POSTGRES names, see test.sh.
set -euo pipefail
cd "$(dirname "$0")/.."

LEAST_COVERAGE=90 # percent of the statements of the packages below
COVERED="tolem/signing tolem/topup tolem/store"
# The property tests of ./store take minutes under the race detector: there they
# run half as often as in the pass without it.
FEWER=-rapid.checks=50
# What a build with pure Go has of its own. The crash tests of ./commands run
# that build in every pass.
PURE_GO="./store ./signing ./topup ./fixtures ./handlers ."

counters=$(mktemp -d)
trap 'rm -rf "$counters"' EXIT

# pass BUILD COUNTED PACKAGE...: the C SQLite goes with the race detector, which
# needs cgo, too. One package at a time: the two databases run side by side.
# Coverage is counted where it adds something, because it costs time.
pass() {
	local cgo=0 race="" cover="" args=""
	if [ "$1" = c ]; then
		cgo=1 race=-race
	fi
	if [ "$2" = counted ]; then
		mkdir -p "$counters/$1"
		cover=-cover args="-args -test.gocoverdir=$counters/$1"
	fi
	shift 2
	# shellcheck disable=SC2086 # lists of arguments
	CGO_ENABLED=$cgo go test $race $cover -count=1 -timeout 12m -p 1 "$@" $args
}

with_c=1
command -v gcc >/dev/null || with_c=0

# shellcheck disable=SC2086 # lists of packages
on_sqlite() {
	if [ "$with_c" = 1 ]; then
		pass pure counted $PURE_GO
		pass c counted ./store $FEWER
		pass c plain $(go list ./... | grep -vx -e tolem/store -e 'tolem/pgtest.*')
	else
		pass pure counted $(go list ./... | grep -vx 'tolem/pgtest.*')
	fi
}

# The race detector watches where goroutines of ours share something; what
# ./commands starts are processes.
on_postgres() {
	export TOLEM_TEST_STORE=postgres
	pass pure plain ./commands ./handlers ./fixtures .
	if [ "$with_c" = 1 ]; then
		pass c counted ./store $FEWER
		pass c plain ./watch ./pgtest/...
	else
		pass pure counted ./store
		pass pure plain ./watch ./pgtest/...
	fi
}

# judge_coverage counts over all passes, and fails when it is too low. A line of a
# profile is file:range, statements, how often they ran.
judge_coverage() {
	local build
	for build in "$counters"/*; do # a build counts in a way of its own
		go tool covdata textfmt -i="$build" -o="$build.profile"
	done
	awk -v least="$LEAST_COVERAGE" -v covered="$COVERED" '
		NF == 3 { size[$1] = $2; ran[$1] += $3 }
		END {
			for (block in size) {
				package = block
				sub("/[^/]*$", "", package)
				all[package] += size[block]
				if (ran[block] > 0) seen[package] += size[block]
			}
			n = split(covered, names, " ")
			for (i = 1; i <= n; i++) {
				name = names[i]
				share = all[name] ? 100 * seen[name] / all[name] : 0
				printf "%s: %.1f%% of its statements are covered over all passes\n", name, share
				if (share < least) { printf "that must be at least %s%%\n", least; bad = 1 }
			}
			exit bad
		}' "$counters"/*.profile
}

if [ -z "${TOLEM_TEST_POSTGRES:-}" ]; then
	echo "without PostgreSQL: its passes are skipped, and the coverage is not judged" >&2
	[ "${CI:-}" != true ]
	on_sqlite
	pass pure plain ./pgtest/... # what needs no server of it
	exit
fi
on_sqlite 2>&1 | sed -u 's/^/SQLite:     /' &
sqlite=$!
on_postgres 2>&1 | sed -u 's/^/PostgreSQL: /' &
postgres=$!
failed=0
wait "$sqlite" || failed=1
wait "$postgres" || failed=1
[ "$failed" = 0 ]
judge_coverage
