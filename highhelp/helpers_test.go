package highhelp_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"tolem/config"
	"tolem/highhelp"
	"tolem/signing"
)

const (
	projectID = "57aff4db-b45d-42bf-bc5f-b7a499a01782"
	paymentID = "01JD2Q8ZC3W8Q6V9F4T1XH5K7M"
	instant   = 1706182847 // of every request, in Unix seconds

	block = `"request_id":"16a10539-fcb3-4ff5-a3e2-86625a2dc3d3","project_id":"` + projectID + `","payment_id":"` + paymentID + `"`
	// accepted is the answer to a create, as the pages show it.
	accepted = `{"status":"processing","sub_status":"requisites","status_description":null,` + block +
		`,"integration":{"form_url":"https://ppage.hh-processing.com/widget/24a9","redirect_url":"https://shop.example.kz/order/1"}}`
	// informed is the answer to info, as the pages show it.
	informed = `{"status":"success","sub_status":null,"status_description":null,` + block +
		`,"payment_info":{"amount":10000,"old_amount":9000,"initial_amount":3000,"currency":"KZT","lifetime":300,"expiration_date":1721647251,` +
		`"method":"international-card-p2p","widget_method":"payin-p2p-card-international","type":"payin"},"integration":{"form_url":"https://ppage.hh-processing.com/widget/24a9"}}`
)

// canaries are what must not get into a text that may be logged.
var canaries = []string{"c4nary@example.com", "c4nary-customer", "192.0.2.77", "c4nary-token", "c4nary-secret", "c4nary-echo"}

// request is one that fits, with canaries for what is personal.
func request() highhelp.PayinRequest {
	return highhelp.PayinRequest{
		General:  highhelp.General{ProjectID: projectID, PaymentID: paymentID, CallbackURL: "https://pay.example.kz/highhelp/alerts?a=1&b=<2>"},
		Payment:  highhelp.Payment{Amount: 1500000, Currency: "KZT", Lifetime: 300, WidgetMethod: "payin-p2p-card-international"},
		Customer: highhelp.Customer{ID: canaries[1], IPAddress: canaries[2], Country: "KZ", Email: canaries[0]},
	}
}

func hmacSigner(t testing.TB) signing.Signer {
	t.Helper()
	signer, err := signing.NewHMACSigner("c4nary-secret")
	if err != nil {
		t.Fatal(err)
	}
	return signer
}

// options are for a server at that URL. Retries do not wait.
func options(t testing.TB, url string) highhelp.Options {
	return highhelp.Options{
		Environment: config.Development, BaseURL: url, ProjectID: projectID, MerchantID: "8b03432e-385b-4670-8d06-064591096795",
		Signer: hmacSigner(t), Dialect: signing.DefaultRequestDialect(), AccessToken: config.NewSecret("c4nary-token"),
		Timeout: 10 * time.Second, RetryDelay: time.Nanosecond,
		Now: func() time.Time { return time.Unix(instant, 0) },
	}
}

func client(t testing.TB, o highhelp.Options) *highhelp.Client {
	t.Helper()
	c, err := highhelp.NewClient(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// received is a request as it came over the wire.
type received struct {
	proto  string
	path   string
	header http.Header
	body   []byte
}

// provider answers with what a test says and remembers what it was asked.
type provider struct {
	*httptest.Server
	mu       sync.Mutex
	requests []received
	calls    atomic.Int64  // how many requests came in whole
	done     chan struct{} // closed when the test is over: whoever hangs may go
}

// serve starts a provider. The request's body has been read when answer runs.
func serve(t testing.TB, answer func(http.ResponseWriter, *provider)) *provider {
	t.Helper()
	p := newProvider(t, answer)
	p.Start()
	return p
}

func newProvider(t testing.TB, answer func(http.ResponseWriter, *provider)) *provider {
	p := &provider{done: make(chan struct{})}
	p.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		p.mu.Lock()
		p.requests = append(p.requests, received{r.Proto, r.URL.Path, r.Header.Clone(), body})
		p.mu.Unlock()
		p.calls.Add(1)
		answer(w, p)
	}))
	t.Cleanup(func() {
		close(p.done)
		p.Server.Close()
	})
	return p
}

func (p *provider) last(t testing.TB) received {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.requests) == 0 {
		t.Fatal("nothing was received")
	}
	return p.requests[len(p.requests)-1]
}

// say answers with a status and a body.
func say(status int, body string) func(http.ResponseWriter, *provider) {
	return func(w http.ResponseWriter, _ *provider) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// hang answers nothing.
func hang(_ http.ResponseWriter, p *provider) { <-p.done }

// wire writes what it likes on the connection, and cuts it.
func wire(text string) func(http.ResponseWriter, *provider) {
	return func(w http.ResponseWriter, _ *provider) {
		conn, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			return
		}
		_, _ = io.WriteString(conn, text)
		_ = conn.Close()
	}
}

// drip sends a byte now and then, and never comes to an end.
func drip(w http.ResponseWriter, p *provider) {
	for {
		if _, err := io.WriteString(w, " "); err != nil {
			return
		}
		if http.NewResponseController(w).Flush() != nil {
			return
		}
		select {
		case <-p.done:
			return
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// failure wants an *Error.
func failure(t testing.TB, err error) *highhelp.Error {
	t.Helper()
	var failed *highhelp.Error
	if !errors.As(err, &failed) {
		t.Fatalf("got error %v (%T), want an *Error", err, err)
	}
	return failed
}
