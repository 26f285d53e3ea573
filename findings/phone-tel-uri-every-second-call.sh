#!/usr/bin/env bash
# Versions:  npm libphonenumber-js 1.13.16
# Behaviour: parsing the same valid RFC 3966 address, a Kazakh number with ;phone-context=+7, succeeds
#            at the first call and finds no number at the second, and so on by turns: a regular
#            expression with the global flag keeps its position between calls.
# Guess:     an address that parses once parses always (or never). google-libphonenumber of the same
#            metadata always parses it.
#
# Output seen:
#   call 1: libphonenumber-js +77071234567, google-libphonenumber +77071234567
#   call 2: libphonenumber-js none, google-libphonenumber +77071234567
#   call 3: libphonenumber-js +77071234567, google-libphonenumber +77071234567
#   call 4: libphonenumber-js none, google-libphonenumber +77071234567
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
echo '{"private":true}' >package.json
npm install --silent --no-audit --no-fund --save-exact libphonenumber-js@1.13.16 google-libphonenumber@3.2.47 >/dev/null
cat >main.js <<'JS'
const { parsePhoneNumberFromString } = require('libphonenumber-js');
const { PhoneNumberUtil, PhoneNumberFormat } = require('google-libphonenumber');
const address = 'tel:7071234567;phone-context=+7';
const util = PhoneNumberUtil.getInstance();
for (let call = 1; call <= 4; call++) {
  const number = parsePhoneNumberFromString(address, 'KZ');
  const google = util.format(util.parse(address, 'KZ'), PhoneNumberFormat.E164);
  console.log(`call ${call}: libphonenumber-js ${number ? number.number : 'none'}, google-libphonenumber ${google}`);
}
JS
seen=$(node main.js)

want=$(cat <<'WANT'
call 1: libphonenumber-js +77071234567, google-libphonenumber +77071234567
call 2: libphonenumber-js none, google-libphonenumber +77071234567
call 3: libphonenumber-js +77071234567, google-libphonenumber +77071234567
call 4: libphonenumber-js none, google-libphonenumber +77071234567
WANT
)

cat <<'TEXT'
Versions:  npm libphonenumber-js 1.13.16
Behaviour: parsing the same valid RFC 3966 address, a Kazakh number with ;phone-context=+7, succeeds
           at the first call and finds no number at the second, and so on by turns: a regular
           expression with the global flag keeps its position between calls.
Guess:     an address that parses once parses always (or never). google-libphonenumber of the same
           metadata always parses it.
TEXT
printf '\nSeen now:\n%s\n' "$seen"
if [ "$seen" != "$want" ]; then
	printf '\nCHANGED. Seen when this was written:\n%s\n' "$want"
	exit 1
fi
printf '\nUnchanged.\n'
