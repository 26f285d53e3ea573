package handlers_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"tolem/config"
	"tolem/store"
	"tolem/testkit"
)

const record = `{"additional_customer_id":"X1","currency":"KZT","entities":[{"id":"e1","number":"N1","payment":5,"min_payment":1,"info":{"b":1.50,"a":"<&>"}}]}`

func TestAnAccountIsPutAndRead(t *testing.T) {
	r := newRig(t)
	want := `{"customer_id":"c1","additional_customer_id":"X1","currency":"KZT","closed":false,"entities":[{"id":"e1","number":"N1","payment":5,"min_payment":1,"info":{"b":1.50,"a":"<&>"},"closed":false,"balance":0}]}`
	if got := r.ask(http.MethodPut, "/api/v1/accounts/c1", record); got.status != http.StatusCreated || got.body != want {
		t.Errorf("create: got %d %s", got.status, got.body)
	}
	if got := r.ask(http.MethodPut, "/api/v1/accounts/c1", record); got.status != http.StatusOK || got.body != want {
		t.Errorf("replace: got %d %s", got.status, got.body)
	}
	got := r.ask(http.MethodGet, "/api/v1/accounts/c1", "")
	if got.status != http.StatusOK || withoutHistory(got.body) != want {
		t.Errorf("get: got %d %s", got.status, got.body)
	}
	// The second PUT changed nothing.
	for member, parts := range map[string]string{"created": `"source":"put","actor":"boss"}`, "changed": `"source":"put","actor":"boss"}`, "history": `"what":"created","source":"put","actor":"boss"}]`} {
		if _, after, found := strings.Cut(got.body, `"`+member+`":`); !found || !strings.Contains(after, parts) {
			t.Errorf("%s: got %s", member, got.body)
		}
	}
	if n := strings.Count(got.body, `"what"`); n != 2 {
		t.Errorf("got %d events: %s", n, got.body)
	}
	left := testkit.Edit(t, record, `"id":"e1"`, `"id":"e2"`)
	got = r.ask(http.MethodPut, "/api/v1/accounts/c1", left)
	if !strings.Contains(got.body, `"id":"e1","number":"N1","payment":5,"min_payment":1,"info":{"b":1.50,"a":"<&>"},"closed":true,"balance":0}`) {
		t.Errorf("a contract that is left out is closed: got %s", got.body)
	}
}

// withoutHistory is an account without what is known of its past.
func withoutHistory(body string) string {
	before, _, _ := strings.Cut(body, `,"created":`)
	return before + "}"
}

func TestAPutIsRefusedWhatASpreadsheetHasDestroyed(t *testing.T) {
	r := newRig(t)
	for id, field := range map[string]string{"9.96555E+11": "customer_id", "%23N%2FA": "customer_id", "7071234569.0": "customer_id", "c%E3%85%A4": "customer_id"} {
		checkProblem(t, r.ask(http.MethodPut, "/api/v1/accounts/"+id, record), 422, field)
	}
	checkProblem(t, r.ask(http.MethodPut, "/api/v1/accounts/c1", testkit.Edit(t, record, `"id":"e1"`, `"id":"#REF!"`)), 422, "entities[0].id")
	checkProblem(t, r.ask(http.MethodPut, "/api/v1/accounts/c1", testkit.Edit(t, record, `"KZT"`, `"HRK"`)), 422, "currency")
}

func TestAnAccountShowsWhatWasCredited(t *testing.T) {
	r := newRig(t)
	r.send(callbackFor(t, r.issue(), "28"))
	got := r.ask(http.MethodGet, "/api/v1/accounts/123456789", "")
	want := `{"customer_id":"123456789","additional_customer_id":"DEF","currency":"KZT","closed":false,"entities":[{"id":"12345","number":"N-1","closed":false,"balance":10000}]}`
	if withoutHistory(got.body) != want {
		t.Errorf("got %s", got.body)
	}
	currency := `{"additional_customer_id":"DEF","currency":"KGS","entities":[{"id":"12345","number":"N-1"}]}`
	checkProblem(t, r.ask(http.MethodPut, "/api/v1/accounts/123456789", currency), 422, "currency")
}

func TestIDsInPathsAreUnescapedExactlyOnce(t *testing.T) {
	r := newRig(t)
	for i, id := range []string{"a/b", "a%2Fb", "+77", "7+7", "100%", "%41", "a%252Fb", "Ж", "a?b#c", "..", "a//b", "%", "a\\b", "(x)", "~*!'"} {
		path := "/api/v1/accounts/" + url.PathEscape(id)
		if id == ".." {
			path = "/api/v1/accounts/%2E%2E"
		}
		created := r.ask(http.MethodPut, path, testkit.Edit(t, record, "X1", fmt.Sprint("X", i)))
		if created.status != http.StatusCreated {
			t.Errorf("%q: put: got %d %s", id, created.status, created.body)
			continue
		}
		got := r.ask(http.MethodGet, path, "")
		if got.status != http.StatusOK || got.json(t)["customer_id"] != id {
			t.Errorf("%q: got %d %s", id, got.status, got.body)
		}
		if r.send(`{"type":"verify","project_id":1234,"customer_id":`+quoted(t, id)+`}`).code(t) != 0 {
			t.Errorf("%q: verify does not find it", id)
		}
	}
	checkProblem(t, r.ask(http.MethodPut, "/api/v1/accounts/+7%207", record), 422, "customer_id")

	normalised := newRig(t, phones)
	normalised.ask(http.MethodPut, "/api/v1/accounts/+7%20707%20123-45-67", record)
	if got := normalised.ask(http.MethodGet, "/api/v1/accounts/87071234567", ""); got.json(t)["customer_id"] != "7071234567" {
		t.Errorf("normalised: got %d %s", got.status, got.body)
	}
	body := testkit.Edit(t, record, `{"add`, `{"customer_id":"77071234567","add`)
	if got := normalised.ask(http.MethodPut, "/api/v1/accounts/7071234567", body); got.status != http.StatusOK {
		t.Errorf("another spelling of the id in the body: got %d %s", got.status, got.body)
	}
}

func quoted(t *testing.T, text string) string {
	t.Helper()
	data, err := json.Marshal(text)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestAnAccountThatBreaksARuleIsRefusedAndTheFieldNamed(t *testing.T) {
	r := newRig(t)
	for name, tc := range map[string]struct {
		body   string
		status int
		field  string
	}{
		"not JSON":              {`{"currency"`, 400, ""},
		"two values":            {`{} {}`, 400, ""},
		"a list":                {`[]`, 422, "record"},
		"another customer_id":   {testkit.Edit(t, record, `{"add`, `{"customer_id":"c2","add`), 422, "customer_id"},
		"a balance":             {testkit.Edit(t, record, `"number"`, `"balance":1,"number"`), 422, "entities[0].balance"},
		"currency missing":      {testkit.Edit(t, record, `"currency":"KZT",`, ``), 422, "currency"},
		"currency unknown":      {testkit.Edit(t, record, `KZT`, `QQQ`), 422, "currency"},
		"no contract":           {`{"additional_customer_id":"X1","currency":"KZT","entities":[]}`, 422, "entities"},
		"the same contract":     {testkit.Edit(t, record, `[{`, `[{"id":"e1","number":"N"},{`), 422, "entities[1].id"},
		"contract without id":   {testkit.Edit(t, record, `"id":"e1",`, ``), 422, "entities[0].id"},
		"amount a fraction":     {testkit.Edit(t, record, `"payment":5`, `"payment":5.5`), 422, "entities[0].payment"},
		"info a list":           {testkit.Edit(t, record, `{"b":1.50,"a":"<&>"}`, `[]`), 422, "entities[0].info"},
		"a member we know not":  {testkit.Edit(t, record, `{"add`, `{"name":"John","add`), 422, "name"},
		"a duplicate member":    {testkit.Edit(t, record, `{"add`, `{"currency":"KZT","add`), 422, "currency"},
		"larger than one MiB":   {`{"x":"` + strings.Repeat("a", 1<<20) + `"}`, 413, ""},
		"a null":                {testkit.Edit(t, record, `"KZT"`, `null`), 422, "currency"},
		"nothing":               {``, 400, ""},
		"an id with a space":    {testkit.Edit(t, record, `"e1"`, `"e 1"`), 422, "entities[0].id"},
		"additional id missing": {testkit.Edit(t, record, `"additional_customer_id":"X1",`, ``), 422, "additional_customer_id"},
	} {
		t.Run(name, func(t *testing.T) {
			checkProblem(t, r.ask(http.MethodPut, "/api/v1/accounts/c1", tc.body), tc.status, tc.field)
		})
	}
	several := checkProblem(t, r.ask(http.MethodPut, "/api/v1/accounts/c1", `{"currency":"QQQ","entities":[]}`), 422, "additional_customer_id")
	if errs, _ := several["errors"].([]any); len(errs) != 3 {
		t.Errorf("all problems at once: got %v", several)
	}
	if got := r.ask(http.MethodGet, "/api/v1/accounts/c1", ""); got.status != http.StatusNotFound {
		t.Errorf("none of them was stored: got %d", got.status)
	}
}

// checkProblem checks the shape of an error (RFC 9457).
func checkProblem(t *testing.T, got answer, status int, field string) map[string]any {
	t.Helper()
	if media := got.header.Get("Content-Type"); media != "application/problem+json" {
		t.Errorf("content type: got %q", media)
	}
	p := got.json(t)
	if got.status != status || p["status"] != float64(status) {
		t.Errorf("status: got %d %s, want %d", got.status, got.body, status)
	}
	if p["type"] != "about:blank" || p["title"] != http.StatusText(status) {
		t.Errorf("got %s", got.body)
	}
	if named, _ := p["field"].(string); named != field {
		t.Errorf("field: got %q, want %q in %s", named, field, got.body)
	}
	return p
}

func TestAPaymentShowsItsWholeStory(t *testing.T) {
	r := newRig(t)
	id := r.issue()
	pending := r.ask(http.MethodGet, "/api/v1/payments/"+id, "")
	p := pending.json(t)
	if p["status"] != "pending" || p["credited"] != nil || !strings.Contains(pending.body, `"credited":null`) ||
		!strings.Contains(pending.body, `"flags":[]`) || !strings.Contains(pending.body, `"transactions":[]`) {
		t.Errorf("pending: got %s", pending.body)
	}
	if strings.Contains(pending.body, `"provider_status"`) || strings.Contains(pending.body, `:null,"provider`) {
		t.Errorf("absent optional members are left out: got %s", pending.body)
	}
	r.send(callbackFor(t, id, "28"))
	got := r.ask(http.MethodGet, "/api/v1/payments/"+id, "")
	p = got.json(t)
	if !strings.HasPrefix(got.body, `{"payment_id":"`+id+`","provider":"jetpay","project_id":1234,"customer_id":"123456789","entity_id":"12345","amount":10000,"currency":"KZT","status":"succeeded","flags":[],"credited":{"amount":10000,"currency":"KZT","transaction_id":"t_`) {
		t.Errorf("got %s", got.body)
	}
	for member, want := range map[string]any{
		"provider_status": "success", "provider_payment_id": "123abc123-321", "operation_id": "28",
		"provider_time": "2022-03-25T11:08:46Z", "entity_number": "N-1", "payment_method": "terminal/kaspi",
		"provider_code": "0", "provider_message": "Success",
	} {
		if p[member] != want {
			t.Errorf("%s: got %v, want %v", member, p[member], want)
		}
	}
	var whole struct {
		Transactions []struct {
			Seq      int64
			Kind     string
			Postings []struct {
				Account, Currency string
				Amount            int64
			}
			EffectiveAt string `json:"effective_at"`
			RecordedAt  string `json:"recorded_at"`
		}
		Timeline []struct{ At, What, Disposition string }
	}
	if err := json.Unmarshal([]byte(got.body), &whole); err != nil {
		t.Fatal(err)
	}
	if len(whole.Transactions) != 1 || whole.Transactions[0].Kind != "credit" || whole.Transactions[0].EffectiveAt != "2022-03-25T11:08:46Z" {
		t.Fatalf("transactions: got %+v", whole.Transactions)
	}
	postings := whole.Transactions[0].Postings
	if len(postings) != 2 || postings[0].Account != "settlement:jetpay:1234" || postings[0].Amount != 10000 ||
		postings[1].Account != "customers:123456789:12345" || postings[1].Amount != -10000 {
		t.Errorf("postings: got %+v", postings)
	}
	if len(whole.Timeline) != 3 || whole.Timeline[0].What != "issued" || whole.Timeline[1].Disposition+whole.Timeline[2].Disposition != "credited" {
		t.Errorf("timeline: got %+v", whole.Timeline)
	}
	checkProblem(t, r.ask(http.MethodGet, "/api/v1/payments/p_none", ""), 404, "")
}

func TestMoneyUnderAnUnknownIDIsAPaymentOfNobody(t *testing.T) {
	r := newRig(t)
	r.send(testkit.JetPayCallback)
	got := r.ask(http.MethodGet, "/api/v1/payments?flag=unknown_payment", "")
	if !strings.Contains(got.body, `"provider_reference":"payment_47"`) || strings.Contains(got.body, `"customer_id"`) ||
		!strings.Contains(got.body, `"status":"review"`) || !strings.Contains(got.body, `"next_cursor":null`) {
		t.Errorf("got %s", got.body)
	}
}

func TestPaymentsAreListedNewestFirstPageByPage(t *testing.T) {
	r := newRig(t)
	var issued []string
	for range 5 {
		issued = append(issued, r.issue())
	}
	var listed []string
	path := "/api/v1/payments?limit=2"
	for pages := 1; ; pages++ {
		var page struct {
			Payments []struct {
				ID string `json:"payment_id"`
			}
			NextCursor *string `json:"next_cursor"`
		}
		if err := json.Unmarshal([]byte(r.ask(http.MethodGet, path, "").body), &page); err != nil {
			t.Fatal(err)
		}
		for _, p := range page.Payments {
			listed = append(listed, p.ID)
		}
		if page.NextCursor == nil {
			break
		}
		if pages > 5 {
			t.Fatal("there is no end")
		}
		path = "/api/v1/payments?limit=2&cursor=" + url.QueryEscape(*page.NextCursor)
	}
	for i := range issued {
		if len(listed) != len(issued) || listed[i] != issued[len(issued)-1-i] {
			t.Fatalf("got %v, issued %v", listed, issued)
		}
	}
	for query, want := range map[string]int{
		"status=pending": 5, "status=succeeded": 0, "customer_id=123456789": 5, "customer_id=nobody": 0,
		"amount=10000": 5, "amount=10001": 0, "q=" + issued[0]: 1, "q=N-1": 5,
		"from=2000-01-01T00:00:00Z": 5, "to=2000-01-01T00:00:00Z": 0, "from=2000-01-01T00:00:00%2B06:00&to=2100-01-01T00:00:00Z": 5,
		"flag=late": 0, "q=N": 5, "q=%20N%20-": 5,
	} {
		got := r.ask(http.MethodGet, "/api/v1/payments?"+query, "")
		list, _ := got.json(t)["payments"].([]any)
		if got.status != http.StatusOK || len(list) != want || list == nil {
			t.Errorf("%s: got %d payments, want %d: %s", query, len(list), want, got.body)
		}
	}
}

func TestADayInAQueryIsThatOfTheConfiguredTimezone(t *testing.T) {
	r := newRig(t, func(_ *config.Config, o *store.Options) {
		o.Now = func() time.Time { return time.Date(2026, 11, 28, 19, 0, 0, 0, time.UTC) } // midnight in Almaty
	})
	r.issue()
	for query, want := range map[string]int{
		"from=2026-11-29&to=2026-11-29": 1, "to=2026-11-29": 1, "from=2026-11-29": 1,
		"from=2026-11-28&to=2026-11-28": 0, "to=2026-11-28": 0, "from=2026-11-30": 0,
		"from=2026-11-29&to=2026-11-28T19:00:00Z": 0, "from=2026-11-28T19:00:00Z": 1,
	} {
		got := r.ask(http.MethodGet, "/api/v1/payments?"+query, "")
		if list, _ := got.json(t)["payments"].([]any); len(list) != want {
			t.Errorf("%s: got %d payments, want %d", query, len(list), want)
		}
	}
}

func TestParametersThatBreakARuleAreNamed(t *testing.T) {
	r := newRig(t)
	for path, field := range map[string]string{
		"/api/v1/payments?status=done":                    "status",
		"/api/v1/payments?flag=odd":                       "flag",
		"/api/v1/payments?amount=1.5":                     "amount",
		"/api/v1/payments?amount=0":                       "amount",
		"/api/v1/payments?amount=-1":                      "amount",
		"/api/v1/payments?from=yesterday":                 "from",
		"/api/v1/payments?to=2026-02-30":                  "to",
		"/api/v1/payments?status=":                        "status",
		"/api/v1/payments?status":                         "status",
		"/api/v1/payments?flag=":                          "flag",
		"/api/v1/payments?customer_id=":                   "customer_id",
		"/api/v1/payments?customer_id=%20%C2%A0":          "customer_id",
		"/api/v1/payments?q=":                             "q",
		"/api/v1/payments?q=%09":                          "q",
		"/api/v1/payments?q=%ff":                          "q",
		"/api/v1/payments?amount=":                        "amount",
		"/api/v1/payments?from=":                          "from",
		"/api/v1/payments?to=":                            "to",
		"/api/v1/payments?limit=":                         "limit",
		"/api/v1/payments?cursor=":                        "cursor",
		"/api/v1/payments?=":                              "query",
		"/api/v1/ledger/balances?prefix=":                 "prefix",
		"/api/v1/ledger/balances?cursor=":                 "cursor",
		"/api/v1/ledger/balances?limit=":                  "limit",
		"/api/v1/ledger/transactions?after=":              "after",
		"/api/v1/ledger/transactions?limit=":              "limit",
		"/api/v1/payins/p_1?refresh=":                     "refresh",
		"/api/v1/payments?limit=0":                        "limit",
		"/api/v1/payments?limit=501":                      "limit",
		"/api/v1/payments?limit=many":                     "limit",
		"/api/v1/payments?cursor=nonsense":                "cursor",
		"/api/v1/payments?stauts=pending":                 "stauts",
		"/api/v1/payments?status=pending&status=declined": "status",
		"/api/v1/payments?q=%zz":                          "query",
		"/api/v1/ledger/balances?limit=1001":              "limit",
		"/api/v1/ledger/balances?cursor=nonsense":         "cursor",
		"/api/v1/ledger/transactions?after=-1":            "after",
		"/api/v1/ledger/transactions?after=x":             "after",
		"/api/v1/ledger/transactions?limit=1001":          "limit",
	} {
		t.Run(path, func(t *testing.T) {
			checkProblem(t, r.ask(http.MethodGet, path, ""), 422, field)
		})
	}
}

func TestTheBooksAndTheFeed(t *testing.T) {
	r := newRig(t)
	empty := r.ask(http.MethodGet, "/api/v1/ledger/balances", "")
	if !strings.HasPrefix(empty.body, `{"accounts":[],"next_cursor":null,"total":{`) {
		t.Errorf("empty books: got %s", empty.body)
	}
	if got := r.ask(http.MethodGet, "/api/v1/ledger/transactions", ""); got.body != `{"transactions":[]}` {
		t.Errorf("empty feed: got %s", got.body)
	}
	var ids []string
	for i := range 3 {
		id := r.issue()
		r.send(callbackFor(t, id, fmt.Sprint(100+i)))
		ids = append(ids, id)
	}
	got := r.ask(http.MethodGet, "/api/v1/ledger/balances", "")
	want := `{"accounts":[{"account":"customers:123456789:12345","currency":"KZT","debits":0,"credits":30000},{"account":"settlement:jetpay:1234","currency":"KZT","debits":30000,"credits":0}],"next_cursor":null,"total":{"KZT":0}}`
	if got.body != want {
		t.Errorf("balances:\n got %s\nwant %s", got.body, want)
	}
	got = r.ask(http.MethodGet, "/api/v1/ledger/balances?prefix=settlement:", "")
	if strings.Contains(got.body, "customers:") || !strings.Contains(got.body, "settlement:jetpay:1234") {
		t.Errorf("prefix: got %s", got.body)
	}
	got = r.ask(http.MethodGet, "/api/v1/ledger/balances?limit=1", "")
	next, _ := got.json(t)["next_cursor"].(string)
	got = r.ask(http.MethodGet, "/api/v1/ledger/balances?limit=1&cursor="+url.QueryEscape(next), "")
	if !strings.Contains(got.body, "settlement:jetpay:1234") {
		t.Errorf("second page: got %s", got.body)
	}

	var read []string
	for after := int64(0); ; {
		var page struct {
			Transactions []struct {
				Seq       int64
				PaymentID string `json:"payment_id"`
			}
		}
		body := r.ask(http.MethodGet, fmt.Sprintf("/api/v1/ledger/transactions?after=%d&limit=2", after), "").body
		if err := json.Unmarshal([]byte(body), &page); err != nil {
			t.Fatal(err)
		}
		if len(page.Transactions) == 0 {
			break
		}
		for _, tx := range page.Transactions {
			if tx.Seq <= after {
				t.Fatalf("seq %d after %d", tx.Seq, after)
			}
			after = tx.Seq
			read = append(read, tx.PaymentID)
		}
	}
	if strings.Join(read, " ") != strings.Join(ids, " ") {
		t.Errorf("feed: got %v, want %v", read, ids)
	}
}

func TestWithoutATokenTheAdminListenerTellsNothing(t *testing.T) {
	r := newRig(t)
	for _, tc := range []struct{ method, path, header string }{
		{"GET", "/api/v1/accounts/123456789", ""},
		{"PUT", "/api/v1/accounts/c1", ""},
		{"GET", "/api/v1/payments", ""},
		{"GET", "/api/v1/payments/p_x", ""},
		{"GET", "/api/v1/ledger/balances", ""},
		{"GET", "/api/v1/ledger/transactions", ""},
		{"GET", "/api/v1/config", ""},
		{"GET", "/no/such/route", ""},
		{"DELETE", "/api/v1/payments", ""},
		{"GET", "/api/v1/payments", "Bearer wrong"},
		{"GET", "/api/v1/payments", "Bearer"},
		{"GET", "/api/v1/payments", "Bearer "},
		{"GET", "/api/v1/payments", "Basic " + adminToken},
		{"GET", "/api/v1/payments", adminToken},
		{"GET", "/api/v1/payments", "Bearer " + adminToken[1:]},
	} {
		request := r.request(tc.method, r.admin.URL+tc.path, "")
		if tc.header != "" {
			request.Header.Set("Authorization", tc.header)
		}
		got := r.do(request)
		checkProblem(t, got, 401, "")
		if !strings.HasPrefix(got.header.Get("WWW-Authenticate"), "Bearer") {
			t.Errorf("%s %s: WWW-Authenticate is missing", tc.method, tc.path)
		}
	}
	for _, path := range []string{"/livez", "/readyz", "/metrics"} {
		if got := r.askAs("", http.MethodGet, path, ""); got.status != http.StatusOK {
			t.Errorf("%s: got %d", path, got.status)
		}
	}
	checkProblem(t, r.ask(http.MethodGet, "/no/such/route", ""), 404, "")
	checkProblem(t, r.ask(http.MethodDelete, "/api/v1/payments", ""), 405, "")
	request := r.request(http.MethodGet, r.admin.URL+"/api/v1/payments", "")
	request.Header.Set("Authorization", "bearer  "+adminToken)
	if got := r.do(request); got.status != http.StatusOK {
		t.Errorf("the scheme's case does not matter: got %d", got.status)
	}
}

func TestRolesAllowWhatTheyShould(t *testing.T) {
	r := newRig(t)
	for _, tc := range []struct {
		method, path            string
		admin, reader, merchant int
	}{
		{"GET", "/api/v1/accounts/123456789", 200, 200, 403},
		{"PUT", "/api/v1/accounts/123456789", 400, 403, 403},
		{"GET", "/api/v1/payments", 200, 200, 403},
		{"GET", "/api/v1/payments/p_x", 404, 404, 403},
		{"GET", "/api/v1/ledger/balances", 200, 200, 403},
		{"GET", "/api/v1/ledger/transactions", 200, 200, 403},
		{"GET", "/api/v1/config", 200, 200, 403},
	} {
		for token, want := range map[string]int{adminToken: tc.admin, readToken: tc.reader, shopToken: tc.merchant} {
			got := r.askAs(token, tc.method, tc.path, "")
			if got.status != want {
				t.Errorf("%s %s as %s: got %d, want %d", tc.method, tc.path, token, got.status, want)
			}
			if want == 403 {
				checkProblem(t, got, 403, "")
			}
		}
	}
}

func TestWhenTheDatabaseIsAwayTheAdminListenerSaysSo(t *testing.T) {
	r := newRig(t)
	if err := r.closeStore(); err != nil {
		t.Fatal(err)
	}
	for path, status := range map[string]int{
		"/api/v1/accounts/1": 503, "/api/v1/payments/p": 503,
		"/api/v1/payments": 500, "/api/v1/ledger/balances": 500, "/api/v1/ledger/transactions": 500,
	} {
		got := checkProblem(t, r.ask(http.MethodGet, path, ""), status, "")
		if detail, _ := got["detail"].(string); strings.Contains(detail, "sql") {
			t.Errorf("%s: internal text is told: %v", path, got)
		}
	}
	checkProblem(t, r.ask(http.MethodPut, "/api/v1/accounts/c1", record), 503, "")
	checkProblem(t, r.askAs("", http.MethodGet, "/readyz", ""), 503, "")
	if got := r.askAs("", http.MethodGet, "/metrics", ""); got.status != http.StatusOK || strings.Contains(got.body, "tolem_pending_payments") {
		t.Errorf("metrics: got %d", got.status)
	}
}
