package jetpay

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
)

// GateError says why the Gate gave no status of a payment. Its text has the
// platform's own code and text, if it refused, and what to do.
type GateError struct {
	HTTPStatus int // 0: no answer came
	// The platform's own code and text, if it refused.
	Code    string
	Message string

	reason   string
	unusable bool
}

// Error has the platform's text quoted, so that no line of a log can come out
// of it.
func (e *GateError) Error() string {
	parts := []string{"gate status"}
	if e.HTTPStatus != 0 {
		parts = append(parts, fmt.Sprintf("HTTP status %d", e.HTTPStatus))
	}
	if e.Code != "" || e.Message != "" {
		parts = append(parts, fmt.Sprintf("the platform says code %q, text %q", e.Code, e.Message))
	}
	if e.reason != "" {
		parts = append(parts, e.reason)
	}
	return strings.Join(parts, ": ")
}

// IsUnusable reports whether the Gate has answered, and gave no status of the
// payment that it was asked about: that may be the payment's fault.
func IsUnusable(err error) bool {
	failed := (*GateError)(nil)
	return errors.As(err, &failed) && failed.unusable
}

func gateFailed(reason string) *GateError { return &GateError{reason: reason} }

// refusedBy is the error of an answer without a status.
func refusedBy(a GateAnswer, unusable bool, reason string) *GateError {
	if advice := adviceFor(a.HTTPStatus); reason == "" || advice != "" && !unusable {
		reason = strings.TrimPrefix(reason+": "+advice, ": ")
	}
	return &GateError{HTTPStatus: a.HTTPStatus, Code: a.Code, Message: a.Message, reason: strings.TrimSuffix(reason, ": "), unusable: unusable}
}

// adviceFor says what to do about a refusal (JetPay Gate, payment status).
func adviceFor(status int) string {
	switch {
	case status == http.StatusBadRequest:
		return "it refuses the request: if its text is about the signature, compare the project's first secret with the platform's"
	case status == http.StatusUnauthorized, status == http.StatusForbidden:
		return "it refuses this server: ask the platform to put the address from which this server calls on its list"
	case status == http.StatusTooManyRequests:
		return "it is asked too often; it is asked more seldom now"
	case status >= 300 && status <= 399:
		return "it sends us elsewhere: compare jetpay.gate_url with what the platform gave"
	case status == http.StatusNotFound:
		return "it knows neither this address nor the payment: compare jetpay.gate_url with what the platform gave"
	case status >= 500:
		return "it has failed; it is asked again"
	}
	return ""
}

// unreachable says why no answer came, each kind in a text of our own: errors of
// the network may quote what was received.
func unreachable(err error) *GateError {
	var (
		lookup      *net.DNSError
		certificate *tls.CertificateVerificationError
		record      tls.RecordHeaderError
		alert       tls.AlertError
		unknown     x509.UnknownAuthorityError
		network     net.Error
	)
	switch {
	case errors.Is(err, context.Canceled):
		return gateFailed("it was not waited for")
	case errors.As(err, &lookup) && lookup.IsNotFound:
		return gateFailed(fmt.Sprintf("DNS: there is no host %q: compare jetpay.gate_url with what the platform gave", lookup.Name))
	case errors.As(err, &lookup):
		return gateFailed(fmt.Sprintf("DNS: the name server gave no address of %q: look at this server's name resolution", lookup.Name))
	case errors.As(err, &certificate):
		return gateFailed("TLS: its certificate is not trusted: " + certificateFault(certificate.Err))
	case errors.As(err, &unknown):
		return gateFailed("TLS: its certificate is not trusted: " + certificateFault(unknown))
	case errors.As(err, &record), errors.Is(err, http.ErrSchemeMismatch):
		return gateFailed("TLS: it speaks no TLS at this address: compare jetpay.gate_url with what the platform gave")
	case errors.As(err, &alert):
		return gateFailed("TLS: it ended the handshake: " + alert.Error())
	case errors.Is(err, syscall.ECONNREFUSED):
		return gateFailed("the connection was refused: nobody listens at this address, or a firewall forbids it")
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return gateFailed("there is no route to its address: look at this server's network")
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &network) && network.Timeout():
		return gateFailed(fmt.Sprintf("no answer in %s: it is slow, or a firewall drops what we send", gateTimeout))
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return gateFailed("the connection was cut before an answer came")
	}
	return gateFailed("no answer came")
}

// certificateFault says what is wrong with a certificate, without its
// content.
func certificateFault(err error) string {
	var (
		host    x509.HostnameError
		invalid x509.CertificateInvalidError
		unknown x509.UnknownAuthorityError
	)
	switch {
	case errors.As(err, &host):
		return "it is for another host"
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "it has expired, or this server's clock is wrong"
	case errors.As(err, &unknown):
		return "nobody whom this server trusts has signed it"
	}
	return "it is not valid"
}
