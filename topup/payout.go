package topup

import (
	"fmt"
	"strings"
	"time"
)

// MaxFigure bounds the figures of a payout, in minor units, on either side of
// zero: 15 digits are what a spreadsheet keeps.
const MaxFigure int64 = 999_999_999_999_999

// PayoutState is where a payout stands.
type PayoutState string

const (
	PayoutDraft     PayoutState = "draft"     // entered, and not booked yet
	PayoutPosted    PayoutState = "posted"    // booked by a ledger transaction
	PayoutDiscarded PayoutState = "discarded" // given up before it was booked
	PayoutReversed  PayoutState = "reversed"  // booked, and the booking was reversed
)

// PayoutStates lists every state.
var PayoutStates = []PayoutState{PayoutDraft, PayoutPosted, PayoutDiscarded, PayoutReversed}

// ParsePayoutState returns the state of that name.
func ParsePayoutState(name string) (PayoutState, error) {
	for _, known := range PayoutStates {
		if string(known) == name {
			return known, nil
		}
	}
	return "", Invalid("status", "must be one of %v", PayoutStates)
}

// Holds reports whether a payout in the state holds its id and its lines, so that
// no other payout of its project can have them.
func (s PayoutState) Holds() bool { return s == PayoutDraft || s == PayoutPosted }

// PayoutFigures are the sums of a payout in minor units of its currency. Each may
// be negative (a fee given back, a reserve released, an adjustment in the
// merchant's favour, a payout that takes) or zero.
type PayoutFigures struct {
	Gross       int64 // the payers' money
	Refunds     int64 // of it went back to payers, chargebacks included
	Fees        int64 // the platform kept
	Reserve     int64 // it holds back, and pays later
	Adjustments int64 // corrections and penalties
	Net         int64 // arrived at the bank
}

// left is what the other figures leave of the payers' money.
func (f PayoutFigures) left() (int64, error) {
	left := f.Gross
	for _, taken := range []int64{f.Refunds, f.Fees, f.Reserve, f.Adjustments} {
		var err error
		if left, err = Add(left, -taken); err != nil {
			return 0, err
		}
	}
	return left, nil
}

// Check refuses figures of which one is out of bounds, or that do not add up:
// gross − refunds − fees − reserve − adjustments = net.
func (f PayoutFigures) Check() error {
	for _, figure := range []struct {
		name   string
		amount int64
	}{{"gross", f.Gross}, {"refunds", f.Refunds}, {"fees", f.Fees}, {"reserve", f.Reserve}, {"adjustments", f.Adjustments}, {"net", f.Net}} {
		if figure.amount < -MaxFigure || figure.amount > MaxFigure {
			return Invalid(figure.name, "must be between %d and %d minor units", -MaxFigure, MaxFigure)
		}
	}
	left, err := f.left()
	if err != nil {
		return err
	}
	if left != f.Net {
		return Invalid("net", "must be gross − refunds − fees − reserve − adjustments: %d − %d − %d − %d − %d is %d, not %d",
			f.Gross, f.Refunds, f.Fees, f.Reserve, f.Adjustments, left, f.Net)
	}
	return nil
}

// Plus adds figures.
func (f PayoutFigures) Plus(g PayoutFigures) (PayoutFigures, error) {
	for _, sum := range []struct {
		to  *int64
		add int64
	}{{&f.Gross, g.Gross}, {&f.Refunds, g.Refunds}, {&f.Fees, g.Fees}, {&f.Reserve, g.Reserve}, {&f.Adjustments, g.Adjustments}, {&f.Net, g.Net}} {
		var err error
		if *sum.to, err = Add(*sum.to, sum.add); err != nil {
			return f, err
		}
	}
	return f, nil
}

// Payout is money that a platform has paid, or says that it has, to an account of
// the merchant's at a bank.
type Payout struct {
	ID                string // the platform's, unique in its project while the payout holds it
	Provider, Project string
	Bank              string // the name of the merchant's account
	Date              string // the day of the payout, such as 2026-11-29
	Currency          string
	PayoutFigures
	State PayoutState
}

// BankAccountOf is what a payout must fit to: an account of the merchant's.
type BankAccountOf struct{ Name, Currency string }

// Check refuses a payout that breaks a rule, or that is in another currency than
// the account to which it goes. The error is of KindInvalid.
func (p Payout) Check(bank BankAccountOf) error {
	if err := CheckID(p.ID); err != nil {
		return Invalid("id", "%v", err)
	}
	if _, err := time.Parse(time.DateOnly, p.Date); err != nil {
		return Invalid("date", "must be a day such as 2026-11-29")
	}
	if !ValidCurrency(p.Currency) {
		return Invalid("currency", "must be a currency of ISO 4217, such as KZT")
	}
	if p.Currency != bank.Currency {
		return Invalid("currency", "of the payout is %s; the bank account %s is in %s", p.Currency, bank.Name, bank.Currency)
	}
	return p.PayoutFigures.Check()
}

// Differences names what another payout of the same id has else, and is empty for
// nothing.
func (p Payout) Differences(other Payout) []string {
	var d differences
	amount := func(name string, mine, its int64) {
		d.add(name, Money{mine, p.Currency}.String(), Money{its, other.Currency}.String())
	}
	d.add("bank", p.Bank, other.Bank)
	d.add("date", p.Date, other.Date)
	d.add("currency", p.Currency, other.Currency)
	amount("gross", p.Gross, other.Gross)
	amount("refunds", p.Refunds, other.Refunds)
	amount("fees", p.Fees, other.Fees)
	amount("reserve", p.Reserve, other.Reserve)
	amount("adjustments", p.Adjustments, other.Adjustments)
	amount("net", p.Net, other.Net)
	return d
}

// differences are what is now otherwise than it was.
type differences []string

func (d *differences) add(name, was, is string) {
	if was != is {
		*d = append(*d, fmt.Sprintf("%s is %s, and was %s", name, is, was))
	}
}

// Postings are the legs of the payout: its bank account, fees, reserve and
// adjustments are debited, and settlement is credited with gross less refunds. A
// leg of zero is left out.
func (p Payout) Postings() []Posting {
	var list []Posting
	for _, leg := range []Posting{
		{BankAccount(p.Bank), p.Net, p.Currency},
		{FeesAccount(p.Provider, p.Project), p.Fees, p.Currency},
		{ReserveAccount(p.Provider, p.Project), p.Reserve, p.Currency},
		{AdjustmentsAccount(p.Provider, p.Project), p.Adjustments, p.Currency},
		{SettlementAccount(p.Provider, p.Project), p.Refunds - p.Gross, p.Currency},
	} {
		if leg.Amount != 0 {
			list = append(list, leg)
		}
	}
	return list
}

// BankAccount names the ledger account of a bank account of the merchant's.
func BankAccount(name string) string { return "bank:" + name }

// FeesAccount names the ledger account of what a platform kept.
func FeesAccount(provider, project string) string { return "fees:" + provider + ":" + project }

// ReserveAccount names the ledger account of what a platform holds back and will
// pay later.
func ReserveAccount(provider, project string) string { return "reserve:" + provider + ":" + project }

// AdjustmentsAccount names the ledger account of corrections and penalties in
// payouts.
func AdjustmentsAccount(provider, project string) string {
	return "adjustments:" + provider + ":" + project
}

// DecidePostPayout books a draft.
func DecidePostPayout(p Payout) (Step, error) {
	switch p.State {
	case PayoutDraft:
	case PayoutPosted:
		return Step{}, Conflict("the payout has been posted; if that was wrong, use ledger reverse on its transaction")
	default:
		return Step{}, Conflict("the payout is %s: enter it again with payouts import or payouts add", p.State)
	}
	if err := p.PayoutFigures.Check(); err != nil {
		return Step{}, err
	}
	postings := p.Postings()
	if len(postings) == 0 {
		return Step{}, Conflict("all figures of the payout are zero: there is nothing to post; use payouts discard")
	}
	return Step{Kind: KindPayout, Postings: postings}, nil
}

// DecideDiscardPayout gives a draft up.
func DecideDiscardPayout(p Payout) error {
	switch p.State {
	case PayoutDraft:
		return nil
	case PayoutPosted:
		return Conflict("the payout has been posted: use ledger reverse on its transaction")
	}
	return Conflict("the payout is already %s", p.State)
}

// PayoutBook is a payout with all its ledger transactions: its posting and the
// reversals behind that, in feed order.
type PayoutBook struct {
	Payout       Payout
	Transactions []Transaction
	// Taken says what of that which the reversal of the posting has freed is held
	// by another payout, or otherwise in use, again; empty for nothing.
	Taken string
}

// DecideReversePayout mirrors the posting of a payout, or a reversal of it, once.
// It returns the state in which that leaves the payout.
func DecideReversePayout(b PayoutBook, transaction string) (Step, PayoutState, error) {
	journal := Book{Transactions: b.Transactions}
	t := journal.find(transaction)
	if t == nil {
		return Step{}, "", NotFound("ledger transaction does not exist")
	}
	if err := journal.refuseReversed(t); err != nil {
		return Step{}, "", err
	}
	state := PayoutReversed
	if _, undoes := journal.root(t); !undoes {
		state = PayoutPosted
		if b.Taken != "" {
			return Step{}, "", Conflict("%s since the payout was reversed: discard or reverse that first", b.Taken)
		}
	}
	return Step{Kind: KindReversal, Reverses: t.ID, Postings: Mirror(t.Postings), Earliest: t.EffectiveAt}, state, nil
}

// OfPayout is the accounting date of a payout's posting: the day that was given
// with the step, else the payout's own, which is from its first instant to that of
// the next; or, where that is in a closed period, the first instant that is open.
func (d StepDate) OfPayout(start, end time.Time) (time.Time, error) {
	if !d.DayStart.IsZero() {
		return d.At()
	}
	if start.After(d.Now) {
		return d.Now, Conflict("the payout is dated in the future: post it on its day, or give an earlier effective day")
	}
	at := start
	if d.Now.Before(end) {
		at = d.Now
	}
	if at.Before(d.ClosedUntil) {
		at = d.ClosedUntil
	}
	if at.After(d.Now) {
		return d.Now, Conflict("the books are closed to %s", d.ClosedDay)
	}
	return at, nil
}

// PayoutLineType is what a line of a payout is about.
type PayoutLineType string

const (
	LinePayment        PayoutLineType = "payment"         // a payer's money
	LineRefund         PayoutLineType = "refund"          // all or part of it went back
	LineRefundReversal PayoutLineType = "refund_reversal" // a refund that did not take place after all
	LineChargeback     PayoutLineType = "chargeback"      // taken back by the payer's bank
	LineFee            PayoutLineType = "fee"             // a fee without a payment
	LineReserve        PayoutLineType = "reserve"         // held back; negative: released
	LineAdjustment     PayoutLineType = "adjustment"      // a correction or a penalty; negative: in the merchant's favour
)

// PayoutLine is one line of a settlement register: a payment, or something else
// that is a part of the payout. Amounts are in minor units of the payout's
// currency.
type PayoutLine struct {
	Line      int // its number in the file
	Type      PayoutLineType
	Payment   string // the payment's id as the register has it, empty for none
	Operation string // the platform's, empty for none
	Amount    int64  // never negative for a payment, a refund, its reversal and a chargeback
	// What the platform kept of the line, held back of it, or took.
	Fee, Reserve, Adjustment int64
	At                       time.Time // zero: the register does not say
}

// OfPayment reports whether the line brings a payer's money.
func (l PayoutLine) OfPayment() bool { return l.Type == LinePayment }

// Figures are what the line adds to those of its payout. Net is computed.
func (l PayoutLine) Figures() (PayoutFigures, error) {
	f := PayoutFigures{Fees: l.Fee, Reserve: l.Reserve, Adjustments: l.Adjustment}
	to := map[PayoutLineType]*int64{
		LinePayment: &f.Gross, LineRefund: &f.Refunds, LineRefundReversal: &f.Refunds, LineChargeback: &f.Refunds,
		LineFee: &f.Fees, LineReserve: &f.Reserve, LineAdjustment: &f.Adjustments,
	}[l.Type]
	if to == nil {
		return f, Invalid("type", "must be that of a line of a payout")
	}
	amount := l.Amount
	if l.Type == LineRefundReversal {
		amount = -amount
	}
	var err error
	if *to, err = Add(*to, amount); err != nil {
		return f, err
	}
	f.Net, err = f.left()
	return f, err
}

// Check refuses a line that breaks a rule.
func (l PayoutLine) Check() error {
	for name, id := range map[string]string{"payment": l.Payment, "operation": l.Operation} {
		if len(id) > MaxIDBytes || (id != "" && !validReference(id)) {
			return Invalid(name, "must be at most %d bytes of UTF-8 without control characters", MaxIDBytes)
		}
	}
	switch l.Type {
	case LinePayment, LineRefund, LineRefundReversal, LineChargeback:
		if l.Payment == "" && l.Operation == "" {
			return Invalid("payment", "must be given, or the operation: a %s belongs to a payment", l.Type)
		}
		if l.Amount < 0 {
			return Invalid("amount", "of a %s must not be negative", l.Type)
		}
	}
	for _, amount := range []int64{l.Amount, l.Fee, l.Reserve, l.Adjustment} {
		if amount < -MaxFigure || amount > MaxFigure {
			return Invalid("amount", "must be between %d and %d minor units", -MaxFigure, MaxFigure)
		}
	}
	_, err := l.Figures()
	return err
}

// Key is what makes a line the same one wherever it occurs in its project: a line
// is in one payout at most. It is the operation, with what the line is about; a
// payment without one is its payment's only. Empty: it cannot be told from others.
func (l PayoutLine) Key() string {
	switch {
	case l.Operation != "":
		return string(l.Type) + " " + l.Operation
	case l.Type == LinePayment:
		return string(l.Type) + ":" + l.Payment
	}
	return ""
}

// Same reports whether two lines of one key say the same.
func (l PayoutLine) Same(other PayoutLine) bool {
	l.Line, other.Line = 0, 0
	same := l.At.Equal(other.At)
	l.At, other.At = time.Time{}, time.Time{}
	return same && l == other
}

// Differences names what another line of the same key has else, in amounts of a
// currency.
func (l PayoutLine) Differences(other PayoutLine, currency string) []string {
	var d differences
	amount := func(name string, mine, its int64) {
		d.add(name, Money{mine, currency}.String(), Money{its, currency}.String())
	}
	when := func(at time.Time) string {
		if at.IsZero() {
			return "none"
		}
		return at.UTC().Format(time.RFC3339Nano)
	}
	d.add("payment", l.Payment, other.Payment)
	amount("amount", l.Amount, other.Amount)
	amount("fee", l.Fee, other.Fee)
	amount("reserve", l.Reserve, other.Reserve)
	amount("adjustment", l.Adjustment, other.Adjustment)
	d.add("time", when(l.At), when(other.At))
	return d
}

// String names the line as its register does.
func (l PayoutLine) String() string {
	parts := []string{string(l.Type)}
	if l.Payment != "" {
		parts = append(parts, l.Payment)
	}
	if l.Operation != "" {
		parts = append(parts, "operation "+l.Operation)
	}
	return strings.Join(parts, ", ")
}

// LineDifference is why a line and what we have of its payment do not agree; empty
// when they do.
type LineDifference string

const (
	LinePaymentUnknown  LineDifference = "payment_unknown"   // no payment of ours has that operation or id
	LineNotReceived     LineDifference = "not_received"      // nothing was credited for it, or put into suspense
	LineAmountDiffers   LineDifference = "amount_differs"    // another sum was
	LineCurrencyDiffers LineDifference = "currency_differs"  // another currency was
	LineRefundNotBooked LineDifference = "refund_not_booked" // less was refunded through the platform than the line says
	LineListedTwice     LineDifference = "listed_twice"      // payouts list more for the payment than was received, as when one names its id and one its operation
)

// LineState is what we have of a line's payment.
type LineState struct {
	Known    bool
	Currency string // of what was received
	Received int64  // by its credits and into suspense: of the line's operation if that is known, else of the payment
	Refunded int64  // through the platform, reversals counted
	All      int64  // received for the payment, whatever the operation
	Listed   int64  // of the payment in all payouts that count, the line's included: of a payment, what was paid; else the refunds
}

// Difference compares a line of a payout in that currency with what we have.
func (l PayoutLine) Difference(currency string, s LineState) LineDifference {
	switch l.Type {
	case LinePayment:
		switch {
		case !s.Known:
			return LinePaymentUnknown
		case s.Received == 0:
			return LineNotReceived
		case s.Currency != currency:
			return LineCurrencyDiffers
		case s.Received != l.Amount:
			return LineAmountDiffers
		case s.Listed > s.All:
			return LineListedTwice
		}
	case LineRefund, LineChargeback:
		switch {
		case !s.Known:
			return LinePaymentUnknown
		case s.Refunded < s.Listed:
			return LineRefundNotBooked
		}
	}
	return ""
}
