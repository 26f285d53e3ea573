package engine

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"

	"gorm.io/gorm"

	"tolem/store/internal/database"
	"tolem/store/internal/sqlite"
	"tolem/topup"
)

// sqliteLane is the one connection that writes to a SQLite file. While its
// transaction runs nobody else writes, in this process or another, so what a
// write reads holds until it is committed.
type sqliteLane struct {
	writer                  *Writer
	pool                    *sql.DB
	conn                    *sql.Conn
	orm                     *gorm.DB
	stmts                   Statements
	begin, commitTx, revert sqlite.Statement
	callers                 concurrency
	files                   *sqlite.Files
}

// OpenSQLite starts the writer on a SQLite file; server says that this process serves
// it.
func (w *Writer) OpenSQLite(ctx context.Context, f *sqlite.Files, server bool) error {
	l, err := openSQLiteLane(ctx, f, w, server)
	if err != nil {
		return err
	}
	w.start(l)
	return nil
}

func openSQLiteLane(ctx context.Context, f *sqlite.Files, w *Writer, server bool) (*sqliteLane, error) {
	pool, orm, err := database.OpenPool(f, 1, database.Writing)
	if err != nil {
		return nil, err
	}
	l := &sqliteLane{writer: w, pool: pool, files: f}
	if err := l.connect(ctx, orm); err != nil {
		return nil, errors.Join(err, pool.Close())
	}
	if server {
		err = l.mark(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, l.close())
	}
	return l, nil
}

// mark marks the database as this server's.
func (l *sqliteLane) mark(ctx context.Context) error {
	for _, statement := range l.files.FirstMark() {
		if _, err := l.conn.ExecContext(ctx, statement); err != nil {
			return fmt.Errorf("mark the database: %w", err)
		}
	}
	return nil
}

// connect takes the lane's connection and prepares its statements on it. GORM
// works on the same connection, so that cold writes share the transaction.
func (l *sqliteLane) connect(ctx context.Context, orm *gorm.DB) error {
	conn, err := l.pool.Conn(ctx)
	if err != nil {
		return fmt.Errorf("write connection: %w", err)
	}
	// Checkpoints have a connection of their own, see sqlite.Checkpointer. The
	// answer is read: an open statement would keep later commits from disk.
	var off int
	if err := conn.QueryRowContext(ctx, "PRAGMA wal_autocheckpoint = 0").Scan(&off); err != nil {
		return errors.Join(fmt.Errorf("write connection: %w", err), conn.Close())
	}
	queries := map[*sqlite.Statement]string{&l.begin: `BEGIN IMMEDIATE`, &l.commitTx: `COMMIT`, &l.revert: `ROLLBACK`}
	for place, query := range l.stmts.queries() {
		place.hot = new(sqlite.Statement)
		queries[place.hot] = query
	}
	if err := sqlite.Prepare(ctx, conn, queries); err != nil {
		return errors.Join(err, conn.Close())
	}
	l.conn = conn
	l.orm = database.Bound(orm, conn)
	return nil
}

func (l *sqliteLane) exclusive() bool { return true }

// commit runs a batch, and answers nobody that it is on disk unless the files are
// found to be in their places after that.
func (l *sqliteLane) commit(batch []*Write) []*Write {
	err := l.files.Lost()
	if err == nil {
		batch = l.commitAll(batch)
		err = l.files.Check()
	}
	if err != nil {
		for _, op := range batch {
			op.err = database.Unavailable(err)
		}
	}
	return batch
}

// commitAll runs a batch in one transaction. When a write fails half-way, the
// whole batch is rolled back and each runs alone: one bad operation never
// fails its neighbours.
func (l *sqliteLane) commitAll(batch []*Write) []*Write {
	batch, failed, err := l.attempt(l.writer.gather(batch, maxBatch), l.batchTarget())
	l.callers.observe(len(batch) + len(l.writer.queue))
	if err == nil {
		return batch
	}
	if len(batch) == 1 || !failed {
		for _, op := range batch {
			op.err = err
		}
		return batch
	}
	for i := range batch {
		if _, _, err := l.attempt(batch[i:i+1], 1); err != nil {
			batch[i].err = err
		}
	}
	return batch
}

// attempt runs the batch, adds what comes meanwhile until there are so many, and
// commits all of it. failed tells that a write, rather than the database, was
// the cause of the error; nothing is on disk then.
func (l *sqliteLane) attempt(batch []*Write, most int) (all []*Write, failed bool, err error) {
	started := l.writer.now()
	if err := l.begin.Run(); err != nil {
		return batch, false, database.Unavailable(fmt.Errorf("begin: %w", err))
	}
	w := &sqliteDriver{lane: l}
	tx := &Tx{driver: w, Ctx: context.Background(), Now: l.writer.now, Entropy: l.writer.entropy, orm: l.orm, Statements: &l.stmts}
	for done := 0; done < len(batch); batch = l.writer.gather(batch, most) {
		for _, op := range batch[done:] {
			tx.dirty = false
			op.err = tx.call(op.Run)
			if op.err == nil || (IsRefusal(op.err) && !tx.dirty) {
				continue // a refusal is an answer, not a failure: it wrote nothing
			}
			return batch, true, errors.Join(wrapFailure(op.err), l.rollback())
		}
		done = len(batch)
	}
	if err := w.flushTotals(); err != nil {
		return batch, true, errors.Join(wrapFailure(err), l.rollback())
	}
	if err := l.commitTx.Run(); err != nil {
		return batch, false, database.Unavailable(errors.Join(fmt.Errorf("commit: %w", err), l.rollback()))
	}
	l.writer.onCommit(len(batch), l.writer.now().Sub(started))
	return batch, false, nil
}

// batchTarget is up to how many writes a batch takes more while it runs: half of the
// callers. With fewer there are more commits, each of which costs the disk and the
// processors the same; with more, few callers are left to make use of the
// processors while the disk works.
func (l *sqliteLane) batchTarget() int { return min((l.callers.estimate()+1)/2, maxBatch) }

// concurrency is how many callers there are at least: the most writes that were there
// at once, in the batches of this round and of the one before. So a concurrency that
// has left is forgotten within a tenth of a second of load.
type concurrency struct {
	now, before int
	batches     int // of this round
}

// concurrencyWindow is so many batches.
const concurrencyWindow = 32

func (c *concurrency) observe(writes int) {
	c.now = max(c.now, writes)
	if c.batches++; c.batches == concurrencyWindow {
		*c = concurrency{before: c.now}
	}
}

func (c *concurrency) estimate() int { return max(c.now, c.before) }

func (l *sqliteLane) rollback() error {
	if err := l.revert.Run(); err != nil {
		return fmt.Errorf("rollback: %w", err)
	}
	return nil
}

func (l *sqliteLane) close() error {
	for place := range l.stmts.queries() {
		place.hot.Close()
	}
	l.begin.Close()
	l.commitTx.Close()
	l.revert.Close()
	return errors.Join(l.conn.Close(), l.pool.Close())
}

// sqliteDriver is the driver of one transaction on SQLite.
type sqliteDriver struct {
	lane        *sqliteLane
	nextSeq     int64                   // next free transactions.seq, 0 until asked
	nextMessage int64                   // next free messages.id, 0 until asked
	nextEvent   int64                   // next free events.id, 0 until asked
	accounts    map[LedgerAccount]int64 // ledger accounts met in this batch
	balances    map[int64]*totals       // what this batch adds to them
	closed      *ClosedPeriod           // the end of the closed period, nil until asked
}

// closedPeriod reads up to when the books are closed, once a batch.
func (w *sqliteDriver) closedPeriod() (ClosedPeriod, error) {
	if w.closed != nil {
		return *w.closed, nil
	}
	var value string
	if _, err := w.lane.stmts.closedPeriod.hot.QueryRow([]any{&value}); err != nil {
		return ClosedPeriod{}, fmt.Errorf("read the closed period: %w", err)
	}
	closed, err := ParseClosedPeriod(value)
	w.closed = &closed
	return closed, err
}

// undone rolls back to where it began, so that the other writes of the batch stay as
// they are.
func (w *sqliteDriver) undone(tx *Tx, run func() error) error {
	exec := func(statement string) error { return tx.orm.WithContext(tx.Ctx).Exec(statement).Error }
	if err := exec("SAVEPOINT undone"); err != nil {
		return fmt.Errorf("savepoint: %w", err)
	}
	before, dirty := *w, tx.dirty
	before.accounts, before.balances = maps.Clone(w.accounts), make(map[int64]*totals, len(w.balances))
	for account, t := range w.balances {
		sum := *t
		before.balances[account] = &sum
	}
	err := tx.call(func(*Tx) error { return run() })
	if failed := errors.Join(exec("ROLLBACK TO undone"), exec("RELEASE undone")); failed != nil {
		tx.dirty = true
		return fmt.Errorf("roll back to the savepoint: %w", failed)
	}
	*w, tx.dirty = before, dirty
	return err
}

// forgetClosedPeriod lets what follows in this batch read it again.
func (w *sqliteDriver) forgetClosedPeriod() { w.closed = nil }

// lock does nothing: nobody else writes.
func (w *sqliteDriver) lock(string, ...any) error { return nil }

func (w *sqliteDriver) body(raw []byte) any { return raw }

func (w *sqliteDriver) sync() error { return nil }

func (w *sqliteDriver) assertDurable(ctx context.Context) error {
	return sqlite.AssertDurable(ctx, w.lane.conn)
}

func (w *sqliteDriver) state(e *topup.Event) (state topup.State, err error) {
	stmts := &w.lane.stmts
	if len(e.Fingerprint) > 0 {
		var repeats int64
		if _, err := stmts.seen.hot.QueryRow([]any{&repeats}, e.Reference, e.Fingerprint); err != nil {
			return state, err
		}
		noteRepeats(&state, repeats)
	}
	var posted topup.PostedOperation
	found, err := stmts.posted.hot.QueryRow([]any{&posted.Reference, &posted.Sum.Amount, &posted.Sum.Currency, &posted.Initial.Amount, &posted.Initial.Currency, &posted.ByOperator},
		e.Operation, e.Provider, e.Project)
	if err != nil {
		return state, err
	}
	if found {
		state.Posted = &posted
	}
	if e.Reference == "" {
		return state, nil
	}
	for _, stmt := range []*sqlite.Statement{stmts.issued.hot, stmts.unknown.hot, stmts.recorded.hot} {
		var row PaymentRow
		found, err := stmt.QueryRow(row.Places(), e.Reference, e.Provider, e.Project)
		if err != nil {
			return state, err
		}
		if found {
			state.Payment = row.Value()
			return state, nil
		}
	}
	return state, nil
}

func (w *sqliteDriver) account(customerID string) (*topup.Account, error) {
	var row AccountRow
	found, err := w.lane.stmts.account.hot.QueryRow(row.Places(), customerID)
	if err != nil || !found {
		return nil, err
	}
	return row.Value()
}

// takeSeq gives out the next place in the feed. The transaction holds the
// write lock, so nobody else can take it.
func (w *sqliteDriver) takeSeq() (int64, error) {
	return next(&w.nextSeq, w.lane.stmts.lastSeq.hot)
}

func (w *sqliteDriver) takeEvent() (int64, error) {
	return next(&w.nextEvent, w.lane.stmts.lastEvent.hot)
}

func (w *sqliteDriver) takeMessage() (int64, error) {
	return next(&w.nextMessage, w.lane.stmts.lastMessage.hot)
}

// next counts up from what is stored last.
func next(number *int64, last *sqlite.Statement) (int64, error) {
	if *number == 0 {
		if _, err := last.QueryRow([]any{number}); err != nil {
			return 0, fmt.Errorf("read the last number: %w", err)
		}
		*number++
	}
	taken := *number
	*number++
	return taken, nil
}

func (w *sqliteDriver) addEntry(seq int64, n int, key LedgerAccount, amount int64) error {
	account, err := w.ledgerAccount(key)
	if err != nil {
		return err
	}
	if err := w.lane.stmts.insertEntry.put(seq, n, account, amount); err != nil {
		return fmt.Errorf("insert ledger entry: %w", err)
	}
	t := w.balances[account]
	if t == nil {
		if w.balances == nil {
			w.balances = make(map[int64]*totals)
		}
		t = &totals{}
		w.balances[account] = t
	}
	return t.add(amount)
}

// ledgerAccount returns the id of a ledger account and opens it when it is new.
func (w *sqliteDriver) ledgerAccount(key LedgerAccount) (int64, error) {
	if id, known := w.accounts[key]; known {
		return id, nil
	}
	var id int64
	found, err := w.lane.stmts.ledgerAccount.hot.QueryRow([]any{&id}, key.Name, key.Currency)
	if err == nil && !found {
		found, err = w.lane.stmts.openLedgerAccount.hot.QueryRow([]any{&id}, key.Name, key.Currency)
	}
	if err == nil && !found {
		err = errors.New("it was neither found nor opened")
	}
	if err != nil {
		return 0, fmt.Errorf("ledger account: %w", err)
	}
	if w.accounts == nil {
		w.accounts = make(map[LedgerAccount]int64)
	}
	w.accounts[key] = id
	return id, nil
}

// flushTotals writes the batch's totals, in one fixed order. The tables are
// strict, so a sum that overflows is an error of the database.
func (w *sqliteDriver) flushTotals() error {
	accounts := make([]int64, 0, len(w.balances))
	for account := range w.balances {
		accounts = append(accounts, account)
	}
	slices.SortFunc(accounts, cmp.Compare)
	for _, account := range accounts {
		t := w.balances[account]
		changed, err := w.lane.stmts.addTotals.hot.Exec(t.debits, t.credits, account)
		if err != nil {
			return fmt.Errorf("add to the running totals: %w", err)
		}
		if changed != 1 {
			return fmt.Errorf("add to the running totals: ledger account %d is missing", account)
		}
	}
	return nil
}

// LedgerAccount names a ledger account: one name has one account a currency.
type LedgerAccount struct{ Name, Currency string }

// totals are what a batch adds to one ledger account.
type totals struct{ debits, credits int64 }

func (t *totals) add(amount int64) (err error) {
	if amount > 0 {
		t.debits, err = topup.Add(t.debits, amount)
		return err
	}
	t.credits, err = topup.Add(t.credits, -amount)
	return err
}
