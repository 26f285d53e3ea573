package sandbox_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"tolem/platform/sandbox"
)

func TestOnlyTheMerchantsOwnRequestsAreServed(t *testing.T) {
	r := newRig(t)
	body := r.body("p1", "KZT", "payin-p2p-card-international")
	set := func(name, value string) func(http.Header) {
		return func(h http.Header) { h.Set(name, value) }
	}
	for name, change := range map[string]func(http.Header){
		"no signature":       set("x-access-signature", ""),
		"another signature":  set("x-access-signature", strings.Repeat("A", 342)),
		"another timestamp":  set("x-access-timestamp", "1706182848"),
		"a longer timestamp": set("x-access-timestamp", "17061828470"),
		"another merchant":   set("x-access-merchant-id", "8b03432e-385b-4670-8d06-064591096795"),
		"another token":      set("x-access-token", "A"),
	} {
		got, err := r.try("", body, change)
		if err != nil {
			t.Fatal(err)
		}
		if got.status != http.StatusUnauthorized || got.Status != "error" {
			t.Errorf("%s: got %d %s", name, got.status, got.body)
		}
	}
	if _, err := r.View("p1"); err == nil {
		t.Error("a pay-in was created")
	}
}

func TestFieldsThatBreakARuleAreNamed(t *testing.T) {
	r := newRig(t)
	mobile := r.body("p1", "KZT", "payin-ecom-mobile")
	good := r.body("p1", "KZT", "payin-p2p-card-international")
	tests := []struct{ name, body, old, new, want string }{
		{"no payment id", good, `"payment_id":"p1"`, `"payment_id":""`, "general.payment_id"},
		{"a long payment id", good, `"p1"`, `"` + strings.Repeat("ж", 256) + `"`, "general.payment_id"},
		{"http", good, `"redirect_url":"https:`, `"redirect_url":"http:`, "general.redirect_url"},
		{"no amount", good, `"amount":1500000`, `"amount":0`, "payment.amount"},
		{"too much", good, `"amount":1500000`, `"amount":10000000000001`, "payment.amount"},
		{"a text for a number", good, `"amount":1500000`, `"amount":"1500000"`, "amount"},
		{"currency", good, `"KZT"`, `"RUB"`, "payment.currency"},
		{"short lifetime", good, `"lifetime":300`, `"lifetime":299`, "payment.lifetime"},
		{"long lifetime", good, `"lifetime":300`, `"lifetime":601`, "payment.lifetime"},
		{"extra_param", good, `"lifetime":300`, `"extra_param":"a b"`, "payment.extra_param"},
		{"no customer id", good, `"cus_12345"`, `""`, "customer.id"},
		{"ip", good, `"192.0.2.1"`, `"192.0.2"`, "customer.ip_address"},
		{"country", good, `"country":"KZ"`, `"country":"kz"`, "customer.country"},
		{"language", good, `"country":"KZ"`, `"country":"KZ","language":"KK"`, "customer.language"},
		{"customer type", good, `"country":"KZ"`, `"country":"KZ","customer_type":"new"`, "customer.customer_type"},
		{"email", good, `"country":"KZ"`, `"country":"KZ","email":"nobody"`, "customer.email"},
		{"misspelt", good, `"lifetime":300`, `"lifetimes":300`, "lifetimes"},
		{"customer type of mobile", mobile, `"country":"KZ"`, `"country":"KZ","customer_type":"ftd"`, "customer.customer_type"},
		{"bank of mobile", mobile, `"customer":`, `"sender":{"bank_symbol":"kaspi-kzt"},"customer":`, "sender"},
		{"method of another country", strings.Replace(good, `"KZT"`, `"TJS"`, 1), "payin-p2p-card-international", "payin-qr-link-p2p", "payment.widget_method"},
	}
	for _, tt := range tests {
		body := strings.Replace(tt.body, tt.old, tt.new, 1)
		if body == tt.body {
			t.Fatalf("%s: %s is not in the body", tt.name, tt.old)
		}
		got := r.call(t, "", body)
		if got.status != http.StatusBadRequest || !strings.Contains(got.Why, tt.want) {
			t.Errorf("%s: got %d %s, want 400 and %q", tt.name, got.status, got.body, tt.want)
		}
	}
	if got := r.call(t, "", good); got.status != http.StatusOK {
		t.Errorf("the good one: got %d %s", got.status, got.body)
	}
}

func TestAPaymentIDIsTakenOnce(t *testing.T) {
	r := newRig(t)
	first := r.open(t, "p1", "KZT", "payin-p2p-card-international")
	if again := r.call(t, "", r.body("p1", "KZT", "payin-p2p-card-international")); again.status != http.StatusConflict {
		t.Errorf("got %d %s", again.status, again.body)
	}
	if got := r.call(t, "info", named("p1")); got.Form.URL != first.Form.URL {
		t.Errorf("got %s, want the first pay-in's form %s", got.Form.URL, first.Form.URL)
	}
	if got := r.call(t, "info", named("p2")); got.status != http.StatusNotFound {
		t.Errorf("another: got %d %s", got.status, got.body)
	}
}

func TestFaultsHappenOnDemand(t *testing.T) {
	body := func(r *rig) string { return r.body("p1", "KZT", "payin-p2p-card-international") }
	tests := []struct {
		name    string
		faults  sandbox.Faults
		check   func(answered, error) bool
		created bool
	}{
		{"down", sandbox.Faults{Down: true}, func(_ answered, err error) bool { return err != nil }, false},
		{"cut", sandbox.Faults{Cut: true}, func(_ answered, err error) bool { return err != nil }, true},
		{"garbage", sandbox.Faults{Garbage: true}, func(a answered, _ error) bool { return a.status == 200 && strings.HasPrefix(a.body, "<html>") }, true},
		{"status", sandbox.Faults{Status: 502}, func(a answered, _ error) bool { return a.status == 502 }, true},
		{"slow", sandbox.Faults{Slow: time.Millisecond}, func(a answered, _ error) bool { return a.status == 200 }, true},
		{"another call", sandbox.Faults{Down: true, Calls: []string{"info"}}, func(a answered, _ error) bool { return a.status == 200 }, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t)
			if err := r.SetFaults(tt.faults); err != nil {
				t.Fatal(err)
			}
			if got, err := r.try("", body(r), nil); !tt.check(got, err) {
				t.Errorf("got %d %s, %v", got.status, got.body, err)
			}
			if _, err := r.View("p1"); (err == nil) != tt.created {
				t.Errorf("created: got %v, want %v", err == nil, tt.created)
			}
			if err := r.SetFaults(sandbox.Faults{}); err != nil {
				t.Fatal(err)
			}
			if got := r.call(t, "info", named("p1")); (got.status == 200) != tt.created {
				t.Errorf("info: got %d %s", got.status, got.body)
			}
		})
	}
}

func TestAMutePlatformIsAskedInstead(t *testing.T) {
	r := newRig(t)
	if err := r.SetFaults(sandbox.Faults{Mute: true}); err != nil {
		t.Fatal(err)
	}
	r.open(t, "p1", "KZT", "payin-p2p-card-international")
	r.act(t, "p1", sandbox.Action{Do: sandbox.DoPay})
	if got := r.told(t); got != "" {
		t.Errorf("the merchant was told %s", got)
	}
	if got := r.call(t, "info", named("p1")); got.Status != "success" || got.Info["amount"] != 1500000.0 {
		t.Errorf("got %s", got.body)
	}
}

func TestUnusableFaultsAreRefused(t *testing.T) {
	r := newRig(t)
	for _, f := range []sandbox.Faults{{Calls: []string{"pay"}}, {Slow: time.Hour}, {Status: 1}} {
		if err := r.SetFaults(f); err == nil {
			t.Errorf("%+v was accepted", f)
		}
	}
	for body, want := range map[string]int{`{"cut":true,"calls":["payin"]}`: 200, `{"cuts":true}`: 400, `{"status":1}`: 422} {
		if got, text := r.send(t, http.MethodPut, "/control/faults", "application/json", body); got != want {
			t.Errorf("%s: got %d %s, want %d", body, got, text, want)
		}
	}
}
