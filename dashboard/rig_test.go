package dashboard_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"tolem/adapters"
	"tolem/config"
	"tolem/handlers"
	"tolem/platform"
	"tolem/signing"
	"tolem/store"
	"tolem/storetest"
	"tolem/testkit"
	"tolem/topup"
	"tolem/view"
)

const (
	annaToken = "token-of-anna-the-admin"
	bekToken  = "token-of-bek-the-operator"
	eyeToken  = "token-of-the-reader"
	shopToken = "token-of-the-shop"

	// phone is a customer's id and a telephone number, and so personal.
	phone = "7011112233"
)

// rig is a server on a fresh database, with accounts, and both listeners on
// loopback.
type rig struct {
	t       testing.TB
	clock   *testkit.Clock
	config  *config.Config
	store   *store.Store
	admin   *httptest.Server
	public  *httptest.Server
	project platform.Project
	logs    bytes.Buffer
	logLock sync.Mutex
	last    int64 // operation
}

func (r *rig) Write(p []byte) (int, error) {
	r.logLock.Lock()
	defer r.logLock.Unlock()
	return r.logs.Write(p)
}

func (r *rig) log() string {
	r.logLock.Lock()
	defer r.logLock.Unlock()
	return r.logs.String()
}

func newRig(t testing.TB, change ...func(*config.Config)) *rig {
	t.Helper()
	c := config.Default()
	c.JetPay.Projects = []config.Project{{
		ID: 1234, Secrets: []config.Secret{config.NewSecret("demo-secret")},
		PaymentMethods: []string{"terminal/kaspi"}, CallbackMethods: []string{"kaspi"},
	}}
	c.Admin.Tokens = []config.Token{
		{Name: "anna", Role: config.RoleAdmin, Token: config.NewSecret(annaToken)},
		{Name: "bek", Role: config.RoleOperator, Token: config.NewSecret(bekToken)},
		{Name: "eye", Role: config.RoleRead, Token: config.NewSecret(eyeToken)},
		{Name: "shop", Role: config.RoleMerchant, Token: config.NewSecret(shopToken)},
	}
	for _, f := range change {
		f(c)
	}
	key, err := signing.NewKey("demo-secret")
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{
		t: t, config: c, clock: testkit.NewClock(time.Date(2026, 11, 30, 6, 0, 0, 0, time.UTC)),
		project: platform.Project{ID: 1234, Key: key}, last: 710000000000000,
	}
	metrics := handlers.NewMetrics()
	o := storetest.New(t)
	o.Now, o.OnCommit, o.ReadMessage = r.clock.Now, metrics.ObserveCommit, adapters.ReadStored
	o.NotificationBody = view.NotificationBody
	o.Normalize = topup.Normalizer(c.Accounts.Normalize)
	if r.store, err = store.Open(context.Background(), o); err != nil {
		t.Fatal(err)
	}
	log := zap.New(zapcore.NewCore(zapcore.NewJSONEncoder(zap.NewProductionEncoderConfig()), zapcore.AddSync(r), zapcore.DebugLevel))
	server, err := handlers.New(handlers.Options{Config: c, Store: r.store, Log: log, Metrics: metrics, Now: r.clock.Now, Version: "v0.0.0-test"})
	if err != nil {
		t.Fatal(err)
	}
	r.public, r.admin = httptest.NewServer(server.Public()), httptest.NewServer(server.Admin())
	t.Cleanup(func() {
		r.public.Close()
		r.admin.Close()
		server.Close()
		if err := r.store.Close(); err != nil {
			t.Error(err)
		}
	})
	r.account(phone, "KZT", "e1", "E-0001/2025", "e2", "E-0002/2025")
	r.account("7123456789", "KZT", "12345", "1234_ABC/01-01-2025/Abcdef12")
	r.account("996555000111", "KGS", "k1", "K-1")
	return r
}

// account stores an account with contracts, each an id and a number.
func (r *rig) account(customer, currency string, contracts ...string) {
	r.t.Helper()
	a := &topup.Account{CustomerID: customer, AdditionalCustomerID: "CUST-" + customer, Currency: currency}
	for i := 0; i+1 < len(contracts); i += 2 {
		a.Contracts = append(a.Contracts, topup.Contract{ID: contracts[i], Number: contracts[i+1]})
	}
	if _, err := r.store.PutAccountBy(context.Background(), a, "test"); err != nil {
		r.t.Fatal(err)
	}
}

// post sends a message of the platform, and returns the answer.
func (r *rig) post(body []byte, err error) map[string]any {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
	response, err := http.Post(r.public.URL+"/jetpay", "application/json", bytes.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	defer response.Body.Close()
	var answer map[string]any
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil || answer["code"] != 0.0 {
		r.t.Fatalf("the platform's message: %v %v", answer, err)
	}
	return answer
}

// issue has the platform ask for a payment id.
func (r *rig) issue(customer, contract string, amount int64) string {
	r.t.Helper()
	currency := "KZT"
	if customer == "996555000111" {
		currency = "KGS"
	}
	return r.post(r.project.CheckDeposit(platform.Deposit{CustomerID: customer, EntityID: contract, Money: topup.Money{Amount: amount, Currency: currency}}))["payment_id"].(string)
}

// pay has the platform report a payment as paid, or otherwise; change changes the
// message.
func (r *rig) pay(paymentID string, amount int64, outcome platform.Outcome, change ...func(*platform.Callback)) string {
	r.t.Helper()
	r.last++
	c := platform.NewCallback(outcome, paymentID, r.last, topup.Money{Amount: amount, Currency: "KZT"}, r.clock.Now())
	c.Customer, c.Account = "", ""
	for _, f := range change {
		f(&c)
	}
	r.post(r.project.Callback(c))
	return strconv.FormatInt(r.last, 10)
}

// paid is a payment that was credited.
func (r *rig) paid(customer, contract string, amount int64) string {
	r.t.Helper()
	id := r.issue(customer, contract, amount)
	r.pay(id, amount, platform.OutcomeSuccess, func(c *platform.Callback) {
		if customer == "996555000111" {
			kgs := topup.Money{Amount: amount, Currency: "KGS"}
			c.Payment.Sum, c.Operation.SumInitial, c.Operation.SumConverted = kgs, kgs, kgs
		}
	})
	return id
}

// stray is money in suspense that came under an id that nobody issued; it returns
// the payment's id and the item's.
func (r *rig) stray(reference string, amount int64, change ...func(*platform.Callback)) (payment, item string) {
	r.t.Helper()
	r.pay(reference, amount, platform.OutcomeSuccess, change...)
	items, err := r.store.SuspenseItems(context.Background(), store.SuspenseFilter{Limit: 1000})
	if err != nil || len(items) == 0 {
		r.t.Fatalf("items: %v %v", items, err)
	}
	last := items[len(items)-1]
	return last.PaymentID, last.ID
}

// balance is what a contract has.
func (r *rig) balance(customer, contract string) int64 {
	r.t.Helper()
	b, err := r.store.ContractBalances(context.Background(), customer)
	if err != nil {
		r.t.Fatal(err)
	}
	return b[contract]
}

// visitor is a browser without its looks: it keeps cookies and follows no
// redirects.
type visitor struct {
	*rig
	client *http.Client
}

type reply struct {
	status int
	body   string
	header http.Header
}

func (r *rig) visitor() *visitor {
	jar, err := cookiejar.New(nil)
	if err != nil {
		r.t.Fatal(err)
	}
	return &visitor{r, &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

func (v *visitor) do(method, path string, form url.Values, header ...string) reply {
	v.t.Helper()
	var body io.Reader
	if form != nil {
		body = strings.NewReader(form.Encode())
	}
	request, err := http.NewRequest(method, v.admin.URL+path, body)
	if err != nil {
		v.t.Fatal(err)
	}
	if form != nil {
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i+1 < len(header); i += 2 {
		request.Header.Set(header[i], header[i+1])
	}
	response, err := v.client.Do(request)
	if err != nil {
		v.t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		v.t.Fatal(err)
	}
	return reply{response.StatusCode, string(text), response.Header}
}

func (v *visitor) get(path string) reply { v.t.Helper(); return v.do(http.MethodGet, path, nil) }

var csrfField = regexp.MustCompile(`name="csrf" value="([^"]+)"`)

// csrf is the token of the forms of a page.
func (v *visitor) csrf(path string) string {
	v.t.Helper()
	m := csrfField.FindStringSubmatch(v.get(path).body)
	if m == nil {
		v.t.Fatalf("%s has no form", path)
	}
	return m[1]
}

func (v *visitor) tryToken(token string) reply {
	v.t.Helper()
	return v.do(http.MethodPost, "/login", url.Values{"token": {token}, "csrf": {v.csrf("/login")}})
}

// signIn is a visitor who has signed in, and reads English.
func (r *rig) signIn(token string) *visitor {
	r.t.Helper()
	v := r.visitor()
	v.get("/login?lang=en")
	if got := v.tryToken(token); got.status != http.StatusSeeOther || got.header.Get("Location") != "/" {
		r.t.Fatalf("sign in: got %d to %q", got.status, got.header.Get("Location"))
	}
	return v
}

// take sends a step's form with its confirmation, as the page for it would.
func (v *visitor) take(path string, values ...string) reply {
	v.t.Helper()
	form := url.Values{"csrf": {v.csrf("/payments/p_none")}, "confirm": {"1"}, "reason": {"ticket 4711"}, "previewed": {""}}
	for i := 0; i+1 < len(values); i += 2 {
		form.Add(values[i], values[i+1])
	}
	return v.do(http.MethodPost, path, form)
}

// wants compares a reply's status and looks for texts in it.
func (v *visitor) wants(got reply, status int, texts ...string) {
	v.t.Helper()
	if got.status != status {
		v.t.Errorf("status: got %d, want %d\n%s", got.status, status, words(got.body))
	}
	for _, text := range texts {
		if !strings.Contains(words(got.body), text) {
			v.t.Errorf("%q is not on the page:\n%s", text, words(got.body))
		}
	}
}

var tag = regexp.MustCompile(`<[^>]*>`)

// words are the texts of a page, with single blanks.
func words(page string) string {
	_, main, found := strings.Cut(page, "<main")
	if !found {
		main = page
	}
	text := tag.ReplaceAllString(main, " ")
	text = strings.NewReplacer("&amp;", "&", "&#39;", "'", "&#34;", `"`, "&lt;", "<", "&gt;", ">", "&#43;", "+", "\u00a0", " ").Replace(text)
	return strings.Join(strings.FieldsFunc(text, func(r rune) bool { return r == ' ' || r == '\n' || r == '\t' }), " ")
}
