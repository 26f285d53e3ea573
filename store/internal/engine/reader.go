package engine

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"gorm.io/gorm"

	"tolem/store/internal/database"
	"tolem/store/internal/sqlite"
)

// Read is one of the reads that requests need most often.
type Read int

// The most frequent reads.
const (
	ReadAccount Read = iota // the columns are AccountColumns
	ReadOffer
	ReadPayment // the columns are PaymentColumns
	reads
)

// offerSQL is the whole of verify: no text stands for an account that cannot be
// topped up.
const offerSQL = `SELECT a.additional_customer_id, a.currency,
	CASE WHEN a.closed = 1 OR a.revision < c.closed_below THEN '' ELSE coalesce(a.offered, a.entities) END` + VisibleFrom

// ReadSQL are the texts of the most frequent reads.
var ReadSQL = [reads]string{
	ReadAccount: AccountSQL,
	ReadOffer:   offerSQL,
	ReadPayment: `SELECT ` + PaymentColumns + ` FROM payments p WHERE p.payment_id = ?`,
}

// Reader reads what is committed, on connections of its own that never wait for a
// write.
type Reader struct {
	Dialect *database.Dialect
	Pool    *sql.DB
	ORM     *gorm.DB // on the pool

	files    *sqlite.Files   // of SQLite
	prepared *sqlite.Readers // of SQLite: connections for the most frequent reads
}

// OpenSQLiteReader opens connections to a SQLite file: some for the most frequent
// reads, and some for all others.
func OpenSQLiteReader(ctx context.Context, f *sqlite.Files, frequent, others int) (r *Reader, err error) {
	r = &Reader{Dialect: &database.SQLite, files: f}
	if r.Pool, r.ORM, err = database.OpenPool(f, frequent+others, database.Reading); err != nil {
		return nil, err
	}
	if r.prepared, err = sqlite.OpenReaders(ctx, r.Pool, frequent, ReadSQL[:]); err != nil {
		return nil, errors.Join(err, r.Pool.Close())
	}
	return r, nil
}

// OpenPostgresReader opens at most n connections to a PostgreSQL server.
func OpenPostgresReader(server *database.Server, d *database.Dialect, n int) (r *Reader, err error) {
	r = &Reader{Dialect: d}
	if r.Pool, r.ORM, err = database.OpenPostgresPool(server.Session(database.ReadingSettings), n); err != nil {
		return nil, err
	}
	return r, nil
}

// Close closes the connections.
func (r *Reader) Close() error {
	var err error
	if r.prepared != nil {
		err = r.prepared.Close()
	}
	return errors.Join(err, r.Pool.Close())
}

// AssertDurable asks a connection for the most frequent reads of a SQLite file how
// durable it is: the others may all be busy with long lists and exports, which is no
// reason to take a server for a broken one.
func (r *Reader) AssertDurable(ctx context.Context) error {
	if r.prepared == nil {
		return nil
	}
	c, err := r.prepared.Borrow(ctx)
	if err != nil {
		return database.Unavailable(err)
	}
	defer r.prepared.Return(c)
	return sqlite.AssertDurable(ctx, c.Conn)
}

// Query is a less frequent query, inside a write ([Tx.Raw]) or outside.
type Query func(sql string, args ...any) *gorm.DB

// Raw is a less frequent query: SQL through GORM, which turns each ? into what the
// database calls it.
func (r *Reader) Raw(ctx context.Context, query string, args ...any) *gorm.DB {
	return r.ORM.WithContext(ctx).Raw(query, args...)
}

// Query are queries outside of a write.
func (r *Reader) Query(ctx context.Context) Query {
	return func(sql string, args ...any) *gorm.DB { return r.Raw(ctx, sql, args...) }
}

// One reads at most one row into places, and reports whether there was one.
func (r *Reader) One(ctx context.Context, read Read, places []any, args ...any) (found bool, err error) {
	if err := r.files.Lost(); err != nil {
		return false, database.Unavailable(err)
	}
	if r.prepared != nil {
		c, err := r.prepared.Borrow(ctx)
		if err != nil {
			return false, database.Unavailable(err)
		}
		defer r.prepared.Return(c)
		return c.Statements[read].QueryRow(places, args...)
	}
	rows, err := r.Pool.QueryContext(ctx, strings.Replace(ReadSQL[read], "?", "$1", 1), database.StorableArgs(args)...)
	if err != nil {
		return false, database.Unavailable(err)
	}
	defer func() {
		if err = errors.Join(err, rows.Close()); err != nil {
			err = database.Unavailable(err)
		}
	}()
	if !rows.Next() {
		return false, rows.Err()
	}
	return true, rows.Scan(places...)
}

// Meta returns a fact about this database, "" when it is not recorded.
func (r *Reader) Meta(ctx context.Context, key string) (string, error) {
	var value string
	err := r.Raw(ctx, `SELECT value FROM meta WHERE key = ?`, key).Row().Scan(&value)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return "", fmt.Errorf("read %s of the database: %w", key, err)
	}
	return value, nil
}
