package reportfile

import (
	"errors"
	"fmt"
)

// BankLine is what a line of a bank statement has beside its day, amount and
// currency. In a map these are the columns number, reference, account, name, id,
// code, purpose, in, out and balance; with one of them the map is of a statement,
// which needs no column payment.
type BankLine struct {
	Number    string // of the document
	Reference string // the bank's own
	Account   string // the counterparty's
	Name      string // the counterparty's
	ID        string // the counterparty's БИН, ИИН or ИНН
	Code      string // of the purpose (КНП)
	Purpose   string
	Balance   Figure // after the line
}

// statementOnly are the columns by which a map is of a bank statement.
var statementOnly = []column{colNumber, colReference, colAccount, colName, colID, colCode, colPurpose, colIn, colOut, colBalance}

// maxBankText bounds a text of a line of a statement.
const maxBankText = 4096

// Statement reports whether the map is of a bank statement.
func (m *Map) Statement() bool { return m.statement }

// statementColumns checks the columns of a map of a bank statement, if it is one.
func (c *compiler) statementColumns() {
	for _, bank := range statementOnly {
		c.statement = c.statement || len(c.names[bank]) > 0
	}
	if !c.statement {
		return
	}
	has := func(columns ...column) bool {
		for _, one := range columns {
			if len(c.names[one]) > 0 {
				return true
			}
		}
		return false
	}
	if !has(colDate, colTime) {
		c.problem("columns: date (or time) is required of a bank statement")
	}
	if has(colAmount) == has(colIn, colOut) || has(colIn) != has(colOut) {
		c.problem("columns: of a bank statement either amount, negative where money went, or both in and out are required")
	}
	for _, other := range []column{colPayment, colOperation, colType, colStatus, colFee, colNet, colRefunded, colReserve, colAdjustment, colPayout} {
		if has(other) {
			c.problem("columns: %s is none of a bank statement's columns; one that has number, reference, account, name, id, code, purpose, in, out or balance is a bank statement", other)
		}
	}
}

// bankLine reads what a line of a bank statement has.
func (r *Rows) bankLine(fields []field, u units, amount Figure) (err error) {
	line := &r.row.Bank
	if r.row.Time.IsZero() {
		return errors.New("has no date; skip leaves out lines that are no movements")
	}
	for _, id := range []struct {
		column column
		to     *string
	}{{colNumber, &line.Number}, {colReference, &line.Reference}, {colAccount, &line.Account}, {colID, &line.ID}, {colCode, &line.Code}} {
		if *id.to, err = r.id(fields, id.column); err != nil {
			return err
		}
	}
	for _, free := range []struct {
		column column
		to     *string
	}{{colName, &line.Name}, {colPurpose, &line.Purpose}} {
		if *free.to = trim(r.get(fields, free.column).text); len(*free.to) > maxBankText {
			return r.in(free.column, 0, fmt.Errorf("is longer than %d bytes", maxBankText))
		}
	}
	in, err := r.figure(fields, colIn, u)
	if err != nil {
		return err
	}
	out, err := r.figure(fields, colOut, u)
	if err != nil {
		return err
	}
	if line.Balance, err = r.figure(fields, colBalance, u); err != nil {
		return err
	}
	switch {
	case !amount.Given && !in.Given && !out.Given:
		return errors.New("has no amount; skip leaves out lines that are no movements")
	case in.Amount != 0 && out.Amount != 0:
		return errors.New("has both an amount that came and one that went")
	case in.Amount < 0:
		return r.in(colIn, 0, errors.New("is negative"))
	case !amount.Given:
		// Some banks write what went as a negative number.
		r.row.Amount = in.Amount - max(out.Amount, -out.Amount)
	}
	return nil
}
