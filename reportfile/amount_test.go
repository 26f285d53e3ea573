package reportfile_test

import (
	"fmt"
	"strings"
	"testing"
)

func TestAmounts(t *testing.T) {
	t.Parallel()
	const (
		twoWays  = "can be read in two ways"
		grouping = "thousands are not grouped in threes"
		digits   = "has more digits behind the decimal mark than KZT has (2)"
	)
	for _, test := range []struct {
		how, text string
		want      string // minor units, or part of the error
	}{
		{"", "0", "0"}, {"", "1", "100"}, {"", "1.5", "150"}, {"", "1.50", "150"}, {"", "007.01", "701"}, {"", ".5", "50"},
		{"", "-1.50", "-150"}, {"", "1.50-", "-150"}, {"", "- 1.50", "-150"}, {"", "\u22121.50", "-150"}, {"", "+1", "100"}, {"", "(1.50)", "-150"},
		{"", "1 234.56", "123456"}, {"", "1\u00a0234\u00a0567.89", "123456789"}, {"", "1\u202f234", "123400"}, {"", "1\u2009234", "123400"},
		{"", "1,234.56", "123456"}, {"", "1,234,567", "123456700"}, {"", "12,345,678.90", "1234567890"},
		{"", "1,234", twoWays}, {"", "1,23", "is no amount: the map's decimal mark is '.'"}, {"", "1.234,56", "is no amount"}, {"", "1.234", digits}, {"", "1.000", digits},
		{"", "1 23", grouping}, {"", "1234 567", grouping}, {"", "1 234,567.00", grouping}, {"", "1,,234.00", grouping}, {"", ",234.00", grouping},
		{"", "--1", "is no amount"}, {"", "-1-", "more than one sign"}, {"", "(-1)", "more than one sign"}, {"", "(1", "is no amount"},
		{"", "1.", "is no amount"}, {"", ".", "is no amount"}, {"", "-", "is no amount"}, {"", "1.2.3", "more than one decimal mark"}, {"", "1e3", "is no amount"}, {"", "NaN", "is no amount"},
		{"", "100 KZT", "is no amount"}, {"", "٣", "is no amount"}, {"", "9999999999999.99", "999999999999999"}, {"", "10000000000000.00", "more than 15 digits"},
		{"", strings.Repeat("0", 63) + "1", "100"}, {"", strings.Repeat("0", 65), "is no amount"},
		{`decimal: ","`, `"1,5"`, "150"}, {`decimal: ","`, `"1.234,56"`, "123456"}, {`decimal: ","`, `"1 234,56"`, "123456"}, {`decimal: ","`, "1.234", twoWays},
		{`decimal: ","`, "1.23", "the map's decimal mark is ','"}, {`decimal: ","`, `"1,234"`, digits},
		{"amounts: minor", "150", "150"}, {"amounts: minor", "1 500", "1500"}, {"amounts: minor", "1.50", "has a fraction"}, {"amounts: minor", "1,500", twoWays},
	} {
		t.Run(test.how+" "+test.text, func(t *testing.T) {
			value := test.text
			if !strings.HasPrefix(value, `"`) {
				value = `"` + value + `"`
			}
			got := read(t, plain(t, test.how), "id,op,sum,cur\np,1,"+value+",KZT\n")
			if len(got) != 1 {
				t.Fatalf("got %d lines", len(got))
			}
			if got[0] != fmt.Sprintf("2 p/1 payment paid %s KZT", test.want) &&
				!(strings.HasPrefix(got[0], "line 2: sum ") && strings.Contains(got[0], test.want)) {
				t.Errorf("got %s, want %s", got[0], test.want)
			}
		})
	}
}

func TestFigures(t *testing.T) {
	t.Parallel()
	m := mustMap(t, `
columns: {payment: id, type: kind, status: state, amount: sum, currency: cur, fee: [fee, fixed], net: net, refunded: back, reserve: held, adjustment: corr, payout: batch}
fee_sign: "-"
types: {sale: payment, refund: refund, refund reverse: refund_reversal, cbk: chargeback, settlement fee: fee, hold: reserve, representment: ignore}
statuses: {success: paid, decline: declined}`)
	compare(t, read(t, m, strings.Join([]string{
		"id,kind,state,sum,cur,fee,fixed,net,back,held,corr,batch",
		"p1,Sale,SUCCESS,100,KZT,-1.50,-0.10,98.40,0,5,-1,B1",
		"p1,Refund,success,-40,KZT,0.60,,,,,,",
		"p1,refund reverse , decline,40,KZT,,,,,,,",
		",settlement fee,success,,KZT,-10,,,,,,B1",
		",hold,success,,KZT,,,,,5,,B1",
		"p2,auth,success,not read,?,,,,,,,",
		"p3,representment,processing,,,,,,,,,",
		"p4,cbk,success,,KZT,,,,,,,",
	}, "\n")),
		"2 p1/ payment paid 10000 KZT fee=160 net=9840 refunded=0 reserve=500 adjustment=-100 payout=B1",
		"3 p1/ refund paid -4000 KZT fee=-60",
		"4 p1/ refund_reversal declined 4000 KZT",
		"5 / fee paid 0 KZT fee=1000 payout=B1",
		"6 / reserve paid 0 KZT reserve=500 payout=B1",
		"7 p2/  paid 0 ",
		"8 p3/ ignore  0 ",
		"line 9: sum must not be empty",
	)
}

func TestTimes(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ layout, zone, text, want string }{
		{"%Y-%m-%d %H:%M:%S", "UTC", "2026-11-30 23:59:01", "2026-11-30T23:59:01Z"},
		{"%Y-%m-%d %H:%M:%S", "UTC", "2026-11-30 23:59:01.250", "2026-11-30T23:59:01Z"},
		{"%Y-%m-%d %H:%M:%S", "Asia/Almaty", "2024-02-01 12:00:00", "2024-02-01T12:00:00+06:00"},
		{"%Y-%m-%d %H:%M:%S", "Asia/Almaty", "2024-04-01 12:00:00", "2024-04-01T12:00:00+05:00"},
		{"%d.%m.%Y %H:%M", "Asia/Almaty", "1.12.2026 9:05", "2026-12-01T09:05:00+05:00"},
		{"%d/%m/%y", "UTC", "01/12/26", "2026-12-01T00:00:00Z"},
		{"%Y-%m-%dT%H:%M:%S%z", "Asia/Almaty", "2026-11-30T10:00:00+0300", "2026-11-30T10:00:00+03:00"},
		{"%Y-%m-%dT%H:%M:%S%z", "Asia/Almaty", "2026-11-30T10:00:00+03:00", "2026-11-30T10:00:00+03:00"},
		{"%Y-%m-%dT%H:%M:%S%z", "Asia/Almaty", "2026-11-30T10:00:00Z", "2026-11-30T10:00:00Z"},
		{"%d.%m.%Y %I:%M %p", "UTC", "30.11.2026 11:00 PM", "2026-11-30T23:00:00Z"},
		{"%Y%m%d%H%M%S", "UTC", "20261130235901", "2026-11-30T23:59:01Z"},
		{"%y%j", "UTC", "26334", "2026-11-30T00:00:00Z"},
		{"%Y%m%d", "UTC", "2026111", ""}, // the 11th of January, or the 1st of November
		{"%Y-%m-%d %H:%M:%S", "UTC", "30.11.2026 10:00:00", ""},
		{"%Y-%m-%d %H:%M:%S", "UTC", "2026-02-30 10:00:00", ""},
		{"%Y-%m-%d", "UTC", "0001-01-01", ""},
	} {
		m := mustMap(t, "time: '"+test.layout+"'\ntimezone: "+test.zone+"\ncolumns: {payment: id, amount: sum, currency: cur, time: at}")
		want := "2 p/ payment paid 100 KZT " + test.want
		got := read(t, m, "id,sum,cur,at\np,1,KZT,"+test.text+"\n")
		if test.want == "" {
			if len(got) != 1 || !strings.HasPrefix(got[0], "line 2: at is ") {
				t.Errorf("%s: got %v, want an error of line 2", test.text, got)
			}
			continue
		}
		compare(t, got, want)
	}
	joined := mustMap(t, "time: '%d.%m.%Y %H:%M:%S'\ntimezone: Europe/Moscow\ncolumns: {payment: id, amount: sum, currency: cur, date: day, time: at}")
	compare(t, read(t, joined, "id,sum,cur,day,at\np,1,KZT,30.11.2026,22:01:02\np,1,KZT,,\np,1,KZT,30.11.2026,\np,1,KZT,,22:01:02\n"),
		"2 p/ payment paid 100 KZT 2026-11-30T22:01:02+03:00",
		"3 p/ payment paid 100 KZT",
		"line 4: day is there without its other half: the time is of two columns",
		"line 5: at is there without its other half: the time is of two columns",
	)
}
