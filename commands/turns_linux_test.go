package commands_test

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"

	"tolem/platform"
	"tolem/storetest"
)

// TestOnlyTheWriterInterruptsOthers: every thread of a server waits for its turn,
// but the one that writes to SQLite. What it was started with is kept: a nice
// value, or a policy.
func TestOnlyTheWriterInterruptsOthers(t *testing.T) {
	if testing.Short() {
		t.Skip("builds and starts a real server")
	}
	writers := 1
	if storetest.OnPostgres() {
		writers = 0 // its lanes are goroutines
	}
	// Servers that other tests ran in this process have left it their policy.
	t.Run("by itself", func(t *testing.T) { mustTakeTurns(t, "chrt --other 0 nice -n 3", 3, writers) })
	t.Run("as an administrator says", func(t *testing.T) { mustTakeTurns(t, "chrt --batch 0", 0, 0) })
}

// mustTakeTurns starts a server by way of another program, and wants so many of
// its threads to interrupt others.
func mustTakeTurns(t *testing.T, by string, nice int32, want int) {
	t.Helper()
	program := writeFile(t, t.TempDir(), "start.sh", "#!/bin/sh\nexec "+by+" "+buildProgram(t, "0")+" \"$@\"\n")
	if err := os.Chmod(program, 0o700); err != nil {
		t.Fatal(err)
	}
	server := newShop(t).start(t, program)
	defer server.stop(t)
	body, err := demoProject(t).CheckDeposit(platform.Deposit{CustomerID: "123456789", EntityID: "12345", Money: tenge(1)})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := server.client.Post(t.Context(), platform.Path, body); err != nil { // the writer is at work
		t.Fatal(err)
	}
	tasks := fmt.Sprintf("/proc/%d/task", server.process.Process.Pid)
	threads, err := os.ReadDir(tasks)
	if err != nil {
		t.Fatal(err)
	}
	writers := 0
	for _, thread := range threads {
		id, err := strconv.Atoi(thread.Name())
		if err != nil {
			t.Fatal(err)
		}
		attr, err := unix.SchedGetAttr(id, 0)
		if errors.Is(err, unix.ESRCH) {
			continue // it has ended
		}
		if err != nil {
			t.Fatal(err)
		}
		switch attr.Policy {
		case unix.SCHED_NORMAL:
			writers++
		case unix.SCHED_BATCH:
		default:
			t.Errorf("a thread has policy %d", attr.Policy)
		}
		if attr.Nice != nice {
			t.Errorf("a thread has nice value %d, want %d", attr.Nice, nice)
		}
	}
	if writers != want {
		t.Errorf("%d of %d threads interrupt others, want %d", writers, len(threads), want)
	}
}
