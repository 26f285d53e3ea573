package highhelp_test

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"tolem/highhelp"
)

func TestAnswersAreReadStrictly(t *testing.T) {
	info := func(payment string) string {
		return `{"status":"success","payment_id":"p","payment_info":{` + payment + `}}`
	}
	for _, tc := range []struct{ name, raw, want string }{
		{"the least", `{"status":"new-word","payment_id":"p"}`, ""},
		{"members that nobody knows", `{"status":"success","payment_id":"p","x":{"y":[1,null,{}]}}`, ""},
		{"nulls", `{"status":"success","sub_status":null,"status_description":null,"request_id":null,"project_id":null,"payment_id":"p","integration":null,"payment_info":null}`, ""},
		{"nulls inside", info(`"amount":null,"currency":null,"method":null,"widget_method":null,"expiration_date":null`), ""},
		{"a description that is no text", `{"status":"error","payment_id":"p","status_description":{"a":1}}`, ""},
		{"the largest number", info(`"amount":9223372036854775807`), ""},
		{"a number that does not fit", info(`"amount":9223372036854775808`), "payment_info:amount is not a whole number"},
		{"a fraction", info(`"amount":100.0`), "payment_info:amount is not a whole number"},
		{"an exponent", info(`"amount":1e3`), "payment_info:amount is not a whole number"},
		{"a number in quotes", info(`"amount":"100"`), "payment_info:amount is not a whole number"},
		{"a number below 0", info(`"old_amount":-1`), "payment_info:old_amount is not a whole number"},
		{"a number that is true", info(`"initial_amount":true`), "payment_info:initial_amount is not a whole number"},
		{"a currency that is a number", info(`"currency":398`), "payment_info:currency is not a text"},
		{"a long method", info(`"method":"` + strings.Repeat("ы", 256) + `"`), "payment_info:method is too long"},
		{"no payment", `{"status":"success","payment_id":null}`, "payment_id is missing"},
		{"no status", `{}`, "status is missing"},
		{"an empty status", `{"status":""}`, "status is missing"},
		{"a name twice, spelt otherwise", `{"status":"a","stat\u0075s":"b"}`, "malformed body"},
		{"too deep", `{"status":"a","x":` + strings.Repeat("[", 50) + strings.Repeat("]", 50) + "}", "malformed body"},
		{"more than one value", `{"status":"a"}{}`, "malformed body"},
		{"not UTF-8", "{\"status\":\"\xff\"}", "malformed body"},
		{"a text", `"success"`, "it is not a JSON object"},
	} {
		_, err := highhelp.ParseInfo([]byte(tc.raw))
		if tc.want == "" && err != nil || tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)) {
			t.Errorf("%s: got %v, want %q", tc.name, err, tc.want)
		}
	}
}

func TestALongDescriptionIsCut(t *testing.T) {
	got, err := highhelp.ParseAnswer([]byte(`{"status":"error","status_description":"` + strings.Repeat("ы", 2000) + `"}`))
	if err != nil || got.StatusDescription != strings.Repeat("ы", 1024) {
		t.Errorf("got %d characters, %v, want 1024", utf8.RuneCountInString(got.StatusDescription), err)
	}
}

func FuzzParseInfo(f *testing.F) {
	for _, seed := range []string{accepted, informed, `{"status":"success","payment_info":{"amount":1e3}}`, `{"status":"a","status":"b"}`, `{"status":"a","integration":{"form_url":"https://a"}}`, "", "[]", `{"payment_info:amount":5,"status":"a"}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		got, err := highhelp.ParseInfo(raw)
		answer, flat := highhelp.ParseAnswer(raw)
		if err == nil && (flat != nil || answer != got.Answer || answer.PaymentID == "") {
			t.Fatalf("the flat block is %+v, %v alone, and %+v with the payment", answer, flat, got.Answer)
		}
		if err != nil {
			return
		}
		// What was accepted means the same to a reader that knows nothing of ours.
		var plain struct {
			Status  *string                    `json:"status"`
			Payment map[string]json.RawMessage `json:"payment_info"`
		}
		var members map[string]json.RawMessage
		if err := json.Unmarshal(raw, &members); err != nil {
			t.Fatalf("accepted, and not JSON: %v", err)
		}
		if err := json.Unmarshal(members["status"], &plain.Status); err != nil || plain.Status == nil || *plain.Status != got.Status || got.Status == "" {
			t.Errorf("got status %q, want %s", got.Status, members["status"])
		}
		if json.Unmarshal(members["payment_info"], &plain.Payment) != nil {
			plain.Payment = nil
		}
		var amount int64
		if text := plain.Payment["amount"]; text != nil && json.Unmarshal(text, &amount) != nil {
			t.Errorf("accepted the amount %s", text)
		}
		if got.Payment.Amount != amount || amount < 0 {
			t.Errorf("got amount %d, want %d", got.Payment.Amount, amount)
		}
		if utf8.RuneCountInString(got.FormURL) > 2048 {
			t.Errorf("got form %q", got.FormURL)
		}
	})
}
