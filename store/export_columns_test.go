package store

import (
	"context"

	"tolem/topup"
)

// WritePayment writes every column of a payment, first as a new one, then as one
// that has changed.
func (s *Store) WritePayment(ctx context.Context, p topup.Payment) error {
	return s.writer.wait(ctx, &write{hot: hotIssue, fn: func(tx *wtx) error {
		if _, err := tx.openPayment(&p); err != nil {
			return err
		}
		if err := tx.sync(); err != nil {
			return err
		}
		return tx.savePayment(&p)
	}})
}
