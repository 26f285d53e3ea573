#!/usr/bin/env bash
# The test command: test.sh quick is make test, test.sh all is make test-all. As
# root on Debian it installs what is missing; elsewhere it runs what it can and
# names what is missing. With CI=true something missing is a failure. It says
# every ten seconds what it is at. With TOLEM_TEST_RESULTS (see .ci/matrix) quick
# has all that the other needs, for the tests that are not run again.
set -euo pipefail
cd "$(dirname "$0")/.."

what=${1:-quick}
case $what in
quick | all) ;;
*)
	echo "usage: .ci/test.sh quick|all" >&2
	exit 2
	;;
esac

everything=""
if [ "$what" = all ] || [ -n "${TOLEM_TEST_RESULTS:-}" ]; then
	everything=yes
fi

# installed COMMAND: Debian keeps the PostgreSQL server's commands off PATH.
installed() {
	command -v "$1" >/dev/null || compgen -G "/usr/lib/postgresql/*/bin/$1" >/dev/null
}

# needs COMMAND PACKAGE WHAT-FOR
needs() {
	if installed "$1"; then
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
	needs chromium chromium "which pays on the sandbox's pages and works on the dashboard; those tests are skipped"
	if [ -n "$everything" ]; then
		needs soffice libreoffice-calc "which opens the spreadsheets; its test is skipped"
		needs npm npm "which fetches axe-core; the test that looks for barriers on the pages is skipped"
	fi
	needs nginx nginx-light "which is put before the server; its test is skipped"
	needs systemd-analyze systemd "which judges the units; its test is skipped"
	needs amtool prometheus-alertmanager "which judges where alerts go; its test is skipped"
	if [ -n "$everything" ]; then
		needs docker-compose docker-compose "which judges the compose files; its test is skipped"
	fi
	if [ -n "$everything" ]; then
		needs patroni "patroni python3-etcd" "under which three databases fail over; that test is skipped"
		needs etcd etcd-server "with which they elect their leader; that test is skipped"
		needs ip iproute2 "which makes their network; that test is skipped"
	fi
	needs promtool prometheus "which judges the alert rules; their test is skipped"
	needs pgbouncer pgbouncer "the pooler that the store is tested behind; those tests are skipped"
	if [ -z "${TOLEM_TEST_POSTGRES:-}" ]; then
		needs initdb postgresql "the other database; its tests are skipped"
	fi
}

# at WHAT COMMAND…: runs a command, and says every ten seconds that it runs still.
at() {
	echo "${SECONDS}s  $1"
	(while sleep 10 >/dev/null 2>&1; do echo "${SECONDS}s  still: $1"; done) &
	still=$!
	local code=0
	"${@:2}" || code=$?
	kill "$still" 2>/dev/null || true
	wait "$still" 2>/dev/null || true
	return "$code"
}
trap 'kill "${still:-}" 2>/dev/null || true' EXIT

install_packages() {
	export DEBIAN_FRONTEND=noninteractive
	# shellcheck disable=SC2086 # a list of packages
	{ apt-get update -qq && apt-get install -y -qq --no-install-recommends $wanted; } >/dev/null
}

look_around
if [ -n "$wanted" ] && [ "$(id -u)" = 0 ] && [ -f /etc/debian_version ]; then
	at "installing:$wanted" install_packages || true
	look_around
fi
if [ -n "$lacking" ]; then
	echo "${lacking#?}" >&2
	if [ "${CI:-}" = true ]; then
		exit 1
	fi
fi

# axe-core, which looks for barriers on the pages: pinned, by its hash.
axe_version=4.14.1
axe_sha512=FHfa+lmNjQZfJz1q8wKqIDwC6DExcHt/pkjNQb09a3NPjCKg2rhu5qb2S4r76ASyFNNtuFooJpZe37OgudVGtQ==
fetch_axe() {
	local folder file=axe-core-$axe_version.tgz code=0
	folder=$(mktemp -d)
	# Each step by &&: set -e does not hold where a function is asked whether it succeeds.
	(
		cd "$folder" && npm pack --silent "axe-core@$axe_version" >/dev/null &&
			[ "$(openssl dgst -sha512 -binary "$file" | base64 -w 0)" = "$axe_sha512" ] &&
			tar xzf "$file" package/axe.min.js && mv package/axe.min.js "$programs/"
	) || code=1
	rm -rf "$folder"
	return "$code"
}

programs=$(mktemp -d)
trap 'kill "${still:-}" 2>/dev/null || true; rm -rf "$programs"' EXIT
at "downloading modules" go mod download
if [ -n "$everything" ]; then
	if at "fetching axe-core $axe_version" fetch_axe; then
		export TOLEM_TEST_AXE="$programs/axe.min.js"
	else
		echo "missing: axe-core $axe_version (npm), which looks for barriers on the pages; its test is skipped" >&2
	fi
fi
linted=${TOLEM_TEST_RESULTS:+$TOLEM_TEST_RESULTS/linted}
if [ ! -f "$linted" ]; then
	at "formatting, vet, staticcheck" .ci/lint.sh
	[ -z "$linted" ] || touch "$linted"
fi
at "building what runs the tests" go build -o "$programs/" ./pgtest/server ./.ci/matrix

# Files of tests and of the one PostgreSQL server for all passes are in memory where there is room:
# each of thousands of databases would wait for the disk otherwise, and what a test can end is a
# process, never the power. The server has a socket of its own; the one that TOLEM_TEST_POSTGRES
# names is used instead, if it does. The cluster that Debian's package makes is left alone.
memory=""
in_memory() {
	[ -w /dev/shm ] && [ "$(df --output=avail -k /dev/shm | tail -1)" -gt $((8 << 20)) ] || return 1
	memory=$(mktemp -d /dev/shm/t.XXXX) && chmod 1777 "$memory" || return 1
	# Programs that tests build are run from there.
	printf '#!/bin/sh\n' >"$memory/runs" && chmod +x "$memory/runs" && "$memory/runs"
}
trap 'kill "${still:-}" 2>/dev/null || true; rm -rf "$programs" ${memory:+"$memory"}' EXIT
if in_memory; then
	export TMPDIR=$memory
fi
code=0
"$programs/server" -folder "${TMPDIR:-}" -- "$programs/matrix" "$what" || code=$?
exit "$code"
