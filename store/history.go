package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"tolem/topup"
)

// The history of accounts is insert-only, and grows with what happens to
// accounts, not with how often files are imported. Who wrote a revision is one
// row for each import and each PUT (account_changes). What a revision made of an
// account is a row (account_history) when it closed or opened the account or a
// contract, or changed what the account is; amounts and info, which may change
// every night, leave the account's changed_revision alone. Accounts that an import
// closed because it did not have them have no row of their own: the import has.

// Sources of changes of accounts.
const (
	SourceImport = "import" // a file
	SourcePut    = "put"    // the admin API
	SourceDemo   = "demo"   // demo data
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

// maxFileNameBytes bounds what is kept of a file's name.
const maxFileNameBytes = 255

const (
	// insertHistorySQL leaves a row that is there already: an import that died may
	// have written it, and it says the same.
	insertHistorySQL = `INSERT INTO account_history (customer_id, revision, events) SELECT ?1, ?2, ?3
		WHERE NOT EXISTS (SELECT 1 FROM account_history h WHERE h.customer_id = ?1 AND h.revision = ?2)`
	changeColumns      = `c.revision, c.at, c.source, c.actor, c.file, c.sha256`
	historySQL         = `SELECT ` + changeColumns + `, h.events FROM account_history h JOIN account_changes c ON c.revision = h.revision WHERE h.customer_id = ?`
	putsSQL            = `SELECT ` + changeColumns + `, '' FROM account_changes c WHERE c.customer_id = ? AND c.customer_id <> ''`
	changesSQL         = `SELECT ` + changeColumns + `, '' FROM account_changes c WHERE c.revision IN ?`
	closingRevisionSQL = `SELECT coalesce(min(revision), 0) FROM account_changes WHERE replaces = 1 AND revision > ?`
	insertChangeSQL    = `INSERT INTO account_changes (revision, at, source, actor, file, sha256, replaces, customer_id,
		accounts, contracts, created, changed, unchanged, overtaken, closed) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`
	importsSQL = `SELECT ` + changeColumns + `, '', c.replaces = 1, c.accounts, c.contracts, c.created, c.changed, c.unchanged, c.overtaken, c.closed
		FROM account_changes c WHERE c.source = 'import' AND c.at IS NOT NULL ORDER BY c.revision DESC LIMIT ?`
)

// AccountChange is something that happened to an account, and who did it.
type AccountChange struct {
	At         time.Time // zero: not known: an older program did it
	What       string
	ContractID string // of what happened to a contract
	Source     string
	Actor      string // the operator of an import, or the token's name; "" if it is not known
	File       string // of an import: its name without folders
	SHA256     string // of the file's bytes, in hexadecimal
	revision   int64
}

// AccountHistory is what is known of how an account became what it is.
type AccountHistory struct {
	Created *AccountChange // nil: before histories were kept, or by an older program
	Changed *AccountChange // the last change of any kind; nil as above
	Events  []AccountChange
}

// AccountImport is an import that was made visible.
type AccountImport struct {
	AccountChange
	Replace bool
	ImportReport
}

// origin is who changes accounts.
type origin struct{ source, actor, file, sha256 string }

func (o origin) check() error {
	if o.actor == "" {
		return nil
	}
	return checkNote("actor", o.actor, maxActorBytes)
}

// shownFile is a file's name as the history keeps it.
func shownFile(name string) string {
	name = strings.ToValidUTF8(strings.ReplaceAll(name, "\x00", ""), "\uFFFD")
	for len(name) > maxFileNameBytes {
		name = name[:len(name)-1]
		name = strings.ToValidUTF8(name, "")
	}
	return name
}

// insertChange writes who wrote a revision; customerID is that of a PUT.
func (tx *wtx) insertChange(revision int64, by origin, customerID string, replaces bool, r ImportReport) error {
	replacing := int64(0)
	if replaces {
		replacing = 1
	}
	err := tx.gorm().Exec(insertChangeSQL, revision, micros(tx.now()), by.source, by.actor, by.file, by.sha256, replacing, customerID,
		r.Accounts, r.Contracts, r.Created, r.Changed, r.Unchanged, r.Overtaken, r.Closed).Error
	if err != nil {
		return fmt.Errorf("write who changed accounts: %w", err)
	}
	return nil
}

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
func (tx *wtx) insertHistory(rows []historyRow) error {
	for _, row := range rows {
		if err := tx.put(tx.stmts.insertHistory, row.customerID, row.revision, row.events); err != nil {
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
func revised(before *accountRow, record *topup.Account, revision int64, closing func(int64) (int64, error)) (written, error) {
	w := written{account: record, created: revision, changed: revision}
	if before == nil {
		return w, nil
	}
	w.created = before.created
	old, err := before.value()
	if err != nil {
		return w, err
	}
	if before.replaced && !before.closed {
		by, err := closing(before.revision)
		if err != nil {
			return w, err
		}
		if by != 0 && by < revision {
			row, err := newHistoryRow(record.CustomerID, by, []event{{What: AccountClosed}})
			if err != nil {
				return w, err
			}
			w.history = append(w.history, row)
			before.changed = max(before.changed, by)
		}
	}
	if sameAccount(old, record) {
		w.changed = before.changed
		if w.changed == 0 {
			w.changed = before.revision
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

// AccountHistory returns what is known of how a customer's account became what
// it is, the oldest event first. The id is normalised first. The error is of
// KindNotFound when there is no account.
func (s *Store) AccountHistory(ctx context.Context, customerID string) (h AccountHistory, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("read the history of an account: %w", err)
		}
	}()
	customerID = s.normalize.Apply(customerID)
	row, err := s.accountRow(ctx, customerID)
	if err != nil {
		return h, err
	}
	if row == nil {
		return h, topup.NotFound("account does not exist")
	}
	if h.Events, err = s.accountChanges(ctx, historySQL, customerID); err != nil {
		return h, err
	}
	puts, err := s.accountChanges(ctx, putsSQL, customerID)
	if err != nil {
		return h, err
	}
	h.Events = withPuts(h.Events, puts, row.created)
	var closedBy int64
	if row.replaced && !row.closed {
		if closedBy, err = closingRevision(s.outside(ctx), row.revision); err != nil {
			return h, err
		}
	}
	lastChange := max(row.changed, closedBy)
	if lastChange == 0 {
		lastChange = row.revision // written by an older program, or before histories were kept
	}
	marks, err := s.accountChanges(ctx, changesSQL, []int64{row.created, lastChange, closedBy})
	if err != nil {
		return h, err
	}
	for _, c := range marks {
		if c.revision == row.created {
			created := c
			created.What = AccountCreated
			h.Created = &created
			h.Events = slices.Insert(h.Events, 0, created)
		}
		if c.revision == lastChange {
			changed := c
			h.Changed = &changed
		}
		if c.revision == closedBy {
			c.What = AccountClosed
			h.Events = append(h.Events, c)
		}
	}
	return h, nil
}

// withPuts adds the PUTs that changed no more than amounts and info, and leaves
// out what an import staged for the account while a PUT won over it.
func withPuts(events, puts []AccountChange, created int64) []AccountChange {
	events = slices.DeleteFunc(events, func(e AccountChange) bool {
		return e.Source == SourceImport && slices.ContainsFunc(puts, func(put AccountChange) bool {
			return put.revision > e.revision && put.At.Before(e.At)
		})
	})
	for _, put := range puts {
		has := func(e AccountChange) bool { return e.revision == put.revision }
		if put.revision != created && !slices.ContainsFunc(events, has) {
			put.What = AccountChanged
			events = append(events, put)
		}
	}
	slices.SortStableFunc(events, func(a, b AccountChange) int { return int(a.revision - b.revision) })
	return events
}

// AccountImports returns the last imports that were made visible, the newest
// first.
func (s *Store) AccountImports(ctx context.Context, limit int) (imports []AccountImport, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("list imports of accounts: %w", err)
		}
	}()
	rows, err := s.raw(ctx, importsSQL, limit).Rows()
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var i AccountImport
		var at sql.NullInt64
		var none string
		err := rows.Scan(&i.revision, &at, &i.Source, &i.Actor, &i.File, &i.AccountChange.SHA256, &none, &i.Replace,
			&i.Accounts, &i.Contracts, &i.ImportReport.Created, &i.Changed, &i.Unchanged, &i.Overtaken, &i.Closed)
		if err != nil {
			return nil, err
		}
		i.At = fromMicros(at.Int64)
		imports = append(imports, i)
	}
	return imports, rows.Err()
}

func (s *Store) accountChanges(ctx context.Context, query string, args ...any) (changes []AccountChange, err error) {
	rows, err := s.raw(ctx, query, args...).Rows()
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var c AccountChange
		var at sql.NullInt64
		var text string
		if err := rows.Scan(&c.revision, &at, &c.Source, &c.Actor, &c.File, &c.SHA256, &text); err != nil {
			return nil, err
		}
		if at.Valid {
			c.At = fromMicros(at.Int64)
		}
		var events []event
		if text == "" {
			events = []event{{}}
		} else if err := json.Unmarshal([]byte(text), &events); err != nil {
			return nil, errors.New("the history has a row that cannot be read")
		}
		for _, e := range events {
			c.What, c.ContractID = e.What, e.ContractID
			changes = append(changes, c)
		}
	}
	return changes, rows.Err()
}

// closingRevision returns which import closed what was last written at a
// revision, because it did not have it; 0 if that is not known.
func closingRevision(ask query, revision int64) (by int64, err error) {
	if err := ask(closingRevisionSQL, revision).Row().Scan(&by); err != nil {
		return 0, fmt.Errorf("look for the import that closed the account: %w", err)
	}
	return by, nil
}
