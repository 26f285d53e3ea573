package handlers_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"tolem/config"
	"tolem/handlers"
	"tolem/signing"
	"tolem/store"
	"tolem/testkit"
	"tolem/topup"
)

func TestAPayinIsCreatedAsItWasAskedFor(t *testing.T) {
	r := newPayinRig(t)
	a := r.createWith("order-1", payinBody)
	got := a.json(t)
	id, _ := got["payment_id"].(string)
	for name, want := range map[string]any{
		"provider": "highhelp", "project_id": hhProject, "customer_id": "7011112233", "entity_id": "e1", "amount": 1500000.0, "currency": "KZT",
		"status": "pending", "credited": nil, "provider_status": "processing:new", "form_url": "https://ppage.example.kz/widget/" + id,
		"redirect_url": "https://shop.example.kz/order/1", "expires_at": "2026-11-21T12:05:00Z", "method": "kz-bank-transfer",
		"payment_method": "payin-p2p-card-international", "entity_number": "N-1", "provider_reference": "req-" + id,
	} {
		if got[name] != want {
			t.Errorf("%s: got %v, want %v", name, got[name], want)
		}
	}
	if a.status != http.StatusCreated || a.header.Get("Content-Type") != "application/json" || len(got["flags"].([]any)) != 0 {
		t.Errorf("got %d %s", a.status, a.body)
	}
	sent := r.provider.made("payin")
	if len(sent) != 1 {
		t.Fatalf("%d requests were sent", len(sent))
	}
	want := `{"general":{"project_id":"` + hhProject + `","payment_id":"` + id + `","merchant_callback_url":"https://pay.example.kz/highhelp/alerts","merchant_success_callback_url":"https://pay.example.kz/highhelp/alerts","merchant_decline_callback_url":"https://pay.example.kz/highhelp/alerts","redirect_url":"https://shop.example.kz/order/1"},` +
		`"payment":{"amount":1500000,"currency":"KZT","lifetime":300,"description":"An order","extra_param":"example","widget_method":"payin-p2p-card-international"},` +
		`"sender":{"bank_symbol":"kaspi-kzt"},"customer":{"id":"cus_12345","ip_address":"192.0.2.1","country":"KZ","language":"kk","customer_type":"ftd","email":"customer@example.com"}}`
	if sent[0].body != want {
		t.Errorf("sent\n     %s\nwant %s", sent[0].body, want)
	}
	signer, err := signing.NewHMACSigner(requestSecret)
	if err != nil {
		t.Fatal(err)
	}
	signature, err := signer.Sign([]byte(sent[0].body), sent[0].header.Get("x-access-timestamp"), signing.DefaultRequestDialect())
	if err != nil || sent[0].header.Get("x-access-signature") != signature {
		t.Errorf("the signature is not of what was sent: %v", err)
	}
	// What is stored is the same, and seen through each of the routes.
	for _, path := range []string{"/api/v1/payins/", "/api/v1/payments/"} {
		seen := r.ask(http.MethodGet, path+id, "").json(t)
		for _, name := range []string{"payment_id", "provider", "project_id", "amount", "status", "provider_status", "provider_reference"} {
			if seen[name] != got[name] {
				t.Errorf("%s%s: got %v, want %v", path, name, seen[name], got[name])
			}
		}
	}
	if r.payin(id)["form_url"] != got["form_url"] {
		t.Error("the form's URL is not stored")
	}
	if found := r.ask(http.MethodGet, "/api/v1/payments?flag=outcome_unknown", ""); !strings.Contains(found.body, `"payments":[]`) {
		t.Errorf("flagged: %s", found.body)
	}
	r.checked()
}

func TestEachOfTheFourMethodsIsCreatedAndCredited(t *testing.T) {
	r := newPayinRig(t)
	for _, tc := range []struct{ body, customer, currency, name string }{
		{payinBody, "7011112233", "KZT", "kz-bank-transfer"},
		{mobileBody, "7011112233", "KZT", "kz-mobile"},
		{testkit.Edit(t, plainPayin("KGS", 1500000), `"currency"`, `"widget_method":"payin-qr-link-p2p","currency"`), "9961112233", "KGS", "kg-bank-transfer"},
		{testkit.Edit(t, plainPayin("TJS", 1500000), `"currency"`, `"widget_method":"payin-p2p-phone","currency"`), "9921112233", "TJS", "tj-bank-transfer"},
	} {
		before := r.balance(tc.customer)
		id := r.open(tc.body)
		if got := r.payin(id)["method"]; got != tc.name {
			t.Errorf("%s: got method %v", tc.name, got)
		}
		r.accepted(alertBody(id, "success", "", 1500000, tc.currency))
		if got := r.balance(tc.customer) - before; got != 1500000 {
			t.Errorf("%s: credited %d", tc.name, got)
		}
	}
	r.checked()
}

func TestWhatBreaksARuleIsRefusedByNameAndNothingIsSent(t *testing.T) {
	r := newPayinRig(t)
	long := strings.Repeat("a", 256)
	for name, tc := range map[string]struct {
		body   string
		status int
		field  string
	}{
		"not JSON":                   {`{`, 400, ""},
		"two objects":                {payinBody + payinBody, 400, ""},
		"a list":                     {`[]`, 422, "body"},
		"an unknown member":          {testkit.Edit(t, payinBody, `"entity_id"`, `"colour":1,"entity_id"`), 422, "colour"},
		"an unknown member, inside":  {testkit.Edit(t, payinBody, `"payer":{`, `"payer":{"name":"x",`), 422, "payer.name"},
		"an odd member":              {testkit.Edit(t, payinBody, `"entity_id"`, `"<x>":1,"entity_id"`), 422, "body"},
		"a member twice":             {testkit.Edit(t, payinBody, `"entity_id"`, `"amount":1,"entity_id"`), 422, "amount"},
		"a member in capitals":       {testkit.Edit(t, payinBody, `"amount"`, `"Amount"`), 422, "Amount"},
		"amount as text":             {testkit.Edit(t, payinBody, `1500000`, `"1500000"`), 422, "amount"},
		"amount a fraction":          {testkit.Edit(t, payinBody, `1500000`, `1500000.5`), 422, "amount"},
		"amount an exponent":         {testkit.Edit(t, payinBody, `1500000`, `1e6`), 422, "amount"},
		"amount zero":                {testkit.Edit(t, payinBody, `1500000`, `0`), 422, "amount"},
		"amount negative":            {testkit.Edit(t, payinBody, `1500000`, `-1`), 422, "amount"},
		"amount too large":           {testkit.Edit(t, payinBody, `1500000`, `10000000000001`), 422, "amount"},
		"amount above our maximum":   {testkit.Edit(t, payinBody, `1500000`, `10000000001`), 422, "amount"},
		"amount below the minimum":   {testkit.Edit(t, payinBody, `1500000`, `99`), 422, "amount"},
		"amount overflowing":         {testkit.Edit(t, payinBody, `1500000`, `99999999999999999999`), 422, "amount"},
		"currency in small letters":  {testkit.Edit(t, payinBody, `"KZT"`, `"kzt"`), 422, "currency"},
		"currency nobody has":        {testkit.Edit(t, payinBody, `"KZT"`, `"USD"`), 422, "currency"},
		"currency of another":        {testkit.Edit(t, plainPayin("KGS", 700), "9961112233", "7011112233"), 422, "currency"},
		"country of another":         {testkit.Edit(t, payinBody, `"country":"KZ"`, `"country":"KG"`), 422, "payer.country"},
		"widget method of another":   {testkit.Edit(t, payinBody, `payin-p2p-card-international`, `payin-qr-link-p2p`), 422, "widget_method"},
		"sender with mobile":         {testkit.Edit(t, mobileBody, `"payer"`, `"sender":{"bank_symbol":"kaspi-kzt"},"payer"`), 422, "sender.bank_symbol"},
		"customer type with mobile":  {testkit.Edit(t, mobileBody, `"country":"KZ"`, `"country":"KZ","customer_type":"ftd"`), 422, "payer.customer_type"},
		"customer type":              {testkit.Edit(t, payinBody, `"ftd"`, `"vip"`), 422, "payer.customer_type"},
		"payer without an id":        {testkit.Edit(t, payinBody, `"id":"cus_12345",`, ``), 422, "payer.id"},
		"payer's id too long":        {testkit.Edit(t, payinBody, `cus_12345`, long), 422, "payer.id"},
		"payer without an address":   {testkit.Edit(t, payinBody, `"ip_address":"192.0.2.1",`, ``), 422, "payer.ip_address"},
		"payer's address":            {testkit.Edit(t, payinBody, `192.0.2.1`, `192.0.2.256`), 422, "payer.ip_address"},
		"payer's country":            {testkit.Edit(t, payinBody, `"country":"KZ"`, `"country":"kz"`), 422, "payer.country"},
		"payer's language":           {testkit.Edit(t, payinBody, `"kk"`, `"KK"`), 422, "payer.language"},
		"payer's e-mail":             {testkit.Edit(t, payinBody, `customer@example.com`, `customer`), 422, "payer.email"},
		"no payer":                   {`{"customer_id":"7011112233","entity_id":"e1","amount":1,"currency":"KZT","project_id":"` + hhProject + `"}`, 422, "payer.id"},
		"bank too long":              {testkit.Edit(t, payinBody, `kaspi-kzt`, long), 422, "sender.bank_symbol"},
		"lifetime too short":         {testkit.Edit(t, payinBody, `"lifetime":300`, `"lifetime":299`), 422, "lifetime"},
		"lifetime too long":          {testkit.Edit(t, payinBody, `"lifetime":300`, `"lifetime":601`), 422, "lifetime"},
		"description too long":       {testkit.Edit(t, payinBody, `An order`, long), 422, "description"},
		"extra_param":                {testkit.Edit(t, payinBody, `"extra_param":"example"`, `"extra_param":"a b"`), 422, "extra_param"},
		"redirect over http":         {testkit.Edit(t, payinBody, `https://shop`, `http://shop`), 422, "redirect_url"},
		"no customer":                {testkit.Edit(t, payinBody, `"customer_id":"7011112233",`, ``), 422, "customer_id"},
		"no contract":                {testkit.Edit(t, payinBody, `"entity_id":"e1",`, ``), 422, "entity_id"},
		"customer with a space":      {testkit.Edit(t, payinBody, `7011112233`, `701 111`), 422, "customer_id"},
		"a closed contract":          {testkit.Edit(t, payinBody, `"e1"`, `"shut"`), 422, "entity_id"},
		"an unknown contract":        {testkit.Edit(t, payinBody, `"e1"`, `"e2"`), 404, ""},
		"an unknown account":         {testkit.Edit(t, payinBody, `7011112233`, `7000000000`), 404, ""},
		"a closed account":           {testkit.Edit(t, payinBody, `7011112233`, `closed`), 404, ""},
		"an unknown project":         {testkit.Edit(t, payinBody, hhProject, "another"), 422, "project_id"},
		"no project, two configured": {testkit.Edit(t, payinBody, `"project_id":"`+hhProject+`",`, ``), 422, "project_id"},
		"a project as number":        {testkit.Edit(t, payinBody, `"`+hhProject+`"`, `1`), 422, "project_id"},
	} {
		a := r.createWith("", tc.body)
		problem := a.json(t)
		field, _ := problem["field"].(string)
		if a.status != tc.status || field != tc.field || a.header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s: got %d %s", name, a.status, a.body)
		}
	}
	if got := r.createWith("", `{"x":"`+strings.Repeat("a", 1<<20)+`"}`); got.status != http.StatusRequestEntityTooLarge {
		t.Errorf("too large: got %d", got.status)
	}
	for _, key := range []string{" ", "a b", long, "ключ"} {
		request := r.request(http.MethodPost, r.admin.URL+"/api/v1/payins", payinBody)
		request.Header.Set("Authorization", "Bearer "+shopToken)
		request.Header["Idempotency-Key"] = []string{key}
		if got := r.do(request); got.status != 422 || got.json(t)["field"] != "Idempotency-Key" {
			t.Errorf("key %q: got %d %s", key, got.status, got.body)
		}
	}
	if sent := r.provider.made("payin"); len(sent) != 0 {
		t.Errorf("%d requests were sent", len(sent))
	}
	if found, _, err := r.store.Payments(t.Context(), store.PaymentFilter{}); err != nil || len(found) != 0 {
		t.Errorf("%d payments were opened, %v", len(found), err)
	}
}

func TestAProjectMayBeLeftOutWhereThereIsOne(t *testing.T) {
	r := newPayinRig(t, oneProject)
	id := r.open(testkit.Edit(t, payinBody, `"project_id":"`+hhProject+`",`, ``))
	if got := r.payment(id).Project; got != hhProject {
		t.Errorf("got %s", got)
	}
	none := newPayinRig(t, func(c *config.Config, _ *store.Options) { c.HighHelp.Projects = nil })
	if got := none.createWith("", payinBody); got.status != 422 || got.json(t)["field"] != "project_id" {
		t.Errorf("without HighHelp: got %d %s", got.status, got.body)
	}
	if got := none.alert(alertBody("x", "success", "", 1, "KZT")); got.status != http.StatusUnauthorized {
		t.Errorf("without HighHelp, an alert: got %d %s", got.status, got.body)
	}
}

func TestTheSameKeyAgainIsTheSameAnswer(t *testing.T) {
	r := newPayinRig(t)
	first := r.createWith("k", payinBody)
	if first.status != http.StatusCreated {
		t.Fatalf("got %d %s", first.status, first.body)
	}
	var spread map[string]any
	if err := json.Unmarshal([]byte(payinBody), &spread); err != nil {
		t.Fatal(err)
	}
	other, err := json.MarshalIndent(spread, " ", "  ") // other order and white space
	if err != nil {
		t.Fatal(err)
	}
	for _, body := range []string{payinBody, string(other)} {
		again := r.createWith("k", body)
		if again.status != http.StatusCreated || again.body != first.body || again.header.Get("Idempotency-Replayed") != "true" {
			t.Errorf("again: got %d %s", again.status, again.body)
		}
	}
	for _, body := range []string{testkit.Edit(t, payinBody, "1500000", "1500001"), testkit.Edit(t, payinBody, "cus_12345", "cus_2"), testkit.Edit(t, payinBody, `"lifetime":300,`, ``)} {
		if got := r.createWith("k", body); got.status != 422 || got.json(t)["field"] != "Idempotency-Key" {
			t.Errorf("another body: got %d %s", got.status, got.body)
		}
	}
	// Also when the account has been closed since.
	r.putAccount(`{"customer_id":"7011112233","additional_customer_id":"KZ","currency":"KZT","closed":true,"entities":[{"id":"e1","number":"N-1"}]}`)
	if got := r.createWith("k", payinBody); got.body != first.body {
		t.Errorf("the account is closed: got %d %s", got.status, got.body)
	}
	if got := r.createWith("k2", payinBody); got.status != http.StatusNotFound {
		t.Errorf("a fresh key: got %d", got.status)
	}
	if sent := r.provider.made("payin"); len(sent) != 1 {
		t.Errorf("%d requests were sent, want 1", len(sent))
	}
	// A key belongs to its token.
	r.putAccount(`{"customer_id":"7011112233","additional_customer_id":"KZ","currency":"KZT","entities":[{"id":"e1","number":"N-1"}]}`)
	request := r.request(http.MethodPost, r.admin.URL+"/api/v1/payins", payinBody)
	request.Header.Set("Authorization", "Bearer "+adminToken)
	request.Header.Set("Idempotency-Key", "k")
	if got := r.do(request); got.status != http.StatusCreated || got.body == first.body {
		t.Errorf("another token: got %d %s", got.status, got.body)
	}
}

func TestWhileARequestRunsItsKeyIsTaken(t *testing.T) {
	r := newPayinRig(t)
	arrived, release := make(chan struct{}), make(chan struct{})
	r.provider.answer("payin", func(w http.ResponseWriter, q *http.Request) {
		body, _ := io.ReadAll(q.Body)
		close(arrived)
		<-release
		io.WriteString(w, flat(nameIn(string(body)), "processing", "new", ""))
	})
	first := make(chan answer, 1)
	go func() { first <- r.createWith("k", payinBody) }()
	<-arrived
	if got := r.createWith("k", payinBody); got.status != http.StatusConflict || got.json(t)["payment_id"] == nil {
		t.Errorf("got %d %s, want 409", got.status, got.body)
	}
	close(release)
	if got := <-first; got.status != http.StatusCreated || r.createWith("k", payinBody).body != got.body {
		t.Errorf("got %d %s", got.status, got.body)
	}
}

func TestOfTwoEqualRequestsAtOnceOneIsSent(t *testing.T) {
	r := newPayinRig(t)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if got := r.createWith("k", payinBody); got.status != http.StatusCreated && got.status != http.StatusConflict {
				t.Errorf("got %d %s", got.status, got.body)
			}
		})
	}
	wg.Wait()
	if sent := r.provider.made("payin"); len(sent) != 1 {
		t.Errorf("%d requests were sent, want 1", len(sent))
	}
}

func TestAnAlertCannotOvertakeItsPayment(t *testing.T) {
	r := newPayinRig(t)
	r.provider.answer("payin", func(w http.ResponseWriter, q *http.Request) {
		body, _ := io.ReadAll(q.Body)
		id := nameIn(string(body))
		if got := r.alert(alertBody(id, "success", "", 1500000, "KZT")); got.status != http.StatusOK {
			t.Errorf("alert: got %d", got.status)
		}
		io.WriteString(w, flat(id, "processing", "new", ""))
	})
	id := r.open(payinBody)
	if p := r.payment(id); p.Status != topup.StatusSucceeded || p.Flags != 0 || r.balance("7011112233") != 1500000 {
		t.Errorf("got %s %v", p.Status, p.Flags.Names())
	}
	if got := r.payin(id)["form_url"]; got == nil {
		t.Error("the form's URL is lost")
	}
	r.checked()
}

// watched lets the watch look until the payment has a status.
func (r *payinRig) watched(id string, want topup.Status) {
	r.t.Helper()
	for range 12 {
		r.clock.Add(2 * time.Minute)
		r.server.Watcher().Round(r.t.Context())
		if r.payment(id).Status == want {
			return
		}
	}
	r.t.Errorf("payment %s is %s, want %s", id, r.payment(id).Status, want)
}

func TestAProviderThatFailsIsAnsweredAndThePaymentEndsInItsTrueState(t *testing.T) {
	hang := func(w http.ResponseWriter, q *http.Request) {
		_, _ = io.ReadAll(q.Body)
		<-q.Context().Done()
	}
	for name, create := range map[string]http.HandlerFunc{
		"slow":                     hang,
		"cut off":                  cutOff,
		"a failure of its own":     withStatus(500, `oops`),
		"a gateway's failure":      withStatus(502, `<html>`),
		"garbage":                  withStatus(200, `<html>CANARYgarbage</html>`),
		"nothing":                  withStatus(200, ``),
		"a redirect":               func(w http.ResponseWriter, q *http.Request) { http.Redirect(w, q, "/elsewhere", http.StatusFound) },
		"about another payment":    withStatus(200, flat("other", "processing", "new", "")),
		"more than can be read":    withStatus(200, `{"status":"`+strings.Repeat("a", 2<<20)+`"}`),
		"headers without an end":   func(w http.ResponseWriter, q *http.Request) { w.WriteHeader(200); w.(http.Flusher).Flush(); hang(w, q) },
		"a conflict: created once": withStatus(409, `{"status":"error","status_description":"exists"}`),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, truth := range []struct {
				info   http.HandlerFunc
				status topup.Status
				paid   int64
			}{
				{nil, topup.StatusSucceeded, 1500000},                            // created, and paid
				{withStatus(404, `{"status":"error"}`), topup.StatusDeclined, 0}, // never created
				{withStatus(200, "decline"), topup.StatusDeclined, 0},            // created, and declined
				{withStatus(200, "processing"), topup.StatusPending, 0},          // created, and open
				{withStatus(503, `down`), topup.StatusPending, 0},                // nobody can say
			} {
				r := newPayinRig(t, slow)
				r.provider.answer("payin", create)
				switch {
				case truth.info == nil:
					r.provider.says("success", "", 1500000, "KZT")
				case truth.paid == 0 && truth.status == topup.StatusPending || truth.status == topup.StatusDeclined:
					r.provider.answer("info", func(w http.ResponseWriter, q *http.Request) {
						probe := &capture{header: http.Header{}}
						truth.info(probe, q)
						if probe.status != 200 {
							truth.info(w, q)
							return
						}
						body, _ := io.ReadAll(q.Body)
						io.WriteString(w, info(nameIn(string(body)), probe.body.String(), "", 1500000, "KZT"))
					})
				}
				started := time.Now()
				a := r.createWith("k", payinBody)
				if took := time.Since(started); took > 5*time.Second {
					t.Errorf("took %s", took)
				}
				problem := a.json(t)
				id, _ := problem["payment_id"].(string)
				if a.status != http.StatusGatewayTimeout || id == "" || strings.Contains(a.body, "CANARY") {
					t.Fatalf("got %d %s", a.status, a.body)
				}
				if p := r.payment(id); p.Status != topup.StatusPending || p.Flags != topup.FlagOutcomeUnknown {
					t.Errorf("until then: got %s %v", p.Status, p.Flags.Names())
				}
				if got := r.createWith("k", testkit.Edit(t, payinBody, "1500000", "1")); got.status != 422 {
					t.Errorf("the key with another body: got %d", got.status)
				}
				r.watched(id, truth.status)
				if got := r.balance("7011112233"); got != truth.paid {
					t.Errorf("credited %d, want %d", got, truth.paid)
				}
				again := r.createWith("k", payinBody)
				if got := again.json(t); again.status != http.StatusOK || got["payment_id"] != id || got["status"] != string(truth.status) {
					t.Errorf("the same key again: got %d %s", again.status, again.body)
				}
				flags := r.payment(id).Flags
				if nobodyKnows := truth.status == topup.StatusPending && truth.info != nil && r.payin(id)["form_url"] == nil; flags.Has(topup.FlagOutcomeUnknown) != nobodyKnows {
					t.Errorf("flags: got %v", flags.Names())
				}
				if sent := r.provider.made("payin"); len(sent) != 1 {
					t.Errorf("%d requests were sent, want 1", len(sent))
				}
				r.checked()
			}
		})
	}
}

// capture keeps what a handler answers.
type capture struct {
	header http.Header
	status int
	body   strings.Builder
}

func (c *capture) Header() http.Header { return c.header }

func (c *capture) WriteHeader(status int) { c.status = status }

func (c *capture) Write(p []byte) (int, error) { return c.body.Write(p) }

func TestWhatTheProviderRefusesIsDeclinedAndSaidSo(t *testing.T) {
	for name, tc := range map[string]struct {
		answer http.HandlerFunc
		detail string
		again  int // status of the same request again
	}{
		"HTTP 400":           {withStatus(400, `{"status":"error","sub_status":null,"status_description":"No such bank"}`), "No such bank", 502},
		"HTTP 401":           {withStatus(401, `no`), "HTTP status 401", 502},
		"HTTP 422":           {withStatus(422, `{"status":"error","status_description":"Bad\u0000 `+strings.Repeat("x", 900)+`"}`), "Bad x", 502},
		"an answer of error": {withStatus(200, `{"status":"error","sub_status":null,"status_description":"Limit","project_id":"`+hhProject+`"}`), "Limit", 502},
		"a decline":          {withStatus(200, `{"status":"decline","status_description":"Declined by anti-fraud"}`), "Declined by anti-fraud", 502},
	} {
		t.Run(name, func(t *testing.T) {
			r := newPayinRig(t)
			r.provider.answer("payin", tc.answer)
			a := r.createWith("k", payinBody)
			problem := a.json(t)
			id, _ := problem["payment_id"].(string)
			detail, _ := problem["detail"].(string)
			if a.status != http.StatusBadGateway || !strings.Contains(detail, tc.detail) || len(detail) > 400 || id == "" {
				t.Fatalf("got %d %s", a.status, a.body)
			}
			if p := r.payment(id); p.Status != topup.StatusDeclined || p.Flags != 0 {
				t.Errorf("got %s %v", p.Status, p.Flags.Names())
			}
			again := r.createWith("k", payinBody)
			if again.status != tc.again || again.body != a.body || again.header.Get("Content-Type") != "application/problem+json" {
				t.Errorf("again: got %d %s", again.status, again.body)
			}
			if got := r.provider.made("payin"); len(got) != 1 {
				t.Errorf("%d requests were sent", len(got))
			}
			// Money that comes all the same is not lost.
			r.accepted(alertBody(id, "success", "", 1500000, "KZT"))
			if p := r.payment(id); p.Status != topup.StatusSucceeded || p.Flags != topup.FlagLate {
				t.Errorf("afterwards: got %s %v", p.Status, p.Flags.Names())
			}
			r.checked()
		})
	}
}

func TestAProviderThatIsDownLeavesNothingToWaitForAndTheKeyFree(t *testing.T) {
	r := newPayinRig(t, slow)
	address := r.provider.server.Listener.Addr().String()
	r.provider.server.Close()
	a := r.createWith("k", payinBody)
	id, _ := a.json(t)["payment_id"].(string)
	if a.status != http.StatusBadGateway || id == "" || !strings.Contains(a.body, "nothing was sent") {
		t.Fatalf("got %d %s", a.status, a.body)
	}
	if p := r.payment(id); p.Status != topup.StatusDeclined {
		t.Errorf("got %s", p.Status)
	}
	if strings.Contains(r.logs.String(), "customer@example.com") || !strings.Contains(r.logs.String(), id) {
		t.Errorf("log: %s", r.logs.String())
	}
	again := r.createWith("k", payinBody)
	if other := again.json(t)["payment_id"]; again.status != http.StatusBadGateway || other == id {
		t.Errorf("again, at %s: got %d %s", address, again.status, again.body)
	}
}

func TestTooManyRequestsAtOnceAreRefusedAndNotKept(t *testing.T) {
	r := newPayinRig(t, func(c *config.Config, _ *store.Options) { c.HighHelp.Timeout = 5 * time.Second })
	release := make(chan struct{})
	r.provider.answer("payin", func(w http.ResponseWriter, q *http.Request) {
		body, _ := io.ReadAll(q.Body)
		<-release
		io.WriteString(w, flat(nameIn(string(body)), "processing", "new", ""))
	})
	answers := make(chan answer, 40)
	for range cap(answers) {
		go func() { answers <- r.createWith("", payinBody) }()
	}
	busy := <-answers // nobody else can be answered yet
	close(release)
	if busy.status != http.StatusServiceUnavailable || busy.header.Get("Retry-After") == "" {
		t.Errorf("got %d %s", busy.status, busy.body)
	}
	if got := r.ask(http.MethodGet, "/readyz", ""); got.status != http.StatusOK {
		t.Errorf("the server itself: got %d", got.status)
	}
	for range cap(answers) - 1 {
		<-answers
	}
	r.checked()
}

func TestACrashBetweenOpeningAndTheAnswerForgetsNothing(t *testing.T) {
	r := newPayinRig(t)
	// What a server that died there has left behind.
	key := store.IdempotencyKey{Token: "shop", Key: "k", Hash: handlers.PayinHash([]byte(payinBody))}
	id, _, err := r.store.OpenPayin(t.Context(), "7011112233", key, func(a *topup.Account) (store.NewPayin, error) {
		return store.NewPayin{
			Project: hhProject, CustomerID: a.CustomerID, ContractID: "e1", ContractNumber: "N-1", Money: topup.Money{Amount: 1500000, Currency: a.Currency},
			Lifetime: 5 * time.Minute, AnsweredWithin: 25 * time.Second,
		}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := r.createWith("k", payinBody); got.status != http.StatusConflict || got.json(t)["payment_id"] == nil {
		t.Errorf("at once: got %d %s", got.status, got.body)
	}
	r.server.Watcher().Round(t.Context())
	if calls := r.provider.made("info"); len(calls) != 0 {
		t.Error("it was asked about before the time-out")
	}
	if got := r.askAs(shopToken, http.MethodGet, "/api/v1/payins/"+id+"?refresh=true", ""); got.status != http.StatusOK || len(r.provider.made("info")) != 0 {
		t.Errorf("refreshed at once: got %d %s", got.status, got.body)
	}
	r.provider.says("processing", "requisites", 1500000, "KZT")
	r.clock.Add(30 * time.Second)
	again := r.createWith("k", payinBody)
	if got := again.json(t); again.status != http.StatusOK || got["payment_id"] != id || got["form_url"] != "https://ppage.example.kz/widget/"+id {
		t.Errorf("afterwards: got %d %s", again.status, again.body)
	}
	r.provider.says("success", "", 1500000, "KZT")
	r.watched(id, topup.StatusSucceeded)
	if got := r.payment(id).Flags; got != 0 {
		t.Errorf("got %v", got.Names())
	}
	r.checked()
}

func TestAResultThatWasAskedForMakesTheAlertARepeat(t *testing.T) {
	r := newPayinRig(t)
	id := r.open(payinBody)
	r.provider.says("success", "", 1400000, "KZT")
	a := r.askAs(shopToken, http.MethodGet, "/api/v1/payins/"+id+"?refresh=true", "")
	if got := a.json(t); a.status != http.StatusOK || got["status"] != "succeeded" || got["credited"].(map[string]any)["amount"] != 1400000.0 {
		t.Fatalf("got %d %s", a.status, a.body)
	}
	r.accepted(alertBody(id, "success", "", 1400000, "KZT"))
	if got := r.balance("7011112233"); got != 1400000 {
		t.Errorf("credited %d", got)
	}
	timeline, err := r.store.Timeline(t.Context(), r.payment(id))
	if err != nil {
		t.Fatal(err)
	}
	var what []string
	for _, entry := range timeline {
		if entry.Message != nil {
			what = append(what, string(entry.Message.Disposition))
		}
	}
	if fmt.Sprint(what) != "[credited repeat]" {
		t.Errorf("got %v", what)
	}
	// A payment that succeeded is not asked about.
	before := len(r.provider.made("info"))
	r.askAs(shopToken, http.MethodGet, "/api/v1/payins/"+id+"?refresh=true", "")
	if len(r.provider.made("info")) != before {
		t.Error("it was asked about again")
	}
	if metrics := r.askAs("", http.MethodGet, "/metrics", "").body; !strings.Contains(metrics, `tolem_credits_total{project="`+hhProject+`"} 1`) ||
		!strings.Contains(metrics, `tolem_provider_calls_total{op="info",outcome="ok",provider="highhelp"} 1`) ||
		!strings.Contains(metrics, `tolem_watch_looks_total{outcome="result",provider="highhelp"} 1`) {
		t.Errorf("metrics: %s", metrics)
	}
	r.checked()
}

func TestARefreshThatBringsNothingSaysSo(t *testing.T) {
	r := newPayinRig(t, slow)
	id := r.open(payinBody)
	path := "/api/v1/payins/" + id + "?refresh=true"
	for name, tc := range map[string]struct {
		info   http.HandlerFunc
		status int
	}{
		"cut off":   {cutOff, 504},
		"refused":   {withStatus(403, `{"status":"error","status_description":"Not allowed"}`), 502},
		"not known": {withStatus(404, ``), 502},
	} {
		r.provider.answer("info", tc.info)
		if got := r.askAs(shopToken, http.MethodGet, path, ""); got.status != tc.status || got.json(t)["payment_id"] != id {
			t.Errorf("%s: got %d %s", name, got.status, got.body)
		}
		if p := r.payment(id); p.Status != topup.StatusPending || p.Flags != 0 {
			t.Errorf("%s: got %s %v", name, p.Status, p.Flags.Names())
		}
	}
	for path, want := range map[string]int{
		"/api/v1/payins/" + id + "?refresh=maybe": 422, "/api/v1/payins/" + id + "?colour=1": 422, "/api/v1/payins/" + id + "?refresh=false": 200,
		"/api/v1/payins/nothing": 404, "/api/v1/payins/" + r.issue(): 404,
	} {
		if got := r.askAs(shopToken, http.MethodGet, path, ""); got.status != want {
			t.Errorf("%s: got %d %s", path, got.status, got.body)
		}
	}
}

func TestConfirmAndCancelOnceUnderAKey(t *testing.T) {
	for _, op := range []string{"confirm", "cancel"} {
		t.Run(op, func(t *testing.T) {
			r := newPayinRig(t, slow)
			id := r.open(mobileBody)
			steer := func(key string) answer {
				t.Helper()
				request := r.request(http.MethodPost, r.merchant.URL+"/api/v1/payins/"+id+"/"+op, "")
				request.Header.Set("Authorization", "Bearer "+shopToken)
				request.Header.Set("Idempotency-Key", key)
				return r.do(request)
			}
			first, again := steer("k1"), steer("k1")
			if first.status != http.StatusAccepted || again.status != http.StatusAccepted || again.body != first.body || again.header.Get("Idempotency-Replayed") != "true" {
				t.Errorf("got %d %s, then %d %s", first.status, first.body, again.status, again.body)
			}
			r.provider.answer(op, withStatus(409, `{"status":"error","status_description":"Too early"}`))
			refused, same := steer("k2"), steer("k2")
			if refused.status != http.StatusBadGateway || same.status != http.StatusBadGateway || same.body != refused.body {
				t.Errorf("refused: got %d %s, then %d %s", refused.status, refused.body, same.status, same.body)
			}
			r.provider.answer(op, cutOff)
			if unknown, now := steer("k3"), steer("k3"); unknown.status != http.StatusGatewayTimeout || now.status != http.StatusOK || now.json(t)["payment_id"] != id {
				t.Errorf("cut off: got %d %s, then %d %s", unknown.status, unknown.body, now.status, now.body)
			}
			if sent := r.provider.made(op); len(sent) != 3 {
				t.Errorf("sent %d requests, want one a key", len(sent))
			}
			if got := r.createWith("k1", payinBody); got.status != http.StatusUnprocessableEntity {
				t.Errorf("another request under the key: got %d %s", got.status, got.body)
			}
			// The result is there: what was answered is answered still.
			r.accepted(alertBody(id, "success", "", 1500000, "KZT"))
			if got := steer("k1"); got.body != first.body {
				t.Errorf("after the result: got %d %s", got.status, got.body)
			}
		})
	}
}

func TestConfirmAndCancelArePassedOn(t *testing.T) {
	for _, op := range []string{"confirm", "cancel"} {
		t.Run(op, func(t *testing.T) {
			r := newPayinRig(t, slow)
			mobile, transfer := r.open(mobileBody), r.open(payinBody)
			path := func(id string) string { return "/api/v1/payins/" + id + "/" + op }
			a := r.askAs(shopToken, http.MethodPost, path(mobile), "")
			if got := a.json(t); a.status != http.StatusAccepted || got["payment_id"] != mobile || got["status"] != "pending" {
				t.Errorf("got %d %s", a.status, a.body)
			}
			if sent := r.provider.made(op); len(sent) != 1 || nameIn(sent[0].body) != mobile {
				t.Errorf("sent %v", sent)
			}
			if p := r.payment(mobile); p.Status != topup.StatusPending || p.ProviderStatus != "processing:new" {
				t.Errorf("got %+v", p)
			}
			if got := r.askAs(shopToken, http.MethodPost, path(transfer), ""); got.status != http.StatusConflict || !strings.Contains(got.body, "has no "+op) {
				t.Errorf("a bank transfer: got %d %s", got.status, got.body)
			}
			if got := r.askAs(shopToken, http.MethodPost, path("nothing"), ""); got.status != http.StatusNotFound {
				t.Errorf("unknown: got %d", got.status)
			}
			r.provider.answer(op, withStatus(409, `{"status":"error","status_description":"Too early"}`))
			if got := r.askAs(shopToken, http.MethodPost, path(mobile), ""); got.status != http.StatusBadGateway || !strings.Contains(got.body, "Too early") {
				t.Errorf("refused: got %d %s", got.status, got.body)
			}
			r.provider.answer(op, cutOff)
			if got := r.askAs(shopToken, http.MethodPost, path(mobile), ""); got.status != http.StatusGatewayTimeout || got.json(t)["payment_id"] != mobile {
				t.Errorf("cut off: got %d %s", got.status, got.body)
			}
			if p := r.payment(mobile); p.Flags != 0 {
				t.Errorf("got %v", p.Flags.Names())
			}
			r.accepted(alertBody(mobile, "success", "", 1500000, "KZT"))
			if got := r.askAs(shopToken, http.MethodPost, path(mobile), ""); got.status != http.StatusConflict {
				t.Errorf("after the result: got %d %s", got.status, got.body)
			}
			r.server.Drain()
			if got := r.askAs(shopToken, http.MethodPost, path(mobile), ""); got.status != http.StatusServiceUnavailable {
				t.Errorf("draining: got %d", got.status)
			}
		})
	}
}

func TestARoleMayDoWhatItMay(t *testing.T) {
	r := newPayinRig(t)
	id := r.open(mobileBody)
	type ask struct{ method, path, body string }
	create := ask{http.MethodPost, "/api/v1/payins", plainPayin("TJS", 100)}
	get := ask{http.MethodGet, "/api/v1/payins/" + id, ""}
	refresh := ask{http.MethodGet, "/api/v1/payins/" + id + "?refresh=true", ""}
	confirm := ask{http.MethodPost, "/api/v1/payins/" + id + "/confirm", ""}
	account := ask{http.MethodGet, "/api/v1/accounts/7011112233", ""}
	payment := ask{http.MethodGet, "/api/v1/payments/" + id, ""}
	nowhere := ask{http.MethodGet, "/api/v1/nowhere", ""}
	for name, tc := range map[string]struct {
		token           string
		admin, merchant map[ask]int
	}{
		"admin": {adminToken,
			map[ask]int{create: 201, get: 200, refresh: 200, confirm: 202, account: 200, payment: 200, nowhere: 404},
			map[ask]int{create: 201, get: 200, refresh: 200, confirm: 202, account: 404, payment: 404, nowhere: 404}},
		"merchant": {shopToken,
			map[ask]int{create: 201, get: 200, refresh: 200, confirm: 202, account: 403, payment: 403, nowhere: 403},
			map[ask]int{create: 201, get: 200, refresh: 200, confirm: 202, account: 403, payment: 403, nowhere: 403}},
		"read": {readToken,
			map[ask]int{create: 403, get: 200, refresh: 403, confirm: 403, account: 200, payment: 200, nowhere: 404},
			map[ask]int{create: 403, get: 200, refresh: 403, confirm: 403, account: 404, payment: 404, nowhere: 404}},
		"nobody": {"",
			map[ask]int{create: 401, get: 401, refresh: 401, confirm: 401, account: 401, nowhere: 401},
			map[ask]int{create: 401, get: 401, refresh: 401, confirm: 401, account: 401, nowhere: 401, {http.MethodGet, "/metrics", ""}: 401}},
	} {
		for side, listener := range map[string]struct {
			url  string
			asks map[ask]int
		}{"admin": {r.admin.URL, tc.admin}, "merchant": {r.merchant.URL, tc.merchant}} {
			for q, want := range listener.asks {
				request := r.request(q.method, listener.url+q.path, q.body)
				if tc.token != "" {
					request.Header.Set("Authorization", "Bearer "+tc.token)
				}
				if got := r.do(request); got.status != want {
					t.Errorf("%s on the %s listener, %s %s: got %d, want %d", name, side, q.method, q.path, got.status, want)
				}
			}
		}
	}
	if got := r.do(r.request(http.MethodPost, r.merchant.URL+"/highhelp/alerts", "{}")); got.status != http.StatusUnauthorized {
		t.Errorf("alerts on the merchant listener: got %d", got.status)
	}
	if got := r.do(r.request(http.MethodPost, r.public.URL+"/api/v1/payins", payinBody)); got.status != http.StatusNotFound {
		t.Errorf("pay-ins on the public listener: got %d", got.status)
	}
}

func TestNoNewPayinsWhileDraining(t *testing.T) {
	r := newPayinRig(t)
	r.server.Drain()
	if got := r.createWith("", payinBody); got.status != http.StatusServiceUnavailable {
		t.Errorf("got %d", got.status)
	}
}

func TestACallerThatGoesAwayDoesNotMakeTheOutcomeUnknown(t *testing.T) {
	r := newPayinRig(t)
	arrived, release := make(chan string, 1), make(chan struct{})
	r.provider.answer("payin", func(w http.ResponseWriter, q *http.Request) {
		body, _ := io.ReadAll(q.Body)
		arrived <- nameIn(string(body))
		<-release
		io.WriteString(w, flat(nameIn(string(body)), "processing", "new", ""))
	})
	ctx, cancel := context.WithCancel(t.Context())
	request := r.request(http.MethodPost, r.admin.URL+"/api/v1/payins", payinBody).WithContext(ctx)
	request.Header.Set("Authorization", "Bearer "+shopToken)
	gone := make(chan error, 1)
	go func() {
		response, err := http.DefaultClient.Do(request)
		if err == nil {
			_ = response.Body.Close()
		}
		gone <- err
	}()
	id := <-arrived
	cancel()
	if err := <-gone; err == nil {
		t.Fatal("the caller did not go away")
	}
	close(release)
	testkit.Eventually(t, "the form is noted", func() bool { return r.payin(id)["form_url"] != nil })
	if got := r.payment(id).Flags; got != 0 {
		t.Errorf("got %v", got.Names())
	}
}

func TestACallerThatGoesAwayIsNoFailure(t *testing.T) {
	for op, tc := range map[string]struct{ method, path, route string }{
		"info":    {http.MethodGet, "?refresh=true", `"route":"/api/v1/payins/:payment_id"`},
		"confirm": {http.MethodPost, "/confirm", `"route":"/api/v1/payins/:payment_id/confirm"`},
	} {
		t.Run(op, func(t *testing.T) {
			r := newPayinRig(t)
			id := r.open(mobileBody)
			arrived, left, release := make(chan struct{}), make(chan struct{}), make(chan struct{})
			r.provider.answer(op, func(w http.ResponseWriter, q *http.Request) {
				close(arrived)
				<-release
				io.WriteString(w, info(id, "success", "", 1500000, "KZT"))
			})
			admin := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
				context.AfterFunc(q.Context(), func() { close(left) })
				r.server.Admin().ServeHTTP(w, q)
			}))
			t.Cleanup(admin.Close)
			ctx, leave := context.WithCancel(t.Context())
			request := r.request(tc.method, admin.URL+"/api/v1/payins/"+id+tc.path, "").WithContext(ctx)
			request.Header.Set("Authorization", "Bearer "+shopToken)
			gone := make(chan error, 1)
			go func() {
				response, err := http.DefaultClient.Do(request)
				if err == nil {
					_ = response.Body.Close()
				}
				gone <- err
			}()
			<-arrived
			leave()
			if err := <-gone; err == nil {
				t.Fatal("the caller did not go away")
			}
			<-left
			close(release)
			testkit.Eventually(t, "the request ends", func() bool { return strings.Contains(r.logs.String(), tc.route) })
			if log := r.logs.String(); strings.Contains(log, `"level":"error"`) || strings.Contains(log, `"outcome":"failed"`) {
				t.Errorf("log: %s", log)
			}
			if op == "info" && r.payment(id).Status != topup.StatusSucceeded {
				t.Error("what the provider said was not recorded")
			}
			r.checked()
		})
	}
}

func TestWhoeverHearsThatTheOutcomeIsUnknownHearsHowToLearnIt(t *testing.T) {
	r := newPayinRig(t, slow)
	id := r.open(mobileBody)
	for _, op := range []string{"payin", "info", "confirm", "cancel"} {
		r.provider.answer(op, cutOff)
	}
	const byKey, byRefresh = "Idempotency-Key", "refresh=true"
	path := "/api/v1/payins/" + id
	for name, tc := range map[string]struct {
		answer    answer
		want, not string
	}{
		"create":  {r.createWith("k", payinBody), byKey, byRefresh},
		"refresh": {r.askAs(shopToken, http.MethodGet, path+"?refresh=true", ""), byRefresh, byKey},
		"confirm": {r.askAs(shopToken, http.MethodPost, path+"/confirm", ""), byRefresh, byKey},
		"cancel":  {r.askAs(shopToken, http.MethodPost, path+"/cancel", ""), byRefresh, byKey},
	} {
		detail, _ := tc.answer.json(t)["detail"].(string)
		if tc.answer.status != http.StatusGatewayTimeout || !strings.Contains(detail, tc.want) || strings.Contains(detail, tc.not) {
			t.Errorf("%s: got %d %q", name, tc.answer.status, detail)
		}
	}
}

func TestWhatCannotBeNotedIsNotLost(t *testing.T) {
	r := newPayinRig(t)
	r.provider.answer("payin", func(w http.ResponseWriter, q *http.Request) {
		body, _ := io.ReadAll(q.Body)
		if err := r.closeStore(); err != nil {
			t.Error(err)
		}
		io.WriteString(w, flat(nameIn(string(body)), "processing", "new", ""))
	})
	got := r.createWith("k", payinBody)
	id, _ := got.json(t)["payment_id"].(string)
	if got.status != http.StatusServiceUnavailable || id == "" {
		t.Fatalf("got %d %s", got.status, got.body)
	}
	r.start()
	if p := r.payment(id); p.Status != topup.StatusPending || p.Money != (topup.Money{Amount: 1500000, Currency: "KZT"}) {
		t.Errorf("after a restart: got %+v", p)
	}
	r.provider.says("processing", "requisites", 1500000, "KZT")
	r.clock.Add(time.Minute) // the first request is over, whatever became of it
	again := r.createWith("k", payinBody)
	if got := again.json(t); again.status != http.StatusOK || got["payment_id"] != id || got["form_url"] != "https://ppage.example.kz/widget/"+id {
		t.Errorf("the same key again: got %d %s", again.status, again.body)
	}
	if sent := r.provider.made("payin"); len(sent) != 1 {
		t.Errorf("%d requests were sent, want 1", len(sent))
	}
	r.accepted(alertBody(id, "success", "", 1500000, "KZT"))
	if p := r.payment(id); p.Status != topup.StatusSucceeded || p.Flags != 0 || r.balance("7011112233") != 1500000 {
		t.Errorf("paid: got %s %v", p.Status, p.Flags.Names())
	}
	r.checked()
}

func TestNoLogLineTellsOfAPayerOrAKey(t *testing.T) {
	r := newPayinRig(t, slow)
	r.putAccount(`{"customer_id":"CANARYcustomer","additional_customer_id":"CANARYadditional","currency":"KZT","entities":[{"id":"CANARYcontract","number":"CANARYnumber"}]}`)
	body := testkit.Edit(t, payinBody, "7011112233", "CANARYcustomer", `"e1"`, `"CANARYcontract"`, "cus_12345", "CANARYpayer", "192.0.2.1", "198.51.100.77",
		"customer@example.com", "CANARY@example.com", "An order", "CANARYdescription", "order/1", "CANARYredirect", "kaspi-kzt", "CANARYbank")
	id := r.open(body)
	requisites := testkit.Edit(t, alertBody(id, "processing", "paid", 1500000, "KZT"), `}}`,
		`},"recipient_requisites":{"pan_hidden":"CANARY****6980","card_holder_hidden":"CANARY****ev","bank_name":"CANARYbank"}}`, `"status_description":null`, `"status_description":"CANARYwords"`)
	r.accepted(requisites)
	r.alertWith(requisites, "CANARYsignature", alertTimestamp)
	r.alertWith(testkit.Edit(t, requisites, hhProject, "CANARYproject"), "x", "CANARYtime")
	r.alertWith(requisites[:40], "x", "x")
	for name, answer := range map[string]http.HandlerFunc{
		"refused": withStatus(400, `{"status":"error","status_description":"CANARYrefusal of CANARY@example.com","request_id":"CANARYrequest"}`),
		"odd":     withStatus(400, `{"status":"CANARYstatus","sub_status":"CANARYsub"}`),
		"garbage": withStatus(200, `CANARYgarbage`), "failure": withStatus(500, `CANARYfailure`), "cut": cutOff,
		"headers": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "https://CANARYhost/")
			w.WriteHeader(302)
		},
	} {
		for _, op := range []string{"payin", "info", "confirm"} {
			r.provider.answer(op, answer)
		}
		r.createWith("CANARYkey"+name, body)
		r.createWith("CANARYkey"+name, testkit.Edit(t, body, "CANARYdescription", "CANARYother"))
		r.askAs(shopToken, http.MethodGet, "/api/v1/payins/"+id+"?refresh=true", "")
		r.askAs(shopToken, http.MethodPost, "/api/v1/payins/"+id+"/confirm", "")
		r.clock.Add(10 * time.Minute)
		r.server.Watcher().Round(t.Context())
	}
	r.createWith("", testkit.Edit(t, body, `"amount"`, `"CANARYmember":1,"amount"`))
	r.createWith("", testkit.Edit(t, body, `"lifetime":300`, `"lifetime":"CANARY"`))
	r.createWith("", `{CANARY`)
	r.askAs(shopToken, http.MethodGet, "/api/v1/payins/CANARYpayment", "")
	log := r.logs.String()
	for _, secret := range []string{"CANARY", "198.51.100.77", requestSecret, alertSecret, shopToken, adminToken} {
		if at := strings.Index(log, secret); at >= 0 {
			t.Errorf("the log has %q: …%s…", secret, log[max(0, at-300):min(len(log), at+60)])
		}
	}
	if !strings.Contains(log, id) || !strings.Contains(log, `"route":"/api/v1/payins/:payment_id"`) {
		t.Error("the log does not have our payment's id and the routes")
	}
	if metrics := r.askAs("", http.MethodGet, "/metrics", "").body; strings.Contains(metrics, "CANARY") {
		t.Error("the metrics tell what they must not")
	}
}

func TestNothingOfThePayerIsStored(t *testing.T) {
	r := newPayinRig(t)
	id := r.open(testkit.Edit(t, payinBody, "cus_12345", "CANARYpayer", "customer@example.com", "CANARY@example.com", "192.0.2.1", "198.51.100.77", "An order", "CANARYorder"))
	r.createWith("k", testkit.Edit(t, payinBody, "cus_12345", "CANARYpayer", "customer@example.com", "CANARY@example.com", "192.0.2.1", "198.51.100.77"))
	file := t.TempDir() + "/copy.db"
	if _, err := r.store.Backup(t.Context(), file); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(data), id) {
		t.Fatal("the copy does not have the payment")
	}
	for _, personal := range []string{"CANARY", "198.51.100.77"} {
		if strings.Contains(string(data), personal) {
			t.Errorf("the database has %q", personal)
		}
	}
}
