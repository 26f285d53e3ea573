package accounts

import (
	"context"
	"fmt"
	"io"

	"tolem/accountfile"
)

// exportPage is how many accounts are read at a time.
const exportPage = 500

// AccountExport is what an export wrote.
type AccountExport struct {
	Accounts  int64
	Contracts int64
	// Refused is how many of these accounts an import of the file would refuse:
	// they have more contracts, or are longer, than a record may be, or were
	// taken by an older program under looser rules.
	Refused int64
}

// ExportAccounts writes all accounts, closed ones included, as records that an
// import takes and that change nothing there. Texts, info included, are as they
// were imported. Each account is as it was when it was read; accounts that are
// changed meanwhile may be before or after their change.
func (c *Catalogue) ExportAccounts(ctx context.Context, format accountfile.Format, file io.Writer) (report AccountExport, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("export accounts: %w", err)
		}
	}()
	records, err := accountfile.NewWriter(format, file)
	if err != nil {
		return report, err
	}
	for after, last := "", false; !last; {
		page, err := c.AccountsPage(ctx, after, exportPage)
		if err != nil {
			return report, err
		}
		for _, account := range page {
			refused, err := records.Write(account)
			if err != nil {
				return report, err
			}
			report.Accounts++
			report.Contracts += int64(len(account.Contracts))
			if refused {
				report.Refused++
			}
			after = account.CustomerID
		}
		last = len(page) < exportPage
	}
	return report, records.Flush()
}
