#!/usr/bin/env bash
# Versions:  npm moment-timezone 0.5.45 and 0.6.6
# Behaviour: the clocks of Almaty went back from midnight of 1 March 2024 to 23:00, so that 29
#            February has 25 hours. Version 0.5.45, the first with that change in its data, reads the
#            date 2024-03-01 as 23:00 of 29 February and gives the 25 hours to 1 March; 0.6.6 is
#            right.
# Guess:     a date is read as its own midnight once the zone data are right.
# Matters:   a register cut by days has an hour of payments in the wrong day and month.
#
# Output seen:
#   zone data 2024a 2024-03-01 is 2024-02-29T23:00:00+05:00
#   hours of 29 February 24 of 1 March 25
#   zone data 2026f 2024-03-01 is 2024-03-01T00:00:00+05:00
#   hours of 29 February 25 of 1 March 24
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
echo '{"private":true}' >package.json
npm install --silent --no-audit --no-fund --save-exact old@npm:moment-timezone@0.5.45 new@npm:moment-timezone@0.6.6 >/dev/null
cat >main.js <<'JS'
const moment = require(process.argv[2]);
const at = (day) => moment.tz(day, 'Asia/Almaty');
console.log('zone data', moment.tz.dataVersion, '2024-03-01 is', at('2024-03-01').format());
console.log('hours of 29 February', (at('2024-03-01') - at('2024-02-29')) / 3600000, 'of 1 March', (at('2024-03-02') - at('2024-03-01')) / 3600000);
JS
seen=$(node main.js old; node main.js new)

want=$(cat <<'WANT'
zone data 2024a 2024-03-01 is 2024-02-29T23:00:00+05:00
hours of 29 February 24 of 1 March 25
zone data 2026f 2024-03-01 is 2024-03-01T00:00:00+05:00
hours of 29 February 25 of 1 March 24
WANT
)

cat <<'TEXT'
Versions:  npm moment-timezone 0.5.45 and 0.6.6
Behaviour: the clocks of Almaty went back from midnight of 1 March 2024 to 23:00, so that 29
           February has 25 hours. Version 0.5.45, the first with that change in its data, reads the
           date 2024-03-01 as 23:00 of 29 February and gives the 25 hours to 1 March; 0.6.6 is
           right.
Guess:     a date is read as its own midnight once the zone data are right.
Matters:   a register cut by days has an hour of payments in the wrong day and month.
TEXT
printf '\nSeen now:\n%s\n' "$seen"
if [ "$seen" != "$want" ]; then
	printf '\nCHANGED. Seen when this was written:\n%s\n' "$want"
	exit 1
fi
printf '\nUnchanged.\n'
