package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"gorm.io/gorm"

	"tolem/topup"
)

const (
	defaultQueue = 4096
	// maxBatch bounds how many writes share a commit, and so how long the
	// first of them waits for the others.
	maxBatch = 256
)

// errUnavailable is what a caller hears when nothing was written.
func errUnavailable(cause error) error {
	refusal := topup.Unavailable("temporarily unavailable")
	if cause == nil {
		return refusal
	}
	return fmt.Errorf("%w: %w", refusal, cause)
}

// writer is the one place that writes. It owns one connection, takes whatever
// waits in the queue, runs it in one transaction, and answers every caller
// after the commit: a lone write pays one sync, sixty-four at once share it.
type writer struct {
	pool    *sql.DB
	orm     *gorm.DB
	now     func() time.Time
	entropy io.Reader
	conn    *sql.Conn
	stmts   writeStatements

	queue    chan *write
	mu       sync.RWMutex // guards closing the queue against sending on it
	draining bool
	finished chan struct{}
	depth    atomic.Int64

	// turn is held while a batch runs; the checkpointer takes it to let the
	// WAL start afresh.
	turn sync.Mutex

	onCommit func(batch int, took time.Duration)
}

// write is one queued operation. fn may run twice, the second time alone, when
// a neighbour in its batch failed; it must set its results on every run.
type write struct {
	fn   func(*wtx) error
	err  error
	done chan struct{}
}

// wtx is the transaction that a write runs in.
type wtx struct {
	*writer
	ctx   context.Context
	dirty bool // something was written by the write that runs now

	nextSeq     int64                // next free transactions.seq, 0 until asked
	nextMessage int64                // next free messages.id, 0 until asked
	accounts    map[accountKey]int64 // ledger accounts met in this batch
	balances    map[int64]*totals    // what this batch adds to them
}

func startWriter(ctx context.Context, path string, o Options) (*writer, error) {
	pool, orm, err := openPool(path, 1)
	if err != nil {
		return nil, err
	}
	w := &writer{pool: pool, now: o.Now, entropy: o.Entropy, onCommit: o.OnCommit, finished: make(chan struct{})}
	if w.onCommit == nil {
		w.onCommit = func(int, time.Duration) {}
	}
	queue := o.Queue
	if queue == 0 {
		queue = defaultQueue
	}
	w.queue = make(chan *write, queue)
	if err := w.connect(ctx, orm); err != nil {
		return nil, errors.Join(err, pool.Close())
	}
	go w.run()
	return w, nil
}

// connect takes the writer's connection and prepares its statements on it.
// GORM works on the same connection, so that cold writes share the transaction.
func (w *writer) connect(ctx context.Context, orm *gorm.DB) error {
	conn, err := w.pool.Conn(ctx)
	if err != nil {
		return fmt.Errorf("write connection: %w", err)
	}
	// Checkpoints have a connection of their own, see checkpoint.go. The
	// answer is read: an open statement would keep later commits from disk.
	var off int
	if err := conn.QueryRowContext(ctx, "PRAGMA wal_autocheckpoint = 0").Scan(&off); err != nil {
		return errors.Join(fmt.Errorf("write connection: %w", err), conn.Close())
	}
	if err := w.stmts.prepare(ctx, conn); err != nil {
		return errors.Join(err, conn.Close())
	}
	w.conn = conn
	w.orm = orm.Session(&gorm.Session{NewDB: true, SkipDefaultTransaction: true})
	w.orm.Statement.ConnPool = conn
	return nil
}

// do queues fn and waits until its effect is on disk. It returns fn's error,
// or an error of KindUnavailable when the queue is full, the store is draining
// or the database cannot commit; then nothing was written. When ctx ends first,
// the outcome is unknown to the caller: fn may still be committed.
func (w *writer) do(ctx context.Context, fn func(*wtx) error) error {
	op := &write{fn: fn, done: make(chan struct{})}
	if err := w.enqueue(op); err != nil {
		return err
	}
	select {
	case <-op.done:
		return op.err
	case <-ctx.Done():
		return errUnavailable(ctx.Err())
	}
}

func (w *writer) enqueue(op *write) error {
	w.mu.RLock()
	defer w.mu.RUnlock()
	if w.draining {
		return errUnavailable(errors.New("the store is draining"))
	}
	select {
	case w.queue <- op:
		w.depth.Add(1)
		return nil
	default:
		return errUnavailable(errors.New("the write queue is full"))
	}
}

// run is the writer's loop. It ends when the queue is closed and empty.
func (w *writer) run() {
	defer close(w.finished)
	batch := make([]*write, 0, maxBatch)
	for first := range w.queue {
		w.turn.Lock()
		batch = w.gather(append(batch[:0], first))
		w.depth.Add(-int64(len(batch)))
		w.commit(batch)
		w.turn.Unlock()
		for i, op := range batch {
			close(op.done)
			batch[i] = nil
		}
	}
}

// gather adds what waits in the queue already, without waiting for more.
func (w *writer) gather(batch []*write) []*write {
	for len(batch) < maxBatch {
		select {
		case op, open := <-w.queue:
			if !open {
				return batch
			}
			batch = append(batch, op)
		default:
			return batch
		}
	}
	return batch
}

// commit runs a batch in one transaction. When a write fails half-way, the
// whole batch is rolled back and each runs alone: one bad operation never
// fails its neighbours.
func (w *writer) commit(batch []*write) {
	failed, err := w.attempt(batch)
	if err == nil {
		return
	}
	if len(batch) == 1 || !failed {
		for _, op := range batch {
			op.err = err
		}
		return
	}
	for i := range batch {
		if _, err := w.attempt(batch[i : i+1]); err != nil {
			batch[i].err = err
		}
	}
}

// attempt runs the batch and commits it. failed tells that a write, rather
// than the database, was the cause of the error; nothing is on disk then.
func (w *writer) attempt(batch []*write) (failed bool, err error) {
	ctx := context.Background()
	started := w.now()
	if err := w.stmts.begin.put(); err != nil {
		return false, errUnavailable(fmt.Errorf("begin: %w", err))
	}
	tx := &wtx{writer: w, ctx: ctx}
	for _, op := range batch {
		tx.dirty = false
		op.err = tx.call(op.fn)
		if op.err == nil {
			continue
		}
		if refusal := (*topup.Error)(nil); errors.As(op.err, &refusal) && !tx.dirty {
			continue // an answer, not a failure: it wrote nothing
		}
		return true, errors.Join(w.wrapFailure(op.err), w.rollback())
	}
	if err := tx.flushBalances(); err != nil {
		return true, errors.Join(w.wrapFailure(err), w.rollback())
	}
	if err := w.stmts.commit.put(); err != nil {
		return false, errUnavailable(errors.Join(fmt.Errorf("commit: %w", err), w.rollback()))
	}
	w.onCommit(len(batch), w.now().Sub(started))
	return false, nil
}

// wrapFailure keeps refusals as they are and makes everything else unavailable:
// nothing was written, and the caller may come again.
func (w *writer) wrapFailure(err error) error {
	if refusal := (*topup.Error)(nil); errors.As(err, &refusal) {
		return err
	}
	return errUnavailable(err)
}

// call runs one write and turns a panic in it into an error, so that the
// writer lives on.
func (tx *wtx) call(fn func(*wtx) error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			tx.dirty = true
			err = fmt.Errorf("panic in a write: %v", p)
		}
	}()
	return fn(tx)
}

func (w *writer) rollback() error {
	if err := w.stmts.rollback.put(); err != nil {
		return fmt.Errorf("rollback: %w", err)
	}
	return nil
}

// exec runs a prepared statement that writes, and returns the rows affected.
func (tx *wtx) exec(stmt *hot, args ...any) (int64, error) {
	tx.dirty = true
	return stmt.run(args...)
}

// put runs a prepared statement that inserts, or updates a row that was read in
// this transaction.
func (tx *wtx) put(stmt *hot, args ...any) error {
	tx.dirty = true
	return stmt.put(args...)
}

// gorm is for cold writes: SQL through GORM in the same transaction.
func (tx *wtx) gorm() *gorm.DB {
	tx.dirty = true
	return tx.orm.WithContext(tx.ctx)
}

// drain refuses new writes, and returns when those that were queued are
// committed.
func (w *writer) drain() {
	w.mu.Lock()
	if !w.draining {
		w.draining = true
		close(w.queue)
	}
	w.mu.Unlock()
	<-w.finished
}

// close drains and gives the connection back.
func (w *writer) close() error {
	w.drain()
	w.stmts.close()
	return errors.Join(w.conn.Close(), w.pool.Close())
}

// QueueDepth returns how many writes wait.
func (s *Store) QueueDepth() int { return int(s.writer.depth.Load()) }
