package store_test

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"tolem/store"
	"tolem/testkit"
	"tolem/topup"
)

func init() {
	checks := "60" // a history of all steps takes half a second
	if onPostgres {
		checks = "20" // and there a database of its own beside
	}
	_ = flag.Set("rapid.checks", checks)
}

// asStored is a body that holds the event itself, so that a test can read a
// stored message anew.
func asStored(e topup.Event) []byte {
	body, err := json.Marshal(e)
	if err != nil {
		panic(err)
	}
	return body
}

// readStored reads what asStored has written.
func readStored(_ store.StoredMessage, body []byte) (e topup.Event, err error) {
	return e, json.Unmarshal(body, &e)
}

// TestWhateverHappensTheBookStaysSound walks at random through messages of both
// providers and all steps of operators. What must hold is recomputed from the
// feed and the messages alone; and at the end all money that the platform has
// told of is brought to a contract, or back.
func TestWhateverHappensTheBookStaysSound(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(r *rapid.T) {
		c := newClock()
		o := newDatabase(t)
		o.Now = c.Now
		s, err := store.Open(context.Background(), o)
		if err != nil {
			r.Fatal(err)
		}
		defer func() {
			if err := s.Close(); err != nil {
				r.Fatal(err)
			}
		}()
		w := &walk{t: r, s: s, c: c}
		mustAccounts(t, s)
		w.issue("jetpay", "1234")
		w.issue("highhelp", "57aff4db")
		steps := w.steps()
		steps[""] = func(*rapid.T) { w.sound() }
		r.Repeat(steps)
		w.bringHome()
	})
}

// walk is a store under random operations.
type walk struct {
	t        *rapid.T
	s        *store.Store
	c        *testkit.Clock
	payments []string
	told     []topup.Event // every message, in order
	done     []string      // every step, in order
}

// steps are all that can happen: messages of both providers, all steps of operators,
// and time that passes.
func (w *walk) steps() map[string]func(*rapid.T) {
	s := w.s
	return map[string]func(*rapid.T){
		"issue":          func(*rapid.T) { w.issue("jetpay", "1234") },
		"issue highhelp": func(*rapid.T) { w.issue("highhelp", "57aff4db") },
		"message":        func(*rapid.T) { w.message(w.jetpay()) },
		"message again":  func(*rapid.T) { w.message(w.jetpay()) },
		"alert":          func(*rapid.T) { w.message(w.highhelp()) },
		"alert again":    func(*rapid.T) { w.message(w.highhelp()) },
		"credit":         func(*rapid.T) { w.allow(s.CreditPayment(ctx, w.payment(), w.by())) },
		"recall":         func(*rapid.T) { w.allow(s.RecallPayment(ctx, w.payment(), w.by())) },
		"close":          func(*rapid.T) { w.refusal(s.ClosePayment(ctx, w.payment(), w.by())) },
		"assign": func(*rapid.T) {
			a := w.assignment()
			w.allow(s.AssignSuspense(ctx, a.Item, a.CustomerID, a.ContractID, w.by()))
		},
		"assign all": func(*rapid.T) {
			_, err := s.AssignAll(ctx, []store.Assignment{w.assignment(), w.assignment()}, w.by())
			w.refusal(err)
		},
		"return": func(*rapid.T) { w.allow(s.ReturnSuspense(ctx, w.transaction(), w.payBack(0, 0, 3000), w.by())) },
		"return of an item": func(*rapid.T) {
			w.allow(s.ReturnSuspense(ctx, w.assignment().Item, w.payBack(0, 3000, 9000), w.by()))
		},
		"refund": func(*rapid.T) {
			r := topup.RefundRequest{PayBack: w.payBack(3000, 7000, 10000)}
			if rapid.Bool().Draw(w.t, "named") {
				r.Transaction = w.transaction()
			}
			w.allow(s.RefundPayment(ctx, w.payment(), r, w.by()))
		},
		"reverse": func(*rapid.T) { w.allow(s.Reverse(ctx, w.transaction(), w.by())) },
		"reverse the last": func(*rapid.T) {
			if all := feed(w.t, s); len(all) > 0 {
				w.allow(s.Reverse(ctx, all[len(all)-1].ID, w.by()))
			}
		},
		"record":  func(*rapid.T) { w.record() },
		"suspend": func(*rapid.T) { w.suspend() },
		"dismiss": func(*rapid.T) {
			if m := w.stored(); m != nil {
				w.refusal(s.DismissMessage(ctx, m.ID, w.by()))
			}
		},
		"wait": func(*rapid.T) {
			w.c.Add(100 * time.Hour)
			if _, err := s.ExpirePending(ctx); err != nil {
				w.t.Fatal(err)
			}
		},
	}
}

var (
	walkOperations = []string{"1", "2", "3", "4", "5", "6"}
	walkRefunds    = []string{"91", "92", "93"} // operations that give back
	walkReferences = []string{"theirs-1", "theirs-2"}
	walkContracts  = [][2]string{{"7123456789", "12345"}, {"7123456789", "2"}, {"7000000000", "1"}, {"7999999999", "1"}}
)

func (w *walk) issue(provider, project string) {
	id, err := w.s.Issue(ctx, store.NewPayment{
		Provider: provider, Project: project, CustomerID: "7123456789", ContractID: "12345", Money: hundred, ExpiresAfter: 288 * time.Hour,
	})
	if err != nil {
		w.t.Fatal(err)
	}
	w.payments = append(w.payments, id)
}

func (w *walk) payment() string { return rapid.SampledFrom(w.payments).Draw(w.t, "payment") }

// by is an operator, now or some days ago.
func (w *walk) by() store.By {
	by := anna
	if rapid.IntRange(0, 5).Draw(w.t, "dated back") == 0 {
		start := w.c.Now().Add(-50 * time.Hour)
		by.Effective = store.Day{Start: start, End: start.Add(24 * time.Hour)}
	}
	return by
}

// transaction is one of the ledger's, or an id of nothing.
func (w *walk) transaction() string {
	all := feed(w.t, w.s)
	if len(all) == 0 {
		return "t_none"
	}
	return rapid.SampledFrom(all).Draw(w.t, "transaction").ID
}

func (w *walk) assignment() store.Assignment {
	to := rapid.SampledFrom(walkContracts).Draw(w.t, "to")
	item := "t_none"
	if items := w.items(); len(items) > 0 {
		item = rapid.SampledFrom(items).Draw(w.t, "item").ID
	}
	return store.Assignment{Item: item, CustomerID: to[0], ContractID: to[1]}
}

func (w *walk) items() []store.SuspenseItem {
	items, err := w.s.SuspenseItems(ctx, store.SuspenseFilter{All: true, Limit: 1000})
	if err != nil {
		w.t.Fatal(err)
	}
	return items
}

// stored is a stored message, nil when there is none.
func (w *walk) stored() *store.StoredMessage {
	all := w.messages()
	if len(all) == 0 {
		return nil
	}
	m := rapid.SampledFrom(all).Draw(w.t, "message")
	return &m
}

func (w *walk) messages() []store.StoredMessage {
	all, _, err := w.s.Messages(ctx, store.MessageFilter{Limit: 500})
	if err != nil {
		w.t.Fatal(err)
	}
	return all
}

// fatalf fails with all that was done, and all that came of it.
func (w *walk) fatalf(format string, args ...any) {
	w.t.Helper()
	w.t.Fatalf("%s\nafter:\n%s\njournal:\n%s", fmt.Sprintf(format, args...), strings.Join(w.done, "\n"), w.journal())
}

func (w *walk) did(format string, args ...any) { w.done = append(w.done, fmt.Sprintf(format, args...)) }

// allow accepts what was done and what was refused, and nothing between.
func (w *walk) allow(made topup.Transaction, err error) {
	if err == nil {
		w.did("made %s %s of %s", made.Kind, made.ID, made.PaymentID)
	}
	w.refusal(err)
}

func (w *walk) refusal(err error) {
	if err != nil {
		w.did("refused: %v", err)
	}
	if k := kindOf(err); err != nil && k != topup.KindConflict && k != topup.KindNotFound && k != topup.KindInvalid {
		w.fatalf("neither done nor refused: %v", err)
	}
}

// payBack is money that goes back: one of the amounts, by an operation, by none, or
// without a word of it.
func (w *walk) payBack(amounts ...int64) topup.PayBack {
	return topup.PayBack{
		Amount:    rapid.SampledFrom(amounts).Draw(w.t, "amount"),
		Operation: rapid.SampledFrom(append([]string{"", topup.NoOperation}, walkRefunds...)).Draw(w.t, "operation"),
		From:      rapid.SampledFrom([]string{"", "settlement", "bank:halyk"}).Draw(w.t, "from"),
	}
}

func (w *walk) jetpay() topup.Event {
	reference := rapid.SampledFrom(append(slices.Clone(w.payments), walkReferences...)).Draw(w.t, "reference")
	operation := rapid.SampledFrom(walkOperations).Draw(w.t, "operation")
	return paid(reference, operation, func(e *topup.Event) {
		e.Sum.Amount = rapid.SampledFrom([]int64{10000, 10000, 9000, 20000}).Draw(w.t, "sum")
		e.Sum.Currency = rapid.SampledFrom([]string{"KZT", "KZT", "KZT", "KGS"}).Draw(w.t, "currency")
		e.Outcome = rapid.SampledFrom([]topup.Outcome{
			topup.OutcomePaid, topup.OutcomePaid, topup.OutcomePaid, topup.OutcomePaid, topup.OutcomeDeclined, topup.OutcomeRefunded,
			topup.OutcomeReversed, topup.OutcomePaidStatus, topup.OutcomeOpen,
		}).Draw(w.t, "outcome")
		e.Status = string(e.Outcome)
		e.EffectiveAt = w.c.Now()
		if e.PaysBack() && rapid.IntRange(0, 3).Draw(w.t, "own operation") > 0 {
			e.Operation, e.OwnOperation = rapid.SampledFrom(walkRefunds).Draw(w.t, "refund"), true
			e.Initial.Amount = rapid.SampledFrom([]int64{3000, 7000, 10000}).Draw(w.t, "back")
		}
		switch rapid.IntRange(0, 12).Draw(w.t, "shape") {
		case 0:
			e.Complete, e.MaybeCut = false, true
		case 1:
			e.Complete, e.Operation = false, ""
		case 2:
			e.Complete, e.Sum, e.Initial = false, topup.Money{}, topup.Money{}
		case 3:
			e.TopUp = false
		}
	})
}

func (w *walk) highhelp() topup.Event {
	reference := rapid.SampledFrom(append(slices.Clone(w.payments), walkReferences...)).Draw(w.t, "reference")
	outcome := rapid.SampledFrom([]topup.Outcome{
		topup.OutcomePaid, topup.OutcomePaid, topup.OutcomePaid, topup.OutcomeDeclined, topup.OutcomeDisputed, topup.OutcomeOpen,
	}).Draw(w.t, "outcome")
	return told(reference, outcome, string(outcome), func(e *topup.Event) {
		e.Sum.Amount = rapid.SampledFrom([]int64{10000, 10000, 9000, 12000, 15000, 200000}).Draw(w.t, "sum")
		e.Sum.Currency = rapid.SampledFrom([]string{"KZT", "KZT", "KZT", "KGS"}).Draw(w.t, "currency")
		e.Initial = e.Sum
		e.EffectiveAt = w.c.Now()
		switch rapid.IntRange(0, 12).Draw(w.t, "shape") {
		case 0:
			e.Complete, e.Reference, e.Operation = false, "", ""
		case 1:
			e.Complete, e.Sum, e.Initial = false, topup.Money{}, topup.Money{}
		}
	})
}

func (w *walk) message(e topup.Event) {
	if e.Reference == "" || (e.Outcome == topup.OutcomePaid && !e.Complete) {
		e.Fingerprint = nil // as the adapters have it: never taken for a repeat
	}
	r, err := w.s.Record(ctx, e, asStored(e))
	if err != nil {
		w.t.Fatal(err)
	}
	w.told = append(w.told, e)
	w.did("%s of %s %q, operation %q, %v, %v, complete %t: %s", e.Outcome, e.Provider, e.Reference, e.Operation, e.Sum, e.Initial, e.Complete, r.Disposition)
	w.know(r.PaymentID)
}

func (w *walk) know(payment string) {
	if payment != "" && !slices.Contains(w.payments, payment) {
		w.payments = append(w.payments, payment)
	}
}

func (w *walk) record() {
	r := topup.RecordRequest{
		Provider: "jetpay", Project: "1234", CustomerID: "7123456789", ContractID: "12345", Money: hundred,
		Anyway: rapid.Bool().Draw(w.t, "anyway"),
	}
	if rapid.Bool().Draw(w.t, "of highhelp") {
		r.Provider, r.Project = "highhelp", "57aff4db"
		r.Reference = rapid.SampledFrom(append(slices.Clone(w.payments), walkReferences...)).Draw(w.t, "reference")
	} else {
		r.Operation = rapid.SampledFrom(walkOperations).Draw(w.t, "operation")
	}
	made, err := w.s.RecordPayment(ctx, r, w.by())
	w.allow(made, err)
	w.know(made.PaymentID)
}

// suspend suspends a message, with what an operator would have to read of it.
func (w *walk) suspend() {
	m := w.stored()
	if m == nil {
		return
	}
	var r topup.SuspendRequest
	if m.Disposition == topup.DispositionUnreadable && rapid.Bool().Draw(w.t, "read by eye") {
		r.Amount, r.Currency = rapid.SampledFrom([]int64{10000, 9000, 1}).Draw(w.t, "amount"), "KZT"
		if m.Operation == "" && m.Provider == "jetpay" {
			r.Operation = rapid.SampledFrom(walkOperations).Draw(w.t, "operation")
		}
		if m.Reference == "" && m.Provider == "highhelp" {
			r.Reference = rapid.SampledFrom(append(slices.Clone(w.payments), walkReferences...)).Draw(w.t, "reference")
		}
	}
	made, err := w.s.SuspendMessage(ctx, m.ID, r, w.by())
	w.allow(made, err)
	w.know(made.PaymentID)
}

// paymentStory is what the feed says of one payment, added up by somebody who knows
// nothing of operators' steps.
type paymentStory struct {
	held     map[string]int64 // by ledger account and currency
	counting map[string]bool  // transactions that were not undone
	kinds    map[string]topup.Transaction
}

// on is what accounts hold whose name begins so.
func (y *paymentStory) on(prefix string) (sum int64) {
	for account, amount := range y.held {
		if strings.HasPrefix(account, prefix) {
			sum += amount
		}
	}
	return sum
}

// stories reads the feed.
func (w *walk) stories() map[string]*paymentStory {
	all := map[string]*paymentStory{}
	for _, t := range feed(w.t, w.s) {
		y := all[t.PaymentID]
		if y == nil {
			y = &paymentStory{map[string]int64{}, map[string]bool{}, map[string]topup.Transaction{}}
			all[t.PaymentID] = y
		}
		y.kinds[t.ID] = t
		for _, p := range t.Postings {
			y.held[p.Account+" "+p.Currency] -= p.Amount
		}
		if t.Reverses == "" {
			y.counting[t.ID] = true
			continue
		}
		root := t.Reverses
		for y.kinds[root].Reverses != "" {
			root = y.kinds[root].Reverses
		}
		y.counting[root] = !y.counting[root]
	}
	return all
}

// sound recomputes from the feed alone what must hold.
func (w *walk) sound() {
	if problems, err := w.s.BrokenRules(ctx); err != nil || len(problems) > 0 {
		w.fatalf("ledger check: %q, %v", problems, err)
	}
	stories := w.stories()
	operations := map[string]string{}
	open := map[string]topup.Flags{}
	for _, m := range w.messages() {
		open[m.PaymentID] |= m.Open.Flag()
	}
	for _, id := range w.payments {
		p, err := w.s.Payment(ctx, id)
		if err != nil {
			w.t.Fatal(err)
		}
		y := stories[id]
		if y == nil {
			y = &paymentStory{}
		}
		w.consistent(p, y)
		if told := topup.FlagRefund | topup.FlagReversal; p.Flags&told != open[id] {
			w.fatalf("payment %s: flags %v, and its messages leave %v open", p.ID, p.Flags.Names(), open[id].Names())
		}
		for id, t := range y.kinds {
			key := p.Provider + " " + t.Operation
			if t.Operation == "" && t.Kind == topup.KindManualCredit && p.Recorded {
				key = p.Provider + " record of " + p.ProviderReference
			} else if t.Operation == "" {
				continue
			}
			if !y.counting[id] {
				continue
			}
			if other, twice := operations[key]; twice {
				w.fatalf("operation %s posted twice: %s and %s", key, other, id)
			}
			operations[key] = id
		}
	}
}

// consistent compares what a payment shows with its paymentStory.
func (w *walk) consistent(p *topup.Payment, y *paymentStory) {
	for account, amount := range y.held {
		if amount < 0 && !strings.HasPrefix(account, "settlement:") {
			w.fatalf("payment %s: %s holds %d: more was taken than given", p.ID, account, amount)
		}
	}
	customers, waiting, refunded := y.on("customers:"), y.on("suspense:"), y.refunded()
	if customers+waiting+y.on("settlement:")+y.on("bank:") != 0 {
		w.fatalf("payment %s: %v does not balance", p.ID, y.held)
	}
	all := int64(0)
	for _, amount := range refunded {
		all += amount
	}
	switch {
	case (all > 0) != p.Flags.Has(topup.FlagRefunded) || p.Refunded.Amount != refunded[p.Refunded.Currency] || (all > 0 && p.Refunded.Amount == 0):
		w.fatalf("payment %s: flags %v, refunded %v; by its refunds %v", p.ID, p.Flags.Names(), p.Refunded, refunded)
	case customers > 0 && p.Status != topup.StatusSucceeded,
		customers == 0 && all == 0 && p.Status == topup.StatusSucceeded,
		customers == 0 && all > 0 && waiting == 0 && p.Status != topup.StatusSucceeded:
		w.fatalf("payment %s is %s, contracts have %d of its money, and %d were refunded", p.ID, p.Status, customers, all)
	case customers == 0 && waiting > 0 && p.Status != topup.StatusReview && all == 0:
		w.fatalf("payment %s is %s, and %d of its money lie in suspense", p.ID, p.Status, waiting)
	case (waiting > 0) != (p.InSuspense > 0):
		w.fatalf("payment %s shows %d items, and %d of its money lie in suspense", p.ID, p.InSuspense, waiting)
	}
	own := y.held[topup.CustomerAccount(p.CustomerID, p.ContractID)+" "+p.Money.Currency]
	switch {
	case !p.Issued() && (p.Credited != nil) != (customers > 0):
		w.fatalf("payment %s shows %v, and contracts have %d of its money", p.ID, p.Credited, customers)
	case p.Issued() && p.Credited == nil && own != 0, p.Issued() && p.Credited != nil && p.Credited.Money.Amount != own:
		w.fatalf("payment %s shows %+v, and its contract has %d of its money", p.ID, p.Credited, own)
	case p.Credited != nil && !y.counting[p.Credited.TransactionID]:
		w.fatalf("payment %s shows %s, which does not count", p.ID, p.Credited.TransactionID)
	case p.Flags.Has(topup.FlagReversed) != (p.Credit != nil && p.Credited == nil):
		w.fatalf("payment %s: flags %v, credit %+v, credited %+v", p.ID, p.Flags.Names(), p.Credit, p.Credited)
	}
	if p.Credited != nil { // the newest of what stands there
		shown := y.kinds[p.Credited.TransactionID]
		for id, t := range y.kinds {
			if y.counting[id] && t.Seq > shown.Seq && t.Kind == topup.KindAssignment && t.Postings[1].Account == shown.Postings[1].Account && !w.taken(y, id) {
				w.fatalf("payment %s shows %s, and %s is newer", p.ID, shown.ID, id)
			}
		}
		if w.taken(y, shown.ID) {
			w.fatalf("payment %s shows %s, which was recalled", p.ID, shown.ID)
		}
	}
	if p.Provider == "highhelp" {
		w.notMoreThanTold(p, y)
	}
}

// taken reports whether all of a transaction was recalled or refunded.
func (w *walk) taken(y *paymentStory, id string) bool {
	left := y.kinds[id].Postings[0].Amount
	for k, t := range y.kinds {
		if t.Takes == id && y.counting[k] {
			left -= t.Postings[0].Amount
		}
	}
	return left == 0
}

// refunded is what stands of the payment's refunds, by currency.
func (y *paymentStory) refunded() map[string]int64 {
	sums := map[string]int64{}
	for id, t := range y.kinds {
		if t.Kind == topup.KindRefund && y.counting[id] {
			sums[t.Postings[0].Currency] += t.Postings[0].Amount
		}
	}
	return sums
}

// notMoreThanTold: what successes of a pay-in posted is at most what one of them
// told of, beside what an operator has credited ahead of them.
func (w *walk) notMoreThanTold(p *topup.Payment, y *paymentStory) {
	for _, currency := range []string{"KZT", "KGS"} {
		var posted, most int64
		for id, t := range y.kinds {
			bound := t.Kind == topup.KindManualCredit && p.Credit != nil && p.Credit.TransactionID == id && p.Credit.Operation != ""
			if y.counting[id] && t.Postings[0].Currency == currency && (t.Kind == topup.KindCredit || t.Kind == topup.KindSuspense || bound) {
				posted += t.Postings[0].Amount
			}
		}
		for _, e := range w.told {
			unread := e.Sum.Amount == 0 || e.Reference == ""
			if e.Provider == "highhelp" && e.Outcome == topup.OutcomePaid && !unread && (e.Reference == p.ID || e.Reference == p.ProviderReference) && e.Sum.Currency == currency {
				most = max(most, e.Sum.Amount)
			}
			if e.Provider == "highhelp" && e.Outcome == topup.OutcomePaid && unread {
				most = max(most, 10000) // what an operator may have read of it
			}
		}
		if posted > most {
			w.fatalf("payment %s: %d %s were posted, and at most %d told of", p.ID, posted, currency, most)
		}
	}
}

// bringHome brings all money that the platform has told of to a contract, or
// back, and ends every review: from every state there is a way.
func (w *walk) bringHome() {
	w.suspendTheRest()
	back := rapid.Bool().Draw(w.t, "back to the platform")
	for _, id := range w.payments {
		if back {
			w.uncredit(id)
		}
	}
	for _, i := range w.items() {
		if i.State != store.SuspenseOpen {
			continue
		}
		to := map[string][2]string{"KZT": {"7000000000", "1"}, "KGS": {"7999999999", "1"}}[i.Money.Currency]
		var err error
		if back {
			_, err = w.s.ReturnSuspense(ctx, i.ID, topup.PayBack{Operation: topup.NoOperation}, anna)
		} else {
			_, err = w.s.AssignSuspense(ctx, i.ID, to[0], to[1], anna)
		}
		if err != nil {
			w.fatalf("item %s does not move: %v", i.ID, err)
		}
	}
	for _, id := range w.payments {
		p, err := w.s.Payment(ctx, id)
		if err != nil {
			w.t.Fatal(err)
		}
		if p.Status == topup.StatusReview {
			if err := w.s.ClosePayment(ctx, id, anna); err != nil {
				w.fatalf("the review of %s does not end: %v", id, err)
			}
		}
	}
	w.sound()
	for id, y := range w.stories() {
		if y.on("suspense:") != 0 || (back && (y.on("customers:") != 0 || y.on("settlement:")+y.on("bank:") != 0)) {
			w.fatalf("payment %s: %v is left", id, y.held)
		}
	}
}

// uncredit takes everything back that contracts have of a payment.
func (w *walk) uncredit(id string) {
	for range 100 {
		if _, err := w.s.RecallPayment(ctx, id, anna); err != nil {
			w.refusal(err)
			break
		}
	}
	list, err := w.s.PaymentTransactions(ctx, id)
	if err != nil {
		w.t.Fatal(err)
	}
	y := w.stories()[id]
	for _, t := range list {
		if t.Kind == topup.KindRefund && y.counting[t.ID] && y.kinds[t.Takes].Kind == topup.KindAssignment && !w.taken(y, t.Takes) {
			w.undo(list, t.ID)
		}
	}
	if list, err = w.s.PaymentTransactions(ctx, id); err != nil {
		w.t.Fatal(err)
	}
	y = w.stories()[id]
	for _, t := range list {
		if t.Kind == topup.KindAssignment && y.counting[t.ID] && !w.taken(y, t.ID) {
			w.undo(list, t.ID)
		}
	}
}

// undo reverses a transaction, or the last of its chain of reversals.
func (w *walk) undo(list []topup.Transaction, id string) {
	last := id
	for _, t := range list {
		if t.Reverses == last {
			last = t.ID
		}
	}
	if _, err := w.s.Reverse(ctx, last, anna); err != nil {
		w.fatalf("%s, the last of %s, is not reversed: %v", last, id, err)
	}
}

// suspendTheRest suspends what messages told of and nothing has posted.
func (w *walk) suspendTheRest() {
	for id, y := range w.stories() { // what an operator suspended and reversed
		list, err := w.s.PaymentTransactions(ctx, id)
		if err != nil {
			w.t.Fatal(err)
		}
		for _, t := range list {
			if t.Kind == topup.KindSuspense && t.Actor != "" && !y.counting[t.ID] {
				last := t.ID
				for _, r := range list {
					if r.Reverses == last {
						last = r.ID
					}
				}
				w.allow(w.s.Reverse(ctx, last, anna))
			}
		}
	}
	messages := w.messages()
	slices.Reverse(messages) // the oldest first
	for _, m := range messages {
		_, err := w.s.SuspendMessage(ctx, m.ID, topup.SuspendRequest{}, anna)
		w.refusal(err)
	}
	for _, p := range w.messages() {
		w.know(p.PaymentID)
	}
	operations := map[string]bool{}
	posted := map[string]int64{} // of HighHelp, by reference and currency
	for id, y := range w.stories() {
		w.know(id)
		p, err := w.s.Payment(ctx, id)
		if err != nil {
			w.t.Fatal(err)
		}
		reference := id
		if p.ProviderReference != "" {
			reference = p.ProviderReference
		}
		for id, t := range y.kinds {
			if !y.counting[id] {
				continue
			}
			operations[p.Provider+" "+t.Operation] = true
			if p.Provider == "highhelp" && (t.Kind == topup.KindCredit || t.Kind == topup.KindManualCredit || t.Kind == topup.KindSuspense) {
				posted[reference+" "+t.Postings[0].Currency] += t.Postings[0].Amount
			}
		}
		if p.Credit != nil && !p.Credit.Reversed && p.Credit.Operation != "" {
			operations[p.Provider+" "+p.Credit.Operation] = true // also a bound one
		}
	}
	for _, e := range w.told {
		switch {
		case e.Outcome != topup.OutcomePaid || e.MaybeCut || !e.TopUp || e.Operation == "" || e.Sum.Amount == 0:
		case e.Provider == "jetpay" && !operations["jetpay "+e.Operation]:
			w.fatalf("operation %s was told of, and its money is nowhere", e.Operation)
		case e.Provider == "highhelp" && posted[e.Reference+" "+e.Sum.Currency] < e.Sum.Amount:
			w.fatalf("%s was told to have brought %v, and %d posted", e.Reference, e.Sum, posted[e.Reference+" "+e.Sum.Currency])
		}
	}
}

// journal is all that a person needs to see why.
func (w *walk) journal() string {
	var all strings.Builder
	for _, t := range feed(w.t, w.s) {
		fmt.Fprintf(&all, "%d %s %s of %s op %q by %q reverses %s resolves %s takes %s %v\n", t.Seq, t.ID, t.Kind, t.PaymentID, t.Operation, t.Actor, t.Reverses, t.Resolves, t.Takes, t.Postings)
	}
	for _, m := range w.messages() {
		fmt.Fprintf(&all, "message %d %s %s of %s %q op %q open %q made %s\n", m.ID, m.Provider, m.Disposition, m.PaymentID, m.Reference, m.Operation, m.Open, m.TransactionID)
	}
	return all.String()
}
