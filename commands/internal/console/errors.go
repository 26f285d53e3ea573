package console

import (
	"errors"
	"fmt"
)

// NoVerdictError says that the question has no answer, because what it is about
// cannot be read: neither yes nor no. It ends the program with exit code 2.
type NoVerdictError struct{ cause error }

func (e *NoVerdictError) Error() string { return e.cause.Error() }

func (e *NoVerdictError) Unwrap() error { return e.cause }

// NoVerdict makes a *NoVerdictError of an error, nil of nil.
func NoVerdict(err error) error {
	if err == nil {
		return nil
	}
	return &NoVerdictError{err}
}

// UsageError says that the command line itself is wrong.
type UsageError struct{ cause error }

func (e *UsageError) Error() string { return e.cause.Error() }

func (e *UsageError) Unwrap() error { return e.cause }

// WrongUsage makes an error that ends the program with exit code 2.
func WrongUsage(format string, args ...any) error {
	return &UsageError{fmt.Errorf(format, args...)}
}

// ErrAnswered ends the program with exit code 1 when everything that there is
// to say has been printed already.
var ErrAnswered = errors.New("the answer is no")
