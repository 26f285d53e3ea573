// Package webhook makes signed requests to the merchant's own systems, as Standard
// Webhooks describes, with a client that a system that is slow, endless or
// malicious cannot harm.
//
// The scheme: https://www.standardwebhooks.com. The library signs; its errors may
// hold the secret and are not passed on.
package webhook

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"tolem/config"
)

// Signer signs requests with all live secrets of a receiver.
type Signer []*standardwebhooks.Webhook

// NewSigner makes a signer. The error does not hold a secret.
func NewSigner(secrets ...config.Secret) (Signer, error) {
	var s Signer
	for i, secret := range secrets {
		key, err := standardwebhooks.NewWebhook(secret.Reveal())
		if err != nil {
			return nil, fmt.Errorf("secret %d must be whsec_ and base64", i+1)
		}
		s = append(s, key)
	}
	return s, nil
}

// Sign sets the three headers of a request with that id and body, as of now: one
// signature for each secret.
func (s Signer) Sign(request *http.Request, id string, now time.Time, body []byte) error {
	signatures := make([]string, len(s))
	for i, key := range s {
		var err error
		if signatures[i], err = key.Sign(id, now, body); err != nil {
			return fmt.Errorf("sign: %w", err)
		}
	}
	request.Header.Set("User-Agent", "tolem")
	request.Header.Set(standardwebhooks.HeaderWebhookID, id)
	request.Header.Set(standardwebhooks.HeaderWebhookTimestamp, strconv.FormatInt(now.Unix(), 10))
	request.Header.Set(standardwebhooks.HeaderWebhookSignature, strings.Join(signatures, " "))
	return nil
}

// NewClient makes a client that keeps up to so many connections to a host, follows
// no redirect, and decompresses nothing, so that a bound on what is read is one on
// what was sent. The caller bounds each request by its context.
func NewClient(connections int, connect time.Duration) *http.Client {
	return &http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			Proxy:                  http.ProxyFromEnvironment,
			DialContext:            (&net.Dialer{Timeout: connect}).DialContext,
			TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
			TLSHandshakeTimeout:    connect,
			MaxConnsPerHost:        connections,
			MaxIdleConnsPerHost:    connections,
			IdleConnTimeout:        time.Minute,
			MaxResponseHeaderBytes: 32 << 10,
			DisableCompression:     true,
			ForceAttemptHTTP2:      true,
		},
	}
}

// Reason is why a request failed, without the URL, which may hold a customer's id or
// a token.
func Reason(err error) error {
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
