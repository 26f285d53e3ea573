package store_test

import (
	"context"
	"testing"
	"time"

	"tolem/store"
	"tolem/topup"
)

func TestTheLastAnswerAboutAPaymentIsKeptInItsTimelineAndMovesNoMoney(t *testing.T) {
	c := newClock()
	s := bookOf(t, func(o *store.Options) { o.Now = c.Now })
	ctx := context.Background()
	id := mustIssue(t, s)
	note := func(a store.StatusAnswer, isPaid, want bool) store.StatusAnswer {
		t.Helper()
		c.Add(time.Hour)
		a.At = c.Now()
		if flagged, err := s.NoteStatusAnswer(ctx, id, a, isPaid); err != nil || flagged != want {
			t.Errorf("flagged %v, %v; want %v", flagged, err, want)
		}
		return a
	}
	kept := func(want store.StatusAnswer) {
		t.Helper()
		if got, err := s.StatusAnswer(ctx, id); err != nil || got == nil || *got != want {
			t.Errorf("kept %+v, %v; want %+v", got, err, want)
		}
	}
	if got, err := s.StatusAnswer(ctx, id); got != nil || err != nil {
		t.Errorf("before the first answer: %+v, %v", got, err)
	}
	kept(note(store.StatusAnswer{HTTPStatus: 403, Code: "403", Message: "not on the list"}, false, false))
	kept(note(store.StatusAnswer{HTTPStatus: 404, Code: "3061"}, false, false))
	paidNow := note(store.StatusAnswer{HTTPStatus: 200, Status: "success", Operation: "28", Sum: topup.Money{Amount: 100, Currency: "KZT"}}, true, true)
	kept(paidNow)
	note(store.StatusAnswer{HTTPStatus: 500, Code: "1"}, false, false)
	kept(paidNow) // a refusal replaces no status
	note(paidNow, true, false)

	p := mustPayment(t, s, id)
	if p.Status != topup.StatusPending || p.Flags != topup.FlagOutcomeUnknown || p.Credit != nil || p.InSuspense != 0 {
		t.Errorf("got %+v", p)
	}
	timeline, err := s.Timeline(ctx, p)
	if err != nil || len(timeline) != 2 || timeline[1].What != store.TimelineAnswer || timeline[1].Answer.Differs(p.Money) != "amount" {
		t.Errorf("timeline: %+v, %v", timeline, err)
	}
	// The callback that comes after all is credited: the answer has no say.
	if got := mustRecord(t, s, paid(id, "28")); got.Disposition != topup.DispositionCredited {
		t.Errorf("got %+v", got)
	}
	if _, err := s.NoteStatusAnswer(ctx, id, paidNow, true); err != nil || mustPayment(t, s, id).Flags != 0 {
		t.Errorf("a credited payment: %v, flags %v", err, mustPayment(t, s, id).Flags.Names())
	}
	checked(t, s)
}
