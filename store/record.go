package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"tolem/topup"
)

const (
	// seenSQL tells whether equal messages are stored: see repeatsSQL.
	seenSQL = `SELECT ` + repeatsSQL + ` FROM messages s WHERE s.reference = ? AND s.fingerprint = ?`
	// repeatsSQL is 0 for no message, 1 for foreign ones alone, else 2.
	repeatsSQL = `coalesce(max(CASE WHEN s.disposition = 'foreign' THEN 1 ELSE 2 END), 0)`
	// postedSQL tells what the event's operation did before.
	postedSQL = `SELECT reference, sum_amount, sum_currency, initial_amount, initial_currency, entered
		FROM operations WHERE operation = ? AND provider = ? AND project = ?`
	// issuedSQL finds the payment that the event names, if it was issued to
	// the event's own project. The id of a payment that an operator recorded was
	// issued to nobody.
	issuedSQL = `SELECT ` + paymentColumns + ` FROM payments p
		WHERE p.payment_id = ? AND p.provider = ? AND p.project = ? AND p.customer_id <> '' AND p.recorded = 0`
	// unknownSQL finds the payment that was opened for earlier money under an
	// id that was not issued to the project.
	unknownSQL = `SELECT ` + paymentColumns + ` FROM payments p
		WHERE p.provider_reference = ? AND p.provider = ? AND p.project = ? AND p.customer_id = ''`
	// recordedSQL finds the payment that an operator recorded under the provider's
	// reference: the one whose credit stands, else the newest.
	recordedSQL = `SELECT ` + paymentColumns + ` FROM payments p
		WHERE p.provider_reference = ? AND p.provider_reference <> '' AND p.customer_id <> '' AND p.provider = ? AND p.project = ? AND p.recorded <> 0
		ORDER BY p.credit_reversed, p.id DESC LIMIT 1`

	lastMessageSQL   = `SELECT coalesce(max(id), 0) FROM messages`
	insertMessageSQL = `INSERT INTO messages (id, received_at, provider, project, source, reference, fingerprint, payment_id, disposition, seq, status, operation, code, receipt)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`
	insertOpenSQL = `INSERT INTO open_messages (message_id, told, payment_id, operation) VALUES (?, ?, ?, ?)`
	insertBodySQL = `INSERT INTO message_bodies (message_id, received_at, body) VALUES (?, ?, ?)`
)

// Recorded is what became of a message.
type Recorded struct {
	Disposition topup.Disposition
	PaymentID   string // the payment that it concerns, if any
	Status      topup.Status
	Flags       topup.Flags // those that this message added
}

// noteRepeats puts what repeatsSQL says into the state.
func noteRepeats(state *topup.State, repeats int64) {
	state.Repeat, state.RepeatsForeign = repeats == 2, repeats == 1
}

// Record stores a verified message with its raw body, decides what it means
// and carries that out, in one transaction. When it returns without an error,
// all of it is on disk. Whatever it returns, the caller may use the bytes again.
func (s *Store) Record(ctx context.Context, e topup.Event, body []byte) (Recorded, error) {
	// The write may outlive ctx, and with it this call.
	kept := make([]byte, 0, len(body)+len(e.Fingerprint))
	kept = append(append(kept, body...), e.Fingerprint...)
	body, e.Fingerprint = kept[:len(body):len(body)], kept[len(body):]
	var recorded Recorded
	err := s.writer.wait(ctx, &write{hot: hotRecord, event: &e, fn: func(tx *wtx) (err error) {
		recorded, err = tx.record(&e, body)
		return err
	}})
	if err != nil {
		return Recorded{}, fmt.Errorf("record a message: %w", err)
	}
	return recorded, nil
}

func (tx *wtx) record(e *topup.Event, body []byte) (Recorded, error) {
	state, err := tx.state(tx, e)
	if err != nil {
		return Recorded{}, fmt.Errorf("read what the message meets: %w", err)
	}
	if err := tx.addPart(&state, e); err != nil {
		return Recorded{}, err
	}
	if state.Payment != nil {
		expireInTime(state.Payment, tx.now())
	}
	decision := topup.Decide(state, *e)
	recorded, seq, err := tx.apply(decision, state.Payment, *e)
	if err != nil {
		return Recorded{}, err
	}
	return recorded, tx.keepMessage(*e, body, recorded, seq, topup.ToldBy(*e, decision))
}

// partSQL finds what an operator has suspended of a payment's successes.
const partSQL = `SELECT o.reference, o.sum_amount, o.sum_currency, o.initial_amount, o.initial_currency, o.entered
	FROM operator_steps s JOIN operations o ON o.operation = s.operation AND o.provider = ? AND o.project = ? AND o.seq = s.seq
	WHERE s.payment_id = ? AND s.action = '` + stepSuspend + `' ORDER BY s.id DESC LIMIT 1`

// addPart adds to the state that an operator has suspended a part of what the
// payment's successes told of, where its operation itself is free again: the
// credit that it was bound to was reversed. That part would be posted twice if the
// event's whole sum were.
func (tx *wtx) addPart(state *topup.State, e *topup.Event) error {
	if !e.ReportsState || e.Outcome != topup.OutcomePaid || state.Posted != nil || state.Payment == nil || !state.Payment.Moved {
		return nil
	}
	var part topup.PostedOperation
	// It is of an earlier transaction: nothing that was put off need be sent for it.
	err := tx.orm.WithContext(tx.ctx).Raw(partSQL, e.Provider, e.Project, state.Payment.ID).Row().Scan(
		&part.Reference, &part.Sum.Amount, &part.Sum.Currency, &part.Initial.Amount, &part.Initial.Currency, &part.ByOperator)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("look for what was suspended of the payment: %w", err)
	}
	state.Posted = &part
	return nil
}

// expireInTime lets a payment be expired from the moment that it is, and not
// from the sweep that writes it down.
func expireInTime(p *topup.Payment, now time.Time) {
	if p.Status == topup.StatusPending && !p.ExpiresAt.IsZero() && !now.Before(p.ExpiresAt) {
		p.Status = topup.StatusExpired
	}
}

// apply carries a decision out. It returns the ledger transaction that it
// made, 0 for none.
func (tx *wtx) apply(d topup.Decision, p *topup.Payment, e topup.Event) (Recorded, int64, error) {
	recorded := Recorded{Disposition: d.Disposition}
	if d.Open {
		p = &topup.Payment{
			Provider: e.Provider, Project: e.Project, Money: e.Sum, Method: e.Method,
			Status: d.Status, CreatedAt: tx.now(), ProviderReference: e.Reference,
		}
		if _, err := tx.openPayment(p); err != nil {
			return recorded, 0, err
		}
	}
	if p == nil {
		return recorded, 0, nil
	}
	recorded.PaymentID, recorded.Status, recorded.Flags = p.ID, d.Status, d.Flags
	if d.Disposition == topup.DispositionRepeat {
		return recorded, 0, nil
	}
	seq, err := tx.move(d, p, e)
	if err != nil {
		return recorded, 0, err
	}
	p.Status = d.Status
	p.Flags = p.Flags&^d.Settled | d.Flags
	if d.Disposition != topup.DispositionPosted {
		showEvent(p, d, e)
	}
	return recorded, seq, tx.savePayment(p)
}

// move posts what the decision says, and notes it on the payment.
func (tx *wtx) move(d topup.Decision, p *topup.Payment, e topup.Event) (int64, error) {
	settlement := topup.SettlementAccount(e.Provider, e.Project)
	effective, err := tx.dateOf(e, d.Disposition)
	if err != nil {
		return 0, err
	}
	switch d.Disposition {
	case topup.DispositionCredited:
		made, err := tx.post(entry{
			kind: topup.KindCredit, paymentID: p.ID, takesCredit: true, effectiveAt: effective,
			postings: topup.Transfer(settlement, topup.CustomerAccount(p.CustomerID, p.ContractID), e.Sum),
		})
		if err != nil {
			return 0, fmt.Errorf("credit payment %s: %w", p.ID, err)
		}
		p.Credited = &topup.Credited{Money: e.Sum, TransactionID: made.id, At: made.at}
		p.Credit = &topup.Credit{Seq: made.seq, TransactionID: made.id, Money: e.Sum, At: made.at, Operation: e.Operation}
		return made.seq, tx.claimOperation(e, made.seq)
	case topup.DispositionSuspended:
		made, err := tx.post(entry{
			kind: topup.KindSuspense, paymentID: p.ID, effectiveAt: effective,
			postings: topup.Transfer(settlement, topup.SuspenseAccount(e.Provider, e.Project), e.Sum),
		})
		if err != nil {
			return 0, fmt.Errorf("put money of payment %s into suspense: %w", p.ID, err)
		}
		if err := tx.put(tx.stmts.insertItem, made.seq, p.ID); err != nil {
			return 0, fmt.Errorf("list money of payment %s in suspense: %w", p.ID, err)
		}
		p.InSuspense++
		return made.seq, tx.claimOperation(e, made.seq)
	case topup.DispositionBound:
		p.Credit.Operation = e.Operation
		return p.Credit.Seq, tx.claimOperation(e, p.Credit.Seq)
	}
	return 0, nil
}

// dateOf is the accounting date of what an event posts: the provider's, or, where
// that is in a closed period, the first instant that is open.
func (tx *wtx) dateOf(e topup.Event, d topup.Disposition) (time.Time, error) {
	at := e.EffectiveAt
	if at.IsZero() {
		at = tx.now()
	}
	if d != topup.DispositionCredited && d != topup.DispositionSuspended {
		return at, nil
	}
	closed, err := tx.closedPeriod()
	if err != nil {
		return at, err
	}
	if at.Before(closed.until) {
		return closed.until, nil
	}
	return at, nil
}

// claimOperation makes the event's operation posted.
func (tx *wtx) claimOperation(e topup.Event, seq int64) error {
	return tx.claim(claim{operation: e.Operation, provider: e.Provider, project: e.Project, seq: seq, reference: e.Reference, sum: e.Sum, initial: e.Initial})
}

// claim is an operation that posts, or that counts as posted.
type claim struct {
	operation, provider, project string
	seq                          int64
	reference                    string
	sum, initial                 topup.Money
	entered                      bool // by an operator
}

// claim makes an operation posted: a second time is refused by its key.
func (tx *wtx) claim(c claim) error {
	err := tx.put(tx.stmts.insertOperation, c.operation, c.provider, c.project, c.seq, c.reference,
		c.sum.Amount, c.sum.Currency, c.initial.Amount, c.initial.Currency, c.entered)
	if err != nil {
		return fmt.Errorf("claim the operation: %w", err)
	}
	return nil
}

// showEvent keeps what the provider said last. Messages arrive in any order:
// an older one does not hide a newer, unless it is the movement that was
// credited, and what contradicts a credit does not hide the movement behind it.
func showEvent(p *topup.Payment, d topup.Decision, e topup.Event) {
	behindCredit := d.Disposition == topup.DispositionCredited || d.Disposition == topup.DispositionBound
	if e.EffectiveAt.Before(p.ProviderTime) && !behindCredit {
		return
	}
	if p.Credit != nil && e.Outcome == topup.OutcomePaid && !behindCredit {
		return // a second operation: its item in suspense shows it
	}
	contradicts := e.Outcome == topup.OutcomeDeclined || e.Outcome == topup.OutcomeOpen || e.Outcome == topup.OutcomeDisputed ||
		e.Outcome == topup.OutcomePaidStatus
	if p.Credit != nil && contradicts {
		return
	}
	p.ProviderTime = e.EffectiveAt
	p.ProviderStatus, p.ProviderCode, p.ProviderMessage = e.Status, e.Code, e.Message
	if e.Outcome == topup.OutcomeRefunded || e.Outcome == topup.OutcomeReversed {
		return // its operation and receipt are not those of the movement that it takes back
	}
	p.ProviderPaymentID, p.OperationID = e.ReceiptID, e.Operation
}

// keepMessage stores the message, as part of the payment's timeline, and its
// raw body. A repeat that is the same to the byte adds a line and no body.
func (tx *wtx) keepMessage(e topup.Event, body []byte, r Recorded, seq int64, told topup.Told) error {
	id, err := tx.takeMessage()
	if err != nil {
		return err
	}
	fingerprint, keepBody := any(e.Fingerprint), true
	if len(e.Fingerprint) == 0 {
		fingerprint = nil
	}
	if r.Disposition == topup.DispositionRepeat {
		kept, err := tx.bodyKept(e, body)
		if err != nil {
			return err
		}
		fingerprint, keepBody = nil, !kept
	}
	now := micros(tx.now())
	err = tx.put(tx.stmts.insertMessage, id, now, e.Provider, e.Project, string(e.Source), e.Reference, fingerprint,
		nullText(r.PaymentID), string(r.Disposition), nullID(seq), e.Status, e.Operation, e.Code, e.ReceiptID)
	if err != nil {
		return fmt.Errorf("insert message: %w", err)
	}
	if told != "" {
		if err := tx.put(tx.stmts.insertOpen, id, string(told), nullText(r.PaymentID), e.Operation); err != nil {
			return fmt.Errorf("list the message as open: %w", err)
		}
	}
	if !keepBody {
		return nil
	}
	if err := tx.put(tx.stmts.insertBody, id, now, body); err != nil {
		return fmt.Errorf("insert raw message: %w", err)
	}
	return nil
}

// bodyKept reports whether the first message of these repeats still has the
// very same raw body.
func (tx *wtx) bodyKept(e topup.Event, body []byte) (bool, error) {
	var kept bool
	// The first message is of an earlier transaction, or was written at once: what
	// is put off is not sent for this, which would lock totals before their turn.
	err := tx.orm.WithContext(tx.ctx).Raw(`SELECT EXISTS (SELECT 1 FROM messages m JOIN message_bodies b ON b.message_id = m.id
		WHERE m.reference = ? AND m.fingerprint = ? AND b.body = ?)`, e.Reference, e.Fingerprint, tx.body(body)).Row().Scan(&kept)
	if err != nil {
		return false, fmt.Errorf("compare with the first message: %w", err)
	}
	return kept, nil
}

// Message is one delivery of a provider, as the timeline of a payment shows it.
type Message struct {
	ID          int64
	ReceivedAt  time.Time
	Source      topup.Source
	Disposition topup.Disposition
	Status      string
	Operation   string
	Code        string
	Seq         int64 // the ledger transaction that it made, 0 for none
}
