package commands_test

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/pressly/goose/v3"

	"tolem/store"
	"tolem/storetest"
	"tolem/testkit"
)

// drafts are the hidden files in a folder.
func drafts(t *testing.T, folder string) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(folder, ".*.part*"))
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// fatten makes a copy of the database take a while.
func (s *shop) fatten(t *testing.T) {
	t.Helper()
	s.must(t, "migrate")
	kind, zeros := "BLOB", "zeroblob(100000)"
	if s.database.Postgres != "" {
		kind, zeros = "TEXT", "repeat('x', 100000)"
	}
	s.breakBooks(t, fmt.Sprintf(`INSERT INTO message_bodies (message_id, received_at, body)
		WITH RECURSIVE n (i) AS (SELECT 1000000 UNION ALL SELECT i + 1 FROM n WHERE i < 1000400) SELECT i, 1, CAST(%s AS %s) FROM n`, zeros, kind))
}

// TestABackupRemovesWhatAKilledOneHasLeftAndNothingElse kills real backups half-way.
func TestABackupRemovesWhatAKilledOneHasLeftAndNothingElse(t *testing.T) {
	if testing.Short() {
		t.Skip("builds and kills a real program")
	}
	t.Parallel()
	s := newShop(t)
	s.fatten(t)
	program := buildProgram(t, "0")
	folder := t.TempDir()
	begin := func(name string) *exec.Cmd {
		t.Helper()
		command := exec.Command(program, "backup", filepath.Join(folder, name), "--config", s.config)
		command.Env = environment(s.env...)
		if err := command.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = command.Process.Kill() })
		return command
	}
	// killed leaves the draft of a backup that was under way.
	killed := func(name string) {
		t.Helper()
		for attempt := 0; ; attempt++ {
			command := begin(fmt.Sprintf("%s-%d", name, attempt))
			testkit.Eventually(t, "there is a draft, or a backup", func() bool {
				_, err := os.Stat(filepath.Join(folder, fmt.Sprintf("%s-%d", name, attempt)))
				return len(drafts(t, folder)) > 1 || err == nil
			})
			if err := command.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			_ = command.Wait() // killed, or finished before
			if len(drafts(t, folder)) > 1 {
				return
			}
			for _, name := range drafts(t, folder) { // the lock alone
				if err := os.Remove(name); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	killed("first")
	old, foreign := filepath.Join(folder, ".copy.db.ABCDEFGH.part"), filepath.Join(folder, ".copy.db.IJKLMNOP.part")
	for _, name := range []string{old, foreign, filepath.Join(folder, ".other.part")} {
		if err := os.WriteFile(name, []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	long := time.Now().Add(-25 * time.Hour) // of a program that made no locks
	if err := os.Chtimes(old, long, long); err != nil {
		t.Fatal(err)
	}
	running := begin("running")
	testkit.Eventually(t, "there is its draft", func() bool {
		return strings.Contains(strings.Join(drafts(t, folder), "\n"), ".running.")
	})
	contains(t, "backup", s.must(t, "backup", filepath.Join(folder, "second")), "; checked")
	if err := running.Wait(); err != nil {
		t.Errorf("the backup beside it: %v", err)
	}
	want := []string{foreign, filepath.Join(folder, ".other.part")}
	if left := drafts(t, folder); strings.Join(left, "\n") != strings.Join(want, "\n") {
		t.Errorf("left are %q, want %q", left, want)
	}
}

// TestReadCommandsOnADamagedDatabaseSaySoAndToRestore: to migrate one does nothing.
func TestReadCommandsOnADamagedDatabaseSaySoAndToRestore(t *testing.T) {
	storetest.OnlySQLite(t, "its files are the server's")
	for name, damage := range map[string]func(content []byte) []byte{
		"not a database": func([]byte) []byte { return []byte(strings.Repeat("this is a text\n", 1000)) },
		"nothing":        func([]byte) []byte { return nil },
		"zeros":          func(c []byte) []byte { return make([]byte, len(c)) },
		"one page":       func(c []byte) []byte { return c[:4096] },
		"half a page":    func(c []byte) []byte { return c[:2048] },
		"three quarters": func(c []byte) []byte { return c[:len(c)*3/4] },
		"a hole in the pages": func(c []byte) []byte {
			return append(append(c[:4096:4096], make([]byte, len(c)-8192)...), c[len(c)-4096:]...)
		},
		"a broken schema": func(c []byte) []byte { return []byte(strings.ReplaceAll(string(c), "CREATE TABLE", "CREATE TAXLE")) },
	} {
		t.Run(name, func(t *testing.T) {
			s := newShop(t)
			s.serve(t).end(t)
			content, err := os.ReadFile(s.database.Path)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(s.database.Path, damage(content), 0o600); err != nil {
				t.Fatal(err)
			}
			for _, args := range [][]string{
				{"ledger", "check"}, {"ledger", "export", "--format", "csv"}, {"backup", filepath.Join(s.dir, "copy.db")},
				{"payments", "list", "--json"}, {"accounts", "list", "--json"}, {"suspense", "list"},
			} {
				got := s.tolem(t, args...)
				if got.code == 0 && args[0] != "ledger" && args[0] != "backup" {
					continue // it reads none of what is damaged
				}
				if got.code != 1 || !strings.Contains(got.err+got.out, "damaged") || strings.Contains(got.err, "migrate") {
					t.Errorf("%v: exit code %d\n%s%s", args, got.code, got.out, got.err)
				}
				if args[0] != "ledger" {
					contains(t, strings.Join(args, " "), got.err, "restore a backup", "docs/operations.md")
				}
			}
		})
	}
}

// TestAnUpgradeBeginsWithABackupAndLeavesLogLines goes the whole way with a
// database of the program before.
func TestAnUpgradeBeginsWithABackupAndLeavesLogLines(t *testing.T) {
	database := storetest.Empty(t)
	s := newShopOn(t, database)
	s.env = []string{"TOLEM_DEMO__ACCOUNTS=", "TOLEM_DEMO__PAYMENTS="}
	kind, dialect := "sqlite", goose.DialectSQLite3
	if database.Postgres != "" {
		kind, dialect = "postgres", goose.DialectPostgres
	}
	own := os.DirFS("../store/migrations/" + kind)
	names, err := fs.Glob(own, "*.sql")
	if err != nil || len(names) < 2 {
		t.Fatalf("got %v, %v", names, err)
	}
	db := storetest.Open(t, database)
	provider, err := goose.NewProvider(dialect, db.DB, own)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := provider.UpTo(context.Background(), store.ProgramLevel-1); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	contains(t, "payments list", s.tolem(t, "payments", "list").err, "older schema", "make a backup", "migrate")
	said := s.must(t, "backup", filepath.Join(s.dir, "before.db"))
	contains(t, "backup", said, fmt.Sprintf("schema level %d, checked after an upgrade to %d", store.ProgramLevel-1, store.ProgramLevel))

	r := s.serve(t)
	line, ok := r.lines.wait("the database was migrated")
	if !ok || line["migration"] != names[len(names)-1] || line["from"] != float64(store.ProgramLevel-1) || line["to"] != float64(store.ProgramLevel) || line["took"] == nil {
		t.Errorf("got %v", line)
	}
	r.end(t)

	// The command says the same, here of the copy.
	s.use(store.Options{Path: filepath.Join(s.dir, "before.db")})
	s.env = append(s.env, "TOLEM_DATABASE__DRIVER=sqlite")
	if said := s.must(t, "migrate"); !regexp.MustCompile(fmt.Sprintf(`\.sql: schema level %d to %d in `, store.ProgramLevel-1, store.ProgramLevel)).MatchString(said) {
		t.Errorf("migrate: got %q", said)
	}
}
