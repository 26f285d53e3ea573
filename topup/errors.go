package topup

import "fmt"

// Kind says what sort of "no" an [Error] is. Exactly one place at each edge
// (HTTP, command line) turns a Kind into an answer.
type Kind string

const (
	// KindInvalid: a field breaks a rule; Field names it.
	KindInvalid Kind = "invalid"
	// KindNotFound: what was named does not exist.
	KindNotFound Kind = "not_found"
	// KindConflict: it exists, but not in a state that allows this.
	KindConflict Kind = "conflict"
	// KindForbidden: it is possible, but not for who asks.
	KindForbidden Kind = "forbidden"
	// KindUnavailable: nothing was done, or nobody can tell whether it was. Nothing
	// was lost; try again.
	KindUnavailable Kind = "unavailable"
)

// Error is a refusal that may be shown to the caller.
type Error struct {
	Kind    Kind
	Field   string // the field that breaks a rule, empty otherwise
	Message string // plain English, without personal data
}

// Error returns the message, led by the field when there is one.
func (e *Error) Error() string {
	if e.Field == "" {
		return e.Message
	}
	return e.Field + " " + e.Message
}

// Invalid refuses a field.
func Invalid(field, format string, args ...any) *Error {
	return &Error{Kind: KindInvalid, Field: field, Message: fmt.Sprintf(format, args...)}
}

// NotFound says that what was named does not exist.
func NotFound(format string, args ...any) *Error {
	return &Error{Kind: KindNotFound, Message: fmt.Sprintf(format, args...)}
}

// Conflict says that the state does not allow it.
func Conflict(format string, args ...any) *Error {
	return &Error{Kind: KindConflict, Message: fmt.Sprintf(format, args...)}
}

// Forbidden says that somebody else may do it.
func Forbidden(format string, args ...any) *Error {
	return &Error{Kind: KindForbidden, Message: fmt.Sprintf(format, args...)}
}

// Unavailable says that the caller should come again.
func Unavailable(format string, args ...any) *Error {
	return &Error{Kind: KindUnavailable, Message: fmt.Sprintf(format, args...)}
}
