package webhook_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"tolem/config"
	"tolem/webhook"
)

// TestSign pins the example of the specification's libraries.
func TestSign(t *testing.T) {
	const body = `{"test": 2432232314}`
	signer, err := webhook.NewSigner(config.NewSecret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"), config.NewSecret("whsec_dG9sZW0gZXhhbXBsZSBzZWNyZXQgb2YgMzIgYnl0ZXM="))
	if err != nil {
		t.Fatal(err)
	}
	request, err := http.NewRequest(http.MethodPost, "https://billing.example.kz/", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if err := signer.Sign(request, "msg_p5jXN8AQM9LWM0D4loKWxJek", time.Unix(1614265330, 0), []byte(body)); err != nil {
		t.Fatal(err)
	}
	if got := request.Header.Get("webhook-timestamp"); got != "1614265330" {
		t.Errorf("timestamp %s", got)
	}
	signatures := strings.Split(request.Header.Get("webhook-signature"), " ")
	if len(signatures) != 2 || signatures[0] != "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=" {
		t.Errorf("signatures %q", signatures)
	}
}

func TestNewSigner(t *testing.T) {
	_, err := webhook.NewSigner(config.NewSecret("whsec_hunter*2"))
	if err == nil || strings.Contains(err.Error(), "hunter") {
		t.Errorf("got %v, want an error without the secret", err)
	}
}

func TestReason(t *testing.T) {
	slow := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	defer slow.Close()
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	for url, want := range map[string]string{
		slow.URL + "/7011112233": "no answer in time",
		gone.URL + "/7011112233": "dial: ",
	} {
		ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		_, err = webhook.NewClient(1, time.Second).Do(request)
		cancel()
		if err == nil {
			t.Fatalf("%s was answered", url)
		}
		if got := webhook.Reason(err).Error(); !strings.HasPrefix(got, want) || strings.Contains(got, "7011112233") {
			t.Errorf("got %q, want %q without the address", got, want)
		}
	}
}
