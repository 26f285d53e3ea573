package handlers_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"tolem/adapters"
	"tolem/config"
	"tolem/handlers"
	"tolem/signing"
	"tolem/store"
	"tolem/storetest"
	"tolem/testkit"
	"tolem/topup"
	"tolem/view"
)

const (
	demoSecret  = "demo-secret"
	otherSecret = "secret-of-project-77"
	adminToken  = "token-of-the-admin"
	readToken   = "token-of-the-reader"
	shopToken   = "token-of-the-shop"
	deskToken   = "token-of-the-operator"
)

// rig is a server on a fresh database, with both listeners on loopback.
type rig struct {
	t          testing.TB
	config     *config.Config
	store      *store.Store
	closeStore func() error // may be called twice
	database   store.Options
	server     *handlers.Server
	public     *httptest.Server
	admin      *httptest.Server
	logs       *logBuffer
	metrics    *handlers.Metrics
}

type rigOption func(*config.Config, *store.Options)

func newRig(t testing.TB, options ...rigOption) *rig {
	t.Helper()
	c := config.Default()
	c.MaxAmount = 5_000_000
	c.JetPay.Projects = []config.Project{
		{
			ID: 1234, Secrets: []config.Secret{config.NewSecret(demoSecret), config.NewSecret("older-secret")},
			PaymentMethods: []string{"terminal/kaspi"}, CallbackMethods: []string{"kaspi"},
		},
		{
			ID: 77, Secrets: []config.Secret{config.NewSecret(otherSecret)},
			PaymentMethods: []string{"terminal/kaspi"}, CallbackMethods: []string{"kaspi"},
		},
	}
	c.Admin.Tokens = []config.Token{
		{Name: "boss", Role: config.RoleAdmin, Token: config.NewSecret(adminToken)},
		{Name: "eye", Role: config.RoleRead, Token: config.NewSecret(readToken)},
		{Name: "desk", Role: config.RoleOperator, Token: config.NewSecret(deskToken)},
		{Name: "shop", Role: config.RoleMerchant, Token: config.NewSecret(shopToken)},
	}
	r := &rig{t: t, config: c, logs: &logBuffer{}}
	r.database = storetest.New(t)
	for _, option := range options {
		option(c, &r.database)
	}
	r.database.Normalize = topup.Normalizer(c.Accounts.Normalize)
	r.start()
	r.putAccount(`{"customer_id":"7123456789","additional_customer_id":"ABCDE12345","currency":"KZT","entities":[
		{"id":"12345","number":"1234_ABC/01-01-2025/Abcdef12","min_payment":100000,"payment":100000,"info":{"total_debt":500000,"z":1.50,"customer_name":"John <Doe>"}},
		{"id":"67890","number":"5678_ABC/01-01-2025/Abcdef34","payment":150000},
		{"id":"shut","number":"closed one","closed":true}]}`)
	r.putAccount(`{"customer_id":"123456789","additional_customer_id":"DEF","currency":"KZT","entities":[{"id":"12345","number":"N-1"}]}`)
	r.putAccount(`{"customer_id":"closed","additional_customer_id":"GHI","currency":"KZT","closed":true,"entities":[{"id":"c1","number":"N-2"}]}`)
	r.putAccount(`{"customer_id":"hollow","additional_customer_id":"JKL","currency":"KZT","entities":[{"id":"c1","number":"N-3","closed":true}]}`)
	return r
}

// start starts a server on the database, as it was left.
func (r *rig) start() {
	r.t.Helper()
	r.metrics = handlers.NewMetrics()
	o := r.database
	o.OnCommit, o.ReadMessage, o.NotificationBody = r.metrics.ObserveCommit, adapters.ReadStored, view.NotificationBody
	var err error
	if r.store, err = store.Open(context.Background(), o); err != nil {
		r.t.Fatal(err)
	}
	r.closeStore = sync.OnceValue(r.store.Close)
	r.t.Cleanup(func() { _ = r.closeStore() })
	r.server, err = handlers.New(handlers.Options{
		Config: r.config, Store: r.store, Log: r.logs.logger(), Metrics: r.metrics, Now: o.Now, Version: "v0.0.0-test",
	})
	if err != nil {
		r.t.Fatal(err)
	}
	r.public, r.admin = httptest.NewServer(r.server.Public()), httptest.NewServer(r.server.Admin())
	r.t.Cleanup(r.public.Close)
	r.t.Cleanup(r.admin.Close)
	metrics := r.metrics
	r.t.Cleanup(func() {
		for _, series := range handlers.LateSeries(metrics) {
			r.t.Errorf("the counter of %s was not there at 0 from the start: add it to outcomesOf", series)
		}
	})
}

func mirrored(c *config.Config, _ *store.Options) { c.JetPay.ErrorStatus = config.ErrorStatusMirror }
func signs(c *config.Config, _ *store.Options)    { c.JetPay.SignResponses = true }
func phones(c *config.Config, _ *store.Options)   { c.Accounts.Normalize = config.NormalizeKZPhone }

// sameSecret gives both projects one secret.
func sameSecret(c *config.Config, _ *store.Options) {
	c.JetPay.Projects[1].Secrets = c.JetPay.Projects[0].Secrets
}

// raw works on the database beside the store.
func (r *rig) raw(work func(storetest.DB) error) {
	r.t.Helper()
	db := storetest.Open(r.t, r.database)
	defer db.Close()
	if err := work(db); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) putAccount(record string) {
	r.t.Helper()
	account, problems := topup.ParseRecord([]byte(record))
	if len(problems) > 0 {
		r.t.Fatal(problems)
	}
	if _, err := r.store.PutAccount(context.Background(), &account); err != nil {
		r.t.Fatal(err)
	}
}

// answer is what came back.
type answer struct {
	status int
	body   string
	header http.Header
}

func (a answer) json(t testing.TB) map[string]any {
	t.Helper()
	var value map[string]any
	if err := json.Unmarshal([]byte(a.body), &value); err != nil {
		t.Fatalf("answer is not JSON: %v\n%s", err, a.body)
	}
	return value
}

func (a answer) code(t testing.TB) int {
	t.Helper()
	code, ok := a.json(t)["code"].(float64)
	if !ok {
		t.Fatalf("answer has no code: %s", a.body)
	}
	return int(code)
}

func (r *rig) do(request *http.Request) answer {
	r.t.Helper()
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		r.t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	got := answer{response.StatusCode, strings.TrimRight(string(body), "\n"), response.Header}
	switch "http://" + request.URL.Host {
	case r.public.URL:
	case r.admin.URL:
		described().check(r.t, "admin", request, got)
	default:
		described().check(r.t, "merchant", request, got)
	}
	return got
}

func (r *rig) request(method, url, body string) *http.Request {
	r.t.Helper()
	request, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	return request
}

// post sends a body to /jetpay as it is.
func (r *rig) post(body string) answer {
	r.t.Helper()
	return r.do(r.request(http.MethodPost, r.public.URL+"/jetpay", body))
}

// send signs a body with the demo secret and sends it.
func (r *rig) send(body string) answer {
	r.t.Helper()
	return r.post(signed(r.t, body, demoSecret))
}

// ask sends a request to the admin listener, as the admin.
func (r *rig) ask(method, path, body string) answer {
	r.t.Helper()
	return r.askAs(adminToken, method, path, body)
}

func (r *rig) askAs(token, method, path, body string) answer {
	r.t.Helper()
	request := r.request(method, r.admin.URL+path, body)
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	return r.do(request)
}

// step takes an operator's step, under an Idempotency-Key unless it is empty.
func (r *rig) step(path, body, key string) answer {
	r.t.Helper()
	request := r.request(http.MethodPost, r.admin.URL+path, body)
	request.Header.Set("Authorization", "Bearer "+deskToken)
	if key != "" {
		request.Header.Set("Idempotency-Key", key)
	}
	return r.do(request)
}

func signed(t testing.TB, body, secret string) string {
	t.Helper()
	key, err := signing.NewKey(secret)
	if err != nil {
		t.Fatal(err)
	}
	out, err := signing.Embed([]byte(body), key)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// issue asks for a payment id for 10000 KZT.
func (r *rig) issue() string {
	r.t.Helper()
	a := r.send(depositBody)
	id, _ := a.json(r.t)["payment_id"].(string)
	if id == "" {
		r.t.Fatalf("check_deposit: %s", a.body)
	}
	return id
}

func (r *rig) payment(id string) *topup.Payment {
	r.t.Helper()
	p, err := r.store.Payment(context.Background(), id)
	if err != nil {
		r.t.Fatal(err)
	}
	return p
}

const (
	verifyBody  = `{"type":"verify","project_id":1234,"customer_id":"7123456789"}`
	depositBody = `{"type":"check_deposit","project_id":1234,"customer_id":"123456789","entity_id":"12345","amount":10000,"currency":"KZT","payment_method":"terminal/kaspi"}`
)

// callbackFor is a successful callback for a payment.
func callbackFor(t testing.TB, paymentID, operation string) string {
	t.Helper()
	return testkit.Edit(t, testkit.JetPayCallback, "payment_47", paymentID, `"id":28`, `"id":`+operation)
}

// logBuffer keeps the log.
type logBuffer struct {
	mu     sync.Mutex
	buffer bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buffer.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buffer.String()
}

func (l *logBuffer) logger() *zap.Logger {
	encoder := zapcore.NewJSONEncoder(zap.NewProductionEncoderConfig())
	return zap.New(zapcore.NewCore(encoder, zapcore.AddSync(l), zapcore.DebugLevel))
}

// lines returns the log's lines of requests.
func (l *logBuffer) lines(t testing.TB) []map[string]any {
	t.Helper()
	var lines []map[string]any
	for _, line := range strings.Split(strings.TrimSpace(l.String()), "\n") {
		var value map[string]any
		if err := json.Unmarshal([]byte(line), &value); err != nil {
			t.Fatalf("log line is not JSON: %v\n%s", err, line)
		}
		if value["msg"] == "request" {
			lines = append(lines, value)
		}
	}
	return lines
}

// take empties the log and returns what was in it.
func (l *logBuffer) take() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	defer l.buffer.Reset()
	return l.buffer.String()
}
