package handlers_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"tolem/signing"
	"tolem/testkit"
)

// Whatever is posted, signed or not: no panic, never our own failure as the
// answer, always JSON with a code, and the books stay whole.
func FuzzAnythingCanBePosted(f *testing.F) {
	for _, body := range []string{
		verifyBody, depositBody, testkit.JetPayCallback,
		testkit.Edit(f, testkit.JetPayCallback, `"status":"success"`, `"status":"decline"`),
		testkit.Edit(f, testkit.JetPayCallback, `"project_id":1234,`, ``),
		testkit.Edit(f, testkit.JetPayCallback, `"kaspi"`, `"card"`),
		testkit.Edit(f, testkit.JetPayCallback, `"id":28`, `"id":"9999999999999999999"`),
		`{"general":{"project_id":"1234","signature":""},"payment":{}}`,
		`{"type":null}`, `[]`, `null`, `"x"`, `{`, ``, `{"a":1,"a":2}`, `{"signature":"a","payment":{"id":"\u0000\ud83d\ude00"}}`,
	} {
		f.Add([]byte(body), true)
		f.Add([]byte(body), false)
	}
	r := newRig(f)
	key, err := signing.NewKey(demoSecret)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, body []byte, sign bool) {
		if sign {
			embedded, err := signing.Embed(body, key)
			if err != nil {
				return
			}
			body = embedded
		}
		recorder := httptest.NewRecorder()
		request := httptest.NewRequest(http.MethodPost, "/jetpay", strings.NewReader(string(body)))
		r.server.Public().ServeHTTP(recorder, request)
		got := answer{recorder.Code, recorder.Body.String(), recorder.Header()}
		code := got.code(t)
		switch got.status {
		case http.StatusOK:
		case http.StatusBadRequest, http.StatusRequestEntityTooLarge:
			if code == 0 {
				t.Errorf("status %d with %s", got.status, got.body)
			}
		default:
			t.Errorf("status %d with %s", got.status, got.body)
		}
		if log := r.logs.take(); strings.Contains(log, "panic") || strings.Contains(log, `"level":"error"`) {
			t.Errorf("log: %s", log)
		}
	})
	report, err := r.store.Check(context.Background())
	if err != nil || len(report.Problems) > 0 {
		f.Errorf("ledger check: %v %v", report.Problems, err)
	}
}
