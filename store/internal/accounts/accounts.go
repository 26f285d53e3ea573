// Package accounts keeps the accounts that can be topped up: reads them, puts one,
// imports and exports all, and remembers what happened to each.
package accounts

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

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

// Catalogue is the accounts of a database.
type Catalogue struct {
	reader    *engine.Reader
	writer    *engine.Writer
	now       func() time.Time
	normalize topup.Normalizer
	imported  func(*engine.Tx, Imported) error
	refused   func(context.Context, Imported, error) error
}

// Options are what a catalogue needs.
type Options struct {
	Reader *engine.Reader
	Writer *engine.Writer
	Now    func() time.Time
	// Normalize is how customer ids are brought into one form.
	Normalize topup.Normalizer
	// Imported is called in the transaction that makes an import visible. Its error
	// fails the import.
	Imported func(*engine.Tx, Imported) error
	// Refused is called with the error of an import, and returns it, or another one.
	Refused func(context.Context, Imported, error) error
}

// Imported is an import for the audit.
type Imported struct {
	Actor, OSUser, File string
	Replace             bool
	Report              ImportReport
}

// New returns the accounts of a database.
func New(o Options) *Catalogue {
	return &Catalogue{o.Reader, o.Writer, o.Now, o.Normalize, o.Imported, o.Refused}
}

// Account returns a customer's account with all its contracts, closed ones
// included. The id is normalised first. The error is of KindNotFound when
// there is none.
func (c *Catalogue) Account(ctx context.Context, customerID string) (*topup.Account, error) {
	row, err := c.accountRow(ctx, c.normalize.Apply(customerID))
	if err != nil {
		return nil, fmt.Errorf("read an account: %w", err)
	}
	if row == nil {
		return nil, topup.NotFound("account does not exist")
	}
	return row.Value()
}

// accountRow returns the record that counts for a customer, nil for none.
func (c *Catalogue) accountRow(ctx context.Context, customerID string) (*engine.AccountRow, error) {
	var row engine.AccountRow
	found, err := c.reader.One(ctx, engine.ReadAccount, row.Places(), customerID)
	if err != nil || !found {
		return nil, err
	}
	return &row, nil
}

// AccountsPage returns up to limit accounts, closed ones included, whose
// customer ids come after the given one, in byte order; "" starts.
func (c *Catalogue) AccountsPage(ctx context.Context, after string, limit int) (_ []*topup.Account, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("list accounts: %w", err)
		}
	}()
	rows, err := c.reader.Raw(ctx, accountsPageSQL, after, limit).Rows()
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
func visibleAccount(tx *engine.Tx, customerID string) (*engine.AccountRow, error) {
	var row engine.AccountRow
	err := tx.Raw(engine.AccountSQL, customerID).Row().Scan(row.Places()...)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the account: %w", err)
	}
	return &row, nil
}

// Customer returns a customer's account inside a write; the error is of
// KindNotFound when there is none.
func Customer(tx *engine.Tx, customerID string) (*topup.Account, error) {
	row, err := visibleAccount(tx, customerID)
	if err != nil {
		return nil, err
	}
	if row == nil {
		return nil, topup.NotFound("account does not exist")
	}
	return row.Value()
}
