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
// UTF-8, graphic characters, without white space, ';' or ':' (JetPay Gate,
// "Types"). The two punctuation marks are refused because the signature scheme
// joins names and values with them, and ledger account names use ':'.
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
		if r == ';' || r == ':' || unicode.IsSpace(r) || !unicode.IsGraphic(r) {
			return fmt.Errorf("must contain only visible characters, without white space, ';' or ':'")
		}
	}
	return nil
}

// Normalizer brings a customer id into the one form under which it is stored.
// It runs before validation, alike wherever an id enters: verify,
// check_deposit, import and look-ups.
type Normalizer string

// The normalisers that a configuration may name.
const (
	NormalizeNone    Normalizer = "none"
	NormalizeKZPhone Normalizer = "kz_phone"
)

// Apply returns the normalised id.
func (n Normalizer) Apply(customerID string) string {
	if n == NormalizeKZPhone {
		return normalizeKZPhone(customerID)
	}
	return customerID
}

// normalizeKZPhone turns the ways in which payers type a Kazakh telephone
// number (7071234567, 87071234567, +7 707 123-45-67) into its ten digits, and
// leaves anything else exactly as it was.
func normalizeKZPhone(id string) string {
	digits := strings.NewReplacer(" ", "", "-", "", "(", "", ")", "").Replace(id)
	switch {
	case len(digits) == 12 && strings.HasPrefix(digits, "+7"):
		digits = digits[2:]
	case len(digits) == 11 && (digits[0] == '7' || digits[0] == '8'):
		digits = digits[1:]
	}
	if len(digits) != 10 || strings.Trim(digits, "0123456789") != "" {
		return id
	}
	return digits
}
