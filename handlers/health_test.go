package handlers_test

import (
	"net/http"
	"testing"
)

// TestHEADIsAnsweredAsGETWithoutABody: balancers and uptime monitors ask so.
func TestHEADIsAnsweredAsGETWithoutABody(t *testing.T) {
	r := newRig(t)
	probes := []string{r.public.URL + "/healthz", r.admin.URL + "/livez", r.admin.URL + "/readyz", r.admin.URL + "/metrics"}
	for _, url := range probes {
		get, head := r.do(r.request(http.MethodGet, url, "")), r.do(r.request(http.MethodHead, url, ""))
		if head.status != http.StatusOK || head.body != "" {
			t.Errorf("HEAD %s: got %d %q", url, head.status, head.body)
		}
		if got, want := head.header.Get("Content-Type"), get.header.Get("Content-Type"); got != want {
			t.Errorf("HEAD %s: got content type %q, want GET's %q", url, got, want)
		}
	}
	r.server.Drain()
	if got := r.do(r.request(http.MethodHead, r.admin.URL+"/readyz", "")); got.status != http.StatusServiceUnavailable || got.body != "" {
		t.Errorf("HEAD of a server that drains: got %d %q", got.status, got.body)
	}
	if got := r.do(r.request(http.MethodPost, r.admin.URL+"/livez", "")); got.status != http.StatusMethodNotAllowed {
		t.Errorf("POST: got %d", got.status)
	}
}
