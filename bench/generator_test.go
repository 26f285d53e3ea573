//go:build linux

package main

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// target answers requests as a handler says.
func target(t *testing.T, handler http.HandlerFunc) (address string) {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://")
}

func requests(t *testing.T, address string, n int) []*request {
	t.Helper()
	s, err := newSender(address, 10)
	if err != nil {
		t.Fatal(err)
	}
	all, err := many(n, s.verify)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestEveryRequestIsPostedOnceAndItsAnswerIsHeard(t *testing.T) {
	for _, g := range []generator{bare{}, ordinary{}} {
		t.Run(g.name(), func(t *testing.T) {
			var mu sync.Mutex
			bodies := map[string]int{}
			address := target(t, func(w http.ResponseWriter, r *http.Request) {
				text := make([]byte, r.ContentLength)
				if _, err := r.Body.Read(text); len(text) == 0 {
					t.Error(err)
				}
				mu.Lock()
				defer mu.Unlock()
				bodies[string(text)]++
				_, _ = w.Write([]byte("heard"))
			})
			sent := requests(t, address, 200)
			want := map[string]int{}
			for _, q := range sent {
				want[string(q.body)]++
			}
			heard := 0
			from := &list{left: sent, keep: func(_ *request, a answer) {
				if string(a.body) == "heard" {
					heard++
				}
			}}
			r, err := g.load(t.Context(), address, shape{connections: 5}, from)
			if err != nil || r.clean() != nil || r.count() != 200 || heard != 200 {
				t.Fatalf("got %d answers, %d heard, %v, %v", r.count(), heard, err, r.clean())
			}
			mu.Lock()
			defer mu.Unlock()
			for body, n := range want {
				if bodies[body] != n {
					t.Errorf("%s: posted %d times, want %d", body, bodies[body], n)
				}
			}
		})
	}
}

// hang is how long a server does not answer, in the tests of open loops.
const hang = 300 * time.Millisecond

// TestAnOpenLoopCountsFromWhenARequestWasDue has a server that hangs once: what
// became due meanwhile has waited, although it was sent later.
func TestAnOpenLoopCountsFromWhenARequestWasDue(t *testing.T) {
	var n atomic.Int64
	address := target(t, func(http.ResponseWriter, *http.Request) {
		if n.Add(1) == 10 {
			<-time.After(hang)
		}
	})
	r, err := bare{}.load(t.Context(), address, shape{connections: 1, rate: 100}, &list{left: requests(t, address, 50)})
	if err != nil || r.clean() != nil {
		t.Fatal(err, r.clean())
	}
	waited := 0
	for _, took := range r.times() {
		if took > hang/4 {
			waited++
		}
	}
	// 300 ms at 100 a second: some twenty became due in the first three quarters.
	if waited < 15 {
		t.Errorf("got %d requests that waited, want all that were due while the server hung", waited)
	}
	if r.elapsed < 450*time.Millisecond {
		t.Errorf("50 requests at 100 a second took %v", r.elapsed)
	}
}

func TestALoadThatShedsDoesNotSendLate(t *testing.T) {
	var n atomic.Int64
	address := target(t, func(http.ResponseWriter, *http.Request) {
		if n.Add(1) == 1 {
			<-time.After(hang)
		}
	})
	r, err := bare{}.load(t.Context(), address, shape{connections: 1, rate: 100, duration: 400 * time.Millisecond, sheds: true}, &cycle{all: requests(t, address, 10)})
	if err != nil {
		t.Fatal(err)
	}
	if r.shed < 10 || r.count()+r.shed != 40 {
		t.Errorf("got %d answered and %d not sent, want 40 together, and what was due while the connection was busy not sent", r.count(), r.shed)
	}
	if r.clean() == nil || r.correct() != nil {
		t.Errorf("got %v and %v, want a load that is correct, and not clean", r.clean(), r.correct())
	}
}

func TestARefusalNeedsRetryAfter(t *testing.T) {
	for retryAfter, correct := range map[string]bool{"5": true, "": false} {
		address := target(t, func(w http.ResponseWriter, _ *http.Request) {
			if retryAfter != "" {
				w.Header().Set("Retry-After", retryAfter)
			}
			w.WriteHeader(http.StatusServiceUnavailable)
		})
		for _, g := range []generator{bare{}, ordinary{}} {
			r, err := g.load(t.Context(), address, shape{connections: 1}, &list{left: requests(t, address, 3)})
			if err != nil || (r.correct() == nil) != correct || r.clean() == nil {
				t.Errorf("%s, Retry-After %q: got %v, %v, %v", g.name(), retryAfter, err, r.correct(), r.clean())
			}
		}
	}
}

func TestALoadEndsWhenItsContextDoes(t *testing.T) {
	address := target(t, func(http.ResponseWriter, *http.Request) {})
	for _, g := range []generator{bare{}, ordinary{}} {
		ctx, cancel := context.WithCancel(t.Context())
		from := &cycle{all: requests(t, address, 3)}
		from.keep = func(*request, answer) { cancel() }
		if _, err := g.load(ctx, address, shape{connections: 2, duration: time.Hour}, from); err == nil {
			t.Errorf("%s: got no error, want to hear that the load was cut short", g.name())
		}
	}
}

func TestAnAnswerIsReadToItsEnd(t *testing.T) {
	const text = "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nRetry-After: 5\r\nContent-Length: 10\r\n\r\n0123456789"
	for cut := range text {
		if _, whole, err := parseAnswer([]byte(text[:cut])); whole || err != nil {
			t.Fatalf("the first %d bytes: got %v, %v, want to wait for more", cut, whole, err)
		}
	}
	a, whole, err := parseAnswer([]byte(text))
	if err != nil || !whole || a.status != 503 || !a.retryAfter || string(a.body) != "0123456789" {
		t.Errorf("got %+v, %v, %v", a, whole, err)
	}
	for _, strange := range []string{"HTTP/1.1 200 OK\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", "HTTP\r\n\r\n", "HTTP/1.1 abc OK\r\nContent-Length: 0\r\n\r\n"} {
		if _, _, err := parseAnswer([]byte(strange)); err == nil {
			t.Errorf("%q: got no error", strange)
		}
	}
}
