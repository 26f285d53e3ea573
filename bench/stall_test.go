//go:build linux

package main

import (
	"bytes"
	"encoding/json"
	"io"
	"testing"
	"time"
)

func TestAStallRaisesAPercentile(t *testing.T) {
	const ms = time.Millisecond
	for _, c := range []struct {
		name    string
		machine stalls
		want    time.Duration
	}{
		{"never", stalls{Elapsed: time.Second}, 0},
		// 10 ms in 100: one in five waits, one in a hundred for more than 9.5.
		{"ten of a hundred", stalls{[]time.Duration{10 * ms}, 100 * ms}, 9500 * time.Microsecond},
		{"less than a hundredth", stalls{[]time.Duration{4 * ms}, time.Second}, 0},
		{"two of different lengths", stalls{[]time.Duration{20 * ms, 5 * ms}, time.Second}, 15 * ms},
	} {
		if got := c.machine.lowest(.99); (got - c.want).Abs() > 2*time.Microsecond {
			t.Errorf("%s: got %v, want %v", c.name, got, c.want)
		}
	}
}

// A queue that is told when to stand still has the percentile that is worked out.
func TestTheLowestPercentileIsThatOfAQueue(t *testing.T) {
	s := stalls{Times: []time.Duration{4 * time.Millisecond, 7 * time.Millisecond, 6 * time.Millisecond}, Elapsed: 300 * time.Millisecond}
	const service = 10 * time.Microsecond // half of the top rate: one is due every 20
	var waits []time.Duration
	var free time.Duration // when the server has done all that it has
	for due := time.Duration(0); due < s.Elapsed; due += 2 * service {
		free = max(free, due)
		for i, long := range s.Times { // each begins at 10, 110, 210 ms
			if begins := time.Duration(10+100*i) * time.Millisecond; free >= begins && free < begins+long {
				free = begins + long
			}
		}
		waits = append(waits, free-due)
		free += service
	}
	if got, want := s.lowest(.99), percentile(waits, .99); (got - want).Abs() > 2*service {
		t.Errorf("got %v, a queue has %v", got, want)
	}
}

func TestStallsAreDescribed(t *testing.T) {
	for _, c := range []struct {
		machine stalls
		want    string
	}{
		{stalls{}, "stalls of the machine were not measured"},
		{stalls{Elapsed: time.Second}, "the machine never stalled"},
		{stalls{[]time.Duration{5 * time.Millisecond}, time.Second}, "the machine stalled for 0.5 % of the time, 5.00 ms each"},
		{stalls{[]time.Duration{50 * time.Millisecond}, time.Second}, "the machine stalled for 5.0 % of the time, 50.00 ms each: with them a server of this top rate has no p99 below 45.00 ms"},
	} {
		if got := c.machine.String(); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
}

func TestAStallMeterReportsWhenItsInputEnds(t *testing.T) {
	in, stop := io.Pipe()
	time.AfterFunc(20*sampleEvery, func() { _ = stop.Close() })
	var out bytes.Buffer
	if err := measureStalls(in, &out); err != nil {
		t.Fatal(err)
	}
	var got stalls
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		t.Fatalf("%v in %q", err, out.String())
	}
	if got.fraction() < 0 || got.fraction() > 1 {
		t.Errorf("got %+v", got)
	}
}
