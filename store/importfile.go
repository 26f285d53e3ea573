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
	"unicode/utf8"

	"tolem/topup"
)

// Format is how a file writes account records.
type Format string

const (
	// FormatJSONL is one JSON object a line; blank lines are passed over.
	FormatJSONL Format = "jsonl"
	// FormatCSV is a header and one row a contract. The rows of a customer
	// are next to each other and agree in what is the customer's. Fields are
	// separated by commas, semicolons or tabs, as the header has them.
	FormatCSV Format = "csv"
)

// maxRecordBytes bounds a line of JSON and a row of CSV.
const maxRecordBytes = 1 << 20

// ImportFile is a file of account records. An import reads it twice.
type ImportFile struct {
	Name   string // without folders, for the accounts' history
	Format Format
	Open   func() (io.ReadCloser, error)
	// Size is the file's length in bytes for the progress, 0 if unknown.
	Size int64
}

// FormatOf tells the format of a file by the ending of its name, .jsonl or .csv.
func FormatOf(path string) (Format, error) {
	format := Format(strings.TrimPrefix(strings.ToLower(filepath.Ext(path)), "."))
	if format != FormatJSONL && format != FormatCSV {
		return "", fmt.Errorf("%s: the name must end in .jsonl or .csv", path)
	}
	return format, nil
}

// OpenImportFile names a file on disk, whose ending tells its format.
func OpenImportFile(path string) (ImportFile, error) {
	format, err := FormatOf(path)
	if err != nil {
		return ImportFile{}, err
	}
	info, err := os.Stat(path)
	if err != nil {
		return ImportFile{}, err
	}
	if !info.Mode().IsRegular() {
		return ImportFile{}, fmt.Errorf("%s: must be a regular file, because it is read twice", path)
	}
	open := func() (io.ReadCloser, error) { return os.Open(path) }
	return ImportFile{Name: filepath.Base(path), Format: format, Open: open, Size: info.Size()}, nil
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

// fileRecord is one account as a file has it, incomplete when there are
// problems. That of a CSV file has been checked row by row, but for the
// customer's id; one of JSON lines is unchecked.
type fileRecord struct {
	line     int
	account  topup.Account
	rows     []int           // the line of each contract, where each has its own
	ids      map[string]bool // of the contracts in rows
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

// problem adds a problem of the whole record: of each of its rows, if it has
// rows.
func (r *fileRecord) problem(err error) {
	if len(r.rows) == 0 {
		r.report(r.line, err)
	}
	for _, line := range r.rows {
		r.report(line, err)
	}
}

// verify normalises the customer's id and adds what the record's reader has
// not looked for.
func (r *fileRecord) verify(n topup.Normalizer) {
	r.account.CustomerID = n.Apply(r.account.CustomerID)
	if len(r.rows) > 0 {
		if err := topup.CheckRecordID(r.account.CustomerID); err != nil {
			r.problem(topup.Invalid(customerColumn, "%s", err))
		}
		return
	}
	if len(r.problems) > 0 {
		return
	}
	for _, p := range r.account.Check() {
		r.problem(p)
	}
}

// recordReader reads records from the start of a file to its end, which is
// io.EOF. Another error means that the rest cannot be read.
type recordReader interface {
	next() (*fileRecord, error)
}

func newRecordReader(format Format, file io.Reader) (recordReader, error) {
	text, err := plainText(file)
	if err != nil {
		return nil, err
	}
	switch format {
	case FormatJSONL:
		return &jsonlReader{lines: lineReader{file: text}}, nil
	case FormatCSV:
		return &csvReader{lines: lineReader{file: text}}, nil
	}
	return nil, fmt.Errorf("format %q: must be %s or %s", format, FormatJSONL, FormatCSV)
}

// lineReader reads lines, and holds those that are still needed. A line that is
// longer than a record may be is held in part, which is longer still.
type lineReader struct {
	file  *bufio.Reader
	held  []byte // whole lines, each with its end but for the file's last
	at    int    // where in held the next line begins
	taken int    // how many lines came before it
}

// end returns where a line of held ends that begins at from, and reads it first
// if it is not held. io.EOF says that there is none.
func (r *lineReader) end(from int) (int, error) {
	if from < len(r.held) {
		if n := bytes.IndexByte(r.held[from:], '\n'); n >= 0 {
			return from + n + 1, nil
		}
		return len(r.held), nil
	}
	for {
		part, err := r.file.ReadSlice('\n')
		r.held = append(r.held, part...)
		if len(r.held)-from > maxRecordBytes+1 {
			r.held = append(r.held[:from+maxRecordBytes+1], '\n')
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case errors.Is(err, io.EOF) && len(r.held) > from:
			return len(r.held), nil
		default:
			return len(r.held), err
		}
	}
}

// next returns the next line, without taking it. It is valid until more is read.
func (r *lineReader) next() ([]byte, error) {
	switch {
	case r.at == len(r.held):
		r.held, r.at = r.held[:0], 0
	case r.at > maxRecordBytes:
		r.held = append(r.held[:0], r.held[r.at:]...)
		r.at = 0
	}
	end, err := r.end(r.at)
	return r.held[r.at:end], err
}

// take moves on past the given lines.
func (r *lineReader) take(lines []byte) {
	r.at += len(lines)
	r.taken += max(1, bytes.Count(lines, lineEnd))
}

var lineEnd = []byte("\n")

// fits reports whether a record is not too long. The end of its last line is
// not counted.
func fits(record []byte) bool { return len(bytes.TrimSuffix(record, lineEnd)) <= maxRecordBytes }

// jsonlReader reads one JSON object a line.
type jsonlReader struct{ lines lineReader }

func (r *jsonlReader) next() (*fileRecord, error) {
	for {
		line, err := r.lines.next()
		if err != nil {
			return nil, err
		}
		r.lines.take(line)
		record := &fileRecord{line: r.lines.taken}
		if !fits(line) {
			record.problem(fmt.Errorf("must be at most %d bytes long", maxRecordBytes))
			return record, nil
		}
		if len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		if err := checkUTF8(line); err != nil {
			record.problem(err)
			return record, nil
		}
		var problems []error
		record.account, problems = topup.ParseRecord(line)
		for _, p := range problems {
			record.problem(p)
		}
		return record, nil
	}
}

// customerColumn is the column that says which rows are one customer's.
const customerColumn = "customer_id"

// csvColumns are the columns of a CSV file, those that it must have first.
var csvColumns = []string{customerColumn, "additional_customer_id", "currency", "entity_id", "number", "payment", "min_payment", "info",
	closedColumn, contractClosedColumn}

// closedColumn and contractClosedColumn say that an account, or a contract, is
// closed.
const closedColumn, contractClosedColumn = "closed", "entity_closed"

const csvRequired = 5

// csvReader reads one contract a row and puts the rows of a customer together.
type csvReader struct {
	lines   lineReader
	cutter  fieldCutter
	columns map[string]int // nil before the header
	width   int            // how many fields a row has, with those that have no name
	ahead   *csvRow        // the row after the record that was returned
	done    error          // why there are no more rows
}

// csvRow is a row of one contract.
type csvRow struct {
	line     int
	account  topup.Account // with the row's contract alone
	broken   bool          // it could not be cut into fields
	problems []error       // all but those of the customer's id
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
	record := &fileRecord{line: row.line, account: row.account}
	record.account.Contracts = nil
	record.add(row)
	// A broken row belongs to the customer whose rows it stands among, so that
	// the next row is not taken for a customer that appears again.
	for !row.broken || len(record.rows) > 0 {
		if row = r.readRow(); row == nil {
			break
		}
		if !row.broken && row.account.CustomerID != record.account.CustomerID {
			r.ahead = row
			break
		}
		record.add(row)
	}
	return record, nil
}

// add takes a row's contract into the record, and all that is wrong with the
// row, whatever else is wrong with the record.
func (r *fileRecord) add(row *csvRow) {
	if !row.broken {
		r.addContract(row)
	}
	for _, p := range row.problems {
		r.report(row.line, p)
	}
}

func (r *fileRecord) addContract(row *csvRow) {
	if row.account.AdditionalCustomerID != r.account.AdditionalCustomerID {
		r.report(row.line, topup.Invalid("additional_customer_id", "must be the same in all rows of a customer"))
	}
	if row.account.Currency != r.account.Currency {
		r.report(row.line, topup.Invalid("currency", "must be the same in all rows of a customer"))
	}
	if row.account.Closed != r.account.Closed {
		r.report(row.line, topup.Invalid(closedColumn, "must be the same in all rows of a customer"))
	}
	if len(r.rows) >= topup.MaxContracts {
		r.report(row.line, fmt.Errorf("a customer must have at most %d rows", topup.MaxContracts))
		return
	}
	contract := row.account.Contracts[0]
	if r.ids[contract.ID] {
		r.report(row.line, topup.Invalid("entity_id", "must be unique within the account"))
	}
	if r.ids == nil {
		r.ids = make(map[string]bool)
	}
	r.ids[contract.ID] = contract.ID != ""
	r.account.Contracts = append(r.account.Contracts, contract)
	r.rows = append(r.rows, row.line)
}

func (r *csvReader) readHeader() *LineError {
	if problem := r.readSeparator(); problem != nil {
		return problem
	}
	line, header, problem, err := r.read()
	if errors.Is(err, io.EOF) {
		return &LineError{1, errors.New("the header is missing")}
	}
	if err = errors.Join(problem, err); err != nil {
		return &LineError{line, err}
	}
	r.width = len(header)
	names := columnNames(header)
	if len(names) == 1 && !slices.Contains(csvColumns, names[0]) {
		return &LineError{line, errors.New("is no header whose columns are separated by commas, semicolons or tabs")}
	}
	columns := make(map[string]int, len(names))
	for i, name := range names {
		if !slices.Contains(csvColumns, name) {
			return &LineError{line, fmt.Errorf("column %d is none of %s", i+1, strings.Join(csvColumns, ","))}
		}
		if _, twice := columns[name]; twice {
			return &LineError{line, fmt.Errorf("column %s appears twice", name)}
		}
		columns[name] = i
	}
	for _, name := range csvColumns[:csvRequired] {
		if _, has := columns[name]; !has {
			return &LineError{line, fmt.Errorf("column %s is missing", name)}
		}
	}
	r.columns = columns
	return nil
}

// columnNames are the names in a header, in the spelling of csvColumns. Empty
// ones at its end, which a spreadsheet writes for columns that were cleared, are
// left out.
func columnNames(header []string) []string {
	names := make([]string, 0, len(header))
	for _, name := range header {
		names = append(names, strings.ToLower(strings.TrimSpace(name)))
	}
	for len(names) > 1 && names[len(names)-1] == "" {
		names = names[:len(names)-1]
	}
	return names
}

// readSeparator finds out what separates fields: what a first line such as sep=;
// says, which spreadsheets write for each other, else what the header has most
// of.
func (r *csvReader) readSeparator() *LineError {
	for {
		line, err := r.lines.next()
		if err != nil {
			return nil // the header's reader says so
		}
		text := strings.TrimRight(string(line), "\r\n")
		if text == "" {
			r.lines.take(line)
			continue
		}
		declared, found := strings.CutPrefix(strings.ToLower(strings.Trim(text, `"`)), "sep=")
		if !found {
			r.cutter.separator = mostFrequentSeparator(text)
			return nil
		}
		r.lines.take(line)
		c, size := utf8.DecodeRuneInString(declared)
		if strings.ContainsRune(separators, c) && strings.Trim(declared[size:], separators) == "" {
			r.cutter.separator = c
			return nil
		}
		return &LineError{r.lines.taken, errors.New("sep= must name a comma, a semicolon, a tab or a vertical bar")}
	}
}

// separators are what can separate fields, the most usual first.
const separators = ",;\t|"

func mostFrequentSeparator(header string) rune {
	counts := make(map[rune]int)
	quoted := false
	for _, c := range header {
		if c == '"' {
			quoted = !quoted
		} else if !quoted {
			counts[c]++
		}
	}
	best := rune(separators[0])
	for _, c := range separators {
		if counts[c] > counts[best] {
			best = c
		}
	}
	return best
}

// readRow returns the next row, or nil at the end of what can be read.
func (r *csvReader) readRow() *csvRow {
	if r.done != nil {
		return nil
	}
	line, fields, problem, err := r.read()
	if err != nil {
		r.done = err
		return nil
	}
	if problem == nil && len(fields) != r.width {
		problem = errors.New("must have as many fields as the header")
	}
	if problem == nil && !blank(fields[len(r.columns):]) {
		problem = fmt.Errorf("has a value behind column %d, where the header has no name", len(r.columns))
	}
	if problem != nil {
		return &csvRow{line: line, broken: true, problems: []error{problem}}
	}
	return r.parseRow(line, fields)
}

// parseRow checks a row by itself, but for the customer's id, which is checked
// once it is normalised.
func (r *csvReader) parseRow(line int, fields []string) *csvRow {
	field := func(name string) string {
		if i, has := r.columns[name]; has {
			return fields[i]
		}
		return ""
	}
	row := &csvRow{line: line}
	contract := topup.Contract{
		ID: field("entity_id"), Number: field("number"),
		Payment: row.amount("payment", field("payment")), MinPayment: row.amount("min_payment", field("min_payment")),
		Closed: row.truth(contractClosedColumn, field(contractClosedColumn)),
	}
	if text := field("info"); text != "" {
		info, err := topup.CompactInfo([]byte(text))
		if err != nil {
			row.problems = append(row.problems, topup.Invalid("info", "%s", err))
		}
		contract.Info = info
	}
	row.account = topup.Account{
		CustomerID: field(customerColumn), AdditionalCustomerID: field("additional_customer_id"), Currency: field("currency"),
		Closed: row.truth(closedColumn, field(closedColumn)), Contracts: []topup.Contract{contract},
	}
	for _, p := range row.account.Check() {
		if p = inColumn(p); p != nil {
			row.problems = append(row.problems, p)
		}
	}
	return row
}

// inColumn names the column where an account of one contract has a problem. It
// returns nil for the customer's id.
func inColumn(problem error) error {
	refusal := (*topup.Error)(nil)
	if !errors.As(problem, &refusal) {
		return problem
	}
	column := strings.TrimPrefix(refusal.Field, "entities[0].")
	switch column {
	case customerColumn:
		return nil
	case "id":
		column = "entity_id"
	}
	return topup.Invalid(column, "%s", refusal.Message)
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

// truth reads true or false, as spreadsheets write them too; an empty field is
// false.
func (row *csvRow) truth(column, text string) bool {
	switch strings.ToUpper(strings.TrimSpace(text)) {
	case "TRUE", "ИСТИНА", "1":
		return true
	case "", "FALSE", "ЛОЖЬ", "0":
		return false
	}
	row.problems = append(row.problems, topup.Invalid(column, "must be true, false or empty"))
	return false
}

var (
	errQuote     = errors.New("has a quote in the wrong place: quote the whole field and double the quotes in it")
	errLongRow   = fmt.Errorf("a row must be at most %d bytes long; is a quote never closed?", maxRecordBytes)
	errLineBreak = errors.New("has a line break in a field that is no JSON object: is a quote never closed?")
)

// read returns the fields of the next row and the line on which it begins. They
// are valid until the next read. A problem is the row's, an error means that
// nothing more can be read.
//
// A row has several lines when a quoted field has line breaks. One that has a
// problem is taken to be its first line alone: a quote that was left open would
// otherwise hide the rows after it.
func (r *csvReader) read() (line int, fields []string, problem, err error) {
	for {
		line, fields, problem, err = r.readLines()
		if problem != nil || err != nil || !blank(fields) {
			return line, fields, problem, err
		}
	}
}

// blank reports whether fields have nothing in them: spreadsheets write rows of
// separators for rows that were cleared.
func blank(fields []string) bool {
	return !slices.ContainsFunc(fields, func(field string) bool { return strings.TrimSpace(field) != "" })
}

// readLines is read for one row, blank or not.
func (r *csvReader) readLines() (line int, fields []string, problem, err error) {
	for {
		first, err := r.lines.next()
		if err != nil {
			return r.lines.taken + 1, nil, nil, err
		}
		if len(bytes.Trim(first, "\r\n")) > 0 {
			break
		}
		r.lines.take(first)
	}
	line = r.lines.taken + 1
	text, problem, err := r.rowText()
	if err != nil {
		return line, nil, nil, err
	}
	if problem == nil {
		problem = checkUTF8(text)
	}
	if problem == nil {
		fields, problem = r.cutter.cut(text)
	}
	if problem == nil && hasStrayBreak(fields) {
		problem = errLineBreak
	}
	if problem != nil {
		text, err = r.lines.next()
	}
	r.lines.take(text)
	return line, fields, problem, err
}

// rowText returns the lines of the row that begins with the next one: in a row,
// quotes come in pairs.
func (r *csvReader) rowText() (text []byte, problem, err error) {
	start := r.lines.at
	for end, open := start, false; ; {
		next, err := r.lines.end(end)
		if errors.Is(err, io.EOF) {
			return nil, errQuote, nil
		}
		if err != nil {
			return nil, nil, err
		}
		if text = r.lines.held[start:next]; !fits(text) {
			return nil, errLongRow, nil
		}
		if bytes.Count(r.lines.held[end:next], quote)%2 == 1 {
			open = !open
		}
		if !open {
			return text, nil, nil
		}
		end = next
	}
}

var quote = []byte(`"`)

// hasStrayBreak reports whether a field has a line break where none can be:
// only info may have one, which is a JSON object.
func hasStrayBreak(fields []string) bool {
	return slices.ContainsFunc(fields, func(field string) bool {
		if !strings.Contains(field, "\n") {
			return false
		}
		field = strings.TrimSpace(field)
		return !strings.HasPrefix(field, "{") || !strings.HasSuffix(field, "}")
	})
}

// fieldCutter cuts rows into fields.
type fieldCutter struct {
	separator rune // a comma if it is not set
	text      bytes.Reader
	rows      *csv.Reader // reads from text
}

// cut returns the fields of one row. They are valid until the next cut.
func (c *fieldCutter) cut(row []byte) ([]string, error) {
	if c.rows == nil {
		c.rows = csv.NewReader(&c.text)
		if c.separator != 0 {
			c.rows.Comma = c.separator
		}
		c.rows.ReuseRecord = true
		c.rows.FieldsPerRecord = -1 // the caller counts them
	}
	c.text.Reset(row)
	fields, err := c.rows.Read()
	if err == nil {
		return fields, nil
	}
	c.rows = nil // it may hold the rest of this row
	if errors.Is(err, csv.ErrBareQuote) || errors.Is(err, csv.ErrQuote) {
		return nil, errQuote
	}
	return nil, err
}
