package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"tolem/topup"
)

// StoredMessage is a provider's message as it was stored, with what became of it.
type StoredMessage struct {
	ID            int64
	ReceivedAt    time.Time
	Provider      string
	Project       string
	Source        topup.Source
	Reference     string // the payment's id as the message has it
	PaymentID     string // the payment that it concerns, empty for none
	Disposition   topup.Disposition
	TransactionID string // the ledger transaction that it made, empty for none
	Status        string
	Operation     string
	Code          string
	Receipt       string
	// PaidBack is what the message says that its operation gave back to the payer, zero
	// when it does not say.
	PaidBack topup.Money
	// Open is what somebody must deal with, empty for nothing.
	Open topup.Told
	// Steps are what operators did about it, the oldest first.
	Steps []StepRecord
}

// StepRecord is an operator's step beside, or instead of, a ledger transaction.
type StepRecord struct {
	At            time.Time
	Action        string // record, close, suspend or dismiss
	MessageID     int64  // 0 for none
	TransactionID string // the ledger transaction that was made, empty for none
	Operation     string
	Actor         string
	Reason        string
}

// MessageFilter selects messages. Zero members select everything.
type MessageFilter struct {
	Disposition topup.Disposition
	Open        bool      // those that somebody must deal with
	Q           string    // an operation, a receipt number, or a payment's id of ours or the platform's, in full
	From, To    time.Time // by when it was received; From is part of it, To is not
	Limit       int       // 1 to 500, 50 if zero
	Cursor      string    // what the page before returned as next
}

// ParseDisposition returns the disposition of that name; the error is of
// KindInvalid.
func ParseDisposition(name string) (topup.Disposition, error) {
	for _, d := range topup.Dispositions {
		if string(d) == name {
			return d, nil
		}
	}
	return "", topup.Invalid("disposition", "must be one of %v", topup.Dispositions)
}

const messageColumns = `m.id, m.received_at, m.provider, m.project, m.source, m.reference, coalesce(m.payment_id, ''), m.disposition,
	coalesce(t.transaction_id, ''), m.status, m.operation, m.code, m.receipt, coalesce(o.told, ''), coalesce(d.amount, 0), coalesce(d.currency, '')`

const messageFrom = ` FROM messages m LEFT JOIN transactions t ON t.seq = m.seq LEFT JOIN open_messages o ON o.message_id = m.id
	LEFT JOIN told_refunds d ON d.message_id = m.id `

// foundMessagesSQL finds messages by what a person may have in hand. Every part
// reads one index.
const foundMessagesSQL = `m.id IN (
	SELECT f.id FROM messages f WHERE f.reference = ?
	UNION SELECT f.id FROM messages f WHERE f.operation = ? AND f.disposition NOT IN ('credited', 'repeat') AND f.operation <> ''
	UNION SELECT f.id FROM messages f WHERE f.receipt = ? AND f.disposition NOT IN ('credited', 'repeat') AND f.receipt <> ''
	UNION SELECT f.id FROM operations o JOIN messages f ON f.reference = o.reference AND f.operation = o.operation WHERE o.operation = ?
	UNION SELECT f.id FROM payments p JOIN messages f ON f.reference = ` + referenceSQL + ` AND f.payment_id = p.payment_id
		WHERE p.provider_payment_id = ?
	UNION SELECT f.id FROM payments p JOIN messages f ON f.reference = p.provider_reference AND f.payment_id = p.payment_id
		WHERE p.payment_id = ? AND p.provider_reference <> '')`

// Messages returns a page of stored messages, the newest first, and the cursor of
// the next page, empty when this is the last.
func (s *Store) Messages(ctx context.Context, f MessageFilter) (page []StoredMessage, next string, err error) {
	limit, err := pageSize(f.Limit, defaultPage, maxPage)
	if err != nil {
		return nil, "", err
	}
	where, args := []string{"1 = 1"}, []any{}
	and := func(condition string, values ...any) { where, args = append(where, condition), append(args, values...) }
	if f.Disposition != "" {
		if _, err := ParseDisposition(string(f.Disposition)); err != nil {
			return nil, "", err
		}
		if rareDisposition(f.Disposition) {
			and("m.disposition <> 'credited' AND m.disposition <> 'repeat' AND m.disposition <> 'noted'") // as the index has it
		}
		and("m.disposition = ?", string(f.Disposition))
	}
	if f.Open {
		and("m.id IN (SELECT message_id FROM open_messages)")
	}
	if text := strings.TrimSpace(f.Q); text != "" {
		if len(text) > topup.MaxTextBytes {
			return nil, "", topup.Invalid("q", "must be at most %d bytes long", topup.MaxTextBytes)
		}
		and(foundMessagesSQL, text, text, text, text, text, text)
	}
	for _, bound := range []struct {
		at time.Time
		op string
	}{{f.From, ">="}, {f.To, "<"}} {
		if bound.at.IsZero() {
			continue
		}
		id, err := s.firstMessageSince(ctx, bound.at)
		if err != nil {
			return nil, "", err
		}
		and("m.id "+bound.op+" ?", id)
	}
	if f.Cursor != "" {
		parts, err := decodeCursor(f.Cursor, 1)
		if err != nil {
			return nil, "", err
		}
		before, err := strconv.ParseInt(parts[0], 10, 64)
		if err != nil {
			return nil, "", errCursor()
		}
		and("m.id < ?", before)
	}
	query := `SELECT ` + messageColumns + messageFrom + `WHERE ` + strings.Join(where, " AND ") + ` ORDER BY m.id DESC LIMIT ?`
	rows, err := s.raw(ctx, query, append(args, limit+1)...).Rows()
	if err != nil {
		return nil, "", fmt.Errorf("list messages: %w", err)
	}
	if page, err = scanStoredMessages(rows); err != nil {
		return nil, "", fmt.Errorf("list messages: %w", err)
	}
	if len(page) > limit {
		page = page[:limit]
		next = encodeCursor(strconv.FormatInt(page[limit-1].ID, 10))
	}
	return page, next, nil
}

// rareDisposition reports whether messages of the disposition have an index.
func rareDisposition(d topup.Disposition) bool {
	return d != topup.DispositionCredited && d != topup.DispositionRepeat && d != topup.DispositionNoted
}

// firstMessageSince returns the number of the first message that was received at
// a time or later, one above the last when there is none. Numbers rise with the
// time of receipt, so that it is found by halving.
func (s *Store) firstMessageSince(ctx context.Context, at time.Time) (int64, error) {
	var first, last sql.NullInt64
	if err := s.raw(ctx, `SELECT min(id), max(id) FROM messages`).Row().Scan(&first, &last); err != nil {
		return 0, fmt.Errorf("look for the first message: %w", err)
	}
	low, high := first.Int64, last.Int64+1 // the answer is in low..high
	for low < high {
		middle := low + (high-low)/2
		var id, received int64
		err := s.raw(ctx, `SELECT id, received_at FROM messages WHERE id >= ? ORDER BY id LIMIT 1`, middle).Row().Scan(&id, &received)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return 0, fmt.Errorf("look for the first message: %w", err)
		}
		if err != nil || received >= micros(at) {
			high = middle
			continue
		}
		low = id + 1
	}
	return low, nil
}

func scanStoredMessages(rows *sql.Rows) (list []StoredMessage, err error) {
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var m StoredMessage
		var received int64
		err := rows.Scan(&m.ID, &received, &m.Provider, &m.Project, (*string)(&m.Source), &m.Reference, &m.PaymentID, (*string)(&m.Disposition),
			&m.TransactionID, &m.Status, &m.Operation, &m.Code, &m.Receipt, (*string)(&m.Open), &m.PaidBack.Amount, &m.PaidBack.Currency)
		if err != nil {
			return nil, err
		}
		m.ReceivedAt = fromMicros(received)
		list = append(list, m)
	}
	return list, rows.Err()
}

// Message returns a stored message with its raw body; the body is nil when its
// retention is over. The error is of KindNotFound when there is no such message.
func (s *Store) Message(ctx context.Context, id int64) (StoredMessage, []byte, error) {
	return readMessage(s.outside(ctx), id)
}

func readMessage(ask query, id int64) (StoredMessage, []byte, error) {
	fail := func(err error) (StoredMessage, []byte, error) {
		return StoredMessage{}, nil, fmt.Errorf("read message %d: %w", id, err)
	}
	rows, err := ask(`SELECT `+messageColumns+messageFrom+`WHERE m.id = ?`, id).Rows()
	if err != nil {
		return fail(err)
	}
	list, err := scanStoredMessages(rows)
	if err != nil {
		return fail(err)
	}
	if len(list) == 0 {
		return StoredMessage{}, nil, topup.NotFound("message does not exist")
	}
	m := list[0]
	if m.Steps, err = stepRecords(ask, `s.message_id = ?`, id); err != nil {
		return fail(err)
	}
	// A repeat that is the same to the byte has no body of its own.
	var bodies [][]byte
	err = ask(`SELECT b.body FROM message_bodies b WHERE b.message_id = ?`, id).Scan(&bodies).Error
	if err == nil && len(bodies) == 0 && m.Disposition == topup.DispositionRepeat {
		err = ask(`SELECT b.body FROM messages f JOIN message_bodies b ON b.message_id = f.id
			WHERE f.reference = ? AND f.provider = ? AND f.project = ? AND f.operation = ? AND f.status = ? AND f.id < ? ORDER BY f.id DESC LIMIT 1`,
			m.Reference, m.Provider, m.Project, m.Operation, m.Status, id).Scan(&bodies).Error
	}
	if err != nil {
		return fail(err)
	}
	if len(bodies) == 0 {
		return m, nil, nil
	}
	return m, bodies[0], nil
}

// stepRecords reads operators' steps s, the oldest first.
func stepRecords(ask query, where string, arg any) (list []StepRecord, err error) {
	rows, err := ask(`SELECT s.at, s.action, coalesce(s.message_id, 0), coalesce(t.transaction_id, ''), s.operation, s.actor, s.reason
		FROM operator_steps s LEFT JOIN transactions t ON t.seq = s.seq WHERE `+where+` ORDER BY s.id`, arg).Rows()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var r StepRecord
		var at int64
		if err := rows.Scan(&at, &r.Action, &r.MessageID, &r.TransactionID, &r.Operation, &r.Actor, &r.Reason); err != nil {
			return nil, err
		}
		r.At = fromMicros(at)
		list = append(list, r)
	}
	return list, rows.Err()
}

// ReadMessage reads a stored message anew, as the provider's adapter reads one
// that has just arrived.
type ReadMessage func(m StoredMessage, body []byte) (topup.Event, error)

// ReadStored reads a stored message anew, with the options' ReadMessage.
func (s *Store) ReadStored(m StoredMessage, body []byte) (topup.Event, error) {
	if s.readRaw == nil {
		return topup.Event{}, errors.New("this store was opened without a reader of messages")
	}
	return s.readRaw(m, body)
}

func (tx *wtx) suspend(id int64, r topup.SuspendRequest, e *topup.Event, by By) (posted, error) {
	m, _, err := readMessage(tx.raw, id)
	if err != nil {
		return posted{}, err
	}
	state := topup.SuspendState{Message: id, Disposition: m.Disposition}
	meets, err := tx.State(e)
	if err != nil {
		return posted{}, fmt.Errorf("read what the message concerns: %w", err)
	}
	state.Posted = meets.Posted
	if meets.Payment != nil {
		if state.Book, err = tx.book(meets.Payment.ID); err != nil {
			return posted{}, err
		}
	}
	if state.Suspended, err = tx.suspendedBefore(m); err != nil {
		return posted{}, err
	}
	step, err := topup.DecideSuspend(r, *e, state)
	if err != nil {
		return posted{}, err
	}
	if _, err := tx.effectiveAt(by, step.Earliest); err != nil {
		return posted{}, err
	}
	if step.Open {
		state.Book.Payment = step.Opened(*e, tx.now())
		if _, err := tx.openPayment(state.Book.Payment); err != nil {
			return posted{}, err
		}
	}
	made, err := tx.carryOut(state.Book, step.Step, by)
	if err != nil {
		return posted{}, err
	}
	err = tx.claim(claim{
		operation: step.Operation, provider: e.Provider, project: e.Project, seq: made.seq, reference: step.Reference,
		sum: step.Sum, initial: initialOf(*e, step.Sum), entered: true,
	})
	if err != nil {
		return posted{}, err
	}
	paymentID := state.Book.Payment.ID
	if err := tx.noteStep(stepNote{action: stepSuspend, payment: paymentID, message: id, seq: made.seq, operation: step.Operation}, by); err != nil {
		return posted{}, err
	}
	return made, tx.settleMessages(`message_id = ?`, id)
}

// initialOf is what the platform was to collect, as far as it can be read.
func initialOf(e topup.Event, sum topup.Money) topup.Money {
	if e.Initial.Amount > 0 {
		return e.Initial
	}
	return sum
}

// suspendedBefore reports whether an operator's suspense posting of the message
// stands.
func (tx *wtx) suspendedBefore(m StoredMessage) (bool, error) {
	for _, step := range m.Steps {
		if step.Action != stepSuspend {
			continue
		}
		t, err := tx.transaction(`t.transaction_id = ?`, step.TransactionID)
		if err != nil {
			return false, err
		}
		book, err := tx.book(t.PaymentID)
		if err != nil {
			return false, err
		}
		if !book.Undone(step.TransactionID) {
			return true, nil
		}
	}
	return false, nil
}

// settleMessages takes messages off the list of those that are open, and clears
// the flags of their payments that nothing open says any more.
func (tx *wtx) settleMessages(where string, args ...any) error {
	rows, err := tx.raw(`SELECT DISTINCT payment_id FROM open_messages WHERE payment_id IS NOT NULL AND `+where+` ORDER BY payment_id`, args...).Rows()
	if err != nil {
		return fmt.Errorf("read open messages: %w", err)
	}
	payments, err := scanTexts(rows)
	if err != nil {
		return fmt.Errorf("read open messages: %w", err)
	}
	if err := tx.gorm().Exec(`DELETE FROM open_messages WHERE `+where, args...).Error; err != nil {
		return fmt.Errorf("settle messages: %w", err)
	}
	for _, id := range payments {
		if err := tx.clearTold(id); err != nil {
			return err
		}
	}
	return nil
}

// clearTold clears the flags refund and reversal of a payment when every message
// that set them was dealt with.
func (tx *wtx) clearTold(paymentID string) error {
	p, err := tx.payment(paymentID)
	if err != nil {
		return err
	}
	open, err := tx.openTold(paymentID)
	if err != nil {
		return err
	}
	flags := p.Flags.ClearTold(open)
	if flags == p.Flags {
		return nil
	}
	p.Flags = flags
	return tx.savePayment(p)
}
