package store_test

import (
	"context"
	"sync"
	"testing"

	"tolem/store"
	"tolem/topup"
)

// TestACallerThatHasLeftSharesNothingWithItsWrite proves, under the race
// detector, that a write which goes on when its caller's context has ended writes
// to nothing that the caller uses.
func TestACallerThatHasLeftSharesNothingWithItsWrite(t *testing.T) {
	if onPostgres {
		t.Skip("no write of another kind shares a commit with these")
	}
	left, cancel := context.WithCancel(context.Background())
	cancel()
	for name, write := range map[string]func(s *store.Store, paymentID string) error{
		"an account": func(s *store.Store, _ string) error {
			_, err := s.PutAccount(left, account("c1", "KZT"))
			return err
		},
		"a flag": func(s *store.Store, paymentID string) error {
			_, err := s.FlagOutcomeUnknown(left, paymentID)
			return err
		},
		"demo data": func(s *store.Store, _ string) error {
			_, err := s.SeedDemo(left, nil, nil, 0)
			return err
		},
		"a payment": func(s *store.Store, _ string) error {
			_, err := s.Issue(left, store.NewPayment{Provider: "jetpay", Project: "1", CustomerID: "c", ContractID: "e", Money: hundred})
			return err
		},
		"a pay-in": func(s *store.Store, _ string) error {
			_, _, err := s.OpenPayin(left, "c1", store.IdempotencyKey{}, func(*topup.Account) (store.NewPayin, error) {
				return store.NewPayin{}, topup.Invalid("x", "no")
			})
			return err
		},
		"an operator's credit": func(s *store.Store, paymentID string) error {
			_, err := s.CreditPayment(left, paymentID, anna)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := mustOpen(t)
			id := mustIssue(t, s)
			release := s.HoldWriter()
			defer release()
			told := make(chan error)
			go func() { told <- write(s, id) }()
			waitForQueue(t, s, 1)
			var behind sync.WaitGroup
			behind.Go(func() { // in the same commit, which waits for the caller to leave
				if err := s.Raw(context.Background(), func(func(string, ...any) error) error {
					if err := <-told; err == nil {
						t.Error("told that it was done before it was")
					}
					return nil
				}); err != nil {
					t.Error(err)
				}
			})
			waitForQueue(t, s, 2)
			release()
			behind.Wait()
		})
	}
}
