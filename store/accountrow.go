package store

import (
	"database/sql"
	"fmt"
	"slices"

	"tolem/topup"
)

// accountRow is an account as its columns are scanned.
type accountRow struct {
	customerID           string
	revision             int64
	additionalCustomerID string
	currency             string
	closed               bool
	entities             string
	replaced             bool  // closed by an import that did not have it
	created, changed     int64 // revisions, 0 if not known
}

// places are where accountColumns are scanned to, in their order.
func (r *accountRow) places() []any {
	return []any{&r.customerID, &r.revision, &r.additionalCustomerID, &r.currency, &r.closed, &r.entities, &r.replaced, &r.created, &r.changed}
}

// value decodes the scanned account.
func (r *accountRow) value() (*topup.Account, error) {
	account := &topup.Account{
		CustomerID: r.customerID, AdditionalCustomerID: r.additionalCustomerID,
		Currency: r.currency, Closed: r.closed || r.replaced,
	}
	var err error
	if account.Contracts, err = decodeContracts(r.entities); err != nil {
		return nil, fmt.Errorf("decode the contracts of account row at revision %d: %w", r.revision, err)
	}
	if r.replaced {
		for i := range account.Contracts {
			account.Contracts[i].Closed = true
		}
	}
	return account, nil
}

// encodedAccount is an account as it is inserted.
type encodedAccount struct {
	customerID, additionalCustomerID, currency string
	revision                                   int64
	closed                                     int64 // 0 or 1
	entities                                   string
	offered                                    sql.NullString
	created, changed                           int64
}

func (e *encodedAccount) values() []any {
	return []any{e.customerID, e.revision, e.additionalCustomerID, e.currency, e.closed, e.entities, e.offered, e.created, e.changed}
}

func encodeAccount(w written, revision int64) *encodedAccount {
	account := w.account
	e := &encodedAccount{
		created: w.created, changed: w.changed,
		customerID: account.CustomerID, additionalCustomerID: account.AdditionalCustomerID, currency: account.Currency,
		revision: revision,
	}
	if account.Closed {
		e.closed = 1
	}
	e.entities = string(topup.AppendContracts(nil, account.Contracts))
	isClosed := func(c topup.Contract) bool { return c.Closed }
	if slices.ContainsFunc(account.Contracts, isClosed) {
		e.offered.Valid = true
		if open := slices.DeleteFunc(slices.Clone(account.Contracts), isClosed); len(open) > 0 {
			e.offered.String = string(topup.AppendContracts(nil, open))
		}
	}
	return e
}
