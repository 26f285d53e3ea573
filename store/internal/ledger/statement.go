package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"tolem/store/internal/accounts"
	"tolem/store/internal/database"
	"tolem/store/migrations"
	"tolem/topup"
)

// MaxStatement bounds the lines of a statement.
const MaxStatement = 2000

// Statement is what was booked on a customer's contracts in a period, by effective
// time.
type Statement struct {
	Contracts []StatementContract // those that ever had money, in the order of their ids
	Lines     []StatementLine     // the oldest first, at most [MaxStatement]
	More      bool                // there are more lines: the period must be shorter
}

// StatementContract is a contract's ledger account in a currency. Amounts are in
// minor units; a credit to the contract is positive.
type StatementContract struct {
	ContractID string
	Currency   string
	Opening    int64 // before the period
	Credits    int64 // in the period
	Debits     int64 // in the period, not negative
	Closing    int64 // at its end
}

// StatementLine is what one ledger transaction booked on one contract.
type StatementLine struct {
	Seq           int64
	TransactionID string
	Kind          topup.TransactionKind
	PaymentID     string
	ContractID    string
	Money         topup.Money // positive: credited to the contract
	EffectiveAt   time.Time
	RecordedAt    time.Time
	Actor         string
	Reason        string
}

// The transactions of a customer are those of the customer's own payments, and
// those of any payment whose money was ever assigned to the customer. There are
// few assignments, and an index of them: an index of all entries by their account
// would cost every callback.
// CROSS JOIN keeps SQLite from turning the order of the tables round.
const (
	customerSeqsSQL = `SELECT t.seq FROM payments p CROSS JOIN transactions t
		WHERE p.customer_id = ? AND p.customer_id <> '' AND t.payment_id = p.payment_id
	UNION SELECT t.seq FROM transactions g CROSS JOIN entries ge CROSS JOIN ledger_accounts ga CROSS JOIN transactions t
		WHERE g.kind = 'assignment' AND g.seq > 0 AND ge.seq = g.seq AND ga.id = ge.account_id AND ga.name >= ? AND ga.name < ?
			AND t.payment_id = g.payment_id`

	statementSumsSQL = `SELECT l.name, l.currency, l.credits - l.debits,
		coalesce(sum(CASE WHEN x.effective_at >= ? THEN -x.amount END), 0),
		coalesce(sum(CASE WHEN x.effective_at >= ? AND x.effective_at < ? AND x.amount < 0 THEN -x.amount END), 0),
		coalesce(sum(CASE WHEN x.effective_at >= ? AND x.effective_at < ? AND x.amount > 0 THEN x.amount END), 0)
		FROM ` + migrations.BalancesTable + ` l LEFT JOIN (
			SELECT a.name, a.currency, t.effective_at, e.amount FROM (` + customerSeqsSQL + `) found
			CROSS JOIN transactions t CROSS JOIN entries e CROSS JOIN ledger_accounts a
			WHERE t.seq = found.seq AND e.seq = t.seq AND a.id = e.account_id AND a.name >= ? AND a.name < ?) x
			ON x.name = l.name AND x.currency = l.currency
		WHERE l.name >= ? AND l.name < ? GROUP BY l.name, l.currency, l.credits, l.debits ORDER BY l.name, l.currency`

	statementLinesSQL = `SELECT t.seq, t.transaction_id, t.kind, t.payment_id, a.name, a.currency, -e.amount,
		t.effective_at, t.recorded_at, t.actor, t.reason
		FROM (` + customerSeqsSQL + `) found CROSS JOIN transactions t CROSS JOIN entries e CROSS JOIN ledger_accounts a
		WHERE t.seq = found.seq AND e.seq = t.seq AND a.id = e.account_id AND a.name >= ? AND a.name < ?
			AND t.effective_at >= ? AND t.effective_at < ? ORDER BY t.effective_at, t.seq, e.n LIMIT ?`
)

// Statement returns what was booked on a customer's contracts in the time from,
// which is part of it, to to, which is not. The id is normalised first; of a
// customer whose contracts never had money it is empty.
func (l *Ledger) Statement(ctx context.Context, customerID string, from, to time.Time) (Statement, error) {
	customerID = l.normalize.Apply(customerID)
	first, end := accounts.LedgerRange(customerID)
	var st Statement
	start, stop := database.Micros(from), database.Micros(to)
	rows, err := l.reader.Raw(ctx, statementSumsSQL, start, start, stop, start, stop, customerID, first, end, first, end, first, end).Rows()
	if err != nil {
		return st, fmt.Errorf("read a statement: %w", err)
	}
	if st.Contracts, err = scanStatementSums(rows, first); err != nil {
		return st, fmt.Errorf("read a statement: %w", err)
	}
	rows, err = l.reader.Raw(ctx, statementLinesSQL, customerID, first, end, first, end, start, stop, MaxStatement+1).Rows()
	if err != nil {
		return st, fmt.Errorf("read a statement: %w", err)
	}
	if st.Lines, err = scanStatementLines(rows, first); err != nil {
		return st, fmt.Errorf("read a statement: %w", err)
	}
	if st.More = len(st.Lines) > MaxStatement; st.More {
		st.Lines = st.Lines[:MaxStatement]
	}
	return st, nil
}

func scanStatementSums(rows *sql.Rows, prefix string) (list []StatementContract, err error) {
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var c StatementContract
		var name string
		var now, since int64
		if err := rows.Scan(&name, &c.Currency, &now, &since, &c.Credits, &c.Debits); err != nil {
			return nil, err
		}
		c.ContractID = strings.TrimPrefix(name, prefix)
		c.Opening = now - since
		c.Closing = c.Opening + c.Credits - c.Debits
		list = append(list, c)
	}
	return list, rows.Err()
}

func scanStatementLines(rows *sql.Rows, prefix string) (list []StatementLine, err error) {
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var l StatementLine
		var name string
		var effective, recorded int64
		err := rows.Scan(&l.Seq, &l.TransactionID, (*string)(&l.Kind), &l.PaymentID, &name, &l.Money.Currency, &l.Money.Amount,
			&effective, &recorded, &l.Actor, &l.Reason)
		if err != nil {
			return nil, err
		}
		l.ContractID = strings.TrimPrefix(name, prefix)
		l.EffectiveAt, l.RecordedAt = database.FromMicros(effective), database.FromMicros(recorded)
		list = append(list, l)
	}
	return list, rows.Err()
}
