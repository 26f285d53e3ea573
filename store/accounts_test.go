package store_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

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
