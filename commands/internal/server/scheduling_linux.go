package server

import (
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// useBatchScheduling gives the threads of this process the policy SCHED_BATCH:
// a thread that wakes up does not preempt the one that runs. Each request wakes
// several, and on busy processors a tenth of the work for one was switching
// between them. With a processor free nothing changes. Threads that are started
// later inherit it. What an administrator has chosen, another policy or a nice
// value, is kept; where Linux refuses, all is as before. It reports whether it
// changed anything.
func useBatchScheduling() (used bool) {
	for changed := true; changed; { // a thread may start others meanwhile
		changed = false
		threads, err := os.ReadDir("/proc/self/task")
		if err != nil {
			return used
		}
		for _, thread := range threads {
			id, err := strconv.Atoi(thread.Name())
			changed = err == nil && reschedule(id, unix.SCHED_NORMAL, unix.SCHED_BATCH) || changed
		}
		used = used || changed
	}
	return used
}

// useNormalScheduling lets the calling thread preempt others when it wakes up.
func useNormalScheduling() { reschedule(0, unix.SCHED_BATCH, unix.SCHED_NORMAL) }

// reschedule gives a thread, 0 for the calling one, another policy in place of the
// one that it has, and reports whether it did.
func reschedule(thread int, from, to uint32) bool {
	attr, err := unix.SchedGetAttr(thread, 0)
	if err != nil || attr.Policy != from {
		return false
	}
	return unix.SchedSetAttr(thread, &unix.SchedAttr{Policy: to, Nice: attr.Nice}, 0) == nil
}
