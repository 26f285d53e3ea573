package handlers_test

import (
	"bytes"
	"compress/gzip"
	"net/http"
	"strings"
	"testing"

	"tolem/testkit"
)

// TestAMessageThatCannotBeReadIsAWarningWithTheReason: nobody else would learn
// of it before the platform gives up.
func TestAMessageThatCannotBeReadIsAWarningWithTheReason(t *testing.T) {
	callback := signed(t, testkit.JetPayCallback, demoSecret)
	for name, tc := range map[string]struct {
		body, outcome, reason string
		status                int
	}{
		"a lone surrogate":    {testkit.Edit(t, callback, `"Success"`, `"\ud800CANARY"`), "malformed", "a lone surrogate in a string", 400},
		"a byte order mark":   {"\ufeff" + callback, "malformed", "malformed body", 400},
		"the same name twice": {`{"CANARY":1,"CANARY":2}`, "malformed", "a name stands twice", 400},
		"compressed unsaid":   {zipped(t, callback), "malformed", "malformed body", 400},
		"too large":           {`{"x":"CANARY` + strings.Repeat("a", 1<<20) + `"}`, "too_large", "too large", 413},
	} {
		for _, route := range []string{"/jetpay", "/jetpay/callback", "/highhelp/alerts"} {
			t.Run(name+route, func(t *testing.T) {
				r := newRig(t)
				got := r.do(r.request(http.MethodPost, r.public.URL+route, tc.body))
				wantUnread(t, r, got, route, tc.status, tc.outcome, tc.reason)
			})
		}
	}
}

// TestACompressedBodyIsRefusedByItsHeader: 415, and what to do instead.
func TestACompressedBodyIsRefusedByItsHeader(t *testing.T) {
	callback := signed(t, testkit.JetPayCallback, demoSecret)
	for _, coding := range []string{"gzip", "br", "GZIP", "identity, zstd", "x-CANARY"} {
		for _, route := range []string{"/jetpay", "/jetpay/callback", "/highhelp/alerts"} {
			r := newRig(t)
			request := r.request(http.MethodPost, r.public.URL+route, zipped(t, callback))
			request.Header.Set("Content-Encoding", coding)
			got := r.do(request)
			wantUnread(t, r, got, route, http.StatusUnsupportedMediaType, "encoded", "Content-Encoding")
			if !strings.Contains(got.body, "uncompressed") {
				t.Errorf("%s: got %s, want what to do", coding, got.body)
			}
		}
	}
	r := newRig(t)
	request := r.request(http.MethodPost, r.public.URL+"/jetpay", callback)
	request.Header.Set("Content-Encoding", "identity")
	if got := r.do(request); got.status != http.StatusOK {
		t.Errorf("identity: got %d %s", got.status, got.body)
	}
}

func wantUnread(t *testing.T, r *rig, got answer, route string, status int, outcome, reason string) {
	t.Helper()
	if got.status != status {
		t.Errorf("got %d %s, want %d", got.status, got.body, status)
	}
	lines := r.logs.lines(t)
	line := lines[len(lines)-1]
	if said, _ := line["reason"].(string); line["level"] != "warn" || line["outcome"] != outcome || !strings.Contains(strings.ToLower(said), strings.ToLower(reason)) {
		t.Errorf("got %v, want a warning with the reason %q", line, reason)
	}
	if strings.Contains(r.logs.String(), "CANARY") {
		t.Errorf("the log has the body's content:\n%s", r.logs.String())
	}
	metrics := r.askAs("", http.MethodGet, "/metrics", "").body
	if !strings.Contains(metrics, `outcome="`+outcome+`",route="`+route+`"`) {
		t.Errorf("it is not counted:\n%s", metrics)
	}
}

func zipped(t *testing.T, text string) string {
	t.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	if _, err := w.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}
