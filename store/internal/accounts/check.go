package accounts

import (
	"context"
	"errors"
	"fmt"

	"tolem/accountfile"
	"tolem/store/internal/engine"
	"tolem/topup"
)

// check reads the whole file and refuses one of which a line is wrong. An import
// that has the lease keeps it, however long that takes.
func (im *importer) check(ctx context.Context) (sum accountfile.Checksum, err error) {
	var open int64
	filled, err := im.filled(ctx)
	if err != nil {
		return sum, err
	}
	verdict, err := im.file.Check(ctx, im.c.normalize, func(r *accountfile.Record, read int64) error {
		if err := im.renewIfDue(ctx); err != nil {
			return err
		}
		if !im.c.normalize.Fits(r.Account.CustomerID) {
			im.report.Unfit++
		}
		if topup.KnownCurrency(r.Account.Currency) {
			before, err := im.compare(ctx, r, filled)
			if err != nil {
				return err
			}
			if before != nil && !before.Closed && !before.Replaced {
				open++
				if err := im.countContracts(before, &r.Account); err != nil {
					return fmt.Errorf("line %d: %w", r.Line, err)
				}
			}
		}
		im.report.Accounts++
		im.report.Contracts += int64(len(r.Account.Contracts))
		if im.report.Accounts%1000 == 0 {
			im.o.Progress(ImportProgress{PhaseCheck, read, im.file.Size})
		}
		return nil
	})
	if err != nil {
		return sum, err
	}
	sum = verdict.Checksum
	im.o.Progress(ImportProgress{PhaseCheck, im.file.Size, im.file.Size})
	if err := verdict.Err(); err != nil || !im.o.Replace {
		return sum, err
	}
	if im.report.Open, err = im.countAccounts(ctx, openSQL); err != nil {
		return sum, err
	}
	im.report.Closed = im.report.Open - open
	return sum, im.o.CloseLimit.check(im.report.Closed, im.report.Open, false)
}

// countContracts counts the open contracts of an open account that Replace
// closes.
func (im *importer) countContracts(before *engine.AccountRow, record *topup.Account) error {
	if !im.o.Replace {
		return nil
	}
	old, err := before.Value()
	if err != nil {
		return err
	}
	for i := range old.Contracts {
		if c := &old.Contracts[i]; !c.Closed && record.Contract(c.ID) == nil {
			im.report.ContractsClosed++
		}
	}
	return nil
}

// filled reports whether there are accounts to compare the file with.
func (im *importer) filled(ctx context.Context) (bool, error) {
	var filled bool
	err := im.c.reader.Raw(ctx, `SELECT EXISTS (SELECT 1 FROM accounts)`).Row().Scan(&filled)
	if err != nil {
		return false, fmt.Errorf("look for accounts: %w", err)
	}
	return filled, nil
}

// compare returns the customer's account as it is, nil for none, and adds what
// there is against the record. Nothing is read of a database without accounts.
func (im *importer) compare(ctx context.Context, r *accountfile.Record, filled bool) (before *engine.AccountRow, err error) {
	// A context that cannot end spares the driver a goroutine for each query;
	// between the records the caller looks at its own.
	ctx = context.WithoutCancel(ctx)
	if filled {
		if before, err = im.c.accountRow(ctx, r.Account.CustomerID); err != nil {
			return nil, fmt.Errorf("line %d: read the account: %w", r.Line, err)
		}
	}
	err = checkCurrencyChange(im.c.reader.Query(ctx), before, &r.Account)
	if refusal := (*topup.Error)(nil); errors.As(err, &refusal) {
		r.AddProblem(refusal)
		return before, nil
	}
	if err != nil {
		return nil, fmt.Errorf("line %d: %w", r.Line, err)
	}
	return before, nil
}

const (
	// openSQL counts the open accounts.
	openSQL = `SELECT count(*) FROM catalogue c CROSS JOIN accounts a
		WHERE c.id = 1 AND a.closed = 0 AND a.revision >= c.closed_below AND a.revision IS DISTINCT FROM c.staging AND NOT EXISTS (
			SELECT 1 FROM accounts n WHERE n.customer_id = a.customer_id AND n.revision > a.revision AND n.revision IS DISTINCT FROM c.staging)`
	// closingSQL counts the open accounts that were neither staged nor put since
	// the import began.
	closingSQL = `SELECT count(*) FROM catalogue c CROSS JOIN accounts a
		WHERE c.id = 1 AND a.closed = 0 AND a.revision >= c.closed_below AND a.revision < c.staging AND NOT EXISTS (
			SELECT 1 FROM accounts n WHERE n.customer_id = a.customer_id AND n.revision > a.revision)`
)

// countAccounts returns how many accounts the query counts.
func (im *importer) countAccounts(ctx context.Context, query string) (n int64, err error) {
	if err := im.c.reader.Raw(ctx, query).Row().Scan(&n); err != nil {
		return 0, fmt.Errorf("count open accounts: %w", err)
	}
	return n, nil
}
