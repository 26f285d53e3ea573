package handlers_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"tolem/config"
	"tolem/platform"
	"tolem/store"
	"tolem/testkit"
	"tolem/topup"
)

const webhookSecret = "whsec_dG9sZW0gZXhhbXBsZSBzZWNyZXQgb2YgMzIgYnl0ZXM="

// billingRig is a server that asks an example billing for accounts.
type billingRig struct {
	*rig
	billing *platform.Billing
	server  *httptest.Server
	ahead   atomic.Int64 // of the real time, for the server
}

func newBillingRig(t *testing.T, options ...rigOption) *billingRig {
	t.Helper()
	b, err := platform.NewBilling(webhookSecret)
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /accounts/{customer_id}", b)
	r := &billingRig{billing: b, server: httptest.NewServer(mux)}
	t.Cleanup(r.server.Close)
	asks := func(c *config.Config, o *store.Options) {
		c.Accounts.Source = config.SourceHTTP
		c.Accounts.HTTP.URL = r.server.URL + "/accounts/{customer_id}"
		c.Accounts.HTTP.Secret = config.NewSecret(webhookSecret)
		c.Accounts.HTTP.Timeout = 200 * time.Millisecond
		o.Now = func() time.Time { return time.Now().Add(time.Duration(r.ahead.Load())) }
	}
	r.rig = newRig(t, append([]rigOption{asks}, options...)...)
	b.Put(account("5550001", "KZT"))
	return r
}

func account(id, currency string) topup.Account {
	return topup.Account{CustomerID: id, AdditionalCustomerID: "A-" + id, Currency: currency,
		Contracts: []topup.Contract{{ID: "e1", Number: "N/" + id}}}
}

// later lets time go by for the server.
func (r *billingRig) later(d time.Duration) { r.ahead.Add(int64(d)) }

func (r *billingRig) verifyOf(id string) answer {
	return r.send(`{"project_id":1234,"type":"verify","customer_id":"` + id + `"}`)
}

func (r *billingRig) depositOf(id, currency string) answer {
	return r.send(`{"project_id":1234,"type":"check_deposit","customer_id":"` + id + `","entity_id":"e1","amount":10000,"currency":"` + currency + `","payment_method":"terminal/kaspi"}`)
}

func (r *billingRig) mode(m platform.BillingMode) {
	r.t.Helper()
	if err := r.billing.SetMode(m); err != nil {
		r.t.Fatal(err)
	}
}

func wantCode(t *testing.T, what string, a answer, code int) {
	t.Helper()
	if got := a.json(t)["code"]; a.status != http.StatusOK || fmt.Sprint(got) != fmt.Sprint(code) {
		t.Errorf("%s: got HTTP %d %s, want code %d", what, a.status, a.body, code)
	}
}

func TestAccountSource(t *testing.T) {
	t.Run("VerifyAndCheckDepositAreAnsweredFromBilling", func(t *testing.T) {
		r := newBillingRig(t)
		wantCode(t, "verify", r.verifyOf("5550001"), 0)
		wantCode(t, "check_deposit", r.depositOf("5550001", "KZT"), 0)
		if n := r.billing.Requests(); n != 1 {
			t.Errorf("billing was asked %d times for one customer within the cache time, want 1", n)
		}
		wantCode(t, "verify of an unknown one", r.verifyOf("nobody"), 404)
		wantCode(t, "check_deposit of an unknown one", r.depositOf("nobody", "KZT"), 404)
		stored, err := r.store.Account(context.Background(), "5550001")
		if err != nil || stored.Contracts[0].Number != "N/5550001" {
			t.Errorf("stored as %+v, %v", stored, err)
		}
	})
	t.Run("AChangeInBillingIsSeenAfterTheCacheTime", func(t *testing.T) {
		r := newBillingRig(t)
		r.verifyOf("5550001")
		changed := account("5550001", "KZT")
		changed.Contracts[0].Number = "another"
		r.billing.Put(changed)
		if a := r.verifyOf("5550001"); !strings.Contains(a.body, "N/5550001") {
			t.Errorf("within the cache time: %s", a.body)
		}
		r.later(6 * time.Second)
		if a := r.verifyOf("5550001"); !strings.Contains(a.body, "another") {
			t.Errorf("after it: %s", a.body)
		}
		r.billing.Remove("5550001")
		r.later(6 * time.Second)
		wantCode(t, "verify of one that billing no longer knows", r.verifyOf("5550001"), 404)
		wantCode(t, "its check_deposit", r.depositOf("5550001", "KZT"), 404)
		r.mode(platform.BillingDead)
		r.later(6 * time.Second)
		wantCode(t, "its verify while billing fails", r.verifyOf("5550001"), 500)
	})
	for _, mode := range []platform.BillingMode{platform.BillingDead, platform.BillingSlow, platform.BillingGarbled, platform.BillingEndless} {
		t.Run("ARecordYoungerThanStaleIsUsedWhileBillingIs/"+string(mode), func(t *testing.T) {
			r := newBillingRig(t)
			r.verifyOf("5550001")
			r.mode(mode)
			r.later(time.Minute)
			wantCode(t, "verify", r.verifyOf("5550001"), 0)
			wantCode(t, "check_deposit", r.depositOf("5550001", "KZT"), 0)
			a := r.verifyOf("nobody")
			wantCode(t, "verify of one without a record", a, 500)
			if a.json(t)["message"] == "" {
				t.Errorf("no message: %s", a.body)
			}
			r.later(10 * time.Minute)
			wantCode(t, "verify when the record is too old", r.verifyOf("5550001"), 500)
			wantCode(t, "check_deposit when the record is too old", r.depositOf("5550001", "KZT"), 500)
		})
	}
	t.Run("ARecordCountsFromItsLastConfirmation", func(t *testing.T) {
		r := newBillingRig(t)
		wantCode(t, "verify", r.verifyOf("5550001"), 0)
		r.later(2 * time.Minute) // soon: it is not written again
		wantCode(t, "verify that confirms it", r.verifyOf("5550001"), 0)
		r.mode(platform.BillingDead)
		r.later(9 * time.Minute)
		wantCode(t, "verify nine minutes after it", r.verifyOf("5550001"), 0)
		wantCode(t, "check_deposit nine minutes after it", r.depositOf("5550001", "KZT"), 0)
		r.later(2 * time.Minute)
		wantCode(t, "verify eleven minutes after it", r.verifyOf("5550001"), 500)
	})
	t.Run("WhatBillingNoLongerKnowsIsNotUsedAfterAConfirmation", func(t *testing.T) {
		r := newBillingRig(t)
		wantCode(t, "verify", r.verifyOf("5550001"), 0)
		r.billing.Remove("5550001")
		r.later(time.Minute)
		wantCode(t, "verify of one that billing no longer knows", r.verifyOf("5550001"), 404)
		r.mode(platform.BillingDead)
		r.later(time.Minute)
		wantCode(t, "its verify while billing fails", r.verifyOf("5550001"), 500)
	})
	t.Run("AnImportedRecordCountsFromWhenItWasWritten", func(t *testing.T) {
		r := newBillingRig(t)
		r.mode(platform.BillingDead)
		wantCode(t, "verify", r.verifyOf("7123456789"), 0)
		r.later(11 * time.Minute)
		wantCode(t, "verify later", r.verifyOf("7123456789"), 500)
	})
	t.Run("AnotherCurrencyOfAnAccountWithPaymentsIsNotBelieved", func(t *testing.T) {
		r := newBillingRig(t)
		wantCode(t, "check_deposit", r.depositOf("5550001", "KZT"), 0)
		r.mode(platform.BillingCurrency)
		r.later(6 * time.Second)
		wantCode(t, "check_deposit in the currency of its payments", r.depositOf("5550001", "KZT"), 0)
		wantCode(t, "check_deposit in the other one", r.depositOf("5550001", "USD"), 500)
		r.later(11 * time.Minute)
		wantCode(t, "when the record is too old", r.depositOf("5550001", "KZT"), 500)
	})
	t.Run("AnswersOfAnotherCustomerAreNotBelieved", func(t *testing.T) {
		r := newBillingRig(t)
		b := http.NewServeMux()
		b.HandleFunc("GET /accounts/{customer_id}", func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprint(w, `{"customer_id":"5550002","additional_customer_id":"A","currency":"KZT","entities":[{"id":"e1","number":"N"}]}`)
		})
		r.server.Config.Handler = b
		wantCode(t, "verify", r.verifyOf("5550001"), 500)
		r.server.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/elsewhere", http.StatusFound)
		})
		wantCode(t, "a redirect", r.verifyOf("5550001"), 500)
	})
	t.Run("IdsAreEscaped", func(t *testing.T) {
		r := newBillingRig(t)
		r.billing.Put(account("a/b?c=%2F&d+e", "KZT"))
		wantCode(t, "verify", r.verifyOf("a/b?c=%2F&d+e"), 0)
	})
	t.Run("EqualLookUpsShareOne", func(t *testing.T) {
		r := newBillingRig(t)
		entered, release := make(chan struct{}, 64), make(chan struct{})
		inner := r.server.Config.Handler
		r.server.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			entered <- struct{}{}
			<-release
			inner.ServeHTTP(w, req)
		})
		var all sync.WaitGroup
		for range 20 {
			all.Go(func() { r.verifyOf("5550001") })
		}
		<-entered
		close(release)
		all.Wait()
		if n := r.billing.Requests(); n != 1 {
			t.Errorf("billing was asked %d times, want once", n)
		}
	})
	t.Run("ABillingThatKeepsFailingIsAskedNoMoreAndTriedAgain", func(t *testing.T) {
		r := newBillingRig(t)
		r.mode(platform.BillingDead)
		for i := range 12 {
			wantCode(t, "verify", r.verifyOf(fmt.Sprintf("n%d", i)), 500)
		}
		if n := r.billing.Requests(); n != 5 {
			t.Errorf("billing was asked %d times, want 5", n)
		}
		if logs := r.logs.String(); strings.Count(logs, "billing fails") != 1 || strings.Contains(logs, "5550001") {
			t.Errorf("the log has %s", logs)
		}
		text := r.scraped()
		for _, line := range []string{`tolem_account_lookups_total{outcome="failed"} 5`, `tolem_account_lookups_total{outcome="skipped"} 7`} {
			if !strings.Contains(text, line) {
				t.Errorf("%s is missing", line)
			}
		}
	})
	t.Run("ASlowBillingKeepsNoCallbackOut", func(t *testing.T) {
		r := newBillingRig(t, func(c *config.Config, _ *store.Options) { c.Accounts.HTTP.Timeout = 2 * time.Second })
		wantCode(t, "check_deposit", r.depositOf("5550001", "KZT"), 0)
		r.mode(platform.BillingSlow)
		var all sync.WaitGroup
		var worst atomic.Int64
		for i := range 400 {
			all.Go(func() {
				began := time.Now()
				wantCode(t, "verify", r.verifyOf(fmt.Sprintf("n%d", i)), 500)
				if took := int64(time.Since(began)); took > worst.Load() {
					worst.Store(took)
				}
			})
		}
		for range 20 {
			a := r.send(testkit.JetPayCallback)
			if a.status != http.StatusOK {
				t.Errorf("a callback beside them: HTTP %d %s", a.status, a.body)
			}
		}
		all.Wait()
		t.Logf("the slowest verify took %v", time.Duration(worst.Load()))
	})
}
