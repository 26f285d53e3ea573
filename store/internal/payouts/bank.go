package payouts

import (
	"context"
	"errors"
	"fmt"
	"time"

	"tolem/bankfile"
	"tolem/calendar"
	"tolem/store/internal/engine"
	"tolem/store/migrations"
	"tolem/topup"
)

// BankLine is a kept line of a bank account.
type BankLine struct {
	ID       int64
	Bank     string // the account's name in the configuration
	Currency string
	bankfile.Line
}

const bankLineColumns = `b.id, b.bank, b.currency, b.day, b.value_day, b.direction, b.amount, b.number, b.reference, b.counterparty_account, b.counterparty_name,
	b.counterparty_id, b.purpose_code, b.purpose`

func readBankLines(q engine.Query, from string, args ...any) (list []BankLine, err error) {
	rows, err := q(`SELECT `+bankLineColumns+` FROM bank_lines b `+from, args...).Rows()
	if err != nil {
		return nil, fmt.Errorf("read bank lines: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var l BankLine
		var day, value string
		err := rows.Scan(&l.ID, &l.Bank, &l.Currency, &day, &value, (*string)(&l.Direction), &l.Amount, &l.Number, &l.BankReference, &l.CounterpartyAccount,
			&l.CounterpartyName, &l.CounterpartyID, &l.PurposeCode, &l.Purpose)
		if err != nil {
			return nil, fmt.Errorf("read bank lines: %w", err)
		}
		if l.Day, err = calendar.ParseDay(day); err != nil {
			return nil, err
		}
		if value != "" {
			if l.ValueDay, err = calendar.ParseDay(value); err != nil {
				return nil, err
			}
		}
		list = append(list, l)
	}
	return list, rows.Err()
}

// bankLineOf is the line that a payout is matched with, nil for none. A match of a
// payout that was discarded or reversed is no more in force.
func bankLineOf(q engine.Query, p *Payout) (*BankLine, error) {
	if !p.State.Holds() {
		return nil, nil
	}
	lines, err := readBankLines(q, `JOIN bank_matches m ON m.line = b.id WHERE m.payout = ? ORDER BY m.id DESC LIMIT 1`, p.Row)
	if err != nil || len(lines) == 0 {
		return nil, err
	}
	return &lines[0], nil
}

// BankProposal is what there is to say of payouts and lines of bank accounts that
// are not matched yet: see [topup.MatchBank].
type BankProposal struct {
	Matches   []BankMatch
	Ambiguous []BankAmbiguity
	Groups    []BankGroup
	Open      []Payout // payouts for which nothing fits
}

// BankMatch is a payout and the one line that fits it.
type BankMatch struct {
	Payout Payout
	Line   BankLine
	Named  bool // the line names the payout
}

// BankAmbiguity is a payout that several lines fit, or whose line fits others too.
type BankAmbiguity struct {
	Payout Payout
	Lines  []BankLine
}

// BankGroup are payouts and lines whose sums fit together, but not one to one.
type BankGroup struct {
	Payouts []Payout
	Lines   []BankLine
}

// maxOpenPayouts bounds how many payouts without a line are looked at: the oldest
// first.
const maxOpenPayouts = 5000

// The payouts without a match in force, and the lines without one of some days.
const (
	matchedPayoutSQL = `EXISTS (SELECT 1 FROM bank_matches m WHERE m.payout = o.id)`
	matchedLineSQL   = `EXISTS (SELECT 1 FROM bank_matches m JOIN payouts o ON o.id = m.payout WHERE m.line = b.id AND ` + migrations.HeldPayoutSQL + `)`
)

// ProposeBankMatches looks for the bank lines of payouts, up to window days behind
// each payout's day.
func (b *Register) ProposeBankMatches(ctx context.Context, window int) (BankProposal, error) {
	found, err := ProposeMatches(b.reader.Query(ctx), window)
	if err != nil {
		return found, fmt.Errorf("match payouts with bank lines: %w", err)
	}
	return found, nil
}

// ProposeMatches is [Register.ProposeBankMatches] inside a write, or outside.
func ProposeMatches(q engine.Query, window int) (found BankProposal, err error) {
	if window < 0 || window > topup.MaxMatchWindow {
		return found, topup.Invalid("window", "must be 0 to %d days", topup.MaxMatchWindow)
	}
	payouts, err := Read(q, migrations.HeldPayoutSQL+` AND o.net <> 0 AND NOT `+matchedPayoutSQL+` ORDER BY o.date, o.id LIMIT ?`, maxOpenPayouts)
	if err != nil || len(payouts) == 0 {
		return found, err
	}
	last, err := calendar.ParseDay(payouts[len(payouts)-1].Date)
	if err != nil {
		return found, err
	}
	lines, err := readBankLines(q, `WHERE b.day >= ? AND b.day <= ? AND NOT `+matchedLineSQL+` ORDER BY b.day, b.id`, payouts[0].Date, last.Add(window).String())
	if err != nil {
		return found, err
	}
	return assembleProposal(payouts, lines, window)
}

// assembleProposal asks the domain, and puts payouts and lines for their keys.
func assembleProposal(payouts []Payout, lines []BankLine, window int) (found BankProposal, err error) {
	expected := make([]topup.ExpectedPayout, len(payouts))
	ofPayout := map[int64]Payout{}
	for i, p := range payouts {
		date, err := calendar.ParseDay(p.Date)
		if err != nil {
			return found, err
		}
		expected[i] = topup.ExpectedPayout{Key: p.Row, ID: p.ID, Bank: p.Bank + " " + p.Currency, Date: dayNumber(date), Net: p.Net}
		ofPayout[p.Row] = p
	}
	booked := make([]topup.BookedLine, len(lines))
	ofLine := map[int64]BankLine{}
	for i, l := range lines {
		booked[i] = topup.BookedLine{
			Key: l.ID, Bank: l.Bank + " " + l.Currency, Day: dayNumber(l.Day), Amount: l.Signed(), Number: l.Number, Reference: l.BankReference, Purpose: l.Purpose,
		}
		ofLine[l.ID] = l
	}
	pick := func(keys []int64) (picked []BankLine) {
		for _, key := range keys {
			picked = append(picked, ofLine[key])
		}
		return picked
	}
	proposal := topup.MatchBank(expected, booked, window)
	for _, m := range proposal.Matches {
		found.Matches = append(found.Matches, BankMatch{ofPayout[m.Payout], ofLine[m.Line], m.Named})
	}
	for _, a := range proposal.Ambiguous {
		found.Ambiguous = append(found.Ambiguous, BankAmbiguity{ofPayout[a.Payout], pick(a.Lines)})
	}
	for _, g := range proposal.Groups {
		group := BankGroup{Lines: pick(g.Lines)}
		for _, key := range g.Payouts {
			group.Payouts = append(group.Payouts, ofPayout[key])
		}
		found.Groups = append(found.Groups, group)
	}
	for _, key := range proposal.Open {
		found.Open = append(found.Open, ofPayout[key])
	}
	return found, nil
}

// dayNumber counts days.
func dayNumber(d calendar.Day) int {
	return int(d.Start(time.UTC).Unix() / int64((24 * time.Hour).Seconds()))
}

// BankLineTaken says what of the bank line that a reversed payout was matched with
// another payout has now, empty for nothing.
func BankLineTaken(q engine.Query, p *Payout) (string, error) {
	others, err := Read(q, migrations.HeldPayoutSQL+` AND o.id <> ? AND o.id IN (
		SELECT k.payout FROM bank_matches m JOIN bank_matches k ON k.line = m.line WHERE m.payout = ?) ORDER BY o.id LIMIT 1`, p.Row, p.Row)
	if err != nil || len(others) == 0 {
		return "", err
	}
	return fmt.Sprintf("its bank line is that of payout %s", others[0].ID), nil
}
