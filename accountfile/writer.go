package accountfile

import (
	"bufio"
	"encoding/csv"
	"io"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"

	"tolem/topup"
)

// Writer writes accounts as records that an import takes. Call Flush at the end.
type Writer struct {
	buffered *bufio.Writer
	write    func(*topup.Account) (longest int, err error)
}

// NewWriter begins a file in that format.
func NewWriter(format Format, file io.Writer) (w *Writer, err error) {
	w = &Writer{buffered: bufio.NewWriterSize(file, 64<<10)}
	switch format {
	case JSONLines:
		w.write = jsonlWriter(w.buffered)
	case CSV:
		w.write, err = csvWriter(w.buffered)
	default:
		err = errFormat(format)
	}
	return w, err
}

// Write writes an account, closed or not, and tells whether an import of the
// file would refuse it: it has more contracts, or is longer, than a record may
// be, or was taken by an older program under looser rules.
func (w *Writer) Write(a *topup.Account) (refused bool, err error) {
	longest, err := w.write(a)
	return longest > maxRecordBytes || len(a.Contracts) > topup.MaxContracts || len(a.Check()) > 0, err
}

// Flush hands what is left to the file.
func (w *Writer) Flush() error { return w.buffered.Flush() }

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
		line = topup.AppendContracts(append(line, `,"entities":`...), a.Contracts)
		line = append(line, '}')
		_, err := file.Write(append(line, '\n'))
		return len(line), err
	}
}

func appendText(b []byte, text string) []byte {
	// The error is for invalid UTF-8 alone, and even then b is complete.
	b, _ = jsontext.AppendQuote(b, text)
	return b
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
