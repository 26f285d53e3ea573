package accounts

import (
	"fmt"
)

// CloseLimit says how many open accounts a Replace may close, because the file
// does not have them: a file that was cut short would close everybody.
type CloseLimit struct {
	// Percent of the open accounts may be closed unasked.
	Percent int64
	// Confirmed is how many shall be closed though it is more, negative if
	// nobody has said so.
	Confirmed int64
}

// check refuses to close so many of the open accounts. The final number may have
// become smaller than the confirmed one while the import was under way.
func (l *CloseLimit) check(closed, open int64, final bool) error {
	if l == nil || closed <= open/100*l.Percent+open%100*l.Percent/100 ||
		closed == l.Confirmed || final && closed < l.Confirmed {
		return nil
	}
	return &TooManyClosedError{Closed: closed, Open: open, Limit: *l}
}

// TooManyClosedError says that an import would close more accounts than its
// limit allows. Nothing was imported.
type TooManyClosedError struct {
	Closed, Open int64 // how many of how many open accounts
	Limit        CloseLimit
}

// Error gives the numbers.
func (e *TooManyClosedError) Error() string {
	return fmt.Sprintf("would close %d of %d open accounts, which the file does not have, more than %d %%", e.Closed, e.Open, e.Limit.Percent)
}
