package highhelp

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"
	"time"

	"github.com/sethvargo/go-retry"
)

// maxRetryDelay bounds the wait before a repetition.
const maxRetryDelay = 2 * time.Second

// operation is one of the four calls, for one pay-in.
type operation struct {
	name, path       string
	project, payment string
	creates          bool              // makes a pay-in, so that a conflict may mean that it exists
	repeat           func(*Error) bool // whether to try again
}

func (op operation) enquiry() enquiry {
	return enquiry{General{ProjectID: op.project, PaymentID: op.payment}}
}

func never(*Error) bool { return false }

// wasNotSent: a pay-in may be asked for again if the first request never left.
func wasNotSent(e *Error) bool { return !e.Unknown && e.HTTPStatus == 0 && e.Temporary }

// mayHelp: what only reads may be repeated, but not at once where the provider
// asks us to slow down.
func mayHelp(e *Error) bool { return e.Temporary && e.HTTPStatus != http.StatusTooManyRequests }

// call makes an operation within the client's time-out and bounds. Every error
// is an *Error.
func call[T any](ctx context.Context, c *Client, op operation, message any, parse func([]byte) (T, Answer, error)) (T, error) {
	var none T
	body, err := encode(message)
	switch {
	case err != nil:
		return none, unusable(op.name, fmt.Errorf("the request cannot be written (%T)", err))
	case op.project != c.o.ProjectID:
		return none, unusable(op.name, errors.New("the request is for another project than the client"))
	case !isID(op.payment):
		return none, unusable(op.name, errors.New("the payment id must be 1 to 255 characters, without control characters"))
	}
	ctx, cancel := context.WithTimeout(ctx, c.o.Timeout)
	defer cancel()
	if err := c.enter(ctx); err != nil {
		return none, notSent(op.name, err)
	}
	defer c.leave()

	var last *Error
	result, err := retry.DoValue(ctx, c.backoff(), func(ctx context.Context) (T, error) {
		result, failed := attempt(ctx, c, op, body, parse)
		if failed == nil {
			return result, nil
		}
		if last == nil || !last.Unknown || failed.Unknown || failed.HTTPStatus != 0 {
			last = failed
		} // else an earlier attempt was sent, whatever this one was not
		if op.repeat(failed) {
			return none, retry.RetryableError(failed)
		}
		return none, failed
	})
	switch {
	case err == nil:
		return result, nil
	case last != nil:
		return none, last // also where the time ran out in between
	default:
		return none, notSent(op.name, err)
	}
}

func (c *Client) backoff() retry.Backoff {
	delays := retry.WithCappedDuration(maxRetryDelay, retry.NewExponential(c.o.RetryDelay))
	return retry.WithMaxRetries(uint64(c.o.Attempts-1), retry.WithJitterPercent(50, delays))
}

// enter takes a place among the calls under way.
func (c *Client) enter(ctx context.Context) error {
	select {
	case c.slots <- struct{}{}:
		return nil
	default:
	}
	if c.o.MaxWait < 0 {
		return ErrBusy
	}
	wait := time.NewTimer(c.o.MaxWait)
	defer wait.Stop()
	select {
	case c.slots <- struct{}{}:
		return nil
	case <-wait.C:
		return ErrBusy
	case <-ctx.Done():
		if errors.Is(ctx.Err(), context.Canceled) {
			return ctx.Err()
		}
		return ErrBusy
	}
}

func (c *Client) leave() { <-c.slots }

// attempt sends a request once and says what became of it.
func attempt[T any](ctx context.Context, c *Client, op operation, body []byte, parse func([]byte) (T, Answer, error)) (T, *Error) {
	var none T
	status, raw, failed := c.exchange(ctx, op.name, op.path, body)
	if failed != nil {
		failed.read(raw)
		return none, failed
	}
	if status < 200 || status > 299 {
		return none, refused(op, status, raw)
	}
	result, answer, err := parse(raw)
	if err == nil {
		err = answer.isAbout(op)
	}
	if err == nil && answer.FormURL != "" && !c.o.isURL(answer.FormURL) { // the payer is sent there
		err = errForm
	}
	switch {
	case err != nil:
		failed = &Error{Op: op.name, HTTPStatus: status, Unknown: true, reason: "the answer cannot be read: " + err.Error(), cause: err}
	case op.creates && (answer.Status == StatusError || answer.Status == StatusDecline):
		failed = &Error{Op: op.name, HTTPStatus: status, reason: reasonRefused}
	default:
		return result, nil
	}
	failed.read(raw)
	return none, failed
}

const reasonRefused = "the provider refuses"

var (
	errOther = errors.New("it is about another payment")
	errForm  = errors.New("integration:form_url is not an https URL")
)

// isAbout refuses an answer about something else. What an answer leaves out, it
// is taken to be about.
func (a Answer) isAbout(op operation) error {
	if a.PaymentID != "" && a.PaymentID != op.payment || a.ProjectID != "" && a.ProjectID != op.project {
		return errOther
	}
	return nil
}

// exchange sends a signed body and reads the answer to its end, so that the
// connection can be used again. With an error raw is what came before it.
func (c *Client) exchange(ctx context.Context, name, path string, body []byte) (status int, raw []byte, failed *Error) {
	// From the moment a connection is ours, a request may leave, even when the
	// call is given up at once: the transport writes on another goroutine.
	var begun atomic.Bool
	trace := &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { begun.Store(true) }}
	request, err := c.request(httptrace.WithClientTrace(ctx, trace), path, body)
	if err != nil {
		return 0, nil, unusable(name, err)
	}
	response, err := c.http.Do(request)
	switch {
	case err != nil && begun.Load():
		return 0, nil, cut(name, err)
	case err != nil:
		return 0, nil, notSent(name, err)
	}
	defer response.Body.Close()
	raw, err = io.ReadAll(io.LimitReader(response.Body, MaxAnswer+1))
	if len(raw) > MaxAnswer || err == nil || isNo(response.StatusCode) {
		return response.StatusCode, raw, nil // too long an answer is not parsed either
	}
	failed = cut(name, err)
	failed.HTTPStatus = response.StatusCode
	return response.StatusCode, raw, failed
}

// isNo reports whether a status alone says that nothing was done.
func isNo(status int) bool { return status >= 400 && status <= 499 }

// refused is what a status outside of 2xx means. 5xx may come from something in
// between, after the provider has done its work. A redirect is not followed, and
// says nothing. Of a repeated payment id the provider's pages say nothing, so
// that a conflict may mean that the pay-in exists.
func refused(op operation, status int, raw []byte) *Error {
	e := &Error{Op: op.name, HTTPStatus: status, reason: reasonRefused}
	switch {
	case status == http.StatusRequestTimeout, status == http.StatusConflict && op.creates:
		e.Unknown, e.Temporary = true, true
	case status == http.StatusTooManyRequests:
		e.Temporary = true
	case isNo(status):
	case status >= 500:
		e.Unknown, e.Temporary = true, true
		e.reason = "the provider has failed"
	default:
		e.Unknown = true
		e.reason = "this is no answer to the call"
	}
	e.read(raw)
	return e
}

// read keeps the start of an answer and what its flat block says, if it has one.
func (e *Error) read(raw []byte) {
	e.Raw = bytes.Clone(raw[:min(len(raw), MaxRaw)])
	if answer, err := parseAnswer(raw); err == nil {
		e.Status, e.SubStatus, e.Description, e.RequestID = answer.Status, answer.SubStatus, answer.StatusDescription, answer.RequestID
	}
}
