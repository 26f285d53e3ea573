#!/usr/bin/env bash
# Versions:  hledger 1.25 (Debian 12)
# Behaviour: -O csv is refused as an unknown flag before the name of the command and accepted after
#            it, while -f, as general a flag, is accepted in both places.
# Guess:     a flag for all report commands may stand before or after the command, as -f may.
#
# Output seen:
#   -f before: accepted
#   -f after: accepted
#   -O before: hledger: Unknown flag: -O (use -h to see usage)
#   -O after: accepted
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
expected='hledger 1.25'
found=$(hledger --version | cut -d, -f1)
[ "$found" = "$expected" ] || echo "Note: this was seen with $expected; here is $found."

printf '2024-01-01\n  cash  5 KZT\n  sales\n' >j
run() { if "$@" >/dev/null 2>message; then echo accepted; else head -n 1 message; fi; }
seen="-f before: $(run hledger -f j balance)
-f after: $(run hledger balance -f j)
-O before: $(run hledger -O csv balance -f j)
-O after: $(run hledger balance -O csv -f j)"

want=$(cat <<'WANT'
-f before: accepted
-f after: accepted
-O before: hledger: Unknown flag: -O (use -h to see usage)
-O after: accepted
WANT
)

cat <<'TEXT'
Versions:  hledger 1.25 (Debian 12)
Behaviour: -O csv is refused as an unknown flag before the name of the command and accepted after
           it, while -f, as general a flag, is accepted in both places.
Guess:     a flag for all report commands may stand before or after the command, as -f may.
TEXT
printf '\nSeen now:\n%s\n' "$seen"
if [ "$seen" != "$want" ]; then
	printf '\nCHANGED. Seen when this was written:\n%s\n' "$want"
	exit 1
fi
printf '\nUnchanged.\n'
