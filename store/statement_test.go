package store_test

import (
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"

	"tolem/store"
	"tolem/topup"
)

func TestStatement(t *testing.T) {
	c := newClock()
	s := bookOf(t, func(o *store.Options) { o.Now = c.Now })
	statement := func(customer string, from, to time.Time) store.Statement {
		t.Helper()
		st, err := s.Statement(ctx, customer, from, to)
		if err != nil {
			t.Fatal(err)
		}
		return st
	}
	if st := statement("7123456789", c.Now(), c.Now().Add(time.Hour)); len(st.Contracts) != 0 || len(st.Lines) != 0 {
		t.Errorf("before any money: got %+v", st)
	}
	at := func(e *topup.Event) { e.EffectiveAt = c.Now() }
	start := c.Now()
	mustRecord(t, s, paid(mustIssue(t, s), "op-1", at))
	c.Add(24 * time.Hour)
	second := c.Now()
	own := mustIssue(t, s)
	mustRecord(t, s, paid(own, "op-2", at))
	// Money of a payment that nobody issued: it is found through its assignment.
	_, item := suspendedItem(t, s, paid("their-id", "op-3", at, sum(700)))
	if _, err := s.AssignSuspense(ctx, item, "7123456789", "12345", by(nil)); err != nil {
		t.Fatal(err)
	}
	if _, err := s.RecallPayment(ctx, own, by(nil)); err != nil {
		t.Fatal(err)
	}
	c.Add(24 * time.Hour)
	st := statement("7123456789", second, c.Now())
	if len(st.Contracts) != 1 || st.Contracts[0] != (store.StatementContract{ContractID: "12345", Currency: "KZT", Opening: 10000, Credits: 10700, Debits: 10000, Closing: 10700}) {
		t.Errorf("contracts: got %+v", st.Contracts)
	}
	var got []topup.TransactionKind
	for _, l := range st.Lines {
		got = append(got, l.Kind)
	}
	if len(got) != 3 || got[0] != topup.KindCredit || got[1] != topup.KindAssignment || got[2] != topup.KindRecall || st.Lines[2].Money.Amount != -10000 || st.More {
		t.Errorf("lines: got %v, %+v", got, st.Lines)
	}
	if st := statement("7123456789", start, second); st.Contracts[0].Opening != 0 || st.Contracts[0].Closing != 10000 || len(st.Lines) != 1 {
		t.Errorf("the day before: got %+v", st)
	}
	if st := statement("123456789", start, c.Now()); len(st.Lines) != 0 {
		t.Errorf("another customer: got %+v", st)
	}
}

// A statement's closing balance is the opening one and its lines, over any period,
// and over all time what the contract has.
func TestStatement_Adds(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		c := newClock()
		s := bookOf(t, func(o *store.Options) { o.Now = c.Now })
		start := c.Now()
		var times []time.Time
		for i := range rapid.IntRange(1, 6).Draw(rt, "payments") {
			c.Add(time.Hour)
			times = append(times, c.Now())
			id := mustIssue(t, s)
			operation := string(rune('a' + i))
			switch rapid.SampledFrom([]string{"pay", "recall", "assign"}).Draw(rt, "what") {
			case "pay":
				mustRecord(t, s, paid(id, operation, func(e *topup.Event) { e.EffectiveAt = c.Now() }))
			case "recall":
				mustRecord(t, s, paid(id, operation, func(e *topup.Event) { e.EffectiveAt = c.Now() }))
				if _, err := s.RecallPayment(ctx, id, by(nil)); err != nil {
					rt.Fatal(err)
				}
			case "assign":
				_, item := suspendedItem(t, s, paid("their-"+operation, operation, sum(int64(i+1))))
				if _, err := s.AssignSuspense(ctx, item, "7123456789", "12345", by(nil)); err != nil {
					rt.Fatal(err)
				}
			}
		}
		balances, err := s.ContractBalances(ctx, "7123456789")
		if err != nil {
			rt.Fatal(err)
		}
		far := time.UnixMicro(math.MaxInt64 / 4)
		for _, from := range append(times, start.Add(-1000*time.Hour)) {
			for _, to := range append(times, far) {
				if !from.Before(to) {
					continue
				}
				st, err := s.Statement(ctx, "7123456789", from, to)
				if err != nil {
					rt.Fatal(err)
				}
				for _, contract := range st.Contracts {
					var moved int64
					for _, l := range st.Lines {
						moved += l.Money.Amount
					}
					if contract.Opening+moved != contract.Closing || contract.Credits-contract.Debits != moved {
						rt.Fatalf("%v to %v: %+v, lines move %d", from, to, contract, moved)
					}
					if to.Equal(far) && contract.Closing != balances[contract.ContractID] {
						rt.Fatalf("closing %d, balance %d", contract.Closing, balances[contract.ContractID])
					}
				}
			}
		}
	})
}

func TestPaymentCounts(t *testing.T) {
	c := newClock()
	s := bookOf(t, func(o *store.Options) { o.Now = c.Now })
	start := c.Now()
	for i := range 5 {
		mustIssue(t, s)
		c.Add(10 * time.Minute)
		mustRecord(t, s, paid(mustIssue(t, s), "op-"+string(rune('a'+i))))
	}
	suspendedItem(t, s, paid("their-id", "op-z"))
	if n, err := s.IssuedBetween(ctx, start.Add(time.Minute), c.Now()); n != 8 || err != nil {
		t.Errorf("issued: got %d %v", n, err)
	}
	if open, err := s.UnsettledSince(ctx, start.Add(time.Minute)); err != nil || open[topup.StatusReview] != 1 || open[topup.StatusPending] != 4 {
		t.Errorf("unsettled: got %v %v", open, err)
	}
	if n, err := s.PendingBefore(ctx, start.Add(15*time.Minute)); n != 2 || err != nil {
		t.Errorf("pending: got %d %v", n, err)
	}
}

func TestOpenPaymentsLike(t *testing.T) {
	c := newClock()
	s := bookOf(t, func(o *store.Options) { o.Now = c.Now })
	open := mustIssue(t, s)
	done := mustIssue(t, s)
	mustRecord(t, s, paid(done, "op-1"))
	mustIssue(t, s, func(n *store.NewPayment) { n.Money.Amount = 1 })
	list, err := s.OpenPaymentsLike(ctx, topup.Money{Amount: 10000, Currency: "KZT"}, c.Now().Add(-time.Hour), c.Now().Add(time.Hour))
	if err != nil || len(list) != 1 || list[0].ID != open {
		t.Errorf("got %v %v", list, err)
	}
	if list, err := s.OpenPaymentsLike(ctx, topup.Money{Amount: 10000, Currency: "KGS"}, c.Now().Add(-time.Hour), c.Now().Add(time.Hour)); err != nil || len(list) != 0 {
		t.Errorf("another currency: got %v %v", list, err)
	}
}

func TestTelephonesAreFoundAsTheyAreTyped(t *testing.T) {
	s := bookOf(t)
	id := mustIssue(t, s, func(n *store.NewPayment) { n.CustomerID = "87071234567" })
	for typed, want := range map[string]int{"+7 707 123-45-67": 1, "7071234567": 1, "8 (707) 1234567": 1, "707123456": 0, "nonsense": 0} {
		list, _, err := s.Payments(ctx, store.PaymentFilter{Q: typed, Payers: true})
		if err != nil || len(list) != want || want == 1 && list[0].ID != id {
			t.Errorf("%q: got %v %v", typed, list, err)
		}
		if list, _, err := s.Payments(ctx, store.PaymentFilter{Q: typed}); err != nil || len(list) != 0 {
			t.Errorf("%q without Payers: got %v %v", typed, list, err)
		}
	}
}
