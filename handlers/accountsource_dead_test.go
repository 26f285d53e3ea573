package handlers_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"tolem/config"
	"tolem/platform"
	"tolem/store"
	"tolem/testkit"
)

// dying is the sandbox's billing at one address, which it can leave, or at which
// something else answers.
type dying struct {
	t       *testing.T
	billing *platform.Billing
	address string
	close   func()
}

// become lets the address be served in another way.
func (d *dying) become(way string) {
	d.t.Helper()
	if d.close != nil {
		d.close()
		d.close = nil
	}
	if way == "refuses" {
		return // nobody listens
	}
	var listener net.Listener
	testkit.Eventually(d.t, "the address is free", func() (free bool) {
		var err error
		listener, err = net.Listen("tcp", d.address)
		return err == nil
	})
	d.address = listener.Addr().String()
	if way == "hangs" {
		d.close = hang(listener)
		return
	}
	mode := platform.BillingOK
	if way == "garbled" {
		mode = platform.BillingGarbled
	}
	if err := d.billing.SetMode(mode); err != nil {
		d.t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /accounts/{customer_id}", d.billing)
	server := &http.Server{Handler: mux, ReadHeaderTimeout: time.Minute}
	go func() { _ = server.Serve(listener) }()
	d.close = func() { _ = server.Close() }
}

// hang accepts connections and never answers.
func hang(listener net.Listener) (stop func()) {
	var mu sync.Mutex
	var open []net.Conn
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			open = append(open, conn)
			mu.Unlock()
		}
	}()
	return func() {
		_ = listener.Close()
		mu.Lock()
		defer mu.Unlock()
		for _, conn := range open {
			_ = conn.Close()
		}
	}
}

// answeredIn is how long a platform waits for the answer to a verify.
const answeredIn = 3 * time.Second

// loaded is a server under verifies and callbacks at a fixed rate.
type loaded struct {
	*billingRig
	client    *http.Client
	customers []string // whom the server has a record of
	callbacks []string // signed, in order; each is sent once

	mu      sync.Mutex
	failed  []string
	took    map[string][]time.Duration // by kind
	answers map[string]int             // to verify
}

// rate is how many verifies, and as many callbacks, are sent a second.
const rate = 25

// run sends so many of each, evenly spaced, and returns how long answers took.
func (l *loaded) run(count int) map[string][]time.Duration {
	l.took, l.answers = map[string][]time.Duration{}, map[string]int{}
	tick := time.NewTicker(time.Second / rate)
	defer tick.Stop()
	var all sync.WaitGroup
	for i := range count {
		customer, known := l.customers[i%len(l.customers)], true
		if i%5 == 4 {
			customer, known = fmt.Sprint("nobody-", i), false
		}
		verify := signed(l.t, `{"project_id":1234,"type":"verify","customer_id":"`+customer+`"}`, demoSecret)
		callback := l.callbacks[0]
		l.callbacks = l.callbacks[1:]
		all.Go(func() { l.verify(verify, known) })
		all.Go(func() { l.callback(callback) })
		<-tick.C
	}
	all.Wait()
	return l.took
}

func (l *loaded) send(kind, body string) (status int, answer string) {
	ctx, cancel := context.WithTimeout(context.Background(), answeredIn)
	defer cancel()
	began := time.Now()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, l.public.URL+"/jetpay", strings.NewReader(body))
	if err != nil {
		return 0, err.Error()
	}
	response, err := l.client.Do(request)
	if err != nil {
		return 0, err.Error()
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return 0, err.Error()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.took[kind] = append(l.took[kind], time.Since(began))
	return response.StatusCode, string(text)
}

// verify wants an account, or, while billing is dead, of a customer without a record
// a message.
func (l *loaded) verify(body string, known bool) {
	status, text := l.send("verify", body)
	var answer struct {
		Code     int
		Message  string
		Entities []any
	}
	err := json.Unmarshal([]byte(text), &answer)
	right := err == nil && status == http.StatusOK && (known && answer.Code == 0 || !known && answer.Code != 0 && answer.Message != "")
	l.mu.Lock()
	defer l.mu.Unlock()
	l.answers[fmt.Sprintf("known %t: code %d", known, answer.Code)]++
	if !right {
		l.failed = append(l.failed, fmt.Sprintf("verify: HTTP %d %s", status, text))
	}
}

func (l *loaded) callback(body string) {
	status, text := l.send("callback", body)
	if status != http.StatusOK {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.failed = append(l.failed, fmt.Sprintf("callback: HTTP %d %s", status, text))
	}
}

// TestBillingIsDeadUnderLoad: whatever the merchant's billing does instead of
// answering, each verify is answered within three seconds, from a record or with a
// message, and each callback with 200. With TOLEM_TEST_LONG=1 billing is dead for a
// minute in each way, in turns with a billing that answers.
func TestBillingIsDeadUnderLoad(t *testing.T) {
	turns, alive, dead := 1, rate/2, 2*rate
	if os.Getenv("TOLEM_TEST_LONG") == "1" {
		turns, alive, dead = 2, 10*rate, 30*rate
	}
	for _, way := range []string{"refuses", "hangs", "garbled"} {
		t.Run(way, func(t *testing.T) {
			billing, err := platform.NewBilling(webhookSecret)
			if err != nil {
				t.Fatal(err)
			}
			d := &dying{t: t, billing: billing, address: "127.0.0.1:0"}
			d.become("answers")
			t.Cleanup(func() { d.become("refuses") })
			r := newBillingRig(t, func(c *config.Config, _ *store.Options) {
				c.Accounts.HTTP.URL = "http://" + d.address + "/accounts/{customer_id}"
				c.Accounts.HTTP.Timeout = config.Default().Accounts.HTTP.Timeout
			})
			l := &loaded{billingRig: r, client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 256}}}
			defer l.client.CloseIdleConnections()
			for i := range 20 {
				id := fmt.Sprint(5_550_001 + i)
				billing.Put(account(id, "KZT"))
				l.customers = append(l.customers, id)
				wantCode(t, "verify", r.verifyOf(id), 0)
			}
			for i := range turns * (alive + dead) {
				id, _ := r.depositOf(l.customers[i%20], "KZT").json(t)["payment_id"].(string)
				l.callbacks = append(l.callbacks, signed(t, callbackFor(t, id, fmt.Sprint(1000+i)), demoSecret))
			}
			for range turns {
				d.become("answers")
				asked := billing.Requests()
				testkit.Eventually(t, "billing is asked again", func() bool {
					r.verifyOf(fmt.Sprint("fresh-", asked))
					return billing.Requests() > asked
				})
				r.later(6 * time.Second) // what it has answered is asked for again
				l.report("answers", l.run(alive))
				d.become(way)
				r.later(6 * time.Second)
				l.report(way, l.run(dead))
			}
			if len(l.failed) > 0 {
				t.Errorf("%d of %d answers are not right or not in time: %q", len(l.failed), 2*turns*(alive+dead), l.failed[:min(10, len(l.failed))])
			}
			if n := l.answers["known true: code 0"]; n == 0 {
				t.Errorf("nobody was answered from a record: %v", l.answers)
			}
		})
	}
}

// report prints percentiles.
func (l *loaded) report(way string, took map[string][]time.Duration) {
	at := func(kind string, share float64) time.Duration {
		list := slices.Sorted(slices.Values(took[kind]))
		if len(list) == 0 {
			return 0
		}
		return list[int(float64(len(list)-1)*share)].Round(100 * time.Microsecond)
	}
	l.t.Logf("billing %s: verify p50 %v, p99 %v, slowest %v; callback p50 %v, p99 %v; %v", way,
		at("verify", .5), at("verify", .99), at("verify", 1), at("callback", .5), at("callback", .99), l.answers)
}
