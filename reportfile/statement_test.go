package reportfile_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"tolem/reportfile"
)

const statementMap = `separator: ";"
decimal: ","
time: "%d.%m.%Y"
currency: KZT
`

func TestStatementMaps(t *testing.T) {
	for columns, want := range map[string]string{
		"{date: d, amount: a, purpose: p}":                          "",
		"{date: d, in: i, out: o, balance: b}":                      "",
		"{time: d, amount: a, number: n, reference: r, account: k}": "",
		"{amount: a, purpose: p}":                                   "date (or time) is required of a bank statement",
		"{date: d, purpose: p}":                                     "either amount, negative where money went, or both in and out",
		"{date: d, in: i, purpose: p}":                              "either amount",
		"{date: d, in: i, out: o, amount: a}":                       "either amount",
		"{date: d, amount: a, purpose: p, payment: x}":              "payment is none of a bank statement's columns",
	} {
		m, err := reportfile.ParseMap([]byte(statementMap + "columns: " + columns))
		switch {
		case want == "" && (err != nil || !m.Statement()):
			t.Errorf("%s: got %v", columns, err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("%s: got %v, want %q", columns, err, want)
		}
	}
	if m, err := reportfile.ParseMap([]byte("columns: {payment: p, amount: a, currency: c}")); err != nil || m.Statement() {
		t.Errorf("a report is taken for a statement: %v", err)
	}
}

func TestStatementLines(t *testing.T) {
	m, err := reportfile.ParseMap([]byte(statementMap + "columns: {date: d, in: i, out: o, balance: b, number: n, account: k, name: w, purpose: p}"))
	if err != nil {
		t.Fatal(err)
	}
	read := func(line string) string {
		text := "d;i;o;b;n;k;w;p\n" + line + "\n"
		rows, err := reportfile.Open(strings.NewReader(text), int64(len(text)), m)
		if err != nil {
			t.Fatal(err)
		}
		defer rows.Close()
		var got string
		err = rows.Each(context.Background(), func(r *reportfile.Row) error {
			got = fmt.Sprintf("%s %d %s %+v", r.Date, r.Amount, r.Currency, r.Bank)
			return nil
		})
		if err != nil {
			return err.Error()
		}
		return got
	}
	for line, want := range map[string]string{
		"27.11.2026;1,50;;10,00;7;KZ1;ТОО;Реестр":        "2026-11-27 150 KZT {Number:7 Reference: Account:KZ1 Name:ТОО ID: Code: Purpose:Реестр Balance:{Amount:1000 Given:true}}",
		"27.11.2026;;1,50;;;;;":                          "2026-11-27 -150 KZT",
		"27.11.2026;;-1,50;;;;;":                         "2026-11-27 -150 KZT",
		"27.11.2026;0,00;1,50;;;;;":                      "2026-11-27 -150 KZT",
		"27.11.2026;1;1;;;;;":                            "has both an amount that came and one that went",
		"27.11.2026;-1;;;;;;":                            "i is negative",
		"27.11.2026;;;5;;;;":                             "has no amount",
		";1;;;;;;":                                       "has no date",
		"27.11.2026;1.5;;;;;;":                           "is no amount",
		"27.11.2026;1;;;;;;" + strings.Repeat("x", 5000): "is longer than 4096 bytes",
	} {
		if got := read(line); !strings.Contains(got, want) {
			t.Errorf("%s: got %s, want %s", line[:min(len(line), 40)], got, want)
		}
	}
}
