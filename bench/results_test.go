//go:build linux

package main

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

func someStudy() study {
	s := study{Machine: "2026-11-22, 2 cores of <anything>"}
	for payments := int64(1000); payments <= 10_000_000; payments *= 10 {
		s.Sizes = append(s.Sizes, sized{Payments: payments, Rate: 23456, EmptyRate: 24000, Ratio: .98, P50Millis: .3, P99Millis: 1.7, Resident: 1e8, MostResident: 1.2e8})
	}
	return s
}

func TestThePlotIsXMLWithAPointForEachFigure(t *testing.T) {
	plot := someStudy().plot()
	points := 0
	for decoder := xml.NewDecoder(bytes.NewReader(plot)); ; {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("%v in\n%s", err, plot)
		}
		if start, ok := token.(xml.StartElement); ok && start.Name.Local == "circle" {
			points++
		}
	}
	if want := 5 * 5; points != want {
		t.Errorf("got %d points, want %d", points, want)
	}
	for _, want := range []string{"10,000,000", "&lt;anything&gt;", "p99"} {
		if !bytes.Contains(plot, []byte(want)) {
			t.Errorf("the plot does not contain %q", want)
		}
	}
	if bytes.Contains(plot, []byte("NaN")) || bytes.Contains((study{Sizes: someStudy().Sizes[:1]}).plot(), []byte("NaN")) {
		t.Error("a point has no place")
	}
}

func TestASizeThatIsMeasuredAgainTakesItsOwnPlace(t *testing.T) {
	s := someStudy()
	n := len(s.Sizes)
	s.put(sized{Payments: 10_000, Rate: 1})
	s.put(sized{Payments: 100_000_000, Rate: 2})
	if len(s.Sizes) != n+1 || s.Sizes[1].Rate != 1 || s.Sizes[n].Rate != 2 {
		t.Errorf("got %+v", s.Sizes)
	}
}

func TestKeptResultsAreReadAgain(t *testing.T) {
	name := filepath.Join(t.TempDir(), "results.json")
	want := someStudy()
	if err := want.save(name); err != nil {
		t.Fatal(err)
	}
	got, err := openStudy(name)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestTheSoaksVerdict(t *testing.T) {
	soak := func(memory func(n int) int64) []sample {
		all := make([]sample, 40)
		for n := range all {
			all[n] = sample{at: time.Duration(n) * time.Minute, memory: memory(n), p99: time.Millisecond, goroutines: 50, files: 60, wal: 64e6}
		}
		return all
	}
	slow := func(p99 func(n int) int) []sample {
		all := soak(func(int) int64 { return 80e6 })
		for n := range all {
			all[n].p99 = time.Duration(p99(n)) * time.Millisecond
		}
		return all
	}
	noise := []int{14, 21, 17, 44, 18, 24, 16, 38, 20, 30, 15, 26}
	for name, test := range map[string]struct {
		samples []sample
		level   bool
	}{
		"p99 goes up and down":        {slow(func(n int) int { return noise[n%12] + 17*(n/28)*(n%2) }), true},
		"p99 doubles":                 {slow(func(n int) int { return noise[n%12] * (40 + n) / 40 }), false},
		"steady":                      {soak(func(int) int64 { return 80e6 }), true},
		"warms up":                    {soak(func(n int) int64 { return min(20e6+30e6*int64(n), 80e6) }), true},
		"one outlier":                 {soak(func(n int) int64 { return 80e6 + 500e6*int64(n/39) }), true},
		"a leak of 1 MB per interval": {soak(func(n int) int64 { return 60e6 + 1_500_000*int64(n) }), false},
	} {
		var out bytes.Buffer
		if got := (&bench{out: &out}).printSoak(test.samples); got != test.level {
			t.Errorf("%s: level is %v, want %v\n%s", name, got, test.level, &out)
		}
	}
}

func TestPercentiles(t *testing.T) {
	var all []time.Duration
	for n := range 1000 {
		all = append(all, time.Duration(n))
	}
	slices.Reverse(all)
	if p50, p99 := percentile(all, .5), percentile(all, .99); p50 != 500 || p99 != 990 {
		t.Errorf("got %d and %d", p50, p99)
	}
	if percentile(nil, .5) != 0 || percentile(all[:1], .99) != 999 {
		t.Error("few times have percentiles too")
	}
}

func TestRatesAreShownInThreeDigits(t *testing.T) {
	for rate, want := range map[float64]string{0: "0/s", 7.4: "7/s", 999: "999/s", 1234: "1,230/s", 28_761: "28,800/s", 142_499: "142,000/s", 1_999_500: "2,000,000/s"} {
		if got := perSecond(rate); got != want {
			t.Errorf("%v: got %s, want %s", rate, got, want)
		}
	}
}

func TestATableIsAligned(t *testing.T) {
	var out strings.Builder
	g := newGrid("what", "µ")
	g.row("a", "1.00")
	g.print(&out)
	const want = "| what | µ    |\n|------|------|\n| a    | 1.00 |\n\n"
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", &out, want)
	}
}
