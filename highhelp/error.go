package highhelp

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"regexp"
	"strings"
	"syscall"
)

// MaxRaw bounds, in bytes, how much of an answer an [Error] keeps.
const MaxRaw = 4 << 10

// ErrBusy says that as many calls are under way as the client may have, and
// that none ended in time. Nothing was sent.
var ErrBusy = errors.New("too many calls are under way")

// Error says how a call failed. Its text holds nothing of what the provider
// wrote but known words; the fields do, and are for storing and for the
// merchant, not for logs.
type Error struct {
	Op string // payin, info, confirm or cancel

	// Unknown means that the call may have had its effect: the request, or a
	// part of it, may have left, and no answer says what became of it. Ask
	// with Info, under the same payment id. False means that it had none.
	Unknown bool
	// Temporary means that the same call may succeed later.
	Temporary bool

	HTTPStatus int    // 0: no answer came
	Raw        []byte // how the answer begins, at most MaxRaw bytes
	// What the answer says, if it can be read.
	Status      string
	SubStatus   string
	Description string
	RequestID   string

	reason string // plain English, safe to print
	cause  error
}

// Error says what failed, without what the provider wrote.
func (e *Error) Error() string {
	var text strings.Builder
	fmt.Fprintf(&text, "HighHelp %s: ", e.Op)
	if e.HTTPStatus != 0 {
		fmt.Fprintf(&text, "HTTP status %d", e.HTTPStatus)
		if status := StatusText(e.Status, e.SubStatus); plainStatus.MatchString(status) {
			fmt.Fprintf(&text, ", %s", status)
		}
		text.WriteString(": ")
	}
	text.WriteString(e.reason)
	if e.Unknown {
		text.WriteString("; the outcome is unknown")
	}
	return text.String()
}

// Unwrap gives the cause, such as ErrBusy or context.DeadlineExceeded.
func (e *Error) Unwrap() error { return e.cause }

var plainStatus = regexp.MustCompile(`^[a-z0-9_]{1,32}(:[a-z0-9_]{1,32})?$`)

// notSent says that a call failed before anything left.
func notSent(op string, cause error) *Error {
	return &Error{Op: op, reason: "nothing was sent: " + reasonBeforeSending(cause), cause: cause, Temporary: mayPass(cause)}
}

// unusable says that a request can never be sent as it is.
func unusable(op string, cause error) *Error {
	e := notSent(op, cause)
	e.Temporary = false
	return e
}

// cut says that no whole answer came to what was, or may have been, sent.
func cut(op string, cause error) *Error {
	return &Error{Op: op, Unknown: true, Temporary: true, reason: reasonAfterSending(cause), cause: cause}
}

// reasonBeforeSending may show what the network says of the provider's host:
// nothing else is in it.
func reasonBeforeSending(err error) string {
	switch {
	case errors.Is(err, ErrBusy):
		return ErrBusy.Error()
	case errors.Is(err, context.Canceled):
		return "the caller has gone"
	case errors.Is(err, context.DeadlineExceeded):
		return "no connection in time"
	}
	return withoutURL(err).Error()
}

// reasonAfterSending is in our own words: errors of net/http may quote what came
// over the wire.
func reasonAfterSending(err error) string {
	var network net.Error
	switch {
	case errors.Is(err, context.Canceled):
		return "the caller has gone before the answer"
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &network) && network.Timeout():
		return "no answer in time"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return "the connection was cut"
	}
	return "what came back is not an answer"
}

func withoutURL(err error) error {
	if wrapped := (*url.Error)(nil); errors.As(err, &wrapped) {
		return wrapped.Err
	}
	return err
}

// mayPass tells whether a failure to connect may pass by itself. A certificate
// that is not trusted stays so, and a caller that has gone does not come back.
func mayPass(err error) bool {
	var certificate *tls.CertificateVerificationError
	return !errors.As(err, &certificate) && !errors.Is(err, context.Canceled)
}
