package store_test

import (
	"context"
	"slices"
	"testing"

	"tolem/store"
)

// TestPaymentsAreFoundByTheNumberThatTheirContractHad: of every customer with
// such a contract, and also after the contract has got another number.
func TestPaymentsAreFoundByTheNumberThatTheirContractHad(t *testing.T) {
	s := mustOpen(t)
	issue := func(customer, number string) string {
		return mustIssue(t, s, func(n *store.NewPayment) { n.CustomerID, n.ContractNumber = customer, number })
	}
	first, again := issue("7001", "A-1"), issue("7001", "A-1")
	other, renamed := issue("7002", "A-1"), issue("7001", "A-2")
	issue("7002", "")
	for number, want := range map[string][]string{"A-1": {first, again, other}, "A-2": {renamed}, "A-3": nil} {
		page, _, err := s.Payments(context.Background(), store.PaymentFilter{Q: number})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, p := range page {
			got = append(got, p.ID)
		}
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("%s: got %v, want %v", number, got, want)
		}
	}
	if onPostgres {
		return // a view
	}
	if n := queryInt(t, rawOpen(t, s), `SELECT count(*) FROM contract_numbers`); n != 3 {
		t.Errorf("%d numbers of customers are kept, want 3", n)
	}
}
