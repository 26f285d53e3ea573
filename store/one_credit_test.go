package store_test

import (
	"context"
	"testing"

	"tolem/topup"
)

// TestMoneyAssignedToAnotherContractOfTheSameCustomerLeavesTheCreditFree: a
// payment's own contract is the customer and the contract together. Were the
// customer enough, the payment's own money would go into suspense later.
func TestMoneyAssignedToAnotherContractOfTheSameCustomerLeavesTheCreditFree(t *testing.T) {
	s := bookOf(t)
	id := mustIssue(t, s) // for contract 12345
	_, item := suspendedItem(t, s, paid(id, "28", sum(9000)))
	must(t)(s.AssignSuspense(context.Background(), item, "7123456789", "2", anna))
	if p := mustPayment(t, s, id); p.Credit != nil {
		t.Errorf("the assignment took the payment's credit: %+v", p.Credit)
	}
	if got := mustRecord(t, s, paid(id, "29")); got.Disposition != topup.DispositionCredited {
		t.Errorf("the payment's own money: got %+v", got)
	}
	wantBalances(t, s, map[string]int64{own: 10000, "customers:7123456789:2": 9000, suspense: 0, settlement: -19000})
	checked(t, s)
}
