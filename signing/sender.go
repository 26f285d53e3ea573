package signing

import "errors"

// Reason says why it is not proven who sent a message. Its names are label
// values of the metrics and never change.
type Reason uint8

// The reasons. Those about projects are of the packages that know them.
const (
	ReasonNone           Reason = iota
	ReasonNotSigned             // no signature that could be checked
	ReasonNoMatch               // none of the project's keys made it
	ReasonUnknownProject        // it names a project that is not configured
	ReasonNoKey                 // it names a project that has no key for alerts
	ReasonNoProject             // it names no project, and not exactly one has made the signature
	ReasonOutOfWindow           // it was signed further from now than is allowed
	ReasonNotConfigured         // it names a project that has payments here and is not configured

	Reasons // how many there are
)

var reasonNames = [Reasons]string{"", "not_signed", "no_match", "unknown_project", "no_key", "no_project", "out_of_window", "project_not_configured"}

// String is the name of the reason.
func (r Reason) String() string { return reasonNames[r] }

// ReasonOf is the reason for which a verification with a project's keys has
// failed.
func ReasonOf(err error) Reason {
	if errors.Is(err, ErrNotSigned) {
		return ReasonNotSigned
	}
	return ReasonNoMatch
}

// SenderError refuses a message because it is not proven who sent it. The reason
// is for the operator: the answer does not have it.
type SenderError struct{ Reason Reason }

// Error says that the signature was not accepted, and why.
func (e *SenderError) Error() string { return "signature: " + e.Reason.String() }
