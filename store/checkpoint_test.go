package store_test

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"tolem/store"
	"tolem/testkit"
)

// begun is how often the WAL has started afresh, as its header counts
// (https://sqlite.org/fileformat2.html#walformat).
func begun(t *testing.T, s *store.Store) uint32 {
	t.Helper()
	file, err := os.Open(s.Path() + "-wal")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	header := make([]byte, 32)
	if _, err := io.ReadFull(file, header); err != nil {
		t.Fatal(err)
	}
	return binary.BigEndian.Uint32(header[12:])
}

// underLoad issues and credits payments, and reads them, until stop is called.
func underLoad(t *testing.T, s *store.Store) (credited *atomic.Int64, stop func()) {
	t.Helper()
	credited = new(atomic.Int64)
	var done atomic.Bool
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for !done.Load() {
				id := mustIssue(t, s)
				mustRecord(t, s, paid(id, id))
				mustPayment(t, s, id)
				credited.Add(1)
			}
		})
	}
	return credited, func() {
		done.Store(true)
		all.Wait()
	}
}

func TestTheWALStartsAfreshBesideTraffic(t *testing.T) {
	if onPostgres {
		t.Skip("the WAL is SQLite's")
	}
	s := mustOpen(t)
	mustIssue(t, s) // so that there is a WAL
	store.WithShortWAL(s, 500)
	credited, stop := underLoad(t, s)
	defer stop()
	first := begun(t, s)
	testkit.Eventually(t, "the WAL to start afresh three times", func() bool { return begun(t, s) >= first+3 })
	stop()
	if err := s.AssertDurable(context.Background()); err != nil {
		t.Error(err)
	}
	if booked := queryInt(t, rawOpen(t, s), `SELECT count(*) FROM operations`); booked != credited.Load() {
		t.Errorf("%d credits are booked, %d were acknowledged", booked, credited.Load())
	}
	checked(t, s)
}

// TestALongReaderHoldsTheWALUpAndNobodyElse: a backup, say, keeps the WAL from
// starting afresh for as long as it reads, and no longer.
func TestALongReaderHoldsTheWALUpAndNobodyElse(t *testing.T) {
	if onPostgres {
		t.Skip("the WAL is SQLite's")
	}
	s := mustOpen(t)
	mustIssue(t, s)
	reading, err := rawOpen(t, s).Begin()
	if err != nil {
		t.Fatal(err)
	}
	var n int
	if err := reading.QueryRow(`SELECT count(*) FROM payments`).Scan(&n); err != nil || n != 1 {
		t.Fatalf("%d payments, %v", n, err)
	}
	store.WithShortWAL(s, 100)
	credited, stop := underLoad(t, s)
	defer stop()
	first := begun(t, s)
	testkit.Eventually(t, "three thousand credits beside the reader", func() bool { return credited.Load() > 3000 })
	if now := begun(t, s); now != first {
		t.Errorf("the WAL has started afresh %d times under a reader", now-first)
	}
	if err := reading.QueryRow(`SELECT count(*) FROM payments`).Scan(&n); err != nil || n != 1 {
		t.Errorf("the reader sees %d payments, %v", n, err)
	}
	if err := reading.Rollback(); err != nil {
		t.Fatal(err)
	}
	testkit.Eventually(t, "the WAL to start afresh", func() bool { return begun(t, s) > first })
	stop()
	checked(t, s)
}

// TestACheckpointThatFailedOnceDoesNotKeepAnIdleServerFromBeingReady: nobody
// sends messages to a server that is not ready, so it must not wait for one.
func TestACheckpointThatFailedOnceDoesNotKeepAnIdleServerFromBeingReady(t *testing.T) {
	if onPostgres {
		t.Skip("the WAL is SQLite's")
	}
	s := mustOpen(t)
	mustIssue(t, s)
	passing := errors.New("a failure that passes")
	store.FailCheckpoint(s, passing)
	testkit.Eventually(t, "the server to be ready", func() bool { return s.AssertDurable(context.Background()) == nil })
	store.FailCheckpoint(s, passing)
	testkit.Eventually(t, "the server to be ready again, with nothing left to copy", func() bool { return s.AssertDurable(context.Background()) == nil })
}

func TestTheWALIsCopiedWhenNothingIsWrittenForAWhile(t *testing.T) {
	if onPostgres {
		t.Skip("the WAL is SQLite's")
	}
	s := mustOpen(t)
	tick, release := store.HoldCheckpoints(s)
	defer release()
	for range 3 {
		for i := range 2 * store.QuietTicks {
			if i < store.QuietTicks {
				mustIssue(t, s)
			}
			copied, err := tick()
			if err != nil {
				t.Fatal(err)
			}
			// The tick after the last write still sees something new.
			if want := i >= 2*store.QuietTicks-1; copied != want {
				t.Errorf("%d ticks after the last write the WAL is copied: %v", i-store.QuietTicks+1, copied)
			}
		}
	}
}

// TestAWALThatMayStartAfreshIsLeftAlone: it does so with the next write. Until
// then it is as long as before, which is no reason to hold the writer again.
func TestAWALThatMayStartAfreshIsLeftAlone(t *testing.T) {
	if onPostgres {
		t.Skip("the WAL is SQLite's")
	}
	s := mustOpen(t)
	store.WithShortWAL(s, 1)
	tick, release := store.HoldCheckpoints(s)
	defer release()
	for range 2 {
		mustIssue(t, s)
		first := begun(t, s)
		if copied, err := tick(); err != nil || !copied {
			t.Fatalf("copied: %v, %v", copied, err)
		}
		releaseWriter := s.HoldWriter()
		again := make(chan error, 1)
		go func() {
			_, err := tick()
			again <- err
		}()
		select {
		case err := <-again:
			if err != nil {
				t.Error(err)
			}
			releaseWriter()
		case <-time.After(10 * time.Minute):
			t.Error("it waits for the writer")
			releaseWriter()
			<-again
		}
		mustIssue(t, s)
		if now := begun(t, s); now != first+1 {
			t.Errorf("the WAL has started afresh %d times, want once", now-first)
		}
	}
	checked(t, s)
}
