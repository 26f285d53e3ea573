// Matrix runs the tests, in several passes: on either database, with either
// SQLite driver.
//
//	go run ./.ci/matrix quick   # what one runs before a commit
//	go run ./.ci/matrix all     # everything, and the coverage is judged
//
// If TOLEM_TEST_RESULTS names a folder, passes that succeeded are noted there, and not
// run again when their turn comes in the other command: .ci/run runs both on the same
// files, one after the other.
//
// Passes on SQLite and passes on PostgreSQL run side by side. It prints each
// package as go test does when it ends, each test that fails, what is under way
// every ten seconds, and last how many tests passed, failed and were skipped. No
// pass has a time limit: one that makes no progress is ended, see stalled.
package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"time"
)

// tick is how often a line says what is under way.
const tick = 10 * time.Second

func main() {
	if len(os.Args) != 2 || os.Args[1] != "quick" && os.Args[1] != "all" {
		fmt.Fprintln(os.Stderr, "usage: go run ./.ci/matrix quick|all")
		os.Exit(2)
	}
	if err := run(os.Args[1] == "all"); err != nil {
		fmt.Fprintln(os.Stderr, "matrix:", err)
		os.Exit(1)
	}
}

func run(all bool) error {
	packages, err := listPackages()
	if err != nil {
		return err
	}
	known := results(os.Getenv("TOLEM_TEST_RESULTS"))
	counters := known.counters()
	if counters == "" && all {
		if counters, err = os.MkdirTemp("", "tolem-coverage-"); err != nil {
			return err
		}
		defer os.RemoveAll(counters)
	}
	env := surroundings{postgres: os.Getenv("TOLEM_TEST_POSTGRES") != "", ci: os.Getenv("CI") == "true"}
	_, err = exec.LookPath("gcc")
	env.gcc = err == nil
	if !env.postgres {
		fmt.Println("without PostgreSQL: its passes are left out, and the coverage is not judged")
		if env.ci {
			return errors.New("CI=true, and there is no PostgreSQL: install the Debian package postgresql")
		}
	}

	r := newReport(os.Stdout)
	lanes := quickLanes(env, packages, counters)
	if all {
		lanes = allLanes(env, packages, counters)
	}
	// Ctrl-C reaches the group of this process alone; each pass has one of its own.
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	go func() { r.interrupt(<-signals) }()
	stop := r.every(tick)
	var running sync.WaitGroup
	for _, lane := range lanes {
		for _, p := range lane {
			if p.counts != "" {
				if err := os.MkdirAll(p.counts, 0o700); err != nil {
					return err
				}
			}
		}
		running.Go(func() { r.lane(lane, known) })
	}
	running.Wait()
	stop()
	if all && env.postgres && !r.failed() {
		r.note(judgeCoverage(r.print, counters))
	}
	return r.end()
}

// lane runs passes one after the other; the next ones run also when one fails.
func (r *report) lane(passes []pass, known results) {
	for _, p := range passes {
		if r.interrupted() {
			return
		}
		if before, ok := known.of(p); ok {
			r.again(p, before)
			continue
		}
		r.note(r.pass(p, known))
	}
}

// pass runs one go test. What go vet finds is found by .ci/lint.sh, once for all
// builds.
func (r *report) pass(p pass, known results) error {
	args := append([]string{"test", "-json", "-count=1", "-timeout=0", "-p=1", "-vet=off"}, p.flags...)
	args = append(append(args, p.packages...), p.args...)
	command := exec.Command("go", args...)
	command.Env = append(os.Environ(), p.env...)
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	command.Stderr = r.prefixed(p.name)
	events, err := command.StdoutPipe()
	if err != nil {
		return err
	}
	w := r.begin(p)
	if err := command.Start(); err != nil {
		return err
	}
	ended := make(chan struct{})
	go w.watch(command.Process.Pid, ended)
	w.read(events)
	err = command.Wait()
	close(ended)
	r.finish(w)
	if err != nil {
		return fmt.Errorf("%s: go test: %w", p.name, err)
	}
	return known.keep(p, w.result)
}

func listPackages() ([]string, error) {
	out, err := exec.Command("go", "list", "./...").Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w", err)
	}
	return strings.Fields(string(out)), nil
}
