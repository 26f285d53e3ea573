package store

import (
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"tolem/topup"
)

// MaxReported bounds the credits of one step: on PostgreSQL a transaction has no
// more places in the feed.
const MaxReported = MaxAssignments

// ApplyReportStep credits payments that a platform's report calls paid; the rules
// are those of [topup.DecideReported]. All or nothing, but of an approved proposal
// what can still be credited: see [Store.Approve]. Each credit counts at the
// report's time, or, where that is in a closed period, at the first instant that is
// open, and the line of the report is in its reason.
//
// Errors: KindNotFound for a payment that does not exist, KindConflict for one that
// may not be credited.
type ApplyReportStep struct {
	Provider string                 `json:"provider"`
	Project  string                 `json:"project"`
	List     []topup.ReportedCredit `json:"list"`

	// leftOut, if not nil, gets the refusals of payments that cannot be credited,
	// and the others are credited.
	leftOut *[]error
}

// asFarAsPossible is the step for an approval: since it was proposed, callbacks may
// have credited some of the payments.
func (s ApplyReportStep) asFarAsPossible() ApplyReportStep {
	s.leftOut = new([]error)
	return s
}

// sorted is the list in the order of the payments' ids: who locks several payments
// does so in that order.
func (s ApplyReportStep) sorted() []topup.ReportedCredit {
	return slices.SortedFunc(slices.Values(s.List), func(a, b topup.ReportedCredit) int { return strings.Compare(a.PaymentID, b.PaymentID) })
}

func (s ApplyReportStep) sums() (sums []topup.Money) {
	for _, credit := range s.List {
		i := slices.IndexFunc(sums, func(m topup.Money) bool { return m.Currency == credit.Currency })
		if i < 0 {
			i, sums = len(sums), append(sums, topup.Money{Currency: credit.Currency})
		}
		sums[i].Amount += credit.Amount
	}
	return sums
}

// Action is that of a credit.
func (ApplyReportStep) Action() Action { return ActionCredit }
func (ApplyReportStep) kind() string   { return "apply_report" }

// Object says how many payments are credited, and with how much in all.
func (s ApplyReportStep) Object() string {
	text := fmt.Sprintf("%d payments of a report", len(s.List))
	for _, sum := range s.sums() {
		text += ", " + sum.String()
	}
	return text
}
func (s ApplyReportStep) describe() string { return "credit " + s.Object() }

func (s ApplyReportStep) run(r stepRun) ([]posted, error) {
	if len(s.List) == 0 || len(s.List) > MaxReported {
		return nil, topup.Invalid("list", "must have 1 to %d payments", MaxReported)
	}
	var made []posted
	var refusals []error
	for _, credit := range s.sorted() {
		p, err := r.creditReported(s, credit)
		switch {
		case err == nil:
			made = append(made, p)
		case isRefusal(err):
			refusals = append(refusals, err)
		default:
			return nil, err
		}
	}
	if s.leftOut != nil {
		*s.leftOut = refusals
		return made, nil
	}
	return made, errors.Join(refusals...)
}

func (r stepRun) creditReported(s ApplyReportStep, credit topup.ReportedCredit) (posted, error) {
	book, err := r.book(credit.PaymentID)
	if err != nil {
		return posted{}, err
	}
	book.Payment.ExpireInTime(r.now())
	var seq int64
	err = r.raw(`SELECT o.seq FROM operations o WHERE o.operation = ? AND o.provider = ? AND o.project = ?`, credit.Operation, s.Provider, s.Project).Row().Scan(&seq)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return posted{}, fmt.Errorf("look for the operation: %w", err)
	}
	step, err := topup.DecideReported(book, s.Provider, s.Project, credit, err == nil)
	if err != nil {
		return posted{}, err
	}
	by, err := r.byReport(credit)
	if err != nil {
		return posted{}, err
	}
	p := book.Payment
	if !credit.At.IsZero() {
		p.ProviderTime = credit.At
	}
	made, err := r.carryOut(book, step, by)
	if err != nil {
		return posted{}, err
	}
	err = r.claim(claim{
		operation: credit.Operation, provider: s.Provider, project: s.Project, seq: made.seq, reference: p.ID,
		sum: p.Money, initial: p.Money, entered: true,
	})
	if err != nil {
		return posted{}, err
	}
	// The operation was recorded by an operator, as with payments record.
	return made, r.noteStep(stepNote{action: stepRecord, payment: p.ID, seq: made.seq, operation: credit.Operation}, by)
}

// byReport is who applies the report, as of the line's time and with its place in
// the reason.
func (r stepRun) byReport(credit topup.ReportedCredit) (By, error) {
	by := r.by
	by.Reason += "; " + credit.Source
	if err := by.check(); err != nil {
		return by, err
	}
	closed, err := r.closedPeriod()
	if err != nil {
		return by, err
	}
	now := r.now()
	at := topup.DateOfEvent(topup.Event{EffectiveAt: credit.At}, now, closed.Until)
	if at.Before(now) {
		by.Effective = Day{Start: at, End: at.Add(time.Microsecond)}
	}
	return by, nil
}
