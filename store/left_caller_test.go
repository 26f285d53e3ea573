package store_test

import (
	"bytes"
	"context"
	"sync"
	"testing"

	"tolem/store"
	"tolem/testkit"
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

// TestACallerThatHasLeftMayUseItsBytesAgain: what it handed over is stored as it
// was, although the write goes on without it.
func TestACallerThatHasLeftMayUseItsBytesAgain(t *testing.T) {
	left, cancel := context.WithCancel(context.Background())
	cancel()
	s := mustOpen(t)
	id, payin := mustIssue(t, s), mustOpenPayin(t, s, keyed("k1", "first"))
	event, body := paid(id, "28"), []byte(`{"raw":"28"}`)
	answer, hash := []byte(`{"payin":1}`), []byte("second")
	fingerprint, sentBody, sentAnswer := bytes.Clone(event.Fingerprint), bytes.Clone(body), bytes.Clone(answer)

	release := s.HoldWriter()
	defer release()
	for what, err := range map[string]error{
		"a message": second(s.Record(left, event, body)),
		"an answer": s.PayinCreated(left, payin, store.CreatedPayin{}, store.Answer{Status: 201, Body: answer}),
		"a request": func() error {
			_, _, err := s.OpenPayin(left, "7123456789", store.IdempotencyKey{Token: "t", Key: "k2", Hash: hash}, func(*topup.Account) (store.NewPayin, error) {
				return newPayin(), nil
			})
			return err
		}(),
	} {
		if kindOf(err) != topup.KindUnavailable {
			t.Fatalf("%s: got %v, want that the caller has left", what, err)
		}
	}
	for _, used := range [][]byte{event.Fingerprint, body, answer, hash} {
		for i := range used {
			used[i] = '!'
		}
	}
	release()
	var got, gotFingerprint, gotAnswer, gotHash []byte
	db := rawOpen(t, s)
	for query, place := range map[string]*[]byte{
		`SELECT body FROM message_bodies`:                                        &got,
		`SELECT fingerprint FROM messages`:                                       &gotFingerprint,
		`SELECT answer FROM idempotency WHERE key = 'k1' AND answer IS NOT NULL`: &gotAnswer,
		`SELECT request_hash FROM idempotency WHERE key = 'k2'`:                  &gotHash,
	} {
		testkit.Eventually(t, query, func() bool { return db.QueryRow(query).Scan(place) == nil })
	}
	for _, c := range []struct {
		what      string
		got, want []byte
	}{{"the body", got, sentBody}, {"the fingerprint", gotFingerprint, fingerprint}, {"the answer", gotAnswer, sentAnswer}, {"the hash", gotHash, []byte("second")}} {
		if !bytes.Equal(c.got, c.want) {
			t.Errorf("%s is stored as %q, want %q", c.what, c.got, c.want)
		}
	}
}

func second[T any](_ T, err error) error { return err }

// TestSumsWhoseCallerHasLeftAreWhole: the sums of settlement and how far they have
// come are written together, by a write whose caller has left meanwhile too.
func TestSumsWhoseCallerHasLeftAreWhole(t *testing.T) {
	s := bookOf(t)
	mustRecord(t, s, paid(mustIssue(t, s), "28"))
	release := s.HoldWriter()
	defer release()
	leaving, leave := context.WithCancel(t.Context())
	told := make(chan error)
	go func() { told <- s.SumSettlement(leaving) }()
	waitForQueue(t, s, 1)
	leave()
	if err := <-told; err == nil {
		t.Error("told that it was done before it was")
	}
	release()
	mustIssue(t, s) // behind it
	checked(t, s)
}
