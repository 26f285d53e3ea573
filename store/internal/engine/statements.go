package engine

import (
	"tolem/store/internal/sqlite"
	"tolem/topup"
)

// Statement is a hot statement: one that runs for every payment. It is no
// interface, so that the compiler sees where arguments go, and leaves them on
// the stack: that is two of three allocations of a write.
type Statement struct {
	hot  *sqlite.Statement // on SQLite
	bulk *bulk             // on PostgreSQL
}

// put executes a statement whose rows affected do not matter.
func (s Statement) put(args ...any) error {
	if s.hot != nil {
		return s.hot.Run(args...)
	}
	return s.bulk.put(args...)
}

// LookasideMisses is how often SQLite had no lookaside memory left on the lane's
// connection; known is false where it cannot be asked.
func (s Statement) LookasideMisses() (times int, known bool) {
	if s.hot == nil {
		return 0, false
	}
	return s.hot.LookasideMisses()
}

// Statements are the hot statements of a lane: GORM would prepare each
// anew inside every transaction.
type Statements struct {
	account, InsertAccount, InsertHistory       Statement
	insertPayment, updatePayment                Statement
	seen, posted, issued, unknown, recorded     Statement
	closedPeriod                                Statement
	lastMessage, InsertMessage, InsertBody      Statement
	InsertOpen, InsertTold                      Statement
	lastEvent, InsertEvent, InsertDelivery      Statement
	SaveDelivery                                Statement
	lastSeq, InsertTransaction, insertEntry     Statement
	InsertStep                                  Statement
	InsertOperation, InsertItem                 Statement
	ledgerAccount, openLedgerAccount, addTotals Statement
}

// queries are the statements' texts for SQLite.
func (s *Statements) queries() map[*Statement]string {
	return map[*Statement]string{
		&s.account:       AccountSQL,
		&s.InsertAccount: insertAccountSQL,
		&s.InsertHistory: insertHistorySQL,

		&s.insertPayment: insertPaymentSQL,
		&s.updatePayment: updatePaymentSQL,
		&s.seen:          seenSQL,
		&s.posted:        postedSQL,
		&s.issued:        issuedSQL,
		&s.unknown:       unknownSQL,
		&s.recorded:      recordedSQL,
		&s.closedPeriod:  ClosedPeriodSQL,

		&s.lastMessage:   lastMessageSQL,
		&s.InsertMessage: insertMessageSQL,
		&s.InsertBody:    insertBodySQL,
		&s.InsertOpen:    insertOpenSQL,
		&s.InsertTold:    insertToldSQL,

		&s.lastEvent:      lastEventSQL,
		&s.InsertEvent:    insertEventSQL,
		&s.InsertDelivery: insertDeliverySQL,
		&s.SaveDelivery:   saveDeliverySQL,

		&s.lastSeq:           lastSeqSQL,
		&s.InsertTransaction: insertTransactionSQL,
		&s.InsertStep:        insertStepSQL,
		&s.insertEntry:       insertEntrySQL,
		&s.InsertOperation:   insertOperationSQL,
		&s.InsertItem:        insertItemSQL,
		&s.ledgerAccount:     ledgerAccountSQL,
		&s.openLedgerAccount: openLedgerAccountSQL,
		&s.addTotals:         addTotalsSQL,
	}
}

const (
	// seenSQL tells whether equal messages are stored: 0 for none, 1 for foreign ones
	// alone, else 2. An aggregate instead would have SQLite plan it anew every time.
	seenSQL = `SELECT CASE WHEN NOT EXISTS (SELECT 1 FROM messages s WHERE s.reference = ?1 AND s.fingerprint = ?2) THEN 0
		WHEN EXISTS (SELECT 1 FROM messages s WHERE s.reference = ?1 AND s.fingerprint = ?2 AND s.disposition <> 'foreign') THEN 2 ELSE 1 END`
	// repeatsSQL is the same of the messages s that were found, on PostgreSQL.
	repeatsSQL = `coalesce(max(CASE WHEN s.disposition = 'foreign' THEN 1 ELSE 2 END), 0)`
	// postedSQL tells what the event's operation did before.
	postedSQL = `SELECT reference, sum_amount, sum_currency, initial_amount, initial_currency, entered
		FROM operations WHERE operation = ? AND provider = ? AND project = ?`

	lastMessageSQL   = `SELECT coalesce(max(id), 0) FROM messages`
	insertMessageSQL = `INSERT INTO messages (id, received_at, provider, project, source, reference, fingerprint, payment_id, disposition, seq, status, operation, code, receipt)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`
	insertToldSQL = `INSERT INTO told_refunds (message_id, told, amount, currency) VALUES (?, ?, ?, ?)`
	insertOpenSQL = `INSERT INTO open_messages (message_id, told, payment_id, operation) VALUES (?, ?, ?, ?)`
	insertBodySQL = `INSERT INTO message_bodies (message_id, received_at, body) VALUES (?, ?, ?)`
)

var (
	// issuedSQL finds the payment that the event names, if it was issued to
	// the event's own project. The id of a payment that an operator recorded was
	// issued to nobody.
	issuedSQL = `SELECT ` + PaymentColumns + ` FROM payments p
		WHERE p.payment_id = ? AND p.provider = ? AND p.project = ? AND p.customer_id <> '' AND p.recorded = 0`
	// unknownSQL finds the payment that was opened for earlier money under an
	// id that was not issued to the project.
	unknownSQL = `SELECT ` + PaymentColumns + ` FROM payments p
		WHERE p.provider_reference = ? AND p.provider = ? AND p.project = ? AND p.customer_id = ''`
	// recordedSQL finds the payment that an operator recorded under the provider's
	// reference: the one whose credit stands, else the newest.
	recordedSQL = `SELECT ` + PaymentColumns + ` FROM payments p
		WHERE p.provider_reference = ? AND p.provider_reference <> '' AND p.customer_id <> '' AND p.provider = ? AND p.project = ? AND p.recorded <> 0
		ORDER BY p.credit_reversed, p.id DESC LIMIT 1`
)

const (
	lastSeqSQL           = `SELECT coalesce(max(seq), 0) FROM transactions`
	insertTransactionSQL = `INSERT INTO transactions (seq, transaction_id, kind, payment_id, slot, reverses, resolves, takes, actor, reason, effective_at, recorded_at)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`
	// insertStepSQL is the same of an operator's step: see transactions.program_level.
	insertStepSQL = `INSERT INTO transactions (seq, transaction_id, kind, payment_id, slot, reverses, resolves, takes, actor, reason, effective_at, recorded_at, program_level)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`
	insertEntrySQL     = `INSERT INTO entries (seq, n, account_id, amount) VALUES (?, ?, ?, ?)`
	insertOperationSQL = `INSERT INTO operations (operation, provider, project, seq, reference, sum_amount, sum_currency, initial_amount, initial_currency, entered)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`
	insertItemSQL        = `INSERT INTO suspense_items (seq, payment_id, state) VALUES (?, ?, 'open')`
	ledgerAccountSQL     = `SELECT id FROM ledger_accounts WHERE name = ? AND currency = ?`
	openLedgerAccountSQL = `INSERT INTO ledger_accounts (name, currency) VALUES (?, ?) RETURNING id`
	addTotalsSQL         = `UPDATE ledger_accounts SET debits = debits + ?, credits = credits + ? WHERE id = ?`
)

// noteRepeats puts what repeatsSQL says into the state.
func noteRepeats(state *topup.State, repeats int64) {
	state.Repeat, state.RepeatsForeign = repeats == 2, repeats == 1
}
