package store

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"
)

const (
	// closedKey is where meta keeps up to which day the books are closed: the day,
	// a blank, and the first instant after it in Unix microseconds.
	closedKey       = "books_closed_to"
	closedPeriodSQL = `SELECT value FROM meta WHERE key = '` + closedKey + `'`
)

// closedPeriod is up to when the books are closed; the zero value says that they
// are open.
type closedPeriod struct {
	day   string    // the last closed day
	until time.Time // the first instant after it
}

func parseClosedPeriod(value string) (closedPeriod, error) {
	if value == "" {
		return closedPeriod{}, nil
	}
	day, instant, _ := strings.Cut(value, " ")
	at, err := strconv.ParseInt(instant, 10, 64)
	if err != nil {
		return closedPeriod{}, fmt.Errorf("the closed period of the database cannot be read: %q", value)
	}
	return closedPeriod{day, fromMicros(at)}, nil
}

// SetClosedPeriod closes the books up to the end of a day, named day, that ends
// at until; an empty day opens them. It counts for every process that works on
// the database, and returns the day that was closed before.
//
// Nothing that is dated in a closed period is posted: an operator's step is
// refused, and what a message posts is dated on the first instant after it.
func (s *Store) SetClosedPeriod(ctx context.Context, day string, until time.Time) (string, error) {
	var before string
	err := s.writer.do(ctx, func(tx *wtx) error {
		value, err := tx.closedValue()
		if err != nil {
			return err
		}
		closed, err := parseClosedPeriod(value)
		if err != nil {
			return err
		}
		before = closed.day
		next := ""
		if day != "" {
			next = day + " " + strconv.FormatInt(micros(until), 10)
		}
		if w, ok := tx.work.(*sqliteWork); ok {
			w.closed = nil // what follows in this batch asks anew
		}
		switch {
		case next == value:
			return nil
		case next == "":
			return tx.gorm().Exec(`DELETE FROM meta WHERE key = ?`, closedKey).Error
		case value == "":
			return tx.gorm().Exec(`INSERT INTO meta (key, value) VALUES (?, ?)`, closedKey, next).Error
		default:
			return tx.gorm().Exec(`UPDATE meta SET value = ? WHERE key = ?`, next, closedKey).Error
		}
	})
	if err != nil {
		return "", fmt.Errorf("close the books: %w", err)
	}
	return before, nil
}

func (tx *wtx) closedValue() (string, error) {
	var values []string
	if err := tx.raw(closedPeriodSQL).Scan(&values).Error; err != nil {
		return "", fmt.Errorf("read the closed period: %w", err)
	}
	if len(values) == 0 {
		return "", nil
	}
	return values[0], nil
}
