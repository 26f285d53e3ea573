package commands_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"tolem/commands"
	"tolem/platform"
	"tolem/platform/sandbox"
	"tolem/signing"
)

const highhelpProject = "57aff4db-b45d-42bf-bc5f-b7a499a01782"

// market is a shop that serves, and the sandbox that plays HighHelp for it.
type market struct {
	*shop
	*running
	provider *sandbox.Sandbox
	pages    string // URL of the sandbox
}

// newMarket starts both. They find each other although both take free ports:
// the provider reaches the shop through a server whose address is known first.
func newMarket(t testing.TB, change ...func(*sandbox.Options)) *market {
	t.Helper()
	var target atomic.Pointer[url.URL]
	connections := &http.Transport{}
	front := httptest.NewServer(&httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target.Load()) }, Transport: connections,
	})
	t.Cleanup(front.Close)
	key, err := signing.NewKey("demo-secret")
	if err != nil {
		t.Fatal(err)
	}
	requests, alerts := rsaSigner(t, "request.pem"), rsaSigner(t, "alerts.private.pem")
	o := sandbox.Options{
		Projects:    []sandbox.Project{{ID: highhelpProject, Requests: requests.AlertKey(), AccessToken: requests.AccessToken(), Alerts: alerts}},
		MerchantURL: front.URL,
		Kiosk:       platform.Project{ID: 1234, Key: key},
	}
	for _, c := range change {
		c(&o)
	}
	m := &market{}
	if m.provider, err = sandbox.New(o); err != nil {
		t.Fatal(err)
	}
	side := httptest.NewServer(m.provider.Handler())
	t.Cleanup(side.Close)
	m.pages = side.URL
	m.shop = newShop(t, highhelpLines(front.URL, side.URL))
	m.running = m.serve(t)
	public, err := url.Parse(m.public)
	if err != nil {
		t.Fatal(err)
	}
	target.Store(public)
	t.Cleanup(func() {
		m.settle(t)
		if err := m.provider.Close(context.Background()); err != nil {
			t.Error(err)
		}
		connections.CloseIdleConnections() // else the shop waits for those that were never used
		// The test's own context has ended by now.
		var out, errs strings.Builder
		stdio := commands.Stdio{In: strings.NewReader(""), Out: &out, Err: &errs}
		if err := commands.Run(context.Background(), []string{"ledger", "check", "--config", m.config}, nil, stdio); err != nil {
			t.Errorf("ledger check: %v\n%s%s", err, &out, &errs)
		}
	})
	return m
}

func rsaSigner(t testing.TB, name string) signing.Signer {
	t.Helper()
	pem, err := os.ReadFile("../fixtures/highhelp/keys/" + name)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := signing.NewRSASigner(pem)
	if err != nil {
		t.Fatal(err)
	}
	return signer
}

// way is one of the four methods, with an account that can pay by it.
type way struct{ customer, entity, currency, country, widget string }

var ways = map[string]way{
	"KZ bank":   {"7011112233", "e1", "KZT", "KZ", "payin-p2p-card-international"},
	"KZ mobile": {"7011112233", "e1", "KZT", "KZ", "payin-ecom-mobile"},
	"KG bank":   {"kg-1001", "kg1", "KGS", "KG", "payin-p2p-card"},
	"TJ bank":   {"tj-2001", "tj1", "TJS", "TJ", "payin-p2p-phone"},
}

func (w way) mobile() bool { return w.widget == "payin-ecom-mobile" }

// opened is what the merchant API answered.
type opened struct {
	status    int
	body      string
	PaymentID string `json:"payment_id"`
	FormURL   string `json:"form_url"`
}

// ask asks the merchant API.
func (m *market) ask(t testing.TB, method, path, key, body string) opened {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, m.admin+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer demo-admin-token")
	request.Header.Set("Content-Type", "application/json")
	if key != "" {
		request.Header.Set("Idempotency-Key", key)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	o := opened{status: response.StatusCode, body: string(answer)}
	if err := json.Unmarshal(answer, &o); err != nil {
		t.Fatalf("%s %s: got %d %s", method, path, o.status, answer)
	}
	return o
}

// try asks for a pay-in of 15000.00.
func (m *market) try(t testing.TB, w way) opened {
	t.Helper()
	return m.ask(t, http.MethodPost, "/api/v1/payins", t.Name()+w.widget, fmt.Sprintf(
		`{"customer_id":%q,"entity_id":%q,"amount":1500000,"currency":%q,"widget_method":%q,"redirect_url":"https://shop.example.kz/order/1","payer":{"id":"cus_12345","ip_address":"192.0.2.1","country":%q}}`,
		w.customer, w.entity, w.currency, w.widget, w.country))
}

// open asks for a pay-in and wants to get it.
func (m *market) open(t testing.TB, w way) opened {
	t.Helper()
	o := m.try(t, w)
	if o.status != http.StatusCreated || o.PaymentID == "" || o.FormURL == "" {
		t.Fatalf("got %d %s", o.status, o.body)
	}
	return o
}

// act lets something happen at the provider.
func (m *market) act(t testing.TB, id string, actions ...sandbox.Action) {
	t.Helper()
	for _, a := range actions {
		if a.Code == "right" {
			view, err := m.provider.View(id)
			if err != nil {
				t.Fatal(err)
			}
			a.Code = view.Code
		}
		if err := m.provider.Act(id, a); err != nil {
			t.Fatalf("%s: %v", a.Do, err)
		}
	}
}

// settle waits until every alert has been taken.
func (m *market) settle(t testing.TB) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	if err := m.provider.Wait(ctx); err != nil {
		t.Fatal(err)
	}
}

// credits is what the ledger has credited to a way's contract.
func (m *market) credits(t testing.TB, w way) int64 {
	t.Helper()
	var account struct {
		Entities []struct {
			ID      string
			Balance int64
		}
	}
	if err := json.Unmarshal([]byte(m.ask(t, http.MethodGet, "/api/v1/accounts/"+w.customer, "", "").body), &account); err != nil {
		t.Fatal(err)
	}
	for _, e := range account.Entities {
		if e.ID == w.entity {
			return e.Balance
		}
	}
	t.Fatalf("no contract %s", w.entity)
	return 0
}

// ends wants a payment to end so, and the contract to be credited with exactly
// that.
func (m *market) ends(t testing.TB, id string, w way, status string, credited int64, flags ...string) {
	t.Helper()
	m.settle(t)
	got := m.payment(t, id)
	if got.Status != status || (got.Credited != nil) != (credited > 0) {
		t.Errorf("payment: got %+v, want it %s", got, status)
	}
	if slices.Sort(flags); !slices.Equal(slices.Sorted(slices.Values(got.Flags)), flags) && len(got.Flags)+len(flags) > 0 {
		t.Errorf("flags: got %v, want %v", got.Flags, flags)
	}
	if got := m.credits(t, w); got != credited {
		t.Errorf("contract: got %d, want %d", got, credited)
	}
}

// pays is what a payer does who pays all that is asked, or another amount.
func pays(w way, amount int64) []sandbox.Action {
	if !w.mobile() {
		return []sandbox.Action{{Do: sandbox.DoPay, Amount: amount}}
	}
	return []sandbox.Action{phone(), {Do: sandbox.DoCode, Code: "right", Amount: amount}}
}

func phone() sandbox.Action {
	return sandbox.Action{Do: sandbox.DoPhone, Bank: "BEELINE", Phone: "+77011112233"}
}

func TestEachMethodEndsInEachWay(t *testing.T) {
	t.Parallel()
	const asked = 1500000
	for name, w := range ways {
		lapsed, lapseFlags := "pending", []string{"dispute"}
		if w.mobile() {
			lapsed, lapseFlags = "declined", nil
		}
		tests := []struct {
			name     string
			actions  []sandbox.Action
			status   string
			credited int64
			flags    []string
		}{
			{"paid", pays(w, 0), "succeeded", asked, nil},
			{"paid with another amount", pays(w, 1400000), "succeeded", 1400000, []string{"amount_differs"}},
			{"declined", []sandbox.Action{{Do: sandbox.DoDecline}}, "declined", 0, nil},
			{"lapsed", []sandbox.Action{{Do: sandbox.DoLapse}}, lapsed, 0, lapseFlags},
			{"disputed, then settled", []sandbox.Action{{Do: sandbox.DoDispute}, {Do: sandbox.DoFinish}}, "succeeded", asked, []string{"dispute"}},
			{"refused as an error", []sandbox.Action{{Do: sandbox.DoError}}, "declined", 0, nil},
		}
		for _, tt := range tests {
			t.Run(name+", "+tt.name, func(t *testing.T) {
				t.Parallel()
				m := newMarket(t)
				id := m.open(t, w).PaymentID
				m.act(t, id, tt.actions...)
				m.ends(t, id, w, tt.status, tt.credited, tt.flags...)
				m.act(t, id, sandbox.Action{Do: sandbox.DoRepeat})
				m.ends(t, id, w, tt.status, tt.credited, tt.flags...)
			})
		}
	}
}

func TestMobileCommerceByItsCodes(t *testing.T) {
	w := ways["KZ mobile"]
	wrong, right := sandbox.Action{Do: sandbox.DoCode, Code: "wrong"}, sandbox.Action{Do: sandbox.DoCode, Code: "right"}
	held := right
	held.Hold = true
	tests := []struct {
		name     string
		actions  []sandbox.Action
		call     string
		status   string
		credited int64
	}{
		{"two wrong codes, then the right one", []sandbox.Action{phone(), wrong, wrong, right}, "", "succeeded", 1500000},
		{"three wrong codes", []sandbox.Action{phone(), wrong, wrong, wrong}, "", "declined", 0},
		{"a further code", []sandbox.Action{phone(), wrong, {Do: sandbox.DoResend}, right}, "", "succeeded", 1500000},
		{"confirmed by the merchant", []sandbox.Action{phone(), held}, "confirm", "succeeded", 1500000},
		{"cancelled by the merchant", []sandbox.Action{phone(), held}, "cancel", "declined", 0},
		{"cancelled at once", nil, "cancel", "declined", 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := newMarket(t)
			id := m.open(t, w).PaymentID
			m.act(t, id, tt.actions...)
			if tt.call != "" {
				if got := m.ask(t, http.MethodPost, "/api/v1/payins/"+id+"/"+tt.call, "", ""); got.status != http.StatusAccepted {
					t.Errorf("%s: got %d %s", tt.call, got.status, got.body)
				}
			}
			m.ends(t, id, w, tt.status, tt.credited)
		})
	}
}

func TestTransfersCanBeNeitherConfirmedNorCancelled(t *testing.T) {
	m := newMarket(t)
	w := ways["KG bank"]
	id := m.open(t, w).PaymentID
	for _, call := range []string{"confirm", "cancel"} {
		if got := m.ask(t, http.MethodPost, "/api/v1/payins/"+id+"/"+call, "", ""); got.status != http.StatusConflict {
			t.Errorf("%s: got %d %s", call, got.status, got.body)
		}
	}
	m.ends(t, id, w, "pending", 0)
}

func TestChaosCreditsOnce(t *testing.T) {
	m := newMarket(t, func(o *sandbox.Options) { o.Chaos = true })
	for _, w := range ways {
		if w.mobile() {
			continue // the same contract as the Kazakh transfer
		}
		id := m.open(t, w).PaymentID
		m.act(t, id, append(pays(w, 0), sandbox.Action{Do: sandbox.DoRepeat}, sandbox.Action{Do: sandbox.DoRepeat})...)
		m.ends(t, id, w, "succeeded", 1500000)
	}
}

// What the provider has, is credited in the end, whatever became of the answer
// to the request.
func TestAPayInWhoseAnswerWasLostIsCreditedAllTheSame(t *testing.T) {
	w := ways["TJ bank"]
	for name, faults := range map[string]sandbox.Faults{
		"cut": {Cut: true}, "garbage": {Garbage: true}, "an error": {Status: http.StatusBadGateway}, "slow": {Slow: 5 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMarket(t)
			if err := m.provider.SetFaults(faults); err != nil {
				t.Fatal(err)
			}
			begun := time.Now()
			got := m.try(t, w)
			if got.status != http.StatusGatewayTimeout || got.PaymentID == "" {
				t.Fatalf("got %d %s", got.status, got.body)
			}
			if took := time.Since(begun); took > 4*time.Second {
				t.Errorf("took %s, and the time-out is 2s", took)
			}
			m.ends(t, got.PaymentID, w, "pending", 0, "outcome_unknown")
			if err := m.provider.SetFaults(sandbox.Faults{}); err != nil {
				t.Fatal(err)
			}
			m.act(t, got.PaymentID, pays(w, 0)...)
			m.ends(t, got.PaymentID, w, "succeeded", 1500000)
		})
	}
}

// Without alerts, what was paid is found by asking.
func TestWhatNoAlertToldIsFoundByAsking(t *testing.T) {
	m := newMarket(t)
	w := ways["KZ bank"]
	id := m.open(t, w).PaymentID
	if err := m.provider.SetFaults(sandbox.Faults{Mute: true}); err != nil {
		t.Fatal(err)
	}
	m.act(t, id, pays(w, 0)...)
	m.ends(t, id, w, "pending", 0)
	if got := m.ask(t, http.MethodGet, "/api/v1/payins/"+id+"?refresh=true", "", ""); got.status != http.StatusOK {
		t.Errorf("got %d %s", got.status, got.body)
	}
	m.ends(t, id, w, "succeeded", 1500000)
}

func TestAPersonAtTheKioskIsCredited(t *testing.T) {
	m := newMarket(t)
	response, err := http.PostForm(m.pages+"/kaspi", url.Values{"account": {"7011112233"}, "contract": {"e1"}, "amount": {"150.00"}, "outcome": {"success"}})
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	page, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	contains(t, "receipt", string(page), "Paid.", "150.00")
	if got := m.credits(t, ways["KZ bank"]); got != 15000 {
		t.Errorf("got %d, want 15000", got)
	}
}

// The command itself, with the configuration that is there.
func TestTheSandboxCommandPlaysForTheConfiguredProject(t *testing.T) {
	var target atomic.Pointer[url.URL]
	front := httptest.NewServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target.Load()) }})
	defer front.Close()
	back := httptest.NewServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target.Load()) }})
	defer back.Close()
	s := newShop(t, highhelpLines(front.URL, back.URL))
	lines, ended := newLogLines(), make(chan error, 1)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	go func() {
		args := []string{"sandbox", "--listen", "127.0.0.1:0", "--url", front.URL, "--config", s.config}
		ended <- commands.Run(ctx, args, nil, commands.Stdio{In: strings.NewReader(""), Out: io.Discard, Err: lines})
		lines.close()
	}()
	playing, ok := lines.wait("playing")
	if !ok {
		t.Fatalf("it ended instead:\n%s", lines)
	}
	address, err := url.Parse(playing["url"].(string))
	if err != nil {
		t.Fatal(err)
	}
	target.Store(address)
	got := s.must(t, "replay", "--url", front.URL, "../fixtures/highhelp/kz-mobile/calls", "../fixtures/highhelp/tj-bank-transfer/calls")
	contains(t, "replay", got, "7 passed, 0 failed")
	stop()
	if err := <-ended; err != nil {
		t.Errorf("got %v\n%s", err, lines)
	}
}

func TestProductionHasNoSandbox(t *testing.T) {
	s := newShop(t)
	s.env = []string{
		"TOLEM_ENVIRONMENT=production", "TOLEM_DEMO__ACCOUNTS=", "TOLEM_DEMO__PAYMENTS=",
		`TOLEM_ADMIN__TOKENS=[{"name":"a","role":"admin","token":"0123456789abcdef0123"}]`,
		`TOLEM_JETPAY__PROJECTS=[{"id":1234,"secrets":["a-secret-of-ones-own"]}]`,
		"TOLEM_PUBLIC_URL=https://pay.example.kz", "TOLEM_HIGHHELP__BASE_URL=https://api.hh-processing.com", "TOLEM_HIGHHELP__PROJECTS=[]",
	}
	got := s.tolem(t, "sandbox", "--listen", "127.0.0.1:0")
	if got.code != 1 {
		t.Errorf("got %+v", got)
	}
	contains(t, "standard error", got.err, "production")
}

func TestTheSandboxNeedsTheKeyThatAlertsAreVerifiedWith(t *testing.T) {
	s := newShop(t)
	wrong := s.tolem(t, "sandbox", "--listen", "127.0.0.1:0", "--url", "http://127.0.0.1:1", "--alert-key", "../fixtures/highhelp/keys/request.pem")
	if wrong.code != 1 {
		t.Errorf("got %+v", wrong)
	}
	contains(t, "standard error", wrong.err, "alert_key", "--alert-key")
}
