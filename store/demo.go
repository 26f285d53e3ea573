package store

import (
	"context"
	"fmt"
	"io"
	"time"

	"tolem/store/internal/accounts"
	"tolem/store/internal/demo"
	"tolem/topup"
)

// demoKey is where meta keeps that, and when, demo data were put into this
// database. It stays for ever: production refuses such a database.
const demoKey = "demo"

// SeedDemo fills an empty database with demo accounts and pending payments for
// them, both JSON lines, in one transaction, and marks the database for ever.
// The payments expire after the given time, never if it is 0; those of pay-ins
// never do. It reports false,
// having done nothing, when the database has accounts or payments. Either
// reader may be nil.
func (s *Store) SeedDemo(ctx context.Context, customers, payments io.Reader, expiresAfter time.Duration) (seeded bool, err error) {
	data, err := demo.Read(customers, payments, s.normalize)
	if err != nil {
		return false, err
	}
	var done bool
	err = s.writer.do(ctx, func(tx *wtx) (err error) {
		done, err = tx.seed(data, s.normalize, expiresAfter)
		return err
	})
	if err != nil {
		return false, fmt.Errorf("seed demo data: %w", err)
	}
	return done, nil
}

// DemoSeeded reports whether demo data were ever put into this database.
func (s *Store) DemoSeeded(ctx context.Context) (bool, error) {
	at, err := s.metaValue(ctx, demoKey)
	return at != "", err
}

// seed writes demo data into an empty database.
func (tx *wtx) seed(d demo.Data, n topup.Normalizer, expiresAfter time.Duration) (bool, error) {
	if err := tx.lockCatalogue(); err != nil {
		return false, err
	}
	if err := accounts.CheckNormalizer(tx.Tx, n); err != nil {
		return false, err
	}
	_, filled, err := accounts.SettledNormalizer(tx.Tx)
	if err != nil || filled {
		return false, err
	}
	for _, account := range d.Accounts {
		if _, err := accounts.Put(tx.Tx, account, n, accounts.SourceDemo); err != nil {
			return false, err
		}
	}
	now := tx.now()
	for _, p := range d.Payments {
		p.CreatedAt = now
		if expiresAfter > 0 && p.Provider != topup.PayinProvider { // pay-ins do not expire
			p.ExpiresAt = now.Add(expiresAfter)
		}
		if _, err := tx.openPayment(&p); err != nil {
			return false, err
		}
	}
	err = tx.gorm().Exec(`INSERT INTO meta (key, value) VALUES (?, ?)`, demoKey, now.UTC().Format(time.RFC3339)).Error
	if err != nil {
		return false, fmt.Errorf("mark the database: %w", err)
	}
	return true, nil
}
