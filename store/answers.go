package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"tolem/topup"
)

// StatusAnswer is what a provider answered when it was asked for the status of a
// payment. It moves no money: the message itself does, or an operator.
type StatusAnswer struct {
	At         time.Time
	HTTPStatus int
	// The provider's own words, for people to read; empty where it has none.
	Status    string
	Operation string // of the sale
	Code      string
	Message   string
	Sum       topup.Money // what it says was paid, zero if that cannot be read
	PaidBack  topup.Money // what it says went back of that, zero if it does not say
}

// Differs names what of the sum is not as it was asked: "amount", "currency", or
// nothing. A sum that cannot be read differs in nothing.
func (a *StatusAnswer) Differs(asked topup.Money) string {
	switch {
	case a.Sum.IsZero() || a.Sum == asked:
		return ""
	case a.Sum.Currency != asked.Currency:
		return "currency"
	}
	return "amount"
}

// NoteStatusAnswer keeps the answer about a payment, the last one only; one
// without a status does not replace one that has it. If paid, a payment that is
// still pending is flagged outcome_unknown: the provider knows a result that
// never reached us. It reports whether it was not flagged before.
func (s *Store) NoteStatusAnswer(ctx context.Context, paymentID string, a StatusAnswer, paid bool) (flagged bool, err error) {
	var isNew bool
	err = s.writer.do(ctx, func(tx *wtx) (err error) {
		isNew = false
		if paid {
			if isNew, err = tx.flagOutcomeUnknown(paymentID); err != nil {
				return err
			}
		}
		return tx.gorm().Exec(`INSERT INTO status_answers (payment_id, answered_at, http_status, status, operation, code, message, amount, currency, paid_back, paid_back_currency)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (payment_id) DO UPDATE SET answered_at = excluded.answered_at, http_status = excluded.http_status,
			status = excluded.status, operation = excluded.operation, code = excluded.code, message = excluded.message,
			amount = excluded.amount, currency = excluded.currency,
			paid_back = excluded.paid_back, paid_back_currency = excluded.paid_back_currency WHERE excluded.status <> '' OR status_answers.status = ''`,
			paymentID, micros(a.At), a.HTTPStatus, a.Status, a.Operation, a.Code, a.Message, a.Sum.Amount, a.Sum.Currency, a.PaidBack.Amount, a.PaidBack.Currency).Error
	})
	if err != nil {
		return false, fmt.Errorf("keep the answer about payment %s: %w", paymentID, err)
	}
	return isNew, nil
}

// StatusAnswer returns what the provider answered last about a payment, nil if
// it was never asked, or never answered.
func (s *Store) StatusAnswer(ctx context.Context, paymentID string) (*StatusAnswer, error) {
	var a StatusAnswer
	var at int64
	err := s.raw(ctx, `SELECT answered_at, http_status, status, operation, code, message, amount, currency, paid_back, paid_back_currency FROM status_answers WHERE payment_id = ?`, paymentID).
		Row().Scan(&at, &a.HTTPStatus, &a.Status, &a.Operation, &a.Code, &a.Message, &a.Sum.Amount, &a.Sum.Currency, &a.PaidBack.Amount, &a.PaidBack.Currency)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("read the answer about a payment: %w", err)
	}
	a.At = fromMicros(at)
	return &a, nil
}
