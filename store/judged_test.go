package store_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"tolem/store"
	"tolem/topup"
)

func TestWhatWasForeignUnderOtherSettingsIsJudgedAnew(t *testing.T) {
	s := mustOpen(t)
	ours := paid("theirs", "1")
	card := ours
	card.TopUp = false
	for i, step := range []struct {
		event topup.Event
		want  topup.Disposition
	}{
		{card, topup.DispositionForeign},
		{card, topup.DispositionRepeat},
		{ours, topup.DispositionSuspended}, // the method is one of the project's now
		{ours, topup.DispositionRepeat},
		{card, topup.DispositionRepeat},
	} {
		if got := mustRecord(t, s, step.event); got.Disposition != step.want {
			t.Errorf("step %d: got %+v, want %s", i+1, got, step.want)
		}
	}
	if got := queryInt(t, rawOpen(t, s), `SELECT credits FROM ledger_balances WHERE name = 'suspense:jetpay:1234'`); got != 10000 {
		t.Errorf("suspense: got %d, want 10000", got)
	}
	checked(t, s)
}

func TestAnOperationUnderManyReferencesPostsOnce(t *testing.T) {
	s := mustOpen(t)
	var wg sync.WaitGroup
	for i := range 30 {
		wg.Go(func() { mustRecord(t, s, paid(fmt.Sprintf("KASPI %d", i), "1")) })
		wg.Go(func() {
			mustRecord(t, s, paid(topup.UnnamedReference("2"), "2", func(e *topup.Event) { e.Status = fmt.Sprint(i) }))
		})
	}
	wg.Wait()
	raw := rawOpen(t, s)
	if got := queryInt(t, raw, `SELECT count(*) FROM transactions`); got != 2 {
		t.Errorf("got %d ledger transactions, want 2", got)
	}
	if got := queryInt(t, raw, `SELECT count(*) FROM payments`); got != 2 {
		t.Errorf("got %d payments, want 2", got)
	}
	if got := queryInt(t, raw, `SELECT count(*) FROM messages`); got != 60 {
		t.Errorf("got %d messages, want 60", got)
	}
	checked(t, s)
}

func TestMoneyWithoutAnIDHasAPaymentForEachOperation(t *testing.T) {
	s := mustOpen(t)
	first := mustRecord(t, s, paid(topup.UnnamedReference("1"), "1"))
	second := mustRecord(t, s, paid(topup.UnnamedReference("2"), "2"))
	if first.PaymentID == second.PaymentID || second.Disposition != topup.DispositionSuspended {
		t.Errorf("got %+v, then %+v", first, second)
	}
	if p := mustPayment(t, s, second.PaymentID); p.ProviderReference != "operation 2" || p.InSuspense != 1 || p.Status != topup.StatusReview {
		t.Errorf("got %+v", p)
	}
	checked(t, s)
}

func TestPaidWithoutAMovementDoesNotExpire(t *testing.T) {
	c := newClock()
	s := mustOpen(t, func(o *store.Options) { o.Now = c.Now })
	id := mustIssue(t, s)
	status := func(e *topup.Event) { e.Outcome, e.Initial = topup.OutcomePaidStatus, topup.Money{} }
	mustRecord(t, s, paid(id, "1", status))
	c.Add(12 * 24 * time.Hour)
	if _, err := s.ExpirePending(context.Background()); err != nil {
		t.Fatal(err)
	}
	if p := mustPayment(t, s, id); p.Status != topup.StatusReview || p.Flags != topup.FlagOutcomeUnknown || p.Credit != nil {
		t.Errorf("got %s %v", p.Status, p.Flags.Names())
	}
	mustRecord(t, s, paid(id, "2"))
	mustRecord(t, s, paid(id, "3", status, func(e *topup.Event) { e.EffectiveAt = e.EffectiveAt.Add(time.Hour) }))
	if p := mustPayment(t, s, id); p.Status != topup.StatusSucceeded || p.Flags != 0 || p.OperationID != "2" {
		t.Errorf("credited: got %s %v, operation %s", p.Status, p.Flags.Names(), p.OperationID)
	}
	checked(t, s)
}

// What a message without a movement said is stored with another fingerprint by
// older builds: then its repeat is judged again, and must change nothing.
func TestAStatusThatIsJudgedTwiceChangesNothing(t *testing.T) {
	for name, outcome := range map[string]topup.Outcome{
		"a decline": topup.OutcomeDeclined, "a refund": topup.OutcomeRefunded, "a reversal": topup.OutcomeReversed,
		"processing": topup.OutcomeOpen, "paid without a movement": topup.OutcomePaidStatus,
	} {
		for _, credited := range []bool{false, true} {
			s := mustOpen(t)
			id := mustIssue(t, s)
			if credited {
				mustRecord(t, s, paid(id, "1"))
			}
			e := paid(id, "2", func(e *topup.Event) { e.Outcome = outcome })
			mustRecord(t, s, e)
			before := mustPayment(t, s, id)
			e.Fingerprint = append(e.Fingerprint, 0)
			again := mustRecord(t, s, e)
			if after := mustPayment(t, s, id); again.Disposition != topup.DispositionNoted || after.Status != before.Status || after.Flags != before.Flags {
				t.Errorf("%s: %s %v, then %s %v", name, before.Status, before.Flags.Names(), after.Status, after.Flags.Names())
			}
			checked(t, s)
		}
	}
}

func TestAPostedOperationIsShownOnlyByThePaymentThatItPostedTo(t *testing.T) {
	s := mustOpen(t)
	first, second := mustIssue(t, s), mustIssue(t, s)
	mustRecord(t, s, paid(first, "1"))
	mustRecord(t, s, paid(second, "1"))
	if p := mustPayment(t, s, second); p.OperationID != "" || p.ProviderPaymentID != "" || p.Flags != topup.FlagConflict || p.Status != topup.StatusPending {
		t.Errorf("got %+v", p)
	}
	checked(t, s)
}

func TestADeclineDoesNotHideTheMovementBehindACreditThatWasReversed(t *testing.T) {
	s := mustOpen(t)
	id := mustIssue(t, s)
	by := store.By{Actor: "anna", Reason: "the platform says so"}
	credit, err := s.CreditPayment(context.Background(), id, by)
	if err != nil {
		t.Fatal(err)
	}
	mustRecord(t, s, paid(id, "1"))
	if _, err := s.Reverse(context.Background(), credit.ID, by); err != nil {
		t.Fatal(err)
	}
	mustRecord(t, s, paid(id, "2", func(e *topup.Event) {
		e.Outcome, e.Status, e.EffectiveAt = topup.OutcomeDeclined, "decline", e.EffectiveAt.Add(time.Hour)
	}))
	if p := mustPayment(t, s, id); p.OperationID != "1" || p.ProviderStatus != "success" {
		t.Errorf("got operation %s, %s", p.OperationID, p.ProviderStatus)
	}
}

func TestProcessingDoesNotClearThatTheGateKnowsAPaymentToBePaid(t *testing.T) {
	s := mustOpen(t)
	id := mustIssue(t, s)
	if flagged, err := s.FlagOutcomeUnknown(context.Background(), id); err != nil || !flagged {
		t.Fatalf("got %t, %v", flagged, err)
	}
	mustRecord(t, s, paid(id, "1", func(e *topup.Event) { e.Outcome, e.Status = topup.OutcomeOpen, "processing" }))
	if p := mustPayment(t, s, id); p.Flags != topup.FlagOutcomeUnknown || p.Status != topup.StatusPending {
		t.Errorf("processing: got %s %v", p.Status, p.Flags.Names())
	}
	mustRecord(t, s, paid(id, "1", func(e *topup.Event) { e.Outcome, e.Status = topup.OutcomeDeclined, "decline" }))
	if p := mustPayment(t, s, id); p.Flags != 0 || p.Status != topup.StatusDeclined {
		t.Errorf("decline: got %s %v", p.Status, p.Flags.Names())
	}
	checked(t, s)
}
