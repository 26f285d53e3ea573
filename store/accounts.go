package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"gorm.io/gorm"

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

	accountSQL = `SELECT ` + accountColumns + visibleFrom
	// offerSQL is the whole of verify: '' stands for an account that cannot be
	// topped up.
	offerSQL = `SELECT a.additional_customer_id, a.currency,
		CASE WHEN a.closed = 1 OR a.revision < c.closed_below THEN '' ELSE coalesce(a.offered, a.entities) END` + visibleFrom
	accountsPageSQL = `SELECT ` + accountColumns + ` FROM catalogue c CROSS JOIN accounts a
		WHERE c.id = 1 AND a.customer_id > ? AND a.revision IS DISTINCT FROM c.staging AND NOT EXISTS (
			SELECT 1 FROM accounts n WHERE n.customer_id = a.customer_id AND n.revision > a.revision AND n.revision IS DISTINCT FROM c.staging)
		ORDER BY a.customer_id LIMIT ?`
	contractBalancesSQL = `SELECT l.name, l.credits - l.debits FROM ` + balancesTable + ` l
		WHERE l.name >= ? AND l.name < ? AND l.currency = (SELECT a.currency` + visibleFrom + `)`

	insertAccountSQL = `INSERT INTO accounts (customer_id, revision, additional_customer_id, currency, closed, entities, offered, created_revision, changed_revision)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`
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

// normalizerKey is where meta keeps how customer ids are normalised.
const normalizerKey = "accounts.normalize"

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

// Offer is what verify answers: who the customer is and what can be topped up.
type Offer struct {
	CustomerID           string // normalised
	AdditionalCustomerID string
	Currency             string
	// Entities is the JSON array of the open contracts, as they were imported.
	Entities json.RawMessage
}

// Offer returns what a payer may top up. The id is normalised first. The error
// is of KindNotFound when the account is unknown, closed or without an open
// contract.
func (s *Store) Offer(ctx context.Context, customerID string) (Offer, error) {
	o := Offer{CustomerID: s.normalize.Apply(customerID)}
	_, err := s.readOne(ctx, readOffer, []any{&o.AdditionalCustomerID, &o.Currency, (*[]byte)(&o.Entities)}, o.CustomerID)
	if err != nil {
		return Offer{}, fmt.Errorf("read an account: %w", err)
	}
	if len(o.Entities) == 0 {
		return Offer{}, topup.NotFound("account does not exist")
	}
	return o, nil
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

// ContractBalances returns, by contract id, what has been credited to a
// customer's contracts in the account's currency: credits less debits, in
// minor units. Contracts that were never credited are left out. The id is
// normalised first.
func (s *Store) ContractBalances(ctx context.Context, customerID string) (_ map[string]int64, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("read the balances of an account: %w", err)
		}
	}()
	customerID = s.normalize.Apply(customerID)
	from, to := ledgerRange(customerID)
	rows, err := s.raw(ctx, contractBalancesSQL, from, to, customerID).Rows()
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	balances := make(map[string]int64)
	for rows.Next() {
		var name string
		var balance int64
		if err := rows.Scan(&name, &balance); err != nil {
			return nil, err
		}
		balances[strings.TrimPrefix(name, from)] = balance
	}
	return balances, rows.Err()
}

// ledgerRange returns between which names a customer's ledger accounts lie: at
// or after the first and before the second. Ids have no ':', and ';' follows it.
func ledgerRange(customerID string) (from, to string) {
	from = topup.CustomerAccount(customerID, "")
	return from, from[:len(from)-1] + ";"
}

// PutAccount is PutAccountBy of somebody who is not known.
func (s *Store) PutAccount(ctx context.Context, account *topup.Account) (created bool, err error) {
	return s.PutAccountBy(ctx, account, "")
}

// PutAccountBy creates an account (true) or replaces it. The id is normalised
// first. A contract that the account has and the record leaves out is closed,
// never deleted. While an import is under way, the record wins over the
// import's: the later write wins. The actor, a token's name, becomes part of the
// account's history.
//
// The error is of KindInvalid for a record that breaks a rule, several joined,
// and for another currency than the one in which the account has payments.
func (s *Store) PutAccountBy(ctx context.Context, account *topup.Account, actor string) (created bool, err error) {
	by := origin{source: SourcePut, actor: actor}
	put, err := s.clean(account)
	if err := errors.Join(by.check(), err); err != nil {
		return false, err
	}
	var isNew bool
	err = s.writer.do(ctx, func(tx *wtx) (err error) {
		isNew, err = tx.putAccount(put, s.normalize, by)
		return err
	})
	if err != nil {
		return false, fmt.Errorf("put an account: %w", err)
	}
	return isNew, nil
}

// clean returns a checked copy of a record, normalised and compacted.
func (s *Store) clean(account *topup.Account) (*topup.Account, error) {
	put := *account
	put.CustomerID = s.normalize.Apply(account.CustomerID)
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

func (tx *wtx) putAccount(put *topup.Account, n topup.Normalizer, by origin) (created bool, err error) {
	if err := tx.lockCatalogue(); err != nil {
		return false, err
	}
	if err := tx.checkNormalizer(n); err != nil {
		return false, err
	}
	before, err := tx.visibleAccount(put.CustomerID)
	if err != nil {
		return false, err
	}
	record := put
	if err := checkCurrencyChange(tx.raw, before, put); err != nil {
		return false, err
	}
	if before != nil {
		if record, err = merged(before, put, true); err != nil {
			return false, err
		}
	}
	var revision int64
	var importing bool
	err = tx.raw(`SELECT last_revision + 1, staging IS NOT NULL FROM catalogue WHERE id = 1`).Row().Scan(&revision, &importing)
	if err != nil {
		return false, fmt.Errorf("read the last revision: %w", err)
	}
	if err := tx.gorm().Exec(`UPDATE catalogue SET last_revision = ? WHERE id = 1`, revision).Error; err != nil {
		return false, fmt.Errorf("take a revision: %w", err)
	}
	w, err := revised(before, record, revision, func(at int64) (int64, error) { return closingRevision(tx.raw, at) })
	if err != nil {
		return false, err
	}
	if err := tx.put(tx.stmts.insertAccount, encodeAccount(w, revision).values()...); err != nil {
		return false, fmt.Errorf("insert: %w", err)
	}
	if err := tx.gorm().Exec(deleteOlderSQL, put.CustomerID, revision).Error; err != nil {
		return false, fmt.Errorf("delete the older record: %w", err)
	}
	if err := tx.insertHistory(w.history); err != nil {
		return false, err
	}
	// One that wins over an import must be known even if it changes nothing: the
	// import may have staged events that never were.
	if w.changed == revision || importing {
		if err := tx.insertChange(revision, by, put.CustomerID, false, ImportReport{}); err != nil {
			return false, err
		}
	}
	return before == nil, nil
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

// query is a cold query, inside a write (wtx.raw) or outside.
type query func(sql string, args ...any) *gorm.DB

// outside are queries outside of a write.
func (s *Store) outside(ctx context.Context) query {
	return func(sql string, args ...any) *gorm.DB { return s.raw(ctx, sql, args...) }
}

// checkCurrencyChange refuses another currency for an account with payments:
// its balances would no longer be those of its payments. An account, nil for
// none, keeps a currency that has ended, but none gets one.
func checkCurrencyChange(ask query, before *accountRow, record *topup.Account) error {
	if before != nil && before.currency == record.Currency {
		return nil
	}
	if err := record.CheckCurrency(); err != nil || before == nil {
		return err
	}
	from, to := ledgerRange(before.customerID)
	var has bool
	if err := ask(hasMoneySQL, before.customerID, from, to).Row().Scan(&has); err != nil {
		return fmt.Errorf("look for payments: %w", err)
	}
	if has {
		return errCurrencyFixed(before.currency)
	}
	return nil
}

func errCurrencyFixed(currency string) *topup.Error {
	return topup.Invalid("currency", "must stay %s: the account has payments in it", currency)
}

// merged returns the new record with the contracts added that only the old one
// has: as they were, or closed. The result shares nothing that is changed.
func merged(before *accountRow, record *topup.Account, closeAbsent bool) (*topup.Account, error) {
	old, err := before.value()
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

// settleNormalizer writes how ids are normalised into an empty database, and
// refuses another way on a filled one: the ids in it would no longer be found.
func (s *Store) settleNormalizer(ctx context.Context) error {
	settled, err := s.metaValue(ctx, normalizerKey)
	if err != nil {
		return err
	}
	if settled == string(s.normalize) {
		return nil
	}
	return s.writer.do(ctx, func(tx *wtx) error {
		if err := tx.lockCatalogue(); err != nil {
			return err
		}
		settled, filled, err := tx.settledNormalizer()
		if err != nil {
			return err
		}
		if filled && settled != string(s.normalize) {
			return errNormalizer(settled)
		}
		return tx.gorm().Exec(`INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value`,
			normalizerKey, string(s.normalize)).Error
	})
}

func errNormalizer(settled string) error {
	return topup.Conflict("accounts.normalize cannot change on a filled database: it is %s", settled)
}

// settledNormalizer returns what the database has settled on, and whether it
// is filled.
func (tx *wtx) settledNormalizer() (settled string, filled bool, err error) {
	err = tx.raw(`SELECT coalesce((SELECT value FROM meta WHERE key = ?), ''),
		EXISTS (SELECT 1 FROM accounts) OR EXISTS (SELECT 1 FROM payments)`, normalizerKey).Row().Scan(&settled, &filled)
	if err != nil {
		return "", false, fmt.Errorf("read how ids are normalised: %w", err)
	}
	return settled, filled, nil
}

// checkNormalizer refuses to write accounts when another process has settled
// on another normaliser since this store was opened. The caller holds the
// catalogue's lock.
func (tx *wtx) checkNormalizer(n topup.Normalizer) error {
	settled, _, err := tx.settledNormalizer()
	if err != nil {
		return err
	}
	if settled != string(n) {
		return errNormalizer(settled)
	}
	return nil
}

// metaValue returns a fact about this database, "" when it is not recorded.
func (s *Store) metaValue(ctx context.Context, key string) (string, error) {
	var value string
	err := s.raw(ctx, `SELECT value FROM meta WHERE key = ?`, key).Row().Scan(&value)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return "", fmt.Errorf("read %s of the database: %w", key, err)
	}
	return value, nil
}
