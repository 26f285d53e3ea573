package platform

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// MaxAnswer bounds, in bytes, what is read of an answer.
const MaxAnswer = 4 << 20

// Paths of the merchant's server.
const (
	Path         = "/jetpay"          // all three messages
	CallbackPath = "/jetpay/callback" // callbacks of projects with a second URL
)

// ErrAnswerTooLarge says that an answer is longer than MaxAnswer.
var ErrAnswerTooLarge = errors.New("answer too large")

// ClientOptions has a usable zero value.
type ClientOptions struct {
	// Timeout is for one whole exchange; 0: 30 s.
	Timeout time.Duration
	// Connections is how many are kept open; 0: 32. There is no upper bound
	// on those in use.
	Connections int
}

// Client posts to one server, keeping connections alive. It follows no
// redirects: the platform does not. It is safe for concurrent use.
type Client struct {
	base string
	http *http.Client
}

// NewClient makes a client for the server at an http or https URL.
func NewClient(baseURL string, o ClientOptions) (*Client, error) {
	base, err := checkBase(baseURL)
	if err != nil {
		return nil, err
	}
	return &Client{base: base, http: newHTTP(o)}, nil
}

func checkBase(baseURL string) (string, error) {
	parsed, err := url.Parse(baseURL)
	if err != nil || (parsed.Scheme != "http" && parsed.Scheme != "https") || parsed.Host == "" {
		return "", fmt.Errorf("URL %q: must look like http://127.0.0.1:8080", baseURL)
	}
	if parsed.RawQuery != "" || parsed.Fragment != "" {
		return "", fmt.Errorf("URL %q: must not have a query or a fragment", baseURL)
	}
	return strings.TrimSuffix(baseURL, "/"), nil
}

func newHTTP(o ClientOptions) *http.Client {
	if o.Timeout <= 0 {
		o.Timeout = 30 * time.Second
	}
	if o.Connections <= 0 {
		o.Connections = 32
	}
	return &http.Client{
		Timeout: o.Timeout,
		Transport: &http.Transport{
			Proxy:               http.ProxyFromEnvironment,
			MaxIdleConns:        o.Connections,
			MaxIdleConnsPerHost: o.Connections,
			IdleConnTimeout:     time.Minute,
			TLSHandshakeTimeout: 10 * time.Second,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// Close closes the connections that are kept open.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Answer is the response to one message.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
	Took   time.Duration
}

// Post posts a body to a path of the server. Any HTTP status is an answer; an
// error means that none was read to its end.
func (c *Client) Post(ctx context.Context, path string, body []byte) (Answer, error) {
	return c.PostWith(ctx, path, http.Header{"Content-Type": {"application/json"}}, body)
}

// PostWith is Post with the caller's own headers.
func (c *Client) PostWith(ctx context.Context, path string, header http.Header, body []byte) (Answer, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.base+path, bytes.NewReader(body))
	if err != nil {
		return Answer{}, fmt.Errorf("post %s: %w", path, err)
	}
	request.Header = header
	begun := time.Now()
	answer, err := do(c.http, request)
	if err != nil {
		return Answer{}, fmt.Errorf("post %s: %w", path, err)
	}
	answer.Took = time.Since(begun)
	return answer, nil
}

// do reads an answer to its end, so that the connection can be used again.
func do(client *http.Client, request *http.Request) (Answer, error) {
	response, err := client.Do(request)
	if err != nil {
		return Answer{}, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, MaxAnswer+1))
	if err != nil {
		return Answer{}, fmt.Errorf("read the answer: %w", err)
	}
	if len(body) > MaxAnswer {
		return Answer{}, fmt.Errorf("%w: more than %d bytes", ErrAnswerTooLarge, MaxAnswer)
	}
	return Answer{Status: response.StatusCode, Header: response.Header, Body: body}, nil
}
