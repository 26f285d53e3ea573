package store

import (
	"context"
	"database/sql"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"time"

	"tolem/accountfile"
	"tolem/topup"
)

const (
	// importSilence is how long an import may give no sign of life before
	// another takes its place.
	importSilence = time.Minute
	// A staging transaction is kept to some milliseconds by the number of rows
	// in it, which follows what the last one took.
	firstRows, fewestRows, mostRows = 200, 50, 1000
	shortWrite, longWrite           = 4 * time.Millisecond, 8 * time.Millisecond
	// maxStageBytes bounds what is held for one transaction.
	maxStageBytes = 1 << 20
	// beatEvery is how often an import that finds nothing to write gives a
	// sign of life.
	beatEvery = 5 * time.Second
	// yieldFactor is how long the database is left to others after each
	// transaction, as a multiple of what that took. SQLite's lock is not fair:
	// who waits for it asks again at intervals, and must meet it free.
	yieldFactor = 2
	// importAttempts is how often a write that found the database busy is tried.
	// Each attempt waits for it for some seconds; all of them for longer than a
	// process that hangs can hold its locks on PostgreSQL.
	importAttempts = 12
	retryPause     = 100 * time.Millisecond
	// sweepWindow is how many account rows are looked at in one read.
	sweepWindow = 5000
)

// ImportOptions say how accounts are imported.
type ImportOptions struct {
	// Replace closes the accounts and contracts that the file does not have.
	// Without it they stay as they are.
	Replace bool
	// DryRun checks the file and changes nothing.
	DryRun bool
	// CloseLimit, if set, refuses a Replace that closes too many accounts, with
	// a *TooManyClosedError.
	CloseLimit *CloseLimit
	// Actor is who imports, at most 255 bytes; it becomes part of the accounts'
	// history.
	Actor string
	// Progress, if set, is told how far the import is, from the caller's
	// goroutine.
	Progress func(ImportProgress)
}

// CloseLimit says how many open accounts a Replace may close, because the file
// does not have them: a file that was cut short would close everybody.
type CloseLimit struct {
	// Percent of the open accounts may be closed unasked.
	Percent int64
	// Confirmed is how many shall be closed though it is more, negative if
	// nobody has said so.
	Confirmed int64
}

// check refuses to close so many of the open accounts. The final number may have
// become smaller than the confirmed one while the import was under way.
func (l *CloseLimit) check(closed, open int64, final bool) error {
	if l == nil || closed <= open/100*l.Percent+open%100*l.Percent/100 ||
		closed == l.Confirmed || final && closed < l.Confirmed {
		return nil
	}
	return &TooManyClosedError{Closed: closed, Open: open, Limit: *l}
}

// TooManyClosedError says that an import would close more accounts than its
// limit allows. Nothing was imported.
type TooManyClosedError struct {
	Closed, Open int64 // how many of how many open accounts
	Limit        CloseLimit
}

// Error gives the numbers.
func (e *TooManyClosedError) Error() string {
	return fmt.Sprintf("would close %d of %d open accounts, which the file does not have, more than %d %%", e.Closed, e.Open, e.Limit.Percent)
}

// ImportPhase is a part of an import.
type ImportPhase string

// The phases of an import, in order.
const (
	PhaseClear ImportPhase = "clear" // what an import that died has left is removed; in rows
	PhaseCheck ImportPhase = "check" // the whole file is read and checked; in bytes
	PhaseStage ImportPhase = "stage" // accounts are written, visible to nobody; in accounts
	PhaseSweep ImportPhase = "sweep" // older records are removed; in rows
)

// ImportProgress is how far a phase is.
type ImportProgress struct {
	Phase ImportPhase
	Done  int64
	Total int64 // 0 if unknown
}

// ImportReport is what an import did or, on a dry run, would do.
type ImportReport struct {
	Accounts  int64 // in the file
	Contracts int64 // in the file
	// Created, Changed and Unchanged accounts, of those in the file; unknown
	// on a dry run.
	Created   int64
	Changed   int64
	Unchanged int64
	// Overtaken accounts were put by somebody else while the import was under
	// way; the later write has won.
	Overtaken int64
	// Closed is, with Replace, how many open accounts the file does not have, and
	// Open how many open accounts there were.
	Closed, Open int64
	// ContractsClosed is, with Replace, how many open contracts the file does
	// not have of accounts that it has.
	ContractsClosed int64
	// Unfit is how many customers' ids are not what the normaliser is for: with
	// kz_phone, no Kazakh telephone numbers. They are kept as they are.
	Unfit int64
	// SHA256 is the hash of the file's bytes, in hexadecimal; empty on a dry run.
	SHA256 string
	// Leftover is why superseded records could not all be removed after the
	// import, nil if they were. They are not visible, and the next import
	// removes them.
	Leftover error
}

var (
	errFileChanged = errors.New("the file changed while it was being imported; nothing was imported: import it again")
	errTakenOver   = topup.Conflict("another import has taken this one's place; nothing was imported: import again")
)

// ImportAccounts imports a file of account records, all of it or nothing, while
// others read and write. The file is checked first: a file with a bad line
// changes nothing, and the error is a *[accountfile.LineErrors]. Then its accounts are
// staged, visible to nobody, in transactions of a few milliseconds; then one
// short write makes all of them visible at once. When the process dies on the
// way, or ctx ends, nothing of it is visible, and the next import clears it up.
//
// A contract or an account that the file does not have stays as it was, or is
// closed with Replace; nothing is deleted. The import takes its revision before
// it reads the file, so an account that is put from then on, be it while the
// file is still checked, wins over the file: the later write wins. One import
// runs at a time; a second is refused with KindConflict. A dry run takes nothing
// and is never refused.
func (s *Store) ImportAccounts(ctx context.Context, o ImportOptions, file accountfile.File) (ImportReport, error) {
	if o.Progress == nil {
		o.Progress = func(ImportProgress) {}
	}
	im := &importer{s: s, o: o, file: file, rows: firstRows, by: origin{SourceImport, o.Actor, shownFile(file.Name), ""}}
	if err := im.by.check(); err != nil {
		return im.report, wrapImport(err)
	}
	if o.DryRun {
		_, err := im.check(ctx)
		return im.report, wrapImport(err)
	}
	if err := im.run(ctx); err != nil {
		return im.report, wrapImport(errors.Join(err, im.giveUp(ctx)))
	}
	im.report.Leftover = im.sweep(ctx, PhaseSweep, supersededSQL)
	return im.report, nil
}

// run imports the file, up to the write that makes it visible.
func (im *importer) run(ctx context.Context) error {
	if err := im.begin(ctx); err != nil {
		return err
	}
	sum, err := im.check(ctx)
	if err != nil {
		return err
	}
	im.by.sha256 = hex.EncodeToString(sum[:])
	im.report.SHA256 = im.by.sha256
	if err := im.stageAll(ctx, sum); err != nil {
		return err
	}
	if im.o.Replace {
		if im.report.Closed, err = im.countAccounts(ctx, closingSQL); err != nil {
			return err
		}
		if err := im.o.CloseLimit.check(im.report.Closed, im.report.Open, true); err != nil {
			return err
		}
	}
	return im.show(ctx)
}

func wrapImport(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("import accounts: %w", err)
}

// importer is one import.
type importer struct {
	s      *Store
	o      ImportOptions
	file   accountfile.File
	report ImportReport
	by     origin

	claim    int64     // what the catalogue says while the staging is ours; 0 before
	revision int64     // of what is staged; 0 before it is taken
	staged   bool      // something may have been staged
	alive    time.Time // when the last sign of life was given
	// Payments and ledger accounts after these ids came after the import had
	// begun.
	payments, ledgerAccounts int64

	rows int // how many to write in one transaction

	closedAt, closedBy int64 // the last answer of closing
}

// check reads the whole file and refuses one of which a line is wrong. An import
// that has its place already keeps it, however long that takes.
func (im *importer) check(ctx context.Context) (sum accountfile.Checksum, err error) {
	var open int64
	filled, err := im.filled(ctx)
	if err != nil {
		return sum, err
	}
	verdict, err := im.file.Check(ctx, im.s.normalize, func(r *accountfile.Record, read int64) error {
		if err := im.stayAlive(ctx); err != nil {
			return err
		}
		if !im.s.normalize.Fits(r.Account.CustomerID) {
			im.report.Unfit++
		}
		if topup.KnownCurrency(r.Account.Currency) {
			before, err := im.compare(ctx, r, filled)
			if err != nil {
				return err
			}
			if before != nil && !before.closed && !before.replaced {
				open++
				if err := im.countContracts(before, &r.Account); err != nil {
					return fmt.Errorf("line %d: %w", r.Line, err)
				}
			}
		}
		im.report.Accounts++
		im.report.Contracts += int64(len(r.Account.Contracts))
		if im.report.Accounts%1000 == 0 {
			im.o.Progress(ImportProgress{PhaseCheck, read, im.file.Size})
		}
		return nil
	})
	if err != nil {
		return sum, err
	}
	sum = verdict.Checksum
	im.o.Progress(ImportProgress{PhaseCheck, im.file.Size, im.file.Size})
	if err := verdict.Err(); err != nil || !im.o.Replace {
		return sum, err
	}
	if im.report.Open, err = im.countAccounts(ctx, openSQL); err != nil {
		return sum, err
	}
	im.report.Closed = im.report.Open - open
	return sum, im.o.CloseLimit.check(im.report.Closed, im.report.Open, false)
}

// countContracts counts the open contracts of an open account that Replace
// closes.
func (im *importer) countContracts(before *accountRow, record *topup.Account) error {
	if !im.o.Replace {
		return nil
	}
	old, err := before.value()
	if err != nil {
		return err
	}
	for i := range old.Contracts {
		if c := &old.Contracts[i]; !c.Closed && record.Contract(c.ID) == nil {
			im.report.ContractsClosed++
		}
	}
	return nil
}

// stayAlive gives a sign of life, if the import has a place to keep and it is
// time.
func (im *importer) stayAlive(ctx context.Context) error {
	if im.claim == 0 || im.s.now().Sub(im.alive) < beatEvery {
		return nil
	}
	err := im.write(ctx, func(tx *wtx) error {
		_, err := im.beat(tx)
		return err
	})
	im.alive = im.s.now()
	return err
}

// filled reports whether there are accounts to compare the file with.
func (im *importer) filled(ctx context.Context) (bool, error) {
	var filled bool
	err := im.s.raw(ctx, `SELECT EXISTS (SELECT 1 FROM accounts)`).Row().Scan(&filled)
	if err != nil {
		return false, fmt.Errorf("look for accounts: %w", err)
	}
	return filled, nil
}

// compare returns the customer's account as it is, nil for none, and adds what
// there is against the record. Nothing is read of a database without accounts.
func (im *importer) compare(ctx context.Context, r *accountfile.Record, filled bool) (before *accountRow, err error) {
	// A context that cannot end spares the driver a goroutine for each query;
	// between the records the caller looks at its own.
	ctx = context.WithoutCancel(ctx)
	if filled {
		if before, err = im.s.accountRow(ctx, r.Account.CustomerID); err != nil {
			return nil, fmt.Errorf("line %d: read the account: %w", r.Line, err)
		}
	}
	err = checkCurrencyChange(im.s.outside(ctx), before, &r.Account)
	if refusal := (*topup.Error)(nil); errors.As(err, &refusal) {
		r.AddProblem(refusal)
		return before, nil
	}
	if err != nil {
		return nil, fmt.Errorf("line %d: %w", r.Line, err)
	}
	return before, nil
}

const (
	// openSQL counts the open accounts.
	openSQL = `SELECT count(*) FROM catalogue c CROSS JOIN accounts a
		WHERE c.id = 1 AND a.closed = 0 AND a.revision >= c.closed_below AND a.revision IS DISTINCT FROM c.staging AND NOT EXISTS (
			SELECT 1 FROM accounts n WHERE n.customer_id = a.customer_id AND n.revision > a.revision AND n.revision IS DISTINCT FROM c.staging)`
	// closingSQL counts the open accounts that were neither staged nor put since
	// the import began.
	closingSQL = `SELECT count(*) FROM catalogue c CROSS JOIN accounts a
		WHERE c.id = 1 AND a.closed = 0 AND a.revision >= c.closed_below AND a.revision < c.staging AND NOT EXISTS (
			SELECT 1 FROM accounts n WHERE n.customer_id = a.customer_id AND n.revision > a.revision)`
)

// countAccounts returns how many accounts the query counts.
func (im *importer) countAccounts(ctx context.Context, query string) (n int64, err error) {
	if err := im.s.raw(ctx, query).Row().Scan(&n); err != nil {
		return 0, fmt.Errorf("count open accounts: %w", err)
	}
	return n, nil
}

// catalogue is the one row that says which records are visible.
type catalogue struct {
	lastRevision int64
	staging      sql.NullInt64
	claim        int64
	heartbeat    sql.NullInt64
}

func (tx *wtx) catalogue() (c catalogue, err error) {
	err = tx.raw(`SELECT last_revision, staging, claim, heartbeat_at FROM catalogue WHERE id = 1`).
		Row().Scan(&c.lastRevision, &c.staging, &c.claim, &c.heartbeat)
	if err != nil {
		return c, fmt.Errorf("read the catalogue: %w", err)
	}
	return c, nil
}

// begin takes the staging and a revision: at once when it is free, and from an
// import that has given no sign of life, once what that one has staged is
// cleared away.
func (im *importer) begin(ctx context.Context) error {
	im.alive = im.s.now()
	dead := false
	err := im.write(ctx, func(tx *wtx) (err error) {
		dead, err = im.take(tx)
		return err
	})
	if err != nil || !dead {
		return err
	}
	if err := im.sweep(ctx, PhaseClear, abandonedSQL); err != nil {
		return fmt.Errorf("clear up after an import that died: %w", err)
	}
	return im.write(ctx, im.startRevision)
}

// take claims the staging. It reports true when there is something to clear
// first; until that is done, it stays hidden as what is being staged.
func (im *importer) take(tx *wtx) (dead bool, err error) {
	if err := tx.checkNormalizer(im.s.normalize); err != nil {
		return false, err
	}
	c, err := tx.catalogue()
	if err != nil {
		return false, err
	}
	if im.claim != 0 && c.claim == im.claim { // an earlier try was committed, and its answer lost
		return c.staging.Int64 != im.revision, nil
	}
	if age := im.s.now().Sub(fromMicros(c.heartbeat.Int64)).Abs(); c.staging.Valid && age < importSilence {
		return false, topup.Conflict("another import is under way, it was active %d s ago: wait for it", int(age.Seconds()))
	}
	// A step of any length makes it a number that no other import has.
	var step [4]byte
	if _, err := io.ReadFull(tx.entropy, step[:]); err != nil {
		return false, fmt.Errorf("take the staging: %w", err)
	}
	im.claim, im.revision = c.claim+1+int64(binary.BigEndian.Uint32(step[:])), 0
	err = tx.gorm().Exec(`UPDATE catalogue SET claim = ?, heartbeat_at = ? WHERE id = 1`, im.claim, micros(im.s.now())).Error
	if err != nil {
		return false, fmt.Errorf("take the staging: %w", err)
	}
	if c.staging.Valid {
		return true, nil
	}
	return false, im.startRevision(tx)
}

// startRevision takes a new revision to stage under. It is higher than that of
// every account that was put until now.
func (im *importer) startRevision(tx *wtx) error {
	im.revision = 0
	c, err := im.beat(tx)
	if err != nil {
		return err
	}
	err = tx.raw(`SELECT coalesce((SELECT max(id) FROM payments), 0), coalesce((SELECT max(id) FROM ledger_accounts), 0)`).
		Row().Scan(&im.payments, &im.ledgerAccounts)
	if err != nil {
		return fmt.Errorf("read the last payment: %w", err)
	}
	im.revision = c.lastRevision + 1
	err = tx.gorm().Exec(`UPDATE catalogue SET last_revision = ?, staging = ? WHERE id = 1`, im.revision, im.revision).Error
	if err != nil {
		return fmt.Errorf("take a revision: %w", err)
	}
	return nil
}

// beat refuses to go on when another import has taken the staging, and gives a
// sign of life otherwise.
func (im *importer) beat(tx *wtx) (catalogue, error) {
	c, err := tx.catalogue()
	if err != nil {
		return c, err
	}
	if c.claim != im.claim || (im.revision != 0 && c.staging.Int64 != im.revision) {
		return c, errTakenOver
	}
	err = tx.gorm().Exec(`UPDATE catalogue SET heartbeat_at = ? WHERE id = 1`, micros(im.s.now())).Error
	if err != nil {
		return c, fmt.Errorf("give a sign of life: %w", err)
	}
	return c, nil
}

// giveUp lets the next import take over at once. The staging is free again if
// nothing was staged; what is staged stays hidden until the next import clears
// it away.
func (im *importer) giveUp(ctx context.Context) error {
	if im.claim == 0 {
		return nil
	}
	unused := im.revision
	if im.staged {
		unused = 0 // no revision
	}
	return im.s.writer.do(context.WithoutCancel(ctx), func(tx *wtx) error {
		if err := tx.lockCatalogue(); err != nil {
			return err
		}
		return tx.gorm().Exec(`UPDATE catalogue SET heartbeat_at = 0, staging = nullif(staging, ?)
			WHERE id = 1 AND claim = ? AND staging IS NOT NULL`, unused, im.claim).Error
	})
}

// write runs one short write, and then leaves the database to others for
// longer than it has taken it. A write that has begun is not given up when ctx
// ends. One of which nobody can tell whether it was committed is tried again: fn
// must know its own work when it meets that.
func (im *importer) write(ctx context.Context, fn func(*wtx) error) error {
	for attempt := 1; ; attempt++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		var started time.Time
		err := im.s.writer.do(context.WithoutCancel(ctx), func(tx *wtx) error {
			started = im.s.now()
			if err := tx.lockCatalogue(); err != nil {
				return err
			}
			return fn(tx)
		})
		if err == nil {
			took := im.s.now().Sub(started)
			im.pace(took)
			_ = pause(ctx, yieldFactor*took) // the write is done, whether ctx has ended or not
			return nil
		}
		refusal := (*topup.Error)(nil)
		busy := errors.As(err, &refusal) && refusal.Kind == topup.KindUnavailable
		if !busy || attempt == importAttempts {
			return err
		}
		if err := pause(ctx, retryPause); err != nil {
			return err
		}
	}
}

// pace chooses how many rows to write at once by what the last write took.
func (im *importer) pace(took time.Duration) {
	switch {
	case took > longWrite:
		im.rows = max(fewestRows, im.rows/2)
	case took < shortWrite:
		im.rows = min(mostRows, im.rows+im.rows/4)
	}
}

func pause(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// stageAll reads the file again and writes its accounts under the import's
// revision, which nobody sees. What an account's record becomes is worked out
// outside of the writes. That is safe: who changes the account meanwhile does
// so under a higher revision and wins, whatever is staged; and a payment that
// is issued meanwhile is looked at before the import is shown.
func (im *importer) stageAll(ctx context.Context, sum accountfile.Checksum) error {
	var done int64
	chunk := &stageChunk{}
	im.rows = firstRows // signs of life say nothing about how long rows take
	again, err := im.file.Each(ctx, func(r *accountfile.Record, _ int64) error {
		if r.Verify(im.s.normalize); len(r.Problems) > 0 {
			return errFileChanged
		}
		record, err := im.settle(ctx, r)
		if err != nil {
			return err
		}
		if record != nil {
			chunk.add(*record, im.revision)
		}
		done++
		if !chunk.full(im.rows) && im.s.now().Sub(im.alive) < beatEvery {
			return nil
		}
		if err := im.stage(ctx, chunk); err != nil {
			return err
		}
		im.o.Progress(ImportProgress{PhaseStage, done, im.report.Accounts})
		return nil
	})
	if err != nil {
		return err
	}
	if again != sum {
		return errFileChanged
	}
	if err := im.stage(ctx, chunk); err != nil {
		return err
	}
	im.o.Progress(ImportProgress{PhaseStage, done, im.report.Accounts})
	return nil
}

// stageChunk is what goes into one transaction.
type stageChunk struct {
	rows    []*encodedAccount
	history []historyRow
	bytes   int
}

func (c *stageChunk) add(w written, revision int64) {
	row := encodeAccount(w, revision)
	c.rows = append(c.rows, row)
	c.history = append(c.history, w.history...)
	c.bytes += len(row.entities) + len(row.offered.String)
	for _, h := range w.history {
		c.bytes += len(h.events)
	}
}

func (c *stageChunk) full(rows int) bool { return len(c.rows) >= rows || c.bytes >= maxStageBytes }

// stage writes a chunk, and a sign of life, and empties it.
func (im *importer) stage(ctx context.Context, chunk *stageChunk) error {
	tried := false
	im.staged = true
	err := im.write(ctx, func(tx *wtx) error {
		if _, err := im.beat(tx); err != nil {
			return err
		}
		if tried && len(chunk.rows) > 0 {
			done, err := tx.isStaged(chunk.rows[0])
			if err != nil || done {
				return err // an earlier try was committed, and its answer lost
			}
		}
		tried = true
		if err := tx.insertAccounts(chunk.rows); err != nil {
			return err
		}
		return tx.insertHistory(chunk.history)
	})
	if err != nil {
		return err
	}
	clear(chunk.rows)
	clear(chunk.history)
	chunk.history = chunk.history[:0]
	chunk.rows, chunk.bytes, im.alive = chunk.rows[:0], 0, im.s.now()
	return nil
}

// isStaged reports whether an account's record is there: a chunk is staged whole
// or not at all.
func (tx *wtx) isStaged(row *encodedAccount) (is bool, err error) {
	err = tx.raw(`SELECT EXISTS (SELECT 1 FROM accounts WHERE customer_id = ? AND revision = ?)`, row.customerID, row.revision).Row().Scan(&is)
	if err != nil {
		return false, fmt.Errorf("look for staged accounts: %w", err)
	}
	return is, nil
}

func (tx *wtx) insertAccounts(rows []*encodedAccount) error {
	for _, row := range rows {
		if err := tx.put(tx.stmts.insertAccount, row.values()...); err != nil {
			return fmt.Errorf("stage an account: %w", err)
		}
	}
	return nil
}

// settle decides what a record makes of the account that is there; nil when
// there is nothing to write.
func (im *importer) settle(ctx context.Context, r *accountfile.Record) (*written, error) {
	before, err := im.compare(ctx, r, true)
	if err != nil {
		return nil, err
	}
	switch {
	case len(r.Problems) > 0:
		return nil, &accountfile.LineErrors{Lines: r.Problems}
	case before == nil:
		im.report.Created++
		return &written{account: &r.Account, created: im.revision, changed: im.revision}, nil
	case before.revision > im.revision:
		im.report.Overtaken++
		return nil, nil
	}
	record, err := merged(before, &r.Account, im.o.Replace)
	if err != nil {
		return nil, fmt.Errorf("line %d: %w", r.Line, err)
	}
	w, err := revised(before, record, im.revision, im.closing(ctx))
	if err != nil {
		return nil, fmt.Errorf("line %d: %w", r.Line, err)
	}
	if w.changed == im.revision {
		im.report.Changed++
		return &w, nil
	}
	im.report.Unchanged++
	if im.o.Replace {
		return &w, nil // what is not written anew will count as closed
	}
	return nil, nil
}

// closing finds the import that closed what was last written at a revision. It
// remembers the last answer: accounts of one import are next to each other.
func (im *importer) closing(ctx context.Context) func(int64) (int64, error) {
	return func(at int64) (int64, error) {
		if im.closedAt == at {
			return im.closedBy, nil
		}
		by, err := closingRevision(im.s.outside(ctx), at)
		if err == nil {
			im.closedAt, im.closedBy = at, by
		}
		return by, err
	}
}

// currencyTakenSQL tells whether an account whose currency the import changes
// has got a payment, or a ledger account, after the given ones.
const currencyTakenSQL = `SELECT EXISTS (SELECT 1 FROM (
		SELECT customer_id FROM payments WHERE id > ? AND customer_id <> ''
		UNION SELECT substr(name, 11, %s(substr(name, 11), ':') - 1) FROM ledger_accounts
		WHERE id > ? AND name >= 'customers:' AND name < 'customers;'
	) t JOIN accounts s ON s.customer_id = t.customer_id AND s.revision = ?
	JOIN accounts v ON v.customer_id = t.customer_id AND v.revision = (
		SELECT max(x.revision) FROM accounts x WHERE x.customer_id = t.customer_id AND x.revision <> ?)
	WHERE v.revision < ? AND v.currency <> s.currency),
	coalesce((SELECT max(id) FROM payments), 0), coalesce((SELECT max(id) FROM ledger_accounts), 0)`

// show makes all that is staged visible at once. Payments issued since the
// import began are looked at before, so that in the write itself there are
// next to none left to look at.
func (im *importer) show(ctx context.Context) error {
	if err := im.checkTaken(im.s.outside(ctx)); err != nil {
		return err
	}
	tried := false
	return im.write(ctx, func(tx *wtx) error {
		c, err := tx.catalogue()
		if err != nil {
			return err
		}
		if tried && c.claim == im.claim && !c.staging.Valid {
			return nil // the first try was committed, and its answer lost
		}
		tried = true
		if c.claim != im.claim || c.staging.Int64 != im.revision {
			return errTakenOver
		}
		if err := im.checkTaken(tx.raw); err != nil {
			return err
		}
		// Before the catalogue: a trigger adds the row of a program that does not
		// know of it.
		if err := tx.insertChange(im.revision, im.by, "", im.o.Replace, im.report); err != nil {
			return err
		}
		err = tx.gorm().Exec(`UPDATE catalogue SET staging = NULL, heartbeat_at = NULL,
			closed_below = CASE WHEN ? THEN staging ELSE closed_below END WHERE id = 1`, im.o.Replace).Error
		if err != nil {
			return fmt.Errorf("make the import visible: %w", err)
		}
		return nil
	})
}

// checkTaken refuses to change the currency of an account that has got a
// payment since the import began, and moves that mark on.
func (im *importer) checkTaken(ask query) error {
	var taken bool
	var payments, ledgerAccounts int64
	err := ask(fmt.Sprintf(currencyTakenSQL, im.s.dialect.position),
		im.payments, im.ledgerAccounts, im.revision, im.revision, im.revision).Row().Scan(&taken, &payments, &ledgerAccounts)
	if err != nil {
		return fmt.Errorf("look for payments issued meanwhile: %w", err)
	}
	if taken {
		return topup.Conflict("an account whose currency the file changes was used for a payment meanwhile; nothing was imported: import again")
	}
	im.payments, im.ledgerAccounts = payments, ledgerAccounts
	return nil
}

const (
	// supersededSQL is true for a record that a visible one has replaced. What
	// it is true for, it stays true for.
	supersededSQL = `EXISTS (SELECT 1 FROM accounts n, catalogue c WHERE c.id = 1
		AND n.customer_id = a.customer_id AND n.revision > a.revision AND n.revision IS DISTINCT FROM c.staging)`
	// abandonedSQL is true for what an import has staged; to be asked by who
	// has taken its place.
	abandonedSQL = `a.revision = (SELECT staging FROM catalogue WHERE id = 1)`
)

// sweep deletes the records for which the condition is true, in short writes,
// and looks for them outside of these.
func (im *importer) sweep(ctx context.Context, phase ImportPhase, condition string) error {
	var last, done int64
	if err := im.s.raw(ctx, `SELECT coalesce(max(id), 0) FROM accounts`).Row().Scan(&last); err != nil {
		return fmt.Errorf("look for older records: %w", err)
	}
	for after := int64(0); after < last; after += sweepWindow {
		ids, err := im.matching(ctx, condition, after)
		if err != nil {
			return fmt.Errorf("look for older records: %w", err)
		}
		for len(ids) > 0 {
			n := min(im.rows, len(ids))
			if err := im.delete(ctx, phase, condition, ids[:n]); err != nil {
				return fmt.Errorf("remove older records: %w", err)
			}
			ids = ids[n:]
			done += int64(n)
			im.o.Progress(ImportProgress{phase, done, 0})
		}
	}
	return nil
}

func (im *importer) matching(ctx context.Context, condition string, after int64) ([]int64, error) {
	rows, err := im.s.raw(ctx, `SELECT a.id FROM accounts a WHERE a.id > ? AND a.id <= ? AND `+condition, after, after+sweepWindow).Rows()
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var ids []int64
	for rows.Next() {
		var id int64
		if err := rows.Scan(&id); err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	return ids, rows.Err()
}

// delete removes records by id. The condition is asked again: an id may be a
// newer record's by now.
func (im *importer) delete(ctx context.Context, phase ImportPhase, condition string, ids []int64) error {
	return im.write(ctx, func(tx *wtx) error {
		if phase == PhaseClear {
			if _, err := im.beat(tx); err != nil {
				return err
			}
		}
		return tx.gorm().Exec(`DELETE FROM accounts AS a WHERE a.id IN ? AND `+condition, ids).Error
	})
}
