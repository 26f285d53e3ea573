package pgtest_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	osexec "os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"tolem/pgtest"
	"tolem/testkit"
)

// asHelper makes the test program start a server and wait to be killed.
const asHelper = "TOLEM_PGTEST_HELPER"

func TestAServerIsAsDurableAsPostgreSQLComes(t *testing.T) {
	conn := open(t, pgtest.NewServer(t, pgtest.Options{}).URL("postgres"))
	for _, setting := range []string{"fsync", "full_page_writes", "synchronous_commit"} {
		if got, want := value[string](t, conn, `SELECT current_setting($1)`, setting), "on"; got != want {
			t.Errorf("%s: got %s, want %s", setting, got, want)
		}
	}
	if got, want := value[string](t, conn, `SHOW listen_addresses`), ""; got != want {
		t.Errorf("listens on %q, want %q", got, want)
	}
}

func TestAColumnWithoutACollationSortsAsInEnglish(t *testing.T) {
	conn := open(t, pgtest.NewServer(t, pgtest.Options{}).URL("postgres"))
	if value[int](t, conn, `SELECT current_setting('server_version_num')::integer`) < 150000 {
		t.Skip("before PostgreSQL 15 only the system's collations are there")
	}
	if !value[bool](t, conn, `SELECT 'a' < 'B'`) {
		t.Error("text sorts by bytes: a forgotten COLLATE would not be found")
	}
}

func TestAServerTakesSettings(t *testing.T) {
	server := pgtest.NewServer(t, pgtest.Options{Settings: map[string]string{"max_connections": "17", "work_mem": "5MB"}})
	conn := open(t, server.URL("postgres"))
	for setting, want := range map[string]string{"max_connections": "17", "work_mem": "5MB"} {
		if got := value[string](t, conn, `SELECT current_setting($1)`, setting); got != want {
			t.Errorf("%s: got %s, want %s", setting, got, want)
		}
	}
}

func TestAKilledServerHasWhatWasCommitted(t *testing.T) {
	server := pgtest.NewServer(t, pgtest.Options{})
	url := server.URL("postgres")
	done, underWay := open(t, url), open(t, url)
	exec(t, done, `CREATE TABLE payments (id INTEGER)`)
	exec(t, done, `INSERT INTO payments VALUES (1)`)
	exec(t, underWay, `BEGIN; INSERT INTO payments VALUES (2)`)

	if err := server.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := done.Ping(t.Context()); err == nil {
		t.Error("a connection outlived the server")
	}
	if err := server.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got, want := value[int](t, open(t, url), `SELECT sum(id) FROM payments`), 1; got != want {
		t.Errorf("sum of ids: got %d, want %d", got, want)
	}
}

func TestARestartKeepsEverything(t *testing.T) {
	server := pgtest.NewServer(t, pgtest.Options{})
	url := server.URL("postgres")
	before := open(t, url)
	exec(t, before, `CREATE TABLE payments (id INTEGER)`)
	if err := server.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := before.Ping(t.Context()); err == nil {
		t.Error("a connection outlived the restart")
	}
	if got, want := value[int](t, open(t, url), tables), 1; got != want {
		t.Errorf("tables: got %d, want %d", got, want)
	}
}

func TestASuspendedServerAnswersNothingUntilItIsResumed(t *testing.T) {
	server := pgtest.NewServer(t, pgtest.Options{})
	conn := open(t, server.URL("postgres"))
	exec(t, conn, `CREATE TABLE payments (id INTEGER)`)
	if err := server.Suspend(t.Context()); err != nil {
		t.Fatal(err)
	}
	answered := make(chan error, 1)
	go func() {
		_, err := conn.Exec(context.Background(), `INSERT INTO payments VALUES (1)`)
		answered <- err
	}()
	soon, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if other, err := pgx.Connect(soon, server.URL("postgres")); err == nil {
		_ = other.Close(t.Context())
		t.Error("it takes sessions")
	}
	select {
	case err := <-answered:
		t.Errorf("it answers: %v", err)
	default:
	}
	if err := server.Resume(); err != nil {
		t.Fatal(err)
	}
	if err := <-answered; err != nil {
		t.Error(err)
	}
}

func TestAStoppedServerLeavesNothing(t *testing.T) {
	parent := shortFolder(t)
	server := pgtest.NewServer(t, pgtest.Options{Folder: parent})
	for range 2 {
		if err := server.Stop(); err != nil {
			t.Fatal(err)
		}
	}
	wantEmpty(t, parent)
	if err := server.Restart(t.Context()); err == nil {
		t.Error("a stopped server was started again")
	}
}

func TestAServerThatDoesNotStartSaysWhyAndLeavesNothing(t *testing.T) {
	pgtest.NewServer(t, pgtest.Options{}) // skips where there is none at all
	parent := shortFolder(t)
	_, err := pgtest.Start(t.Context(), pgtest.Options{Folder: parent, Settings: map[string]string{"work_mem": "much"}})
	if err == nil || !strings.Contains(err.Error(), "work_mem") {
		t.Errorf("got error %v, want one that names work_mem", err)
	}
	wantEmpty(t, parent)

	ended, end := context.WithCancel(t.Context())
	end()
	if _, err := pgtest.Start(ended, pgtest.Options{Folder: parent}); err == nil {
		t.Error("a server started though the context had ended")
	}
	wantEmpty(t, parent)

	deep := filepath.Join(parent, strings.Repeat("d", 100))
	if err := os.Mkdir(deep, 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := pgtest.Start(t.Context(), pgtest.Options{Folder: deep}); err == nil || !strings.Contains(err.Error(), "TMPDIR") {
		t.Errorf("too deep a folder: got error %v, want one that names TMPDIR", err)
	}
	wantEmpty(t, deep)
}

func TestAServerEndsWhenItsProcessIsKilled(t *testing.T) {
	pgtest.NewServer(t, pgtest.Options{}) // skips where there is none at all
	parent := shortFolder(t)
	helper := osexec.Command(os.Args[0], "-test.run=^TestHelper$")
	helper.Env = append(os.Environ(), asHelper+"="+parent)
	helper.Stderr = os.Stderr
	out, err := helper.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := helper.Start(); err != nil {
		t.Fatal(err)
	}
	url, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	conn := open(t, strings.TrimSpace(url))
	if err := helper.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = helper.Wait()
	testkit.Eventually(t, "the server has ended", func() bool { return conn.Ping(t.Context()) != nil })
	testkit.Eventually(t, "its folder is gone", func() bool {
		left, err := os.ReadDir(parent)
		return err == nil && len(left) == 0
	})
}

// TestHelper is the process that TestAServerEndsWhenItsProcessIsKilled kills.
func TestHelper(t *testing.T) {
	parent := os.Getenv(asHelper)
	if parent == "" {
		return
	}
	server, err := pgtest.Start(t.Context(), pgtest.Options{Folder: parent})
	if err != nil {
		t.Fatal(err)
	}
	fmt.Println(server.URL("postgres"))
	select {}
}

// shortFolder is a folder where a server of another user than this one may live:
// those of t.TempDir are closed to others, and deep.
func shortFolder(t *testing.T) string {
	t.Helper()
	folder, err := os.MkdirTemp("", "pg")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(folder); err != nil {
			t.Error(err)
		}
	})
	if err := os.Chmod(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	return folder
}

func wantEmpty(t *testing.T, folder string) {
	t.Helper()
	left, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	if len(left) != 0 {
		t.Errorf("%d things are left in the folder, the first is %s", len(left), left[0].Name())
	}
}
