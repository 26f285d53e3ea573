// Package model is what tolem must do, said once more: accounts, payments, the
// ledger, what the platforms send, operators' steps and notifications, in maps and
// slices. It is written from the rules of the platforms and of the promises, and
// shares no code with the program. It knows no SQL, no HTTP, no clock, and nothing
// happens in it at the same time. What it does not find in a few lines it looks for
// in the whole journal, so that each rule can be read where it stands.
package model

import (
	"fmt"
	"slices"
	"strings"
)

// The platforms.
const (
	JetPay   = "jetpay"
	HighHelp = "highhelp"
)

// Refusal is why a step is refused; empty: it is not.
type Refusal string

// The refusals of a step.
const (
	Conflict Refusal = "conflict"  // not in this state
	NotFound Refusal = "not found" // there is no such thing
	Invalid  Refusal = "invalid"   // a value that breaks a rule
)

// Money is a sum in minor units.
type Money struct {
	Amount   int64
	Currency string
}

func (m Money) zero() bool { return m == Money{} }

// Contract is one contract of an account.
type Contract struct {
	ID     string
	Min    int64
	Closed bool
}

// Account is a customer of the merchant.
type Account struct {
	Customer, Additional, Currency string
	Closed                         bool
	Contracts                      []Contract
}

func (a *Account) contract(id string) *Contract {
	for i := range a.Contracts {
		if a.Contracts[i].ID == id {
			return &a.Contracts[i]
		}
	}
	return nil
}

// open are the ids of the contracts that can be topped up.
func (a *Account) open() (ids []string) {
	for _, c := range a.Contracts {
		if !a.Closed && !c.Closed {
			ids = append(ids, c.ID)
		}
	}
	return ids
}

// Payment is a payment, ours or one that was opened for money under an unknown id.
type Payment struct {
	ID                string // as the server named it; empty until that is seen
	Provider, Project string
	Customer          string // empty: opened for money that nobody asked for
	Contract          string
	Asked             Money
	Status            string
	Flags             map[string]bool
	Reference         string // the platform's id of a payment that is not ours
	Recorded          bool   // an operator entered it
	MayExpire         bool   // nothing is known of it, and its time is over
	Credit            *Tx    // its one credit, taken for ever
	Bound             string // the operation of that credit, empty for none yet
}

func (p *Payment) issued() bool { return p.Customer != "" }

// own reports whether an account is the contract's that the payment was made for.
func (p *Payment) own(account string) bool {
	return !p.issued() || account == customerAccount(p.Customer, p.Contract)
}

func (p *Payment) review() {
	if p.Status != "succeeded" {
		p.Status = "review"
	}
}

// FlagNames are the payment's flags, sorted.
func (p *Payment) FlagNames() []string {
	names := []string{}
	for name, set := range p.Flags {
		if set {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// Posting is a line of a transaction: a debit is positive.
type Posting struct {
	Account  string
	Amount   int64
	Currency string
}

// Tx is a ledger transaction.
type Tx struct {
	Kind      string
	Payment   *Payment // nil: of a payout
	Payout    *Payout
	Postings  []Posting
	ByMessage bool
	Operation string
	Takes     *Tx // the credit or assignment from which it takes
	Resolves  *Tx // the suspense item that it resolves, or of which it returns a part
	Reverses  *Tx
}

// To is the account that the transaction credits, and how much.
func (t *Tx) To() (string, Money) {
	for _, p := range t.Postings {
		if p.Amount < 0 {
			return p.Account, Money{-p.Amount, p.Currency}
		}
	}
	return "", Money{}
}

// Event is a notification.
type Event struct {
	Type    string
	Payment *Payment
	Payout  *Payout
	Tx      *Tx // nil for none
}

// Payout is a payout by its figures, and the lines of its register.
type Payout struct {
	ID                                              string
	Gross, Refunds, Fees, Reserve, Adjustments, Net int64
	Lines                                           string // what names each, separated by blanks; empty: entered by hand
	State                                           string // draft, posted, discarded, reversed
}

// holds reports whether the payout keeps others from having its id or its lines.
func (p *Payout) holds() bool { return p.State == "draft" || p.State == "posted" }

// shares reports whether two payouts have the same id or a line in common.
func (p *Payout) shares(q *Payout) bool {
	lines := strings.Fields(q.Lines)
	return p.ID == q.ID || slices.ContainsFunc(strings.Fields(p.Lines), func(line string) bool { return slices.Contains(lines, line) })
}

// operation is an operation of a platform that has had its effect.
type operation struct {
	tx           *Tx
	reference    string
	sum, initial Money // below zero: it gave back
	entered      bool  // by an operator
}

// told is a message that money went back.
type told struct {
	payment   *Payment // nil for none of ours
	operation string
	flag      string // refund or reversal
	sum       Money  // zero: it does not say
	open      bool   // nobody has booked it
}

// World is all that there is.
type World struct {
	Accounts map[string]*Account
	Payments []*Payment
	Txs      []*Tx
	Events   []Event
	Payouts  []*Payout
	Methods  []string // payment.method of top-ups

	operations map[string]operation
	freed      map[*Tx][]string // operations of a transaction that was reversed
	freedAs    map[string]operation
	seen       map[string]bool
	told       []*told
}

// New is a world in which nothing has happened.
func New(accounts ...*Account) *World {
	w := &World{
		Accounts: map[string]*Account{}, Methods: []string{"kaspi"},
		operations: map[string]operation{}, freed: map[*Tx][]string{}, freedAs: map[string]operation{}, seen: map[string]bool{},
	}
	for _, a := range accounts {
		w.Accounts[a.Customer] = a
	}
	return w
}

func customerAccount(customer, contract string) string {
	return "customers:" + customer + ":" + contract
}
func settlement(p *Payment) string { return "settlement:" + p.Provider + ":" + p.Project }
func suspense(p *Payment) string   { return "suspense:" + p.Provider + ":" + p.Project }

func transfer(from, to string, m Money) []Posting {
	return []Posting{{from, m.Amount, m.Currency}, {to, -m.Amount, m.Currency}}
}

// post adds a transaction to the journal.
func (w *World) post(t *Tx) *Tx {
	w.Txs = append(w.Txs, t)
	return t
}

// stands reports whether a transaction counts: it was not reversed, or its reversal
// was.
func (w *World) stands(t *Tx) bool {
	r := w.reversalOf(t)
	return r == nil || !w.stands(r)
}

func (w *World) reversalOf(t *Tx) *Tx {
	for _, r := range w.Txs {
		if r.Reverses == t {
			return r
		}
	}
	return nil
}

func credits(kind string) bool {
	return kind == "credit" || kind == "manual_credit" || kind == "assignment"
}

// left is what of a credit or an assignment was neither refunded nor recalled.
func (w *World) left(t *Tx) int64 {
	if !w.stands(t) {
		return 0
	}
	_, money := t.To()
	for _, k := range w.Txs {
		if k.Takes == t && w.stands(k) {
			_, taken := k.To()
			money.Amount -= taken.Amount
		}
	}
	return money.Amount
}

// standing are the credits and assignments of a payment of which something is left,
// the newest first.
func (w *World) standing(p *Payment) (list []*Tx) {
	for _, t := range slices.Backward(w.Txs) {
		if t.Payment == p && credits(t.Kind) && w.left(t) > 0 {
			list = append(list, t)
		}
	}
	return list
}

// Credited is what the payment's own contract has of its money; zero for nothing.
func (w *World) Credited(p *Payment) (sum Money) {
	account := ""
	for _, t := range w.standing(p) {
		to, money := t.To()
		switch {
		case !p.own(to):
		case account == "":
			account, sum = to, Money{w.left(t), money.Currency}
		case to == account && money.Currency == sum.Currency:
			sum.Amount += w.left(t)
		}
	}
	return sum
}

// Left is what lies in suspense of an item, and whether the item is open.
func (w *World) Left(item *Tx) (left int64, open bool) {
	_, money := item.To()
	left, open = money.Amount, w.stands(item)
	for _, t := range w.Txs {
		if t.Resolves == item && w.stands(t) {
			_, part := t.To()
			left -= part.Amount
			open = open && t.Kind != "assignment"
		}
	}
	return left, open && left > 0
}

// Items are the transactions that put money into suspense.
func (w *World) Items() (list []*Tx) {
	for _, t := range w.Txs {
		if t.Kind == "suspense" || t.Kind == "recall" {
			list = append(list, t)
		}
	}
	return list
}

// inSuspense reports whether money of the payment lies in suspense.
func (w *World) inSuspense(p *Payment) bool {
	return slices.ContainsFunc(w.Items(), func(t *Tx) bool {
		_, open := w.Left(t)
		return t.Payment == p && open
	})
}

// Refunded is what operators have booked as refunded of a payment.
func (w *World) Refunded(p *Payment) (sum int64) {
	for _, t := range w.Txs {
		if t.Payment == p && t.Kind == "refund" && w.stands(t) {
			_, money := t.To()
			sum += money.Amount
		}
	}
	return sum
}

// ByID is the payment that the server named so, nil for none.
func (w *World) ByID(id string) *Payment {
	for _, p := range w.Payments {
		if p.ID == id {
			return p
		}
	}
	return nil
}

// named is the payment that a platform means: one that was issued to the project, or
// the one that was opened for earlier money under the same id.
func (w *World) named(provider, project, reference string) *Payment {
	for _, p := range w.Payments {
		if p.Provider != provider || p.Project != project || p.Recorded {
			continue
		}
		if p.issued() && p.ID == reference || !p.issued() && p.Reference == reference {
			return p
		}
	}
	return nil
}

func (w *World) key(provider, project, operation string) string {
	return strings.Join([]string{provider, project, operation}, " ")
}

// notify writes what a transaction, or a new status, is told as.
func (w *World) notify(p *Payment, before string, t *Tx) {
	kind := ""
	switch {
	case t != nil && touchesContract(t):
		kind = map[string]string{
			"credit": "topup.succeeded", "manual_credit": "topup.succeeded", "assignment": "topup.resolved",
			"refund": "topup.refunded", "recall": "topup.reversed", "reversal": "topup.reversed",
		}[t.Kind]
	case t != nil && t.Kind == "return":
		kind = "topup.resolved"
	case t != nil || p.Status != before:
		kind = map[string]string{"declined": "topup.declined", "review": "topup.review", "expired": "topup.expired"}[p.Status]
	}
	if kind != "" {
		w.Events = append(w.Events, Event{Type: kind, Payment: p, Tx: t})
	}
}

func touchesContract(t *Tx) bool {
	return slices.ContainsFunc(t.Postings, func(p Posting) bool { return strings.HasPrefix(p.Account, "customers:") })
}

// Balances are the debits and credits of every ledger account by its currency.
func (w *World) Balances() map[string][2]int64 {
	sums := map[string][2]int64{}
	for _, t := range w.Txs {
		for _, p := range t.Postings {
			key := p.Account + " " + p.Currency
			sum := sums[key]
			if p.Amount > 0 {
				sum[0] += p.Amount
			} else {
				sum[1] -= p.Amount
			}
			sums[key] = sum
		}
	}
	return sums
}

// Check says what is wrong with the world itself: what no sequence may bring about.
func (w *World) Check() error {
	for i, t := range w.Txs {
		sums := map[string]int64{}
		for _, p := range t.Postings {
			sums[p.Currency] += p.Amount
		}
		for currency, sum := range sums {
			if sum != 0 {
				return fmt.Errorf("transaction %d (%s) is off by %d %s", i, t.Kind, sum, currency)
			}
		}
		if credits(t.Kind) && w.stands(t) && w.left(t) < 0 {
			return fmt.Errorf("more than all of transaction %d (%s) was taken", i, t.Kind)
		}
	}
	for _, p := range w.Payments {
		byMessage := 0
		for _, t := range w.Txs {
			if t.Payment == p && t.Kind == "credit" {
				byMessage++
			}
		}
		if byMessage > 1 {
			return fmt.Errorf("payment %s was credited %d times by messages", p.ID, byMessage)
		}
	}
	for account, sum := range w.Balances() {
		if strings.HasPrefix(account, "customers:") || strings.HasPrefix(account, "suspense:") {
			if sum[1] < sum[0] {
				return fmt.Errorf("%s is below zero", account)
			}
		}
	}
	return nil
}
