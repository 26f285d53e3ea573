package topup

// State is what an event meets.
type State struct {
	// Repeat is true when an equal message is stored already.
	Repeat bool
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
	Sum       Money
	Initial   Money
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
	if s.Payment != nil && !s.Repeat {
		d.Settled = s.Payment.Flags & FlagOutcomeUnknown
	}
	return d
}

func decide(s State, e Event) Decision {
	switch {
	case s.Repeat:
		return decided(s, DispositionRepeat)
	case e.Outcome == OutcomePaid && !e.Complete:
		return decideUnreadable(s)
	case e.Outcome != OutcomePaid:
		return decideStatus(s, e)
	case s.Posted != nil:
		return decidePosted(s, e)
	case s.Payment == nil || !s.Payment.Issued():
		return decideUnknown(s, e)
	}
	p := s.Payment
	exact := e.Sum == p.Money && e.Initial == p.Money
	switch {
	case awaitsOperation(p.Credit) && (exact || e.credits(p.Money)):
		d := decided(s, DispositionBound)
		if e.Sum != p.Credit.Money {
			d.Flags = FlagAmountDiffers | FlagConflict
		}
		return d
	case p.Credit != nil:
		return suspend(s, FlagSecondOperation)
	case exact || e.credits(p.Money):
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
		if d.Status != StatusSucceeded && (d.Status != StatusReview || s.Payment.NothingOpen()) {
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
	}
	return d
}

// decidePosted: the operation has had its effect, and never has another. When
// it now tells another story, the payment that it names is flagged.
func decidePosted(s State, e Event) Decision {
	d := decided(s, DispositionPosted)
	same := s.Posted.Reference == e.Reference && s.Posted.Sum == e.Sum && s.Posted.Initial == e.Initial
	if s.Payment != nil && !same {
		d.Flags = FlagConflict
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
	if p.Credit != nil || p.Status == StatusSucceeded {
		return p.Status
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
