package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"tolem/topup"
)

// maxTimeline bounds the deliveries that a timeline shows: the platform
// resends a callback at most 120 times, but nothing else bounds them.
const maxTimeline = 1000

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

const messagesSQL = `SELECT m.id, m.received_at, m.source, m.disposition, m.status, m.operation, m.code, coalesce(m.seq, 0), coalesce(d.amount, 0), coalesce(d.currency, ''), coalesce(o.told, '')
	FROM messages m LEFT JOIN told_refunds d ON d.message_id = m.id LEFT JOIN open_messages o ON o.message_id = m.id WHERE m.reference = ? AND m.payment_id = ? ORDER BY m.id LIMIT ?`

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
		if err := rows.Scan(&m.ID, &received, (*string)(&m.Source), (*string)(&m.Disposition), &m.Status, &m.Operation, &m.Code, &m.Seq, &m.PaidBack.Amount, &m.PaidBack.Currency, (*string)(&m.Open)); err != nil {
			return nil, err
		}
		m.ReceivedAt = fromMicros(received)
		list = append(list, m)
	}
	return list, rows.Err()
}
