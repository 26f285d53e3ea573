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

// A virtual machine stalls when its host gives its processors to another guest.
// Nothing on it, however fast, answers then. The effect on p99 is measured by a
// process with a thread of real-time priority, which should run every
// lookEvery, has almost nothing to do, and reports how late it was.

const (
	lookEvery = 500 * time.Microsecond
	// late enough to be the machine's doing: the kernel of a machine that
	// runs needs some tens of microseconds.
	leastStandstill = time.Millisecond
)

// stood is how long the machine stalled during the measurement; always zero
// without the permission to measure.
type stood struct {
	Times   []time.Duration // of each standstill
	Elapsed time.Duration
}

// share is the fraction of the time in which the machine stalled.
func (s stood) share() float64 {
	var all time.Duration
	for _, one := range s.Times {
		all += one
	}
	return float64(all) / float64(max(1, s.Elapsed))
}

// least is what the given percentile of any server's times is at least, if it
// has this top rate and gets half of it at even distances: a request that is
// due during a stall waits for the rest of the stall, and then for the requests
// that were due before it. At half of the top rate that takes as long again as
// the stall, and the wait falls linearly to zero.
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

// lookout is the process that measures stalls.
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

// end ends the measurement and returns its result.
func (l *lookout) end() (s stood, err error) {
	err = errors.Join(l.stop.Close(), json.NewDecoder(l.told).Decode(&s))
	return s, errors.Join(err, l.command.Wait())
}

// lookOut is that process: it measures until its input ends. Without the
// permission for real-time priority it reports that and measures nothing, as it
// could not distinguish its own wait for a processor from a stall.
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
		// Raw: the runtime does not notice the wait, so that it does not hand
		// this thread's processor to another one and wake that up.
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
