package store_test

import (
	"context"
	"reflect"
	"testing"

	"tolem/store"
	"tolem/topup"
)

func TestPutSaysWhetherItCreated(t *testing.T) {
	s := mustOpen(t)
	if !mustPut(t, s, record("c1")) {
		t.Error("the first put did not create")
	}
	if mustPut(t, s, record("c1", func(a *topup.Account) { a.Closed = true })) {
		t.Error("the second put created")
	}
	if mustPut(t, s, record("c1")) {
		t.Error("opening a closed account created")
	}
	raw := rawOpen(t, s)
	if rows := queryInt(t, raw, `SELECT count(*) FROM accounts`); rows != 1 {
		t.Errorf("%d rows are kept of one account", rows)
	}
}

func TestPutClosesAContractThatIsLeftOut(t *testing.T) {
	s := mustOpen(t)
	mustPut(t, s, record("c1"))
	mustPut(t, s, record("c1", only("e3")))
	if got, want := outline(mustAccount(t, s, "c1")), "KZT e3 -e1 -e2"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	mustPut(t, s, record("c1", only("e2")))
	if got, want := outline(mustAccount(t, s, "c1")), "KZT e2 -e3 -e1"; got != want {
		t.Errorf("a contract is opened again: got %s, want %s", got, want)
	}
}

func TestTheCurrencyOfAnAccountWithPaymentsCannotChange(t *testing.T) {
	s := mustOpen(t)
	ctx := context.Background()
	mustPut(t, s, record("paid"))
	mustPut(t, s, record("unpaid"))
	mustPut(t, s, record("assigned"))
	mustIssue(t, s, func(n *store.NewPayment) { n.CustomerID, n.ContractID = "paid", "e1" })
	// An operator can put money on a contract that no payment was issued for.
	err := s.Raw(ctx, func(exec func(string, ...any) error) error {
		return exec(`INSERT INTO ledger_accounts (name, currency) VALUES ('customers:assigned:e1', 'KZT')`)
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"paid", "assigned"} {
		_, err := s.PutAccount(ctx, record(id, inCurrency("KGS"), only("e9")))
		if kindOf(err) != topup.KindInvalid || fieldOf(err) != "currency" {
			t.Errorf("another currency for %s: got %v, want a refusal of the currency", id, err)
		}
		if got, want := outline(mustAccount(t, s, id)), "KZT e1 e2"; got != want {
			t.Errorf("%s after the refusal: got %s, want %s", id, got, want)
		}
	}
	mustPut(t, s, record("unpaid", inCurrency("KGS")))
	if got, want := outline(mustAccount(t, s, "unpaid")), "KGS e1 e2"; got != want {
		t.Errorf("an account without payments: got %s, want %s", got, want)
	}
}

func TestPutRefusesARecordThatBreaksARule(t *testing.T) {
	s := mustOpen(t)
	for field, broken := range map[string]*topup.Account{
		"customer_id":      record("a b"),
		"currency":         record("c1", inCurrency("kzt")),
		"entities":         record("c1", only()),
		"entities[1].id":   record("c1", only("e1", "e1")),
		"entities[0].info": record("c1", func(a *topup.Account) { a.Contracts[0].Info = []byte(`{"a":1,"a":2}`) }),
	} {
		_, err := s.PutAccount(context.Background(), broken)
		if kindOf(err) != topup.KindInvalid || fieldOf(err) != field {
			t.Errorf("%s: got %v", field, err)
		}
	}
	raw := rawOpen(t, s)
	if rows := queryInt(t, raw, `SELECT count(*) FROM accounts`); rows != 0 {
		t.Errorf("%d refused records are stored", rows)
	}
}

func TestPutLeavesTheCallersRecordAlone(t *testing.T) {
	s := mustOpen(t)
	mustPut(t, s, record("c1", only("e9")))
	given := record("c1", func(a *topup.Account) { a.Contracts[0].Info = []byte(`{ "a": 1 }`) })
	want := record("c1", func(a *topup.Account) { a.Contracts[0].Info = []byte(`{ "a": 1 }`) })
	mustPut(t, s, given)
	if !reflect.DeepEqual(given, want) {
		t.Errorf("got %+v, want %+v", given, want)
	}
}
