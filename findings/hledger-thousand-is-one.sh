#!/usr/bin/env bash
# Versions:  hledger 1.25 (Debian 12)
# Behaviour: in a journal the comma of "1,000 KZT" is the decimal mark: one tenge with three decimals,
#            also when another amount of the same currency is "1,000.00 KZT", which is a thousand.
#            With the directive "decimal-mark ." it is a thousand.
# Guess:     a thousand tenge, for three digits follow the comma; and at the least when other amounts
#            of the currency make it plain.
#
# Output seen:
#   alone: "floatingPoint":1
#   beside: "floatingPoint":1
#   directive: "floatingPoint":1000
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
expected='hledger 1.25'
found=$(hledger --version | cut -d, -f1)
[ "$found" = "$expected" ] || echo "Note: this was seen with $expected; here is $found."

entry() { printf '%s\n  %s  %s\n  sales\n\n' "$@"; }
entry 2024-01-01 cash '1,000 KZT' >alone.journal
{ entry 2024-01-01 bank '1,000.00 KZT'; entry 2024-01-02 cash '1,000 KZT'; } >beside.journal
{ echo 'decimal-mark .'; entry 2024-01-01 cash '1,000 KZT'; } >directive.journal
seen=$(for journal in alone beside directive; do
	echo "$journal: $(hledger -f $journal.journal balance cash -O json | tr -d ' \n' | grep -o '"floatingPoint":[0-9.]*' | head -n 1)"
done)

want=$(cat <<'WANT'
alone: "floatingPoint":1
beside: "floatingPoint":1
directive: "floatingPoint":1000
WANT
)

cat <<'TEXT'
Versions:  hledger 1.25 (Debian 12)
Behaviour: in a journal the comma of "1,000 KZT" is the decimal mark: one tenge with three decimals,
           also when another amount of the same currency is "1,000.00 KZT", which is a thousand.
           With the directive "decimal-mark ." it is a thousand.
Guess:     a thousand tenge, for three digits follow the comma; and at the least when other amounts
           of the currency make it plain.
TEXT
printf '\nSeen now:\n%s\n' "$seen"
if [ "$seen" != "$want" ]; then
	printf '\nCHANGED. Seen when this was written:\n%s\n' "$want"
	exit 1
fi
printf '\nUnchanged.\n'
