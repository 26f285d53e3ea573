package handlers_test

import (
	"context"
	"fmt"
	"math/rand"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"tolem/config"
	"tolem/signing"
	"tolem/store"
	"tolem/storetest"
	"tolem/testkit"
	"tolem/topup"
)

// said is one alert of a sequence; the zero amount is 1500000, the zero
// currency KZT.
type said struct {
	status, sub string
	amount      int64
	currency    string
}

func (s said) body(id string) string {
	amount, currency := s.amount, s.currency
	if amount == 0 {
		amount = 1500000
	}
	if currency == "" {
		currency = "KZT"
	}
	return alertBody(id, s.status, s.sub, amount, currency)
}

func TestTheRulesOfAlerts(t *testing.T) {
	var (
		success = said{status: "success"}
		decline = said{status: "decline"}
		paid    = said{status: "processing", sub: "paid"}
		sent    = said{status: "processing", sub: "sent_verification"}
		invalid = said{status: "processing", sub: "invalid_verification"}
		dispute = said{status: "dispute", sub: "different_amount"}
	)
	type want struct {
		status   topup.Status
		flags    topup.Flags
		credited int64
		suspense int64
		said     string
	}
	for name, tc := range map[string]struct {
		alerts []said
		want   want
	}{
		// every status
		"new":                        {[]said{{status: "processing", sub: "new"}}, want{status: topup.StatusPending, said: "processing:new"}},
		"requisites":                 {[]said{{status: "processing", sub: "requisites"}}, want{status: topup.StatusPending, said: "processing:requisites"}},
		"awaiting_confirm":           {[]said{{status: "processing", sub: "awaiting_confirm"}}, want{status: topup.StatusPending, said: "processing:awaiting_confirm"}},
		"awaiting_3ds_result":        {[]said{{status: "processing", sub: "awaiting_3ds_result"}}, want{status: topup.StatusPending, said: "processing:awaiting_3ds_result"}},
		"awaiting_redirect_result":   {[]said{{status: "processing", sub: "awaiting_redirect_result"}}, want{status: topup.StatusPending, said: "processing:awaiting_redirect_result"}},
		"sent_verification":          {[]said{sent}, want{status: topup.StatusPending, said: "processing:sent_verification"}},
		"invalid_verification":       {[]said{invalid}, want{status: topup.StatusPending, said: "processing:invalid_verification"}},
		"paid is not paid":           {[]said{paid}, want{status: topup.StatusPending, said: "processing:paid"}},
		"payout_process":             {[]said{{status: "processing", sub: "payout_process"}}, want{status: topup.StatusPending, said: "processing:payout_process"}},
		"dispute no_payment":         {[]said{{status: "dispute", sub: "no_payment"}}, want{status: topup.StatusPending, flags: topup.FlagDispute, said: "dispute:no_payment"}},
		"dispute different_amount":   {[]said{dispute}, want{status: topup.StatusPending, flags: topup.FlagDispute, said: "dispute:different_amount"}},
		"dispute confirm_timeout":    {[]said{{status: "dispute", sub: "confirm_timeout"}}, want{status: topup.StatusPending, flags: topup.FlagDispute, said: "dispute:confirm_timeout"}},
		"dispute payout_failed":      {[]said{{status: "dispute", sub: "payout_failed"}}, want{status: topup.StatusPending, flags: topup.FlagDispute, said: "dispute:payout_failed"}},
		"dispute, wrong requisites":  {[]said{{status: "dispute", sub: "incorrect_requisites"}}, want{status: topup.StatusPending, flags: topup.FlagDispute, said: "dispute:incorrect_requisites"}},
		"error":                      {[]said{{status: "error"}}, want{status: topup.StatusDeclined, said: "error"}},
		"decline":                    {[]said{decline}, want{status: topup.StatusDeclined, said: "decline"}},
		"success":                    {[]said{success}, want{status: topup.StatusSucceeded, credited: 1500000, said: "success"}},
		"an unknown status":          {[]said{{status: "frozen", sub: "solid"}}, want{status: topup.StatusPending, said: "frozen:solid"}},
		"an unknown sub_status":      {[]said{{status: "processing", sub: "thinking"}}, want{status: topup.StatusPending, said: "processing:thinking"}},
		"a status in capitals":       {[]said{{status: "SUCCESS"}}, want{status: topup.StatusPending, said: "SUCCESS"}},
		"success with a sub_status":  {[]said{{status: "success", sub: "x"}}, want{status: topup.StatusSucceeded, credited: 1500000, said: "success:x"}},
		"nothing":                    {nil, want{status: topup.StatusPending, said: "processing:new"}},
		"the provider's own amounts": {[]said{{status: "success", amount: 1500000}}, want{status: topup.StatusSucceeded, credited: 1500000, said: "success"}},

		// sequences
		"success twice":                 {[]said{success, success}, want{status: topup.StatusSucceeded, credited: 1500000, said: "success"}},
		"success, then another amount":  {[]said{success, {status: "success", amount: 7000}}, want{status: topup.StatusSucceeded, flags: topup.FlagConflict, credited: 1500000, said: "success"}},
		"success, then other currency":  {[]said{success, {status: "success", currency: "KGS"}}, want{status: topup.StatusSucceeded, flags: topup.FlagConflict, credited: 1500000, said: "success"}},
		"success, then everything":      {[]said{success, decline, {status: "error"}, paid, dispute}, want{status: topup.StatusSucceeded, flags: topup.FlagDispute, credited: 1500000, said: "success"}},
		"decline, then success":         {[]said{decline, success}, want{status: topup.StatusSucceeded, flags: topup.FlagLate, credited: 1500000, said: "success"}},
		"error, then success":           {[]said{{status: "error"}, success}, want{status: topup.StatusSucceeded, flags: topup.FlagLate, credited: 1500000, said: "success"}},
		"decline, then processing":      {[]said{decline, paid}, want{status: topup.StatusDeclined, said: "processing:paid"}},
		"dispute, then success":         {[]said{dispute, success}, want{status: topup.StatusSucceeded, flags: topup.FlagDispute, credited: 1500000, said: "success"}},
		"dispute, then decline":         {[]said{dispute, decline}, want{status: topup.StatusDeclined, flags: topup.FlagDispute, said: "decline"}},
		"decline, then dispute":         {[]said{decline, dispute}, want{status: topup.StatusPending, flags: topup.FlagDispute, said: "dispute:different_amount"}},
		"the loop of codes":             {[]said{sent, invalid, sent, invalid, sent, paid, success}, want{status: topup.StatusSucceeded, credited: 1500000, said: "success"}},
		"three wrong codes":             {[]said{sent, invalid, sent, invalid, sent, invalid, decline}, want{status: topup.StatusDeclined, said: "decline"}},
		"a repeated decline, other sum": {[]said{decline, {status: "decline", amount: 1}}, want{status: topup.StatusDeclined, said: "decline"}},

		// what is received
		"less than asked":           {[]said{{status: "success", amount: 7000}}, want{status: topup.StatusSucceeded, flags: topup.FlagAmountDiffers, credited: 7000, said: "success"}},
		"more than asked":           {[]said{{status: "success", amount: 15000000}}, want{status: topup.StatusSucceeded, flags: topup.FlagAmountDiffers, credited: 15000000, said: "success"}},
		"absurdly more":             {[]said{{status: "success", amount: 15000001}}, want{status: topup.StatusReview, flags: topup.FlagAmountDiffers, suspense: 15000001, said: "success"}},
		"another currency":          {[]said{{status: "success", currency: "KGS"}}, want{status: topup.StatusReview, flags: topup.FlagCurrencyDiffers, suspense: 1500000, said: "success"}},
		"absurd, then as asked":     {[]said{{status: "success", amount: 15000001}, success}, want{status: topup.StatusReview, flags: topup.FlagAmountDiffers | topup.FlagConflict, suspense: 15000001, said: "success"}},
		"an amount of zero":         {[]said{{status: "success", amount: -1}}, want{status: topup.StatusReview, flags: topup.FlagUnreadable, said: "success"}},
		"no currency at all":        {[]said{{status: "success", currency: "XYZ"}}, want{status: topup.StatusReview, flags: topup.FlagUnreadable, said: "success"}},
		"unreadable, then success":  {[]said{{status: "success", amount: -1}, success}, want{status: topup.StatusSucceeded, flags: topup.FlagUnreadable, credited: 1500000, said: "success"}},
		"a decline without a sum":   {[]said{{status: "decline", amount: -1}}, want{status: topup.StatusDeclined, said: "decline"}},
		"review, then a decline":    {[]said{{status: "success", currency: "KGS"}, decline}, want{status: topup.StatusReview, flags: topup.FlagCurrencyDiffers, suspense: 1500000, said: "decline"}},
		"no status":                 {[]said{{status: ""}}, want{status: topup.StatusReview, flags: topup.FlagUnreadable, said: ""}},
		"no status, after a credit": {[]said{success, {status: ""}}, want{status: topup.StatusSucceeded, flags: topup.FlagUnreadable, credited: 1500000, said: "success"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newPayinRig(t)
			id := r.open(payinBody)
			for _, alert := range tc.alerts {
				r.accepted(alert.body(id))
			}
			p := r.payment(id)
			var suspense int64
			balances, err := r.store.Balances(t.Context(), store.BalanceFilter{Prefix: "suspense:highhelp:" + hhProject})
			if err != nil {
				t.Fatal(err)
			}
			for _, b := range balances.Accounts {
				suspense += b.Credits - b.Debits
			}
			got := want{p.Status, p.Flags, r.balance("7011112233"), suspense, p.ProviderStatus}
			if got != tc.want {
				t.Errorf("\n got %+v %v\nwant %+v %v", got, got.flags.Names(), tc.want, tc.want.flags.Names())
			}
			timeline, err := r.store.Timeline(t.Context(), p)
			if err != nil {
				t.Fatal(err)
			}
			messages := 0
			for _, entry := range timeline {
				if entry.Message != nil {
					messages++
				}
			}
			if messages != len(tc.alerts) {
				t.Errorf("the timeline has %d messages, want %d", messages, len(tc.alerts))
			}
			r.checked()
		})
	}
}

func TestAnAlertAboutAPaymentThatIsNotOursGoesToSuspense(t *testing.T) {
	r := newPayinRig(t)
	jetpay := r.issue()
	for _, id := range []string{"KZT-VISA-123456", jetpay} {
		r.accepted(alertBody(id, "processing", "paid", 7000, "KZT"))
		r.accepted(alertBody(id, "decline", "", 7000, "KZT"))
		r.accepted(alertBody(id, "success", "", 7000, "KZT"))
		r.accepted(alertBody(id, "success", "", 7000, "KZT"))
		found, _, err := r.store.Payments(t.Context(), store.PaymentFilter{Q: id, Flag: topup.FlagUnknownPayment})
		if err != nil || len(found) != 1 {
			t.Fatalf("%s: got %d payments %v", id, len(found), err)
		}
		p := found[0]
		if p.Status != topup.StatusReview || p.CustomerID != "" || p.Money != (topup.Money{Amount: 7000, Currency: "KZT"}) || p.ProviderReference != id || p.InSuspense != 1 || p.Provider != "highhelp" {
			t.Errorf("%s: got %+v", id, p)
		}
	}
	if p := r.payment(jetpay); p.Status != topup.StatusPending || p.Credit != nil {
		t.Errorf("the other provider's payment: got %+v", p)
	}
	// What is no pay-in is nobody's top-up.
	r.accepted(testkit.Edit(t, alertBody("payout-1", "success", "", 7000, "KZT"), `"type":"payin"`, `"type":"payout"`))
	if found, _, err := r.store.Payments(t.Context(), store.PaymentFilter{Q: "payout-1"}); err != nil || len(found) != 0 {
		t.Errorf("a payout: got %v %v", found, err)
	}
	r.checked()
}

func TestAnAlertCreditsWhatTheProviderSaysWhenItSaysSo(t *testing.T) {
	r := newPayinRig(t)
	id := r.open(payinBody)
	r.accepted(alertBody(id, "success", "", 1400000, "KZT"))
	p := r.payment(id)
	transactions, err := r.store.PaymentTransactions(t.Context(), id)
	if err != nil || len(transactions) != 1 {
		t.Fatalf("got %v %v", transactions, err)
	}
	if got := transactions[0].EffectiveAt.Unix(); got != 1721647252 {
		t.Errorf("effective at %d, want the updated_date", got)
	}
	if p.Credit.Money.Amount != 1400000 || p.OperationID != id || p.ProviderTime.Unix() != 1721647252 {
		t.Errorf("got %+v", p)
	}
	body := r.ask(http.MethodGet, "/api/v1/payments/"+id, "").json(t)
	if body["project_id"] != hhProject || body["provider"] != "highhelp" || body["provider_status"] != "success" {
		t.Errorf("got %v", body)
	}
}

func TestWhatAnAlertMayBeLike(t *testing.T) {
	for name, pairs := range map[string][]string{
		"no description, no sub_status": {`,"sub_status":null,"status_description":null`, ``},
		"unknown members":               {`"general":{`, `"new":{"a":[1,null,{}]},"general":{"more":true,`},
		"requisites":                    {`}}`, `},"recipient_requisites":{"pan_hidden":"2202****6980","card_holder_hidden":" **** ","bank_name":"b","bank_country":"KG","currency":"KGS"},"integration":{"form_url":"https://x"}}`},
		"requisites that are null":      {`}}`, `},"recipient_requisites":null,"integration":null}`},
		"dates that are null":           {`"updated_date":1721647252,"created_date":1721647250`, `"updated_date":null,"created_date":null`},
		"dates as text":                 {`"updated_date":1721647252`, `"updated_date":"2024-07-22T11:20:52+00:00"`},
		"a date of no year":             {`"updated_date":1721647252`, `"updated_date":17216472520000`},
		"the amount as text":            {`"amount":1500000`, `"amount":"1500000"`},
		"method null":                   {`"method":"card-p2p","widget_method":"payin-p2p-card"`, `"method":null,"widget_method":null`},
		"type null":                     {`"type":"payin"`, `"type":null`},
	} {
		t.Run(name, func(t *testing.T) {
			r := newPayinRig(t)
			id := r.open(payinBody)
			r.accepted(testkit.Edit(t, alertBody(id, "success", "", 1500000, "KZT"), pairs...))
			if got := r.balance("7011112233"); got != 1500000 {
				t.Errorf("credited %d", got)
			}
		})
	}
}

func TestASignedAlertThatCannotBeReadIsStoredAndPostsNothing(t *testing.T) {
	r := newPayinRig(t)
	id := r.open(payinBody)
	good := alertBody(id, "success", "", 1500000, "KZT")
	names := `"general":{"request_id":"16a10539","payment_id":"` + id + `"}`
	stored := 0
	for name, body := range map[string]string{
		"no payment":        testkit.Edit(t, good, names, `"general":{}`),
		"payment null":      testkit.Edit(t, good, `"payment_id":"`+id+`"`, `"payment_id":null`),
		"payment a number":  testkit.Edit(t, good, `"payment_id":"`+id+`"`, `"payment_id":12`),
		"payment elsewhere": testkit.Edit(t, good, names, `"payment_id":"`+id+`"`),
		"a name with colon": testkit.Edit(t, good, names, `"general:payment_id":"`+id+`"`),
		"no sum":            testkit.Edit(t, good, `"amount":1500000,`, ``),
		"a fraction":        testkit.Edit(t, good, `"amount":1500000`, `"amount":1500000.0`),
		"an exponent":       testkit.Edit(t, good, `"amount":1500000`, `"amount":15e5`),
		"negative":          testkit.Edit(t, good, `"amount":1500000`, `"amount":-1500000`),
		"too large":         testkit.Edit(t, good, `"amount":1500000`, `"amount":10000000000001`),
		"overflowing":       testkit.Edit(t, good, `"amount":1500000`, `"amount":99999999999999999999`),
		"currency in small": testkit.Edit(t, good, `"KZT"`, `"kzt"`),
		"status an object":  testkit.Edit(t, good, `"status":"success"`, `"status":{}`),
		"status flat":       testkit.Edit(t, good, `"status":{"status":"success","sub_status":null,"status_description":null}`, `"status":"success"`),
		"another shape":     `{"project_id":"` + hhProject + `","hello":"world"}`,
	} {
		r.accepted(body)
		stored++
		if got := r.balance("7011112233"); got != 0 {
			t.Fatalf("%s: credited %d", name, got)
		}
	}
	if p := r.payment(id); p.Flags != topup.FlagUnreadable || p.Status != topup.StatusReview {
		t.Errorf("got %s %v", p.Status, p.Flags.Names())
	}
	var messages int
	r.raw(func(db storetest.DB) error {
		return db.QueryRow(`SELECT count(*) FROM messages m JOIN message_bodies b ON b.message_id = m.id WHERE m.disposition = 'unreadable'`).Scan(&messages)
	})
	if messages != stored {
		t.Errorf("%d messages are stored, want %d", messages, stored)
	}
	r.accepted(good)
	if got := r.balance("7011112233"); got != 1500000 {
		t.Errorf("afterwards: credited %d", got)
	}
	r.checked()
}

// As of callbacks, the values of what is signed are not escaped, and neither is
// a ':' in a name. Whoever has a text of his own signed, such as the URL that the
// customer is sent back to, can cut an alert anew: the second body of each pair
// carries the signature of the first. None may move money.
func TestWhatWasSignedAsAnotherAlertMovesNothing(t *testing.T) {
	// OURS stands for the id of the payment.
	const start = `{"project_id":"` + hhProject + `","status":{"status":"success"},`
	for name, bodies := range map[string]struct{ signed, forged string }{
		"another sum, the signed one under a name with a colon": {
			start + `"general":{"payment_id":"OURS"},"integration":{"redirect_url":"https://shop/?r=;payment_info:amount:1000000"},"payment_info":{"amount":999,"currency":"KZT"}}`,
			start + `"general":{"payment_id":"OURS"},"integration":{"redirect_url":"https://shop/?r="},"payment_info":{"amount":1000000,"currency":"KZT"},"payment_info:amount":999}`,
		},
		"another sum, the signed one in a text": {
			start + `"general":{"payment_id":"OURS"},"integration":{"redirect_url":"https://shop/?r=;payment_info:amount:1000000;payment_info:b:"},"payment_info":{"amount":999,"currency":"KZT"}}`,
			start + `"general":{"payment_id":"OURS"},"integration":{"redirect_url":"https://shop/?r="},"payment_info":{"amount":1000000,"b":";payment_info:amount:999","currency":"KZT"}}`,
		},
		"another currency, the signed one under a name with a colon": {
			start + `"general":{"payment_id":"OURS"},"integration":{"redirect_url":"https://shop/?r=;payment_info:amount:999;payment_info:currency:KZT"},"payment_info":{"currency":"UZS"}}`,
			start + `"general":{"payment_id":"OURS"},"integration":{"redirect_url":"https://shop/?r="},"payment_info":{"amount":999,"currency":"KZT"},"payment_info:currency":"UZS"}`,
		},
		"a payment that nobody knows, whose id goes on into the next line": {
			start + `"general":{"payment_id":"OURS"},"integration":{"redirect_url":"https://shop/"},"payment_info":{"amount":999,"currency":"KZT"}}`,
			start + `"general":{"payment_id":"OURS;integration:redirect_url:https://shop/"},"payment_info":{"amount":999,"currency":"KZT"}}`,
		},
		"another payment, the signed one under a name with a colon": {
			start + `"customer":{"id":"c;general:payment_id:OURS"},"general":{"payment_id":"theirs"},"payment_info":{"amount":999,"currency":"KZT"}}`,
			start + `"customer":{"id":"c"},"general":{"payment_id":"OURS"},"general:payment_id":"theirs","payment_info":{"amount":999,"currency":"KZT"}}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newPayinRig(t)
			id := r.open(payinBody)
			sign := func(body string) string {
				signature, err := alertSigner.Sign([]byte(body), alertTimestamp, signing.DefaultRequestDialect())
				if err != nil {
					t.Fatal(err)
				}
				return signature
			}
			signed, forged := strings.ReplaceAll(bodies.signed, "OURS", id), strings.ReplaceAll(bodies.forged, "OURS", id)
			if sign(signed) != sign(forged) {
				t.Fatal("the forged body does not have the signature of the other")
			}
			if got := r.alertWith(forged, sign(signed), alertTimestamp); got.status != http.StatusOK {
				t.Errorf("got %d %s", got.status, got.body)
			}
			books, err := r.store.Balances(t.Context(), store.BalanceFilter{})
			if err != nil || len(books.Accounts) != 0 {
				t.Errorf("booked %+v %v", books.Accounts, err)
			}
			r.checked()
		})
	}
}

func TestBadJSONIsLookedAtBeforeTheSignature(t *testing.T) {
	r := newPayinRig(t)
	good := alertBody("x", "success", "", 1, "KZT")
	signature, err := alertSigner.Sign([]byte(good), alertTimestamp, signing.DefaultRequestDialect())
	if err != nil {
		t.Fatal(err)
	}
	deep := strings.Repeat(`{"a":`, 40) + `1` + strings.Repeat(`}`, 40)
	for name, tc := range map[string]struct {
		body, signature, timestamp string
		status, code               int
		reason                     string
	}{
		"empty":                        {"", "", "", 400, 400, "malformed body: "},
		"cut off":                      {good[:len(good)-1], signature, alertTimestamp, 400, 400, "malformed body: "},
		"twice the same key":           {testkit.Edit(t, good, `"general"`, `"project_id":"y","general"`), signature, alertTimestamp, 400, 400, "malformed body: "},
		"too deep":                     {deep, "", "", 400, 400, "malformed body: "},
		"something behind":             {good + "{}", signature, alertTimestamp, 400, 400, "malformed body: "},
		"too large":                    {`{"x":"` + strings.Repeat("a", 1<<20) + `"}`, "", "", 413, 500, "Body too large"},
		"no object":                    {`[]`, signature, alertTimestamp, 401, 401, "unknown_project"},
		"no signature":                 {good, "", alertTimestamp, 401, 401, "not_signed"},
		"no timestamp":                 {good, signature, "", 401, 401, "not_signed"},
		"a timestamp of eleven digits": {good, signature, alertTimestamp + "0", 401, 401, "not_signed"},
		"another timestamp":            {good, signature, "1721647254", 401, 401, "no_match"},
		"a byte changed":               {testkit.Edit(t, good, `"amount":1`, `"amount":2`), signature, alertTimestamp, 401, 401, "no_match"},
		"not base64":                   {good, "???", alertTimestamp, 401, 401, "not_signed"},
		"unknown project":              {testkit.Edit(t, good, hhProject, "another"), signature, alertTimestamp, 401, 401, "unknown_project"},
		"no project":                   {`{"general":{}}`, signature, alertTimestamp, 401, 401, "unknown_project"},
		"a project without a key":      {testkit.Edit(t, good, hhProject, hhSilent), signature, alertTimestamp, 401, 401, "no_key"},
	} {
		got := r.alertWith(tc.body, tc.signature, tc.timestamp)
		if got.status != tc.status || got.code(t) != tc.code {
			t.Errorf("%s: got %d %s", name, got.status, got.body)
		}
		lines := r.logs.lines(t)
		line := lines[len(lines)-1]
		if reason, _ := line["reason"].(string); !strings.HasPrefix(reason, tc.reason) || line["level"] != "warn" {
			t.Errorf("%s: the log says %q, want %q", name, reason, tc.reason)
		}
		if line["kind"] != "alert" || line["route"] != "/highhelp/alerts" {
			t.Errorf("%s: got %v", name, line)
		}
	}
	var stored int
	r.raw(func(db storetest.DB) error { return db.QueryRow(`SELECT count(*) FROM messages`).Scan(&stored) })
	if stored != 0 {
		t.Errorf("%d messages were stored", stored)
	}
	twice := r.request(http.MethodPost, r.public.URL+"/highhelp/alerts", good)
	twice.Header["X-Access-Signature"] = []string{signature, signature}
	twice.Header.Set("x-access-timestamp", alertTimestamp)
	if got := r.do(twice); got.status != http.StatusUnauthorized {
		t.Errorf("two signatures: got %d", got.status)
	}
}

func TestAnAlertFromOutsideOfItsWindowIsRefused(t *testing.T) {
	const window = 5 * time.Minute
	r := newPayinRig(t, func(c *config.Config, _ *store.Options) { c.HighHelp.Projects[0].AlertWindow = window })
	id := r.open(payinBody)
	body := alertBody(id, "processing", "paid", 1500000, "KZT")
	for name, tc := range map[string]struct {
		off    time.Duration // from now
		key    string
		status int
		reason string
	}{
		"now":                            {0, alertSecret, 200, ""},
		"as old as may be":               {-window, alertSecret, 200, ""},
		"too old":                        {-window - time.Second, alertSecret, 401, "out_of_window"},
		"as far ahead as may be":         {window, alertSecret, 200, ""},
		"too far ahead":                  {window + time.Second, alertSecret, 401, "out_of_window"},
		"of another age of the world":    {200 * 365 * 24 * time.Hour, alertSecret, 401, "out_of_window"},
		"too old, and of another signer": {-window - time.Second, requestSecret, 401, "no_match"},
	} {
		signer, err := signing.NewHMACSigner(tc.key)
		if err != nil {
			t.Fatal(err)
		}
		timestamp := strconv.FormatInt(r.clock.Now().Add(tc.off).Unix(), 10)
		signature, err := signer.Sign([]byte(body), timestamp, signing.DefaultRequestDialect())
		if err != nil {
			t.Fatal(err)
		}
		if got := r.alertWith(body, signature, timestamp); got.status != tc.status {
			t.Errorf("%s: got %d %s", name, got.status, got.body)
		}
		lines := r.logs.lines(t)
		if reason, _ := lines[len(lines)-1]["reason"].(string); reason != tc.reason {
			t.Errorf("%s: the log says %q, want %q", name, reason, tc.reason)
		}
	}
}

func TestAnAlertSignedWithTheRequestKeyIsRefused(t *testing.T) {
	r := newPayinRig(t)
	wrong, err := signing.NewHMACSigner(requestSecret)
	if err != nil {
		t.Fatal(err)
	}
	if got := r.alertSigned(alertBody("x", "success", "", 1, "KZT"), wrong, signing.DefaultRequestDialect()); got.status != http.StatusUnauthorized {
		t.Errorf("got %d %s", got.status, got.body)
	}
}

func TestOurOwnFailureIsAnswered503SoThatTheAlertComesAgain(t *testing.T) {
	r := newPayinRig(t)
	id := r.open(payinBody)
	body := alertBody(id, "success", "", 1500000, "KZT")
	r.server.Drain()
	if got := r.alert(body); got.status != http.StatusServiceUnavailable || got.header.Get("Retry-After") == "" {
		t.Errorf("draining: got %d %s", got.status, got.body)
	}
	r = newPayinRig(t)
	if err := r.closeStore(); err != nil {
		t.Fatal(err)
	}
	if got := r.alert(body); got.status != http.StatusServiceUnavailable || got.code(t) != 500 {
		t.Errorf("without a database: got %d %s", got.status, got.body)
	}
}

func TestTwoHundredCopiesOfASuccessCreditOnce(t *testing.T) {
	for _, currency := range []string{"KZT", "KGS", "TJS"} {
		t.Run(currency, func(t *testing.T) {
			r := newPayinRig(t)
			id := r.open(plainPayin(currency, 700000))
			var alerts []string
			for range 200 {
				alerts = append(alerts, alertBody(id, "success", "", 700000, currency))
			}
			for range 20 {
				alerts = append(alerts, alertBody(id, "processing", "paid", 700000, currency), alertBody(id, "decline", "", 700000, currency))
			}
			rand.Shuffle(len(alerts), func(i, j int) { alerts[i], alerts[j] = alerts[j], alerts[i] })
			work := make(chan string)
			var wg sync.WaitGroup
			for range 16 {
				wg.Go(func() {
					for body := range work {
						if got := r.alert(body); got.status != http.StatusOK {
							t.Errorf("got %d %s", got.status, got.body)
						}
					}
				})
			}
			for _, body := range alerts {
				work <- body
			}
			close(work)
			wg.Wait()
			p := r.payment(id)
			if p.Status != topup.StatusSucceeded || r.balance(p.CustomerID) != 700000 || p.Flags&^topup.FlagLate != 0 {
				t.Errorf("got %s %v, balance %d", p.Status, p.Flags.Names(), r.balance(p.CustomerID))
			}
			transactions, err := r.store.PaymentTransactions(context.Background(), id)
			if err != nil || len(transactions) != 1 {
				t.Errorf("got %d ledger transactions %v", len(transactions), err)
			}
			if metrics := r.askAs("", http.MethodGet, "/metrics", "").body; !strings.Contains(metrics, `tolem_credits_total{project="`+hhProject+`"} 1`) {
				t.Error("the metrics do not count one credit")
			}
			r.checked()
		})
	}
}

func TestEveryDialectVerifiesUnderAutoAndOnlyThePinnedOneWhenPinned(t *testing.T) {
	private, public := rsaKeys(t)
	signer, err := signing.NewRSASigner([]byte(private))
	if err != nil {
		t.Fatal(err)
	}
	withRSA := func(d config.AlertDialect) rigOption {
		return func(c *config.Config, _ *store.Options) {
			c.HighHelp.Projects[0].AlertKey = config.AlertKey{Algorithm: config.AlgorithmRSA, PublicKey: public}
			c.HighHelp.Projects[0].AlertDialect = d
		}
	}
	auto := newPayinRig(t, withRSA(config.AlertDialect{NullAs: "auto", Padding: "auto", Digest: "auto"}))
	pinned := newPayinRig(t, withRSA(config.AlertDialect{NullAs: "none", Padding: "on", Digest: "twice"}))
	// The canonical string must need padding for the dialects to differ.
	body := alertBody("abcdef", "success", "", 1500, "KZT")
	for len(signedText(t, body, signing.NullEmpty))%3 == 0 || len(signedText(t, body, signing.NullNone))%3 == 0 ||
		len(signedText(t, body, signing.NullText))%3 == 0 || len(signedText(t, body, signing.NullSkip))%3 == 0 {
		body = testkit.Edit(t, body, "16a10539", "16a10539x")
	}
	dialects := 0
	for _, null := range []signing.NullAs{signing.NullEmpty, signing.NullNone, signing.NullText, signing.NullSkip} {
		for _, padding := range []signing.Padding{signing.PaddingOff, signing.PaddingOn} {
			for _, digest := range []signing.Digest{signing.DigestOnce, signing.DigestTwice} {
				d := signing.Dialect{NullAs: null, Padding: padding, Digest: digest}
				dialects++
				if got := auto.alertSigned(body, signer, d); got.status != http.StatusOK {
					t.Errorf("auto, %s: got %d", d, got.status)
				}
				want := http.StatusUnauthorized
				if null == signing.NullNone && padding == signing.PaddingOn && digest == signing.DigestTwice {
					want = http.StatusOK
				}
				if got := pinned.alertSigned(body, signer, d); got.status != want {
					t.Errorf("pinned, %s: got %d, want %d", d, got.status, want)
				}
			}
		}
	}
	if dialects != 16 {
		t.Errorf("got %d dialects", dialects)
	}
	if got := strings.Count(auto.logs.String(), "pin it in the configuration"); got != 16 {
		t.Errorf("auto: %d warnings, want one for each dialect", got)
	}
	if strings.Contains(pinned.logs.String(), "pin it") {
		t.Error("pinned: a warning")
	}
}

func signedText(t testing.TB, body string, null signing.NullAs) string {
	t.Helper()
	b, err := signing.Parse([]byte(body))
	if err != nil {
		t.Fatal(err)
	}
	defer b.Release()
	text, err := b.HighHelpCanonical(signing.Dialect{NullAs: null})
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestTheDialectIsToldOnce(t *testing.T) {
	r := newPayinRig(t)
	for range 5 {
		r.accepted(alertBody("abc", "success", "", 1500, "KZT"))
	}
	warnings := slices.DeleteFunc(strings.Split(r.logs.String(), "\n"), func(line string) bool { return !strings.Contains(line, "pin it") })
	if len(warnings) != 1 || !strings.Contains(warnings[0], `"level":"warn"`) || !strings.Contains(warnings[0], "null_as: empty") || !strings.Contains(warnings[0], hhProject) {
		t.Errorf("got %s", strings.Join(warnings, "\n"))
	}
}

// What is posted to the alerts' route, signed or not, is never our failure, and
// the books stay whole.
func FuzzAlerts(f *testing.F) {
	for _, body := range []string{
		alertBody("x", "success", "", 1, "KZT"), alertBody("x", "processing", "paid", 1, "KGS"),
		fmt.Sprintf(`{"project_id":%q}`, hhProject), `{}`, `[]`, `{"project_id":1}`, `{"a":1,"a":2}`,
	} {
		f.Add([]byte(body), true)
		f.Add([]byte(body), false)
	}
	r := newPayinRig(f)
	f.Fuzz(func(t *testing.T, body []byte, sign bool) {
		signature := "x"
		if sign {
			made, err := alertSigner.Sign(body, alertTimestamp, signing.DefaultRequestDialect())
			if err != nil {
				return
			}
			signature = made
		}
		recorder := httptest.NewRecorder()
		request := httptest.NewRequest(http.MethodPost, "/highhelp/alerts", strings.NewReader(string(body)))
		request.Header.Set("x-access-signature", signature)
		request.Header.Set("x-access-timestamp", alertTimestamp)
		r.server.Public().ServeHTTP(recorder, request)
		switch recorder.Code {
		case http.StatusOK, http.StatusBadRequest, http.StatusUnauthorized, http.StatusRequestEntityTooLarge:
		default:
			t.Errorf("status %d with %s", recorder.Code, recorder.Body)
		}
		if log := r.logs.take(); strings.Contains(log, "panic") || strings.Contains(log, `"level":"error"`) {
			t.Errorf("log: %s", log)
		}
	})
	r.checked()
}

func TestADeclineThatADisputeHadReopenedIsBelievedWhenWeAsk(t *testing.T) {
	r := newPayinRig(t)
	id := r.open(payinBody)
	r.accepted(alertBody(id, "decline", "", 1500000, "KZT"))
	r.accepted(alertBody(id, "dispute", "no_payment", 1500000, "KZT"))
	r.provider.says("decline", "", 1500000, "KZT")
	if got := r.askAs(shopToken, http.MethodGet, "/api/v1/payins/"+id+"?refresh=true", ""); got.status != 200 {
		t.Fatalf("got %d %s", got.status, got.body)
	}
	if p := r.payment(id); p.Status != topup.StatusDeclined || p.Flags != topup.FlagDispute {
		t.Errorf("got %s %v", p.Status, p.Flags.Names())
	}
	r.checked()
}

// TestANoThatComesAfterMaxAgeEndsTheReview: the pay-in went to review for its
// age alone, so that nothing is left to look at.
func TestANoThatComesAfterMaxAgeEndsTheReview(t *testing.T) {
	for name, says := range map[string]func(*payinRig, string){
		"an alert of decline": func(r *payinRig, id string) { r.accepted(alertBody(id, "decline", "", 1500000, "KZT")) },
		"an alert of error":   func(r *payinRig, id string) { r.accepted(alertBody(id, "error", "", 1500000, "KZT")) },
		"an answer to info": func(r *payinRig, id string) {
			r.provider.says("decline", "", 1500000, "KZT")
			if got := r.askAs(shopToken, http.MethodGet, "/api/v1/payins/"+id+"?refresh=true", ""); got.status != http.StatusOK {
				t.Errorf("refresh: got %d %s", got.status, got.body)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newPayinRig(t)
			id := r.open(payinBody)
			r.provider.says("processing", "paid", 1500000, "KZT")
			r.clock.Add(r.config.Watch.MaxAge)
			r.server.Watcher().Round(t.Context())
			if got := r.payment(id).Status; got != topup.StatusReview {
				t.Fatalf("past max_age: got %s", got)
			}
			says(r, id)
			if p := r.payment(id); p.Status != topup.StatusDeclined || p.Flags != 0 {
				t.Errorf("got %s %v", p.Status, p.Flags.Names())
			}
			r.accepted(alertBody(id, "success", "", 1500000, "KZT"))
			if p := r.payment(id); p.Status != topup.StatusSucceeded || p.Flags != topup.FlagLate || r.balance("7011112233") != 1500000 {
				t.Errorf("money that comes all the same: got %s %v", p.Status, p.Flags.Names())
			}
			r.checked()
		})
	}
}

func TestAPayoutCreditsNobody(t *testing.T) {
	r := newPayinRig(t)
	id := r.open(payinBody)
	body := alertBody(id, "success", "", 1500000, "KZT")
	payout := strings.Replace(body, `"type":"payin"`, `"type":"payout"`, 1)
	if payout == body {
		t.Fatal("the alert has no type")
	}
	r.accepted(payout)
	if p := r.payment(id); p.Status != topup.StatusReview || p.Flags != topup.FlagUnreadable || p.Credit != nil {
		t.Errorf("got %s %v, credit %v", p.Status, p.Flags.Names(), p.Credit)
	}
	r.checked()
}

func TestAnOperatorsCreditTakesTheSuccessThatComesLater(t *testing.T) {
	r := newPayinRig(t)
	id := r.open(payinBody)
	if _, err := r.store.CreditPayment(t.Context(), id, store.By{Actor: "anna", Reason: "the provider says so"}); err != nil {
		t.Fatal(err)
	}
	r.accepted(alertBody(id, "success", "", 1500000, "KZT"))
	p := r.payment(id)
	if p.Status != topup.StatusSucceeded || p.Flags != 0 || p.InSuspense != 0 || r.balance("7011112233") != 1500000 {
		t.Errorf("got %s %v, %d in suspense, balance %d", p.Status, p.Flags.Names(), p.InSuspense, r.balance("7011112233"))
	}
	r.checked()
}

func TestAnOperatorsCreditDoesNotSwallowASuccessOfAnotherSum(t *testing.T) {
	by := store.By{Actor: "anna", Reason: "the provider says so"}
	for _, tc := range []struct {
		amount int64
		flags  topup.Flags
	}{
		{1400000, topup.FlagAmountDiffers | topup.FlagConflict},
		{1600000, topup.FlagAmountDiffers | topup.FlagConflict},
		{1500000 * 11, topup.FlagAmountDiffers | topup.FlagConflict},
	} {
		r := newPayinRig(t)
		id := r.open(payinBody)
		credit, err := r.store.CreditPayment(t.Context(), id, by)
		if err != nil {
			t.Fatal(err)
		}
		success := alertBody(id, "success", "", tc.amount, "KZT")
		r.accepted(success)
		r.accepted(success)
		p := r.payment(id)
		if p.Status != topup.StatusSucceeded || p.Flags != tc.flags || p.InSuspense != 1 || r.balance("7011112233") != 1500000 {
			t.Errorf("%d: got %s %v, %d in suspense, balance %d", tc.amount, p.Status, p.Flags.Names(), p.InSuspense, r.balance("7011112233"))
		}
		// The operator was wrong: what was received is the customer's.
		if _, err := r.store.Reverse(t.Context(), credit.ID, by); err != nil {
			t.Fatal(err)
		}
		made, err := r.store.Transactions(t.Context(), 0, 10)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := r.store.AssignSuspense(t.Context(), made[1].ID, "7011112233", "e1", by); err != nil {
			t.Fatal(err)
		}
		if p := r.payment(id); p.InSuspense != 0 || r.balance("7011112233") != tc.amount {
			t.Errorf("%d: assigned: %d in suspense, balance %d", tc.amount, p.InSuspense, r.balance("7011112233"))
		}
		r.checked()
	}
}
