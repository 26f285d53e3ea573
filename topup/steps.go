package topup

import (
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Step is what a decision comes to, of an operator or about a message: one ledger
// transaction, and what goes with it. The functions below decide; the store carries out. Each refuses
// with a [KindConflict] that says what to do instead.
type Step struct {
	Kind TransactionKind
	// TakesCredit claims the payment's one credit, with the operation that
	// brought the money, empty for none.
	TakesCredit bool
	// Operation is beside TakesCredit, and of money that is put into suspense, the
	// operation that brought it; of what pays back, that by which it went. Empty for
	// none.
	Operation string
	// Reverses, Resolves and Takes are transactions, empty for none.
	Reverses, Resolves, Takes string
	Postings                  []Posting
	// Earliest is when that happened which the step undoes or carries on: the
	// step must not be dated before. Zero: there is no such thing.
	Earliest time.Time
	// Item is how a suspense item moves, nil for none. A step that puts money
	// into suspense opens an item of its own beside it.
	Item *ItemMove
	// ItemReturned is a suspense item of which a part goes back, or comes again; empty
	// for none. The item moves only if that empties or fills it.
	ItemReturned string
	// Frees is a transaction whose operations may be entered again, Retakes one
	// whose operations count as posted again; empty for none.
	Frees, Retakes string
}

// ItemMove is a step of a suspense item from one state to another.
type ItemMove struct {
	Item     string // the transaction that put the money into suspense
	From, To ItemState
	// ByEarlier names the earlier transaction by which the item is resolved
	// again; empty: the step's own transaction is it, or the item is open.
	ByEarlier string
}

// DecideCredit credits a payment whose message never came: what was issued, to
// the contract that it was issued for.
func DecideCredit(b Book) (Step, error) {
	p := b.Payment
	switch {
	case p.Status == StatusReview && p.Credit == nil && p.Flags.Has(FlagConflict):
		// Its movement may be what an operator entered elsewhere: it would be credited
		// twice.
		return Step{}, Conflict("a message of this payment names an operation that has posted elsewhere (messages list --q PAYMENT_ID, payments list --q OPERATION): " +
			"if an operator entered it wrongly, reverse that step, then use messages suspend; if this payment was not paid, use payments close")
	case p.InSuspense > 0:
		// A credit ahead of its money, when that has come, would give it twice.
		return Step{}, Conflict("money of this payment lies in suspense: use suspense assign")
	case b.Credited() != nil:
		return Step{}, Conflict("the payment has been credited: if that was to the wrong contract, use payments recall")
	case p.Credit != nil && p.Credit.Reversed:
		return Step{}, Conflict("the payment had its one credit, which was reversed by an operator: reverse that reversal, or use payments record for other money")
	case p.Credit != nil && !b.Refunded().IsZero():
		return Step{}, Conflict("the payment had its one credit, of which %s were refunded: if that was wrong, reverse the refund", b.Refunded())
	case p.Credit != nil:
		return Step{}, Conflict("the payment had its one credit, which was recalled: reverse what became of the recalled money instead")
	case b.elsewhere():
		return Step{}, Conflict("money of this payment was assigned to another contract: if that was wrong, reverse that assignment, then use suspense assign")
	case !p.Issued():
		return Step{}, Conflict("the payment names no contract: its money can only be assigned from suspense")
	}
	return Step{
		Kind: KindManualCredit, TakesCredit: true,
		Postings: Transfer(SettlementAccount(p.Provider, p.Project), CustomerAccount(p.CustomerID, p.ContractID), p.Money),
	}, nil
}

// DecideAssign gives the money of a suspense item to a contract of an account,
// closed or not: it is owed to the customer all the same. A nil account does not
// exist.
//
// When the payment's one credit is free, and the contract is the payment's own
// or the payment has none, the assignment takes that credit, bound to the
// operation that brought the money.
func DecideAssign(b Book, item string, account *Account, contractID string) (Step, error) {
	i, err := b.openItem(item)
	if err != nil {
		return Step{}, err
	}
	switch {
	case account == nil:
		return Step{}, NotFound("account does not exist")
	case account.Contract(contractID) == nil:
		return Step{}, NotFound("contract does not exist in this account")
	case account.Currency != i.Money.Currency:
		return Step{}, Invalid("currency", "of the money is %s, the account's is %s", i.Money.Currency, account.Currency)
	}
	to := CustomerAccount(account.CustomerID, contractID)
	s := Step{
		Kind: KindAssignment, Resolves: item, Earliest: i.Transaction.EffectiveAt,
		Postings: Transfer(i.Account, to, i.Left),
		Item:     &ItemMove{Item: item, From: ItemOpen, To: ItemAssigned},
	}
	if b.own(to) && b.Payment.Credit == nil {
		s.TakesCredit, s.Operation = true, i.Transaction.Operation
	}
	return s, nil
}

func (b Book) openItem(item string) (*Item, error) {
	i := b.item(item)
	if i == nil {
		return nil, NotFound("suspense item does not exist")
	}
	switch i.State {
	case ItemOpen:
	case ItemReversed:
		return nil, Conflict("this suspense item is already %s: what put it there was undone", i.State)
	default:
		return nil, Conflict("this suspense item is already %s: if that was wrong, use ledger reverse on the transaction that did it", i.State)
	}
	return i, nil
}

// DecideRecall takes what stands of a payment's credit back into suspense: it
// went to the wrong contract. The credit stays taken: no message and no
// payments credit has it again. When several stand, it takes the newest.
func DecideRecall(b Book) (Step, error) {
	p := b.Payment
	credited := b.Credited()
	if credited == nil {
		switch {
		case p.InSuspense > 0:
			return Step{}, Conflict("nothing of this payment is credited to its contract; its money lies in suspense: use suspense assign or suspense return")
		case b.elsewhere():
			return Step{}, Conflict("nothing of this payment is credited to its own contract: use ledger reverse on the assignment to the other one")
		case !b.Refunded().IsZero():
			return Step{}, Conflict("nothing of this payment is credited any more: it was refunded")
		default:
			return Step{}, Conflict("nothing of this payment is credited")
		}
	}
	for _, s := range b.Standing() {
		if s.Transaction.ID != credited.TransactionID {
			continue
		}
		return Step{
			Kind: KindRecall, Takes: s.Transaction.ID, Earliest: s.Transaction.EffectiveAt,
			Postings: Transfer(s.Account, SuspenseAccount(p.Provider, p.Project), s.Left),
		}, nil
	}
	return Step{}, Conflict("nothing of this payment is credited")
}

// DecideReverse mirrors an operator's transaction, once, and undoes what it did;
// reversing a reversal does it again. What a provider's message posted is not
// undone this way: the books would deny money that the platform holds.
func DecideReverse(b Book, transaction string) (Step, error) {
	t := b.find(transaction)
	if t == nil {
		return Step{}, NotFound("ledger transaction does not exist")
	}
	if err := b.refuseReversed(t); err != nil {
		return Step{}, err
	}
	root, undoes := b.root(t)
	s := Step{Kind: KindReversal, Reverses: t.ID, Postings: Mirror(t.Postings), Earliest: t.EffectiveAt}
	var err error
	if undoes {
		err = b.undo(root, &s)
	} else {
		err = b.redo(root, t, &s)
	}
	return s, err
}

// refuseReversed refuses a second mirror of a transaction.
func (b Book) refuseReversed(t *Transaction) error {
	last := b.reversalOf(t)
	if last == nil {
		return nil
	}
	for next := last; next != nil; next = b.reversalOf(next) {
		last = next
	}
	return Conflict("this transaction has been reversed; the last reversal is %s: reverse that one to change it back", last.ID)
}

func (b Book) undo(root *Transaction, s *Step) error {
	switch {
	case root.Kind == KindCredit:
		return Conflict("a provider's own credit cannot be reversed: money in the wrong place is taken back with payments recall, and then assigned or returned from suspense")
	case root.Kind == KindSuspense && root.ByProvider():
		return Conflict("what a provider put into suspense cannot be reversed: use suspense assign or suspense return")
	case root.Kind.credits() && b.takenFrom(root) > 0:
		return b.refuseTaken(root)
	}
	switch root.Kind {
	case KindManualCredit:
		s.Frees = root.ID
	case KindAssignment:
		s.Item = &ItemMove{Item: root.Resolves, From: ItemAssigned, To: ItemOpen}
	case KindReturn:
		s.Frees, s.ItemReturned = root.ID, root.Resolves
		return b.undoReturn(root, s)
	case KindRefund:
		s.Frees = root.ID
	case KindSuspense, KindRecall:
		s.Item = &ItemMove{Item: root.ID, From: ItemOpen, To: ItemReversed}
		if root.Kind == KindSuspense {
			s.Frees = root.ID
		}
		if i := b.item(root.ID); i != nil && i.State == ItemOpen && i.Left != i.Money {
			return Conflict("a part of it was returned: reverse that return first")
		}
	}
	return b.movable(s.Item)
}

// redo lets root count again; t is the reversal that is reversed for it.
func (b Book) redo(root, t *Transaction, s *Step) error {
	switch root.Kind {
	case KindCredit, KindManualCredit:
		if err := b.refuseSecondCredit(t); err != nil {
			return err
		}
		if root.Kind == KindManualCredit {
			s.Retakes = root.ID
		}
	case KindAssignment:
		s.Item = &ItemMove{Item: root.Resolves, From: ItemOpen, To: ItemAssigned, ByEarlier: root.ID}
		_, money := root.receiver()
		if i := b.item(root.Resolves); i != nil && i.State == ItemOpen && i.Left != money {
			return Conflict("%s of the suspense item are left, and %s were assigned: use suspense assign again", i.Left, money)
		}
	case KindReturn:
		s.Retakes, s.ItemReturned = root.ID, root.Resolves
		return b.redoReturn(root, s)
	case KindRefund:
		s.Retakes = root.ID
		return b.stillThere(root)
	case KindSuspense:
		s.Item = &ItemMove{Item: root.ID, From: ItemReversed, To: ItemOpen}
		if !root.ByProvider() {
			if err := b.refuseSecondSuspense(root, t); err != nil {
				return err
			}
			s.Retakes = root.ID
		}
	case KindRecall:
		s.Item = &ItemMove{Item: root.ID, From: ItemReversed, To: ItemOpen}
		if err := b.stillThere(root); err != nil {
			return err
		}
	}
	return b.movable(s.Item)
}

// refuseTaken says what was taken of a credit or an assignment, and stands.
func (b Book) refuseTaken(root *Transaction) error {
	for i := range b.Transactions {
		if k := &b.Transactions[i]; k.Takes == root.ID && k.Kind == KindRefund && !b.undone(k) {
			return Conflict("money of it was refunded: reverse the refund %s first", k.ID)
		}
	}
	return Conflict("money of it was recalled: reverse the recall first")
}

// undoReturn: of several returns of one item, the newest is what has emptied it.
func (b Book) undoReturn(root *Transaction, s *Step) error {
	i := b.item(root.Resolves)
	switch {
	case i == nil || i.State == ItemOpen: // a part went back
		return nil
	case i.State == ItemReturned:
		s.Item = &ItemMove{Item: root.Resolves, From: ItemReturned, To: ItemOpen}
		return nil
	}
	return Conflict("the suspense item is %s: reverse what was done to it first", i.State)
}

func (b Book) redoReturn(root *Transaction, s *Step) error {
	i := b.item(root.Resolves)
	_, part := root.receiver()
	switch {
	case i == nil || i.State != ItemOpen:
		return b.movable(&ItemMove{Item: root.Resolves, From: ItemOpen})
	case i.Left.Amount < part.Amount:
		return Conflict("%s of the suspense item are left, and %s were returned: use suspense return again", i.Left, part)
	case i.Left.Amount == part.Amount:
		s.Item = &ItemMove{Item: root.Resolves, From: ItemOpen, To: ItemReturned, ByEarlier: b.lastReturn(root)}
	}
	return nil
}

// lastReturn is the newest of the returns of an item that stand once root does.
func (b Book) lastReturn(root *Transaction) string {
	last := root
	for i := range b.Transactions {
		if r := &b.Transactions[i]; r.Resolves == root.Resolves && r.Kind.PaysBack() && r.Seq > last.Seq && !b.undone(r) {
			last = r
		}
	}
	return last.ID
}

// movable refuses a move of an item that is in another state by now.
func (b Book) movable(m *ItemMove) error {
	if m == nil {
		return nil
	}
	if i := b.item(m.Item); i == nil || i.State != m.From {
		state := ItemState("gone")
		if i != nil {
			state = i.State
		}
		return Conflict("the suspense item is %s: reverse what was done to it first", state)
	}
	return nil
}

// refuseSecondCredit refuses to let a reversed credit count again when money of
// its payment lies in suspense, was given to a contract out of it, or came since
// the reversal: the customer would have both.
func (b Book) refuseSecondCredit(reversal *Transaction) error {
	if b.Payment.InSuspense > 0 {
		return Conflict("money of this payment lies in suspense: use suspense assign")
	}
	if len(b.Standing()) > 0 {
		return Conflict("money of this payment was assigned to a contract out of suspense: reverse that assignment first, if it was wrong")
	}
	for i := range b.Transactions {
		t := &b.Transactions[i]
		if t.Seq > reversal.Seq && t.Kind == KindSuspense {
			return Conflict("money of this payment has come since its credit was reversed: use suspense assign")
		}
	}
	return nil
}

// refuseSecondSuspense refuses to let a message's suspended money count again when
// money of its payment has posted since that was reversed: that may be the same
// money, which a later success told of in a larger sum.
func (b Book) refuseSecondSuspense(root, reversal *Transaction) error {
	_, money := root.receiver()
	before := Book{b.Payment, slices.DeleteFunc(slices.Clone(b.Transactions), func(t Transaction) bool { return t.Seq >= reversal.Seq })}
	if b.posted(money.Currency) > before.posted(money.Currency)-money.Amount {
		return Conflict("money of this payment has come since this was reversed: use messages suspend again, for what is left")
	}
	return nil
}

// stillThere refuses to take again what a recall or a refund took, when that has
// been taken otherwise meanwhile.
func (b Book) stillThere(k *Transaction) error {
	_, taken := k.receiver()
	for _, s := range b.Standing() {
		if s.Transaction.ID == k.Takes && s.Left.Amount >= taken.Amount {
			return nil
		}
	}
	if k.Kind == KindRefund {
		return Conflict("what was refunded is not credited any more: see payments show")
	}
	return Conflict("what was recalled is not credited any more: see payments show")
}

// DecideClose ends a review in which nothing is credited and nothing lies in
// suspense. It moves no money.
func DecideClose(b Book) error {
	switch {
	case b.Payment.Status != StatusReview:
		return Conflict("the payment is %s: only a review can be closed", b.Payment.Status)
	case b.Payment.InSuspense > 0:
		return Conflict("money of this payment lies in suspense: use suspense assign or suspense return")
	case len(b.Standing()) > 0:
		return Conflict("money of this payment is credited to a contract")
	}
	return nil
}

// RecordRequest asks for a payment for money that the platform took and that no
// message told of.
type RecordRequest struct {
	Provider, Project      string
	CustomerID, ContractID string
	Money                  Money
	// Operation is the platform's id of the movement, where its movements have
	// one (JetPay); Reference its id of the payment, where they have not
	// (HighHelp). One of the two.
	Operation, Reference string
	// Anyway records although a payment of the same contract and sum waits.
	Anyway bool
}

// RecordState is what a record depends on.
type RecordState struct {
	Account *Account // of the request's customer, nil for none
	// Posted is what the operation did before, nil for nothing.
	Posted *PostedOperation
	// Known is the payment that the platform's reference names, nil for none.
	Known *Payment
	// Waiting is a payment of the same contract and sum that is not credited,
	// empty for none.
	Waiting string
}

// DecideRecord credits money that no message told of, as a payment of our own.
func DecideRecord(r RecordRequest, s RecordState) (Step, error) {
	switch {
	case (r.Operation == "") == (r.Reference == ""):
		return Step{}, Invalid("operation", "or a reference must be given, and not both")
	case r.Provider == PayinProvider && r.Reference == "":
		return Step{}, Invalid("reference", "must be given, and no operation: this provider's movements have no ids of their own")
	case r.Provider != PayinProvider && r.Operation == "":
		return Step{}, Invalid("operation", "must be given, and no reference: this provider's payments may have several movements")
	case r.Operation != "" && !validOperation(r.Operation):
		return Step{}, errOperation()
	case !validReference(r.Reference):
		return Step{}, Invalid("reference", "must be at most %d bytes of text without control characters", MaxIDBytes)
	case r.Money.Amount < 1 || r.Money.Amount > MaxAmount:
		return Step{}, Invalid("amount", "must be between 1 and %d minor units", MaxAmount)
	case s.Account == nil:
		return Step{}, NotFound("account does not exist")
	case s.Account.Contract(r.ContractID) == nil:
		return Step{}, NotFound("contract does not exist in this account")
	case s.Account.Currency != r.Money.Currency:
		return Step{}, Invalid("currency", "is %s, the account's is %s", r.Money.Currency, s.Account.Currency)
	case s.Posted != nil && r.Operation != "":
		return Step{}, Conflict("operation %s has posted already: find it with payments list --q", r.Operation)
	case s.Known != nil && s.Known.Issued() && s.Known.Credit == nil:
		return Step{}, Conflict("payment %s has this reference: use payments credit", s.Known.ID)
	case s.Known != nil && s.Known.Recorded && s.Known.Credit != nil && s.Known.Credit.Reversed && s.Known.Credit.Operation != "":
		return Step{}, Conflict("a success under this reference is stored, and the record that it was bound to was reversed (payment %s): use messages suspend on it", s.Known.ID)
	case s.Known != nil && (s.Posted != nil || !(s.Known.Recorded && s.Known.Credit != nil && s.Known.Credit.Reversed && s.Known.Credit.Operation == "" && s.Known.InSuspense == 0)):
		return Step{}, Conflict("money under this reference has posted already: see payments show %s", s.Known.ID)
	case s.Posted != nil:
		return Step{}, Conflict("money under this reference has posted already: find it with payments list --q")
	case s.Waiting != "" && !r.Anyway:
		return Step{}, Conflict("payment %s of the same contract and sum waits for its result: if this money is its, use payments credit; if not, record with --anyway", s.Waiting)
	}
	return Step{
		Kind: KindManualCredit, TakesCredit: true, Operation: r.Operation,
		Postings: Transfer(SettlementAccount(r.Provider, r.Project), CustomerAccount(s.Account.CustomerID, r.ContractID), r.Money),
	}, nil
}

// validOperation accepts a platform's id of a movement: 1 to 19 digits, as it
// stands in messages, where it is a number.
func validOperation(id string) bool {
	if id == "" || len(id) > 19 || (id[0] == '0' && id != "0") {
		return false
	}
	for i := 0; i < len(id); i++ {
		if id[i] < '0' || id[i] > '9' {
			return false
		}
	}
	return true
}

func errOperation() error {
	return Invalid("operation", "must be 1 to 19 digits without a leading zero")
}

func validReference(id string) bool {
	return len(id) <= MaxIDBytes && utf8.ValidString(id) && !strings.ContainsFunc(id, unicode.IsControl)
}
