package commands_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/user"
	"strings"
	"testing"

	"tolem/testkit"
	"tolem/view"
)

// auditedShop takes steps and looks for what the audit has of each.
type auditedShop struct {
	*shop
	t      *testing.T
	server *running
	as     string // the --actor of commands
	seen   int    // entries of the audit so far
	steps  int
}

// has is an entry that a step has to leave, in short.
type has struct{ action, object, result string }

// entries returns those that are new, the oldest first.
func (a *auditedShop) entries() []view.AuditEntry {
	a.t.Helper()
	all := decode[[]view.AuditEntry](a.t, a.must(a.t, "audit", "--json"))
	fresh := all[:len(all)-a.seen]
	a.seen = len(all)
	list := make([]view.AuditEntry, 0, len(fresh))
	for i := range fresh {
		list = append(list, fresh[len(fresh)-1-i])
	}
	return list
}

// left compares the new entries, of which each must have who, as what, and when.
func (a *auditedShop) left(what, actor, actingAs, role string, want ...has) []view.AuditEntry {
	a.t.Helper()
	got := a.entries()
	if len(got) != len(want) {
		a.t.Fatalf("%s: the audit has %+v, want %v", what, got, want)
	}
	for i, e := range got {
		if (has{e.Action, e.Object, e.Result}) != want[i] || e.Actor != actor || e.ActingAs != actingAs || e.Role != role || e.At == "" {
			a.t.Errorf("%s: the audit has %+v, want %v by %s (%s)", what, e, want[i], actor, role)
		}
		if e.Result == "refused" && e.Detail == "" {
			a.t.Errorf("%s: the audit does not say why: %+v", what, e)
		}
		if strings.Contains(fmt.Sprintf("%+v", e), "7123456789") {
			a.t.Errorf("%s: a customer's id is in the audit: %+v", what, e)
		}
	}
	return got
}

// ask sends a request as the bearer of the token NAME-token, whose role is role, and
// wants the status and what the audit has of it.
func (a *auditedShop) ask(name, role, method, path, body string, status int, want ...has) map[string]any {
	a.t.Helper()
	a.steps++
	id, why := fmt.Sprint("request-", a.steps), fmt.Sprint("reason ", a.steps)
	request, err := http.NewRequest(method, a.server.admin+path, strings.NewReader(strings.ReplaceAll(body, "WHY", why)))
	if err != nil {
		a.t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+name+"-token")
	request.Header.Set("X-Request-Id", id)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		a.t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		a.t.Fatal(err)
	}
	what := method + " " + path
	if response.StatusCode != status {
		a.t.Fatalf("%s: got %d %s, want %d", what, response.StatusCode, text, status)
	}
	for _, e := range a.left(what, name, "", role, want...) {
		if e.RequestID != id {
			a.t.Errorf("%s: request id %s, want %s", what, e.RequestID, id)
		}
		if unread := strings.HasPrefix(e.Action, method); !unread && strings.Contains(body, "WHY") && e.Reason != why {
			a.t.Errorf("%s: reason %q, want %q", what, e.Reason, why)
		}
	}
	var answer map[string]any
	if err := json.Unmarshal(text, &answer); err != nil && len(text) > 0 {
		a.t.Fatalf("%s: %v: %s", what, err, text)
	}
	return answer
}

// step takes a step as an operator.
func (a *auditedShop) step(path, body string, status int, want ...has) map[string]any {
	a.t.Helper()
	return a.ask("desk", "operator", http.MethodPost, "/api/v1/"+path, body, status, want...)
}

// run runs a command.
func (a *auditedShop) run(code int, args []string, want ...has) result {
	a.t.Helper()
	got := a.tolem(a.t, args...)
	if got.code != code {
		a.t.Fatalf("%s: got %+v, want exit code %d", strings.Join(args, " "), got, code)
	}
	current, err := user.Current()
	if err != nil {
		a.t.Skipf("the system does not say who runs this: %v", err)
	}
	a.left(strings.Join(args, " "), current.Username, a.as, "command", want...)
	return got
}

const because = `{"reason":"WHY"}`

// TestTheAuditHasEverything takes every operator's step over HTTP and by command, and
// has each refused: whatever becomes of it, the audit says who, as what, when, what,
// why and how it ended.
func TestTheAuditHasEverything(t *testing.T) {
	s := newShop(t, "bank: [{name: halyk, iban: "+ownAccount+`, bic: HSBKKZKX, bin: "000000000000", kbe: "17", currency: KZT}]`,
		"four_eyes: [assign]", notifying("127.0.0.1:1"))
	tokens := ""
	for name, role := range map[string]string{"desk": "operator", "second": "operator", "eye": "read", "store": "merchant"} {
		tokens += fmt.Sprintf(", {name: %s, role: %s, token: %s-token}", name, role, name)
	}
	text, err := os.ReadFile(s.config)
	if err != nil {
		t.Fatal(err)
	}
	testkit.WriteFile(t, s.dir, "config.yaml", strings.Replace(string(text), "token: demo-admin-token}", "token: demo-admin-token}"+tokens, 1))
	s.env = []string{"TOLEM_ACTOR=anna"}
	a := &auditedShop{shop: s, t: t, as: "anna", server: s.serve(t)}
	a.entries() // four_eyes of the start

	record := func(operation string) (payment, transaction string) {
		t.Helper()
		made := a.step("payments", `{"provider":"jetpay","project_id":1234,"customer_id":"7123456789","entity_id":"12345","amount":10000,"currency":"KZT","operation":"`+
			operation+`","anyway":true,"reason":"WHY"}`, 201, has{"record", operation, "done"})
		return made["payment_id"].(string), made["transaction_id"].(string)
	}

	t.Run("OverHTTP", func(t *testing.T) {
		a.t = t
		a.step("payments/payment_47/credit", because, 201, has{"credit", "payment_47", "done"})
		a.step("payments/payment_47/credit", because, 409, has{"credit", "payment_47", "refused"})
		a.ask("eye", "read", "POST", "/api/v1/payments/payment_47/credit", because, 403, has{"POST /api/v1/payments/:payment_id/credit", "payment_47", "refused"})
		a.ask("store", "merchant", "GET", "/api/v1/payments", "", 403, has{"GET /api/v1/payments", "", "refused"})
		a.ask("desk", "operator", "PUT", "/api/v1/accounts/7123456789", `{}`, 403, has{"PUT /api/v1/accounts/:customer_id", "", "refused"})
		a.ask("desk", "operator", "POST", "/api/v1/payins", `{}`, 403, has{"POST /api/v1/payins", "", "refused"})

		payment, transaction := record("9001")
		a.step("payments", `{"provider":"jetpay","project_id":1234,"customer_id":"7123456789","entity_id":"12345","amount":10000,"currency":"KZT","operation":"9001","anyway":true,"reason":"WHY"}`,
			409, has{"record", "9001", "refused"})
		a.step("payments/"+payment+"/refunds", `{"amount":1000,"operation":"9101","reason":"WHY"}`, 201, has{"refund", payment, "done"})
		a.step("payments/"+payment+"/refunds", `{"amount":1000,"operation":"9101","reason":"WHY"}`, 409, has{"refund", payment, "refused"})
		a.step("ledger/transactions/"+transaction+"/reverse", because, 409, has{"reverse", transaction, "refused"})
		_, wrong := record("9002")
		a.step("ledger/transactions/"+wrong+"/reverse", because, 201, has{"reverse", wrong, "done"})

		recalled := a.step("payments/payment_47/recall", because, 201, has{"recall", "payment_47", "done"})["transaction_id"].(string)
		a.step("payments/payment_47/recall", because, 409, has{"recall", "payment_47", "refused"})
		to := `{"customer_id":"7123456789","entity_id":"12345","reason":"WHY"}`
		proposal := a.step("suspense/"+recalled+"/assign", to, 202, has{"assign", recalled, "proposed"})["approval_id"].(string)
		a.step("approvals/"+proposal+"/approve", `{}`, 403, has{"approve", proposal, "refused"})
		a.step("approvals/"+proposal+"/reject", because, 200, has{"reject", proposal, "done"})
		a.step("approvals/"+proposal+"/reject", because, 409, has{"reject", proposal, "refused"})
		proposal = a.step("suspense/"+recalled+"/assign", to, 202, has{"assign", recalled, "proposed"})["approval_id"].(string)
		a.step("payments/payment_47/close", because, 409, has{"close", "payment_47", "refused"})
		a.step("suspense/"+recalled+"/return", because, 201, has{"return", recalled, "done"})
		a.step("suspense/"+recalled+"/return", because, 409, has{"return", recalled, "refused"})
		a.ask("second", "operator", "POST", "/api/v1/approvals/"+proposal+"/approve", `{}`, 409, has{"approve", proposal, "refused"})
		open := a.issued()
		a.send(fmt.Sprintf(callbackFormat, open, 9600, "awaiting", "10000"))
		a.step("payments/"+open+"/close", because, 200, has{"close", open, "done"})

		payment, _ = record("9003")
		recalled = a.step("payments/"+payment+"/recall", because, 201, has{"recall", payment, "done"})["transaction_id"].(string)
		proposal = a.step("suspense/"+recalled+"/assign", to, 202, has{"assign", recalled, "proposed"})["approval_id"].(string)
		a.second(proposal, recalled)

		const payout = `{"payout_id":"PO-9","provider":"jetpay","project_id":1234,"bank":"halyk","date":"2026-11-20","currency":"KZT","gross":10000,"fees":100,"net":9900}`
		a.step("payouts", payout, 201, has{"payout_add", "PO-9", "done"})
		a.step("payouts", payout, 200, has{"payout_add", "PO-9", "done"})
		a.step("payouts", strings.NewReplacer("10000", "20000", "9900", "19900").Replace(payout), 409, has{"payout_add", "PO-9", "refused"})
		a.step("payouts/PO-9/post", because, 201, has{"payout", "PO-9", "done"})
		a.step("payouts/PO-9/post", because, 409, has{"payout", "PO-9", "refused"})
		a.step("payouts/PO-9/discard", because, 409, has{"payout_discard", "PO-9", "refused"})
		a.step("payouts", strings.ReplaceAll(payout, "PO-9", "PO-8"), 201, has{"payout_add", "PO-8", "done"})
		a.step("payouts/PO-8/discard", because, 200, has{"payout_discard", "PO-8", "done"})

		events := decode[[]view.Event](t, a.must(t, "events", "list", "--json"))
		event := events[0].EventID
		a.step("events/"+event+"/skip", because, 200, has{"skip_event", event, "done"})
		a.step("events/"+event+"/skip", because, 409, has{"skip_event", event, "refused"})
		a.step("events/"+event+"/resend", `{}`, 202, has{"resend_events", event, "done"})

		message := a.unreadable()
		a.step("messages/"+message+"/suspend", `{"amount":10000,"currency":"KZT","reason":"WHY"}`, 201, has{"suspend", "message " + message, "done"})
		a.step("messages/"+message+"/suspend", `{"amount":10000,"currency":"KZT","reason":"WHY"}`, 409, has{"suspend", "message " + message, "refused"})
		message = a.unreadable()
		a.step("messages/"+message+"/dismiss", because, 200, has{"dismiss", "message " + message, "done"})
		a.step("messages/"+message+"/dismiss", because, 409, has{"dismiss", "message " + message, "refused"})

		for _, refusal := range []int{404, 422} { // which are no refusals for the state of things or for who asks
			body := map[int]string{404: because, 422: `{}`}[refusal]
			a.step("payments/p_none/recall", body, refusal)
		}
	})
	t.Run("ByCommand", func(t *testing.T) {
		a.t = t
		why := func(args ...string) []string { return append(args, "--reason", "ticket 7") }
		recorded := []string{"payments", "record", "--provider", "jetpay", "--project", "1234", "--customer", "7123456789", "--entity", "12345",
			"--amount", "10000", "--currency", "KZT", "--anyway", "--json", "--operation", "9401"}
		made := decode[transaction](t, a.run(0, why(recorded...), has{"record", "9401", "done"}).out)
		payment := made.PaymentID
		a.run(1, why(recorded...), has{"record", "9401", "refused"})
		a.run(1, why("payments", "credit", payment), has{"credit", payment, "refused"})
		a.run(0, why("payments", "refund", payment, "--amount", "1000", "--operation", "9402"), has{"refund", payment, "done"})
		a.run(1, why("payments", "refund", payment, "--amount", "1000", "--operation", "9402"), has{"refund", payment, "refused"})
		a.run(1, why("ledger", "reverse", made.TransactionID), has{"reverse", made.TransactionID, "refused"})
		item := decode[transaction](t, a.run(0, why("payments", "recall", payment, "--json"), has{"recall", payment, "done"}).out).TransactionID
		a.run(1, why("payments", "recall", payment), has{"recall", payment, "refused"})
		proposal := decode[view.Proposed](t, a.run(0, why("suspense", "assign", item, "--customer", "7123456789", "--entity", "12345", "--json"), has{"assign", item, "proposed"}).out).ApprovalID
		wrong := testkit.WriteFile(t, a.dir, "wrong.token", "another-token\n")
		a.as = "" // who approves is who has the token
		a.run(1, []string{"approvals", "approve", proposal, "--token-file", wrong}, has{"approve", proposal, "refused"})
		a.as = "anna"
		a.run(0, why("approvals", "reject", proposal), has{"reject", proposal, "done"})
		a.run(1, why("approvals", "reject", proposal), has{"reject", proposal, "refused"})
		a.run(0, why("suspense", "return", item), has{"return", item, "done"})
		a.run(1, why("suspense", "return", item), has{"return", item, "refused"})
		a.run(1, why("payments", "close", payment), has{"close", payment, "refused"})

		message := a.unreadable()
		a.run(0, why("messages", "dismiss", message), has{"dismiss", "message " + message, "done"})
		a.run(1, why("messages", "dismiss", message), has{"dismiss", "message " + message, "refused"})
		event := decode[[]view.Event](t, a.must(t, "events", "list", "--json"))[0].EventID
		a.run(0, why("events", "skip", event), has{"skip_event", event, "done"})
		a.run(1, why("events", "skip", event), has{"skip_event", event, "refused"})
		a.run(0, []string{"events", "resend", event}, has{"resend_events", event, "done"})
	})
	t.Run("Imports", func(t *testing.T) {
		a.t = t
		const account = `{"customer_id":"7123456789","additional_customer_id":"A","currency":"KZT","entities":[{"id":"12345","number":"N"}]}`
		good := testkit.WriteFile(t, a.dir, "good.jsonl", account+"\n")
		bad := testkit.WriteFile(t, a.dir, "bad.jsonl", account+"\n"+account+"\n{}\n")
		a.run(0, []string{"accounts", "import", good}, has{"import", "good.jsonl", "done"})
		a.run(1, []string{"accounts", "import", bad}, has{"import", "bad.jsonl", "refused"})
		a.run(1, []string{"accounts", "import", "--replace", good}, has{"import", "good.jsonl", "refused"})
		a.run(1, []string{"accounts", "import", "--dry-run", bad})

		const header = "payout_id,date,type,payment_id,operation_id,amount,currency,fee,reserve,adjustment,net\n"
		register := func(lines string) []string {
			return append([]string{"payouts", "import", testkit.WriteFile(t, a.dir, "register.csv", header+lines)}, ofPlatform...)
		}
		const line = "PO-1,2026-11-20,payment,,1,100.00,KZT,1.50,,,98.50\n"
		a.run(0, append(register(line), "--dry-run"))
		a.run(0, register(line), has{"payout_add", "PO-1", "done"})
		a.run(0, register(line), has{"payout_add", "register.csv", "done"})
		a.run(1, register(strings.ReplaceAll(line, "100.00,KZT,1.50,,,98.50", "101.00,KZT,1.50,,,99.50")), has{"payout_add", "register.csv", "refused"})
		a.run(1, register(strings.ReplaceAll(line, "PO-1", "PO-2")), has{"payout_add", "register.csv", "refused"})
		a.run(2, register("PO-3,2026-11-20,payment,,2,1OO.00,KZT,,,,\n"), has{"payout_add", "register.csv", "refused"})
		a.run(2, append(register("PO-3,2026-11-20,payment,,2,1OO.00,KZT,,,,\n"), "--dry-run"))
		a.run(0, []string{"payouts", "post", "PO-1", "--reason", "on the account"}, has{"payout", "PO-1", "done"})
		a.run(1, []string{"payouts", "discard", "PO-1", "--reason", "wrong"}, has{"payout_discard", "PO-1", "refused"})

		statement := func(closing string) []string {
			return []string{"bank", "import", a.statement(t, "bank.txt", "27.11.2026", "27.11.2026", "1", closing, "27.11.2026 in 1 1 a"), "--bank", "halyk", "--format", "1c"}
		}
		a.run(0, statement("2"), has{"bank_import", "halyk", "done"})
		a.run(2, statement("3"), has{"bank_import", "bank.txt", "refused"})
		a.run(1, []string{"bank", "match", "--apply", "--reason", "by day"}, has{"bank_match", "payouts", "done"})

		report, how := a.report(t, "payment_47,5001,sale,success,100.00,KZT,,2026-11-29 10:00:00")
		applied := []string{"reconcile", report, "--map", how, "--apply", "--reason", "report"}
		a.run(0, applied, has{"reconcile", "report.csv", "done"})
		a.report(t, "payment_47,5001,sale,success,1OO.00,KZT,,2026-11-29 10:00:00")
		a.run(2, applied, has{"reconcile", "report.csv", "refused"})
	})
}

// second lets another operator approve an assignment: the step has the actor who
// proposed it.
func (a *auditedShop) second(proposal, item string) {
	a.t.Helper()
	request, err := http.NewRequest(http.MethodPost, a.server.admin+"/api/v1/approvals/"+proposal+"/approve", strings.NewReader(`{}`))
	if err != nil {
		a.t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer second-token")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		a.t.Fatal(err)
	}
	_ = response.Body.Close()
	got := a.entries()
	if response.StatusCode != 201 || len(got) != 2 {
		a.t.Fatalf("approve: got %d, and in the audit %+v", response.StatusCode, got)
	}
	for i, want := range []struct{ action, object, actor string }{{"assign", item, "desk"}, {"approve", proposal, "second"}} {
		if e := got[i]; e.Action != want.action || e.Object != want.object || e.Actor != want.actor || e.Result != "done" {
			a.t.Errorf("approve: the audit has %+v, want %v", e, want)
		}
	}
}

// callbackFormat is a callback of a payment: the id of the payment, the operation and
// its status, and the amount.
const callbackFormat = `{"project_id":1234,"payment":{"id":"%s","type":"purchase","status":"success","date":"2022-03-25T11:08:45+0000","method":"kaspi","sum":{"amount":10000,"currency":"KZT"},"description":""},
"operation":{"id":%d,"type":"sale","status":"%s","date":"2022-03-25T11:08:46+0000","created_date":"2022-03-25T11:08:05+0000","request_id":"9e32835f",
"sum_initial":{"amount":%s,"currency":"KZT"},"sum_converted":{"amount":10000,"currency":"KZT"},"code":"0","message":"Success","provider":{"id":12345,"payment_id":"123abc123-321","auth_code":""}}}`

// send signs a message of the platform and sends it.
func (a *auditedShop) send(body string) map[string]any {
	a.t.Helper()
	signed := tolem(a.t, nil, body, "sign", "--secret", "demo-secret", "-")
	response, err := http.Post(a.server.public+"/jetpay", "application/json", strings.NewReader(signed.out))
	if err != nil {
		a.t.Fatal(err)
	}
	defer response.Body.Close()
	var answer map[string]any
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil || response.StatusCode != http.StatusOK {
		a.t.Fatalf("got %d %v, %v", response.StatusCode, answer, err)
	}
	return answer
}

// issued is a payment that the platform has asked for.
func (a *auditedShop) issued() string {
	a.t.Helper()
	return a.send(`{"type":"check_deposit","project_id":1234,"customer_id":"123456789","entity_id":"12345","amount":10000,"currency":"KZT","payment_method":"terminal/kaspi"}`)["payment_id"].(string)
}

// unreadable has the platform send a callback whose sum cannot be read, and returns
// the message's id.
func (a *auditedShop) unreadable() string {
	a.t.Helper()
	a.steps++
	a.send(fmt.Sprintf(callbackFormat, a.issued(), 9700+a.steps, "success", `"x"`))
	list := decode[[]view.Message](a.t, a.must(a.t, "messages", "list", "--json"))
	if len(list) == 0 || list[0].Disposition != "unreadable" {
		a.t.Fatalf("a callback that cannot be read: got %+v", list)
	}
	return fmt.Sprint(list[0].ID)
}
