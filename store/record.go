package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"tolem/store/internal/engine"
	"tolem/topup"
)

// Recorded is what became of a message.
type Recorded struct {
	Disposition topup.Disposition
	PaymentID   string // the payment that it concerns, if any
	Status      topup.Status
	Flags       topup.Flags // those that this message added
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
	err := s.writer.Wait(ctx, &engine.Write{Kind: engine.Record, Event: &e, Run: func(tx *engine.Tx) (err error) {
		recorded, err = s.writer.in(tx).record(&e, body)
		return err
	}})
	if err != nil {
		return Recorded{}, fmt.Errorf("record a message: %w", err)
	}
	return recorded, nil
}

func (tx *wtx) record(e *topup.Event, body []byte) (Recorded, error) {
	state, err := tx.State(e)
	if err != nil {
		return Recorded{}, fmt.Errorf("read what the message meets: %w", err)
	}
	if err := tx.addPart(&state, e); err != nil {
		return Recorded{}, err
	}
	if state.Payment != nil {
		state.Payment.ExpireInTime(tx.now())
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
	err := tx.RawEarlier(partSQL, e.Provider, e.Project, state.Payment.ID).Row().Scan(
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

// apply carries a decision out. It returns the ledger transaction that it
// made, 0 for none.
func (tx *wtx) apply(d topup.Decision, p *topup.Payment, e topup.Event) (Recorded, int64, error) {
	recorded := Recorded{Disposition: d.Disposition}
	if d.Open {
		p = d.Opened(e, tx.now())
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
	made, err := tx.move(d, p, e)
	if err != nil {
		return recorded, 0, err
	}
	seq := d.Apply(p, e, made)
	if seq != 0 {
		if err := tx.claimOperation(e, seq); err != nil {
			return recorded, 0, err
		}
	}
	return recorded, seq, tx.savePayment(p)
}

// move posts what the decision says.
func (tx *wtx) move(d topup.Decision, p *topup.Payment, e topup.Event) (topup.Made, error) {
	step, posts := d.Step(p, e)
	if !posts {
		return topup.Made{}, nil
	}
	closed, err := tx.closedPeriod()
	if err != nil {
		return topup.Made{}, err
	}
	made, err := tx.post(entry{
		kind: step.Kind, paymentID: p.ID, takesCredit: step.TakesCredit,
		effectiveAt: topup.DateOfEvent(e, tx.now(), closed.Until), postings: step.Postings, operation: e.Operation,
	})
	if err != nil {
		return topup.Made{}, fmt.Errorf("%s: %w", posting(step.Kind, p.ID), err)
	}
	if step.Kind.OpensItem() {
		if err := tx.Put(tx.Statements.InsertItem, made.seq, p.ID); err != nil {
			return topup.Made{}, fmt.Errorf("list money of payment %s in suspense: %w", p.ID, err)
		}
	}
	return topup.Made{Seq: made.seq, ID: made.id, At: made.at}, nil
}

// posting says in an error what was being posted.
func posting(kind topup.TransactionKind, paymentID string) string {
	if kind.OpensItem() {
		return "put money of payment " + paymentID + " into suspense"
	}
	return "credit payment " + paymentID
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
	err := tx.Put(tx.Statements.InsertOperation, c.operation, c.provider, c.project, c.seq, c.reference,
		c.sum.Amount, c.sum.Currency, c.initial.Amount, c.initial.Currency, c.entered)
	if err != nil {
		return fmt.Errorf("claim the operation: %w", err)
	}
	return nil
}

// keepMessage stores the message, as part of the payment's timeline, and its
// raw body. A repeat that is the same to the byte adds a line and no body.
func (tx *wtx) keepMessage(e topup.Event, body []byte, r Recorded, seq int64, told topup.Told) error {
	id, err := tx.TakeMessage()
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
	err = tx.Put(tx.Statements.InsertMessage, id, now, e.Provider, e.Project, string(e.Source), e.Reference, fingerprint,
		nullText(r.PaymentID), string(r.Disposition), nullID(seq), e.Status, e.Operation, e.Code, e.ReceiptID)
	if err != nil {
		return fmt.Errorf("insert message: %w", err)
	}
	if told != "" {
		if err := tx.Put(tx.Statements.InsertOpen, id, string(told), nullText(r.PaymentID), e.Operation); err != nil {
			return fmt.Errorf("list the message as open: %w", err)
		}
	}
	if back := topup.ToldBack(e); back != "" && r.Disposition != topup.DispositionRepeat {
		sum := e.PaidBack()
		if err := tx.Put(tx.Statements.InsertTold, id, string(back), sum.Amount, sum.Currency); err != nil {
			return fmt.Errorf("keep what the message told of: %w", err)
		}
	}
	if !keepBody {
		return nil
	}
	if err := tx.Put(tx.Statements.InsertBody, id, now, body); err != nil {
		return fmt.Errorf("insert raw message: %w", err)
	}
	return nil
}

// bodyKept reports whether the first message of these repeats still has the
// very same raw body.
func (tx *wtx) bodyKept(e topup.Event, body []byte) (bool, error) {
	var kept bool
	// The first message is of an earlier transaction, or was written at once: what
	// is put off is not sent for this, which would lock totals too early.
	err := tx.RawEarlier(`SELECT EXISTS (SELECT 1 FROM messages m JOIN message_bodies b ON b.message_id = m.id
		WHERE m.reference = ? AND m.fingerprint = ? AND b.body = ?)`, e.Reference, e.Fingerprint, tx.Body(body)).Row().Scan(&kept)
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
	// PaidBack is what it says that its operation gave back to the payer, zero when it
	// does not say.
	PaidBack topup.Money
	Open     topup.Told // what somebody must deal with, empty for nothing
	Seq      int64      // the ledger transaction that it made, 0 for none
}
