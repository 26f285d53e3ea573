package store_test

import (
	"context"
	"database/sql"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"tolem/pgtest"
	"tolem/store"
	"tolem/testkit"
	"tolem/topup"
)

func TestTheFeedShowsEachTransactionWhole(t *testing.T) {
	c := newClock()
	s := bookOf(t, func(o *store.Options) { o.Now = c.Now })
	id := mustIssue(t, s)
	mustRecord(t, s, paid(id, "28"))
	unknown, item := suspendedItem(t, s, paid("their-id", "29"))
	c.Add(time.Hour)
	returned := must(t)(s.ReturnSuspense(context.Background(), item, topup.PayBack{}, anna))
	mirror := must(t)(s.Reverse(context.Background(), returned.ID, anna))

	got, err := s.Transactions(context.Background(), 0, 0)
	if err != nil || len(got) != 4 {
		t.Fatalf("got %d transactions, %v; want 4", len(got), err)
	}
	got = ranked(t, got)
	provider, recorded := time.Date(2026, 11, 20, 8, 0, 0, 0, time.UTC), c.Now().Add(-time.Hour)
	want := []topup.Transaction{
		{Seq: 1, ID: got[0].ID, Kind: topup.KindCredit, PaymentID: id, Operation: "28", EffectiveAt: provider, RecordedAt: recorded,
			Postings: topup.Transfer(settlement, own, hundred)},
		{Seq: 2, ID: item, Kind: topup.KindSuspense, PaymentID: unknown, Operation: "29", EffectiveAt: provider, RecordedAt: recorded,
			Postings: topup.Transfer(settlement, suspense, hundred)},
		{Seq: 3, ID: returned.ID, Kind: topup.KindReturn, PaymentID: unknown, Resolves: item, Actor: "anna", Reason: "ticket 7",
			EffectiveAt: c.Now(), RecordedAt: c.Now(), Postings: topup.Transfer(suspense, settlement, hundred)},
		{Seq: 4, ID: mirror.ID, Kind: topup.KindReversal, PaymentID: unknown, Reverses: returned.ID, Actor: "anna", Reason: "ticket 7",
			EffectiveAt: c.Now(), RecordedAt: c.Now(), Postings: topup.Mirror(topup.Transfer(suspense, settlement, hundred))},
	}
	for i := range want {
		if fmt.Sprintf("%+v", got[i]) != fmt.Sprintf("%+v", want[i]) {
			t.Errorf("got  %+v\nwant %+v", got[i], want[i])
		}
	}
	of, err := s.PaymentTransactions(context.Background(), unknown)
	if err != nil || len(of) != 3 || of[0].ID != item || len(of[2].Postings) != 2 {
		t.Errorf("of one payment: got %+v, %v", of, err)
	}
}

func TestAReaderThatFollowsTheFeedMissesNothing(t *testing.T) {
	s := mustOpen(t)
	const writers, each = 8, 40
	done := make(chan struct{})
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				mustRecord(t, s, paid(fmt.Sprintf("theirs-%d", w), fmt.Sprintf("%d-%d", w, i)))
			}
		})
	}
	go func() { wg.Wait(); close(done) }()
	var seen []topup.Transaction
	follow := func() {
		after := int64(0)
		if len(seen) > 0 {
			after = seen[len(seen)-1].Seq
		}
		page, err := s.Transactions(context.Background(), after, 10)
		if err != nil {
			t.Fatal(err)
		}
		for _, tr := range page {
			seen = append(seen, tr)
			if len(tr.Postings) != 2 {
				t.Fatalf("seq %d came with %d postings", tr.Seq, len(tr.Postings))
			}
		}
	}
	for running := true; running; {
		select {
		case <-done:
			running = false
		default:
		}
		follow()
	}
	for len(seen) < writers*each {
		before := len(seen)
		if follow(); len(seen) == before {
			break
		}
	}
	ranked(t, seen)
	if len(seen) != writers*each {
		t.Errorf("got %d transactions, want %d", len(seen), writers*each)
	}
}

func TestTheFeedEndsBeforeAPlaceThatARunningTransactionCanStillFill(t *testing.T) {
	onlyPostgres(t)
	s := mustOpen(t)
	mustRecord(t, s, paid("theirs", "1"))
	begin := func(url, query string) *sql.Tx {
		t.Helper()
		tx, err := rawOpenAt(t, "pgx", url).Begin()
		if err == nil {
			_, err = tx.Exec(query)
		}
		if err != nil {
			t.Fatal(err)
		}
		return tx
	}
	shown := func(when string, want int) {
		t.Helper()
		if got := len(feed(t, s)); got != want {
			t.Errorf("%s: got %d transactions, want %d", when, got, want)
		}
		exported := 0
		err := s.Journal(context.Background(), store.Period{}, func(topup.Transaction) error { exported++; return nil })
		if err != nil || exported != want {
			t.Errorf("an export %s: got %d transactions, %v; want %d", when, exported, err, want)
		}
	}
	elsewhere := begin(pgtest.Database(t), `CREATE TABLE somebody_elses (id BIGINT)`)
	defer elsewhere.Rollback()
	mustRecord(t, s, paid("theirs", "2"))
	testkit.Eventually(t, "the second transaction, beside one in another database", func() bool { return len(feed(t, s)) == 2 })
	here := begin(s.PostgresURL(), `INSERT INTO writers (id, batch, seen_at) VALUES ('slow', 0, 0)`)
	mustRecord(t, s, paid("theirs", "3"))
	shown("beside one that runs here", 2)
	if err := here.Commit(); err != nil {
		t.Fatal(err)
	}
	testkit.Eventually(t, "the third transaction", func() bool { return len(feed(t, s)) == 3 })
	shown("after it", 3)
}

func TestAFeedLimitOutOfBoundsIsRefused(t *testing.T) {
	s := mustOpen(t)
	for _, limit := range []int{-1, 1001} {
		if _, err := s.Transactions(context.Background(), 0, limit); kindOf(err) != topup.KindInvalid {
			t.Errorf("limit %d: got %v", limit, err)
		}
	}
	if _, err := s.Transactions(context.Background(), -1, 1); kindOf(err) != topup.KindInvalid {
		t.Errorf("after -1: got %v", err)
	}
}

// TestTheFeedDoesNotShrinkWhenATransactionElsewhereEnds: one on another database
// does not hold the feed up, and not in the moment either in which it ends.
func TestTheFeedDoesNotShrinkWhenATransactionElsewhereEnds(t *testing.T) {
	onlyPostgres(t)
	s := mustOpen(t)
	elsewhere := pgtest.Database(t)
	if _, err := rawOpenAt(t, "pgx", elsewhere).Exec(`CREATE TABLE somebody_elses (id BIGINT)`); err != nil {
		t.Fatal(err)
	}
	var done atomic.Bool
	var all sync.WaitGroup
	var rounds atomic.Int64
	for range 2 {
		db := rawOpenAt(t, "pgx", elsewhere)
		all.Go(func() {
			for !done.Load() {
				if _, err := db.Exec(`INSERT INTO somebody_elses (id) VALUES (1)`); err != nil {
					t.Error(err)
					return
				}
				rounds.Add(1)
			}
		})
	}
	defer all.Wait()
	defer done.Store(true)
	for n := 1; n <= 20; n++ {
		mustRecord(t, s, paid("theirs", fmt.Sprint(n)))
		testkit.Eventually(t, "the transaction", func() bool { return len(feed(t, s)) == n })
		for until := rounds.Load() + 20; rounds.Load() < until; {
			exported := 0
			if err := s.Journal(context.Background(), store.Period{}, func(topup.Transaction) error { exported++; return nil }); err != nil || exported != n {
				t.Fatalf("an export got %d transactions of %d, %v", exported, n, err)
			}
		}
	}
}
