package store

import (
	"bufio"
	"context"
	"encoding/csv"
	"fmt"
	"io"
	"strconv"

	"tolem/topup"
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
func (s *Store) ExportAccounts(ctx context.Context, format Format, file io.Writer) (report AccountExport, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("export accounts: %w", err)
		}
	}()
	buffered := bufio.NewWriterSize(file, 64<<10)
	var write func(*topup.Account) (longest int, err error)
	switch format {
	case FormatJSONL:
		write = jsonlWriter(buffered)
	case FormatCSV:
		if write, err = csvWriter(buffered); err != nil {
			return report, err
		}
	default:
		return report, fmt.Errorf("format %q: must be %s or %s", format, FormatJSONL, FormatCSV)
	}
	for after, last := "", false; !last; {
		page, err := s.AccountsPage(ctx, after, exportPage)
		if err != nil {
			return report, err
		}
		for _, account := range page {
			longest, err := write(account)
			if err != nil {
				return report, err
			}
			report.Accounts++
			report.Contracts += int64(len(account.Contracts))
			if longest > maxRecordBytes || len(account.Contracts) > topup.MaxContracts || len(account.Check()) > 0 {
				report.Refused++
			}
			after = account.CustomerID
		}
		last = len(page) < exportPage
	}
	return report, buffered.Flush()
}

// jsonlWriter writes one record a line.
func jsonlWriter(file io.Writer) func(*topup.Account) (int, error) {
	var line []byte
	return func(a *topup.Account) (int, error) {
		line = appendText(append(line[:0], `{"customer_id":`...), a.CustomerID)
		line = appendText(append(line, `,"additional_customer_id":`...), a.AdditionalCustomerID)
		line = appendText(append(line, `,"currency":`...), a.Currency)
		if a.Closed {
			line = append(line, `,"closed":true`...)
		}
		line = appendContracts(append(line, `,"entities":`...), a.Contracts)
		line = append(line, '}')
		_, err := file.Write(append(line, '\n'))
		return len(line), err
	}
}

// csvWriter writes the header, and then one row a contract.
func csvWriter(file io.Writer) (func(*topup.Account) (int, error), error) {
	counted := &countingWriter{file: file}
	rows := csv.NewWriter(counted)
	if err := rows.Write(csvColumns); err != nil {
		return nil, err
	}
	return func(a *topup.Account) (longest int, err error) {
		for i := range a.Contracts {
			c := &a.Contracts[i]
			rows.Flush()
			before := counted.n
			err := rows.Write([]string{
				a.CustomerID, a.AdditionalCustomerID, a.Currency, c.ID, c.Number,
				optionalAmount(c.Payment), optionalAmount(c.MinPayment), string(c.Info), truth(a.Closed), truth(c.Closed),
			})
			if err != nil {
				return 0, err
			}
			rows.Flush()
			longest = max(longest, counted.n-before-1) // without its end
		}
		return longest, rows.Error()
	}, rows.Error()
}

func optionalAmount(amount *int64) string {
	if amount == nil {
		return ""
	}
	return strconv.FormatInt(*amount, 10)
}

func truth(is bool) string {
	if is {
		return "true"
	}
	return ""
}

// countingWriter counts what is written.
type countingWriter struct {
	file io.Writer
	n    int
}

func (w *countingWriter) Write(p []byte) (int, error) {
	n, err := w.file.Write(p)
	w.n += n
	return n, err
}
