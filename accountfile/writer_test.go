package accountfile_test

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"testing"

	"tolem/accountfile"
	"tolem/topup"
)

func TestWhatIsWrittenReadsTheSame(t *testing.T) {
	source := jsonl(
		`{"customer_id":"c1","additional_customer_id":"A;\"1\"","currency":"KZT","closed":true,"entities":[{"id":"e1","number":"1, \"x\"","min_payment":0,"payment":150000,"info":{"z":1.50,"a":{"n":[1,2]}}},{"id":"e2","number":"n","closed":true}]}`,
		`{"customer_id":"c2","additional_customer_id":"Ә","currency":"KGS","entities":[{"id":"e1","number":"=1"}]}`)
	want := written(t, accountfile.JSONLines, source)
	for _, format := range []accountfile.Format{accountfile.JSONLines, accountfile.CSV} {
		text := written(t, format, source)
		if got := written(t, accountfile.JSONLines, ofBytes(format, []byte(text))); got != want {
			t.Errorf("%s:\ngot  %s\nwant %s\nin   %s", format, got, want, text)
		}
	}
}

func TestAWriterTellsWhatAnImportWouldRefuse(t *testing.T) {
	account := func(change func(*topup.Account)) *topup.Account {
		a := &topup.Account{CustomerID: "c1", AdditionalCustomerID: "A", Currency: "KZT", Contracts: []topup.Contract{{ID: "e1", Number: "n"}}}
		change(a)
		return a
	}
	for name, test := range map[string]struct {
		change func(*topup.Account)
		want   bool
	}{
		"nothing":                 {func(*topup.Account) {}, false},
		"an id of looser rules":   {func(a *topup.Account) { a.CustomerID = "9.96555E+11" }, true},
		"too many contracts":      {func(a *topup.Account) { a.Contracts = manyContracts(topup.MaxContracts + 1) }, true},
		"as many as there may be": {func(a *topup.Account) { a.Contracts = manyContracts(topup.MaxContracts) }, false},
		"a record that is too long": {func(a *topup.Account) {
			a.Contracts[0].Info = json.RawMessage(`{"a":"` + strings.Repeat("x", 1<<20) + `"}`)
		}, true},
	} {
		for _, format := range []accountfile.Format{accountfile.JSONLines, accountfile.CSV} {
			w, err := accountfile.NewWriter(format, io.Discard)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := w.Write(account(test.change)); got != test.want || err != nil {
				t.Errorf("%s, %s: refused %t, %v, want %t", name, format, got, err, test.want)
			}
		}
	}
	if _, err := accountfile.NewWriter("xml", io.Discard); err == nil {
		t.Error("a format that is unknown was written")
	}
}

func manyContracts(n int) (list []topup.Contract) {
	for i := range n {
		list = append(list, topup.Contract{ID: fmt.Sprintf("e%d", i), Number: "n"})
	}
	return list
}
