package store_test

import (
	"context"
	"errors"
	"testing"

	"golang.org/x/sys/unix"

	"tolem/store"
)

// checkpointLock is the byte of the -shm file that whoever makes a checkpoint
// holds (https://sqlite.org/walformat.html#wal_locks).
const checkpointLock = 121

// TestACheckpointThatAnotherProcessKeptFromBeingMadeDoesNotCallAllWell: the
// failure before it stands.
func TestACheckpointThatAnotherProcessKeptFromBeingMadeDoesNotCallAllWell(t *testing.T) {
	if onPostgres {
		t.Skip("the WAL is SQLite's")
	}
	shm := -1
	// After the store has been closed: with this file the process would lose the
	// locks of SQLite's, too.
	t.Cleanup(func() { _ = unix.Close(shm) })
	s := mustOpen(t)
	tick, release := store.HoldCheckpoints(s)
	defer release()
	mustIssue(t, s)
	shm, err := unix.Open(s.Path()+"-shm", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	// A lock of this kind is in the way of the process's own, as another process's is.
	hold := func(kind int16) {
		t.Helper()
		lock := unix.Flock_t{Type: kind, Start: checkpointLock, Len: 1}
		if err := unix.FcntlFlock(uintptr(shm), unix.F_OFD_SETLK, &lock); err != nil {
			t.Fatal(err)
		}
	}
	tickUntilQuiet := func() {
		t.Helper()
		for range 2 * store.QuietTicks {
			if _, err := tick(); err != nil {
				t.Fatal(err)
			}
		}
	}
	hold(unix.F_WRLCK)
	store.FailCheckpoint(s, errors.New("the disk is ill"))
	tickUntilQuiet()
	if s.AssertDurable(context.Background()) == nil {
		t.Error("a checkpoint that was not made calls all well")
	}
	hold(unix.F_UNLCK)
	tickUntilQuiet()
	if err := s.AssertDurable(context.Background()); err != nil {
		t.Errorf("after one that was made: %v", err)
	}
}
