package store_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"tolem/store"
	"tolem/topup"
)

// record is an account with two contracts, e1 and e2.
func record(customerID string, change ...func(*topup.Account)) *topup.Account {
	account := &topup.Account{
		CustomerID: customerID, AdditionalCustomerID: "ABCDE12345", Currency: "KZT",
		Contracts: []topup.Contract{contract("e1"), contract("e2")},
	}
	for _, c := range change {
		c(account)
	}
	return account
}

func contract(id string) topup.Contract {
	return topup.Contract{ID: id, Number: "number-" + id}
}

func only(ids ...string) func(*topup.Account) {
	return func(a *topup.Account) {
		a.Contracts = nil
		for _, id := range ids {
			a.Contracts = append(a.Contracts, contract(id))
		}
	}
}

func inCurrency(code string) func(*topup.Account) {
	return func(a *topup.Account) { a.Currency = code }
}

func mustPut(t testing.TB, s *store.Store, account *topup.Account) (created bool) {
	t.Helper()
	created, err := s.PutAccount(context.Background(), account)
	if err != nil {
		t.Fatalf("put an account: %v", err)
	}
	return created
}

func mustAccount(t testing.TB, s *store.Store, customerID string) *topup.Account {
	t.Helper()
	account, err := s.Account(context.Background(), customerID)
	if err != nil {
		t.Fatalf("account %s: %v", customerID, err)
	}
	return account
}

// outline is an account in short: its currency and its contracts, closed ones
// with a minus.
func outline(a *topup.Account) string {
	var b strings.Builder
	if a.Closed {
		b.WriteByte('-')
	}
	b.WriteString(a.Currency)
	for _, c := range a.Contracts {
		b.WriteByte(' ')
		if c.Closed {
			b.WriteByte('-')
		}
		b.WriteString(c.ID)
	}
	return b.String()
}

func fieldOf(err error) string {
	if refusal := (*topup.Error)(nil); errors.As(err, &refusal) {
		return refusal.Field
	}
	return ""
}

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

func TestIdsAreNormalisedWhereverTheyEnter(t *testing.T) {
	s := mustOpen(t, func(o *store.Options) { o.Normalize = topup.NormalizeKZPhone })
	ctx := context.Background()
	mustPut(t, s, record("+7 707 123-45-67"))
	for _, id := range []string{"7071234567", "87071234567", "+7 (707) 123-45-67"} {
		offer, err := s.Offer(ctx, id)
		if err != nil || offer.CustomerID != "7071234567" {
			t.Errorf("offer for %s: got %+v, %v", id, offer, err)
		}
		if got := mustAccount(t, s, id).CustomerID; got != "7071234567" {
			t.Errorf("account %s: got %s", id, got)
		}
	}
	if mustPut(t, s, record("87071234567")) {
		t.Error("the same customer was created twice")
	}
}

func TestTheNormaliserCannotChangeOnAFilledDatabase(t *testing.T) {
	ctx := context.Background()
	o := newDatabase(t)
	open := func(n topup.Normalizer) (*store.Store, error) {
		o.Normalize = n
		return store.Open(ctx, o)
	}
	for _, n := range []topup.Normalizer{topup.NormalizeKZPhone, topup.NormalizeNone, topup.NormalizeKZPhone} {
		s, err := open(n)
		if err != nil {
			t.Fatalf("an empty database with %s: %v", n, err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	late, err := open(topup.NormalizeKZPhone)
	if err != nil {
		t.Fatal(err)
	}
	defer late.Close()
	s, err := open(topup.NormalizeNone)
	if err != nil {
		t.Fatal(err)
	}
	mustPut(t, s, record("c1"))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := open(topup.NormalizeKZPhone); err == nil || !strings.Contains(err.Error(), "accounts.normalize cannot change on a filled database: it is none") {
		t.Errorf("a filled database: got %v", err)
	}
	// One that was open before the other filled the database does not write.
	if _, err := late.PutAccount(ctx, record("c2")); kindOf(err) != topup.KindConflict {
		t.Errorf("put with another normaliser: got %v, want a conflict", err)
	}
}

func TestAPageOfAccountsIsOrderedAndComplete(t *testing.T) {
	s := mustOpen(t)
	var want []string
	for i := range 25 {
		id := fmt.Sprintf("c%02d", i*7%25)
		want = append(want, id)
		mustPut(t, s, record(id))
		mustPut(t, s, record(id, func(a *topup.Account) { a.Closed = i%3 == 0 }))
	}
	slices.Sort(want)
	var got []string
	for after := ""; ; {
		page, err := s.AccountsPage(context.Background(), after, 10)
		if err != nil {
			t.Fatal(err)
		}
		if len(page) == 0 {
			break
		}
		for _, a := range page {
			got = append(got, a.CustomerID)
		}
		after = got[len(got)-1]
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestContractBalancesAreWhatWasCredited(t *testing.T) {
	s := mustOpen(t)
	mustPut(t, s, record("c1"))
	mustPut(t, s, record("c12"))
	for i, who := range []string{"c1 e1", "c1 e1", "c1 e2", "c12 e1"} {
		var customer, contract string
		_, _ = fmt.Sscan(who, &customer, &contract)
		id := mustIssue(t, s, func(n *store.NewPayment) { n.CustomerID, n.ContractID = customer, contract })
		mustRecord(t, s, paid(id, fmt.Sprint(i)))
	}
	got, err := s.ContractBalances(context.Background(), "c1")
	if err != nil {
		t.Fatal(err)
	}
	if want := map[string]int64{"e1": 20000, "e2": 10000}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if got, err := s.ContractBalances(context.Background(), "unknown"); err != nil || len(got) != 0 {
		t.Errorf("an unknown customer: got %v, %v", got, err)
	}
}

func TestReadsOfAClosedStoreFailLoudly(t *testing.T) {
	s, err := store.Open(context.Background(), newDatabase(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	for name, read := range map[string]func() error{
		"account":  func() error { _, err := s.Account(ctx, "c1"); return err },
		"offer":    func() error { _, err := s.Offer(ctx, "c1"); return err },
		"page":     func() error { _, err := s.AccountsPage(ctx, "", 10); return err },
		"balances": func() error { _, err := s.ContractBalances(ctx, "c1"); return err },
		"demo":     func() error { _, err := s.DemoSeeded(ctx); return err },
		"import": func() error {
			_, err := s.ImportAccounts(ctx, store.ImportOptions{}, jsonl(`{}`))
			return err
		},
	} {
		if err := read(); err == nil || kindOf(err) == topup.KindNotFound {
			t.Errorf("%s: got %v, want an error that says so", name, err)
		}
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
