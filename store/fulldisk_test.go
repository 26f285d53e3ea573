//go:build unix

package store_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"tolem/store"
	"tolem/topup"
)

// fullDisk names the database that the child of this test fills.
const fullDisk = "TOLEM_TEST_FULL_DISK"

// TestNothingIsAcknowledgedThatTheDiskDidNotTake: a process whose files may not
// grow any more is told so, and what it had acknowledged before is there. Once
// there is room again, everything works.
func TestNothingIsAcknowledgedThatTheDiskDidNotTake(t *testing.T) {
	if path := os.Getenv(fullDisk); path != "" {
		fillDisk(t, path)
		return
	}
	if onPostgres {
		t.Skip("its disk is its own")
	}
	path := filepath.Join(t.TempDir(), "tolem.db")
	text := childOf(t, fullDisk+"="+path)
	s := mustOpen(t, fileAt(path))
	if !strings.Contains(text, "refused") {
		t.Fatalf("nothing was refused:\n%s", text)
	}
	acknowledged := mustHaveIssued(t, s, text)
	if booked := queryInt(t, rawOpen(t, s), `SELECT count(*) FROM payments`); booked != int64(acknowledged) {
		t.Errorf("%d payments are booked, %d were acknowledged", booked, acknowledged)
	}
	mustIssue(t, s)
}

// childOf runs this test once more in a process of its own, with these variables,
// and returns what it printed.
func childOf(t *testing.T, variables ...string) string {
	t.Helper()
	return childOfTest(t, t.Name(), variables...)
}

// childOfTest is childOf with the name of another test.
func childOfTest(t *testing.T, name string, variables ...string) string {
	t.Helper()
	child := exec.Command(os.Args[0], "-test.run=^"+name+"$", "-test.v")
	// A child that exits leaves its temporary files: here this test removes them.
	child.Env = append(append(os.Environ(), "TMPDIR="+t.TempDir()), variables...)
	text, err := child.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return string(text)
}

// mustHaveIssued looks for every payment that a child says was issued, and
// returns how many those are, which is more than none.
func mustHaveIssued(t *testing.T, s *store.Store, text string) (acknowledged int) {
	t.Helper()
	for line := range strings.Lines(text) {
		if id, is := strings.CutPrefix(strings.TrimSpace(line), "issued "); is {
			acknowledged++
			mustPayment(t, s, id)
		}
	}
	if acknowledged == 0 {
		t.Fatalf("no payment was acknowledged:\n%s", text)
	}
	return acknowledged
}

// fillDisk issues payments until no file of this process may grow any more, and
// some more in vain.
func fillDisk(t *testing.T, path string) {
	s := mustOpen(t, fileAt(path))
	signal.Ignore(syscall.SIGXFSZ)
	const most = 1 << 20
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: most, Max: most}); err != nil {
		t.Fatal(err)
	}
	for refused := 0; refused < 5; {
		id, err := s.Issue(context.Background(), store.NewPayment{
			Provider: "jetpay", Project: "1234", CustomerID: "7123456789", ContractID: "12345", Money: hundred, Method: "terminal/kaspi",
		})
		switch {
		case err == nil:
			fmt.Println("issued", id)
		case kindOf(err) == topup.KindUnavailable:
			refused++
			fmt.Println("refused", err)
		default:
			t.Fatal(err)
		}
	}
	os.Exit(0) // as a crash does, without a checkpoint
}
