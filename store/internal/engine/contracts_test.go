package engine

import (
	"encoding/json"
	"reflect"
	"testing"

	"tolem/topup"
)

func amount(n int64) *int64 { return &n }

// TestContractsAreReadAsTheyWereWritten: whatever is in them.
func TestContractsAreReadAsTheyWereWritten(t *testing.T) {
	for _, want := range [][]topup.Contract{
		{{ID: "1", Number: "2"}},
		{
			{ID: "1", Number: "Договор № 7", Payment: amount(100), MinPayment: amount(-1), Info: json.RawMessage(`{"a":{"b":"}\"{"},"c":[]}`), Closed: true},
			{ID: "", Number: "", Payment: amount(0)},
		},
		{{ID: `a"b\c`, Number: "\n"}},
		{},
	} {
		text := string(topup.AppendContracts(nil, want))
		got, err := decodeContracts(text)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: read as %+v, %v", text, got, err)
		}
	}
}

// twoContracts are those of an account as the provider's sample has it.
var twoContracts = string(topup.AppendContracts(nil, []topup.Contract{
	{ID: "c1", Number: "0000000_ABC/01-01-2025/c1", MinPayment: amount(10000), Payment: amount(100000),
		Info: json.RawMessage(`{"total_debt":500000,"monthly_payment":100000,"customer_name":"John Doe"}`)},
	{ID: "c2", Number: "0000000_ABC/01-01-2025/c2", MinPayment: amount(10000), Payment: amount(100000),
		Info: json.RawMessage(`{"total_debt":500000,"monthly_payment":100000,"customer_name":"John Doe"}`)},
}))

func BenchmarkDecodeContracts(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := decodeContracts(twoContracts); err != nil {
			b.Fatal(err)
		}
	}
}
