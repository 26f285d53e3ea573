// Package sqlite is the engine room of a store on SQLite: how connections are
// opened and statements called, how the write-ahead log is written and copied
// into the database, and whether the files that are open are still those that
// have their names. It is the same on either driver, one in C and one in Go.
//
// It knows no table. Its limits and pauses, and whom it reports to, are options.
package sqlite

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"net/url"
	"strconv"
	"time"
)

// A Connection is how connections to a database are set up.
type Connection struct {
	// BusyTimeout is how long a write waits for another process's write.
	BusyTimeout time.Duration
	// CacheKiB bounds the pages that are kept in memory.
	CacheKiB int
	// ReadOnly refuses every change.
	ReadOnly bool
	// BatchWAL writes what a commit puts into the write-ahead log in one piece,
	// where that can be done.
	BatchWAL bool
}

// DSN builds the data source name with every setting in it: a PRAGMA that is
// executed on a pooled connection would hold for that connection alone.
func (c Connection) DSN(path string) string {
	return (&url.URL{Scheme: "file", OmitHost: true, Path: path, RawQuery: c.query().Encode()}).String()
}

func (c Connection) busyTimeoutMillis() string {
	return strconv.FormatInt(c.BusyTimeout.Milliseconds(), 10)
}

// cacheSize is in KiB, with a minus sign, as SQLite wants it.
func (c Connection) cacheSize() string { return strconv.Itoa(-c.CacheKiB) }

// connector opens connections to a database as long as its files are those that
// were opened first: no connection ever touches a foreign file.
type connector struct {
	driver driver.Driver
	dsn    string
	files  *Files
}

func (c connector) Driver() driver.Driver { return c.driver }

// Connect is called by the pool.
func (c connector) Connect(context.Context) (driver.Conn, error) {
	if err := c.files.Check(); err != nil {
		return nil, c.files.refuse(err)
	}
	return c.driver.Open(c.dsn)
}

// OpenPool returns a pool of at most n connections to the files.
func OpenPool(f *Files, n int, c Connection) (*sql.DB, error) {
	named, err := sql.Open(DriverName, "") // which opens nothing
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", f.path, err)
	}
	pool := sql.OpenDB(connector{named.Driver(), c.DSN(f.path), f})
	pool.SetMaxOpenConns(n)
	pool.SetMaxIdleConns(n)
	return pool, named.Close()
}

// AssertDurable compares a connection's settings with what durability needs.
// Each PRAGMA's answer is read to its end: an answer left open keeps the
// statement, and with it the transaction, alive.
func AssertDurable(ctx context.Context, conn *sql.Conn) error {
	for _, want := range []struct{ pragma, value string }{
		{"journal_mode", "wal"},
		{"synchronous", "2"}, // FULL
		{"foreign_keys", "1"},
	} {
		var got string
		if err := conn.QueryRowContext(ctx, "PRAGMA "+want.pragma).Scan(&got); err != nil {
			return fmt.Errorf("PRAGMA %s: %w", want.pragma, err)
		}
		if got != want.value {
			return fmt.Errorf("PRAGMA %s is %q, must be %q", want.pragma, got, want.value)
		}
	}
	return nil
}
