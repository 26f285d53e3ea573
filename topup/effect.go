package topup

import "time"

// What decisions do to a payment, and to the journal. The store carries it out:
// it posts what [Decision.Step] says and then asks [Decision.Apply] for the
// payment.

// Opened is the payment that a message opens for money under an id that was never
// issued. It belongs to nobody.
func (d Decision) Opened(e Event, now time.Time) *Payment {
	return &Payment{
		Provider: e.Provider, Project: e.Project, Money: e.Sum, Method: e.Method,
		Status: d.Status, CreatedAt: now, ProviderReference: e.Reference,
	}
}

// Step is the ledger transaction that the decision asks for. It reports false
// where there is none.
func (d Decision) Step(p *Payment, e Event) (Step, bool) {
	from := SettlementAccount(e.Provider, e.Project)
	switch d.Disposition {
	case DispositionCredited:
		return Step{
			Kind: KindCredit, TakesCredit: true, Operation: e.Operation,
			Postings: Transfer(from, CustomerAccount(p.CustomerID, p.ContractID), e.Sum),
		}, true
	case DispositionSuspended:
		return Step{
			Kind: KindSuspense, Operation: e.Operation,
			Postings: Transfer(from, SuspenseAccount(e.Provider, e.Project), e.Sum),
		}, true
	}
	return Step{}, false
}

// Made is where a ledger transaction is in the journal.
type Made struct {
	Seq int64
	ID  string
	At  time.Time // when it was recorded
}

// Apply brings the payment in line with the decision; made is what its step came
// to, the zero value where it has none. It returns the transaction to which the
// event's operation belongs, 0 for none.
func (d Decision) Apply(p *Payment, e Event, made Made) (seq int64) {
	switch d.Disposition {
	case DispositionRepeat:
		return 0
	case DispositionCredited:
		p.Credited = &Credited{Money: e.Sum, TransactionID: made.ID, At: made.At}
		p.Credit = &Credit{Seq: made.Seq, TransactionID: made.ID, Money: e.Sum, At: made.At, Operation: e.Operation}
		seq = made.Seq
	case DispositionSuspended:
		p.InSuspense++
		seq = made.Seq
	case DispositionBound:
		p.Credit.Operation = e.Operation
		seq = p.Credit.Seq
	}
	p.Status = d.Status
	p.Flags = p.Flags&^d.Settled | d.Flags
	if d.Disposition != DispositionPosted || e.PaysBack() && !d.Contradicts {
		p.show(d, e)
	}
	return seq
}

// show keeps what the provider said last. Messages arrive in any order:
// an older one does not hide a newer, unless it is the movement that was
// credited, and what contradicts a credit does not hide the movement behind it.
func (p *Payment) show(d Decision, e Event) {
	behindCredit := d.Disposition == DispositionCredited || d.Disposition == DispositionBound
	if e.EffectiveAt.Before(p.ProviderTime) && !behindCredit {
		return
	}
	if p.Credit != nil && e.Outcome == OutcomePaid && !behindCredit {
		return // a second operation: its item in suspense shows it
	}
	contradicts := e.Outcome == OutcomeDeclined || e.Outcome == OutcomeOpen || e.Outcome == OutcomeDisputed || e.Outcome == OutcomePaidStatus
	if p.Credit != nil && contradicts {
		return
	}
	p.ProviderTime = e.EffectiveAt
	p.ProviderStatus, p.ProviderCode, p.ProviderMessage = e.Status, e.Code, e.Message
	if e.PaysBack() {
		return // its operation and receipt are not those of the movement that it takes back
	}
	p.ProviderPaymentID, p.OperationID = e.ReceiptID, e.Operation
}

// ExpireInTime lets a payment be expired from the moment that it is, and not
// from the sweep that writes it down.
func (p *Payment) ExpireInTime(now time.Time) {
	if p.Status == StatusPending && !p.ExpiresAt.IsZero() && !now.Before(p.ExpiresAt) {
		p.Status = StatusExpired
		if p.Flags.Has(FlagOutcomeUnknown) {
			p.Status = StatusReview // the provider calls it paid: somebody must look
		}
	}
}

// flagsMoved are those of which one is set on every payment whose own contract
// has something else of its money than the payment's one credit, unless the
// payment is marked as moved.
const flagsMoved = FlagReversed | FlagAmountDiffers | FlagCurrencyDiffers | FlagUnknownPayment |
	FlagSecondOperation | FlagConflict | FlagUnreadable | FlagRefunded

// NeedsBook reports whether only its journal tells what the payment's own
// contract has of its money.
func (p *Payment) NeedsBook() bool { return p.Moved || p.Flags&flagsMoved != 0 }

// ClearTold clears the flags refund and reversal when every message that set them
// was dealt with; open is what messages of the payment still leave open.
func (f Flags) ClearTold(open []Told) Flags {
	kept := f &^ (FlagRefund | FlagReversal)
	for _, told := range open {
		kept |= f & told.Flag()
	}
	return kept
}

// DateOfEvent is the accounting date of what an event posts: the provider's, or,
// where that is in a closed period, the first instant that is open.
func DateOfEvent(e Event, now, closedUntil time.Time) time.Time {
	at := e.EffectiveAt
	if at.IsZero() {
		at = now
	}
	if at.Before(closedUntil) {
		return closedUntil
	}
	return at
}

// StepDate is what the accounting date of an operator's step depends on.
type StepDate struct {
	Now              time.Time
	DayStart, DayEnd time.Time // the day that he gave; zero: today
	Earliest         time.Time // see [Step.Earliest]
	ClosedDay        string    // the last day of the closed period
	ClosedUntil      time.Time // the first instant after it
}

// At is when the step counts: the first instant of its day, now for today, and
// never before what it undoes or carries on, nor in a closed period.
func (d StepDate) At() (time.Time, error) {
	at := d.Now
	switch {
	case d.DayStart.IsZero():
	case d.DayStart.After(d.Now):
		return at, Invalid("effective", "must not be in the future")
	case !d.Now.Before(d.DayEnd): // a day of the past
		if at = d.DayStart; at.Before(d.Earliest) && d.Earliest.Before(d.DayEnd) {
			at = d.Earliest // the same day, later
		}
		if at.Before(d.Earliest) {
			return at, Invalid("effective", "must not be before %s, when that happened which this step undoes or carries on", d.Earliest.UTC().Format(time.RFC3339))
		}
	}
	if at.Before(d.ClosedUntil) {
		return at, Conflict("the books are closed to %s: give a later effective day, or none for today", d.ClosedDay)
	}
	return at, nil
}

// Post adds what a step came to at the end of the book, and brings the payment in
// line with it.
func (b *Book) Post(s Step, t Transaction) {
	p := b.Payment
	b.Transactions = append(b.Transactions, t)
	if s.TakesCredit {
		_, money := t.receiver()
		p.Credit = &Credit{Seq: t.Seq, TransactionID: t.ID, Money: money, At: t.RecordedAt, ByOperator: true, Operation: s.Operation}
		p.Flags &^= FlagOutcomeUnknown
	}
	if s.Kind.OpensItem() || s.Takes != "" {
		p.Moved = true
	}
	if p.Credit != nil {
		p.Credit.Reversed = b.Undone(p.Credit.TransactionID)
	}
	b.Settle()
}

// Close ends the review that [DecideClose] has let be closed.
func (b Book) Close() {
	b.Payment.Status = StatusDeclined
	b.Payment.Flags &^= FlagOutcomeUnknown
}

// Opened is the payment of our own that an operator opens for the money of a
// message that names none.
func (s SuspendStep) Opened(e Event, now time.Time) *Payment {
	money := s.Postings[0]
	return &Payment{
		Provider: e.Provider, Project: e.Project, Money: Money{Amount: money.Amount, Currency: money.Currency}, Method: e.Method,
		Status: StatusReview, Flags: s.Flags, CreatedAt: now, ProviderReference: s.Reference,
		ProviderTime: e.EffectiveAt, ProviderStatus: e.Status, ProviderCode: e.Code, ProviderMessage: e.Message,
		ProviderPaymentID: e.ReceiptID, OperationID: e.Operation,
	}
}

// Opened is the payment that an operator opens for money that no message told of.
func (r RecordRequest) Opened(a *Account, now time.Time) *Payment {
	return &Payment{
		Provider: r.Provider, Project: r.Project, CustomerID: r.CustomerID, ContractID: r.ContractID,
		ContractNumber: a.Contract(r.ContractID).Number, Money: r.Money,
		Status: StatusPending, CreatedAt: now, ProviderReference: r.Reference, OperationID: r.Operation, Recorded: true,
	}
}
