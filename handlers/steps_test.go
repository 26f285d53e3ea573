package handlers_test

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"tolem/config"
	"tolem/store"
	"tolem/testkit"
)

const secondToken = "token-of-the-second"

const because = `{"reason":"ticket 4711"}`

// inSuspense puts 10000 KZT into suspense, and returns the item.
func (r *rig) inSuspense(operation string) string {
	r.t.Helper()
	id := r.issue()
	r.send(callbackFor(r.t, id, operation))
	recalled := r.step("/api/v1/payments/"+id+"/recall", because, "")
	if recalled.status != http.StatusCreated {
		r.t.Fatalf("recall: got %d %s", recalled.status, recalled.body)
	}
	return recalled.json(r.t)["transaction_id"].(string)
}

// wants checks an answer of the API and returns its members.
func (a answer) wants(t testing.TB, status int, members map[string]any) map[string]any {
	t.Helper()
	if a.status != status {
		t.Fatalf("got %d %s, want %d", a.status, a.body, status)
	}
	got := a.json(t)
	for name, want := range members {
		if got[name] != want {
			t.Errorf("%s: got %v, want %v in %s", name, got[name], want, a.body)
		}
	}
	return got
}

func TestSteps(t *testing.T) {
	t.Run("Credit", func(t *testing.T) {
		r := newRig(t)
		id := r.issue()
		r.step("/api/v1/payments/"+id+"/credit", because, "").wants(t, 201, map[string]any{
			"payment_id": id, "kind": "manual_credit", "actor": "desk", "reason": "ticket 4711"})
		checkProblem(t, r.step("/api/v1/payments/"+id+"/credit", because, ""), 409, "")
		checkProblem(t, r.step("/api/v1/payments/p_none/credit", because, ""), 404, "")
		if r.payment(id).Credited == nil {
			t.Error("nothing is credited")
		}
	})
	t.Run("Record", func(t *testing.T) {
		r := newRig(t)
		body := `{"provider":"jetpay","project_id":1234,"customer_id":"123456789","entity_id":"12345","amount":700,"currency":"KZT","operation":"77","reason":"line 8"}`
		made := r.step("/api/v1/payments", body, "").wants(t, 201, map[string]any{"kind": "manual_credit", "operation_id": "77"})
		r.ask(http.MethodGet, "/api/v1/payments/"+made["payment_id"].(string), "").wants(t, 200, map[string]any{"status": "succeeded", "amount": 700.0})
		checkProblem(t, r.step("/api/v1/payments", body, ""), 409, "")
		checkProblem(t, r.step("/api/v1/payments", testkit.Edit(t, body, `1234`, `"9"`), ""), 422, "project_id")
		checkProblem(t, r.step("/api/v1/payments", testkit.Edit(t, body, `1234`, `[]`), ""), 422, "project_id")
		checkProblem(t, r.step("/api/v1/payments", testkit.Edit(t, body, `"operation":"77"`, `"reference":"r"`), ""), 422, "operation")
		checkProblem(t, r.step("/api/v1/payments", testkit.Edit(t, body, `"77"`, `"78"`, `700`, `0`), ""), 422, "amount")
		waiting := r.issue()
		same := testkit.Edit(t, body, `"77"`, `"78"`, `700`, `10000`)
		if p := checkProblem(t, r.step("/api/v1/payments", same, ""), 409, ""); !strings.Contains(p["detail"].(string), waiting) {
			t.Errorf("the waiting payment is not named: %v", p)
		}
		r.step("/api/v1/payments", testkit.Edit(t, same, `"reason"`, `"anyway":true,"reason"`), "").wants(t, 201, nil)
	})
	t.Run("RecallAssignReverseReturn", func(t *testing.T) {
		r := newRig(t)
		item := r.inSuspense("28")
		list := r.ask(http.MethodGet, "/api/v1/suspense?status=open", "").json(t)["items"].([]any)
		if len(list) != 1 || list[0].(map[string]any)["item"] != item || list[0].(map[string]any)["state"] != "open" {
			t.Fatalf("got %v", list)
		}
		to := `{"customer_id":"7123456789","entity_id":"67890","reason":"the payer called"}`
		checkProblem(t, r.step("/api/v1/suspense/"+item+"/assign", testkit.Edit(t, to, "67890", "none"), ""), 404, "")
		assigned := r.step("/api/v1/suspense/"+item+"/assign", to, "").wants(t, 201, map[string]any{"kind": "assignment", "resolves": item})
		checkProblem(t, r.step("/api/v1/suspense/"+item+"/return", because, ""), 409, "")
		reverse := "/api/v1/ledger/transactions/" + assigned["transaction_id"].(string) + "/reverse"
		r.step(reverse, because, "").wants(t, 201, map[string]any{"kind": "reversal", "reverses": assigned["transaction_id"]})
		checkProblem(t, r.step(reverse, because, ""), 409, "")
		r.step("/api/v1/suspense/"+item+"/return", because, "").wants(t, 201, map[string]any{"kind": "return"})
		if list := r.ask(http.MethodGet, "/api/v1/suspense?status=open", "").json(t)["items"].([]any); len(list) != 0 {
			t.Errorf("got %v", list)
		}
		checkProblem(t, r.step("/api/v1/suspense/t_none/return", because, ""), 404, "")
		checkProblem(t, r.step("/api/v1/ledger/transactions/t_none/reverse", because, ""), 404, "")
	})
	t.Run("RefundInParts", func(t *testing.T) {
		r := newRig(t)
		id := r.issue()
		r.send(callbackFor(t, id, "28"))
		path := "/api/v1/payments/" + id + "/refunds"
		part := `{"amount":4000,"reason":"asked for it back"}`
		first := r.step(path, part, "k1").wants(t, 201, map[string]any{"kind": "refund", "payment_id": id})
		r.step(path, part, "k1").wants(t, 201, map[string]any{"transaction_id": first["transaction_id"]})
		r.step(path, part, "k2").wants(t, 201, nil)
		checkProblem(t, r.step(path, part, "k3"), 409, "")
		r.ask(http.MethodGet, "/api/v1/payments/"+id, "").wants(t, 200, map[string]any{"status": "succeeded"})
		if refunded := r.ask(http.MethodGet, "/api/v1/payments/"+id, "").json(t)["refunded"]; fmt.Sprint(refunded) != "map[amount:8000 currency:KZT]" {
			t.Errorf("refunded: got %v", refunded)
		}
	})
	t.Run("Payout", func(t *testing.T) {
		r := newRig(t, func(c *config.Config, _ *store.Options) {
			c.Banks = []config.Bank{{Name: "halyk", Currency: "KZT"}}
		})
		r.send(callbackFor(t, r.issue(), "28"))
		body := `{"payout_id":"PO/1","provider":"jetpay","project_id":1234,"bank":"halyk","date":"2026-11-29","currency":"KZT","gross":10000,"fees":150,"net":9850}`
		r.step("/api/v1/payouts", body, "k").wants(t, 201, nil)
		r.step("/api/v1/payouts", body, "k").wants(t, 201, nil) // the stored answer
		r.step("/api/v1/payouts", body, "").wants(t, 200, nil)
		checkProblem(t, r.step("/api/v1/payouts", testkit.Edit(t, body, "9850", "9851", "150", "149"), ""), 409, "")
		checkProblem(t, r.step("/api/v1/payouts", testkit.Edit(t, body, "PO/1", "PO/2", "9850", "1"), ""), 422, "net")
		checkProblem(t, r.step("/api/v1/payouts", testkit.Edit(t, body, "halyk", "other"), ""), 422, "bank")
		checkProblem(t, r.step("/api/v1/payouts", testkit.Edit(t, body, "2026-11-29", "29.11.2026"), ""), 422, "date")
		checkProblem(t, r.step("/api/v1/payouts", testkit.Edit(t, body, "PO/1", ""), ""), 422, "payout_id")
		path := "/api/v1/payouts/PO%2F1"
		r.ask(http.MethodGet, path, "").wants(t, 200, map[string]any{"payout_id": "PO/1", "status": "draft", "net": 9850.0})
		r.step(path+"/post", because, "").wants(t, 201, map[string]any{"kind": "payout", "payout_id": "PO/1", "payment_id": nil})
		checkProblem(t, r.step(path+"/discard", because, ""), 409, "")
		checkProblem(t, r.step("/api/v1/payouts/none/post", because, ""), 404, "")
		r.step("/api/v1/payouts", testkit.Edit(t, body, "PO/1", "PO-2"), "").wants(t, 201, nil)
		r.step("/api/v1/payouts/PO-2/discard", because, "").wants(t, 200, map[string]any{"status": "discarded"})
		if list := r.ask(http.MethodGet, "/api/v1/payouts?status=posted&provider=jetpay", "").json(t)["payouts"].([]any); len(list) != 1 {
			t.Errorf("got %v", list)
		}
		checkProblem(t, r.ask(http.MethodGet, "/api/v1/payouts?status=paid", ""), 422, "status")
		if owed := r.ask(http.MethodGet, "/api/v1/settlement", ""); owed.status != 200 || !strings.Contains(owed.body, `"paid_out":9850`) || !strings.Contains(owed.body, `"owed":0`) {
			t.Errorf("settlement: got %d %s", owed.status, owed.body)
		}
		checkProblem(t, r.ask(http.MethodGet, "/api/v1/settlement?at=yesterday", ""), 422, "at")
	})
	t.Run("Close", func(t *testing.T) {
		r := newRig(t)
		item := r.inSuspense("28")
		id := r.ask(http.MethodGet, "/api/v1/suspense", "").json(t)["items"].([]any)[0].(map[string]any)["payment_id"].(string)
		checkProblem(t, r.step("/api/v1/payments/"+id+"/close", because, ""), 409, "")
		r.step("/api/v1/suspense/"+item+"/assign", `{"customer_id":"7123456789","entity_id":"67890","reason":"r"}`, "").wants(t, 201, nil)
		second := r.issue()
		r.send(testkit.Edit(t, callbackFor(t, second, "29"), `"type":"purchase","status":"success"`, `"type":"purchase","status":"success"`, `"type":"sale","status":"success"`, `"type":"sale","status":"awaiting"`))
		if status := string(r.payment(second).Status); status != "review" {
			t.Skipf("a payment in review cannot be made this way: %s", status)
		}
		r.step("/api/v1/payments/"+second+"/close", because, "").wants(t, 200, map[string]any{"payment_id": second, "status": "declined", "credited": nil})
	})
	t.Run("Messages", func(t *testing.T) {
		r := newRig(t)
		r.send(testkit.Edit(t, callbackFor(t, r.issue(), "28"), `"sum_initial":{"amount":10000,"currency":"KZT"}`, `"sum_initial":{"amount":"x","currency":"KZT"}`))
		r.send(testkit.Edit(t, callbackFor(t, r.issue(), "29"), `"sum_initial":{"amount":10000,"currency":"KZT"}`, `"sum_initial":{"amount":"x","currency":"KZT"}`))
		list := r.ask(http.MethodGet, "/api/v1/messages?disposition=unreadable&open=true", "").json(t)["messages"].([]any)
		if len(list) != 2 {
			t.Fatalf("got %v", list)
		}
		path := func(n int, step string) string {
			return fmt.Sprintf("/api/v1/messages/%.0f/%s", list[n].(map[string]any)["id"], step)
		}
		checkProblem(t, r.step(path(0, "suspend"), `{"amount":0,"reason":"r"}`, ""), 422, "amount")
		r.step(path(0, "suspend"), `{"amount":10000,"currency":"KZT","reason":"their letter"}`, "").wants(t, 201, map[string]any{"kind": "suspense"})
		r.step(path(1, "dismiss"), because, "").wants(t, 200, map[string]any{"disposition": "unreadable"})
		checkProblem(t, r.step(path(1, "dismiss"), because, ""), 409, "")
		checkProblem(t, r.step("/api/v1/messages/999/dismiss", because, ""), 404, "")
		checkProblem(t, r.step("/api/v1/messages/x/suspend", because, ""), 404, "")
	})
	t.Run("EffectiveAt", func(t *testing.T) {
		r := newRig(t)
		item := r.inSuspense("28")
		yesterday := time.Now().In(r.config.Location()).AddDate(0, 0, -1).Format(time.DateOnly)
		path := "/api/v1/suspense/" + item + "/return"
		for _, day := range []string{`"2999-01-01"`, `"2026-02-30"`, `"yesterday"`, `""`, `"2026-11-29T00:00:00Z"`, `5`} {
			checkProblem(t, r.step(path, `{"reason":"r","effective_at":`+day+`}`, ""), 422, "effective_at")
		}
		got := r.step(path, `{"reason":"r","effective_at":"`+yesterday+`"}`, "")
		// The recall was made now, and what undoes it is not dated before it.
		checkProblem(t, got, 422, "effective_at")
		r.step(path, `{"reason":"r","effective_at":"`+time.Now().In(r.config.Location()).Format(time.DateOnly)+`"}`, "").wants(t, 201, nil)
	})
}

func TestStepsRefuse(t *testing.T) {
	r := newRig(t)
	path := "/api/v1/payments/" + r.issue() + "/credit"
	for name, tc := range map[string]struct {
		body   string
		status int
		field  string
	}{
		"NotJSON":         {`{"reason"`, 400, ""},
		"NoBody":          {``, 400, ""},
		"AList":           {`[]`, 422, "body"},
		"NoReason":        {`{}`, 422, "reason"},
		"BlankReason":     {`{"reason":" "}`, 422, "reason"},
		"LongReason":      {`{"reason":"` + strings.Repeat("r", 501) + `"}`, 422, "reason"},
		"ReasonANumber":   {`{"reason":5}`, 422, "reason"},
		"UnknownMember":   {`{"reason":"r","effective":"2026-11-29"}`, 422, "effective"},
		"TheActor":        {`{"reason":"r","actor":"someone-else"}`, 422, "actor"},
		"MemberTwice":     {`{"reason":"r","reason":"s"}`, 422, "reason"},
		"LargerThanOneMB": {`{"reason":"` + strings.Repeat("r", 1<<20) + `"}`, 413, ""},
		"ANameOfAnyKind":  {`{"reason":"r","a b":1}`, 422, "body"},
	} {
		t.Run(name, func(t *testing.T) {
			checkProblem(t, r.step(path, tc.body, ""), tc.status, tc.field)
		})
	}
	two := checkProblem(t, r.step(path, `{"foo":1,"reason":"r","bar":2}`, ""), 422, "foo")
	if list, _ := two["errors"].([]any); len(list) != 2 || list[1].(map[string]any)["field"] != "bar" {
		t.Errorf("both unknown members are named: got %v", two)
	}
	if a := r.ask(http.MethodGet, "/api/v1/suspense?stauts=open&limit=0", ""); checkProblem(t, a, 422, "stauts") != nil && !strings.Contains(a.body, `"field":"limit"`) {
		t.Errorf("both parameters are named: got %s", a.body)
	}
	checkProblem(t, r.step(path, because, "a key with spaces"), 422, "Idempotency-Key")
	checkProblem(t, r.step(path, because, strings.Repeat("k", 256)), 422, "Idempotency-Key")
	if r.payment(strings.Split(path, "/")[4]).Credited != nil {
		t.Error("one of them was carried out")
	}
}

func TestFourEyes(t *testing.T) {
	r := newRig(t, func(c *config.Config, _ *store.Options) {
		c.Admin.Tokens = append(c.Admin.Tokens, config.Token{Name: "second", Role: config.RoleOperator, Token: config.NewSecret(secondToken)})
	})
	if _, err := r.store.SetFourEyes(context.Background(), []store.Action{store.ActionCredit}, store.By{Actor: "test", Reason: "test"}); err != nil {
		t.Fatal(err)
	}
	id := r.issue()
	proposed := r.step("/api/v1/payments/"+id+"/credit", because, "k").wants(t, 202, map[string]any{"status": "proposed"})
	again := r.step("/api/v1/payments/"+id+"/credit", because, "k").wants(t, 202, map[string]any{"approval_id": proposed["approval_id"]})
	if again["approval_id"] == nil || r.payment(id).Credited != nil {
		t.Errorf("got %v", again)
	}
	list := r.ask(http.MethodGet, "/api/v1/approvals?open=true", "").json(t)["approvals"].([]any)
	if len(list) != 1 || list[0].(map[string]any)["approval_id"] != proposed["approval_id"] {
		t.Fatalf("got %v", list)
	}
	path := "/api/v1/approvals/" + proposed["approval_id"].(string)
	checkProblem(t, r.step(path+"/approve", "", ""), 403, "")
	checkProblem(t, r.step(path+"/approve", `{"reason":"r"}`, ""), 422, "reason")
	checkProblem(t, r.step("/api/v1/approvals/ap_none/approve", "{}", ""), 404, "")
	r.askAs(secondToken, http.MethodPost, path+"/approve", "").wants(t, 201, map[string]any{"kind": "manual_credit", "actor": "desk", "approved_by": "second"})
	checkProblem(t, r.askAs(secondToken, http.MethodPost, path+"/approve", "{}"), 409, "")
	other := r.step("/api/v1/payments/"+r.issue()+"/credit", because, "").wants(t, 202, nil)
	reject := "/api/v1/approvals/" + other["approval_id"].(string) + "/reject"
	checkProblem(t, r.step(reject, `{}`, ""), 422, "reason")
	r.step(reject, because, "").wants(t, 200, map[string]any{"status": "rejected"})
	r.askAs(readToken, http.MethodPost, reject, because).wants(t, 403, nil)
	var log []string
	for _, entry := range r.ask(http.MethodGet, "/api/v1/audit?from=2020-01-01", "").json(t)["entries"].([]any) {
		e := entry.(map[string]any)
		log = append(log, fmt.Sprint(e["actor"], " ", e["action"], " ", e["result"]))
	}
	want := []string{
		"eye POST /api/v1/approvals/:approval_id/reject refused", "desk reject done", "desk credit proposed", "second approve refused", "second approve done",
		"desk credit done", "desk approve refused", "desk credit proposed", "test configure done",
	}
	if got := strings.Join(log, "\n"); got != strings.Join(want, "\n") {
		t.Errorf("the audit: got\n%s", got)
	}
}

func TestIdempotency(t *testing.T) {
	t.Run("RepeatsTheStoredAnswer", func(t *testing.T) {
		r := newRig(t)
		path := "/api/v1/payments/" + r.issue() + "/credit"
		first := r.step(path, because, "k1")
		again := r.step(path, "{ \"reason\" : \"ticket 4711\" }", "k1")
		if first.status != 201 || again.status != 201 || again.body != first.body || again.header.Get("Idempotency-Replayed") != "true" {
			t.Errorf("got %d %s, then %d %s", first.status, first.body, again.status, again.body)
		}
		checkProblem(t, r.step(path, `{"reason":"another"}`, "k1"), 422, "Idempotency-Key")
		checkProblem(t, r.step("/api/v1/payments/"+r.issue()+"/credit", because, "k1"), 422, "Idempotency-Key")
		checkProblem(t, r.step(strings.Replace(path, "credit", "recall", 1), because, "k1"), 422, "Idempotency-Key")
		other := r.request(http.MethodPost, r.admin.URL+path, because)
		other.Header.Set("Authorization", "Bearer "+adminToken)
		other.Header.Set("Idempotency-Key", "k1")
		checkProblem(t, r.do(other), 409, "") // another token's key is another one
	})
	t.Run("ARefusalIsNotStored", func(t *testing.T) {
		r := newRig(t)
		id := r.issue()
		checkProblem(t, r.step("/api/v1/payments/"+id+"/recall", because, "k"), 409, "")
		r.step("/api/v1/payments/"+id+"/credit", because, "c").wants(t, 201, nil)
		r.step("/api/v1/payments/"+id+"/recall", because, "k").wants(t, 201, nil)
	})
	t.Run("FiftyEqualRequestsPostOnce", func(t *testing.T) {
		r := newRig(t)
		body := `{"provider":"jetpay","project_id":1234,"customer_id":"123456789","entity_id":"12345","amount":700,"currency":"KZT","operation":"%d","anyway":true,"reason":"line 8"}`
		for n := range 3 {
			var (
				mu       sync.Mutex
				statuses = map[int]int{}
				bodies   = map[string]bool{}
				all      sync.WaitGroup
			)
			for range 50 {
				all.Go(func() {
					got := r.step("/api/v1/payments", fmt.Sprintf(body, 100+n), fmt.Sprint("many-", n))
					mu.Lock()
					defer mu.Unlock()
					statuses[got.status]++
					if got.status == 201 {
						bodies[got.body] = true
					}
				})
			}
			all.Wait()
			if len(bodies) != 1 || statuses[201] == 0 || statuses[201]+statuses[409] != 50 {
				t.Errorf("got %v with %d answers", statuses, len(bodies))
			}
			// What was told to come again, came again.
			if got := r.step("/api/v1/payments", fmt.Sprintf(body, 100+n), fmt.Sprint("many-", n)); !bodies[got.body] {
				t.Errorf("afterwards: got %d %s", got.status, got.body)
			}
			list := r.ask(http.MethodGet, "/api/v1/payments?q="+url.QueryEscape(fmt.Sprint(100+n)), "").json(t)["payments"].([]any)
			if len(list) != 1 {
				t.Errorf("got %d payments", len(list))
			}
		}
	})
}

func TestStepsUnderFourEyes(t *testing.T) {
	r := newRig(t)
	if _, err := r.store.SetFourEyes(t.Context(), []store.Action{store.ActionCredit}, store.By{Actor: "serve"}); err != nil {
		t.Fatal(err)
	}
	id := r.issue()
	first := r.step("/api/v1/payments/"+id+"/credit", because, "key").wants(t, 202, map[string]any{"status": "proposed"})
	r.step("/api/v1/payments/"+id+"/credit", because, "key").wants(t, 202, map[string]any{"approval_id": first["approval_id"]})
	if r.payment(id).Credited != nil {
		t.Error("a proposal has credited")
	}
	a, err := r.store.Approval(t.Context(), first["approval_id"].(string))
	if err != nil || a.By.Actor != "desk" || !a.By.Token || a.By.Role != "operator" || a.By.RequestID == "" {
		t.Errorf("got %+v, %v", a.By, err)
	}
}
