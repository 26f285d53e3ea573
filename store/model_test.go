package store_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"tolem/calendar"
	"tolem/store"
	"tolem/topup"
)

// TestMoneyAgainstAModel takes callbacks, refunds, returns, payouts and reversals
// at random, and compares the balances after each with a model that adds and
// subtracts: it knows nothing of transactions, postings and SQL.
func TestMoneyAgainstAModel(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(r *rapid.T) {
		c := newClock()
		o := newDatabase(t)
		o.Now = c.Now
		s, err := store.Open(ctx, o)
		if err != nil {
			r.Fatal(err)
		}
		defer func() {
			if err := s.Close(); err != nil {
				r.Fatal(err)
			}
		}()
		mustAccounts(t, s)
		m := &moneyModel{t: r, s: s, balance: map[string]int64{}, payments: map[string]*modelPayment{}}
		m.pay(r)
		m.credit(r)
		m.payUnknown(r)
		m.add(r)
		r.Repeat(map[string]func(*rapid.T){
			"pay":                m.pay,
			"pay again":          m.payAgain,
			"pay under their id": m.payUnknown,
			"repeat":             m.repeat,
			"decline a refund":   m.decline,
			"report a refund":    m.tell,
			"credit":             m.credit,
			"refund":             m.refund,
			"refund again":       m.refund,
			"return":             m.giveBack,
			"assign":             m.assign,
			"add a payout":       m.add,
			"post a payout":      m.post,
			"discard a payout":   m.discard,
			"reverse":            m.reverse,
			"reverse again":      m.reverse,
			"reverse the last":   func(*rapid.T) { m.reverseTheLast() },
			"settlement":         func(*rapid.T) { m.settlement() },
			"wait":               func(*rapid.T) { c.Add(20 * time.Hour) },
			"":                   func(*rapid.T) { m.compare() },
		})
		m.settlement()
	})
}

// The accounts of the model. A balance is what was debited less what was credited.
const (
	modelOwn   = "customers:7123456789:12345"
	modelOther = "customers:7000000000:1"
)

// modelPayment is a payment of 10 000, or one under the platform's own id.
type modelPayment struct {
	id        string
	n         int    // its number among all
	operation string // of its credit, empty for none
	credited  bool
	byHand    string // the last transaction of the chain of an operator's credit
	since     bool   // money came for it since that was reversed
	told      bool   // the platform has reported its refund of 3000
}

// refundOperation is the operation of the refund that the platform reports.
func (p *modelPayment) refundOperation() string { return fmt.Sprint(5000 + p.n) }

// listedAs is the operation under which every register lists the payment: one
// that an operator has credited is listed by its id alone, also when its operation
// is known by then. A line of an id and one of an operation are two lines.
func (p *modelPayment) listedAs() string {
	if p.byHand != "" {
		return ""
	}
	return p.operation
}

const modelRefund = 3000

// modelItem is money in suspense.
type modelItem struct {
	id, payment string
	left        int64
	assigned    bool
}

// modelBack is money that went back to a payer: out of a credit, or of an item.
type modelBack struct {
	payment   string
	item      *modelItem // nil: a refund
	amount    int64
	operation string
	from      string // the account that paid
	stands    bool
	last      string // the last transaction of its chain
}

type modelPayout struct {
	id      string
	lines   []string // keys
	named   []string // payments
	figures topup.PayoutFigures
	state   topup.PayoutState
	last    string // the last transaction of its chain
}

type modelMovement struct {
	payment string
	amount  int64
}

type moneyModel struct {
	t          *rapid.T
	s          *store.Store
	balance    map[string]int64
	payments   map[string]*modelPayment
	order      []string // issued payments
	operations int
	sent       []topup.Event // movements that were credited or suspended
	came       []modelMovement
	items      []*modelItem
	backs      []*modelBack
	payouts    []*modelPayout
	last       func() // reverses again what was reversed last
	done       []string
}

func (m *moneyModel) did(format string, args ...any) {
	m.done = append(m.done, fmt.Sprintf(format, args...))
}

func (m *moneyModel) fatalf(format string, args ...any) {
	m.t.Helper()
	m.t.Fatalf("%s\nafter:\n%s", fmt.Sprintf(format, args...), strings.Join(m.done, "\n"))
}

// move moves money from one account to another.
func (m *moneyModel) move(from, to string, amount int64) {
	m.balance[from] -= amount
	m.balance[to] += amount
}

// agree wants that the store did what the model does, or refused what it refuses.
func (m *moneyModel) agree(err error, can bool, format string, args ...any) bool {
	what := fmt.Sprintf(format, args...)
	m.did("%s: %v", what, err)
	if (err == nil) != can || (err != nil && kindOf(err) != topup.KindConflict) {
		m.fatalf("%s: got %v, the model: %t", what, err, can)
	}
	return can
}

func (m *moneyModel) fresh() string {
	m.operations++
	return fmt.Sprint(m.operations)
}

func (m *moneyModel) issue() *modelPayment {
	id, err := m.s.Issue(ctx, store.NewPayment{Provider: "jetpay", Project: "1234", CustomerID: "7123456789", ContractID: "12345", Money: hundred})
	if err != nil {
		m.t.Fatal(err)
	}
	p := &modelPayment{id: id, n: len(m.order)}
	m.order = append(m.order, id)
	m.payments[id] = p
	return p
}

// any is a payment that was issued, nil for none.
func (m *moneyModel) any(r *rapid.T) *modelPayment {
	if len(m.order) == 0 {
		return nil
	}
	return m.payments[rapid.SampledFrom(m.order).Draw(r, "payment")]
}

// message gives a callback to the store and wants a disposition.
func (m *moneyModel) message(e topup.Event, want topup.Disposition) store.Recorded {
	got, err := m.s.Record(ctx, e, asStored(e))
	m.did("%s of %s, operation %s: %s, %v", e.Outcome, e.Reference, e.Operation, got.Disposition, err)
	if err != nil || got.Disposition != want {
		m.fatalf("got %+v, %v; want %s", got, err, want)
	}
	return got
}

// suspended notes money that a callback brought into suspense.
func (m *moneyModel) suspended(e topup.Event) {
	got := m.message(e, topup.DispositionSuspended)
	list, err := m.s.PaymentTransactions(ctx, got.PaymentID)
	if err != nil {
		m.t.Fatal(err)
	}
	m.sent = append(m.sent, e)
	m.came = append(m.came, modelMovement{got.PaymentID, e.Sum.Amount})
	m.items = append(m.items, &modelItem{id: list[len(list)-1].ID, payment: got.PaymentID, left: e.Sum.Amount})
	m.move(suspense, settlement, e.Sum.Amount)
	if p := m.payments[got.PaymentID]; p != nil {
		p.since = true
	}
}

// pay is a callback of a new payment.
func (m *moneyModel) pay(*rapid.T) {
	p := m.issue()
	p.operation, p.credited = m.fresh(), true
	e := paid(p.id, p.operation)
	m.message(e, topup.DispositionCredited)
	m.sent = append(m.sent, e)
	m.came = append(m.came, modelMovement{p.id, 10000})
	m.move(modelOwn, settlement, 10000)
}

// payAgain is another operation of a payment: the one that an operator's credit
// waits for, or money on top.
func (m *moneyModel) payAgain(r *rapid.T) {
	p := m.any(r)
	if p == nil {
		return
	}
	e := paid(p.id, m.fresh())
	if p.byHand != "" && p.credited && p.operation == "" {
		p.operation = e.Operation
		m.message(e, topup.DispositionBound)
		return
	}
	m.suspended(e)
}

func (m *moneyModel) payUnknown(r *rapid.T) {
	operation := m.fresh()
	m.suspended(paid("their-"+operation, operation, sum(rapid.Int64Range(1, 20000).Draw(r, "sum"))))
}

// repeat is a callback that was sent before.
func (m *moneyModel) repeat(r *rapid.T) {
	if len(m.sent) > 0 {
		m.message(rapid.SampledFrom(m.sent).Draw(r, "which"), topup.DispositionRepeat)
	}
}

// decline is a refund that the platform has refused.
func (m *moneyModel) decline(r *rapid.T) {
	if p := m.any(r); p != nil && p.credited {
		e := paid(p.id, m.fresh(), func(e *topup.Event) {
			e.Outcome, e.OwnOperation, e.Code, e.Initial.Amount = topup.OutcomePaidStatus, true, "20000", modelRefund
		})
		m.message(e, topup.DispositionNoted)
	}
}

// tell is the platform's report that a part of a payment went back. It moves
// nothing.
func (m *moneyModel) tell(r *rapid.T) {
	p := m.any(r)
	if p == nil || p.told {
		return
	}
	want := topup.DispositionNoted
	if m.backOf(p.refundOperation()) != nil {
		want = topup.DispositionPosted
	}
	p.told = true
	m.message(toldOf(p.id, p.refundOperation(), modelRefund), want)
}

// open reports whether the platform has reported a refund that nobody has booked.
func (m *moneyModel) open(payment string) bool {
	p := m.payments[payment]
	return p != nil && p.told && m.backOf(p.refundOperation()) == nil
}

// credit is an operator's, without a callback.
func (m *moneyModel) credit(*rapid.T) {
	p := m.issue()
	made, err := m.s.CreditPayment(ctx, p.id, anna)
	m.agree(err, true, "credit %s", p.id)
	p.credited, p.byHand = true, made.ID
	m.came = append(m.came, modelMovement{p.id, 10000})
	m.move(modelOwn, settlement, 10000)
}

// left is what of a payment's credit was not refunded.
func (m *moneyModel) left(payment string) int64 {
	if !m.payments[payment].credited {
		return 0
	}
	return 10000 - m.refunded(payment)
}

func (m *moneyModel) refunded(payment string) (sum int64) {
	for _, b := range m.backs {
		if b.item == nil && b.stands && b.payment == payment {
			sum += b.amount
		}
	}
	return sum
}

// backOf is what stands under an operation, nil for nothing.
func (m *moneyModel) backOf(operation string) *modelBack {
	i := slices.IndexFunc(m.backs, func(b *modelBack) bool { return b.stands && b.operation == operation && operation != "" })
	if i < 0 {
		return nil
	}
	return m.backs[i]
}

// payBack draws money that goes back of a payment, and says whether it can.
func (m *moneyModel) payBack(r *rapid.T, payment string, left int64) (topup.PayBack, bool) {
	operations := []string{"", topup.NoOperation, "9001", "9002"}
	p := m.payments[payment]
	if p != nil {
		operations = append(operations, p.refundOperation())
	}
	b := topup.PayBack{
		Amount:    rapid.SampledFrom([]int64{modelRefund, 1, 2000, 7000, 10000}).Draw(r, "amount"),
		Operation: rapid.SampledFrom(operations).Draw(r, "operation"),
		From:      rapid.SampledFrom([]string{"", "bank:halyk"}).Draw(r, "from"),
	}
	own := p != nil && b.Operation == p.refundOperation()
	if own && !p.told {
		b.Amount = modelRefund // the platform will say so
	}
	can := b.Amount <= left && !(b.Operation == "" && m.open(payment)) && m.backOf(b.Operation) == nil && (!own || b.Amount == modelRefund)
	return b, can
}

// gone notes what went back.
func (m *moneyModel) gone(b *modelBack, asked topup.PayBack, made topup.Transaction) {
	b.amount, b.from, b.stands, b.last = asked.Amount, settlement, true, made.ID
	if asked.From != "" {
		b.from = bankHalyk
	}
	if asked.Operation != topup.NoOperation {
		b.operation = asked.Operation
	}
	m.backs = append(m.backs, b)
	m.apply(b, 1)
}

// apply moves the money of a refund or a return, or with -1 moves it back.
func (m *moneyModel) apply(b *modelBack, sign int64) {
	to := modelOwn
	if b.item != nil {
		to = suspense
		b.item.left -= sign * b.amount
	}
	m.move(b.from, to, sign*b.amount)
}

func (m *moneyModel) refund(r *rapid.T) {
	p := m.any(r)
	if p == nil {
		return
	}
	asked, can := m.payBack(r, p.id, m.left(p.id))
	made, err := m.s.RefundPayment(ctx, p.id, topup.RefundRequest{PayBack: asked}, anna)
	if m.agree(err, can, "refund %s: %+v", p.id, asked) {
		m.gone(&modelBack{payment: p.id}, asked, made)
	}
}

func (m *moneyModel) item(r *rapid.T) *modelItem {
	if len(m.items) == 0 {
		return nil
	}
	return rapid.SampledFrom(m.items).Draw(r, "item")
}

// giveBack returns a part of an item to its payer.
func (m *moneyModel) giveBack(r *rapid.T) {
	i := m.item(r)
	if i == nil {
		return
	}
	asked, can := m.payBack(r, i.payment, i.left)
	made, err := m.s.ReturnSuspense(ctx, i.id, asked, anna)
	if m.agree(err, can, "return of %s: %+v", i.id, asked) {
		m.gone(&modelBack{payment: i.payment, item: i}, asked, made)
	}
}

func (m *moneyModel) assign(r *rapid.T) {
	i := m.item(r)
	if i == nil {
		return
	}
	_, err := m.s.AssignSuspense(ctx, i.id, "7000000000", "1", anna)
	if m.agree(err, i.left > 0, "assign %s", i.id) {
		m.move(modelOther, suspense, i.left)
		i.left, i.assigned = 0, true
	}
}

// held reports whether a payout that counts has the id or one of the lines.
func (m *moneyModel) held(id string, lines []string, but *modelPayout) bool {
	return slices.ContainsFunc(m.payouts, func(p *modelPayout) bool {
		return p != but && p.state.Holds() && (p.id == id || slices.ContainsFunc(lines, func(l string) bool { return slices.Contains(p.lines, l) }))
	})
}

// add enters a payout: of payments and their refunds, or of figures alone.
func (m *moneyModel) add(r *rapid.T) {
	p := &modelPayout{id: fmt.Sprintf("po-%d", rapid.IntRange(1, 4).Draw(r, "id")), state: topup.PayoutDraft}
	var lines []topup.PayoutLine
	line := func(l topup.PayoutLine) {
		l.Line = len(lines) + 2
		lines, p.lines = append(lines, l), append(p.lines, l.Key())
	}
	if len(m.order) > 0 {
		for _, id := range rapid.SliceOfNDistinct(rapid.SampledFrom(m.order), 0, min(3, len(m.order)), rapid.ID[string]).Draw(r, "payments") {
			payment := m.payments[id]
			line(saleLine(0, id, payment.listedAs(), 10000, rapid.Int64Range(-50, 300).Draw(r, "fee")))
			p.named = append(p.named, id)
			if rapid.Bool().Draw(r, "with its refund") {
				line(topup.PayoutLine{Type: topup.LineRefund, Payment: id, Operation: payment.refundOperation(), Amount: modelRefund})
			}
		}
	}
	n := newPayout(p.id, withLines(lines...))
	if len(lines) == 0 {
		amount := rapid.Int64Range(-300, 300)
		f := topup.PayoutFigures{Gross: amount.Draw(r, "gross"), Refunds: amount.Draw(r, "refunds"), Fees: amount.Draw(r, "fees"), Reserve: amount.Draw(r, "reserve"), Adjustments: amount.Draw(r, "adjustments")}
		f.Net = f.Gross - f.Refunds - f.Fees - f.Reserve - f.Adjustments
		n.PayoutFigures = f
	}
	p.figures = n.PayoutFigures
	got, err := m.s.AddPayout(ctx, n, anna)
	m.did("add %+v: %v", p, err)
	switch held := m.held(p.id, p.lines, nil); {
	case err == nil && len(got.Created) == 1 && !held:
		m.payouts = append(m.payouts, p)
	case err == nil && len(got.Unchanged) == 1 && held:
	case err != nil && held && errors.As(err, new(*store.PayoutError)):
	default:
		m.fatalf("held %t: got %+v, %v", held, got, err)
	}
}

// pick is the payout that the store finds under one of the ids.
func (m *moneyModel) pick(r *rapid.T) *modelPayout {
	if len(m.payouts) == 0 {
		return nil
	}
	id := rapid.SampledFrom(m.payouts).Draw(r, "payout").id
	var found *modelPayout
	for _, p := range m.payouts {
		if p.id == id && (found == nil || !found.state.Holds()) {
			found = p
		}
	}
	return found
}

func (m *moneyModel) post(r *rapid.T) {
	p := m.pick(r)
	if p == nil {
		return
	}
	made, err := m.s.PostPayout(ctx, ref(p.id), anna)
	if m.agree(err, p.state == topup.PayoutDraft && p.figures != topup.PayoutFigures{}, "post %s", p.id) {
		p.state, p.last = topup.PayoutPosted, made.ID
		m.pays(p, 1)
	}
}

// pays moves the money of a payout, or with -1 moves it back.
func (m *moneyModel) pays(p *modelPayout, sign int64) {
	f := p.figures
	m.move(settlement, bankHalyk, sign*f.Net)
	m.move(settlement, feesAccount, sign*f.Fees)
	m.move(settlement, topup.ReserveAccount("jetpay", "1234"), sign*f.Reserve)
	m.move(settlement, topup.AdjustmentsAccount("jetpay", "1234"), sign*f.Adjustments)
}

func (m *moneyModel) discard(r *rapid.T) {
	p := m.pick(r)
	if p == nil {
		return
	}
	if m.agree(m.s.DiscardPayout(ctx, ref(p.id), anna), p.state == topup.PayoutDraft, "discard %s", p.id) {
		p.state = topup.PayoutDiscarded
	}
}

// reverse mirrors the last transaction of a payout, of an operator's credit, or of
// what went back: it undoes it, or lets it count again.
func (m *moneyModel) reverse(r *rapid.T) {
	var can []func()
	for _, p := range m.payouts {
		if p.last != "" {
			can = append(can, func() { m.reversePayout(p) })
		}
	}
	for _, id := range m.order {
		if p := m.payments[id]; p.byHand != "" {
			can = append(can, func() { m.reverseCredit(p) })
		}
	}
	for _, b := range m.backs {
		can = append(can, func() { m.reverseBack(b) })
	}
	if len(can) > 0 {
		can[rapid.IntRange(0, len(can)-1).Draw(r, "which")]()
	}
}

// reverseTheLast reverses what was reversed last, so that it counts again.
func (m *moneyModel) reverseTheLast() {
	if m.last != nil {
		m.last()
	}
}

func (m *moneyModel) reversePayout(p *modelPayout) {
	m.last = func() { m.reversePayout(p) }
	again := p.state == topup.PayoutReversed
	made, err := m.s.Reverse(ctx, p.last, anna)
	if !m.agree(err, !again || !m.held(p.id, p.lines, p), "reverse payout %s, which is %s", p.id, p.state) {
		return
	}
	p.last, p.state = made.ID, topup.PayoutReversed
	sign := int64(-1)
	if again {
		p.state, sign = topup.PayoutPosted, 1
	}
	m.pays(p, sign)
}

func (m *moneyModel) reverseCredit(p *modelPayment) {
	m.last = func() { m.reverseCredit(p) }
	can := m.refunded(p.id) == 0
	if !p.credited { // it would count again
		can = !p.since && !slices.ContainsFunc(m.items, func(i *modelItem) bool { return i.payment == p.id && (i.left > 0 || i.assigned) })
	}
	made, err := m.s.Reverse(ctx, p.byHand, anna)
	if !m.agree(err, can, "reverse the credit of %s, which counts: %t", p.id, p.credited) {
		return
	}
	p.byHand, p.credited, p.since = made.ID, !p.credited, false
	if p.credited {
		m.move(modelOwn, settlement, 10000)
		m.came = append(m.came, modelMovement{p.id, 10000})
		return
	}
	m.move(settlement, modelOwn, 10000)
	i := slices.Index(m.came, modelMovement{p.id, 10000})
	m.came = slices.Delete(m.came, i, i+1)
}

func (m *moneyModel) reverseBack(b *modelBack) {
	m.last = func() { m.reverseBack(b) }
	can := b.item == nil || !b.item.assigned
	if !b.stands { // it would count again
		left := int64(0)
		if b.item != nil {
			left = b.item.left
		} else {
			left = m.left(b.payment)
		}
		can = left >= b.amount && m.backOf(b.operation) == nil
	}
	made, err := m.s.Reverse(ctx, b.last, anna)
	if !m.agree(err, can, "reverse what went back of %s, operation %q, which counts: %t", b.payment, b.operation, b.stands) {
		return
	}
	b.last, b.stands = made.ID, !b.stands
	sign := int64(-1)
	if b.stands {
		sign = 1
	}
	m.apply(b, sign)
}

// compare compares the balances, and what payments and payouts show.
func (m *moneyModel) compare() {
	page, err := m.s.Balances(ctx, store.BalanceFilter{})
	if err != nil {
		m.t.Fatal(err)
	}
	got, want := map[string]int64{}, maps.Clone(m.balance)
	for _, a := range page.Accounts {
		if balance := a.Debits - a.Credits; balance != 0 {
			got[a.Account] = balance
		}
	}
	maps.DeleteFunc(want, func(_ string, amount int64) bool { return amount == 0 })
	if !maps.Equal(got, want) {
		m.fatalf("the balances are %v\nthe model has   %v", got, want)
	}
	if problems, err := m.s.BrokenRules(ctx); err != nil || len(problems) > 0 {
		m.fatalf("the book is not sound: %v, %q", err, problems)
	}
	named := m.named()
	for _, id := range m.order {
		p, err := m.s.Payment(ctx, id)
		if err != nil {
			m.t.Fatal(err)
		}
		if p.PayoutID != named[id] || p.Refunded.Amount != m.refunded(id) || p.Flags.Has(topup.FlagRefund) != m.open(id) {
			m.fatalf("payment %s: named by %q, refunded %v, flags %v; want %q, %d, flag refund %t",
				id, p.PayoutID, p.Refunded, p.Flags.Names(), named[id], m.refunded(id), m.open(id))
		}
	}
	for _, p := range m.payouts {
		if !p.state.Holds() {
			continue
		}
		if got, err := m.s.Payout(ctx, ref(p.id)); err != nil || got.State != p.state || got.PayoutFigures != p.figures {
			m.fatalf("payout %s: got %+v, %v; want %+v", p.id, got, err, p)
		}
	}
}

// named are the payments that payouts name.
func (m *moneyModel) named() map[string]string {
	named := map[string]string{}
	for _, p := range m.payouts {
		if p.state.Holds() {
			for _, id := range p.named {
				named[id] = p.id
			}
		}
	}
	return named
}

// settlement compares what the platform owes.
func (m *moneyModel) settlement() {
	want := store.Settlement{Owed: m.balance[settlement], Suspense: -m.balance[suspense]}
	for _, p := range m.payouts {
		if p.state == topup.PayoutPosted {
			want.PaidOut += p.figures.Net
		}
	}
	want.Fees = m.balance[feesAccount]
	want.Reserve = m.balance[topup.ReserveAccount("jetpay", "1234")]
	want.Adjustments = m.balance[topup.AdjustmentsAccount("jetpay", "1234")]
	var unpaid store.Unpaid
	named := m.named()
	for _, c := range m.came {
		want.Credited += c.amount
		if named[c.payment] == "" {
			unpaid.Count, unpaid.Sum = unpaid.Count+1, unpaid.Sum+c.amount
		}
	}
	for _, b := range m.backs {
		if b.stands && b.from == settlement {
			want.Refunded += b.amount
		}
	}
	list, err := m.s.Settlement(ctx, calendar.Day{}, time.UTC)
	if err != nil {
		m.t.Fatal(err)
	}
	var got store.Settlement
	if len(list) > 0 {
		got = list[0]
	}
	var told store.Unpaid
	for _, u := range got.Unpaid {
		told.Count, told.Sum = told.Count+u.Count, told.Sum+u.Sum
	}
	got.Unpaid, got.Provider, got.Project, got.Currency = want.Unpaid, "", "", ""
	if got != want || told != unpaid {
		m.fatalf("got  %+v, unpaid %+v\nwant %+v, unpaid %+v", got, told, want, unpaid)
	}
}
