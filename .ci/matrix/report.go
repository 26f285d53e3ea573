package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"time"
)

// report gathers what the passes come to, and prints it. It is safe for
// concurrent use.
type report struct {
	started time.Time
	stop    chan struct{} // closed by the signal that ends everything

	mu      sync.Mutex
	out     io.Writer
	running []*work
	result  // of the passes that have ended
	errs    []error
}

// result is what passes came to.
type result struct {
	Passed, Failed int
	Skipped        map[string]int // by their reason
	Lines          []string       // of packages, for the end
	Failures       []string
}

// add adds what another pass came to.
func (r *result) add(o result) {
	r.Passed, r.Failed = r.Passed+o.Passed, r.Failed+o.Failed
	for reason, n := range o.Skipped {
		r.Skipped[reason] += n
	}
	r.Lines, r.Failures = append(r.Lines, o.Lines...), append(r.Failures, o.Failures...)
}

func newReport(out io.Writer) *report {
	return &report{started: time.Now(), stop: make(chan struct{}), out: out, result: result{Skipped: map[string]int{}}}
}

// interrupt ends all passes with a signal, and lets no other begin.
func (r *report) interrupt(s os.Signal) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.errs = append(r.errs, fmt.Errorf("ended by a signal: %s", s))
	close(r.stop)
}

func (r *report) interrupted() bool {
	select {
	case <-r.stop:
		return true
	default:
		return false
	}
}

// work is a pass under way.
type work struct {
	report *report
	pass   pass
	ended  int // packages
	tests  int
	now    map[string]time.Time // tests under way, by package and name; zero: it waits for others
	output map[string][]string  // of tests that have not ended
	counts map[string]int       // tests of a package that passed, "pass", or not
	last   time.Time            // when something was heard of it last
	result
}

func (r *report) begin(p pass) *work {
	r.mu.Lock()
	defer r.mu.Unlock()
	w := &work{
		report: r, pass: p, now: map[string]time.Time{}, output: map[string][]string{}, counts: map[string]int{},
		last: time.Now(), result: result{Skipped: map[string]int{}},
	}
	r.running = append(r.running, w)
	return w
}

func (r *report) finish(w *work) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i, other := range r.running {
		if other == w {
			r.running = append(r.running[:i], r.running[i+1:]...)
			break
		}
	}
	r.add(w.result)
}

// note keeps an error for the end.
func (r *report) note(err error) {
	if err == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.errs = append(r.errs, err)
}

func (r *report) failed() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.Failed > 0 || len(r.errs) > 0
}

func (r *report) print(line string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	fmt.Fprintln(r.out, line)
}

// event is a line of go test -json (cmd/test2json).
type event struct {
	Action     string
	Package    string
	ImportPath string // of build-output
	Test       string
	Output     string
	Elapsed    float64
}

// read follows a pass to its end.
func (w *work) read(events io.Reader) {
	lines := bufio.NewReader(events)
	for {
		line, err := lines.ReadBytes('\n')
		if len(line) > 0 {
			w.take(line)
		}
		if err != nil {
			return
		}
	}
}

func (w *work) take(line []byte) {
	r := w.report
	r.mu.Lock()
	defer r.mu.Unlock()
	w.last = time.Now()
	var e event
	if json.Unmarshal(line, &e) != nil {
		fmt.Fprintf(r.out, "%s: %s", w.pass.name, line)
		return
	}
	key := e.Package + " " + e.Test
	switch e.Action {
	case "build-output":
		fmt.Fprint(r.out, e.Output)
	case "run", "cont":
		w.now[key] = time.Now()
	case "pause":
		w.now[key] = time.Time{} // it lets others go first
	case "output":
		w.output[key] = append(w.output[key], e.Output)
	case "pass", "fail", "skip":
		w.end(e, key)
	}
}

// end notes the end of a test, or of a package. A test with parts counts as one
// of them: what go test calls a test is one.
func (w *work) end(e event, key string) {
	r := w.report
	output := w.output[key]
	delete(w.output, key)
	delete(w.now, key)
	if e.Test == "" {
		w.endPackage(e, output)
		return
	}
	w.tests++
	w.counts[e.Package]++
	switch e.Action {
	case "pass":
		w.Passed++
	case "skip":
		w.Skipped[reasonIn(output)]++
	case "fail":
		w.Failed++
		w.Failures = append(w.Failures, fmt.Sprintf("%s: %s %s", w.pass.name, e.Package, e.Test))
		fmt.Fprintf(r.out, "%s: %s\n%s", w.pass.name, e.Package, strings.Join(output, ""))
	}
}

func (w *work) endPackage(e event, output []string) {
	r := w.report
	w.ended++
	line := fmt.Sprintf("ok  \t%s\t%.3fs\t%s", e.Package, e.Elapsed, w.pass.name)
	switch {
	case e.Action == "skip" || w.counts[e.Package] == 0 && e.Action == "pass":
		return // it has no tests, or none of those that this pass is about
	case e.Action == "fail":
		line = fmt.Sprintf("FAIL\t%s\t%.3fs\t%s", e.Package, e.Elapsed, w.pass.name)
		if len(w.now) > 0 || w.counts[e.Package] == 0 {
			// It ended without saying what became of a test: what it wrote tells why.
			w.Failed++
			w.Failures = append(w.Failures, fmt.Sprintf("%s: %s", w.pass.name, e.Package))
			for key, rest := range w.output {
				if strings.HasPrefix(key, e.Package+" ") {
					output = append(rest, output...)
				}
			}
			fmt.Fprint(r.out, strings.Join(output, ""))
		}
		clear(w.now)
		clear(w.output)
	}
	w.Lines = append(w.Lines, line)
	fmt.Fprintln(r.out, line)
}

// every prints what is under way, until stop is called.
func (r *report) every(d time.Duration) (stop func()) {
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		ticker := time.NewTicker(d)
		defer ticker.Stop()
		for {
			select {
			case <-done:
				return
			case <-ticker.C:
				r.progress()
			}
		}
	}()
	return func() { close(done); <-ended }
}

func (r *report) progress() {
	r.mu.Lock()
	defer r.mu.Unlock()
	var parts []string
	for _, w := range r.running {
		doing := "builds"
		var since time.Time
		for key, at := range w.now {
			if at.After(since) {
				doing, since = strings.TrimPrefix(key, "tolem/"), at
			}
		}
		parts = append(parts, fmt.Sprintf("%s: %d tests, %d of %d packages, %s", w.pass.name, w.tests, w.ended, len(w.pass.packages), doing))
	}
	fmt.Fprintf(r.out, "%s  %s\n", r.elapsed(), strings.Join(parts, "; "))
}

func (r *report) elapsed() time.Duration { return time.Since(r.started).Round(time.Second) }

// end prints the summary, and returns what was wrong.
func (r *report) end() error {
	fmt.Fprintf(r.out, "\n%s\n", strings.Join(r.Lines, "\n"))
	for _, failure := range r.Failures {
		fmt.Fprintf(r.out, "--- FAIL: %s\n", failure)
	}
	for _, reason := range slices.Sorted(maps.Keys(r.Skipped)) {
		fmt.Fprintf(r.out, "%d skipped: %s\n", r.Skipped[reason], reason)
	}
	fmt.Fprintf(r.out, "took %s\n", r.elapsed())
	fmt.Fprintf(r.out, "%d passed, %d failed\n", r.Passed, r.Failed)
	if r.Failed > 0 && len(r.errs) == 0 {
		return errors.New("tests failed")
	}
	return errors.Join(r.errs...)
}

// reasonIn finds why a test was skipped: "    name_test.go:12: reason".
func reasonIn(output []string) string {
	for _, line := range output {
		if _, reason, found := strings.Cut(line, ".go:"); found {
			if _, reason, found = strings.Cut(reason, ": "); found {
				return strings.TrimSpace(reason)
			}
		}
	}
	return "without a reason"
}

// prefixed writes whole lines, each after the name of its pass.
func (r *report) prefixed(name string) io.Writer {
	read, write := io.Pipe()
	go func() {
		lines := bufio.NewScanner(read)
		for lines.Scan() {
			r.print(name + ": " + lines.Text())
		}
		_, _ = io.Copy(io.Discard, read)
	}()
	return write
}
