package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/textproto"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// request is a body to post, prepared before the clock starts: the generator
// shares the cores with the server, so it does as little as it can.
type request struct {
	wire []byte // for the bare generator
	url  string // for the ordinary one
	body []byte
}

func post(host, path string, body []byte) request {
	head := fmt.Sprintf("POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n", path, host, len(body))
	return request{append([]byte(head), body...), "http://" + host + path, body}
}

// poster posts one request on its own connection and returns the answer.
type poster interface {
	post(request) (status int, body []byte, err error)
	close() error
}

// newPoster connects: bare, with nothing between the bytes and the socket, or
// as Go programs do, with net/http's client.
func newPoster(address string, ordinary, keep bool) (poster, error) {
	if ordinary {
		return &ordinaryPoster{http.Client{Transport: &http.Transport{MaxConnsPerHost: 1, MaxIdleConnsPerHost: 1}}, keep}, nil
	}
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return nil, err
	}
	return &barePoster{conn, bufio.NewReaderSize(conn, 4096), keep}, nil
}

type barePoster struct {
	conn   net.Conn
	reader *bufio.Reader
	keep   bool
}

func (p *barePoster) post(r request) (int, []byte, error) {
	if _, err := p.conn.Write(r.wire); err != nil {
		return 0, nil, err
	}
	return readAnswer(p.reader, p.keep)
}

func (p *barePoster) close() error { return p.conn.Close() }

type ordinaryPoster struct {
	client http.Client
	keep   bool
}

func (p *ordinaryPoster) post(r request) (int, []byte, error) {
	answer, err := p.client.Post(r.url, "application/json", bytes.NewReader(r.body))
	if err != nil {
		return 0, nil, err
	}
	defer answer.Body.Close()
	if !p.keep {
		_, err = io.Copy(io.Discard, answer.Body)
		return answer.StatusCode, nil, err
	}
	body, err := io.ReadAll(answer.Body)
	return answer.StatusCode, body, err
}

func (p *ordinaryPoster) close() error {
	p.client.CloseIdleConnections()
	return nil
}

// generator makes load.
type generator struct {
	connections int
	ordinary    bool // with net/http's client
}

// result is what a load came to.
type result struct {
	done     int // answered 200
	elapsed  time.Duration
	cpu      time.Duration // spent by server and generator together, which are one process
	p50, p99 time.Duration
	answers  [][]byte // by request, where they were asked for
}

func (r result) rate() float64 { return float64(r.done) / r.elapsed.Seconds() }

// load posts the requests over keep-alive connections until they are used up
// or the time is over; cycle posts them again and again. Any answer that is
// not 200 ends it with an error.
func (g generator) load(ctx context.Context, address string, duration time.Duration, requests []request, cycle, keep bool) (result, error) {
	ctx, cancel := context.WithTimeout(ctx, duration)
	defer cancel()
	var (
		next   atomic.Int64
		mu     sync.Mutex
		times  []time.Duration
		failed error
		wg     sync.WaitGroup
	)
	var r result
	if keep {
		r.answers = make([][]byte, len(requests))
	}
	spent := processorTime()
	started := time.Now()
	for range g.connections {
		wg.Go(func() {
			took, err := g.drive(ctx, address, func() (int, bool) {
				n := int(next.Add(1)) - 1
				if n >= len(requests) && !cycle {
					return 0, false
				}
				return n % len(requests), true
			}, requests, r.answers)
			mu.Lock()
			defer mu.Unlock()
			times = append(times, took...)
			if err != nil && failed == nil {
				failed = err
				cancel()
			}
		})
	}
	wg.Wait()
	r.elapsed = time.Since(started)
	r.cpu = processorTime() - spent
	r.done = len(times)
	if len(times) > 0 {
		slices.Sort(times)
		r.p50, r.p99 = times[len(times)/2], times[len(times)*99/100]
	}
	if failed == nil && r.done == 0 {
		failed = fmt.Errorf("nothing was answered")
	}
	return r, failed
}

// processorTime is what this process has used of the processors.
func processorTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// drive posts on one connection.
func (g generator) drive(ctx context.Context, address string, take func() (int, bool), requests []request, answers [][]byte) ([]time.Duration, error) {
	p, err := newPoster(address, g.ordinary, answers != nil)
	if err != nil {
		return nil, err
	}
	defer p.close()
	times := make([]time.Duration, 0, 1<<16)
	for ctx.Err() == nil {
		n, more := take()
		if !more {
			return times, nil
		}
		started := time.Now()
		status, body, err := p.post(requests[n])
		if err != nil {
			return times, err
		}
		if status != 200 {
			return times, fmt.Errorf("answered %d", status)
		}
		times = append(times, time.Since(started))
		if answers != nil {
			answers[n] = body
		}
	}
	return times, nil
}

// readAnswer reads one HTTP/1.1 answer that has a Content-Length.
func readAnswer(r *bufio.Reader, keep bool) (status int, body []byte, err error) {
	line, err := r.ReadSlice('\n')
	if err != nil {
		return 0, nil, err
	}
	if len(line) < 12 {
		return 0, nil, fmt.Errorf("a strange status line")
	}
	if status, err = strconv.Atoi(string(line[9:12])); err != nil {
		return 0, nil, err
	}
	length := -1
	for {
		line, err := r.ReadSlice('\n')
		if err != nil {
			return 0, nil, err
		}
		if len(line) <= 2 {
			break
		}
		if name, value, ok := strings.Cut(string(line), ":"); ok && textproto.CanonicalMIMEHeaderKey(name) == "Content-Length" {
			if length, err = strconv.Atoi(strings.TrimSpace(value)); err != nil {
				return 0, nil, err
			}
		}
	}
	if length < 0 {
		return 0, nil, fmt.Errorf("an answer without Content-Length")
	}
	if !keep {
		_, err = r.Discard(length)
		return status, nil, err
	}
	body = make([]byte, length)
	_, err = io.ReadFull(r, body)
	return status, body, err
}
