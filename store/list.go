package store

import (
	"context"
	"database/sql"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"gorm.io/gorm"

	"tolem/store/internal/sqlite"
	"tolem/topup"
)

const (
	defaultPage = 50
	maxPage     = 500
	maxItems    = 1000
	// maxTimeline bounds the deliveries that a timeline shows: the platform
	// resends a callback at most 120 times, but nothing else bounds them.
	maxTimeline = 1000
)

// PaymentFilter selects payments. Zero members select everything.
type PaymentFilter struct {
	Status     topup.Status
	Flag       topup.Flags // payments that have all of these
	CustomerID string      // normalised before it is compared
	// Q is any id, in full: the payment's, the provider's, a receipt number, an
	// operation, a ledger transaction; or a contract number or its beginning,
	// in which blanks do not count.
	Q           string
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
		next = encodeCursor(strconv.FormatInt(last.createdAt, 10), strconv.FormatInt(last.rowID, 10))
	}
	page = make([]*topup.Payment, len(found))
	for i, row := range found {
		page[i] = row.value()
	}
	if err := s.readCredited(ctx, page...); err != nil {
		return nil, "", fmt.Errorf("list payments: %w", err)
	}
	return page, next, nil
}

func scanPayments(rows *sql.Rows) (found []*paymentRow, err error) {
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		row := new(paymentRow)
		if err := rows.Scan(row.places()...); err != nil {
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
	q = s.read.WithContext(ctx).Table("payments AS p").Select(paymentColumns)
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
		if q, tooMany, err = s.found(ctx, q, f.Q); err != nil {
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

// Cursors are opaque to whoever carries them.
func encodeCursor(parts ...string) string {
	return base64.RawURLEncoding.EncodeToString([]byte(strings.Join(parts, "\n")))
}

func decodeCursor(cursor string, parts int) ([]string, error) {
	text, err := base64.RawURLEncoding.Strict().DecodeString(cursor)
	if err != nil {
		return nil, errCursor()
	}
	list := strings.Split(string(text), "\n")
	if len(list) != parts {
		return nil, errCursor()
	}
	return list, nil
}

func errCursor() error {
	return topup.Invalid("cursor", "must be the next_cursor of the page before")
}

// TimelineEntry is one thing that happened to a payment.
type TimelineEntry struct {
	At   time.Time
	What TimelineKind
	// Message is set for a delivery, Transaction for a ledger transaction, Step for
	// what an operator did without one, Answer for an answer of the provider.
	Message     *Message
	Transaction *topup.Transaction
	Step        *StepRecord
	Answer      *StatusAnswer
}

// TimelineKind says what a TimelineEntry is about.
type TimelineKind string

const (
	TimelineIssued      TimelineKind = "issued"      // we gave out the id
	TimelineOpened      TimelineKind = "opened"      // money came under an id that we had not given out
	TimelineMessage     TimelineKind = "message"     // the provider delivered a message
	TimelineTransaction TimelineKind = "transaction" // the ledger was written
	TimelineExpired     TimelineKind = "expired"     // the provider's time for a result was over
	TimelineRecorded    TimelineKind = "recorded"    // an operator opened it for money that no message told of
	TimelineStep        TimelineKind = "step"        // an operator did something without a ledger transaction
	TimelineAnswer      TimelineKind = "answer"      // the provider was asked for the status, and this is its last answer
)

// Timeline returns what happened to a payment, in time order: its issue, every
// delivery of the provider (the first 1000), every ledger transaction, and what
// the provider answered last when it was asked.
func (s *Store) Timeline(ctx context.Context, p *topup.Payment) ([]TimelineEntry, error) {
	first := TimelineEntry{At: p.CreatedAt, What: TimelineIssued}
	reference := p.ID
	if !p.Issued() {
		first.What, reference = TimelineOpened, p.ProviderReference
	}
	if p.Recorded {
		first.What, reference = TimelineRecorded, p.ProviderReference
	}
	timeline := []TimelineEntry{first}
	messages, err := s.messages(ctx, reference, p.ID)
	if err != nil {
		return nil, fmt.Errorf("timeline of payment %s: %w", p.ID, err)
	}
	for i := range messages {
		timeline = append(timeline, TimelineEntry{At: messages[i].ReceivedAt, What: TimelineMessage, Message: &messages[i]})
	}
	transactions, err := s.PaymentTransactions(ctx, p.ID)
	if err != nil {
		return nil, fmt.Errorf("timeline of payment %s: %w", p.ID, err)
	}
	for i := range transactions {
		timeline = append(timeline, TimelineEntry{At: transactions[i].RecordedAt, What: TimelineTransaction, Transaction: &transactions[i]})
	}
	steps, err := stepRecords(s.outside(ctx), `s.payment_id = ?`, p.ID)
	if err != nil {
		return nil, fmt.Errorf("timeline of payment %s: %w", p.ID, err)
	}
	for i := range steps {
		if steps[i].TransactionID == "" { // else the transaction tells
			timeline = append(timeline, TimelineEntry{At: steps[i].At, What: TimelineStep, Step: &steps[i]})
		}
	}
	answer, err := s.StatusAnswer(ctx, p.ID)
	if err != nil {
		return nil, fmt.Errorf("timeline of payment %s: %w", p.ID, err)
	}
	if answer != nil {
		timeline = append(timeline, TimelineEntry{At: answer.At, What: TimelineAnswer, Answer: answer})
	}
	if p.Status == topup.StatusExpired {
		timeline = append(timeline, TimelineEntry{At: p.ExpiresAt, What: TimelineExpired})
	}
	slices.SortStableFunc(timeline, func(a, b TimelineEntry) int { return a.At.Compare(b.At) })
	return timeline, nil
}

const messagesSQL = `SELECT m.id, m.received_at, m.source, m.disposition, m.status, m.operation, m.code, coalesce(m.seq, 0)
	FROM messages m WHERE m.reference = ? AND m.payment_id = ? ORDER BY m.id LIMIT ?`

// messages returns the deliveries that concern a payment, by the id under
// which the provider names it.
func (s *Store) messages(ctx context.Context, reference, paymentID string) (list []Message, err error) {
	rows, err := s.raw(ctx, messagesSQL, reference, paymentID, maxTimeline).Rows()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var m Message
		var received int64
		if err := rows.Scan(&m.ID, &received, (*string)(&m.Source), (*string)(&m.Disposition), &m.Status, &m.Operation, &m.Code, &m.Seq); err != nil {
			return nil, err
		}
		m.ReceivedAt = fromMicros(received)
		list = append(list, m)
	}
	return list, rows.Err()
}

// SuspenseFilter selects suspense items. The zero value selects the oldest
// open ones.
type SuspenseFilter struct {
	All       bool        // resolved ones too
	PaymentID string      // of this payment only
	Flag      topup.Flags // whose payment has all of these
	Amount    int64       // of this sum, in minor units
	Major     topup.Major // of this sum in major units, in whatever currency
	Period    Period      // that were put into suspense in it
	After     int64       // those that follow this Seq, for the next page
	Limit     int         // 1 to 1000, 100 if zero
}

// where is the filter as a condition on items i, their payments p, transactions
// t, entries e and ledger accounts a.
func (f SuspenseFilter) where() (string, []any, error) {
	condition, args := "1 = 1", []any(nil)
	and := func(more string, with ...any) {
		condition, args = condition+" AND "+more, append(args, with...)
	}
	if !f.All {
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
	more, with, err := f.Period.where()
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
	Money             topup.Money
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
	At            time.Time
}

const suspenseSQL = `SELECT t.transaction_id, t.seq, t.payment_id, p.provider, p.project, p.customer_id, p.entity_id,
	-e.amount, a.currency, p.flags, ` + referenceSQL + `,
	coalesce(` + operationOfSQL + `, ''), coalesce(` + receiptOfSQL + `, ''), i.state, t.effective_at, t.recorded_at,
	r.transaction_id, r.kind, r.actor, r.reason, r.recorded_at
	FROM suspense_items i
	JOIN transactions t ON t.seq = i.seq
	JOIN payments p ON p.payment_id = i.payment_id
	JOIN entries e ON e.seq = i.seq AND e.amount < 0
	JOIN ledger_accounts a ON a.id = e.account_id
	LEFT JOIN transactions r ON r.seq = i.resolved_by
	WHERE i.seq > ? AND %s ORDER BY i.seq LIMIT ?`

// SuspenseItems lists suspense items, the oldest first.
func (s *Store) SuspenseItems(ctx context.Context, f SuspenseFilter) ([]SuspenseItem, error) {
	limit, err := pageSize(f.Limit, defaultFeed, maxItems)
	if err != nil {
		return nil, err
	}
	condition, args, err := f.where()
	if err != nil {
		return nil, err
	}
	args = append(append([]any{f.After}, args...), limit)
	rows, err := s.raw(ctx, fmt.Sprintf(suspenseSQL, condition), args...).Rows()
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
			at                      sql.NullInt64
		)
		err := rows.Scan(&i.ID, &i.Seq, &i.PaymentID, &i.Provider, &i.Project, &i.CustomerID, &i.ContractID,
			&i.Money.Amount, &i.Money.Currency, (*uint32)(&i.Flags), &i.ProviderReference, &i.Operation, &i.Receipt, &i.State, &effective, &recorded,
			&by, &kind, &actor, &reason, &at)
		if err != nil {
			return nil, err
		}
		i.EffectiveAt, i.RecordedAt = fromMicros(effective), fromMicros(recorded)
		if by.Valid {
			i.Resolution = &Resolution{
				TransactionID: by.String, Kind: topup.TransactionKind(kind.String),
				Actor: actor.String, Reason: reason.String, At: fromMicros(at.Int64),
			}
		}
		items = append(items, i)
	}
	return items, rows.Err()
}

// PendingStats returns when the oldest pending payment was issued, the zero
// time if there is none, and how many there are.
func (s *Store) PendingStats(ctx context.Context) (oldest time.Time, n int64, err error) {
	var first sql.NullInt64
	err = s.raw(ctx, `SELECT min(created_at), count(*) FROM payments WHERE status <> 'succeeded' AND status = 'pending'`).
		Row().Scan(&first, &n)
	if err != nil {
		return time.Time{}, 0, fmt.Errorf("count pending payments: %w", err)
	}
	return fromMicros(first.Int64), n, nil
}

// Stats are figures for a dashboard or an alert.
type Stats struct {
	Pending       int64
	OldestPending time.Time // zero when nothing is pending
	Review        int64     // payments that somebody must look at
	OpenSuspense  int64     // suspense items that nobody has resolved
	// Open are the messages that somebody must deal with, by what they told.
	OpenUnreadable, OpenRefunds, OpenReversals, OpenConflicts int64
	LastSeq                                                   int64 // newest place in the feed
	WALBytes                                                  int64 // size of the write-ahead log
}

// Stats reads the figures, each from an index.
func (s *Store) Stats(ctx context.Context) (Stats, error) {
	stats := Stats{WALBytes: sqlite.WALBytes(s.path)}
	var first sql.NullInt64
	err := s.raw(ctx, `SELECT
		(SELECT min(created_at) FROM payments WHERE status <> 'succeeded' AND status = 'pending'),
		(SELECT count(*) FROM payments WHERE status <> 'succeeded' AND status = 'pending'),
		(SELECT count(*) FROM payments WHERE status <> 'succeeded' AND status = 'review'),
		(SELECT count(*) FROM suspense_items WHERE state = 'open'),
		(SELECT coalesce(max(seq), 0) FROM transactions),
		(SELECT count(*) FROM open_messages WHERE told = 'unreadable'),
		(SELECT count(*) FROM open_messages WHERE told = 'refund'),
		(SELECT count(*) FROM open_messages WHERE told = 'reversal'),
		(SELECT count(*) FROM open_messages WHERE told = 'conflict')`).
		Row().Scan(&first, &stats.Pending, &stats.Review, &stats.OpenSuspense, &stats.LastSeq,
		&stats.OpenUnreadable, &stats.OpenRefunds, &stats.OpenReversals, &stats.OpenConflicts)
	if err != nil {
		return Stats{}, fmt.Errorf("read figures: %w", err)
	}
	stats.OldestPending = fromMicros(first.Int64)
	return stats, nil
}
