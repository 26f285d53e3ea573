package handlers_test

import (
	"net/http"
	"slices"
	"strconv"
	"sync"
	"testing"

	"tolem/config"
)

func TestConfigure(t *testing.T) {
	t.Run("WhatWasRemovedStopsWorkingAtOnce", func(t *testing.T) {
		r := newRig(t)
		callback := callbackFor(t, r.issue(), "28")
		next := *r.config
		next.Admin.Tokens = slices.DeleteFunc(slices.Clone(next.Admin.Tokens), func(t config.Token) bool { return t.Name == "eye" })
		next.JetPay.Projects = slices.Clone(next.JetPay.Projects)
		next.JetPay.Projects[0].Secrets = []config.Secret{config.NewSecret("fresh-secret")}
		next.MaxAmount = 5
		if err := r.server.Configure(&next); err != nil {
			t.Fatal(err)
		}
		if got := r.askAs(readToken, http.MethodGet, "/api/v1/payments", ""); got.status != http.StatusUnauthorized {
			t.Errorf("a removed token: got %d", got.status)
		}
		if got := r.ask(http.MethodGet, "/api/v1/payments", ""); got.status != http.StatusOK {
			t.Errorf("another token: got %d", got.status)
		}
		if got := r.post(signed(t, callback, demoSecret)); got.status != http.StatusBadRequest {
			t.Errorf("a removed secret: got %d %s", got.status, got.body)
		}
		if got := r.post(signed(t, callback, "fresh-secret")); got.status != http.StatusOK {
			t.Errorf("a new secret: got %d %s", got.status, got.body)
		}
		if got := r.post(signed(t, depositBody, "fresh-secret")); got.code(t) != 500 {
			t.Errorf("more than the new max_amount: got %s", got.body)
		}
	})
	t.Run("WhatCannotBeUsedChangesNothing", func(t *testing.T) {
		r := newRig(t)
		next := *r.config
		next.JetPay.Projects = []config.Project{{ID: 1}} // without a secret
		next.Admin.Tokens = nil
		if err := r.server.Configure(&next); err == nil {
			t.Fatal("got no error")
		}
		if got := r.ask(http.MethodGet, "/api/v1/payments", ""); got.status != http.StatusOK {
			t.Errorf("got %d", got.status)
		}
	})
	t.Run("WhileRequestsRun", func(t *testing.T) {
		r := newRig(t)
		fewer := *r.config
		fewer.JetPay.Projects = slices.Clone(fewer.JetPay.Projects[:1])
		done := make(chan struct{})
		var changes, requests sync.WaitGroup
		changes.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-done:
					return
				default:
				}
				c := r.config
				if n%2 == 0 {
					c = &fewer
				}
				if err := r.server.Configure(c); err != nil {
					t.Errorf("configure: %v", err)
				}
			}
		})
		for i := range 4 {
			requests.Go(func() {
				for n := range 25 {
					operation := strconv.Itoa(1000*(i+1) + n)
					if got := r.send(callbackFor(t, r.issue(), operation)); got.status != http.StatusOK {
						t.Errorf("callback: got %d %s", got.status, got.body)
					}
					r.askAs(readToken, http.MethodGet, "/api/v1/config", "").wants(t, 200, nil)
				}
			})
		}
		requests.Wait()
		close(done)
		changes.Wait()
	})
}
