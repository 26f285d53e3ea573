package reportfile_test

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/xuri/excelize/v2"

	"tolem/reportfile"
)

// excel is a workbook as spreadsheets write it.
func excel(t *testing.T, fill func(*excelize.File) error) string {
	t.Helper()
	book := excelize.NewFile()
	defer func() { _ = book.Close() }()
	if err := fill(book); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := book.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// rows puts rows into a sheet of a workbook.
func rows(book *excelize.File, sheet string, rows ...[]any) error {
	for i, row := range rows {
		if err := book.SetSheetRow(sheet, fmt.Sprintf("A%d", i+1), &row); err != nil {
			return err
		}
	}
	return nil
}

var header = []any{"id", "op", "sum", "cur"}

func TestXLSX(t *testing.T) {
	t.Parallel()
	m := plain(t, "format: xlsx")
	t.Run("texts and numbers", func(t *testing.T) {
		file := excel(t, func(book *excelize.File) error {
			return rows(book, "Sheet1", []any{"Turnover", 5.5}, nil, header,
				[]any{"p1", "9007199254740993", 1234.56, "KZT"}, []any{"p2", 123456789012345, "1 234.50", "KZT"}, nil,
				[]any{"p3", 7, 7745.700000000001, "KZT"}, []any{"=SUM(A1)", 8, 0.1 + 0.2, "KZT"}, []any{"p5", 9, 1e7, "KZT"})
		})
		compare(t, read(t, m, file),
			"4 p1/9007199254740993 payment paid 123456 KZT", "5 p2/123456789012345 payment paid 123450 KZT",
			"7 p3/7 payment paid 774570 KZT", "8 =SUM(A1)/8 payment paid 30 KZT", "9 p5/9 payment paid 1000000000 KZT")
	})
	t.Run("what a spreadsheet does not keep", func(t *testing.T) {
		file := excel(t, func(book *excelize.File) error {
			if err := rows(book, "Sheet1", header, []any{"p1", int64(9007199254740993), 1, "KZT"}, []any{"p2", 1.5, 1, "KZT"}, []any{"p3", 1, 1.005, "KZT"}, []any{"p4", 1, nil, "KZT"}); err != nil {
				return err
			}
			return book.SetCellFormula("Sheet1", "C5", "1+1")
		})
		compare(t, read(t, m, file),
			"line 2: op is a number of more than 15 digits, of which a spreadsheet keeps 15: have the report written with ids as text",
			"line 3: op is a number that is no id: ids are whole numbers or texts",
			"line 4: sum is a number with digits behind those of the currency (KZT has 2): \"1.005\"",
			"line 5: has a formula without its result; open the file in a spreadsheet and save it, or have the report written without formulas")
	})
	t.Run("dates, as text and as serial numbers", func(t *testing.T) {
		m := mustMap(t, "format: xlsx\ntimezone: Asia/Almaty\ntime: '%d.%m.%Y %H:%M:%S'\ncolumns: {payment: id, amount: sum, currency: cur, date: day, time: at}")
		file := excel(t, func(book *excelize.File) error {
			return rows(book, "Sheet1", []any{"id", "sum", "cur", "day", "at"},
				[]any{"p", 1, "KZT", "30.11.2026", "10:11:12"}, []any{"p", 1, "KZT", time.Date(2026, 11, 30, 0, 0, 0, 0, time.UTC), 0.999988425925926}, []any{"p", 1, "KZT", "30.11.2026", 0.5})
		})
		compare(t, read(t, m, file), "2 p/ payment paid 100 KZT 2026-11-30T10:11:12+05:00", "3 p/ payment paid 100 KZT 2026-11-30T23:59:59+05:00",
			`line 4: day and the time must both be text, or both dates of the spreadsheet`)
		m = mustMap(t, "format: xlsx\ncolumns: {payment: id, amount: sum, currency: cur, time: at}")
		file = excel(t, func(book *excelize.File) error {
			return rows(book, "Sheet1", []any{"id", "sum", "cur", "at"}, []any{"p", 1, "KZT", time.Date(2026, 11, 30, 22, 1, 2, 0, time.UTC)}, []any{"p", 1, "KZT", -1})
		})
		compare(t, read(t, m, file), "2 p/ payment paid 100 KZT 2026-11-30T22:01:02Z", `line 3: at is a number that is no date: "-1"`)
	})
	t.Run("sheets", func(t *testing.T) {
		two := func(names ...string) string {
			return excel(t, func(book *excelize.File) error {
				for _, name := range names {
					if _, err := book.NewSheet(name); err != nil {
						return err
					}
					if err := rows(book, name, header, []any{name, 1, 1, "KZT"}); err != nil {
						return err
					}
				}
				return nil
			})
		}
		compare(t, read(t, m, two("Days")), "2 Days/1 payment paid 100 KZT")
		compare(t, read(t, m, two("Days", "More")), `error: the sheets "Days" and "More" both have the columns that the map names: choose one with sheet`)
		compare(t, read(t, plain(t, "format: xlsx", "sheet: more"), two("Days", "More")), "2 More/1 payment paid 100 KZT")
		compare(t, read(t, plain(t, "format: xlsx", "sheet: May"), two("Days")), `error: the workbook has no sheet "May"`)
		compare(t, read(t, m, two()), `error: sheet "Sheet1": none of the first 1000 lines is a header with the columns that the map names (id, op, sum, cur); is format, encoding or separator another one?`)
	})
	t.Run("what is no workbook", func(t *testing.T) {
		compare(t, read(t, m, "id,op,sum,cur\n"), "error: the file is no XLSX workbook: set another format, or save it as XLSX")
		compare(t, read(t, m, archive(t, map[string]string{"a": "b"})), `error: the workbook cannot be read: the part "_rels/.rels" is missing; is it one of XLSX?`)
	})
}

// archive is a ZIP archive of these parts.
func archive(t testing.TB, parts map[string]string) string {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for name, text := range parts {
		part, err := w.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(part, text); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

const (
	rootLinks = `<Relationships><Relationship Id="r1" Type="x/officeDocument" Target="xl/workbook.xml"/></Relationships>`
	bookLinks = `<Relationships><Relationship Id="r1" Type="x/worksheet" Target="worksheets/sheet1.xml"/><Relationship Id="r2" Type="x/sharedStrings" Target="/xl/sharedStrings.xml"/></Relationships>`
	bookXML   = `<workbook xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"><sheets><sheet name="S" r:id="r1"/></sheets></workbook>`
	headerXML = `<row><c t="s"><v>0</v></c><c t="s"><v>1</v></c><c t="s"><v>2</v></c><c t="s"><v>3</v></c></row>`
	shared    = `<sst><si><t>id</t></si><si><r><t>o</t></r><r><t>p</t></r></si><si><t>sum</t></si><si><t>cur</t><rPh><t>no</t></rPh></si></sst>`
)

// byHand is a workbook with that XML of its sheet.
func byHand(t testing.TB, sheet string) string {
	t.Helper()
	return archive(t, map[string]string{"_rels/.rels": rootLinks, "xl/_rels/workbook.xml.rels": bookLinks, "xl/workbook.xml": bookXML,
		"xl/sharedStrings.xml": shared, "xl/worksheets/sheet1.xml": sheet})
}

func TestABrokenSheetIsNotTakenForItsEnd(t *testing.T) {
	t.Parallel()
	m := plain(t, "format: xlsx")
	const row = `<row r="5"><c t="str"><v>p1</v></c><c r="B5"><v>1</v></c><c><v>1</v></c><c t="inlineStr"><is><t>KZT</t></is></c></row>`
	const good = "5 p1/1 payment paid 100 KZT"
	for name, test := range map[string]struct {
		rest string
		want []string
	}{
		"whole":                 {"</sheetData></worksheet>", []string{good}},
		"cut off":               {"<row><c><v>", []string{good, "line 6: the workbook cannot be read: XML syntax error on line 1: unexpected EOF"}},
		"cut off between rows":  {"", []string{good, "line 5: the workbook cannot be read: XML syntax error on line 1: unexpected EOF"}},
		"no XML":                {"<row></c></row>", []string{good, "line 6: the workbook cannot be read: XML syntax error on line 1: element <row> closed by </c>"}},
		"rows out of order":     {`<row r="4"/></sheetData></worksheet>`, []string{good, "line 6: the workbook cannot be read: the rows are not in order"}},
		"cells out of order":    {`<row><c r="B6"/><c r="A6"/></row></sheetData></worksheet>`, []string{good, "line 6: has cells that are not in order"}},
		"a shared text too far": {`<row><c t="s"><v>4</v></c></row></sheetData></worksheet>`, []string{good, "line 6: the workbook cannot be read: a cell names a shared text that is not there"}},
		"an error value":        {`<row><c t="str"><v>p</v></c><c/><c t="e"><v>#N/A</v></c></row></sheetData></worksheet>`, []string{good, `line 6: has the error value "#N/A"`}},
		"nested without end":    {`<row>` + strings.Repeat("<c>", 100), []string{good, "line 6: the workbook cannot be read: its XML is nested deeper than 64"}},
		"a cell without end":    {`<row><c t="str"><v>` + strings.Repeat("a", 5<<20), []string{good, "line 6: the workbook cannot be read: a line must be at most 1048576 bytes long; is a quote never closed?"}},
		"a million columns":     {`<row>` + strings.Repeat("<c><v>1</v></c>", 200_000) + `</row></sheetData></worksheet>`, []string{good, "line 6: a line must have at most 4096 fields"}},
	} {
		t.Run(name, func(t *testing.T) {
			compare(t, read(t, m, byHand(t, "<worksheet><sheetData>"+headerXML+row+test.rest)), test.want...)
		})
	}
}

// TestABombIsRefused opens a workbook of 10 MB whose sheet has 10 GB, once as it
// says and once as if it had little.
func TestABombIsRefused(t *testing.T) {
	// One compressed block of blanks, as often as needed.
	var block bytes.Buffer
	deflater, err := flate.NewWriter(&block, flate.BestCompression)
	if err != nil {
		t.Fatal(err)
	}
	blanks := bytes.Repeat([]byte(" "), 10<<20)
	if _, err := deflater.Write(blanks); err != nil {
		t.Fatal(err)
	}
	if err := deflater.Flush(); err != nil {
		t.Fatal(err)
	}
	const blocks = 1000
	for _, test := range []struct {
		declared uint64
		want     string
	}{
		{blocks * 10 << 20, "export the report as CSV"},
		{1 << 20, "the workbook cannot be read"},
		{1 << 30, "a line must be at most"},
	} {
		var file bytes.Buffer
		writer := zip.NewWriter(&file)
		for name, text := range map[string]string{"_rels/.rels": rootLinks, "xl/_rels/workbook.xml.rels": bookLinks, "xl/workbook.xml": bookXML, "xl/sharedStrings.xml": shared} {
			part, err := writer.Create(name)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.WriteString(part, text); err != nil {
				t.Fatal(err)
			}
		}
		part, err := writer.CreateRaw(&zip.FileHeader{Name: "xl/worksheets/sheet1.xml", Method: zip.Deflate, UncompressedSize64: test.declared, CompressedSize64: uint64(block.Len()) * blocks})
		if err != nil {
			t.Fatal(err)
		}
		for range blocks {
			if _, err := part.Write(block.Bytes()); err != nil {
				t.Fatal(err)
			}
		}
		if err := writer.Close(); err != nil {
			t.Fatal(err)
		}
		grown := memory(func() {
			got := strings.Join(read(t, plain(t, "format: xlsx"), file.String()), "\n")
			if !strings.Contains(got, test.want) {
				t.Errorf("declared %d: got %.300s, want %s", test.declared, got, test.want)
			}
		})
		if grown > 48<<20 {
			t.Errorf("declared %d: the heap grew by %d MB", test.declared, grown>>20)
		}
	}
}

// memory is by how much the heap grows at most while run runs.
func memory(run func()) uint64 {
	var stats runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&stats)
	before, most, done := stats.HeapAlloc, stats.HeapAlloc, make(chan struct{})
	go func() { run(); close(done) }()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-done:
			return most - before
		case <-tick.C:
			runtime.ReadMemStats(&stats)
			most = max(most, stats.HeapAlloc)
		}
	}
}

// endless is a file of that many bytes that repeats a text.
type endless struct {
	start, repeated string
	size            int64
}

func (e endless) ReadAt(p []byte, at int64) (int, error) {
	n := 0
	for n < len(p) && at < e.size {
		part := e.repeated
		switch {
		case at < int64(len(e.start)):
			part = e.start[at:]
		default:
			part = part[(at-int64(len(e.start)))%int64(len(part)):]
		}
		c := copy(p[n:], part[:min(int64(len(part)), e.size-at)])
		n, at = n+c, at+int64(c)
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func TestALineOfAGigabyteIsRefused(t *testing.T) {
	const size = 1 << 30
	header := "id,op,sum,cur\np1,1,1,KZT\n"
	for name, test := range map[string]struct {
		yaml, start, repeated, want string
	}{
		"a line":              {"", header, "x", "line 3: a line must be at most 1048576 bytes long; is a quote never closed?"},
		"within quotes":       {"", header + `"`, "x,\n", "line 3: a line must be at most 1048576 bytes long; is a quote never closed?"},
		"fields":              {"", header, ",1", "line 3: a line must be at most 1048576 bytes long; is a quote never closed?"},
		"before the header":   {"", "", "x", "error: line 1: a line must be at most 1048576 bytes long; is a quote never closed?"},
		"of another encoding": {"encoding: windows-1251", header, "\xcf", "line 3: a line must be at most 1048576 bytes long; is a quote never closed?"},
		"JSON":                {"format: json", `{"operations":[{"id":"p1","op":"1","sum":1,"cur":"KZT"},{"id":"`, "x", "operation 2: cannot be read: an operation must be at most 1048576 bytes long"},
		"JSON without end":    {"format: json", ``, "[", "operation 1: cannot be read: jsontext: exceeded max depth"},
	} {
		t.Run(name, func(t *testing.T) {
			grown := memory(func() {
				file := endless{test.start, test.repeated, size}
				rows, err := reportfile.Open(file, size, plain(t, test.yaml))
				if err == nil {
					_, err = rows.Next()
					if err == nil && test.start != "" {
						_, err = rows.Next()
					}
				}
				got := strings.TrimPrefix(fmt.Sprint(err), "error: ")
				if !strings.HasPrefix(got, strings.TrimPrefix(test.want, "error: ")) {
					t.Errorf("got %.300s, want %s", got, test.want)
				}
			})
			if grown > 32<<20 {
				t.Errorf("the heap grew by %d MB", grown>>20)
			}
		})
	}
}

func TestAMillionColumnsAreRefused(t *testing.T) {
	t.Parallel()
	columns := strings.Repeat(",", 1_000_000)
	compare(t, read(t, plain(t), "id,op,sum,cur"+columns+"\n"), "error: line 1: a line must have at most 4096 fields")
	compare(t, read(t, plain(t), "id,op,sum,cur\np1,1,1,KZT"+columns+"\np2,2,1,KZT\n"), "line 2: a line must have at most 4096 fields", "3 p2/2 payment paid 100 KZT")
}
