package handlers

import (
	"net/http"

	"tolem/highhelp"
	"tolem/topup"
)

// kind is what a provider's message is, as the log and the metrics name it.
type kind uint8

const (
	kindNone         kind = iota // not a provider's message, or not readable as one
	kindVerify                   // does this account exist
	kindCheckDeposit             // give us a payment id
	kindCallback                 // the result
	kindAlert                    // HighHelp reports the status of a payment
	kindOther                    // a synchronous request of a type that we do not know
)

var kindNames = [...]string{"", "verify", "check_deposit", "callback", "alert", "other"}

func (k kind) String() string { return kindNames[k] }

// outcome is what became of a request, in few words that never change: they
// are label values of the metrics.
type outcome uint8

const (
	outcomeNone outcome = iota
	outcomeOK

	// Of a provider's message.
	outcomeNoAccount
	outcomeRefused
	outcomeBadSignature
	outcomeMalformed
	outcomeEncoded
	outcomeRepeat
	outcomeNoted
	outcomePosted
	outcomeCredited
	outcomeSuspended
	outcomeBound
	outcomeForeign
	outcomeUnreadable

	// Of an HTTP request.
	outcomeBadRequest
	outcomeUnauthorized
	outcomeForbidden
	outcomeNotFound
	outcomeNoMethod
	outcomeConflict
	outcomeTooLarge
	outcomeInvalid
	outcomeFailed
	outcomeUnavailable
	outcomeBadGateway
	outcomeGatewayTimeout

	outcomes // how many there are
)

var outcomeNames = [outcomes]string{
	"", "ok",
	"no_account", "refused", "bad_signature", "malformed", "encoded",
	"repeat", "noted", "posted", "credited", "suspended", "bound", "foreign", "unreadable",
	"bad_request", "unauthorized", "forbidden", "not_found", "method_not_allowed", "conflict", "too_large", "invalid",
	"failed", "unavailable", "bad_gateway", "gateway_timeout",
}

func (o outcome) String() string { return outcomeNames[o] }

// outcomeOfDisposition names what became of a callback.
func outcomeOfDisposition(d topup.Disposition) outcome {
	switch d {
	case topup.DispositionRepeat:
		return outcomeRepeat
	case topup.DispositionNoted:
		return outcomeNoted
	case topup.DispositionPosted:
		return outcomePosted
	case topup.DispositionCredited:
		return outcomeCredited
	case topup.DispositionSuspended:
		return outcomeSuspended
	case topup.DispositionBound:
		return outcomeBound
	case topup.DispositionForeign:
		return outcomeForeign
	case topup.DispositionUnreadable:
		return outcomeUnreadable
	}
	return outcomeOK
}

// outcomesOf are what a message of a kind can become on a provider's route, the
// kind none being what was refused before its kind was known. Each has its
// series at 0 from the start: increase() does not see the first event of a
// counter that is born with it.
var outcomesOf = map[kind][]outcome{
	kindNone:         {outcomeMalformed, outcomeEncoded, outcomeTooLarge, outcomeUnavailable, outcomeNoMethod},
	kindVerify:       {outcomeOK, outcomeNoAccount, outcomeRefused, outcomeBadSignature, outcomeUnavailable},
	kindCheckDeposit: {outcomeOK, outcomeNoAccount, outcomeRefused, outcomeBadSignature, outcomeUnavailable},
	kindOther:        {outcomeRefused, outcomeBadSignature, outcomeUnavailable},
	kindCallback: {
		outcomeRepeat, outcomeNoted, outcomePosted, outcomeCredited, outcomeSuspended, outcomeBound, outcomeForeign, outcomeUnreadable,
		outcomeBadSignature, outcomeUnavailable,
	},
	kindAlert: {
		outcomeRepeat, outcomeNoted, outcomePosted, outcomeCredited, outcomeSuspended, outcomeBound, outcomeForeign, outcomeUnreadable,
		outcomeBadSignature, outcomeMalformed, outcomeEncoded, outcomeTooLarge, outcomeUnavailable,
	},
}

// providerSeries are the series of the providers' routes.
func providerSeries() (keys []seriesKey) {
	for _, of := range []struct {
		route string
		kinds []kind
	}{
		{"/jetpay", []kind{kindNone, kindVerify, kindCheckDeposit, kindCallback, kindOther}},
		{"/jetpay/callback", []kind{kindNone, kindVerify, kindCheckDeposit, kindCallback, kindOther}},
		{highhelp.AlertsPath, []kind{kindNone, kindAlert}},
	} {
		for _, k := range of.kinds {
			for _, o := range outcomesOf[k] {
				keys = append(keys, seriesKey{of.route, k, o})
			}
		}
	}
	return keys
}

func outcomeOfStatus(status int) outcome {
	switch status {
	case http.StatusBadRequest:
		return outcomeBadRequest
	case http.StatusUnauthorized:
		return outcomeUnauthorized
	case http.StatusForbidden:
		return outcomeForbidden
	case http.StatusNotFound:
		return outcomeNotFound
	case http.StatusMethodNotAllowed:
		return outcomeNoMethod
	case http.StatusConflict:
		return outcomeConflict
	case http.StatusRequestEntityTooLarge:
		return outcomeTooLarge
	case http.StatusUnprocessableEntity:
		return outcomeInvalid
	case http.StatusServiceUnavailable:
		return outcomeUnavailable
	case http.StatusBadGateway:
		return outcomeBadGateway
	case http.StatusGatewayTimeout:
		return outcomeGatewayTimeout
	}
	if status >= http.StatusBadRequest {
		return outcomeFailed
	}
	return outcomeOK
}
