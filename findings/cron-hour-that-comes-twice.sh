#!/usr/bin/env bash
# Versions:  github.com/robfig/cron/v3 3.0.1, npm cron-parser 5.10.6, croner 11.0.1
# Behaviour: the hour from 23:00 of 29 February 2024 came twice in Almaty. "30 23 * * *" runs twice
#            that day for robfig/cron and once for the two of npm; "0 20-23 * * *" runs five times for
#            robfig/cron and croner and four times for cron-parser.
# Guess:     all three run a daily job once, at the first 23:30.
# Matters:   a daily register made by such a rule is made twice, or the second hour is in none.
#
# Output seen:
#   30 23 * * *: robfig/cron 17:30 18:30
#   30 23 * * *: cron-parser 17:30
#   30 23 * * *: croner 17:30
#   0 20-23 * * *: robfig/cron 14:00 15:00 16:00 17:00 18:00
#   0 20-23 * * *: cron-parser 14:00 15:00 16:00 17:00
#   0 20-23 * * *: croner 14:00 15:00 16:00 17:00 18:00
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
echo '{"private":true}' >package.json
npm install --silent --no-audit --no-fund --save-exact cron-parser@5.10.6 croner@11.0.1 >/dev/null
cat >go.mod <<'MOD'
module finding

go 1.24

require (
	github.com/robfig/cron/v3 v3.0.1
)
MOD
cat >main.go <<'GO'
package main

import (
	"fmt"
	"os"
	"time"

	"github.com/robfig/cron/v3"
)

func main() {
	for _, rule := range os.Args[1:] {
		schedule, err := cron.ParseStandard("CRON_TZ=Asia/Almaty " + rule)
		if err != nil {
			panic(err)
		}
		fmt.Printf("%s: robfig/cron", rule)
		end := time.Date(2024, time.February, 29, 19, 0, 0, 0, time.UTC)
		for at := schedule.Next(time.Date(2024, time.February, 29, 12, 0, 0, 0, time.UTC)); at.Before(end); at = schedule.Next(at) {
			fmt.Print(" ", at.UTC().Format("15:04"))
		}
		fmt.Println()
	}
}
GO
cat >main.mjs <<'JS'
import { CronExpressionParser } from 'cron-parser';
import { Cron } from 'croner';
const start = new Date('2024-02-29T12:00:00Z'), end = new Date('2024-02-29T19:00:00Z');
for (const rule of process.argv.slice(2)) {
  const parsed = CronExpressionParser.parse(rule, { currentDate: start, tz: 'Asia/Almaty' });
  const cron = new Cron(rule, { timezone: 'Asia/Almaty', paused: true });
  for (const [name, next] of [['cron-parser', () => parsed.next().toDate()], ['croner', (at) => cron.nextRun(at)]]) {
    const times = [];
    for (let at = next(start); at < end; at = next(at)) times.push(at.toISOString().slice(11, 16));
    console.log(`${rule}: ${name} ${times.join(' ')}`);
  }
}
JS
rules=('30 23 * * *' '0 20-23 * * *')
seen=$(GOFLAGS=-mod=mod GOWORK=off go run . "${rules[@]}" 2>errors && node main.mjs "${rules[@]}") || { cat errors >&2; exit 1; }
seen=$(sort -s -t: -k1,1r <<<"$seen")

want=$(cat <<'WANT'
30 23 * * *: robfig/cron 17:30 18:30
30 23 * * *: cron-parser 17:30
30 23 * * *: croner 17:30
0 20-23 * * *: robfig/cron 14:00 15:00 16:00 17:00 18:00
0 20-23 * * *: cron-parser 14:00 15:00 16:00 17:00
0 20-23 * * *: croner 14:00 15:00 16:00 17:00 18:00
WANT
)

cat <<'TEXT'
Versions:  github.com/robfig/cron/v3 3.0.1, npm cron-parser 5.10.6, croner 11.0.1
Behaviour: the hour from 23:00 of 29 February 2024 came twice in Almaty. "30 23 * * *" runs twice
           that day for robfig/cron and once for the two of npm; "0 20-23 * * *" runs five times for
           robfig/cron and croner and four times for cron-parser.
Guess:     all three run a daily job once, at the first 23:30.
Matters:   a daily register made by such a rule is made twice, or the second hour is in none.
TEXT
printf '\nSeen now:\n%s\n' "$seen"
if [ "$seen" != "$want" ]; then
	printf '\nCHANGED. Seen when this was written:\n%s\n' "$want"
	exit 1
fi
printf '\nUnchanged.\n'
