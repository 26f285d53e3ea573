package store_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"tolem/store"
	"tolem/topup"
)

// TestALostProcessThatHoldsTheAccountsHoldsUpNoCallback: who changes accounts,
// and who takes deposits, waits for it, but not for long, and is then told to
// come again. Callbacks share the queue with them, and nothing else.
func TestALostProcessThatHoldsTheAccountsHoldsUpNoCallback(t *testing.T) {
	address := postgresDatabase(t)
	s := openAt(t, address)
	mustAccounts(t, s)
	ids := make([]string, 20)
	for i := range ids {
		ids[i] = mustIssue(t, s)
	}
	lost, err := shell(t, address).Begin()
	if err != nil {
		t.Fatal(err)
	}
	defer lost.Rollback()
	if _, err := lost.Exec(`SELECT pg_advisory_xact_lock($1, 0)`, store.LockAccounts); err != nil {
		t.Fatal(err)
	}

	release := s.HoldWriter()
	defer release()
	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Second) // as a request
	defer cancel()
	var all sync.WaitGroup
	unavailable := func(what string, err error) {
		if kindOf(err) != topup.KindUnavailable || errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: got %v, want unavailable, and in time", what, err)
		}
	}
	for n := range 6 {
		all.Go(func() {
			_, err := s.PutAccount(ctx, account(fmt.Sprint("c", n), "KZT"))
			unavailable("an account", err)
		})
	}
	waitForQueue(t, s, 6)
	for range 20 {
		all.Go(func() {
			_, err := s.Deposit(ctx, "7123456789", accepted)
			unavailable("a deposit", err)
		})
	}
	waitForQueue(t, s, 26)
	for i, id := range ids {
		all.Go(func() {
			if _, err := s.Record(ctx, paid(id, fmt.Sprint(i)), []byte("{}")); err != nil {
				t.Errorf("a callback: %v", err)
			}
		})
	}
	waitForQueue(t, s, 46)
	release()
	all.Wait()

	if err := lost.Rollback(); err != nil {
		t.Fatal(err)
	}
	mustPutIn(t, s, "c0", "KZT")
	if _, err := s.Deposit(context.Background(), "7123456789", accepted); err != nil {
		t.Errorf("a deposit afterwards: %v", err)
	}
	checked(t, s)
}
