// Package bankfile reads statements of the merchant's bank accounts, and writes
// documents for accounting programs: 1CClientBankExchange, CAMT.053 and MT940. It
// knows neither SQL nor the ledger.
//
// Whatever the format, a file becomes [Statement]s of one account, each of which
// balances: opening + in − out = closing. A file that does not is refused, because
// then lines are missing or were read wrongly.
package bankfile

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode"

	"tolem/calendar"
	"tolem/topup"
)

// Format is the kind of a statement file.
type Format string

// The formats that need no map.
const (
	OneC    Format = "1c"
	CAMT053 Format = "camt053"
	MT940   Format = "mt940"
)

// MaxBytes is how large a file may be: some 50 000 lines.
const MaxBytes = 64 << 20

const (
	// maxText is the length of a text of a line, in bytes.
	maxText = 4096
	// maxProblems is how many problems of a file are named.
	maxProblems = 20
)

// Account is the account whose statement is read.
type Account struct {
	Number   string // its IBAN, or what the bank calls it
	Currency string // ISO 4217
}

// Statement is what happened on an account in a period. Amounts are in minor
// units of the account's currency.
type Statement struct {
	From, To         calendar.Day // both are part of it; a line may be dated outside, by another clock
	Opening, Closing int64        // negative: overdrawn
	Lines            []Line       // in the order of the file
}

// Direction says whether money came or went.
type Direction string

// The directions.
const (
	In  Direction = "in"
	Out Direction = "out"
)

// Line is one booked movement. All texts may be empty.
type Line struct {
	Row       int          // where it is in the file, from 1; for errors
	Day       calendar.Day // when it was booked
	ValueDay  calendar.Day // zero where the file has none
	Direction Direction
	Amount    int64 // in minor units, more than 0

	Number              string // of the document; the payer gave it, so it is not unique
	BankReference       string // the bank's own
	CounterpartyAccount string
	CounterpartyName    string
	CounterpartyID      string // БИН, ИИН or ИНН
	PurposeCode         string // КНП
	Purpose             string // blanks in it are single ones
}

// Signed is the amount as it changes the balance.
func (l Line) Signed() int64 {
	if l.Direction == Out {
		return -l.Amount
	}
	return l.Amount
}

// Read reads the statements of an account. The error names every line that cannot
// be read, up to twenty.
func Read(r io.Reader, format Format, account Account) ([]Statement, error) {
	raw, err := io.ReadAll(io.LimitReader(r, MaxBytes+1))
	if err != nil {
		return nil, err
	}
	if len(raw) > MaxBytes {
		return nil, fmt.Errorf("the file has more than %d MiB: ask the bank for a shorter period", MaxBytes>>20)
	}
	account.Number = compact(account.Number)
	var statements []Statement
	switch format {
	case OneC:
		statements, err = readOneC(raw, account)
	case CAMT053:
		statements, err = readCAMT(raw, account)
	case MT940:
		statements, err = readMT940(raw, account)
	default:
		err = fmt.Errorf("%q is no format of a statement: 1c, camt053 or mt940", format)
	}
	if err != nil {
		return nil, err
	}
	if len(statements) == 0 {
		return nil, errors.New("the file has no statement")
	}
	return statements, check(statements, account)
}

// check proves that statements balance.
func check(statements []Statement, account Account) error {
	for _, s := range statements {
		if s.From.IsZero() || s.To.IsZero() || s.To.Before(s.From) {
			return fmt.Errorf("a statement has no period that can be read (%s to %s)", s.From, s.To)
		}
		closing, err := s.sum()
		if err != nil {
			return err
		}
		if closing != s.Closing {
			return fmt.Errorf("the statement of %s to %s does not balance: opening %s with its lines gives %s, and its closing balance is %s: lines are missing, or were changed; export it again",
				s.From, s.To, account.money(s.Opening), account.money(closing), account.money(s.Closing))
		}
	}
	return nil
}

// sum is the opening balance with all lines.
func (s Statement) sum() (int64, error) {
	sum := s.Opening
	for _, l := range s.Lines {
		var err error
		if sum, err = topup.Add(sum, l.Signed()); err != nil {
			return 0, fmt.Errorf("line %d: %w", l.Row, err)
		}
	}
	return sum, nil
}

func (a Account) money(minor int64) topup.Money {
	return topup.Money{Amount: minor, Currency: a.Currency}
}

// is reports whether a file means the account by this text.
func (a Account) is(text string) bool { return a.Number != "" && compact(text) == a.Number }

// compact is an account's number as it is compared: without blanks, in capitals.
func compact(number string) string {
	return strings.ToUpper(strings.Join(strings.Fields(number), ""))
}

// squeeze makes single blanks of all white space, and drops what no bank writes.
func squeeze(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	if strings.ContainsFunc(text, unicode.IsControl) {
		text = strings.Map(func(r rune) rune {
			if unicode.IsControl(r) {
				return -1
			}
			return r
		}, text)
	}
	if len(text) > maxText {
		text = strings.ToValidUTF8(text[:maxText], "")
	}
	return text
}

// problems collects what is wrong with a file.
type problems struct {
	list []error
	more int
}

// add notes a problem of a line of the file.
func (p *problems) add(row int, format string, args ...any) {
	if len(p.list) == maxProblems {
		p.more++
		return
	}
	p.list = append(p.list, fmt.Errorf("line %d: "+format, append([]any{row}, args...)...))
}

func (p *problems) err() error {
	list := p.list
	if p.more > 0 {
		list = append(slices.Clone(list), fmt.Errorf("and %d more", p.more))
	}
	return errors.Join(list...)
}

// squeeze makes single blanks of the white space in all texts.
func (l *Line) squeeze() {
	for _, text := range []*string{&l.Number, &l.BankReference, &l.CounterpartyName, &l.CounterpartyID, &l.PurposeCode, &l.Purpose} {
		*text = squeeze(*text)
	}
	l.CounterpartyAccount = compact(squeeze(l.CounterpartyAccount))
}

// shown is a text of a file in an error.
func shown(text string) string {
	const most = 40
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "") + "…"
	}
	return fmt.Sprintf("%q", text)
}
