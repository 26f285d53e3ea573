package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"gorm.io/gorm"

	"tolem/store/internal/database"
	"tolem/topup"
)

const (
	defaultQueue = 4096
	// waitSlice is how long a caller waits before its context is asked at all.
	waitSlice = 100 * time.Millisecond
	// maxBatch bounds how many writes share a commit, and so how long the
	// first of them waits for the others.
	maxBatch = 256
)

// errUnavailable is what a caller hears who may come again.
func errUnavailable(cause error) error { return database.Unavailable(cause) }

// writer is the one place that writes. Callers queue; a lane takes whatever
// waits, carries it out in one transaction, and answers every caller after the
// commit: a lone write pays one sync, sixty-four at once share it. SQLite has
// one lane, PostgreSQL several.
type writer struct {
	now     func() time.Time
	entropy io.Reader

	queue    chan *write
	mu       sync.RWMutex // guards closing the queue against sending on it
	draining bool
	depth    atomic.Int64
	lanes    []lane
	running  sync.WaitGroup
	drained  chan struct{} // closed when the lanes have ended

	// soon is closed, and another one put in its place, every waitSlice.
	soon atomic.Pointer[chan struct{}]

	// turn is held while a batch runs on SQLite; the checkpointer takes it to
	// let the WAL start afresh. Lanes of PostgreSQL hold it together.
	turn sync.RWMutex

	onCommit func(batch int, took time.Duration)
	onThread func()
}

// lane is a connection that writes, used by one goroutine.
type lane interface {
	// commit carries out a batch, to which it adds what waits, and returns all of
	// it with each write's err set. Those without an error are on disk.
	commit(batch []*write) []*write
	// exclusive reports whether no other lane may write meanwhile.
	exclusive() bool
	close() error
}

// write is one queued operation. fn may run several times, when a neighbour in
// its batch failed, or the database asked for it; it must set its results on
// every run.
type write struct {
	fn  func(*wtx) error
	hot hotKind
	// event is what a hot record is about: PostgreSQL reads ahead for a batch,
	// this and the customer.
	event *topup.Event
	// customer is whose account a deposit is for, normalised.
	customer string
	err      error
	done     chan struct{}
}

// hotKind marks the writes that every payment makes. PostgreSQL carries out a
// batch of them in one transaction, and any other write in one of its own.
type hotKind uint8

const (
	cold hotKind = iota
	hotIssue
	hotRecord
)

// wtx is the transaction that a write runs in.
type wtx struct {
	work
	ctx     context.Context
	now     func() time.Time
	entropy io.Reader
	orm     *gorm.DB // on the connection of the transaction
	stmts   *writeStatements
	dirty   bool // something was written by the write that runs now
}

// work is what every payment needs, as its database does it best.
type work interface {
	// state reads what an event meets, and on PostgreSQL holds what it read.
	state(tx *wtx, e *topup.Event) (topup.State, error)
	// account reads the account of a deposit's customer, nil for none.
	account(tx *wtx, customerID string) (*topup.Account, error)
	// takeSeq gives out the next place in the feed, takeMessage the next id of
	// a message.
	takeSeq() (int64, error)
	takeMessage() (int64, error)
	// addEntry writes an entry of a ledger transaction, and adds it to the
	// running totals, which are flushed once a batch.
	addEntry(tx *wtx, seq int64, n int, key accountKey, amount int64) error
	// closedPeriod is up to when the books are closed.
	closedPeriod() (closedPeriod, error)
	// sync carries out what was put off, before other SQL looks at it.
	sync() error
	// assertDurable asks this connection how durable it is.
	assertDurable(ctx context.Context) error
}

func newWriter(o Options) *writer {
	w := &writer{now: o.Now, entropy: o.Entropy, onCommit: o.OnCommit, onThread: o.OnThread}
	if w.onCommit == nil {
		w.onCommit = func(int, time.Duration) {}
	}
	if w.onThread == nil {
		w.onThread = func() {}
	}
	queue := o.Queue
	if queue == 0 {
		queue = defaultQueue
	}
	w.queue = make(chan *write, queue)
	w.drained = make(chan struct{})
	soon := make(chan struct{})
	w.soon.Store(&soon)
	return w
}

// start begins to work on the queue with these lanes.
func (w *writer) start(lanes ...lane) {
	w.lanes = lanes
	for _, l := range lanes {
		w.running.Go(func() { w.run(l) })
	}
	go w.slice()
}

// slice tells those who wait when a waitSlice is over.
func (w *writer) slice() {
	ticker := time.NewTicker(waitSlice)
	defer ticker.Stop()
	for {
		select {
		case <-w.drained:
			return
		case <-ticker.C:
			next := make(chan struct{})
			close(*w.soon.Swap(&next))
		}
	}
}

// do queues fn and waits until its effect is on disk. It returns fn's error,
// or an error of KindUnavailable when the queue is full, the store is draining
// or the database cannot commit; then nothing was written. It is of that kind,
// too, when nobody can tell what became of the commit, and when ctx ends first:
// fn may still be committed then, and may run when do has returned already. So
// the caller does not touch what fn sets unless do has returned nil.
func (w *writer) do(ctx context.Context, fn func(*wtx) error) error {
	return w.wait(ctx, &write{fn: fn})
}

// wait queues a write and waits for it, as do says.
func (w *writer) wait(ctx context.Context, op *write) error {
	op.done = make(chan struct{})
	if err := w.enqueue(op); err != nil {
		return err
	}
	// A context that ends takes a timer and a place in its parent, which costs a
	// request one per cent of all it needs: it is asked when this takes longer.
	select {
	case <-op.done:
		return op.err
	case <-*w.soon.Load():
	}
	select {
	case <-op.done:
		return op.err
	case <-ctx.Done():
		return database.Unavailable(ctx.Err())
	}
}

func (w *writer) enqueue(op *write) error {
	w.mu.RLock()
	defer w.mu.RUnlock()
	if w.draining {
		return database.Unavailable(errors.New("the store is draining"))
	}
	select {
	case w.queue <- op:
		w.depth.Add(1)
		return nil
	default:
		return database.Unavailable(errors.New("the write queue is full"))
	}
}

// run is a lane's loop. It ends when the queue is closed and empty.
func (w *writer) run(l lane) {
	lock, unlock := w.turn.RLock, w.turn.RUnlock
	if l.exclusive() {
		lock, unlock = w.turn.Lock, w.turn.Unlock
		// SQLite works, and waits for the disk, on the thread of whoever asks. On one
		// of its own the lane is back on a processor sooner.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		w.onThread()
	}
	batch := make([]*write, 0, maxBatch)
	for first := range w.queue {
		lock()
		w.depth.Add(-1)
		batch = l.commit(append(batch[:0], first))
		unlock()
		for i, op := range batch {
			close(op.done)
			batch[i] = nil
		}
	}
}

// gather adds what waits in the queue already, up to so many writes in all,
// without waiting for more.
func (w *writer) gather(batch []*write, most int) []*write {
	for len(batch) < most {
		select {
		case op, open := <-w.queue:
			if !open {
				return batch
			}
			w.depth.Add(-1)
			batch = append(batch, op)
		default:
			return batch
		}
	}
	return batch
}

// wrapFailure keeps refusals as they are and makes everything else unavailable.
func wrapFailure(err error) error {
	if isRefusal(err) {
		return err
	}
	return database.Unavailable(err)
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

// isRefusal reports whether a write refused, which is an answer and no failure.
func isRefusal(err error) bool {
	refusal := (*topup.Error)(nil)
	return errors.As(err, &refusal)
}

// put runs a hot statement that inserts, or updates a row that was read in this
// transaction.
func (tx *wtx) put(stmt statement, args ...any) error {
	tx.dirty = true
	return stmt.put(args...)
}

// gorm is for cold writes: SQL through GORM in the same transaction.
func (tx *wtx) gorm() *gorm.DB {
	tx.dirty = true
	_ = tx.sync() // its failure fails the transaction
	return tx.orm.WithContext(tx.ctx)
}

// drain refuses new writes, and returns when those that were queued are
// committed.
func (w *writer) drain() {
	w.mu.Lock()
	first := !w.draining
	if first {
		w.draining = true
		close(w.queue)
	}
	w.mu.Unlock()
	w.running.Wait()
	if first {
		close(w.drained)
	}
}

// close drains and gives the connections back.
func (w *writer) close() error {
	w.drain()
	var errs []error
	for _, l := range w.lanes {
		errs = append(errs, l.close())
	}
	return errors.Join(errs...)
}

// QueueDepth returns how many writes wait.
func (s *Store) QueueDepth() int { return int(s.writer.depth.Load()) }
