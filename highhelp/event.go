package highhelp

import (
	"cmp"
	"errors"
	"strconv"
	"time"
	"unicode/utf8"

	"tolem/topup"
)

const typePayin = "payin" // payment_info.type of what tops up an account

// Report is the status of a payment as HighHelp reports it, in an alert or in an
// answer to info. What is absent or cannot be read is empty.
type Report struct {
	ProjectID   string // the project under whose key it was reported
	PaymentID   string
	Status      string // empty: the message cannot be read at all
	SubStatus   string
	Description string
	Amount      int64 // received, in minor units
	Currency    string
	Method      string
	Type        string
	At          time.Time // when it became so
	MaybeCut    bool      // it may have been signed as another alert, cut elsewhere
}

// ReportOf is the report in an answer to info. The answer carries no time of its
// own: the time at which it was read is taken.
func ReportOf(projectID string, i Info, read time.Time) Report {
	return Report{
		ProjectID: projectID, PaymentID: i.PaymentID, Status: i.Status, SubStatus: i.SubStatus, Description: i.StatusDescription,
		Amount: i.Payment.Amount, Currency: i.Payment.Currency, Method: cmp.Or(i.Payment.WidgetMethod, i.Payment.Method), Type: i.Payment.Type, At: read,
	}
}

// Event puts it in neutral terms (HighHelp, "Alerts" and "Payment statuses").
// Only a success moves money, and of one payment only once: the payment's id is
// the operation's too, so that a second success with another sum contradicts
// the first. What was received is credited, up to maxOver times what was asked.
//
// A message without a status is taken as a movement that cannot be read, so
// that an operator deals with it.
func (r Report) Event(source topup.Source, maxOver int64) topup.Event {
	e := topup.Event{
		Provider:     Provider,
		Project:      r.ProjectID,
		Source:       source,
		Amounts:      topup.AmountReceived,
		MaxOver:      min(max(maxOver, 1), topup.MaxOverLimit),
		Outcome:      r.outcome(),
		MaybeCut:     r.MaybeCut,
		ReportsState: true,
		TopUp:        r.Type == "" || r.Type == typePayin,
		Method:       topup.Shown(r.Method),
		Status:       topup.Shown(StatusText(r.Status, r.SubStatus)),
		Message:      topup.Shown(r.Description),
		EffectiveAt:  r.At,
	}
	if len(r.PaymentID) <= topup.MaxIDBytes && utf8.ValidString(r.PaymentID) {
		e.Reference = r.PaymentID
	}
	if e.Outcome == topup.OutcomePaid {
		e.Operation = e.Reference
		e.Sum, e.Complete = r.money()
		e.Initial = e.Sum
		// Money of another type than a pay-in goes the other way.
		e.Complete = e.Complete && r.Status != "" && e.Reference != "" && e.TopUp && !e.MaybeCut
	}
	if source == topup.SourceInfo && e.Outcome == topup.OutcomeDeclined {
		// The answer is the status as it is now: a decline that a dispute had
		// reopened is not a repeat of the first.
		return e
	}
	e.Fingerprint = r.fingerprint(e)
	return e
}

func (r Report) outcome() topup.Outcome {
	switch r.Status {
	case "":
		return topup.OutcomePaid // perhaps: it is not complete
	case StatusDispute:
		return topup.OutcomeDisputed
	}
	return OutcomeOf(r.Status)
}

func (r Report) money() (topup.Money, bool) {
	return topup.MoneyOf(r.Amount, r.Currency)
}

// fingerprint is equal for a message and its repeats: of a success the sum
// counts, of everything else the provider's idempotency key alone. A message
// that names no payment, or cannot be read, is never taken for a repeat.
func (r Report) fingerprint(e topup.Event) []byte {
	parts := []string{e.Provider, e.Project, e.Reference, r.Status, r.SubStatus}
	switch {
	case e.Reference == "":
		return nil
	case e.Outcome != topup.OutcomePaid:
	case !e.Complete:
		return nil
	default:
		parts = []string{e.Provider, e.Project, e.Reference, StatusSuccess, strconv.FormatInt(e.Sum.Amount, 10), e.Sum.Currency}
	}
	var f topup.Fingerprint
	for _, part := range parts {
		f.AddText(part)
	}
	return f.Sum()
}

// What became of a call, in few words that never change: they are label values
// of the metrics.
const (
	CallOK      = "ok"
	CallRefused = "refused"  // it had no effect, the provider says
	CallUnsent  = "not_sent" // it had no effect: nothing left
	CallUnknown = "unknown"  // it may have had its effect
)

// CallOutcomes lists them.
var CallOutcomes = []string{CallOK, CallRefused, CallUnsent, CallUnknown}

// CallOutcome says what became of a call that returned err.
func CallOutcome(err error) string {
	var failed *Error
	switch {
	case err == nil:
		return CallOK
	case !errors.As(err, &failed) || failed.Unknown:
		return CallUnknown
	case failed.HTTPStatus == 0:
		return CallUnsent
	}
	return CallRefused
}
