package store_test

import (
	"context"
	"testing"
	"time"

	"tolem/store"
	"tolem/testkit"
	"tolem/topup"
)

// TestASweepLeavesAloneWhatGotItsResultMeanwhile: another process records results
// between the sweep's look and its write.
func TestASweepLeavesAloneWhatGotItsResultMeanwhile(t *testing.T) {
	c := newClock()
	o := newDatabase(t)
	o.Now = c.Now
	open := func() *store.Store {
		s, err := store.Open(context.Background(), o)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() })
		return s
	}
	sweeping := open()
	mustAccounts(t, sweeping)
	declined, credited, silent := mustIssue(t, sweeping), mustIssue(t, sweeping), mustIssue(t, sweeping)
	// The other process was a little earlier: by its clock nothing has expired.
	late := newClock()
	o.Now = late.Now
	other := open()
	c.Add(300 * time.Hour)

	release := sweeping.HoldWriter()
	defer release()
	type outcome struct {
		n   int
		err error
	}
	swept := make(chan outcome, 1)
	go func() {
		n, err := sweeping.ExpirePending(context.Background())
		swept <- outcome{n, err}
	}()
	testkit.Eventually(t, "the sweep has looked, and wants to write", func() bool { return sweeping.QueueDepth() == 1 })
	mustRecord(t, other, paid(declined, "1", func(e *topup.Event) { e.Outcome, e.Status = topup.OutcomeDeclined, "decline" }))
	mustRecord(t, other, paid(credited, "2"))
	release()

	if got := <-swept; got.n != 1 || got.err != nil {
		t.Errorf("swept %d, %v; want 1", got.n, got.err)
	}
	for id, want := range map[string]topup.Status{
		declined: topup.StatusDeclined, credited: topup.StatusSucceeded, silent: topup.StatusExpired,
	} {
		if got := mustPayment(t, sweeping, id).Status; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	checked(t, sweeping)
}
