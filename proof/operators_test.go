package proof_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"

	"pgregory.net/rapid"

	"tolem/proof/model"
)

// step takes an operator's step, by a command or by the API in turns, and wants it to
// be refused where the model refuses it.
func (w *walk) step(what string, why model.Refusal, command []string, path string, body map[string]any, done int) {
	by := "API"
	if path == "" || w.oneIn(5, "by a command") {
		by = "command" // without a path there is no other way
	}
	w.note("%s, by the %s: %s", what, by, why)
	w.scenario.outside(what)
	w.tally.operations++
	if why == "" {
		w.tally.acknowledged++
	}
	if by == "command" {
		code, out, err := w.s.command(command...)
		w.must(err)
		if want := map[bool]int{true: 0, false: 1}[why == ""]; code != want && !(why == model.Invalid && code == 2) {
			w.fatalf("tolem %s: exit code %d, want %d\n%s", strings.Join(command, " "), code, want, out)
		}
		return
	}
	got, err := w.s.api(http.MethodPost, path, body)
	w.must(err)
	want := map[model.Refusal]int{"": done, model.Conflict: 409, model.NotFound: 404, model.Invalid: 422}[why]
	if got.status != want {
		w.fatalf("POST %s: got %s, want %d", path, got, want)
	}
}

var reason = []string{"--reason", "proof", "--actor", "anna"}

func because(members map[string]any) map[string]any {
	all := map[string]any{"reason": "proof"}
	for name, value := range members {
		all[name] = value
	}
	return all
}

// payment is any payment whose id is known, nil for none.
func (w *walk) payment() *model.Payment {
	if len(w.m.Payments) == 0 {
		return nil
	}
	var credited []*model.Payment
	for _, p := range w.m.Payments {
		if w.m.Credited(p) != (model.Money{}) {
			credited = append(credited, p)
		}
	}
	if len(credited) > 0 && w.oneIn(2, "a credited one") {
		return rapid.SampledFrom(credited).Draw(w.t, "payment")
	}
	return rapid.SampledFrom(w.m.Payments).Draw(w.t, "payment")
}

// operator takes a step on a payment.
func (w *walk) operator() {
	p := w.payment()
	if p == nil {
		return
	}
	path := "/api/v1/payments/" + url.PathEscape(p.ID)
	switch pick(w, "step", "credit", "refund", "refund", "recall", "close", "record") {
	case "credit":
		w.step("credit of "+w.name(p.ID), w.m.Credit(p), append([]string{"payments", "credit", p.ID}, reason...), path+"/credit", because(nil), 201)
	case "recall":
		w.step("recall of "+w.name(p.ID), w.m.Recall(p), append([]string{"payments", "recall", p.ID}, reason...), path+"/recall", because(nil), 201)
	case "close":
		w.step("close of "+w.name(p.ID), w.m.Close(p), append([]string{"payments", "close", p.ID}, reason...), path+"/close", because(nil), 200)
	case "refund":
		b, flags, members := w.payBack(p, pick[int64](w, "amount", 2000, 2000, 1, 3000, 8000, 10000))
		w.step(fmt.Sprintf("refund of %d of %s, %v", b.Amount, w.name(p.ID), flags), w.m.Refund(p, b),
			append(append([]string{"payments", "refund", p.ID}, flags...), reason...), path+"/refunds", because(members), 201)
	case "record":
		op := w.operation()
		m := model.Money{Amount: 4000, Currency: pick(w, "currency", "KZT", "KZT", "KGS")}
		contract := pick(w, "contract", "c1", "c2", "none")
		w.step(fmt.Sprintf("record of operation %s for contract %s, %s", op, contract, m.Currency), w.m.Record(strconv.Itoa(project), "7000000010", contract, m, op),
			append([]string{"payments", "record", "--provider", "jetpay", "--project", strconv.Itoa(project), "--customer", "7000000010", "--entity", contract,
				"--amount", strconv.FormatInt(m.Amount, 10), "--currency", m.Currency, "--operation", op, "--anyway"}, reason...),
			"/api/v1/payments", because(map[string]any{"provider": "jetpay", "project_id": project, "customer_id": "7000000010", "entity_id": contract,
				"amount": m.Amount, "currency": m.Currency, "operation": op, "anyway": true}), 201)
	}
}

// payBack draws how money goes back.
func (w *walk) payBack(p *model.Payment, amount int64) (b model.PayBack, flags []string, members map[string]any) {
	b.Amount, members = amount, map[string]any{}
	if amount > 0 {
		flags, members["amount"] = append(flags, "--amount", strconv.FormatInt(amount, 10)), amount
	}
	operations := []string{"", "none", "none"}
	if w.operations > 0 && p.Provider == model.JetPay {
		operations = append(operations, "one", "one", "one")
	}
	switch pick(w, "operation", operations...) {
	case "none":
		b.Operation = "none"
	case "one":
		b.Operation = strconv.Itoa(rapid.IntRange(1, w.operations).Draw(w.t, "which operation"))
	}
	if b.Operation != "" {
		flags, members["operation"] = append(flags, "--operation", b.Operation), b.Operation
	}
	if w.oneIn(3, "from the bank") {
		b.From = model.Bank
		flags, members["from"] = append(flags, "--from", b.From), b.From
	}
	return b, flags, members
}

// suspense assigns or returns an item.
func (w *walk) suspense() {
	items := w.m.Items()
	if len(items) == 0 {
		return
	}
	item := rapid.SampledFrom(items).Draw(w.t, "item")
	id := w.ids[item]
	n := slices.Index(items, item) + 1
	path := "/api/v1/suspense/" + id
	if pick(w, "step", "assign", "return") == "assign" {
		to := pick(w, "to", [2]string{"7000000010", "c1"}, [2]string{"7000000010", "c2"}, [2]string{"7011112233", "e1"}, [2]string{"kg-1001", "kg1"},
			[2]string{"7000000001", "c1"}, [2]string{"nobody", "c1"}, [2]string{"7000000010", "none"})
		w.step(fmt.Sprintf("assign item %d to %s %s", n, to[0], to[1]), w.m.Assign(item, to[0], to[1]),
			append([]string{"suspense", "assign", id, "--customer", to[0], "--entity", to[1]}, reason...), path+"/assign",
			because(map[string]any{"customer_id": to[0], "entity_id": to[1]}), 201)
		return
	}
	b, flags, members := w.payBack(item.Payment, pick[int64](w, "amount", 0, 2000, 10000))
	w.step(fmt.Sprintf("return of item %d, %v", n, flags), w.m.Return(item, b),
		append(append([]string{"suspense", "return", id}, flags...), reason...), path+"/return", because(members), 201)
}

// reverse reverses any transaction, more often one of the last.
func (w *walk) reverse() {
	n := len(w.m.Txs)
	if n == 0 {
		return
	}
	from := 0
	if !w.oneIn(3, "any") {
		from = max(0, n-3)
	}
	i := rapid.IntRange(from, n-1).Draw(w.t, "transaction")
	t := w.m.Txs[i]
	id := w.ids[t]
	w.step(fmt.Sprintf("reverse transaction %d, a %s", i+1, t.Kind), w.m.Reverse(t), append([]string{"ledger", "reverse", id}, reason...),
		"/api/v1/ledger/transactions/"+id+"/reverse", because(nil), 201)
}

// payout enters, books or gives up a payout.
func (w *walk) payout() {
	id := pick(w, "id", "po-1", "po-2", "po-3")
	if p := w.m.Payout(id); p != nil && !w.oneIn(3, "enter") {
		if w.oneIn(4, "discard") {
			w.step("discard payout "+id, w.m.DiscardPayout(p), append([]string{"payouts", "discard", id}, reason...), "/api/v1/payouts/"+id+"/discard", because(nil), 200)
			return
		}
		w.step("post payout "+id, w.m.PostPayout(p, strconv.Itoa(project)), append([]string{"payouts", "post", id}, reason...), "/api/v1/payouts/"+id+"/post", because(nil), 201)
		return
	}
	if w.oneIn(3, "from a register") {
		w.register(id)
		return
	}
	n := model.Payout{ID: id, Gross: pick[int64](w, "gross", 10000, 0, 500), Refunds: pick[int64](w, "refunds", 0, 2000), Fees: pick[int64](w, "fees", 100, -30), Reserve: pick[int64](w, "reserve", 0, 50, -50)}
	n.Net = n.Gross - n.Refunds - n.Fees - n.Reserve - n.Adjustments
	made, why := w.m.AddPayout(n)
	done := 200
	if made {
		done = 201
	}
	members := map[string]any{"payout_id": id, "provider": "jetpay", "project_id": project, "bank": "halyk", "date": "2026-11-29", "currency": "KZT",
		"gross": n.Gross, "refunds": n.Refunds, "fees": n.Fees, "reserve": n.Reserve, "net": n.Net}
	figure := func(name string, amount int64) string { return fmt.Sprintf("--%s=%d", name, amount) }
	w.step(fmt.Sprintf("enter payout %+v", n), why, []string{"payouts", "add", "--provider", "jetpay", "--project", strconv.Itoa(project), "--bank", "halyk", "--actor", "anna",
		"--id", id, "--date", "2026-11-29", "--currency", "KZT", figure("gross", n.Gross), figure("refunds", n.Refunds), figure("fees", n.Fees),
		figure("reserve", n.Reserve), figure("net", n.Net)}, "/api/v1/payouts", members, done)
}

// register imports a settlement register of one payout. Its lines are of operations
// that tolem does not know, so that they concern no payment.
func (w *walk) register(id string) {
	lines := pick(w, "lines", []int{1}, []int{1, 2}, []int{2, 3}, []int{3})
	n := model.Payout{ID: id}
	text := "payout_id,date,type,payment_id,operation_id,amount,currency,fee,reserve,adjustment,net\n"
	for _, line := range lines {
		n.Gross += 10000 * int64(line)
		n.Fees += 300
		n.Lines += fmt.Sprintf(" 90000%d", line)
		text += fmt.Sprintf("%s,2026-11-29,payment,shop-%d,90000%d,%d.00,KZT,3.00,,,\n", id, line, line, 100*line)
	}
	n.Net = n.Gross - n.Fees
	file := w.s.config + "." + id + ".csv"
	w.must(os.WriteFile(file, []byte(text), 0o600))
	_, why := w.m.AddPayout(n)
	w.step(fmt.Sprintf("import a register of payout %s with operations%s", id, n.Lines), why,
		[]string{"payouts", "import", file, "--provider", "jetpay", "--project", strconv.Itoa(project), "--bank", "halyk", "--actor", "anna"}, "", nil, 0)
}

// raw is JSON for a message about a difference.
func raw(value any) string {
	text, _ := json.Marshal(value)
	return string(text)
}
