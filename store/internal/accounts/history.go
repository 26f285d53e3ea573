package accounts

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"tolem/store/internal/database"
	"tolem/store/internal/engine"
	"tolem/topup"
)

// The history of accounts is insert-only, and grows with what happens to
// accounts, not with how often files are imported. Who wrote a revision is one
// row for each import and each PUT (account_changes). What a revision made of an
// account is a row (account_history) when it closed or opened the account or a
// contract, or changed what the account is; amounts and info, which may change
// every night, leave the account's changed_revision alone. Accounts that an import
// closed because it did not have them have no row of their own: the import has.

const (
	changeColumns      = `c.revision, c.at, c.source, c.actor, c.file, c.sha256`
	historySQL         = `SELECT ` + changeColumns + `, h.events FROM account_history h JOIN account_changes c ON c.revision = h.revision WHERE h.customer_id = ?`
	putsSQL            = `SELECT ` + changeColumns + `, '' FROM account_changes c WHERE c.customer_id = ? AND c.customer_id <> ''`
	changesSQL         = `SELECT ` + changeColumns + `, '' FROM account_changes c WHERE c.revision IN ?`
	closingRevisionSQL = `SELECT coalesce(min(revision), 0) FROM account_changes WHERE replaces = 1 AND revision > ?`
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

// AccountHistory returns what is known of how a customer's account became what
// it is, the oldest event first. The id is normalised first. The error is of
// KindNotFound when there is no account.
func (c *Catalogue) AccountHistory(ctx context.Context, customerID string) (h AccountHistory, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("read the history of an account: %w", err)
		}
	}()
	customerID = c.normalize.Apply(customerID)
	row, err := c.accountRow(ctx, customerID)
	if err != nil {
		return h, err
	}
	if row == nil {
		return h, topup.NotFound("account does not exist")
	}
	if h.Events, err = c.accountChanges(ctx, historySQL, customerID); err != nil {
		return h, err
	}
	puts, err := c.accountChanges(ctx, putsSQL, customerID)
	if err != nil {
		return h, err
	}
	h.Events = withPuts(h.Events, puts, row.Created)
	var closedBy int64
	if row.Replaced && !row.Closed {
		if closedBy, err = closingRevision(c.reader.Query(ctx), row.Revision); err != nil {
			return h, err
		}
	}
	lastChange := max(row.Changed, closedBy)
	if lastChange == 0 {
		lastChange = row.Revision // written by an older program, or before histories were kept
	}
	marks, err := c.accountChanges(ctx, changesSQL, []int64{row.Created, lastChange, closedBy})
	if err != nil {
		return h, err
	}
	for _, c := range marks {
		if c.revision == row.Created {
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

func (c *Catalogue) accountChanges(ctx context.Context, query string, args ...any) (changes []AccountChange, err error) {
	rows, err := c.reader.Raw(ctx, query, args...).Rows()
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
			c.At = database.FromMicros(at.Int64)
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
func closingRevision(ask engine.Query, revision int64) (by int64, err error) {
	if err := ask(closingRevisionSQL, revision).Row().Scan(&by); err != nil {
		return 0, fmt.Errorf("look for the import that closed the account: %w", err)
	}
	return by, nil
}
