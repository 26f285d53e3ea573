package highhelp_test

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"tolem/config"
	"tolem/highhelp"
	"tolem/signing"
	"tolem/testkit"
)

func TestAPayinIsSentAsThePagesShowIt(t *testing.T) {
	p := serve(t, say(200, accepted))
	o := options(t, p.URL+"/")
	r := highhelp.PayinRequest{
		General: highhelp.General{
			PaymentID: paymentID, CallbackURL: "https://pay.example.kz/a?x=1&y=<2>", SuccessURL: "https://pay.example.kz/s",
			DeclineURL: "https://pay.example.kz/d", RedirectURL: "https://shop.example.kz/order/1",
		},
		Payment:  highhelp.Payment{Amount: 1500000, Currency: "KGS", Lifetime: 300, Description: "Төлем", ExtraParam: "example", WidgetMethod: "payin-p2p-card"},
		Sender:   &highhelp.Sender{BankSymbol: "demir-bank-kgs"},
		Customer: highhelp.Customer{ID: "cus_12345", IPAddress: "192.0.2.1", Country: "KG", Language: "ky", CustomerType: "ftd", Email: "customer@example.com"},
	}
	got, err := client(t, o).Payin(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	want := highhelp.Answer{
		Status: "processing", SubStatus: "requisites", RequestID: "16a10539-fcb3-4ff5-a3e2-86625a2dc3d3", ProjectID: projectID, PaymentID: paymentID,
		FormURL: "https://ppage.hh-processing.com/widget/24a9", RedirectURL: "https://shop.example.kz/order/1",
	}
	if got != want {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	sent := p.last(t)
	if got, want := sent.path, "/api/v1/widget/payin"; got != want {
		t.Errorf("got path %q, want %q", got, want)
	}
	if got, want := string(sent.body), `{"general":{"project_id":"`+projectID+`","payment_id":"`+paymentID+`","merchant_callback_url":"https://pay.example.kz/a?x=1&y=<2>","merchant_success_callback_url":"https://pay.example.kz/s","merchant_decline_callback_url":"https://pay.example.kz/d","redirect_url":"https://shop.example.kz/order/1"},"payment":{"amount":1500000,"currency":"KGS","lifetime":300,"description":"Төлем","extra_param":"example","widget_method":"payin-p2p-card"},"sender":{"bank_symbol":"demir-bank-kgs"},"customer":{"id":"cus_12345","ip_address":"192.0.2.1","country":"KG","language":"ky","customer_type":"ftd","email":"customer@example.com"}}`; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	for name, want := range map[string]string{
		"content-type": "application/json", "x-access-timestamp": "1706182847", "x-access-merchant-id": "8b03432e-385b-4670-8d06-064591096795",
		"x-access-token": "c4nary-token", "x-access-merchant-algorithm": "", "idempotency-key": "",
	} {
		if got := sent.header.Get(name); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
}

func TestWhatIsLeftOutIsNotSent(t *testing.T) {
	p := serve(t, say(200, accepted))
	if _, err := client(t, options(t, p.URL)).Payin(t.Context(), highhelp.PayinRequest{
		General: highhelp.General{PaymentID: paymentID}, Payment: highhelp.Payment{Amount: 1, Currency: "KZT"}, Customer: highhelp.Customer{ID: "c", IPAddress: "::1", Country: "KZ"},
	}); err != nil {
		t.Fatal(err)
	}
	if got, want := string(p.last(t).body), `{"general":{"project_id":"`+projectID+`","payment_id":"`+paymentID+`"},"payment":{"amount":1,"currency":"KZT"},"customer":{"id":"c","ip_address":"::1","country":"KZ"}}`; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestWhatIsSignedIsWhatIsSent(t *testing.T) {
	rsaKey := testkit.RSASigner(t)
	for _, tc := range []struct {
		name    string
		signer  signing.Signer
		dialect signing.Dialect
		token   config.Secret
		want    string // x-access-token
	}{
		{"RSA", rsaKey, signing.DefaultRequestDialect(), config.Secret{}, rsaKey.AccessToken()},
		{"RSA in another dialect", rsaKey, signing.Dialect{NullAs: "none", Padding: "on", Digest: "twice"}, config.Secret{}, rsaKey.AccessToken()},
		{"RSA with a token of its own", rsaKey, signing.DefaultRequestDialect(), config.NewSecret("api-key"), "api-key"},
		{"HMAC", hmacSigner(t), signing.DefaultRequestDialect(), config.NewSecret("api-key"), "api-key"},
		{"HMAC in hex without a token", hmacSigner(t), signing.Dialect{NullAs: "skip", Padding: "on", Digest: "once", HMACText: "hex"}, config.Secret{}, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := serve(t, say(200, accepted))
			o := options(t, p.URL)
			o.Signer, o.Dialect, o.AccessToken, o.AlgorithmHeader = tc.signer, tc.dialect, tc.token, "HMAC-SHA512"
			c := client(t, o)
			for name, call := range map[string]func() error{
				highhelp.PathPayin:   func() error { _, err := c.Payin(t.Context(), request()); return err },
				highhelp.PathInfo:    func() error { _, _, err := c.Info(t.Context(), paymentID); return err },
				highhelp.PathConfirm: func() error { _, err := c.Confirm(t.Context(), paymentID); return err },
				highhelp.PathCancel:  func() error { _, err := c.Cancel(t.Context(), paymentID); return err },
			} {
				if err := call(); err != nil {
					t.Fatal(err)
				}
				sent := p.last(t)
				if sent.path != name {
					t.Errorf("got path %q, want %q", sent.path, name)
				}
				if err := verify(sent, tc.signer.AlertKey(), tc.dialect); err != nil {
					t.Errorf("%s: %v", name, err)
				}
				sent.body[len(sent.body)-4] ^= 1
				if verify(sent, tc.signer.AlertKey(), tc.dialect) == nil {
					t.Errorf("%s: another body has the same signature", name)
				}
				if got := sent.header.Get(highhelp.HeaderToken); got != tc.want {
					t.Errorf("%s: got token %q, want %q", name, got, tc.want)
				}
				if got, want := sent.header.Get(highhelp.HeaderAlgorithm), "HMAC-SHA512"; got != want {
					t.Errorf("%s: got algorithm %q, want %q", name, got, want)
				}
			}
		})
	}
}

func verify(sent received, key signing.AlertKey, d signing.Dialect) error {
	body, err := signing.Parse(sent.body)
	if err != nil {
		return err
	}
	defer body.Release()
	_, err = body.VerifyHighHelp(key, sent.header.Get(highhelp.HeaderSignature), sent.header.Get(highhelp.HeaderTimestamp), d)
	return err
}

func TestInfoGivesThePayment(t *testing.T) {
	p := serve(t, say(200, informed))
	got, _, err := client(t, options(t, p.URL)).Info(t.Context(), paymentID)
	if err != nil {
		t.Fatal(err)
	}
	want := highhelp.Info{
		Answer: highhelp.Answer{
			Status: "success", RequestID: "16a10539-fcb3-4ff5-a3e2-86625a2dc3d3", ProjectID: projectID, PaymentID: paymentID, FormURL: "https://ppage.hh-processing.com/widget/24a9",
		},
		Payment: highhelp.PaymentInfo{
			Amount: 10000, OldAmount: 9000, InitialAmount: 3000, Currency: "KZT", Lifetime: 300, ExpirationDate: 1721647251,
			Method: "international-card-p2p", WidgetMethod: "payin-p2p-card-international", Type: "payin",
		},
	}
	if got != want {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	if got, want := string(p.last(t).body), `{"general":{"project_id":"`+projectID+`","payment_id":"`+paymentID+`"}}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestConfirmAndCancelGiveTheAcknowledgement(t *testing.T) {
	p := serve(t, say(200, `{"status":"processing","sub_status":"new","status_description":null,`+block+`}`))
	c := client(t, options(t, p.URL))
	for name, call := range map[string]func(context.Context, string) (highhelp.Answer, error){"confirm": c.Confirm, "cancel": c.Cancel} {
		got, err := call(t.Context(), paymentID)
		if err != nil || got.Status != "processing" || got.SubStatus != "new" {
			t.Errorf("%s: got %+v, %v", name, got, err)
		}
	}
	// A payment that has ended is what it is; the call itself went well.
	declined := serve(t, say(200, `{"status":"decline","sub_status":null,`+block+`}`))
	if got, err := client(t, options(t, declined.URL)).Cancel(t.Context(), paymentID); err != nil || got.Status != "decline" {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestTheOutcomeOfACreate(t *testing.T) {
	flat := `{"status":"error","sub_status":null,"status_description":"No such c4nary-echo","request_id":"r-1"}`
	type outcome struct {
		unknown, temporary bool
		status             int
		provider           string // status, description
		text               string
	}
	said := "error No such c4nary-echo"
	for _, tc := range []struct {
		name   string
		answer func(http.ResponseWriter, *provider)
		want   outcome
	}{
		{"no answer in time", hang, outcome{true, true, 0, " ", "HighHelp payin: no answer in time; the outcome is unknown"}},
		{"cut after the request", wire(""), outcome{true, true, 0, " ", "HighHelp payin: the connection was cut; the outcome is unknown"}},
		{"cut within the header", wire("HTTP/1.1 200 OK\r\nContent-Type: a\r\n"), outcome{true, true, 0, " ", "HighHelp payin: the connection was cut; the outcome is unknown"}},
		{"cut within the body", wire("HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n" + accepted[:50]), outcome{true, true, 200, " ", "HighHelp payin: HTTP status 200: the connection was cut; the outcome is unknown"}},
		{"something else than HTTP", wire("c4nary-echo\r\n\r\n"), outcome{true, true, 0, " ", "HighHelp payin: what came back is not an answer; the outcome is unknown"}},
		{"a slow drip", drip, outcome{true, true, 200, " ", "HighHelp payin: HTTP status 200: no answer in time; the outcome is unknown"}},
		{"200 with a page", say(200, "<html>c4nary-echo</html>"), outcome{true, false, 200, " ", "HighHelp payin: HTTP status 200: the answer cannot be read: malformed body: "}},
		{"200 with nothing", say(200, ""), outcome{true, false, 200, " ", "HighHelp payin: HTTP status 200: the answer cannot be read: malformed body: "}},
		{"200 with a list", say(200, "[]"), outcome{true, false, 200, " ", "HighHelp payin: HTTP status 200: the answer cannot be read: it is not a JSON object; the outcome is unknown"}},
		{"200 without a status", say(200, "{"+block+"}"), outcome{true, false, 200, " ", "HighHelp payin: HTTP status 200: the answer cannot be read: status is missing; the outcome is unknown"}},
		{"200 with a status that is no text", say(200, `{"status":["c4nary-echo"]}`), outcome{true, false, 200, " ", "HighHelp payin: HTTP status 200: the answer cannot be read: status is not a text; the outcome is unknown"}},
		{"200 with a name twice", say(200, `{"status":"success","status":"processing",`+block+"}"), outcome{true, false, 200, " ", "malformed body"}},
		{"200 about another payment", say(200, strings.Replace(accepted, paymentID, "c4nary-echo", 1)), outcome{true, false, 200, "processing ", "HighHelp payin: HTTP status 200, processing:requisites: the answer cannot be read: it is about another payment; the outcome is unknown"}},
		{"200 about another project", say(200, strings.Replace(accepted, projectID, "c4nary-echo", 1)), outcome{true, false, 200, "processing ", "HighHelp payin: HTTP status 200, processing:requisites: the answer cannot be read: it is about another payment; the outcome is unknown"}},
		{"200 with a form that is a script", say(200, strings.Replace(accepted, "https://ppage", "javascript://ppage", 1)), outcome{true, false, 200, "processing ", "HighHelp payin: HTTP status 200, processing:requisites: the answer cannot be read: integration:form_url is not an https URL; the outcome is unknown"}},
		{"200 with a form over http", say(200, strings.Replace(accepted, "https://ppage", "http://ppage", 1)), outcome{true, false, 200, "processing ", "HighHelp payin: HTTP status 200, processing:requisites: the answer cannot be read: integration:form_url is not an https URL; the outcome is unknown"}},
		{"200 that is too large", say(200, `{"status":"processing","x":"`+strings.Repeat("x", 1<<20)+`"}`), outcome{true, false, 200, " ", "HighHelp payin: HTTP status 200: the answer cannot be read: body too large: more than 1048576 bytes; the outcome is unknown"}},
		{"204", func(w http.ResponseWriter, _ *provider) { w.WriteHeader(204) }, outcome{true, false, 204, " ", "HighHelp payin: HTTP status 204: the answer cannot be read: malformed body: "}},
		{"a redirect", func(w http.ResponseWriter, _ *provider) {
			w.Header().Set("Location", "/elsewhere")
			w.WriteHeader(307)
		}, outcome{true, false, 307, " ", "HighHelp payin: HTTP status 307: this is no answer to the call; the outcome is unknown"}},
		{"500", say(500, flat), outcome{true, true, 500, said, "HighHelp payin: HTTP status 500, error: the provider has failed; the outcome is unknown"}},
		{"502 with a page", say(502, "<html>c4nary-echo</html>"), outcome{true, true, 502, " ", "HighHelp payin: HTTP status 502: the provider has failed; the outcome is unknown"}},
		{"503 that is too large", say(503, strings.Repeat("x", 2<<20)), outcome{true, true, 503, " ", "HighHelp payin: HTTP status 503: the provider has failed; the outcome is unknown"}},
		{"408", say(408, flat), outcome{true, true, 408, said, "HighHelp payin: HTTP status 408, error: the provider refuses; the outcome is unknown"}},
		{"409: perhaps it exists", say(409, flat), outcome{true, true, 409, said, "HighHelp payin: HTTP status 409, error: the provider refuses; the outcome is unknown"}},
		{"400 with the flat block", say(400, flat), outcome{false, false, 400, said, "HighHelp payin: HTTP status 400, error: the provider refuses"}},
		{"400 with a page", say(400, "<html>c4nary-echo</html>"), outcome{false, false, 400, " ", "HighHelp payin: HTTP status 400: the provider refuses"}},
		{"400 cut within the body", wire("HTTP/1.1 400 Bad\r\nContent-Length: 900\r\n\r\n{"), outcome{false, false, 400, " ", "HighHelp payin: HTTP status 400: the provider refuses"}},
		{"401", say(401, `{"error":"c4nary-echo"}`), outcome{false, false, 401, " ", "HighHelp payin: HTTP status 401: the provider refuses"}},
		{"403", say(403, ""), outcome{false, false, 403, " ", "HighHelp payin: HTTP status 403: the provider refuses"}},
		{"404", say(404, ""), outcome{false, false, 404, " ", "HighHelp payin: HTTP status 404: the provider refuses"}},
		{"422 with words of its own", say(422, `{"status":"c4nary-echo at large","status_description":"d"}`), outcome{false, false, 422, "c4nary-echo at large d", "HighHelp payin: HTTP status 422: the provider refuses"}},
		{"429", say(429, ""), outcome{false, true, 429, " ", "HighHelp payin: HTTP status 429: the provider refuses"}},
		{"200 that says error", say(200, `{"status":"error","sub_status":"","status_description":"No such c4nary-echo",`+block+"}"), outcome{false, false, 200, said, "HighHelp payin: HTTP status 200, error: the provider refuses"}},
		{"200 that says decline", say(200, `{"status":"decline",`+block+"}"), outcome{false, false, 200, "decline ", "HighHelp payin: HTTP status 200, decline: the provider refuses"}},
		{"200 that says error about another payment", say(200, `{"status":"error","payment_id":"c4nary-echo"}`), outcome{true, false, 200, "error ", "HighHelp payin: HTTP status 200, error: the answer cannot be read: it is about another payment; the outcome is unknown"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := serve(t, tc.answer)
			o := options(t, p.URL)
			if strings.Contains(tc.want.text, "in time") {
				o.Timeout = 500 * time.Millisecond
			}
			got, err := client(t, o).Payin(t.Context(), request())
			if got != (highhelp.Answer{}) {
				t.Errorf("got answer %+v beside the error", got)
			}
			failed := failure(t, err)
			if failed.Unknown != tc.want.unknown || failed.Temporary != tc.want.temporary || failed.HTTPStatus != tc.want.status || failed.Status+" "+failed.Description != tc.want.provider {
				t.Errorf("got  %+v\nwant %+v", outcome{failed.Unknown, failed.Temporary, failed.HTTPStatus, failed.Status + " " + failed.Description, err.Error()}, tc.want)
			}
			if !strings.Contains(err.Error(), tc.want.text) {
				t.Errorf("got  %q\nwant %q", err, tc.want.text)
			}
			if got := p.calls.Load(); got != 1 {
				t.Errorf("the provider got %d requests, want 1: what was sent is not sent again", got)
			}
			if len(failed.Raw) > highhelp.MaxRaw {
				t.Errorf("keeps %d bytes", len(failed.Raw))
			}
			noCanary(t, err)
		})
	}
}

// noCanary wants nothing of a person, no secret and nothing that was echoed in
// what may be printed.
func noCanary(t *testing.T, err error) {
	t.Helper()
	for _, printed := range []string{err.Error(), fmt.Sprintf("%v %+v %s %q", err, err, err, err), fmt.Sprint(fmt.Errorf("wrapped: %w", err))} {
		for _, canary := range canaries {
			if strings.Contains(printed, canary) {
				t.Errorf("shows %q: %s", canary, printed)
			}
		}
	}
}

func TestTheOutcomeOverHTTP2(t *testing.T) {
	for _, tc := range []struct {
		name   string
		answer func(http.ResponseWriter, *provider)
		want   string
	}{
		{"no answer in time", hang, "HighHelp payin: no answer in time; the outcome is unknown"},
		{"cut after the request", func(http.ResponseWriter, *provider) { panic(http.ErrAbortHandler) }, "HighHelp payin: what came back is not an answer; the outcome is unknown"},
		{"cut within the body", func(w http.ResponseWriter, _ *provider) {
			_, _ = io.WriteString(w, accepted[:50])
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		}, "HighHelp payin: HTTP status 200: what came back is not an answer; the outcome is unknown"},
		{"a refusal", say(400, ""), "HighHelp payin: HTTP status 400: the provider refuses"},
		{"an answer", say(200, accepted), ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := newProvider(t, tc.answer)
			p.EnableHTTP2 = true
			p.StartTLS()
			o := options(t, p.URL)
			o.Timeout, o.RootCAs = 2*time.Second, x509.NewCertPool()
			o.RootCAs.AddCert(p.Certificate())
			_, err := client(t, o).Payin(t.Context(), request())
			if got := fmt.Sprint(err); tc.want == "" && err != nil || tc.want != "" && got != tc.want {
				t.Errorf("got  %s\nwant %s", got, tc.want)
			}
			if sent := p.last(t); sent.proto != "HTTP/2.0" {
				t.Errorf("got %s", sent.proto)
			}
			if got := p.calls.Load(); got != 1 {
				t.Errorf("the provider got %d requests, want 1", got)
			}
		})
	}
}

func TestAnErrorKeepsHowTheAnswerBegins(t *testing.T) {
	for body, want := range map[string]string{"<html>": "<html>", strings.Repeat("é", 4000): strings.Repeat("é", 2048), "": ""} {
		p := serve(t, say(502, body))
		_, err := client(t, options(t, p.URL)).Payin(t.Context(), request())
		if got := string(failure(t, err).Raw); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	p := serve(t, wire("HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\nbefore the cut"))
	_, err := client(t, options(t, p.URL)).Payin(t.Context(), request())
	if got, want := string(failure(t, err).Raw), "before the cut"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestARedirectIsNotFollowed(t *testing.T) {
	elsewhere := serve(t, say(200, accepted))
	p := serve(t, func(w http.ResponseWriter, _ *provider) {
		w.Header().Set("Location", elsewhere.URL)
		w.WriteHeader(http.StatusPermanentRedirect)
	})
	for name, call := range calls(client(t, options(t, p.URL))) {
		if err := call(t.Context()); failure(t, err).HTTPStatus != http.StatusPermanentRedirect {
			t.Errorf("%s: got %v", name, err)
		}
	}
	if got := elsewhere.calls.Load(); got != 0 {
		t.Errorf("went elsewhere %d times", got)
	}
}

// calls are the four operations, for what holds of all of them.
func calls(c *highhelp.Client) map[string]func(context.Context) error {
	return map[string]func(context.Context) error{
		"payin":   func(ctx context.Context) error { _, err := c.Payin(ctx, request()); return err },
		"info":    func(ctx context.Context) error { _, _, err := c.Info(ctx, paymentID); return err },
		"confirm": func(ctx context.Context) error { _, err := c.Confirm(ctx, paymentID); return err },
		"cancel":  func(ctx context.Context) error { _, err := c.Cancel(ctx, paymentID); return err },
	}
}

// closedPort is an address where nobody listens.
func closedPort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// pickyListener counts connections and cuts the first of them.
type pickyListener struct {
	net.Listener
	cut   int64
	count atomic.Int64
}

func (l *pickyListener) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if l.count.Add(1) > l.cut {
			return conn, nil
		}
		_ = conn.Close()
	}
}

func TestWithoutAConnectionNothingWasSent(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0") // accepts, and never greets
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	untrusted := httptest.NewUnstartedServer(http.NotFoundHandler())
	untrusted.Config.ErrorLog = log.New(io.Discard, "", 0) // the handshakes that fail are the test's own
	untrusted.StartTLS()
	defer untrusted.Close()
	for _, tc := range []struct {
		name, url string
		timeout   time.Duration
		temporary bool
		want      string
	}{
		{"nobody listens", "http://" + closedPort(t), 10 * time.Second, true, "connection refused"},
		{"no TLS handshake", "https://" + silent.Addr().String(), 90 * time.Millisecond, true, ""},
		{"a certificate of nobody we know", untrusted.URL, 10 * time.Second, false, "certificate"},
	} {
		o := options(t, tc.url)
		o.Timeout = tc.timeout
		for name, call := range calls(client(t, o)) {
			err := call(t.Context())
			failed := failure(t, err)
			if failed.Unknown || failed.Temporary != tc.temporary || failed.HTTPStatus != 0 {
				t.Errorf("%s, %s: got %+v: %v", tc.name, name, failed, err)
			}
			if want := "HighHelp " + name + ": nothing was sent: "; !strings.HasPrefix(err.Error(), want) || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%s, %s: got %q, want %q and %q", tc.name, name, err, want, tc.want)
			}
			noCanary(t, err)
		}
	}
}

func TestTheCallersEndIsTheCallsEnd(t *testing.T) {
	ended, end := context.WithCancel(t.Context())
	end()
	p := serve(t, hang)
	for name, call := range calls(client(t, options(t, p.URL))) {
		failed := failure(t, call(ended))
		if failed.Unknown || failed.Temporary || !errors.Is(failed, context.Canceled) {
			t.Errorf("%s before it began: got %+v", name, failed)
		}
		ctx, cancel := context.WithCancel(t.Context())
		before := p.calls.Load()
		result := make(chan error)
		go func() { result <- call(ctx) }()
		testkit.Eventually(t, "a call", func() bool { return p.calls.Load() > before })
		cancel()
		failed = failure(t, <-result)
		if !failed.Unknown || !errors.Is(failed, context.Canceled) {
			t.Errorf("%s after it was sent: got %+v", name, failed)
		}
	}
}

func TestInfoIsRepeatedWhereThatMayHelp(t *testing.T) {
	for _, tc := range []struct {
		name   string
		answer func(n int64) func(http.ResponseWriter, *provider)
		calls  int64
		ok     bool
	}{
		{"the third succeeds", func(n int64) func(http.ResponseWriter, *provider) {
			return []func(http.ResponseWriter, *provider){say(503, ""), wire(""), say(200, informed)}[n-1]
		}, 3, true},
		{"none does", func(int64) func(http.ResponseWriter, *provider) { return say(502, "") }, 3, false},
		{"a refusal stands", func(int64) func(http.ResponseWriter, *provider) { return say(404, "") }, 1, false},
		{"asked to slow down", func(int64) func(http.ResponseWriter, *provider) { return say(429, "") }, 1, false},
		{"an answer that cannot be read stays so", func(int64) func(http.ResponseWriter, *provider) { return say(200, "[]") }, 1, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := serve(t, func(w http.ResponseWriter, p *provider) { tc.answer(p.calls.Load())(w, p) })
			_, _, err := client(t, options(t, p.URL)).Info(t.Context(), paymentID)
			if (err == nil) != tc.ok || p.calls.Load() != tc.calls {
				t.Errorf("got %v after %d requests, want success %v after %d", err, p.calls.Load(), tc.ok, tc.calls)
			}
		})
	}
}

func TestEveryRepetitionIsSignedAnew(t *testing.T) {
	p := serve(t, func(w http.ResponseWriter, p *provider) {
		if p.calls.Load() < 3 {
			w.WriteHeader(503)
			return
		}
		say(200, informed)(w, p)
	})
	o := options(t, p.URL)
	var ticks atomic.Int64
	o.Now = func() time.Time { return time.Unix(instant+ticks.Add(1), 0) }
	if _, _, err := client(t, o).Info(t.Context(), paymentID); err != nil {
		t.Fatal(err)
	}
	for i, sent := range p.requests {
		if got, want := sent.header.Get(highhelp.HeaderTimestamp), fmt.Sprint(instant+i+1); got != want {
			t.Errorf("request %d: got timestamp %s, want %s", i, got, want)
		}
		if err := verify(sent, hmacSigner(t).AlertKey(), signing.DefaultRequestDialect()); err != nil {
			t.Errorf("request %d: %v", i, err)
		}
	}
}

func TestOnlyWhatWasNotSentIsRepeated(t *testing.T) {
	for _, tc := range []struct {
		name        string
		cut         int64 // how many connections fail
		connections map[string]int64
		ok          map[string]bool
	}{
		{"two connections fail", 2, map[string]int64{"payin": 3, "info": 3, "confirm": 1, "cancel": 1}, map[string]bool{"payin": true, "info": true}},
		{"all connections fail", 99, map[string]int64{"payin": 3, "info": 3, "confirm": 1, "cancel": 1}, nil},
	} {
		for _, name := range []string{"payin", "info", "confirm", "cancel"} {
			t.Run(tc.name+", "+name, func(t *testing.T) {
				p := newProvider(t, say(200, accepted))
				listener := &pickyListener{Listener: p.Listener, cut: tc.cut}
				p.Listener = listener
				p.Config.ErrorLog = log.New(io.Discard, "", 0)
				p.StartTLS()
				o := options(t, p.URL)
				o.RootCAs = x509.NewCertPool()
				o.RootCAs.AddCert(p.Certificate())
				err := calls(client(t, o))[name](t.Context())
				if got, want := listener.count.Load(), tc.connections[name]; got != want {
					t.Errorf("got %d connections, want %d", got, want)
				}
				if (err == nil) != tc.ok[name] {
					t.Fatalf("got %v, want success %v", err, tc.ok[name])
				}
				if err != nil && failure(t, err).Unknown {
					t.Errorf("got an unknown outcome, want that nothing was sent: %v", err)
				}
			})
		}
	}
}

func TestRetriesEndWithTheTimeOut(t *testing.T) {
	p := serve(t, say(503, ""))
	o := options(t, p.URL)
	o.Timeout, o.RetryDelay = 100*time.Millisecond, time.Hour
	begun := time.Now()
	_, _, err := client(t, o).Info(t.Context(), paymentID)
	if got := failure(t, err); got.HTTPStatus != 503 {
		t.Errorf("got %v, want the last answer", err)
	}
	if took := time.Since(begun); took > 5*time.Second {
		t.Errorf("took %v", took)
	}
}

func TestCallsUnderWayAreBounded(t *testing.T) {
	release := make(chan struct{})
	var now, most atomic.Int64
	p := serve(t, func(w http.ResponseWriter, p *provider) {
		if n := now.Add(1); n > most.Load() {
			most.Store(n)
		}
		<-release
		now.Add(-1)
		say(200, accepted)(w, p)
	})
	o := options(t, p.URL)
	o.MaxConcurrent, o.MaxWait = 2, time.Minute
	patient := client(t, o)
	var wait sync.WaitGroup
	for range 6 {
		wait.Go(func() {
			if _, err := patient.Payin(t.Context(), request()); err != nil {
				t.Error(err)
			}
		})
	}
	testkit.Eventually(t, "two at once", func() bool { return now.Load() == 2 })
	close(release)
	wait.Wait()
	if got := most.Load(); got != 2 {
		t.Errorf("got %d at once, want 2", got)
	}
}

func TestAFullClientSaysSo(t *testing.T) {
	p := serve(t, hang)
	for _, tc := range []struct {
		name          string
		wait, timeout time.Duration
	}{{"at once", -1, time.Minute}, {"after its wait", time.Millisecond, time.Minute}, {"when its time is up", time.Minute, 50 * time.Millisecond}} {
		t.Run(tc.name, func(t *testing.T) {
			o := options(t, p.URL)
			o.MaxConcurrent, o.MaxWait, o.Timeout = 1, tc.wait, time.Minute
			full := client(t, o)
			ctx, cancel := context.WithCancel(t.Context())
			before, done := p.calls.Load(), make(chan struct{})
			go func() { defer close(done); _, _ = full.Payin(ctx, request()) }()
			testkit.Eventually(t, "one more call", func() bool { return p.calls.Load() == before+1 })
			short, end := context.WithTimeout(t.Context(), tc.timeout)
			defer end()
			_, err := full.Payin(short, request())
			failed := failure(t, err)
			if !errors.Is(err, highhelp.ErrBusy) || failed.Unknown || !failed.Temporary {
				t.Errorf("got %+v", failed)
			}
			if got, want := err.Error(), "HighHelp payin: nothing was sent: too many calls are under way"; got != want {
				t.Errorf("got %q, want %q", got, want)
			}
			gone, leave := context.WithCancel(t.Context())
			leave()
			if _, err := full.Payin(gone, request()); !errors.Is(err, context.Canceled) && tc.wait > time.Second {
				t.Errorf("got %v, want that the caller has gone", err)
			}
			if got, want := p.calls.Load(), before+1; got != want {
				t.Errorf("got %d requests, want %d", got, want)
			}
			cancel()
			<-done
		})
	}
}

func TestAPlaceIsGivenBack(t *testing.T) {
	p := serve(t, say(500, ""))
	o := options(t, p.URL)
	o.MaxConcurrent, o.MaxWait = 1, -1
	c := client(t, o)
	for range 3 {
		for name, call := range calls(c) {
			if err := call(t.Context()); errors.Is(err, highhelp.ErrBusy) {
				t.Errorf("%s: got %v", name, err)
			}
		}
	}
}

func TestConnectionsAreKeptAlive(t *testing.T) {
	p := newProvider(t, func(w http.ResponseWriter, p *provider) {
		say([]int{200, 400, 500, 302}[p.calls.Load()%4], accepted)(w, p)
	})
	listener := &pickyListener{Listener: p.Listener}
	p.Listener = listener
	p.Start()
	c := client(t, options(t, p.URL))
	for range 12 {
		_, _ = c.Payin(t.Context(), request())
	}
	if got := listener.count.Load(); got != 1 {
		t.Errorf("got %d connections for 12 calls, want 1", got)
	}
}

func TestConflictRefusesWhatCreatesNothing(t *testing.T) {
	p := serve(t, say(409, ""))
	c := client(t, options(t, p.URL))
	for _, name := range []string{"confirm", "cancel", "info"} {
		if failed := failure(t, calls(c)[name](t.Context())); failed.Unknown || failed.HTTPStatus != 409 {
			t.Errorf("%s: got %+v", name, failed)
		}
	}
}

func TestConfirmAndCancelAreNeverRepeated(t *testing.T) {
	p := serve(t, say(503, ""))
	c := client(t, options(t, p.URL))
	for i, name := range []string{"confirm", "cancel"} {
		if failed := failure(t, calls(c)[name](t.Context())); !failed.Unknown {
			t.Errorf("%s: got %+v", name, failed)
		}
		if got, want := p.calls.Load(), int64(i+1); got != want {
			t.Errorf("%s: got %d requests, want %d", name, got, want)
		}
	}
}

func TestARequestThatCannotBeSentIsRefused(t *testing.T) {
	p := serve(t, say(200, accepted))
	o := options(t, p.URL)
	other, nameless := request(), request()
	other.General.ProjectID, nameless.General.PaymentID = "other", ""
	c := client(t, o)
	o.Now = func() time.Time { return time.Unix(0, 0) } // not ten digits
	early := client(t, o)
	for name, call := range map[string]func() error{
		"another project":   func() error { _, err := c.Payin(t.Context(), other); return err },
		"no payment id":     func() error { _, err := c.Payin(t.Context(), nameless); return err },
		"not UTF-8":         func() error { _, _, err := c.Info(t.Context(), "\xff"); return err },
		"a clock that lies": func() error { _, _, err := early.Info(t.Context(), paymentID); return err },
	} {
		failed := failure(t, call())
		if failed.Unknown || failed.Temporary || !strings.Contains(failed.Error(), "nothing was sent") {
			t.Errorf("%s: got %+v", name, failed)
		}
		noCanary(t, failed)
	}
	if got := p.calls.Load(); got != 0 {
		t.Errorf("got %d requests, want none", got)
	}
}

func TestNewClientRefusesWhatCannotWork(t *testing.T) {
	good := options(t, "https://api.hh-processing.com")
	if _, err := highhelp.NewClient(good); err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func(*highhelp.Options){
		"http":            func(o *highhelp.Options) { o.BaseURL = "http://api.hh-processing.com" },
		"http, loopback":  func(o *highhelp.Options) { o.BaseURL, o.Environment = "http://127.0.0.1:1", config.Production },
		"no URL":          func(o *highhelp.Options) { o.BaseURL = "" },
		"a user":          func(o *highhelp.Options) { o.BaseURL = "https://u:c4nary-secret@api.hh-processing.com" },
		"a query":         func(o *highhelp.Options) { o.BaseURL = "https://api.hh-processing.com?a" },
		"no project":      func(o *highhelp.Options) { o.ProjectID = "" },
		"no key":          func(o *highhelp.Options) { o.Signer = signing.Signer{} },
		"an open dialect": func(o *highhelp.Options) { o.Dialect = signing.DefaultAlertDialect() },
		"no dialect":      func(o *highhelp.Options) { o.Dialect = signing.Dialect{} },
	} {
		o := good
		spoil(&o)
		c, err := highhelp.NewClient(o)
		if err == nil || c != nil {
			t.Errorf("%s: got %v, %v, want an error", name, c, err)
			continue
		}
		noCanary(t, err)
	}
}

func TestAFormOnALoopbackAddressIsForDevelopment(t *testing.T) {
	answer := strings.Replace(accepted, "https://ppage.hh-processing.com", "http://127.0.0.1:8090", 1)
	p := newProvider(t, say(200, answer))
	p.StartTLS()
	trusted := x509.NewCertPool()
	trusted.AddCert(p.Certificate())
	for environment, want := range map[string]string{config.Development: "http://127.0.0.1:8090/widget/24a9", config.Production: "", "": ""} {
		o := options(t, p.URL)
		o.RootCAs, o.Environment = trusted, environment
		got, err := client(t, o).Payin(t.Context(), request())
		if got.FormURL != want {
			t.Errorf("%q: got the form %q, want %q", environment, got.FormURL, want)
		}
		if (err == nil) != (want != "") {
			t.Errorf("%q: got error %v", environment, err)
		}
		if err != nil && (!failure(t, err).Unknown || !strings.Contains(err.Error(), "form_url is not an https URL")) {
			t.Errorf("%q: got %v, want an outcome that is unknown", environment, err)
		}
	}
}

func TestAClientAndItsOptionsShowNoSecret(t *testing.T) {
	o := options(t, "https://api.hh-processing.com")
	c := client(t, o)
	for _, printed := range []string{fmt.Sprintf("%v %+v %#v", o, o, o), fmt.Sprintf("%+v", c)} {
		for _, canary := range []string{"c4nary-secret", "c4nary-token"} {
			if strings.Contains(printed, canary) {
				t.Errorf("shows %q: %s", canary, printed)
			}
		}
	}
}

func TestOptionsComeFromTheConfiguration(t *testing.T) {
	const keys = "../fixtures/highhelp/keys/"
	private, err := os.ReadFile(keys + "request.pem")
	if err != nil {
		t.Fatal(err)
	}
	public, err := os.ReadFile(keys + "alerts.pem")
	if err != nil {
		t.Fatal(err)
	}
	h := config.Default().HighHelp
	project := config.NewHighHelpProject(projectID)
	project.MerchantID, project.AlgorithmHeader, project.AccessToken = "m", "RSA", config.NewSecret("t")
	project.RequestKey = config.RequestKey{Algorithm: "rsa", PrivateKey: config.NewSecret(string(private))}
	project.AlertKey = config.AlertKey{Algorithm: "rsa", PublicKey: string(public)}
	o, err := highhelp.OptionsOf(config.Production, h, project)
	if err != nil {
		t.Fatal(err)
	}
	if o.Signer.Algorithm() != "rsa" || o.BaseURL != "https://api.hh-processing.com" || o.Timeout != 10*time.Second || o.ProjectID != projectID || o.MerchantID != "m" ||
		o.AlgorithmHeader != "RSA" || !o.AccessToken.Equal("t") || o.Environment != config.Production || o.Dialect != signing.DefaultRequestDialect() {
		t.Errorf("got %+v", o)
	}
	client(t, o)
	if key, err := highhelp.AlertKeyOf(project.AlertKey); err != nil || key.Algorithm() != "rsa" {
		t.Errorf("got %v, %v", key.Algorithm(), err)
	}
	if key, err := highhelp.AlertKeyOf(config.AlertKey{Algorithm: "hmac", Secret: config.NewSecret("s")}); err != nil || key.Algorithm() != "hmac" {
		t.Errorf("got %v, %v", key.Algorithm(), err)
	}
	if key, err := highhelp.AlertKeyOf(config.AlertKey{}); err != nil || key.Algorithm() != "" {
		t.Errorf("got %v, %v, want no key", key.Algorithm(), err)
	}
	if signer, err := highhelp.SignerOf(config.RequestKey{Algorithm: "hmac", Secret: config.NewSecret("s")}); err != nil || signer.Algorithm() != "hmac" {
		t.Errorf("got %v, %v", signer.Algorithm(), err)
	}
	if _, err := highhelp.OptionsOf(config.Production, h, config.NewHighHelpProject("p")); err == nil {
		t.Error("got options without a key")
	}
	if got, want := highhelp.AlertDialectOf(project.AlertDialect), signing.DefaultAlertDialect(); got != want {
		t.Errorf("got %v, want %v", got, want)
	}
	for public, want := range map[string]string{"https://pay.example.kz": "https://pay.example.kz/highhelp/alerts", "https://pay.example.kz/t/": "https://pay.example.kz/t/highhelp/alerts"} {
		if got := highhelp.AlertsURL(public); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestStatusWords(t *testing.T) {
	for status, want := range map[string]string{"success": "paid", "decline": "declined", "error": "declined", "processing": "open", "dispute": "open", "paid": "open", "": "open"} {
		if got := string(highhelp.OutcomeOf(status)); got != want {
			t.Errorf("%q: got %q, want %q", status, got, want)
		}
	}
	got := []string{highhelp.StatusText("success", ""), highhelp.StatusText("processing", "paid")}
	if want := []string{"success", "processing:paid"}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
