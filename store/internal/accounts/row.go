package accounts

import (
	"database/sql"
	"slices"

	"tolem/topup"
)

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
