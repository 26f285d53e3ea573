//go:build linux

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// bare posts over bare sockets: it writes prepared bytes and reads just enough
// of the answer. Each of its loops is one thread that waits in epoll, with
// nanosecond time-outs: Go's own timers and network poller wake up to a
// millisecond late, which would be most of what an open loop measures.
type bare struct{}

func (bare) name() string { return "bare sockets" }

const (
	bareLoops   = 2                // how many threads share the connections
	answerGrace = 30 * time.Second // how long answers are waited for at the end
	maxAnswer   = 16 << 10         // bytes of an answer, with its headers
)

func (bare) load(ctx context.Context, address string, s shape, from source) (result, error) {
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return result{}, err
	}
	var (
		total  = newResult()
		loops  = min(bareLoops, s.connections)
		mu     sync.Mutex
		failed error
		all    sync.WaitGroup
		stop   atomic.Bool
	)
	defer context.AfterFunc(ctx, func() { stop.Store(true) })()
	started := time.Now()
	for i := range loops {
		all.Go(func() {
			l := bareLoop{shape: s, from: from, result: newResult(), stop: &stop, started: started}
			l.connections = (s.connections + i) / loops
			l.rate = s.rate / float64(loops)
			if s.rate > 0 { // the loops alternate
				l.started = started.Add(time.Duration(float64(i) * float64(time.Second) / s.rate))
			}
			err := l.run(to)
			mu.Lock()
			defer mu.Unlock()
			total.add(l.result)
			if err != nil {
				failed = errors.Join(failed, err)
				stop.Store(true)
			}
		})
	}
	all.Wait()
	total.elapsed = time.Since(started)
	return total, errors.Join(failed, ctx.Err())
}

// bareLoop is one thread with its connections.
type bareLoop struct {
	shape
	from    source
	result  result
	stop    *atomic.Bool
	started time.Time

	epoll int
	conns []*bareConn
	idle  []*bareConn // the one that has waited longest is first
	sent  int         // requests that were due so far
	busy  int         // requests without an answer yet
	dry   bool        // nothing more is sent
}

type bareConn struct {
	fd     int
	q      *request
	due    time.Time
	buffer []byte
	filled int
}

func (l *bareLoop) run(to netip.AddrPort) (err error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	// By default the kernel rounds a thread's timeouts up by 50 µs.
	if err := unix.Prctl(unix.PR_SET_TIMERSLACK, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("timer slack: %w", err)
	}
	if l.epoll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return fmt.Errorf("epoll: %w", err)
	}
	defer func() { err = errors.Join(err, unix.Close(l.epoll)) }()
	defer func() {
		for _, c := range l.conns {
			err = errors.Join(err, unix.Close(c.fd))
		}
	}()
	for range l.connections {
		if err := l.connect(to); err != nil {
			return fmt.Errorf("connect to %s: %w", to, err)
		}
	}
	events := make([]unix.EpollEvent, l.connections)
	for {
		now := time.Now()
		if err := l.send(now); err != nil {
			return err
		}
		if l.dry && l.busy == 0 {
			return nil
		}
		n, err := epollWait(l.epoll, events, l.timeout(now))
		if err != nil {
			return fmt.Errorf("epoll: %w", err)
		}
		if n == 0 && l.dry {
			return fmt.Errorf("%d requests got no answer within %v", l.busy, answerGrace)
		}
		for _, event := range events[:max(0, n)] {
			if err := l.serve(l.conns[event.Fd]); err != nil {
				return err
			}
		}
	}
}

func (l *bareLoop) connect(to netip.AddrPort) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	c := &bareConn{fd: fd, buffer: make([]byte, maxAnswer)}
	l.conns, l.idle = append(l.conns, c), append(l.idle, c)
	if err := unix.Connect(fd, &unix.SockaddrInet4{Port: int(to.Port()), Addr: to.Addr().As4()}); err != nil {
		return err
	}
	if err := unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1); err != nil {
		return err
	}
	if err := unix.SetNonblock(fd, true); err != nil {
		return err
	}
	return unix.EpollCtl(l.epoll, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(len(l.conns) - 1)})
}

// send sends what is due, as far as connections are free.
func (l *bareLoop) send(now time.Time) error {
	for !l.dry {
		due := now
		if l.rate > 0 {
			due = l.nextDue()
		}
		if l.stop.Load() || l.duration > 0 && due.Sub(l.started) >= l.duration {
			l.dry = true
			return nil
		}
		if due.After(now) {
			return nil
		}
		if len(l.idle) == 0 {
			if l.rate == 0 || !l.sheds {
				return nil
			}
			l.sent++
			l.result.shed++
			continue
		}
		q := l.from.next()
		if q == nil {
			l.dry = true
			return nil
		}
		l.sent++
		l.busy++
		c := l.idle[0]
		l.idle = append(l.idle[:0], l.idle[1:]...)
		c.q, c.due, c.filled = q, due, 0
		if err := c.write(q.wire); err != nil {
			return err
		}
	}
	return nil
}

func (l *bareLoop) nextDue() time.Time {
	return l.started.Add(time.Duration(float64(l.sent) * float64(time.Second) / l.rate))
}

// timeout is the time until the next request is due.
func (l *bareLoop) timeout(now time.Time) time.Duration {
	if l.dry || l.rate == 0 || len(l.idle) == 0 && !l.sheds {
		return answerGrace
	}
	return max(0, l.nextDue().Sub(now))
}

// write sends a message. It is small, so that the socket takes it unless the
// other side has stopped reading.
func (c *bareConn) write(message []byte) error {
	for len(message) > 0 {
		n, err := unix.Write(c.fd, message)
		if err != nil {
			return fmt.Errorf("send: %w", err)
		}
		message = message[n:]
	}
	return nil
}

// serve reads the available bytes of a connection.
func (l *bareLoop) serve(c *bareConn) error {
	n, err := unix.Read(c.fd, c.buffer[c.filled:])
	if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EINTR) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read an answer: %w", err)
	}
	if n == 0 || c.q == nil {
		return errors.New("the server has closed a connection")
	}
	c.filled += n
	a, whole, err := parseAnswer(c.buffer[:c.filled])
	if err != nil || !whole {
		return err
	}
	a.took = time.Since(c.due)
	q := c.q
	c.q = nil
	l.busy--
	l.idle = append(l.idle, c)
	l.result.note(q, a)
	l.from.answered(q, a)
	return nil
}

var headEnd = []byte("\r\n\r\n")

// parseAnswer reads one HTTP/1.1 answer that has a Content-Length, if it is
// there to its end.
func parseAnswer(text []byte) (a answer, whole bool, err error) {
	end := bytes.Index(text, headEnd)
	if end < 0 {
		if len(text) == maxAnswer {
			return a, false, fmt.Errorf("an answer's headers are longer than %d bytes", maxAnswer)
		}
		return a, false, nil
	}
	head, body := text[:end+2], text[end+len(headEnd):]
	if len(head) < 12 {
		return a, false, fmt.Errorf("a strange status line: %q", head)
	}
	if a.status, err = strconv.Atoi(string(head[9:12])); err != nil {
		return a, false, fmt.Errorf("a strange status line: %q", head[:12])
	}
	length, err := strconv.Atoi(string(header(head, "\r\nContent-Length: ")))
	if err != nil || length < 0 || end+len(headEnd)+length > maxAnswer {
		return a, false, fmt.Errorf("an answer without a usable Content-Length:\n%s", head)
	}
	if len(body) < length {
		return a, false, nil
	}
	a.retryAfter = len(header(head, "\r\nRetry-After: ")) > 0
	a.body = body[:length]
	return a, true, nil
}

// header is the value of a header that net/http has written.
func header(head []byte, name string) []byte {
	_, rest, found := bytes.Cut(head, []byte(name))
	if !found {
		return nil
	}
	value, _, _ := bytes.Cut(rest, []byte("\r\n"))
	return value
}

// epollWait waits for events. Unlike epoll_wait, it does not round the timeout
// up to a millisecond. It returns -1 when a signal interrupts it.
func epollWait(epoll int, events []unix.EpollEvent, timeout time.Duration) (int, error) {
	limit := unix.NsecToTimespec(timeout.Nanoseconds())
	n, _, errno := unix.Syscall6(unix.SYS_EPOLL_PWAIT2, uintptr(epoll), uintptr(unsafe.Pointer(&events[0])), uintptr(len(events)),
		uintptr(unsafe.Pointer(&limit)), 0, 0)
	if errno == unix.EINTR {
		return -1, nil
	}
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}
