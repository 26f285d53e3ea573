package reportfile_test

import (
	"strings"
	"testing"

	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/unicode"
)

func TestCSV(t *testing.T) {
	t.Parallel()
	const header = "id,op,sum,cur\n"
	for name, test := range map[string]struct {
		more, file string
		want       []string
	}{
		"lines, blank ones and those at the end left out": {"", header + "p1,1,10.00,KZT\n\np2,2,0.5,kzt\r\n,,,\n\n\n", []string{
			"2 p1/1 payment paid 1000 KZT", "4 p2/2 payment paid 50 KZT"}},
		"names without case and outer blanks":        {"", " ID , Op,SUM,cur \np1,1,1,KZT", []string{"2 p1/1 payment paid 100 KZT"}},
		"a header behind other lines, other columns": {"", "Report,of,KZT\n\"a quote\nwith a line break\"\nx,cur,sum,op,id,x\n-,KZT,1,7,p1,-\n", []string{"5 p1/7 payment paid 100 KZT"}},
		"quotes, separators and line breaks in fields": {"", "id,op,note,sum,cur\n\"p1\",1,\"a, \"\"b\"\"\nc\",\"1.00\",KZT\np2,2,5\" pipe,2,KZT\n", []string{
			"2 p1/1 payment paid 100 KZT", "4 p2/2 payment paid 200 KZT"}},
		"a byte order mark":            {"", "\ufeff" + header + "p1,1,1,KZT\n", []string{"2 p1/1 payment paid 100 KZT"}},
		"fewer fields":                 {"", header + "p1,1,1\np2,2,1,KZT\n", []string{"line 2: has 3 fields, the header 4; is the separator part of a value?", "3 p2/2 payment paid 100 KZT"}},
		"more fields, as of a comma":   {"", header + "p1,1,1,50,KZT\np2,2,1,KZT,,\n", []string{"line 2: has 5 fields, the header 4; is the separator part of a value?", "3 p2/2 payment paid 100 KZT"}},
		"text behind a quoted field":   {"", header + "p1,1,\"1\"0,KZT\np2,2,1,KZT\n", []string{"line 2: has something behind the quote that ends a field; quotes in a field that begins with one are doubled", "3 p2/2 payment paid 100 KZT"}},
		"a quote never closed":         {"", header + "p1,1,1,KZT\np2,\"2,1,KZT\np3,3,1,KZT\n", []string{"2 p1/1 payment paid 100 KZT", "line 3: has a quote that is never closed"}},
		"neither id":                   {"", header + ",,1,KZT\n,5,1,KZT\n", []string{"line 2: has the id of neither a payment nor an operation; skip leaves out lines that are no operations", "3 /5 payment paid 100 KZT"}},
		"no amount":                    {"", header + "p1,1,,KZT\n", []string{"line 2: sum must not be empty"}},
		"no currency, and none":        {"", header + "p1,1,1,\np2,2,1,TENGE\n", []string{"line 2: cur must not be empty", `line 3: cur "TENGE" is no code of ISO 4217`}},
		"a semicolon":                  {"separator: ;", "id;op;sum;cur\np1;1;1;KZT\n", []string{"2 p1/1 payment paid 100 KZT"}},
		"a tabulator":                  {`separator: "\t"`, "id\top\tsum\tcur\np1\t1\t1\tKZT\n", []string{"2 p1/1 payment paid 100 KZT"}},
		"a separator of two bytes":     {"separator: §", "id§op§sum§cur\np1§1§1§KZT\n", []string{"2 p1/1 payment paid 100 KZT"}},
		"lines to skip":                {`skip: {payment: ["", "total", "Итого*"]}`, header + "p1,1,1,KZT\nTotal:,,1,KZT\nTOTAL,1\n,,9,\nитого по счету,x\nTotals,1,1,KZT\n", []string{"2 p1/1 payment paid 100 KZT", "3 Total:/ payment paid 100 KZT", "7 Totals/1 payment paid 100 KZT"}},
		"a header twice":               {"", "id,op,sum,cur,SUM\np1,1,1,KZT,2\n", []string{"error: line 1: the header has the column sum twice"}},
		"a column that is not there":   {"", "id,op,sum\np1,1,1\n", []string{"error: no line has all columns that the map names: line 1 has 3 of them, but not cur"}},
		"another separator":            {"", "id;op;sum;cur\n", []string{"error: none of the first 1000 lines is a header with the columns that the map names (id, op, sum, cur); is format, encoding or separator another one?"}},
		"nothing":                      {"", "", []string{"error: the file is empty"}},
		"a workbook":                   {"", "PK\x03\x04", []string{"error: the file is a workbook (XLSX) or another ZIP archive: set format: xlsx, or unpack it"}},
		"a formula as a name":          {"", header + "=1+1,1,1,KZT\n", []string{"2 =1+1/1 payment paid 100 KZT"}},
		"a file without a header":      {"header: [x, id, op, cur, sum]", "-,p1,1,KZT,1\n-,p2,2,KZT\n", []string{"1 p1/1 payment paid 100 KZT", "line 2: has 4 fields, the header 5; is the separator part of a value?"}},
		"a header that lacks a name":   {"header: [id, op, sum]", "p1,1,1\n", []string{"error: the map's header lacks cur, which its columns name"}},
		"what a terminal would act on": {"", header + "p\x1b[2J,1,1,KZT\n", []string{`line 2: id has a character that is no part of an id: "p\x1b[2J"`}},
		"one currency for all":         {"", header + "p1,1,1,KWD\np2,1,1.001,KWD\np2,1,5,JPY\n", []string{"2 p1/1 payment paid 1000 KWD", "3 p2/1 payment paid 1001 KWD", "4 p2/1 payment paid 5 JPY"}},
	} {
		t.Run(name, func(t *testing.T) {
			compare(t, read(t, plain(t, test.more), test.file), test.want...)
		})
	}
}

func TestEncodings(t *testing.T) {
	t.Parallel()
	const text = "Номер,op,sum,cur\nплатёж-1,1,1,KZT\n"
	const row = "2 платёж-1/1 payment paid 100 KZT"
	encode := func(text string, encoding interface{ String(string) (string, error) }) string {
		coded, err := encoding.String(text)
		if err != nil {
			t.Fatal(err)
		}
		return coded
	}
	cyrillic := encode(text, charmap.Windows1251.NewEncoder())
	little := encode(text, unicode.UTF16(unicode.LittleEndian, unicode.UseBOM).NewEncoder())
	big := encode(text, unicode.UTF16(unicode.BigEndian, unicode.UseBOM).NewEncoder())
	for name, test := range map[string]struct {
		encoding, file string
		want           []string
	}{
		"utf-8":                            {"utf-8", text, []string{row}},
		"windows-1251":                     {"windows-1251", cyrillic, []string{row}},
		"utf-16, either order":             {"utf-16", little, []string{row}},
		"utf-16, big end first":            {"utf-16", big, []string{row}},
		"auto: utf-8":                      {"auto", text, []string{row}},
		"auto: windows-1251":               {"auto", cyrillic, []string{row}},
		"auto: utf-16":                     {"auto", little, []string{row}},
		"auto: a mark":                     {"auto", "\ufeff" + text, []string{row}},
		"auto: late in a long file":        {"auto", text + strings.Repeat("p,1,1,KZT\n", 20_000) + "\xcf,1,1,KZT", nil},
		"windows-1251 as utf-8":            {"utf-8", cyrillic, []string{"error: line 1: the text is in another encoding than the map says: it is not UTF-8, but perhaps windows-1251"}},
		"utf-16 as utf-8":                  {"utf-8", little, []string{"error: the file is UTF-16: set encoding: utf-16"}},
		"utf-8 as windows-1251":            {"windows-1251", "\ufeff" + text, []string{"error: the file has the mark of UTF-8: set encoding: utf-8"}},
		"utf-8 as windows-1251, no mark":   {"windows-1251", text, []string{"error: the file is UTF-8: set encoding: utf-8"}},
		"the same in words alone":          {"windows-1251", "номер,op,sum,cur\nсчёт,1,1,KZT\n", []string{"error: the file is UTF-8: set encoding: utf-8"}},
		"utf-8 as utf-16":                  {"utf-16", text, []string{"error: the file does not begin with the byte order mark of UTF-16: set another encoding, or save it with the mark"}},
		"utf-16 without its mark":          {"utf-8", strings.TrimPrefix(little, "\xff\xfe"), []string{"error: line 1: the text is in another encoding than the map says: there are zero bytes, as in UTF-16 without its mark, or in what is no text"}},
		"a byte that windows-1251 has not": {"windows-1251", cyrillic + "\x98,1,1,KZT\n", []string{row, "line 3: the text is in another encoding than the map says: it has bytes that mean nothing there"}},
		"one wrong line":                   {"utf-8", text + "\xcf,1,1,KZT\np2,2,1,KZT\n", []string{row, "line 3: the text is in another encoding than the map says: it is not UTF-8, but perhaps windows-1251", "4 p2/2 payment paid 100 KZT"}},
	} {
		t.Run(name, func(t *testing.T) {
			m := mustMap(t, "encoding: "+test.encoding+"\ncolumns: {payment: номер, operation: op, amount: sum, currency: cur}")
			got := read(t, m, test.file)
			if test.want == nil { // all of it is windows-1251 then, and no header is in it
				if len(got) != 1 || !strings.HasPrefix(got[0], "error: no line has all columns") {
					t.Errorf("got %.200s", got)
				}
				return
			}
			compare(t, got, test.want...)
		})
	}
}
