// Package payouts reads what platforms have paid out, and what they owe. It keeps sums
// of the journal, so that what is owed is known without reading all of it.
package payouts

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"time"

	"tolem/store/internal/database"
	"tolem/store/internal/engine"
	"tolem/store/internal/ledger"
	"tolem/store/migrations"
	"tolem/topup"
)

// Register is the payouts of a database.
type Register struct {
	reader *engine.Reader
	writer *engine.Writer
	ledger *ledger.Ledger
	now    func() time.Time
}

// New returns the payouts of a database.
func New(r *engine.Reader, w *engine.Writer, l *ledger.Ledger, now func() time.Time) *Register {
	return &Register{r, w, l, now}
}

// Lock makes this the only write that changes which payouts hold what.
func Lock(tx *engine.Tx) error { return tx.LockKey("payouts") }

// Payout is a stored payout.
type Payout struct {
	topup.Payout
	Row       int64      // its key in the database
	Day       ledger.Day // the day of the payout
	Lines     int64      // how many it has
	File      string
	SHA256    string // of the file, hexadecimal
	CreatedAt time.Time
	Steps     []PayoutStep // how it came into its state, the oldest first; of one payout alone
	BankLine  *BankLine    // that it is matched with, nil for none; of one payout alone
}

// PayoutStep is something that was done to a payout.
type PayoutStep struct {
	At            time.Time
	State         topup.PayoutState // in which it left the payout
	TransactionID string            // the ledger transaction that it made, empty for none
	Actor, Reason string
}

// Posting is the ledger transaction that booked the payout, empty for none.
func (p *Payout) Posting() string {
	for _, s := range p.Steps {
		if s.State == topup.PayoutPosted {
			return s.TransactionID
		}
	}
	return ""
}

// PayoutRef names a payout. Provider and project are needed only where the id is
// ambiguous.
type PayoutRef struct {
	ID       string `json:"payout_id"`
	Provider string `json:"provider,omitempty"`
	Project  string `json:"project_id,omitempty"`
}

const payoutColumns = `o.id, o.payout_id, o.provider, o.project, o.bank, o.date, o.day_start, o.day_end, o.currency,
	o.gross, o.refunds, o.fees, o.reserve, o.adjustments, o.net, o.lines, o.file, o.sha256, o.created_at, o.state`

func scanPayout(rows *sql.Rows) (p Payout, err error) {
	var start, end, created int64
	err = rows.Scan(&p.Row, &p.ID, &p.Provider, &p.Project, &p.Bank, &p.Date, &start, &end, &p.Currency,
		&p.Gross, &p.Refunds, &p.Fees, &p.Reserve, &p.Adjustments, &p.Net, &p.Lines, &p.File, &p.SHA256, &created, (*string)(&p.State))
	p.Day, p.CreatedAt = ledger.Day{Start: database.FromMicros(start), End: database.FromMicros(end)}, database.FromMicros(created)
	return p, err
}

func Read(q engine.Query, condition string, args ...any) (list []Payout, err error) {
	rows, err := q(`SELECT `+payoutColumns+` FROM payouts o WHERE `+condition, args...).Rows()
	if err != nil {
		return nil, fmt.Errorf("read payouts: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		p, err := scanPayout(rows)
		if err != nil {
			return nil, fmt.Errorf("read payouts: %w", err)
		}
		list = append(list, p)
	}
	return list, rows.Err()
}

// Find returns the payout that is named: the one that holds the id, else the
// newest.
func Find(q engine.Query, ref PayoutRef) (*Payout, error) {
	condition, args := `o.payout_id = ? AND o.state <> 'staged'`, []any{ref.ID}
	if ref.Provider != "" {
		condition, args = condition+` AND o.provider = ?`, append(args, ref.Provider)
	}
	if ref.Project != "" {
		condition, args = condition+` AND o.project = ?`, append(args, ref.Project)
	}
	list, err := Read(q, condition+` ORDER BY CASE WHEN `+migrations.HeldPayoutSQL+` THEN 0 ELSE 1 END, o.id DESC LIMIT 1000`, args...)
	if err != nil {
		return nil, err
	}
	if len(list) == 0 {
		return nil, topup.NotFound("payout does not exist")
	}
	for _, p := range list {
		if p.Provider != list[0].Provider || p.Project != list[0].Project {
			return nil, topup.Invalid("id", "is that of payouts of several projects: name the provider and the project")
		}
	}
	return &list[0], nil
}

// Payout returns a payout with its steps. When its id was given up and entered
// again it is the one that holds it.
//
// Errors: KindNotFound when there is none; KindInvalid when the id is ambiguous.
func (b *Register) Payout(ctx context.Context, ref PayoutRef) (*Payout, error) {
	p, err := Find(b.reader.Query(ctx), ref)
	if err != nil {
		return nil, err
	}
	rows, err := b.reader.Raw(ctx, `SELECT s.at, s.state, coalesce(t.transaction_id, ''), s.actor, s.reason
		FROM payout_steps s LEFT JOIN transactions t ON t.seq = s.seq WHERE s.payout = ? ORDER BY s.id`, p.Row).Rows()
	if err != nil {
		return nil, fmt.Errorf("read the steps of a payout: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var step PayoutStep
		var at int64
		if err := rows.Scan(&at, (*string)(&step.State), &step.TransactionID, &step.Actor, &step.Reason); err != nil {
			return nil, fmt.Errorf("read the steps of a payout: %w", err)
		}
		step.At = database.FromMicros(at)
		p.Steps = append(p.Steps, step)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read the steps of a payout: %w", err)
	}
	p.BankLine, err = bankLineOf(b.reader.Query(ctx), p)
	return p, err
}

// PayoutOfTransaction returns the payout that a ledger transaction booked, or
// whose booking it reversed.
//
// The error is of KindNotFound when it is no transaction of a payout.
func (b *Register) PayoutOfTransaction(ctx context.Context, transactionID string) (*Payout, error) {
	list, err := Read(b.reader.Query(ctx), `o.id = (SELECT s.payout FROM payout_steps s JOIN transactions t ON t.seq = s.seq WHERE t.transaction_id = ?)`, transactionID)
	if err != nil {
		return nil, err
	}
	if len(list) == 0 {
		return nil, topup.NotFound("no payout was booked by this transaction")
	}
	p := &list[0]
	p.BankLine, err = bankLineOf(b.reader.Query(ctx), p)
	return p, err
}

// PayoutFilter selects payouts. Zero members select everything.
type PayoutFilter struct {
	State             topup.PayoutState
	Provider, Project string
	Bank              string
	Limit             int    // 1 to 500, 50 if zero
	Cursor            string // what the page before returned as next
}

// Payouts returns a page of payouts, those entered last first, and the cursor of
// the next page, empty when this is the last.
func (b *Register) Payouts(ctx context.Context, f PayoutFilter) (page []Payout, next string, err error) {
	limit, err := ledger.PageSize(f.Limit, ledger.DefaultPage, ledger.MaxPage)
	if err != nil {
		return nil, "", err
	}
	condition, args := `o.state <> 'staged'`, []any(nil)
	and := func(more string, with any) { condition, args = condition+` AND `+more, append(args, with) }
	if f.State != "" {
		if _, err := topup.ParsePayoutState(string(f.State)); err != nil {
			return nil, "", err
		}
		condition, args = `o.state = ?`, []any{string(f.State)}
	}
	if f.Provider != "" {
		and(`o.provider = ?`, f.Provider)
	}
	if f.Project != "" {
		and(`o.project = ?`, f.Project)
	}
	if f.Bank != "" {
		and(`o.bank = ?`, f.Bank)
	}
	if f.Cursor != "" {
		parts, err := ledger.DecodeCursor(f.Cursor, 1)
		if err != nil {
			return nil, "", err
		}
		row, err := strconv.ParseInt(parts[0], 10, 64)
		if err != nil {
			return nil, "", ledger.ErrCursor()
		}
		and(`o.id < ?`, row)
	}
	page, err = Read(b.reader.Query(ctx), condition+` ORDER BY o.id DESC LIMIT ?`, append(args, limit+1)...)
	if err != nil {
		return nil, "", err
	}
	if len(page) > limit {
		page = page[:limit]
		next = ledger.EncodeCursor(strconv.FormatInt(page[limit-1].Row, 10))
	}
	return page, next, nil
}

// PayoutLine is a stored line of a payout, compared with what we have.
type PayoutLine struct {
	topup.PayoutLine
	N          int64  // its place in the payout, from 1
	PaymentID  string // our payment that it names, empty if we know none
	Difference topup.LineDifference
	// What was received for a payment line, where it differs.
	Received topup.Money
}

const payoutLineColumns = `l.n, l.line, l.type, l.payment, l.operation, l.amount, l.fee, l.reserve, l.adjustment, l.at, coalesce(l.payment_id, '')`

// PayoutLines returns the lines of a payout that follow place after, at most limit
// of them (1 to 500, 50 if zero), each compared with the payment that it names.
func (b *Register) PayoutLines(ctx context.Context, p *Payout, after int64, limit int) ([]PayoutLine, error) {
	limit, err := ledger.PageSize(limit, ledger.DefaultPage, ledger.MaxPage)
	if err != nil {
		return nil, err
	}
	list, err := b.StoredLines(ctx, p.Row, after, limit)
	if err != nil {
		return nil, err
	}
	// A payment may have become known since the line was entered: see linkLines.
	var unknown []topup.PayoutLine
	for _, l := range list {
		if l.PaymentID == "" {
			unknown = append(unknown, l.PayoutLine)
		}
	}
	payments, err := b.PaymentsOfLines(ctx, p.Provider, p.Project, unknown)
	if err != nil {
		return nil, err
	}
	for i := range list {
		if list[i].PaymentID == "" {
			list[i].PaymentID, payments = payments[0], payments[1:]
		}
	}
	return list, b.compareLines(ctx, p.Currency, list)
}

func (b *Register) StoredLines(ctx context.Context, row, after int64, limit int) (list []PayoutLine, err error) {
	rows, err := b.reader.Raw(ctx, `SELECT `+payoutLineColumns+` FROM payout_lines l WHERE l.payout = ? AND l.n > ? ORDER BY l.n LIMIT ?`, row, after, limit).Rows()
	if err != nil {
		return nil, fmt.Errorf("read the lines of a payout: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var l PayoutLine
		var at sql.NullInt64
		err := rows.Scan(&l.N, &l.Line, (*string)(&l.Type), &l.Payment, &l.Operation, &l.Amount, &l.Fee, &l.Reserve, &l.Adjustment, &at, &l.PaymentID)
		if err != nil {
			return nil, fmt.Errorf("read the lines of a payout: %w", err)
		}
		l.At = database.FromMicros(at.Int64)
		list = append(list, l)
	}
	return list, rows.Err()
}

// compareLines says of each line what differs from what we have.
func (b *Register) compareLines(ctx context.Context, currency string, lines []PayoutLine) error {
	books := make(map[string]*topup.Book)
	var ids []string
	for _, l := range lines {
		if l.PaymentID != "" && books[l.PaymentID] == nil {
			books[l.PaymentID], ids = &topup.Book{}, append(ids, l.PaymentID)
		}
	}
	listed := make(map[string]listedSums)
	if len(ids) > 0 {
		transactions, err := b.ledger.Find(ctx, ledger.MaxBook, `t.payment_id IN ?`, ids)
		if err != nil {
			return err
		}
		for _, t := range transactions {
			books[t.PaymentID].Transactions = append(books[t.PaymentID].Transactions, t)
		}
		if listed, err = b.listedSums(ctx, currency, ids); err != nil {
			return err
		}
	}
	for i := range lines {
		l := &lines[i]
		state := topup.LineState{Known: l.PaymentID != "", Listed: listed[l.PaymentID].refunds}
		if l.Type == topup.LinePayment {
			state.Listed = listed[l.PaymentID].payments
		}
		if state.Known {
			state.All, _, _ = books[l.PaymentID].OfPlatform("")
			state.Received, state.Currency, state.Refunded = books[l.PaymentID].OfPlatform(l.Operation)
		}
		if l.Difference = l.PayoutLine.Difference(currency, state); l.OfPayment() && l.Difference != "" && state.Currency != "" {
			l.Received = topup.Money{Amount: state.Received, Currency: state.Currency}
		}
	}
	return nil
}

// listedSums is what the payouts that count say of a payment, in minor units.
type listedSums struct{ payments, refunds int64 }

// listedSums sums what the payouts that count say was paid for each payment, in a
// currency, and went back of it.
func (b *Register) listedSums(ctx context.Context, currency string, ids []string) (_ map[string]listedSums, err error) {
	rows, err := b.reader.Raw(ctx, `SELECT l.payment_id, sum(CASE WHEN l.type = 'payment' AND o.currency = ? THEN l.amount ELSE 0 END),
			sum(CASE l.type WHEN 'payment' THEN 0 WHEN 'refund_reversal' THEN -l.amount ELSE l.amount END)
		FROM payout_lines l JOIN payouts o ON o.id = l.payout AND `+migrations.HeldPayoutSQL+`
		WHERE l.payment_id IN ? AND l.type IN ('payment', 'refund', 'refund_reversal', 'chargeback') GROUP BY l.payment_id`, currency, ids).Rows()
	if err != nil {
		return nil, fmt.Errorf("read what payouts list: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	listed := make(map[string]listedSums)
	for rows.Next() {
		var id string
		var sums listedSums
		if err := rows.Scan(&id, &sums.payments, &sums.refunds); err != nil {
			return nil, fmt.Errorf("read what payouts list: %w", err)
		}
		listed[id] = sums
	}
	return listed, rows.Err()
}

// maxDifferences bounds the differing lines of a payout that are returned.
const maxDifferences = 1000

// PayoutDifferences returns the lines of a payout that differ from what we have,
// the first 1000 of them, and how many differ in all. It reads all lines.
func (b *Register) PayoutDifferences(ctx context.Context, p *Payout) (list []PayoutLine, total int, err error) {
	for after := int64(0); ; {
		page, err := b.PayoutLines(ctx, p, after, ledger.MaxPage)
		if err != nil {
			return nil, 0, err
		}
		for _, l := range page {
			if l.Difference == "" {
				continue
			}
			if total++; len(list) < maxDifferences {
				list = append(list, l)
			}
		}
		if len(page) < ledger.MaxPage {
			return list, total, nil
		}
		after = page[len(page)-1].N
	}
}
