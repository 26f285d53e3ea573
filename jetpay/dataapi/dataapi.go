// Package dataapi asks JetPay's Data API which operations the platform has.
//
// Its answers have no order and no total, and rows move while they are read page
// by page: one that changes leaves its interval, and those behind it move up. So an
// hour is read again until two readings agree, each page by page until one is
// empty. Every answer is verified; what cannot be read in full is an error.
package dataapi

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"tolem/config"
	"tolem/signing"
	"tolem/topup"
)

const (
	operationsPath = "/operations/get"
	// timeout is longer than the five minutes that an answer may take.
	timeout = 6 * time.Minute
	// Settled is how old an interval must be before it is read: until then rows are
	// added to it.
	Settled = time.Hour
	// Hour is how long an interval is.
	Hour = time.Hour
	// largestPage is how many operations are asked for at once; fewer when an answer
	// would be larger than a signed body may be.
	largestPage, smallestPage = 500, 10
	// maxReadings is how often an hour is read before it is given up.
	maxReadings = 8
	// maxRows bounds the rows of one reading.
	maxRows = 400_000
	// attempts of a request that was not answered.
	attempts = 3
	// old is the age beyond which one request in ten seconds is allowed.
	old, oldPause = 180 * 24 * time.Hour, 10 * time.Second
	layout        = time.DateTime
)

// Client asks the Data API. One goroutine uses it.
type Client struct {
	url   string
	token config.Secret
	key   *signing.Key
	http  *http.Client
	now   func() time.Time
	pause func(context.Context, time.Duration) error
	page  int
}

// New makes a client of the configured Data API, nil if none is configured.
func New(c config.JetPay, now func() time.Time) (*Client, error) {
	if c.DataURL == "" {
		return nil, nil
	}
	key, err := signing.NewKey(c.DataSecret.Reveal())
	if err != nil {
		return nil, fmt.Errorf("jetpay.data_secret_file: %w", err)
	}
	return &Client{
		url: strings.TrimSuffix(c.DataURL, "/") + operationsPath, token: c.DataToken, key: key, now: now, pause: pause, page: largestPage,
		http: &http.Client{
			Timeout: timeout,
			// A request is signed for one address.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}, nil
}

// Close closes the connections that are kept open.
func (c *Client) Close() { c.http.CloseIdleConnections() }

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Now is the time by which hours are recent or not.
func (c *Client) Now() time.Time { return c.now() }

// LastHour is the start of the last hour that can be read now.
func (c *Client) LastHour() time.Time {
	return c.now().UTC().Add(-Settled).Truncate(Hour).Add(-Hour)
}

// Operations returns the operations whose latest change was in the hour that begins
// at from, as an answer of the Data API without its signature. No projects: those
// that the token may see.
func (c *Client) Operations(ctx context.Context, projects []string, from time.Time) ([]byte, error) {
	from = from.UTC()
	if from.After(c.LastHour()) {
		return nil, fmt.Errorf("the hour from %s is too recent to be read", from.Format(layout))
	}
	var before reading
	for range maxReadings {
		now, err := c.read(ctx, projects, from)
		if err != nil {
			return nil, fmt.Errorf("operations of the hour from %s UTC: %w", from.Format(layout), err)
		}
		if before.hashes != nil && maps.Equal(before.hashes, now.hashes) {
			return now.answer()
		}
		before = now
	}
	return nil, fmt.Errorf("operations of the hour from %s UTC: no two of %d readings agree; try again later", from.Format(layout), maxReadings)
}

// Recent returns the operations whose latest change was in the hour that begins at
// from, as [Client.Operations] does, of an hour too recent for that: rows may be
// lacking.
func (c *Client) Recent(ctx context.Context, projects []string, from time.Time) ([]byte, error) {
	r, err := c.read(ctx, projects, from.UTC())
	if err != nil {
		return nil, fmt.Errorf("operations of the hour from %s UTC: %w", from.UTC().Format(layout), err)
	}
	return r.answer()
}

// reading is an hour as it was read once.
type reading struct {
	hashes map[operation][sha256.Size]byte
	rows   map[operation]json.RawMessage
}

type operation struct{ project, id string }

// answer is what was read, as the Data API would answer it.
func (r reading) answer() ([]byte, error) {
	var all struct {
		Operations []json.RawMessage `json:"operations"`
	}
	all.Operations = []json.RawMessage{}
	inOrder := func(a, b operation) int {
		return cmp.Or(strings.Compare(a.project, b.project), strings.Compare(a.id, b.id))
	}
	for _, key := range slices.SortedFunc(maps.Keys(r.rows), inOrder) {
		all.Operations = append(all.Operations, r.rows[key])
	}
	return json.Marshal(all)
}

// read reads an hour once, until a page is empty.
func (c *Client) read(ctx context.Context, projects []string, from time.Time) (reading, error) {
	r := reading{map[operation][sha256.Size]byte{}, map[operation]json.RawMessage{}}
	for offset := 0; ; {
		rows, err := c.ask(ctx, projects, from, offset)
		if err != nil {
			return r, err
		}
		if len(rows) == 0 {
			return r, nil
		}
		if offset += len(rows); offset > maxRows {
			return r, fmt.Errorf("more than %d rows, or pages without end", maxRows)
		}
		for _, row := range rows {
			key, err := keyOf(row)
			if err != nil {
				return r, err
			}
			r.rows[key], r.hashes[key] = row, sha256.Sum256(row)
		}
	}
}

// keyOf is what tells an operation from all others.
func keyOf(row json.RawMessage) (operation, error) {
	var ids struct {
		Project idText `json:"project_id"`
		ID      idText `json:"operation_id"`
	}
	if err := json.Unmarshal(row, &ids); err != nil || ids.ID == "" {
		return operation{}, errors.New("an operation in the answer has no operation_id that can be read")
	}
	return operation{string(ids.Project), string(ids.ID)}, nil
}

// idText is an id, written as a text or a number.
type idText string

func (t *idText) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '"' {
		var text string
		err := json.Unmarshal(b, &text)
		*t = idText(text)
		return err
	}
	var number json.Number
	err := json.Unmarshal(b, &number)
	*t = idText(number)
	return err
}

// request is the body of a request.
type request struct {
	Token     string        `json:"token"`
	ProjectID []json.Number `json:"project_id,omitempty"`
	Interval  interval      `json:"interval"`
	TZ        string        `json:"tz"`
	Limit     int           `json:"limit"`
	Offset    int           `json:"offset"`
}

type interval struct {
	From string `json:"from"`
	To   string `json:"to"`
}

var errAnswerTooLarge = errors.New("the answer is too large")

// ask asks for a page, a smaller one when an answer is too large, and again when
// there is none.
func (c *Client) ask(ctx context.Context, projects []string, from time.Time, offset int) ([]json.RawMessage, error) {
	for failed := 0; ; {
		if c.now().Sub(from) > old {
			if err := c.pause(ctx, oldPause); err != nil {
				return nil, err
			}
		}
		rows, err := c.post(ctx, projects, from, offset)
		temporary := (*temporaryError)(nil)
		switch {
		case err == nil:
			return rows, nil
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case errors.Is(err, errAnswerTooLarge) && c.page > smallestPage:
			c.page = max(c.page/2, smallestPage)
		case errors.As(err, &temporary) && failed < attempts-1:
			failed++
			if err := c.pause(ctx, time.Duration(failed)*time.Second); err != nil {
				return nil, err
			}
		default:
			return nil, err
		}
	}
}

// temporaryError is one after which the same request may succeed.
type temporaryError struct{ cause error }

func (e *temporaryError) Error() string { return e.cause.Error() }
func (e *temporaryError) Unwrap() error { return e.cause }

func (c *Client) post(ctx context.Context, projects []string, from time.Time, offset int) ([]json.RawMessage, error) {
	message := request{
		Token: c.token.Reveal(), TZ: "UTC", Limit: c.page, Offset: offset,
		// Both ends are part of the interval, as far as anybody says.
		Interval: interval{from.Format(layout), from.Add(Hour - time.Second).Format(layout)},
	}
	for _, project := range projects {
		message.ProjectID = append(message.ProjectID, json.Number(project))
	}
	unsigned, err := json.Marshal(message)
	if err != nil {
		return nil, err
	}
	body, err := signing.Embed(unsigned, c.key)
	if err != nil {
		return nil, err
	}
	post, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url, bytes.NewReader(body))
	if err != nil {
		return nil, errors.New("jetpay.data_url cannot be used")
	}
	post.Header.Set("Content-Type", "application/json")
	response, err := c.http.Do(post)
	if err != nil {
		return nil, &temporaryError{fmt.Errorf("the Data API cannot be reached: %w", err)}
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(response.Body, signing.MaxBody+1))
	switch {
	case err != nil:
		return nil, &temporaryError{errors.New("the answer was cut short")}
	case response.StatusCode >= 500:
		return nil, &temporaryError{refusal(response.StatusCode, answer)}
	case response.StatusCode != http.StatusOK:
		return nil, refusal(response.StatusCode, answer)
	case len(answer) > signing.MaxBody:
		return nil, errAnswerTooLarge
	}
	return c.rows(answer)
}

// rows verifies an answer and returns its operations.
func (c *Client) rows(answer []byte) ([]json.RawMessage, error) {
	parsed, err := signing.Parse(answer)
	if err != nil {
		return nil, fmt.Errorf("the answer cannot be read: %w", err)
	}
	defer parsed.Release()
	if _, err := parsed.Verify(c.key); err != nil {
		return nil, fmt.Errorf("the answer cannot be verified, so nothing of it is believed: %w", err)
	}
	var page struct {
		Operations *[]json.RawMessage `json:"operations"`
	}
	if err := json.Unmarshal(answer, &page); err != nil || page.Operations == nil {
		return nil, errors.New("the answer has no array operations")
	}
	return *page.Operations, nil
}

// refusal is an answer that is an error, with the platform's own words.
func refusal(status int, answer []byte) error {
	var said struct {
		Name    string      `json:"name"`
		Message string      `json:"message"`
		Code    json.Number `json:"code"`
	}
	if json.Unmarshal(answer, &said) != nil || said.Name+said.Message == "" {
		return fmt.Errorf("the Data API answered HTTP %d", status)
	}
	return fmt.Errorf("the Data API answered HTTP %d: %s %s (code %s)", status, topup.Shown(said.Name), topup.Shown(said.Message), topup.Shown(said.Code.String()))
}
