#!/usr/bin/env bash
# Versions:  Go github.com/xuri/excelize/v2 2.11.1
# Behaviour: a workbook made with StreamWriter, whose rows lie in temporary files, is put together as
#            a whole in memory by File.WriteTo, and written with one call. After SetZipWriter it
#            is written in pieces of some kilobytes.
# Guess:     what is written by a stream writer also leaves as a stream.
# Matters:   an export of a year of payments takes as much memory as the file is long, in a server
#            that answers a payment platform beside it.
#
# Output seen:
#   WriteTo: 1 write, the largest is the whole file: true
#   with SetZipWriter: more than 10 writes: true, the largest is under 70 kB: true
set -euo pipefail
dir=$(mktemp -d)
trap 'chmod -R u+w "$dir" && rm -rf "$dir"' EXIT
cd "$dir"
export GOFLAGS=-modcacherw
cat >go.mod <<'MOD'
module finding
go 1.26
MOD
cat >main.go <<'GO'
package main

import (
	"archive/zip"
	"fmt"
	"io"

	"github.com/xuri/excelize/v2"
)

type counter struct{ writes, largest, total int }

func (c *counter) Write(p []byte) (int, error) {
	c.writes, c.largest, c.total = c.writes+1, max(c.largest, len(p)), c.total+len(p)
	return len(p), nil
}

func book() *excelize.File {
	f := excelize.NewFile()
	w, err := f.NewStreamWriter("Sheet1")
	if err != nil {
		panic(err)
	}
	n := uint64(1)
	for row := 1; row <= 60_000; row++ {
		cells := make([]any, 6)
		for i := range cells {
			n = n*6364136223846793005 + 1442695040888963407
			cells[i] = fmt.Sprintf("p_%016x", n)
		}
		if err := w.SetRow(fmt.Sprintf("A%d", row), cells); err != nil {
			panic(err)
		}
	}
	if err := w.Flush(); err != nil {
		panic(err)
	}
	return f
}

func main() {
	var c counter
	if _, err := book().WriteTo(&c); err != nil {
		panic(err)
	}
	fmt.Printf("WriteTo: %d write, the largest is the whole file: %t\n", c.writes, c.largest == c.total)
	c = counter{}
	f := book()
	f.SetZipWriter(func(out io.Writer) excelize.ZipWriter { return zip.NewWriter(&c) })
	if _, err := f.WriteTo(io.Discard); err != nil {
		panic(err)
	}
	fmt.Printf("with SetZipWriter: more than 10 writes: %t, the largest is under 70 kB: %t\n", c.writes > 10, c.largest < 70_000)
}
GO
go get github.com/xuri/excelize/v2@v2.11.1 >/dev/null 2>&1
seen=$(go run .)

want=$(cat <<'WANT'
WriteTo: 1 write, the largest is the whole file: true
with SetZipWriter: more than 10 writes: true, the largest is under 70 kB: true
WANT
)

cat <<'TEXT'
Versions:  Go github.com/xuri/excelize/v2 2.11.1
Behaviour: a workbook made with StreamWriter, whose rows lie in temporary files, is put together as
           a whole in memory by File.WriteTo, and written with one call. After SetZipWriter it
           is written in pieces of some kilobytes.
Guess:     what is written by a stream writer also leaves as a stream.
Matters:   an export of a year of payments takes as much memory as the file is long, in a server
           that answers a payment platform beside it.
TEXT
printf '\nSeen now:\n%s\n' "$seen"
if [ "$seen" != "$want" ]; then
	printf '\nCHANGED. Seen when this was written:\n%s\n' "$want"
	exit 1
fi
printf '\nUnchanged.\n'
