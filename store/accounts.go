package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"tolem/topup"
)

// Accounts are kept as revisions: a record is written anew, under the next
// revision, whenever it changes. What counts for a customer is the record with
// the highest revision, except that of an import which is still staging
// (catalogue.staging); and a record below catalogue.closed_below counts as
// closed, with all its contracts, because an import that replaced everything
// did not have it. So an import of any size becomes visible by one small write.

// visibleFrom finds the record that counts for a customer. The cast keeps SQLite
// from making a new plan for every value, which cost three quarters of the
// statement: a bare parameter beside a scan that it weighs is one "that might
// influence the choice of query plan".
const visibleFrom = ` FROM catalogue c JOIN accounts a ON a.customer_id = CAST(? AS TEXT) AND a.revision IS DISTINCT FROM c.staging
	WHERE c.id = 1 ORDER BY a.revision DESC LIMIT 1`

const (
	accountColumns = `a.customer_id, a.revision, a.additional_customer_id, a.currency, a.closed = 1, a.entities, a.revision < c.closed_below,
		a.created_revision, a.changed_revision`

	accountSQL      = `SELECT ` + accountColumns + visibleFrom
	accountsPageSQL = `SELECT ` + accountColumns + ` FROM catalogue c CROSS JOIN accounts a
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
	return row.value()
}

// accountRow returns the record that counts for a customer, nil for none.
func (s *Store) accountRow(ctx context.Context, customerID string) (*accountRow, error) {
	var row accountRow
	found, err := s.readOne(ctx, readAccount, row.places(), customerID)
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
		var row accountRow
		if err := rows.Scan(row.places()...); err != nil {
			return nil, err
		}
		account, err := row.value()
		if err != nil {
			return nil, err
		}
		page = append(page, account)
	}
	return page, rows.Err()
}

// visibleAccount returns the record that counts for a customer, nil for none.
func (tx *wtx) visibleAccount(customerID string) (*accountRow, error) {
	var row accountRow
	err := tx.raw(accountSQL, customerID).Row().Scan(row.places()...)
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
	return row.value()
}
