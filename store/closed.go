package store

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"tolem/store/internal/engine"
)

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
		closed, err := engine.ParseClosedPeriod(value)
		if err != nil {
			return err
		}
		before = closed.Day
		next := ""
		if day != "" {
			next = day + " " + strconv.FormatInt(micros(until), 10)
		}
		tx.ForgetClosedPeriod()
		switch {
		case next == value:
			return nil
		case next == "":
			return tx.gorm().Exec(`DELETE FROM meta WHERE key = ?`, engine.ClosedKey).Error
		case value == "":
			return tx.gorm().Exec(`INSERT INTO meta (key, value) VALUES (?, ?)`, engine.ClosedKey, next).Error
		default:
			return tx.gorm().Exec(`UPDATE meta SET value = ? WHERE key = ?`, next, engine.ClosedKey).Error
		}
	})
	if err != nil {
		return "", fmt.Errorf("close the books: %w", err)
	}
	return before, nil
}

func (tx *wtx) closedValue() (string, error) {
	var values []string
	if err := tx.raw(engine.ClosedPeriodSQL).Scan(&values).Error; err != nil {
		return "", fmt.Errorf("read the closed period: %w", err)
	}
	if len(values) == 0 {
		return "", nil
	}
	return values[0], nil
}
