package engine

import (
	"fmt"
	"io"
	"time"

	"github.com/oklog/ulid/v2"
)

// Prefixes of the ids that we give out. They sort by time and cannot be
// guessed: 48 bits of milliseconds and 80 random bits.
const (
	paymentPrefix     = "p_"
	transactionPrefix = "t_"
)

// NewID makes an id. It is called by the writer alone, so that the source of
// randomness need not be safe for concurrent use.
func NewID(prefix string, now time.Time, entropy io.Reader) (string, error) {
	id, err := ulid.New(ulid.Timestamp(now), entropy)
	if err != nil {
		return "", fmt.Errorf("make an id: %w", err)
	}
	return prefix + id.String(), nil
}

// FirstID is below every id of that prefix that is made from then on.
func FirstID(prefix string, from time.Time) string {
	var id ulid.ULID
	if err := id.SetTime(ulid.Timestamp(from)); err != nil {
		return prefix // years beyond all of ours
	}
	return prefix + id.String()
}
