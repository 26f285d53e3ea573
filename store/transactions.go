package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"

	"tolem/store/migrations"
	"tolem/topup"
)

// transactionsSQL reads ledger transactions with their postings, one row a
// posting, in feed order. The journal itself does not name the provider's
// operation: it stands on the message that made the transaction.
const transactionsSQL = `SELECT x.seq, x.transaction_id, x.kind, x.payment_id, x.actor, x.reason, x.effective_at, x.recorded_at,
	coalesce(x.operation, ''), coalesce(r.transaction_id, ''), coalesce(v.transaction_id, ''), coalesce(k.transaction_id, ''), coalesce(y.approved_by, ''),
	coalesce(CASE WHEN x.payment_id = '' THEN (SELECT o.payout_id FROM payout_steps s JOIN payouts o ON o.id = s.payout WHERE s.seq = x.seq) END, ''), e.amount, a.name, a.currency
	FROM (SELECT t.*, ` + operationOfSQL + ` AS operation FROM transactions t WHERE %s ORDER BY t.seq LIMIT ?) x
	LEFT JOIN transactions r ON r.seq = x.reverses
	LEFT JOIN transactions v ON v.seq = x.resolves
	LEFT JOIN transactions k ON k.seq = x.takes
	LEFT JOIN approved_transactions y ON y.seq = x.seq
	LEFT JOIN entries e ON e.seq = x.seq
	LEFT JOIN ledger_accounts a ON a.id = e.account_id
	ORDER BY x.seq, e.n`

// referenceSQL is the id under which the provider names payment p.
const referenceSQL = migrations.ReferenceSQL

// operationOfSQL is the provider's operation that made transaction t, or that an
// operator entered with it. It goes by way of the message, because an index from
// a transaction to its operation would cost every callback.
const operationOfSQL = `CASE
	WHEN t.actor <> '' AND t.kind IN ('suspense', 'manual_credit', 'refund', 'return') THEN (SELECT s.operation FROM operator_steps s WHERE s.seq = t.seq)
	WHEN t.kind IN ('credit', 'suspense') THEN (SELECT m.operation
	FROM payments p JOIN messages m ON m.reference = ` + referenceSQL + `
	WHERE p.payment_id = t.payment_id AND m.seq = t.seq LIMIT 1) END`

// receiptOfSQL is the number of the receipt that the payer was given for the
// money of item i, whose payment is p: it is on the message that put it there.
const receiptOfSQL = `(SELECT m.receipt FROM messages m WHERE m.reference = ` + referenceSQL + ` AND m.seq = i.seq LIMIT 1)`

// scanTransactions reads the rows of transactionsSQL to their end and closes
// them.
func scanTransactions(rows *sql.Rows) (list []topup.Transaction, err error) {
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
			t.EffectiveAt, t.RecordedAt = fromMicros(effective), fromMicros(recorded)
			list = append(list, t)
		}
		if amount.Valid {
			last := &list[len(list)-1]
			last.Postings = append(last.Postings, topup.Posting{Account: account.String, Amount: amount.Int64, Currency: currency.String})
		}
	}
	return list, rows.Err()
}

// transactions reads the ledger transactions t that the condition selects, in
// feed order, at most limit of them.
func (s *Store) transactions(ctx context.Context, limit int, where string, args ...any) ([]topup.Transaction, error) {
	rows, err := s.raw(ctx, fmt.Sprintf(transactionsSQL, where), append(slices.Clone(args), limit)...).Rows()
	if err != nil {
		return nil, fmt.Errorf("read the journal: %w", err)
	}
	list, err := scanTransactions(rows)
	if err != nil {
		return nil, fmt.Errorf("read the journal: %w", err)
	}
	return list, nil
}

// PaymentTransactions returns the ledger transactions of a payment in feed
// order, the first 1000 of them.
func (s *Store) PaymentTransactions(ctx context.Context, paymentID string) ([]topup.Transaction, error) {
	return s.transactions(ctx, maxFeed, `t.payment_id = ?`, paymentID)
}

// Transaction returns a ledger transaction. The error is of KindNotFound when there
// is none of that id.
func (s *Store) Transaction(ctx context.Context, id string) (topup.Transaction, error) {
	list, err := s.transactions(ctx, 1, `t.transaction_id = ?`, id)
	if err != nil {
		return topup.Transaction{}, fmt.Errorf("read a ledger transaction: %w", err)
	}
	if len(list) == 0 {
		return topup.Transaction{}, topup.NotFound("ledger transaction does not exist")
	}
	return list[0], nil
}
