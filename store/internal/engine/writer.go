// Package engine writes: callers queue, a lane carries out what waits in one
// transaction, commits, and answers each of them. It has the transaction ([Tx]) with
// the statements that every payment needs, for SQLite and for PostgreSQL. What is
// written is decided above it: it knows tables and no rule.
package engine

import (
	"context"
	"errors"
	"io"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"tolem/store/internal/database"
	"tolem/topup"
)

const (
	defaultQueue = 4096
	// tickInterval is how long a caller waits before its context is asked at all.
	tickInterval = 100 * time.Millisecond
	// maxBatch bounds how many writes share a commit, and so how long the
	// first of them waits for the others.
	maxBatch = 256
)

// Writer is the one place that writes. Callers queue; a lane takes whatever
// waits, carries it out in one transaction, and answers every caller after the
// commit: a lone write pays one sync, sixty-four at once share it. SQLite has
// one lane, PostgreSQL several.
type Writer struct {
	now     func() time.Time
	entropy io.Reader

	queue    chan *Write
	mu       sync.RWMutex // guards closing the queue against sending on it
	draining bool
	depth    atomic.Int64
	lanes    []lane
	running  sync.WaitGroup
	drained  chan struct{} // closed when the lanes have ended

	// tick is closed, and another one put in its place, every tickInterval.
	tick atomic.Pointer[chan struct{}]

	// BatchMutex is held while a batch runs on SQLite; the checkpointer takes it to
	// let the WAL start afresh. Lanes of PostgreSQL hold it together.
	BatchMutex sync.RWMutex

	onCommit func(batch int, took time.Duration)
	onThread func()

	// writeTimeout is that of PostgreSQL, in nanoseconds, if a test has set it.
	writeTimeout atomic.Int64
}

// lane is a connection that writes, used by one goroutine.
type lane interface {
	// commit carries out a batch, to which it adds what waits, and returns all of
	// it with each write's err set. Those without an error are on disk.
	commit(batch []*Write) []*Write
	// exclusive reports whether no other lane may write meanwhile.
	exclusive() bool
	close() error
}

// Write is one queued operation. Run may run several times, when a neighbour in
// its batch failed, or the database asked for it; it must set its results on
// every run.
type Write struct {
	Run  func(*Tx) error
	Kind Kind
	// Event is the message that the write is about, nil for none: on PostgreSQL its
	// state is read ahead for the whole batch, and so is the account of Customer.
	Event *topup.Event
	// Customer is whose account a deposit is for, normalised; "" for no deposit.
	Customer string
	err      error
	done     chan struct{}
}

// Kind says how frequent a write is. PostgreSQL carries out a batch of those that
// every payment makes in one transaction, and any other write in one of its own.
type Kind uint8

const (
	Rare   Kind = iota // any other write
	Issue              // stores a new payment
	Record             // stores a provider's message
)

// Options are what a writer needs.
type Options struct {
	Now     func() time.Time
	Entropy io.Reader // feeds new ids
	// Queue bounds how many writes may wait, 4096 if zero.
	Queue int
	// OnCommit, if set, is called after every commit: how many writes shared it and
	// how long it took.
	OnCommit func(batch int, took time.Duration)
	// OnThread, if set, is called on the thread of its own that writes to SQLite,
	// before the first write.
	OnThread func()
}

// New returns a writer without lanes: see OpenSQLite and OpenPostgres.
func New(o Options) *Writer {
	w := &Writer{now: o.Now, entropy: o.Entropy, onCommit: o.OnCommit, onThread: o.OnThread}
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
	w.queue = make(chan *Write, queue)
	w.drained = make(chan struct{})
	tick := make(chan struct{})
	w.tick.Store(&tick)
	return w
}

// start begins to work on the queue with these lanes.
func (w *Writer) start(lanes ...lane) {
	w.lanes = lanes
	for _, l := range lanes {
		w.running.Go(func() { w.run(l) })
	}
	go w.ticks()
}

// ticks wakes those who wait once a tickInterval.
func (w *Writer) ticks() {
	ticker := time.NewTicker(tickInterval)
	defer ticker.Stop()
	for {
		select {
		case <-w.drained:
			return
		case <-ticker.C:
			next := make(chan struct{})
			close(*w.tick.Swap(&next))
		}
	}
}

// Do queues run and waits until its effect is on disk. It returns run's error,
// or an error of KindUnavailable when the queue is full, the store is draining
// or the database cannot commit; then nothing was written. It is of that kind,
// too, when nobody can tell what became of the commit, and when ctx ends first:
// run may still be committed then, and may be called when Do has returned already.
// So the caller does not touch what run sets unless Do has returned nil.
func (w *Writer) Do(ctx context.Context, run func(*Tx) error) error {
	return w.Wait(ctx, &Write{Run: run})
}

// Wait queues a write and waits for it, as Do says.
func (w *Writer) Wait(ctx context.Context, op *Write) error {
	op.done = make(chan struct{})
	if err := w.enqueue(op); err != nil {
		return err
	}
	// A context that ends takes a timer and a place in its parent, which costs a
	// request one per cent of all it needs: it is asked when this takes longer.
	select {
	case <-op.done:
		return op.err
	case <-*w.tick.Load():
	}
	select {
	case <-op.done:
		return op.err
	case <-ctx.Done():
		return database.Unavailable(ctx.Err())
	}
}

func (w *Writer) enqueue(op *Write) error {
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
func (w *Writer) run(l lane) {
	lock, unlock := w.BatchMutex.RLock, w.BatchMutex.RUnlock
	if l.exclusive() {
		lock, unlock = w.BatchMutex.Lock, w.BatchMutex.Unlock
		// SQLite works, and waits for the disk, on the thread of whoever asks. On one
		// of its own the lane is back on a processor sooner.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		w.onThread()
	}
	batch := make([]*Write, 0, maxBatch)
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
func (w *Writer) gather(batch []*Write, most int) []*Write {
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
	if IsRefusal(err) {
		return err
	}
	return database.Unavailable(err)
}

// IsRefusal reports whether a write refused, which is an answer and no failure.
func IsRefusal(err error) bool {
	refusal := (*topup.Error)(nil)
	return errors.As(err, &refusal)
}

// Drain refuses new writes, and returns when those that were queued are
// committed.
func (w *Writer) Drain() {
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

// Close drains and gives the connections back.
func (w *Writer) Close() error {
	w.Drain()
	var errs []error
	for _, l := range w.lanes {
		errs = append(errs, l.close())
	}
	return errors.Join(errs...)
}

// Depth returns how many writes wait.
func (w *Writer) Depth() int { return int(w.depth.Load()) }
