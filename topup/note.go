package topup

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxActorBytes is how long the name of who does something may be.
const MaxActorBytes = 255

// CheckNote checks what an operator writes down with a step, such as its reason: it
// must be given, valid UTF-8 without control characters, and at most so many bytes
// long. The error is of KindInvalid, and names the field.
func CheckNote(field, text string, most int) error {
	if strings.TrimSpace(text) == "" {
		return Invalid(field, "must be given")
	}
	if len(text) > most {
		return Invalid(field, "must be at most %d bytes long", most)
	}
	if !utf8.ValidString(text) {
		return Invalid(field, "must be valid UTF-8")
	}
	if strings.ContainsFunc(text, unicode.IsControl) {
		return Invalid(field, "must not contain control characters")
	}
	return nil
}
