#!/usr/bin/env bash
# Versions:  npm mt940-js 1.0.0, swiftmessageparser 1.2.1
# Behaviour: field 61 has a value date with a year and an entry date (MMDD) without. Value date 2
#            January 2024 with entry date 1231 gives 31 December 2024, a year late; 31 December 2023
#            with 0102 gives 2 January 2023. Both libraries put the year of the value date on it.
# Guess:     the year that brings the two dates nearest: 31 December 2023 and 2 January 2024.
#
# Output seen:
#   2401021231: mt940-js 2024-12-31, swiftmessageparser 2024-12-31
#   2312310102: mt940-js 2023-01-02, swiftmessageparser 2023-01-02
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
  for (const dates of ['2401021231', '2312310102']) {
    const text = statement(`:61:${dates}C10,00NTRFREF1`);
    const [{ transactions: [a] }] = await mt940.read(Buffer.from(text));
    const [{ transactions: [b] }] = swift.parse({ type: 'mt940', data: text });
    console.log(`${dates}: mt940-js ${a.entryDate}, swiftmessageparser ${b.entryDate.toISOString().slice(0, 10)}`);
  }
})();
JS
seen=$(node main.js)

want=$(cat <<'WANT'
2401021231: mt940-js 2024-12-31, swiftmessageparser 2024-12-31
2312310102: mt940-js 2023-01-02, swiftmessageparser 2023-01-02
WANT
)

cat <<'TEXT'
Versions:  npm mt940-js 1.0.0, swiftmessageparser 1.2.1
Behaviour: field 61 has a value date with a year and an entry date (MMDD) without. Value date 2
           January 2024 with entry date 1231 gives 31 December 2024, a year late; 31 December 2023
           with 0102 gives 2 January 2023. Both libraries put the year of the value date on it.
Guess:     the year that brings the two dates nearest: 31 December 2023 and 2 January 2024.
TEXT
printf '\nSeen now:\n%s\n' "$seen"
if [ "$seen" != "$want" ]; then
	printf '\nCHANGED. Seen when this was written:\n%s\n' "$want"
	exit 1
fi
printf '\nUnchanged.\n'
