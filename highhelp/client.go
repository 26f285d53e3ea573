package highhelp

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"tolem/config"
	"tolem/signing"
)

// What Options are where they are zero.
const (
	DefaultTimeout       = 10 * time.Second
	DefaultMaxConcurrent = 16
	DefaultMaxWait       = time.Second
	DefaultRetryDelay    = 200 * time.Millisecond
	DefaultAttempts      = 3
)

// MaxAnswer bounds, in bytes, what is read of an answer.
const MaxAnswer = signing.MaxBody

// Options make a client for one project, which is one cash register.
type Options struct {
	Environment     string          // of the configuration; config.Development allows http on loopback addresses
	BaseURL         string          // https
	ProjectID       string          // goes into bodies
	MerchantID      string          // goes into a header; empty: ProjectID
	Signer          signing.Signer  // the merchant's own key
	Dialect         signing.Dialect // pinned in every part
	AccessToken     config.Secret   // unset: the signer's own
	AlgorithmHeader string          // empty: not sent

	Timeout       time.Duration  // of one call, with its retries and its wait for a place; 0: DefaultTimeout
	MaxConcurrent int            // calls under way at once; 0: DefaultMaxConcurrent
	MaxWait       time.Duration  // for a place among them; 0: DefaultMaxWait; below 0: none
	Attempts      int            // of a call that may be repeated; 0: DefaultAttempts
	RetryDelay    time.Duration  // before the first repetition, then doubled, give or take half; 0: DefaultRetryDelay
	RootCAs       *x509.CertPool // nil: the system's

	Now func() time.Time // nil: time.Now
}

// Client calls the API for one project. It keeps connections alive, follows no
// redirects, and is safe for concurrent use.
type Client struct {
	o     Options
	base  string
	token config.Secret // unset: none is sent
	http  *http.Client
	slots chan struct{}
}

// NewClient checks the options and makes a client. It opens no connection.
func NewClient(o Options) (*Client, error) {
	o = o.withDefaults()
	if err := o.check(); err != nil {
		return nil, fmt.Errorf("make a HighHelp client: %w", err)
	}
	token := o.AccessToken
	if token.IsZero() {
		token = config.NewSecret(o.Signer.AccessToken())
	}
	return &Client{
		o:     o,
		base:  strings.TrimSuffix(o.BaseURL, "/"),
		token: token,
		http:  newHTTP(o),
		slots: make(chan struct{}, o.MaxConcurrent),
	}, nil
}

func (o Options) withDefaults() Options {
	if o.MerchantID == "" {
		o.MerchantID = o.ProjectID
	}
	if o.Timeout <= 0 {
		o.Timeout = DefaultTimeout
	}
	if o.MaxConcurrent <= 0 {
		o.MaxConcurrent = DefaultMaxConcurrent
	}
	if o.MaxWait == 0 {
		o.MaxWait = DefaultMaxWait
	}
	if o.Attempts <= 0 {
		o.Attempts = DefaultAttempts
	}
	if o.RetryDelay <= 0 {
		o.RetryDelay = DefaultRetryDelay
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return o
}

func (o Options) check() error {
	base, err := url.Parse(o.BaseURL)
	if err != nil || !o.isURL(o.BaseURL) || base.User != nil || strings.ContainsAny(o.BaseURL, "?#") {
		return errors.New("the base URL must be https (http for loopback addresses, in development only), without user, query and fragment")
	}
	if !isID(o.ProjectID) {
		return errors.New("the project id must be 1 to 255 characters")
	}
	if o.Signer.Algorithm() == "" {
		return errors.New("there is no key to sign requests with")
	}
	if !o.Dialect.Pinned() {
		return fmt.Errorf("%w: every part of the dialect of requests must be pinned", signing.ErrDialect)
	}
	return nil
}

func (o Options) isURL(text string) bool { return isURL(text, o.Environment == config.Development) }

// newHTTP makes the one way out. Certificates are always verified. No header
// that makes net/http repeat a request by itself (Idempotency-Key) may ever be
// set: a request that was sent is not sent again unasked.
func newHTTP(o Options) *http.Client {
	connect := max(o.Timeout/3, time.Millisecond) // leaves time for another attempt
	return &http.Client{
		Transport: &http.Transport{
			Proxy:                  http.ProxyFromEnvironment,
			DialContext:            (&net.Dialer{Timeout: connect, KeepAlive: 30 * time.Second}).DialContext,
			TLSClientConfig:        &tls.Config{RootCAs: o.RootCAs, MinVersion: tls.VersionTLS12},
			TLSHandshakeTimeout:    connect,
			ForceAttemptHTTP2:      true,
			MaxIdleConns:           o.MaxConcurrent,
			MaxIdleConnsPerHost:    o.MaxConcurrent,
			IdleConnTimeout:        30 * time.Second, // shorter than most servers', so that requests seldom meet a connection that is being closed
			MaxResponseHeaderBytes: 64 << 10,
			DisableCompression:     true,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// Close closes the connections that are kept open.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Payin creates a pay-in. The request should have passed [Catalogue.Check]; an
// empty project id is filled in, another one than the client's is refused. It is repeated only where nothing was sent.
//
// An answer means that the provider has taken the pay-in; its FormURL may still
// be empty. Every error is an *[Error]: one that is not Unknown means that there
// is no pay-in to be paid, also where the provider answers with the status error
// or decline.
func (c *Client) Payin(ctx context.Context, r PayinRequest) (Answer, error) {
	if r.General.ProjectID == "" {
		r.General.ProjectID = c.o.ProjectID
	}
	op := operation{name: "payin", path: PathPayin, project: r.General.ProjectID, payment: r.General.PaymentID, creates: true, repeat: wasNotSent}
	return call(ctx, c, op, r, parseBlock)
}

// Info asks what became of a pay-in. It changes nothing and is repeated where
// that may help. Beside what the answer says it returns all of it, as it came, so
// that it can be stored.
func (c *Client) Info(ctx context.Context, paymentID string) (info Info, raw []byte, err error) {
	op := c.about("info", PathInfo, paymentID)
	op.repeat = mayHelp
	info, err = call(ctx, c, op, op.enquiry(), func(answer []byte) (Info, Answer, error) {
		raw = answer
		info, err := parseInfo(answer)
		return info, info.Answer, err
	})
	if err != nil {
		return Info{}, nil, err
	}
	return info, raw, nil
}

// Confirm confirms the payment of a pay-in whose method has that. The answer is
// an acknowledgement: what becomes of it comes later. It is never repeated.
func (c *Client) Confirm(ctx context.Context, paymentID string) (Answer, error) {
	op := c.about("confirm", PathConfirm, paymentID)
	return call(ctx, c, op, op.enquiry(), parseBlock)
}

// Cancel cancels a pay-in whose method has that. The answer is an
// acknowledgement: what becomes of it comes later. It is never repeated.
func (c *Client) Cancel(ctx context.Context, paymentID string) (Answer, error) {
	op := c.about("cancel", PathCancel, paymentID)
	return call(ctx, c, op, op.enquiry(), parseBlock)
}

func (c *Client) about(name, path, paymentID string) operation {
	return operation{name: name, path: path, project: c.o.ProjectID, payment: paymentID, repeat: never}
}

// parseBlock reads an answer that is the flat block alone.
func parseBlock(raw []byte) (Answer, Answer, error) {
	a, err := parseAnswer(raw)
	return a, a, err
}

// request signs the body as it stands and puts it into a request.
func (c *Client) request(ctx context.Context, path string, body []byte) (*http.Request, error) {
	timestamp := strconv.FormatInt(c.o.Now().Unix(), 10)
	signature, err := c.o.Signer.Sign(body, timestamp, c.o.Dialect)
	if err != nil {
		return nil, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.base+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	header := request.Header
	header.Set("Content-Type", "application/json")
	header.Set("Accept", "application/json")
	header.Set("User-Agent", "tolem")
	header.Set(HeaderTimestamp, timestamp)
	header.Set(HeaderMerchantID, c.o.MerchantID)
	header.Set(HeaderSignature, signature)
	if !c.token.IsZero() {
		header.Set(HeaderToken, c.token.Reveal())
	}
	if c.o.AlgorithmHeader != "" {
		header.Set(HeaderAlgorithm, c.o.AlgorithmHeader)
	}
	return request, nil
}

// encode writes a message. Go's default of writing & as \u0026 is for HTML.
func encode(message any) ([]byte, error) {
	var body bytes.Buffer
	encoder := json.NewEncoder(&body)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(message); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(body.Bytes(), []byte("\n")), nil
}
