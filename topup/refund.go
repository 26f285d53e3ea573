package topup

import (
	"slices"
	"strings"
	"time"
)

// NoOperation as [PayBack.Operation] says that the money went back by none of the
// operations that the platform has told of.
const NoOperation = "none"

// FromSettlement as [PayBack.From] says that the platform pays the money back,
// which then owes that much less. It is the meaning of an empty From too.
const FromSettlement = "settlement"

// fromBank is what a From begins with that names an account of the merchant.
const fromBank = "bank:"

// PayBack asks for money to be booked that went back to the payer.
type PayBack struct {
	Amount int64 `json:"amount,omitempty"` // in minor units; of a suspense item 0 is all that is left of it
	// Operation is the platform's id of the refund, [NoOperation], or empty, which is
	// the same unless the platform has told of a refund of the payment.
	Operation string `json:"operation,omitempty"`
	// From is who paid: [FromSettlement], or "bank:" and the name of an account of
	// the merchant.
	From string `json:"from,omitempty"`
}

// RefundRequest asks for a refund of money that is credited.
type RefundRequest struct {
	PayBack
	// Transaction is the credit or assignment from which it takes, empty for the
	// payment's credit.
	Transaction string `json:"transaction,omitempty"`
}

// PayBackState is what sending money back depends on beside the book.
type PayBackState struct {
	// Banks are the names that a From may have; nil: any name.
	Banks []string
	// Told are the refunds of the payment that the platform has told of and that
	// nobody has booked or dismissed, the oldest first.
	Told []PaidBack
	// Of is what the platform has told of the request's operation, booked or not, nil
	// for nothing.
	Of *PaidBack
	// Posted is what that operation did before, nil for nothing.
	Posted *PostedOperation
}

// PaidBack is a refund or a reversal that the platform has told of.
type PaidBack struct {
	MessageID  int64
	ReceivedAt time.Time
	PaymentID  string // empty for none of ours
	Told       Told   // [ToldRefund] or [ToldReversal]
	Operation  string
	Sum        Money // that went back; zero when the message does not say
}

// String is the refund as it is shown in a refusal.
func (r PaidBack) String() string {
	text := "operation " + r.Operation
	if r.Operation == "" {
		text = "no operation"
	}
	if !r.Sum.IsZero() {
		text += " of " + r.Sum.String()
	}
	return text
}

// DecideRefund books that money which is credited went back to the payer: at most
// what is left of the credit, or of the transaction that the request names.
func DecideRefund(b Book, r RefundRequest, s PayBackState) (Step, error) {
	from, err := b.refundable(r.Transaction)
	if err != nil {
		return Step{}, err
	}
	if r.Amount < 1 || r.Amount > MaxAmount {
		return Step{}, Invalid("amount", "must be between 1 and %d minor units%s", MaxAmount, proposed(s.Told))
	}
	if r.Amount > from.Left.Amount {
		return Step{}, Conflict("%s of %s are left to refund, which is less than %s", from.Left, from.Transaction.ID, Money{r.Amount, from.Left.Currency})
	}
	step := Step{Kind: KindRefund, Takes: from.Transaction.ID, Earliest: from.Transaction.EffectiveAt}
	return b.payBack(step, r.PayBack, from.Account, Money{r.Amount, from.Left.Currency}, s)
}

// DecideReturn books that the money of a suspense item, or a part of it, goes back
// to the payer. The item is resolved when nothing is left of it.
func DecideReturn(b Book, item string, r PayBack, s PayBackState) (Step, error) {
	i, err := b.openItem(item)
	if err != nil {
		return Step{}, err
	}
	money := i.Left
	switch {
	case r.Amount < 0 || r.Amount > MaxAmount:
		return Step{}, Invalid("amount", "must be between 1 and %d minor units", MaxAmount)
	case r.Amount > i.Left.Amount:
		return Step{}, Conflict("%s of this suspense item are left, which is less than %s", i.Left, Money{r.Amount, i.Left.Currency})
	case r.Amount > 0:
		money.Amount = r.Amount
	}
	step := Step{Kind: KindReturn, Resolves: item, ItemReturned: item, Earliest: i.Transaction.EffectiveAt}
	if money == i.Left {
		step.Item = &ItemMove{Item: item, From: ItemOpen, To: ItemReturned}
	}
	return b.payBack(step, r, i.Account, money, s)
}

// refundable is what a refund takes from: the transaction that was named, else the
// payment's credit, else the one assignment that its contract has.
func (b Book) refundable(transaction string) (Standing, error) {
	standing := b.Standing()
	at := func(id string) int {
		return slices.IndexFunc(standing, func(s Standing) bool { return s.Transaction.ID == id })
	}
	if transaction != "" {
		if i := at(transaction); i >= 0 {
			return standing[i], nil
		}
		t := b.find(transaction)
		switch {
		case t == nil:
			return Standing{}, NotFound("ledger transaction does not exist in this payment")
		case !t.Kind.credits():
			return Standing{}, Conflict("transaction %s is no credit or assignment, but a %s", t.ID, t.Kind)
		}
		return Standing{}, Conflict("nothing of transaction %s is left to refund", t.ID)
	}
	if c := b.Payment.Credit; c != nil {
		if i := at(c.TransactionID); i >= 0 {
			return standing[i], nil
		}
	}
	switch {
	case len(standing) == 1 && b.own(standing[0].Account):
		return standing[0], nil
	case len(standing) > 0:
		return Standing{}, Conflict("nothing of the payment's credit is left to refund; name the transaction from which to take it: %s", listed(standing))
	case b.Payment.InSuspense > 0:
		return Standing{}, Conflict("nothing of this payment is credited; its money lies in suspense: use suspense return")
	case !b.Refunded().IsZero():
		return Standing{}, Conflict("nothing of this payment is left to refund: %s were refunded", b.Refunded())
	}
	return Standing{}, Conflict("nothing of this payment is credited")
}

func listed(standing []Standing) string {
	list := make([]string, len(standing))
	for i, s := range standing {
		list[i] = s.Transaction.ID + " (" + s.Left.String() + ")"
	}
	return strings.Join(list, ", ")
}

// payBack completes the step with who pays, and by which operation.
func (b Book) payBack(step Step, r PayBack, account string, money Money, s PayBackState) (Step, error) {
	p := b.Payment
	payer, err := r.payer(p, s.Banks)
	if err != nil {
		return Step{}, err
	}
	if err := r.refuseOperation(p, money, s); err != nil {
		return Step{}, err
	}
	step.Postings = Transfer(account, payer, money)
	if r.Operation != NoOperation {
		step.Operation = r.Operation
	}
	return step, nil
}

// refuseOperation refuses an operation that cannot have given this money back, and
// none where it must be said.
func (r PayBack) refuseOperation(p *Payment, money Money, s PayBackState) error {
	switch {
	case r.Operation == "" && len(s.Told) > 0:
		return Conflict("the platform has told of a refund of this payment that is not booked%s: say whether it is this one, with its operation or %q", proposed(s.Told), NoOperation)
	case r.Operation == "" || r.Operation == NoOperation:
		return nil
	case !validRefund(p, r.Operation):
		return errRefund(p)
	case s.Posted != nil && s.Posted.Sum.Amount < 0:
		return Conflict("operation %s has been booked as a refund already: find it with payments list --q", r.Operation)
	case s.Posted != nil:
		return Conflict("operation %s brought money: a refund has an operation of its own", r.Operation)
	}
	switch of := s.Of; {
	case of == nil:
	case of.PaymentID != "" && of.PaymentID != p.ID:
		return Conflict("operation %s is about payment %s, as the platform told", r.Operation, of.PaymentID)
	case !of.Sum.IsZero() && of.Sum != money:
		return Conflict("operation %s gave back %s (%d minor units), as the platform told: book that amount, or, if this is another refund, give %q as the operation", r.Operation, of.Sum, of.Sum.Amount, NoOperation)
	}
	return nil
}

// proposed says what the platform told of, for a refusal.
func proposed(told []PaidBack) string {
	if len(told) == 0 {
		return ""
	}
	list := make([]string, len(told))
	for i, r := range told {
		list[i] = r.String()
	}
	return " (" + strings.Join(list, ", ") + ")"
}

// payer is the ledger account of who pays the money back.
func (r PayBack) payer(p *Payment, banks []string) (string, error) {
	if r.From == "" || r.From == FromSettlement {
		return SettlementAccount(p.Provider, p.Project), nil
	}
	name, isBank := strings.CutPrefix(r.From, fromBank)
	if !isBank {
		return "", Invalid("from", "must be %s, or %s and a name", FromSettlement, fromBank)
	}
	if err := CheckID(name); err != nil {
		return "", Invalid("from", "has a name that %s", err)
	}
	if banks != nil && !slices.Contains(banks, name) {
		return "", Invalid("from", "names no bank account that is configured: one of %v", banks)
	}
	return BankAccount(name), nil
}

// validRefund accepts an id of a refund: as it stands in messages, or, of a
// provider whose operations have none, whatever names it there.
func validRefund(p *Payment, id string) bool {
	if p.Provider == ReceivingProvider {
		return CheckID(id) == nil
	}
	return validOperation(id)
}

func errRefund(p *Payment) error {
	if p.Provider == ReceivingProvider {
		return Invalid("operation", "must be 1 to %d bytes without white space, ';' or ':', or %q", MaxIDBytes, NoOperation)
	}
	return Invalid("operation", "must be 1 to 19 digits without a leading zero, or %q", NoOperation)
}
