package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"tolem/reconcile"
	"tolem/store/internal/database"
)

// ReportBooks are the books as a platform's report is compared with them: those of
// one provider, and of one project or, if it is empty, of all.
type ReportBooks struct {
	ledger            *Ledger
	provider, project string
}

// ReportBooks returns the books of a provider and a project.
func (l *Ledger) ReportBooks(provider, project string) ReportBooks {
	return ReportBooks{l, provider, project}
}

// of is the condition on rows of a table of these books.
func (b ReportBooks) of(table string) (condition string, args []any) {
	condition, args = table+".provider = ?", []any{b.provider}
	if b.project != "" {
		condition, args = condition+" AND "+table+".project = ?", append(args, b.project)
	}
	return condition, args
}

const (
	reportEntrySQL = `SELECT o.operation, o.reference, abs(o.initial_amount), o.initial_currency,
			t.transaction_id, t.payment_id, t.effective_at, CASE WHEN t.kind = 'refund' OR t.kind = 'return' THEN 1 ELSE 0 END, 0
		FROM operations o JOIN transactions t ON t.seq = o.seq WHERE `
	// reportCreditSQL are credits of operators that no operation is bound to.
	reportCreditSQL = `SELECT '', CASE WHEN p.recorded <> 0 AND p.provider_reference <> '' THEN p.provider_reference ELSE p.payment_id END,
			p.credit_amount, p.credit_currency, t.transaction_id, p.payment_id, t.effective_at, 0, 0
		FROM payments p JOIN transactions t ON t.seq = p.credit_seq
		WHERE p.credit_by_operator <> 0 AND p.credit_operation = '' AND p.credit_reversed = 0 AND `
	// reportRefundSQL are refunds that name no operation and stand: they were not
	// reversed, unless that was reversed again.
	reportRefundSQL = `SELECT '', CASE WHEN p.customer_id = '' OR p.recorded <> 0 AND p.provider_reference <> '' THEN p.provider_reference ELSE p.payment_id END,
			e.amount, a.currency, t.transaction_id, p.payment_id, t.effective_at, 1,
			CASE WHEN EXISTS (SELECT 1 FROM entries f JOIN ledger_accounts g ON g.id = f.account_id
				WHERE f.seq = t.seq AND f.amount < 0 AND g.name LIKE 'bank:%') THEN 1 ELSE 0 END
		FROM transactions t JOIN payments p ON p.payment_id = t.payment_id
			JOIN entries e ON e.seq = t.seq AND e.amount > 0 JOIN ledger_accounts a ON a.id = e.account_id
			LEFT JOIN operator_steps s ON s.seq = t.seq
		WHERE (t.kind = 'refund' OR t.kind = 'return') AND coalesce(s.operation, '') = ''
			AND NOT EXISTS (SELECT 1 FROM transactions r WHERE r.reverses = t.seq
				AND NOT EXISTS (SELECT 1 FROM transactions q WHERE q.reverses = r.seq)) AND `
)

// Entries passes what the platform's report should have, by the time at which it
// counts.
func (b ReportBooks) Entries(ctx context.Context, in reconcile.Span, yield func(reconcile.Entry) error) error {
	for _, part := range []struct{ query, table string }{{reportEntrySQL, "o"}, {reportCreditSQL, "p"}, {reportRefundSQL, "p"}} {
		condition, args := b.of(part.table)
		query := part.query + condition + ` AND t.effective_at >= ? AND t.effective_at < ?`
		if err := b.entries(ctx, query, append(args, database.Micros(in.From), database.Micros(in.To)), yield); err != nil {
			return fmt.Errorf("read the books of %s: %w", b.provider, err)
		}
	}
	return nil
}

func (b ReportBooks) entries(ctx context.Context, query string, args []any, yield func(reconcile.Entry) error) (err error) {
	rows, err := b.ledger.reader.Raw(ctx, query, args...).Rows()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var e reconcile.Entry
		var at int64
		var refund, bypass int
		if err := rows.Scan(&e.Operation, &e.Payment, &e.Amount, &e.Currency, &e.TransactionID, &e.PaymentID, &at, &refund, &bypass); err != nil {
			return err
		}
		e.At, e.Refund, e.Bypass = database.FromMicros(at), refund != 0, bypass != 0
		if err := yield(e); err != nil {
			return err
		}
	}
	return rows.Err()
}

// Find returns entries by their operations, and payments by the platform's names
// of them.
func (b ReportBooks) Find(ctx context.Context, operations, payments []string) (map[string]reconcile.Entry, map[string]reconcile.Payment, error) {
	entries, known := map[string]reconcile.Entry{}, map[string]reconcile.Payment{}
	if len(operations) > 0 {
		condition, args := b.of("o")
		err := b.entries(ctx, reportEntrySQL+condition+` AND o.operation IN (?)`, append(args, operations), func(e reconcile.Entry) error {
			entries[e.Operation] = e
			return nil
		})
		if err != nil {
			return nil, nil, fmt.Errorf("look for operations of %s: %w", b.provider, err)
		}
	}
	for _, which := range []struct{ name, where string }{
		{"p.payment_id", "p.customer_id <> '' AND p.payment_id IN (?)"},
		{"p.provider_reference", "p.customer_id = '' AND p.provider_reference IN (?)"},
	} {
		if len(payments) == 0 {
			break
		}
		condition, args := b.of("p")
		rows, err := b.ledger.reader.Raw(ctx, `SELECT `+which.name+`, p.payment_id, p.status, p.amount, p.currency,
			p.credit_seq, p.credit_amount, p.credit_currency, p.credit_operation, p.credit_reversed, p.open_items
			FROM payments p WHERE `+which.where+` AND `+condition, append([]any{payments}, args...)...).Rows()
		if err == nil {
			err = scanKnown(rows, known)
		}
		if err != nil {
			return nil, nil, fmt.Errorf("look for payments of %s: %w", b.provider, err)
		}
	}
	return entries, known, nil
}

func scanKnown(rows *sql.Rows, known map[string]reconcile.Payment) (err error) {
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var name string
		var p reconcile.Payment
		var seq, amount sql.NullInt64
		var currency sql.NullString
		var reversed bool
		var items int
		if err := rows.Scan(&name, &p.PaymentID, &p.Status, &p.Amount, &p.Currency, &seq, &amount, &currency, &p.CreditOperation, &reversed, &items); err != nil {
			return err
		}
		p.Taken, p.InSuspense = seq.Valid, items > 0
		if p.Taken && !reversed {
			p.Credit = reconcile.Money{Amount: amount.Int64, Currency: currency.String}
		}
		known[name] = p
	}
	return rows.Err()
}

var _ reconcile.Books = ReportBooks{}
