package store_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"tolem/pgtest"
	"tolem/store"
	"tolem/topup"
)

func TestTheFeedShowsEachTransactionWhole(t *testing.T) {
	c := newClock()
	s := bookOf(t, func(o *store.Options) { o.Now = c.Now })
	id := mustIssue(t, s)
	mustRecord(t, s, paid(id, "28"))
	unknown, item := suspendedItem(t, s, paid("their-id", "29"))
	c.Add(time.Hour)
	returned := must(t)(s.ReturnSuspense(context.Background(), item, anna))
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
	waitFor(t, "the second transaction, beside one in another database", func() bool { return len(feed(t, s)) == 2 })
	here := begin(s.PostgresURL(), `INSERT INTO writers (id, batch, seen_at) VALUES ('slow', 0, 0)`)
	mustRecord(t, s, paid("theirs", "3"))
	shown("beside one that runs here", 2)
	if err := here.Commit(); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the third transaction", func() bool { return len(feed(t, s)) == 3 })
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

func TestBalancesAreFoundByTheExactPrefix(t *testing.T) {
	s := bookOf(t)
	for i, customer := range []string{"7_", "7%", "71", "7é", "7"} {
		id := mustIssue(t, s, func(n *store.NewPayment) { n.CustomerID = customer; n.ContractID = "e" })
		mustRecord(t, s, paid(id, fmt.Sprint(i)))
	}
	names := func(f store.BalanceFilter) (list []string) {
		for {
			page, err := s.Balances(context.Background(), f)
			if err != nil {
				t.Fatal(err)
			}
			for _, b := range page.Accounts {
				list = append(list, b.Account)
			}
			if total := page.Total["KZT"]; total != 0 || len(page.Total) != 1 {
				t.Errorf("the whole book: got %v, want 0 KZT", page.Total)
			}
			if page.Next == "" {
				return list
			}
			f.Cursor = page.Next
		}
	}
	all := []string{"customers:71:e", "customers:7:e", "customers:7%:e", "customers:7_:e", "customers:7é:e", settlement}
	slices.Sort(all)
	for prefix, want := range map[string][]string{
		"":             all,
		"customers:":   all[:5],
		"customers:7":  all[:5],
		"customers:7_": {"customers:7_:e"},
		"customers:7%": {"customers:7%:e"},
		"customers:7:": {"customers:7:e"},
		"customers:7é": {"customers:7é:e"},
		"Customers:":   nil,
		"settlement:":  {settlement},
	} {
		for _, limit := range []int{0, 1, 2} {
			if got := names(store.BalanceFilter{Prefix: prefix, Limit: limit}); !slices.Equal(got, want) {
				t.Errorf("prefix %q, limit %d: got %v, want %v", prefix, limit, got, want)
			}
		}
	}
	for prefix, want := range map[string]string{
		"": "", "a": "b", "aя": "aѐ", "a\U0010ffff\U0010ffff": "b", "\U0010ffff": "", "a\ud7ff": "a\ue000",
	} {
		if got := store.PrefixEnd(prefix); got != want {
			t.Errorf("the end of %q: got %q, want %q", prefix, got, want)
		}
	}
	for _, f := range []store.BalanceFilter{{Limit: 1001}, {Cursor: "x"}, {Cursor: "!"}, {Prefix: "customers:7\xff"}} {
		if _, err := s.Balances(context.Background(), f); kindOf(err) != topup.KindInvalid {
			t.Errorf("%+v: got %v", f, err)
		}
	}
}

func TestRunningTotalsAreNeverNegative(t *testing.T) {
	s := bookOf(t)
	id := mustIssue(t, s)
	must(t)(s.Reverse(context.Background(), must(t)(s.CreditPayment(context.Background(), id, anna)).ID, anna))
	page, err := s.Balances(context.Background(), store.BalanceFilter{})
	if err != nil {
		t.Fatal(err)
	}
	want := []store.Balance{{own, "KZT", 10000, 10000}, {settlement, "KZT", 10000, 10000}}
	if !slices.Equal(page.Accounts, want) {
		t.Errorf("got %v, want %v", page.Accounts, want)
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
		waitFor(t, "the transaction", func() bool { return len(feed(t, s)) == n })
		for until := rounds.Load() + 20; rounds.Load() < until; {
			exported := 0
			if err := s.Journal(context.Background(), store.Period{}, func(topup.Transaction) error { exported++; return nil }); err != nil || exported != n {
				t.Fatalf("an export got %d transactions of %d, %v", exported, n, err)
			}
		}
	}
}
