package commands

import (
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// takeTurns makes the threads of this process wait for their turn when they wake
// up, instead of interrupting who runs: each request wakes several, and on busy
// processors a tenth of the work for one was changing over between them. With a
// processor free nothing changes. Threads that come later inherit it. What an
// administrator has chosen, another policy or a nice value, is kept; where Linux
// refuses, all is as before. It reports whether it changed anything.
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

// interruptOthers lets the calling thread interrupt who runs when it wakes up.
func interruptOthers() { reschedule(0, unix.SCHED_BATCH, unix.SCHED_NORMAL) }

// reschedule gives a thread, 0 for the calling one, another policy in place of the
// one that it has, and reports whether it did.
func reschedule(thread int, from, to uint32) bool {
	attr, err := unix.SchedGetAttr(thread, 0)
	if err != nil || attr.Policy != from {
		return false
	}
	return unix.SchedSetAttr(thread, &unix.SchedAttr{Policy: to, Nice: attr.Nice}, 0) == nil
}
