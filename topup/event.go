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
	// OutcomeRefunded: money was given back by the provider. A refund that was
	// declined, or is under way, has another outcome.
	OutcomeRefunded Outcome = "refunded"
	// OutcomeReversed: money was taken back by the provider. As with a refund, it
	// has happened.
	OutcomeReversed Outcome = "reversed"
	// OutcomeDisputed: the provider cannot yet say; it may still become paid.
	OutcomeDisputed Outcome = "disputed"
	// OutcomePaidStatus: the provider calls the payment paid, in a message that is
	// not a movement ("paid without a movement").
	OutcomePaidStatus Outcome = "paid_status"
	// OutcomeOpen: nothing final: processing, awaiting, or a word that we do
	// not know.
	OutcomeOpen Outcome = "open"
)

// AmountRule says which sums of a provider credit a payment.
type AmountRule string

const (
	// AmountExact: the sum that was asked, and no other (JetPay).
	AmountExact AmountRule = "exact"
	// AmountReceived: what was received is credited, in the currency that was
	// asked, unless it is absurd: above Event.MaxOver times what was asked
	// (HighHelp).
	AmountReceived AmountRule = "received"
)

// MaxOverLimit bounds Event.MaxOver.
const MaxOverLimit = 100_000

// Source says how an event reached us.
type Source string

const (
	SourceCallback Source = "callback" // JetPay posted it
	SourceAlert    Source = "alert"    // HighHelp posted it
	SourceInfo     Source = "info"     // we asked, and read the answer
)

// Event is one verified message of a provider, in neutral terms.
type Event struct {
	Provider string
	Project  string // the project under whose key the message was signed
	Source   Source

	// Reference is the payment's id as the platform names it. What is no id of
	// ours can be none that was issued: it is what can be shown of the value, and
	// never equal to an id that passes CheckID. Empty when there is nothing to
	// show, except that a movement always has one: see UnnamedReference.
	Reference string
	// Operation is the platform's id of the movement of money; empty when it
	// cannot be read.
	Operation string
	Outcome   Outcome
	// Sum is what the platform says was paid, Initial what it was asked to
	// collect; of a refund, what is left and what went back. Zero when they cannot
	// be read. They are filled as far as they can be read whatever the outcome,
	// also where the message is not to be believed: see Complete and MaybeCut.
	Sum     Money
	Initial Money
	// OwnOperation is true of a message that money went back when its operation is
	// itself the refund or reversal, so that Initial is what it gave back.
	OwnOperation bool
	// Amounts says which sums credit; MaxOver bounds AmountReceived and is at
	// most MaxOverLimit, so that its product with an amount fits into 64 bits.
	Amounts AmountRule
	MaxOver int64
	// Complete is false when a member that the judgement needs cannot be read, or
	// MaybeCut is true.
	Complete bool
	// MaybeCut is true when the message may have been cut from other signed text
	// (JetPay Gate, "Signature": the scheme escapes no values). No sum of it is
	// ever booked.
	MaybeCut bool
	// ReportsState is true when the provider reports where the payment as a whole
	// is (HighHelp), not what single operations of it did (JetPay, where a payer
	// may try again under one id and messages arrive in any order). Then any
	// message shows that the provider has the payment, and a decline ends a review
	// in which nothing is left to do.
	ReportsState bool
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

// PaysBack reports whether the message says that money went back to the payer.
func (e *Event) PaysBack() bool { return e.Outcome == OutcomeRefunded || e.Outcome == OutcomeReversed }

// PaidBack is what the message's operation gave back to the payer, the zero Money
// when it does not say, or is not to be believed.
func (e *Event) PaidBack() Money {
	if !e.PaysBack() || !e.OwnOperation || e.MaybeCut || e.Initial.Amount <= 0 {
		return Money{}
	}
	return e.Initial
}
