// Package sheet writes tables as files that other programs open: XLSX for people
// with a spreadsheet, CSV for machines. A table's columns are defined once, for
// both.
//
// In XLSX ids are text, amounts are numbers in major units with the digits of
// their currency, times are dates in the table's zone, and the heading stays in
// view. In CSV amounts are whole numbers of minor units and times are RFC 3339 in
// UTC, which every program reads in the same way, whatever its language.
//
// No text becomes a formula: see [Text].
package sheet

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"tolem/calendar"
	"tolem/topup"
)

// Format is the kind of a file.
type Format string

// The formats.
const (
	CSV  Format = "csv"
	XLSX Format = "xlsx"
)

// Table is what a file has: one row a record.
type Table[R any] struct {
	// Name is the name of the XLSX sheet: at most 25 characters, none of :\/?*[].
	Name string
	// Zone is the zone in which XLSX shows times.
	Zone    *time.Location
	Columns []Column[R]
}

// Column is a column of a table.
type Column[R any] struct {
	Heading string
	// Of is the record's cell in this column.
	Of func(R) Value
	// Width is the column's width in XLSX, in characters; 0 is one that fits a time.
	Width float64
	// CSVOnly leaves the column out of XLSX, where another one shows the same.
	CSVOnly bool
}

// Write writes the table. fill passes it the records by calling add, and returns
// the first error of add. Memory does not grow with the number of records: for
// XLSX they wait in a temporary file, so that out receives nothing before the last
// of them.
func (t Table[R]) Write(out io.Writer, format Format, fill func(add func(R) error) error) error {
	switch format {
	case CSV:
		return t.writeCSV(out, fill)
	case XLSX:
		return t.writeXLSX(out, fill)
	}
	return fmt.Errorf("%q is no format of a table: csv or xlsx", format)
}

type kind int

const (
	empty kind = iota
	text
	decimal
	count
	amount
	instant
	day
)

// Value is what a cell has. The zero Value is an empty cell.
type Value struct {
	kind   kind
	text   string // of text and decimal; the currency of amount
	number int64  // of count and amount
	time   time.Time
	day    calendar.Day
}

// Text is a text, also when it has digits alone, as ids do: a spreadsheet rounds a
// number of more than 15 digits. It is never a formula: in XLSX the cell says that
// it is a text, which stays so when somebody edits it; in CSV an apostrophe is put
// before a text which begins with a character that begins a formula. An empty text
// is an empty cell.
func Text(s string) Value {
	if s == "" {
		return Value{}
	}
	return Value{kind: text, text: s}
}

// Count is a whole number.
func Count(n int64) Value { return Value{kind: count, number: n} }

// Amount is an amount of money in minor units.
func Amount(minor int64, currency string) Value {
	return Value{kind: amount, number: minor, text: currency}
}

// Major is an amount of money as a text in major units, for people who read a CSV.
// Its decimal mark is a point.
func Major(minor int64, currency string) Value {
	return Value{kind: decimal, text: topup.FormatMinor(minor, digitsOf(currency))}
}

// Time is an instant; the zero time is an empty cell.
func Time(t time.Time) Value {
	if t.IsZero() {
		return Value{}
	}
	return Value{kind: instant, time: t}
}

// Day is a day of the calendar; the zero day is an empty cell.
func Day(d calendar.Day) Value {
	if d.IsZero() {
		return Value{}
	}
	return Value{kind: day, day: d}
}

// digitsOf is how many digits the minor unit of a currency has. An unknown
// currency counts in minor units.
func digitsOf(currency string) int {
	digits, _ := topup.Digits(currency)
	return digits
}

// formulaStart are the characters with which a cell of a CSV file begins that a
// spreadsheet takes for a formula.
const formulaStart = "=+-@\t\r\n"

// disarmed is a text that no spreadsheet executes.
func disarmed(s string) string {
	if s != "" && strings.ContainsRune(formulaStart, rune(s[0])) {
		return "'" + s
	}
	return s
}

// csvText is the cell in a CSV file.
func (v Value) csvText() string {
	switch v.kind {
	case text:
		return disarmed(v.text)
	case decimal:
		return v.text
	case count, amount:
		return strconv.FormatInt(v.number, 10)
	case instant:
		return v.time.UTC().Format(time.RFC3339Nano)
	case day:
		return v.day.String()
	}
	return ""
}

// TextColumn is a column of texts.
func TextColumn[R any](heading string, width float64, of func(R) string) Column[R] {
	return Column[R]{Heading: heading, Width: width, Of: func(r R) Value { return Text(of(r)) }}
}

// TimeColumn is a column of instants.
func TimeColumn[R any](heading string, of func(R) time.Time) Column[R] {
	return Column[R]{Heading: heading, Of: func(r R) Value { return Time(of(r)) }}
}
