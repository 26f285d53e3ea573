package handlers_test

import (
	"net/http"
	"testing"

	"tolem/store"
)

func TestEvents(t *testing.T) {
	r := newRig(t)
	if err := r.store.SetEndpoints(t.Context(), []store.Endpoint{{Name: "billing"}}); err != nil {
		t.Fatal(err)
	}
	id := r.issue()
	r.send(callbackFor(t, id, "28"))
	list := r.ask(http.MethodGet, "/api/v1/events?status=pending", "").wants(t, 200, map[string]any{"next_cursor": nil})["events"].([]any)
	if len(list) != 1 {
		t.Fatalf("got %v", list)
	}
	event := list[0].(map[string]any)
	if event["type"] != "topup.succeeded" || event["payment_id"] != id || event["body"] != nil {
		t.Errorf("got %v", event)
	}
	path := "/api/v1/events/" + event["event_id"].(string)
	if shown := r.ask(http.MethodGet, path, "").wants(t, 200, nil); shown["body"].(map[string]any)["type"] != "topup.succeeded" {
		t.Errorf("got %v", shown)
	}
	r.step(path+"/skip", because, "k").wants(t, 200, map[string]any{"event_id": event["event_id"], "state": "skipped"})
	r.step(path+"/skip", because, "k").wants(t, 200, map[string]any{"state": "skipped"})
	checkProblem(t, r.step(path+"/skip", because, ""), 409, "")
	r.step(path+"/resend", "", "r").wants(t, 202, map[string]any{"event_id": event["event_id"], "state": "pending"})
	r.step(path+"/resend", "{}", "r").wants(t, 202, nil)
	checkProblem(t, r.step(path+"/resend", `{"reason":"r"}`, ""), 422, "reason")
	checkProblem(t, r.step("/api/v1/events/evt_none/resend", "", ""), 404, "")
	checkProblem(t, r.step("/api/v1/events/evt_none/skip", because, ""), 404, "")
	checkProblem(t, r.ask(http.MethodGet, "/api/v1/events/evt_none", ""), 404, "")
	checkProblem(t, r.ask(http.MethodGet, "/api/v1/events?status=sent", ""), 422, "status")
}
