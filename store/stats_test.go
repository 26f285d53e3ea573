package store_test

import (
	"context"
	"testing"
	"time"

	"tolem/store"
)

func TestFiguresCountWhatIsOpen(t *testing.T) {
	c := newClock()
	s := bookOf(t, func(o *store.Options) { o.Now = c.Now })
	if oldest, n, err := s.PendingStats(context.Background()); err != nil || n != 0 || !oldest.IsZero() {
		t.Errorf("of nothing: got %v, %d, %v", oldest, n, err)
	}
	first := c.Now()
	mustIssue(t, s)
	c.Add(time.Hour)
	mustIssue(t, s)
	suspendedItem(t, s, paid(mustIssue(t, s), "1", sum(5)))
	mustRecord(t, s, paid(mustIssue(t, s), "2"))
	oldest, n, err := s.PendingStats(context.Background())
	if err != nil || n != 2 || !oldest.Equal(first) {
		t.Errorf("got %v, %d, %v; want %v, 2", oldest, n, err, first)
	}
	stats, err := s.Stats(context.Background())
	last := feed(t, s)
	stats.WALBytes = 0
	if want := (store.Stats{Pending: 2, OldestPending: first, Review: 1, OpenSuspense: 1, LastSeq: last[1].Seq}); err != nil || stats != want {
		t.Errorf("got %+v, %v; want %+v", stats, err, want)
	}
}
