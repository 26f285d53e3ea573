package model

import (
	"fmt"
	"slices"
	"strings"
)

// Verify answers whether an account can be topped up, with the ids of its contracts.
func (w *World) Verify(customer string) (code int, contracts []string) {
	a := w.Accounts[customer]
	if a == nil || len(a.open()) == 0 {
		return 404, nil
	}
	return 0, a.open()
}

// Deposit answers check_deposit. The caller calls [World.Issue] when the code is 0.
func (w *World) Deposit(customer, contract string, m Money, method string) (code int) {
	if m.Amount < 1 || m.Amount > 10_000_000_000_000 || m.Currency != strings.ToUpper(m.Currency) {
		return 500 // not a request that can be read
	}
	a := w.Accounts[customer]
	if a == nil || len(a.open()) == 0 {
		return 404
	}
	c := a.contract(contract)
	if c == nil || c.Closed || m.Currency != a.Currency || m.Amount < c.Min || method != "terminal/kaspi" {
		return 500
	}
	return 0
}

// Issue is a payment under a new id.
func (w *World) Issue(provider, project, id, customer, contract string, m Money) *Payment {
	p := &Payment{
		ID: id, Provider: provider, Project: project, Customer: customer, Contract: contract, Asked: m,
		Status: "pending", Flags: map[string]bool{},
	}
	w.Payments = append(w.Payments, p)
	return p
}

// Expire lets the time for a result be over. The notification of that may be written
// later, or never when something else comes first.
func (p *Payment) Expire() {
	if p.Status == "pending" {
		p.Status, p.MayExpire = "expired", true
	}
}

// Callback is a message of JetPay's Gate, as far as it decides anything.
type Callback struct {
	Project                     string
	Reference                   string // payment.id
	Status                      string // payment.status
	Operation                   string // operation.id, empty: it cannot be read
	Type, OperationStatus, Code string // operation.…
	Method                      string // payment.method
	Sum, Initial                Money
}

func (c Callback) movement() bool {
	return c.Type == "sale" && c.OperationStatus == "success" && c.Status == "success"
}

// back is the flag of a message that money went back, empty for another.
func (c Callback) back() string {
	switch {
	case c.paysBack() && c.OperationStatus != "success":
		return "" // it was declined or is under way
	case c.Status == "refunded", c.Status == "partially refunded", c.Type == "refund":
		return "refund"
	case c.Status == "reversed", c.Status == "partially reversed", c.Type == "reversal":
		return "reversal"
	}
	return ""
}

func (c Callback) paysBack() bool { return c.Type == "refund" || c.Type == "reversal" }

func (c Callback) declines() bool {
	final := !slices.Contains([]string{"19999", "29999", "20802", "20899"}, c.Code)
	says := slices.Contains([]string{"decline", "error", "expired", "canceled", "cancelled"}, c.Status)
	return says && final && !(c.paysBack() && c.OperationStatus != "success")
}

// Callback takes a signed callback. It is always answered 200.
func (w *World) Callback(c Callback) {
	p := w.named(JetPay, c.Project, c.Reference)
	ours := slices.Contains(w.Methods, c.Method)
	if c.movement() && c.Operation == "" {
		if p != nil {
			w.noted(p, func() { p.Flags["unreadable"] = true; p.review() })
		}
		return
	}
	key := c.key()
	if w.seen[key] {
		return
	}
	posted := w.operations[w.key(JetPay, c.Project, c.Operation)].tx != nil
	foreign := p == nil && !ours
	if c.movement() {
		foreign = !posted && !ours && (p == nil || !p.issued())
	}
	w.seen[key] = !foreign // what is foreign is judged anew when it comes again
	if c.movement() {
		w.movement(p, movement{
			provider: JetPay, project: c.Project, reference: c.Reference, operation: c.Operation, sum: c.Sum, initial: c.Initial, ours: ours,
		})
		return
	}
	w.status(c, p)
}

// status takes a callback that is no movement.
func (w *World) status(c Callback, p *Payment) {
	flag := c.back()
	before, posted := w.operations[w.key(JetPay, c.Project, c.Operation)]
	var sum Money
	if flag != "" {
		if c.paysBack() {
			sum = c.Initial
		}
		w.told = append(w.told, &told{payment: p, operation: c.Operation, flag: flag, sum: sum})
	}
	switch {
	case flag != "" && posted && before.sum.Amount < 0:
		other := !sum.zero() && sum != (Money{-before.sum.Amount, before.sum.Currency})
		if p != nil && (other || before.reference != c.Reference) {
			w.noted(p, func() { p.Flags["conflict"] = true; p.review() })
		}
	case p == nil:
	case flag != "":
		w.told[len(w.told)-1].open = true
		w.noted(p, func() { p.Flags[flag] = true; p.review() })
	case c.declines():
		w.noted(p, func() {
			p.Flags["outcome_unknown"] = false
			if p.Status != "succeeded" && p.Status != "review" {
				p.Status = "declined"
			}
		})
	case c.Status == "success" && p.issued() && p.Status != "succeeded":
		w.noted(p, func() { p.Flags["outcome_unknown"] = true; p.Status = "review" })
	}
}

// noted is a message that changes a payment and posts nothing.
func (w *World) noted(p *Payment, change func()) {
	before := p.Status
	change()
	w.notify(p, before, nil)
}

// key is equal for a callback and its repeats. The code counts but for a movement: a
// decline that may still be paid and then becomes final is news.
func (c Callback) key() string {
	code := c.Code
	if c.movement() {
		code = ""
	}
	return fmt.Sprintf("%s|%s|%s|%s|%s|%s|%v|%v|%s", c.Project, c.Reference, c.Status, c.Operation, c.OperationStatus, c.Type, c.Sum, c.Initial, code)
}

// movement is money that a platform has moved.
type movement struct {
	provider, project, reference, operation string
	sum, initial                            Money
	ours                                    bool  // its method is one of top-ups
	most                                    int64 // HighHelp: the received sum credits up to this; 0: only what was asked
	received                                bool  // HighHelp
}

func (w *World) movement(p *Payment, m movement) {
	key := w.key(m.provider, m.project, m.operation)
	if before, posted := w.operations[key]; posted {
		same := before.reference == m.reference && before.sum == m.sum && before.initial == m.initial
		if p != nil {
			w.noted(p, func() {
				if m.received {
					p.Flags["outcome_unknown"] = false
				}
				if same {
					return
				}
				p.Flags["conflict"] = true
				if before.entered {
					p.review()
				}
			})
		}
		return
	}
	if p == nil || !p.issued() {
		if !m.ours {
			return
		}
		if p == nil {
			p = &Payment{
				Provider: m.provider, Project: m.project, Asked: m.sum, Status: "review", Flags: map[string]bool{}, Reference: m.reference,
			}
			w.Payments = append(w.Payments, p)
		}
		w.suspend(p, m, "unknown_payment")
		return
	}
	asked := m.sum == p.Asked && m.initial == p.Asked
	over := m.received && m.sum.Currency == p.Asked.Currency && m.sum.Amount <= p.Asked.Amount*m.most
	ahead := p.Credit != nil && !p.Credit.ByMessage && p.Bound == "" && w.stands(p.Credit)
	switch {
	case ahead && w.equalsCredit(p, m):
		w.bind(p, m)
	case ahead && m.received:
		w.suspend(p, m, differs(m, p.Asked), "conflict")
	case p.Credit != nil:
		w.suspend(p, m, "second_operation")
	case asked || over:
		w.credit(p, m, asked)
	default:
		w.suspend(p, m, differs(m, p.Asked))
	}
}

func differs(m movement, asked Money) string {
	if m.sum.Currency != asked.Currency || m.initial.Currency != asked.Currency {
		return "currency_differs"
	}
	return "amount_differs"
}

func (w *World) equalsCredit(p *Payment, m movement) bool {
	_, money := p.Credit.To()
	return m.sum == money && m.initial == money
}

func (w *World) credit(p *Payment, m movement, asked bool) {
	t := w.post(&Tx{
		Kind: "credit", Payment: p, ByMessage: true, Operation: m.operation,
		Postings: transfer(settlement(p), customerAccount(p.Customer, p.Contract), m.sum),
	})
	w.claim(t, m)
	before := p.Status
	if before == "declined" || before == "expired" {
		p.Flags["late"] = true
	}
	if !asked {
		p.Flags["amount_differs"] = true
	}
	p.Flags["outcome_unknown"] = false
	p.Status, p.Credit, p.Bound = "succeeded", t, m.operation
	w.notify(p, before, t)
}

func (w *World) suspend(p *Payment, m movement, flags ...string) {
	t := w.post(&Tx{Kind: "suspense", Payment: p, ByMessage: true, Operation: m.operation, Postings: transfer(settlement(p), suspense(p), m.sum)})
	w.claim(t, m)
	before := p.Status
	for _, flag := range flags {
		p.Flags[flag] = true
	}
	p.Flags["outcome_unknown"] = false
	p.review()
	w.notify(p, before, t)
}

func (w *World) bind(p *Payment, m movement) {
	w.claim(p.Credit, m)
	p.Bound = m.operation
	w.noted(p, func() { p.Flags["outcome_unknown"] = false })
}

func (w *World) claim(t *Tx, m movement) {
	w.operations[w.key(m.provider, m.project, m.operation)] = operation{tx: t, reference: m.reference, sum: m.sum, initial: m.initial}
}

// Alert is a message of HighHelp.
type Alert struct {
	Project, Reference, Status, SubStatus string
	Sum                                   Money
}

// Alert takes a signed alert. It is always answered 200.
func (w *World) Alert(a Alert) {
	p := w.named(HighHelp, a.Project, a.Reference)
	key := fmt.Sprintf("%s|%s|%s|%s", a.Project, a.Reference, a.Status, a.SubStatus)
	if a.Status == "success" {
		key = fmt.Sprintf("%s|%s|success|%v", a.Project, a.Reference, a.Sum)
	}
	if w.seen[key] {
		return
	}
	w.seen[key] = true
	if a.Status == "success" {
		w.movement(p, movement{
			provider: HighHelp, project: a.Project, reference: a.Reference, operation: a.Reference,
			sum: a.Sum, initial: a.Sum, ours: true, most: 10, received: true,
		})
		return
	}
	if p == nil {
		return
	}
	w.noted(p, func() {
		p.Flags["outcome_unknown"] = false
		switch a.Status {
		case "decline", "error":
			nothing := p.Credit == nil && !w.inSuspense(p) && !p.Flags["unreadable"]
			if p.Status != "succeeded" && (p.Status != "review" || nothing) {
				p.Status = "declined"
			}
		case "dispute":
			p.Flags["dispute"] = true
			if p.Status != "succeeded" && p.Status != "review" {
				p.Status = "pending"
			}
		}
	})
}

// PayinRefused is a pay-in that the platform does not take.
func (w *World) PayinRefused(p *Payment) { w.noted(p, func() { p.Status = "declined" }) }

// PayinUnknown is a pay-in whose request was not answered.
func (w *World) PayinUnknown(p *Payment) { p.Flags["outcome_unknown"] = true }
