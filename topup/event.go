package topup

import "time"

// Outcome is what a provider's message means for a payment, in no provider's
// words. The adapter translates; [Decide] judges.
type Outcome string

const (
	// OutcomePaid: money has moved ("a movement").
	OutcomePaid Outcome = "paid"
	// OutcomeDeclined: the provider says that no money will come.
	OutcomeDeclined Outcome = "declined"
	// OutcomeRefunded: money was given back by the provider.
	OutcomeRefunded Outcome = "refunded"
	// OutcomeReversed: money was taken back by the provider.
	OutcomeReversed Outcome = "reversed"
	// OutcomeOpen: nothing final: processing, awaiting, or a word that we do
	// not know.
	OutcomeOpen Outcome = "open"
)

// Event is one verified message of a provider, in neutral terms.
type Event struct {
	Provider string
	Project  string // the project under whose key the message was signed

	// Reference is the payment's id as the platform names it; empty when the
	// message names none that can be read.
	Reference string
	// Operation is the platform's id of the movement of money; empty when it
	// cannot be read.
	Operation string
	Outcome   Outcome
	// Sum is what the platform says was paid, Initial what it was asked to
	// collect. Zero when they cannot be read.
	Sum     Money
	Initial Money
	// Complete is false when a member that the judgement needs cannot be read.
	Complete bool
	// TopUp reports whether the payment's method is one by which accounts are
	// topped up; money of other methods under the same project is not ours.
	TopUp bool
	// Fingerprint is equal for two messages exactly when one repeats the
	// other; empty when the message cannot be a repeat.
	Fingerprint []byte

	// What the payment shows of it.
	Method      string
	Status      string
	Code        string
	Message     string
	ReceiptID   string
	EffectiveAt time.Time // the provider's date of the movement; zero when unreadable
}
