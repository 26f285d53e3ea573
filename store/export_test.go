package store

import (
	"context"
	"database/sql"
	"sync"
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

// HoldWriter keeps the writer from starting a batch until release is called,
// once or more.
func (s *Store) HoldWriter() (release func()) {
	s.writer.turn.Lock()
	return sync.OnceFunc(s.writer.turn.Unlock)
}

// ReadPool is the pool of the readers.
func (s *Store) ReadPool() *sql.DB { return s.readPool }

// AssertPragmas is the assertion of every connection.
func AssertPragmas(conn *sql.Conn) error { return assertPragmas(context.Background(), conn) }

// PostgresURL is where the store is, "" on SQLite.
func (s *Store) PostgresURL() string {
	if s.postgres == nil {
		return ""
	}
	return s.postgres.ConnString()
}

// WithShortWAL lets the WAL of a SQLite store start afresh when it has so many
// pages, for tests that cannot fill one.
func WithShortWAL(s *Store, pages int) {
	c := s.checkpoints
	close(c.stop)
	<-c.done
	c.full, c.stop, c.done = pages, make(chan struct{}), make(chan struct{})
	go c.run()
}

// FailCheckpoint lets the last checkpoint of a SQLite store have failed.
func FailCheckpoint(s *Store, err error) { s.checkpoints.note(false, err) }
