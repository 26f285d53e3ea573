package store_test

import (
	"context"
	"testing"
	"time"

	"tolem/topup"
)

func TestVerifyGetsContractsExactlyAsTheyWereImported(t *testing.T) {
	s := mustOpen(t)
	payment, least := int64(150000), int64(100000)
	mustPut(t, s, record("7123456789", func(a *topup.Account) {
		a.Contracts[0].Payment, a.Contracts[0].MinPayment = &payment, &least
		a.Contracts[0].Info = []byte("{ \"z\": 1.50, \"a\": 1e3,\n \"n\": 12345678901234567890123, \"t\": \"\\u0041 <b>\" }")
	}))
	offer, err := s.Offer(context.Background(), "7123456789")
	if err != nil {
		t.Fatal(err)
	}
	want := `[{"id":"e1","number":"number-e1","min_payment":100000,"payment":150000,"info":{"z":1.50,"a":1e3,"n":12345678901234567890123,"t":"\u0041 <b>"}},{"id":"e2","number":"number-e2"}]`
	if got := string(offer.Entities); got != want {
		t.Errorf("entities:\n got %s\nwant %s", got, want)
	}
	if offer.CustomerID != "7123456789" || offer.AdditionalCustomerID != "ABCDE12345" || offer.Currency != "KZT" {
		t.Errorf("offer: %+v", offer)
	}
	account := mustAccount(t, s, "7123456789")
	if got := string(account.Contracts[0].Info); got != `{"z":1.50,"a":1e3,"n":12345678901234567890123,"t":"\u0041 <b>"}` {
		t.Errorf("info of the account: %s", got)
	}
	if *account.Contracts[0].Payment != payment || *account.Contracts[0].MinPayment != least || account.Contracts[1].Payment != nil {
		t.Errorf("amounts of the account: %+v", account.Contracts)
	}
}

func TestVerifyOffersOnlyOpenContractsOfOpenAccounts(t *testing.T) {
	s := mustOpen(t)
	mustPut(t, s, record("half", func(a *topup.Account) { a.Contracts[0].Closed = true }))
	mustPut(t, s, record("none", func(a *topup.Account) { a.Contracts[0].Closed, a.Contracts[1].Closed = true, true }))
	mustPut(t, s, record("closed", func(a *topup.Account) { a.Closed = true }))

	offer, err := s.Offer(context.Background(), "half")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := string(offer.Entities), `[{"id":"e2","number":"number-e2"}]`; got != want {
		t.Errorf("entities: got %s, want %s", got, want)
	}
	for _, id := range []string{"none", "closed", "unknown", ""} {
		if _, err := s.Offer(context.Background(), id); kindOf(err) != topup.KindNotFound {
			t.Errorf("offer for %q: got %v, want not found", id, err)
		}
	}
	// The operator still sees what verify hides.
	for id, want := range map[string]string{"half": "KZT -e1 e2", "none": "KZT -e1 -e2", "closed": "-KZT e1 e2"} {
		if got := outline(mustAccount(t, s, id)); got != want {
			t.Errorf("account %s: got %s, want %s", id, got, want)
		}
	}
	if _, err := s.Account(context.Background(), "unknown"); kindOf(err) != topup.KindNotFound {
		t.Errorf("unknown account: got %v, want not found", err)
	}
}

// BenchmarkOffer measures verify's one query.
func BenchmarkOffer(b *testing.B) {
	s := mustOpen(b)
	mustPut(b, s, record("7123456789"))
	ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
	defer cancel()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Offer(ctx, "7123456789"); err != nil {
			b.Fatal(err)
		}
	}
}
