package topup_test

import (
	"encoding/json"
	"reflect"
	"testing"

	"tolem/topup"
)

func TestAppendContractsWritesWhatAContractDecodesTo(t *testing.T) {
	amount := func(n int64) *int64 { return &n }
	for _, contracts := range [][]topup.Contract{
		{},
		{{ID: "1", Number: "2"}},
		{
			{ID: "1", Number: `Договор "№ 7"`, Payment: amount(100), MinPayment: amount(0), Info: json.RawMessage(`{"a":1.50}`), Closed: true},
			{ID: "e2", Number: "n", Payment: amount(5)},
		},
	} {
		text := topup.AppendContracts(nil, contracts)
		got := []topup.Contract{}
		if err := json.Unmarshal(text, &got); err != nil || !reflect.DeepEqual(got, contracts) {
			t.Errorf("%s: decoded to %+v, %v, want %+v", text, got, err, contracts)
		}
	}
}
