package pgtest_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"

	"tolem/pgtest"
	"tolem/testkit"
)

// open connects to a database for the time of a test.
func open(t *testing.T, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(context.Background()) })
	return conn
}

func exec(t *testing.T, conn *pgx.Conn, sql string) {
	t.Helper()
	if _, err := conn.Exec(t.Context(), sql); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

// value is the one value that a query yields.
func value[T any](t *testing.T, conn *pgx.Conn, sql string, args ...any) T {
	t.Helper()
	var v T
	if err := conn.QueryRow(t.Context(), sql, args...).Scan(&v); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return v
}

func nameOf(t *testing.T, url string) string {
	t.Helper()
	config, err := pgx.ParseConfig(url)
	if err != nil {
		t.Fatal(err)
	}
	return config.Database
}

const tables = `SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace`

func TestADatabaseIsEmptyAndItsOwn(t *testing.T) {
	first, second := open(t, pgtest.Database(t)), open(t, pgtest.Database(t))
	exec(t, first, `CREATE TABLE payments (id TEXT)`)
	if got, want := value[int](t, second, tables), 0; got != want {
		t.Errorf("tables in the second database: got %d, want %d", got, want)
	}
}

func TestADatabaseIsDroppedAfterTheTestThoughSomebodyIsConnected(t *testing.T) {
	watcher := open(t, pgtest.Database(t))
	var url string
	var left *pgx.Conn
	t.Run("a test that leaves a connection", func(t *testing.T) {
		url = pgtest.Database(t)
		var err error
		if left, err = pgx.Connect(t.Context(), url); err != nil {
			t.Fatal(err)
		}
	})
	testkit.Eventually(t, "the database is dropped", func() bool {
		return !value[bool](t, watcher, `SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)`, nameOf(t, url))
	})
	if err := left.Ping(t.Context()); err == nil {
		t.Error("the connection that was left still works")
	}
}

func TestATemplateIsFilledOnceAndCopied(t *testing.T) {
	pgtest.Database(t) // skips where there is none
	var fills atomic.Int32
	fill := func(url string) error {
		fills.Add(1)
		return fillWith(t.Context(), url, `CREATE TABLE payments (id INTEGER); INSERT INTO payments VALUES (1)`)
	}
	t.Run("tests", func(t *testing.T) {
		for range 8 {
			t.Run("at once", func(t *testing.T) {
				t.Parallel()
				conn := open(t, pgtest.Template(t, "filled once", fill))
				exec(t, conn, `INSERT INTO payments VALUES (2)`)
				if got, want := value[int](t, conn, `SELECT sum(id) FROM payments`), 3; got != want {
					t.Errorf("sum of ids: got %d, want %d", got, want)
				}
			})
		}
	})
	if got, want := fills.Load(), int32(1); got != want {
		t.Errorf("fills: got %d, want %d", got, want)
	}
}

func fillWith(ctx context.Context, url, sql string) error {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	_, err = conn.Exec(ctx, sql)
	return errors.Join(err, conn.Close(ctx))
}

func TestATemplateThatIsStillInUseIsWaitedFor(t *testing.T) {
	watcher := open(t, pgtest.Database(t))
	closed := make(chan struct{})
	url := pgtest.Template(t, "left open", func(url string) error {
		left, err := pgx.Connect(t.Context(), url)
		if err != nil {
			return err
		}
		if _, err := left.Exec(t.Context(), `CREATE TABLE payments (id TEXT)`); err != nil {
			return err
		}
		go func() {
			defer close(closed)
			testkit.Eventually(t, "somebody copies the template", func() bool {
				var copying bool
				err := watcher.QueryRow(t.Context(), `SELECT EXISTS (SELECT FROM pg_stat_activity
					WHERE state = 'active' AND query LIKE 'CREATE DATABASE % TEMPLATE ' || $1)`, nameOf(t, url)).Scan(&copying)
				return err != nil || copying
			})
			left.Close(context.Background())
		}()
		return nil
	})
	<-closed
	if got, want := value[int](t, open(t, url), tables), 1; got != want {
		t.Errorf("tables in the copy: got %d, want %d", got, want)
	}
}
