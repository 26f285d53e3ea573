#!/usr/bin/env bash
# Versions:  github.com/xuri/excelize/v2 2.11.1
# Behaviour: an int64 of 17 digits is stored digit for digit. GetCellValue gives it as
#            1.23456789012346E+16 (Excel shows 15 digits) and leaves that in the cell: what is read
#            raw or saved afterwards has lost the digits. Read raw at first, they stay.
# Guess:     reading changes nothing: the saved file and the raw value have the digits that were set.
# Matters:   ids of operations have 16 to 19 digits: a program that reads a register, adds a column
#            and saves it destroys them.
#
# Output seen:
#   read before saving: nothing, saved: 12345678901234567
#   read before saving: raw value, saved: 12345678901234567
#   read before saving: value, saved: 1.23456789012346E+16
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
	"archive/zip"
	"bytes"
	"fmt"
	"io"
	"regexp"

	"github.com/xuri/excelize/v2"
)

func main() {
	for _, before := range []string{"nothing", "raw value", "value"} {
		file := excelize.NewFile()
		must(file.SetCellValue("Sheet1", "A1", int64(12345678901234567)))
		if before != "nothing" {
			_, err := file.GetCellValue("Sheet1", "A1", excelize.Options{RawCellValue: before == "raw value"})
			must(err)
		}
		fmt.Printf("read before saving: %s, saved: %s\n", before, saved(file))
	}
}

func saved(file *excelize.File) string {
	buffer, err := file.WriteToBuffer()
	must(err)
	archive, err := zip.NewReader(bytes.NewReader(buffer.Bytes()), int64(buffer.Len()))
	must(err)
	sheet, err := archive.Open("xl/worksheets/sheet1.xml")
	must(err)
	xml, err := io.ReadAll(sheet)
	must(err)
	return string(regexp.MustCompile(`<v>([^<]*)`).FindSubmatch(xml)[1])
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}
GO
seen=$(GOFLAGS=-mod=mod GOWORK=off go run . 2>errors) || { cat errors >&2; exit 1; }

want=$(cat <<'WANT'
read before saving: nothing, saved: 12345678901234567
read before saving: raw value, saved: 12345678901234567
read before saving: value, saved: 1.23456789012346E+16
WANT
)

cat <<'TEXT'
Versions:  github.com/xuri/excelize/v2 2.11.1
Behaviour: an int64 of 17 digits is stored digit for digit. GetCellValue gives it as
           1.23456789012346E+16 (Excel shows 15 digits) and leaves that in the cell: what is read
           raw or saved afterwards has lost the digits. Read raw at first, they stay.
Guess:     reading changes nothing: the saved file and the raw value have the digits that were set.
Matters:   ids of operations have 16 to 19 digits: a program that reads a register, adds a column
           and saves it destroys them.
TEXT
printf '\nSeen now:\n%s\n' "$seen"
if [ "$seen" != "$want" ]; then
	printf '\nCHANGED. Seen when this was written:\n%s\n' "$want"
	exit 1
fi
printf '\nUnchanged.\n'
