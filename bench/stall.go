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
// sampleEvery, has almost nothing to do, and reports how late it was.

const (
	sampleEvery = 500 * time.Microsecond
	// Shorter delays are ordinary: the kernel needs some tens of microseconds.
	minStall = time.Millisecond
)

// stalls is how long the machine stalled during the measurement; always zero
// without the permission to measure.
type stalls struct {
	Times   []time.Duration // of each stall
	Elapsed time.Duration
}

// fraction is the fraction of the time in which the machine stalled.
func (s stalls) fraction() float64 {
	var all time.Duration
	for _, one := range s.Times {
		all += one
	}
	return float64(all) / float64(max(1, s.Elapsed))
}

// lowest is the lowest possible value of the given percentile of the response
// times of a server with this top rate that gets half of it at equal intervals:
// a request that is due during a stall waits for the rest of the stall, and then
// for the requests that were due before it. At half of the top rate that takes
// as long again as the stall, and the wait falls linearly to zero.
func (s stalls) lowest(percentile float64) time.Duration {
	if len(s.Times) == 0 {
		return 0
	}
	waitLonger := func(than time.Duration) (all time.Duration) {
		for _, one := range s.Times {
			all += 2 * max(0, one-than)
		}
		return all
	}
	allowed := time.Duration((1 - percentile) * float64(s.Elapsed))
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

func (s stalls) String() string {
	switch {
	case s.Elapsed == 0:
		return "stalls of the machine were not measured"
	case len(s.Times) == 0:
		return "the machine never stalled"
	}
	sorted := slices.Sorted(slices.Values(s.Times))
	text := fmt.Sprintf("the machine stalled for %.1f %% of the time, %s each", 100*s.fraction(), millis(sorted[len(sorted)/2]))
	if lowest := s.lowest(.99); lowest > 0 {
		text += ": with them a server of this top rate has no p99 below " + millis(lowest)
	}
	return text
}

// stallMeter is the process that measures stalls.
type stallMeter struct {
	command *exec.Cmd
	stop    io.Closer
	output  io.ReadCloser
}

func startStallMeter() (*stallMeter, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	l := &stallMeter{command: exec.Command(self, stallMeterPart)}
	l.command.Stderr = os.Stderr
	l.command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	if l.stop, err = l.command.StdinPipe(); err != nil {
		return nil, err
	}
	if l.output, err = l.command.StdoutPipe(); err != nil {
		return nil, err
	}
	return l, l.command.Start()
}

// end ends the measurement and returns its result.
func (l *stallMeter) end() (s stalls, err error) {
	err = errors.Join(l.stop.Close(), json.NewDecoder(l.output).Decode(&s))
	return s, errors.Join(err, l.command.Wait())
}

// measureStalls runs in that process: it measures until its input ends. Without the
// permission for real-time priority it reports that and measures nothing, as it
// could not distinguish its own wait for a processor from a stall.
func measureStalls(in io.Reader, out io.Writer) error {
	ended := make(chan struct{})
	go func() {
		_, _ = io.Copy(io.Discard, in)
		close(ended)
	}()
	runtime.LockOSThread()
	attr := unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_FIFO, Priority: 1}
	if err := unix.SchedSetAttr(0, &attr, 0); err != nil {
		fmt.Fprintf(os.Stderr, "stalls of the machine are not measured, which needs the permission for real-time priority: %v\n", err)
		<-ended
		return json.NewEncoder(out).Encode(stalls{})
	}
	s := stalls{}
	pause := syscall.NsecToTimespec(sampleEvery.Nanoseconds())
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
		if late := now.Sub(last) - sampleEvery; late > minStall {
			s.Times = append(s.Times, late)
		}
		last = now
	}
}
