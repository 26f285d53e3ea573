package store

import (
	"context"
	"fmt"

	"tolem/store/internal/accounts"
	"tolem/store/internal/engine"
)

// The accounts of the database are [accounts.Catalogue], which a Store embeds.
type (
	// Offer is what verify answers.
	Offer = accounts.Offer

	// ImportOptions say how accounts are imported.
	ImportOptions = accounts.ImportOptions
	// ImportReport is what an import did or, on a dry run, would do.
	ImportReport = accounts.ImportReport
	// ImportPhase is a part of an import.
	ImportPhase = accounts.ImportPhase
	// ImportProgress is how far a phase is.
	ImportProgress = accounts.ImportProgress
	// CloseLimit says how many open accounts a Replace may close.
	CloseLimit = accounts.CloseLimit
	// TooManyClosedError says that a Replace would close too many accounts.
	TooManyClosedError = accounts.TooManyClosedError

	// AccountImport is an import that was made visible.
	AccountImport = accounts.AccountImport
	// AccountExport is what an export wrote.
	AccountExport = accounts.AccountExport
	// AccountChange is something that happened to an account, and who did it.
	AccountChange = accounts.AccountChange
	// AccountHistory is what is known of how an account became what it is.
	AccountHistory = accounts.AccountHistory
)

// The phases of an import, in order.
const (
	PhaseClear = accounts.PhaseClear
	PhaseCheck = accounts.PhaseCheck
	PhaseStage = accounts.PhaseStage
	PhaseSweep = accounts.PhaseSweep
)

// What happened to an account.
const (
	AccountCreated        = accounts.AccountCreated
	AccountChanged        = accounts.AccountChanged
	AccountClosed         = accounts.AccountClosed
	AccountReopened       = accounts.AccountReopened
	AccountCurrency       = accounts.AccountCurrency
	AccountAdditionalID   = accounts.AccountAdditionalID
	AccountContractAdded  = accounts.AccountContractAdded
	AccountContractClosed = accounts.AccountContractClosed
	AccountContractOpened = accounts.AccountContractOpened
	AccountContractNumber = accounts.AccountContractNumber
)

// Sources of changes of accounts.
const (
	SourceImport  = accounts.SourceImport
	SourcePut     = accounts.SourcePut
	SourceDemo    = accounts.SourceDemo
	SourceBilling = accounts.SourceBilling
)

// ActionImport is an import of accounts, in the audit.
const ActionImport Action = "import"

// openAccounts opens the accounts of the database.
func (s *Store) openAccounts() {
	s.Catalogue = accounts.New(accounts.Options{
		Reader: s.reader, Writer: s.writer.Writer, Now: s.now, Normalize: s.normalize,
		Imported: func(tx *engine.Tx, i accounts.Imported) error {
			return s.writer.in(tx).audit(importer(i), Audited{ActionImport, i.File, ResultDone, importDetail(i)})
		},
		Refused: func(ctx context.Context, i accounts.Imported, refusal error) error {
			return s.auditRefusedImport(ctx, importer(i), ActionImport, i.File, refusal)
		},
	})
}

// importer is who imports, for the audit.
func importer(i accounts.Imported) By {
	by := By{Actor: i.Actor, OSUser: i.OSUser}
	if by.OSUser != "" {
		by.Role = RoleCommand
	}
	return by
}

// importDetail is what the audit has of an import.
func importDetail(i accounts.Imported) string {
	r := i.Report
	detail := fmt.Sprintf("sha256 %s, %d accounts: %d created, %d changed, %d unchanged, %d closed", r.SHA256, r.Accounts, r.Created, r.Changed, r.Unchanged, r.Closed)
	if i.Replace {
		detail = "replace, " + detail
	}
	return detail
}
