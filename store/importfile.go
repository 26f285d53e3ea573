package store

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"tolem/topup"
)

// Format is how a file writes account records.
type Format string

const (
	// FormatJSONL is one JSON object a line; blank lines are passed over.
	FormatJSONL Format = "jsonl"
	// FormatCSV is a header and one row a contract. The rows of a customer
	// stand together and agree in what is the customer's.
	FormatCSV Format = "csv"
)

// maxRecordBytes bounds a line of JSON and a row of CSV.
const maxRecordBytes = 1 << 20

// ImportFile is a file of account records. An import reads it twice.
type ImportFile struct {
	Format Format
	Open   func() (io.ReadCloser, error)
	// Size is the file's length in bytes for the progress, 0 if unknown.
	Size int64
}

// OpenImportFile names a file on disk; its ending, .jsonl or .csv, tells the
// format.
func OpenImportFile(path string) (ImportFile, error) {
	format := Format(strings.TrimPrefix(strings.ToLower(filepath.Ext(path)), "."))
	if format != FormatJSONL && format != FormatCSV {
		return ImportFile{}, fmt.Errorf("%s: the name must end in .jsonl or .csv", path)
	}
	info, err := os.Stat(path)
	if err != nil {
		return ImportFile{}, err
	}
	if !info.Mode().IsRegular() {
		return ImportFile{}, fmt.Errorf("%s: must be a regular file, because it is read twice", path)
	}
	open := func() (io.ReadCloser, error) { return os.Open(path) }
	return ImportFile{Format: format, Open: open, Size: info.Size()}, nil
}

// LineError is what is wrong with one line of a file. It repeats no value.
type LineError struct {
	Line int // from 1
	Err  error
}

// Error leads with the line's number.
func (e LineError) Error() string { return fmt.Sprintf("line %d: %s", e.Line, e.Err) }

// Unwrap returns what is wrong.
func (e LineError) Unwrap() error { return e.Err }

// fileRecord is one account as a file has it. The account is unchecked, and
// incomplete when there are problems.
type fileRecord struct {
	line     int
	account  topup.Account
	rows     []int // the line of each contract, where each has its own
	problems []LineError
	more     int64 // problems beyond those
}

// report adds a problem at a line.
func (r *fileRecord) report(line int, err error) {
	if len(r.problems) >= maxLineErrors {
		r.more++
		return
	}
	r.problems = append(r.problems, LineError{line, err})
}

// problem adds a problem of the record, at its contract's line if that is known.
func (r *fileRecord) problem(err error) {
	line := r.line
	refusal := (*topup.Error)(nil)
	if len(r.rows) > 0 && errors.As(err, &refusal) {
		index, member := -1, ""
		if n, _ := fmt.Sscanf(refusal.Field, "entities[%d].%s", &index, &member); n == 2 && index < len(r.rows) {
			line = r.rows[index]
			err = topup.Invalid(csvColumn(member), "%s", refusal.Message)
		}
	}
	r.report(line, err)
}

// recordReader reads records from the start of a file to its end, which is
// io.EOF. Another error means that the rest cannot be read.
type recordReader interface {
	next() (*fileRecord, error)
}

func newRecordReader(format Format, file io.Reader) (recordReader, error) {
	buffered := bufio.NewReaderSize(file, 64<<10)
	// Spreadsheets like to start a file with a byte order mark.
	if start, _ := buffered.Peek(3); string(start) == "\ufeff" {
		_, _ = buffered.Discard(3)
	}
	switch format {
	case FormatJSONL:
		return &jsonlReader{file: buffered}, nil
	case FormatCSV:
		return newCSVReader(buffered), nil
	}
	return nil, fmt.Errorf("format %q: must be %s or %s", format, FormatJSONL, FormatCSV)
}

// jsonlReader reads one JSON object a line.
type jsonlReader struct {
	file *bufio.Reader
	line int
	text []byte
}

func (r *jsonlReader) next() (*fileRecord, error) {
	for {
		fits, err := r.readLine()
		if err != nil {
			return nil, err
		}
		record := &fileRecord{line: r.line}
		if !fits {
			record.problem(fmt.Errorf("must be at most %d bytes long", maxRecordBytes))
			return record, nil
		}
		if len(bytes.TrimSpace(r.text)) == 0 {
			continue
		}
		var problems []error
		record.account, problems = topup.ParseRecord(r.text)
		for _, p := range problems {
			record.problem(p)
		}
		return record, nil
	}
}

// readLine reads the next line into text. One that does not fit is passed over
// and reported.
func (r *jsonlReader) readLine() (fits bool, err error) {
	r.text = r.text[:0]
	r.line++
	for fits = true; ; {
		part, err := r.file.ReadSlice('\n')
		if fits = fits && len(r.text)+len(part) <= maxRecordBytes+1; fits {
			r.text = append(r.text, part...)
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case errors.Is(err, io.EOF) && (len(r.text) > 0 || !fits):
			return fits, nil // the last line, without its end
		default:
			return fits, err
		}
	}
}

// csvColumns are the columns of a CSV file, those that it must have first.
var csvColumns = []string{"customer_id", "additional_customer_id", "currency", "entity_id", "number", "payment", "min_payment", "info"}

const csvRequired = 5

// csvColumn names the column of a contract's member.
func csvColumn(member string) string {
	if member == "id" {
		return "entity_id"
	}
	return member
}

// csvReader reads one contract a row and puts the rows of a customer together.
type csvReader struct {
	rows    *csv.Reader
	budget  *budgetReader
	columns map[string]int // nil before the header
	line    int            // of the row that was read last
	ahead   *csvRow        // the row after the record that was returned
	done    error          // why there are no more rows
}

// csvRow is a row of one contract.
type csvRow struct {
	line                               int
	customerID, additionalID, currency string
	contract                           topup.Contract
	broken                             bool // it could not be cut into fields
	problems                           []error
}

func newCSVReader(file io.Reader) *csvReader {
	budget := &budgetReader{file: file}
	rows := csv.NewReader(budget)
	rows.ReuseRecord = true
	return &csvReader{rows: rows, budget: budget}
}

func (r *csvReader) next() (*fileRecord, error) {
	if r.columns == nil {
		if problem := r.readHeader(); problem != nil {
			r.columns, r.done = map[string]int{}, io.EOF
			return &fileRecord{line: problem.Line, problems: []LineError{*problem}}, nil
		}
	}
	row := r.ahead
	r.ahead = nil
	if row == nil {
		row = r.readRow()
	}
	if row == nil {
		return nil, r.done
	}
	record := &fileRecord{line: row.line, account: topup.Account{
		CustomerID: row.customerID, AdditionalCustomerID: row.additionalID, Currency: row.currency,
	}}
	record.add(row)
	// A broken row belongs to the customer whose rows it stands among, so that
	// the next row is not taken for a customer that appears again.
	for !row.broken || len(record.rows) > 0 {
		if row = r.readRow(); row == nil {
			break
		}
		if !row.broken && row.customerID != record.account.CustomerID {
			r.ahead = row
			break
		}
		record.add(row)
	}
	return record, nil
}

// add takes a row's contract into the record.
func (r *fileRecord) add(row *csvRow) {
	for _, p := range row.problems {
		r.report(row.line, p)
	}
	if row.broken {
		return
	}
	if row.additionalID != r.account.AdditionalCustomerID {
		r.report(row.line, topup.Invalid("additional_customer_id", "must be the same in all rows of a customer"))
	}
	if row.currency != r.account.Currency {
		r.report(row.line, topup.Invalid("currency", "must be the same in all rows of a customer"))
	}
	if len(r.rows) >= topup.MaxContracts {
		r.report(row.line, fmt.Errorf("a customer must have at most %d rows", topup.MaxContracts))
		return
	}
	r.account.Contracts = append(r.account.Contracts, row.contract)
	r.rows = append(r.rows, row.line)
}

func (r *csvReader) readHeader() *LineError {
	header, err := r.read()
	if errors.Is(err, io.EOF) {
		return &LineError{1, errors.New("the header is missing")}
	}
	if err != nil {
		return &LineError{1, csvProblem(err)}
	}
	if len(header) == 1 && strings.Contains(header[0], ";") {
		return &LineError{1, errors.New("columns must be separated by commas, not by semicolons")}
	}
	columns := make(map[string]int, len(header))
	for i, name := range header {
		if !slices.Contains(csvColumns, name) {
			return &LineError{1, fmt.Errorf("column %d is none of %s", i+1, strings.Join(csvColumns, ","))}
		}
		if _, twice := columns[name]; twice {
			return &LineError{1, fmt.Errorf("column %s appears twice", name)}
		}
		columns[name] = i
	}
	for _, name := range csvColumns[:csvRequired] {
		if _, has := columns[name]; !has {
			return &LineError{1, fmt.Errorf("column %s is missing", name)}
		}
	}
	r.columns = columns
	return nil
}

// readRow returns the next row, or nil at the end of what can be read.
func (r *csvReader) readRow() *csvRow {
	if r.done != nil {
		return nil
	}
	fields, err := r.read()
	if parse := (*csv.ParseError)(nil); errors.As(err, &parse) {
		r.line = parse.StartLine
		return &csvRow{line: r.line, broken: true, problems: []error{csvProblem(err)}}
	}
	if errors.Is(err, errLongRow) {
		r.done = io.EOF
		return &csvRow{line: r.line + 1, broken: true, problems: []error{err}}
	}
	if err != nil {
		r.done = err
		return nil
	}
	r.line, _ = r.rows.FieldPos(0)
	return r.parseRow(r.line, fields)
}

func (r *csvReader) parseRow(line int, fields []string) *csvRow {
	field := func(name string) string {
		if i, has := r.columns[name]; has {
			return fields[i]
		}
		return ""
	}
	row := &csvRow{
		line: line, customerID: field("customer_id"), additionalID: field("additional_customer_id"), currency: field("currency"),
		contract: topup.Contract{ID: field("entity_id"), Number: field("number")},
	}
	row.contract.Payment = row.amount("payment", field("payment"))
	row.contract.MinPayment = row.amount("min_payment", field("min_payment"))
	if text := field("info"); text != "" {
		info, err := topup.CompactInfo([]byte(text))
		if err != nil {
			row.problems = append(row.problems, topup.Invalid("info", "%s", err))
		}
		row.contract.Info = info
	}
	return row
}

func (row *csvRow) amount(column, text string) *int64 {
	if text == "" {
		return nil
	}
	amount, err := topup.ParseAmount(text)
	if err != nil {
		row.problems = append(row.problems, topup.Invalid(column, "%s", err))
		return nil
	}
	return &amount
}

// read reads a row of bounded length.
func (r *csvReader) read() ([]string, error) {
	r.budget.left = maxRecordBytes
	return r.rows.Read()
}

// csvProblem says what encoding/csv found, in words that help.
func csvProblem(err error) error {
	switch {
	case errors.Is(err, csv.ErrFieldCount):
		return errors.New("must have as many fields as the header")
	case errors.Is(err, csv.ErrBareQuote), errors.Is(err, csv.ErrQuote):
		return errors.New("has a quote in the wrong place: quote the whole field and double the quotes in it")
	}
	return err
}

// budgetReader bounds how much is read for one row: a quote that is never
// closed would otherwise take the rest of the file for one field.
type budgetReader struct {
	file io.Reader
	left int
}

var errLongRow = fmt.Errorf("a row must be at most %d bytes long; is a quote never closed?", maxRecordBytes)

func (r *budgetReader) Read(p []byte) (int, error) {
	if r.left <= 0 {
		return 0, errLongRow
	}
	n, err := r.file.Read(p)
	r.left -= n
	return n, err
}
