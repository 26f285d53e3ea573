package commands_test

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"

	"tolem/config"
	"tolem/platform"
	"tolem/storetest"
	"tolem/testkit"
)

// TestOnlyTheWriterPreemptsOthers: every thread of a server has the policy SCHED_BATCH,
// but the one that writes to SQLite. What it was started with is kept: a nice
// value, or a policy.
func TestOnlyTheWriterPreemptsOthers(t *testing.T) {
	if testing.Short() {
		t.Skip("builds and starts a real server")
	}
	writers := 1
	if storetest.OnPostgres() {
		writers = 0 // its lanes are goroutines
	}
	// Servers that other tests ran in this process have left it their policy.
	t.Run("by itself", func(t *testing.T) { mustSchedule(t, "chrt --other 0 nice -n 3", 3, writers, config.SchedulingBatch) })
	t.Run("as an administrator says", func(t *testing.T) { mustSchedule(t, "chrt --batch 0", 0, 0, config.SchedulingBatch) })
	t.Run("unchanged, as configured", func(t *testing.T) { mustSchedule(t, "chrt --other 0", 0, -1, config.SchedulingUnchanged) })
}

// mustSchedule starts a server by way of another program, and wants so many of
// its threads to have the normal policy, all if -1.
func mustSchedule(t *testing.T, by string, nice int32, want int, scheduling string) {
	t.Helper()
	program := testkit.WriteFile(t, t.TempDir(), "start.sh", "#!/bin/sh\nexec "+by+" "+buildProgram(t, "0")+" \"$@\"\n")
	if err := os.Chmod(program, 0o700); err != nil {
		t.Fatal(err)
	}
	server := newShop(t, "thread_scheduling: "+scheduling).start(t, program)
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
	writers, all := 0, 0
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
		all++
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
	if want < 0 {
		want = all
	}
	if writers != want {
		t.Errorf("%d of %d threads have the normal policy, want %d", writers, len(threads), want)
	}
}
