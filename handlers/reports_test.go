package handlers_test

import (
	"net/http"
	"testing"
)

func TestReports(t *testing.T) {
	r := newRig(t)
	first, second := r.issue(), r.issue()
	r.send(callbackFor(t, first, "1"))
	r.send(callbackFor(t, second, "2"))
	r.step("/api/v1/payments/"+second+"/recall", because, "").wants(t, 201, nil)
	got := r.ask(http.MethodGet, "/api/v1/reports?by=project", "").wants(t, 200, nil)
	rows, totals := got["rows"].([]any), got["totals"].([]any)
	if len(rows) != 1 || len(totals) != 1 {
		t.Fatalf("got %v", got)
	}
	row := rows[0].(map[string]any)
	amount := row["credited"].(float64)
	if row["project_id"] != 1234.0 || row["provider"] != "jetpay" || row["count"] != 2.0 || amount <= 0 || row["net"] != amount || row["fees"] != 0.0 || row["refunded"] != 0.0 {
		t.Errorf("got %v", row)
	}
	if total := totals[0].(map[string]any); total["credited"] != amount || total["count"] != 2.0 || total["currency"] != row["currency"] {
		t.Errorf("got %v", total)
	}
	contracts := r.ask(http.MethodGet, "/api/v1/reports?by=contract,month", "").wants(t, 200, nil)["rows"].([]any)
	if len(contracts) == 0 || contracts[0].(map[string]any)["entity_id"] == nil || contracts[0].(map[string]any)["month"] == nil {
		t.Errorf("got %v", contracts)
	}
	if _, known := contracts[0].(map[string]any)["fees"]; known {
		t.Error("fees of a contract are not known")
	}
	empty := r.ask(http.MethodGet, "/api/v1/reports?by=day&from=2020-01-01&to=2020-01-02", "").wants(t, 200, map[string]any{"from": "2020-01-01", "to": "2020-01-02"})
	if rows := empty["rows"].([]any); len(rows) != 0 {
		t.Errorf("got %v", rows)
	}
	for query, field := range map[string]string{
		"": "by", "?by=week": "by", "?by=day,day": "by", "?by=day&from=yesterday": "from", "?by=day&from=2026-11-02&to=2026-11-01": "to", "?by=day&since=1": "since",
	} {
		checkProblem(t, r.ask(http.MethodGet, "/api/v1/reports"+query, ""), 422, field)
	}
}
