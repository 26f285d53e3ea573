package store_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"tolem/store"
	"tolem/topup"
)

// accepted is the payment that a deposit of one unit becomes, in the currency of
// the account that it is shown.
func accepted(account *topup.Account) (store.NewPayment, error) {
	return store.NewPayment{
		Provider: "jetpay", Project: "1234", CustomerID: account.CustomerID, ContractID: account.Contracts[0].ID,
		Money: topup.Money{Amount: 1, Currency: account.Currency}, Method: "terminal/kaspi",
	}, nil
}

func TestADepositIsShownTheAccountOrRefused(t *testing.T) {
	s := mustOpen(t, func(o *store.Options) { o.Normalize = topup.NormalizeKZPhone })
	mustPutIn(t, s, "7071234567", "KZT")
	ctx := context.Background()
	id, err := s.Deposit(ctx, "+7 707 123-45-67", accepted)
	if err != nil {
		t.Fatal(err)
	}
	if p := mustPayment(t, s, id); p.CustomerID != "7071234567" || p.Status != topup.StatusPending || p.Money.Currency != "KZT" {
		t.Errorf("got %+v", p)
	}
	if _, err := s.Deposit(ctx, "7079999999", accepted); kindOf(err) != topup.KindNotFound {
		t.Errorf("nobody's account: got %v", err)
	}
	no := topup.Invalid("amount", "is too much")
	_, err = s.Deposit(ctx, "7071234567", func(*topup.Account) (store.NewPayment, error) { return store.NewPayment{}, no })
	if !errors.Is(err, no) {
		t.Errorf("got %v, want the refusal", err)
	}
	if n := queryInt(t, rawOpen(t, s), `SELECT count(*) FROM payments`); n != 1 {
		t.Errorf("%d payments, want 1", n)
	}
}

// TestNothingComesBetweenADepositAndItsAccount: the currency of an account is
// changed at the same moment. Whichever is first, the payment is in the currency
// that the account has afterwards.
func TestNothingComesBetweenADepositAndItsAccount(t *testing.T) {
	s := mustOpen(t)
	for n := range 60 {
		customer := fmt.Sprintf("c%d", n)
		mustPutIn(t, s, customer, "KZT")
		var both sync.WaitGroup
		var id string
		both.Go(func() {
			var err error
			if id, err = s.Deposit(context.Background(), customer, accepted); err != nil {
				t.Errorf("deposit: %v", err)
			}
		})
		both.Go(func() {
			if _, err := s.PutAccount(context.Background(), account(customer, "KGS")); err != nil && kindOf(err) != topup.KindInvalid {
				t.Errorf("put: %v", err)
			}
		})
		both.Wait()
		now, err := s.Account(context.Background(), customer)
		if err != nil {
			t.Fatal(err)
		}
		if p := mustPayment(t, s, id); p.Money.Currency != now.Currency {
			t.Fatalf("%s: a payment in %s for an account in %s", customer, p.Money.Currency, now.Currency)
		}
	}
}

func account(customer, currency string) *topup.Account {
	return &topup.Account{
		CustomerID: customer, AdditionalCustomerID: "A", Currency: currency,
		Contracts: []topup.Contract{{ID: "e1", Number: "N-" + customer}},
	}
}

func mustPutIn(t testing.TB, s *store.Store, customer, currency string) {
	t.Helper()
	if _, err := s.PutAccount(context.Background(), account(customer, currency)); err != nil {
		t.Fatal(err)
	}
}
