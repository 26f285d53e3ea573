package accountfile

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"tolem/topup"
)

// customerColumn is the column that says which rows are one customer's.
const customerColumn = "customer_id"

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

func (r *csvReader) next() (*Record, error) {
	if r.columns == nil {
		if problem := r.readHeader(); problem != nil {
			r.columns, r.done = map[string]int{}, io.EOF
			return &Record{Line: problem.Line, Problems: []LineError{*problem}}, nil
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
	record := &Record{Line: row.line, Account: row.account}
	record.Account.Contracts = nil
	record.add(row)
	// A broken row belongs to the customer whose rows it stands among, so that
	// the next row is not taken for a customer that appears again.
	for !row.broken || len(record.rows) > 0 {
		if row = r.readRow(); row == nil {
			break
		}
		if !row.broken && row.account.CustomerID != record.Account.CustomerID {
			r.ahead = row
			break
		}
		record.add(row)
	}
	return record, nil
}

// add takes a row's contract into the record, and all that is wrong with the
// row, whatever else is wrong with the record.
func (r *Record) add(row *csvRow) {
	if !row.broken {
		r.addContract(row)
	}
	for _, p := range row.problems {
		r.report(row.line, p)
	}
}

func (r *Record) addContract(row *csvRow) {
	if row.account.AdditionalCustomerID != r.Account.AdditionalCustomerID {
		r.report(row.line, topup.Invalid("additional_customer_id", "must be the same in all rows of a customer"))
	}
	if row.account.Currency != r.Account.Currency {
		r.report(row.line, topup.Invalid("currency", "must be the same in all rows of a customer"))
	}
	if row.account.Closed != r.Account.Closed {
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
	r.Account.Contracts = append(r.Account.Contracts, contract)
	r.rows = append(r.rows, row.line)
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
