package bankfile

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"tolem/reportfile"
	"tolem/topup"
)

// Balances are what a CSV or XLSX statement that has no column balance does not
// say: the balances before its first line and after its last, in minor units.
type Balances struct{ Opening, Closing int64 }

// ReadMapped reads the statement of an account in a file of size bytes that a map
// describes. balances may be nil where the map has a column balance, by which then
// every single line is proven; the lines may run either way in time.
func ReadMapped(ctx context.Context, file io.ReaderAt, size int64, m *reportfile.Map, account Account, balances *Balances) (_ []Statement, err error) {
	switch {
	case !m.Statement():
		return nil, errors.New("the map is not of a bank statement: it has none of the columns number, reference, account, name, id, code, purpose, in, out and balance")
	case !m.Has("balance") && balances == nil:
		return nil, errors.New("the map has no column balance: give the balances of the statement with --opening and --closing")
	case size > MaxBytes:
		return nil, fmt.Errorf("the file has more than %d MiB: ask the bank for a shorter period", MaxBytes>>20)
	}
	rows, err := reportfile.Open(file, size, m)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	var statement Statement
	var after []reportfile.Figure
	var wrong problems
	err = rows.Each(ctx, func(row *reportfile.Row) error {
		if row.Currency != account.Currency {
			wrong.add(row.Line, "is in %s, and the account in %s", row.Currency, account.Currency)
			return nil
		}
		line := Line{
			Row: row.Line, Day: row.Date, Direction: In, Amount: row.Amount,
			Number: row.Bank.Number, BankReference: row.Bank.Reference, CounterpartyAccount: row.Bank.Account,
			CounterpartyName: row.Bank.Name, CounterpartyID: row.Bank.ID, PurposeCode: row.Bank.Code, Purpose: row.Bank.Purpose,
		}
		if line.Amount < 0 {
			line.Direction, line.Amount = Out, -line.Amount
		}
		line.squeeze()
		statement.Lines, after = append(statement.Lines, line), append(after, row.Bank.Balance)
		return nil
	})
	if err = errors.Join(err, wrong.err()); err != nil {
		return nil, err
	}
	if len(statement.Lines) == 0 {
		return nil, errors.New("the file has no lines: a statement of no movements proves nothing")
	}
	if balances != nil {
		statement.Opening, statement.Closing = balances.Opening, balances.Closing
	} else if err := statement.balancesOf(after, account); err != nil {
		return nil, err
	}
	statement.Lines = slices.DeleteFunc(statement.Lines, func(l Line) bool { return l.Amount == 0 })
	for _, l := range statement.Lines {
		if statement.From.IsZero() || l.Day.Before(statement.From) {
			statement.From = l.Day
		}
		if l.Day.After(statement.To) {
			statement.To = l.Day
		}
	}
	return []Statement{statement}, check([]Statement{statement}, account)
}

// balancesOf takes the balances from those after each line, which prove that no
// line is missing between two.
func (s *Statement) balancesOf(after []reportfile.Figure, account Account) error {
	for i, figure := range after {
		if !figure.Given {
			return fmt.Errorf("line %d has no balance", s.Lines[i].Row)
		}
	}
	last := len(after) - 1
	ascending, atRow := s.chain(after)
	if atRow == 0 {
		first, err := topup.Add(after[0].Amount, -s.Lines[0].Signed())
		s.Opening, s.Closing = first, after[last].Amount
		return err
	}
	slices.Reverse(s.Lines)
	slices.Reverse(after)
	if _, descendingRow := s.chain(after); descendingRow != 0 {
		slices.Reverse(s.Lines)
		return fmt.Errorf("line %d: the balance before it with its amount gives %s, and its own balance is another one: a line is missing, or was changed", atRow, account.money(ascending))
	}
	first, err := topup.Add(after[0].Amount, -s.Lines[0].Signed())
	s.Opening, s.Closing = first, after[last].Amount
	return err
}

// chain is 0 if each line leads from the balance before it to its own, else the row
// of the first that does not, and to which balance it leads.
func (s *Statement) chain(after []reportfile.Figure) (balance int64, row int) {
	for i := 1; i < len(after); i++ {
		sum, err := topup.Add(after[i-1].Amount, s.Lines[i].Signed())
		if err != nil || sum != after[i].Amount {
			return sum, s.Lines[i].Row
		}
	}
	return 0, 0
}
