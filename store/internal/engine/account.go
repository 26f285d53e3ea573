package engine

import (
	"fmt"

	"tolem/topup"
)

// VisibleFrom finds the record that counts for a customer. The cast keeps SQLite
// from making a new plan for every value, which cost three quarters of the
// statement: a bare parameter beside a scan that it weighs is one "that might
// influence the choice of query plan".
const VisibleFrom = ` FROM catalogue c JOIN accounts a ON a.customer_id = CAST(? AS TEXT) AND a.revision IS DISTINCT FROM c.staging
	WHERE c.id = 1 ORDER BY a.revision DESC LIMIT 1`

const (
	// AccountColumns are the columns of an account a in the catalogue c, in the order
	// of [AccountRow.Places].
	AccountColumns = `a.customer_id, a.revision, a.additional_customer_id, a.currency, a.closed = 1, a.entities, a.revision < c.closed_below,
		a.created_revision, a.changed_revision`

	// AccountSQL finds the record that counts for a customer.
	AccountSQL       = `SELECT ` + AccountColumns + VisibleFrom
	insertAccountSQL = `INSERT INTO accounts (customer_id, revision, additional_customer_id, currency, closed, entities, offered, created_revision, changed_revision)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`
)

// insertHistorySQL leaves a row that is there already: an import that died may
// have written it, and it says the same.
const insertHistorySQL = `INSERT INTO account_history (customer_id, revision, events) SELECT ?1, ?2, ?3
	WHERE NOT EXISTS (SELECT 1 FROM account_history h WHERE h.customer_id = ?1 AND h.revision = ?2)`

// AccountRow is an account as its columns are scanned.
type AccountRow struct {
	CustomerID           string
	Revision             int64
	AdditionalCustomerID string
	Currency             string
	Closed               bool
	Entities             string
	Replaced             bool  // closed by an import that did not have it
	Created, Changed     int64 // revisions, 0 if not known
}

// Places are where AccountColumns are scanned to, in their order.
func (r *AccountRow) Places() []any {
	return []any{&r.CustomerID, &r.Revision, &r.AdditionalCustomerID, &r.Currency, &r.Closed, &r.Entities, &r.Replaced, &r.Created, &r.Changed}
}

// Value decodes the scanned account.
func (r *AccountRow) Value() (*topup.Account, error) {
	account := &topup.Account{
		CustomerID: r.CustomerID, AdditionalCustomerID: r.AdditionalCustomerID,
		Currency: r.Currency, Closed: r.Closed || r.Replaced,
	}
	var err error
	if account.Contracts, err = decodeContracts(r.Entities); err != nil {
		return nil, fmt.Errorf("decode the contracts of account row at revision %d: %w", r.Revision, err)
	}
	if r.Replaced {
		for i := range account.Contracts {
			account.Contracts[i].Closed = true
		}
	}
	return account, nil
}
