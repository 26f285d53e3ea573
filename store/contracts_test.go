package store_test

import (
	"context"
	"fmt"
	"reflect"
	"testing"

	"tolem/store"
)

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
