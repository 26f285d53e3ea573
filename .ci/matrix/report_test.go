package main

import (
	"bytes"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// ran is what a report says of these events of go test -json.
func ran(t *testing.T, events ...string) (printed string, err error) {
	t.Helper()
	var out bytes.Buffer
	r := newReport(&out)
	w := r.begin(pass{name: "SQLite", packages: []string{"./a", "./b"}})
	w.read(strings.NewReader(strings.Join(events, "\n") + "\n"))
	r.progress()
	r.finish(w)
	err = r.end()
	return out.String(), err
}

const (
	started   = `{"Action":"run","Package":"tolem/a","Test":"TestX"}`
	said      = `{"Action":"output","Package":"tolem/a","Test":"TestX","Output":"    a_test.go:1: got 1, want 2\n"}`
	passed    = `{"Action":"pass","Package":"tolem/a","Test":"TestX","Elapsed":0.1}`
	failed    = `{"Action":"fail","Package":"tolem/a","Test":"TestX","Elapsed":0.1}`
	reason    = `{"Action":"output","Package":"tolem/a","Test":"TestY","Output":"    a_test.go:2: only on PostgreSQL\n"}`
	skipped   = `{"Action":"skip","Package":"tolem/a","Test":"TestY","Elapsed":0}`
	aPassed   = `{"Action":"pass","Package":"tolem/a","Elapsed":0.5}`
	aFailed   = `{"Action":"fail","Package":"tolem/a","Elapsed":0.5}`
	noTests   = `{"Action":"skip","Package":"tolem/b","Elapsed":0}`
	panicked  = `{"Action":"output","Package":"tolem/a","Test":"TestX","Output":"panic: oh\n"}`
	notBuilt  = `{"ImportPath":"tolem/a [tolem/a.test]","Action":"build-output","Output":"a.go:1: undefined: x\n"}`
	buildFail = `{"Action":"fail","Package":"tolem/a","Elapsed":0,"FailedBuild":"tolem/a [tolem/a.test]"}`
)

func TestTheLastLineSaysHowManyTestsPassedAndFailed(t *testing.T) {
	for name, tc := range map[string]struct {
		events []string
		last   string
		has    []string
		hasNot string
	}{
		"all well":          {[]string{started, said, passed, reason, skipped, aPassed, noTests}, "1 passed, 0 failed", []string{"ok  \ttolem/a\t0.500s", "SQLite: 2 tests, 2 of 2 packages, builds", "1 skipped: only on PostgreSQL"}, "got 1"},
		"a test fails":      {[]string{started, said, failed, aFailed}, "0 passed, 1 failed", []string{"FAIL\ttolem/a\t0.500s", "got 1, want 2", "--- FAIL: SQLite: tolem/a TestX"}, ""},
		"a package panics":  {[]string{started, panicked, aFailed}, "0 passed, 1 failed", []string{"panic: oh", "--- FAIL: SQLite: tolem/a"}, ""},
		"it does not build": {[]string{notBuilt, buildFail}, "0 passed, 1 failed", []string{"undefined: x", "--- FAIL: SQLite: tolem/a"}, ""},
		"under way":         {[]string{started}, "0 passed, 0 failed", []string{"a TestX"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			out, err := ran(t, tc.events...)
			lines := strings.Split(strings.TrimSpace(out), "\n")
			if got := lines[len(lines)-1]; got != tc.last {
				t.Errorf("the last line is %q, want %q", got, tc.last)
			}
			for _, part := range tc.has {
				if !strings.Contains(out, part) {
					t.Errorf("%q is not in\n%s", part, out)
				}
			}
			if tc.hasNot != "" && strings.Contains(out, tc.hasNot) {
				t.Errorf("%q is in\n%s", tc.hasNot, out)
			}
			if bad := !strings.HasSuffix(tc.last, " 0 failed"); (err != nil) != bad {
				t.Errorf("error: %v", err)
			}
		})
	}
}

// TestOnlyWhatNeitherSpeaksNorWorksIsEnded: a slow machine is no reason.
func TestOnlyWhatNeitherSpeaksNorWorksIsEnded(t *testing.T) {
	for name, tc := range map[string]struct {
		script string
		idle   bool
	}{
		"waits for ever": {"sleep 600", true},
		"works":          {"while :; do :; done", false},
	} {
		t.Run(name, func(t *testing.T) {
			command := exec.Command("sh", "-c", tc.script)
			command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
			if err := command.Start(); err != nil {
				t.Fatal(err)
			}
			group := command.Process.Pid
			defer func() { _ = command.Wait() }()
			defer func() { _ = syscall.Kill(-group, syscall.SIGKILL) }()
			const enough = 200 * time.Millisecond
			poll := time.NewTicker(10 * time.Millisecond)
			defer poll.Stop()
			before := processorTime(group)
			for n := 0; processorTime(group)-before < enough; n++ {
				if tc.idle && n == 50 {
					return // it has used next to nothing
				}
				<-poll.C
			}
			if tc.idle {
				t.Errorf("it waits, and used %s", enough)
			}
		})
	}
}
