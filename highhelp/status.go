package highhelp

import "tolem/topup"

// Provider is the name that payments and ledger accounts carry.
const Provider = "highhelp"

// The words of status (HighHelp, status codes). There may be others.
const (
	StatusProcessing = "processing" // not final
	StatusDispute    = "dispute"    // not final: may still become a success
	StatusError      = "error"      // nothing will be paid
	StatusDecline    = "decline"    // final
	StatusSuccess    = "success"    // final; alone moves money
)

// The words of sub_status while processing.
const (
	SubNew                    = "new"
	SubRequisites             = "requisites"
	SubAwaitingConfirm        = "awaiting_confirm"
	SubAwaiting3DSResult      = "awaiting_3ds_result"
	SubAwaitingRedirectResult = "awaiting_redirect_result"
	SubSentVerification       = "sent_verification"
	SubInvalidVerification    = "invalid_verification"
	SubPaid                   = "paid" // is not a success: no money has moved
	SubPayoutProcess          = "payout_process"
)

// The words of sub_status in a dispute.
const (
	SubNoPayment           = "no_payment"
	SubDifferentAmount     = "different_amount"
	SubConfirmTimeout      = "confirm_timeout"
	SubIncorrectRequisites = "incorrect_requisites"
	SubPayoutFailed        = "payout_failed"
)

// OutcomeOf is what a status means for a payment. A word that is not known is
// open: nothing follows from it.
func OutcomeOf(status string) topup.Outcome {
	switch status {
	case StatusSuccess:
		return topup.OutcomePaid
	case StatusDecline, StatusError:
		return topup.OutcomeDeclined
	}
	return topup.OutcomeOpen
}

// StatusText is a status with its sub_status as a payment shows them:
// "processing:paid", "success".
func StatusText(status, subStatus string) string {
	if subStatus == "" {
		return status
	}
	return status + ":" + subStatus
}

// IdempotencyKey is the key by which the provider advises to tell repeated
// alerts (HighHelp, alerts): project, payment, status and sub_status, the last
// empty where it is null. It holds neither amount nor time.
func IdempotencyKey(projectID, paymentID, status, subStatus string) string {
	return projectID + ":" + paymentID + ":" + status + ":" + subStatus
}
