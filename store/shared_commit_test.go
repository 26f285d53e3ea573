package store_test

import (
	"context"
	"sync"
	"testing"

	"tolem/store"
	"tolem/topup"
)

// TestARefusedDepositSharesACommitWithItsNeighbours: a refusal that has written
// nothing is an answer. It must not undo the others, each of which would then
// need a commit of its own.
func TestARefusedDepositSharesACommitWithItsNeighbours(t *testing.T) {
	s, committed := mustOpenCounted(t)
	mustPutIn(t, s, "7071234567", "KZT")
	committed()

	release := s.HoldWriter()
	defer release()
	var all sync.WaitGroup
	for range 64 {
		all.Go(func() { mustIssue(t, s) })
	}
	waitForQueue(t, s, 64)
	all.Go(func() { // behind what has written
		_, err := s.Deposit(context.Background(), "7071234567", func(*topup.Account) (store.NewPayment, error) {
			return store.NewPayment{}, topup.Invalid("amount", "is below the minimum")
		})
		if kindOf(err) != topup.KindInvalid {
			t.Errorf("got %v, want the refusal", err)
		}
	})
	waitForQueue(t, s, 65)
	release()
	all.Wait()

	most, shared := 1, 0
	if onPostgres {
		most = 2 // two connections share the queue
	}
	batches := committed()
	for _, batch := range batches {
		shared += batch
	}
	if len(batches) > most || shared != 65 {
		t.Errorf("64 payments and a refusal took the commits %v, want at most %d", batches, most)
	}
}
