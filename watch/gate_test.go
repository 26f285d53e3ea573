package watch_test

import (
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"tolem/config"
	"tolem/jetpay"
	"tolem/store"
	"tolem/topup"
	"tolem/watch"
)

// answer is what the Gate answered last about a payment.
func (r *rig) gateAnswer(id string) *store.StatusAnswer {
	r.t.Helper()
	a, err := r.store.StatusAnswer(r.t.Context(), id)
	if err != nil {
		r.t.Fatal(err)
	}
	return a
}

// askedOnce is a payment of 1000 KZT that the Gate was asked about once.
func (r *rig) askedOnce(status int, body string) string {
	r.t.Helper()
	r.gateRound()
	id := r.issue()
	r.replies(status, body)
	r.clock.Add(6 * time.Minute)
	r.gateRound()
	if asked := r.takeAsked(); len(asked) != 1 {
		r.t.Fatalf("asked about %v", asked)
	}
	return id
}

func TestTheGatesSumIsComparedWithOursBeforeAnybodyCreditsByHand(t *testing.T) {
	kzt := func(amount int64) topup.Money { return topup.Money{Amount: amount, Currency: "KZT"} }
	const sale = `{"id":28,"type":"sale","status":"success","sum_initial":{"amount":1000,"currency":"KZT"},"code":"0","message":"Success"}`
	const refunded = `{"id":29,"type":"refund","status":"success","sum_initial":{"amount":700,"currency":"KZT"}}`
	for name, tc := range map[string]struct {
		body    string
		sum     topup.Money
		back    int64
		differs string
		says    string
	}{
		"the same sum":                          {`{"payment":{"id":"ID","status":"success","sum":{"amount":1000,"currency":"KZT"}}}`, kzt(1000), 0, "", "credit it by hand when"},
		"a hundredth":                           {`{"payment":{"id":"ID","status":"success","sum":{"amount":10,"currency":"KZT"}}}`, kzt(10), 0, "amount", "do not credit it by hand"},
		"another currency":                      {`{"payment":{"id":"ID","status":"success","sum":{"amount":1000,"currency":"KGS"}}}`, topup.Money{Amount: 1000, Currency: "KGS"}, 0, "currency", "do not credit it by hand"},
		"digits as text":                        {`{"payment":{"id":"ID","status":"success","sum":{"amount":"1000","currency":"KZT"}}}`, kzt(1000), 0, "", "credit it by hand when"},
		"no sum":                                {`{"payment":{"id":"ID","status":"success"}}`, topup.Money{}, 0, "", "cannot be read"},
		"a fraction":                            {`{"payment":{"id":"ID","status":"success","sum":{"amount":10.5,"currency":"KZT"}}}`, topup.Money{}, 0, "", "cannot be read"},
		"the sale's own sum":                    {`{"payment":{"id":"ID","status":"success","sum":{"amount":10,"currency":"KZT"}},"operations":[` + sale + `]}`, kzt(1000), 0, "", "credit it by hand when"},
		"what is left of a sale":                {`{"payment":{"id":"ID","status":"partially refunded","sum":{"amount":300,"currency":"KZT"}},"operations":[{"id":29,"type":"refund","status":"success","sum_initial":{"amount":700,"currency":"KZT"}},` + sale + `]}`, kzt(1000), 700, "", "credit it by hand when"},
		"two sales":                             {`{"payment":{"id":"ID","status":"success","sum":{"amount":1000,"currency":"KZT"}},"operations":[` + sale + `,` + sale + `]}`, topup.Money{}, 0, "", "cannot be read"},
		"a declined sale before":                {`{"payment":{"id":"ID","status":"success"},"operations":[{"id":27,"type":"sale","status":"decline","sum_initial":{"amount":1,"currency":"KZT"}},` + sale + `]}`, kzt(1000), 0, "", "credit it by hand when"},
		"a refund that is not listed":           {`{"payment":{"id":"ID","status":"partially refunded","sum":{"amount":300,"currency":"KZT"}},"operation":` + sale + `}`, kzt(1000), 700, "", "credit it by hand when"},
		"a refund twice in it, and another one": {`{"payment":{"id":"ID","status":"partially reversed"},"operation":` + refunded + `,"operations":[` + refunded + `,{"id":30,"type":"reversal","status":"success","sum_initial":{"amount":50,"currency":"KZT"}},{"id":31,"type":"refund","status":"decline","sum_initial":{"amount":9,"currency":"KZT"}},` + sale + `]}`, kzt(1000), 750, "", "credit it by hand when"},
		"a refund that cannot be read":          {`{"payment":{"id":"ID","status":"partially refunded"},"operations":[` + refunded + `,{"id":30,"type":"refund","status":"success"},` + sale + `]}`, kzt(1000), 0, "", "credit it by hand when"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			id := r.askedOnce(200, tc.body)
			p, err := r.store.Payment(t.Context(), id)
			if err != nil || p.Status != topup.StatusPending || p.Flags != topup.FlagOutcomeUnknown || p.Credit != nil {
				t.Errorf("got %+v %v", p, err)
			}
			a := r.gateAnswer(id)
			if a == nil || a.Sum != tc.sum || a.PaidBack.Amount != tc.back || a.Differs(p.Money) != tc.differs || a.HTTPStatus != 200 || !a.At.Equal(r.clock.Now()) {
				t.Errorf("kept %+v", a)
			}
			if log := r.log(); !strings.Contains(log, tc.says) || strings.Count(log, `"payment_id":"`+id) != 1 {
				t.Errorf("the log says %s", log)
			}
			if strings.Contains(name, "sale") && tc.sum == kzt(1000) && (a.Operation != "28" || a.Code != "0") {
				t.Errorf("the sale: kept %+v", a)
			}
			r.checked()
		})
	}
}

func TestWhatTheGateSaysOfAPaymentThatWasNotPaidIsKept(t *testing.T) {
	for name, tc := range map[string]struct {
		status int
		body   string
		want   store.StatusAnswer
	}{
		"declined":      {200, `{"payment":{"id":"ID","status":"decline"}}`, store.StatusAnswer{HTTPStatus: 200, Status: "decline"}},
		"refunded":      {200, `{"payment":{"id":"ID","status":"refunded","sum":{"amount":0,"currency":"KZT"}}}`, store.StatusAnswer{HTTPStatus: 200, Status: "refunded"}},
		"not known":     {404, `{"status":"error","code":"3061","message":"Transaction not found"}`, store.StatusAnswer{HTTPStatus: 404, Code: "3061", Message: "Transaction not found"}},
		"bad signature": {400, `{"status":"error","code":"400","message":"Invalid signature"}`, store.StatusAnswer{HTTPStatus: 400, Code: "400", Message: "Invalid signature"}},
		"a list":        {400, `{"errors":[{"code":2601,"message":"Bad\u0000 field\n"}]}`, store.StatusAnswer{HTTPStatus: 400, Code: "2601", Message: "Bad field"}},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			id := r.askedOnce(tc.status, tc.body)
			got := r.gateAnswer(id)
			tc.want.At = r.clock.Now()
			if got == nil || *got != tc.want {
				t.Errorf("kept %+v, want %+v", got, tc.want)
			}
			if r.flagged(id) {
				t.Error("it is flagged")
			}
		})
	}
}

func TestARefusalOfTheGateIsShownWithItsOwnCodeAndTextAndWhatToDo(t *testing.T) {
	for name, tc := range map[string]struct {
		status int
		body   string
		says   []string
		not    string
	}{
		"signature": {400, `{"status":"error","code":"400","message":"Invalid signature"}`, []string{"HTTP status 400", `code \\\"400\\\"`, "Invalid signature", "first secret"}, ""},
		"address":   {403, `{"status":"error","code":"403","message":"IP is not allowed"}`, []string{"HTTP status 403", "IP is not allowed", "on its list"}, ""},
		"a page":    {403, `<html>CANARY</html>`, []string{"HTTP status 403", "no JSON", "on its list"}, "CANARY"},
		"failure":   {502, `<html>CANARY</html>`, []string{"HTTP status 502"}, "CANARY"},
		"elsewhere": {302, `{}`, []string{"HTTP status 302", "jetpay.gate_url"}, ""},
		"busy":      {429, `{}`, []string{"HTTP status 429", "too often"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.askedOnce(tc.status, tc.body)
			log := r.log()
			for _, part := range tc.says {
				if !strings.Contains(log, strings.ReplaceAll(part, `\\\"`, `\"`)) {
					t.Errorf("the log does not say %s:\n%s", part, log)
				}
			}
			if tc.not != "" && strings.Contains(log, tc.not) {
				t.Errorf("the log repeats what is not the Gate's:\n%s", log)
			}
		})
	}
}

// TestAGateThatRefusesThisServerIsNotAskedAboutTheOthers: the payment is not at
// fault.
func TestAGateThatRefusesThisServerIsNotAskedAboutTheOthers(t *testing.T) {
	r := newRig(t)
	r.gateRound()
	ids := []string{r.issue(), r.issue(), r.issue()}
	r.replies(403, `{"status":"error","code":"403","message":"IP is not allowed"}`)
	r.clock.Add(6 * time.Minute)
	r.gateRound()
	if asked := r.takeAsked(); len(asked) != 1 || asked[0] != ids[0] {
		t.Errorf("asked about %v, want the first of %v", asked, ids)
	}
	r.replies(200, `{"payment":{"id":"ID","status":"success","sum":{"amount":1000,"currency":"KZT"}}}`)
	r.clock.Add(time.Minute)
	r.gateRound()
	for _, id := range ids {
		if !r.flagged(id) {
			t.Errorf("%s was forgotten", id)
		}
	}
}

func TestWhyTheGateCannotBeReachedIsToldApart(t *testing.T) {
	nobody, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	refused := "http://" + nobody.Addr().String()
	if err := nobody.Close(); err != nil {
		t.Fatal(err)
	}
	quiet := func(s *httptest.Server) *httptest.Server {
		t.Cleanup(s.Close)
		s.Config.ErrorLog = nil
		return s
	}
	serve := http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) { w.WriteHeader(http.StatusOK) })
	untrusted, plain := quiet(httptest.NewTLSServer(serve)), quiet(httptest.NewServer(serve))
	cut := quiet(httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		conn, _, _ := w.(http.Hijacker).Hijack()
		_ = conn.Close()
	})))
	for name, tc := range map[string]struct{ url, says string }{
		// A name of such a length is in no name server.
		"DNS":                    {"https://" + strings.Repeat("a", 64) + ".example.kz", "DNS: there is no host"},
		"nobody listens":         {refused, "the connection was refused"},
		"TLS: untrusted":         {untrusted.URL, "TLS: its certificate is not trusted: nobody whom this server trusts has signed it"},
		"TLS: the other is deaf": {strings.Replace(plain.URL, "http:", "https:", 1), "TLS: it speaks no TLS"},
		"cut":                    {cut.URL, "the connection was cut"},
	} {
		t.Run(name, func(t *testing.T) {
			gate, err := jetpay.NewGate(config.JetPay{GateURL: tc.url, Projects: []config.Project{{ID: 1234, Secrets: []config.Secret{config.NewSecret("s")}}}})
			if err != nil {
				t.Fatal(err)
			}
			defer gate.Close()
			r := newRig(t, func(o *watch.Options) { o.Gate = gate })
			r.gateRound()
			id := r.issue()
			r.clock.Add(6 * time.Minute)
			r.gateRound()
			if log := r.log(); !strings.Contains(log, tc.says) || strings.Count(log, "could not be asked") != 1 {
				t.Errorf("the log says %s, want %s", log, tc.says)
			}
			if a := r.gateAnswer(id); a != nil || r.flagged(id) {
				t.Errorf("kept %+v", a)
			}
		})
	}
}
