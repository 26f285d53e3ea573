package store_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"tolem/store"
	"tolem/topup"
)

func TestATimelineShowsIssueDeliveriesAndTransactionsInOrder(t *testing.T) {
	c := newClock()
	s := bookOf(t, func(o *store.Options) { o.Now = c.Now })
	id := mustIssue(t, s)
	later := func() { c.Add(time.Minute) }
	later()
	mustRecord(t, s, paid(id, "1", func(e *topup.Event) { e.Outcome = topup.OutcomeDeclined; e.Status = "decline"; e.Code = "20000" }))
	later()
	mustRecord(t, s, paid(id, "2"))
	later()
	mustRecord(t, s, paid(id, "2"))
	later()
	recall := must(t)(s.RecallPayment(context.Background(), id, anna))
	later()
	must(t)(s.Reverse(context.Background(), recall.ID, anna))

	timeline, err := s.Timeline(context.Background(), mustPayment(t, s, id))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for i, e := range timeline {
		line := string(e.What)
		if m := e.Message; m != nil {
			line = fmt.Sprintf("%s %s %s %s", m.Disposition, m.Status, m.Operation, m.Code)
		}
		if e.Transaction != nil {
			line = fmt.Sprintf("%s by %q of %q", e.Transaction.Kind, e.Transaction.Actor, e.Transaction.Operation)
		}
		got = append(got, line)
		if i > 0 && e.At.Before(timeline[i-1].At) {
			t.Errorf("%s stands after what came later", line)
		}
	}
	want := []string{"issued", "noted decline 1 20000", "credited success 2 0", `credit by "" of "2"`, "repeat success 2 0", `recall by "anna" of ""`, `reversal by "anna" of ""`}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}

	opened, _ := suspendedItem(t, s, paid("their-id", "9"))
	timeline, err = s.Timeline(context.Background(), mustPayment(t, s, opened))
	if err != nil || len(timeline) != 3 || timeline[0].What != store.TimelineOpened || timeline[1].Message == nil || timeline[2].Transaction == nil {
		t.Errorf("money under an unknown id: got %+v, %v", timeline, err)
	}

	late := mustIssue(t, s)
	c.Add(300 * time.Hour)
	if _, err := s.ExpirePending(context.Background()); err != nil {
		t.Fatal(err)
	}
	timeline, err = s.Timeline(context.Background(), mustPayment(t, s, late))
	if err != nil || len(timeline) != 2 || timeline[1].What != store.TimelineExpired || timeline[1].At.Sub(timeline[0].At) != 288*time.Hour {
		t.Errorf("an expired payment: got %+v, %v", timeline, err)
	}
}
