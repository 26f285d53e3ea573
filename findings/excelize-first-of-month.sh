#!/usr/bin/env bash
# Versions:  github.com/xuri/excelize/v2 2.11.1
# Behaviour: a time on the first day of a month, at any hour, gets the number format of a month: 1
#            July 2024 01:30 is shown, and read back, as Jul-24. Every other day is shown with day and
#            time.
# Guess:     all times of a column get one format, day and time: 7/1/24 01:30.
#
# Output seen:
#   Jul-24
#   7/2/24 01:30
#   7/31/24 01:30
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
	for _, day := range []int{1, 2, 31} {
		fmt.Println(show(time.Date(2024, time.July, day, 1, 30, 0, 0, time.UTC)))
	}
}
GO
seen=$(GOFLAGS=-mod=mod GOWORK=off go run . 2>errors) || { cat errors >&2; exit 1; }

want=$(cat <<'WANT'
Jul-24
7/2/24 01:30
7/31/24 01:30
WANT
)

cat <<'TEXT'
Versions:  github.com/xuri/excelize/v2 2.11.1
Behaviour: a time on the first day of a month, at any hour, gets the number format of a month: 1
           July 2024 01:30 is shown, and read back, as Jul-24. Every other day is shown with day and
           time.
Guess:     all times of a column get one format, day and time: 7/1/24 01:30.
TEXT
printf '\nSeen now:\n%s\n' "$seen"
if [ "$seen" != "$want" ]; then
	printf '\nCHANGED. Seen when this was written:\n%s\n' "$want"
	exit 1
fi
printf '\nUnchanged.\n'
