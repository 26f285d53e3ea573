package reportfile_test

import (
	"strings"
	"testing"
)

const dataAPI = `
format: json
amounts: minor
time: ["%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S%z"]
columns: {payment: payment_id, operation: operation_id, type: operation_type, status: operation_status, amount: sum_initial.amount, currency: sum_initial.currency, refunded: completed_refund, time: operation_completed_at}
types: {sale: payment, refund: refund}
statuses: {success: paid, decline: declined}
`

func TestJSON(t *testing.T) {
	t.Parallel()
	const one = `{"project_id":"1","operation_id":"9007199254740993","payment_id":"p1","operation_type":"sale","operation_status":"success","sum_initial":{"amount":10000,"currency":"KZT"},"sum_converted":{"amount":1,"currency":"USD"},"operation_completed_at":"2026-11-29 19:00:00","completed_refund":"300","more":[1,{"payment_id":"no"}]}`
	const row = "1 p1/9007199254740993 payment paid 10000 KZT refunded=300 2026-11-29T19:00:00Z"
	for name, test := range map[string]struct {
		file string
		want []string
	}{
		"an answer":                  {`{"operations":[` + one + `],"signature":"x"}`, []string{row}},
		"several behind each other":  {`{"operations":[` + one + `]}` + "\n" + `{"signature":"x","operations":[]}{"operations":[` + one + `]}`, []string{row, "2" + row[1:]}},
		"operations alone":           {`[` + one + `]`, []string{row}},
		"numbers and an offset":      {`[{"payment_id":1,"operation_id":9223372036854775807,"operation_type":"Refund","operation_status":"wait","sum_initial":{"amount":"100","currency":"KZT"},"operation_completed_at":"2026-11-30T00:00:00+05:00"}]`, []string{"1 1/9223372036854775807 refund  100 KZT 2026-11-30T00:00:00+05:00"}},
		"null and absent":            {`[{"payment_id":"p","operation_type":"sale","sum_initial":{"amount":1,"currency":"KZT"},"operation_completed_at":null}]`, []string{"1 p/ payment  1 KZT"}},
		"no amount":                  {`[{"payment_id":"p","operation_type":"sale","sum_initial":{"currency":"KZT"}}]`, []string{"operation 1: sum_initial.amount must not be empty"}},
		"fractions and exponents":    {`[{"payment_id":"p","operation_type":"sale","sum_initial":{"amount":1.5,"currency":"KZT"}},{"payment_id":"p","operation_type":"sale","sum_initial":{"amount":1e3,"currency":"KZT"}}]`, []string{`operation 1: sum_initial.amount has a fraction, but the map says that amounts are in minor units: "1.5"`, "2 p/ payment  1000 KZT"}},
		"a member twice":             {`[{"payment_id":"p","payment_id":"q"}]`, []string{`operation 1: cannot be read: jsontext: duplicate object member name "payment_id" within "/0"`}},
		"values of other types":      {`[{"payment_id":true},{"payment_id":["p"]},[]]`, []string{"operation 1: payment_id must be a text or a number", "operation 2: payment_id is an array", "operation 3: must be an object"}},
		"cut off in an operation":    {`{"operations":[` + one + `,{"payment_id":`, []string{row, "operation 2: cannot be read: the file ends in it"}},
		"cut off between operations": {`{"operations":[` + one + `,`, []string{row, "operation 2: cannot be read: the file ends in it"}},
		"cut off behind them":        {`{"operations":[` + one + `]`, []string{row, "error: the report is no JSON that can be read: the file ends in it"}},
		"an error of the Data API":   {`{"name":"Forbidden","code":0,"status":403}`, []string{"error: an answer has no member operations: is it an error of the Data API, or another report?"}},
		"no answer":                  {`"text"`, []string{"error: the report must have answers of the Data API: objects with the member operations"}},
		"deep":                       {`[{"a":` + strings.Repeat(`{"a":`, 40) + "1" + strings.Repeat("}", 41) + "]", []string{"operation 1: is nested deeper than 32"}},
	} {
		t.Run(name, func(t *testing.T) {
			compare(t, read(t, mustMap(t, dataAPI), test.file), test.want...)
		})
	}
}
