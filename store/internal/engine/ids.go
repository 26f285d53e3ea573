package engine

import (
	"fmt"
	"io"
	"time"

	"github.com/oklog/ulid/v2"
)

// NewID makes an id: 48 bits of milliseconds and 80 random bits behind a prefix. Ids
// sort by time and cannot be guessed. Of a writer's source of randomness it is called
// by its lanes alone, so that the source need not be safe for concurrent use.
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
