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
// but the one that writes to SQLite, and the nice value that it was started with
// is kept.
func TestOnlyTheWriterInterruptsOthers(t *testing.T) {
	if testing.Short() {
		t.Skip("builds and starts a real server")
	}
	program := buildProgram(t, "0")
	nice := writeFile(t, t.TempDir(), "nice.sh", "#!/bin/sh\nexec nice -n 3 "+program+" \"$@\"\n")
	if err := os.Chmod(nice, 0o700); err != nil {
		t.Fatal(err)
	}
	server := newShop(t).start(t, nice)
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
		if attr.Nice != 3 {
			t.Errorf("a thread has nice value %d, want 3", attr.Nice)
		}
	}
	want := 1
	if storetest.OnPostgres() {
		want = 0 // its lanes are goroutines
	}
	if writers != want {
		t.Errorf("%d of %d threads interrupt others, want %d", writers, len(threads), want)
	}
}
