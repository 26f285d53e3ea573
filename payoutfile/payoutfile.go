// Package payoutfile reads settlement registers: files in which a platform lists
// what a payout consists of. How a line is read is the map's matter (package
// reportfile); this package groups the lines into payouts, and adds them up.
package payoutfile

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"tolem/calendar"
	"tolem/reportfile"
	"tolem/topup"
)

// MaxLines bounds the lines of a register.
const MaxLines = 300_000

// Options say what a register does not.
type Options struct {
	Provider, Project string
	Bank              topup.BankAccountOf
	Zone              *time.Location // of the books, in which a payout has its day
	ID                string         // of the one payout of a register that has no column for it
	Date              calendar.Day   // of all payouts; the zero Day: the last day of their lines
	// Signed: amounts are what they change in the balance, so that refunds, fees,
	// reserve and adjustments are negative. Otherwise they are what was taken.
	Signed bool
}

// Payout is a payout with its lines in the order of the register.
type Payout struct {
	topup.Payout
	Lines []topup.PayoutLine
}

// Register is what was read.
type Register struct {
	Payouts    []Payout // in the order of their first lines
	Ignored    int      // lines that are no part of a payout: by the map, or declined
	Duplicates int      // lines that occur again with the same content, each counted once
}

// reading is a register while it is read.
type reading struct {
	o       Options
	m       *reportfile.Map
	bad     reportfile.LineErrors
	report  Register
	at      map[string]int // place of a payout in report.Payouts
	keys    map[string]topup.PayoutLine
	stated  map[string]stated // what lines of type payout say
	lastDay map[string]calendar.Day
}

// stated is the net that a line of the register says was paid, of either sign:
// some have it as what arrives, others as what leaves the balance.
type stated struct {
	line int
	net  int64
}

// Read reads a whole register. The error is a [*reportfile.LineErrors] that names
// every bad line, or says why nothing can be read.
func Read(ctx context.Context, rows *reportfile.Rows, m *reportfile.Map, o Options) (Register, error) {
	switch {
	case o.ID == "" && !m.Has("payout"):
		return Register{}, errors.New("the map names no column payout, and so no line says to which payout it belongs: name the column, or give the id of the one payout")
	case o.ID != "" && m.Has("payout"):
		return Register{}, errors.New("the map names a column payout: leave the id of the payout out")
	}
	r := &reading{o: o, m: m, at: map[string]int{}, keys: map[string]topup.PayoutLine{}, stated: map[string]stated{}, lastDay: map[string]calendar.Day{}}
	for n := 0; ; n++ {
		if n%256 == 0 && ctx.Err() != nil {
			return Register{}, ctx.Err()
		}
		row, err := rows.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if n == MaxLines {
			return Register{}, fmt.Errorf("the register has more than %d lines: split it", MaxLines)
		}
		unreadable := (*reportfile.LineError)(nil)
		switch {
		case err == nil:
			if err := r.take(row); err != nil {
				r.bad.Add(&reportfile.LineError{Line: row.Line, Unit: "line", Err: err})
			}
		case errors.As(err, &unreadable):
			r.bad.Add(unreadable)
		default:
			return Register{}, errors.Join(r.bad.Err(), err)
		}
	}
	if err := r.bad.Err(); err != nil {
		return Register{}, err
	}
	return r.finish()
}

// take takes a line. A line that repeats another one changes nothing.
func (r *reading) take(row *reportfile.Row) error {
	switch {
	case row.Type == "":
		return fmt.Errorf("its type %q is not in the map: list it under types, as %s if it is no part of a payout", row.TypeText, reportfile.Ignore)
	case row.Type == reportfile.Ignore:
		r.report.Ignored++
		return nil
	case row.Status == "":
		return fmt.Errorf("its status %q is not in the map: list it under statuses", row.StatusText)
	case row.Status != reportfile.Paid:
		r.report.Ignored++
		return nil
	case row.Refunded.Given && row.Refunded.Amount != 0:
		return errors.New("it has a refunded sum beside its own: a register lists refunds as lines; take the column refunded out of the map")
	}
	if row.Currency != r.o.Bank.Currency {
		return fmt.Errorf("its currency is %s, and that of the bank account %s is %s", row.Currency, r.o.Bank.Name, r.o.Bank.Currency)
	}
	id := r.o.ID
	if id == "" {
		id = row.Payout
	}
	if id == "" {
		return errors.New("it names no payout")
	}
	if row.Type == reportfile.Payout {
		return r.takeStated(id, row)
	}
	l, err := r.line(row)
	if err != nil {
		return err
	}
	if key := l.Key(); key != "" {
		if first, twice := r.keys[key]; twice {
			if !first.Same(l) {
				return fmt.Errorf("%s is in line %d too, with other content: %s", l, first.Line, strings.Join(first.Differences(l, row.Currency), "; "))
			}
			r.report.Duplicates++
			return nil
		}
		r.keys[key] = l
	}
	p := r.payout(id, row.Currency)
	figures, err := l.Figures()
	if err == nil {
		p.PayoutFigures, err = p.Plus(figures)
	}
	if err != nil {
		return err
	}
	p.Lines = append(p.Lines, l)
	r.seen(id, row)
	return nil
}

func (r *reading) payout(id, currency string) *Payout {
	i, known := r.at[id]
	if !known {
		i = len(r.report.Payouts)
		r.at[id] = i
		r.report.Payouts = append(r.report.Payouts, Payout{Payout: topup.Payout{
			ID: id, Provider: r.o.Provider, Project: r.o.Project, Bank: r.o.Bank.Name, Currency: currency, State: topup.PayoutDraft,
		}})
	}
	return &r.report.Payouts[i]
}

// seen keeps the last day of a payout's lines.
func (r *reading) seen(id string, row *reportfile.Row) {
	day := row.Date
	if !row.Time.IsZero() && r.m.Has("time") {
		day = calendar.DayOf(row.Time, r.o.Zone)
	}
	if day.After(r.lastDay[id]) {
		r.lastDay[id] = day
	}
}

// takeStated keeps what a line says was paid, for the control of the sums.
func (r *reading) takeStated(id string, row *reportfile.Row) error {
	if first, twice := r.stated[id]; twice {
		return fmt.Errorf("it says what payout %s paid, which line %d does too", id, first.line)
	}
	r.stated[id] = stated{row.Line, row.Amount}
	r.seen(id, row)
	return nil
}

// line is a row as a line of a payout.
func (r *reading) line(row *reportfile.Row) (topup.PayoutLine, error) {
	l := topup.PayoutLine{
		Line: row.Line, Type: topup.PayoutLineType(row.Type), Payment: row.Payment, Operation: row.Operation, Amount: row.Amount,
		Fee: row.Fee.Amount, Reserve: row.Reserve.Amount, Adjustment: row.Adjustment.Amount, At: row.Time,
	}
	if r.o.Signed && l.Type != topup.LinePayment && l.Type != topup.LineRefundReversal {
		l.Amount = -l.Amount
	}
	if l.Amount < 0 && slices.Contains([]topup.PayoutLineType{topup.LineRefund, topup.LineChargeback}, l.Type) {
		if r.o.Signed {
			return l, fmt.Errorf("its amount is positive, and amounts are signed: that of a %s must be negative", l.Type)
		}
		return l, fmt.Errorf("its amount is negative: if the register's amounts are what they change in the balance, import it with --signed")
	}
	if err := l.Check(); err != nil {
		return l, err
	}
	if figures, err := l.Figures(); err != nil || (row.Net.Given && row.Net.Amount != figures.Net) {
		if err == nil {
			err = fmt.Errorf("its net is %s, and its amount less fee, reserve and adjustment is %s",
				topup.Money{Amount: row.Net.Amount, Currency: row.Currency}, topup.Money{Amount: figures.Net, Currency: row.Currency})
		}
		return l, err
	}
	return l, nil
}

// finish gives the payouts their days, and compares them with what the register
// says was paid.
func (r *reading) finish() (Register, error) {
	var problems []error
	for i := range r.report.Payouts {
		p := &r.report.Payouts[i]
		day := r.o.Date
		if day.IsZero() {
			day = r.lastDay[p.ID]
		}
		if day.IsZero() {
			problems = append(problems, fmt.Errorf("payout %s: no line of it has a time: give the day of the payout", p.ID))
			continue
		}
		p.Date = day.String()
		if s, said := r.stated[p.ID]; said && s.net != p.Net && s.net != -p.Net {
			problems = append(problems, fmt.Errorf("payout %s: line %d says that %s was paid, and its lines add up to %s",
				p.ID, s.line, topup.Money{Amount: s.net, Currency: p.Currency}, topup.Money{Amount: p.Net, Currency: p.Currency}))
		}
	}
	for id, s := range r.stated {
		if _, known := r.at[id]; !known {
			problems = append(problems, fmt.Errorf("payout %s: line %d says what was paid, and no other line belongs to it: use payouts add", id, s.line))
		}
	}
	if len(r.report.Payouts) == 0 && len(problems) == 0 {
		problems = append(problems, errors.New("the register has no line of a payout"))
	}
	return r.report, errors.Join(problems...)
}
