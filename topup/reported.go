package topup

import "time"

// ReportedCredit is money that a platform's report calls paid, for a payment that
// was issued.
type ReportedCredit struct {
	PaymentID string    `json:"payment_id"`
	Operation string    `json:"operation"`
	Amount    int64     `json:"amount"`
	Currency  string    `json:"currency"`
	At        time.Time `json:"at"` // when the platform had it
	// Source is the line of the report, for the transaction's reason.
	Source string `json:"source"`
}

// DecideReported credits what a report calls paid: a payment that was issued, that
// is pending or expired and not credited, at its own sum and no other, bound to the
// report's operation. posted says that the operation has posted already.
func DecideReported(b Book, provider, project string, r ReportedCredit, posted bool) (Step, error) {
	p := b.Payment
	switch {
	case p.Provider != provider || p.Project != project:
		return Step{}, Conflict("payment %s is of another project", p.ID)
	case !validOperation(r.Operation):
		return Step{}, errOperation()
	case posted:
		return Step{}, Conflict("operation %s has posted already", r.Operation)
	case p.Status != StatusPending && p.Status != StatusExpired:
		return Step{}, Conflict("payment %s is %s: a report credits only what is pending or expired", p.ID, p.Status)
	case p.Money != Money{Amount: r.Amount, Currency: r.Currency}:
		return Step{}, Conflict("payment %s is of %s, the report has %s", p.ID, p.Money, Money{Amount: r.Amount, Currency: r.Currency})
	}
	step, err := DecideCredit(b)
	step.Operation = r.Operation
	return step, err
}
