package commands_test

import (
	"strings"
	"testing"

	"tolem/storetest"
	"tolem/testkit"
)

func TestLedgerSeal(t *testing.T) {
	type printed struct {
		Seq    int64  `json:"seq"`
		SHA256 string `json:"sha256"`
		At     string `json:"at"`
	}
	s := newShop(t)
	s.serve(t).end(t)
	dir := t.TempDir()
	s.credited(t, "1")
	line := s.must(t, "ledger", "seal")
	if strings.Count(line, "\n") != 1 {
		t.Errorf("got %q, want one line", line)
	}
	seal := decode[printed](t, line)
	if seal.Seq == 0 || len(seal.SHA256) != 64 || seal.At == "" {
		t.Fatalf("got %+v", seal)
	}
	if again := s.must(t, "ledger", "seal"); again != line {
		t.Errorf("sealed again: got %s, want %s", again, line)
	}
	file := testkit.WriteFile(t, dir, "seal.json", line)
	logged := testkit.WriteFile(t, dir, "logged.json", `{"level":"info","msg":"the journal is sealed",`+strings.TrimPrefix(line, "{"))
	s.credited(t, "2")
	for _, f := range []string{file, logged} {
		contains(t, f, s.must(t, "ledger", "check", "--seal", f), "is as it was sealed: 1 transactions read, 1 seals of the database verified")
		contains(t, f, s.must(t, "ledger", "check", "--seal", f, "--recent"), "is that of this database")
	}
	contains(t, "ledger check", s.must(t, "ledger", "check"), "the ledger is sound")

	t.Run("RefusesWhatIsNoSeal", func(t *testing.T) {
		for text, want := range map[string]string{
			"":                        "it must be what ledger seal has printed",
			`{"seq":1}`:               "a JSON object with seq, sha256 and at",
			line + line:               "it must be what ledger seal has printed",
			`[` + line + `]`:          "it must be what ledger seal has printed",
			strings.Repeat(" ", 5000): "it is larger than a seal",
			`{"seq":1,"sha256":"zz","at":"2026-11-30T00:00:00Z"}`: "must be 64 hexadecimal digits",
		} {
			got := s.tolem(t, "ledger", "check", "--seal", testkit.WriteFile(t, dir, "wrong.json", text))
			if got.code != 1 {
				t.Errorf("%q: exit code %d", text, got.code)
			}
			contains(t, text, got.err, want)
		}
		if got := s.tolem(t, "ledger", "check", "--seal", dir+"/missing"); got.code != 1 {
			t.Errorf("a missing file: exit code %d", got.code)
		}
		if got := s.tolem(t, "ledger", "check", "--recent"); got.code != 2 {
			t.Errorf("--recent alone: exit code %d, %s", got.code, got.err)
		}
	})

	t.Run("FindsAChange", func(t *testing.T) {
		db := storetest.Open(t, s.database)
		guard := "DROP TRIGGER transactions_no_update"
		if s.database.Postgres != "" {
			guard = "ALTER TABLE transactions DISABLE TRIGGER transactions_insert_only"
		}
		if _, err := db.Exec(guard); err != nil {
			t.Fatal(err)
		}
		s.breakBooks(t, `UPDATE transactions SET recorded_at = recorded_at + 1 WHERE seq = (SELECT min(x.seq) FROM (SELECT seq FROM transactions) x)`)
		got := s.tolem(t, "ledger", "check", "--seal", file)
		if got.code != 1 {
			t.Errorf("exit code %d", got.code)
		}
		contains(t, "--seal", got.err, "is not what was sealed on", "the journal is not what was sealed: 2 problems, 1 transactions read")
		got = s.tolem(t, "ledger", "check")
		contains(t, "ledger check", got.err, "is not what was sealed on")
	})
}

// TestTheServerSealsDaily: at its start, when the newest seal is older than a day.
func TestTheServerSealsDaily(t *testing.T) {
	s := newShop(t)
	s.serve(t).end(t)
	s.credited(t, "1")
	r := s.serve(t)
	logged, found := r.lines.wait("the journal is sealed")
	if !found {
		t.Fatal("the server has not logged a seal")
	}
	r.end(t)
	printed := decode[map[string]any](t, s.must(t, "ledger", "seal"))
	for _, member := range []string{"seq", "sha256", "at"} {
		if logged[member] != printed[member] || logged[member] == nil {
			t.Errorf("%s: logged %v, and ledger seal prints %v", member, logged[member], printed[member])
		}
	}
}
