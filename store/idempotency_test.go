package store_test

import (
	"errors"
	"strconv"
	"sync"
	"testing"
	"time"

	"tolem/store"
	"tolem/topup"
)

// once is a request under a key, whose answer is the id of what was done.
func once(key, hash string) *store.Once {
	return &store.Once{Key: keyed(key, hash), Answer: func(done any) (store.Answer, error) {
		switch done := done.(type) {
		case []topup.Transaction:
			return store.Answer{Status: 201, Body: []byte(done[0].ID)}, nil
		case *topup.Payment:
			return store.Answer{Status: 200, Body: []byte(done.Status)}, nil
		case *store.StoredMessage:
			return store.Answer{Status: 200, Body: []byte(strconv.FormatInt(done.ID, 10))}, nil
		}
		return store.Answer{}, errors.New("done is of another type than documented")
	}}
}

func by(o *store.Once) store.By { return store.By{Actor: "anna", Reason: "a test", Once: o} }

// answeredBefore is the stored answer of a step that was done before.
func answeredBefore(t *testing.T, err error) store.Prior {
	t.Helper()
	var answered *store.AnsweredError
	if !errors.As(err, &answered) {
		t.Fatalf("got %v, want an AnsweredError", err)
	}
	return answered.Prior
}

func TestOnce(t *testing.T) {
	t.Run("RepeatsTheStoredAnswer", func(t *testing.T) {
		s := bookOf(t)
		id := mustIssue(t, s)
		made, err := s.CreditPayment(ctx, id, by(once("k", "h")))
		if err != nil {
			t.Fatal(err)
		}
		_, err = s.CreditPayment(ctx, id, by(once("k", "h")))
		prior := answeredBefore(t, err)
		if prior.Answer.Status != 201 || string(prior.Answer.Body) != made.ID || prior.Running || prior.PaymentID != "" {
			t.Errorf("got %+v", prior)
		}
		_, err = s.CreditPayment(ctx, id, by(once("k2", "h")))
		refused(t, err, topup.KindConflict, "has been credited")
		_, err = s.CreditPayment(ctx, id, by(once("k", "other")))
		refused(t, err, topup.KindInvalid, "used for another request")
		if _, _, err = openPayin(s, keyed("k", "hash of a pay-in")); refusalOf(err) != topup.KindInvalid {
			t.Errorf("a pay-in under the key of a step: got %v", err)
		}
	})
	t.Run("ARefusalLeavesTheKeyFree", func(t *testing.T) {
		s := bookOf(t)
		id := mustIssue(t, s)
		_, err := s.RecallPayment(ctx, id, by(once("k", "h")))
		refused(t, err, topup.KindConflict, "nothing of this payment is credited")
		if _, err := s.CreditPayment(ctx, id, by(once("k", "other"))); err != nil {
			t.Errorf("the key of a refused step: got %v", err)
		}
	})
	t.Run("AStepWhoseAnswerFailsIsNotDone", func(t *testing.T) {
		s := bookOf(t)
		id := mustIssue(t, s)
		_, err := s.CreditPayment(ctx, id, by(&store.Once{Key: keyed("k", "h"), Answer: func(any) (store.Answer, error) { return store.Answer{}, errors.New("no") }}))
		if err == nil {
			t.Fatal("got no error")
		}
		if p, err := s.Payment(ctx, id); err != nil || p.Credited != nil {
			t.Errorf("got %+v %v", p, err)
		}
	})
	t.Run("StepsWithoutATransaction", func(t *testing.T) {
		s := bookOf(t)
		id := mustIssue(t, s)
		mustRecord(t, s, paid(id, "3", func(e *topup.Event) { e.Outcome = topup.OutcomePaidStatus }))
		message := unreadable(t, s, mustIssue(t, s), "80")
		for name, step := range map[string]struct {
			do   func() error
			want string
		}{
			"close":   {func() error { return s.ClosePayment(ctx, id, by(once("close", "h"))) }, "declined"},
			"dismiss": {func() error { return s.DismissMessage(ctx, message, by(once("dismiss", "h"))) }, strconv.FormatInt(message, 10)},
		} {
			if err := step.do(); err != nil {
				t.Errorf("%s: got %v", name, err)
				continue
			}
			if prior := answeredBefore(t, step.do()); string(prior.Answer.Body) != step.want || prior.Answer.Status != 200 {
				t.Errorf("%s again: got %+v", name, prior)
			}
		}
	})
	t.Run("OneOfManyPosts", func(t *testing.T) {
		s := bookOf(t)
		id := mustIssue(t, s)
		var (
			mu      sync.Mutex
			made    = map[string]int{}
			all     sync.WaitGroup
			failure error
		)
		for range 50 {
			all.Go(func() {
				tx, err := s.CreditPayment(ctx, id, by(once("k", "h")))
				mu.Lock()
				defer mu.Unlock()
				var answered *store.AnsweredError
				switch {
				case err == nil:
					made[tx.ID]++
				case errors.As(err, &answered):
					made[string(answered.Prior.Answer.Body)]++
				default:
					failure = err
				}
			})
		}
		all.Wait()
		if failure != nil || len(made) != 1 {
			t.Errorf("got %v %v, want one transaction for all", made, failure)
		}
	})
	t.Run("IsForgottenAfterSevenDays", func(t *testing.T) {
		now := newClock()
		s := bookOf(t, func(o *store.Options) { o.Now = now.Now })
		first, second := mustIssue(t, s), mustIssue(t, s)
		if _, err := s.CreditPayment(ctx, first, by(once("k", "h"))); err != nil {
			t.Fatal(err)
		}
		now.Add(7*24*time.Hour - time.Second)
		_, err := s.CreditPayment(ctx, second, by(once("k", "other")))
		refused(t, err, topup.KindInvalid, "used for another request")
		now.Add(time.Second)
		if _, err := s.CreditPayment(ctx, second, by(once("k", "other"))); err != nil {
			t.Errorf("after seven days: got %v", err)
		}
	})
}

func TestOpenRequest(t *testing.T) {
	now := newClock()
	s := mustOpen(t, func(o *store.Options) { o.Now = now.Now })
	id, prior, err := s.OpenRequest(ctx, keyed("k", "h"), time.Minute)
	if err != nil || prior != nil || id == "" {
		t.Fatalf("got %q %v %v", id, prior, err)
	}
	ask := func() *store.Prior {
		t.Helper()
		_, prior, err := s.OpenRequest(ctx, keyed("k", "h"), time.Minute)
		if err != nil || prior == nil {
			t.Fatalf("got %v %v", prior, err)
		}
		return prior
	}
	if !ask().Running {
		t.Error("the request is not running")
	}
	now.Add(time.Minute)
	if p := ask(); p.Running || p.Answer.Body != nil {
		t.Errorf("a request that was never answered: got %+v", p)
	}
	if err := s.AnswerRequest(ctx, id, store.Answer{Status: 202, Body: []byte("{}")}); err != nil {
		t.Fatal(err)
	}
	if p := ask(); string(p.Answer.Body) != "{}" || p.Answer.Status != 202 {
		t.Errorf("got %+v", p)
	}
	if err := s.AnswerRequest(ctx, id, store.Answer{}); err != nil {
		t.Fatal(err)
	}
	if again, prior, err := s.OpenRequest(ctx, keyed("k", "other"), time.Minute); err != nil || prior != nil || again == id {
		t.Errorf("a key that was freed: got %q %v %v", again, prior, err)
	}
	if id, prior, err := s.OpenRequest(ctx, store.IdempotencyKey{}, time.Minute); id != "" || prior != nil || err != nil {
		t.Errorf("without a key: got %q %v %v", id, prior, err)
	}
}
