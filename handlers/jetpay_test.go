package handlers_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"tolem/config"
	"tolem/handlers"
	"tolem/signing"
	"tolem/store"
	"tolem/storetest"
	"tolem/testkit"
	"tolem/topup"
)

// The rows of the contract's answer table, for each of the three messages.
func TestEveryCellOfTheAnswerTable(t *testing.T) {
	const exact, prefix = "exact", "prefix"
	deep := strings.Repeat(`{"a":`, 40) + "1" + strings.Repeat("}", 40)
	plain, mirror := newRig(t), newRig(t, mirrored)
	for _, tc := range []struct {
		name   string
		body   string
		raw    bool // not to be signed with the demo secret
		status int  // under error_status "200"
		code   int
		match  string
		answer string
	}{
		{"not JSON", `{"type":`, true, 400, 400, prefix, `{"code":400,"message":"malformed body`},
		{"duplicate key", `{"type":"verify","type":"verify"}`, true, 400, 400, prefix, `{"code":400,"message":"malformed body`},
		{"too deep", deep, true, 400, 400, prefix, `{"code":400,"message":"malformed body`},
		{"nothing at all", ``, true, 400, 400, prefix, `{"code":400,"message":"malformed body`},
		{"not an object", `[1,2]`, true, 400, 400, exact, `{"code":400,"message":"Signature error"}`},

		{"verify: no signature", verifyBody, true, 200, 400, exact, `{"code":400,"message":"Signature error"}`},
		{"verify: bad signature", signed(t, verifyBody, "wrong"), true, 200, 400, exact, `{"code":400,"message":"Signature error"}`},
		{"verify: unknown project", testkit.Edit(t, verifyBody, "1234", "4321"), false, 200, 400, exact, `{"code":400,"message":"Signature error"}`},
		{"verify: another project's key", testkit.Edit(t, verifyBody, "1234", "77"), false, 200, 400, exact, `{"code":400,"message":"Signature error"}`},
		{"verify: sample with its printed signature", `{"type":"verify","project_id":1234,"customer_id":"7123456789","signature":"e19695449545fac562843ca06e7e0f3e51281ad6"}`, true, 200, 400, exact, `{"code":400,"message":"Signature error"}`},
		{"verify: older secret", signed(t, verifyBody, "older-secret"), true, 200, 0, prefix, `{"code":0,`},
		{"verify: customer_id missing", `{"type":"verify","project_id":1234}`, false, 200, 500, exact, `{"code":500,"message":"customer_id is missing"}`},
		{"verify: customer_id is an object", `{"type":"verify","project_id":1234,"customer_id":{"a":1}}`, false, 200, 500, exact, `{"code":500,"message":"customer_id must be a string"}`},
		{"verify: customer_id is null", `{"type":"verify","project_id":1234,"customer_id":null}`, false, 200, 500, exact, `{"code":500,"message":"customer_id must be a string"}`},
		{"verify: customer_id is a fraction", `{"type":"verify","project_id":1234,"customer_id":7.5}`, false, 200, 500, exact, `{"code":500,"message":"customer_id must be a string"}`},
		{"verify: customer_id is empty", `{"type":"verify","project_id":1234,"customer_id":""}`, false, 200, 500, exact, `{"code":500,"message":"customer_id must not be empty"}`},
		{"verify: customer_id with a blank", `{"type":"verify","project_id":1234,"customer_id":"71 23"}`, false, 200, 500, prefix, `{"code":500,"message":"customer_id must contain only visible`},
		{"verify: project missing", `{"type":"verify","customer_id":"7123456789"}`, false, 200, 500, exact, `{"code":500,"message":"project_id is missing"}`},
		{"verify: project unreadable", `{"type":"verify","project_id":1234.0,"customer_id":"7123456789"}`, false, 200, 500, exact, `{"code":500,"message":"project_id must be a whole number"}`},
		{"verify: account unknown", testkit.Edit(t, verifyBody, "7123456789", "nobody"), false, 200, 404, exact, `{"code":404,"message":"Account does not exist"}`},
		{"verify: account closed", testkit.Edit(t, verifyBody, "7123456789", "closed"), false, 200, 404, exact, `{"code":404,"message":"Account does not exist"}`},
		{"verify: no open contract", testkit.Edit(t, verifyBody, "7123456789", "hollow"), false, 200, 404, exact, `{"code":404,"message":"Account does not exist"}`},
		{"verify: done", verifyBody, false, 200, 0, exact, `{"code":0,"currency":"KZT","entities":[{"id":"12345","number":"1234_ABC/01-01-2025/Abcdef12","min_payment":100000,"payment":100000,"info":{"total_debt":500000,"z":1.50,"customer_name":"John <Doe>"}},{"id":"67890","number":"5678_ABC/01-01-2025/Abcdef34","payment":150000}],"additional_customer_id":"ABCDE12345"}`},
		{"verify: integer customer_id, string project_id", `{"type":"verify","project_id":"1234","customer_id":7123456789}`, false, 200, 0, prefix, `{"code":0,`},
		{"verify: project in general", `{"type":"verify","general":{"project_id":1234},"customer_id":"7123456789"}`, false, 200, 0, prefix, `{"code":0,`},

		{"verify: an object in the project's place is nothing", `{"type":"verify","project_id":{},"general":{"project_id":1234},"customer_id":"7123456789"}`, false, 200, 0, prefix, `{"code":0,`},

		{"check_deposit: no signature", depositBody, true, 200, 400, exact, `{"code":400,"message":"Signature error"}`},
		{"check_deposit: bad signature", signed(t, depositBody, "wrong"), true, 200, 400, exact, `{"code":400,"message":"Signature error"}`},
		{"check_deposit: unknown project", testkit.Edit(t, depositBody, "1234,", "4321,"), false, 200, 400, exact, `{"code":400,"message":"Signature error"}`},
		{"check_deposit: entity_id missing", testkit.Edit(t, depositBody, `"entity_id":"12345",`, ``), false, 200, 500, exact, `{"code":500,"message":"entity_id is missing"}`},
		{"check_deposit: entity_id is true", testkit.Edit(t, depositBody, `"entity_id":"12345"`, `"entity_id":true`), false, 200, 500, exact, `{"code":500,"message":"entity_id must be a string"}`},
		{"check_deposit: entity_id with a colon", testkit.Edit(t, depositBody, `"entity_id":"12345"`, `"entity_id":"1:2"`), false, 200, 500, prefix, `{"code":500,"message":"entity_id must contain only visible`},
		{"check_deposit: amount missing", testkit.Edit(t, depositBody, `"amount":10000,`, ``), false, 200, 500, exact, `{"code":500,"message":"amount is missing"}`},
		{"check_deposit: amount is a fraction", testkit.Edit(t, depositBody, `10000`, `10000.0`), false, 200, 500, exact, `{"code":500,"message":"amount must be a whole number of minor units"}`},
		{"check_deposit: amount has an exponent", testkit.Edit(t, depositBody, `10000`, `1e4`), false, 200, 500, exact, `{"code":500,"message":"amount must be a whole number of minor units"}`},
		{"check_deposit: amount with a leading zero", testkit.Edit(t, depositBody, `10000`, `"010000"`), false, 200, 500, exact, `{"code":500,"message":"amount must be a whole number of minor units"}`},
		{"check_deposit: amount negative", testkit.Edit(t, depositBody, `10000`, `-1`), false, 200, 500, exact, `{"code":500,"message":"amount must be a whole number of minor units"}`},
		{"check_deposit: amount zero", testkit.Edit(t, depositBody, `10000`, `0`), false, 200, 500, prefix, `{"code":500,"message":"amount must be between 1 and`},
		{"check_deposit: amount over ten to the thirteenth", testkit.Edit(t, depositBody, `10000`, `10000000000001`), false, 200, 500, prefix, `{"code":500,"message":"amount must be between 1 and`},
		{"check_deposit: amount over 64 bits", testkit.Edit(t, depositBody, `10000`, `9999999999999999999`), false, 200, 500, prefix, `{"code":500,"message":"amount must be between 1 and`},
		{"check_deposit: amount over max_amount", testkit.Edit(t, depositBody, `10000`, `5000001`), false, 200, 500, exact, `{"code":500,"message":"amount is above the maximum of 5000000 minor units"}`},
		{"check_deposit: amount under min_payment", testkit.Edit(t, depositBody, `123456789`, `7123456789`), false, 200, 500, exact, `{"code":500,"message":"amount is below the minimum of 100000 minor units"}`},
		{"check_deposit: currency missing", testkit.Edit(t, depositBody, `"currency":"KZT",`, ``), false, 200, 500, exact, `{"code":500,"message":"currency is missing"}`},
		{"check_deposit: currency in small letters", testkit.Edit(t, depositBody, `KZT`, `kzt`), false, 200, 500, prefix, `{"code":500,"message":"currency must be a code of three capital letters`},
		{"check_deposit: currency too long", testkit.Edit(t, depositBody, `KZT`, `KZTT`), false, 200, 500, prefix, `{"code":500,"message":"currency must be a code`},
		{"check_deposit: currency a number", testkit.Edit(t, depositBody, `"KZT"`, `398`), false, 200, 500, exact, `{"code":500,"message":"currency must be a string"}`},
		{"check_deposit: another currency", testkit.Edit(t, depositBody, `KZT`, `USD`), false, 200, 500, exact, `{"code":500,"message":"currency must be KZT for this account"}`},
		{"check_deposit: method missing", testkit.Edit(t, depositBody, `,"payment_method":"terminal/kaspi"`, ``), false, 200, 500, exact, `{"code":500,"message":"payment_method is missing"}`},
		{"check_deposit: method not accepted", testkit.Edit(t, depositBody, `terminal/kaspi`, `card`), false, 200, 500, exact, `{"code":500,"message":"payment_method is not accepted by this project"}`},
		{"check_deposit: project missing", testkit.Edit(t, depositBody, `"project_id":1234,`, ``), false, 200, 500, exact, `{"code":500,"message":"project_id is missing"}`},
		{"check_deposit: contract unknown", testkit.Edit(t, depositBody, `"12345"`, `"zzz"`), false, 200, 500, exact, `{"code":500,"message":"entity_id does not name a contract of this account"}`},
		{"check_deposit: contract closed", testkit.Edit(t, depositBody, `"123456789"`, `"7123456789"`, `"12345"`, `"shut"`), false, 200, 500, exact, `{"code":500,"message":"entity_id names a contract that is closed"}`},
		{"check_deposit: another account's contract", testkit.Edit(t, depositBody, `"12345"`, `"67890"`), false, 200, 500, exact, `{"code":500,"message":"entity_id does not name a contract of this account"}`},
		{"check_deposit: account unknown", testkit.Edit(t, depositBody, `"123456789"`, `"nobody"`), false, 200, 404, exact, `{"code":404,"message":"Account does not exist"}`},
		{"check_deposit: account closed", testkit.Edit(t, depositBody, `"123456789"`, `"closed"`), false, 200, 404, exact, `{"code":404,"message":"Account does not exist"}`},
		{"check_deposit: no open contract", testkit.Edit(t, depositBody, `"123456789"`, `"hollow"`), false, 200, 404, exact, `{"code":404,"message":"Account does not exist"}`},
		{"check_deposit: done", depositBody, false, 200, 0, prefix, `{"code":0,"payment_id":"p_`},
		{"check_deposit: integers for ids, digits for numbers", `{"type":"check_deposit","project_id":"1234","customer_id":123456789,"entity_id":12345,"amount":"10000","currency":"KZT","payment_method":"terminal/kaspi"}`, false, 200, 0, prefix, `{"code":0,"payment_id":"p_`},

		{"type unknown", `{"type":"refund","project_id":1234}`, false, 200, 500, exact, `{"code":500,"message":"type must be verify or check_deposit"}`},
		{"type a number", `{"type":1,"project_id":1234}`, false, 200, 500, exact, `{"code":500,"message":"type must be verify or check_deposit"}`},
		{"type null, bad signature", `{"type":null,"project_id":1234}`, true, 200, 400, exact, `{"code":400,"message":"Signature error"}`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			body := tc.body
			if !tc.raw {
				body = signed(t, body, demoSecret)
			}
			got := plain.post(body)
			if got.status != tc.status {
				t.Errorf("status: got %d, want %d", got.status, tc.status)
			}
			checkAnswer(t, got, tc.code, tc.match == prefix, tc.answer)

			// error_status: mirror repeats the code as the status, where the table says code.
			want := tc.status
			if want == http.StatusOK && tc.code != 0 {
				want = tc.code
			}
			got = mirror.post(body)
			if got.status != want {
				t.Errorf("mirrored status: got %d, want %d", got.status, want)
			}
			checkAnswer(t, got, tc.code, tc.match == prefix, tc.answer)
		})
	}
}

func checkAnswer(t *testing.T, got answer, code int, prefix bool, want string) {
	t.Helper()
	if got.code(t) != code {
		t.Errorf("code: got %s, want %d", got.body, code)
	}
	if got.body != want && !(prefix && strings.HasPrefix(got.body, want)) {
		t.Errorf("answer:\n got %s\nwant %s", got.body, want)
	}
	if media := got.header.Get("Content-Type"); media != "application/json" {
		t.Errorf("content type: got %q", media)
	}
	if message, _ := got.json(t)["message"].(string); code != 0 && message == "" {
		t.Error("an answer other than 0 needs a message")
	}
}

func TestACallbackIsAnswered200OnceItIsStored(t *testing.T) {
	r := newRig(t)
	id := r.issue()
	got := r.send(callbackFor(t, id, "28"))
	if got.status != http.StatusOK || got.body != `{"code":0}` {
		t.Fatalf("got %d %s", got.status, got.body)
	}
	p := r.payment(id)
	if p.Status != topup.StatusSucceeded || p.Credit == nil || p.Credit.Money.Amount != 10000 {
		t.Errorf("payment: got %+v", p)
	}
	balances, err := r.store.ContractBalances(context.Background(), "123456789")
	if err != nil || balances["12345"] != 10000 {
		t.Errorf("balance: got %v, %v, want 10000", balances, err)
	}
}

func TestACallbackWithAValidSignatureIsNeverRefused(t *testing.T) {
	r := newRig(t)
	id := r.issue()
	for name, body := range map[string]string{
		"an empty object":                  `{}`,
		"only a project":                   `{"project_id":1234}`,
		"a payment that is no object":      `{"project_id":1234,"payment":"x"}`,
		"a payment that is empty":          `{"project_id":1234,"payment":{}}`,
		"token callback":                   `{"general":{"project_id":1234,"signature":""},"request":{"id":"x"},"token":"t"}`,
		"recurring":                        `{"project_id":1234,"recurring":{"id":7}}`,
		"unknown payment, foreign method":  testkit.Edit(t, testkit.JetPayCallback, `"kaspi"`, `"card"`),
		"unknown payment":                  testkit.Edit(t, testkit.JetPayCallback, `payment_47`, `payment_48`),
		"a movement without an amount":     testkit.Edit(t, callbackFor(t, id, "5"), `"sum_initial":{"amount":10000,"currency":"KZT"},`, ``),
		"a movement with a fraction":       testkit.Edit(t, callbackFor(t, id, "6"), `"amount":10000`, `"amount":10000.5`),
		"a movement without a project":     testkit.Edit(t, callbackFor(t, id, "7"), `"project_id":1234,`, ``),
		"payment and type":                 testkit.Edit(t, callbackFor(t, id, "8"), `{"project_id"`, `{"type":"verify","project_id"`),
		"decline":                          testkit.Edit(t, callbackFor(t, id, "9"), `"status":"success"`, `"status":"decline"`),
		"more members, nulls, empty lists": testkit.Edit(t, callbackFor(t, id, "10"), `{"project_id"`, `{"errors":[],"acs":{},"x":null,"project_id"`),
	} {
		t.Run(name, func(t *testing.T) {
			got := r.send(body)
			if got.status != http.StatusOK || got.body != `{"code":0}` {
				t.Errorf("got %d %s, want 200 {\"code\":0}", got.status, got.body)
			}
		})
	}
}

func TestACallbackWithoutAValidSignatureIs400AndStoresNothing(t *testing.T) {
	r := newRig(t)
	id := r.issue()
	body := callbackFor(t, id, "28")
	for name, bad := range map[string]string{
		"not signed":                         body,
		"another secret":                     signed(t, body, "wrong"),
		"another project's secret":           signed(t, body, otherSecret),
		"unknown project":                    signed(t, testkit.Edit(t, body, "1234", "4321"), demoSecret),
		"no project, nobody's secret":        signed(t, testkit.Edit(t, body, `"project_id":1234,`, ``), "wrong"),
		"no project, not signed":             testkit.Edit(t, body, `"project_id":1234,`, ``),
		"signature is a number":              testkit.Edit(t, body, `{"project_id"`, `{"signature":1,"project_id"`),
		"an amount changed after signing":    testkit.Edit(t, signed(t, body, demoSecret), "10000", "90000"),
		"the sample's printed placeholder":   testkit.Edit(t, body, `{"project_id"`, `{"signature":"U7HQO7ToISZhMPKdM4Xr4DSX2UuHp99rHrtaxkUKQtoYzFvoB3cs9CRd4xeYG2Q==","project_id"`),
		"neither a payment nor a type: [1]":  `[1]`,
		"neither a payment nor a type: null": `null`,
	} {
		t.Run(name, func(t *testing.T) {
			got := r.post(bad)
			if got.status != http.StatusBadRequest || got.body != `{"code":400,"message":"Signature error"}` {
				t.Errorf("got %d %s", got.status, got.body)
			}
		})
	}
	if p := r.payment(id); p.Status != topup.StatusPending {
		t.Errorf("payment: got %s, want pending", p.Status)
	}
}

func TestAMessageWithoutAProjectMustBeExactlyOneProjects(t *testing.T) {
	r := newRig(t)
	id := r.issue()
	body := testkit.Edit(t, callbackFor(t, id, "28"), `"project_id":1234,`, ``)
	if got := r.send(body); got.status != http.StatusOK {
		t.Fatalf("got %d %s", got.status, got.body)
	}
	p := r.payment(id)
	if p.Status != topup.StatusReview || !p.Flags.Has(topup.FlagUnreadable) || p.Credit != nil {
		t.Errorf("payment: got %s %v, want it in review, unreadable", p.Status, p.Flags.Names())
	}

	twins := newRig(t, sameSecret)
	if got := twins.send(body); got.status != http.StatusBadRequest {
		t.Errorf("two projects with the secret: got %d %s, want 400", got.status, got.body)
	}
	got := twins.send(`{"type":"verify","customer_id":"7123456789"}`)
	if got.code(t) != 400 {
		t.Errorf("two projects with the secret: got %s, want code 400", got.body)
	}
}

func TestTheRawBodyIsKeptByteForByte(t *testing.T) {
	r := newRig(t)
	id := r.issue()
	body := signed(t, "  "+callbackFor(t, id, "28")+" \r\n", demoSecret)
	r.post(body)
	var kept string
	r.raw(func(db storetest.DB) error {
		return db.QueryRow(`SELECT b.body FROM message_bodies b JOIN messages m ON m.id = b.message_id WHERE m.payment_id = ?`, id).Scan(&kept)
	})
	if kept != body {
		t.Errorf("kept:\n got %q\nwant %q", kept, body)
	}
}

func TestARepeatHasNoEffect(t *testing.T) {
	r := newRig(t)
	id := r.issue()
	r.send(callbackFor(t, id, "28"))
	again := testkit.Edit(t, callbackFor(t, id, `"28"`), `"description":""`, `"description":"again"`, `"Success"`, `"OK"`)
	if got := r.send(again); got.status != http.StatusOK {
		t.Fatalf("got %d %s", got.status, got.body)
	}
	lines := r.logs.lines(t)
	if got := lines[len(lines)-1]["outcome"]; got != "repeat" {
		t.Errorf("outcome: got %v, want repeat", got)
	}
	if p := r.payment(id); p.Credit.Money.Amount != 10000 || len(p.Flags.Names()) != 0 {
		t.Errorf("payment: got %+v", p)
	}
}

func TestTheSecondURLIsTheSameHandler(t *testing.T) {
	r := newRig(t)
	id := r.issue()
	request := r.request(http.MethodPost, r.public.URL+"/jetpay/callback", signed(t, callbackFor(t, id, "28"), demoSecret))
	request.Header.Set("Content-Type", "text/plain; charset=koi8-r")
	if got := r.do(request); got.status != http.StatusOK || got.body != `{"code":0}` {
		t.Errorf("callback: got %d %s", got.status, got.body)
	}
	got := r.do(r.request(http.MethodPost, r.public.URL+"/jetpay/callback", signed(t, verifyBody, demoSecret)))
	if got.code(t) != 0 {
		t.Errorf("verify: got %s", got.body)
	}
}

func TestABodyOverOneMiBIs413(t *testing.T) {
	r := newRig(t)
	large := `{"type":"verify","x":"` + strings.Repeat("a", signing.MaxBody) + `"}`
	for name, request := range map[string]*http.Request{
		"announced": r.request(http.MethodPost, r.public.URL+"/jetpay", large),
		"chunked":   r.request(http.MethodPost, r.public.URL+"/jetpay/callback", ""),
	} {
		t.Run(name, func(t *testing.T) {
			if name == "chunked" {
				request.Body, request.ContentLength = io.NopCloser(strings.NewReader(large)), -1
			}
			if got := r.do(request); got.status != http.StatusRequestEntityTooLarge || got.code(t) != 500 {
				t.Errorf("got %d %s, want 413", got.status, got.body)
			}
		})
	}
	exact := `{"type":"verify","project_id":1234,"customer_id":"7123456789","x":"`
	exact += strings.Repeat("a", signing.MaxBody-len(exact)-2-len(`,"signature":""`)-88) + `"}`
	request := r.request(http.MethodPost, r.public.URL+"/jetpay", "")
	body := signed(t, exact, demoSecret)
	if len(body) != signing.MaxBody {
		t.Fatalf("the body has %d bytes", len(body))
	}
	request.Body, request.ContentLength = io.NopCloser(strings.NewReader(body)), -1
	if got := r.do(request); got.status != http.StatusOK || got.code(t) != 0 {
		t.Errorf("exactly 1 MiB, chunked: got %d %.200s", got.status, got.body)
	}
}

func TestABodyThatEndsEarlyIs400(t *testing.T) {
	r := newRig(t)
	conn, err := net.Dial("tcp", strings.TrimPrefix(r.public.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "POST /jetpay HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{\"type\":"); err != nil {
		t.Fatal(err)
	}
	if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(conn)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(string(got), "HTTP/1.1 400 ") || !strings.Contains(string(got), `{"code":400,`) {
		t.Errorf("got %s", got)
	}
}

func TestOtherMethodsAndPathsAreRefused(t *testing.T) {
	r := newRig(t)
	for _, tc := range []struct {
		method, path string
		status       int
	}{
		{http.MethodGet, "/jetpay", 405},
		{http.MethodPut, "/jetpay/callback", 405},
		{http.MethodPost, "/jetpay/other", 404},
		{http.MethodPost, "/", 404},
		{http.MethodGet, "/metrics", 404},
		{http.MethodGet, "/api/v1/payments", 404},
	} {
		if got := r.do(r.request(tc.method, r.public.URL+tc.path, "")); got.status != tc.status {
			t.Errorf("%s %s: got %d, want %d", tc.method, tc.path, got.status, tc.status)
		}
	}
}

func TestAnswersAreSignedWhenConfigured(t *testing.T) {
	r := newRig(t, signs)
	id, _ := r.send(depositBody).json(t)["payment_id"].(string)
	key, err := signing.NewKey(demoSecret)
	if err != nil {
		t.Fatal(err)
	}
	for name, body := range map[string]string{
		"verify":        verifyBody,
		"check_deposit": depositBody,
		"refusal":       testkit.Edit(t, depositBody, "KZT", "USD"),
		"callback":      callbackFor(t, id, "28"),
	} {
		got := r.send(body)
		answered, err := signing.Parse([]byte(got.body))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := answered.Verify(key); err != nil {
			t.Errorf("%s: the answer %s: %v", name, got.body, err)
		}
		answered.Release()
	}
	if got := r.post(signed(t, verifyBody, "wrong")); strings.Contains(got.body, "signature\"") {
		t.Errorf("an answer to nobody we know is signed: %s", got.body)
	}
}

func TestPhonesAreNormalisedBeforeTheyAreChecked(t *testing.T) {
	r := newRig(t, phones)
	r.putAccount(`{"customer_id":"+7 (707) 123-45-67","additional_customer_id":"P","currency":"KZT","entities":[{"id":"e","number":"N"}]}`)
	for _, id := range []string{`"7071234567"`, `"87071234567"`, `"+7 707 123-45-67"`, `77071234567`} {
		if got := r.send(`{"type":"verify","project_id":1234,"customer_id":` + id + `}`); got.code(t) != 0 {
			t.Errorf("verify %s: got %s", id, got.body)
		}
		got := r.send(`{"type":"check_deposit","project_id":1234,"customer_id":` + id + `,"entity_id":"e","amount":5,"currency":"KZT","payment_method":"terminal/kaspi"}`)
		if got.code(t) != 0 {
			t.Errorf("check_deposit %s: got %s", id, got.body)
			continue
		}
		if p := r.payment(got.json(t)["payment_id"].(string)); p.CustomerID != "7071234567" {
			t.Errorf("issued for %q, want 7071234567", p.CustomerID)
		}
	}
}

func TestTwoDepositsNeverShareAPaymentID(t *testing.T) {
	r := newRig(t)
	if first, second := r.issue(), r.issue(); first == second {
		t.Errorf("both have %s", first)
	}
}

func TestWhenTheDatabaseIsAwayTheAnswerIs503(t *testing.T) {
	r := newRig(t)
	id := r.issue()
	if err := r.closeStore(); err != nil {
		t.Fatal(err)
	}
	for name, body := range map[string]string{"verify": verifyBody, "check_deposit": depositBody, "callback": callbackFor(t, id, "28")} {
		checkUnavailable(t, name, r.send(body))
	}
	lines := r.logs.lines(t)
	last := lines[len(lines)-1]
	if last["level"] != "error" || last["error"] == "" || last["outcome"] != "unavailable" {
		t.Errorf("log: got %v", last)
	}
}

func checkUnavailable(t *testing.T, name string, got answer) {
	t.Helper()
	if got.status != http.StatusServiceUnavailable || got.body != `{"code":500,"message":"temporarily unavailable"}` {
		t.Errorf("%s: got %d %s", name, got.status, got.body)
	}
	if got.header.Get("Retry-After") == "" {
		t.Errorf("%s: Retry-After is missing", name)
	}
}

func TestWhenTheQueueIsFullTheAnswerIs503AndNothingIsLost(t *testing.T) {
	r := newRig(t, func(_ *config.Config, o *store.Options) { o.Queue = 1 })
	ids := make([]string, 8)
	for i := range ids {
		ids[i] = r.issue()
	}
	release := storetest.Hold(r.t, r.database)
	answers := make(chan answer, len(ids))
	bodies := make(map[string]string)
	var wait sync.WaitGroup
	for i, id := range ids {
		body := signed(t, callbackFor(t, id, strconv.Itoa(900+i)), demoSecret)
		bodies[id] = body
		wait.Go(func() { answers <- r.post(body) })
	}
	checkUnavailable(t, "the first to be answered", <-answers)
	release()
	wait.Wait()
	close(answers)
	stored := 0
	for got := range answers {
		if got.status == http.StatusOK {
			stored++
			continue
		}
		checkUnavailable(t, "one of the others", got)
	}
	credited := func() (n int) {
		for _, id := range ids {
			if r.payment(id).Credit != nil {
				n++
			}
		}
		return n
	}
	if got := credited(); got != stored || stored == 0 {
		t.Errorf("credited %d, answered 200 to %d", got, stored)
	}
	for _, id := range ids {
		if got := r.post(bodies[id]); got.status != http.StatusOK {
			t.Errorf("sent again: got %d", got.status)
		}
	}
	if got := credited(); got != len(ids) {
		t.Errorf("credited %d, want %d", got, len(ids))
	}
}

func TestADrainingServerAnswers503AndIsNotReady(t *testing.T) {
	r := newRig(t)
	if got := r.askAs("", http.MethodGet, "/readyz", ""); got.status != http.StatusOK || got.body != "ok" {
		t.Fatalf("readyz before: got %d %s", got.status, got.body)
	}
	r.server.Drain()
	for name, body := range map[string]string{"verify": verifyBody, "check_deposit": depositBody, "callback": testkit.JetPayCallback} {
		checkUnavailable(t, name, r.send(body))
	}
	if got := r.askAs("", http.MethodGet, "/readyz", ""); got.status != http.StatusServiceUnavailable {
		t.Errorf("readyz: got %d %s", got.status, got.body)
	}
	if got := r.askAs("", http.MethodGet, "/livez", ""); got.status != http.StatusOK {
		t.Errorf("livez: got %d", got.status)
	}
	if got := r.do(r.request(http.MethodGet, r.public.URL+"/healthz", "")); got.status != http.StatusOK || got.body != "ok" {
		t.Errorf("healthz: got %d %s", got.status, got.body)
	}
}

func TestManyCopiesOfOneCallbackCreditOnce(t *testing.T) {
	r := newRig(t)
	id := r.issue()
	body := signed(t, callbackFor(t, id, "28"), demoSecret)
	var wait sync.WaitGroup
	var mu sync.Mutex
	var statuses []int
	for range 64 {
		wait.Go(func() {
			got := r.post(body)
			mu.Lock()
			defer mu.Unlock()
			statuses = append(statuses, got.status)
		})
	}
	wait.Wait()
	if i := slices.IndexFunc(statuses, func(s int) bool { return s != http.StatusOK }); i >= 0 {
		t.Errorf("got status %d", statuses[i])
	}
	balances, err := r.store.ContractBalances(context.Background(), "123456789")
	if err != nil || balances["12345"] != 10000 {
		t.Errorf("balance: got %v %v, want one credit of 10000", balances, err)
	}
}

func TestACallbackThatIsNotStoredIsNeverAnswered200(t *testing.T) {
	for _, err := range []error{
		topup.Invalid("amount", "is odd"), topup.NotFound("payment does not exist"), topup.Conflict("already done"),
		topup.Unavailable("temporarily unavailable"), errors.New("disk on fire"), context.DeadlineExceeded,
	} {
		if status, retry := handlers.AnswerToCallback(fmt.Errorf("record: %w", err)); status != http.StatusServiceUnavailable || !retry {
			t.Errorf("%v: got %d, want 503", err, status)
		}
	}
}

// An answer that cannot be signed, because it is larger than a body may be, is
// an error of ours: never an empty 200.
func TestAnAnswerThatCannotBeSignedIs503(t *testing.T) {
	r := newRig(t, signs)
	account := topup.Account{CustomerID: "big", AdditionalCustomerID: "x", Currency: "KZT"}
	for i := range 600 {
		account.Contracts = append(account.Contracts, topup.Contract{
			ID: strconv.Itoa(i), Number: "n", Info: []byte(`{"a":"` + strings.Repeat("y", 2000) + `"}`),
		})
	}
	if _, err := r.store.PutAccount(t.Context(), &account); err != nil {
		t.Fatal(err)
	}
	checkUnavailable(t, "a verify", r.send(`{"type":"verify","project_id":1234,"customer_id":"big"}`))
}
