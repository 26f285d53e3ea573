package billing

import (
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

	"github.com/oklog/ulid/v2"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"tolem/config"
	"tolem/topup"
)

const (
	// Placeholder is the part of the URL in which the customer's id is put.
	Placeholder = config.CustomerIDPlaceholder
	// maxAnswer bounds an account record in bytes.
	maxAnswer = 1 << 20
	// maxConnections bounds the requests that billing has to answer at once.
	maxConnections = 32
)

// errUnknown is billing's 404.
var errUnknown = errors.New("billing does not know the customer")

// client makes the requests. It is safe for concurrent use.
type client struct {
	url       string
	signer    *standardwebhooks.Webhook
	normalize topup.Normalizer
	http      *http.Client
	now       func() time.Time
}

func newClient(c config.AccountsHTTP, normalize topup.Normalizer, now func() time.Time) (*client, error) {
	signer, err := standardwebhooks.NewWebhook(c.Secret.Reveal())
	if err != nil {
		return nil, errors.New("accounts.http.secret must be whsec_ and base64") // the library's error has the secret
	}
	return &client{
		url: c.URL, signer: signer, normalize: normalize, now: now,
		http: &http.Client{
			// An answer is looked at as it is: billing's own host answers, or nobody.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
			Transport: &http.Transport{
				Proxy:                  http.ProxyFromEnvironment,
				DialContext:            (&net.Dialer{Timeout: c.Timeout}).DialContext,
				TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
				TLSHandshakeTimeout:    c.Timeout,
				MaxConnsPerHost:        maxConnections,
				MaxIdleConnsPerHost:    maxConnections,
				IdleConnTimeout:        time.Minute,
				MaxResponseHeaderBytes: 32 << 10,
				DisableCompression:     true, // the bound on the answer is one on what is read
				ForceAttemptHTTP2:      true,
			},
		},
	}, nil
}

// account asks for a customer, whose id is normalised. The error is errUnknown
// for 404. No error repeats an id, a URL or anything of an answer.
func (c *client) account(ctx context.Context, customerID string) (*topup.Account, error) {
	now := c.now()
	id := "msg_" + ulid.MustNew(ulid.Timestamp(now), ulid.DefaultEntropy()).String()
	signature, err := c.signer.Sign(id, now, nil)
	if err != nil {
		return nil, fmt.Errorf("sign the request: %w", err)
	}
	// In a path and in a query: a blank is %20, and nothing else is left that means something.
	escaped := strings.ReplaceAll(url.QueryEscape(customerID), "+", "%20")
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.ReplaceAll(c.url, Placeholder, escaped), nil)
	if err != nil {
		return nil, errors.New("accounts.http.url is not usable")
	}
	request.Header.Set("Accept", "application/json")
	request.Header.Set("User-Agent", "tolem")
	request.Header.Set(standardwebhooks.HeaderWebhookID, id)
	request.Header.Set(standardwebhooks.HeaderWebhookTimestamp, strconv.FormatInt(now.Unix(), 10))
	request.Header.Set(standardwebhooks.HeaderWebhookSignature, signature)
	response, err := c.http.Do(request)
	if err != nil {
		return nil, fmt.Errorf("request: %w", withoutURL(err))
	}
	defer response.Body.Close()
	switch response.StatusCode {
	case http.StatusOK:
	case http.StatusNotFound:
		_, _ = io.CopyN(io.Discard, response.Body, 4<<10) // so that the connection is used again
		return nil, errUnknown
	default:
		return nil, fmt.Errorf("billing answered HTTP %d", response.StatusCode)
	}
	data, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer+1))
	if err != nil {
		return nil, fmt.Errorf("read the answer: %w", withoutURL(err))
	}
	if len(data) > maxAnswer {
		return nil, fmt.Errorf("the answer is larger than %d bytes", maxAnswer)
	}
	return c.record(data, customerID)
}

// record reads an account record, which must be the customer's.
func (c *client) record(data []byte, customerID string) (*topup.Account, error) {
	account, problems := topup.ParseRecord(data)
	if len(problems) > 0 {
		return nil, fmt.Errorf("the answer is no account record: %w", errors.Join(problems...))
	}
	account.CustomerID = c.normalize.Apply(account.CustomerID)
	if account.CustomerID != customerID {
		return nil, errors.New("the answer is the record of another customer")
	}
	return &account, nil
}

// withoutURL is what went wrong, without the URL, which has the customer's id.
func withoutURL(err error) error {
	if wrapped := (*url.Error)(nil); errors.As(err, &wrapped) {
		return wrapped.Err
	}
	return err
}
