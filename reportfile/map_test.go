package reportfile_test

import (
	"strings"
	"testing"

	"tolem/reportfile"
)

func TestAMapSaysEverythingThatIsWrongWithIt(t *testing.T) {
	t.Parallel()
	const good = "columns: {payment: a, amount: b, currency: c}\n"
	for name, test := range map[string]struct {
		yaml string
		want []string
	}{
		"unknown key":      {good + "colour: red", []string{"field colour not found"}},
		"key twice":        {good + "columns: {}", []string{"already defined"}},
		"two documents":    {good + "---\n" + good, []string{"one YAML document"}},
		"nothing":          {"", []string{"is empty"}},
		"words":            {good + "format: xls\nencoding: koi8-r\ndecimal: ';'\namounts: tiyn\nfee_sign: '0'\nseparator: ';;'\ntimezone: Asia/Nowhere", []string{"format: must be csv or xlsx or json", "encoding:", "decimal:", "amounts:", "fee_sign:", "separator:", "timezone:"}},
		"required":         {"columns: {operation: x}", []string{"payment is required", "amount is required", "currency is required"}},
		"unknown column":   {"columns: {payment: a, amount: b, currency: c, sum: d}", []string{`columns: "sum" is none of payment, operation`}},
		"a column for two": {"columns: {payment: a, amount: b, currency: ' B '}", []string{"named twice, for amount and currency"}},
		"a list":           {"columns: {payment: [a, d], amount: b, currency: c}", []string{"payment must be one column"}},
		"no name":          {"columns: {payment: a, amount: b, currency: c, net: ''}", []string{"net must name a column"}},
		"skip":             {good + "skip: {payout: x, total: y}", []string{"columns has no payout", `skip: "total" is none of`}},
		"types":            {good + "types: {a: sale}\nstatuses: {a: ok}", []string{`types: "a": "sale" is none of payment`, `statuses: "a": "ok" is none of`, "columns has no type", "columns has no status"}},
		"a word twice":     {"columns: {payment: a, amount: b, currency: c, type: d}\ntypes: {Sale: payment, sale: refund}", []string{"is listed twice"}},
		"two currencies":   {good + "currency: KZT", []string{"must not be set beside the column"}},
		"no such currency": {"columns: {payment: a, amount: b}\ncurrency: TENGE", []string{"ISO 4217"}},
		"layouts":          {good + "time: ['%H:%M', '%Z %d', '%d %I', '%s', '']", []string{"has no day", "names of zones", "needs %p", "cannot be read", "must not be empty"}},
		"half a date":      {good + "time: ['%Y-%m', '%d.%m', '%d %Y %H:%M']", []string{`"%Y-%m": has no day`, `"%d.%m": has no year`, `"%d %Y %H:%M": has no month`}},
		"a sheet of CSV":   {good + "sheet: x", []string{"only a report in format xlsx"}},
		"a local clock":    {good + "timezone: Local", []string{"timezone: must be a name"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := reportfile.ParseMap([]byte(test.yaml))
			if err == nil {
				t.Fatal("got no error")
			}
			for _, want := range test.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("got %q, want it to contain %q", err, want)
				}
			}
		})
	}
}

func TestTheContractsMap(t *testing.T) {
	t.Parallel()
	m := mustMap(t, `
format: csv                 # csv | xlsx | json (the Data API's answers)
encoding: utf-8             # utf-8 (a BOM is dropped) | utf-16 | windows-1251 | auto
separator: ","              # one character
decimal: "."                # "." | ","
amounts: major              # major | minor
time: "%Y-%m-%d %H:%M:%S"   # strftime; with a column date, of the two joined by a blank
timezone: UTC               # of times that carry none; the platform's own reports are in UTC
columns: {payment: Payment ID, operation: Operation ID, type: Operation type, status: Status, amount: Amount, currency: Currency, fee: [Fee, Fixed fee], time: Completed at, payout: Settlement ID}
fee_sign: "-"               # fees stand as negative numbers; default "+"
skip: {payment: ["", "Total"]}                 # lines that are no operations
types: {sale: payment, refund: refund, refund reverse: refund_reversal, settlement fee: fee, representment: ignore}   # what is not listed is reported
statuses: {success: paid, decline: declined}
`)
	compare(t, read(t, m, `"Settlements of Tolem LLP"
Payment ID,Operation ID,Operation type,Status,Amount,Currency,Fee,Fixed fee,Completed at,Settlement ID
01J,9007199254740993,sale,success,"1,234.56",KZT,-12.35,-1,2026-11-29 19:00:00,S-1
Total,,,,"1,234.56",KZT,-12.35,-1,,
`), "3 01J/9007199254740993 payment paid 123456 KZT fee=1335 2026-11-29T19:00:00Z payout=S-1")
}
