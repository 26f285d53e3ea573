package store_test

import (
	"context"
	"encoding/json"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"tolem/store"
	"tolem/topup"
	"tolem/view"
)

// TestNotifyWhateverStep: with every step of operators, each transaction that
// touches a contract has exactly one notification of the type that its kind says.
func TestNotifyWhateverStep(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	rapid.Check(t, func(r *rapid.T) {
		c := newClock()
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

// notifiedAsItIs holds the newest notification of each payment that the last step has
// told of against the payment as the API shows it. known is how many notifications
// there were before it; it returns how many there are.
func (w *walk) notifiedAsItIs(known int) int {
	list, _, err := w.s.Events(context.Background(), store.EventFilter{Limit: 1000})
	if err != nil {
		w.t.Fatal(err)
	}
	slices.Reverse(list)
	newest := map[string]store.Event{}
	for _, e := range list[known:] {
		newest[e.PaymentID] = e
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
