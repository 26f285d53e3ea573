package accountfile_test

import (
	"encoding/binary"
	"strings"
	"testing"
	"unicode/utf16"

	"tolem/accountfile"
)

// sheet is a CSV file of one account with two contracts.
const sheet = "customer_id,additional_customer_id,currency,entity_id,number,payment,min_payment,info\n" +
	"7011112233,A-1,KZT,e1,Договор № 1,100,,\"{\"\"a\"\": 1.50}\"\n" +
	"7011112233,A-1,KZT,e2,n,,5,\n"

func utf16Of(text string, order binary.AppendByteOrder, mark bool) []byte {
	if mark {
		text = "\ufeff" + text
	}
	var b []byte
	for _, unit := range utf16.Encode([]rune(text)) {
		b = order.AppendUint16(b, unit)
	}
	return b
}

// semicolons is the sheet as a spreadsheet of a country with decimal commas
// writes it.
func semicolons(text string) string { return strings.ReplaceAll(text, ",", ";") }

func TestWhatSpreadsheetsWriteIsTaken(t *testing.T) {
	t.Parallel()
	quoted := `"customer_id";"additional_customer_id";"currency";"entity_id";"number";"payment";"min_payment";"info"` + "\n" +
		`"7011112233";"A-1";"KZT";"e1";"Договор № 1";"100";"";"{""a"": 1.50}"` + "\n" + `"7011112233";"A-1";"KZT";"e2";"n";"";"5";""` + "\n"
	lines := strings.SplitAfter(sheet, "\n")
	for name, data := range map[string][]byte{
		"commas":                            []byte(sheet),
		"semicolons":                        []byte(semicolons(sheet)),
		"tabs":                              []byte(strings.ReplaceAll(sheet, ",", "\t")),
		"sep=;":                             []byte("sep=;\r\n" + semicolons(sheet)),
		"a mark and sep=;":                  []byte("\ufeffSEP=;\n" + semicolons(sheet)),
		"sep=, in quotes":                   []byte("\"sep=,\"\n" + sheet),
		"all fields quoted":                 []byte(quoted),
		"sep= of a tab":                     []byte("sep=\t\n" + strings.ReplaceAll(sheet, ",", "\t")),
		"rows of separators":                []byte(semicolons(",,,,,,,\n" + lines[0] + ",,,,,,,\n" + lines[1] + "\n" + `"";"";"";"";"";"";"";""` + "\n" + lines[2] + " ;;; \u00a0;;;;\n")),
		"a row of other many separators":    []byte(sheet + ",,,\n"),
		"capitals and blanks in the header": []byte(strings.Replace(sheet, lines[0], " Customer_ID,ADDITIONAL_CUSTOMER_ID ,Currency,Entity_Id,\u00a0Number,PAYMENT,Min_Payment,INFO\n", 1)),
		"columns that were cleared":         []byte(strings.ReplaceAll(sheet, "\n", ",,\n")),
		"UTF-16, little-endian":             utf16Of(semicolons(sheet), binary.LittleEndian, true),
		"UTF-16, big-endian":                utf16Of(sheet, binary.BigEndian, true),
		"Unicode text":                      utf16Of(strings.ReplaceAll(strings.ReplaceAll(sheet, ",", "\t"), "\n", "\r\n"), binary.LittleEndian, true),
		"line feeds after returns":          []byte(strings.ReplaceAll(sheet, "\n", "\r\n")),
		"returns alone":                     []byte(strings.ReplaceAll(sheet, "\n", "\r")),
		"returns doubled":                   []byte(strings.ReplaceAll(sheet, "\n", "\r\r\n")),
		"returns alone, UTF-16":             utf16Of(strings.ReplaceAll(sheet, "\n", "\r"), binary.LittleEndian, true),
	} {
		t.Run(name, func(t *testing.T) {
			file := ofBytes(accountfile.CSV, data)
			if got := outlines(t, file, ""); got != "7011112233: KZT e1 e2" {
				t.Fatalf("got %s", got)
			}
			a := accounts(t, file, "")[0]
			if c := a.Contract("e1"); c == nil || c.Number != "Договор № 1" || string(c.Info) != `{"a":1.50}` || c.Payment == nil || *c.Payment != 100 {
				t.Errorf("got %+v", c)
			}
		})
	}
}

func TestJSONLinesMayBeUTF16(t *testing.T) {
	file := ofBytes(accountfile.JSONLines, utf16Of(line("c1")+"\r\n"+line("c2")+"\r\n", binary.LittleEndian, true))
	if got, want := outlines(t, file, ""), "c1: KZT e1; c2: KZT e1"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// A line break across the border of what is read at once is one all the same.
func TestLineEndsAreFoundAcrossReads(t *testing.T) {
	header, row, _ := strings.Cut(sheet, "\n")
	pad := strings.Repeat("\n", 64<<10-len(header)-1)
	file := ofBytes(accountfile.CSV, []byte(pad+header+"\r\n"+strings.ReplaceAll(row, "\n", "\r")))
	if got, want := outlines(t, file, ""), "7011112233: KZT e1 e2"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestWhatIsNoTextIsCalledByItsName(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		data []byte
		want string
	}{
		"xlsx":                   {[]byte("PK\x03\x04\x14\x00\x06\x00[Content_Types].xml"), "Excel workbook (.xlsx)"},
		"xls":                    {[]byte("\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1\x00\x00"), "old Excel workbook (.xls)"},
		"HTML":                   {[]byte("\ufeff\r\n<html><table><tr><td>customer_id"), "HTML or XML"},
		"XML":                    {[]byte(`<?xml version="1.0"?><Workbook>`), "HTML or XML"},
		"UTF-16 without a mark":  {utf16Of(sheet, binary.LittleEndian, false), "UTF-16 without a byte order mark"},
		"UTF-16BE without":       {utf16Of(sheet, binary.BigEndian, false), "UTF-16 without a byte order mark"},
		"UTF-32":                 {[]byte("\xff\xfe\x00\x00c\x00\x00\x00"), "UTF-32"},
		"gzip":                   {[]byte("\x1f\x8b\x08\x00"), "gzip"},
		"windows-1251, a header": {[]byte("\xea\xeb\xe8\xe5\xed\xf2;\xed\xee\xec\xe5\xf0\n"), "windows-1251"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, format := range []accountfile.Format{accountfile.CSV, accountfile.JSONLines} {
				err := verdict(t, ofBytes(format, test.data), "")
				if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), "save") && !strings.Contains(err.Error(), "unpack") {
					t.Errorf("%s: got %v, want %s and what to do", format, err, test.want)
				}
			}
		})
	}
}
