package store

import (
	"context"
	"io"
	"time"

	"gorm.io/gorm"

	"tolem/store/internal/database"
	"tolem/store/internal/engine"
	"tolem/topup"
)

// wtx is the transaction that a write runs in, with the steps of this package as
// its methods.
type wtx struct {
	*engine.Tx
	ctx     context.Context
	now     func() time.Time
	entropy io.Reader
	outbox  *outbox
	made    []madeEntry // ledger transactions that this write has posted, of payments that are not saved yet
}

func (w writer) in(tx *engine.Tx) *wtx {
	return &wtx{Tx: tx, ctx: tx.Ctx, now: tx.Now, entropy: tx.Entropy, outbox: w.outbox}
}

func (tx *wtx) gorm() *gorm.DB                             { return tx.Gorm() }
func (tx *wtx) raw(query string, args ...any) *gorm.DB     { return tx.Raw(query, args...) }
func (tx *wtx) lockKey(parts ...string) error              { return tx.LockKey(parts...) }
func (tx *wtx) lockCatalogue() error                       { return tx.LockCatalogue() }
func (tx *wtx) shareCatalogue() error                      { return tx.ShareCatalogue() }
func (tx *wtx) lockPayment(id string) error                { return tx.LockPayment(id) }
func (tx *wtx) closedPeriod() (engine.ClosedPeriod, error) { return tx.ClosedPeriod() }

// writer is the writer of the store.
type writer struct {
	*engine.Writer
	outbox *outbox
}

func (s *Store) newWriter(o Options) *writer {
	return &writer{
		engine.New(engine.Options{Now: o.Now, Entropy: o.Entropy, Queue: o.Queue, OnCommit: o.OnCommit, OnThread: o.OnThread}),
		&outbox{s.Endpoints, o.NotificationBody},
	}
}

// write is a write, and the message that it is about, nil for none.
type write struct {
	event *topup.Event
	fn    func(*wtx) error
}

// do queues fn and waits until its effect is on disk: see [engine.Writer.Do].
func (w writer) do(ctx context.Context, fn func(*wtx) error) error {
	return w.Do(ctx, func(tx *engine.Tx) error { return fn(w.in(tx)) })
}

func (w writer) wait(ctx context.Context, op *write) error {
	return w.Wait(ctx, &engine.Write{Event: op.event, Run: func(tx *engine.Tx) error { return op.fn(w.in(tx)) }})
}

// errUnavailable is the error for a caller who may try again.
func errUnavailable(cause error) error { return database.Unavailable(cause) }

// isRefusal reports whether a write refused, which is an answer and no failure.
func isRefusal(err error) bool { return engine.IsRefusal(err) }

func newID(prefix string, now time.Time, entropy io.Reader) (string, error) {
	return engine.NewID(prefix, now, entropy)
}

// QueueDepth returns how many writes wait.
func (s *Store) QueueDepth() int { return s.writer.Depth() }
