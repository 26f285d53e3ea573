package engine

import (
	"context"
	"fmt"
	"io"
	"time"

	"gorm.io/gorm"

	"tolem/store/internal/database"
	"tolem/topup"
)

// Tx is the transaction that a write runs in, on either database.
type Tx struct {
	Ctx     context.Context
	Now     func() time.Time
	Entropy io.Reader // feeds new ids
	// Statements are the statements that every payment needs, for [Tx.Put].
	Statements *Statements

	driver driver
	orm    *gorm.DB // on the connection of the transaction
	dirty  bool     // something was written by the write that runs now
}

// driver is what differs between the databases in a transaction.
type driver interface {
	// state reads what the database has about an event. On PostgreSQL what it read
	// is locked.
	state(e *topup.Event) (topup.State, error)
	// account reads the account of a deposit's customer, nil for none.
	account(customerID string) (*topup.Account, error)
	// takeSeq gives out the next place in the feed, takeMessage the next id of
	// a message.
	takeSeq() (int64, error)
	takeMessage() (int64, error)
	// takeEvent gives out the next id of a notification.
	takeEvent() (int64, error)
	// addEntry writes an entry of a ledger transaction, and adds it to the
	// running totals, which are written once a batch.
	addEntry(seq int64, n int, account LedgerAccount, amount int64) error
	// closedPeriod is up to when the books are closed; forgetClosedPeriod lets it be
	// read again.
	closedPeriod() (ClosedPeriod, error)
	forgetClosedPeriod()
	// lock runs a query that locks something, where writes run side by side.
	lock(query string, args ...any) error
	// body is a raw message as the database holds it.
	body(raw []byte) any
	// sync sends the statements that were put off, before other SQL runs.
	sync() error
	// undone runs what must leave nothing behind, where a transaction has several
	// writes.
	undone(tx *Tx, run func() error) error
	// assertDurable asks this connection how durable it is.
	assertDurable(ctx context.Context) error
}

// Undone runs what must leave nothing behind, and returns its error. That must be a
// refusal, which the write then returns: on PostgreSQL, where this write is the only
// one of its transaction, it is what undoes it.
func (tx *Tx) Undone(run func() error) error { return tx.driver.undone(tx, run) }

// State reads what the database has about the event of this write.
func (tx *Tx) State(e *topup.Event) (topup.State, error) { return tx.driver.state(e) }

// Account reads the account of the customer of this write, nil for none.
func (tx *Tx) Account(customerID string) (*topup.Account, error) {
	return tx.driver.account(customerID)
}

// TakeSeq gives out the next place in the feed.
func (tx *Tx) TakeSeq() (int64, error) { return tx.driver.takeSeq() }

// TakeMessage gives out the next id of a message.
func (tx *Tx) TakeMessage() (int64, error) { return tx.driver.takeMessage() }

// TakeEvent gives out the next id of a notification, a place as in the feed.
func (tx *Tx) TakeEvent() (int64, error) { return tx.driver.takeEvent() }

// AddEntry writes the nth entry of a ledger transaction, and adds it to the running
// totals, which are written once a batch.
func (tx *Tx) AddEntry(seq int64, n int, account LedgerAccount, amount int64) error {
	tx.dirty = true
	return tx.driver.addEntry(seq, n, account, amount)
}

// ClosedPeriod is up to when the books are closed.
func (tx *Tx) ClosedPeriod() (ClosedPeriod, error) { return tx.driver.closedPeriod() }

// ForgetClosedPeriod lets the closed period be read again in this transaction, in
// which it has changed.
func (tx *Tx) ForgetClosedPeriod() { tx.driver.forgetClosedPeriod() }

// AssertDurable asks the connection how durable it is.
func (tx *Tx) AssertDurable() error { return tx.driver.assertDurable(tx.Ctx) }

// Sync sends the statements that were put off.
func (tx *Tx) Sync() error { return tx.driver.sync() }

// Put runs a frequent statement that inserts, or updates a row that was read in this
// transaction. PostgreSQL puts it off, and runs it for the whole batch at once.
func (tx *Tx) Put(stmt Statement, args ...any) error {
	tx.dirty = true
	return stmt.put(args...)
}

// Gorm is GORM in this transaction, for less frequent writes.
func (tx *Tx) Gorm() *gorm.DB {
	tx.dirty = true
	_ = tx.driver.sync() // its failure fails the transaction
	return tx.orm.WithContext(tx.Ctx)
}

// Raw is a less frequent query: SQL through GORM, which turns each ? into what the
// database calls it.
func (tx *Tx) Raw(query string, args ...any) *gorm.DB {
	_ = tx.driver.sync() // its failure fails the transaction
	return tx.orm.WithContext(tx.Ctx).Raw(query, args...)
}

// RawEarlier is [Tx.Raw] for what an earlier transaction has written: nothing that
// was put off is sent for it.
func (tx *Tx) RawEarlier(query string, args ...any) *gorm.DB {
	return tx.orm.WithContext(tx.Ctx).Raw(query, args...)
}

// Body is a raw message as the database holds it: bytes, or text.
func (tx *Tx) Body(raw []byte) any { return tx.driver.body(raw) }

// The locks below are for databases whose writes run side by side. SQLite's
// writes run one after another, and take none. Who needs several takes a key first,
// then the catalogue, then payments in the order of their ids. They are held until
// the write has ended.

const (
	lockSQL      = `SELECT pg_advisory_xact_lock(CAST(? AS INTEGER), CAST(? AS INTEGER))`
	lockShareSQL = `SELECT pg_advisory_xact_lock_shared(CAST(? AS INTEGER), 0)`
)

// LockKey makes this the only write that works on what the parts name.
func (tx *Tx) LockKey(parts ...string) error {
	return tx.driver.lock(lockSQL, database.LockKey, int32(hash32(parts...)))
}

// LockCatalogue makes this the only write that changes accounts, and waits for
// the payments that are being issued.
func (tx *Tx) LockCatalogue() error { return tx.driver.lock(lockSQL, database.LockAccounts, 0) }

// ShareCatalogue lets a payment be issued beside others, and lets who changes
// accounts wait until it is there to be seen.
func (tx *Tx) ShareCatalogue() error { return tx.driver.lock(lockShareSQL, database.LockAccounts) }

// LockPayment makes this the only write that changes the payment. There need
// not be one.
func (tx *Tx) LockPayment(paymentID string) error {
	return tx.driver.lock(`SELECT 1 FROM payments p WHERE p.payment_id = ? FOR UPDATE`, paymentID)
}

// NewID makes an id with a prefix, see [NewID].
func (tx *Tx) NewID(prefix string) (string, error) { return NewID(prefix, tx.Now(), tx.Entropy) }

// call runs one write and turns a panic in it into an error, so that the
// writer goes on.
func (tx *Tx) call(run func(*Tx) error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			tx.dirty = true
			err = fmt.Errorf("panic in a write: %v", p)
		}
	}()
	return run(tx)
}
