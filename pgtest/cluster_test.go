package pgtest

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// recorder is a test that may end early without ending the one around it.
type recorder struct {
	testing.TB
	skipped, failed bool
}

func (r *recorder) Helper()      {}
func (r *recorder) Skip(...any)  { r.skipped = true; runtime.Goexit() }
func (r *recorder) Fatal(...any) { r.failed = true; runtime.Goexit() }

func TestWithoutAServerATestIsSkippedAndFailsUnderCI(t *testing.T) {
	for _, c := range []struct {
		name         string
		ci           string
		err          error
		skip, failed bool
	}{
		{"there is one", "true", nil, false, false},
		{"none is installed", "", ErrNotInstalled, true, false},
		{"none is installed, under CI", "true", ErrNotInstalled, false, true},
		{"the one that there is does not start", "", errors.New("no room"), false, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Setenv("CI", c.ci)
			var r recorder
			done := make(chan struct{})
			go func() { defer close(done); without(&r, c.err) }()
			<-done
			if r.skipped != c.skip || r.failed != c.failed {
				t.Errorf("got skipped %t, failed %t, want %t, %t", r.skipped, r.failed, c.skip, c.failed)
			}
		})
	}
}

func TestOnlyDatabasesWhoseProcessIsGoneAreDropped(t *testing.T) {
	server := NewServer(t, Options{})
	join := func() *cluster {
		c, err := connect(t.Context(), server.URL("postgres"), nil)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	create := func(c *cluster) string {
		name, err := c.create(t.Context(), "template0")
		if err != nil {
			t.Fatal(err)
		}
		return name
	}
	living, dead := join(), join()
	defer leave(living)
	kept, dropped := create(living), create(dead)
	if _, err := living.admin.Exec(t.Context(), `CREATE DATABASE tolem_test_of_somebody`); err != nil {
		t.Fatal(err)
	}
	leave(dead)

	// The server takes a moment to see that a connection is closed, so it may
	// not be the first process after it that drops its database.
	names := databases(t, living)
	for names[dropped] {
		leave(join())
		if !pause(t.Context(), time.Millisecond) {
			t.Fatal("the database of a process that is gone is still there")
		}
		names = databases(t, living)
	}
	for _, name := range []string{kept, "tolem_test_of_somebody"} {
		if !names[name] {
			t.Errorf("%s is gone", name)
		}
	}
}

// leave ends a cluster's connections, as the end of its process does.
func leave(c *cluster) {
	c.admin.Close(context.Background())
	close(c.used)
}

func databases(t *testing.T, c *cluster) map[string]bool {
	t.Helper()
	rows, err := c.admin.Query(t.Context(), `SELECT datname FROM pg_database`)
	if err != nil {
		t.Fatal(err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for _, name := range list {
		names[name] = true
	}
	return names
}

func TestAFillThatFailsIsToldToEveryTest(t *testing.T) {
	server := NewServer(t, Options{})
	c, err := connect(t.Context(), server.URL("postgres"), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer leave(c)
	broken := errors.New("the migration is broken")
	for range 2 {
		if _, err := c.template("broken", func(string) error { return broken }); !errors.Is(err, broken) {
			t.Errorf("got %v, want %v", err, broken)
		}
	}
}

func TestAPasswordIsNotInAnError(t *testing.T) {
	for _, url := range []string{
		"postgres://tolem:hidden@127.0.0.1:1/postgres",
		"postgres://tolem:hidden@127.0.0.1:1/%zz",
		"postgres://tolem:hidden@127.0.0.1:many/postgres",
		"mysql://tolem:hidden@127.0.0.1/postgres",
		"host=127.0.0.1 port=1 password=hidden",
	} {
		_, err := connect(t.Context(), url, nil)
		if err == nil || strings.Contains(err.Error(), "hidden") {
			t.Errorf("%s: got error %v, want one without the password", url, err)
		}
	}
}

func TestTheNewestInstalledServerIsTaken(t *testing.T) {
	root := t.TempDir()
	install := func(version string, programs ...string) {
		folder := filepath.Join(root, version, "bin")
		if err := os.MkdirAll(folder, 0o755); err != nil {
			t.Fatal(err)
		}
		for _, program := range programs {
			if err := os.WriteFile(filepath.Join(folder, program), nil, 0o755); err != nil {
				t.Fatal(err)
			}
		}
	}
	pattern := []string{filepath.Join(root, "*", "bin")}
	if _, err := newest(pattern); !errors.Is(err, ErrNotInstalled) {
		t.Errorf("nothing installed: got %v, want %v", err, ErrNotInstalled)
	}
	install("9.6", "initdb", "postgres")
	install("15", "initdb", "postgres")
	install("17", "psql") // the clients alone
	got, err := newest(pattern)
	if want := filepath.Join(root, "15", "bin"); err != nil || got != want {
		t.Errorf("got %s, %v, want %s", got, err, want)
	}
}
