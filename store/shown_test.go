package store_test

import (
	"context"
	"testing"
	"time"

	"tolem/topup"
)

// shown is what a payment shows of what its provider said.
type shown struct {
	status, code, message, receipt, operation string
	at                                        time.Time
}

func shownOf(p *topup.Payment) shown {
	return shown{p.ProviderStatus, p.ProviderCode, p.ProviderMessage, p.ProviderPaymentID, p.OperationID, p.ProviderTime}
}

// TestADeclineHidesNothingOfACreditThatWasReversed: the movement happened,
// whatever became of its credit, and an operator who looks must find it.
func TestADeclineHidesNothingOfACreditThatWasReversed(t *testing.T) {
	for name, outcome := range map[string]topup.Outcome{
		"a decline": topup.OutcomeDeclined, "processing": topup.OutcomeOpen, "a dispute": topup.OutcomeDisputed,
	} {
		t.Run(name, func(t *testing.T) {
			s := bookOf(t)
			id := mustIssue(t, s)
			credit := must(t)(s.CreditPayment(context.Background(), id, anna))
			movement := paid(id, "28")
			if got := mustRecord(t, s, movement); got.Disposition != topup.DispositionBound {
				t.Fatalf("the movement: got %+v", got)
			}
			must(t)(s.Reverse(context.Background(), credit.ID, anna))
			before := shownOf(mustPayment(t, s, id))
			if before.operation != "28" || before.status != "success" {
				t.Fatalf("before: shows %+v", before)
			}
			mustRecord(t, s, paid(id, "29", func(e *topup.Event) {
				e.Outcome, e.Status, e.Code, e.Message = outcome, "another", "20000", "General decline"
				e.EffectiveAt = movement.EffectiveAt.Add(time.Hour)
			}))
			if got := shownOf(mustPayment(t, s, id)); got != before {
				t.Errorf("shows %+v, want %+v as before", got, before)
			}
			checked(t, s)
		})
	}
}

// TestAnOperationThatHasPostedIsNotShownOfAnotherPayment: it had its effect on
// another payment, so the one that it names now has received nothing.
func TestAnOperationThatHasPostedIsNotShownOfAnotherPayment(t *testing.T) {
	s := bookOf(t)
	credited, named := mustIssue(t, s), mustIssue(t, s)
	mustRecord(t, s, paid(credited, "28"))
	mustRecord(t, s, paid(named, "5", func(e *topup.Event) { e.Outcome, e.Status = topup.OutcomeOpen, "processing" }))
	of, before := shownOf(mustPayment(t, s, credited)), shownOf(mustPayment(t, s, named))
	got := mustRecord(t, s, paid(named, "28", func(e *topup.Event) { e.EffectiveAt = e.EffectiveAt.Add(time.Hour) }))
	if got.Disposition != topup.DispositionPosted || !got.Flags.Has(topup.FlagConflict) {
		t.Errorf("got %+v", got)
	}
	if got := shownOf(mustPayment(t, s, named)); got != before {
		t.Errorf("the payment that it names now shows %+v, want %+v as before", got, before)
	}
	if got := shownOf(mustPayment(t, s, credited)); got != of {
		t.Errorf("the payment that it credited shows %+v, want %+v as before", got, of)
	}
	checked(t, s)
}
