package accounts

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"tolem/store/internal/database"
	"tolem/store/internal/engine"
	"tolem/topup"
)

// SourceBilling is the source of records that the merchant's billing answered.
const SourceBilling = "billing"

// accountConfirmedSQL finds the account's record and when it was last known to be
// right: when billing last answered, 0 if it said then that it does not know the
// Customer; else when the record was written.
const (
	confirmedAtSQL       = `SELECT confirmed_at FROM account_confirmations WHERE customer_id = ?`
	revisionAtSQL        = `SELECT coalesce(max(at), 0) FROM account_changes WHERE revision = ?`
	upsertConfirmedAtSQL = `INSERT INTO account_confirmations (customer_id, confirmed_at) VALUES (?, ?)
		ON CONFLICT (customer_id) DO UPDATE SET confirmed_at = excluded.confirmed_at`
)

// AccountConfirmedAt is when the record of a customer was last known to be right:
// when billing last answered with it, or when it was written. It is zero if there
// is no record, or billing has said since that it does not know the customer.
func (c *Catalogue) AccountConfirmedAt(ctx context.Context, customerID string) (time.Time, error) {
	customerID = c.normalize.Apply(customerID)
	row, err := c.accountRow(ctx, customerID)
	if err != nil || row == nil {
		return time.Time{}, err
	}
	at, err := c.confirmedAt(ctx, row)
	if err != nil {
		return time.Time{}, fmt.Errorf("read when an account was confirmed: %w", err)
	}
	if at == 0 {
		return time.Time{}, nil
	}
	return database.FromMicros(at), nil
}

func (c *Catalogue) confirmedAt(ctx context.Context, row *engine.AccountRow) (at int64, err error) {
	err = c.reader.Raw(ctx, confirmedAtSQL, row.CustomerID).Row().Scan(&at)
	if errors.Is(err, sql.ErrNoRows) {
		err = c.reader.Raw(ctx, revisionAtSQL, row.Revision).Row().Scan(&at)
	}
	return at, err
}

// ConfirmAccount makes billing's answer the account's record, as of at. A record
// that is the same already is not written again; that it was confirmed is written
// if it was last confirmed more than slack before at.
//
// The error is of KindInvalid for a record that breaks a rule, and for another
// currency than the one in which the account has payments.
func (c *Catalogue) ConfirmAccount(ctx context.Context, account *topup.Account, at time.Time, slack time.Duration) error {
	clean, err := c.clean(account)
	if err != nil {
		return err
	}
	row, err := c.accountRow(ctx, clean.CustomerID)
	if err != nil {
		return fmt.Errorf("confirm an account: %w", err)
	}
	same := false
	if row != nil {
		if same, err = isRecord(row, clean); err != nil {
			return fmt.Errorf("confirm an account: %w", err)
		}
		confirmed, err := c.confirmedAt(ctx, row)
		if err != nil {
			return fmt.Errorf("confirm an account: %w", err)
		}
		if same && confirmed > 0 && at.Sub(database.FromMicros(confirmed)) <= slack {
			return nil
		}
	}
	err = c.writer.Do(ctx, func(tx *engine.Tx) error {
		if !same {
			if _, err := put(tx, clean, c.normalize, origin{source: SourceBilling}); err != nil {
				return err
			}
		}
		return tx.Gorm().Exec(upsertConfirmedAtSQL, clean.CustomerID, database.Micros(at)).Error
	})
	if err != nil {
		return fmt.Errorf("confirm an account: %w", err)
	}
	return nil
}

// ForgetConfirmation notes that billing does not know a customer: the record, if
// there is one, is no longer used in its place.
func (c *Catalogue) ForgetConfirmation(ctx context.Context, customerID string) error {
	customerID = c.normalize.Apply(customerID)
	row, err := c.accountRow(ctx, customerID)
	if err != nil {
		return fmt.Errorf("note an unknown account: %w", err)
	}
	if row == nil {
		return nil
	}
	at, err := c.confirmedAt(ctx, row)
	if err == nil && at != 0 {
		err = c.writer.Do(ctx, func(tx *engine.Tx) error {
			return tx.Gorm().Exec(upsertConfirmedAtSQL, customerID, 0).Error
		})
	}
	if err != nil {
		return fmt.Errorf("note an unknown account: %w", err)
	}
	return nil
}

// isRecord reports whether writing the record would change nothing.
func isRecord(r *engine.AccountRow, put *topup.Account) (bool, error) {
	if r.Replaced {
		return false, nil
	}
	record, err := merged(r, put, true)
	if err != nil {
		return false, err
	}
	e := encodeAccount(written{account: record}, r.Revision)
	return e.additionalCustomerID == r.AdditionalCustomerID && e.currency == r.Currency && (e.closed == 1) == r.Closed && e.entities == r.Entities, nil
}
