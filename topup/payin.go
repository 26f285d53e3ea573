package topup

import "time"

// PayinState is where a pay-in is with its provider. It is stored with it.
type PayinState string

const (
	PayinCreating PayinState = "creating" // the request to create it is under way
	PayinOpen     PayinState = "open"     // the provider has it
	PayinRefused  PayinState = "refused"  // the provider does not have it
	PayinUnknown  PayinState = "unknown"  // one of the two: the request brought no answer
	PayinDone     PayinState = "done"     // its payment has its result
)

// payinGrace is how old a pay-in must be before it is believed that the provider
// never got the request to create it. Nobody can have paid: the form's URL
// would have been in the answer; and money that comes all the same credits.
const payinGrace = time.Minute

// Payin is a payment that we opened at a provider, as far as it is decided on.
//
// The database's triggers keep it in line with its payment: a result ends it,
// unless that is an error, which is not final; a dispute opens it again.
type Payin struct {
	Payment      *Payment
	State        PayinState
	Polled       bool      // the provider is polled about it
	NextPollAt   time.Time // when; zero: at once
	Polls        int       // how often it was
	LifetimeEnds time.Time // until then the customer can pay
	CreatedAt    time.Time
}

// ProviderText is what a payment shows of a provider's answer, for people to read.
type ProviderText struct{ Status, Code, Message string }

// PayinDecision is what is to be done about a pay-in.
type PayinDecision struct {
	// Status is the payment's status from now on, Flags are added to its flags,
	// Cleared are taken away.
	Status         Status
	Flags, Cleared Flags
	Shown          *ProviderText // nil: the payment shows what it did
	// State and NextPollAt are where the pay-in is from now on, and when the
	// provider is polled about it, zero: never. An empty State leaves both to the
	// payment's status.
	State      PayinState
	NextPollAt time.Time
}

// Apply brings the payment in line with the decision.
func (d PayinDecision) Apply(p *Payment) {
	p.Status = d.Status
	p.Flags = p.Flags&^d.Cleared | d.Flags
	if d.Shown != nil {
		p.ProviderStatus, p.ProviderCode, p.ProviderMessage = d.Shown.Status, d.Shown.Code, d.Shown.Message
	}
}

// DecidePayinCreated: the provider has the pay-in, and answered with a status
// value. What an alert has said meanwhile stays.
func DecidePayinCreated(y Payin, status string, nextPollAt time.Time) PayinDecision {
	p := y.Payment
	d := PayinDecision{Status: p.Status, Cleared: FlagOutcomeUnknown}
	if y.State == PayinRefused && p.Status == StatusDeclined {
		d.Status = StatusPending // it had been given up, too early
	}
	if p.ProviderStatus == "" {
		d.Shown = &ProviderText{Status: status, Code: p.ProviderCode, Message: p.ProviderMessage}
	}
	return y.polled(d, PayinOpen, nextPollAt)
}

// DecidePayinRefused: the provider does not have the pay-in. Its payment is
// declined, so that nobody waits for it, nor looks at it for its age. An alert
// knows better. Nobody polls about it, whatever status it was refused with.
func DecidePayinRefused(y Payin, said ProviderText) PayinDecision {
	p := y.Payment
	d := PayinDecision{Status: p.Status, Cleared: FlagOutcomeUnknown}
	if p.Status == StatusPending || (p.Status == StatusReview && p.NothingOpen()) {
		d.Status, d.Shown, d.State = StatusDeclined, &said, PayinRefused
	}
	return d
}

// DecidePayinUnknown: nobody knows whether the provider has the pay-in, unless
// an alert has told meanwhile.
func DecidePayinUnknown(y Payin, nextPollAt time.Time) PayinDecision {
	p := y.Payment
	d := PayinDecision{Status: p.Status}
	if p.Status != StatusPending || p.ProviderStatus != "" {
		return y.polled(d, PayinOpen, nextPollAt)
	}
	d.Flags = FlagOutcomeUnknown
	return y.polled(d, PayinUnknown, nextPollAt)
}

// DecidePayinPolled: the provider was polled about the pay-in. When it knows it,
// the outcome of the request is not unknown any more, whatever its status. What
// its answer says of the money is for [Decide].
func DecidePayinPolled(y Payin, known bool, nextPollAt time.Time) PayinDecision {
	d := PayinDecision{Status: y.Payment.Status}
	if !known {
		return y.polled(d, y.State, nextPollAt)
	}
	d.Cleared = FlagOutcomeUnknown
	return y.polled(d, PayinOpen, nextPollAt)
}

// DecidePayinOverdue: the pay-in stays open for too long, and a person must look.
// Money that comes later still credits, and a no of the provider ends the review.
func DecidePayinOverdue(y Payin) PayinDecision {
	d := PayinDecision{Status: y.Payment.Status}
	if d.Status == StatusPending {
		d.Status = StatusReview
	}
	return d
}

// polled adds where the pay-in is. One whose payment is not pending stays done,
// and is not polled about, unless it ended with an error, which is not final:
// then it is polled about still. A zero time ends that.
func (y Payin) polled(d PayinDecision, state PayinState, nextPollAt time.Time) PayinDecision {
	d.State, d.NextPollAt = state, nextPollAt
	if d.Status != StatusPending && (!y.Polled || nextPollAt.IsZero()) {
		d.State, d.NextPollAt = PayinDone, time.Time{}
	}
	return d
}

// FirstPollAt is when the provider is polled first about a pay-in that it has:
// when the customer's time is over, or the pay-in overdue; at once when the
// provider gave no form to pay with.
func (y Payin) FirstPollAt(now time.Time, maxAge time.Duration, hasForm bool) time.Time {
	if !hasForm {
		return now
	}
	if overdue := y.CreatedAt.Add(maxAge); overdue.Before(y.LifetimeEnds) {
		return overdue
	}
	return y.LifetimeEnds
}

// PollAgainAt is when the provider is polled again after a poll that brought no
// result, zero: never.
func (y Payin) PollAgainAt(now time.Time, backoff, maxAge time.Duration, known bool) time.Time {
	next := now.Add(backoff)
	if known && y.LifetimeEnds.After(next) {
		next = y.LifetimeEnds // before the customer's time is over, nothing need be asked
	}
	switch overdue := y.CreatedAt.Add(maxAge); {
	case overdue.After(now) && overdue.Before(next):
		return overdue
	case !overdue.After(now) && y.Payment.Status == StatusDeclined:
		return time.Time{} // the error stays what it is, and nobody need look
	}
	return next
}

// Overdue reports whether the pay-in stays open for too long.
func (y Payin) Overdue(now time.Time, maxAge time.Duration) bool {
	return y.Payment.Status == StatusPending && now.Sub(y.CreatedAt) >= maxAge
}

// RequestUnderWay reports whether the request to create the pay-in may still be
// on its way: the provider may not have it yet.
func (y Payin) RequestUnderWay(now time.Time) bool {
	return y.State == PayinCreating && now.Before(y.NextPollAt)
}

// Unconfirmed reports whether the request to create the pay-in has brought no
// answer so far.
func (y Payin) Unconfirmed() bool { return y.State == PayinUnknown || y.State == PayinCreating }

// NeverCreated reports whether a provider that does not know the pay-in now never
// got the request to create it: that brought no answer then, and the provider
// has had time enough. That it is in review for its age by now changes nothing.
func (y Payin) NeverCreated(now time.Time) bool {
	unproven := y.State == PayinCreating || y.Payment.Flags.Has(FlagOutcomeUnknown)
	return unproven && y.Payment.ProviderStatus == "" && now.Sub(y.CreatedAt) >= payinGrace
}

// DecideSteer refuses to confirm or cancel a payment that has its result.
func DecideSteer(p *Payment, op string) error {
	if p.Status != StatusPending {
		return Conflict("the payment is %s: there is nothing to %s", p.Status, op)
	}
	return nil
}

// RepeatsDecline reports whether a declined payment is declined still, in the same
// words. After an error, which is not final, that is reported again and again.
func (p *Payment) RepeatsDecline(e Event) bool {
	return p.Status == StatusDeclined && e.Outcome == OutcomeDeclined && e.Status == p.ProviderStatus && e.Reference == p.ID
}

// AwaitsResult reports whether nobody has said so far that the payment has a
// result: one that is learned by asking is flagged then.
func (p *Payment) AwaitsResult() bool {
	return p.Status == StatusPending && !p.Flags.Has(FlagOutcomeUnknown)
}
