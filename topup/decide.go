package topup

// State is what an event meets.
type State struct {
	// Repeat is true when an equal message is stored already, and was not foreign.
	Repeat bool
	// RepeatsForeign is true when the equal messages that are stored were foreign.
	// That was judged by the settings of then.
	RepeatsForeign bool
	// Payment is the payment that the event names, if it was issued to the
	// event's project, or else the one that was opened for earlier money under
	// the same unknown id; nil when there is neither.
	Payment *Payment
	// Posted is what the event's operation did before; nil when it is new.
	Posted *PostedOperation
}

// PostedOperation is a provider's operation that has had its effect.
type PostedOperation struct {
	Reference string
	// Sum is below zero when the operation gave money back to the payer.
	Sum     Money
	Initial Money
	// ByOperator is true when an operator entered the operation, so that what the
	// provider says of it may differ.
	ByOperator bool
}

// Disposition says what became of a message. It is stored with it.
type Disposition string

const (
	DispositionRepeat     Disposition = "repeat"     // an equal message was stored before: no effect
	DispositionNoted      Disposition = "noted"      // no posting; status and flags as decided
	DispositionPosted     Disposition = "posted"     // its operation had posted before: no posting
	DispositionCredited   Disposition = "credited"   // credited to the contract
	DispositionSuspended  Disposition = "suspended"  // money put into suspense
	DispositionBound      Disposition = "bound"      // tied to the credit that an operator had made
	DispositionForeign    Disposition = "foreign"    // about something that is not a top-up: no posting
	DispositionUnreadable Disposition = "unreadable" // a movement that cannot be read: no posting
)

// Dispositions lists them.
var Dispositions = []Disposition{
	DispositionRepeat, DispositionNoted, DispositionPosted, DispositionCredited, DispositionSuspended, DispositionBound,
	DispositionForeign, DispositionUnreadable,
}

// Decision is what is to be done about an event.
type Decision struct {
	Disposition Disposition
	// Open asks for a payment of our own id to be opened for the event.
	Open bool
	// Status is the payment's status from now on; empty when no payment is
	// concerned.
	Status Status
	// Flags are added to the payment's, Settled are taken away: what was
	// unknown is known now.
	Flags   Flags
	Settled Flags
	// Contradicts is set when the operation has posted with another sum, or for
	// another payment that we know.
	Contradicts bool
}

// Decide is every rule by which a message moves money (JetPay Gate, "Rules for
// money"; HighHelp, "Alerts"). It is a pure function; the first case that fits
// wins. What it relies on, the store guarantees with unique keys in the same
// transaction: an operation posts at most once, and a payment is credited at
// most once.
//
// A credit is of the event's Sum to the contract that the payment was issued
// for, closed or not; a suspense posting is of the event's Sum.
func Decide(s State, e Event) Decision {
	d := decide(s, e)
	if d.Disposition == DispositionForeign && s.RepeatsForeign {
		d.Disposition = DispositionRepeat
	}
	if s.Payment != nil && ends(e, d.Disposition) {
		d.Settled = s.Payment.Flags & FlagOutcomeUnknown
	}
	return d
}

// ends reports whether the message ends that the outcome of its payment is
// unknown. A provider that says it is under way does not: it may have called the
// payment paid before.
func ends(e Event, d Disposition) bool {
	switch d {
	case DispositionCredited, DispositionSuspended, DispositionBound:
		return true
	case DispositionNoted:
		return e.Outcome == OutcomeDeclined || e.ReportsState
	}
	return e.ReportsState && d != DispositionRepeat
}

func decide(s State, e Event) Decision {
	switch {
	case s.Repeat:
		return decided(s, DispositionRepeat)
	case e.Outcome == OutcomePaid && !e.Complete:
		return decideUnreadable(s)
	case e.PaysBack() && s.Posted != nil && s.Posted.Sum.Amount < 0:
		return decideBooked(s, e)
	case e.Outcome != OutcomePaid:
		return decideStatus(s, e)
	case s.Posted != nil:
		return decidePosted(s, e)
	case s.Payment == nil || !s.Payment.Issued():
		return decideUnknown(s, e)
	case s.Payment.Credit != nil:
		return decideCredited(s, e)
	}
	p := s.Payment
	switch {
	case e.Sum == p.Money && e.Initial == p.Money, e.credits(p.Money):
		d := Decision{Disposition: DispositionCredited, Status: StatusSucceeded}
		if p.Status == StatusDeclined || p.Status == StatusExpired {
			d.Flags |= FlagLate
		}
		if e.Sum != p.Money {
			d.Flags |= FlagAmountDiffers
		}
		return d
	case e.Sum.Currency != p.Money.Currency || e.Initial.Currency != p.Money.Currency:
		return suspend(s, FlagCurrencyDiffers)
	default:
		return suspend(s, FlagAmountDiffers)
	}
}

// decideCredited: a fresh movement of a payment whose one credit is taken, be it
// reversed or recalled by now. It is what an operator had credited ahead of it, or
// money that comes on top.
func decideCredited(s State, e Event) Decision {
	c := s.Payment.Credit
	switch {
	case !awaitsOperation(c):
		return suspend(s, FlagSecondOperation)
	case e.Sum == c.Money && e.Initial == c.Money:
		return decided(s, DispositionBound)
	case e.Amounts != AmountReceived:
		return suspend(s, FlagSecondOperation)
	case e.Sum.Currency != c.Money.Currency:
		return suspend(s, FlagCurrencyDiffers|FlagConflict)
	default:
		// What was received is not what the operator credited: both are kept, and
		// he can reverse his credit and assign what came.
		return suspend(s, FlagAmountDiffers|FlagConflict)
	}
}

// credits reports whether the event's sum may be credited although it is not
// what was asked.
func (e Event) credits(asked Money) bool {
	return e.Amounts == AmountReceived && e.Sum.Currency == asked.Currency && e.Sum.Amount <= asked.Amount*e.MaxOver
}

// awaitsOperation reports whether an operator made the credit ahead of the
// message that now may be bound to it. A credit that was reversed does not:
// binding to it would lose the money.
func awaitsOperation(c *Credit) bool {
	return c != nil && c.ByOperator && c.Operation == "" && !c.Reversed
}

// decideUnreadable: a signed message says that money moved, but not for whom
// or how much. Nobody is credited; somebody must look.
func decideUnreadable(s State) Decision {
	d := decided(s, DispositionUnreadable)
	if s.Payment == nil {
		return d
	}
	d.Flags = FlagUnreadable
	d.Status = reviewUnlessCredited(s.Payment)
	return d
}

// decideStatus is the status table for messages that are not movements.
func decideStatus(s State, e Event) Decision {
	d := decided(s, DispositionNoted)
	if s.Payment == nil {
		if !e.TopUp {
			d.Disposition = DispositionForeign
		}
		return d
	}
	switch e.Outcome {
	case OutcomeDeclined:
		over := e.ReportsState && s.Payment.NothingOpen()
		if d.Status != StatusSucceeded && (d.Status != StatusReview || over) {
			d.Status = StatusDeclined
		}
	case OutcomeDisputed:
		d.Flags = FlagDispute
		if d.Status != StatusSucceeded && d.Status != StatusReview {
			d.Status = StatusPending
		}
	case OutcomeRefunded:
		d.Flags, d.Status = FlagRefund, reviewUnlessCredited(s.Payment)
	case OutcomeReversed:
		d.Flags, d.Status = FlagReversal, reviewUnlessCredited(s.Payment)
	case OutcomePaidStatus:
		// The platform may be set to report payments in a form that is no movement:
		// what it calls paid must not expire in silence.
		if s.Payment.Issued() && s.Payment.Status != StatusSucceeded {
			d.Flags, d.Status = FlagOutcomeUnknown, StatusReview
		}
	}
	return d
}

// decidePosted: the operation has had its effect, and never has another. When
// the message contradicts that, the payment that it names is flagged; and when the
// effect was what an operator had entered, the money of that payment may be what
// was entered elsewhere: somebody must look.
func decidePosted(s State, e Event) Decision {
	d := decided(s, DispositionPosted)
	sums := s.Posted.Sum == e.Sum && s.Posted.Initial == e.Initial
	same := s.Posted.Reference == e.Reference && sums
	d.Contradicts = !sums || (s.Payment != nil && !same)
	if s.Payment != nil && !same {
		d.Flags = FlagConflict
		if s.Posted.ByOperator {
			d.Status = reviewUnlessCredited(s.Payment)
		}
	}
	return d
}

// decideBooked: money went back by an operation that an operator has booked
// already. It is flagged only when it contradicts that.
func decideBooked(s State, e Event) Decision {
	d := decided(s, DispositionPosted)
	back := e.PaidBack()
	sums := back.IsZero() || back.Currency == s.Posted.Sum.Currency && back.Amount == -s.Posted.Sum.Amount
	d.Contradicts = !sums || (s.Payment != nil && s.Posted.Reference != e.Reference)
	if s.Payment != nil && d.Contradicts {
		d.Flags, d.Status = FlagConflict, reviewUnlessCredited(s.Payment)
	}
	return d
}

// decideUnknown: money under an id that was not issued to this project.
func decideUnknown(s State, e Event) Decision {
	if !e.TopUp {
		return decided(s, DispositionForeign)
	}
	d := suspend(s, FlagUnknownPayment)
	d.Open = s.Payment == nil
	return d
}

// suspend keeps the money without crediting it to anybody.
func suspend(s State, flag Flags) Decision {
	d := Decision{Disposition: DispositionSuspended, Status: StatusReview, Flags: flag}
	if s.Payment != nil {
		d.Status = reviewUnlessCredited(s.Payment)
	}
	return d
}

func reviewUnlessCredited(p *Payment) Status {
	if p.Status == StatusSucceeded {
		return StatusSucceeded
	}
	return StatusReview
}

// decided leaves the payment, if there is one, as it is.
func decided(s State, disposition Disposition) Decision {
	d := Decision{Disposition: disposition}
	if s.Payment != nil {
		d.Status = s.Payment.Status
	}
	return d
}
