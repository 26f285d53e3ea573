package signing

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// NullAs says what a null value is in the string that HighHelp signs. Its
// documents do not say.
type NullAs string

// The ways to write null in a line.
const (
	NullAuto  NullAs = "auto"  // alerts only: try the four below, in this order
	NullEmpty NullAs = "empty" // "path:"
	NullNone  NullAs = "none"  // "path:None"
	NullText  NullAs = "null"  // "path:null"
	NullSkip  NullAs = "skip"  // no line
)

// Padding says whether the base64url text inside the signed message ends in
// '='.
type Padding string

// The ways to end base64url text.
const (
	PaddingAuto Padding = "auto" // alerts only: try off, then on
	PaddingOff  Padding = "off"
	PaddingOn   Padding = "on"
)

// Digest says how often SHA-256 is taken for an RSA signature. Twice means that
// the 32 bytes of the first digest (not a text of them) are what is hashed and
// signed. It plays no part with an HMAC key.
type Digest string

// How often SHA-256 is taken.
const (
	DigestAuto  Digest = "auto" // alerts only: try once, then twice
	DigestOnce  Digest = "once"
	DigestTwice Digest = "twice"
)

// HMACText is the form in which an HMAC signature is written on requests. On
// alerts every form is read, and no setting is needed.
type HMACText string

// The forms of an HMAC signature.
const (
	HMACBase64URL HMACText = "base64url"
	HMACHex       HMACText = "hex"
	HMACBase64    HMACText = "base64"
)

// Dialect is what HighHelp's documents leave open about its signature. A part
// that is auto is tried out on alerts; requests need a Dialect that is Pinned.
type Dialect struct {
	NullAs   NullAs
	Padding  Padding
	Digest   Digest
	HMACText HMACText // requests that an HMAC key signs; alerts ignore it
}

// ErrDialect: a part of a Dialect is not one of its values, or is auto where it
// cannot be.
var ErrDialect = errors.New("unusable dialect")

// DefaultRequestDialect is the dialect of requests if nothing else is known.
func DefaultRequestDialect() Dialect {
	return Dialect{NullAs: NullEmpty, Padding: PaddingOff, Digest: DigestOnce, HMACText: HMACBase64URL}
}

// DefaultAlertDialect tries everything out.
func DefaultAlertDialect() Dialect {
	return Dialect{NullAs: NullAuto, Padding: PaddingAuto, Digest: DigestAuto}
}

// String is the dialect as YAML that can be pasted between the braces of a
// flow mapping: null_as: empty, padding: "off", digest: once. What YAML would
// take for something other than text stands in quotes. HMACText is there only
// if it is set.
func (d Dialect) String() string {
	parts := []string{
		"null_as: " + quoted(string(d.NullAs)),
		"padding: " + quoted(string(d.Padding)),
		"digest: " + quoted(string(d.Digest)),
	}
	if d.HMACText != "" {
		parts = append(parts, "hmac_text: "+quoted(string(d.HMACText)))
	}
	return strings.Join(parts, ", ")
}

// quoted puts quotes around a word that YAML reads as null or as a boolean.
func quoted(word string) string {
	switch word {
	case "", "null", "on", "off":
		return `"` + word + `"`
	}
	return word
}

// Pinned says that no part is left to be found out.
func (d Dialect) Pinned() bool {
	return d.Validate() == nil && d.NullAs != NullAuto && d.Padding != PaddingAuto && d.Digest != DigestAuto
}

// Validate returns ErrDialect, wrapped with the part and the values it can
// have, if a part is none of them. HMACText may be empty.
func (d Dialect) Validate() error {
	for _, part := range []struct{ name, value, allowed string }{
		{"null_as", string(d.NullAs), "auto empty none null skip"},
		{"padding", string(d.Padding), "auto off on"},
		{"digest", string(d.Digest), "auto once twice"},
		{"hmac_text", string(d.HMACText), " base64url hex base64"},
	} {
		if !slices.Contains(strings.Split(part.allowed, " "), part.value) {
			return fmt.Errorf("%w: %s is %q, not one of %s", ErrDialect, part.name, part.value, strings.TrimSpace(part.allowed))
		}
	}
	return nil
}

// forRequest returns ErrDialect if a request cannot be signed in the dialect.
func (d Dialect) forRequest() error {
	if err := d.Validate(); err != nil {
		return err
	}
	if !d.Pinned() {
		return fmt.Errorf("%w: %s: what is to be signed must not be auto; pin every part", ErrDialect, d)
	}
	return nil
}

// nullRules are the null rules to try on a body. If it holds no null, they are
// all one and cannot be told apart, and auto stays auto.
func (d Dialect) nullRules(hasNull bool) []NullAs {
	if d.NullAs == NullAuto && hasNull {
		return []NullAs{NullEmpty, NullNone, NullText, NullSkip}
	}
	return []NullAs{d.NullAs}
}

// paddings are the paddings to try on size bytes. If base64 of so many needs
// none, auto stays auto.
func (d Dialect) paddings(size int) []Padding {
	if d.Padding == PaddingAuto && size%3 != 0 {
		return []Padding{PaddingOff, PaddingOn}
	}
	return []Padding{d.Padding}
}

// digests are the digests to try.
func (d Dialect) digests() []Digest {
	if d.Digest == DigestAuto {
		return []Digest{DigestOnce, DigestTwice}
	}
	return []Digest{d.Digest}
}
