package engine

import (
	"cmp"
	"context"
	"errors"
	"time"
)

// What the tests of the packages above see of the writer.

// SetPragma changes a setting of the connection that writes to SQLite, while no
// batch runs.
func (w *Writer) SetPragma(ctx context.Context, pragma string) error {
	w.BatchMutex.Lock()
	defer w.BatchMutex.Unlock()
	l, ok := w.lanes[0].(*sqliteLane)
	if !ok {
		return errors.New("the database is not SQLite")
	}
	_, err := l.conn.ExecContext(ctx, "PRAGMA "+pragma)
	return err
}

// Shards are the parts of the totals that the lanes on PostgreSQL add to.
func (w *Writer) Shards() (shards []int64) {
	for _, l := range w.lanes {
		if l, ok := l.(*pgLane); ok {
			shards = append(shards, shardOf(l.id))
		}
	}
	return shards
}

// SetWriteTimeout bounds transactions on PostgreSQL.
func (w *Writer) SetWriteTimeout(d time.Duration) { w.writeTimeout.Store(int64(d)) }

func (w *Writer) timeout() time.Duration {
	return cmp.Or(time.Duration(w.writeTimeout.Load()), defaultWriteTimeout)
}

// Queries are the texts of the frequent statements for SQLite, but for the one that
// looks for what an operator recorded, which few messages need.
func Queries() (all []string) {
	for _, query := range new(Statements).queries() {
		if query != recordedSQL {
			all = append(all, query)
		}
	}
	return all
}
