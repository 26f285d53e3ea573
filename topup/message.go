package topup

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// fingerprintSize is enough of a SHA-256 that no two messages of one payment
// share it by accident.
const fingerprintSize = 16

// maxShown bounds, in bytes, the provider's own words that a payment shows.
const maxShown = 255

// Fingerprint gathers what makes two messages the same. Its parts are led by
// their lengths, so that no two lists of parts give the same sum, and a part
// that is absent is another than an empty one.
type Fingerprint struct{ parts []byte }

// Add adds a part.
func (f *Fingerprint) Add(part []byte) {
	f.parts = binary.AppendUvarint(f.parts, uint64(len(part))+1)
	f.parts = append(f.parts, part...)
}

// AddText adds a part.
func (f *Fingerprint) AddText(part string) {
	f.parts = binary.AppendUvarint(f.parts, uint64(len(part))+1)
	f.parts = append(f.parts, part...)
}

// AddAbsent adds a part that is not there.
func (f *Fingerprint) AddAbsent() { f.parts = binary.AppendUvarint(f.parts, 0) }

// Sum returns the fingerprint.
func (f *Fingerprint) Sum() []byte {
	sum := sha256.Sum256(f.parts)
	return slices.Clone(sum[:fingerprintSize])
}

// Shown returns a provider's own words, cut to a bound and without control
// characters, for people to read. Nothing is decided by it.
func Shown(text string) string {
	text = strings.ToValidUTF8(text, "\ufffd")
	if strings.ContainsFunc(text, unicode.IsControl) {
		text = strings.Map(func(r rune) rune {
			if unicode.IsControl(r) {
				return -1
			}
			return r
		}, text)
	}
	return cutText(text, maxShown)
}

// ParseDate reads a date with its zone, as providers write the accounting date of
// what happened; the zero time if it cannot be read. See [PlausibleDate].
func ParseDate(text string) time.Time {
	for _, layout := range [...]string{"2006-01-02T15:04:05-0700", time.RFC3339} {
		if at, err := time.Parse(layout, text); err == nil {
			return PlausibleDate(at)
		}
	}
	return time.Time{}
}

// PlausibleDate returns an accounting date in UTC; the zero time if no payment is
// of such a year.
func PlausibleDate(at time.Time) time.Time {
	at = at.UTC()
	if at.Year() < 2000 || at.Year() > 9999 {
		return time.Time{}
	}
	return at
}

// checksumBytes is how much of a SHA-256 tells apart the ids of which a
// reference shows only a part.
const checksumBytes = 6

// ShownReference returns what can be shown of a payment's id that is not one of
// ours: see [CheckID]. It never equals an id of ours, so that money under it is
// never taken for a payment that was issued. An id of which a part cannot be
// shown, because it is too long or invisible, ends in a checksum of all of it, so
// that two different ids have two references. Of an id without anything visible
// nothing can be shown.
func ShownReference(id string) string {
	visible := strings.Map(func(r rune) rune {
		if r == utf8.RuneError || !unicode.IsGraphic(r) {
			return -1
		}
		return r
	}, id)
	if strings.TrimSpace(visible) == "" {
		return ""
	}
	if visible == id && len(id) <= MaxIDBytes && CheckID(id) != nil {
		return id
	}
	sum := sha256.Sum256([]byte(id))
	checksum := fmt.Sprintf(" (#%x)", sum[:checksumBytes]) // its blank keeps it from being an id of ours
	return cutText(visible, MaxIDBytes-len(checksum)) + checksum
}

// UnnamedReference is the reference of money that came without any id of a
// payment: one of its own for each operation, and no id of ours, for the blank
// in it.
func UnnamedReference(operation string) string { return "operation " + operation }

// cutText cuts valid text to at most that many bytes.
func cutText(text string, most int) string {
	if len(text) <= most {
		return text
	}
	for !utf8.RuneStart(text[most]) {
		most--
	}
	return text[:most]
}
