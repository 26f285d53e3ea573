package notify_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"tolem/config"
	"tolem/notify"
	"tolem/store"
	"tolem/storetest"
	"tolem/topup"
	"tolem/view"
)

const (
	oldSecret = "whsec_dG9sZW0gZXhhbXBsZSBzZWNyZXQgb2YgMzIgYnl0ZXM="
	newSecret = "whsec_YW5vdGhlciBzZWNyZXQgb2YgdGhpcnR5LXR3byBieXRlcyE="
)

// receiver is one of the merchant's systems.
type receiver struct {
	*httptest.Server
	answer atomic.Pointer[http.HandlerFunc] // nil: 204

	mu  sync.Mutex
	got []string // webhook-ids, in the order of arrival
}

func newReceiver(t *testing.T, secret string) *receiver {
	t.Helper()
	verifier, err := standardwebhooks.NewWebhook(secret)
	if err != nil {
		t.Fatal(err)
	}
	r := &receiver{}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, err := io.ReadAll(req.Body)
		if err == nil {
			err = verifier.VerifyIgnoringTimestamp(body, req.Header) // the clock of the test runs ahead
		}
		if err != nil {
			t.Errorf("a notification that cannot be verified: %v", err)
		}
		if answer := r.answer.Load(); answer != nil {
			(*answer)(w, req)
			return
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		r.got = append(r.got, req.Header.Get("webhook-id"))
		w.WriteHeader(http.StatusNoContent)
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) answers(h http.HandlerFunc) {
	if h == nil {
		r.answer.Store(nil)
		return
	}
	r.answer.Store(&h)
}

func (r *receiver) arrived() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.got)
}

// outbox counts how often attempts are noted, and can refuse to.
type outbox struct {
	notify.Outbox
	saves   atomic.Int64
	refuses atomic.Bool
}

func (o *outbox) SaveAttempts(ctx context.Context, attempts []store.Attempt) error {
	o.saves.Add(1)
	if o.refuses.Load() {
		return errors.New("the database is away")
	}
	return o.Outbox.SaveAttempts(ctx, attempts)
}

// rig is a store whose notifications go to receivers.
type rig struct {
	t          *testing.T
	store      *store.Store
	outbox     *outbox
	dispatcher *notify.Dispatcher
	ahead      atomic.Int64
	logs       *observer.ObservedLogs
	operations int
}

func newRig(t *testing.T, endpoints ...config.Endpoint) *rig {
	t.Helper()
	r := &rig{t: t}
	now := func() time.Time { return time.Now().Add(time.Duration(r.ahead.Load())) }
	o := storetest.New(t)
	o.Now, o.NotificationBody = now, view.NotificationBody
	var err error
	if r.store, err = store.Open(context.Background(), o); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.store.Close() })
	var names []store.Endpoint
	for _, e := range endpoints {
		names = append(names, store.Endpoint{Name: e.Name})
	}
	if err := r.store.SetEndpoints(context.Background(), names); err != nil {
		t.Fatal(err)
	}
	core, logs := observer.New(zap.DebugLevel)
	r.logs = logs
	r.outbox = &outbox{Outbox: r.store}
	r.dispatcher, err = notify.New(notify.Options{
		Endpoints: endpoints, Outbox: r.outbox, Log: zap.New(core), Now: now, Timeout: 500 * time.Millisecond,
		Leads: func(context.Context) bool { return true },
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"c1", "c2", "c3"} {
		a := &topup.Account{CustomerID: id, AdditionalCustomerID: "A" + id, Currency: "KZT", Contracts: []topup.Contract{{ID: "e1", Number: "N" + id}}}
		if _, err := r.store.PutAccount(context.Background(), a); err != nil {
			t.Fatal(err)
		}
	}
	return r
}

func endpointOf(name string, r *receiver, secrets ...string) config.Endpoint {
	e := config.Endpoint{Name: name, URL: r.URL + "/hook?x=1"}
	for _, s := range secrets {
		e.Secrets = append(e.Secrets, config.NewSecret(s))
	}
	return e
}

// credit credits a contract of a customer.
func (r *rig) credit(customer string) {
	r.t.Helper()
	ctx := context.Background()
	money := topup.Money{Amount: 10000, Currency: "KZT"}
	id, err := r.store.Issue(ctx, store.NewPayment{Provider: "jetpay", Project: "1234", CustomerID: customer, ContractID: "e1", ContractNumber: "N" + customer, Money: money})
	if err != nil {
		r.t.Fatal(err)
	}
	r.operations++
	operation := fmt.Sprint("op", r.operations)
	recorded, err := r.store.Record(ctx, topup.Event{
		Provider: "jetpay", Project: "1234", Source: topup.SourceCallback, Reference: id, Operation: operation,
		Fingerprint: []byte(operation), Outcome: topup.OutcomePaid, Status: "success", Sum: money, Initial: money,
		Complete: true, TopUp: true, Method: "kaspi", EffectiveAt: time.Now(),
	}, []byte(`{}`))
	if err != nil || recorded.Disposition != topup.DispositionCredited {
		r.t.Fatalf("recorded as %+v, %v", recorded, err)
	}
}

// all are the ids of all notifications, the oldest first.
func (r *rig) all() []string {
	r.t.Helper()
	list, _, err := r.store.Events(context.Background(), store.EventFilter{Limit: 1000})
	if err != nil {
		r.t.Fatal(err)
	}
	slices.Reverse(list)
	var ids []string
	for _, e := range list {
		ids = append(ids, e.ID)
	}
	return ids
}

func (r *rig) states(endpoint string) string {
	r.t.Helper()
	list, _, err := r.store.Events(context.Background(), store.EventFilter{Limit: 1000})
	if err != nil {
		r.t.Fatal(err)
	}
	slices.Reverse(list)
	var states []string
	for _, e := range list {
		for _, d := range e.Deliveries {
			if d.Endpoint == endpoint {
				states = append(states, string(d.State))
			}
		}
	}
	return strings.Join(states, " ")
}

// settle makes rounds until nothing is due.
func (r *rig) settle() {
	for r.dispatcher.Round(context.Background()) > 0 {
	}
}

func TestDispatcher(t *testing.T) {
	t.Run("DeliversOnceAndInOrder", func(t *testing.T) {
		billing := newReceiver(t, newSecret)
		r := newRig(t, endpointOf("billing", billing, oldSecret, newSecret)) // the receiver knows the new secret alone
		for range 5 {
			r.credit("c1")
		}
		r.settle()
		if got, want := billing.arrived(), r.all(); !slices.Equal(got, want) {
			t.Errorf("arrived %v, want %v", got, want)
		}
		r.settle()
		if n := len(billing.arrived()); n != 5 {
			t.Errorf("%d arrived, want 5", n)
		}
	})
	t.Run("WhatComesOfManyIsNotedAtOnce", func(t *testing.T) {
		billing := newReceiver(t, oldSecret)
		r := newRig(t, endpointOf("billing", billing, oldSecret))
		for i := range 60 {
			r.credit([]string{"c1", "c2", "c3"}[i%3])
		}
		r.dispatcher.Round(t.Context())
		if n := len(billing.arrived()); n != 60 {
			t.Errorf("%d arrived in one round, want 60", n)
		}
		// One save unless the round took longer than what passes between two.
		if n := r.outbox.saves.Load(); n == 0 || n > 30 {
			t.Errorf("noted in %d transactions", n)
		}
		if n := strings.Count(r.states("billing"), "delivered"); n != 60 {
			t.Errorf("%d are delivered, want 60", n)
		}
	})
	t.Run("WhatWasNotNotedIsMadeAgainInOrder", func(t *testing.T) {
		billing := newReceiver(t, oldSecret)
		r := newRig(t, endpointOf("billing", billing, oldSecret))
		for range 5 {
			r.credit("c1")
		}
		r.outbox.refuses.Store(true)
		r.dispatcher.Round(t.Context())
		before := len(billing.arrived())
		if got, want := r.states("billing"), "pending pending pending pending pending"; got != want {
			t.Errorf("noted as %s, want %s", got, want)
		}
		r.outbox.refuses.Store(false)
		r.settle()
		all := r.all()
		if got, want := billing.arrived(), slices.Concat(all[:before], all); !slices.Equal(got, want) {
			t.Errorf("arrived %v, want %v", got, want)
		}
	})
	for name, answer := range map[string]http.HandlerFunc{
		"500":      func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) },
		"Redirect": func(w http.ResponseWriter, req *http.Request) { http.Redirect(w, req, "/elsewhere", http.StatusFound) },
		"Silence":  func(_ http.ResponseWriter, req *http.Request) { <-req.Context().Done() },
		"Endless": func(w http.ResponseWriter, req *http.Request) {
			w.WriteHeader(http.StatusInternalServerError)
			for req.Context().Err() == nil {
				if _, err := w.Write(make([]byte, 1<<16)); err != nil {
					return
				}
			}
		},
		"NeverEnds": func(w http.ResponseWriter, req *http.Request) {
			w.WriteHeader(http.StatusOK)
			w.(http.Flusher).Flush()
			<-req.Context().Done()
		},
		"CutOff": func(w http.ResponseWriter, _ *http.Request) { panic(http.ErrAbortHandler) },
	} {
		t.Run("AReceiverThatFailsHoldsUpNobodyElse/"+name, func(t *testing.T) {
			bad, good := newReceiver(t, oldSecret), newReceiver(t, oldSecret)
			bad.answers(answer)
			r := newRig(t, endpointOf("bad", bad, oldSecret), endpointOf("good", good, oldSecret))
			r.credit("c1")
			r.credit("c1")
			r.settle()
			if got := r.states("good"); got != "delivered delivered" {
				t.Errorf("good: %s", got)
			}
			if got := r.states("bad"); got != "pending pending" {
				t.Errorf("bad: %s", got)
			}
			bad.answers(nil)
			r.ahead.Add(int64(10 * time.Second))
			r.settle()
			if got, want := bad.arrived(), r.all(); !slices.Equal(got, want) {
				t.Errorf("arrived at bad %v, want %v", got, want)
			}
			for _, line := range r.logs.All() {
				if text := fmt.Sprint(line.Message, line.ContextMap()); strings.Contains(text, "http://") || strings.Contains(text, "x=1") {
					t.Errorf("the log has an address: %s", text)
				}
			}
		})
	}
	t.Run("AnEndlessAnswerOfSuccessIsNotReadToItsEnd", func(t *testing.T) {
		billing := newReceiver(t, oldSecret)
		billing.answers(func(w http.ResponseWriter, req *http.Request) {
			for req.Context().Err() == nil {
				if _, err := w.Write(make([]byte, 1<<16)); err != nil {
					return
				}
			}
		})
		r := newRig(t, endpointOf("billing", billing, oldSecret))
		r.credit("c1")
		r.settle()
		if got := r.states("billing"); got != "delivered" {
			t.Errorf("got %s", got)
		}
	})
	t.Run("ADeadReceiverIsTriedForThreeDaysAndThenTheRestWaits", func(t *testing.T) {
		billing := newReceiver(t, oldSecret)
		billing.answers(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) })
		r := newRig(t, endpointOf("billing", billing, oldSecret))
		r.credit("c1")
		r.credit("c1")
		r.credit("c2")
		attempts := 0
		for range 100 {
			attempts += r.dispatcher.Round(context.Background())
			r.settle()
			r.ahead.Add(int64(2*time.Hour + 15*time.Minute))
		}
		if got := r.states("billing"); got != "failed pending failed" {
			t.Fatalf("after nine days: %s", got)
		}
		list, _, err := r.store.Events(context.Background(), store.EventFilter{State: store.DeliveryFailed})
		if err != nil || len(list) != 2 {
			t.Fatalf("%d have failed, %v", len(list), err)
		}
		if n := list[0].Deliveries[0].Attempts; n < 30 || n > 50 {
			t.Errorf("given up after %d attempts", n)
		}
		// It is back; c3's is the first that succeeds, and is no repeated attempt.
		billing.answers(nil)
		if err := r.store.ResendEvent(context.Background(), list[0].ID, store.By{Actor: "op"}); err != nil {
			t.Fatal(err)
		}
		r.credit("c2")
		r.settle()
		if got := r.states("billing"); got != "failed pending delivered delivered" {
			t.Errorf("after its return: %s", got)
		}
	})
	t.Run("AFlappingReceiverGetsAllOfAContractInOrder", func(t *testing.T) {
		billing := newReceiver(t, oldSecret)
		r := newRig(t, endpointOf("billing", billing, oldSecret))
		var n atomic.Int64
		flap := http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			if n.Add(1)%3 != 0 {
				w.WriteHeader(http.StatusServiceUnavailable)
				return
			}
			billing.mu.Lock()
			defer billing.mu.Unlock()
			billing.got = append(billing.got, req.Header.Get("webhook-id"))
		})
		billing.answers(flap)
		for i := range 30 {
			r.credit([]string{"c1", "c2", "c3"}[i%3])
		}
		for range 200 {
			r.settle()
			r.ahead.Add(int64(3 * time.Hour / 100))
		}
		all, got := r.all(), billing.arrived()
		if len(got) != len(all) {
			t.Fatalf("%d arrived of %d", len(got), len(all))
		}
		for c := range 3 {
			var want, have []string
			for i := c; i < len(all); i += 3 {
				want = append(want, all[i])
			}
			for _, id := range got {
				if slices.Contains(want, id) {
					have = append(have, id)
				}
			}
			if !slices.Equal(have, want) {
				t.Errorf("contract %d: %v, want %v", c, have, want)
			}
		}
	})
}

// TestUse: endpoints are replaced while the dispatcher runs, as SIGHUP does.
func TestUse(t *testing.T) {
	before, after := newReceiver(t, oldSecret), newReceiver(t, newSecret)
	r := newRig(t, endpointOf("billing", before, oldSecret))
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { r.dispatcher.Run(ctx); close(ended) }()
	waitFor := func(receiver *receiver, n int) {
		t.Helper()
		for deadline := time.Now().Add(time.Minute); len(receiver.arrived()) < n; time.Sleep(10 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("%d have arrived, want %d", len(receiver.arrived()), n)
			}
		}
	}
	r.credit("c1")
	waitFor(before, 1)
	if err := r.dispatcher.Use([]config.Endpoint{endpointOf("billing", after, newSecret)}); err != nil {
		t.Fatal(err)
	}
	r.credit("c1")
	waitFor(after, 1)
	bad := endpointOf("billing", before)
	bad.Secrets = []config.Secret{config.NewSecret("whsec_*")}
	if err := r.dispatcher.Use([]config.Endpoint{bad}); err == nil {
		t.Error("an unusable secret is used")
	}
	r.credit("c1")
	waitFor(after, 2)
	if n := len(before.arrived()); n != 1 {
		t.Errorf("%d have arrived at the endpoint that was replaced, want 1", n)
	}
	stop()
	<-ended
}
