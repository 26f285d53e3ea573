package engine

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"math/rand/v2"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"gorm.io/gorm"

	"tolem/store/internal/database"
	"tolem/topup"
)

const (
	// pgAttempts is how often a write is tried when the server asks for it, or
	// the connection is lost before the commit.
	pgAttempts = 5
	// batchLockTimeout is how long the writes of a batch wait in vain for locks, all
	// together. Who holds a lock for long must hold up neither the others of the
	// batch nor the lane, behind which callers give up: the platform asks again.
	batchLockTimeout = 3 * time.Second
	// Of that, a transaction of several writes takes at most sharedLockTimeout, and one
	// of a lone hot write hotLockTimeout. When all is used up, minLockTimeout is left.
	sharedLockTimeout = 500 * time.Millisecond
	hotLockTimeout    = time.Second
	minLockTimeout    = 10 * time.Millisecond
	// defaultWriteTimeout bounds one transaction, and finding out what became of one.
	defaultWriteTimeout = 20 * time.Second
	// totalShards is how many parts the totals of an account have at most that
	// all processes add to.
	totalShards = 64
	// placesPerTransaction is how many places in the feed belong to one number
	// of a transaction; ledger.FeedEnd and raiseFeed know it too.
	placesPerTransaction = 256
	// connectPause is how long everybody is told that the database is away,
	// after an attempt to connect, before the next one.
	connectPause = 200 * time.Millisecond
	// beginRetry is what a writer waits before it tries again, at most, times
	// the number of tries.
	beginRetry = 20 * time.Millisecond
)

var (
	// errConflict says that another process has written what this one was about
	// to: what was decided no longer holds, and is decided anew.
	errConflict = errors.New("another process was faster")
	// errLost says that the connection was lost before the commit was sent:
	// the server rolls back.
	errLost = errors.New("the connection to the database was lost")
	// errAway says that no connection can be made: who waits is told at once.
	errAway = errors.New("the database cannot be reached")
	// errCommitting says that a commit is not cancelled.
	errCommitting = errors.New("a commit that waits for a standby is not cancelled")
	// errUnresolved says that nobody can tell whether the commit happened.
	errUnresolved = errors.New("the connection was lost during the commit, and the database cannot be asked what became of it")
)

// connecting is in the context of a lane that connects.
type connecting struct{}

// pgLane is a connection that writes to PostgreSQL.
type pgLane struct {
	writer *Writer
	server *database.Server
	pool   *sql.DB
	pooled *gorm.DB

	id    string // of this lane in the table writers
	batch int64  // number of the last batch, known to be committed or not
	bulks *bulks
	stmts *Statements

	// conn is nil after the connection was lost, until the next write.
	conn *sql.Conn
	raw  *pgx.Conn // the same
	orm  *gorm.DB  // on the same
	// lockTime is what is left of the batch's batchLockTimeout.
	lockTime time.Duration
	// warned is set by a warning of the server, in the lane's own goroutine.
	warned bool
	// committing is set from a COMMIT to the next transaction, and read by the
	// goroutine in which pgx cancels what it gives up.
	committing atomic.Bool
	// refusal is why the last attempt to connect failed.
	refusal   error
	refusedAt time.Time
}

// OpenPostgres starts the writer with so many lanes on a PostgreSQL server.
func (w *Writer) OpenPostgres(ctx context.Context, server *database.Server, n int) error {
	w.entropy = &sharedReader{from: w.entropy}
	var lanes []lane
	for range n {
		l, err := openPostgresLane(ctx, server, w)
		if err != nil {
			for _, open := range lanes {
				err = errors.Join(err, open.close())
			}
			return err
		}
		lanes = append(lanes, l)
	}
	w.start(lanes...)
	return nil
}

func openPostgresLane(ctx context.Context, server *database.Server, w *Writer) (*pgLane, error) {
	l := &pgLane{writer: w, server: server}
	config := server.Session(database.WritingSettings)
	config.OnNotice = func(_ *pgconn.PgConn, n *pgconn.Notice) {
		if n.SeverityUnlocalized == "WARNING" {
			l.warned = true
		}
	}
	dial := config.DialFunc
	config.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
		// What does not connect cancels. PostgreSQL would end the wait for the standby, and
		// show everybody a commit that a failover may lose.
		if l.committing.Load() && ctx.Value(connecting{}) == nil {
			return nil, errCommitting
		}
		return dial(ctx, network, address)
	}
	pool, orm, err := database.OpenPostgresPool(config, 1)
	if err != nil {
		return nil, err
	}
	id, err := NewID("w_", w.now(), w.entropy)
	if err != nil {
		return nil, errors.Join(err, pool.Close())
	}
	l.pool, l.pooled, l.id, l.bulks = pool, orm, id, newBulks(shardOf(id))
	l.stmts = l.bulks.statements()
	if err := l.connect(ctx); err != nil {
		return nil, errors.Join(err, pool.Close())
	}
	return l, nil
}

// shardOf is the part of the totals that a lane adds to: 1 to totalShards.
func shardOf(lane string) int64 { return 1 + int64(hash32(lane)%totalShards) }

// connect takes a connection, asserts that it is as durable as the promises
// need, and signs the lane in.
func (l *pgLane) connect(ctx context.Context) error {
	if l.conn != nil {
		return nil
	}
	if time.Since(l.refusedAt) < connectPause {
		return l.refusal
	}
	err := l.dial(ctx)
	if err != nil {
		l.refusal, l.refusedAt = err, time.Now()
	}
	return err
}

func (l *pgLane) dial(ctx context.Context) error {
	conn, err := l.pool.Conn(context.WithValue(ctx, connecting{}, true))
	if err != nil {
		return fmt.Errorf("connect: %w", database.ExplainConnect(err))
	}
	var raw *pgx.Conn
	err = conn.Raw(func(driver any) error {
		own, ok := driver.(*stdlib.Conn)
		if !ok {
			return fmt.Errorf("the driver is a %T, not pgx", driver)
		}
		raw = own.Conn()
		return nil
	})
	if err == nil {
		err = l.server.AssertDurable(ctx, raw)
	}
	if err == nil {
		// No batch of it is committed where there is no row, whatever l.batch is:
		// commitHappened goes by what stands here.
		_, err = raw.Exec(ctx, `INSERT INTO writers (id, batch, seen_at) VALUES ($1, 0, $2) ON CONFLICT (id) DO NOTHING`, l.id, database.Micros(l.writer.now()))
	}
	if err != nil {
		// The pool must not keep it: its settings, or its server, stay wrong.
		if raw != nil {
			_ = raw.Close(ctx)
		}
		return errors.Join(err, conn.Close())
	}
	l.conn, l.raw, l.orm = conn, raw, database.Bound(l.pooled, database.StorablePool{ConnPool: conn})
	return nil
}

// disconnect forgets a connection that was lost, or may be in an odd state.
func (l *pgLane) disconnect() {
	if l.conn == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = l.raw.Close(ctx)
	_ = l.conn.Close()
	l.conn, l.raw, l.orm = nil, nil, nil
}

func (l *pgLane) exclusive() bool { return false }

func (l *pgLane) close() error {
	if l.raw != nil {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_, _ = l.raw.Exec(ctx, `DELETE FROM writers WHERE id = $1`, l.id) // the sweeps do it too
	}
	l.disconnect()
	return l.pool.Close()
}

// commit carries out a batch: hot writes together, as far as none meets what
// another one writes, and every other write in a transaction of its own.
func (l *pgLane) commit(batch []*Write) []*Write {
	batch = l.writer.gather(batch, maxBatch)
	l.lockTime = batchLockTimeout
	for left := batch; len(left) > 0; {
		var round []*Write
		round, left = nextRound(left)
		l.commitRound(round)
	}
	return batch
}

// nextRound takes from the batch what may share a transaction with its first
// write, and returns the rest in its order.
func nextRound(batch []*Write) (round, rest []*Write) {
	if batch[0].Kind == Rare {
		return batch[:1], batch[1:]
	}
	taken := make(map[string]bool)
	for _, op := range batch {
		keys := conflictKeys(op)
		if op.Kind == Rare || len(round) == placesPerTransaction || slices.ContainsFunc(keys, func(k string) bool { return taken[k] }) {
			rest = append(rest, op)
			continue
		}
		for _, k := range keys {
			taken[k] = true
		}
		round = append(round, op)
	}
	return round, rest
}

// conflictKeys name what a record reads and another one may write.
func conflictKeys(op *Write) []string {
	e := op.Event
	if e == nil {
		return nil
	}
	var keys []string
	if e.Reference != "" {
		keys = append(keys, "r"+e.Reference)
	}
	if e.Operation != "" {
		keys = append(keys, "o"+e.Operation)
	}
	if len(e.Fingerprint) > 0 {
		keys = append(keys, "f"+string(e.Fingerprint))
	}
	return keys
}

// commitRound carries out writes in one transaction. When that fails for a
// reason that may be one write's alone, each runs alone: one bad operation
// never fails its neighbours.
func (l *pgLane) commitRound(round []*Write) {
	var err error
	for try := range pgAttempts {
		if err = l.attempt(round); err == nil {
			return
		}
		again, connected := retriable(err)
		if len(round) > 1 && connected {
			for i := range round {
				l.commitRound(round[i : i+1])
			}
			return
		}
		if !again {
			break
		}
		time.Sleep(rand.N(beginRetry * time.Duration(try+1)))
	}
	for _, op := range round {
		op.err = wrapFailure(err)
	}
}

// retriable reports whether a failed transaction, which is known not to have
// happened, may succeed when it is tried again, and whether the connection was
// good when it failed.
func retriable(err error) (again, connected bool) {
	if errors.Is(err, errUnresolved) || errors.Is(err, errAway) {
		return false, false
	}
	if errors.Is(err, errLost) {
		return true, false
	}
	if errors.Is(err, errConflict) {
		return true, true
	}
	switch database.CodeOf(err) {
	case "40001", "40P01", "23505", "25006": // serialization, deadlock, unique key, a primary that was demoted
		return true, true
	}
	return false, true
}

// lockNotAvailable is PostgreSQL's code for a lock that somebody holds for too
// long.
const lockNotAvailable = "55P03"

// attempt runs the writes in one transaction and commits it. After an error
// nothing is on disk, unless that is errUnresolved.
func (l *pgLane) attempt(round []*Write) error {
	ctx, cancel := context.WithTimeout(context.Background(), l.writer.timeout())
	defer cancel()
	if err := l.connect(ctx); err != nil {
		return errors.Join(errAway, err)
	}
	started, waited := l.writer.now(), time.Now()
	err := l.transact(ctx, round)
	if err != nil {
		if database.CodeOf(err) == lockNotAvailable {
			l.lockTime -= time.Since(waited)
		}
		if !errors.Is(err, errUnresolved) && l.raw != nil && l.raw.IsClosed() {
			err = errors.Join(errLost, err)
		}
		l.reset(ctx)
		return err
	}
	l.writer.onCommit(len(round), l.writer.now().Sub(started))
	return nil
}

// reset makes the lane ready for another transaction after one has failed.
func (l *pgLane) reset(ctx context.Context) {
	l.bulks.reset()
	if l.conn == nil {
		return
	}
	if _, err := l.raw.Exec(ctx, "ROLLBACK"); err != nil || l.raw.IsClosed() {
		l.disconnect()
	}
}

func (l *pgLane) transact(ctx context.Context, round []*Write) error {
	w := &pgDriver{lane: l, ctx: ctx}
	if err := w.begin(round); err != nil {
		return err
	}
	tx := &Tx{driver: w, Ctx: ctx, Now: l.writer.now, Entropy: l.writer.entropy, orm: l.orm, Statements: l.stmts}
	for _, op := range round {
		tx.dirty = false
		op.err = tx.call(op.Run)
		if w.failure != nil {
			return w.failure // the cause of what the write has met after it
		}
		if op.err != nil && (!IsRefusal(op.err) || tx.dirty) {
			return op.err
		}
	}
	if err := w.sync(); err != nil {
		return err
	}
	return l.commitTransaction(ctx)
}

// commitTransaction commits, and finds out what became of a commit whose answer
// never came.
func (l *pgLane) commitTransaction(ctx context.Context) error {
	l.warned = false
	l.committing.Store(true)
	done, err := l.raw.Exec(ctx, "COMMIT")
	if err == nil && done.String() == "COMMIT" && !l.warned {
		return nil
	}
	if err == nil && l.warned {
		// Somebody has cancelled the wait for the standby. Reading back waits for it.
		err = errors.New("the standby was not waited for")
	} else if err == nil {
		return fmt.Errorf("commit: the server answered %s", done)
	}
	if refused := (*pgconn.PgError)(nil); errors.As(err, &refused) && refused.SeverityUnlocalized == "ERROR" && !l.raw.IsClosed() {
		return fmt.Errorf("commit: %w", err)
	}
	committed, unknown := l.commitHappened()
	switch {
	case unknown != nil:
		return errors.Join(errUnresolved, err, unknown)
	case committed:
		return nil
	default:
		return errors.Join(errLost, err)
	}
}

// commitHappened reads, on a new connection, whether the last batch was committed. Its
// old connection may be at it still: the lane's row in writers is locked until
// it has ended. A commit that the standby does not have yet is waited for.
func (l *pgLane) commitHappened() (committed bool, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), l.writer.timeout())
	defer cancel()
	l.disconnect()
	for pause := beginRetry; ; pause *= 2 {
		if err = l.connect(ctx); err == nil {
			break
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return false, err
		}
	}
	for {
		l.warned = false
		batch, err := l.committedBatch(ctx)
		if err != nil {
			return false, err
		}
		// The lock was written, so this waits for the standby too, unless that wait
		// is cancelled again.
		if !l.warned {
			return batch == l.batch, nil
		}
	}
}

// committedBatch reads the number of the lane's last batch that was committed,
// with a lock on its row.
func (l *pgLane) committedBatch(ctx context.Context) (number int64, err error) {
	var batch pgx.Batch
	batch.Queue("BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE")
	batch.Queue("SELECT set_config('client_min_messages', 'warning', true)") // a pooler's session may have another
	batch.Queue(`SELECT batch FROM writers WHERE id = $1 FOR UPDATE`, l.id).
		QueryRow(func(row pgx.Row) error { return row.Scan(&number) })
	batch.Queue("COMMIT")
	return number, l.raw.SendBatch(ctx, &batch).Close()
}

// pgDriver is the driver of one transaction on PostgreSQL.
type pgDriver struct {
	lane    *pgLane
	ctx     context.Context
	failure error // the first; the transaction cannot be committed any more

	place, message, event, placesEnd int64
	closed                           ClosedPeriod
	known                            map[*topup.Event]*topup.State
	accounts                         map[string]*AccountRow
	totals                           map[LedgerAccount]*totals
}

// begin begins the transaction, and reads what all its events meet, in one
// message to the server and back.
func (w *pgDriver) begin(round []*Write) error {
	l := w.lane
	l.committing.Store(false)
	l.batch++
	var batch pgx.Batch
	batch.Queue("BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE")
	if set := l.server.TransactionSettings(database.WritingSettings); set != "" {
		batch.Queue(set)
	}
	batch.Queue(`UPDATE writers SET batch = $2, seen_at = $3 WHERE id = $1
		RETURNING (SELECT base FROM feed) + 256 * CAST(CAST(pg_current_xact_id() AS TEXT) AS BIGINT), current_setting('fsync'), current_setting('full_page_writes'),
			set_config('synchronous_commit', current_setting('synchronous_commit'), true), coalesce((`+ClosedPeriodSQL+`), ''),
			set_config('lock_timeout', $4, true), set_config('client_min_messages', 'warning', true)`,
		l.id, l.batch, database.Micros(l.writer.now()), l.lockTimeout(round)).
		QueryRow(func(row pgx.Row) error {
			var fsync, pages, commit, closed string
			if err := row.Scan(&w.place, &fsync, &pages, &commit, &closed, nil, nil); err != nil {
				if errors.Is(err, pgx.ErrNoRows) {
					return nil
				}
				return err
			}
			if fsync != "on" || pages != "on" || (commit != "on" && commit != "remote_apply") {
				return fmt.Errorf("the PostgreSQL server is not durable any more: fsync is %s, full_page_writes %s, synchronous_commit %s", fsync, pages, commit)
			}
			var err error
			w.closed, err = ParseClosedPeriod(closed)
			return err
		})
	if slices.ContainsFunc(round, func(op *Write) bool { return op.Kind == Issue }) {
		batch.Queue(`SELECT pg_advisory_xact_lock_shared(CAST($1 AS INTEGER), 0)`, database.LockAccounts)
		w.readAccounts(&batch, round)
	}
	var events []*topup.Event
	for _, op := range round {
		if op.Event != nil {
			events = append(events, op.Event)
		}
	}
	w.readAhead(&batch, events)
	if err := l.raw.SendBatch(w.ctx, &batch).Close(); err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	if w.place == 0 {
		l.disconnect() // it has rested for so long that its row was swept: it signs in anew
		return fmt.Errorf("begin: the process is not signed in: %w", errLost)
	}
	w.message, w.event, w.placesEnd = w.place, w.place, w.place+placesPerTransaction
	return nil
}

// pgAccountsSQL finds the records that count for several customers.
const pgAccountsSQL = `SELECT v.* FROM unnest($1::text[]) AS u (customer_id) CROSS JOIN LATERAL (SELECT ` + AccountColumns + `
	FROM catalogue c JOIN accounts a ON a.customer_id = u.customer_id AND a.revision IS DISTINCT FROM c.staging
	WHERE c.id = 1 ORDER BY a.revision DESC LIMIT 1) v`

// readAccounts reads the accounts that deposits are for, once nobody can change
// them before the payments are there to be seen.
func (w *pgDriver) readAccounts(batch *pgx.Batch, round []*Write) {
	var customers []string
	for _, op := range round {
		if op.Customer != "" {
			customers = append(customers, database.Storable(op.Customer))
		}
	}
	if len(customers) == 0 {
		return
	}
	w.accounts = make(map[string]*AccountRow, len(customers))
	batch.Queue(pgAccountsSQL, customers).Query(func(rows pgx.Rows) error {
		for rows.Next() {
			var row AccountRow
			if err := rows.Scan(row.Places()...); err != nil {
				return err
			}
			w.accounts[row.CustomerID] = &row
		}
		return rows.Err()
	})
}

func (w *pgDriver) account(customerID string) (*topup.Account, error) {
	row := w.accounts[database.Storable(customerID)]
	if row == nil {
		return nil, nil
	}
	return row.Value()
}

// lockTimeout is how long the transaction of a round waits for a lock, as the
// setting of that name.
func (l *pgLane) lockTimeout(round []*Write) string {
	most := batchLockTimeout
	switch {
	case len(round) > 1:
		most = sharedLockTimeout
	case round[0].Kind != Rare:
		most = hotLockTimeout
	}
	return fmt.Sprintf("%dms", max(minLockTimeout, min(most, l.lockTime)).Milliseconds())
}

var (
	// lockReferencesSQL keeps two processes from opening a payment for the same
	// id that was not issued, or storing the same message that names none.
	lockReferencesSQL = `SELECT pg_advisory_xact_lock(CAST($1 AS INTEGER), h) FROM (
		SELECT DISTINCT u.hash AS h FROM unnest($2::text[], $3::text[], $4::text[], $5::int[]) AS u (reference, provider, project, hash)
		WHERE NOT EXISTS (SELECT 1 FROM payments p
			WHERE p.payment_id = u.reference AND p.provider = u.provider AND p.project = u.project AND p.customer_id <> '' AND p.recorded = 0)
		ORDER BY 1) s`
	pgIssuedSQL = `SELECT u.n, ` + PaymentColumns + ` FROM unnest($1::text[], $2::text[], $3::text[]) WITH ORDINALITY AS u (reference, provider, project, n)
		JOIN payments p ON p.payment_id = u.reference AND p.provider = u.provider AND p.project = u.project AND p.customer_id <> '' AND p.recorded = 0
		ORDER BY p.payment_id FOR UPDATE OF p`
	pgUnknownSQL = `SELECT u.n, ` + PaymentColumns + ` FROM unnest($1::text[], $2::text[], $3::text[]) WITH ORDINALITY AS u (reference, provider, project, n)
		JOIN payments p ON p.provider_reference = u.reference AND p.provider = u.provider AND p.project = u.project AND p.customer_id = ''
		WHERE u.reference <> '' ORDER BY p.payment_id FOR UPDATE OF p`
	pgRecordedSQL = `SELECT u.n, ` + PaymentColumns + ` FROM unnest($1::text[], $2::text[], $3::text[]) WITH ORDINALITY AS u (reference, provider, project, n)
		JOIN payments p ON p.provider_reference = u.reference AND p.provider_reference <> '' AND p.customer_id <> '' AND p.provider = u.provider AND p.project = u.project AND p.recorded <> 0
		ORDER BY p.credit_reversed DESC, p.id FOR UPDATE OF p`
	// pgKnownSQL is asked once the locks are held, of a moment after that. LATERAL
	// and the aggregate keep PostgreSQL from collecting all messages in memory.
	pgKnownSQL = `SELECT u.n, m.repeats,
		o.reference, o.sum_amount, o.sum_currency, o.initial_amount, o.initial_currency, o.entered
		FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bytea[]) WITH ORDINALITY AS u (reference, provider, project, operation, fingerprint, n)
		CROSS JOIN LATERAL (SELECT ` + repeatsSQL + ` AS repeats FROM messages s WHERE s.reference = u.reference AND s.fingerprint = u.fingerprint) m
		LEFT JOIN operations o ON o.operation = u.operation AND o.provider = u.provider AND o.project = u.project`
)

// readAhead locks and reads what the events meet.
func (w *pgDriver) readAhead(batch *pgx.Batch, events []*topup.Event) {
	if len(events) == 0 {
		return
	}
	n := len(events)
	references, providers, projects, operations := make([]string, n), make([]string, n), make([]string, n), make([]string, n)
	fingerprints, hashes := make([][]byte, n), make([]int32, n)
	states := make([]topup.State, n)
	if w.known == nil {
		w.known = make(map[*topup.Event]*topup.State, n)
	}
	for i, e := range events {
		references[i], providers[i], projects[i], operations[i] = database.Storable(e.Reference), database.Storable(e.Provider), database.Storable(e.Project), database.Storable(e.Operation)
		if len(e.Fingerprint) > 0 {
			fingerprints[i] = e.Fingerprint
		}
		hashes[i] = referenceHash(e)
		w.known[e] = &states[i]
	}
	take := func(state func(i int) *topup.State) func(pgx.Rows) error {
		return func(rows pgx.Rows) error { return scanLocked(rows, state) }
	}
	at := func(i int) *topup.State { return &states[i] }
	batch.Queue(lockReferencesSQL, database.LockReference, references, providers, projects, hashes)
	batch.Queue(pgIssuedSQL, references, providers, projects).Query(take(at))
	batch.Queue(pgUnknownSQL, references, providers, projects).Query(take(func(i int) *topup.State {
		if states[i].Payment != nil {
			return nil // issued
		}
		return &states[i]
	}))
	batch.Queue(pgRecordedSQL, references, providers, projects).Query(take(func(i int) *topup.State {
		if p := states[i].Payment; p != nil && !p.Recorded {
			return nil // issued, or unknown
		}
		return &states[i] // the last one counts
	}))
	batch.Queue(pgKnownSQL, references, providers, projects, operations, fingerprints).Query(func(rows pgx.Rows) error {
		return scanKnown(rows, at)
	})
}

// scanLocked reads payments into the states of the events that named them.
func scanLocked(rows pgx.Rows, state func(i int) *topup.State) error {
	for rows.Next() {
		var n int64
		var row PaymentRow
		if err := rows.Scan(append([]any{&n}, row.Places()...)...); err != nil {
			return err
		}
		if s := state(int(n - 1)); s != nil {
			s.Payment = row.Value()
		}
	}
	return rows.Err()
}

// scanKnown reads which events were met before, and what their operations posted.
func scanKnown(rows pgx.Rows, state func(i int) *topup.State) error {
	for rows.Next() {
		var (
			n, repeats                  int64
			reference, sumIn, initialIn sql.NullString
			sum, initial, entered       sql.NullInt64
		)
		if err := rows.Scan(&n, &repeats, &reference, &sum, &sumIn, &initial, &initialIn, &entered); err != nil {
			return err
		}
		s := state(int(n - 1))
		noteRepeats(s, repeats)
		if reference.Valid {
			s.Posted = &topup.PostedOperation{
				Reference: reference.String,
				Sum:       topup.Money{Amount: sum.Int64, Currency: sumIn.String},
				Initial:   topup.Money{Amount: initial.Int64, Currency: initialIn.String},

				ByOperator: entered.Int64 != 0,
			}
		}
	}
	return rows.Err()
}

// referenceHash is the lock of a message that names no payment of ours.
func referenceHash(e *topup.Event) int32 {
	if e.Reference == "" {
		return int32(hash32(string(e.Fingerprint)))
	}
	return int32(hash32(e.Provider, e.Project, e.Reference))
}

func hash32(parts ...string) uint32 {
	h := fnv.New32a()
	for _, part := range parts {
		_, _ = io.WriteString(h, part)
		_, _ = h.Write([]byte{0})
	}
	return h.Sum32()
}

func (w *pgDriver) state(e *topup.Event) (topup.State, error) {
	known := w.known[e]
	if known == nil {
		return topup.State{}, errors.New("this event was not read ahead")
	}
	return *known, nil
}

func (w *pgDriver) closedPeriod() (ClosedPeriod, error) { return w.closed, nil }

func (w *pgDriver) takeSeq() (int64, error) { return w.take(&w.place) }

func (w *pgDriver) takeMessage() (int64, error) { return w.take(&w.message) }

func (w *pgDriver) takeEvent() (int64, error) { return w.take(&w.event) }

func (w *pgDriver) take(number *int64) (int64, error) {
	if *number == w.placesEnd {
		return 0, errors.New("a transaction has no more than 256 places")
	}
	*number++
	return *number - 1, nil
}

func (w *pgDriver) addEntry(seq int64, n int, key LedgerAccount, amount int64) error {
	if err := w.lane.bulks.insertEntry.put(seq, n, key.Name, key.Currency, amount); err != nil {
		return err
	}
	t := w.totals[key]
	if t == nil {
		if w.totals == nil {
			w.totals = make(map[LedgerAccount]*totals)
		}
		t = &totals{}
		w.totals[key] = t
	}
	return t.add(amount)
}

// undone leaves it to the end of the transaction.
func (w *pgDriver) undone(_ *Tx, run func() error) error { return run() }

// forgetClosedPeriod does nothing: a transaction that changes it does nothing else.
func (w *pgDriver) forgetClosedPeriod() {}

func (w *pgDriver) lock(query string, args ...any) error {
	return w.lane.orm.WithContext(w.ctx).Exec(query, args...).Error
}

func (w *pgDriver) body(raw []byte) any { return database.Storable(string(raw)) }

func (w *pgDriver) assertDurable(ctx context.Context) error {
	return database.AssertPostgres(ctx, w.lane.raw)
}

// sync sends what was put off.
func (w *pgDriver) sync() error {
	if w.failure != nil {
		return w.failure
	}
	b := w.lane.bulks
	for key, t := range w.totals {
		w.failure = errors.Join(w.failure, b.ledgerAccounts.put(key.Name, key.Currency), b.addTotals.put(key.Name, key.Currency, t.debits, t.credits))
	}
	clear(w.totals)
	if w.failure == nil {
		w.failure = b.send(w.ctx, w.lane.raw)
	}
	return w.failure
}

// sharedReader lets several lanes read from one source of randomness.
type sharedReader struct {
	mu   sync.Mutex
	from io.Reader
}

func (r *sharedReader) Read(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return io.ReadFull(r.from, p)
}
