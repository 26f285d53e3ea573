package handlers_test

import (
	"fmt"
	"net/http"
	"testing"

	"tolem/testkit"
)

// partlyRefunded is the platform's callback that an operation gave back 3000 of the
// 10000 of a payment.
func partlyRefunded(t testing.TB, payment, operation string) string {
	return testkit.Edit(t, callbackFor(t, payment, operation), `"status":"success"`, `"status":"partially refunded"`, `"type":"sale"`, `"type":"refund"`,
		`"sum":{"amount":10000,`, `"sum":{"amount":7000,`, `"sum_initial":{"amount":10000,`, `"sum_initial":{"amount":3000,`)
}

func TestRefunds(t *testing.T) {
	r := newRig(t)
	id := r.issue()
	r.send(callbackFor(t, id, "28"))
	if a := r.send(partlyRefunded(t, id, "29")); a.status != http.StatusOK {
		t.Fatalf("got %d %s", a.status, a.body)
	}
	path := "/api/v1/payments/" + id
	refunds := path + "/refunds"

	t.Run("ShowsWhatThePlatformReported", func(t *testing.T) {
		p := r.ask(http.MethodGet, path, "").wants(t, 200, map[string]any{"status": "succeeded", "refunded": nil})
		reported := p["reported_refunds"].([]any)[0].(map[string]any)
		if len(p["reported_refunds"].([]any)) != 1 || reported["told"] != "refund" || reported["operation_id"] != "29" || fmt.Sprint(reported["sum"]) != "map[amount:3000 currency:KZT]" {
			t.Errorf("got %v", p["reported_refunds"])
		}
		found := false
		for _, entry := range p["timeline"].([]any) {
			e := entry.(map[string]any)
			if e["operation_id"] == "29" {
				found = e["open"] == "refund" && fmt.Sprint(e["paid_back"]) == "map[amount:3000 currency:KZT]"
			}
		}
		if !found {
			t.Errorf("the timeline does not show it: %v", p["timeline"])
		}
		list := r.ask(http.MethodGet, "/api/v1/payments?flag=refund", "").json(t)["payments"].([]any)
		if len(list) != 1 || list[0].(map[string]any)["payment_id"] != id {
			t.Errorf("got %v", list)
		}
	})
	t.Run("Refuses", func(t *testing.T) {
		for body, want := range map[string]struct {
			status int
			field  string
		}{
			`{"amount":3000,"reason":"r"}`:                                              {409, ""}, // which one?
			`{"reason":"r"}`:                                                            {422, "amount"},
			`{"amount":0,"reason":"r"}`:                                                 {422, "amount"},
			`{"amount":10001,"operation":"none","reason":"r"}`:                          {409, ""},
			`{"amount":2999,"operation":"29","reason":"r"}`:                             {409, ""}, // it gave back 3000
			`{"amount":3000,"operation":"28","reason":"r"}`:                             {409, ""}, // that brought money
			`{"amount":3000,"operation":"","reason":"r"}`:                               {422, "operation"},
			`{"amount":3000,"operation":29,"reason":"r"}`:                               {422, "operation"},
			`{"amount":3000,"operation":"029","reason":"r"}`:                            {422, "operation"},
			`{"amount":3000,"operation":"none","from":"customers:1:1","reason":"r"}`:    {422, "from"},
			`{"amount":3000,"operation":"none","from":"bank:a b","reason":"r"}`:         {422, "from"},
			`{"amount":3000,"operation":"none","transaction":"","reason":"r"}`:          {422, "transaction"},
			`{"amount":3000,"operation":"none","transaction":"t_none","reason":"r"}`:    {404, ""},
			`{"amount":3000,"operation":"29"}`:                                          {422, "reason"},
			`{"amount":3000,"operation":"29","reason":"r","payment":1}`:                 {422, "payment"},
			`{"amount":3000,"operation":"29","reason":"r","effective_at":"2999-01-01"}`: {422, "effective_at"},
		} {
			if got := r.step(refunds, body, ""); got.status != want.status {
				t.Errorf("%s: got %d %s, want %d", body, got.status, got.body, want.status)
			} else {
				checkProblem(t, got, want.status, want.field)
			}
		}
		checkProblem(t, r.step("/api/v1/payments/p_none/refunds", `{"amount":1,"reason":"r"}`, ""), 404, "")
		checkProblem(t, r.step(refunds, "", ""), 400, "")
	})
	t.Run("BooksOnceUnderAKey", func(t *testing.T) {
		body := `{"amount":3000,"operation":"29","reason":"their report, line 8"}`
		want := map[string]any{"kind": "refund", "payment_id": id, "operation_id": "29", "reason": "their report, line 8"}
		made := r.step(refunds, body, "k").wants(t, 201, want)
		again := r.step(refunds, body, "k").wants(t, 201, want)
		if made["transaction_id"] != again["transaction_id"] || made["takes"] == nil {
			t.Errorf("got %v and %v", made, again)
		}
		checkProblem(t, r.step(refunds, body, ""), 409, "")
		p := r.ask(http.MethodGet, path, "").wants(t, 200, map[string]any{"status": "succeeded", "reported_refunds": nil})
		if fmt.Sprint(p["refunded"]) != "map[amount:3000 currency:KZT]" || fmt.Sprint(p["flags"]) != "[refunded]" || p["credited"].(map[string]any)["amount"] != 7000.0 {
			t.Errorf("got %v, %v, %v", p["refunded"], p["flags"], p["credited"])
		}
		r.step("/api/v1/ledger/transactions/"+made["transaction_id"].(string)+"/reverse", because, "").wants(t, 201, map[string]any{"kind": "reversal"})
		p = r.ask(http.MethodGet, path, "").wants(t, 200, map[string]any{"refunded": nil})
		if fmt.Sprint(p["flags"]) != "[refund]" {
			t.Errorf("after the reversal: flags %v", p["flags"])
		}
		r.step(refunds, `{"amount":3000,"operation":"29","from":"bank:halyk","reason":"from our account"}`, "").wants(t, 201, map[string]any{"kind": "refund", "operation_id": "29", "reason": "from our account"})
	})
	t.Run("ReturnsAPartOfAnItem", func(t *testing.T) {
		item := r.inSuspense("38")
		path := "/api/v1/suspense/" + item + "/return"
		checkProblem(t, r.step(path, `{"amount":0,"reason":"r"}`, ""), 422, "amount")
		checkProblem(t, r.step(path, `{"amount":10001,"reason":"r"}`, ""), 409, "")
		checkProblem(t, r.step(path, `{"amount":4000,"operation":"29","reason":"r"}`, ""), 409, "") // refunded
		r.step(path, `{"amount":4000,"operation":"39","reason":"r"}`, "").wants(t, 201, map[string]any{"kind": "return", "operation_id": "39", "resolves": item})
		open := r.ask(http.MethodGet, "/api/v1/suspense?status=open", "").json(t)["items"].([]any)
		if len(open) != 1 || open[0].(map[string]any)["amount"] != 10000.0 || open[0].(map[string]any)["returned"] != 4000.0 {
			t.Errorf("got %v", open)
		}
		r.step(path, because, "").wants(t, 201, map[string]any{"kind": "return"}) // the rest
		if open := r.ask(http.MethodGet, "/api/v1/suspense?status=open", "").json(t)["items"].([]any); len(open) != 0 {
			t.Errorf("got %v", open)
		}
	})
}
