package sheet

import (
	"archive/zip"
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/xuri/excelize/v2"

	"tolem/topup"
)

const (
	// maxRows is how many rows a sheet has at most, its heading included. What is more
	// goes into further sheets.
	maxRows = excelize.TotalRows
	// maxDigits is how many digits of a number a spreadsheet keeps.
	maxDigits = 15
	// maxNameLength leaves room for the number of a further sheet.
	maxNameLength = 25
	// defaultWidth is the width of a column, in characters: a time fits into it.
	defaultWidth = 20
)

// book is an XLSX file under way.
type book[R any] struct {
	table   Table[R]
	columns []Column[R]
	file    *excelize.File
	stream  *excelize.StreamWriter // of the sheet under way
	sheets  int
	row     int // the last row that was written
	most    int // rows of a sheet
	styles  styles
	cells   []any
}

// styles are how cells are shown, as excelize numbers them.
type styles struct {
	heading, text, count, time, day int
	amounts                         map[int]int // by the digits of the currency
}

func (t Table[R]) writeXLSX(out io.Writer, fill func(add func(R) error) error) error {
	return t.writeBook(out, maxRows, fill)
}

func (t Table[R]) writeBook(out io.Writer, most int, fill func(add func(R) error) error) (err error) {
	// excelize keeps rows in a temporary file, and where it cannot make one, silently
	// in memory: so its folder is made here.
	folder, err := os.MkdirTemp("", "tolem-xlsx-")
	if err != nil {
		return fmt.Errorf("a folder for the rows of the XLSX file: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	b := &book[R]{table: t, file: excelize.NewFile(excelize.Options{TmpDir: folder}), most: most, cells: make([]any, 0, len(t.Columns))}
	defer func() { err = errors.Join(err, b.file.Close()) }()
	for _, column := range t.Columns {
		if !column.CSVOnly {
			b.columns = append(b.columns, column)
		}
	}
	if err := b.begin(); err != nil {
		return err
	}
	if err := fill(b.add); err != nil {
		return err
	}
	if err := b.stream.Flush(); err != nil {
		return err
	}
	return b.writeTo(out)
}

// begin makes the styles and the first sheet.
func (b *book[R]) begin() (err error) {
	style := func(s excelize.Style) (id int) {
		if err == nil {
			id, err = b.file.NewStyle(&s)
		}
		return id
	}
	own := func(format string) (id int) { return style(excelize.Style{CustomNumFmt: &format}) }
	b.styles = styles{
		heading: style(excelize.Style{NumFmt: 49, Font: &excelize.Font{Bold: true}}),
		text:    style(excelize.Style{NumFmt: 49}), // the format Text: what somebody types into the cell is a text too
		count:   style(excelize.Style{NumFmt: 1}),
		time:    own("yyyy-mm-dd hh:mm:ss"),
		day:     own("yyyy-mm-dd"),
		amounts: map[int]int{},
	}
	if err != nil {
		return err
	}
	// The library's own name and time of creation are nobody's.
	if err := b.file.SetDocProps(&excelize.DocProperties{Creator: "tolem"}); err != nil {
		return err
	}
	return b.nextSheet()
}

// nextSheet begins a sheet with the heading.
func (b *book[R]) nextSheet() error {
	b.sheets++
	name := b.table.Name
	if utf8.RuneCountInString(name) > maxNameLength {
		return fmt.Errorf("the sheet's name %q has more than %d characters", name, maxNameLength)
	}
	if b.sheets == 1 {
		if err := b.file.SetSheetName("Sheet1", name); err != nil {
			return err
		}
	} else {
		if err := b.stream.Flush(); err != nil {
			return err
		}
		name += " " + strconv.Itoa(b.sheets)
		if _, err := b.file.NewSheet(name); err != nil {
			return err
		}
	}
	var err error
	if b.stream, err = b.file.NewStreamWriter(name); err != nil {
		return err
	}
	for i, column := range b.columns {
		width := max(cmp.Or(column.Width, defaultWidth), float64(len(column.Heading)+2))
		if err := b.stream.SetColWidth(i+1, i+1, width); err != nil {
			return err
		}
	}
	if err := b.stream.SetPanes(&excelize.Panes{Freeze: true, YSplit: 1, TopLeftCell: "A2", ActivePane: "bottomLeft"}); err != nil {
		return err
	}
	b.cells = b.cells[:0]
	for _, column := range b.columns {
		b.cells = append(b.cells, excelize.Cell{StyleID: b.styles.heading, Value: column.Heading})
	}
	b.row = 1
	return b.stream.SetRow("A1", b.cells)
}

// add writes a record.
func (b *book[R]) add(record R) error {
	if b.row == b.most {
		if err := b.nextSheet(); err != nil {
			return err
		}
	}
	b.cells = b.cells[:0]
	for _, column := range b.columns {
		cell, err := b.cell(column.Of(record))
		if err != nil {
			return fmt.Errorf("row %d, column %s: %w", (b.sheets-1)*(b.most-1)+b.row, column.Heading, err)
		}
		b.cells = append(b.cells, cell)
	}
	b.row++
	return b.stream.SetRow("A"+strconv.Itoa(b.row), b.cells)
}

// cell is a value as excelize takes it; nil is an empty cell.
func (b *book[R]) cell(v Value) (any, error) {
	switch v.kind {
	case text, decimal:
		if len(v.text) > excelize.TotalCellChars && len(utf16.Encode([]rune(v.text))) > excelize.TotalCellChars {
			return nil, fmt.Errorf("the text has more than the %d characters of a cell: use --format csv", excelize.TotalCellChars)
		}
		return excelize.Cell{StyleID: b.styles.text, Value: v.text}, nil
	case count:
		if tooLong(v.number) {
			return nil, fmt.Errorf("%d has more than the %d digits that a spreadsheet keeps: use --format csv", v.number, maxDigits)
		}
		return excelize.Cell{StyleID: b.styles.count, Value: v.number}, nil
	case amount:
		return b.amount(v)
	case instant:
		local := v.time.In(b.zone())
		midnight := time.Date(local.Year(), local.Month(), local.Day(), 0, 0, 0, 0, time.UTC)
		seconds := local.Hour()*3600 + local.Minute()*60 + local.Second()
		number, err := serial(midnight)
		return excelize.Cell{StyleID: b.styles.time, Value: number + float64(seconds)/86400}, err
	case day:
		midnight, err := time.Parse(time.DateOnly, v.day.String())
		if err != nil {
			return nil, err
		}
		number, err := serial(midnight)
		return excelize.Cell{StyleID: b.styles.day, Value: number}, err
	}
	return nil, nil
}

func (b *book[R]) zone() *time.Location {
	if b.table.Zone == nil {
		return time.UTC
	}
	return b.table.Zone
}

// amount is an amount in major units. A decimal number of at most 15 digits is the
// shortest text of the float that is nearest to it, which is what excelize writes:
// so the file has exactly the digits of the amount.
func (b *book[R]) amount(v Value) (any, error) {
	digits := digitsOf(v.text)
	major := topup.FormatMinor(v.number, digits)
	if tooLong(v.number) {
		return nil, fmt.Errorf("the amount %s %s has more than the %d digits that a spreadsheet keeps: use --format csv", major, v.text, maxDigits)
	}
	number, err := strconv.ParseFloat(major, 64)
	if err != nil {
		return nil, err
	}
	style, made := b.styles.amounts[digits]
	if !made {
		format := "#,##0"
		if digits > 0 {
			format += "." + strings.Repeat("0", digits)
		}
		if style, err = b.file.NewStyle(&excelize.Style{CustomNumFmt: &format}); err != nil {
			return nil, err
		}
		b.styles.amounts[digits] = style
	}
	return excelize.Cell{StyleID: style, Value: number}, nil
}

func tooLong(n int64) bool { return n >= 1e15 || n <= -1e15 }

// serial is a day as a spreadsheet counts it: from 1899-12-30. Before March 1900
// spreadsheets disagree, because some have a 29 February 1900.
func serial(midnight time.Time) (float64, error) {
	if year := midnight.Year(); year < 1901 || year > 9999 {
		return 0, fmt.Errorf("a spreadsheet has no date in the year %d: use --format csv", year)
	}
	epoch := time.Date(1899, 12, 30, 0, 0, 0, 0, time.UTC)
	return float64(midnight.Sub(epoch) / (24 * time.Hour)), nil
}

// writeTo writes the file. excelize would first make all of it in memory, and
// writes it into whatever its zip writer is: so that is one that writes to out.
func (b *book[R]) writeTo(out io.Writer) error {
	b.file.SetZipWriter(func(io.Writer) excelize.ZipWriter { return zip.NewWriter(out) })
	_, err := b.file.WriteTo(io.Discard)
	return err
}
