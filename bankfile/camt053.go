package bankfile

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"

	"golang.org/x/text/encoding/htmlindex"

	"tolem/calendar"
)

// CAMT.053 (ISO 20022, BankToCustomerStatement). Elements are known by their names
// alone: banks use every version of the namespace. A statement's entries are read
// one at a time.

// camtDepth is how deep elements are nested at most; the deepest of the standard
// has about 15.
const camtDepth = 64

type camtDate struct {
	Dt, DtTm string
}

// day is the date as the bank wrote it; a time that follows is in the bank's zone.
func (d camtDate) day() (calendar.Day, error) {
	text := strings.TrimSpace(d.Dt)
	if text == "" {
		text = strings.TrimSpace(d.DtTm)
	}
	if text == "" {
		return calendar.Day{}, nil
	}
	day, err := calendar.ParseDay(text[:min(len(text), len("2026-11-30"))])
	if err != nil {
		return day, fmt.Errorf("%s is no date", shown(text))
	}
	return day, nil
}

type camtAmount struct {
	Currency string `xml:"Ccy,attr"`
	Text     string `xml:",chardata"`
}

type camtBalance struct {
	Code      string     `xml:"Tp>CdOrPrtry>Cd"`
	Amount    camtAmount `xml:"Amt"`
	Direction string     `xml:"CdtDbtInd"`
	Date      camtDate   `xml:"Dt"`
}

type camtParty struct {
	Name  string `xml:"Nm"`
	Party string `xml:"Pty>Nm"` // where newer versions have it
	ID    string `xml:"Id>OrgId>Othr>Id"`
	PtyID string `xml:"Pty>Id>OrgId>Othr>Id"`
}

type camtAccount struct {
	IBAN  string `xml:"Id>IBAN"`
	Other string `xml:"Id>Othr>Id"`
}

func (a camtAccount) number() string { return either(a.IBAN, a.Other) }

func either(a, b string) string {
	if strings.TrimSpace(a) != "" {
		return a
	}
	return b
}

type camtDetails struct {
	EndToEnd  string      `xml:"Refs>EndToEndId"`
	Reference string      `xml:"Refs>AcctSvcrRef"`
	Debtor    camtParty   `xml:"RltdPties>Dbtr"`
	DebtorAt  camtAccount `xml:"RltdPties>DbtrAcct"`
	Creditor  camtParty   `xml:"RltdPties>Cdtr"`
	CreditAt  camtAccount `xml:"RltdPties>CdtrAcct"`
	Purpose   []string    `xml:"RmtInf>Ustrd"`
	Code      string      `xml:"Purp>Cd"`
	Own       string      `xml:"Purp>Prtry"`
}

type camtEntry struct {
	Amount    camtAmount `xml:"Amt"`
	Direction string     `xml:"CdtDbtInd"`
	Reversal  string     `xml:"RvslInd"`
	Status    struct {
		Code string `xml:"Cd"`
		Text string `xml:",chardata"`
	} `xml:"Sts"`
	Booked     camtDate      `xml:"BookgDt"`
	Value      camtDate      `xml:"ValDt"`
	Reference  string        `xml:"AcctSvcrRef"`
	Details    []camtDetails `xml:"NtryDtls>TxDtls"`
	Additional string        `xml:"AddtlNtryInf"`
}

// camtStatement is a statement under way.
type camtStatement struct {
	row       int
	account   camtAccount
	from, to  camtDate
	opening   *camtBalance
	closing   *camtBalance
	lines     []Line
	reversals []int // of lines
}

func readCAMT(raw []byte, account Account) ([]Statement, error) {
	decoder := xml.NewDecoder(bytes.NewReader(raw))
	decoder.CharsetReader = func(label string, input io.Reader) (io.Reader, error) {
		encoding, err := htmlindex.Get(label)
		if err != nil {
			return nil, fmt.Errorf("the encoding %s is not known", shown(label))
		}
		return encoding.NewDecoder().Reader(input), nil
	}
	r := camtReader{decoder: decoder, account: account}
	if err := r.read(); err != nil {
		return nil, err
	}
	if err := r.wrong.err(); err != nil {
		return nil, err
	}
	if !r.found {
		return nil, errors.New("the file is no CAMT.053: it has no element Stmt")
	}
	if len(r.statements) == 0 {
		return nil, fmt.Errorf("the file is of another account, %s, not of %s", shown(r.other), account.Number)
	}
	return r.statements, nil
}

type camtReader struct {
	decoder    *xml.Decoder
	account    Account
	statements []Statement
	found      bool   // a statement, of whatever account
	other      string // an account that is not ours
	wrong      problems
}

// row is the line of the file that is being read.
func (r *camtReader) row() int {
	row, _ := r.decoder.InputPos()
	return row
}

func (r *camtReader) read() error {
	var path []string
	var current *camtStatement
	for {
		token, err := r.decoder.Token()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("line %d: the XML cannot be read: %w", r.row(), err)
		}
		switch token := token.(type) {
		case xml.StartElement:
			if len(path) == camtDepth {
				return fmt.Errorf("line %d: elements are nested more than %d deep", r.row(), camtDepth)
			}
			name := token.Name.Local
			switch {
			case current == nil && name == "Stmt":
				r.found = true
				current = &camtStatement{row: r.row()}
				path = append(path, name)
			case current != nil && path[len(path)-1] == "Stmt":
				if err := r.part(current, token); err != nil {
					return err
				}
			default:
				path = append(path, name)
			}
		case xml.EndElement:
			path = path[:len(path)-1]
			if current != nil && token.Name.Local == "Stmt" {
				r.end(current)
				current = nil
			}
		}
	}
}

// part reads an element of a statement.
func (r *camtReader) part(s *camtStatement, start xml.StartElement) error {
	row := r.row()
	var err error
	switch start.Name.Local {
	case "Acct":
		err = r.decoder.DecodeElement(&s.account, &start)
	case "FrToDt":
		var period struct{ FrDtTm, ToDtTm, FrDt, ToDt string }
		err = r.decoder.DecodeElement(&period, &start)
		s.from, s.to = camtDate{period.FrDt, period.FrDtTm}, camtDate{period.ToDt, period.ToDtTm}
	case "Bal":
		var balance camtBalance
		err = r.decoder.DecodeElement(&balance, &start)
		s.balance(balance)
	case "Ntry":
		var entry camtEntry
		if err = r.decoder.DecodeElement(&entry, &start); err == nil && entry.booked() {
			r.entry(s, entry, row)
		}
	default:
		err = r.decoder.Skip()
	}
	if err != nil {
		return fmt.Errorf("line %d: %s cannot be read: %w", row, start.Name.Local, err)
	}
	return nil
}

// balance keeps the opening and the closing balance. PRCD is how the day before
// ended; of several closing ones the last counts.
func (s *camtStatement) balance(b camtBalance) {
	switch strings.TrimSpace(b.Code) {
	case "OPBD":
		if s.opening == nil || strings.TrimSpace(s.opening.Code) == "PRCD" {
			s.opening = &b
		}
	case "PRCD":
		if s.opening == nil {
			s.opening = &b
		}
	case "CLBD":
		s.closing = &b
	}
}

// booked reports whether an entry has happened; others are not stored.
func (e camtEntry) booked() bool {
	status := strings.TrimSpace(either(e.Status.Code, e.Status.Text))
	return status == "" || status == "BOOK"
}

// entry reads an entry as a line.
func (r *camtReader) entry(s *camtStatement, e camtEntry, row int) {
	line := Line{Row: row}
	var err error
	if line.Amount, err = r.account.amountOf(e.Amount); err != nil {
		r.wrong.add(row, "%w", err)
		return
	}
	if line.Direction, err = camtDirection(e.Direction); err != nil {
		r.wrong.add(row, "%w", err)
		return
	}
	if line.Amount < 0 {
		r.wrong.add(row, "the amount is negative: CdtDbtInd says whether money came or went")
		return
	}
	if line.Amount == 0 {
		return
	}
	if line.Day, err = e.Booked.day(); err != nil {
		r.wrong.add(row, "BookgDt: %w", err)
		return
	}
	if line.ValueDay, err = e.Value.day(); err != nil {
		r.wrong.add(row, "ValDt: %w", err)
		return
	}
	if line.Day.IsZero() {
		line.Day = line.ValueDay
	}
	if line.Day.IsZero() {
		r.wrong.add(row, "has neither BookgDt nor ValDt")
		return
	}
	line.BankReference = strings.TrimSpace(e.Reference)
	purpose := []string{}
	for _, details := range e.Details {
		purpose = append(purpose, details.Purpose...)
	}
	// An entry of several parts has no counterparty of its own.
	if len(e.Details) == 1 {
		details := e.Details[0]
		line.BankReference = either(line.BankReference, details.Reference)
		if number := strings.TrimSpace(details.EndToEnd); number != "NOTPROVIDED" {
			line.Number = number
		}
		party, at := details.Debtor, details.DebtorAt
		if line.Direction == Out {
			party, at = details.Creditor, details.CreditAt
		}
		line.CounterpartyName, line.CounterpartyAccount = either(party.Name, party.Party), at.number()
		line.CounterpartyID = either(party.ID, party.PtyID)
		line.PurposeCode = either(details.Code, details.Own)
	}
	line.Purpose = strings.Join(purpose, " ")
	if strings.TrimSpace(line.Purpose) == "" {
		line.Purpose = e.Additional
	}
	line.squeeze()
	if reversal := strings.TrimSpace(e.Reversal); reversal == "true" || reversal == "1" {
		s.reversals = append(s.reversals, len(s.lines))
	}
	s.lines = append(s.lines, line)
}

func camtDirection(text string) (Direction, error) {
	switch strings.TrimSpace(text) {
	case "CRDT":
		return In, nil
	case "DBIT":
		return Out, nil
	}
	return "", fmt.Errorf("CdtDbtInd is %s, not CRDT or DBIT", shown(text))
}

// amountOf reads an amount, which must be in the account's currency. Its decimal
// mark is always a point.
func (a Account) amountOf(amount camtAmount) (int64, error) {
	text := strings.TrimSpace(amount.Text)
	if currency := strings.TrimSpace(amount.Currency); currency != "" && currency != a.Currency {
		return 0, fmt.Errorf("is in %s, and the account in %s", shown(currency), a.Currency)
	}
	// The standard allows five digits behind the point, whatever the currency.
	if strings.ContainsRune(text, '.') {
		text = strings.TrimSuffix(strings.TrimRight(text, "0"), ".")
	}
	if strings.ContainsRune(text, ',') {
		return 0, fmt.Errorf("the amount (Amt) %s %w", shown(text), errAmount)
	}
	minor, err := a.amount(text)
	if err != nil {
		return 0, fmt.Errorf("the amount (Amt) %s %w", shown(text), err)
	}
	return minor, nil
}

// end makes a statement of what was read, if it is the account's.
func (r *camtReader) end(s *camtStatement) {
	if number := s.account.number(); !r.account.is(number) {
		r.other = number
		return
	}
	statement, err := s.statement(r.account)
	if err != nil {
		r.wrong.add(s.row, "the statement: %w", err)
		return
	}
	r.statements = append(r.statements, statement)
}

func (s *camtStatement) statement(account Account) (Statement, error) {
	statement := Statement{Lines: s.lines}
	if s.opening == nil || s.closing == nil {
		return statement, errors.New("has no opening balance (OPBD or PRCD) or no closing balance (CLBD)")
	}
	for _, of := range []struct {
		balance *camtBalance
		place   *int64
		day     *calendar.Day
	}{{s.opening, &statement.Opening, &statement.From}, {s.closing, &statement.Closing, &statement.To}} {
		amount, err := account.amountOf(of.balance.Amount)
		if err != nil {
			return statement, fmt.Errorf("the balance %s: %w", strings.TrimSpace(of.balance.Code), err)
		}
		direction, err := camtDirection(of.balance.Direction)
		if err != nil {
			return statement, fmt.Errorf("the balance %s: %w", strings.TrimSpace(of.balance.Code), err)
		}
		if direction == Out {
			amount = -amount
		}
		*of.place = amount
		if *of.day, err = of.balance.Date.day(); err != nil {
			return statement, err
		}
	}
	if err := s.period(&statement); err != nil {
		return statement, err
	}
	s.reverse(&statement)
	return statement, nil
}

// period is what FrToDt says, else the days of the balances, PRCD being that of
// the day before.
func (s *camtStatement) period(statement *Statement) error {
	if strings.TrimSpace(s.opening.Code) == "PRCD" && !statement.From.IsZero() {
		statement.From = statement.From.Next()
	}
	from, err := s.from.day()
	if err != nil {
		return fmt.Errorf("FrToDt: %w", err)
	}
	to, err := s.to.day()
	if err != nil {
		return fmt.Errorf("FrToDt: %w", err)
	}
	if !from.IsZero() {
		statement.From = from
	}
	if !to.IsZero() {
		// Midnight is the end of the day before.
		if to.After(statement.From) && strings.Contains(s.to.DtTm, "T00:00:00") {
			to = to.Add(-1)
		}
		statement.To = to
	}
	// Some banks date the opening balance on the day before.
	if statement.From.After(statement.To) {
		statement.From = statement.To
	}
	return nil
}

// reverse turns reversed entries round where the balances say so: CdtDbtInd is
// their direction already, but some banks write that of what they reverse.
func (s *camtStatement) reverse(statement *Statement) {
	if sum, err := statement.sum(); err != nil || sum == statement.Closing || len(s.reversals) == 0 {
		return
	}
	turn := func() {
		for _, i := range s.reversals {
			if statement.Lines[i].Direction == In {
				statement.Lines[i].Direction = Out
			} else {
				statement.Lines[i].Direction = In
			}
		}
	}
	turn()
	if sum, err := statement.sum(); err != nil || sum != statement.Closing {
		turn()
	}
}
