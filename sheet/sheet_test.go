package sheet_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/xuri/excelize/v2"
	"pgregory.net/rapid"

	"tolem/calendar"
	"tolem/sheet"
	"tolem/topup"
)

// line is a record of the tests.
type line struct {
	id, note, currency string
	n, sum             int64
	at                 time.Time
	day                calendar.Day
}

var almaty = func() *time.Location {
	zone, err := calendar.Load("Asia/Almaty")
	if err != nil {
		panic(err)
	}
	return zone
}()

// lines is the table of the tests.
var lines = sheet.Table[line]{
	Name: "lines", Zone: almaty,
	Columns: []sheet.Column[line]{
		{Heading: "id", Of: func(l line) sheet.Value { return sheet.Text(l.id) }, Width: 30},
		{Heading: "n", Of: func(l line) sheet.Value { return sheet.Count(l.n) }},
		{Heading: "sum", Of: func(l line) sheet.Value { return sheet.Amount(l.sum, l.currency) }},
		{Heading: "currency", Of: func(l line) sheet.Value { return sheet.Text(l.currency) }},
		{Heading: "sum_major", Of: func(l line) sheet.Value { return sheet.Major(l.sum, l.currency) }, CSVOnly: true},
		{Heading: "at", Of: func(l line) sheet.Value { return sheet.Time(l.at) }},
		{Heading: "day", Of: func(l line) sheet.Value { return sheet.Day(l.day) }},
		{Heading: "note", Of: func(l line) sheet.Value { return sheet.Text(l.note) }},
	},
}

func fill(records ...line) func(func(line) error) error {
	return func(add func(line) error) error {
		for _, record := range records {
			if err := add(record); err != nil {
				return err
			}
		}
		return nil
	}
}

func mustDay(text string) calendar.Day {
	day, err := calendar.ParseDay(text)
	if err != nil {
		panic(err)
	}
	return day
}

var samples = []line{
	{id: "1234567890123456789", note: "=1+1", currency: "KZT", n: 7, sum: 150000005,
		at: time.Date(2026, 11, 29, 19, 30, 5, 999, time.UTC), day: mustDay("2026-11-30")},
	{id: "00017", note: "@SUM(A1:A9)", currency: "KZT", n: -1, sum: -5, at: time.Date(2024, 2, 29, 18, 59, 59, 0, time.UTC)},
	{id: "+7 701", note: "-2+3\t|cmd", currency: "JPY", sum: 999999999999999},
	{id: "_x0041_", note: " төлем \"ұ\"; <&>\nтөртінші ", currency: "KWD", sum: 1},
	{id: "", note: "", currency: "KZT"},
}

func TestCSV(t *testing.T) {
	var out bytes.Buffer
	if err := lines.Write(&out, sheet.CSV, fill(samples...)); err != nil {
		t.Fatal(err)
	}
	want := `id,n,sum,currency,sum_major,at,day,note
1234567890123456789,7,150000005,KZT,1500000.05,2026-11-29T19:30:05.000000999Z,2026-11-30,'=1+1
00017,-1,-5,KZT,-0.05,2024-02-29T18:59:59Z,,'@SUM(A1:A9)
'+7 701,0,999999999999999,JPY,999999999999999,,,'-2+3	|cmd
_x0041_,0,1,KWD,0.001,,," төлем ""ұ""; <&>
төртінші "
,0,0,KZT,0.00,,,
`
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", out.String(), want)
	}
}

// opened reads the cells of the only sheet as they are in the file.
func opened(t testing.TB, file []byte) (*excelize.File, [][]string) {
	t.Helper()
	book, err := excelize.OpenReader(bytes.NewReader(file), excelize.Options{RawCellValue: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { book.Close() })
	rows, err := book.GetRows("lines")
	if err != nil {
		t.Fatal(err)
	}
	return book, rows
}

func xlsx(t testing.TB, records ...line) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := lines.Write(&out, sheet.XLSX, fill(records...)); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestXLSX(t *testing.T) {
	book, rows := opened(t, xlsx(t, samples...))
	want := [][]string{
		{"id", "n", "sum", "currency", "at", "day", "note"},
		{"1234567890123456789", "7", "1500000.05", "KZT", "46356.0208912037", "46356", "=1+1"},
		{"00017", "-1", "-0.05", "KZT", "45351.9999884259", "", "@SUM(A1:A9)"},
		{"+7 701", "0", "999999999999999", "JPY", "", "", "-2+3\t|cmd"},
		{"_x0041_", "0", "0.001", "KWD", "", "", " төлем \"ұ\"; <&>\nтөртінші "},
		{"", "0", "0", "KZT"},
	}
	if len(rows) != len(want) {
		t.Fatalf("got %d rows, want %d: %q", len(rows), len(want), rows)
	}
	for i := range want {
		if !slices.Equal(rows[i], want[i]) {
			t.Errorf("row %d: got %q, want %q", i, rows[i], want[i])
		}
	}
	t.Run("TextsAreTexts", func(t *testing.T) {
		for _, cell := range []string{"A2", "A3", "A4", "G2", "G3", "G4", "D2"} {
			if formula, err := book.GetCellFormula("lines", cell); err != nil || formula != "" {
				t.Errorf("%s: got formula %q, %v", cell, formula, err)
			}
			if kind, err := book.GetCellType("lines", cell); err != nil || kind != excelize.CellTypeInlineString {
				t.Errorf("%s: got type %v, %v", cell, kind, err)
			}
			// In a cell of this format what a person types stays a text too.
			if format := formatOf(t, book, cell); format != "49" {
				t.Errorf("%s: got number format %s, want 49 (@)", cell, format)
			}
		}
	})
	t.Run("AmountsHaveTheDigitsOfTheirCurrency", func(t *testing.T) {
		for cell, want := range map[string]string{"C2": "#,##0.00", "C3": "#,##0.00", "C4": "#,##0", "C5": "#,##0.000"} {
			if got := formatOf(t, book, cell); got != want {
				t.Errorf("%s: got %s, want %s", cell, got, want)
			}
		}
	})
	t.Run("TheHeadingStays", func(t *testing.T) {
		panes, err := book.GetPanes("lines")
		if err != nil || !panes.Freeze || panes.YSplit != 1 || panes.TopLeftCell != "A2" {
			t.Errorf("got %+v, %v", panes, err)
		}
	})
}

// formatOf is the number format of a cell, by its number if it is a built-in one.
func formatOf(t testing.TB, book *excelize.File, cell string) string {
	t.Helper()
	id, err := book.GetCellStyle("lines", cell)
	if err != nil {
		t.Fatal(err)
	}
	style, err := book.GetStyle(id)
	if err != nil {
		t.Fatal(err)
	}
	if style.CustomNumFmt != nil {
		return *style.CustomNumFmt
	}
	return fmt.Sprint(style.NumFmt)
}

func TestXLSX_RefusesWhatASpreadsheetCannotHold(t *testing.T) {
	for name, tc := range map[string]struct {
		record line
		want   string
	}{
		"SixteenDigits":       {line{sum: 1e15, currency: "KZT"}, "row 1, column sum: the amount 10000000000000.00 KZT has more than the 15 digits"},
		"SixteenDigitsBelow0": {line{sum: -1e15, currency: "KZT"}, "more than the 15 digits"},
		"CountOf16Digits":     {line{n: 1e15}, "column n: 1000000000000000 has more"},
		"LongText":            {line{note: strings.Repeat("ұ", 32768)}, "column note: the text has more than the 32767 characters"},
		"DayBefore1901":       {line{day: mustDay("1900-02-28")}, "no date in the year 1900"},
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			err := lines.Write(&out, sheet.XLSX, fill(tc.record))
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want %q", err, tc.want)
			}
			if out.Len() != 0 {
				t.Errorf("%d bytes were written", out.Len())
			}
		})
	}
	xlsx(t, line{note: strings.Repeat("ұ", 32767)})
}

// What fails leaves nothing behind: neither bytes nor temporary files.
func TestWrite_LeavesNothingBehind(t *testing.T) {
	folder := t.TempDir()
	t.Setenv("TMPDIR", folder)
	broken := errors.New("the database went away")
	var out bytes.Buffer
	err := lines.Write(&out, sheet.XLSX, func(add func(line) error) error {
		for range 200_000 {
			if err := add(samples[0]); err != nil {
				return err
			}
		}
		return broken
	})
	if !errors.Is(err, broken) || out.Len() != 0 {
		t.Errorf("got %v and %d bytes", err, out.Len())
	}
	if left, err := os.ReadDir(folder); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	t.Run("WithoutATemporaryFolder", func(t *testing.T) {
		t.Setenv("TMPDIR", folder+"/none")
		if err := lines.Write(&out, sheet.XLSX, fill()); err == nil {
			t.Error("got no error: rows would be kept in memory")
		}
	})
}

func TestXLSX_GoesOnInAnotherSheet(t *testing.T) {
	var out bytes.Buffer
	if err := lines.WriteBook(&out, 3, fill(samples...)); err != nil {
		t.Fatal(err)
	}
	book, rows := opened(t, out.Bytes())
	if want := []string{"lines", "lines 2", "lines 3"}; !slices.Equal(book.GetSheetList(), want) {
		t.Errorf("got sheets %q, want %q", book.GetSheetList(), want)
	}
	for i, name := range book.GetSheetList()[1:] {
		more, err := book.GetRows(name)
		if err != nil {
			t.Fatal(err)
		}
		if len(more) != []int{3, 2}[i] || !slices.Equal(more[0], rows[0]) {
			t.Errorf("%s: got %q", name, more)
		}
	}
}

// Every amount of at most 15 digits is in the file digit by digit.
func TestXLSX_KeepsEveryDigit(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		record := line{
			sum:      rapid.Int64Range(-999_999_999_999_999, 999_999_999_999_999).Draw(rt, "sum"),
			currency: rapid.SampledFrom([]string{"KZT", "JPY", "KWD"}).Draw(rt, "currency"),
		}
		_, rows := opened(t, xlsx(t, record))
		digits, _ := topup.Digits(record.currency)
		want := topup.FormatMinor(record.sum, digits)
		if strings.Contains(want, ".") {
			want = strings.TrimSuffix(strings.TrimRight(want, "0"), ".")
		}
		if want == "-0" {
			want = "0"
		}
		if got := rows[1][2]; got != want {
			rt.Fatalf("got %s, want %s", got, want)
		}
	})
}
