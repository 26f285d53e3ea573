package handlers_test

import (
	"net/http"
	"strings"
	"testing"

	"tolem/store"
	"tolem/testkit"
)

// TestAProjectThatWasTakenOutIsDistinguishedFromAForgeryInsideAlone: the platform goes on
// sending its messages, and nobody else must learn that it was ever here.
func TestAProjectThatWasTakenOutIsDistinguishedFromAForgeryInsideAlone(t *testing.T) {
	r := newRig(t)
	former := r.server.NoteProjects([]store.Project{
		{Provider: "jetpay", ID: "1234", Open: 1}, {Provider: "jetpay", ID: "4321", Open: 2}, {Provider: "highhelp", ID: "gone"}, {Provider: "highhelp", ID: "77"},
	})
	want := []store.Project{{Provider: "jetpay", ID: "4321", Open: 2}, {Provider: "highhelp", ID: "gone"}, {Provider: "highhelp", ID: "77"}}
	if len(former) != len(want) || former[0] != want[0] || former[1] != want[1] || former[2] != want[2] {
		t.Errorf("got %v, want %v", former, want)
	}
	callback := callbackFor(t, "payment_47", "28")
	taken, unknown := signed(t, testkit.Edit(t, callback, "1234", "4321"), "its-old-secret"), signed(t, testkit.Edit(t, callback, "1234", "987654321"), "its-old-secret")
	for _, send := range []func(body string) answer{
		r.post,
		func(body string) answer {
			return r.do(r.request(http.MethodPost, r.public.URL+"/highhelp/alerts", strings.NewReplacer(`"project_id":4321`, `"project_id":"gone"`).Replace(body)))
		},
	} {
		inside, outside := send(taken), send(unknown)
		if inside.status != outside.status || inside.body != outside.body {
			t.Errorf("got %d %s for one and %d %s for the other", inside.status, inside.body, outside.status, outside.body)
		}
	}
	got := r.askAs("", http.MethodGet, "/metrics", "").body
	for _, want := range []string{
		`tolem_signature_failures_total{reason="project_not_configured"} 2`,
		`tolem_signature_failures_total{reason="unknown_project"} 2`,
		`tolem_signature_failures_total{reason="no_match"} 0`,
	} {
		if !strings.Contains(got, "\n"+want+"\n") {
			t.Errorf("the metrics lack %s", want)
		}
	}
	log := r.logs.String()
	for _, id := range []string{`"project":"4321"`, `"project":"gone"`} {
		if !strings.Contains(log, id) {
			t.Errorf("the log lacks %s, which the books know", id)
		}
	}
	if strings.Contains(log, "987654321") {
		t.Error("the log has an id that anybody may have written")
	}
}
