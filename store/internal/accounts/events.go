package accounts

import (
	"encoding/json"
	"fmt"

	"tolem/store/internal/engine"
	"tolem/topup"
)

// What happened to an account.
const (
	AccountCreated        = "created"
	AccountChanged        = "changed" // in its amounts or info, or in nothing
	AccountClosed         = "closed"
	AccountReopened       = "reopened"
	AccountCurrency       = "currency_changed"
	AccountAdditionalID   = "additional_customer_id_changed"
	AccountContractAdded  = "contract_added"
	AccountContractClosed = "contract_closed"
	AccountContractOpened = "contract_reopened"
	AccountContractNumber = "contract_number_changed"
)

// event is something that happened to an account, as account_history keeps it.
type event struct {
	What       string `json:"what"`
	ContractID string `json:"entity_id,omitempty"`
}

// historyRow is what a revision made of an account.
type historyRow struct {
	customerID string
	revision   int64
	events     string
}

func newHistoryRow(customerID string, revision int64, events []event) (historyRow, error) {
	text, err := json.Marshal(events)
	return historyRow{customerID, revision, string(text)}, err
}

// insertHistory writes what revisions made of accounts.
func insertHistory(tx *engine.Tx, rows []historyRow) error {
	for _, row := range rows {
		if err := tx.Put(tx.Statements.InsertHistory, row.customerID, row.revision, row.events); err != nil {
			return fmt.Errorf("write the history of accounts: %w", err)
		}
	}
	return nil
}

// written is a record to be inserted, with what it makes of the account.
type written struct {
	account *topup.Account
	created int64 // the revision that created the account, 0 if not known
	changed int64 // the revision that last changed it
	history []historyRow
}

// revised works out what is inserted for a record that takes the place of
// another, nil for none, under a revision. closing returns the revision of the
// import that closed what was last written at another one, 0 if it is not known.
func revised(before *engine.AccountRow, record *topup.Account, revision int64, closing func(int64) (int64, error)) (written, error) {
	w := written{account: record, created: revision, changed: revision}
	if before == nil {
		return w, nil
	}
	w.created = before.Created
	old, err := before.Value()
	if err != nil {
		return w, err
	}
	if before.Replaced && !before.Closed {
		by, err := closing(before.Revision)
		if err != nil {
			return w, err
		}
		if by != 0 && by < revision {
			row, err := newHistoryRow(record.CustomerID, by, []event{{What: AccountClosed}})
			if err != nil {
				return w, err
			}
			w.history = append(w.history, row)
			before.Changed = max(before.Changed, by)
		}
	}
	if sameAccount(old, record) {
		w.changed = before.Changed
		if w.changed == 0 {
			w.changed = before.Revision
		}
		return w, nil
	}
	if events := eventsBetween(old, record); len(events) > 0 {
		row, err := newHistoryRow(record.CustomerID, revision, events)
		if err != nil {
			return w, err
		}
		w.history = append(w.history, row)
	}
	return w, nil
}

// sameAccount reports whether two records say the same.
func sameAccount(a, b *topup.Account) bool {
	return a.Closed == b.Closed && a.Currency == b.Currency && a.AdditionalCustomerID == b.AdditionalCustomerID &&
		string(topup.AppendContracts(nil, a.Contracts)) == string(topup.AppendContracts(nil, b.Contracts))
}

// eventsBetween are what makes the new record another than the old one, beside
// amounts and info.
func eventsBetween(old, record *topup.Account) (events []event) {
	add := func(is bool, what, contractID string) {
		if is {
			events = append(events, event{what, contractID})
		}
	}
	add(!old.Closed && record.Closed, AccountClosed, "")
	add(old.Closed && !record.Closed, AccountReopened, "")
	add(old.Currency != record.Currency, AccountCurrency, "")
	add(old.AdditionalCustomerID != record.AdditionalCustomerID, AccountAdditionalID, "")
	byID := make(map[string]*topup.Contract, len(old.Contracts))
	for i := range old.Contracts {
		byID[old.Contracts[i].ID] = &old.Contracts[i]
	}
	for i := range record.Contracts {
		c := &record.Contracts[i]
		was := byID[c.ID]
		if was == nil {
			add(true, AccountContractAdded, c.ID)
			continue
		}
		add(!was.Closed && c.Closed, AccountContractClosed, c.ID)
		add(was.Closed && !c.Closed, AccountContractOpened, c.ID)
		add(was.Number != c.Number, AccountContractNumber, c.ID)
	}
	return events
}
