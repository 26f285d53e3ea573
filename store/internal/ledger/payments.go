package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"

	"gorm.io/gorm"

	"tolem/store/internal/database"
	"tolem/store/internal/engine"
	"tolem/store/migrations"
	"tolem/topup"
)

// How many payments a page has, if the caller does not say, and at most.
const DefaultPage, MaxPage = 50, 500

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
	// Examine bounds how many payments are looked at for those with the amount or
	// the flag, zero for no bound. A page that ends there has fewer than Limit
	// payments, or none, and a cursor behind the last one looked at: see PageEnd.
	// What names the payments, Q and CustomerID, needs no bound.
	Examine int
	Limit   int    // 1 to 500, 50 if zero
	Cursor  string // what the page before returned as next
}

// Payments returns a page of payments, newest first, and the cursor of the
// next page, empty when this is the last. The error is of KindInvalid when a
// member of the filter breaks a rule.
func (l *Ledger) Payments(ctx context.Context, f PaymentFilter) (page []*topup.Payment, next string, err error) {
	limit, err := PageSize(f.Limit, DefaultPage, MaxPage)
	if err != nil {
		return nil, "", err
	}
	var end place
	if f.examines() {
		if end, err = l.examinedTo(ctx, f); err != nil {
			return nil, "", err
		}
	}
	if end != (place{}) {
		f.From = database.FromMicros(end.createdAt)
	}
	query, tooMany, err := l.paymentQuery(ctx, f)
	if err != nil {
		return nil, "", err
	}
	if end != (place{}) {
		query, next = query.Where("(p.created_at, p.id) >= (?, ?)", end.createdAt, end.id), end.cursor()
	}
	rows, err := query.Limit(limit + 1).Rows()
	if err != nil {
		return nil, "", fmt.Errorf("list payments: %w", err)
	}
	found, err := ScanPayments(rows)
	if err != nil {
		return nil, "", fmt.Errorf("list payments: %w", err)
	}
	if tooMany && len(found) == 0 && f.Cursor == "" {
		return nil, "", errTooManyNumbers()
	}
	if len(found) > limit {
		found = found[:limit]
		next = place{found[limit-1].CreatedAt, found[limit-1].RowID}.cursor()
	}
	page = make([]*topup.Payment, len(found))
	for i, row := range found {
		page[i] = row.Value()
	}
	if err := errors.Join(l.ReadCredited(ctx, page...), l.namePayouts(ctx, page...)); err != nil {
		return nil, "", fmt.Errorf("list payments: %w", err)
	}
	return page, next, nil
}

func ScanPayments(rows *sql.Rows) (found []*engine.PaymentRow, err error) {
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
func (l *Ledger) paymentQuery(ctx context.Context, f PaymentFilter) (q *gorm.DB, tooMany bool, err error) {
	if f.Status != "" {
		if _, err := topup.ParseStatus(string(f.Status)); err != nil {
			return nil, false, err
		}
	}
	if f.PendingOver < 0 {
		return nil, false, topup.Invalid("pending_over", "must not be negative")
	}
	q, err = l.walk(ctx, f)
	if err != nil {
		return nil, false, err
	}
	q = q.Select(engine.PaymentColumns)
	order := "p.created_at DESC, p.id DESC"
	if f.Flag != 0 {
		q = q.Where("p.flags & ? = ?", int64(f.Flag), int64(f.Flag))
	}
	if f.CustomerID != "" {
		q = q.Where("p.customer_id <> ''").Where("p.customer_id = ?", l.normalize.Apply(f.CustomerID))
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
	if f.Q != "" {
		if q, tooMany, err = l.found(ctx, q, f); err != nil {
			return nil, false, err
		}
		// The few that were found are sorted; walking all payments in their
		// order to meet the few would read the whole table.
		order = "+p.created_at DESC, p.id DESC"
	}
	return q.Order(order), tooMany, nil
}

// walk is the part of the filter that an index walks through: which payments are
// looked at, one by one, for the rest of it.
func (l *Ledger) walk(ctx context.Context, f PaymentFilter) (*gorm.DB, error) {
	q := l.reader.ORM.WithContext(ctx).Table("payments AS p")
	if f.Status != "" {
		if f.Status != topup.StatusSucceeded {
			q = q.Where("p.status <> 'succeeded'")
		}
		q = q.Where("p.status = ?", string(f.Status))
	}
	if f.Flag != 0 {
		q = q.Where("p.flags <> 0")
	}
	if !f.From.IsZero() {
		q = q.Where("p.created_at >= ?", database.Micros(f.From))
	}
	to := int64(math.MaxInt64) // one bound alone, since SQLite takes any of several
	if !f.To.IsZero() {
		to = database.Micros(f.To)
	}
	if f.Cursor != "" {
		at, err := paymentCursor(f.Cursor)
		if err != nil {
			return nil, err
		}
		q = q.Where("(p.created_at, p.id) < (?, ?)", at.createdAt, at.id)
		to = min(to, at.createdAt+1)
	}
	if to < math.MaxInt64 {
		q = q.Where("p.created_at < ?", to)
	}
	if f.PendingOver > 0 {
		q = q.Where("p.status <> 'succeeded'").Where("p.status = 'pending'").
			Where("p.created_at < ?", database.Micros(l.now().Add(-f.PendingOver)))
	}
	return q, nil
}

// examines reports whether the payments of the filter are found by looking at
// others, up to a bound.
func (f PaymentFilter) examines() bool {
	return f.Examine > 0 && f.Q == "" && f.CustomerID == "" && (f.Flag != 0 || f.Amount > 0 || !f.Major.IsZero())
}

// examinedTo is the place of the last payment that may be looked at, the zero place
// when all may be.
func (l *Ledger) examinedTo(ctx context.Context, f PaymentFilter) (end place, err error) {
	if f.Status == topup.StatusSucceeded {
		f.Status = "" // nearly all are, and the index of times alone is read then
	}
	q, err := l.walk(ctx, f)
	if err != nil {
		return end, err
	}
	err = q.Select("p.created_at, p.id").Order("p.created_at DESC, p.id DESC").Offset(f.Examine-1).Limit(1).Row().Scan(&end.createdAt, &end.id)
	if errors.Is(err, sql.ErrNoRows) {
		return place{}, nil
	}
	if err != nil {
		return end, fmt.Errorf("list payments: %w", err)
	}
	return end, nil
}

// place is that of a payment in the order of lists.
type place struct{ createdAt, id int64 }

func (p place) cursor() string {
	return EncodeCursor(strconv.FormatInt(p.createdAt, 10), strconv.FormatInt(p.id, 10))
}

// paymentCursor reads the place after which the next page begins.
func paymentCursor(cursor string) (at place, err error) {
	parts, err := DecodeCursor(cursor, 2)
	if err != nil {
		return at, err
	}
	createdAt, err1 := strconv.ParseInt(parts[0], 10, 64)
	id, err2 := strconv.ParseInt(parts[1], 10, 64)
	if err1 != nil || err2 != nil {
		return at, ErrCursor()
	}
	return place{createdAt, id}, nil
}

// PageEnd is when the last payment that a page with this cursor as its next one
// looked at was issued: nothing older has been looked at.
func PageEnd(cursor string) (time.Time, error) {
	at, err := paymentCursor(cursor)
	return database.FromMicros(at.createdAt), err
}

// Payment returns a payment; the error is of KindNotFound when there is none.
func (l *Ledger) Payment(ctx context.Context, paymentID string) (*topup.Payment, error) {
	var row engine.PaymentRow
	found, err := l.reader.One(ctx, engine.ReadPayment, row.Places(), paymentID)
	if err != nil {
		// Not the id: what was asked for may be anything, and a log must not tell it.
		return nil, fmt.Errorf("read a payment: %w", err)
	}
	if !found {
		return nil, topup.NotFound("payment does not exist")
	}
	p := row.Value()
	if err := l.ReadCredited(ctx, p); err != nil {
		return nil, err
	}
	return p, l.namePayouts(ctx, p)
}

// ReadCredited reads, of those payments that need it, what stands of their money
// on their contract now.
func (l *Ledger) ReadCredited(ctx context.Context, payments ...*topup.Payment) error {
	books := make(map[string]*topup.Book)
	var ids []string
	for _, p := range payments {
		if p.NeedsBook() {
			books[p.ID], ids = &topup.Book{Payment: p}, append(ids, p.ID)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	list, err := l.Find(ctx, MaxBook, `t.payment_id IN ?`, ids)
	if err != nil {
		return err
	}
	for _, t := range list {
		b := books[t.PaymentID]
		b.Transactions = append(b.Transactions, t)
	}
	for _, b := range books {
		b.Payment.Credited, b.Payment.Refunded = b.Credited(), b.Refunded()
	}
	return nil
}

// namingSQL finds the payouts that name payments; of each payment the first one counts.
const namingSQL = `SELECT l.payment_id, o.payout_id FROM payout_lines l JOIN payouts o ON o.id = l.payout AND ` + migrations.HeldPayoutSQL + `
	WHERE l.payment_id IN ? ORDER BY CASE l.type WHEN 'payment' THEN 0 ELSE 1 END, o.id`

// PayoutOf reads which payout names a payment, empty for none.
func PayoutOf(raw func(query string, args ...any) *gorm.DB, paymentID string) (payoutID string, err error) {
	err = raw(namingSQL, []string{paymentID}).Row().Scan(&paymentID, &payoutID)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return "", fmt.Errorf("read the payout of a payment: %w", err)
	}
	return payoutID, nil
}

// namePayouts reads which payout names each payment.
func (l *Ledger) namePayouts(ctx context.Context, payments ...*topup.Payment) (err error) {
	if len(payments) == 0 {
		return nil
	}
	ids := make([]string, len(payments))
	for i, p := range payments {
		ids[i] = p.ID
	}
	rows, err := l.reader.Raw(ctx, namingSQL, ids).Rows()
	if err != nil {
		return fmt.Errorf("read the payouts of payments: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	named := make(map[string]string)
	for rows.Next() {
		var payment, payout string
		if err := rows.Scan(&payment, &payout); err != nil {
			return fmt.Errorf("read the payouts of payments: %w", err)
		}
		if named[payment] == "" {
			named[payment] = payout
		}
	}
	for _, p := range payments {
		p.PayoutID = named[p.ID]
	}
	return rows.Err()
}
