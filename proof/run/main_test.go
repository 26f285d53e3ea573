package main

import (
	"errors"
	"strings"
	"testing"
	"time"
)

func TestFiguresAreThoseThatTheTestsReport(t *testing.T) {
	const text = `=== RUN   TestX
    x_test.go:1: proof: runs=1 faults.kill=6 operations=900 acknowledged=800 lost=0 doubled=0
    --- PASS: TestX/a (0.00s)
    x_test.go:1: proof: runs=1 faults.kill=1 operations=10 acknowledged=10 lost=2 doubled=1
--- PASS: TestX (0.00s)
`
	got := figures(text, false)
	for name, want := range map[string]int{"runs": 2, "faults.kill": 7, "operations": 910, "acknowledged": 810, "lost": 2, "doubled": 1} {
		if got[name] != want {
			t.Errorf("%s: got %d, want %d", name, got[name], want)
		}
	}
	if got := figures("--- PASS: TestY (0.00s)\n", true); len(got) != 1 || got["runs"] != 1 {
		t.Errorf("of a test that reports nothing: got %v, want one run", got)
	}
}

func TestWhatIsWrongFails(t *testing.T) {
	for name, c := range map[string]struct {
		figures map[string]int
		text    string
		err     error
		fails   bool
	}{
		"Sound":         {figures: map[string]int{"runs": 1, "lost": 0, "doubled": 0}},
		"Lost":          {figures: map[string]int{"runs": 1, "lost": 1}, fails: true},
		"Doubled":       {figures: map[string]int{"runs": 1, "doubled": 1}, fails: true},
		"NothingIsSaid": {figures: map[string]int{}, fails: true},
		"Skipped":       {figures: map[string]int{"runs": 1}, text: "--- SKIP: TestX (0.00s)\n", fails: true},
		"TestFailed":    {figures: map[string]int{"runs": 1}, err: errors.New("exit status 1"), fails: true},
		"FaultMissed":   {figures: map[string]int{"runs": 1, "faults.planted": 2, "faults.caught": 1}, fails: true},
	} {
		t.Run(name, func(t *testing.T) {
			var out strings.Builder
			r := result{kind: "x", figures: c.figures, text: c.text}
			r.err = r.judge(c.err)
			if err := report(&out, []result{r}, time.Second); (err != nil) != c.fails {
				t.Errorf("got %v\n%s", err, &out)
			}
		})
	}
}
