package engine

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"tolem/store/internal/database"
)

const (
	// ClosedKey is where meta keeps up to which day the books are closed: the day,
	// a blank, and the first instant after it in Unix microseconds.
	ClosedKey       = "books_closed_to"
	ClosedPeriodSQL = `SELECT value FROM meta WHERE key = '` + ClosedKey + `'`
)

// ClosedPeriod is up to when the books are closed; the zero value says that they
// are open.
type ClosedPeriod struct {
	Day   string    // the last closed day
	Until time.Time // the first instant after it
}

func ParseClosedPeriod(value string) (ClosedPeriod, error) {
	if value == "" {
		return ClosedPeriod{}, nil
	}
	day, instant, _ := strings.Cut(value, " ")
	at, err := strconv.ParseInt(instant, 10, 64)
	if err != nil {
		return ClosedPeriod{}, fmt.Errorf("the closed period of the database cannot be read: %q", value)
	}
	return ClosedPeriod{day, database.FromMicros(at)}, nil
}
