#!/usr/bin/env bash
# Versions:  npm date-holidays 3.37.0
# Behaviour: Kazakhstan and Uzbekistan are there with their transferred days off; Kyrgyzstan and
#            Tajikistan are not, and for them the list of days off is empty and no day is a holiday,
#            without an error.
# Guess:     the four are there; a country that is not is refused.
# Matters:   a settlement date reckoned with it falls on Nowruz in Kyrgyzstan and Tajikistan.
#
# Output seen:
#   KZ 17 days off, 21 March: holiday
#   UZ 12 days off, 21 March: holiday
#   KG 0 days off, 21 March: working day
#   TJ 0 days off, 21 March: working day
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
echo '{"private":true}' >package.json
npm install --silent --no-audit --no-fund --save-exact date-holidays@3.37.0 >/dev/null
cat >main.js <<'JS'
const Holidays = require('date-holidays');
for (const country of ['KZ', 'UZ', 'KG', 'TJ']) {
  const holidays = new Holidays(country);
  console.log(country, holidays.getHolidays(2024).length, 'days off, 21 March:', holidays.isHoliday(new Date('2024-03-21T12:00:00+05:00')) ? 'holiday' : 'working day');
}
JS
seen=$(node main.js)

want=$(cat <<'WANT'
KZ 17 days off, 21 March: holiday
UZ 12 days off, 21 March: holiday
KG 0 days off, 21 March: working day
TJ 0 days off, 21 March: working day
WANT
)

cat <<'TEXT'
Versions:  npm date-holidays 3.37.0
Behaviour: Kazakhstan and Uzbekistan are there with their transferred days off; Kyrgyzstan and
           Tajikistan are not, and for them the list of days off is empty and no day is a holiday,
           without an error.
Guess:     the four are there; a country that is not is refused.
Matters:   a settlement date reckoned with it falls on Nowruz in Kyrgyzstan and Tajikistan.
TEXT
printf '\nSeen now:\n%s\n' "$seen"
if [ "$seen" != "$want" ]; then
	printf '\nCHANGED. Seen when this was written:\n%s\n' "$want"
	exit 1
fi
printf '\nUnchanged.\n'
