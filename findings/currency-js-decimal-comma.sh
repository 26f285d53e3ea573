#!/usr/bin/env bash
# Versions:  npm currency.js 2.0.4
# Behaviour: with its defaults, "1 234,50" is 123450.00, a hundred times too much, and no error also
#            with errorOnInvalid: what is not a digit or the decimal point is dropped, the comma too.
# Guess:     it fails unless decimal is set to a comma.
#
# Output seen:
#   {} 123450
#   {"errorOnInvalid":true} 123450
#   {"decimal":","} 1234.5
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
echo '{"private":true}' >package.json
npm install --silent --no-audit --no-fund --save-exact currency.js@2.0.4 >/dev/null
cat >main.js <<'JS'
const currency = require('currency.js');
for (const options of [{}, { errorOnInvalid: true }, { decimal: ',' }])
  console.log(JSON.stringify(options), currency('1 234,50', options).value);
JS
seen=$(node main.js)

want=$(cat <<'WANT'
{} 123450
{"errorOnInvalid":true} 123450
{"decimal":","} 1234.5
WANT
)

cat <<'TEXT'
Versions:  npm currency.js 2.0.4
Behaviour: with its defaults, "1 234,50" is 123450.00, a hundred times too much, and no error also
           with errorOnInvalid: what is not a digit or the decimal point is dropped, the comma too.
Guess:     it fails unless decimal is set to a comma.
TEXT
printf '\nSeen now:\n%s\n' "$seen"
if [ "$seen" != "$want" ]; then
	printf '\nCHANGED. Seen when this was written:\n%s\n' "$want"
	exit 1
fi
printf '\nUnchanged.\n'
