// Faults plants mistakes into the code, one at a time, and runs the test that must
// notice each.
//
//	go run ./.ci/faults            # all of them
//	go run ./.ci/faults ./topup    # those of some packages
//	go run ./.ci/faults -table     # the list, as it is in docs/faults.md
//
// Nothing in the repository is changed: the compiler reads the edited files by its
// flag -overlay. A fault is caught when the build succeeds and the test fails. Before
// that the same tests must pass without any fault.
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

func main() {
	table := flag.Bool("table", false, "print the list and run nothing")
	only := flag.String("only", "", "plant only the faults whose names contain `TEXT`")
	flag.Parse()
	if *table {
		fmt.Print(list())
		return
	}
	if err := run(os.Stdout, *only, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "faults:", err)
		os.Exit(1)
	}
}

// list is the table of docs/faults.md.
func list() string {
	var b strings.Builder
	b.WriteString("| planted fault | caught by |\n|---|---|\n")
	for _, f := range faults {
		fmt.Fprintf(&b, "| %s | `%s` (`%s`) |\n", f.name, strings.ReplaceAll(f.test, "|", "`, `"), strings.TrimPrefix(f.pkg, "./"))
	}
	return b.String()
}

func run(out io.Writer, only string, packages []string) error {
	began := time.Now()
	folder, err := os.MkdirTemp("", "tolem-faults-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	chosen := slices.DeleteFunc(slices.Clone(faults), func(f fault) bool {
		return len(packages) > 0 && !slices.Contains(packages, f.pkg) || !strings.Contains(f.name, only)
	})
	if len(chosen) == 0 {
		return errors.New("there are no faults for these packages")
	}
	if err := passWithoutFaults(chosen); err != nil {
		return err
	}
	caught := 0
	var mu sync.Mutex
	var missed []error
	var all sync.WaitGroup
	room := make(chan struct{}, 2)
	for i, f := range chosen {
		all.Go(func() {
			room <- struct{}{}
			defer func() { <-room }()
			started := time.Now()
			err := f.plant(filepath.Join(folder, fmt.Sprint(i)))
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				missed = append(missed, fmt.Errorf("%s: %w", f.name, err))
				fmt.Fprintf(out, "MISSED  %s: %v\n", f.name, err)
				return
			}
			caught++
			fmt.Fprintf(out, "caught  %s, by %s in %s (%s)\n", f.name, f.test, f.pkg, time.Since(started).Round(100*time.Millisecond))
		})
	}
	all.Wait()
	fmt.Fprintf(out, "%d faults planted, %d caught, in %s\n", len(chosen), caught, time.Since(began).Round(time.Second))
	fmt.Fprintf(out, "proof: runs=%d faults.planted=%d faults.caught=%d\n", 1, len(chosen), caught)
	return errors.Join(missed...)
}

// passWithoutFaults runs the tests that are named, once for each package.
func passWithoutFaults(chosen []fault) error {
	tests := map[string][]string{}
	for _, f := range chosen {
		top, _, _ := strings.Cut(f.test, "/")
		for name := range strings.SplitSeq(top, "|") {
			if !slices.Contains(tests[f.pkg], name) {
				tests[f.pkg] = append(tests[f.pkg], name)
			}
		}
	}
	for pkg, names := range tests {
		text, err := goTest(pkg, strings.Join(names, "|"), "")
		if err != nil {
			return fmt.Errorf("without any fault: %s: %w\n%s", pkg, err, text)
		}
	}
	return nil
}

// goTest runs tests of a package on SQLite, in pure Go.
func goTest(pkg, test, overlay string) (string, error) {
	args := []string{"test", "-json", "-short", "-count=1", "-vet=off", "-timeout=10m", "-run", pattern(test)}
	if overlay != "" {
		args = append(args, "-overlay", overlay)
	}
	args = append(args, pkg)
	if usesRapid(pkg) {
		args = append(args, "-rapid.nofailfile") // what it writes when a test fails is nobody's to keep
	}
	command := exec.Command("go", args...)
	command.Env = append(os.Environ(), "CGO_ENABLED=0", "TOLEM_TEST_STORE=", "TOLEM_TEST_LONG=")
	text, err := command.CombinedOutput()
	return string(text), err
}

// usesRapid reports whether the tests of a package have the flags of rapid.
func usesRapid(pkg string) bool {
	files, _ := filepath.Glob(filepath.Join(pkg, "*_test.go"))
	return slices.ContainsFunc(files, func(name string) bool {
		text, err := os.ReadFile(name)
		return err == nil && bytes.Contains(text, []byte(`"pgregory.net/rapid"`))
	})
}

// pattern is for go test -run.
func pattern(test string) string {
	parts := strings.Split(test, "/")
	for i, part := range parts {
		parts[i] = "^(" + part + ")$"
	}
	return strings.Join(parts, "/")
}

// plant runs the test with the fault; nil says that it was caught.
func (f fault) plant(folder string) error {
	if err := os.Mkdir(folder, 0o700); err != nil {
		return err
	}
	replace := map[string]string{}
	for i, e := range f.edits {
		text, err := e.apply(".")
		if err != nil {
			return err
		}
		original, err := filepath.Abs(e.file)
		if err != nil {
			return err
		}
		replace[original] = filepath.Join(folder, fmt.Sprint(i)+filepath.Ext(e.file))
		if err := os.WriteFile(replace[original], text, 0o600); err != nil {
			return err
		}
	}
	overlay, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return err
	}
	name := filepath.Join(folder, "overlay.json")
	if err := os.WriteFile(name, overlay, 0o600); err != nil {
		return err
	}
	text, err := goTest(f.pkg, f.test, name)
	if err == nil {
		return errors.New("the test passes")
	}
	return caughtBy(text, f.test)
}

// apply returns the file with the edit.
func (e edit) apply(root string) ([]byte, error) {
	text, err := os.ReadFile(filepath.Join(root, e.file))
	if err != nil {
		return nil, err
	}
	if n := bytes.Count(text, []byte(e.old)); n != 1 {
		return nil, fmt.Errorf("%s has %q %d times, which must be once", e.file, e.old, n)
	}
	return bytes.Replace(text, []byte(e.old), []byte(e.new), 1), nil
}

// caughtBy looks for the failure of the test in what go test -json has printed: a
// build that fails, or another test, catches nothing.
func caughtBy(text, test string) error {
	for line := range strings.Lines(text) {
		var event struct{ Action, Test string }
		if json.Unmarshal([]byte(line), &event) != nil {
			continue
		}
		if event.Action == "fail" && slices.Contains(strings.Split(test, "|"), event.Test) {
			return nil
		}
	}
	return fmt.Errorf("the test did not run to a failure:\n%s", text[max(0, len(text)-2000):])
}
