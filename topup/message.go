package topup

import (
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"strings"
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
	if len(text) <= maxShown {
		return text
	}
	cut := maxShown
	for !utf8.RuneStart(text[cut]) {
		cut--
	}
	return text[:cut]
}
