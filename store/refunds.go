package store

import (
	"context"
	"errors"
	"fmt"

	"tolem/topup"
)

// RefundStep books that money which is credited went back to the payer: a part or
// all of what is left, several times. The rules are those of
// [topup.DecideRefund]. An operation of the platform refunds once.
//
// Errors: KindNotFound when there is no such payment, or no such transaction of
// it; KindInvalid for what is wrong with the request; KindConflict when more than
// is left is asked for, when the operation has been booked, and when it must be
// said whether this is the refund that the platform has told of.
type RefundStep struct {
	PaymentID string `json:"payment_id"`
	topup.RefundRequest
}

func (RefundStep) Action() Action     { return ActionRefund }
func (RefundStep) kind() string       { return "refund" }
func (s RefundStep) Object() string   { return s.PaymentID }
func (s RefundStep) describe() string { return "refund payment " + s.PaymentID }

func (s RefundStep) prepare(ctx context.Context, store *Store) (*topup.Event, error) {
	return store.operationOf(ctx, s.PaymentID, s.PayBack)
}

func (s RefundStep) run(r stepRun) ([]posted, error) {
	book, err := r.book(s.PaymentID)
	if err != nil {
		return nil, err
	}
	return r.payBack(book, func(state topup.PayBackState) (topup.Step, error) {
		return topup.DecideRefund(book, s.RefundRequest, state)
	})
}

// RefundPayment is [Store.Do] of a [RefundStep].
func (s *Store) RefundPayment(ctx context.Context, paymentID string, r topup.RefundRequest, by By) (topup.Transaction, error) {
	return s.doOne(ctx, RefundStep{paymentID, r}, by)
}

// ReturnStep books that the money of a suspense item, or a part of it, goes back to
// the payer. The rules are those of [topup.DecideReturn]; operations are those of a
// [RefundStep]. When nothing of the payment is left in suspense and nothing else
// about it is open, the payment becomes declined.
//
// Errors: KindNotFound when there is no such item, KindConflict when it is not
// open; else those of a RefundStep.
type ReturnStep struct {
	Item string `json:"item"`
	topup.PayBack
}

func (ReturnStep) Action() Action     { return ActionReturn }
func (ReturnStep) kind() string       { return "return" }
func (s ReturnStep) Object() string   { return s.Item }
func (s ReturnStep) describe() string { return "return suspense item " + s.Item }

func (s ReturnStep) prepare(ctx context.Context, store *Store) (*topup.Event, error) {
	list, err := store.transactions(ctx, 1, `t.transaction_id = ?`, s.Item)
	if err != nil || len(list) == 0 {
		return nil, err // run refuses what does not exist
	}
	return store.operationOf(ctx, list[0].PaymentID, s.PayBack)
}

func (s ReturnStep) run(r stepRun) ([]posted, error) {
	book, err := r.bookOfItem(s.Item)
	if err != nil {
		return nil, err
	}
	return r.payBack(book, func(state topup.PayBackState) (topup.Step, error) {
		return topup.DecideReturn(book, s.Item, s.PayBack, state)
	})
}

// ReturnSuspense is [Store.Do] of a [ReturnStep].
func (s *Store) ReturnSuspense(ctx context.Context, item string, r topup.PayBack, by By) (topup.Transaction, error) {
	return s.doOne(ctx, ReturnStep{item, r}, by)
}

// operationOf is the operation by which money of a payment went back, as a message
// of it would be met; nil for none.
func (s *Store) operationOf(ctx context.Context, paymentID string, r topup.PayBack) (*topup.Event, error) {
	if r.Operation == "" || r.Operation == topup.NoOperation {
		return nil, nil
	}
	p, err := s.Payment(ctx, paymentID)
	if err != nil {
		return nil, err
	}
	return &topup.Event{Provider: p.Provider, Project: p.Project, Reference: p.Name(), Operation: r.Operation, Outcome: topup.OutcomeRefunded}, nil
}

// payBack lets decide judge what goes back of a payment's money, and carries it
// out.
func (r stepRun) payBack(book topup.Book, decide func(topup.PayBackState) (topup.Step, error)) ([]posted, error) {
	state, err := r.payBackState(book.Payment.ID, r.about)
	if err != nil {
		return nil, err
	}
	state.Banks = r.store.banks
	step, err := decide(state)
	if err != nil {
		return nil, err
	}
	return one(r.sendBack(book, step, r.by))
}

// payBackState reads what sending money of a payment back depends on.
func (tx *wtx) payBackState(paymentID string, about *topup.Event) (state topup.PayBackState, err error) {
	if state.Told, err = openRefunds(tx.raw, paymentID); err != nil || about == nil {
		return state, err
	}
	meets, err := tx.State(about)
	if err != nil {
		return state, fmt.Errorf("read what the operation did: %w", err)
	}
	state.Posted = meets.Posted
	// The newest that says what went back counts.
	list, err := toldRefunds(tx.raw, `m.operation = ? AND m.operation <> '' AND m.disposition NOT IN ('credited', 'repeat') AND m.provider = ? AND m.project = ?
		ORDER BY CASE WHEN d.amount > 0 THEN 0 ELSE 1 END, m.id DESC LIMIT 1`, about.Operation, about.Provider, about.Project)
	if err == nil && len(list) > 0 {
		state.Of = &list[0]
	}
	return state, err
}

// sendBack carries out a step that pays back.
func (tx *wtx) sendBack(book topup.Book, step topup.Step, by By) (posted, error) {
	if _, err := tx.effectiveAt(by, step.Earliest); err != nil {
		return posted{}, err
	}
	if step.Operation == "" {
		return tx.carryOut(book, step, by)
	}
	// First, so that the payment's status follows from what is open then.
	if err := tx.settleTold(book.Payment, step.Operation); err != nil {
		return posted{}, err
	}
	p := *book.Payment
	made, err := tx.carryOut(book, step, by)
	if err != nil {
		return posted{}, err
	}
	// The account of who pays is credited: that is the operation's sum.
	paid := step.Postings[1]
	sum := topup.Money{Amount: paid.Amount, Currency: paid.Currency}
	err = tx.claim(claim{
		operation: step.Operation, provider: p.Provider, project: p.Project, seq: made.seq, reference: p.Name(),
		sum: sum, initial: sum, entered: true,
	})
	if err != nil {
		return posted{}, err
	}
	action := stepRefund
	if step.Kind == topup.KindReturn {
		action = stepReturn
	}
	return made, tx.noteStep(stepNote{action: action, payment: p.ID, seq: made.seq, operation: step.Operation}, by)
}

// toldRefundsSQL finds messages m that told of a refund or a reversal d.
const toldRefundsSQL = `SELECT m.id, m.received_at, coalesce(m.payment_id, ''), d.told, m.operation, d.amount, d.currency
	FROM messages m JOIN told_refunds d ON d.message_id = m.id WHERE `

// openRefunds are the refunds and reversals of a payment that the platform has told
// of and that nobody has booked or dismissed, the oldest first. An operation that
// several messages tell of is one.
func openRefunds(ask query, paymentID string) ([]topup.PaidBack, error) {
	list, err := toldRefunds(ask, `m.id IN (SELECT o.message_id FROM open_messages o WHERE o.payment_id = ?) ORDER BY m.id`, paymentID)
	if err != nil {
		return nil, err
	}
	var each []topup.PaidBack
	at := map[string]int{}
	for _, r := range list {
		i, known := at[r.Operation]
		switch {
		case !known || r.Operation == "":
			at[r.Operation], each = len(each), append(each, r)
		case !r.Sum.IsZero():
			each[i].Sum = r.Sum // the newest that says it counts
		}
	}
	return each, nil
}

func toldRefunds(ask query, where string, args ...any) (list []topup.PaidBack, err error) {
	rows, err := ask(toldRefundsSQL+where, args...).Rows()
	if err != nil {
		return nil, fmt.Errorf("read what was told of refunds: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var r topup.PaidBack
		var received int64
		err := rows.Scan(&r.MessageID, &received, &r.PaymentID, (*string)(&r.Told), &r.Operation, &r.Sum.Amount, &r.Sum.Currency)
		if err != nil {
			return nil, fmt.Errorf("read what was told of refunds: %w", err)
		}
		r.ReceivedAt = fromMicros(received)
		list = append(list, r)
	}
	return list, rows.Err()
}

// OpenRefunds returns the refunds and reversals of a payment that the platform has
// told of and that nobody has booked or dismissed, the oldest first; each with the
// sum that the platform named.
func (s *Store) OpenRefunds(ctx context.Context, paymentID string) ([]topup.PaidBack, error) {
	list, err := openRefunds(s.outside(ctx), paymentID)
	if err != nil {
		return nil, fmt.Errorf("refunds of payment %s: %w", paymentID, err)
	}
	return list, nil
}

// settleTold takes the messages of a payment that told of the operation off the
// list of those that are open, and clears the flags that nothing open says any
// more. The payment is not saved.
func (tx *wtx) settleTold(p *topup.Payment, operation string) error {
	if operation == "" {
		return nil
	}
	err := tx.gorm().Exec(`DELETE FROM open_messages WHERE payment_id = ? AND operation = ? AND message_id IN (SELECT d.message_id FROM told_refunds d)`,
		p.ID, operation).Error
	if err != nil {
		return fmt.Errorf("settle the messages: %w", err)
	}
	open, err := tx.openTold(p.ID)
	if err != nil {
		return err
	}
	p.Flags = p.Flags.ClearTold(open)
	return nil
}

// reopenTold lists the messages of a payment again that told of the operation,
// since what had been booked of it was reversed: somebody must deal with them,
// unless an operator has said that they were dealt with. The payment is not saved.
func (tx *wtx) reopenTold(p *topup.Payment, operation string) error {
	if operation == "" {
		return nil
	}
	err := tx.gorm().Exec(`INSERT INTO open_messages (message_id, told, payment_id, operation)
		SELECT m.id, d.told, m.payment_id, m.operation
		FROM messages m JOIN told_refunds d ON d.message_id = m.id
		WHERE m.operation = ? AND m.operation <> '' AND m.disposition NOT IN ('credited', 'repeat') AND m.provider = ? AND m.project = ? AND m.payment_id = ?
			AND NOT EXISTS (SELECT 1 FROM operator_steps s WHERE s.payment_id = m.payment_id AND s.operation = m.operation AND s.action = '`+stepDismiss+`')
			AND NOT EXISTS (SELECT 1 FROM open_messages o WHERE o.message_id = m.id)`, operation, p.Provider, p.Project, p.ID).Error
	if err != nil {
		return fmt.Errorf("list the messages as open: %w", err)
	}
	open, err := tx.openTold(p.ID)
	if err != nil {
		return err
	}
	for _, told := range open {
		p.Flags |= told.Flag()
	}
	return nil
}

// openTold is what messages of a payment leave open.
func (tx *wtx) openTold(paymentID string) ([]topup.Told, error) {
	rows, err := tx.raw(`SELECT DISTINCT told FROM open_messages WHERE payment_id = ?`, paymentID).Rows()
	if err != nil {
		return nil, fmt.Errorf("read open messages: %w", err)
	}
	texts, err := scanTexts(rows)
	if err != nil {
		return nil, fmt.Errorf("read open messages: %w", err)
	}
	open := make([]topup.Told, len(texts))
	for i, told := range texts {
		open[i] = topup.Told(told)
	}
	return open, nil
}
