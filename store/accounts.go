package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"tolem/store/internal/engine"
	"tolem/topup"
)

// Accounts are kept as revisions: a record is written anew, under the next
// revision, whenever it changes. What counts for a customer is the record with
// the highest revision, except that of an import which is still staging
// (catalogue.staging); and a record below catalogue.closed_below counts as
// closed, with all its contracts, because an import that replaced everything
// did not have it. So an import of any size becomes visible by one small write.

const (
	accountsPageSQL = `SELECT ` + engine.AccountColumns + ` FROM catalogue c CROSS JOIN accounts a
		WHERE c.id = 1 AND a.customer_id > ? AND a.revision IS DISTINCT FROM c.staging AND NOT EXISTS (
			SELECT 1 FROM accounts n WHERE n.customer_id = a.customer_id AND n.revision > a.revision AND n.revision IS DISTINCT FROM c.staging)
		ORDER BY a.customer_id LIMIT ?`
)

// Account returns a customer's account with all its contracts, closed ones
// included. The id is normalised first. The error is of KindNotFound when
// there is none.
func (s *Store) Account(ctx context.Context, customerID string) (*topup.Account, error) {
	row, err := s.accountRow(ctx, s.normalize.Apply(customerID))
	if err != nil {
		return nil, fmt.Errorf("read an account: %w", err)
	}
	if row == nil {
		return nil, topup.NotFound("account does not exist")
	}
	return row.Value()
}

// engine.AccountRow returns the record that counts for a customer, nil for none.
func (s *Store) accountRow(ctx context.Context, customerID string) (*engine.AccountRow, error) {
	var row engine.AccountRow
	found, err := s.reader.One(ctx, engine.ReadAccount, row.Places(), customerID)
	if err != nil || !found {
		return nil, err
	}
	return &row, nil
}

// AccountsPage returns up to limit accounts, closed ones included, whose
// customer ids come after the given one, in byte order; "" starts.
func (s *Store) AccountsPage(ctx context.Context, after string, limit int) (_ []*topup.Account, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("list accounts: %w", err)
		}
	}()
	rows, err := s.raw(ctx, accountsPageSQL, after, limit).Rows()
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var page []*topup.Account
	for rows.Next() {
		var row engine.AccountRow
		if err := rows.Scan(row.Places()...); err != nil {
			return nil, err
		}
		account, err := row.Value()
		if err != nil {
			return nil, err
		}
		page = append(page, account)
	}
	return page, rows.Err()
}

// visibleAccount returns the record that counts for a customer, nil for none.
func (tx *wtx) visibleAccount(customerID string) (*engine.AccountRow, error) {
	var row engine.AccountRow
	err := tx.raw(engine.AccountSQL, customerID).Row().Scan(row.Places()...)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the account: %w", err)
	}
	return &row, nil
}

// customer returns a customer's account inside a write; the error is of
// KindNotFound when there is none.
func (tx *wtx) customer(customerID string) (*topup.Account, error) {
	row, err := tx.visibleAccount(customerID)
	if err != nil {
		return nil, err
	}
	if row == nil {
		return nil, topup.NotFound("account does not exist")
	}
	return row.Value()
}
