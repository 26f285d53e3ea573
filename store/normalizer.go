package store

import (
	"context"
	"fmt"

	"tolem/topup"
)

// normalizerKey is where meta keeps how customer ids are normalised.
const normalizerKey = "accounts.normalize"

// settleNormalizer writes how ids are normalised into an empty database, and
// refuses another way on a filled one: the ids in it would no longer be found.
func (s *Store) settleNormalizer(ctx context.Context) error {
	settled, err := s.metaValue(ctx, normalizerKey)
	if err != nil {
		return err
	}
	if settled == string(s.normalize) {
		return nil
	}
	return s.writer.do(ctx, func(tx *wtx) error {
		if err := tx.lockCatalogue(); err != nil {
			return err
		}
		settled, filled, err := tx.settledNormalizer()
		if err != nil {
			return err
		}
		if filled && settled != string(s.normalize) {
			return errNormalizer(settled)
		}
		return tx.gorm().Exec(`INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value`,
			normalizerKey, string(s.normalize)).Error
	})
}

func errNormalizer(settled string) error {
	return topup.Conflict("accounts.normalize cannot change on a filled database: it is %s", settled)
}

// settledNormalizer returns what the database has settled on, and whether it
// is filled.
func (tx *wtx) settledNormalizer() (settled string, filled bool, err error) {
	err = tx.raw(`SELECT coalesce((SELECT value FROM meta WHERE key = ?), ''),
		EXISTS (SELECT 1 FROM accounts) OR EXISTS (SELECT 1 FROM payments)`, normalizerKey).Row().Scan(&settled, &filled)
	if err != nil {
		return "", false, fmt.Errorf("read how ids are normalised: %w", err)
	}
	return settled, filled, nil
}

// checkNormalizer refuses to write accounts when another process has settled
// on another normaliser since this store was opened. The caller holds the
// catalogue's lock.
func (tx *wtx) checkNormalizer(n topup.Normalizer) error {
	settled, _, err := tx.settledNormalizer()
	if err != nil {
		return err
	}
	if settled != string(n) {
		return errNormalizer(settled)
	}
	return nil
}
