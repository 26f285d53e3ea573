package database

import (
	"database/sql"
	"fmt"
	"time"

	"tolem/topup"
)

// Micros is a time as the database keeps it, 0 for the zero time.
func Micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

// NullMicros is a time as the database keeps it, NULL for the zero time.
func NullMicros(t time.Time) sql.NullInt64 {
	return sql.NullInt64{Int64: Micros(t), Valid: !t.IsZero()}
}

// FromMicros is the reverse of Micros.
func FromMicros(us int64) time.Time {
	if us == 0 {
		return time.Time{}
	}
	return time.UnixMicro(us).UTC()
}

// NullID is an id, NULL for 0.
func NullID(id int64) sql.NullInt64 { return sql.NullInt64{Int64: id, Valid: id != 0} }

// NullText is a text, NULL for "".
func NullText(text string) sql.NullString { return sql.NullString{String: text, Valid: text != ""} }

// Unavailable is the error for a caller who may try again: nothing was written, or
// nobody can tell, because the caller did not wait for it or the answer to a commit
// was lost. cause may be nil.
func Unavailable(cause error) error {
	refusal := topup.Unavailable("temporarily unavailable")
	if cause == nil {
		return refusal
	}
	return fmt.Errorf("%w: %w", refusal, cause)
}
