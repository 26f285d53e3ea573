//go:build linux

package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"github.com/oklog/ulid/v2"

	"tolem/platform"
	"tolem/store"
	"tolem/topup"
)

// The bulk loader fills a fresh SQLite file with the history of a merchant:
// what check_deposit and callbacks would have written, without HTTP and the
// store, in the order of arrival. Constraints, indexes and triggers are those
// of the migrations, and only the syncs are turned off: a half-filled file is
// deleted.

const (
	historyYears  = 4 // less than raw_retention, so that every raw message is still there
	perCustomer   = 20
	loadedChunk   = 1000   // payments that are made up at a time
	loadedCommit  = 50_000 // payments of one transaction
	loadedRows    = 100    // rows of one INSERT
	callbackDelay = 40 * time.Second
	paymentExpiry = 288 * time.Hour
)

// Of a hundred payments, these end otherwise than paid.
const (
	declinedOfHundred = 2
	expiredOfHundred  = 2
)

// yearsAgo is when a merchant's history begins.
func yearsAgo() time.Time { return time.Now().AddDate(-historyYears, 0, 0) }

// loadedCustomers is how many customers a merchant with so many payments has.
func loadedCustomers(payments int64) int { return int(max(50, payments/perCustomer)) }

// bytesOf is how much room so many payments take, and the server and its checks
// while they are measured.
func bytesOf(payments int64) int64 { return payments*2400 + 3<<30 }

// fill puts so many payments of the time since then, with all that belongs to
// them, into the empty database, and takes them for acknowledged.
func fill(ctx context.Context, d database, payments int64, since time.Time, said *acknowledged, progress func(done int64)) (err error) {
	db, err := sql.Open(store.DriverName, "file:"+d.dsn)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	db.SetMaxOpenConns(1)
	for _, pragma := range []string{"journal_mode = OFF", "synchronous = OFF", "foreign_keys = ON", "cache_size = -1500000", "locking_mode = EXCLUSIVE"} {
		if err := setPragma(ctx, db, pragma); err != nil {
			return err
		}
	}
	l := loader{db: db, said: said, credits: make([]int64, loadedCustomers(payments))}
	if err := l.openAccounts(ctx); err != nil {
		return fmt.Errorf("ledger accounts: %w", err)
	}
	if err := l.all(ctx, payments, since, progress); err != nil {
		return err
	}
	return l.closeAccounts(ctx)
}

// setPragma sets one and reads its answer to the end.
func setPragma(ctx context.Context, db *sql.DB, pragma string) (err error) {
	rows, err := db.QueryContext(ctx, "PRAGMA "+pragma)
	if err != nil {
		return fmt.Errorf("PRAGMA %s: %w", pragma, err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		continue
	}
	return rows.Err()
}

// loader writes payments.
type loader struct {
	db      *sql.DB
	said    *acknowledged
	seq     int64   // of the last ledger transaction
	message int64   // of the last message
	debits  int64   // of the settlement account
	credits []int64 // of each customer's account
}

// The ledger accounts of a loaded book: the settlement account, then one for
// each customer.
const settlementAccount = 1

func customerAccount(n int) int64 { return int64(n) + settlementAccount + 1 }

func (l *loader) openAccounts(ctx context.Context) error {
	return l.transact(ctx, func(tx *sql.Tx) error {
		accounts := newInserter(tx, "ledger_accounts", "id", "name", "currency")
		accounts.add(settlementAccount, topup.SettlementAccount(provider, strconv.Itoa(project)), currency)
		for n := range l.credits {
			accounts.add(customerAccount(n), topup.CustomerAccount(customerID(n), contract), currency)
		}
		return accounts.close()
	})
}

// closeAccounts writes the running totals.
func (l *loader) closeAccounts(ctx context.Context) error {
	return l.transact(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `UPDATE ledger_accounts SET debits = ? WHERE id = ?`, l.debits, settlementAccount); err != nil {
			return err
		}
		add, err := tx.PrepareContext(ctx, `UPDATE ledger_accounts SET credits = ? WHERE id = ?`)
		if err != nil {
			return err
		}
		defer add.Close()
		for n, credits := range l.credits {
			if _, err := add.ExecContext(ctx, credits, customerAccount(n)); err != nil {
				return err
			}
		}
		return nil
	})
}

func (l *loader) transact(ctx context.Context, work func(*sql.Tx) error) error {
	tx, err := l.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if err := work(tx); err != nil {
		return errors.Join(err, tx.Rollback())
	}
	return tx.Commit()
}

// all writes the payments. They are made up beside the writing, a few chunks
// ahead.
func (l *loader) all(ctx context.Context, payments int64, since time.Time, progress func(done int64)) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	h := history{start: since, end: time.Now().Add(-time.Hour), payments: payments, customers: len(l.credits)}
	chunks := make(chan chan madeUp, 4)
	go func() {
		defer close(chunks)
		for first := int64(0); first < payments; first += loadedChunk {
			chunk := make(chan madeUp, 1)
			go func() {
				list, err := h.chunk(first, min(first+loadedChunk, payments))
				chunk <- madeUp{list, err}
			}()
			select {
			case chunks <- chunk:
			case <-ctx.Done():
				return
			}
		}
	}()
	for done := int64(0); done < payments; {
		err := l.transact(ctx, func(tx *sql.Tx) error {
			to := newTables(tx)
			for until := min(done+loadedCommit, payments); done < until; {
				made := <-<-chunks
				if made.err != nil {
					return errors.Join(made.err, to.close())
				}
				for _, p := range made.list {
					l.write(to, p)
				}
				to.flush()
				done += int64(len(made.list))
			}
			return to.close()
		})
		if err != nil {
			return fmt.Errorf("payments up to %d: %w", done, err)
		}
		progress(done)
	}
	return nil
}

// madeUp is a chunk of payments.
type madeUp struct {
	list []past
	err  error
}

// history generates payments at equal intervals.
type history struct {
	start, end time.Time
	payments   int64
	customers  int
}

// past is a payment with what became of it.
type past struct {
	id, transaction   string
	customer          int
	sum               topup.Money
	issued, recorded  time.Time
	outcome           platform.Outcome // "" for one that was not paid
	operation         string
	receipt           string
	body, fingerprint []byte
}

func (h history) chunk(from, to int64) ([]past, error) {
	s, err := newSender("", h.customers)
	if err != nil {
		return nil, err
	}
	random := rand.New(rand.NewPCG(uint64(from), uint64(h.payments)))
	entropy := randomBytes{random}
	list := make([]past, 0, to-from)
	for n := from; n < to; n++ {
		p := past{customer: random.IntN(h.customers), sum: amountOf(n)}
		p.issued = h.start.Add(time.Duration(float64(h.end.Sub(h.start)) * (float64(n) / float64(h.payments)))).Truncate(time.Microsecond)
		p.recorded = p.issued.Add(callbackDelay)
		id, err := ulid.New(ulid.Timestamp(p.issued), entropy)
		if err != nil {
			return nil, err
		}
		p.id = "p_" + id.String()
		switch lot := random.IntN(100); {
		case lot < declinedOfHundred:
			p.outcome = platform.OutcomeDecline
		case lot >= declinedOfHundred+expiredOfHundred:
			p.outcome = platform.OutcomeSuccess
		}
		if p.outcome != "" {
			if err := p.settle(s, n, entropy); err != nil {
				return nil, err
			}
		}
		list = append(list, p)
	}
	return list, nil
}

// settle makes up the callback of the n-th payment.
func (p *past) settle(s *sender, n int64, entropy randomBytes) error {
	const firstOperation = 1_000_000_000
	operation := firstOperation + n
	p.operation = strconv.FormatInt(operation, 10)
	c := platform.NewCallback(p.outcome, p.id, operation, p.sum, p.recorded)
	p.receipt = c.Operation.Provider.PaymentID
	body, err := s.project.Callback(c)
	if err != nil {
		return err
	}
	p.body, p.fingerprint = body, fingerprintOf(c)
	id, err := ulid.New(ulid.Timestamp(p.recorded), entropy)
	p.transaction = "t_" + id.String()
	return err
}

// randomBytes reads from a generator that is fast and can be repeated.
type randomBytes struct{ *rand.Rand }

func (r randomBytes) Read(into []byte) (int, error) {
	for i := 0; i < len(into); {
		for word, left := r.Uint64(), 8; left > 0 && i < len(into); left-- {
			into[i] = byte(word)
			word >>= 8
			i++
		}
	}
	return len(into), nil
}

// tables are the tables that a top-up leaves its traces in.
type tables struct {
	payments, transactions, entries, operations, messages, bodies *inserter
}

func newTables(tx *sql.Tx) tables {
	return tables{
		payments: newInserter(tx, "payments", "payment_id", "provider", "project", "customer_id", "entity_id", "contract_number",
			"amount", "currency", "method", "status", "flags", "created_at", "expires_at",
			"provider_status", "provider_code", "provider_message", "provider_payment_id", "operation_id", "provider_time",
			"credit_seq", "credit_transaction", "credit_amount", "credit_currency", "credit_at", "credit_operation"),
		transactions: newInserter(tx, "transactions", "seq", "transaction_id", "kind", "payment_id", "slot", "effective_at", "recorded_at"),
		entries:      newInserter(tx, "entries", "seq", "n", "account_id", "amount"),
		operations: newInserter(tx, "operations", "operation", "provider", "project", "seq", "reference",
			"sum_amount", "sum_currency", "initial_amount", "initial_currency"),
		messages: newInserter(tx, "messages", "id", "received_at", "provider", "project", "source", "reference", "fingerprint",
			"payment_id", "disposition", "seq", "status", "operation", "code", "receipt"),
		bodies: newInserter(tx, "message_bodies", "message_id", "received_at", "body"),
	}
}

// all are in the order in which rows refer to each other.
func (t tables) all() []*inserter {
	return []*inserter{t.payments, t.transactions, t.entries, t.operations, t.messages, t.bodies}
}

func (t tables) flush() {
	for _, in := range t.all() {
		in.flush()
	}
}

func (t tables) close() error {
	var errs []error
	for _, in := range t.all() {
		errs = append(errs, in.close())
	}
	return errors.Join(errs...)
}

// write writes a payment as the server leaves it.
func (l *loader) write(to tables, p past) {
	l.said.issued.add(p.id)
	effective := p.recorded.Truncate(time.Second)
	recorded := p.recorded.UnixMicro()
	status, disposition := topup.StatusExpired, topup.DispositionNoted
	var seq, transaction, creditAmount, creditCurrency, creditAt, providerTime, receipt any
	var creditOperation, providerStatus, code, message string
	if p.outcome != "" {
		status, providerStatus, code, message = topup.StatusDeclined, string(p.outcome), "20000", "General decline"
		providerTime, receipt = effective.UnixMicro(), p.receipt
	}
	if p.outcome == platform.OutcomeSuccess {
		l.seq++
		l.debits += p.sum.Amount
		l.credits[p.customer] += p.sum.Amount
		l.said.credits.add(p.id)
		status, disposition, code, message = topup.StatusSucceeded, topup.DispositionCredited, "0", "Success"
		seq, transaction, creditAmount, creditCurrency, creditAt = l.seq, p.transaction, p.sum.Amount, p.sum.Currency, recorded
		creditOperation = p.operation
	}
	name := strconv.Itoa(project)
	to.payments.add(p.id, provider, name, customerID(p.customer), contract, contractNumber(p.customer, contract),
		p.sum.Amount, p.sum.Currency, platform.DepositMethod, string(status), 0, p.issued.UnixMicro(), p.issued.Add(paymentExpiry).UnixMicro(),
		providerStatus, code, message, receipt, p.operation, providerTime,
		seq, transaction, creditAmount, creditCurrency, creditAt, creditOperation)
	if p.outcome == "" {
		return
	}
	if p.outcome == platform.OutcomeSuccess {
		to.transactions.add(l.seq, p.transaction, string(topup.KindCredit), p.id, 0, effective.UnixMicro(), recorded)
		to.entries.add(l.seq, 0, settlementAccount, p.sum.Amount)
		to.entries.add(l.seq, 1, customerAccount(p.customer), -p.sum.Amount)
		to.operations.add(p.operation, provider, name, l.seq, p.id, p.sum.Amount, p.sum.Currency, p.sum.Amount, p.sum.Currency)
	}
	l.message++
	to.messages.add(l.message, recorded, provider, name, string(topup.SourceCallback), p.id, p.fingerprint,
		p.id, string(disposition), seq, providerStatus, p.operation, code, p.receipt)
	to.bodies.add(l.message, recorded, p.body)
}

// inserter inserts the rows of a table, many with one statement. Its first
// error is kept until it is closed.
type inserter struct {
	tx      *sql.Tx
	query   string // up to VALUES
	row     string // (?, ?, …)
	columns int
	many    *sql.Stmt // of loadedRows rows
	one     *sql.Stmt
	args    []any
	err     error
}

func newInserter(tx *sql.Tx, table string, columns ...string) *inserter {
	in := &inserter{
		tx: tx, columns: len(columns),
		query: "INSERT INTO " + table + " (" + strings.Join(columns, ", ") + ") VALUES ",
		row:   "(" + strings.Repeat("?, ", len(columns)-1) + "?)",
	}
	var err error
	in.one, in.err = tx.Prepare(in.query + in.row)
	in.many, err = tx.Prepare(in.query + strings.Repeat(in.row+", ", loadedRows-1) + in.row)
	in.err = errors.Join(in.err, err)
	return in
}

func (in *inserter) add(values ...any) { in.args = append(in.args, values...) }

// flush writes the rows.
func (in *inserter) flush() {
	for left := in.args; len(left) > 0 && in.err == nil; {
		statement, n := in.one, in.columns
		if len(left) >= loadedRows*in.columns {
			statement, n = in.many, loadedRows*in.columns
		}
		_, in.err = statement.Exec(left[:n]...)
		left = left[n:]
	}
	in.args = in.args[:0]
}

// close writes what is left and gives the statements back.
func (in *inserter) close() error {
	in.flush()
	for _, statement := range []*sql.Stmt{in.one, in.many} {
		if statement != nil {
			in.err = errors.Join(in.err, statement.Close())
		}
	}
	if in.err != nil {
		return fmt.Errorf("%s…: %w", in.query, in.err)
	}
	return nil
}
