#!/bin/sh
# Builds the commit HEAD twice, in two folders whose paths differ in length and
# with a build cache of its own each, with C and in pure Go, and compares the
# programs byte for byte. The caches are new because the second build would
# otherwise be a copy of the first.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
here=$(git rev-parse --show-toplevel)
commit=$(git -C "$here" rev-parse HEAD)

build() { # PLACE
	git clone --quiet --shared "$here" "$folder/$1/tolem"
	cd "$folder/$1/tolem"
	git checkout --quiet --detach "$commit"
	for cgo in 0 1; do
		if [ $cgo = 0 ] || command -v gcc >/dev/null; then
			env -u GOFLAGS CGO_ENABLED=$cgo GOCACHE="$folder/$1/cache" go build -trimpath -o "$folder/$1/tolem-cgo$cgo" .
		fi
	done
}

(build a) &
first=$!
(build another/place)
wait $first

echo "commit $commit, $(go version)"
status=0
for first in "$folder"/a/tolem-cgo*; do
	name=$(basename "$first")
	one=$(sha256sum "$first" | cut -d' ' -f1)
	other=$(sha256sum "$folder/another/place/$name" | cut -d' ' -f1)
	echo "$name $one"
	if [ "$one" != "$other" ]; then
		echo "$name $other differs" >&2
		status=1
	fi
done
exit $status
