package engine

import (
	"encoding/json"
	"reflect"
	"slices"
	"testing"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

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

// contractTexts are lists of contracts, and whether they are read without reflection.
var contractTexts = map[string]bool{
	string(topup.AppendContracts(nil, []topup.Contract{{ID: "1", Number: "2"}})): true,
	string(topup.AppendContracts(nil, []topup.Contract{
		{ID: "1", Number: "Договор № 7", Payment: amount(100), MinPayment: amount(-1), Info: json.RawMessage(`{"a":{"b":"}\"{"},"c":[]}`), Closed: true},
		{ID: "", Number: "", Payment: amount(0)},
	})): true,
	string(topup.AppendContracts(nil, []topup.Contract{{ID: `a"b\c`, Number: "\n"}})): false, // escapes
	`[]`:                                     false,
	`[{"number":"2","id":"1"}]`:              false, // another order
	`[{"id":"1","number":"2","payment":-0}]`: false,
	`[{"id":"1","number":"2","payment":01}]`: false,
	`[{"id":"1","number":"2","payment":9223372036854775808}]`: false,
	`[{"id":"1","number":"2","payment":}]`:                    false,
	`[{"id":"1","number":"2","info":[]}]`:                     false,
	`[{"id":"1","number":"2","info":{}`:                       false,
	`[{"id":"1","number":"2","closed":true,"info":{}}]`:       false,
	`[{"id":"1","number":"2"},]`:                              false,
	`[{"id":"1","number":"2"}]]`:                              false,
	`[{"id":"1","number":"2"}`:                                false,
	`[{"id":"1","number":"2`:                                  false,
	"[{\"id\":\"\xff\",\"number\":\"2\"}]":                    false,
	"[{\"id\":\"\t\",\"number\":\"2\"}]":                      false,
	``:                                                        false,
}

func TestContractsAreReadWithoutReflection(t *testing.T) {
	for text, want := range contractTexts {
		if _, ok := readContracts(text); ok != want {
			t.Errorf("%s: read %v, want %v", text, ok, want)
		}
	}
}

// FuzzReadContracts: what is read without reflection is what the library reads,
// but for what is in info.
func FuzzReadContracts(f *testing.F) {
	for text := range contractTexts {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, ok := readContracts(text)
		if !ok {
			return
		}
		var want []topup.Contract
		err := jsonv2.Unmarshal([]byte(text), &want)
		if err != nil && slices.ContainsFunc(got, func(c topup.Contract) bool { return len(c.Info) > 0 && !jsontext.Value(c.Info).IsValid() }) {
			return // info is passed on as it is
		}
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: read as %+v, the library reads %+v, %v", text, got, want, err)
		}
	})
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
