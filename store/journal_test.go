package store_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"tolem/store"
	"tolem/topup"
)

// days makes three credits: effective on the days 1, 2, 3 and recorded on the
// days 3, 4, 5 of a month.
func days(t *testing.T) (s *store.Store, day func(int) time.Time) {
	c := newClock()
	day = func(n int) time.Time { return time.Date(2026, 12, n, 0, 0, 0, 0, time.UTC) }
	s = bookOf(t, func(o *store.Options) { o.Now = c.Now })
	id := mustIssue(t, s)
	for n := range 3 {
		c.Add(day(n + 3).Sub(c.Now()))
		mustRecord(t, s, paid(id, fmt.Sprint(n), func(e *topup.Event) { e.EffectiveAt = day(n + 1) }))
	}
	return s, day
}

func TestTheJournalIsCutByEitherTime(t *testing.T) {
	s, day := days(t)
	rank := map[string]int64{}
	for _, tr := range feed(t, s) {
		rank[tr.ID] = int64(len(rank) + 1)
	}
	for name, tt := range map[string]struct {
		period store.Period
		want   []int64
	}{
		"all":                       {store.Period{}, []int64{1, 2, 3}},
		"effective, by default":     {store.Period{From: day(2)}, []int64{2, 3}},
		"effective, to exclusive":   {store.Period{From: day(1), To: day(2), By: store.ByEffective}, []int64{1}},
		"recorded":                  {store.Period{From: day(4), By: store.ByRecorded}, []int64{2, 3}},
		"recorded, to exclusive":    {store.Period{To: day(4), By: store.ByRecorded}, []int64{1}},
		"a period without postings": {store.Period{From: day(20)}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			var got []int64
			err := s.Journal(context.Background(), tt.period, func(tr topup.Transaction) error {
				got = append(got, rank[tr.ID])
				return nil
			})
			if err != nil || !slices.Equal(got, tt.want) {
				t.Errorf("got %v, %v; want %v", got, err, tt.want)
			}
			balances, err := s.BalancesBetween(context.Background(), tt.period)
			if err != nil {
				t.Fatal(err)
			}
			var debits, credits int64
			for _, b := range balances {
				debits, credits = debits+b.Debits, credits+b.Credits
			}
			if want := int64(len(tt.want)) * 10000; debits != want || credits != want {
				t.Errorf("balances: got %d debits and %d credits, want %d", debits, credits, want)
			}
		})
	}
	err := s.Journal(context.Background(), store.Period{By: "moon"}, nil)
	if kindOf(err) != topup.KindInvalid {
		t.Errorf("another axis: got %v", err)
	}
	if _, err := s.BalancesBetween(context.Background(), store.Period{By: "moon"}); kindOf(err) != topup.KindInvalid {
		t.Errorf("another axis: got %v", err)
	}
	for _, name := range []string{"effective", "recorded"} {
		if axis, err := store.ParseTimeAxis(name); err != nil || string(axis) != name {
			t.Errorf("%s: got %s, %v", name, axis, err)
		}
	}
}

func TestTheJournalGoesOnOverManyPagesAndStopsWhenTold(t *testing.T) {
	s := mustOpen(t)
	const n = 1203
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for i := w; i < n; i += 4 {
				mustRecord(t, s, paid("theirs", fmt.Sprint(i)))
			}
		})
	}
	wg.Wait()
	var got []topup.Transaction
	err := s.Journal(context.Background(), store.Period{}, func(tr topup.Transaction) error {
		got = append(got, tr)
		// What is written meanwhile belongs to the next export.
		if len(got) <= 3 {
			mustRecord(t, s, paid("theirs", fmt.Sprint("later-", len(got))))
		}
		return nil
	})
	if ranked(t, got); err != nil || len(got) != n {
		t.Errorf("got %d transactions, %v; want %d", len(got), err, n)
	}
	stop := errors.New("enough")
	calls := 0
	err = s.Journal(context.Background(), store.Period{}, func(topup.Transaction) error { calls++; return stop })
	if !errors.Is(err, stop) || calls != 1 {
		t.Errorf("got %v after %d calls", err, calls)
	}
}
