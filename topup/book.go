package topup

import (
	"slices"
	"strings"
	"time"
)

// Book is what the journal has of one payment: the payment and all its ledger
// transactions, in feed order. Operators' steps are decided on it.
type Book struct {
	Payment      *Payment
	Transactions []Transaction
}

// ItemState is where a suspense item stands.
type ItemState string

const (
	ItemOpen     ItemState = "open"     // nobody has resolved it
	ItemAssigned ItemState = "assigned" // given to a contract
	ItemReturned ItemState = "returned" // sent back to the platform
	ItemReversed ItemState = "reversed" // the transaction that put the money into suspense was mirrored
)

// ItemStates are all states of a suspense item.
var ItemStates = []ItemState{ItemOpen, ItemAssigned, ItemReturned, ItemReversed}

// ParseItemState returns the state of that name; the error is of KindInvalid.
func ParseItemState(name string) (ItemState, error) {
	if state := ItemState(name); slices.Contains(ItemStates, state) {
		return state, nil
	}
	return "", Invalid("status", "must be one of %v", ItemStates)
}

// Standing is money of a payment that is credited to a contract now: a credit or
// an assignment that was not reversed, less what was recalled or refunded of it.
type Standing struct {
	Transaction Transaction
	Account     string // the contract's ledger account
	Left        Money  // above zero
}

// Credited is what the payment's own contract has of its money: the sum of all
// that stands there, and the newest transaction of it. Nil when nothing stands.
type Credited struct {
	Money         Money
	TransactionID string
	At            time.Time // when that was recorded
}

func (b Book) find(id string) *Transaction {
	for i := range b.Transactions {
		if b.Transactions[i].ID == id {
			return &b.Transactions[i]
		}
	}
	return nil
}

// reversalOf is the transaction that mirrors t, nil when none does.
func (b Book) reversalOf(t *Transaction) *Transaction {
	for i := range b.Transactions {
		if b.Transactions[i].Reverses == t.ID {
			return &b.Transactions[i]
		}
	}
	return nil
}

// undone reports whether a transaction does not count: the number of reversals
// in a row behind it is odd.
func (b Book) undone(t *Transaction) bool {
	undone := false
	for r := b.reversalOf(t); r != nil; r = b.reversalOf(r) {
		undone = !undone
	}
	return undone
}

// Undone reports whether the transaction of that id does not count any more.
func (b Book) Undone(id string) bool {
	t := b.find(id)
	return t != nil && b.undone(t)
}

// root follows a chain of reversals to the transaction at its beginning. undoes
// reports whether reversing t would undo that transaction, as opposed to letting
// it count again.
func (b Book) root(t *Transaction) (root *Transaction, undoes bool) {
	undoes = true
	for t.Reverses != "" {
		before := b.find(t.Reverses)
		if before == nil {
			break
		}
		t, undoes = before, !undoes
	}
	return t, undoes
}

// receiver is the account that a transaction credits, and how much.
func (t *Transaction) receiver() (account string, money Money) {
	for _, p := range t.Postings {
		if p.Amount < 0 {
			return p.Account, Money{Amount: -p.Amount, Currency: p.Currency}
		}
	}
	return "", Money{}
}

// ByProvider reports whether a provider's message made the transaction.
func (t *Transaction) ByProvider() bool { return t.Actor == "" }

// takenFrom is what stands of the recalls and refunds of a transaction.
func (b Book) takenFrom(t *Transaction) int64 {
	var taken int64
	for i := range b.Transactions {
		if k := &b.Transactions[i]; k.Takes == t.ID && !b.undone(k) {
			_, money := k.receiver()
			taken += money.Amount
		}
	}
	return taken
}

// Standing lists the payment's money that is credited to contracts now, the
// newest first.
func (b Book) Standing() []Standing {
	var list []Standing
	for i := range b.Transactions {
		t := &b.Transactions[i]
		if !t.Kind.credits() || b.undone(t) {
			continue
		}
		account, money := t.receiver()
		if money.Amount -= b.takenFrom(t); money.Amount > 0 {
			list = append(list, Standing{*t, account, money})
		}
	}
	slices.Reverse(list)
	return list
}

// OfPlatform is what was received for the payment and what went back through the
// platform, reversals counted. With an operation that brought money of it, only
// what that brought is received. The currency is that of what was received first.
func (b Book) OfPlatform(operation string) (received int64, currency string, refunded int64) {
	byOperation := false
	for i := range b.Transactions {
		t := &b.Transactions[i]
		rule := t.Kind.rule()
		if (!rule.FromSettlement && !rule.ToSettlement) || b.undone(t) {
			continue
		}
		for _, p := range t.Postings {
			switch {
			case rule.ToSettlement && p.Amount < 0 && strings.HasPrefix(p.Account, "settlement:"):
				refunded -= p.Amount
			case !rule.FromSettlement || p.Amount < 0:
			case operation != "" && t.Operation == operation && !byOperation:
				byOperation, received, currency = true, p.Amount, p.Currency
			case byOperation && t.Operation != operation:
			case currency == "" || currency == p.Currency:
				received, currency = received+p.Amount, p.Currency
			}
		}
	}
	return received, currency, refunded
}

// Refunded returns what stands of the refunds of the payment: those in its own
// currency, else in that of the newest. Zero for nothing.
func (b Book) Refunded() Money {
	sums := map[string]int64{}
	newest := ""
	for i := range b.Transactions {
		if t := &b.Transactions[i]; t.Kind == KindRefund && !b.undone(t) {
			_, money := t.receiver()
			sums[money.Currency] += money.Amount
			newest = money.Currency
		}
	}
	if sum := sums[b.Payment.Money.Currency]; sum > 0 {
		return Money{sum, b.Payment.Money.Currency}
	}
	if newest == "" {
		return Money{}
	}
	return Money{sums[newest], newest}
}

// own reports whether an account is the contract's that the payment was issued
// for. A payment that was opened for unknown money has none: any is its own.
func (b Book) own(account string) bool {
	p := b.Payment
	return !p.Issued() || account == CustomerAccount(p.CustomerID, p.ContractID)
}

// Credited returns what stands on the payment's own contract, nil for nothing.
func (b Book) Credited() *Credited {
	var c *Credited
	var account string
	for _, s := range b.Standing() {
		switch {
		case !b.own(s.Account):
		case c == nil:
			c, account = &Credited{s.Left, s.Transaction.ID, s.Transaction.RecordedAt}, s.Account
		case s.Account == account && s.Left.Currency == c.Money.Currency:
			c.Money.Amount += s.Left.Amount
		}
	}
	return c
}

// elsewhere reports whether money of the payment is credited to a contract that
// is not its own.
func (b Book) elsewhere() bool {
	return slices.ContainsFunc(b.Standing(), func(s Standing) bool { return !b.own(s.Account) })
}

// Item is money that was put into suspense.
type Item struct {
	Transaction Transaction
	Account     string // the ledger account in which it lies
	Money       Money  // that was put there
	Left        Money  // that lies there, or lay there until the item was assigned or reversed
	State       ItemState
	// By is the transaction by which the item is resolved, empty while it is open.
	By string
}

// item returns the suspense item that a transaction is, nil if it is none.
func (b Book) item(id string) *Item {
	t := b.find(id)
	if t == nil || !t.Kind.OpensItem() {
		return nil
	}
	i := &Item{Transaction: *t, State: ItemOpen}
	i.Account, i.Money = t.receiver()
	i.Left = i.Money
	if b.undone(t) {
		i.State, i.By = ItemReversed, b.lastReversal(t)
		return i
	}
	last := ""
	for n := range b.Transactions {
		r := &b.Transactions[n]
		if r.Resolves != id || b.undone(r) {
			continue
		}
		if r.Kind.PaysBack() { // of the whole, or of a part
			_, part := r.receiver()
			i.Left.Amount -= part.Amount
			last = r.ID
			continue
		}
		i.State, i.By = r.Kind.Resolved(), r.ID
	}
	if i.State == ItemOpen && i.Left.Amount == 0 {
		i.State, i.By = ItemReturned, last
	}
	return i
}

// PartReturned is what went back of a suspense item that was not returned whole.
func (b Book) PartReturned(item string) int64 {
	i := b.item(item)
	if i == nil || i.State == ItemReturned {
		return 0
	}
	return i.Money.Amount - i.Left.Amount
}

// lastReversal is the newest transaction in the chain of reversals behind t.
func (b Book) lastReversal(t *Transaction) string {
	last := t
	for r := b.reversalOf(t); r != nil; r = b.reversalOf(r) {
		last = r
	}
	return last.ID
}

// openItems counts the payment's items that nobody has resolved.
func (b Book) openItems() int {
	open := 0
	for i := range b.Transactions {
		if item := b.item(b.Transactions[i].ID); item != nil && item.State == ItemOpen {
			open++
		}
	}
	return open
}

// Settle brings what the payment shows in line with its journal after an
// operator's step: status, the flags reversed and refunded, and the number of open
// items. Its status follows from the books: succeeded while a contract has money
// of it, else review while money of it lies in suspense, else succeeded when money
// of it was credited and refunded. When nothing of that is so any more, a payment
// that had succeeded needs somebody to look; one that was in review for its money
// alone is over.
func (b Book) Settle() {
	p := b.Payment
	p.InSuspense = b.openItems()
	standing := b.Standing()
	p.Refunded = b.Refunded()
	switch {
	case len(standing) > 0:
		p.Status = StatusSucceeded
		p.Flags &^= FlagOutcomeUnknown // an operator knows it
	case p.InSuspense == 0 && !p.Refunded.IsZero():
		p.Status = StatusSucceeded
	case p.InSuspense > 0 || p.Status == StatusSucceeded:
		p.Status = StatusReview
	case p.Status == StatusReview && p.Flags&(flagsTold|FlagOutcomeUnknown) == 0:
		p.Status = StatusDeclined
	}
	p.Flags &^= FlagReversed | FlagRefunded
	if !p.Refunded.IsZero() {
		p.Flags |= FlagRefunded
	}
	p.Credited = b.Credited()
	if p.Credit != nil && p.Credited == nil {
		p.Flags |= FlagReversed
	}
}
