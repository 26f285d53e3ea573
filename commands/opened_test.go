package commands_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"tolem/storetest"
	"tolem/testkit"
)

func TestServeSaysWhichDatabaseItHasOpenedAndWhenThatWasMade(t *testing.T) {
	s := newShop(t)
	before := time.Now().Truncate(time.Second)
	r := s.serve(t)
	first := databaseLine(t, r)
	r.end(t)
	created, err := time.Parse(time.RFC3339, first["created"].(string))
	if err != nil || created.After(time.Now()) {
		t.Errorf("created: got %v, %v", first["created"], err)
	}
	again := databaseLine(t, s.serve(t))
	if again["created"] != first["created"] {
		t.Errorf("opened again it was made at %v, not %v", again["created"], first["created"])
	}
	if s.database.Postgres != "" {
		return // a copy of a database that was made before the test
	}
	if first["file"] != s.database.Path || created.Before(before) || first["msg"] != "the database is new" {
		t.Errorf("got %v, want the file %s made after %s", first, s.database.Path, before)
	}
}

// TestProductionWarnsOfABookThatIsNew: a mistyped path makes an empty one.
func TestProductionWarnsOfABookThatIsNew(t *testing.T) {
	storetest.OnlySQLite(t, "a PostgreSQL database has to exist")
	s := newShop(t)
	s.env = append(s.env, "TOLEM_ENVIRONMENT=production", "TOLEM_DEMO__ACCOUNTS=", "TOLEM_DEMO__PAYMENTS=",
		`TOLEM_HIGHHELP__PROJECTS=[]`, "TOLEM_HIGHHELP__BASE_URL=https://h.example", "TOLEM_PUBLIC_URL=https://p.example",
		`TOLEM_JETPAY__PROJECTS=[{"id":1,"secrets":["a secret of the platform"]}]`,
		`TOLEM_ADMIN__TOKENS=[{"name":"a","role":"admin","token":"sixteen-bytes-or-more"}]`)
	got := databaseLine(t, s.serve(t))
	if got["level"] != "warn" || !strings.HasPrefix(got["msg"].(string), "the database is new and empty") {
		t.Errorf("got %v, want a warning", got)
	}
}

// databaseLine is what a server has logged about the database when it serves.
func databaseLine(t *testing.T, r *running) map[string]any {
	t.Helper()
	for _, line := range logged(t, r.lines.String()) {
		if message, _ := line["msg"].(string); strings.HasPrefix(message, "the database") && line["created"] != nil {
			return line
		}
	}
	t.Fatalf("no line about the database:\n%s", r.lines)
	return nil
}

func logged(t *testing.T, text string) []map[string]any {
	t.Helper()
	var lines []map[string]any
	for line := range strings.Lines(text) {
		lines = append(lines, decode[map[string]any](t, line))
	}
	return lines
}

// TestAProjectWithOpenPaymentsThatIsNotConfiguredIsNamedAtStart: its callbacks are
// refused, and without a word nobody would notice before the platform gives up.
func TestAProjectWithOpenPaymentsThatIsNotConfiguredIsNamedAtStart(t *testing.T) {
	const message = "a project with open payments is not configured: its messages are refused; put it back into the configuration until they are done"
	s := newShop(t)
	r := s.serve(t)
	r.end(t) // the demo's payments are of project 1234
	if strings.Contains(r.lines.String(), message) {
		t.Errorf("it is configured:\n%s", r.lines)
	}
	s.env = append(s.env, `TOLEM_JETPAY__PROJECTS=[{"id":77,"secrets":["another-secret"]}]`)
	r = s.serve(t)
	got, ok := r.lines.wait(message)
	var open int
	if err := storetest.Open(t, s.database).QueryRow(`SELECT count(*) FROM payments WHERE project = '1234' AND status IN ('pending', 'review')`).Scan(&open); err != nil {
		t.Fatal(err)
	}
	if !ok || got["level"] != "warn" || got["provider"] != "jetpay" || got["project"] != "1234" || got["open_payments"] != float64(open) || open == 0 {
		t.Fatalf("got %v, want project 1234 with %d payments", got, open)
	}
	body := tolem(t, nil, `{"project_id":1234,"payment":{"id":"payment_47"}}`, "sign", "--secret", "demo-secret").out
	response, err := http.Post(r.public+"/jetpay", "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if err := response.Body.Close(); err != nil || response.StatusCode != http.StatusBadRequest {
		t.Errorf("its callback: got %s, %v", response.Status, err)
	}
	if _, metrics := testkit.Get(t, r.admin+"/metrics"); !strings.Contains(metrics, `tolem_signature_failures_total{reason="project_not_configured"} 1`) {
		t.Error("the refusal is not counted as one of a project that was taken out")
	}
}
