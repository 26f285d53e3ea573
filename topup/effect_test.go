package topup_test

import (
	"errors"
	"testing"
	"time"

	"tolem/topup"
)

// TestEffect shows what decisions do to a payment beside its money.
func TestEffect(t *testing.T) {
	t.Run("ShowsWhatTheProviderSaidLast", func(t *testing.T) {
		credit := &topup.Credit{TransactionID: "t1", Operation: "28"}
		for _, c := range []struct {
			what        string
			credit      *topup.Credit
			disposition topup.Disposition
			outcome     topup.Outcome
			day         int // of the event; the payment shows one of day 5
			want        string
		}{
			{"a newer message", nil, topup.DispositionNoted, topup.OutcomeOpen, 6, "new new 29"},
			{"an older message", nil, topup.DispositionNoted, topup.OutcomeOpen, 4, "old old 28"},
			{"a repeat", nil, topup.DispositionRepeat, topup.OutcomeOpen, 6, "old old 28"},
			{"an operation that had posted", nil, topup.DispositionPosted, topup.OutcomePaid, 6, "old old 28"},
			{"an older movement that is bound to the credit", credit, topup.DispositionBound, topup.OutcomePaid, 4, "new new 29"},
			{"a second operation", credit, topup.DispositionSuspended, topup.OutcomePaid, 6, "old old 28"},
			{"a decline of what is credited", credit, topup.DispositionNoted, topup.OutcomeDeclined, 6, "old old 28"},
			{"a refund of what is credited", credit, topup.DispositionNoted, topup.OutcomeRefunded, 6, "new old 28"},
			{"a refund that an operator has booked already", credit, topup.DispositionPosted, topup.OutcomeRefunded, 6, "new old 28"},
		} {
			t.Run(c.what, func(t *testing.T) {
				p := &topup.Payment{CustomerID: "7", ProviderTime: day(5), ProviderStatus: "old", ProviderPaymentID: "old", OperationID: "28"}
				if c.credit != nil {
					taken := *c.credit
					p.Credit = &taken
				}
				e := topup.Event{Outcome: c.outcome, EffectiveAt: day(c.day), Status: "new", ReceiptID: "new", Operation: "29"}
				topup.Decision{Disposition: c.disposition}.Apply(p, e, topup.Made{Seq: 2, ID: "t2"})
				if got := p.ProviderStatus + " " + p.ProviderPaymentID + " " + p.OperationID; got != c.want {
					t.Errorf("got %q, want %q", got, c.want)
				}
			})
		}
	})

	t.Run("ExpiresInTime", func(t *testing.T) {
		for _, status := range topup.Statuses {
			for at, over := range map[time.Time]bool{day(5).Add(-1): false, day(5): true} {
				p := topup.Payment{Status: status, ExpiresAt: day(5)}
				p.ExpireInTime(at)
				want := status
				if over && status == topup.StatusPending {
					want = topup.StatusExpired
				}
				if p.Status != want {
					t.Errorf("%s: got %s, want %s", status, p.Status, want)
				}
			}
		}
		never := topup.Payment{Status: topup.StatusPending}
		called := topup.Payment{Status: topup.StatusPending, ExpiresAt: day(5), Flags: topup.FlagOutcomeUnknown}
		if called.ExpireInTime(day(5)); called.Status != topup.StatusReview {
			t.Errorf("a payment that the provider calls paid is %s, want review", called.Status)
		}
		if never.ExpireInTime(day(5)); never.Status != topup.StatusPending {
			t.Error("a payment without an end has expired")
		}
	})

	t.Run("ClearsAFlagWhenNothingOpenSaysIt", func(t *testing.T) {
		both := topup.FlagRefund | topup.FlagReversal | topup.FlagLate
		for _, c := range []struct {
			open []topup.Told
			want topup.Flags
		}{
			{nil, topup.FlagLate},
			{[]topup.Told{topup.ToldUnreadable}, topup.FlagLate},
			{[]topup.Told{topup.ToldRefund}, topup.FlagLate | topup.FlagRefund},
			{[]topup.Told{topup.ToldRefund, topup.ToldReversal}, both},
		} {
			if got := both.ClearTold(c.open); got != c.want {
				t.Errorf("%v: got %v, want %v", c.open, got.Names(), c.want.Names())
			}
		}
	})

	t.Run("IsDatedInAnOpenPeriod", func(t *testing.T) {
		for _, c := range []struct{ said, closed, want time.Time }{
			{day(5), time.Time{}, day(5)},
			{time.Time{}, time.Time{}, day(9)}, // now
			{day(5), day(7), day(7)},
			{day(7), day(7), day(7)},
		} {
			if got := topup.DateOfEvent(topup.Event{EffectiveAt: c.said}, day(9), c.closed); !got.Equal(c.want) {
				t.Errorf("said %s, closed to %s: got %s, want %s", c.said, c.closed, got, c.want)
			}
		}
		for _, c := range []struct {
			what string
			date topup.StepDate
			want time.Time
			kind topup.Kind
		}{
			{"today", topup.StepDate{Now: day(9)}, day(9), ""},
			{"a day of the past", topup.StepDate{Now: day(9), DayStart: day(5), DayEnd: day(6)}, day(5), ""},
			{"the day of what it undoes", topup.StepDate{Now: day(9), DayStart: day(5), DayEnd: day(6), Earliest: day(5).Add(1)}, day(5).Add(1), ""},
			{"before what it undoes", topup.StepDate{Now: day(9), DayStart: day(5), DayEnd: day(6), Earliest: day(6)}, time.Time{}, topup.KindInvalid},
			{"the future", topup.StepDate{Now: day(9), DayStart: day(10), DayEnd: day(11)}, time.Time{}, topup.KindInvalid},
			{"a closed period", topup.StepDate{Now: day(9), DayStart: day(5), DayEnd: day(6), ClosedUntil: day(7)}, time.Time{}, topup.KindConflict},
		} {
			at, err := c.date.At()
			if kindOf(err) != c.kind || (err == nil && !at.Equal(c.want)) {
				t.Errorf("%s: got %s %v, want %s %s", c.what, at, err, c.want, c.kind)
			}
		}
	})
}

func kindOf(err error) topup.Kind {
	if refusal := (*topup.Error)(nil); errors.As(err, &refusal) {
		return refusal.Kind
	}
	return ""
}
