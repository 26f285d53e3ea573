#!/usr/bin/env bash
# Versions:  npm xlsx 0.18.5 (SheetJS)
# Behaviour: a semicolon-separated CSV file as Excel saves it under Kazakh settings: 2,25 is read as
#            the number 225 and 1,5 as 15, while 1 234,50 stays text; 01.02.2024 becomes 2 January,
#            29.02.2024 stays text.
# Guess:     an amount with a decimal comma and a date with points stay text.
# Matters:   a register of payments read like that is a hundred times too large, for some rows.
#
# Output seen:
#   number 15 | date 2024-01-02
#   number 225 | text 29.02.2024
#   text 1 234,50 | date 2024-01-03
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
echo '{"private":true}' >package.json
npm install --silent --no-audit --no-fund --save-exact xlsx@0.18.5 >/dev/null
cat >main.js <<'JS'
const XLSX = require('xlsx');
const sheet = XLSX.read('sum;date\n1,5;01.02.2024\n2,25;29.02.2024\n1 234,50;01.03.2024\n', { type: 'string' }).Sheets.Sheet1;
for (const row of [2, 3, 4]) {
  const [sum, date] = [sheet['A' + row], sheet['B' + row]];
  const day = date.t === 'n' ? XLSX.SSF.format('yyyy-mm-dd', date.v) : date.v;
  console.log(sum.t === 'n' ? 'number' : 'text', sum.v, '|', date.t === 'n' ? 'date' : 'text', day);
}
JS
seen=$(node main.js)

want=$(cat <<'WANT'
number 15 | date 2024-01-02
number 225 | text 29.02.2024
text 1 234,50 | date 2024-01-03
WANT
)

cat <<'TEXT'
Versions:  npm xlsx 0.18.5 (SheetJS)
Behaviour: a semicolon-separated CSV file as Excel saves it under Kazakh settings: 2,25 is read as
           the number 225 and 1,5 as 15, while 1 234,50 stays text; 01.02.2024 becomes 2 January,
           29.02.2024 stays text.
Guess:     an amount with a decimal comma and a date with points stay text.
Matters:   a register of payments read like that is a hundred times too large, for some rows.
TEXT
printf '\nSeen now:\n%s\n' "$seen"
if [ "$seen" != "$want" ]; then
	printf '\nCHANGED. Seen when this was written:\n%s\n' "$want"
	exit 1
fi
printf '\nUnchanged.\n'
