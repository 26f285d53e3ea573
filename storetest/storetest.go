// Package storetest gives a test a database of its own, of the kind that the
// run is about: a SQLite file, or, with TOLEM_TEST_STORE=postgres in the
// environment, a PostgreSQL database.
package storetest

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"

	"tolem/pgtest"
	"tolem/store"
)

// OnPostgres is true when this run of the tests uses PostgreSQL.
func OnPostgres() bool { return os.Getenv("TOLEM_TEST_STORE") == "postgres" }

// OnlySQLite skips a test of what there is on SQLite alone.
func OnlySQLite(t testing.TB, what string) {
	t.Helper()
	if OnPostgres() {
		t.Skipf("only on SQLite: %s", what)
	}
}

// OnlyPostgres skips a test of what there is on PostgreSQL alone.
func OnlyPostgres(t testing.TB) {
	t.Helper()
	if !OnPostgres() {
		t.Skip("only on PostgreSQL")
	}
}

// New names a new database that has only its tables. On both databases it is a copy
// of one that was migrated once: to migrate takes most of the time of a short test.
func New(t testing.TB) store.Options {
	t.Helper()
	if !OnPostgres() {
		content, err := migratedFile()
		if err != nil {
			t.Fatal(err)
		}
		o := Missing(t)
		if err := os.WriteFile(o.Path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		return o
	}
	return store.Options{Postgres: pgtest.Template(t, "store", func(url string) error {
		s, err := store.Open(context.Background(), store.Options{Postgres: url})
		if err != nil {
			return err
		}
		return s.Close()
	})}
}

// migratedFile is the content of a SQLite file that has only its tables.
var migratedFile = sync.OnceValues(func() (content []byte, err error) {
	folder, err := os.MkdirTemp("", "storetest")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	path := filepath.Join(folder, "tolem.db")
	s, err := store.Open(context.Background(), store.Options{Path: path})
	if err != nil {
		return nil, err
	}
	if err := s.Close(); err != nil { // which leaves no write-ahead log
		return nil, err
	}
	return os.ReadFile(path)
})

// Missing names a SQLite file that does not exist, on either database.
func Missing(t testing.TB) store.Options {
	t.Helper()
	return store.Options{Path: filepath.Join(t.TempDir(), "tolem.db")}
}

// Unopened names a database for a test of who opens it first: a file that does not
// exist, or a PostgreSQL database that has only its tables, which take long there.
func Unopened(t testing.TB) store.Options {
	t.Helper()
	if !OnPostgres() {
		return Missing(t)
	}
	return New(t)
}

// Empty names a database without any tables: a file that does not exist, or an empty
// database.
func Empty(t testing.TB) store.Options {
	t.Helper()
	if !OnPostgres() {
		return Missing(t)
	}
	return store.Options{Postgres: pgtest.Database(t)}
}

// Config is the section database of a configuration that names the database.
func Config(o store.Options) string {
	if o.Postgres != "" {
		return fmt.Sprintf("database: {driver: postgres, dsn: %q}\n", o.Postgres)
	}
	return fmt.Sprintf("database: {dsn: %q}\n", o.Path)
}

// DB is a connection of an operator's own. In its SQL a question mark is a
// parameter.
type DB struct {
	*sql.DB
	numbered bool // PostgreSQL numbers its arguments
}

// Open connects to the database beside the store, as an operator with a shell
// would. The connection is closed with the test, if not before.
func Open(t testing.TB, o store.Options) DB {
	t.Helper()
	driver, source := store.DriverName, "file:"+o.Path
	if o.Postgres != "" {
		driver, source = "pgx", o.Postgres
	}
	return OpenAt(t, driver, source)
}

// OpenAt is [Open] with a driver, and a data source in the driver's own form.
func OpenAt(t testing.TB, driver, source string) DB {
	t.Helper()
	db, err := sql.Open(driver, source)
	if err != nil {
		t.Fatal(err)
	}
	db.SetMaxOpenConns(1)
	t.Cleanup(func() { _ = db.Close() })
	return DB{db, driver == "pgx"}
}

// Exec is that of sql.DB.
func (db DB) Exec(query string, args ...any) (sql.Result, error) {
	return db.DB.Exec(db.rebound(query), args...)
}

// Query is that of sql.DB.
func (db DB) Query(query string, args ...any) (*sql.Rows, error) {
	return db.DB.Query(db.rebound(query), args...)
}

// QueryRow is that of sql.DB.
func (db DB) QueryRow(query string, args ...any) *sql.Row {
	return db.DB.QueryRow(db.rebound(query), args...)
}

// rebound numbers the question marks for PostgreSQL.
func (db DB) rebound(query string) string {
	if !db.numbered {
		return query
	}
	parts := strings.Split(query, "?")
	for i := range parts[1:] {
		parts[i] += fmt.Sprintf("$%d", i+1)
	}
	return strings.Join(parts, "")
}

// Hold keeps everybody else from writing, as another process could, until
// release is called.
func Hold(t testing.TB, o store.Options) (release func()) {
	t.Helper()
	ctx := context.Background()
	db, err := Open(t, o).Conn(ctx)
	if err != nil {
		t.Fatal(err)
	}
	begin := []string{"BEGIN IMMEDIATE"}
	if o.Postgres != "" {
		begin = []string{"BEGIN", "LOCK TABLE writers"} // every batch begins there
	}
	for _, statement := range begin {
		if _, err := db.ExecContext(ctx, statement); err != nil {
			t.Fatal(err)
		}
	}
	return func() {
		if _, err := db.ExecContext(ctx, "ROLLBACK"); err != nil {
			t.Error(err)
		}
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}
}
