package topup

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxIDBytes bounds every id that crosses the border, in bytes of UTF-8.
const MaxIDBytes = 255

// CheckID says what is wrong with an id, or nil: ids are 1 to 255 bytes of
// UTF-8, characters that can be seen, without white space, ';' or ':' (JetPay
// Gate, "Types"). The two punctuation marks are refused because the signature
// scheme joins names and values with them, and ledger account names use ':'.
func CheckID(id string) error {
	if id == "" {
		return fmt.Errorf("must not be empty")
	}
	if len(id) > MaxIDBytes {
		return fmt.Errorf("must be at most %d bytes long", MaxIDBytes)
	}
	if !utf8.ValidString(id) {
		return fmt.Errorf("must be valid UTF-8")
	}
	for _, r := range id {
		switch {
		case '!' <= r && r <= '~' && r != ';' && r != ':':
			// Printable ASCII, as nearly every character of an id is: without the tables of Unicode.
		case r == ';' || r == ':' || unicode.IsSpace(r) || unicode.IsControl(r):
			return fmt.Errorf("must contain only visible characters, without white space, ';' or ':'")
		case !visible(r):
			return fmt.Errorf("must contain only visible characters, without white space, ';' or ':'; U+%04X is none", r)
		}
	}
	return nil
}

// visible reports whether a reader sees that a character is there. Unicode calls
// some characters letters, marks or symbols that are drawn as nothing: fillers of
// Hangul, variation selectors, the empty Braille pattern.
func visible(r rune) bool {
	switch r {
	case '\u2800', // the Braille pattern without dots
		'\U0001D159', // the musical note head that is drawn as nothing
		'\uFFFC',     // stands for an object that is not in the text
		'\uFFFD':     // stands for characters that were lost on the way
		return false
	}
	return unicode.IsGraphic(r) && !unicode.IsSpace(r) &&
		!unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)
}

// Normalizer brings a customer id into the one form under which it is stored.
// It runs before validation, alike wherever an id enters: verify,
// check_deposit, import and look-ups. Blanks around an id are dropped by every
// normaliser: payers paste them, and no id has any.
type Normalizer string

// The normalisers that a configuration may name.
const (
	NormalizeNone    Normalizer = "none"
	NormalizeKZPhone Normalizer = "kz_phone"
)

// Apply returns the normalised id.
func (n Normalizer) Apply(customerID string) string {
	customerID = strings.TrimFunc(customerID, isBlank)
	if n != NormalizeKZPhone {
		return customerID
	}
	if digits, is := kzPhone(customerID); is {
		return digits
	}
	return customerID
}

// Fits reports whether a normalised id is what the normaliser is for: with
// kz_phone, a Kazakh telephone number.
func (n Normalizer) Fits(customerID string) bool {
	return n != NormalizeKZPhone || isKZPhone(customerID)
}

// TelephoneForms lists the customer ids that a Kazakh telephone number may have, as
// a payer types it: its ten digits, as kz_phone stores them, and those with each of
// the prefixes with which an id that is stored as it came may begin. It is nil for
// what is no such number.
func TelephoneForms(typed string) []string {
	digits, is := kzPhone(strings.TrimFunc(typed, isBlank))
	if !is {
		return nil
	}
	return []string{digits, "7" + digits, "8" + digits, "+7" + digits}
}

// kzPhoneDigits is how many digits a Kazakh number has without the prefix of
// the country or of a call within it.
const kzPhoneDigits = 10

// kzPhone turns the ways in which payers type a Kazakh telephone number
// (7071234567, 87071234567, +7 707 123-45-67) into its ten digits. It is false
// for anything else, which stays as it is.
func kzPhone(id string) (string, bool) {
	// The dot in 7771234569.0 does not separate digits of the number: without
	// it, another customer's number would be left.
	if decimal.MatchString(id) {
		return "", false
	}
	digits := strings.Map(func(r rune) rune {
		if separates(r) {
			return -1
		}
		return r
	}, id)
	switch {
	case len(digits) == kzPhoneDigits+2 && digits[0] == '+' && digits[1] == '7':
		digits = digits[2:]
	case len(digits) == kzPhoneDigits+1 && (digits[0] == '7' || digits[0] == '8'):
		digits = digits[1:]
	}
	return digits, isKZPhone(digits)
}

// separates reports whether a character stands between the digits of telephone
// numbers: a blank of any kind, a hyphen or dash of any kind, a dot, a slash, a
// parenthesis, or one of the invisible marks that telephones put around numbers.
func separates(r rune) bool {
	switch r {
	case '.', '/', '\\', '(', ')',
		'\u2212', // minus sign
		'\u2043': // hyphen bullet
		return true
	}
	return isBlank(r) || unicode.In(r, unicode.Pd, unicode.Cf)
}

// isBlank reports whether a character is a blank of any width, or a tab. Line
// breaks are none: nobody types one, and an id with one is refused.
func isBlank(r rune) bool { return r == '\t' || unicode.Is(unicode.Zs, r) }

// isKZPhone reports whether the text is the ten digits of a Kazakh number: all
// of them begin with 7.
func isKZPhone(text string) bool {
	return len(text) == kzPhoneDigits && text[0] == '7' && strings.Trim(text, "0123456789") == ""
}
