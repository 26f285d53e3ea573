package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// ErrReadersClosed says that there are no readers any more.
var ErrReadersClosed = errors.New("the store is closed")

// A Reader is a read connection with its prepared statements, in the order in
// which their queries were given.
type Reader struct {
	Conn       *sql.Conn
	Statements []Statement
}

// Readers are lent out one at a time.
type Readers struct {
	idle chan *Reader
	n    int
}

// OpenReaders takes n connections of the pool for good, and prepares the queries
// on each. What it has opened when it fails is to be closed, too.
func OpenReaders(ctx context.Context, pool *sql.DB, n int, queries []string) (*Readers, error) {
	rs := &Readers{idle: make(chan *Reader, n)}
	for range n {
		conn, err := pool.Conn(ctx)
		if err != nil {
			return rs, fmt.Errorf("read connection: %w", err)
		}
		r := &Reader{Conn: conn, Statements: make([]Statement, len(queries))}
		rs.idle <- r
		rs.n++
		places := make(map[*Statement]string)
		for i, query := range queries {
			places[&r.Statements[i]] = query
		}
		if err := Prepare(ctx, conn, places); err != nil {
			return rs, err
		}
	}
	return rs, nil
}

// Borrow waits for a reader no longer than ctx allows. Whoever gets one returns it.
func (rs *Readers) Borrow(ctx context.Context) (*Reader, error) {
	select { // without a look at ctx, which costs more than taking the reader
	case r, open := <-rs.idle:
		if open {
			return r, nil
		}
	default:
	}
	select {
	case r, open := <-rs.idle:
		if !open {
			return nil, ErrReadersClosed
		}
		return r, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Return gives a borrowed reader back.
func (rs *Readers) Return(r *Reader) { rs.idle <- r }

// Close waits until every reader is back, and closes them.
func (rs *Readers) Close() error {
	var errs []error
	for range rs.n {
		r := <-rs.idle
		for i := range r.Statements {
			r.Statements[i].Close()
		}
		errs = append(errs, r.Conn.Close())
	}
	close(rs.idle)
	return errors.Join(errs...)
}
