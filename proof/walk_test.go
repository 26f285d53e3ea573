package proof_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"pgregory.net/rapid"

	"tolem/platform"
	"tolem/proof/model"
	"tolem/signing"
	"tolem/topup"
)

// walk is one sequence: the server, the model, and what was sent so far.
type walk struct {
	t        *rapid.T
	s        *server
	m        *model.World
	jetpay   platform.Project
	alerts   signing.Signer
	stranger signing.Signer
	at       time.Time // the platform's date of everything
	short    bool      // payment ids of this life of the server expire at once

	issued     []*model.Payment // by check_deposit
	payins     []*model.Payment
	operations int
	sent       []message
	ids        map[*model.Tx]string
	seq        int64
	known      int // transactions that were compared

	scenario *scenario
	did      []string
	tally    *tally
}

// message is something that a platform has sent and may send again.
type message struct {
	path   string
	header http.Header
	body   []byte
	apply  func() // in the model
	what   string
	again  func() []byte // the same with another signature, nil for an alert
	set    map[string]string
}

func newWalk(r *rapid.T, s *server, alerts, stranger signing.Signer) *walk {
	key, err := signing.NewKey("demo-secret")
	if err != nil {
		r.Fatal(err)
	}
	w := &walk{
		t: r, s: s, m: model.New(accounts()...), jetpay: platform.Project{ID: project, Key: key}, alerts: alerts, stranger: stranger,
		at: time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC), ids: map[*model.Tx]string{}, scenario: newScenario(),
		tally: &tally{faults: map[string]int{}},
	}
	return w
}

// fatalf ends the sequence with what was done, and where it was written down.
func (w *walk) fatalf(format string, args ...any) {
	where := w.scenario.write(w)
	w.t.Fatalf("%s\n\nafter:\n%s\n\n%s\nthe server's log:\n%s", fmt.Sprintf(format, args...), strings.Join(w.did, "\n"), where, w.s.log)
}

func (w *walk) must(err error) {
	if err != nil {
		w.fatalf("%v", err)
	}
}

func (w *walk) note(format string, args ...any) {
	w.did = append(w.did, fmt.Sprintf("%3d  %s", len(w.did)+1, fmt.Sprintf(format, args...)))
}

func pick[T any](w *walk, name string, list ...T) T { return rapid.SampledFrom(list).Draw(w.t, name) }

// oneIn is true once in n.
func (w *walk) oneIn(n int, name string) bool { return rapid.IntRange(0, n-1).Draw(w.t, name) == n-1 }

func (w *walk) count(fault string) { w.tally.faults[fault]++ }

// send posts a message and wants an answer; body nil accepts any.
func (w *walk) send(path string, header http.Header, body []byte, status int, want map[string]any) []byte {
	w.tally.operations++
	got, err := w.s.post(w.s.public+path, header, body)
	w.must(err)
	if got.status == http.StatusOK {
		w.tally.acknowledged++
	}
	var members map[string]any
	if want != nil {
		w.must(json.Unmarshal(got.body, &members))
	}
	if got.status != status {
		w.fatalf("got %s, want HTTP %d %v", got, status, want)
	}
	for name, value := range want {
		have, _ := json.Marshal(members[name])
		if is, _ := json.Marshal(value); !bytes.Equal(have, is) {
			w.fatalf("got %s, want HTTP %d with %s = %s", got, status, name, is)
		}
	}
	return got.body
}

// noise is what changes nothing.
func (w *walk) noise() {
	switch pick(w, "noise", "verify", "check_deposit", "malformed") {
	case "verify":
		w.verify()
	case "check_deposit":
		w.badDeposit()
	case "malformed":
		w.malformed()
	}
}

func (w *walk) verify() {
	customer := pick(w, "customer", "7000000010", "7000000001", "7000000002", "7000000003", "kg-1001", "nobody")
	body, err := w.jetpay.Verify(customer)
	w.must(err)
	code, contracts := w.m.Verify(customer)
	w.note("verify %s: %d %v", customer, code, contracts)
	w.scenario.add("verify", "/jetpay", nil, body, 200, map[string]any{"code": code}, nil)
	answer := w.send("/jetpay", nil, body, 200, map[string]any{"code": code})
	var said struct {
		Currency   string
		Additional string `json:"additional_customer_id"`
		Entities   []struct{ ID string }
	}
	w.must(json.Unmarshal(answer, &said))
	var ids []string
	for _, e := range said.Entities {
		ids = append(ids, e.ID)
	}
	if a := w.m.Accounts[customer]; code == 0 && (said.Currency != a.Currency || said.Additional != a.Additional || !slices.Equal(ids, contracts)) {
		w.fatalf("verify: got %s, want contracts %v of %+v", answer, contracts, a)
	}
}

// deposit asks for a payment id that is given.
func (w *walk) deposit() {
	to := pick(w, "contract", [2]string{"7000000010", "c1"}, [2]string{"7000000010", "c2"}, [2]string{"kg-1001", "kg1"})
	w.check(to[0], to[1], model.Money{Amount: pick[int64](w, "amount", 10000, 3000), Currency: w.m.Accounts[to[0]].Currency}, "")
}

// badDeposit asks for one that may be refused.
func (w *walk) badDeposit() {
	w.check(
		pick(w, "customer", "7000000010", "7000000004", "7000000003", "7000000001", "nobody"), pick(w, "contract", "c1", "c2", "none"),
		model.Money{Amount: pick[int64](w, "amount", 10000, 49999, 50000, 0, -1, 10_000_000_000_001), Currency: pick(w, "currency", "KZT", "USD", "kzt")},
		pick(w, "method", "", "card"))
}

func (w *walk) check(customer, contract string, m model.Money, method string) {
	if method == "" {
		method = platform.DepositMethod
	}
	body, err := w.jetpay.CheckDeposit(platform.Deposit{CustomerID: customer, EntityID: contract, Money: topup.Money(m), Method: method})
	w.must(err)
	code := w.m.Deposit(customer, contract, m, method)
	w.note("check_deposit %s %s of %d %s by %s: %d", customer, contract, m.Amount, m.Currency, method, code)
	w.scenario.deposit(body, code, len(w.issued))
	answer := w.send("/jetpay", nil, body, 200, map[string]any{"code": code})
	if code != 0 {
		return
	}
	var said struct {
		PaymentID string `json:"payment_id"`
	}
	w.must(json.Unmarshal(answer, &said))
	if said.PaymentID == "" || w.m.ByID(said.PaymentID) != nil {
		w.fatalf("the id of check_deposit is not a fresh one: %s", answer)
	}
	p := w.m.Issue(model.JetPay, strconv.Itoa(project), said.PaymentID, customer, contract, m)
	w.issued = append(w.issued, p)
	if w.short {
		time.Sleep(2 * shortExpiry)
		p.Expire()
		w.count("expiry")
	}
}

// reference is what a callback is about: a payment, or an id that was never issued.
func (w *walk) reference() (reference string, asked model.Money) {
	if len(w.issued) == 0 || w.oneIn(4, "unknown id") {
		return pick(w, "id", "their-1", "their-1", "their-2"), model.Money{Amount: 10000, Currency: "KZT"}
	}
	p := rapid.SampledFrom(w.issued).Draw(w.t, "payment")
	return p.ID, p.Asked
}

// operation is a new operation, or one that was used before.
func (w *walk) operation() string {
	if w.operations > 0 && w.oneIn(4, "an old operation") {
		return strconv.Itoa(rapid.IntRange(1, w.operations).Draw(w.t, "operation"))
	}
	w.operations++
	return strconv.Itoa(w.operations)
}

// movement is a callback that money has moved.
func (w *walk) movement() {
	reference, sum := w.reference()
	c := model.Callback{Reference: reference, Status: "success", Type: "sale", OperationStatus: "success", Code: "0", Method: "kaspi", Sum: sum, Initial: sum}
	c.Operation = w.operation()
	switch pick(w, "what differs", "nothing", "nothing", "nothing", "sum", "initial", "currency", "method", "operation") {
	case "sum":
		c.Sum.Amount, c.Initial.Amount = 9999, 9999
	case "initial":
		c.Initial.Amount++
	case "currency":
		c.Sum.Currency = "USD"
	case "method":
		c.Method = "card"
	case "operation":
		c.Operation = "" // cannot be read
	}
	w.callback(c)
}

// status is a callback that is no movement, in every word of the table and others.
func (w *walk) status() {
	reference, sum := w.reference()
	w.callback(model.Callback{
		Reference: reference, Operation: w.operation(), Method: pick(w, "method", "kaspi", "kaspi", "card"), Sum: sum, Initial: sum,
		Status: pick(w, "status", "decline", "decline", "error", "expired", "canceled", "cancelled", "processing", "success", "refunded", "partially refunded",
			"reversed", "partially reversed", "awaiting 3ds result", "external processing", "a new word"),
		Type:            pick(w, "type", "sale", "capture", "recurring"),
		OperationStatus: pick(w, "operation's status", "decline", "processing", "success"),
		Code:            pick(w, "code", "20000", "20802", "19999", "30100"),
	})
}

// moneyBack is a callback of a refund or a reversal: done, declined or under way.
func (w *walk) moneyBack() {
	reference, sum := w.reference()
	typ := pick(w, "type", "refund", "reversal")
	c := model.Callback{
		Reference: reference, Operation: w.operation(), Method: "kaspi", Type: typ, Code: "0",
		OperationStatus: pick(w, "operation's status", "success", "success", "decline", "processing"),
		Status:          pick(w, "status", "partially refunded", "refunded", "partially reversed", "reversed", "success"),
		Sum:             model.Money{Amount: sum.Amount - 2000, Currency: sum.Currency}, Initial: model.Money{Amount: 2000, Currency: sum.Currency},
	}
	w.callback(c)
}

func (w *walk) callback(c model.Callback) {
	c.Project = strconv.Itoa(project)
	build := func(extra map[string]json.RawMessage) []byte {
		id, _ := strconv.ParseInt(c.Operation, 10, 64)
		body, err := w.jetpay.Callback(platform.Callback{
			Payment: platform.Payment{ID: c.Reference, Type: "purchase", Status: c.Status, Date: w.at, Method: c.Method, Sum: topup.Money(c.Sum)},
			Account: "1234567890", Customer: "customer_123", Extra: extra,
			Operation: platform.Operation{
				ID: id, Type: c.Type, Status: c.OperationStatus, Date: w.at, CreatedDate: w.at, RequestID: "r-" + c.Operation,
				SumInitial: topup.Money(c.Initial), SumConverted: topup.Money(c.Initial), Code: c.Code, Message: "…",
				Provider: platform.Provider{ID: 12345, PaymentID: "kaspi-" + c.Operation},
			},
		})
		w.must(err)
		if c.Operation == "" {
			body = bytes.Replace(body, []byte(`"operation":{"id":0,`), []byte(`"operation":{`), 1)
			body, err = w.jetpay.Sign(body)
			w.must(err)
		}
		return body
	}
	w.deliver(message{
		path: pick(w, "path", platform.Path, platform.CallbackPath), body: build(nil),
		apply: func() { w.m.Callback(c) }, set: w.scenario.variables(w, c),
		again: func() []byte { return build(map[string]json.RawMessage{"acs": json.RawMessage(`{"n":1}`)}) },
		what: fmt.Sprintf("callback of %s: %s, operation %q %s %s, code %s, by %s, sum %d %s, initial %d %s", w.name(c.Reference), c.Status, c.Operation,
			c.Type, c.OperationStatus, c.Code, c.Method, c.Sum.Amount, c.Sum.Currency, c.Initial.Amount, c.Initial.Currency),
	})
}

// name is what a payment is called in what was done: ids differ from run to run.
func (w *walk) name(id string) string {
	for i, p := range w.issued {
		if p.ID == id {
			return fmt.Sprintf("payment_%d", i+1)
		}
	}
	for i, p := range w.payins {
		if p.ID == id {
			return fmt.Sprintf("payin_%d", i+1)
		}
	}
	return id
}

// deliver sends a message that is always taken, and keeps it to send it again. Once
// in a while the server is killed before it answers, and the platform sends it again.
func (w *walk) deliver(m message) {
	m.apply()
	w.sent = append(w.sent, m)
	w.note("%s", m.what)
	w.scenario.message(m)
	if w.oneIn(25, "the server is killed meanwhile") {
		w.note("… while the server is killed; it is sent again")
		w.count("kill")
		answered := make(chan bool, 1)
		url := w.s.public + m.path
		go func() {
			got, err := w.s.post(url, m.header, m.body)
			answered <- err == nil && got.status == 200
		}()
		time.Sleep(time.Duration(rapid.IntRange(0, 3).Draw(w.t, "ms")) * time.Millisecond)
		w.s.kill()
		if <-answered {
			w.tally.acknowledged++
			w.must(w.s.start(w.expiry()))
			w.compare() // it was acknowledged, so it is there before it comes again
		} else {
			w.must(w.s.start(w.expiry()))
		}
	}
	w.send(m.path, m.header, m.body, 200, map[string]any{"code": 0})
}

// again sends a message again, as it was or with another signature, once or several
// times at once.
func (w *walk) again() {
	if len(w.sent) == 0 {
		return
	}
	m := rapid.SampledFrom(w.sent).Draw(w.t, "which")
	m.apply() // no effect, unless it was about nothing of ours when it came
	if m.again != nil && w.oneIn(3, "with a new member") {
		m.body = m.again()
	}
	copies := pick(w, "copies", 1, 1, 8)
	w.note("again, %d times: %s", copies, m.what)
	w.scenario.message(m)
	w.count("duplicate")
	failed := make(chan error, copies)
	for range copies {
		go func() {
			got, err := w.s.post(w.s.public+m.path, m.header, m.body)
			if err == nil && got.status != 200 {
				err = fmt.Errorf("a copy is answered %s", got)
			}
			failed <- err
		}()
	}
	for range copies {
		w.must(<-failed)
		w.tally.operations++
		w.tally.acknowledged++
	}
}

// forged sends what nobody with the key has signed.
func (w *walk) forged() {
	other, err := signing.NewKey("another-secret")
	w.must(err)
	w.count("forged")
	amount := model.Money{Amount: 10000, Currency: "KZT"}
	reference, _ := w.reference()
	forger := platform.Project{ID: pick[int64](w, "project", project, 999), Key: other}
	sync := func(body []byte, err error) {
		w.must(err)
		w.send("/jetpay", nil, body, 200, map[string]any{"code": 400})
	}
	switch pick(w, "what", "callback", "changed", "verify", "check_deposit", "alert") {
	case "callback":
		w.note("a callback of %s that is signed with another key", w.name(reference))
		body, err := forger.Callback(platform.NewCallback(platform.OutcomeSuccess, reference, 99, topup.Money(amount), w.at))
		w.must(err)
		w.scenario.unsigned("forged", "/jetpay", body, 400)
		w.send("/jetpay", nil, body, 400, map[string]any{"code": 400})
	case "changed":
		w.note("a signed callback in which the sum was changed")
		body, err := w.jetpay.Callback(platform.NewCallback(platform.OutcomeSuccess, reference, 98, topup.Money(amount), w.at))
		w.must(err)
		body = bytes.ReplaceAll(body, []byte(`"amount":10000`), []byte(`"amount":90000`))
		w.scenario.unsigned("changed", "/jetpay", body, 400)
		w.send("/jetpay", nil, body, 400, map[string]any{"code": 400})
	case "verify":
		w.note("a verify that is signed with another key")
		sync(forger.Verify("7000000010"))
	case "check_deposit":
		w.note("a check_deposit that is signed with another key")
		sync(forger.CheckDeposit(platform.Deposit{CustomerID: "7000000010", EntityID: "c1", Money: topup.Money(amount)}))
	case "alert":
		w.note("an alert that is signed with the merchant's own key")
		body := alertBody(hhID, "their-1", "success", "", amount)
		w.send("/highhelp/alerts", w.sign(w.stranger, body), body, 401, nil)
	}
}

// malformed sends what is no message, signed or not.
func (w *walk) malformed() {
	w.count("malformed")
	signed := func(text string) []byte {
		body, err := w.jetpay.Sign([]byte(text))
		w.must(err)
		return body
	}
	unsigned := []string{"", "{", "[]", `{"project_id":1234,"project_id":1234}`, `{"type":"verify"} {}`, "\xff", `{"a":` + strings.Repeat("[", 40) + strings.Repeat("]", 40) + `}`, "null"}
	valid := []string{
		`{"project_id":1234,"type":"check_deposit","customer_id":"7000000010","entity_id":"c1","amount":1.5,"currency":"KZT","payment_method":"terminal/kaspi"}`,
		`{"project_id":1234,"type":"check_deposit","customer_id":"7000000010","entity_id":"c1","currency":"KZT","payment_method":"terminal/kaspi"}`,
		`{"project_id":1234,"type":"check_deposit","customer_id":null,"entity_id":"c1","amount":10000,"currency":"KZT","payment_method":"terminal/kaspi"}`,
		`{"project_id":1234,"type":"verify","customer_id":true}`,
		`{"project_id":1234,"type":"balance"}`,
	}
	others := []string{ // signed callbacks in other forms
		`{"project_id":1234,"general":{"a":1},"request":{"id":"1"},"token":"t"}`,
		`{"project_id":1234,"recurring":{"id":5,"status":"active"}}`,
		`{"project_id":1234,"payment":{"id":"their-9","status":"success","method":"kaspi"}}`,
		`{"project_id":1234,"payment":{"status":"success","sum":{"amount":"x"}},"operation":[]}`,
	}
	n := rapid.IntRange(0, len(unsigned)+len(valid)+len(others)).Draw(w.t, "which")
	switch {
	case n < len(unsigned):
		w.note("no message: %.40q", unsigned[n])
		w.scenario.unsigned("malformed", "/jetpay", []byte(unsigned[n]), 400)
		w.send("/jetpay", nil, []byte(unsigned[n]), 400, map[string]any{"code": 400})
	case n < len(unsigned)+len(valid):
		text := valid[n-len(unsigned)]
		w.note("a request with a wrong member: %s", text)
		w.scenario.add("wrong-member", "/jetpay", nil, signed(text), 200, map[string]any{"code": 500}, nil)
		w.send("/jetpay", nil, signed(text), 200, map[string]any{"code": 500})
	case n < len(unsigned)+len(valid)+len(others):
		text := others[n-len(unsigned)-len(valid)]
		w.note("a callback in another form: %s", text)
		w.scenario.add("other-form", "/jetpay", nil, signed(text), 200, map[string]any{"code": 0}, nil)
		w.send("/jetpay", nil, signed(text), 200, map[string]any{"code": 0})
	default:
		w.note("an alert that is no JSON")
		body := []byte(`{"project_id":`)
		w.send("/highhelp/alerts", w.sign(w.alerts, alertBody(hhID, "x", "decline", "", model.Money{})), body, 400, nil)
	}
}

// payin opens a pay-in at HighHelp, which answers, refuses, or does not answer.
func (w *walk) payin() {
	mode := pick(w, "HighHelp", "ok", "ok", "ok", "refused", "silent")
	w.s.provider.next.Store(mode)
	money := model.Money{Amount: pick[int64](w, "amount", 15000, 200000), Currency: "KZT"}
	w.note("pay-in of %d, HighHelp: %s", money.Amount, mode)
	w.scenario.outside("a pay-in is opened")
	got, err := w.s.api(http.MethodPost, "/api/v1/payins", map[string]any{
		"customer_id": "7011112233", "entity_id": "e1", "amount": money.Amount, "currency": money.Currency, "widget_method": "payin-p2p-card-international",
		"payer": map[string]any{"id": "cus_1", "ip_address": "192.0.2.1", "country": "KZ"}, "redirect_url": "https://shop.example.kz/order/1",
	})
	w.must(err)
	w.tally.operations++
	var said struct {
		PaymentID string `json:"payment_id"`
	}
	w.must(json.Unmarshal(got.body, &said))
	if want := map[string]int{"ok": 201, "refused": 502, "silent": 504}[mode]; got.status != want || said.PaymentID == "" {
		w.fatalf("pay-in: got %s, want %d", got, want)
	}
	p := w.m.Issue(model.HighHelp, hhID, said.PaymentID, "7011112233", "e1", money)
	w.payins = append(w.payins, p)
	switch mode {
	case "ok":
		w.tally.acknowledged++
	case "refused":
		w.m.PayinRefused(p)
		w.count("provider-refuses")
	case "silent":
		w.m.PayinUnknown(p)
		w.count("provider-silent")
	}
}

func alertBody(project, payment, status, sub string, m model.Money) []byte {
	part := any(nil)
	if sub != "" {
		part = sub
	}
	body, _ := json.Marshal(map[string]any{
		"project_id": project, "general": map[string]any{"request_id": "r-1", "payment_id": payment},
		"status": map[string]any{"status": status, "sub_status": part, "status_description": nil},
		"payment_info": map[string]any{
			"amount": m.Amount, "old_amount": m.Amount, "initial_amount": m.Amount, "currency": m.Currency, "lifetime": 600,
			"expiration_date": 1795953600, "updated_date": 1795953600, "created_date": 1795953600,
			"method": "international-card-p2p", "widget_method": "payin-p2p-card-international", "type": "payin",
		},
	})
	return body
}

func (w *walk) sign(key signing.Signer, body []byte) http.Header {
	const timestamp = "1795953600"
	signature, err := key.Sign(body, timestamp, signing.DefaultRequestDialect())
	w.must(err)
	return http.Header{"X-Access-Timestamp": {timestamp}, "X-Access-Signature": {signature}, "Content-Type": {"application/json"}}
}

// alert is any alert about a pay-in, or about a payment that is not ours.
func (w *walk) alert() {
	reference, sum := "HH-UNKNOWN-1", model.Money{Amount: 15000, Currency: "KZT"}
	if len(w.payins) > 0 && !w.oneIn(6, "unknown id") {
		p := rapid.SampledFrom(w.payins).Draw(w.t, "pay-in")
		reference, sum = p.ID, p.Asked
	}
	status := pick(w, "status", "success", "success", "success", "processing", "decline", "error", "dispute", "a new word")
	sub := ""
	switch status {
	case "processing":
		sub = pick(w, "sub_status", "new", "requisites", "awaiting_confirm", "paid", "invalid_verification")
	case "dispute":
		sub = pick(w, "sub_status", "no_payment", "different_amount", "payout_failed")
	case "success":
		switch pick(w, "what differs", "nothing", "nothing", "less", "too much", "currency") {
		case "less":
			sum.Amount -= 1000
		case "too much":
			sum.Amount = sum.Amount*10 + 1
		case "currency":
			sum.Currency = "KGS"
		}
	}
	a := model.Alert{Project: hhID, Reference: reference, Status: status, SubStatus: sub, Sum: sum}
	body := alertBody(hhID, reference, status, sub, sum)
	w.deliver(message{
		path: "/highhelp/alerts", header: w.sign(w.alerts, body), body: body, apply: func() { w.m.Alert(a) },
		what: fmt.Sprintf("alert of %s: %s:%s, sum %d %s", w.name(reference), status, sub, sum.Amount, sum.Currency),
	})
}

// expiry is how long payment ids live now.
func (w *walk) expiry() time.Duration {
	if w.short {
		return shortExpiry
	}
	return longExpiry
}

// restart kills the server, or lets it drain, and starts it again.
func (w *walk) restart() {
	if !w.oneIn(3, "really") {
		return
	}
	w.short = w.oneIn(3, "with payment ids that expire at once")
	kind := pick(w, "how", "kill", "restart")
	w.note("%s; payment ids expire after %s", kind, w.expiry())
	w.scenario.outside("the server is started again, with payment ids that expire after " + w.expiry().String())
	w.count(kind)
	if kind == "kill" {
		w.s.kill()
	} else {
		w.must(w.s.stop())
	}
	w.must(w.s.start(w.expiry()))
}
