package notify

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"tolem/config"
	"tolem/webhook"
)

const (
	// Timeout bounds an attempt: the request, and the answer to its end.
	Timeout        = 15 * time.Second
	connectTimeout = 5 * time.Second
	// maxAnswer is how much of an answer is read, so that its connection is used
	// again; of a longer one the connection is closed.
	maxAnswer = 64 << 10
	// maxConcurrent bounds the attempts at one endpoint at once.
	maxConcurrent = 8
)

// endpoint is a receiver. It is safe for concurrent use.
type endpoint struct {
	name    string
	url     string
	signer  webhook.Signer
	http    *http.Client
	timeout time.Duration
}

func newEndpoint(c config.Endpoint, timeout time.Duration) (*endpoint, error) {
	signer, err := webhook.NewSigner(c.Secrets...)
	if err != nil {
		return nil, fmt.Errorf("notify %s: %w", c.Name, err)
	}
	return &endpoint{name: c.Name, url: c.URL, timeout: timeout, signer: signer, http: webhook.NewClient(maxConcurrent, connectTimeout)}, nil
}

// post makes one attempt. Anything but 2xx is an error, which has nothing of the
// answer or the URL; status is 0 if there was none.
func (e *endpoint) post(ctx context.Context, eventID string, body []byte, now time.Time) (status int, err error) {
	ctx, cancel := context.WithTimeout(ctx, e.timeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, e.url, bytes.NewReader(body))
	if err != nil {
		return 0, errors.New("the URL is not usable")
	}
	request.Header.Set("Content-Type", "application/json")
	if err := e.signer.Sign(request, eventID, now, body); err != nil {
		return 0, err
	}
	response, err := e.http.Do(request)
	if err != nil {
		return 0, webhook.Reason(err)
	}
	defer response.Body.Close()
	if response.StatusCode < 200 || response.StatusCode > 299 {
		return response.StatusCode, fmt.Errorf("HTTP %d", response.StatusCode)
	}
	if _, err := io.CopyN(io.Discard, response.Body, maxAnswer); err != nil && !errors.Is(err, io.EOF) {
		return response.StatusCode, fmt.Errorf("the answer did not end: %w", webhook.Reason(err))
	}
	return response.StatusCode, nil
}
