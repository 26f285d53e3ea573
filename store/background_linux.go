package store

import (
	"runtime"

	"golang.org/x/sys/unix"
)

// inBackground gives the goroutine a thread of its own for as long as it lives,
// which leaves the processor to others that want it. Where the system refuses,
// its priority stays as it is.
func inBackground() {
	runtime.LockOSThread()
	const caller, nice = 0, 10
	_ = unix.Setpriority(unix.PRIO_PROCESS, caller, nice)
}
