package store_test

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"tolem/store"
	"tolem/topup"
)

func TestBalancesAreFoundByTheExactPrefix(t *testing.T) {
	s := bookOf(t)
	for i, customer := range []string{"7_", "7%", "71", "7é", "7"} {
		id := mustIssue(t, s, func(n *store.NewPayment) { n.CustomerID = customer; n.ContractID = "e" })
		mustRecord(t, s, paid(id, fmt.Sprint(i)))
	}
	names := func(f store.BalanceFilter) (list []string) {
		for {
			page, err := s.Balances(context.Background(), f)
			if err != nil {
				t.Fatal(err)
			}
			for _, b := range page.Accounts {
				list = append(list, b.Account)
			}
			if total := page.Total["KZT"]; total != 0 || len(page.Total) != 1 {
				t.Errorf("the whole book: got %v, want 0 KZT", page.Total)
			}
			if page.Next == "" {
				return list
			}
			f.Cursor = page.Next
		}
	}
	all := []string{"customers:71:e", "customers:7:e", "customers:7%:e", "customers:7_:e", "customers:7é:e", settlement}
	slices.Sort(all)
	for prefix, want := range map[string][]string{
		"":             all,
		"customers:":   all[:5],
		"customers:7":  all[:5],
		"customers:7_": {"customers:7_:e"},
		"customers:7%": {"customers:7%:e"},
		"customers:7:": {"customers:7:e"},
		"customers:7é": {"customers:7é:e"},
		"Customers:":   nil,
		"settlement:":  {settlement},
	} {
		for _, limit := range []int{0, 1, 2} {
			if got := names(store.BalanceFilter{Prefix: prefix, Limit: limit}); !slices.Equal(got, want) {
				t.Errorf("prefix %q, limit %d: got %v, want %v", prefix, limit, got, want)
			}
		}
	}
	for prefix, want := range map[string]string{
		"": "", "a": "b", "aя": "aѐ", "a\U0010ffff\U0010ffff": "b", "\U0010ffff": "", "a\ud7ff": "a\ue000",
	} {
		if got := store.PrefixEnd(prefix); got != want {
			t.Errorf("the end of %q: got %q, want %q", prefix, got, want)
		}
	}
	for _, f := range []store.BalanceFilter{{Limit: 1001}, {Cursor: "x"}, {Cursor: "!"}, {Prefix: "customers:7\xff"}} {
		if _, err := s.Balances(context.Background(), f); kindOf(err) != topup.KindInvalid {
			t.Errorf("%+v: got %v", f, err)
		}
	}
}

func TestRunningTotalsAreNeverNegative(t *testing.T) {
	s := bookOf(t)
	id := mustIssue(t, s)
	must(t)(s.Reverse(context.Background(), must(t)(s.CreditPayment(context.Background(), id, anna)).ID, anna))
	page, err := s.Balances(context.Background(), store.BalanceFilter{})
	if err != nil {
		t.Fatal(err)
	}
	want := []store.Balance{{Account: own, Currency: "KZT", Debits: 10000, Credits: 10000}, {Account: settlement, Currency: "KZT", Debits: 10000, Credits: 10000}}
	if !slices.Equal(page.Accounts, want) {
		t.Errorf("got %v, want %v", page.Accounts, want)
	}
}
