#!/usr/bin/env bash
# Versions:  npm mt940-js 1.0.0, swiftmessageparser 1.2.1
# Behaviour: mt940-js reads an RC line (reversal of a credit, money taken back) as a credit of the
#            same positive amount, with the very id of the C line: nothing tells them apart.
#            swiftmessageparser says -10 and a reversal.
# Guess:     a reversed credit has a negative amount or isCredit false in both.
#
# Output seen:
#   C: mt940-js 10 isCredit=true, swiftmessageparser 10 isReversal=false
#   RC: mt940-js 10 isCredit=true, swiftmessageparser -10 isReversal=true
#   ids of mt940-js: 1
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
echo '{"private":true}' >package.json
npm install --silent --no-audit --no-fund --save-exact mt940-js@1.0.0 swiftmessageparser@1.2.1 tslib@2.8.1 >/dev/null
cat >main.js <<'JS'
const statement = (line) => [':20:STATEMENT', ':25:KZ86125KZT5004100100', ':28C:00001/001', ':60F:C240101KZT1000,00',
  line, ':86:Invoice 1', ':62F:C240102KZT1000,00', '-', ''].join('\r\n');

const mt940 = require('mt940-js');
const swift = require('swiftmessageparser');
(async () => {
  const ids = new Set();
  for (const mark of ['C', 'RC']) {
    const text = statement(`:61:2401020102${mark}10,00NTRFREF1`);
    const [{ transactions: [a] }] = await mt940.read(Buffer.from(text));
    const [{ transactions: [b] }] = swift.parse({ type: 'mt940', data: text });
    ids.add(a.id);
    console.log(`${mark}: mt940-js ${a.amount} isCredit=${a.isCredit}, swiftmessageparser ${b.amount} isReversal=${b.isReversal}`);
  }
  console.log('ids of mt940-js:', ids.size);
})();
JS
seen=$(node main.js)

want=$(cat <<'WANT'
C: mt940-js 10 isCredit=true, swiftmessageparser 10 isReversal=false
RC: mt940-js 10 isCredit=true, swiftmessageparser -10 isReversal=true
ids of mt940-js: 1
WANT
)

cat <<'TEXT'
Versions:  npm mt940-js 1.0.0, swiftmessageparser 1.2.1
Behaviour: mt940-js reads an RC line (reversal of a credit, money taken back) as a credit of the
           same positive amount, with the very id of the C line: nothing tells them apart.
           swiftmessageparser says -10 and a reversal.
Guess:     a reversed credit has a negative amount or isCredit false in both.
TEXT
printf '\nSeen now:\n%s\n' "$seen"
if [ "$seen" != "$want" ]; then
	printf '\nCHANGED. Seen when this was written:\n%s\n' "$want"
	exit 1
fi
printf '\nUnchanged.\n'
