package store_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"tolem/store"
	"tolem/testkit"
	"tolem/topup"
)

func kindOf(err error) topup.Kind {
	var refusal *topup.Error
	if errors.As(err, &refusal) {
		return refusal.Kind
	}
	return ""
}

// mustOpenCounted opens a store; committed tells how many writes shared each
// commit since it was last asked.
func mustOpenCounted(t *testing.T) (s *store.Store, committed func() []int) {
	t.Helper()
	var mu sync.Mutex
	var batches []int
	s = mustOpen(t, func(o *store.Options) {
		o.OnCommit = func(batch int, _ time.Duration) {
			mu.Lock()
			defer mu.Unlock()
			batches = append(batches, batch)
		}
	})
	return s, func() []int {
		mu.Lock()
		defer mu.Unlock()
		taken := batches
		batches = nil
		return taken
	}
}

func TestWritesThatWaitShareOneCommit(t *testing.T) {
	s, committed := mustOpenCounted(t)
	committed()

	release := s.HoldWriter()
	defer release()
	var wg sync.WaitGroup
	for range 65 {
		wg.Go(func() { mustIssue(t, s) })
	}
	testkit.Eventually(t, "65 writes in the queue", func() bool { return s.QueueDepth() == 65 })
	release()
	wg.Wait()
	batches := committed()
	commits, shared := 1, 0 // on PostgreSQL, two connections share the queue
	if onPostgres {
		commits = 2
	}
	for _, batch := range batches {
		shared += batch
	}
	if len(batches) > commits || shared != 65 {
		t.Errorf("65 writes that waited took the commits %v, want %d", batches, commits)
	}
}

func TestOneBadWriteDoesNotFailItsNeighbours(t *testing.T) {
	s := mustOpen(t)
	ctx := context.Background()
	boom := errors.New("boom")
	bad := map[string]func() error{
		"an error after writing": func() error {
			return s.RawShared(ctx, func(exec func(string, ...any) error) error {
				if err := exec(`INSERT INTO meta (key, value) VALUES ('half', 'done')`); err != nil {
					return err
				}
				return boom
			})
		},
		"an error of the database": func() error {
			return s.RawShared(ctx, func(exec func(string, ...any) error) error { return exec(`INSERT INTO nowhere VALUES (1)`) })
		},
		"a panic": func() error {
			return s.RawShared(ctx, func(func(string, ...any) error) error { panic("boom") })
		},
		"a refusal": func() error {
			return s.RawShared(ctx, func(func(string, ...any) error) error { return topup.Conflict("no") })
		},
		"a refusal after writing": func() error {
			return s.RawShared(ctx, func(exec func(string, ...any) error) error {
				if err := exec(`INSERT INTO meta (key, value) VALUES ('half', 'done')`); err != nil {
					return err
				}
				return topup.Conflict("no")
			})
		},
	}
	for name, write := range bad {
		t.Run(name, func(t *testing.T) {
			release := s.HoldWriter()
			defer release()
			defer release()
			ids := make([]string, 8)
			var badErr error
			var wg sync.WaitGroup
			for i := range ids {
				wg.Go(func() { ids[i] = mustIssue(t, s) })
			}
			waitForQueue(t, s, 8)
			wg.Go(func() { badErr = write() }) // behind what has written
			waitForQueue(t, s, 9)
			release()
			wg.Wait()
			if badErr == nil {
				t.Error("the bad write reported success")
			}
			if want := strings.HasPrefix(name, "a refusal"); (kindOf(badErr) == topup.KindConflict) != want {
				t.Errorf("got %v", badErr)
			}
			for _, id := range ids {
				mustPayment(t, s, id)
			}
			if n := queryInt(t, rawOpen(t, s), `SELECT count(*) FROM meta WHERE key = 'half'`); n != 0 {
				t.Error("half of the bad write is on disk")
			}
		})
	}
}

func TestAFullQueueRefusesAtOnceAndLosesNothing(t *testing.T) {
	s := mustOpen(t, func(o *store.Options) { o.Queue = 4 })
	release := s.HoldWriter()
	defer release()
	var wg sync.WaitGroup
	var mu sync.Mutex
	accepted, refused := 0, 0
	for range 40 {
		wg.Go(func() {
			_, err := s.Issue(context.Background(), store.NewPayment{
				Provider: "jetpay", Project: "1", CustomerID: "c", ContractID: "e", ContractNumber: "n", Money: hundred,
			})
			mu.Lock()
			defer mu.Unlock()
			switch kindOf(err) {
			case topup.KindUnavailable:
				refused++
			case "":
				accepted++
			}
		})
	}
	testkit.Eventually(t, "refusals", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return refused > 0
	})
	release()
	wg.Wait()
	if accepted+refused != 40 || accepted == 0 {
		t.Errorf("accepted %d, refused %d, want 40 in all", accepted, refused)
	}
	if got := queryInt(t, rawOpen(t, s), `SELECT count(*) FROM payments`); got != int64(accepted) {
		t.Errorf("%d payments are on disk, %d were acknowledged", got, accepted)
	}
}

func TestAcknowledgedWritesAreReadByAnotherConnection(t *testing.T) {
	s := mustOpen(t)
	raw := rawOpen(t, s)
	for i := range 50 {
		id := mustIssue(t, s)
		mustRecord(t, s, paid(id, fmt.Sprint(i)))
		// A read of pragmas between writes is what once left a statement open.
		if err := s.AssertDurable(context.Background()); err != nil {
			t.Fatal(err)
		}
		if got := queryInt(t, raw, `SELECT count(*) FROM transactions`); got != int64(i+1) {
			t.Fatalf("after %d credits another connection reads %d", i+1, got)
		}
	}
}

func TestAClosedStoreRefusesAndKeepsWhatItAcknowledged(t *testing.T) {
	o := newDatabase(t)
	s, err := store.Open(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	id := mustIssue(t, s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	_, err = s.Issue(context.Background(), store.NewPayment{Money: hundred})
	if kindOf(err) != topup.KindUnavailable {
		t.Errorf("a write after Close: got %v, want unavailable", err)
	}
	again, err := store.Open(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	mustPayment(t, again, id)
}

func TestACallerThatGivesUpIsToldSo(t *testing.T) {
	s := mustOpen(t)
	release := s.HoldWriter()
	defer release()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err := s.Issue(ctx, store.NewPayment{
		Provider: "jetpay", Project: "1", CustomerID: "c", ContractID: "e", ContractNumber: "n", Money: hundred,
	})
	release()
	if kindOf(err) != topup.KindUnavailable || !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want unavailable because canceled", err)
	}
}

func TestTwoProcessesShareOneDatabase(t *testing.T) {
	a := mustOpen(t)
	b := mustOpen(t, same(a))
	var wg sync.WaitGroup
	for i := range 20 {
		for n, s := range []*store.Store{a, b} {
			wg.Go(func() {
				id := mustIssue(t, s)
				other := []*store.Store{b, a}[n]
				if got := mustRecord(t, other, paid(id, fmt.Sprint(n, "-", i))); got.Disposition != topup.DispositionCredited {
					t.Errorf("got %s", got.Disposition)
				}
			})
		}
	}
	wg.Wait()
	raw := rawOpen(t, a)
	if got := queryInt(t, raw, `SELECT sum(credits) FROM ledger_balances WHERE name LIKE 'customers:%'`); got != 40*hundred.Amount {
		t.Errorf("credited %d, want %d", got, 40*hundred.Amount)
	}
	if got := queryInt(t, raw, `SELECT max(seq) - count(*) FROM transactions`); got != 0 && !onPostgres {
		t.Errorf("the feed has %d gaps", got)
	}
}

func TestABatchTakesWhatComesMeanwhileUpToHalfOfTheCallers(t *testing.T) {
	if onPostgres {
		t.Skip("its lanes do not wait for one disk")
	}
	s, committed := mustOpenCounted(t)
	issueAtOnce(t, s, 20) // from which the writer learns how many callers there are
	committed()

	issueDuringAWrite(t, s, 19)
	if batches := committed(); len(batches) != 2 || batches[0] != 10 || batches[1] != 10 {
		t.Errorf("20 callers, one of them first, took commits of %v writes, want 10 and 10", batches)
	}
}

func TestCallersThatHaveLeftAreForgotten(t *testing.T) {
	if onPostgres {
		t.Skip("its lanes do not wait for one disk")
	}
	s, committed := mustOpenCounted(t)
	issueAtOnce(t, s, 200)
	for range 64 { // an overload is over, and one caller is left
		mustIssue(t, s)
	}
	committed()

	issueDuringAWrite(t, s, 5)
	if batches := committed(); len(batches) != 2 || batches[0] != 1 || batches[1] != 5 {
		t.Errorf("five callers came during a lone one's write, and the commits were of %v writes, want 1 and 5", batches)
	}
}

// issueAtOnce issues payments for so many callers that wait at the same time.
func issueAtOnce(t *testing.T, s *store.Store, callers int) {
	t.Helper()
	var wg sync.WaitGroup
	release := s.HoldWriter()
	defer release()
	for range callers {
		wg.Go(func() { mustIssue(t, s) })
	}
	waitForQueue(t, s, callers)
	release()
	wg.Wait()
}

// issueDuringAWrite issues payments for callers that come while a write runs.
func issueDuringAWrite(t *testing.T, s *store.Store, callers int) {
	t.Helper()
	var wg sync.WaitGroup
	running, goOn := make(chan struct{}), make(chan struct{})
	wg.Go(func() {
		if err := s.Raw(context.Background(), func(func(string, ...any) error) error {
			close(running)
			<-goOn
			return nil
		}); err != nil {
			t.Error(err)
		}
	})
	<-running
	for range callers {
		wg.Go(func() { mustIssue(t, s) })
	}
	waitForQueue(t, s, callers)
	close(goOn)
	wg.Wait()
}

func waitForQueue(t *testing.T, s *store.Store, depth int) {
	t.Helper()
	testkit.Eventually(t, fmt.Sprint(depth, " writes in the queue"), func() bool { return s.QueueDepth() == depth })
}
