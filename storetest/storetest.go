// Package storetest gives a test a database of its own, of the kind that the
// run is about: a SQLite file, or, with TOLEM_TEST_STORE=postgres in the
// environment, a PostgreSQL database.
package storetest

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strings"
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

// New names a new database: a file that does not exist, or a database that has
// only its tables.
func New(t testing.TB) store.Options {
	t.Helper()
	if !OnPostgres() {
		return store.Options{Path: filepath.Join(t.TempDir(), "tolem.db")}
	}
	return store.Options{Postgres: pgtest.Template(t, "store", func(url string) error {
		s, err := store.Open(context.Background(), store.Options{Postgres: url})
		if err != nil {
			return err
		}
		return s.Close()
	})}
}

// Empty names a database without any tables.
func Empty(t testing.TB) store.Options {
	t.Helper()
	if !OnPostgres() {
		return New(t)
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
	db, err := sql.Open(driver, source)
	if err != nil {
		t.Fatal(err)
	}
	db.SetMaxOpenConns(1)
	t.Cleanup(func() { _ = db.Close() })
	return DB{db, o.Postgres != ""}
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
