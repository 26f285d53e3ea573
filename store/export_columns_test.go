package store

import (
	"context"

	"tolem/store/internal/engine"
	"tolem/topup"
)

// WritePayment writes every column of a payment, first as a new one, then as one
// that has changed.
func (s *Store) WritePayment(ctx context.Context, p topup.Payment) error {
	return s.writer.Wait(ctx, &engine.Write{Kind: engine.Issue, Run: func(t *engine.Tx) error {
		tx := s.writer.in(t)
		if _, err := tx.openPayment(&p); err != nil {
			return err
		}
		if err := tx.Sync(); err != nil {
			return err
		}
		return tx.savePayment(&p)
	}})
}
