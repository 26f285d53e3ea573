//go:build linux

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A virtual machine stands still when its host gives its processors to somebody
// else. Nothing on it, however fast, answers then. What that does to p99 is told
// beside it: a process with a thread of real-time priority, which wants to run
// every lookEvery and has next to nothing to do, tells how late it was.

const (
	lookEvery = 500 * time.Microsecond
	// late enough to be the machine's doing: the kernel of a machine that
	// runs needs some tens of microseconds.
	leastStandstill = time.Millisecond
)

// stood is how long the machine stood still while it was looked, which is never
// where the right to look is missing.
type stood struct {
	Times   []time.Duration // of each standstill
	Elapsed time.Duration
}

// share is the part of the time in which the machine stood still.
func (s stood) share() float64 {
	var all time.Duration
	for _, one := range s.Times {
		all += one
	}
	return float64(all) / float64(max(1, s.Elapsed))
}

// least is what the given percentile of any server's times is at least, if it has
// this top rate and gets half of it at even distances: who is due while the
// machine stands still waits for the rest of that, and then until those who were
// due before are done. At half of the top rate that takes as long again as the
// standstill, and the wait falls from all of it to nothing, evenly.
func (s stood) least(share float64) time.Duration {
	if len(s.Times) == 0 {
		return 0
	}
	waitLonger := func(than time.Duration) (all time.Duration) {
		for _, one := range s.Times {
			all += 2 * max(0, one-than)
		}
		return all
	}
	allowed := time.Duration((1 - share) * float64(s.Elapsed))
	low, high := time.Duration(0), slices.Max(s.Times)
	for high-low > time.Microsecond {
		if middle := (low + high) / 2; waitLonger(middle) > allowed {
			low = middle
		} else {
			high = middle
		}
	}
	return low
}

func (s stood) String() string {
	switch {
	case s.Elapsed == 0:
		return "whether the machine stood still was not seen"
	case len(s.Times) == 0:
		return "the machine never stood still"
	}
	sorted := slices.Sorted(slices.Values(s.Times))
	text := fmt.Sprintf("the machine stood still for %.1f %% of the time, %s each", 100*s.share(), millis(sorted[len(sorted)/2]))
	if least := s.least(.99); least > 0 {
		text += ": a server of this top rate that meets them has no p99 below " + millis(least)
	}
	return text
}

// lookout is the process that looks.
type lookout struct {
	command *exec.Cmd
	stop    io.Closer
	told    io.ReadCloser
}

func startLookout() (*lookout, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	l := &lookout{command: exec.Command(self, lookoutPart)}
	l.command.Stderr = os.Stderr
	l.command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	if l.stop, err = l.command.StdinPipe(); err != nil {
		return nil, err
	}
	if l.told, err = l.command.StdoutPipe(); err != nil {
		return nil, err
	}
	return l, l.command.Start()
}

// end ends the looking and tells what was seen.
func (l *lookout) end() (s stood, err error) {
	err = errors.Join(l.stop.Close(), json.NewDecoder(l.told).Decode(&s))
	return s, errors.Join(err, l.command.Wait())
}

// lookOut is that process: it looks until its input ends. Without the right to
// real-time priority it says so and sees nothing, as it would take its own wait
// for a processor for the machine's.
func lookOut(in io.Reader, out io.Writer) error {
	ended := make(chan struct{})
	go func() {
		_, _ = io.Copy(io.Discard, in)
		close(ended)
	}()
	runtime.LockOSThread()
	attr := unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_FIFO, Priority: 1}
	if err := unix.SchedSetAttr(0, &attr, 0); err != nil {
		fmt.Fprintf(os.Stderr, "whether the machine stands still is not seen, which needs the right to real-time priority: %v\n", err)
		<-ended
		return json.NewEncoder(out).Encode(stood{})
	}
	s := stood{}
	pause := syscall.NsecToTimespec(lookEvery.Nanoseconds())
	started := time.Now()
	for last := started; ; {
		select {
		case <-ended:
			s.Elapsed = time.Since(started)
			return json.NewEncoder(out).Encode(s)
		default:
		}
		// Raw: the runtime is told of no wait, so that it does not give the
		// place of this thread to another one and wake that up for it.
		if _, _, errno := unix.RawSyscall(unix.SYS_NANOSLEEP, uintptr(unsafe.Pointer(&pause)), 0, 0); errno != 0 && errno != unix.EINTR {
			return errno
		}
		now := time.Now()
		if late := now.Sub(last) - lookEvery; late > leastStandstill {
			s.Times = append(s.Times, late)
		}
		last = now
	}
}
