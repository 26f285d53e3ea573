package store

import (
	"runtime"

	"golang.org/x/sys/unix"
)

// inBackground gives the goroutine a thread of its own for as long as it lives,
// with a low priority for processors and disks. Where the system refuses, the
// priority stays as it is.
func inBackground() {
	runtime.LockOSThread()
	const thread, nice = 0, 10 // of the caller
	_ = unix.Setpriority(unix.PRIO_PROCESS, thread, nice)
	const ofProcess, idle = 1, 3 << 13 // IOPRIO_WHO_PROCESS, IOPRIO_CLASS_IDLE
	_, _, _ = unix.Syscall(unix.SYS_IOPRIO_SET, ofProcess, thread, idle)
}
