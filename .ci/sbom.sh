#!/bin/sh
# Writes the software bill of materials of the commit HEAD, as CycloneDX JSON, to
# the file that is named: each module that is linked into the program, with its
# version, checksum and licence. It is made of a clone, so that it is about the
# commit and not about what is in the folder, and has neither serial number nor
# time, so that one commit has one.
set -eu
out=$(realpath -m "${1:?usage: .ci/sbom.sh FILE}")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

# Not a dependency of the module, so it comes from the module proxy.
CYCLONEDX=github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod@v1.10.0

git clone --quiet "$(git rev-parse --show-toplevel)" "$folder/tolem"
cd "$folder/tolem"
go run "$CYCLONEDX" app -json -licenses -noserial -notimestamp -output "$out" .
