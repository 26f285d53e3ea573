package engine

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"tolem/store/internal/database"
)

// A bulk statement puts its rows off and carries all of them out at once, as
// columns: one statement for a batch of payments instead of one for each. That
// buys most of PostgreSQL's speed here, because every statement costs a message
// there and back and the server some 30 µs.
type bulk struct {
	query   string
	columns []column
	rows    int
	// partly is set where rows may stay out because they are there already.
	partly bool
}

// column holds one column's values until they are sent.
type column struct {
	kind  columnKind
	ints  []int64
	texts []string
	bytes [][]byte
	// nullable columns
	someInts  []pgtype.Int8
	someTexts []pgtype.Text
}

// columnKind is how a column is declared in the list of a bulk statement.
type columnKind byte

const (
	colInt      columnKind = 'i'
	colText     columnKind = 't'
	colBytes    columnKind = 'b' // nil is NULL
	colSomeInt  columnKind = 'I'
	colSomeText columnKind = 'T'
)

func (k columnKind) array() string {
	switch k {
	case colInt, colSomeInt:
		return "bigint[]"
	case colBytes:
		return "bytea[]"
	default:
		return "text[]"
	}
}

// newBulk makes a bulk statement. kinds has a letter for each column; in the
// query, %s stands for the columns: unnest($1::bigint[], …).
func newBulk(kinds, query string) *bulk {
	b := &bulk{columns: make([]column, len(kinds))}
	var list strings.Builder
	list.WriteString("unnest(")
	for i, kind := range []byte(kinds) {
		b.columns[i].kind = columnKind(kind)
		if i > 0 {
			list.WriteString(", ")
		}
		list.WriteString("$" + strconv.Itoa(i+1) + "::" + columnKind(kind).array())
	}
	list.WriteString(")")
	b.query = strings.Replace(query, "%s", list.String(), 1)
	return b
}

// put adds a row.
func (b *bulk) put(args ...any) error {
	if len(args) != len(b.columns) {
		return fmt.Errorf("%d values for %d columns of %q", len(args), len(b.columns), b.query)
	}
	for i, arg := range args {
		if err := b.columns[i].add(arg); err != nil {
			return fmt.Errorf("value %d of %q: %w", i, b.query, err)
		}
	}
	b.rows++
	return nil
}

// integer is a number in one of the types that statements are called with.
func integer(arg any) (n int64, ok bool) {
	switch v := arg.(type) {
	case int64:
		return v, true
	case int:
		return int64(v), true
	case uint32:
		return int64(v), true
	case bool:
		if v {
			n = 1
		}
		return n, true
	case sql.NullInt64:
		return v.Int64, v.Valid
	}
	return 0, false
}

func (c *column) add(arg any) error {
	switch c.kind {
	case colInt:
		if n, ok := integer(arg); ok {
			c.ints = append(c.ints, n)
			return nil
		}
	case colSomeInt:
		if n, ok := arg.(sql.NullInt64); ok {
			c.someInts = append(c.someInts, pgtype.Int8{Int64: n.Int64, Valid: n.Valid})
			return nil
		}
	case colText:
		switch v := arg.(type) {
		case string:
			c.texts = append(c.texts, database.Storable(v))
			return nil
		case []byte:
			c.texts = append(c.texts, database.Storable(string(v)))
			return nil
		}
	case colSomeText:
		if t, ok := arg.(sql.NullString); ok {
			c.someTexts = append(c.someTexts, pgtype.Text{String: database.Storable(t.String), Valid: t.Valid})
			return nil
		}
	case colBytes:
		switch v := arg.(type) {
		case nil:
			c.bytes = append(c.bytes, nil)
			return nil
		case []byte:
			c.bytes = append(c.bytes, v)
			return nil
		}
	}
	return fmt.Errorf("a %v does not fit into a column %q", reflect.TypeOf(arg), string(c.kind))
}

func (c *column) values() any {
	switch c.kind {
	case colInt:
		return c.ints
	case colSomeInt:
		return c.someInts
	case colText:
		return c.texts
	case colSomeText:
		return c.someTexts
	default:
		return c.bytes
	}
}

// queue adds the statement to what is sent next.
func (b *bulk) queue(batch *pgx.Batch) {
	args := make([]any, len(b.columns))
	for i := range b.columns {
		args[i] = b.columns[i].values()
	}
	batch.Queue(b.query, args...)
}

func (b *bulk) reset() {
	b.rows = 0
	for i := range b.columns {
		c := &b.columns[i]
		clear(c.texts)
		clear(c.bytes)
		clear(c.someTexts)
		c.ints, c.texts, c.bytes = c.ints[:0], c.texts[:0], c.bytes[:0]
		c.someInts, c.someTexts = c.someInts[:0], c.someTexts[:0]
	}
}

// bulks are the bulk statements of a lane.
type bulks struct {
	insertAccount, insertPayment, updatePayment *bulk
	insertHistory                               *bulk
	ledgerAccounts                              *bulk
	insertTransaction, insertStep, insertEntry  *bulk
	insertOperation, insertItem                 *bulk
	insertMessage, insertOpen, insertBody       *bulk
	insertTold                                  *bulk
	insertEvent, insertDelivery, saveDelivery   *bulk
	addTotals                                   *bulk
}

// newBulks makes the statements of a lane, which adds to its own part, shard,
// of the totals that all lanes add to.
func newBulks(shard int64) *bulks {
	addTotals := newBulk("ttii", `INSERT INTO ledger_totals AS t (account_id, shard, debits, credits)
		SELECT a.id, CASE WHEN a.name >= 'customers:' AND a.name < 'customers;' THEN 0 ELSE SHARD END, u.debits, u.credits
		FROM %s AS u (name, currency, debits, credits) JOIN ledger_accounts a ON a.name = u.name AND a.currency = u.currency ORDER BY a.id
		ON CONFLICT (account_id, shard) DO UPDATE SET debits = t.debits + excluded.debits, credits = t.credits + excluded.credits`)
	addTotals.query = strings.Replace(addTotals.query, "SHARD", strconv.FormatInt(shard, 10), 1)
	ledgerAccounts := newBulk("tt", `INSERT INTO ledger_accounts (name, currency) SELECT u.name, u.currency FROM %s AS u (name, currency)
		WHERE NOT EXISTS (SELECT 1 FROM ledger_accounts a WHERE a.name = u.name AND a.currency = u.currency)
		ORDER BY u.name, u.currency ON CONFLICT DO NOTHING`)
	ledgerAccounts.partly = true
	// The trigger messages_list_unreadable may have listed it already.
	insertOpen := newBulk("itTt", `INSERT INTO open_messages (message_id, told, payment_id, operation) SELECT * FROM %s ON CONFLICT DO NOTHING`)
	insertOpen.partly = true
	insertHistory := newBulk("tit", `INSERT INTO account_history (customer_id, revision, events) SELECT * FROM %s ON CONFLICT DO NOTHING`)
	insertHistory.partly = true
	// One that was skipped meanwhile is left alone.
	saveDelivery := newBulk("tiiiiitti", `UPDATE event_deliveries d SET state = u.state, open = u.open, attempts = d.attempts + 1, next_at = u.next_at,
		first_at = u.first_at, last_at = u.last_at, status = u.status, error = u.error
		FROM %s AS u (state, open, next_at, first_at, last_at, status, error, endpoint, id)
		WHERE d.endpoint = u.endpoint AND d.id = u.id AND d.state = 'pending'`)
	saveDelivery.partly = true
	// One that an operator has sent again or skipped is there already.
	insertDelivery := newBulk("titi", `INSERT INTO event_deliveries (endpoint, id, contract, state, open, next_at)
		SELECT u.endpoint, u.id, u.contract, 'pending', 1, u.next_at FROM %s AS u (endpoint, id, contract, next_at)
		ORDER BY u.id, u.endpoint ON CONFLICT DO NOTHING`)
	insertDelivery.partly = true
	return &bulks{
		insertHistory:  insertHistory,
		insertDelivery: insertDelivery,
		saveDelivery:   saveDelivery,
		insertAccount: newBulk("tittitTii", `INSERT INTO accounts (customer_id, revision, additional_customer_id, currency, closed, entities, offered,
			created_revision, changed_revision)
			SELECT * FROM %s ON CONFLICT DO NOTHING`),
		insertPayment:  newBulkInsertPayment(),
		updatePayment:  newBulkUpdatePayment(),
		ledgerAccounts: ledgerAccounts,
		insertTransaction: newBulk("itttiIIIttii", `INSERT INTO transactions (seq, transaction_id, kind, payment_id, slot, reverses, resolves, takes,
			actor, reason, effective_at, recorded_at) SELECT * FROM %s ON CONFLICT DO NOTHING`),
		insertStep: newBulk("itttiIIIttiii", `INSERT INTO transactions (seq, transaction_id, kind, payment_id, slot, reverses, resolves, takes,
			actor, reason, effective_at, recorded_at, program_level) SELECT * FROM %s ON CONFLICT DO NOTHING`),
		insertEntry: newBulk("iitti", `INSERT INTO entries (seq, n, account_id, amount) SELECT u.seq, u.n, a.id, u.amount
			FROM %s AS u (seq, n, name, currency, amount) JOIN ledger_accounts a ON a.name = u.name AND a.currency = u.currency ON CONFLICT DO NOTHING`),
		insertOperation: newBulk("tttitititi", `INSERT INTO operations (operation, provider, project, seq, reference, sum_amount, sum_currency, initial_amount, initial_currency, entered)
			SELECT * FROM %s ORDER BY 1, 2, 3 ON CONFLICT DO NOTHING`),
		insertItem: newBulk("it", `INSERT INTO suspense_items (seq, payment_id, state) SELECT u.seq, u.payment_id, 'open'
			FROM %s AS u (seq, payment_id) ON CONFLICT DO NOTHING`),
		insertMessage: newBulk("iittttbTtItttt", `INSERT INTO messages (id, received_at, provider, project, source, reference, fingerprint,
			payment_id, disposition, seq, status, operation, code, receipt) SELECT * FROM %s ON CONFLICT DO NOTHING`),
		insertBody: newBulk("iit", `INSERT INTO message_bodies (message_id, received_at, body) SELECT * FROM %s ON CONFLICT DO NOTHING`),
		insertOpen: insertOpen,
		insertTold: newBulk("itit", `INSERT INTO told_refunds (message_id, told, amount, currency) SELECT * FROM %s ON CONFLICT DO NOTHING`),
		insertEvent: newBulk("ittittIttt", `INSERT INTO events (id, event_id, type, at, payment_id, payout_id, seq, contract, receivers, body)
			SELECT * FROM %s ON CONFLICT DO NOTHING`),
		addTotals: addTotals,
	}
}

// inOrder are the statements in the order in which they are sent: the same in
// every process, so that no two wait for each other. The totals come last: their
// rows are held until the commit.
func (b *bulks) inOrder() []*bulk {
	return []*bulk{
		b.insertAccount, b.insertHistory, b.insertPayment, b.updatePayment, b.ledgerAccounts, b.insertTransaction, b.insertStep, b.insertEntry,
		b.insertOperation, b.insertItem, b.insertMessage, b.insertOpen, b.insertTold, b.insertBody,
		b.insertEvent, b.insertDelivery, b.saveDelivery, b.addTotals,
	}
}

// statements are the bulk statements under the names that writes call them by.
func (b *bulks) statements() *Statements {
	return &Statements{
		InsertAccount: Statement{bulk: b.insertAccount}, InsertHistory: Statement{bulk: b.insertHistory},
		insertPayment: Statement{bulk: b.insertPayment},
		updatePayment: Statement{bulk: b.updatePayment}, InsertTransaction: Statement{bulk: b.insertTransaction},
		InsertOperation: Statement{bulk: b.insertOperation}, InsertItem: Statement{bulk: b.insertItem},
		InsertStep: Statement{bulk: b.insertStep}, InsertTold: Statement{bulk: b.insertTold},
		InsertMessage: Statement{bulk: b.insertMessage}, InsertOpen: Statement{bulk: b.insertOpen}, InsertBody: Statement{bulk: b.insertBody},
		InsertEvent: Statement{bulk: b.insertEvent}, InsertDelivery: Statement{bulk: b.insertDelivery},
		SaveDelivery: Statement{bulk: b.saveDelivery},
	}
}

func (b *bulks) reset() {
	for _, statement := range b.inOrder() {
		statement.reset()
	}
}

// send carries out what was put off, in one message to the server and back.
// errConflict says that a row was there already.
func (b *bulks) send(ctx context.Context, conn *pgx.Conn) (err error) {
	var batch pgx.Batch
	var sent []*bulk
	for _, statement := range b.inOrder() {
		if statement.rows > 0 {
			statement.queue(&batch)
			sent = append(sent, statement)
		}
	}
	if len(sent) == 0 {
		return nil
	}
	defer b.reset()
	results := conn.SendBatch(ctx, &batch)
	defer func() { err = errors.Join(err, results.Close()) }()
	for _, statement := range sent {
		done, err := results.Exec()
		if err != nil {
			return err
		}
		if int(done.RowsAffected()) != statement.rows && !statement.partly {
			return fmt.Errorf("%w: %d of %d rows of %.40q", errConflict, done.RowsAffected(), statement.rows, statement.query)
		}
	}
	return nil
}
