package store_test

import (
	"context"
	"encoding/json"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"tolem/store"
	"tolem/topup"
	"tolem/view"
)

// TestNotifyWhateverHappens: with every step of operators, each transaction that
// touches a contract has exactly one notification of the type that its kind says.
func TestNotifyWhateverHappens(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	rapid.Check(t, func(r *rapid.T) {
		c := newClock()
		c.Add(1234 * time.Nanosecond) // more exact than the database
		o := newDatabase(t)
		o.Now, o.NotificationBody = c.Now, view.NotificationBody
		s, err := store.Open(ctx, o)
		if err != nil {
			r.Fatal(err)
		}
		defer s.Close()
		if err := s.SetEndpoints(ctx, []store.Endpoint{{Name: "billing"}}); err != nil {
			r.Fatal(err)
		}
		w := &walk{t: r, s: s, c: c}
		mustAccounts(t, s)
		w.issue("jetpay", "1234")
		w.issue("highhelp", "57aff4db")
		steps := w.steps()
		known := 0
		steps[""] = func(*rapid.T) { known = w.notifiedAsItIs(known) }
		r.Repeat(steps)
		feed, err := s.Transactions(ctx, 0, 1000)
		if err != nil {
			r.Fatal(err)
		}
		list, _, err := s.Events(ctx, store.EventFilter{Limit: 1000})
		if err != nil {
			r.Fatal(err)
		}
		events := map[string][]topup.EventType{}
		for _, e := range list {
			events[e.TransactionID] = append(events[e.TransactionID], e.Type)
		}
		for _, transaction := range feed {
			got, moves := events[transaction.ID], topup.ContractTouched(transaction.Postings) != ""
			if moves && len(got) != 1 || len(got) > 1 {
				w.fatalf("a %s %s that moves money of a contract (%t) has notifications %v", transaction.Kind, transaction.ID, moves, got)
			}
			if want := map[topup.TransactionKind]topup.EventType{
				topup.KindCredit: topup.EventSucceeded, topup.KindManualCredit: topup.EventSucceeded, topup.KindAssignment: topup.EventResolved,
				topup.KindRefund: topup.EventRefunded, topup.KindRecall: topup.EventReversed, topup.KindReversal: topup.EventReversed,
			}[transaction.Kind]; moves && got[0] != want {
				w.fatalf("a %s is told as %s, want %s", transaction.Kind, got[0], want)
			}
		}
	})
}

// notifiedAsItIs holds what the last step has told of against what the API shows: the
// newest notification of each payment against the payment, and every transaction
// against the feed. known is how many notifications there were before it; it returns
// how many there are.
func (w *walk) notifiedAsItIs(known int) int {
	list, _, err := w.s.Events(context.Background(), store.EventFilter{Limit: 1000})
	if err != nil {
		w.t.Fatal(err)
	}
	slices.Reverse(list)
	newest := map[string]store.Event{}
	for _, e := range list[known:] {
		newest[e.PaymentID] = e
		var n struct {
			Data struct{ Transaction json.RawMessage }
		}
		if err := json.Unmarshal(e.Body, &n); err != nil {
			w.t.Fatal(err)
		}
		for _, transaction := range feed(w.t, w.s) {
			if want, _ := json.Marshal(view.TransactionOf(transaction)); transaction.ID == e.TransactionID && string(n.Data.Transaction) != string(want) {
				w.fatalf("a %s shows the transaction as\n%s\nwhich is\n%s", e.Type, n.Data.Transaction, want)
			}
		}
	}
	for id, e := range newest {
		p, err := w.s.Payment(context.Background(), id)
		if err != nil {
			w.t.Fatal(err)
		}
		var n notified
		if err := json.Unmarshal(e.Body, &n); err != nil {
			w.t.Fatal(err)
		}
		if want, _ := json.Marshal(view.PaymentOf(p)); string(n.Data.Payment) != string(want) {
			w.fatalf("a %s shows the payment as\n%s\nwhich is\n%s", e.Type, n.Data.Payment, want)
		}
	}
	return len(list)
}

// TestNotifyNamesThePayout: a payment that a payout names is told of with it.
func TestNotifyNamesThePayout(t *testing.T) {
	by := store.By{Actor: "op", Reason: "test"}
	// shown fails the test unless the newest notification has the payment as the API.
	shown := func(t *testing.T, s *store.Store, id string, want topup.EventType) {
		t.Helper()
		list, _, err := s.Events(ctx, store.EventFilter{Limit: 1})
		if err != nil || len(list) != 1 || list[0].Type != want {
			t.Fatalf("the newest is %+v, %v, want a %s", list, err, want)
		}
		var n notified
		if err := json.Unmarshal(list[0].Body, &n); err != nil {
			t.Fatal(err)
		}
		p := view.PaymentOf(mustPayment(t, s, id))
		if as, _ := json.Marshal(p); p.PayoutID != "po-1" || string(n.Data.Payment) != string(as) {
			t.Errorf("the payment is told as\n%s\nand is\n%s", n.Data.Payment, as)
		}
	}
	t.Run("WhenAnOperatorTakesAStep", func(t *testing.T) {
		s, _ := notifying(t)
		id := mustIssue(t, s)
		mustRecord(t, s, paid(id, "1"))
		mustAdd(t, s, newPayout("po-1", withLines(saleLine(2, id, "1", 10000, 300))))
		if _, err := s.RefundPayment(ctx, id, topup.RefundRequest{PayBack: topup.PayBack{Amount: 3000, Operation: topup.NoOperation}}, by); err != nil {
			t.Fatal(err)
		}
		shown(t, s, id, topup.EventRefunded)
		if _, err := s.RecallPayment(ctx, id, by); err != nil {
			t.Fatal(err)
		}
		shown(t, s, id, topup.EventReversed)
	})
	t.Run("WhenItsMessageComesAfterTheRegister", func(t *testing.T) {
		s, c := notifying(t)
		id := mustIssue(t, s)
		c.Add(24 * time.Hour)
		mustAdd(t, s, newPayout("po-1", withLines(saleLine(2, id, "1", 10000, 300))))
		mustRecord(t, s, paid(id, "1"))
		shown(t, s, id, topup.EventSucceeded)
	})
	t.Run("WhenItExpires", func(t *testing.T) {
		s, c := notifying(t)
		id := mustIssue(t, s, func(n *store.NewPayment) { n.ExpiresAfter = 48 * time.Hour })
		mustAdd(t, s, newPayout("po-1", withLines(saleLine(2, id, "1", 10000, 300))))
		c.Add(72 * time.Hour)
		if n, err := s.ExpirePending(ctx); err != nil || n != 1 {
			t.Fatalf("expired %d, %v", n, err)
		}
		shown(t, s, id, topup.EventExpired)
	})
	t.Run("WhenAReviewIsClosed", func(t *testing.T) {
		s, c := notifying(t)
		id := mustIssue(t, s)
		mustRecord(t, s, paid(id, "1", func(e *topup.Event) { e.Outcome = topup.OutcomePaidStatus }))
		mustAdd(t, s, newPayout("po-1", withLines(saleLine(2, id, "1", 10000, 300))))
		c.Add(24 * time.Hour)
		closing, answered := by, ""
		closing.Once = &store.Once{Answer: func(done any) (store.Answer, error) {
			answered = done.(*topup.Payment).PayoutID
			return store.Answer{}, nil
		}}
		if err := s.ClosePayment(ctx, id, closing); err != nil {
			t.Fatal(err)
		}
		shown(t, s, id, topup.EventResolved)
		if answered != "po-1" {
			t.Errorf("the answer has payout %q", answered)
		}
	})
}
