package store

import (
	"context"
	"database/sql"
	"sync"
	"time"

	"tolem/store/internal/database"
	"tolem/store/internal/engine"
	"tolem/store/internal/sqlite"
)

// What the tests of this package see of its inside.

// Raw runs fn as one write, on the writer's own connection.
func (s *Store) Raw(ctx context.Context, fn func(exec func(query string, args ...any) error) error) error {
	return s.writer.do(ctx, func(tx *wtx) error {
		return fn(func(query string, args ...any) error {
			return tx.gorm().Exec(query, args...).Error
		})
	})
}

// RawShared is Raw for a write that shares its transaction with others on
// PostgreSQL, too, as those that every payment makes do.
func (s *Store) RawShared(ctx context.Context, fn func(exec func(query string, args ...any) error) error) error {
	return s.writer.Wait(ctx, &engine.Write{Kind: engine.Issue, Run: func(tx *engine.Tx) error {
		return fn(func(query string, args ...any) error {
			return tx.Gorm().Exec(query, args...).Error
		})
	}})
}

// HoldWriter keeps the writer from starting a batch until release is called,
// once or more.
func (s *Store) HoldWriter() (release func()) {
	s.writer.BatchMutex.Lock()
	return sync.OnceFunc(s.writer.BatchMutex.Unlock)
}

// ReadPool is the pool of the readers.
func (s *Store) ReadPool() *sql.DB { return s.reader.Pool }

// AssertPragmas is the assertion of every connection.
func AssertPragmas(conn *sql.Conn) error { return sqlite.AssertDurable(context.Background(), conn) }

// PostgresURL is where the store is, "" on SQLite.
func (s *Store) PostgresURL() string {
	if s.postgres == nil {
		return ""
	}
	return s.postgres.Config.ConnString()
}

// WithShortWAL lets the WAL of a SQLite store start afresh when it has so many
// pages, for tests that cannot fill one.
func WithShortWAL(s *Store, pages int) { s.checkpoints.SetRestartPages(pages) }

// LockAccounts is the first number of the lock of who changes accounts on
// PostgreSQL.
const LockAccounts = database.LockAccounts

// QuietTicks is after how many ticks without a write the WAL is copied.
var QuietTicks = checkpoints.QuietTicks

// HoldCheckpoints stops the checkpointer of a SQLite store, as if it had just
// made one. tick lets it look once, and reports whether the WAL is copied then.
func HoldCheckpoints(s *Store) (tick func() (copied bool, err error), release func()) {
	release = s.checkpoints.Hold()
	return func() (bool, error) { return s.checkpoints.Tick(context.Background()) }, release
}

// FailCheckpoint lets the last checkpoint of a SQLite store have failed.
func FailCheckpoint(s *Store, err error) { s.checkpoints.SetFailure(err) }

// SetWriteTimeout bounds each transaction of a store on PostgreSQL.
func (s *Store) SetWriteTimeout(d time.Duration) { s.writer.SetWriteTimeout(d) }

// Shards are the parts of the totals that the lanes of a store on PostgreSQL
// add to.
func (s *Store) Shards() []int64 { return s.writer.Shards() }
