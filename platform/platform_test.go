package platform_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"tolem/platform"
	"tolem/signing"
	"tolem/topup"
)

var noon = time.Date(2025, 3, 25, 12, 0, 0, 0, time.FixedZone("", 5*3600))

func project(t testing.TB) platform.Project {
	t.Helper()
	key, err := signing.NewKey("demo-secret")
	if err != nil {
		t.Fatal(err)
	}
	return platform.Project{ID: 1234, Key: key}
}

// mustVerify parses a body and checks its signature.
func mustVerify(t testing.TB, p platform.Project, body []byte) *signing.Body {
	t.Helper()
	parsed, err := signing.Parse(body)
	if err != nil {
		t.Fatalf("%v: %s", err, body)
	}
	t.Cleanup(parsed.Release)
	if _, err := parsed.Verify(p.Key); err != nil {
		t.Fatalf("%v: %s", err, body)
	}
	return parsed
}

func expect(t testing.TB, b *signing.Body, want map[string]string) {
	t.Helper()
	for path, text := range want {
		if v, ok := b.Lookup(path); !ok || v.Text() != text {
			t.Errorf("%s: got %q, want %q", path, v.Text(), text)
		}
	}
}

func TestMessagesAreAsDocumentedAndSigned(t *testing.T) {
	p := project(t)
	verify, err := p.Verify("7123456789")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := withoutSignature(t, verify), `{"type":"verify","project_id":1234,"customer_id":"7123456789"}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	mustVerify(t, p, verify)

	deposit, err := p.CheckDeposit(platform.Deposit{CustomerID: "123456789", EntityID: "12345", Money: topup.Money{Amount: 10000, Currency: "KZT"}})
	if err != nil {
		t.Fatal(err)
	}
	want := `{"type":"check_deposit","project_id":1234,"customer_id":"123456789","entity_id":"12345","amount":10000,"currency":"KZT","payment_method":"terminal/kaspi"}`
	if got := withoutSignature(t, deposit); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	mustVerify(t, p, deposit)

	callback, err := p.Callback(platform.NewCallback(platform.OutcomeSuccess, "p_1", 28, topup.Money{Amount: 10000, Currency: "KZT"}, noon))
	if err != nil {
		t.Fatal(err)
	}
	expect(t, mustVerify(t, p, callback), map[string]string{
		"project_id": "1234", "payment:id": "p_1", "payment:type": "purchase", "payment:status": "success", "payment:method": "kaspi",
		"payment:date": "2025-03-25T12:00:00+0500", "payment:sum:amount": "10000", "payment:sum:currency": "KZT", "payment:description": "",
		"operation:id": "28", "operation:type": "sale", "operation:status": "success", "operation:date": "2025-03-25T12:00:00+0500",
		"operation:created_date": "2025-03-25T11:59:20+0500", "operation:sum_initial:amount": "10000", "operation:sum_converted:currency": "KZT",
		"operation:code": "0", "operation:message": "Success", "operation:provider:id": "12345", "operation:provider:auth_code": "",
	})
}

func withoutSignature(t testing.TB, body []byte) string {
	t.Helper()
	head, _, ok := strings.Cut(string(body), `,"signature":"`)
	if !ok {
		t.Fatalf("no signature at the end of %s", body)
	}
	return head + "}"
}

func TestADeclineSaysWhy(t *testing.T) {
	p := project(t)
	body, err := p.Callback(platform.NewCallback(platform.OutcomeDecline, "p_1", 31, topup.Money{Amount: 1, Currency: "KZT"}, noon))
	if err != nil {
		t.Fatal(err)
	}
	expect(t, mustVerify(t, p, body), map[string]string{"payment:status": "decline", "operation:status": "decline", "operation:code": "20000", "operation:message": "General decline"})
}

func TestEveryFieldOfACallbackCanBeChanged(t *testing.T) {
	p := project(t)
	c := platform.NewCallback(platform.OutcomeSuccess, "p_1", 28, topup.Money{Amount: 1, Currency: "KZT"}, noon)
	c.Payment.Method, c.Payment.Description = "card", "<a & b>"
	c.Operation.SumInitial.Amount = 2
	c.Operation.Provider.EndpointID, c.Operation.Provider.Date = "e", noon
	c.Extra = map[string]json.RawMessage{"errors": json.RawMessage(`[1.50]`), "acs \"x\"": json.RawMessage(`{"a":null}`)}
	body, err := p.Callback(c)
	if err != nil {
		t.Fatal(err)
	}
	expect(t, mustVerify(t, p, body), map[string]string{
		"payment:method": "card", "payment:description": "<a & b>", "operation:sum_initial:amount": "2", "payment:sum:amount": "1",
		"operation:provider:endpoint_id": "e", "operation:provider:date": "2025-03-25T12:00:00+0500", "errors:0": "1.50", `acs "x":a`: "",
	})
	if !bytes.Contains(body, []byte(`"<a & b>"`)) {
		t.Errorf("escaped for HTML: %s", body)
	}
	c.Extra = map[string]json.RawMessage{"bad": json.RawMessage(`{`)}
	if _, err := p.Callback(c); err == nil {
		t.Error("an extra member that is not JSON is built")
	}
	c.Extra = map[string]json.RawMessage{"payment": json.RawMessage(`{}`)}
	if _, err := p.Callback(c); !errors.Is(err, signing.ErrMalformed) {
		t.Errorf("a second payment: got %v", err)
	}
}

func TestWithoutAKeyNothingIsBuilt(t *testing.T) {
	if _, err := (platform.Project{ID: 1}).Verify("x"); err == nil || !strings.Contains(err.Error(), "no signing key") {
		t.Errorf("got %v", err)
	}
}

func TestSignReplacesASignature(t *testing.T) {
	p := project(t)
	body, err := p.Sign([]byte(`{"a":1,"signature":"old","b":2}`))
	if err != nil {
		t.Fatal(err)
	}
	mustVerify(t, p, body)
	if !bytes.HasSuffix(body, []byte(`","b":2}`)) {
		t.Errorf("got %s", body)
	}
}

func TestOperationIDsHaveSixteenDigits(t *testing.T) {
	for _, bytesOf := range []byte{0x00, 0x7f, 0xff} {
		id, err := platform.OperationID(bytes.NewReader(bytes.Repeat([]byte{bytesOf}, 8)))
		if err != nil || len(fmt.Sprint(id)) != 16 {
			t.Errorf("got %d, %v", id, err)
		}
	}
	if _, err := platform.OperationID(bytes.NewReader(nil)); err == nil {
		t.Error("an id without randomness")
	}
}

// merchant is a server that does what the contract says, without any books.
type merchant struct {
	t       *testing.T
	project platform.Project

	mu       sync.Mutex
	issued   int
	paths    []string
	booked   map[string]int // successes by payment id
	trouble  func(n int, message string) (status int, answer string)
	messages int
}

func (m *merchant) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	raw, err := io.ReadAll(r.Body)
	if err != nil {
		m.t.Error(err)
	}
	body, err := signing.Parse(raw)
	if err != nil {
		m.t.Error(err)
		return
	}
	defer body.Release()
	if _, err := body.Verify(m.project.Key); err != nil {
		m.t.Error(err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.paths = append(m.paths, r.URL.Path)
	m.messages++
	typ, _ := body.Lookup("type")
	message := typ.Text()
	if message == "" {
		message = platform.MessageCallback
	}
	if m.trouble != nil {
		if status, answer := m.trouble(m.messages, message); status != 0 {
			w.WriteHeader(status)
			_, _ = io.WriteString(w, answer)
			return
		}
	}
	_, _ = io.WriteString(w, m.answer(message, body))
}

func (m *merchant) answer(message string, body *signing.Body) string {
	switch message {
	case platform.MessageVerify:
		return `{"code":0,"currency":"KGS","entities":[{"id":"c1","number":"n"}],"additional_customer_id":"a"}`
	case platform.MessageCheckDeposit:
		m.issued++
		currency, _ := body.Lookup("currency")
		return fmt.Sprintf(`{"code":0,"payment_id":"p_%s_%d","description":"Success"}`, currency.Text(), m.issued)
	}
	if status, _ := body.Lookup("payment:status"); status.Text() == "success" {
		id, _ := body.Lookup("payment:id")
		m.booked[id.Text()]++
	}
	return `{"code":0}`
}

func play(t *testing.T, m *merchant) *platform.Player {
	t.Helper()
	m.t, m.project, m.booked = t, project(t), map[string]int{}
	server := httptest.NewServer(m)
	t.Cleanup(server.Close)
	client, err := platform.NewClient(server.URL+"/", platform.ClientOptions{Timeout: 5 * time.Second, Connections: 8})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return &platform.Player{Client: client, Project: m.project, Now: time.Now, Random: rand.Reader}
}

func messages(exchanges []platform.Exchange) (names []string) {
	for _, x := range exchanges {
		names = append(names, x.Message)
	}
	return names
}

func TestATopUpIsThreeExchanges(t *testing.T) {
	m := &merchant{}
	player := play(t, m)
	player.CallbackPath = platform.CallbackPath
	exchanges, id, err := player.TopUp(t.Context(), platform.TopUp{CustomerID: "c", EntityID: "c1", Amount: 500, Outcome: platform.OutcomeSuccess})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := messages(exchanges), []string{"verify", "check_deposit", "callback"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if id != "p_KGS_1" || m.booked[id] != 1 {
		t.Errorf("the currency is the account's, and the payment's id is carried on: got %q, booked %v", id, m.booked)
	}
	if want := []string{"/jetpay", "/jetpay", "/jetpay/callback"}; !slices.Equal(m.paths, want) {
		t.Errorf("got %v, want %v", m.paths, want)
	}
	for _, x := range exchanges {
		if x.Answer.Status != 200 || x.Answer.Took <= 0 || len(x.Request) == 0 || len(x.Answer.Body) == 0 {
			t.Errorf("got %+v", x)
		}
	}
	_, id, err = player.TopUp(t.Context(), platform.TopUp{CustomerID: "c", EntityID: "c1", Amount: 500, Currency: "KZT", Outcome: platform.OutcomeDecline})
	if err != nil || id != "p_KZT_2" || m.booked[id] != 0 {
		t.Errorf("a decline: got %q, %v, booked %v", id, err, m.booked)
	}
}

func TestATopUpEndsWithTheFirstRefusal(t *testing.T) {
	for i, tt := range []struct {
		message string
		status  int
		answer  string
		want    string
	}{
		{"verify", 200, `{"code":404,"message":"account does not exist"}`, "verify: HTTP 200, code 404: account does not exist"},
		{"verify", 502, `<html>`, "verify: HTTP 502 and no code that can be read"},
		{"verify", 500, `{"code":0}`, "verify: HTTP 500, code 0: "},
		{"check_deposit", 200, `{"code":500,"message":"amount"}`, "check_deposit: HTTP 200, code 500: amount"},
		{"check_deposit", 200, `{"code":0}`, "check_deposit: accepted without a payment_id"},
		{"callback", 503, `{"code":500,"message":"later"}`, "callback: HTTP 503, code 500: later"},
	} {
		m := &merchant{trouble: func(_ int, message string) (int, string) {
			if message == tt.message {
				return tt.status, tt.answer
			}
			return 0, ""
		}}
		exchanges, _, err := play(t, m).TopUp(t.Context(), platform.TopUp{CustomerID: "c", EntityID: "c1", Amount: 1, Outcome: platform.OutcomeSuccess})
		if err == nil || err.Error() != tt.want {
			t.Errorf("%d: got %v, want %s", i, err, tt.want)
		}
		if got := messages(exchanges); len(got) == 0 || got[len(got)-1] != tt.message {
			t.Errorf("%d: got %v", i, got)
		}
	}
}

func TestACallbackIsDeliveredByItsStatusAlone(t *testing.T) {
	m := &merchant{trouble: func(_ int, message string) (int, string) {
		if message == platform.MessageCallback {
			return 200, "whatever"
		}
		return 0, ""
	}}
	if _, _, err := play(t, m).TopUp(t.Context(), platform.TopUp{Amount: 1, Outcome: platform.OutcomeSuccess}); err != nil {
		t.Error(err)
	}
}

func TestOutcomesHaveNames(t *testing.T) {
	for _, name := range []string{"success", "decline"} {
		if o, err := platform.ParseOutcome(name); err != nil || string(o) != name {
			t.Errorf("%s: got %s, %v", name, o, err)
		}
	}
	if _, err := platform.ParseOutcome("maybe"); err == nil {
		t.Error("maybe is an outcome")
	}
	if _, _, err := play(t, &merchant{}).TopUp(t.Context(), platform.TopUp{Amount: 1}); err == nil {
		t.Error("a top-up without an outcome")
	}
}

func TestALoadAcknowledgesExactlyWhatIsBooked(t *testing.T) {
	m := &merchant{trouble: func(n int, _ string) (int, string) {
		if n%10 == 0 {
			return 503, `{"code":500,"message":"temporarily unavailable"}`
		}
		return 0, ""
	}}
	player := play(t, m)
	const count = 200
	var progress []int
	var bodies int
	summary, err := player.Load(t.Context(), platform.LoadOptions{
		TopUp: platform.TopUp{CustomerID: "c", EntityID: "c1", Amount: 1, Currency: "KZT", Outcome: platform.OutcomeSuccess},
		Count: count, Concurrency: 8,
		Progress: func(done int) { progress = append(progress, done) },
		Delivered: func(d platform.Delivery) {
			if d.PaymentID == "" || d.OperationID == 0 || len(d.Body) == 0 {
				t.Errorf("got %+v", d)
			}
			bodies++
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	if summary.Count != count || summary.Done+summary.ErrorCount() != count || summary.ErrorCount() != m.messages/10 {
		t.Errorf("got %+v, %d messages", summary, m.messages)
	}
	if summary.Done != len(summary.Acknowledged) || len(m.booked) != summary.Done {
		t.Errorf("acknowledged %d, booked %d, done %d", len(summary.Acknowledged), len(m.booked), summary.Done)
	}
	for _, id := range summary.Acknowledged {
		if m.booked[id] != 1 {
			t.Errorf("%s: booked %d times", id, m.booked[id])
		}
	}
	if summary.Messages != m.messages || summary.Overall.Count != m.messages || summary.Rate <= 0 || summary.Elapsed <= 0 {
		t.Errorf("got %+v, want %d messages", summary, m.messages)
	}
	if len(progress) != count || progress[count-1] != count || bodies < summary.Done {
		t.Errorf("progress %d, bodies %d", len(progress), bodies)
	}
	for kind := range summary.Errors {
		if !strings.HasSuffix(kind, ": HTTP 503, code 500") {
			t.Errorf("error kind %q", kind)
		}
	}
	for _, message := range []string{platform.MessageVerify, platform.MessageCheckDeposit, platform.MessageCallback} {
		l := summary.Latency[message]
		if l.Count == 0 || l.P50 <= 0 || l.P50 > l.P99 || l.P99 > l.Max {
			t.Errorf("%s: got %+v", message, l)
		}
	}
}

func TestALoadNeedsToKnowWhatToDo(t *testing.T) {
	player := play(t, &merchant{})
	good := platform.TopUp{Currency: "KZT", Outcome: platform.OutcomeSuccess}
	for name, o := range map[string]platform.LoadOptions{
		"no count":    {TopUp: good},
		"no currency": {TopUp: platform.TopUp{Outcome: platform.OutcomeSuccess}, Count: 1},
		"no outcome":  {TopUp: platform.TopUp{Currency: "KZT"}, Count: 1},
	} {
		if _, err := player.Load(t.Context(), o); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestALoadEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	player := play(t, &merchant{})
	summary, err := player.Load(ctx, platform.LoadOptions{
		TopUp: platform.TopUp{Currency: "KZT", Outcome: platform.OutcomeSuccess, Amount: 1}, Count: 1_000_000, Concurrency: 4,
		Progress: func(done int) {
			if done == 20 {
				cancel()
			}
		},
	})
	if err != nil || summary.Count < 20 || summary.Count > 30 {
		t.Errorf("got %+v, %v", summary, err)
	}
	for kind := range summary.Errors {
		if kind != "stopped" {
			t.Errorf("error kind %q", kind)
		}
	}
}

func TestALoadSortsItsErrors(t *testing.T) {
	slow := make(chan struct{})
	for kind, handler := range map[string]http.HandlerFunc{
		"verify: HTTP 502": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(502) },
		"no answer":        func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"timed out":        func(http.ResponseWriter, *http.Request) { <-slow },
		"answer too large": func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, platform.MaxAnswer+1)) },
	} {
		server := httptest.NewServer(handler)
		timeout := 30 * time.Second
		if kind == "timed out" {
			timeout = 10 * time.Millisecond
		}
		client, err := platform.NewClient(server.URL, platform.ClientOptions{Timeout: timeout})
		if err != nil {
			t.Fatal(err)
		}
		player := &platform.Player{Client: client, Project: project(t), Now: time.Now, Random: rand.Reader}
		summary, err := player.Load(t.Context(), platform.LoadOptions{TopUp: platform.TopUp{Currency: "KZT", Outcome: platform.OutcomeSuccess}, Count: 2})
		if err != nil || summary.Errors[kind] != 2 || len(summary.Errors) != 1 || summary.Done != 0 {
			t.Errorf("%s: got %+v, %v", kind, summary, err)
		}
		if kind == "timed out" {
			close(slow)
		}
		server.Close()
	}
}

func TestAClientNeedsAWebAddress(t *testing.T) {
	for _, bad := range []string{"", "127.0.0.1:8080", "ftp://x", "http://", "http://x?y=1", "http://x#y", "http://\x00"} {
		if _, err := platform.NewClient(bad, platform.ClientOptions{}); err == nil {
			t.Errorf("%q makes a client", bad)
		}
		if _, err := platform.NewAdminClient(bad, "token", platform.ClientOptions{}); err == nil {
			t.Errorf("%q makes an admin client", bad)
		}
	}
	if _, err := platform.NewAdminClient("http://x", "", platform.ClientOptions{}); err == nil {
		t.Error("an admin client without a token")
	}
}

func TestAClientFollowsNoRedirect(t *testing.T) {
	server := httptest.NewServer(http.RedirectHandler("/elsewhere", http.StatusTemporaryRedirect))
	defer server.Close()
	client, err := platform.NewClient(server.URL, platform.ClientOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if a, err := client.Post(t.Context(), "/jetpay", []byte("{}")); err != nil || a.Status != http.StatusTemporaryRedirect {
		t.Errorf("got %+v, %v", a, err)
	}
}
