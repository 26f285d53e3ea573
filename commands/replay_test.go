package commands_test

import (
	"encoding/xml"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var lastLine = regexp.MustCompile(`\n(\d+) passed, (\d+) failed\n$`)

// counted is the last line of a replay, which says how many passed and failed.
func counted(t testing.TB, got result) (passed, failed string) {
	t.Helper()
	found := lastLine.FindStringSubmatch("\n" + got.out)
	if found == nil {
		t.Fatalf("the last line is not the count: %+v", got)
	}
	return found[1], found[2]
}

func TestEveryFixturePassesAgainstAThrowAwayServer(t *testing.T) {
	s := newShop(t)
	report := filepath.Join(s.dir, "report.xml")
	got := s.tolem(t, "replay", "--junit", report, "../fixtures")
	passed, failed := counted(t, got)
	if got.code != 0 || failed != "0" || len(passed) < 2 || got.err != "" {
		t.Errorf("got exit code %d, %s passed, %s failed\n%s%s", got.code, passed, failed, failures(got.out), got.err)
	}
	if lines := strings.Count(got.out, "\nok   "); lines < 40 {
		t.Errorf("got %d lines of passed exchanges, want at least 40", lines)
	}
	data, err := os.ReadFile(report)
	if err != nil {
		t.Fatal(err)
	}
	var suites struct {
		Tests    string `xml:"tests,attr"`
		Failures string `xml:"failures,attr"`
	}
	if err := xml.Unmarshal(data, &suites); err != nil || suites.Tests != fmt.Sprint(strings.Count(got.out, "\nok ")+strings.Count(got.out, "\nFAIL ")+1) || suites.Failures != failed {
		t.Errorf("JUnit report: got %+v, %v, want %s passed tests and %s failures", suites, err, passed, failed)
	}
	s.untouched(t)
}

// failures are the lines of exchanges that failed.
func failures(out string) string {
	var failed strings.Builder
	for line := range strings.Lines(out) {
		if !strings.HasPrefix(line, "ok ") {
			failed.WriteString(line)
		}
	}
	return failed.String()
}

func TestFixturesPassAgainAndShuffledAgainstOneServer(t *testing.T) {
	s := newShop(t)
	r := s.serve(t)
	for _, order := range []string{"--shuffle=1", "--shuffle"} {
		got := s.tolem(t, "replay", "--url", r.public, "--admin-url", r.admin, order, "../fixtures")
		if _, failed := counted(t, got); got.code != 0 || failed != "0" {
			t.Errorf("%s: got exit code %d\n%s%s", order, got.code, failures(got.out), got.err)
		}
		if !regexp.MustCompile(`--shuffle=\d+`).MatchString(got.err) {
			t.Errorf("%s: got %q, want the seed named", order, got.err)
		}
	}
	r.end(t)
	s.must(t, "ledger", "check")
}

func TestReplayFindsADifferenceInTheAnswerAndInTheBooks(t *testing.T) {
	s := newShop(t)
	for name, change := range map[string]func(string) string{
		"answer": func(text string) string { return strings.Replace(text, `"status": 200`, `"status": 201`, 1) },
		"books":  func(text string) string { return strings.ReplaceAll(text, `"succeeded"`, `"declined"`) },
	} {
		folder := filepath.Join(t.TempDir(), "credit")
		if err := os.CopyFS(folder, os.DirFS("../fixtures/jetpay/credit")); err != nil {
			t.Fatal(err)
		}
		changeFiles(t, folder, change)
		got := s.tolem(t, "replay", folder)
		_, failed := counted(t, got)
		if got.code != 1 || failed == "0" || !strings.Contains(got.out, "FAIL ") || got.err != "" {
			t.Errorf("%s: got %+v", name, got)
		}
	}
}

// changeFiles changes what is expected in a folder of fixtures, and wants that
// there was something to change.
func changeFiles(t testing.TB, folder string, change func(string) string) {
	t.Helper()
	changed := false
	err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || strings.HasSuffix(path, ".request.json") {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		text := change(string(data))
		changed = changed || text != string(data)
		return os.WriteFile(path, []byte(text), 0o600)
	})
	if err != nil {
		t.Fatal(err)
	}
	if !changed {
		t.Fatal("the fixtures have nothing of what was to be changed")
	}
}

func TestReplayWithoutTheAdminAPISaysSoAndGoesOn(t *testing.T) {
	s := newShop(t)
	r := s.serve(t)
	got := s.tolem(t, "replay", "--url", r.public, "../fixtures/jetpay/credit")
	if _, failed := counted(t, got); got.code != 0 || failed != "0" || strings.Count(got.err, "effects on the ledger are not checked") != 1 {
		t.Errorf("got %+v", got)
	}
	if got := s.tolem(t, "replay", "--url", r.public, "--admin-url", "http://127.0.0.1:1", "../fixtures/jetpay/credit"); got.code != 1 {
		t.Errorf("a named admin API that cannot be reached: got %+v", got)
	}
}

func TestReplayFindsTheDemoDataBesideTheFixtures(t *testing.T) {
	s := newShop(t)
	s.env = []string{"TOLEM_DEMO__ACCOUNTS=", "TOLEM_DEMO__PAYMENTS="}
	if got := s.tolem(t, "replay", "../fixtures/jetpay/seed-page"); got.code != 0 {
		t.Errorf("got %+v", got)
	}
	folder := t.TempDir()
	if err := os.CopyFS(folder, os.DirFS("../fixtures/jetpay/credit")); err != nil {
		t.Fatal(err)
	}
	got := s.tolem(t, "replay", folder)
	if got.code != 1 {
		t.Errorf("got %+v", got)
	}
	contains(t, "without demo data", got.err, "accounts.jsonl", "demo.accounts")
}
