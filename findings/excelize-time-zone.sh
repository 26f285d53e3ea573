#!/usr/bin/env bash
# Versions:  github.com/xuri/excelize/v2 2.11.1
# Behaviour: SetCellValue stores the wall clock of the time's own zone and drops the zone: one
#            instant, given in UTC and in +05:00, becomes two different cells.
# Guess:     one instant, one value: the time is converted to UTC first.
# Matters:   a payment near midnight falls into another day or month of the report, by the zone its
#            time was carried in.
#
# Output seen:
#   UTC 6/29/24 20:30
#   +05 6/30/24 01:30
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
cat >go.mod <<'MOD'
module finding

go 1.24

require (
	github.com/xuri/excelize/v2 v2.11.1
)
MOD
cat >main.go <<'GO'
package main

import (
	"fmt"
	"time"

	"github.com/xuri/excelize/v2"
)

func show(at time.Time) string {
	file := excelize.NewFile()
	if err := file.SetCellValue("Sheet1", "A1", at); err != nil {
		panic(err)
	}
	value, err := file.GetCellValue("Sheet1", "A1")
	if err != nil {
		panic(err)
	}
	return value
}

func main() {
	paid := time.Date(2024, time.June, 29, 20, 30, 0, 0, time.UTC)
	fmt.Println("UTC", show(paid))
	fmt.Println("+05", show(paid.In(time.FixedZone("+05", 5*3600))))
}
GO
seen=$(GOFLAGS=-mod=mod GOWORK=off go run . 2>errors) || { cat errors >&2; exit 1; }

want=$(cat <<'WANT'
UTC 6/29/24 20:30
+05 6/30/24 01:30
WANT
)

cat <<'TEXT'
Versions:  github.com/xuri/excelize/v2 2.11.1
Behaviour: SetCellValue stores the wall clock of the time's own zone and drops the zone: one
           instant, given in UTC and in +05:00, becomes two different cells.
Guess:     one instant, one value: the time is converted to UTC first.
Matters:   a payment near midnight falls into another day or month of the report, by the zone its
           time was carried in.
TEXT
printf '\nSeen now:\n%s\n' "$seen"
if [ "$seen" != "$want" ]; then
	printf '\nCHANGED. Seen when this was written:\n%s\n' "$want"
	exit 1
fi
printf '\nUnchanged.\n'
