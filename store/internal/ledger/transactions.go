// Package ledger reads the books: transactions, the feed and the journal, balances,
// payments, and money in suspense.
package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"tolem/store/internal/database"
	"tolem/store/internal/engine"
	"tolem/store/migrations"
	"tolem/topup"
)

// Ledger is the books of a database, for reading.
type Ledger struct {
	reader    *engine.Reader
	now       func() time.Time
	normalize topup.Normalizer
	path      string // of a SQLite file
}

// New returns the books of a database; path is that of a SQLite file.
func New(r *engine.Reader, now func() time.Time, n topup.Normalizer, path string) *Ledger {
	return &Ledger{r, now, n, path}
}

// MaxBook bounds the ledger transactions of a payment that are read for an
// operator's step. Every movement under an id that was not issued is one.
const MaxBook = 100_000

// TransactionsSQL reads ledger transactions with their postings, one row a
// posting, in feed order. The journal itself does not name the provider's
// operation: it stands on the message that made the transaction.
const TransactionsSQL = `SELECT x.seq, x.transaction_id, x.kind, x.payment_id, x.actor, x.reason, x.effective_at, x.recorded_at,
	coalesce(x.operation, ''), coalesce(r.transaction_id, ''), coalesce(v.transaction_id, ''), coalesce(k.transaction_id, ''), coalesce(y.approved_by, ''),
	coalesce(CASE WHEN x.payment_id = '' THEN (SELECT o.payout_id FROM payout_steps s JOIN payouts o ON o.id = s.payout WHERE s.seq = x.seq) END, ''), e.amount, a.name, a.currency
	FROM (SELECT t.*, ` + OperationOfSQL + ` AS operation FROM transactions t WHERE %s ORDER BY t.seq LIMIT ?) x
	LEFT JOIN transactions r ON r.seq = x.reverses
	LEFT JOIN transactions v ON v.seq = x.resolves
	LEFT JOIN transactions k ON k.seq = x.takes
	LEFT JOIN approved_transactions y ON y.seq = x.seq
	LEFT JOIN entries e ON e.seq = x.seq
	LEFT JOIN ledger_accounts a ON a.id = e.account_id
	ORDER BY x.seq, e.n`

// OperationOfSQL is the provider's operation that made transaction t, or that an
// operator entered with it. It goes by way of the message, because an index from
// a transaction to its operation would cost every callback.
const OperationOfSQL = `CASE
	WHEN t.actor <> '' AND t.kind IN ('suspense', 'manual_credit', 'refund', 'return') THEN (SELECT s.operation FROM operator_steps s WHERE s.seq = t.seq)
	WHEN t.kind IN ('credit', 'suspense') THEN (SELECT m.operation
	FROM payments p JOIN messages m ON m.reference = ` + migrations.ReferenceSQL + `
	WHERE p.payment_id = t.payment_id AND m.seq = t.seq LIMIT 1) END`

// receiptOfSQL is the number of the receipt that the payer was given for the
// money of item i, whose payment is p: it is on the message that put it there.
const receiptOfSQL = `(SELECT m.receipt FROM messages m WHERE m.reference = ` + migrations.ReferenceSQL + ` AND m.seq = i.seq LIMIT 1)`

// ScanTransactions reads the rows of transactionsSQL to their end and closes
// them.
func ScanTransactions(rows *sql.Rows) (list []topup.Transaction, err error) {
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var (
			t                   topup.Transaction
			effective, recorded int64
			amount              sql.NullInt64
			account, currency   sql.NullString
		)
		err := rows.Scan(&t.Seq, &t.ID, (*string)(&t.Kind), &t.PaymentID, &t.Actor, &t.Reason, &effective, &recorded,
			&t.Operation, &t.Reverses, &t.Resolves, &t.Takes, &t.ApprovedBy, &t.PayoutID, &amount, &account, &currency)
		if err != nil {
			return nil, err
		}
		if n := len(list); n == 0 || list[n-1].Seq != t.Seq {
			t.EffectiveAt, t.RecordedAt = database.FromMicros(effective), database.FromMicros(recorded)
			list = append(list, t)
		}
		if amount.Valid {
			last := &list[len(list)-1]
			last.Postings = append(last.Postings, topup.Posting{Account: account.String, Amount: amount.Int64, Currency: currency.String})
		}
	}
	return list, rows.Err()
}

// Find reads the ledger transactions t that the condition selects, in
// feed order, at most limit of them.
func (l *Ledger) Find(ctx context.Context, limit int, where string, args ...any) ([]topup.Transaction, error) {
	rows, err := l.reader.Raw(ctx, fmt.Sprintf(TransactionsSQL, where), append(slices.Clone(args), limit)...).Rows()
	if err != nil {
		return nil, fmt.Errorf("read the journal: %w", err)
	}
	list, err := ScanTransactions(rows)
	if err != nil {
		return nil, fmt.Errorf("read the journal: %w", err)
	}
	return list, nil
}

// PaymentTransactions returns the ledger transactions of a payment in feed
// order, the first 1000 of them.
func (l *Ledger) PaymentTransactions(ctx context.Context, paymentID string) ([]topup.Transaction, error) {
	return l.Find(ctx, MaxFeed, `t.payment_id = ?`, paymentID)
}

// Transaction returns a ledger transaction. The error is of KindNotFound when there
// is none of that id.
func (l *Ledger) Transaction(ctx context.Context, id string) (topup.Transaction, error) {
	list, err := l.Find(ctx, 1, `t.transaction_id = ?`, id)
	if err != nil {
		return topup.Transaction{}, fmt.Errorf("read a ledger transaction: %w", err)
	}
	if len(list) == 0 {
		return topup.Transaction{}, topup.NotFound("ledger transaction does not exist")
	}
	return list[0], nil
}
