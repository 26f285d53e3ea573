#!/usr/bin/env bash
# Versions:  npm libphonenumber-js 1.9.0 and 1.13.16
# Behaviour: a Tajik number written with the trunk prefix 8 is the mobile +992917123456 for the old
#            version; the new one keeps the 8 as a digit of the number and calls it invalid. The
#            Kazakh 8 is taken off by both.
# Guess:     a minor version never changes what number a written one is; 8 is the trunk prefix in
#            Tajikistan as in Kazakhstan.
# Matters:   the telephone number is the customer number at many merchants: two versions give one
#            written number two accounts.
#
# Output seen:
#   8917123456 TJ old +992917123456 valid
#   8917123456 TJ new +9928917123456 invalid
#   917123456 TJ old +992917123456 valid
#   917123456 TJ new +992917123456 valid
#   87071234567 KZ old +77071234567 valid
#   87071234567 KZ new +77071234567 valid
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
echo '{"private":true}' >package.json
npm install --silent --no-audit --no-fund --save-exact old@npm:libphonenumber-js@1.9.0 new@npm:libphonenumber-js@1.13.16 >/dev/null
cat >main.js <<'JS'
for (const [written, region] of [['8917123456', 'TJ'], ['917123456', 'TJ'], ['87071234567', 'KZ']])
  for (const version of ['old', 'new']) {
    const number = require(version + '/max').parsePhoneNumberFromString(written, region);
    console.log(written, region, version, number.number, number.isValid() ? 'valid' : 'invalid');
  }
JS
seen=$(node main.js)

want=$(cat <<'WANT'
8917123456 TJ old +992917123456 valid
8917123456 TJ new +9928917123456 invalid
917123456 TJ old +992917123456 valid
917123456 TJ new +992917123456 valid
87071234567 KZ old +77071234567 valid
87071234567 KZ new +77071234567 valid
WANT
)

cat <<'TEXT'
Versions:  npm libphonenumber-js 1.9.0 and 1.13.16
Behaviour: a Tajik number written with the trunk prefix 8 is the mobile +992917123456 for the old
           version; the new one keeps the 8 as a digit of the number and calls it invalid. The
           Kazakh 8 is taken off by both.
Guess:     a minor version never changes what number a written one is; 8 is the trunk prefix in
           Tajikistan as in Kazakhstan.
Matters:   the telephone number is the customer number at many merchants: two versions give one
           written number two accounts.
TEXT
printf '\nSeen now:\n%s\n' "$seen"
if [ "$seen" != "$want" ]; then
	printf '\nCHANGED. Seen when this was written:\n%s\n' "$want"
	exit 1
fi
printf '\nUnchanged.\n'
