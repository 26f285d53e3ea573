//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// request is one message to post, made before it is due: the generator shares
// the cores with the server, so it does as little as it can.
type request struct {
	wire []byte // the whole HTTP request
	body []byte // the end of wire
	kind string // of message: verify, check_deposit or callback
	id   string // the payment that a callback is about
}

// answer is a response. The body is valid only during the call.
type answer struct {
	status     int
	retryAfter bool // it has Retry-After
	body       []byte
	took       time.Duration
}

// source supplies the requests of a load. Several connections call it
// concurrently.
type source interface {
	// next gives out a request, or nil when there is none left.
	next() *request
	// answered is called with every answer.
	answered(*request, answer)
}

// shape is how a load is posted.
type shape struct {
	connections int
	duration    time.Duration // then nothing more is sent; 0: until the source is used up
	// rate makes an open loop: this many requests a second are due, evenly
	// spaced, whether or not earlier ones were answered, and a request's time
	// runs from the moment when it was due. 0 makes a closed loop: each
	// connection sends its next request when the last one is answered.
	rate float64
	// sheds drops a request of an open loop for which no connection is free
	// when it is due, instead of sending it late: so does a caller whose pool
	// of connections is bounded.
	sheds bool
}

// result is the result of a load.
type result struct {
	accepted map[string][]time.Duration // how long answers of 200 took, by kind of message
	refused  []time.Duration            // and those of 503 with Retry-After
	elapsed  time.Duration
	shed     int            // never sent: no connection was free
	strange  map[string]int // anything that is neither 200 nor 503 with Retry-After
}

// rate is accepted requests a second.
func (r result) rate() float64 { return float64(r.count()) / r.elapsed.Seconds() }

// count is how many requests were accepted.
func (r result) count() int { return len(r.times()) }

// times are those of all accepted requests.
func (r result) times() []time.Duration {
	return slices.Concat(slices.Collect(maps.Values(r.accepted))...)
}

// clean is nil when every request was sent and answered with 200.
func (r result) clean() error {
	if r.count() == 0 {
		return errors.New("nothing was answered")
	}
	if len(r.refused) > 0 || r.shed > 0 {
		return fmt.Errorf("%d requests were refused, %d were not sent", len(r.refused), r.shed)
	}
	return r.correct()
}

// correct is nil when every request that was sent was answered with 200, or
// with 503 and Retry-After.
func (r result) correct() error {
	if len(r.strange) == 0 {
		return nil
	}
	var all []string
	for what, n := range r.strange {
		all = append(all, fmt.Sprintf("%d × %s", n, what))
	}
	slices.Sort(all)
	return fmt.Errorf("answers that must not be: %s", strings.Join(all, ", "))
}

// note takes an answer into account.
func (r *result) note(q *request, a answer) {
	switch {
	case a.status == 200:
		r.accepted[q.kind] = append(r.accepted[q.kind], a.took)
	case a.status == 503 && a.retryAfter:
		r.refused = append(r.refused, a.took)
	default:
		r.strange[fmt.Sprintf("HTTP %d to %s", a.status, q.kind)]++
	}
}

func newResult() result {
	return result{accepted: map[string][]time.Duration{}, strange: map[string]int{}}
}

func (r *result) add(o result) {
	for kind, list := range o.accepted {
		r.accepted[kind] = append(r.accepted[kind], list...)
	}
	r.refused = append(r.refused, o.refused...)
	for what, n := range o.strange {
		r.strange[what] += n
	}
	r.shed += o.shed
}

// generator posts a source in a shape.
type generator interface {
	name() string
	load(ctx context.Context, address string, s shape, from source) (result, error)
}

// percentile is a time that the given share of all does not exceed.
func percentile(list []time.Duration, share float64) time.Duration {
	if len(list) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(list))
	return sorted[min(int(share*float64(len(sorted))), len(sorted)-1)]
}

// list posts each of its requests once.
type list struct {
	mu   sync.Mutex
	left []*request
	// keep, if set, is called with every answer; one call at a time.
	keep func(*request, answer)
}

func (l *list) next() *request {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.left) == 0 {
		return nil
	}
	first := l.left[0]
	l.left = l.left[1:]
	return first
}

func (l *list) answered(q *request, a answer) {
	if l.keep == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.keep(q, a)
}

// cycle posts its requests again and again.
type cycle struct {
	list
	all []*request
}

func (c *cycle) next() *request {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.left) == 0 {
		c.left = c.all
	}
	first := c.left[0]
	c.left = c.left[1:]
	return first
}
