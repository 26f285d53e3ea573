package reportfile_test

import (
	"testing"

	"tolem/reportfile"
)

// checkRows reads a report to its end: nothing may panic, and what is given keeps
// the promises of Row.
func checkRows(t *testing.T, m *reportfile.Map, file string) {
	rows, err := open(t, m, file)
	if err != nil {
		return
	}
	defer func() { _ = rows.Close() }()
	last := 0
	if err := rows.Each(t.Context(), func(r *reportfile.Row) error {
		if r.Line <= last && m.Format != reportfile.JSON {
			t.Errorf("line %d behind line %d", r.Line, last)
		}
		last = r.Line
		if len(r.Payment) > 255 || len(r.Operation) > 255 {
			t.Error("an id is too long")
		}
		if r.Payment == "" && r.Operation == "" && r.Type == reportfile.Payment {
			t.Error("a payment without an id")
		}
		if r.Amount > 999_999_999_999_999 || r.Amount < -999_999_999_999_999 {
			t.Error("an amount of more than 15 digits")
		}
		if r.Time.IsZero() != r.Date.IsZero() {
			t.Error("a time without its day")
		}
		return nil
	}); err != nil && err.Error() == "" {
		t.Error("an error without words")
	}
}

func FuzzCSV(f *testing.F) {
	f.Add("id,op,sum,cur,at\np1,1,\"1,234.50\",KZT,2026-11-30 10:00:00\n", uint8(0))
	f.Add("id;op;sum;cur;at\n\"p\n1\";1;(1);KZT;\n;;;;\nTotal;;;;\n", uint8(1))
	f.Add("\ufeffid,op,sum,cur,at\n\"p1\"\"\",1,-5,KZT,x\n\"", uint8(2))
	f.Add("\xff\xfei\x00d\x00,\x00", uint8(3))
	var maps []*reportfile.Map
	for _, more := range []string{"", "separator: ;\ndecimal: ','", "encoding: auto\nskip: {payment: ['', 'Tot*']}", "encoding: utf-16", "encoding: windows-1251\namounts: minor"} {
		maps = append(maps, mustMap(f, "columns: {payment: id, operation: op, amount: sum, currency: cur, time: at}\n"+more))
	}
	f.Fuzz(func(t *testing.T, file string, which uint8) { checkRows(t, maps[int(which)%len(maps)], file) })
}

func FuzzJSON(f *testing.F) {
	f.Add(`{"operations":[{"payment_id":"p1","operation_id":"1","operation_type":"sale","sum_initial":{"amount":1,"currency":"KZT"}}],"signature":"x"}`)
	f.Add(`[{"payment_id":null},{}][]{"operations":[]}`)
	f.Add(`{"operations":{}}`)
	m := mustMap(f, dataAPI)
	f.Fuzz(func(t *testing.T, file string) { checkRows(t, m, file) })
}

func FuzzSheet(f *testing.F) {
	f.Add(`<worksheet><sheetData>` + headerXML + `<row r="5"><c t="str"><v>p1</v></c><c r="B5"><v>1</v></c><c><v>1.5</v></c><c t="inlineStr"><is><t>KZT</t></is></c></row></sheetData></worksheet>`)
	f.Add(`<worksheet><sheetData>` + headerXML + `<row><c t="e"><v>#N/A</v></c><c><f>1</f></c><c t="s"><v>9</v></c></row>`)
	m := plain(f, "format: xlsx")
	f.Fuzz(func(t *testing.T, sheet string) { checkRows(t, m, byHand(t, sheet)) })
}

func FuzzMap(f *testing.F) {
	f.Add(dataAPI)
	f.Add("columns: {payment: a, amount: b, currency: c}\nskip: {payment: ['', x*]}\ntime: '%d.%m.%Y'")
	f.Fuzz(func(t *testing.T, yaml string) {
		m, err := reportfile.ParseMap([]byte(yaml))
		if (m == nil) == (err == nil) {
			t.Errorf("got %v and %v", m, err)
		}
	})
}
