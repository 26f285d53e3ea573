package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"slices"

	"tolem/topup"
)

const (
	defaultFeed = 100
	maxFeed     = 1000
	// journalPage is how many transactions an export reads at a time.
	journalPage = 500
)

// transactionsSQL reads ledger transactions with their postings, one row a
// posting, in feed order. The journal itself does not name the provider's
// operation: it stands on the message that made the transaction.
const transactionsSQL = `SELECT x.seq, x.transaction_id, x.kind, x.payment_id, x.actor, x.reason, x.effective_at, x.recorded_at,
	coalesce(x.operation, ''), coalesce(r.transaction_id, ''), coalesce(v.transaction_id, ''), coalesce(k.transaction_id, ''), e.amount, a.name, a.currency
	FROM (SELECT t.*, ` + operationOfSQL + ` AS operation FROM transactions t WHERE %s ORDER BY t.seq LIMIT ?) x
	LEFT JOIN transactions r ON r.seq = x.reverses
	LEFT JOIN transactions v ON v.seq = x.resolves
	LEFT JOIN transactions k ON k.seq = x.takes
	LEFT JOIN entries e ON e.seq = x.seq
	LEFT JOIN ledger_accounts a ON a.id = e.account_id
	ORDER BY x.seq, e.n`

// referenceSQL is the id under which the provider names payment p.
const referenceSQL = `CASE WHEN p.customer_id = '' OR p.recorded <> 0 THEN p.provider_reference ELSE p.payment_id END`

// operationOfSQL is the provider's operation that made transaction t, or that an
// operator entered with it. It goes by way of the message, because an index from
// a transaction to its operation would cost every callback.
const operationOfSQL = `CASE
	WHEN t.actor <> '' AND t.kind IN ('suspense', 'manual_credit') THEN (SELECT s.operation FROM operator_steps s WHERE s.seq = t.seq)
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
			&t.Operation, &t.Reverses, &t.Resolves, &t.Takes, &amount, &account, &currency)
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

// Transactions is the feed: the ledger transactions that follow the place
// after, at most limit of them (1 to 1000, 100 if zero). A reader that passes
// the last Seq it has never misses one: in SQLite places are given out under
// the write lock, without gaps; in PostgreSQL, where they have gaps, the feed
// ends before the first place that a running transaction can still fill.
func (s *Store) Transactions(ctx context.Context, after int64, limit int) ([]topup.Transaction, error) {
	limit, err := pageSize(limit, defaultFeed, maxFeed)
	if err != nil {
		return nil, err
	}
	if after < 0 {
		return nil, topup.Invalid("after", "must not be negative")
	}
	end, err := s.feedEnd(ctx)
	if err != nil {
		return nil, err
	}
	return s.transactions(ctx, limit, `t.seq > ? AND t.seq < ?`, after, end)
}

// pgFeedEndSQL is the first place of the feed that can still be filled. A place
// is base + 256 times the number of the database's transaction that took it, and
// a little more; so it is the place of the oldest transaction that runs. Those
// that are known to work on another database of the same server, where one may
// run for hours, do not hold the feed up.
//
// Where a transaction works is known while it holds the lock on its number. The
// second column tells that the oldest one holds it no longer: it has ended since
// the snapshot was taken, and nobody knows where it was.
const pgFeedEndSQL = `WITH running AS MATERIALIZED (SELECT r.number, l.locktype IS NULL AS ended
	FROM pg_snapshot_xip(pg_current_snapshot()) AS r (number)
	LEFT JOIN (pg_locks l LEFT JOIN pg_stat_activity a ON a.pid = l.pid LEFT JOIN pg_database d ON d.oid = a.datid)
		ON l.locktype = 'transactionid' AND l.mode = 'ExclusiveLock' AND l.granted AND l.transactionid = CAST(r.number AS xid)
	WHERE d.datname IS NULL OR d.datname = current_database())
	SELECT f.base + 256 * CAST(CAST(least(pg_snapshot_xmax(pg_current_snapshot()), o.number) AS TEXT) AS BIGINT), coalesce(o.ended, false)
	FROM feed f LEFT JOIN (SELECT number, ended FROM running ORDER BY number LIMIT 1) o ON true`

// feedEndTries is how often the end of the feed is looked for anew when the
// oldest transaction has ended meanwhile. The last answer holds in any case: it
// is not too far, and by so many transactions that have just ended, too near.
const feedEndTries = 10

// feedEnd is the first place of the feed that is not final, where the feed ends
// for now.
func (s *Store) feedEnd(ctx context.Context) (end int64, err error) {
	if s.dialect.name == sqliteDialect.name {
		return math.MaxInt64, nil
	}
	for range feedEndTries {
		var ended bool
		if err := s.raw(ctx, pgFeedEndSQL).Row().Scan(&end, &ended); err != nil {
			return 0, fmt.Errorf("look for the end of the feed: %w", err)
		}
		if !ended {
			break
		}
	}
	return end, nil
}

// PaymentTransactions returns the ledger transactions of a payment in feed
// order, the first 1000 of them.
func (s *Store) PaymentTransactions(ctx context.Context, paymentID string) ([]topup.Transaction, error) {
	return s.transactions(ctx, maxFeed, `t.payment_id = ?`, paymentID)
}

// Journal passes every ledger transaction of the period to yield, in feed
// order, and stops at its first error. It sees the journal as it was when it
// began. Memory does not grow with the journal, and since it reads page by
// page, a slow yield holds nothing up.
func (s *Store) Journal(ctx context.Context, period Period, yield func(topup.Transaction) error) error {
	condition, args, err := period.where()
	if err != nil {
		return err
	}
	last, err := s.lastFinal(ctx)
	if err != nil {
		return err
	}
	for after := int64(0); ; {
		page, err := s.transactions(ctx, journalPage, `t.seq > ? AND t.seq <= ? AND `+condition, append([]any{after, last}, args...)...)
		if err != nil {
			return err
		}
		for _, t := range page {
			if err := yield(t); err != nil {
				return err
			}
		}
		if len(page) < journalPage {
			return nil
		}
		after = page[len(page)-1].Seq
	}
}

// lastFinal is the newest place in the feed that no other can come before, 0
// when there is none.
func (s *Store) lastFinal(ctx context.Context) (int64, error) {
	end, err := s.feedEnd(ctx)
	if err != nil {
		return 0, err
	}
	var last int64
	err = s.raw(ctx, `SELECT coalesce(max(seq), 0) FROM transactions WHERE seq < ?`, end).Row().Scan(&last)
	if err != nil {
		return 0, fmt.Errorf("read the last place in the feed: %w", err)
	}
	return last, nil
}
