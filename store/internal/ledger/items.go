package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"tolem/store/internal/database"
	"tolem/store/migrations"
	"tolem/topup"
)

// maxItems bounds a page of suspense items.
const maxItems = 1000

// SuspenseFilter selects suspense items. The zero value selects the oldest
// open ones.
type SuspenseFilter struct {
	All       bool            // resolved ones too
	State     topup.ItemState // of this state only; open ones only without All, if it is empty
	PaymentID string          // of this payment only
	Flag      topup.Flags     // whose payment has all of these
	Amount    int64           // of this sum, in minor units
	Major     topup.Major     // of this sum in major units, in whatever currency
	Period    Period          // that were put into suspense in it
	After     int64           // those that follow this Seq, for the next page
	Limit     int             // 1 to 1000, 100 if zero
}

// Where is the filter as a condition on items i, their payments p, transactions
// t, entries e and ledger accounts a.
func (f SuspenseFilter) Where() (string, []any, error) {
	condition, args := "1 = 1", []any(nil)
	and := func(more string, with ...any) {
		condition, args = condition+" AND "+more, append(args, with...)
	}
	switch {
	case f.State != "":
		and("i.state = ?", string(f.State))
	case !f.All:
		condition = "i.state = 'open'"
	}
	if f.PaymentID != "" {
		and("i.payment_id = ?", f.PaymentID)
	}
	if f.Flag != 0 {
		and("p.flags & ? = ?", int64(f.Flag), int64(f.Flag))
	}
	if f.Amount < 0 {
		return "", nil, topup.Invalid("amount", "must be at least 1 minor unit")
	}
	if f.Amount > 0 {
		and("e.amount = ?", -f.Amount)
	}
	if !f.Major.IsZero() {
		more, with := majorAmount(f.Major, "-e.amount", "a.currency")
		and(more, with...)
	}
	more, with, err := f.Period.Where()
	if err != nil {
		return "", nil, err
	}
	and(more, with...)
	return condition, args, nil
}

// SuspenseItem is money that came and belongs, or belonged, to nobody.
type SuspenseItem struct {
	ID        string // the transaction that put it into suspense
	Seq       int64  // that transaction's place in the feed
	PaymentID string
	Provider  string
	Project   string
	// CustomerID and ContractID are what the payment was issued for, empty
	// when it was not issued by us.
	CustomerID        string
	ContractID        string
	Money             topup.Money // that was put there
	Returned          int64       // what went back of it, in minor units
	Flags             topup.Flags // the payment's: they say why the money lies here
	ProviderReference string      // the id under which the platform named the payment
	Operation         string      // the platform's id of the movement
	Receipt           string      // the receipt's number, by which a payer names it
	State             string      // one of the Suspense constants
	EffectiveAt       time.Time
	RecordedAt        time.Time
	Resolution        *Resolution // nil while the item is open
}

// Resolution is how a suspense item was resolved, and by whom.
type Resolution struct {
	TransactionID string
	Kind          topup.TransactionKind
	Actor         string
	Reason        string
	ApprovedBy    string // the second person, where one was needed
	At            time.Time
}

// The pluses keep SQLite from beginning with the entries, of which it would read all.
const suspenseSQL = `SELECT t.transaction_id, t.seq, t.payment_id, p.provider, p.project, p.customer_id, p.entity_id,
	-e.amount, a.currency, CASE i.state WHEN 'returned' THEN -e.amount ELSE i.part_returned END, p.flags, ` + migrations.ReferenceSQL + `,
	coalesce(` + OperationOfSQL + `, ''), coalesce(` + receiptOfSQL + `, ''), i.state, t.effective_at, t.recorded_at,
	r.transaction_id, r.kind, r.actor, r.reason, r.recorded_at, y.approved_by
	FROM suspense_items i
	JOIN transactions t ON t.seq = +i.seq
	JOIN payments p ON p.payment_id = i.payment_id
	JOIN entries e ON e.seq = +i.seq AND e.amount < 0
	JOIN ledger_accounts a ON a.id = e.account_id
	LEFT JOIN transactions r ON r.seq = i.resolved_by
	LEFT JOIN approved_transactions y ON y.seq = i.resolved_by
	WHERE i.seq > ? AND %s ORDER BY i.seq LIMIT ?`

// SuspenseItems lists suspense items, the oldest first.
func (l *Ledger) SuspenseItems(ctx context.Context, f SuspenseFilter) ([]SuspenseItem, error) {
	limit, err := PageSize(f.Limit, DefaultFeed, maxItems)
	if err != nil {
		return nil, err
	}
	condition, args, err := f.Where()
	if err != nil {
		return nil, err
	}
	args = append(append([]any{f.After}, args...), limit)
	rows, err := l.reader.Raw(ctx, fmt.Sprintf(suspenseSQL, condition), args...).Rows()
	if err != nil {
		return nil, fmt.Errorf("list suspense items: %w", err)
	}
	items, err := scanItems(rows)
	if err != nil {
		return nil, fmt.Errorf("list suspense items: %w", err)
	}
	return items, nil
}

func scanItems(rows *sql.Rows) (items []SuspenseItem, err error) {
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var (
			i                       SuspenseItem
			effective, recorded     int64
			by, kind, actor, reason sql.NullString
			approver                sql.NullString
			at                      sql.NullInt64
		)
		err := rows.Scan(&i.ID, &i.Seq, &i.PaymentID, &i.Provider, &i.Project, &i.CustomerID, &i.ContractID,
			&i.Money.Amount, &i.Money.Currency, &i.Returned, (*uint32)(&i.Flags), &i.ProviderReference, &i.Operation, &i.Receipt, &i.State, &effective, &recorded,
			&by, &kind, &actor, &reason, &at, &approver)
		if err != nil {
			return nil, err
		}
		i.EffectiveAt, i.RecordedAt = database.FromMicros(effective), database.FromMicros(recorded)
		if by.Valid {
			i.Resolution = &Resolution{
				TransactionID: by.String, Kind: topup.TransactionKind(kind.String),
				Actor: actor.String, Reason: reason.String, ApprovedBy: approver.String, At: database.FromMicros(at.Int64),
			}
		}
		items = append(items, i)
	}
	return items, rows.Err()
}

// ItemMessage returns the number of the message that brought an item's money, 0
// when no message did.
func (l *Ledger) ItemMessage(ctx context.Context, item *SuspenseItem) (id int64, err error) {
	var ids []int64
	err = l.reader.Raw(ctx, `SELECT m.id FROM messages m WHERE m.reference = ? AND m.payment_id = ? AND m.seq = ? ORDER BY m.id LIMIT 1`,
		item.ProviderReference, item.PaymentID, item.Seq).Scan(&ids).Error
	if err != nil {
		return 0, fmt.Errorf("look for the message of a suspense item: %w", err)
	}
	if len(ids) == 0 {
		return 0, nil
	}
	return ids[0], nil
}
