package accounts

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"tolem/store/internal/engine"
	"tolem/topup"
)

const (
	// deleteOlderSQL removes what a customer's record at a revision has
	// superseded. The record that an import is staging stays: it is not older,
	// only lower.
	deleteOlderSQL = `DELETE FROM accounts WHERE customer_id = ? AND revision < ?
		AND revision IS DISTINCT FROM (SELECT staging FROM catalogue WHERE id = 1)`
	// hasMoneySQL tells whether a customer has payments, or anything in the
	// ledger, which an operator can put there without a payment.
	hasMoneySQL = `SELECT EXISTS (SELECT 1 FROM payments WHERE customer_id = ? AND customer_id <> '')
		OR EXISTS (SELECT 1 FROM ledger_accounts WHERE name >= ? AND name < ?)`
)

// PutAccount is PutAccountBy of somebody who is not known.
func (c *Catalogue) PutAccount(ctx context.Context, account *topup.Account) (created bool, err error) {
	return c.PutAccountBy(ctx, account, "")
}

// PutAccountBy creates an account (true) or replaces it. The id is normalised
// first. A contract that the account has and the record leaves out is closed,
// never deleted. While an import is under way, the record wins over the
// import's: the later write wins. The actor, a token's name, becomes part of the
// account's history.
//
// The error is of KindInvalid for a record that breaks a rule, several joined,
// and for another currency than the one in which the account has payments.
func (c *Catalogue) PutAccountBy(ctx context.Context, account *topup.Account, actor string) (created bool, err error) {
	by := origin{source: SourcePut, actor: actor}
	clean, err := c.clean(account)
	if err := errors.Join(by.check(), err); err != nil {
		return false, err
	}
	var isNew bool
	err = c.writer.Do(ctx, func(tx *engine.Tx) (err error) {
		isNew, err = put(tx, clean, c.normalize, by)
		return err
	})
	if err != nil {
		return false, fmt.Errorf("put an account: %w", err)
	}
	return isNew, nil
}

// clean returns a checked copy of a record, normalised and compacted.
func (c *Catalogue) clean(account *topup.Account) (*topup.Account, error) {
	put := *account
	put.CustomerID = c.normalize.Apply(account.CustomerID)
	put.Contracts = slices.Clone(account.Contracts)
	problems := put.Check()
	for i := range put.Contracts {
		c := &put.Contracts[i]
		if len(c.Info) == 0 {
			c.Info = nil
			continue
		}
		info, err := topup.CompactInfo(c.Info)
		if err != nil {
			problems = append(problems, topup.Invalid(fmt.Sprintf("entities[%d].info", i), "%s", err))
		}
		c.Info = info
	}
	if len(problems) > 0 {
		return nil, errors.Join(problems...)
	}
	return &put, nil
}

// Put creates a checked account (true) or replaces it, as part of a larger write; a
// source is one of the constants.
func Put(tx *engine.Tx, account *topup.Account, n topup.Normalizer, source string) (created bool, err error) {
	return put(tx, account, n, origin{source: source})
}

func put(tx *engine.Tx, put *topup.Account, n topup.Normalizer, by origin) (created bool, err error) {
	if err := tx.LockCatalogue(); err != nil {
		return false, err
	}
	if err := CheckNormalizer(tx, n); err != nil {
		return false, err
	}
	before, err := visibleAccount(tx, put.CustomerID)
	if err != nil {
		return false, err
	}
	record := put
	if err := checkCurrencyChange(tx.Raw, before, put); err != nil {
		return false, err
	}
	if before != nil {
		if record, err = merged(before, put, true); err != nil {
			return false, err
		}
	}
	var revision int64
	var importing bool
	err = tx.Raw(`SELECT last_revision + 1, staging IS NOT NULL FROM catalogue WHERE id = 1`).Row().Scan(&revision, &importing)
	if err != nil {
		return false, fmt.Errorf("read the last revision: %w", err)
	}
	if err := tx.Gorm().Exec(`UPDATE catalogue SET last_revision = ? WHERE id = 1`, revision).Error; err != nil {
		return false, fmt.Errorf("take a revision: %w", err)
	}
	w, err := revised(before, record, revision, func(at int64) (int64, error) { return closingRevision(tx.Raw, at) })
	if err != nil {
		return false, err
	}
	if err := tx.Put(tx.Statements.InsertAccount, encodeAccount(w, revision).values()...); err != nil {
		return false, fmt.Errorf("insert: %w", err)
	}
	if err := tx.Gorm().Exec(deleteOlderSQL, put.CustomerID, revision).Error; err != nil {
		return false, fmt.Errorf("delete the older record: %w", err)
	}
	if err := insertHistory(tx, w.history); err != nil {
		return false, err
	}
	// One that wins over an import must be known even if it changes nothing: the
	// import may have staged events that never were.
	if w.changed == revision || importing {
		if err := insertChange(tx, revision, by, put.CustomerID, false, ImportReport{}); err != nil {
			return false, err
		}
	}
	return before == nil, nil
}

// checkCurrencyChange refuses another currency for an account with payments:
// its balances would no longer be those of its payments. An account, nil for
// none, keeps a currency that has ended, but none gets one.
func checkCurrencyChange(ask engine.Query, before *engine.AccountRow, record *topup.Account) error {
	if before != nil && before.Currency == record.Currency {
		return nil
	}
	if err := record.CheckCurrency(); err != nil || before == nil {
		return err
	}
	from, to := LedgerRange(before.CustomerID)
	var has bool
	if err := ask(hasMoneySQL, before.CustomerID, from, to).Row().Scan(&has); err != nil {
		return fmt.Errorf("look for payments: %w", err)
	}
	if has {
		return errCurrencyFixed(before.Currency)
	}
	return nil
}

func errCurrencyFixed(currency string) *topup.Error {
	return topup.Invalid("currency", "must stay %s: the account has payments in it", currency)
}

// merged returns the new record with the contracts added that only the old one
// has: as they were, or closed. The result shares nothing that is changed.
func merged(before *engine.AccountRow, record *topup.Account, closeAbsent bool) (*topup.Account, error) {
	old, err := before.Value()
	if err != nil {
		return nil, err
	}
	listed := make(map[string]bool, len(record.Contracts))
	for i := range record.Contracts {
		listed[record.Contracts[i].ID] = true
	}
	result := *record
	result.Contracts = slices.Clone(record.Contracts)
	for _, c := range old.Contracts {
		if listed[c.ID] {
			continue
		}
		c.Closed = c.Closed || closeAbsent
		result.Contracts = append(result.Contracts, c)
	}
	return &result, nil
}

// LedgerRange returns between which names a customer's ledger accounts lie: at
// or after the first and before the second. Ids have no ':', and ';' follows it.
func LedgerRange(customerID string) (from, to string) {
	from = topup.CustomerAccount(customerID, "")
	return from, from[:len(from)-1] + ";"
}
