package dashboard_test

import (
	"encoding/json"
	"strings"
	"testing"

	"tolem/dashboard"
	"tolem/store"
)

var (
	fourEyes = []store.Action{store.ActionCredit}
	byServe  = store.By{Actor: "serve", Reason: "a test"}
)

func TestMasked(t *testing.T) {
	for body, want := range map[string]string{
		`{"payment":{"id":"p_1","status":"success","sum":{"amount":5000,"currency":"KZT"},"description":"for Ann"},"customer":{"id":"7011112233"},"account":{"number":"4400123"},"signature":"abc"}`: `{
  "payment": {
    "id": "p_1",
    "status": "success",
    "sum": {
      "amount": 5000,
      "currency": "KZT"
    },
    "description": "•••"
  },
  "customer": {
    "id": "•••"
  },
  "account": {
    "number": "•••"
  },
  "signature": "•••"
}`,
		`{"phone":77011112233,"empty":"","list":["a",{"code":"0"},[]],"no":null,"yes":true,"object":{}}`: `{
  "phone": "•••",
  "empty": "",
  "list": [
    "•••",
    {
      "code": "0"
    },
    []
  ],
  "no": null,
  "yes": true,
  "object": {}
}`,
		`"text"`: `"•••"`,
	} {
		if got, ok := dashboard.Masked([]byte(body)); !ok || got != want {
			t.Errorf("%s:\n%s %t", body, got, ok)
		}
	}
	for _, body := range []string{"", "name=Ann", `{"a":`, `{"a":1} trailing`} {
		if got, ok := dashboard.Masked([]byte(body)); ok || got != "" {
			t.Errorf("%q: got %q", body, got)
		}
	}
}

func FuzzMasked(f *testing.F) {
	f.Add("7011112233", "customer", "id")
	f.Add("<script>", "account", "number")
	f.Fuzz(func(t *testing.T, secret, object, member string) {
		if len(secret) < 12 || len(secret) > 1000 {
			return
		}
		secret = "secret-" + secret
		body, err := json.Marshal(map[string]any{"personal_" + object: map[string]any{"own_" + member: secret, "list": []string{secret}}})
		if err != nil {
			return
		}
		got, ok := dashboard.Masked(body)
		if !ok || strings.Contains(got, "secret-") {
			t.Errorf("%s:\n%s", body, got)
		}
	})
}
