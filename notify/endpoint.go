package notify

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"tolem/config"
)

const (
	// Timeout bounds an attempt: the request, and the answer to its end.
	Timeout = 15 * time.Second
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
	signers []*standardwebhooks.Webhook
	http    *http.Client
	timeout time.Duration
}

func newEndpoint(c config.Endpoint, timeout time.Duration) (*endpoint, error) {
	e := &endpoint{
		name: c.Name, url: c.URL, timeout: timeout,
		http: &http.Client{
			// A redirect is not followed: who answers with one does not have the notification.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
			Transport: &http.Transport{
				Proxy:                  http.ProxyFromEnvironment,
				DialContext:            (&net.Dialer{Timeout: 5 * time.Second}).DialContext,
				TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
				TLSHandshakeTimeout:    5 * time.Second,
				MaxConnsPerHost:        maxConcurrent,
				MaxIdleConnsPerHost:    maxConcurrent,
				IdleConnTimeout:        time.Minute,
				MaxResponseHeaderBytes: 32 << 10,
				DisableCompression:     true,
				ForceAttemptHTTP2:      true,
			},
		},
	}
	for i, secret := range c.Secrets {
		signer, err := standardwebhooks.NewWebhook(secret.Reveal())
		if err != nil {
			return nil, fmt.Errorf("notify %s: secret %d must be whsec_ and base64", c.Name, i+1) // the library's error has the secret
		}
		e.signers = append(e.signers, signer)
	}
	return e, nil
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
	signatures := make([]string, len(e.signers))
	for i, signer := range e.signers {
		if signatures[i], err = signer.Sign(eventID, now, body); err != nil {
			return 0, fmt.Errorf("sign: %w", err)
		}
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("User-Agent", "tolem")
	request.Header.Set(standardwebhooks.HeaderWebhookID, eventID)
	request.Header.Set(standardwebhooks.HeaderWebhookTimestamp, strconv.FormatInt(now.Unix(), 10))
	request.Header.Set(standardwebhooks.HeaderWebhookSignature, strings.Join(signatures, " "))
	response, err := e.http.Do(request)
	if err != nil {
		return 0, reason(err)
	}
	defer response.Body.Close()
	if response.StatusCode < 200 || response.StatusCode > 299 {
		return response.StatusCode, fmt.Errorf("HTTP %d", response.StatusCode)
	}
	if _, err := io.CopyN(io.Discard, response.Body, maxAnswer); err != nil && !errors.Is(err, io.EOF) {
		return response.StatusCode, fmt.Errorf("the answer did not end: %w", reason(err))
	}
	return response.StatusCode, nil
}

// reason is why a request failed, in words that hold no address.
func reason(err error) error {
	var timeout net.Error
	var dns *net.DNSError
	switch {
	case errors.Is(err, context.Canceled):
		return errors.New("cut off: the server is stopping")
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return errors.New("no answer in time")
	case errors.As(err, &dns):
		return errors.New("the host's name cannot be resolved")
	}
	if wrapped := (*url.Error)(nil); errors.As(err, &wrapped) {
		err = wrapped.Err
	}
	if op := (*net.OpError)(nil); errors.As(err, &op) {
		return fmt.Errorf("%s: %w", op.Op, op.Err)
	}
	return err
}
