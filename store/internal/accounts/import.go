package accounts

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"tolem/accountfile"
	"tolem/topup"
)

// ImportOptions say how accounts are imported.
type ImportOptions struct {
	// Replace closes the accounts and contracts that the file does not have.
	// Without it they stay as they are.
	Replace bool
	// DryRun checks the file and changes nothing.
	DryRun bool
	// CloseLimit, if set, refuses a Replace that closes too many accounts, with
	// a *TooManyClosedError.
	CloseLimit *CloseLimit
	// Actor is who imports, at most 255 bytes; it becomes part of the accounts'
	// history.
	Actor string
	// OSUser is, of a command, the system's user, for the audit.
	OSUser string
	// Progress, if set, is told how far the import is, from the caller's
	// goroutine.
	Progress func(ImportProgress)
}

// ImportReport is what an import did or, on a dry run, would do.
type ImportReport struct {
	Accounts  int64 // in the file
	Contracts int64 // in the file
	// Created, Changed and Unchanged accounts, of those in the file; unknown
	// on a dry run.
	Created   int64
	Changed   int64
	Unchanged int64
	// Overtaken accounts were put by somebody else while the import was under
	// way; the later write has won.
	Overtaken int64
	// Closed is, with Replace, how many open accounts the file does not have, and
	// Open how many open accounts there were.
	Closed, Open int64
	// ContractsClosed is, with Replace, how many open contracts the file does
	// not have of accounts that it has.
	ContractsClosed int64
	// Unfit is how many customers' ids are not what the normaliser is for: with
	// kz_phone, no Kazakh telephone numbers. They are kept as they are.
	Unfit int64
	// SHA256 is the hash of the file's bytes, in hexadecimal; empty on a dry run.
	SHA256 string
	// Leftover is why superseded records could not all be removed after the
	// import, nil if they were. They are not visible, and the next import
	// removes them.
	Leftover error
}

// ImportPhase is a part of an import.
type ImportPhase string

// The phases of an import, in order.
const (
	PhaseClear ImportPhase = "clear" // what an import that died has left is removed; in rows
	PhaseCheck ImportPhase = "check" // the whole file is read and checked; in bytes
	PhaseStage ImportPhase = "stage" // accounts are written, visible to nobody; in accounts
	PhaseSweep ImportPhase = "sweep" // older records are removed; in rows
)

// ImportProgress is how far a phase is.
type ImportProgress struct {
	Phase ImportPhase
	Done  int64
	Total int64 // 0 if unknown
}

var (
	errFileChanged = errors.New("the file changed while it was being imported; nothing was imported: import it again")
	errTakenOver   = topup.Conflict("another import has taken this one's place; nothing was imported: import again")
)

// ImportAccounts imports a file of account records, all of it or nothing, while
// others read and write. The file is checked first: a file with a bad line
// changes nothing, and the error is a *[accountfile.LineErrors]. Then its accounts are
// staged, visible to nobody, in transactions of a few milliseconds; then one
// short write makes all of them visible at once. When the process dies on the
// way, or ctx ends, nothing of it is visible, and the next import clears it up.
//
// A contract or an account that the file does not have stays as it was, or is
// closed with Replace; nothing is deleted. The import takes its revision before
// it reads the file, so an account that is put from then on, be it while the
// file is still checked, wins over the file: the later write wins. One import
// runs at a time; a second is refused with KindConflict. A dry run takes nothing
// and is never refused.
func (c *Catalogue) ImportAccounts(ctx context.Context, o ImportOptions, file accountfile.File) (ImportReport, error) {
	if o.Progress == nil {
		o.Progress = func(ImportProgress) {}
	}
	im := &importer{c: c, o: o, file: file, rows: firstRows, by: origin{SourceImport, o.Actor, shownFile(file.Name), ""}}
	if err := im.by.check(); err != nil {
		return im.report, wrapImport(err)
	}
	if o.DryRun {
		_, err := im.check(ctx)
		return im.report, wrapImport(err)
	}
	if err := im.run(ctx); err != nil {
		err = c.refused(ctx, im.about(), err)
		return im.report, wrapImport(errors.Join(err, im.release(ctx)))
	}
	im.report.Leftover = im.sweep(ctx, PhaseSweep, supersededSQL)
	return im.report, nil
}

// run imports the file, up to the write that makes it visible.
func (im *importer) run(ctx context.Context) error {
	if err := im.begin(ctx); err != nil {
		return err
	}
	sum, err := im.check(ctx)
	if err != nil {
		return err
	}
	im.by.sha256 = hex.EncodeToString(sum[:])
	im.report.SHA256 = im.by.sha256
	if err := im.stageAll(ctx, sum); err != nil {
		return err
	}
	if im.o.Replace {
		if im.report.Closed, err = im.countAccounts(ctx, closingSQL); err != nil {
			return err
		}
		if err := im.o.CloseLimit.check(im.report.Closed, im.report.Open, true); err != nil {
			return err
		}
	}
	return im.publish(ctx)
}

// about is what the audit has of the import.
func (im *importer) about() Imported {
	return Imported{Actor: im.o.Actor, OSUser: im.o.OSUser, File: im.by.file, Replace: im.o.Replace, Report: im.report}
}

func wrapImport(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("import accounts: %w", err)
}

// importer is one import.
type importer struct {
	c      *Catalogue
	o      ImportOptions
	file   accountfile.File
	report ImportReport
	by     origin

	claim    int64     // what the catalogue has while this import holds the lease; 0 before
	revision int64     // of what is staged; 0 before it is taken
	staged   bool      // something may have been staged
	renewed  time.Time // when the lease was last renewed
	// Payments and ledger accounts after these ids came after the import had
	// begun.
	payments, ledgerAccounts int64

	rows int // how many to write in one transaction

	closedAt, closedBy int64 // the last answer of closing
}
