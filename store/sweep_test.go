package store_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
	"testing"
	"time"

	"tolem/store"
	"tolem/topup"
)

func TestPendingPaymentsExpireAfterTheirTimeAndNoOthers(t *testing.T) {
	c := newClock()
	s := bookOf(t, func(o *store.Options) { o.Now = c.Now })
	old := mustIssue(t, s)
	credited := mustIssue(t, s)
	mustRecord(t, s, paid(credited, "1"))
	declined := mustIssue(t, s)
	mustRecord(t, s, paid(declined, "2", func(e *topup.Event) { e.Outcome = topup.OutcomeDeclined }))
	review := mustIssue(t, s)
	suspendedItem(t, s, paid(review, "3", sum(5)))
	never := mustIssue(t, s, func(n *store.NewPayment) { n.ExpiresAfter = 0 })
	other := mustIssue(t, s, func(n *store.NewPayment) { n.Provider = "highhelp" })
	c.Add(time.Microsecond)
	young := mustIssue(t, s)
	c.Add(288*time.Hour - 2*time.Microsecond)
	if n, err := s.ExpirePending(context.Background()); err != nil || n != 0 {
		t.Fatalf("before the time: got %d, %v", n, err)
	}
	c.Add(time.Microsecond)
	if n, err := s.ExpirePending(context.Background()); err != nil || n != 1 {
		t.Fatalf("at the time: got %d, %v; want 1", n, err)
	}
	for id, want := range map[string]topup.Status{
		old: topup.StatusExpired, credited: topup.StatusSucceeded, declined: topup.StatusDeclined, review: topup.StatusReview,
		never: topup.StatusPending, other: topup.StatusPending, young: topup.StatusPending,
	} {
		if got := mustPayment(t, s, id).Status; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	if got := mustRecord(t, s, paid(old, "4")); got.Disposition != topup.DispositionCredited || got.Flags != topup.FlagLate {
		t.Errorf("money that comes later: got %+v", got)
	}
	checked(t, s)
}

func TestAPaymentThatTheProviderCallsPaidGoesToReviewInsteadOfExpiring(t *testing.T) {
	c := newClock()
	s := mustOpen(t, func(o *store.Options) { o.Now = c.Now })
	id := mustIssue(t, s)
	if _, err := s.NoteStatusAnswer(context.Background(), id, store.StatusAnswer{At: c.Now(), HTTPStatus: 200, Status: "success", Sum: hundred}, true); err != nil {
		t.Fatal(err)
	}
	c.Add(288 * time.Hour)
	if n, err := s.ExpirePending(context.Background()); n != 1 || err != nil {
		t.Fatalf("got %d, %v", n, err)
	}
	if p := mustPayment(t, s, id); p.Status != topup.StatusReview || p.Flags != topup.FlagOutcomeUnknown {
		t.Errorf("got %s %v, want review", p.Status, p.Flags.Names())
	}
	if r := mustRecord(t, s, paid(id, "1")); r.Disposition != topup.DispositionCredited {
		t.Errorf("its movement: got %s", r.Disposition)
	}
	checked(t, s)
}

func TestAnyNumberOfPaymentsExpireInOneCall(t *testing.T) {
	c := newClock()
	s := mustOpen(t, func(o *store.Options) { o.Now = c.Now })
	const n = 2*store.ExpireBatch + 7
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range n / 8 {
				mustIssue(t, s)
			}
		})
	}
	wg.Wait()
	for range n % 8 {
		mustIssue(t, s)
	}
	c.Add(300 * time.Hour)
	if got, err := s.ExpirePending(context.Background()); err != nil || got != n {
		t.Errorf("got %d, %v; want %d", got, err, n)
	}
	if got, err := s.ExpirePending(context.Background()); err != nil || got != 0 {
		t.Errorf("again: got %d, %v", got, err)
	}
}

func TestRawBodiesArePrunedFromTheOldestEndAndMessagesStay(t *testing.T) {
	c := newClock()
	s := mustOpen(t, func(o *store.Options) { o.Now = c.Now })
	const old, young = 230, 3
	for i := range old {
		mustRecord(t, s, paid("theirs", fmt.Sprint(i)))
	}
	c.Add(time.Hour)
	for i := range young {
		mustRecord(t, s, paid("theirs", fmt.Sprint(old+i)))
	}
	c.Add(time.Hour)
	if got, err := s.PruneRaw(context.Background(), 2*time.Hour); err != nil || got != 0 {
		t.Errorf("before the time: got %d, %v", got, err)
	}
	c.Add(time.Microsecond)
	if got, err := s.PruneRaw(context.Background(), 2*time.Hour); err != nil || got != old {
		t.Errorf("got %d, %v; want %d", got, err, old)
	}
	raw := rawOpen(t, s)
	if got := queryInt(t, raw, `SELECT count(*) FROM message_bodies`); got != young {
		t.Errorf("got %d bodies, want %d", got, young)
	}
	if got := queryInt(t, raw, `SELECT count(*) FROM messages`); got != old+young {
		t.Errorf("got %d messages, want %d", got, old+young)
	}
	if got := mustRecord(t, s, paid("theirs", "0")); got.Disposition != topup.DispositionRepeat {
		t.Errorf("a repeat of a message whose body is gone: got %+v", got)
	}
	for _, retention := range []time.Duration{0, -time.Hour} {
		if _, err := s.PruneRaw(context.Background(), retention); kindOf(err) != topup.KindInvalid {
			t.Errorf("a retention of %v: got %v", retention, err)
		}
	}
	checked(t, s)
}

func TestReadyMeansThatAWriteIsCommitted(t *testing.T) {
	c := newClock()
	s := mustOpen(t, func(o *store.Options) { o.Now = c.Now })
	for range 3 {
		c.Add(time.Second)
		if err := s.Ready(context.Background()); err != nil {
			t.Fatal(err)
		}
		if onPostgres { // a row for all servers would hold all of them up
			if got := queryInt(t, rawOpen(t, s), `SELECT max(seen_at) FROM writers`); got != c.Now().UnixMicro() {
				t.Errorf("got %d, want %d", got, c.Now().UnixMicro())
			}
			continue
		}
		var at string
		err := rawOpen(t, s).QueryRow(`SELECT value FROM meta WHERE key = 'heartbeat'`).Scan(&at)
		if want := c.Now().Format(time.RFC3339Nano); err != nil || at != want {
			t.Errorf("got %q, %v; want %q", at, err, want)
		}
	}
	release := s.HoldWriter()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	wantNotReady(t, s.Ready(ctx), store.ReadyWrite)
	release()
	if err := s.Ready(context.Background()); err != nil {
		t.Errorf("after the writer came back: %v", err)
	}
}

func TestAStoreThatIsClosedIsNotReady(t *testing.T) {
	s, err := store.Open(context.Background(), store.Options{Path: t.TempDir() + "/tolem.db"})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	wantNotReady(t, s.Ready(context.Background()), store.ReadyWrite)
	if _, err := s.ExpirePending(context.Background()); err == nil {
		t.Error("a closed store expired payments")
	}
	if _, err := s.PruneRaw(context.Background(), time.Hour); kindOf(err) != topup.KindUnavailable {
		t.Errorf("a closed store pruned: %v", err)
	}
}

func TestAStoreWhoseWritesAreNotSyncedIsNotReady(t *testing.T) {
	s := mustOpen(t, newFile(t))
	if err := s.SetPragma(context.Background(), "synchronous = OFF"); err != nil {
		t.Fatal(err)
	}
	wantNotReady(t, s.Ready(context.Background()), store.ReadyDurable)
}

func wantNotReady(t *testing.T, err error, part store.ReadyPart) {
	t.Helper()
	var missing *store.NotReadyError
	if !errors.As(err, &missing) || missing.Part != part || errors.Unwrap(missing) == nil || !strings.Contains(err.Error(), string(part)) {
		t.Errorf("got %v, want %s to be missing", err, part)
	}
}

func TestADiskWithoutRoomIsReported(t *testing.T) {
	if err := store.CheckFree(t.TempDir(), 1); err != nil {
		t.Errorf("one byte: got %v", err)
	}
	if err := store.CheckFree(t.TempDir(), math.MaxUint64); err == nil || !strings.Contains(err.Error(), "MiB are free") {
		t.Errorf("more than any disk has: got %v", err)
	}
	if err := store.CheckFree(t.TempDir()+"/none", 1); err == nil {
		t.Error("a folder that does not exist has room")
	}
}
