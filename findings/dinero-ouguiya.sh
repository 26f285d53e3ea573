#!/usr/bin/env bash
# Versions:  npm dinero.js 2.0.2, currency-codes 2.2.0
# Behaviour: dinero.js counts the ouguiya (MRU) in fifths: base 5, exponent 1. Amount 1234 is 246 and
#            4/5, and toDecimal refuses it as not decimal; currency-codes (ISO 4217) says two digits,
#            so the same minor units are 12.34 there.
# Guess:     exponent 2 as in ISO 4217; or, the fifths once known, toDecimal gives 246.8.
#
# Output seen:
#   {"code":"KZT","base":10,"exponent":2} 12+34 12.34 ISO digits 2
#   {"code":"MRU","base":5,"exponent":1} 246+4 [Dinero.js] Currency is not decimal. ISO digits 2
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
echo '{"private":true}' >package.json
npm install --silent --no-audit --no-fund --save-exact dinero.js@2.0.2 currency-codes@2.2.0 >/dev/null
cat >main.js <<'JS'
const { dinero, toDecimal, toUnits } = require('dinero.js');
const { MRU, KZT } = require('dinero.js/currencies');
const { code } = require('currency-codes');
for (const currency of [KZT, MRU]) {
  const amount = dinero({ amount: 1234, currency });
  let decimal;
  try { decimal = toDecimal(amount); } catch (error) { decimal = error.message; }
  console.log(JSON.stringify(currency), toUnits(amount).join('+'), decimal, 'ISO digits', code(currency.code).digits);
}
JS
seen=$(node main.js)

want=$(cat <<'WANT'
{"code":"KZT","base":10,"exponent":2} 12+34 12.34 ISO digits 2
{"code":"MRU","base":5,"exponent":1} 246+4 [Dinero.js] Currency is not decimal. ISO digits 2
WANT
)

cat <<'TEXT'
Versions:  npm dinero.js 2.0.2, currency-codes 2.2.0
Behaviour: dinero.js counts the ouguiya (MRU) in fifths: base 5, exponent 1. Amount 1234 is 246 and
           4/5, and toDecimal refuses it as not decimal; currency-codes (ISO 4217) says two digits,
           so the same minor units are 12.34 there.
Guess:     exponent 2 as in ISO 4217; or, the fifths once known, toDecimal gives 246.8.
TEXT
printf '\nSeen now:\n%s\n' "$seen"
if [ "$seen" != "$want" ]; then
	printf '\nCHANGED. Seen when this was written:\n%s\n' "$want"
	exit 1
fi
printf '\nUnchanged.\n'
