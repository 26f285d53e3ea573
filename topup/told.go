package topup

import "strconv"

// Told says what of a message somebody must deal with. It is stored while that
// is open.
type Told string

const (
	ToldUnreadable Told = "unreadable" // a movement that could not be read
	ToldRefund     Told = "refund"     // the platform gave money back
	ToldReversal   Told = "reversal"   // the platform took money back
	ToldConflict   Told = "conflict"   // its operation, or its payment's success, had posted with another sum or for another payment
)

// ToldBy is what a message leaves open, empty for nothing.
func ToldBy(e Event, d Decision) Told {
	switch {
	case d.Disposition == DispositionUnreadable:
		return ToldUnreadable
	case d.Disposition == DispositionNoted && d.Flags.Has(FlagRefund):
		return ToldRefund
	case d.Disposition == DispositionNoted && d.Flags.Has(FlagReversal):
		return ToldReversal
	case d.Disposition == DispositionPosted && d.Contradicts:
		return ToldConflict
	}
	return ""
}

// ToldBack is what a message says of money that went back, whether or not anybody
// must deal with it; empty for nothing.
func ToldBack(e Event) Told {
	switch e.Outcome {
	case OutcomeRefunded:
		return ToldRefund
	case OutcomeReversed:
		return ToldReversal
	}
	return ""
}

// Flag is the flag of the payment that says the same; 0 for none.
func (t Told) Flag() Flags {
	switch t {
	case ToldRefund:
		return FlagRefund
	case ToldReversal:
		return FlagReversal
	}
	return 0
}

// SuspendRequest asks for money that a stored message tells of to be put into
// suspense. Its members are needed where the message cannot be read: operation
// (JetPay) or reference (HighHelp), and the sum. Elsewhere they are empty, or say
// the same; a smaller amount takes a part.
type SuspendRequest struct {
	Operation, Reference string
	Amount               int64
	Currency             string
}

// SuspendState is what suspending a message depends on.
type SuspendState struct {
	// Message is its number, Disposition what became of it.
	Message     int64
	Disposition Disposition
	// Suspended is set while an operator's suspense posting of it stands.
	Suspended bool
	// Book is that of the payment that the message names, its Payment nil when
	// there is none.
	Book Book
	// Posted is what its operation did before, nil for nothing.
	Posted *PostedOperation
}

// SuspendStep is a [Step] whose operation counts as posted by it.
type SuspendStep struct {
	Step
	Reference string // under which the platform names the payment
	Sum       Money  // what the message tells of
	Flags     Flags  // for the payment
	Open      bool   // a payment of our own is opened for it
}

// Requested adds to an event what an operator read of a message that could not be
// read otherwise. The members of the request that the event has are checked
// against it by [DecideSuspend].
func (r SuspendRequest) Requested(e Event) Event {
	if e.ReportsState {
		if e.Reference == "" {
			e.Reference = r.Reference
		}
		e.Operation = e.Reference
		return e
	}
	if e.Operation == "" {
		e.Operation = r.Operation
	}
	if e.Reference == "" && e.Operation != "" {
		e.Reference = UnnamedReference(e.Operation)
	}
	return e
}

// DecideSuspend puts money into suspense that a stored, signed message tells of
// and that never posted. e is the message as it is read now, with what the
// operator has added ([SuspendRequest.Requested]).
func DecideSuspend(r SuspendRequest, e Event, s SuspendState) (SuspendStep, error) {
	var none SuspendStep
	switch {
	case s.Disposition == DispositionRepeat:
		return none, Conflict("this message repeats an earlier one: suspend that one")
	case s.Disposition == DispositionCredited || s.Disposition == DispositionSuspended:
		return none, Conflict("the money of this message has posted: it was %s when it came", s.Disposition)
	case s.Suspended:
		return none, Conflict("an operator has put the money of this message into suspense already")
	case e.MaybeCut:
		return none, Conflict("this message may be cut from other signed text, so that nothing of it is believed: ask the platform, then use payments record")
	case e.Outcome != OutcomePaid:
		return none, Conflict("this message tells of no money that was paid: if the platform confirms the payment, use payments credit or payments record")
	}
	if err := r.agrees(e); err != nil {
		return none, err
	}
	if e.Operation == "" || e.Reference == "" {
		if e.ReportsState {
			return none, Invalid("reference", "must be given: it cannot be read in this message")
		}
		return none, Invalid("operation", "must be given: it cannot be read in this message")
	}
	sum, err := r.sum(e)
	if err != nil {
		return none, err
	}
	if c := s.Book.ahead(); c != nil && c.Money == sum && !e.ReportsState {
		return none, Conflict("an operator has credited this payment ahead of its message: dismiss the message, or, if its money is another, reverse that credit first")
	}
	step := SuspendStep{Step: Step{Operation: e.Operation}, Reference: e.Reference, Sum: sum, Open: s.Book.Payment == nil}
	money := sum
	switch {
	case e.ReportsState:
		posted := s.Book.posted(sum.Currency)
		if money.Amount -= posted; money.Amount <= 0 {
			return none, Conflict("the payment's successes have posted %s already, which is all that this message tells of", Money{posted, sum.Currency})
		}
		if s.Posted != nil {
			step.Operation = e.Operation + "#" + strconv.FormatInt(s.Message, 10)
		}
	case s.Posted != nil && s.Posted.ByOperator:
		return none, Conflict("operation %s was entered by an operator: reverse that step first", e.Operation)
	case s.Posted != nil:
		return none, Conflict("operation %s has posted already", e.Operation)
	}
	if r.Amount > 0 {
		if r.Amount > money.Amount {
			return none, Invalid("amount", "must be at most %d %s, which is what is left of what this message tells of", money.Amount, money.Currency)
		}
		money.Amount = r.Amount
	}
	if step.Open {
		step.Flags = FlagUnknownPayment
	}
	step.Kind, step.Earliest = KindSuspense, e.EffectiveAt
	step.Postings = Transfer(SettlementAccount(e.Provider, e.Project), SuspenseAccount(e.Provider, e.Project), money)
	return step, nil
}

// agrees refuses a request that contradicts what the message has.
func (r SuspendRequest) agrees(e Event) error {
	switch {
	case e.ReportsState && r.Operation != "":
		return Invalid("operation", "must not be given: this provider names payments, use the reference")
	case !e.ReportsState && r.Reference != "":
		return Invalid("reference", "must not be given: use the operation")
	case r.Operation != "" && !validOperation(r.Operation):
		return errOperation()
	case !validReference(r.Reference):
		return Invalid("reference", "must be at most %d bytes of text without control characters", MaxIDBytes)
	case r.Operation != "" && r.Operation != e.Operation:
		return Invalid("operation", "is another in this message")
	case r.Reference != "" && r.Reference != e.Reference:
		return Invalid("reference", "is another in this message")
	case r.Currency != "" && e.Sum.Amount > 0 && r.Currency != e.Sum.Currency:
		return Invalid("currency", "is %s in this message", e.Sum.Currency)
	}
	return nil
}

// sum is what the message tells of, or what the operator read of it.
func (r SuspendRequest) sum(e Event) (Money, error) {
	switch {
	case e.Sum.Amount > 0:
		return e.Sum, nil
	case r.Amount < 1 || r.Amount > MaxAmount:
		return Money{}, Invalid("amount", "must be given: between 1 and %d minor units, since it cannot be read in this message", MaxAmount)
	case !ValidCurrency(r.Currency):
		return Money{}, Invalid("currency", "must be given, as a code of ISO 4217: it cannot be read in this message")
	}
	return Money{r.Amount, r.Currency}, nil
}

// ahead is the credit that an operator has made ahead of its message, and to
// which no message is bound; nil for none.
func (b Book) ahead() *Credit {
	if b.Payment == nil || !awaitsOperation(b.Payment.Credit) {
		return nil
	}
	return b.Payment.Credit
}

// posted is what the payment's successes have posted in a currency: by messages,
// bound to an operator's credit, or suspended by an operator.
func (b Book) posted(currency string) int64 {
	var sum int64
	for i := range b.Transactions {
		t := &b.Transactions[i]
		_, money := t.receiver()
		switch {
		case money.Currency != currency:
		case t.ByProvider() && t.Kind.rule().ByMessage:
			sum += money.Amount
		case b.undone(t):
		case t.Kind == KindSuspense:
			sum += money.Amount
		case t.Kind == KindManualCredit && b.Payment.Credit != nil && b.Payment.Credit.TransactionID == t.ID && b.Payment.Credit.Operation != "":
			sum += money.Amount
		}
	}
	return sum
}

// DecideDismiss says that what a message told of was dealt with; open is what is
// open about it, empty for nothing. It moves no money.
func DecideDismiss(open Told) error {
	if open == "" {
		return Conflict("nothing about this message is open")
	}
	return nil
}
