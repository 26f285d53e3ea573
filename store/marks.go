package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"tolem/store/internal/engine"
	"tolem/store/internal/ledger"
	"tolem/topup"
)

// Mark is a place in the order in which payments were issued.
type Mark struct {
	At  time.Time
	row int64
}

// Pending is a payment that waits for its result, and its place.
type Pending struct {
	Payment *topup.Payment
	Mark    Mark
}

// PendingPayments returns the payments of a provider that are pending and were
// issued behind a place and at or before a time, oldest first.
func (s *Store) PendingPayments(ctx context.Context, provider string, after Mark, until time.Time, limit int) ([]Pending, error) {
	from := micros(after.At)
	rows, err := s.raw(ctx, `SELECT `+engine.PaymentColumns+` FROM payments p
		WHERE p.status <> 'succeeded' AND p.status = 'pending' AND p.created_at >= ? AND p.created_at <= ?
			AND (p.created_at, p.id) > (?, ?) AND p.provider = ?
		ORDER BY p.created_at, p.id LIMIT ?`, from, micros(until), from, after.row, provider, limit).Rows()
	if err != nil {
		return nil, fmt.Errorf("look for pending payments: %w", err)
	}
	found, err := ledger.ScanPayments(rows)
	if err != nil {
		return nil, fmt.Errorf("look for pending payments: %w", err)
	}
	list := make([]Pending, len(found))
	for i, row := range found {
		list[i] = Pending{Payment: row.Value(), Mark: Mark{At: fromMicros(row.CreatedAt), row: row.RowID}}
	}
	return list, nil
}

// WatchMark returns how far a watch has come, the zero Mark if it never began.
func (s *Store) WatchMark(ctx context.Context, name string) (Mark, error) {
	var m Mark
	var at int64
	err := s.raw(ctx, `SELECT created_at, payment FROM watch_marks WHERE name = ?`, name).Row().Scan(&at, &m.row)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return Mark{}, fmt.Errorf("read the mark %s: %w", name, err)
	}
	m.At = fromMicros(at)
	return m, nil
}

// SetWatchMark keeps how far a watch has come.
func (s *Store) SetWatchMark(ctx context.Context, name string, m Mark) error {
	err := s.writer.do(ctx, func(tx *wtx) error {
		return tx.gorm().Exec(`INSERT INTO watch_marks (name, created_at, payment) VALUES (?, ?, ?)
			ON CONFLICT (name) DO UPDATE SET created_at = excluded.created_at, payment = excluded.payment`, name, micros(m.At), m.row).Error
	})
	if err != nil {
		return fmt.Errorf("keep the mark %s: %w", name, err)
	}
	return nil
}

// FlagOutcomeUnknown flags a pending payment of which the provider knows a
// result that never reached us, and reports whether it was not flagged before.
// It credits nothing: that is for the message itself, or an operator.
func (s *Store) FlagOutcomeUnknown(ctx context.Context, paymentID string) (flagged bool, err error) {
	var isNew bool
	err = s.writer.do(ctx, func(tx *wtx) (err error) {
		isNew, err = tx.flagOutcomeUnknown(paymentID)
		return err
	})
	if err != nil {
		return false, fmt.Errorf("flag payment %s: %w", paymentID, err)
	}
	return isNew, nil
}

func (tx *wtx) flagOutcomeUnknown(paymentID string) (isNew bool, err error) {
	p, err := tx.payment(paymentID)
	if err != nil {
		return false, err
	}
	if !p.AwaitsResult() {
		return false, nil
	}
	p.Flags |= topup.FlagOutcomeUnknown
	return true, tx.savePayment(p)
}
