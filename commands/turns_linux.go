package commands

import (
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// takeTurns sets the scheduling policy of the threads of this process to
// SCHED_BATCH, so that a thread that wakes up does not preempt a running one:
// each request wakes several threads, and on busy processors a tenth of its
// work was switching between them. With an idle processor nothing changes.
// Later threads inherit the policy. A policy or nice value that an
// administrator has set is kept; if Linux refuses, nothing changes. It reports
// whether it changed anything.
func takeTurns() (took bool) {
	for changed := true; changed; { // a thread may start others meanwhile
		changed = false
		threads, err := os.ReadDir("/proc/self/task")
		if err != nil {
			return took
		}
		for _, thread := range threads {
			id, err := strconv.Atoi(thread.Name())
			changed = err == nil && reschedule(id, unix.SCHED_NORMAL, unix.SCHED_BATCH) || changed
		}
		took = took || changed
	}
	return took
}

// interruptOthers lets the calling thread preempt running threads when it wakes
// up.
func interruptOthers() { reschedule(0, unix.SCHED_BATCH, unix.SCHED_NORMAL) }

// reschedule changes the policy of a thread, 0 for the calling one, and reports
// whether it did.
func reschedule(thread int, from, to uint32) bool {
	attr, err := unix.SchedGetAttr(thread, 0)
	if err != nil || attr.Policy != from {
		return false
	}
	return unix.SchedSetAttr(thread, &unix.SchedAttr{Policy: to, Nice: attr.Nice}, 0) == nil
}
