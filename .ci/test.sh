#!/usr/bin/env bash
# The test command. As root on Debian it installs what is missing; elsewhere it
# runs what it can and names what is missing. With CI=true something missing is
# a failure.
set -euo pipefail
cd "$(dirname "$0")/.."

LEAST_COVERAGE=90 # percent of the statements of the packages below
COVERED="tolem/signing tolem/topup tolem/store"
PURE_GO="./signing ./topup ./store ./fixtures ./handlers ./commands ."

# needs COMMAND PACKAGE WHAT-FOR
needs() {
	if command -v "$1" >/dev/null; then
		return
	fi
	wanted="$wanted $2"
	lacking="$lacking
missing: $1 (Debian: $2), $3"
}

look_around() {
	wanted="" lacking=""
	needs gcc "gcc libc6-dev" "for the build with the C SQLite and for -race; the pure Go build is tested alone"
	needs php php-cli "which judges the signature's natural order; its tests are skipped"
	needs hledger hledger "which judges the exported journal; its test is skipped"
	needs curl curl "with which the README's tour is run; its test is skipped"
	needs chromium chromium "which pays on the sandbox's pages; its test is skipped"
}

look_around
if [ -n "$wanted" ] && [ "$(id -u)" = 0 ] && [ -f /etc/debian_version ]; then
	echo "installing:$wanted"
	export DEBIAN_FRONTEND=noninteractive
	# shellcheck disable=SC2086 # a list of packages
	{ timeout 120 apt-get update -qq && timeout 600 apt-get install -y -qq --no-install-recommends $wanted; } >/dev/null || true
	look_around
fi
if [ -n "$lacking" ]; then
	echo "${lacking#?}" >&2
	if [ "${CI:-}" = true ]; then
		exit 1
	fi
fi

.ci/lint.sh

# The pure Go build first, with the coverage; then everything with the C SQLite
# under the race detector, which needs cgo.
report=$(mktemp)
trap 'rm -f "$report"' EXIT
with_cgo=0
pure="./..."
if command -v gcc >/dev/null; then
	with_cgo=1
	pure="$PURE_GO"
fi
# shellcheck disable=SC2086 # a list of packages
CGO_ENABLED=0 go test -count=1 -timeout 12m -cover $pure | tee "$report"

too_low=$(awk -v least="$LEAST_COVERAGE" -v covered="$COVERED" '
	BEGIN { n = split(covered, names, " "); for (i = 1; i <= n; i++) seen[names[i]] = 0 }
	$1 == "ok" && ($2 in seen) && match($0, /coverage: [0-9.]+%/) {
		seen[$2] = substr($0, RSTART + 10, RLENGTH - 11) + 0
	}
	END { for (name in seen) if (seen[name] < least) printf "%s: %s%% of its statements are covered, at least %s%% must be\n", name, seen[name], least }
' "$report")
if [ -n "$too_low" ]; then
	echo "$too_low" >&2
	exit 1
fi

if [ "$with_cgo" = 1 ]; then
	CGO_ENABLED=1 go test -race -count=1 -timeout 12m ./...
fi
