package highhelp

import "tolem/topup"

// Provider is the name that payments and ledger accounts carry.
const Provider = topup.HighHelp

// The words of status (HighHelp, status codes). There may be others. What stands
// in sub_status decides nothing: processing:paid is not a success.
const (
	StatusProcessing = "processing" // not final
	StatusDispute    = "dispute"    // not final: may still become a success
	StatusError      = "error"      // nothing will be paid
	StatusDecline    = "decline"    // final
	StatusSuccess    = "success"    // final; alone moves money
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
