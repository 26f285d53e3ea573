package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"tolem/store/internal/engine"
	"tolem/topup"
)

// SourceBilling is the source of records that the merchant's billing answered.
const SourceBilling = "billing"

// accountConfirmedSQL finds the account's record and when it was last known to be
// right: when billing last answered, 0 if it said then that it does not know the
// customer; else when the record was written.
const (
	confirmedAtSQL       = `SELECT confirmed_at FROM account_confirmations WHERE customer_id = ?`
	revisionAtSQL        = `SELECT coalesce(max(at), 0) FROM account_changes WHERE revision = ?`
	upsertConfirmedAtSQL = `INSERT INTO account_confirmations (customer_id, confirmed_at) VALUES (?, ?)
		ON CONFLICT (customer_id) DO UPDATE SET confirmed_at = excluded.confirmed_at`
)

// AccountConfirmedAt is when the record of a customer was last known to be right:
// when billing last answered with it, or when it was written. It is zero if there
// is no record, or billing has said since that it does not know the customer.
func (s *Store) AccountConfirmedAt(ctx context.Context, customerID string) (time.Time, error) {
	customerID = s.normalize.Apply(customerID)
	row, err := s.accountRow(ctx, customerID)
	if err != nil || row == nil {
		return time.Time{}, err
	}
	at, err := s.confirmedAt(ctx, row)
	if err != nil {
		return time.Time{}, fmt.Errorf("read when an account was confirmed: %w", err)
	}
	if at == 0 {
		return time.Time{}, nil
	}
	return fromMicros(at), nil
}

func (s *Store) confirmedAt(ctx context.Context, row *engine.AccountRow) (at int64, err error) {
	err = s.raw(ctx, confirmedAtSQL, row.CustomerID).Row().Scan(&at)
	if errors.Is(err, sql.ErrNoRows) {
		err = s.raw(ctx, revisionAtSQL, row.Revision).Row().Scan(&at)
	}
	return at, err
}

// ConfirmAccount makes billing's answer the account's record, as of at. A record
// that is the same already is not written again; that it was confirmed is written
// if it was last confirmed more than slack before at.
//
// The error is of KindInvalid for a record that breaks a rule, and for another
// currency than the one in which the account has payments.
func (s *Store) ConfirmAccount(ctx context.Context, account *topup.Account, at time.Time, slack time.Duration) error {
	put, err := s.clean(account)
	if err != nil {
		return err
	}
	row, err := s.accountRow(ctx, put.CustomerID)
	if err != nil {
		return fmt.Errorf("confirm an account: %w", err)
	}
	same := false
	if row != nil {
		if same, err = isRecord(row, put); err != nil {
			return fmt.Errorf("confirm an account: %w", err)
		}
		confirmed, err := s.confirmedAt(ctx, row)
		if err != nil {
			return fmt.Errorf("confirm an account: %w", err)
		}
		if same && confirmed > 0 && at.Sub(fromMicros(confirmed)) <= slack {
			return nil
		}
	}
	err = s.writer.do(ctx, func(tx *wtx) error {
		if !same {
			if _, err := tx.putAccount(put, s.normalize, origin{source: SourceBilling}); err != nil {
				return err
			}
		}
		return tx.gorm().Exec(upsertConfirmedAtSQL, put.CustomerID, micros(at)).Error
	})
	if err != nil {
		return fmt.Errorf("confirm an account: %w", err)
	}
	return nil
}

// ForgetConfirmation notes that billing does not know a customer: the record, if
// there is one, is no longer used in its place.
func (s *Store) ForgetConfirmation(ctx context.Context, customerID string) error {
	customerID = s.normalize.Apply(customerID)
	row, err := s.accountRow(ctx, customerID)
	if err != nil {
		return fmt.Errorf("note an unknown account: %w", err)
	}
	if row == nil {
		return nil
	}
	at, err := s.confirmedAt(ctx, row)
	if err == nil && at != 0 {
		err = s.writer.do(ctx, func(tx *wtx) error {
			return tx.gorm().Exec(upsertConfirmedAtSQL, customerID, 0).Error
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
