package sandbox_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"tolem/platform"
	"tolem/platform/sandbox"
	"tolem/signing"
)

// send sends a request and follows redirects, as a browser does.
func (r *rig) send(t testing.TB, method, path, contentType, body string) (int, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, r.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", contentType)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(text)
}

func (r *rig) get(t testing.TB, path string) (int, string) {
	t.Helper()
	return r.send(t, http.MethodGet, path, "", "")
}

func (r *rig) post(t testing.TB, path string, form url.Values) (int, string) {
	t.Helper()
	return r.send(t, http.MethodPost, path, "application/x-www-form-urlencoded", form.Encode())
}

func (r *rig) formPath(t testing.TB, id string) string {
	t.Helper()
	form := r.view(t, id).FormURL
	if !strings.HasPrefix(form, r.url+"/widget/") || len(form) > 255 {
		t.Fatalf("got form URL %s", form)
	}
	return strings.TrimPrefix(form, r.url)
}

func TestAPersonPaysOnThePageByBankTransfer(t *testing.T) {
	r := newRig(t)
	r.open(t, "p1", "KGS", "payin-p2p-card")
	form := r.formPath(t, "p1")
	_, page := r.get(t, form)
	contains(t, "page", page, "Bank transfer in Kyrgyzstan", "15\u00a0000.00\u00a0KGS", "demir-bank-kgs")
	_, page = r.post(t, form, url.Values{"do": {"bank"}, "bank": {"demir-bank-kgs"}})
	contains(t, "page", page, "2202****6980", "I have sent the money")
	_, page = r.post(t, form, url.Values{"do": {"pay"}, "amount": {"14 999,5"}})
	contains(t, "page", page, "Paid.", "14\u00a0999.50\u00a0KGS", `href="https://shop.example.kz/order"`)
	contains(t, "alerts", r.told(t), "/success success")
}

func TestAPersonPaysOnThePageByPhone(t *testing.T) {
	r := newRig(t)
	r.open(t, "p1", "KZT", "payin-ecom-mobile")
	form := r.formPath(t, "p1")
	_, page := r.get(t, form)
	contains(t, "page", page, "Kcell", "Phone number")
	status, page := r.post(t, form, url.Values{"do": {"phone"}, "bank": {"KCELL"}, "phone": {"none"}})
	if status != http.StatusUnprocessableEntity {
		t.Errorf("a wrong number: got %d", status)
	}
	contains(t, "page", page, `role="alert"`, "Enter a phone number")
	_, page = r.post(t, form, url.Values{"do": {"phone"}, "bank": {"KCELL"}, "phone": {"+77011112233"}})
	contains(t, "page", page, r.view(t, "p1").Code, "Attempts left: 3.")
	if strings.Contains(page, "7011112233") {
		t.Error("the phone number is shown again, so it was kept")
	}
	_, page = r.post(t, form, url.Values{"do": {"code"}, "code": {"0"}})
	contains(t, "page", page, "Attempts left: 2.")
	_, page = r.post(t, form, url.Values{"do": {"code"}, "code": {r.view(t, "p1").Code}})
	contains(t, "page", page, "Paid.", "/style.css")
}

func TestEveryStageOfAPaymentHasItsPage(t *testing.T) {
	tests := []struct {
		name, widget string
		actions      []sandbox.Action
		want         string
	}{
		{"no method", "", nil, "How do you want to pay?"},
		{"held", "payin-p2p-card-international", []sandbox.Action{{Do: sandbox.DoPay, Hold: true}}, "Settle it"},
		{"held, mobile", "payin-ecom-mobile", []sandbox.Action{{Do: sandbox.DoPhone, Bank: "ALTEL", Phone: "77011112233"}}, "Send another code"},
		{"disputed", "payin-p2p-card-international", []sandbox.Action{{Do: sandbox.DoLapse}}, "dispute:no_payment"},
		{"declined", "payin-p2p-card-international", []sandbox.Action{{Do: sandbox.DoDecline}}, "Not paid: Declined by anti-fraud."},
		{"error", "payin-p2p-card-international", []sandbox.Action{{Do: sandbox.DoError}}, "Not paid"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t)
			r.open(t, "p1", "KZT", tt.widget)
			r.act(t, "p1", tt.actions...)
			status, page := r.get(t, r.formPath(t, "p1"))
			if status != http.StatusOK {
				t.Errorf("got %d", status)
			}
			contains(t, "page", page, tt.want)
		})
	}
}

func TestWhatComesFromOutsideIsEscaped(t *testing.T) {
	const hostile = `<script>alert(1)</script>`
	r := newRig(t)
	body := strings.Replace(r.body("p1", "KZT", "payin-p2p-card-international"), `"p1"`, `"`+hostile+`"`, 1)
	body = strings.Replace(body, `"customer":`, `"sender":{"bank_symbol":"\"><b>"},"customer":`, 1)
	if a := r.call(t, "", body); a.status != http.StatusOK {
		t.Fatalf("got %d %s", a.status, a.body)
	}
	for _, path := range []string{"/", r.formPath(t, hostile)} {
		_, page := r.get(t, path)
		if strings.Contains(page, "<script") || strings.Contains(page, `"><b>`) {
			t.Errorf("%s: got %s", path, page)
		}
		contains(t, path, page, "&lt;script&gt;")
	}
}

func TestPagesLoadNothingFromElsewhereAndObeyNobodyElse(t *testing.T) {
	r := newRig(t)
	response, err := http.Get(r.url + "/")
	if err != nil {
		t.Fatal(err)
	}
	page, err := io.ReadAll(response.Body)
	response.Body.Close()
	if err != nil {
		t.Fatal(err)
	}
	contains(t, "policy", response.Header.Get("Content-Security-Policy"), "default-src 'none'", "style-src 'self'")
	contains(t, "page", string(page), "It plays what the provider’s pages describe.")
	if strings.Contains(string(page), "//") {
		t.Errorf("the page names another address: %s", page)
	}
	r.open(t, "p1", "KZT", "payin-p2p-card-international")
	request, err := http.NewRequest(http.MethodPost, r.url+r.formPath(t, "p1"), strings.NewReader("do=pay"))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.Header.Set("Origin", "https://evil.example")
	if response, err = http.DefaultClient.Do(request); err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != http.StatusForbidden || r.view(t, "p1").Status != "processing:requisites" {
		t.Errorf("got %d, and the payment is %s", response.StatusCode, r.view(t, "p1").Status)
	}
}

func TestTheStartPageSetsFaults(t *testing.T) {
	r := newRig(t)
	_, page := r.post(t, "/faults", url.Values{"fault": {"down"}, "mute": {"1"}})
	contains(t, "page", page, `value="down" checked`, `name="mute" value="1" checked`)
	if _, err := r.try("info", named("p1"), nil); err == nil {
		t.Error("the API is still there")
	}
}

func TestAnUnknownPaymentHasAPageThatSaysSo(t *testing.T) {
	r := newRig(t)
	for _, send := range []func() (int, string){
		func() (int, string) { return r.get(t, "/widget/none") },
		func() (int, string) { return r.post(t, "/widget/none", url.Values{"do": {"pay"}}) },
	} {
		status, page := send()
		if status != http.StatusNotFound {
			t.Errorf("got %d", status)
		}
		contains(t, "page", page, "No such payment")
	}
}

// shop answers as a merchant does, to JetPay's three messages.
func shop(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	answer := `{"code":0}`
	switch text := string(body); {
	case strings.Contains(text, `"verify"`) && strings.Contains(text, "7123456789"):
		answer = `{"code":0,"currency":"KZT","entities":[{"id":"12345","number":"A/1","payment":100000,"min_payment":50000},{"id":"<b>","number":"<i>"}],"additional_customer_id":"A"}`
	case strings.Contains(text, `"verify"`):
		answer = `{"code":404,"message":"account does not exist"}`
	case strings.Contains(text, `"amount":1,`):
		answer = `{"code":500,"message":"amount: too little"}`
	case strings.Contains(text, `"check_deposit"`):
		answer = `{"code":0,"payment_id":"p_1","description":"Success"}`
	}
	_, _ = io.WriteString(w, answer)
}

func newKiosk(t *testing.T) *rig {
	t.Helper()
	key, err := signing.NewKey("demo-secret")
	if err != nil {
		t.Fatal(err)
	}
	return newRig(t, func(o *sandbox.Options) {
		o.Kiosk = platform.Project{ID: 1234, Key: key}
		server := httptest.NewServer(http.HandlerFunc(shop))
		t.Cleanup(server.Close)
		o.MerchantURL = server.URL
	})
}

func TestAPersonPaysAtTheKiosk(t *testing.T) {
	r := newKiosk(t)
	_, page := r.get(t, "/kaspi")
	contains(t, "first", page, "Account")
	_, page = r.post(t, "/kaspi", url.Values{"account": {"7123456789"}})
	contains(t, "contracts", page, "A/1", "to pay 1\u00a0000.00\u00a0KZT, at least 500.00\u00a0KZT", "&lt;i&gt;")
	_, page = r.post(t, "/kaspi", url.Values{"account": {"7123456789"}, "contract": {"12345"}, "amount": {"1000"}, "outcome": {"success"}})
	contains(t, "receipt", page, "Paid.", "p_1", "<dt>Contract</dt><dd>A/1</dd>", "1\u00a0000.00\u00a0KZT", "check_deposit", "callback")
	_, page = r.post(t, "/kaspi", url.Values{"account": {"7123456789"}, "contract": {"12345"}, "amount": {"1000"}, "outcome": {"decline"}})
	contains(t, "receipt", page, "declined")
}

func TestTheKioskSaysWhyNothingWasPaid(t *testing.T) {
	r := newKiosk(t)
	for _, tt := range []struct {
		form url.Values
		want string
	}{
		{url.Values{}, "Enter an account."},
		{url.Values{"account": {"1"}}, "account does not exist (code 404)"},
		{url.Values{"account": {"7123456789"}, "contract": {"12345"}, "outcome": {"success"}}, "Enter an amount."},
		{url.Values{"account": {"7123456789"}, "contract": {"12345"}, "amount": {"1.234"}, "outcome": {"success"}}, "Enter an amount such as"},
		{url.Values{"account": {"7123456789"}, "contract": {"12345"}, "amount": {"0.01"}, "outcome": {"success"}}, "amount: too little (code 500)"},
	} {
		status, page := r.post(t, "/kaspi", tt.form)
		if status != http.StatusUnprocessableEntity {
			t.Errorf("%v: got %d", tt.form, status)
		}
		contains(t, tt.form.Encode(), page, tt.want)
	}
}

func TestWithoutAJetPayProjectThereIsNoKiosk(t *testing.T) {
	r := newRig(t)
	_, page := r.get(t, "/kaspi")
	contains(t, "page", page, "there is no kiosk")
}
