package handlers

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"tolem/billing"
	"tolem/jetpay"
	"tolem/signing"
	"tolem/topup"
)

var (
	errTooLarge  = errors.New("the body is larger than 1 MiB")
	errCutShort  = errors.New("the body could not be read to its end")
	errEncoded   = errors.New("the body has a Content-Encoding, which is not supported: send it uncompressed, without that header")
	errDraining  = topup.Unavailable("the server is shutting down")
	errNoToken   = errors.New("a bearer token of this server is needed")
	errForbidden = errors.New("the token's role does not allow this")
)

// mimeProblem is the type of RFC 9457.
const mimeProblem = "application/problem+json"

// notJSON says that an admin request's body is not JSON.
type notJSON struct{ detail string }

func (e *notJSON) Error() string { return e.detail }

// brokenRules are the fields of an admin request that break rules.
type brokenRules []error

func (e brokenRules) Error() string { return errors.Join(e...).Error() }

// answerError is the one place where an error becomes an answer.
func (s *Server) answerError(x *exchange, err error) {
	if x.Response().Committed { // too late for another answer
		x.fail(err)
		return
	}
	if isProvider(x.Path()) && !isEchos(err) {
		s.answerProvider(x, err)
		return
	}
	s.answerProblem(x, err)
}

// isEchos reports whether the error is the router's: no such route or method.
func isEchos(err error) bool {
	var he *echo.HTTPError
	return errors.As(err, &he)
}

// codeUnproven is ours, of an alert whose sender is not proven.
const codeUnproven = 401

// textUnavailable answers a message that is to be sent again.
const textUnavailable = "temporarily unavailable"

// providerAnswer is how an error in a provider's message is answered. The body is
// JetPay's also for HighHelp, which reads the status alone.
type providerAnswer struct {
	status  int
	code    int
	message string
	outcome outcome
	retry   bool // it should come again: this is our failure
}

// forProvider translates an error of a message of that kind. Statuses are
// those of error_status "200"; see also [providerAnswer.mirrored].
func forProvider(k kind, err error) providerAnswer {
	if failed := (*signing.SenderError)(nil); errors.As(err, &failed) {
		a := providerAnswer{http.StatusOK, jetpay.CodeSignature, "Signature error", outcomeBadSignature, false}
		switch k {
		case kindCallback:
			// A callback has no answer codes: delivered means HTTP 200.
			a.status = http.StatusBadRequest
		case kindAlert:
			a.status, a.code = http.StatusUnauthorized, codeUnproven
		}
		return a
	}
	if errors.Is(err, signing.ErrMalformed) { // its text says what and where, and nothing of the content
		return providerAnswer{http.StatusBadRequest, jetpay.CodeSignature, err.Error(), outcomeMalformed, false}
	}
	if errors.Is(err, errCutShort) {
		return providerAnswer{http.StatusBadRequest, jetpay.CodeSignature, errCutShort.Error(), outcomeMalformed, false}
	}
	if errors.Is(err, errEncoded) {
		return providerAnswer{http.StatusUnsupportedMediaType, jetpay.CodeGeneral, errEncoded.Error(), outcomeEncoded, false}
	}
	if errors.Is(err, errTooLarge) || errors.Is(err, signing.ErrTooLarge) {
		return providerAnswer{http.StatusRequestEntityTooLarge, jetpay.CodeGeneral, "Body too large", outcomeTooLarge, false}
	}
	// A callback or alert is stored, or answered so that it is sent again. Whatever else goes wrong with one
	// must never be answered 200: that would acknowledge money and lose it.
	if refusal := (*topup.Error)(nil); k != kindCallback && k != kindAlert && errors.As(err, &refusal) {
		switch refusal.Kind {
		case topup.KindNotFound:
			return providerAnswer{http.StatusOK, jetpay.CodeNoAccount, "Account does not exist", outcomeNoAccount, false}
		case topup.KindInvalid, topup.KindConflict:
			return providerAnswer{http.StatusOK, jetpay.CodeGeneral, refusal.Error(), outcomeRefused, false}
		}
	}
	if k != kindCallback && k != kindAlert && errors.Is(err, billing.ErrUnavailable) {
		return providerAnswer{http.StatusOK, jetpay.CodeGeneral, billing.ErrUnavailable.Error(), outcomeUnavailable, false}
	}
	return providerAnswer{http.StatusServiceUnavailable, jetpay.CodeGeneral, textUnavailable, outcomeUnavailable, true}
}

// mirrored repeats the code of the body as the HTTP status.
func (a providerAnswer) mirrored() providerAnswer {
	if a.status == http.StatusOK {
		a.status = a.code
	}
	return a
}

func (s *Server) answerProvider(x *exchange, err error) {
	a := forProvider(x.kind, err)
	if x.settings.mirror {
		a = a.mirrored()
	}
	if a.retry {
		x.fail(err)
		x.Response().Header().Set(echo.HeaderRetryAfter, retryAfterSeconds)
	}
	if failed := (*signing.SenderError)(nil); errors.As(err, &failed) {
		x.reason = failed.Reason
	}
	switch a.outcome {
	case outcomeMalformed, outcomeEncoded, outcomeTooLarge:
		// Unread, so that neither its kind nor its sender is known: for who sends it,
		// and for the operator alike. The text has nothing of the body.
		x.unread = a.message
	}
	x.outcome = a.outcome
	x.answer = jetpay.AppendError(x.answer[:0], a.code, a.message)
	if err := s.reply(x, a.status); err != nil {
		x.fail(err)
	}
}

// fail notes for the operator why the answer is not what the caller wanted.
// The first cause stays. Shutting down is no failure.
func (x *exchange) fail(err error) {
	if x.failure == nil && !errors.Is(err, errDraining) {
		x.failure = err
	}
}

// problem is an answer of the admin listener to what it cannot do (RFC 9457).
type problem struct {
	Type   string       `json:"type"`
	Title  string       `json:"title"`
	Status int          `json:"status"`
	Detail string       `json:"detail,omitempty"`
	Field  string       `json:"field,omitempty"`  // the first field that breaks a rule
	Errors []fieldError `json:"errors,omitempty"` // all of them

	PaymentID string `json:"payment_id,omitempty"` // the payment that it is about
}

type fieldError struct {
	Field  string `json:"field"`
	Detail string `json:"detail"`
}

// problemOf translates an error. What is not meant for the caller is not told.
func problemOf(err error) problem {
	var (
		he      *echo.HTTPError
		garbled *notJSON
		rules   brokenRules
		refusal *topup.Error
		failure *providerFailure
	)
	switch {
	case errors.As(err, &failure):
		p := newProblem(failure.status, failure.detail)
		p.PaymentID = failure.paymentID
		return p
	case errors.As(err, &he):
		return newProblem(he.Code, "")
	case errors.Is(err, errTooLarge):
		return newProblem(http.StatusRequestEntityTooLarge, errTooLarge.Error())
	case errors.Is(err, errCutShort):
		return newProblem(http.StatusBadRequest, errCutShort.Error())
	case errors.Is(err, errNoToken):
		return newProblem(http.StatusUnauthorized, errNoToken.Error())
	case errors.Is(err, errForbidden):
		return newProblem(http.StatusForbidden, errForbidden.Error())
	case errors.As(err, &garbled):
		return newProblem(http.StatusBadRequest, garbled.detail)
	case errors.As(err, &rules):
		return invalid(rules)
	case errors.As(err, &refusal):
		if refusal.Kind == topup.KindInvalid {
			return invalid(rulesIn(err))
		}
		return refused(refusal)
	}
	return newProblem(http.StatusInternalServerError, "the log says why")
}

// rulesIn collects every rule that an error, perhaps of several joined, tells
// of as broken.
func rulesIn(err error) brokenRules {
	if refusal, ok := err.(*topup.Error); ok && refusal.Kind == topup.KindInvalid {
		return brokenRules{refusal}
	}
	var rules brokenRules
	switch err := err.(type) {
	case interface{ Unwrap() error }:
		rules = rulesIn(err.Unwrap())
	case interface{ Unwrap() []error }:
		for _, one := range err.Unwrap() {
			rules = append(rules, rulesIn(one)...)
		}
	}
	return rules
}

func refused(e *topup.Error) problem {
	switch e.Kind {
	case topup.KindNotFound:
		return newProblem(http.StatusNotFound, e.Error())
	case topup.KindConflict:
		return newProblem(http.StatusConflict, e.Error())
	case topup.KindForbidden:
		return newProblem(http.StatusForbidden, e.Error())
	}
	return newProblem(http.StatusServiceUnavailable, e.Error())
}

func invalid(rules brokenRules) problem {
	p := newProblem(http.StatusUnprocessableEntity, "")
	details := make([]string, 0, len(rules))
	for _, err := range rules {
		one := fieldError{Detail: err.Error()}
		if refusal := (*topup.Error)(nil); errors.As(err, &refusal) {
			one = fieldError{Field: refusal.Field, Detail: refusal.Error()}
		}
		p.Errors = append(p.Errors, one)
		details = append(details, one.Detail)
	}
	p.Field = p.Errors[0].Field
	p.Detail = strings.Join(details, "; ")
	return p
}

func newProblem(status int, detail string) problem {
	return problem{Type: "about:blank", Title: http.StatusText(status), Status: status, Detail: detail}
}

func (s *Server) answerProblem(x *exchange, err error) {
	p := problemOf(err)
	if failed := s.auditRefusal(x, p, err); failed != nil {
		err = failed
		p = problemOf(err)
	}
	if p.Status >= http.StatusInternalServerError {
		x.fail(err)
	}
	header := x.Response().Header()
	switch p.Status {
	case http.StatusUnauthorized:
		header.Set(echo.HeaderWWWAuthenticate, `Bearer realm="tolem"`)
	case http.StatusServiceUnavailable:
		header.Set(echo.HeaderRetryAfter, retryAfterSeconds)
	}
	data, err := json.Marshal(p)
	if err == nil {
		err = x.Blob(p.Status, mimeProblem, data)
	}
	if err != nil {
		x.fail(err)
	}
}
