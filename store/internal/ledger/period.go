package ledger

import (
	"time"

	"tolem/store/internal/database"
	"tolem/topup"
)

// TimeAxis says which of a transaction's two times a period is cut by.
type TimeAxis string

const (
	// ByEffective is the provider's time, the accounting date. It is the
	// meaning of the zero TimeAxis too.
	ByEffective TimeAxis = "effective"
	// ByRecorded is when the transaction was written.
	ByRecorded TimeAxis = "recorded"
)

// ParseTimeAxis returns the axis of that name; the error is of KindInvalid.
func ParseTimeAxis(name string) (TimeAxis, error) {
	if axis := TimeAxis(name); axis == ByEffective || axis == ByRecorded {
		return axis, nil
	}
	return "", topup.Invalid("by", "must be %s or %s", ByEffective, ByRecorded)
}

// Period selects ledger transactions by time: From is part of it, To is not;
// a zero time leaves that end open.
type Period struct {
	From, To time.Time
	By       TimeAxis
}

// Where is the period as a condition on transactions t.
func (p Period) Where() (string, []any, error) {
	column := "t.effective_at"
	switch p.By {
	case "", ByEffective:
	case ByRecorded:
		column = "t.recorded_at"
	default:
		_, err := ParseTimeAxis(string(p.By))
		return "", nil, err
	}
	condition, args := "1 = 1", []any(nil)
	if !p.From.IsZero() {
		condition, args = condition+" AND "+column+" >= ?", append(args, database.Micros(p.From))
	}
	if !p.To.IsZero() {
		condition, args = condition+" AND "+column+" < ?", append(args, database.Micros(p.To))
	}
	return condition, args, nil
}

// Day is a day on the calendar: from its first instant to that of the next day.
type Day struct{ Start, End time.Time }
