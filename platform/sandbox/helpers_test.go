package sandbox_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"tolem/platform"
	"tolem/platform/sandbox"
	"tolem/signing"
	"tolem/testkit"
)

const project = "57aff4db-b45d-42bf-bc5f-b7a499a01782"

// at is when everything happens.
var at = time.Date(2026, 11, 1, 9, 30, 0, 0, time.UTC)

// alert is an alert as the merchant gets it.
type alert struct {
	path, body string
	dialect    signing.Dialect
}

// about is the alert's status as one word.
func (a alert) about() string {
	var fields struct {
		Status struct {
			Status string  `json:"status"`
			Sub    *string `json:"sub_status"`
		} `json:"status"`
	}
	if err := json.Unmarshal([]byte(a.body), &fields); err != nil {
		return err.Error()
	}
	if fields.Status.Sub == nil {
		return fields.Status.Status
	}
	return fields.Status.Status + ":" + *fields.Status.Sub
}

// merchant receives alerts, and accepts only what is validly signed.
type merchant struct {
	*httptest.Server
	key signing.AlertKey

	mu      sync.Mutex
	alerts  []alert
	refuse  int // so many posts are answered 500 first
	refused []string
}

func newMerchant(t testing.TB, key signing.AlertKey) *merchant {
	t.Helper()
	m := &merchant{key: key}
	m.Server = httptest.NewServer(m)
	t.Cleanup(m.Close)
	return m
}

func (m *merchant) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	parsed, err := signing.Parse(body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	defer parsed.Release()
	dialect, err := parsed.VerifyHighHelp(m.key, r.Header.Get("x-access-signature"), r.Header.Get("x-access-timestamp"), signing.DefaultAlertDialect())
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case err != nil:
		m.refused = append(m.refused, err.Error())
		http.Error(w, err.Error(), http.StatusUnauthorized)
	case m.refuse > 0:
		m.refuse--
		http.Error(w, "later", http.StatusInternalServerError)
	default:
		m.alerts = append(m.alerts, alert{path: r.URL.Path, body: string(body), dialect: dialect})
	}
}

// rig is a sandbox and a merchant that know each other's keys.
type rig struct {
	*sandbox.Sandbox
	url      string
	requests signing.Signer
	merchant *merchant
}

func newRig(t testing.TB, change ...func(*sandbox.Options)) *rig {
	t.Helper()
	r := &rig{requests: testkit.DemoSigner(t, "../..", "request.pem")}
	alerts := testkit.DemoSigner(t, "../..", "alerts.private.pem")
	r.merchant = newMerchant(t, alerts.AlertKey())
	o := sandbox.Options{
		Projects:    []sandbox.Project{{ID: project, Requests: r.requests.AlertKey(), Alerts: alerts, AccessToken: r.requests.AccessToken()}},
		MerchantURL: r.merchant.URL,
		Retry:       sandbox.Retry{Attempts: 5, Pause: time.Millisecond},
		Now:         func() time.Time { return at },
	}
	for _, c := range change {
		c(&o)
	}
	var err error
	if r.Sandbox, err = sandbox.New(o); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(r.Handler())
	r.url = server.URL
	t.Cleanup(func() {
		server.Close()
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
		defer cancel()
		if err := r.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	return r
}

// answered is what came back for a call.
type answered struct {
	status int
	body   string
	Status string `json:"status"`
	Sub    string `json:"sub_status"`
	Why    string `json:"status_description"`
	Form   struct {
		URL string `json:"form_url"`
	} `json:"integration"`
	Info map[string]any `json:"payment_info"`
}

// call posts a signed request.
func (r *rig) call(t testing.TB, name, body string) answered {
	t.Helper()
	a, err := r.try(name, body, nil)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func (r *rig) try(name, body string, change func(http.Header)) (answered, error) {
	timestamp := fmt.Sprint(at.Unix())
	signature, err := r.requests.Sign([]byte(body), timestamp, signing.DefaultRequestDialect())
	if err != nil {
		return answered{}, err
	}
	path := "/api/v1/widget/payin"
	if name != "" {
		path += "/" + name
	}
	client, err := platform.NewClient(r.url, platform.ClientOptions{})
	if err != nil {
		return answered{}, err
	}
	defer client.Close()
	header := http.Header{"Content-Type": {"application/json"}}
	for name, value := range map[string]string{
		"x-access-timestamp": timestamp, "x-access-merchant-id": project,
		"x-access-token": r.requests.AccessToken(), "x-access-signature": signature,
	} {
		header.Set(name, value)
	}
	if change != nil {
		change(header)
	}
	got, err := client.PostWith(context.Background(), path, header, []byte(body))
	if err != nil {
		return answered{}, err
	}
	a := answered{status: got.Status, body: string(got.Body)}
	_ = json.Unmarshal(got.Body, &a) // garbage is shown by its body
	return a, nil
}

// body is a request for a pay-in of 15000.00.
func (r *rig) body(id, currency, widget string) string {
	country := map[string]string{"KZT": "KZ", "KGS": "KG", "TJS": "TJ"}[currency]
	return fmt.Sprintf(`{"general":{"project_id":%q,"payment_id":%q,"merchant_callback_url":"%[3]s/internal","merchant_success_callback_url":"%[3]s/success","merchant_decline_callback_url":"%[3]s/decline","redirect_url":"https://shop.example.kz/order"},`+
		`"payment":{"amount":1500000,"currency":%[4]q,"lifetime":300,"widget_method":%[5]q},"customer":{"id":"cus_12345","ip_address":"192.0.2.1","country":%[6]q}}`,
		project, id, r.merchant.URL, currency, widget, country)
}

func named(id string) string {
	return fmt.Sprintf(`{"general":{"project_id":%q,"payment_id":%q}}`, project, id)
}

// open creates a pay-in.
func (r *rig) open(t testing.TB, id, currency, widget string) answered {
	t.Helper()
	a := r.call(t, "", r.body(id, currency, widget))
	if a.status != http.StatusOK {
		t.Fatalf("create %s: got %d %s", id, a.status, a.body)
	}
	return a
}

// act lets something happen that has to be possible.
func (r *rig) act(t testing.TB, id string, actions ...sandbox.Action) {
	t.Helper()
	for _, a := range actions {
		if err := r.Act(id, a); err != nil {
			t.Fatalf("%s %s: %v", id, a.Do, err)
		}
	}
}

func (r *rig) view(t testing.TB, id string) sandbox.View {
	t.Helper()
	v, err := r.View(id)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// received waits until no alert is under way, and returns those received.
func (r *rig) received(t testing.TB) []alert {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	if err := r.Wait(ctx); err != nil {
		t.Fatal(err)
	}
	r.merchant.mu.Lock()
	defer r.merchant.mu.Unlock()
	if len(r.merchant.refused) > 0 {
		t.Errorf("the merchant refused alerts: %s", r.merchant.refused)
	}
	return append([]alert(nil), r.merchant.alerts...)
}

// told is what the merchant was told where, in order.
func (r *rig) told(t testing.TB) string {
	t.Helper()
	var words []string
	for _, a := range r.received(t) {
		words = append(words, a.path+" "+a.about())
	}
	return strings.Join(words, "\n")
}

func contains(t testing.TB, what, got string, wants ...string) {
	t.Helper()
	for _, want := range wants {
		if !strings.Contains(got, want) {
			t.Errorf("%s: got\n%s\nwant it to contain %q", what, got, want)
		}
	}
}
