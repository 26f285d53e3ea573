package model

import "slices"

// settle brings a payment in line with the journal after an operator's step.
func (w *World) settle(p *Payment) {
	refunded, open := w.Refunded(p) > 0, w.inSuspense(p)
	waits := p.Flags["unreadable"] || p.Flags["refund"] || p.Flags["reversal"] || p.Flags["outcome_unknown"]
	switch {
	case len(w.standing(p)) > 0:
		p.Status = "succeeded"
		p.Flags["outcome_unknown"] = false
	case refunded && !open:
		p.Status = "succeeded"
	case open || p.Status == "succeeded":
		p.Status = "review"
	case p.Status == "review" && !waits:
		p.Status = "declined"
	}
	p.Flags["refunded"] = refunded
	p.Flags["reversed"] = p.Credit != nil && w.Credited(p).zero()
}

// step posts what an operator does to a payment.
func (w *World) step(t *Tx) {
	before := t.Payment.Status
	w.post(t)
	w.settle(t.Payment)
	w.notify(t.Payment, before, t)
}

// Credit is payments credit.
func (w *World) Credit(p *Payment) Refusal {
	conflicts := p.Status == "review" && p.Flags["conflict"]
	if !p.issued() || p.Credit != nil || w.inSuspense(p) || len(w.standing(p)) > 0 || conflicts {
		return Conflict
	}
	t := &Tx{Kind: "manual_credit", Payment: p, Postings: transfer(settlement(p), customerAccount(p.Customer, p.Contract), p.Asked)}
	p.Credit, p.Bound = t, ""
	p.Flags["outcome_unknown"] = false
	w.step(t)
	return ""
}

// Record is payments record --anyway of money that JetPay took.
func (w *World) Record(project, customer, contract string, m Money, op string) Refusal {
	a := w.Accounts[customer]
	_, posted := w.operations[w.key(JetPay, project, op)]
	switch {
	case a == nil || a.contract(contract) == nil:
		return NotFound
	case a.Currency != m.Currency:
		return Invalid
	case posted:
		return Conflict
	}
	p := &Payment{
		Provider: JetPay, Project: project, Customer: customer, Contract: contract, Asked: m, Status: "pending",
		Flags: map[string]bool{}, Recorded: true,
	}
	w.Payments = append(w.Payments, p)
	t := &Tx{Kind: "manual_credit", Payment: p, Operation: op, Postings: transfer(settlement(p), customerAccount(customer, contract), m)}
	p.Credit, p.Bound = t, op
	w.operations[w.key(JetPay, project, op)] = operation{tx: t, sum: m, initial: m, entered: true}
	w.step(t)
	return ""
}

// Recall is payments recall.
func (w *World) Recall(p *Payment) Refusal {
	for _, t := range w.standing(p) {
		to, money := t.To()
		if !p.own(to) {
			continue
		}
		w.step(&Tx{Kind: "recall", Payment: p, Takes: t, Postings: transfer(to, suspense(p), Money{w.left(t), money.Currency})})
		return ""
	}
	return Conflict
}

// Close is payments close.
func (w *World) Close(p *Payment) Refusal {
	if p.Status != "review" || w.inSuspense(p) || len(w.standing(p)) > 0 {
		return Conflict
	}
	p.Status = "declined"
	p.Flags["outcome_unknown"] = false
	w.Events = append(w.Events, Event{Type: "topup.resolved", Payment: p})
	return ""
}

// PayBack is how money goes back: an amount (0: all that is left of an item), the
// operation (empty or none: not told), and who pays.
type PayBack struct {
	Amount    int64
	Operation string
	From      string // empty: the platform; else an account of the ledger
}

// Refund is payments refund.
func (w *World) Refund(p *Payment, b PayBack) Refusal {
	standing := w.standing(p)
	var from *Tx
	switch {
	case p.Credit != nil && slices.Contains(standing, p.Credit):
		from = p.Credit
	case len(standing) == 1:
		if to, _ := standing[0].To(); p.own(to) {
			from = standing[0]
		}
	}
	if from == nil || b.Amount > w.left(from) {
		return Conflict
	}
	account, money := from.To()
	money.Amount = b.Amount
	return w.payBack(&Tx{Kind: "refund", Payment: p, Takes: from}, account, money, b)
}

// Return is suspense return.
func (w *World) Return(item *Tx, b PayBack) Refusal {
	left, open := w.Left(item)
	if !open || b.Amount > left {
		return Conflict
	}
	account, money := item.To()
	money.Amount = left
	if b.Amount > 0 {
		money.Amount = b.Amount
	}
	return w.payBack(&Tx{Kind: "return", Payment: item.Payment, Resolves: item}, account, money, b)
}

func (w *World) payBack(t *Tx, account string, money Money, b PayBack) Refusal {
	p := t.Payment
	op := b.Operation
	if op == "none" {
		op = ""
	}
	key := w.key(p.Provider, p.Project, op)
	if b.Operation == "" && slices.ContainsFunc(w.told, func(r *told) bool { return r.payment == p && r.open }) {
		return Conflict // it must be said whether it is the one that was told of
	}
	if op != "" {
		if _, posted := w.operations[key]; posted {
			return Conflict
		}
		if of := w.toldOf(p, op); of != nil {
			if of.payment != nil && of.payment != p || !of.sum.zero() && of.sum != money {
				return Conflict
			}
		}
	}
	payer := b.From
	if payer == "" {
		payer = settlement(p)
	}
	t.Operation, t.Postings = op, transfer(account, payer, money)
	if op != "" {
		reference := p.ID
		if !p.issued() || p.Recorded {
			reference = p.Reference
		}
		back := Money{-money.Amount, money.Currency}
		w.operations[key] = operation{tx: t, reference: reference, sum: back, initial: back, entered: true}
		w.booked(p, op, true)
	}
	w.step(t)
	return ""
}

// toldOf is the newest message of an operation by which money went back; one that
// says how much is preferred.
func (w *World) toldOf(p *Payment, op string) (found *told) {
	for _, r := range w.told {
		if r.operation == op && p.Provider == JetPay && (found == nil || !r.sum.zero() || found.sum.zero()) {
			found = r
		}
	}
	return found
}

// booked says that what was told of an operation has been booked, or has not any
// more.
func (w *World) booked(p *Payment, op string, done bool) {
	open := map[string]bool{}
	for _, r := range w.told {
		if r.payment == p && r.operation == op {
			r.open = !done
		}
		if r.payment == p && r.open {
			open[r.flag] = true
		}
	}
	for _, flag := range []string{"refund", "reversal"} {
		p.Flags[flag] = open[flag] && (p.Flags[flag] || !done)
	}
}

// Assign is suspense assign.
func (w *World) Assign(item *Tx, customer, contract string) Refusal {
	left, open := w.Left(item)
	if !open {
		return Conflict
	}
	account, money := item.To()
	money.Amount = left
	a := w.Accounts[customer]
	switch {
	case a == nil || a.contract(contract) == nil:
		return NotFound
	case a.Currency != money.Currency:
		return Invalid
	}
	p := item.Payment
	to := customerAccount(customer, contract)
	t := &Tx{Kind: "assignment", Payment: p, Resolves: item, Postings: transfer(account, to, money)}
	if p.own(to) && p.Credit == nil {
		p.Credit, p.Bound = t, item.Operation
		p.Flags["outcome_unknown"] = false
	}
	w.step(t)
	return ""
}

// Reverse is ledger reverse.
func (w *World) Reverse(t *Tx) Refusal {
	if w.reversalOf(t) != nil {
		return Conflict
	}
	root, undoes := t, true
	for root.Reverses != nil {
		root, undoes = root.Reverses, !undoes
	}
	if root.Payout != nil {
		return w.reversePayout(t, root, undoes)
	}
	if undoes && !w.mayUndo(root) || !undoes && !w.mayRedo(root, t) {
		return Conflict
	}
	p := root.Payment
	if undoes {
		w.free(root)
	} else {
		w.retake(root)
	}
	mirror := &Tx{Kind: "reversal", Payment: p, Reverses: t}
	for _, line := range t.Postings {
		mirror.Postings = append(mirror.Postings, Posting{line.Account, -line.Amount, line.Currency})
	}
	w.step(mirror)
	return ""
}

// mayUndo: what a platform posted is not reversed, nor what others hang on.
func (w *World) mayUndo(root *Tx) bool {
	_, money := root.To()
	switch root.Kind {
	case "credit":
		return false
	case "suspense":
		left, open := w.Left(root)
		return !root.ByMessage && open && left == money.Amount
	case "recall":
		left, open := w.Left(root)
		return open && left == money.Amount
	case "manual_credit", "assignment":
		return w.left(root) == money.Amount
	case "return":
		return !w.assigned(root.Resolves) && w.stands(root.Resolves)
	}
	return true
}

func (w *World) assigned(item *Tx) bool {
	return slices.ContainsFunc(w.Txs, func(t *Tx) bool { return t.Resolves == item && t.Kind == "assignment" && w.stands(t) })
}

// mayRedo: t is the reversal of which the reversal would let root count again.
func (w *World) mayRedo(root, t *Tx) bool {
	_, money := root.To()
	for _, op := range w.freed[root] {
		if _, taken := w.operations[op]; taken {
			return false
		}
	}
	switch root.Kind {
	case "manual_credit":
		since := slices.Index(w.Txs, t)
		came := slices.ContainsFunc(w.Txs[since:], func(n *Tx) bool { return n.Payment == root.Payment && n.Kind == "suspense" })
		return !w.inSuspense(root.Payment) && len(w.standing(root.Payment)) == 0 && !came
	case "assignment":
		left, open := w.Left(root.Resolves)
		return open && left == money.Amount
	case "return":
		left, open := w.Left(root.Resolves)
		return open && left >= money.Amount
	case "refund", "recall":
		return w.left(root.Takes) >= money.Amount
	}
	return false
}

// free lets the operations of a transaction be entered again.
func (w *World) free(root *Tx) {
	p := root.Payment
	if root.Kind != "manual_credit" && root.Kind != "refund" && root.Kind != "return" {
		return
	}
	w.freed[root] = nil
	for key, o := range w.operations {
		if o.tx == root {
			w.freed[root] = append(w.freed[root], key)
			w.freedAs[key] = o
		}
	}
	for _, key := range w.freed[root] {
		delete(w.operations, key)
	}
	if root.Operation != "" && root.Kind != "manual_credit" {
		w.booked(p, root.Operation, false)
	}
}

func (w *World) retake(root *Tx) {
	for _, key := range w.freed[root] {
		o := w.freedAs[key]
		o.tx = root
		w.operations[key] = o
	}
	if root.Operation != "" && root.Kind != "manual_credit" {
		w.booked(root.Payment, root.Operation, true)
	}
	w.freed[root] = nil
}

// AddPayout is payouts add, and payouts import of a register with one payout. The same
// again changes nothing.
func (w *World) AddPayout(n Payout) (made bool, why Refusal) {
	for _, p := range w.Payouts {
		if p.holds() && p.ID == n.ID {
			n.State = p.State
			if *p == n {
				return false, ""
			}
			return false, Conflict
		}
	}
	if w.held(&n) {
		return false, Conflict
	}
	n.State = "draft"
	w.Payouts = append(w.Payouts, &n)
	return true, ""
}

// held reports whether another payout that counts has the id, or a line.
func (w *World) held(n *Payout) bool {
	return slices.ContainsFunc(w.Payouts, func(p *Payout) bool { return p != n && p.holds() && p.shares(n) })
}

// Payout is the payout that counts under an id, else the newest; nil for none.
func (w *World) Payout(id string) (found *Payout) {
	for _, p := range w.Payouts {
		if p.ID == id && (found == nil || !found.holds()) {
			found = p
		}
	}
	return found
}

// Bank is the ledger account to which payouts go.
const Bank = "bank:halyk"

// PostPayout is payouts post.
func (w *World) PostPayout(p *Payout, project string) Refusal {
	if p.State != "draft" {
		return Conflict
	}
	t := &Tx{Kind: "payout", Payout: p}
	for _, leg := range []Posting{
		{Bank, p.Net, ""}, {"fees:jetpay:" + project, p.Fees, ""}, {"reserve:jetpay:" + project, p.Reserve, ""},
		{"adjustments:jetpay:" + project, p.Adjustments, ""}, {"settlement:jetpay:" + project, p.Refunds - p.Gross, ""},
	} {
		if leg.Amount != 0 {
			leg.Currency = "KZT"
			t.Postings = append(t.Postings, leg)
		}
	}
	p.State = "posted"
	w.post(t)
	w.Events = append(w.Events, Event{Type: "payout.posted", Payout: p, Tx: t})
	return ""
}

// DiscardPayout is payouts discard.
func (w *World) DiscardPayout(p *Payout) Refusal {
	if p.State != "draft" {
		return Conflict
	}
	p.State = "discarded"
	return ""
}

func (w *World) reversePayout(t, root *Tx, undoes bool) Refusal {
	p := root.Payout
	if undoes {
		p.State = "reversed"
	} else {
		if w.held(p) {
			return Conflict
		}
		p.State = "posted"
	}
	mirror := &Tx{Kind: "reversal", Payout: p, Reverses: t}
	for _, line := range t.Postings {
		mirror.Postings = append(mirror.Postings, Posting{line.Account, -line.Amount, line.Currency})
	}
	w.post(mirror)
	return ""
}
