package handlers_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"tolem/handlers"
	"tolem/testkit"
)

func TestFollowTheFeed(t *testing.T) {
	t.Run("AnswersWhenATransactionIsPosted", func(t *testing.T) {
		r := newRig(t)
		got := make(chan answer, 1)
		go func() { got <- r.ask(http.MethodGet, "/api/v1/ledger/transactions?after=0&wait=60s", "") }()
		testkit.Eventually(t, "somebody waits", func() bool { return handlers.Followers(r.server) == 1 })
		id := r.issue()
		posted := time.Now()
		r.send(callbackFor(t, id, "28"))
		a := <-got
		list := a.json(t)["transactions"].([]any)
		if len(list) != 1 || list[0].(map[string]any)["payment_id"] != id {
			t.Errorf("got %s", a.body)
		}
		t.Logf("it followed after %s", time.Since(posted))
	})
	t.Run("AnswersAtOnceWhatIsThere", func(t *testing.T) {
		r := newRig(t)
		r.send(callbackFor(t, r.issue(), "28"))
		if list := r.ask(http.MethodGet, "/api/v1/ledger/transactions?after=0&wait=60s", "").json(t)["transactions"].([]any); len(list) != 1 {
			t.Errorf("got %v", list)
		}
	})
	t.Run("OutlivesTheConnectionsLimits", func(t *testing.T) {
		r := newRig(t)
		short := httptest.NewUnstartedServer(r.server.Admin())
		short.Config.ReadTimeout, short.Config.WriteTimeout = 50*time.Millisecond, 50*time.Millisecond
		short.Start()
		t.Cleanup(short.Close)
		request := r.request(http.MethodGet, short.URL+"/api/v1/ledger/transactions?after=0&wait=600ms", "")
		request.Header.Set("Authorization", "Bearer "+readToken)
		started := time.Now()
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		if took := time.Since(started); response.StatusCode != http.StatusOK || took < 600*time.Millisecond {
			t.Errorf("got %d after %s", response.StatusCode, took)
		}
	})
	t.Run("EndsWhenTheServerDrains", func(t *testing.T) {
		r := newRig(t)
		got := make(chan answer, 1)
		go func() { got <- r.ask(http.MethodGet, "/api/v1/ledger/transactions?after=0&wait=60s", "") }()
		testkit.Eventually(t, "somebody waits", func() bool { return handlers.Followers(r.server) == 1 })
		r.server.Drain()
		r.server.Drain()
		if a := <-got; a.status != http.StatusOK {
			t.Errorf("got %d %s", a.status, a.body)
		}
	})
	t.Run("IsBounded", func(t *testing.T) {
		r := newRig(t)
		var all sync.WaitGroup
		for range handlers.MaxFollowers {
			all.Go(func() { r.ask(http.MethodGet, "/api/v1/ledger/transactions?after=0&wait=60s", "").wants(t, 200, nil) })
		}
		testkit.Eventually(t, "all wait", func() bool { return handlers.Followers(r.server) == handlers.MaxFollowers })
		a := r.ask(http.MethodGet, "/api/v1/ledger/transactions?after=0&wait=60s", "")
		if checkProblem(t, a, 503, ""); a.header.Get("Retry-After") == "" {
			t.Error("Retry-After is missing")
		}
		r.ask(http.MethodGet, "/api/v1/ledger/transactions?after=0", "").wants(t, 200, nil)
		r.server.Drain()
		all.Wait()
	})
	t.Run("RefusesAnotherWait", func(t *testing.T) {
		r := newRig(t)
		for _, wait := range []string{"61s", "-1s", "30", "soon", "", "1h"} {
			checkProblem(t, r.ask(http.MethodGet, fmt.Sprintf("/api/v1/ledger/transactions?wait=%s", wait), ""), 422, "wait")
		}
	})
}
