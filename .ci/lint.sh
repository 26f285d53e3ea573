#!/usr/bin/env bash
# Formatting, go vet with and without cgo, staticcheck.
# shellcheck disable=SC2086 # a list of packages
set -euo pipefail
cd "$(dirname "$0")/.."

# A folder with a dot before it is in no pattern.
PACKAGES="./... ./.ci/matrix ./.ci/faults"
STATICCHECK=honnef.co/go/tools/cmd/staticcheck@v0.8.2

unformatted=$(gofmt -l .)
if [ -n "$unformatted" ]; then
	printf 'gofmt would change:\n%s\n' "$unformatted" >&2
	exit 1
fi

if [ "$(go env CGO_ENABLED)" = 1 ]; then
	go vet ./...
fi
CGO_ENABLED=0 go vet $PACKAGES

# Not a dependency of the module, so it comes from the module proxy. Without cgo it shares
# the compiled standard library with the tests.
programs=$(mktemp -d)
trap 'rm -rf "$programs"' EXIT
if ! GOBIN=$programs CGO_ENABLED=0 go install "$STATICCHECK" >/dev/null 2>&1; then
	echo "missing: staticcheck ($STATICCHECK could not be downloaded); its checks are skipped" >&2
	[ "${CI:-}" != true ]
	exit
fi
"$programs/staticcheck" $PACKAGES
