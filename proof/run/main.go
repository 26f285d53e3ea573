// Run is a short version of every proof that nothing is lost and nothing is done
// twice: the model beside the program, processes that are killed, power failures,
// restarts under traffic, failovers, notifications, seals, hostile input, and planted faults. It
// prints one table, of figures that the tests report.
//
//	go run ./proof/run
//
// A test reports in lines that begin with "proof: ":
//
//	proof: runs=1 faults.kill=6 operations=900 acknowledged=800 lost=0 doubled=0
//
// The exit code is 1 when anything was lost or done twice, a test failed or was
// skipped, or a row has no figures.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"text/tabwriter"
	"time"
)

// part is a row of the table.
type part struct {
	kind string
	env  []string
	args []string // behind go
	// counts are tests that report no figures: each that passed is a run.
	counts bool
}

const reported = "proof: "

func test(kind, pkg, names string, args ...string) part {
	return part{kind: kind, args: append([]string{"test", "-count=1", "-v", "-timeout=10m", "-run", "^(" + names + ")$", pkg}, args...)}
}

func (p part) with(env ...string) part {
	p.env = append(p.env, env...)
	return p
}

func (p part) passed() part {
	p.counts = true
	return p
}

// onPostgres runs the part with a PostgreSQL server of its own.
func (p part) onPostgres() part {
	p.env = append(p.env, "TOLEM_TEST_STORE=postgres")
	p.args = append([]string{"run", "./pgtest/server", "--", "go"}, p.args...)
	return p
}

// parts run in two lanes, side by side.
func parts(checks int) [2][]part {
	model := test("model beside the program", "./proof", "TestTheServerDoesWhatTheModelDoes", "-rapid.nofailfile")
	crash := test("killed under load", "./commands", "TestAcknowledgedIsBookedAcrossCrashes")
	copies := test("copies of one callback, killed", "./commands", "TestTwoHundredCopiesOfOneCallbackAcrossRestartsCreditOnce")
	restart := test("restarted under traffic", "./commands", "TestAServerThatIsRestartedUnderTrafficLosesNothing")
	on := func(p part, database string) part {
		p.kind += ", " + database
		if database == "PostgreSQL" {
			return p.onPostgres()
		}
		return p
	}
	return [2][]part{{
		on(model, "SQLite").with(fmt.Sprintf("TOLEM_PROOF_CHECKS=%d", checks)),
		test("power failures, SQLite", "./store", "TestPowerCut"),
		{kind: "planted faults", args: []string{"run", "./.ci/faults", "./proof"}},
		{kind: "planted fault: synchronous = NORMAL", args: []string{"run", "./.ci/faults", "-only", "NORMAL instead of FULL"}},
		test("hostile input", "./signing", "TestHostileBodiesAreRefused|TestGreatBodiesAreRefused|TestOneChangedByteFails|TestOneChangedByteOfAnAlertFails|TestAnotherKeyFails").passed(),
		test("hostile messages", "./handlers", "TestNoOtherCutOfASignedStringIsAnotherMovement|TestACallbackWithoutAValidSignatureIs400AndStoresNothing|TestEveryCellOfTheAnswerTable|FuzzAnythingCanBePosted").passed(),
		test("seals", "./store", "TestSeal|TestSealAndOthersAtOnce|TestSealsCannotBeChangedThroughARawConnection").passed(),
	}, {
		on(crash, "SQLite"), on(copies, "SQLite"), on(restart, "SQLite"),
		test("notifications, killed, SQLite", "./commands", "TestKillsAndNotifications"),
		test("hostile connections", "./commands", "TestHostileInput"),
		on(model, "PostgreSQL").with(fmt.Sprintf("TOLEM_PROOF_CHECKS=%d", checks/2)),
		on(crash, "PostgreSQL"), on(restart, "PostgreSQL"),
		test("fails over under load, PostgreSQL", "./commands", "TestFailover").with("TOLEM_TEST_STORE=postgres", "TOLEM_TEST_FAILOVER=1"),
	}}
}

func main() {
	checks := flag.Int("checks", 10, "how many sequences the model tries on SQLite; half of them on PostgreSQL")
	only := flag.String("only", "", "run only the rows whose kinds contain `TEXT`")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Stdout, os.Stderr, *checks, *only); err != nil {
		fmt.Fprintln(os.Stderr, "proof:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out, progress io.Writer, checks int, only string) error {
	began := time.Now()
	scenarios, err := os.MkdirTemp("", "tolem-proof-")
	if err != nil {
		return err
	}
	lanes := parts(checks)
	results := [2][]result{}
	var all sync.WaitGroup
	for lane := range lanes {
		all.Go(func() {
			for _, p := range lanes[lane] {
				if !strings.Contains(p.kind, only) {
					continue
				}
				r := p.run(ctx, scenarios)
				fmt.Fprintf(progress, "%-44s %s\n", p.kind, r.verdict())
				if r.err != nil {
					fmt.Fprintf(progress, "%s\n", r.text)
				}
				results[lane] = append(results[lane], r)
			}
		})
	}
	all.Wait()
	rows := slices.Concat(results[0], results[1])
	err = report(out, rows, time.Since(began))
	if left, _ := filepath.Glob(filepath.Join(scenarios, "*")); len(left) == 0 {
		_ = os.RemoveAll(scenarios)
	} else {
		fmt.Fprintf(progress, "what failed is written down in %s\n", scenarios)
	}
	return err
}

// result is what a part came to.
type result struct {
	kind    string
	figures map[string]int
	took    time.Duration
	text    string // what was printed
	err     error
}

func (r result) verdict() string {
	if r.err != nil {
		return r.err.Error()
	}
	return "passed in " + r.took.Round(time.Second).String()
}

// run runs the part. A model that differs from the program writes the sequence into
// the folder; one that does because a fault was planted has nothing to write.
func (p part) run(ctx context.Context, scenarios string) result {
	began := time.Now()
	command := exec.CommandContext(ctx, "go", p.args...)
	command.Cancel = func() error { return command.Process.Signal(os.Interrupt) }
	command.Env = slices.Concat(os.Environ(), []string{"CGO_ENABLED=0"}, p.env)
	if p.args[1] != "./.ci/faults" {
		command.Env = append(command.Env, "TOLEM_PROOF_SCENARIOS="+scenarios)
	}
	var text bytes.Buffer
	command.Stdout, command.Stderr = &text, &text
	err := command.Run()
	r := result{kind: p.kind, took: time.Since(began), text: text.String()}
	r.figures = figures(r.text, p.counts)
	r.err = r.judge(err)
	return r
}

// judge says what is wrong with a result; err is what the command ended with.
func (r result) judge(err error) error {
	switch {
	case err != nil:
		return fmt.Errorf("FAILED: %w", err)
	case skipped.MatchString(r.text):
		return fmt.Errorf("FAILED: something was skipped: %s", skipped.FindString(r.text))
	case r.figures["runs"] == 0:
		return errors.New("FAILED: no figures were reported")
	case r.figures["lost"] > 0 || r.figures["doubled"] > 0:
		return fmt.Errorf("FAILED: %d lost, %d doubled", r.figures["lost"], r.figures["doubled"])
	case r.figures["faults.planted"] != r.figures["faults.caught"]:
		return fmt.Errorf("FAILED: %d faults planted, %d caught", r.figures["faults.planted"], r.figures["faults.caught"])
	}
	return nil
}

var (
	skipped = regexp.MustCompile(`(?m)^\s*--- SKIP: .*$`)
	passed  = regexp.MustCompile(`(?m)^\s*--- PASS: `)
)

// figures adds what the lines report.
func figures(text string, counts bool) map[string]int {
	sums := map[string]int{}
	for line := range strings.Lines(text) {
		_, after, found := strings.Cut(line, reported)
		if !found {
			continue
		}
		for field := range strings.FieldsSeq(after) {
			name, value, _ := strings.Cut(field, "=")
			if n, err := strconv.Atoi(value); err == nil {
				sums[name] += n
			}
		}
	}
	if counts {
		sums["runs"] += len(passed.FindAllString(text, -1))
	}
	return sums
}

// report prints the table, and says what was wrong.
func report(out io.Writer, rows []result, took time.Duration) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "proof\truns\tfaults injected\toperations\tacknowledged\tlost\tdoubled\tverdict")
	sum := map[string]int{}
	failed := 0
	for _, r := range rows {
		for name, n := range r.figures {
			sum[name] += n
		}
		verdict := "passed"
		if r.err != nil {
			verdict = "FAILED"
			failed++
		}
		row(table, r.kind, r.figures, verdict)
	}
	row(table, "all", sum, took.Round(time.Second).String())
	if err := table.Flush(); err != nil {
		return err
	}
	if failed > 0 || len(rows) == 0 {
		return fmt.Errorf("%d of %d failed", failed, len(rows))
	}
	return nil
}

func row(table io.Writer, kind string, figures map[string]int, verdict string) {
	var faults []string
	for _, name := range slices.Sorted(maps.Keys(figures)) {
		if fault, is := strings.CutPrefix(name, "faults."); is && fault != "caught" {
			faults = append(faults, fmt.Sprintf("%d %s", figures[name], fault))
		}
	}
	figure := func(name string) string {
		n, told := figures[name]
		if !told {
			return "-"
		}
		return strconv.Itoa(n)
	}
	fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", kind, figure("runs"), strings.Join(faults, ", "),
		figure("operations"), figure("acknowledged"), figure("lost"), figure("doubled"), verdict)
}
