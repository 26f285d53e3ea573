package accounts

import (
	"context"
	"fmt"

	"tolem/store/internal/engine"
	"tolem/topup"
)

// normalizerKey is where meta keeps how customer ids are normalised.
const normalizerKey = "accounts.normalize"

// SettleNormalizer writes how ids are normalised into an empty database, and
// refuses another way on a filled one: the ids in it would no longer be found.
func (c *Catalogue) SettleNormalizer(ctx context.Context) error {
	settled, err := c.reader.Meta(ctx, normalizerKey)
	if err != nil {
		return err
	}
	if settled == string(c.normalize) {
		return nil
	}
	return c.writer.Do(ctx, func(tx *engine.Tx) error {
		if err := tx.LockCatalogue(); err != nil {
			return err
		}
		settled, filled, err := SettledNormalizer(tx)
		if err != nil {
			return err
		}
		if filled && settled != string(c.normalize) {
			return errNormalizer(settled)
		}
		return tx.Gorm().Exec(`INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value`,
			normalizerKey, string(c.normalize)).Error
	})
}

func errNormalizer(settled string) error {
	return topup.Conflict("accounts.normalize cannot change on a filled database: it is %s", settled)
}

// SettledNormalizer returns what the database has settled on, and whether it
// is filled.
func SettledNormalizer(tx *engine.Tx) (settled string, filled bool, err error) {
	err = tx.Raw(`SELECT coalesce((SELECT value FROM meta WHERE key = ?), ''),
		EXISTS (SELECT 1 FROM accounts) OR EXISTS (SELECT 1 FROM payments)`, normalizerKey).Row().Scan(&settled, &filled)
	if err != nil {
		return "", false, fmt.Errorf("read how ids are normalised: %w", err)
	}
	return settled, filled, nil
}

// CheckNormalizer refuses to write accounts when another process has settled
// on another normaliser since this store was opened. The caller holds the
// catalogue's lock.
func CheckNormalizer(tx *engine.Tx, n topup.Normalizer) error {
	settled, _, err := SettledNormalizer(tx)
	if err != nil {
		return err
	}
	if settled != string(n) {
		return errNormalizer(settled)
	}
	return nil
}
