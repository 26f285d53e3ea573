package accountfile

import (
	"io"

	"tolem/topup"
)

// Record is one account as a file has it, incomplete when there are problems.
// That of a CSV file has been checked row by row, but for the customer's id; one
// of JSON lines is unchecked: [Record.Verify] checks the rest.
type Record struct {
	Line     int // on which it begins, from 1
	Account  topup.Account
	Problems []LineError     // the first thousand
	More     int64           // how many there are beside them
	rows     []int           // the line of each contract, where each has its own
	ids      map[string]bool // of the contracts in rows
}

// report adds a problem at a line.
func (r *Record) report(line int, err error) {
	if len(r.Problems) >= maxLineErrors {
		r.More++
		return
	}
	r.Problems = append(r.Problems, LineError{line, err})
}

// AddProblem adds a problem of the whole record: of each of its rows, if it has
// rows.
func (r *Record) AddProblem(err error) {
	if len(r.rows) == 0 {
		r.report(r.Line, err)
	}
	for _, line := range r.rows {
		r.report(line, err)
	}
}

// Verify normalises the customer's id and adds the problems that the record's
// reader has not looked for.
func (r *Record) Verify(n topup.Normalizer) {
	r.Account.CustomerID = n.Apply(r.Account.CustomerID)
	if len(r.rows) > 0 {
		if err := topup.CheckRecordID(r.Account.CustomerID); err != nil {
			r.AddProblem(topup.Invalid(customerColumn, "%s", err))
		}
		return
	}
	if len(r.Problems) > 0 {
		return
	}
	for _, p := range r.Account.Check() {
		r.AddProblem(p)
	}
}

// Reader reads records from the start of a file to its end.
type Reader struct{ records formatReader }

// formatReader reads one format.
type formatReader interface {
	next() (*Record, error)
}

// NewReader begins to read a file. It fails when the file is no text, or is in
// no known format.
func NewReader(format Format, file io.Reader) (*Reader, error) {
	text, err := plainText(file)
	if err != nil {
		return nil, err
	}
	switch format {
	case JSONLines:
		return &Reader{&jsonlReader{lines: lineReader{file: text}}}, nil
	case CSV:
		return &Reader{&csvReader{lines: lineReader{file: text}}}, nil
	}
	return nil, errFormat(format)
}

// Next returns the next record, which may be kept. The end of the file is
// io.EOF; another error means that the rest cannot be read.
func (r *Reader) Next() (*Record, error) { return r.records.next() }
