package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"time"

	"gorm.io/gorm"

	"tolem/store/internal/engine"
	"tolem/topup"
)

// How many payments a page has, if the caller does not say, and at most.
const defaultPage, maxPage = 50, 500

// PaymentFilter selects payments. Zero members select everything.
type PaymentFilter struct {
	Status     topup.Status
	Flag       topup.Flags // payments that have all of these
	CustomerID string      // normalised before it is compared
	// Q is any id, in full: the payment's, the provider's, a receipt number, an
	// operation, a ledger transaction; or a contract number or its beginning,
	// in which blanks do not count.
	Q string
	// Payers has Q find the payments of a customer too: by the id, or by a Kazakh
	// telephone number as somebody types it, whatever the normaliser.
	Payers      bool
	Amount      int64         // issued, in minor units
	Major       topup.Major   // issued, in major units, in whatever currency
	From, To    time.Time     // by the time of issue; From is part of it, To is not
	PendingOver time.Duration // pending since longer than this
	Limit       int           // 1 to 500, 50 if zero
	Cursor      string        // what the page before returned as next
}

// Payments returns a page of payments, newest first, and the cursor of the
// next page, empty when this is the last. The error is of KindInvalid when a
// member of the filter breaks a rule.
func (s *Store) Payments(ctx context.Context, f PaymentFilter) (page []*topup.Payment, next string, err error) {
	limit, err := pageSize(f.Limit, defaultPage, maxPage)
	if err != nil {
		return nil, "", err
	}
	query, tooMany, err := s.paymentQuery(ctx, f)
	if err != nil {
		return nil, "", err
	}
	rows, err := query.Limit(limit + 1).Rows()
	if err != nil {
		return nil, "", fmt.Errorf("list payments: %w", err)
	}
	found, err := scanPayments(rows)
	if err != nil {
		return nil, "", fmt.Errorf("list payments: %w", err)
	}
	if tooMany && len(found) == 0 && f.Cursor == "" {
		return nil, "", errTooManyNumbers()
	}
	if len(found) > limit {
		found = found[:limit]
		last := found[limit-1]
		next = encodeCursor(strconv.FormatInt(last.CreatedAt, 10), strconv.FormatInt(last.RowID, 10))
	}
	page = make([]*topup.Payment, len(found))
	for i, row := range found {
		page[i] = row.Value()
	}
	if err := errors.Join(s.readCredited(ctx, page...), s.namePayouts(ctx, page...)); err != nil {
		return nil, "", fmt.Errorf("list payments: %w", err)
	}
	return page, next, nil
}

func scanPayments(rows *sql.Rows) (found []*engine.PaymentRow, err error) {
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		row := new(engine.PaymentRow)
		if err := rows.Scan(row.Places()...); err != nil {
			return nil, err
		}
		found = append(found, row)
	}
	return found, rows.Err()
}

// paymentQuery builds the query of a filter. The conditions repeat, word for
// word, those of the partial indexes, or SQLite would not use them. tooMany
// tells that Q is the beginning of more contract numbers than are searched for.
func (s *Store) paymentQuery(ctx context.Context, f PaymentFilter) (q *gorm.DB, tooMany bool, err error) {
	q = s.reader.ORM.WithContext(ctx).Table("payments AS p").Select(engine.PaymentColumns)
	order := "p.created_at DESC, p.id DESC"
	if f.Status != "" {
		if _, err := topup.ParseStatus(string(f.Status)); err != nil {
			return nil, false, err
		}
		if f.Status != topup.StatusSucceeded {
			q = q.Where("p.status <> 'succeeded'")
		}
		q = q.Where("p.status = ?", string(f.Status))
	}
	if f.Flag != 0 {
		q = q.Where("p.flags <> 0").Where("p.flags & ? = ?", int64(f.Flag), int64(f.Flag))
	}
	if f.CustomerID != "" {
		q = q.Where("p.customer_id <> ''").Where("p.customer_id = ?", s.normalize.Apply(f.CustomerID))
	}
	if f.Amount < 0 {
		return nil, false, topup.Invalid("amount", "must be at least 1 minor unit")
	}
	if f.Amount > 0 {
		q = q.Where("p.amount = ?", f.Amount)
	}
	if !f.Major.IsZero() {
		condition, args := majorAmount(f.Major, "p.amount", "p.currency")
		q = q.Where(condition, args...)
	}
	if !f.From.IsZero() {
		q = q.Where("p.created_at >= ?", micros(f.From))
	}
	if !f.To.IsZero() {
		q = q.Where("p.created_at < ?", micros(f.To))
	}
	if f.PendingOver < 0 {
		return nil, false, topup.Invalid("pending_over", "must not be negative")
	}
	if f.PendingOver > 0 {
		q = q.Where("p.status <> 'succeeded'").Where("p.status = 'pending'").
			Where("p.created_at < ?", micros(s.now().Add(-f.PendingOver)))
	}
	if f.Q != "" {
		if q, tooMany, err = s.found(ctx, q, f); err != nil {
			return nil, false, err
		}
		// The few that were found are sorted; walking all payments in their
		// order to meet the few would read the whole table.
		order = "+p.created_at DESC, p.id DESC"
	}
	if f.Cursor != "" {
		createdAt, id, err := paymentCursor(f.Cursor)
		if err != nil {
			return nil, false, err
		}
		q = q.Where("(p.created_at, p.id) < (?, ?)", createdAt, id)
	}
	return q.Order(order), tooMany, nil
}

// paymentCursor reads the place after which the next page begins.
func paymentCursor(cursor string) (createdAt, id int64, err error) {
	parts, err := decodeCursor(cursor, 2)
	if err != nil {
		return 0, 0, err
	}
	createdAt, err1 := strconv.ParseInt(parts[0], 10, 64)
	id, err2 := strconv.ParseInt(parts[1], 10, 64)
	if err1 != nil || err2 != nil {
		return 0, 0, errCursor()
	}
	return createdAt, id, nil
}
