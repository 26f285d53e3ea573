package handlers_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync/atomic"

	"net"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"

	"tolem/config"
	"tolem/handlers"
	"tolem/store"
	"tolem/storetest"
	"tolem/testkit"
	"tolem/topup"
)

func TestNoLogLineTellsWhatItMustNot(t *testing.T) {
	const customer, contract, person = "CANARYcustomer", "CANARYcontract", "CANARYperson"
	r := newRig(t)
	r.putAccount(`{"customer_id":"` + customer + `","additional_customer_id":"CANARYadditional","currency":"KZT","entities":[{"id":"` + contract + `","number":"CANARYnumber","info":{"name":"` + person + `"}}]}`)
	deposit := testkit.Edit(t, depositBody, `"123456789"`, `"`+customer+`"`, `"12345"`, `"`+contract+`"`)
	id, _ := r.send(deposit).json(t)["payment_id"].(string)
	callback := testkit.Edit(t, callbackFor(t, id, "28"), "customer_123", customer, `"Success"`, `"CANARYmessage"`, "1234567890", "CANARYaccount")

	for _, body := range []string{
		testkit.Edit(t, verifyBody, "7123456789", customer), testkit.Edit(t, verifyBody, "7123456789", "CANARYnobody"),
		testkit.Edit(t, deposit, "10000", "0"), testkit.Edit(t, deposit, "KZT", "CANARYcurrency"),
		callback, callback, testkit.Edit(t, callback, `"id":28`, `"id":29`), testkit.Edit(t, callback, `"id":28`, `"id":"CANARYop"`),
		testkit.Edit(t, callback, id, "CANARYreference"), `{"type":"CANARYtype","project_id":1234}`,
	} {
		r.send(body)
		r.post(body)
		r.post(signed(t, body, "wrong"))
		r.post(testkit.Edit(t, signed(t, body, demoSecret), `"project_id":1234`, `"project_id":"CANARYproject"`))
		r.post(body[:len(body)-1])
		r.post(`{"CANARYkey":1,"CANARYkey":2}`)
	}
	r.post(`{"x":"CANARY` + strings.Repeat("a", 1<<20) + `"}`)
	escaped := "/api/v1/accounts/" + customer
	for _, token := range []string{adminToken, readToken, shopToken, "CANARYtoken", ""} {
		r.askAs(token, http.MethodGet, escaped, "")
		r.askAs(token, http.MethodPut, escaped, testkit.Edit(t, record, "N1", "CANARYnumber"))
		r.askAs(token, http.MethodPut, escaped, testkit.Edit(t, record, `"N1"`, `["CANARYnumber"]`))
		r.askAs(token, http.MethodPut, escaped, `{CANARY`)
		r.askAs(token, http.MethodGet, "/api/v1/payments?customer_id="+customer+"&q=CANARYq", "")
		r.askAs(token, http.MethodGet, "/api/v1/payments?CANARYparameter=1", "")
		r.askAs(token, http.MethodGet, "/api/v1/payments/"+id, "")
		r.askAs(token, http.MethodGet, "/api/v1/payments/CANARYpayment", "")
		r.askAs(token, http.MethodGet, "/api/v1/ledger/balances?prefix=customers:"+customer, "")
		r.askAs(token, http.MethodGet, "/api/v1/ledger/transactions", "")
		r.askAs(token, http.MethodGet, "/CANARYpath", "")
		r.askAs(token, http.MethodGet, "/metrics", "")
	}
	r.do(r.request(http.MethodGet, r.public.URL+"/CANARYpath?CANARYquery", ""))
	metrics := r.askAs("", http.MethodGet, "/metrics", "").body
	if err := r.closeStore(); err != nil {
		t.Fatal(err)
	}
	r.send(callback)
	r.send(deposit)
	r.send(testkit.Edit(t, verifyBody, "7123456789", customer))
	r.ask(http.MethodGet, escaped, "")
	r.ask(http.MethodPut, escaped, record)
	r.ask(http.MethodGet, "/api/v1/payments/CANARYpayment", "")
	r.ask(http.MethodGet, "/api/v1/payments?customer_id="+customer+"&q=CANARYq", "")
	r.ask(http.MethodGet, "/api/v1/payins/CANARYpayin", "")
	r.ask(http.MethodPost, "/api/v1/payins/CANARYpayin/cancel", "")
	r.ask(http.MethodGet, "/api/v1/ledger/balances?prefix=customers:"+customer, "")
	metrics += r.askAs("", http.MethodGet, "/metrics", "").body

	log := r.logs.String()
	for _, secret := range []string{"CANARY", demoSecret, otherSecret, "older-secret", adminToken, readToken, shopToken, "John", "123456789", "terminal/kaspi"} {
		if at := strings.Index(log, secret); at >= 0 {
			t.Errorf("the log has %q: …%s…", secret, log[max(0, at-200):min(len(log), at+60)])
		}
	}
	if !strings.Contains(log, id) {
		t.Error("the log does not have our payment's id")
	}
	for _, secret := range []string{"CANARY", id} {
		if strings.Contains(metrics, secret) {
			t.Errorf("the metrics have %q", secret)
		}
	}
	if counted := `outcome="credited",route="/jetpay"`; !strings.Contains(metrics, counted) {
		t.Errorf("the metrics lack %s: they are not of these requests", counted)
	}
}

func TestAWriteThatFailsIsLoggedWithoutWhatTheMessageSaid(t *testing.T) {
	storetest.OnlySQLite(t, "on PostgreSQL the whole batch fails, and its error is of no message")
	r := newRig(t)
	id := r.issue()
	r.raw(func(db storetest.DB) error {
		_, err := db.Exec(`CREATE TRIGGER broken BEFORE INSERT ON operations BEGIN SELECT RAISE(ABORT, 'the table is broken'); END`)
		return err
	})
	const operation = "471147114711"
	if got := r.send(callbackFor(t, id, operation)); got.status != http.StatusServiceUnavailable {
		t.Fatalf("got %d %s, want 503", got.status, got.body)
	}
	if log := r.logs.String(); !strings.Contains(log, "the table is broken") || strings.Contains(log, operation) {
		t.Errorf("the log must tell why, and no id of the provider's:\n%s", log)
	}
}

func TestARequestHasOneLine(t *testing.T) {
	r := newRig(t)
	id := r.issue()
	r.send(callbackFor(t, id, "28"))
	r.post(signed(t, verifyBody, "wrong"))
	r.do(r.request(http.MethodGet, r.public.URL+"/nowhere", ""))
	named := r.request(http.MethodGet, r.admin.URL+"/api/v1/payments/"+id, "")
	named.Header.Set("Authorization", "Bearer "+readToken)
	named.Header.Set("X-Request-Id", "my-own.id_1")
	if got := r.do(named).header.Get("X-Request-Id"); got != "my-own.id_1" {
		t.Errorf("answer's request id: got %q", got)
	}
	lines := r.logs.lines(t)
	want := []map[string]any{
		{"level": "info", "listener": "public", "route": "/jetpay", "kind": "check_deposit", "outcome": "ok", "project": "1234", "status": 200.0, "payment_id": id},
		{"level": "info", "listener": "public", "route": "/jetpay", "kind": "callback", "outcome": "credited", "project": "1234", "status": 200.0, "payment_id": id},
		{"level": "warn", "listener": "public", "route": "/jetpay", "kind": "verify", "outcome": "bad_signature", "project": "1234", "status": 200.0, "reason": "no_match"},
		{"level": "info", "listener": "public", "route": "unmatched", "outcome": "not_found", "status": 404.0},
		{"level": "info", "listener": "admin", "route": "/api/v1/payments/:payment_id", "outcome": "ok", "status": 200.0, "payment_id": id, "token_name": "eye", "request_id": "my-own.id_1"},
	}
	if len(lines) != len(want) {
		t.Fatalf("got %d lines, want %d:\n%s", len(lines), len(want), r.logs.String())
	}
	ids := map[any]bool{}
	for i, line := range lines {
		ids[line["request_id"]] = true
		if d, ok := line["duration"].(float64); !ok || d < 0 {
			t.Errorf("line %d has no duration: %v", i, line)
		}
		for name, value := range want[i] {
			if line[name] != value {
				t.Errorf("line %d, %s: got %v, want %v", i, name, line[name], value)
			}
		}
		for name := range line {
			_, expected := want[i][name]
			if !expected && !slices.Contains([]string{"ts", "msg", "request_id", "duration"}, name) {
				t.Errorf("line %d has %s: %v", i, name, line[name])
			}
		}
	}
	if len(ids) != len(lines) {
		t.Errorf("request ids are not unique: %v", ids)
	}
}

func TestACallersRequestIDIsTakenOnlyWhereItIsTrustedAndHarmless(t *testing.T) {
	r := newRig(t)
	for _, tc := range []struct {
		url, id string
		taken   bool
	}{
		{r.admin.URL + "/livez", "abc-1_2.Z", true},
		{r.admin.URL + "/livez", strings.Repeat("a", 65), false},
		{r.admin.URL + "/livez", `a"b`, false},
		{r.admin.URL + "/livez", "a b", false},
		{r.public.URL + "/healthz", "abc-1_2.Z", false},
	} {
		request := r.request(http.MethodGet, tc.url, "")
		request.Header.Set("X-Request-Id", tc.id)
		got := r.do(request).header.Get("X-Request-Id")
		if (got == tc.id) != tc.taken || got == "" {
			t.Errorf("%s %q: got %q", tc.url, tc.id, got)
		}
	}
}

// notifyingRig is a rig with an endpoint, whose metrics are then there.
func notifyingRig(t *testing.T) *rig {
	t.Helper()
	r := newRig(t, func(c *config.Config, _ *store.Options) { c.Notify = []config.Endpoint{{Name: "billing"}} })
	if err := r.store.SetEndpoints(context.Background(), []store.Endpoint{{Name: "billing"}}); err != nil {
		t.Fatal(err)
	}
	return r
}

func TestTheMetricsAreThoseThatAreDocumented(t *testing.T) {
	doc, err := os.ReadFile("../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	r := notifyingRig(t)
	r.send(verifyBody)
	exposed := map[string]string{}
	for _, m := range regexp.MustCompile(`(?m)^# TYPE (tolem_\w+) (\w+)$`).FindAllStringSubmatch(r.scrapedWhole(), -1) {
		exposed[m[1]] = m[2]
	}
	documented := map[string]string{}
	for _, m := range regexp.MustCompile("(?m)^\\| `(tolem_\\w+)` \\| (\\w+) \\|").FindAllStringSubmatch(string(doc), -1) {
		documented[m[1]] = m[2]
	}
	if len(exposed) < 15 {
		t.Fatalf("only %d metrics are exposed: %v", len(exposed), exposed)
	}
	for name, kind := range exposed {
		if documented[name] != kind {
			t.Errorf("%s is exposed as a %s and documented as %q", name, kind, documented[name])
		}
	}
	for name := range documented {
		if exposed[name] == "" {
			t.Errorf("%s is documented and not exposed", name)
		}
	}
	used := regexp.MustCompile(`tolem_\w+`).FindAllString(string(doc), -1)
	for _, name := range used {
		if base := strings.TrimSuffix(name, "_bucket"); exposed[base] == "" {
			t.Errorf("the text uses %s, which is not exposed", name)
		}
	}
}

func TestTheMetricsCountWhatHappened(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	r := newRig(t, func(_ *config.Config, o *store.Options) { o.Now = func() time.Time { return now } })
	id := r.issue()
	r.issue()
	body := signed(t, callbackFor(t, id, "28"), demoSecret)
	r.post(body)
	r.post(body)
	r.post(body)
	r.send(callbackFor(t, "payment_47", "29"))                              // unknown payment: suspense
	r.post(testkit.JetPayCallback)                                          // not signed
	r.post(signed(t, testkit.JetPayCallback, "wrong"))                      // no match
	r.post(signed(t, testkit.Edit(t, verifyBody, "1234", "4321"), "wrong")) // unknown project
	r.post(signed(t, `{"type":"verify","customer_id":"1"}`, "wrong"))       // no project
	r.post(`{`)
	now = now.Add(time.Hour)
	var last int64
	r.raw(func(db storetest.DB) error { return db.QueryRow(`SELECT max(seq) FROM transactions`).Scan(&last) })
	got := r.scrapedWhole()
	for _, want := range []string{
		`tolem_credits_total{project="1234"} 1`,
		`tolem_credits_total{project="77"} 0`,
		`tolem_duplicates_total{project="1234"} 2`,
		`tolem_suspense_postings_total{project="1234"} 1`,
		`tolem_payments_issued_total{project="1234"} 2`,
		`tolem_signature_failures_total{reason="not_signed"} 1`,
		`tolem_signature_failures_total{reason="no_match"} 1`,
		`tolem_signature_failures_total{reason="unknown_project"} 1`,
		`tolem_signature_failures_total{reason="no_project"} 1`,
		`tolem_requests_total{kind="callback",outcome="credited",route="/jetpay"} 1`,
		`tolem_requests_total{kind="callback",outcome="repeat",route="/jetpay"} 2`,
		`tolem_requests_total{kind="callback",outcome="bad_signature",route="/jetpay"} 2`,
		`tolem_requests_total{kind="",outcome="malformed",route="/jetpay"} 1`,
		`tolem_request_seconds_count{kind="callback",route="/jetpay"} 6`,
		`tolem_pending_payments 1`,
		`tolem_oldest_pending_seconds 3600`,
		`tolem_review_payments 1`,
		`tolem_open_suspense_items 1`,
		`tolem_ledger_last_seq ` + strconv.FormatFloat(float64(last), 'g', -1, 64),
		`tolem_write_queue_depth 0`,
		`tolem_build_info{go_version="`,
		"go_goroutines", "process_cpu_seconds_total",
	} {
		if !strings.Contains(got, "\n"+want) {
			t.Errorf("the metrics lack %s", want)
		}
	}
	if !regexp.MustCompile(`\ntolem_commit_seconds_count [1-9]`).MatchString(got) {
		t.Error("commits are not counted")
	}
	if !strings.Contains(got, `version="v0.0.0-test"`) {
		t.Error("the version is missing")
	}
}

func TestOneMetricsServesOneServer(t *testing.T) {
	r := newRig(t)
	_, err := handlers.New(handlers.Options{Config: r.config, Store: r.store, Log: zap.NewNop(), Metrics: r.metrics})
	if err == nil {
		t.Error("a second server on the same metrics: got no error")
	}
}

func TestErrorsBecomeProblemsThatTellNothingInternal(t *testing.T) {
	for name, tc := range map[string]struct {
		err    error
		status int
		detail string
	}{
		"not found":   {fmt.Errorf("read: %w", topup.NotFound("payment does not exist")), 404, "payment does not exist"},
		"conflict":    {topup.Conflict("already done"), 409, "already done"},
		"unavailable": {fmt.Errorf("x: %w", topup.Unavailable("temporarily unavailable")), 503, "temporarily unavailable"},
		"invalid":     {topup.Invalid("amount", "is odd"), 422, "amount is odd"},
		"several":     {errors.Join(topup.Invalid("a", "is odd"), fmt.Errorf("b: %w", topup.Invalid("b", "is odd"))), 422, "a is odd; b is odd"},
		"internal":    {errors.New("table payments is locked"), 500, "the log says why"},
	} {
		status, detail, _ := handlers.Problem(tc.err)
		if status != tc.status || detail != tc.detail {
			t.Errorf("%s: got %d %q, want %d %q", name, status, detail, tc.status, tc.detail)
		}
	}
}

func TestAPanicIsAnsweredLoggedAndSurvived(t *testing.T) {
	entropy := &brokenEntropy{}
	r := newRig(t, func(_ *config.Config, o *store.Options) { o.Entropy = entropy })
	entropy.broken.Store(true)
	checkUnavailable(t, "check_deposit", r.send(depositBody))
	if got := r.send(verifyBody); got.code(t) != 0 {
		t.Errorf("afterwards: got %s", got.body)
	}
	if status := handlers.PanickingRequest(r.server, "/jetpay"); status != http.StatusServiceUnavailable {
		t.Errorf("a panic on a provider route: got %d, want 503", status)
	}
	if status := handlers.PanickingRequest(r.server, "/healthz"); status != http.StatusInternalServerError {
		t.Errorf("a panic elsewhere: got %d, want 500", status)
	}
	if log := r.logs.String(); !strings.Contains(log, "panic: on purpose") || !strings.Contains(log, "export_test.go") {
		t.Errorf("the log lacks the panic and its stack:\n%s", log)
	}
}

// brokenEntropy is good until it breaks.
type brokenEntropy struct{ broken atomic.Bool }

func (e *brokenEntropy) Read(p []byte) (int, error) {
	if e.broken.Load() {
		panic("no randomness")
	}
	return rand.Read(p)
}

func TestTheHTTPServerHasLimits(t *testing.T) {
	r := newRig(t)
	server := handlers.NewHTTPServer(r.server.Public(), time.Minute, zap.NewNop())
	if server.ReadHeaderTimeout <= 0 || server.ReadTimeout <= 0 || server.WriteTimeout <= 0 || server.IdleTimeout != time.Minute || server.MaxHeaderBytes <= 0 {
		t.Errorf("got %+v", server)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- server.Serve(listener) }()
	request := r.request(http.MethodGet, "http://"+listener.Addr().String()+"/healthz", "")
	request.Header.Set("X-Large", strings.Repeat("a", 64<<10))
	if got := r.do(request); got.status != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("large header: got %d, want 431", got.status)
	}
	if err := server.Close(); err != nil {
		t.Error(err)
	}
	if err := <-done; !errors.Is(err, http.ErrServerClosed) {
		t.Error(err)
	}
}

func TestACallerThatGoesAwayHarmsNobody(t *testing.T) {
	r := newRig(t)
	id := r.issue()
	release := storetest.Hold(r.t, r.database)
	body := signed(t, callbackFor(t, id, "28"), demoSecret)
	conn, err := net.Dial("tcp", strings.TrimPrefix(r.public.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Fprintf(conn, "POST /jetpay HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", len(body), body); err != nil {
		t.Fatal(err)
	}
	if err := conn.Close(); err != nil {
		t.Fatal(err)
	}
	testkit.Eventually(t, "the request ends", func() bool { return strings.Contains(r.logs.String(), "context canceled") })
	// Other requests use the buffers again while the write waits.
	for range 8 {
		r.send(verifyBody)
	}
	release()
	testkit.Eventually(t, "the write is made all the same", func() bool { return r.payment(id).Credit != nil })
	if got := r.post(body); got.status != http.StatusOK || got.body != `{"code":0}` {
		t.Errorf("sent again: got %d %s", got.status, got.body)
	}
	var kept int
	r.raw(func(db storetest.DB) error {
		return db.QueryRow(`SELECT count(*) FROM message_bodies WHERE CAST(body AS TEXT) = ?`, body).Scan(&kept)
	})
	if kept != 1 {
		t.Errorf("%d bodies are kept as they came, want 1", kept)
	}
}
