package handlers_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"tolem/config"
	"tolem/signing"
	"tolem/store"
	"tolem/testkit"
)

const (
	hhProject     = "57aff4db-b45d-42bf-bc5f-b7a499a01782"
	hhSilent      = "00000000-0000-4000-8000-000000000002" // has no alert_key
	requestSecret = "highhelp-request-secret"
	alertSecret   = "highhelp-alert-secret"
)

// payinRig is a server with HighHelp configured, the merchant's listener, and a
// provider that answers as a test says.
type payinRig struct {
	*rig
	clock    *testkit.Clock
	provider *provider
	merchant *httptest.Server
}

// provider plays the API of HighHelp.
type provider struct {
	t      testing.TB
	server *httptest.Server

	mu    sync.Mutex
	calls []call
	on    map[string]http.HandlerFunc // by operation; the default answers as documented
}

type call struct {
	op     string
	body   string
	header http.Header
}

func newProvider(t testing.TB) *provider {
	p := &provider{t: t, on: map[string]http.HandlerFunc{}}
	p.server = httptest.NewServer(p)
	t.Cleanup(p.server.Close)
	return p
}

func (p *provider) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	op := strings.TrimPrefix(strings.TrimPrefix(r.URL.Path, "/api/v1/widget/payin"), "/")
	if op == "" {
		op = "payin"
	}
	p.mu.Lock()
	p.calls = append(p.calls, call{op, string(body), r.Header.Clone()})
	custom := p.on[op]
	p.mu.Unlock()
	if custom != nil {
		r.Body = io.NopCloser(strings.NewReader(string(body)))
		custom(w, r)
		return
	}
	io.WriteString(w, flat(nameIn(string(body)), "processing", "new", ""))
}

func (p *provider) answer(op string, handler http.HandlerFunc) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.on[op] = handler
}

func (p *provider) made(op string) []call {
	p.mu.Lock()
	defer p.mu.Unlock()
	var made []call
	for _, c := range p.calls {
		if c.op == op {
			made = append(made, c)
		}
	}
	return made
}

// nameIn is the payment's id in a request.
func nameIn(body string) string {
	var request struct {
		General struct {
			PaymentID string `json:"payment_id"`
		} `json:"general"`
	}
	_ = json.Unmarshal([]byte(body), &request)
	return request.General.PaymentID
}

// flat is an answer of the API, with more members put before its end.
func flat(id, status, sub, more string) string {
	return fmt.Sprintf(`{"status":%q,"sub_status":%s,"status_description":null,"request_id":"req-%s","project_id":%q,"payment_id":%q,
		"integration":{"form_url":"https://ppage.example.kz/widget/%s","redirect_url":"https://shop.example.kz/order/1"}%s}`,
		status, orNullText(sub), id, hhProject, id, id, more)
}

func orNullText(text string) string {
	if text == "" {
		return "null"
	}
	return `"` + text + `"`
}

// info is an answer to info with an amount.
func info(id, status, sub string, amount int64, currency string) string {
	return flat(id, status, sub, fmt.Sprintf(`,"payment_info":{"amount":%d,"old_amount":%d,"initial_amount":%d,"currency":%q,"lifetime":300,
		"expiration_date":1721647251,"method":"card-p2p","widget_method":"payin-p2p-card","type":"payin"}`, amount, amount, amount, currency))
}

// says makes the provider answer info.
func (p *provider) says(status, sub string, amount int64, currency string) {
	p.answer("info", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		io.WriteString(w, info(nameIn(string(body)), status, sub, amount, currency))
	})
}

func withStatus(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		io.WriteString(w, body)
	}
}

// cutOff reads the request and closes the connection.
func cutOff(w http.ResponseWriter, r *http.Request) {
	conn, _, err := w.(http.Hijacker).Hijack()
	if err == nil {
		_ = conn.Close()
	}
}

func newPayinRig(t testing.TB, options ...rigOption) *payinRig {
	t.Helper()
	r := &payinRig{clock: testkit.NewClock(time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)), provider: newProvider(t)}
	setUp := func(c *config.Config, o *store.Options) {
		o.Now = r.clock.Now
		c.Environment = config.Development
		c.PublicURL = "https://pay.example.kz"
		c.MaxAmount = 10_000_000_000
		c.HighHelp.BaseURL = r.provider.server.URL
		c.HighHelp.Timeout = 2 * time.Second
		for _, id := range []string{hhProject, hhSilent} {
			p := config.NewHighHelpProject(id)
			p.RequestKey = config.RequestKey{Algorithm: config.AlgorithmHMAC, Secret: config.NewSecret(requestSecret)}
			p.AlertKey = config.AlertKey{Algorithm: config.AlgorithmHMAC, Secret: config.NewSecret(alertSecret)}
			if id == hhSilent {
				p.AlertKey = config.AlertKey{}
			}
			c.HighHelp.Projects = append(c.HighHelp.Projects, p)
		}
	}
	r.rig = newRig(t, append([]rigOption{setUp}, options...)...)
	r.merchant = httptest.NewServer(r.server.Merchant())
	t.Cleanup(r.merchant.Close)
	r.putAccount(`{"customer_id":"7011112233","additional_customer_id":"KZ","currency":"KZT","entities":[
		{"id":"e1","number":"N-1","min_payment":100},{"id":"shut","number":"N-2","closed":true}]}`)
	r.putAccount(`{"customer_id":"9961112233","additional_customer_id":"KG","currency":"KGS","entities":[{"id":"e1","number":"N-3"}]}`)
	r.putAccount(`{"customer_id":"9921112233","additional_customer_id":"TJ","currency":"TJS","entities":[{"id":"e1","number":"N-4"}]}`)
	return r
}

// slow bounds a call to the provider tightly.
func slow(c *config.Config, _ *store.Options) { c.HighHelp.Timeout = 300 * time.Millisecond }

// oneProject leaves one HighHelp project.
func oneProject(c *config.Config, _ *store.Options) {
	c.HighHelp.Projects = c.HighHelp.Projects[:1]
}

const payinBody = `{"project_id":"57aff4db-b45d-42bf-bc5f-b7a499a01782","customer_id":"7011112233","entity_id":"e1","amount":1500000,"currency":"KZT","widget_method":"payin-p2p-card-international",
 "payer":{"id":"cus_12345","ip_address":"192.0.2.1","country":"KZ","language":"kk","email":"customer@example.com","customer_type":"ftd"},
 "sender":{"bank_symbol":"kaspi-kzt"},"lifetime":300,"description":"An order","extra_param":"example","redirect_url":"https://shop.example.kz/order/1"}`

const mobileBody = `{"project_id":"57aff4db-b45d-42bf-bc5f-b7a499a01782","customer_id":"7011112233","entity_id":"e1","amount":1500000,"currency":"KZT","widget_method":"payin-ecom-mobile",
 "payer":{"id":"cus_12345","ip_address":"192.0.2.1","country":"KZ"}}`

// plainPayin is a request in a currency, for the account that has it.
func plainPayin(currency string, amount int64) string {
	customer := map[string]string{"KZT": "7011112233", "KGS": "9961112233", "TJS": "9921112233"}[currency]
	return fmt.Sprintf(`{"project_id":%q,"customer_id":%q,"entity_id":"e1","amount":%d,"currency":%q,"payer":{"id":"c","ip_address":"192.0.2.1","country":%q}}`,
		hhProject, customer, amount, currency, currency[:2])
}

// open asks for a pay-in, as the shop, and returns its id.
func (r *payinRig) open(body string) string {
	r.t.Helper()
	a := r.createWith("", body)
	id, _ := a.json(r.t)["payment_id"].(string)
	if a.status != http.StatusCreated || id == "" {
		r.t.Fatalf("create: %d %s", a.status, a.body)
	}
	return id
}

// createWith asks for a pay-in under an idempotency key, none if it is empty.
func (r *payinRig) createWith(key, body string) answer {
	r.t.Helper()
	request := r.request(http.MethodPost, r.admin.URL+"/api/v1/payins", body)
	request.Header.Set("Authorization", "Bearer "+shopToken)
	if key != "" {
		request.Header.Set("Idempotency-Key", key)
	}
	return r.do(request)
}

// payin asks for a pay-in as it is stored.
func (r *payinRig) payin(id string) map[string]any {
	r.t.Helper()
	a := r.askAs(shopToken, http.MethodGet, "/api/v1/payins/"+id, "")
	if a.status != http.StatusOK {
		r.t.Fatalf("get: %d %s", a.status, a.body)
	}
	return a.json(r.t)
}

// alertBody is an alert as the provider's pages print it.
func alertBody(id, status, sub string, amount int64, currency string) string {
	return fmt.Sprintf(`{"project_id":%q,"general":{"request_id":"16a10539","payment_id":%q},"status":{"status":%q,"sub_status":%s,"status_description":null},
"payment_info":{"amount":%d,"old_amount":5000,"initial_amount":3000,"currency":%q,"lifetime":300,"expiration_date":1721647251,"updated_date":1721647252,"created_date":1721647250,"method":"card-p2p","widget_method":"payin-p2p-card","type":"payin"}}`,
		hhProject, id, status, orNullText(sub), amount, currency)
}

const alertTimestamp = "1721647253"

var alertSigner = func() signing.Signer {
	s, err := signing.NewHMACSigner(alertSecret)
	if err != nil {
		panic(err)
	}
	return s
}()

// alert signs an alert in the default dialect and posts it.
func (r *payinRig) alert(body string) answer {
	r.t.Helper()
	return r.alertSigned(body, alertSigner, signing.DefaultRequestDialect())
}

func (r *payinRig) alertSigned(body string, signer signing.Signer, d signing.Dialect) answer {
	r.t.Helper()
	signature, err := signer.Sign([]byte(body), alertTimestamp, d)
	if err != nil {
		r.t.Fatal(err)
	}
	return r.alertWith(body, signature, alertTimestamp)
}

func (r *payinRig) alertWith(body, signature, timestamp string) answer {
	r.t.Helper()
	request := r.request(http.MethodPost, r.public.URL+"/highhelp/alerts", body)
	if signature != "" {
		request.Header.Set("x-access-signature", signature)
	}
	if timestamp != "" {
		request.Header.Set("x-access-timestamp", timestamp)
	}
	return r.do(request)
}

// accepted posts an alert that must be taken.
func (r *payinRig) accepted(body string) {
	r.t.Helper()
	if a := r.alert(body); a.status != http.StatusOK || a.body != `{"code":0}` {
		r.t.Fatalf("alert: %d %s", a.status, a.body)
	}
}

// balance is what has been credited to contract e1 of a customer.
func (r *payinRig) balance(customer string) int64 {
	r.t.Helper()
	balances, err := r.store.ContractBalances(r.t.Context(), customer)
	if err != nil {
		r.t.Fatal(err)
	}
	return balances["e1"]
}

// checked proves the books whole.
func (r *payinRig) checked() {
	r.t.Helper()
	report, err := r.store.Check(r.t.Context())
	if err != nil || len(report.Problems) > 0 {
		r.t.Errorf("ledger check: %v %v", report.Problems, err)
	}
}

// rsaKeys makes a key pair, both halves in PEM.
func rsaKeys(t testing.TB) (private, public string) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	private = string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}))
	return private, string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}
