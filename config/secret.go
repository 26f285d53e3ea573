package config

import (
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"io"
	"log/slog"
)

// hidden is what every way of printing a secret gives.
const hidden = "[hidden]"

// Secret is a text that must not be seen: a signing secret or an access token.
//
// Every verb of fmt, every logger (zap, slog) and every marshaller (JSON, text, YAML) gives "[hidden]", whether the
// secret is set or not. The text is behind a pointer, because fmt prints the unexported fields of a foreign struct
// without calling their methods, and prints a pointer as an address.
//
// The zero Secret is unset. Secrets cannot be compared with ==; use [Secret.Equal].
type Secret struct {
	_    [0]func() // makes == a compile error: it would compare addresses, and not in constant time
	text *string
}

// NewSecret hides text. An empty text gives the unset Secret.
func NewSecret(text string) Secret {
	if text == "" {
		return Secret{}
	}
	return Secret{text: &text}
}

// Reveal returns the text itself. The caller is responsible for it.
func (s Secret) Reveal() string {
	if s.text == nil {
		return ""
	}
	return *s.text
}

// IsZero reports whether the secret is unset. Marshallers call it to omit a member.
func (s Secret) IsZero() bool { return s.text == nil }

// Equal reports whether other is this secret's text, in a time that depends neither on their difference nor on their
// lengths: both are hashed first. An unset secret equals nothing, not even the empty text.
func (s Secret) Equal(other string) bool {
	mine, theirs := sha256.Sum256([]byte(s.Reveal())), sha256.Sum256([]byte(other))
	return subtle.ConstantTimeCompare(mine[:], theirs[:]) == 1 && !s.IsZero()
}

// String gives "[hidden]".
func (s Secret) String() string { return hidden }

// GoString gives "[hidden]".
func (s Secret) GoString() string { return hidden }

// Format gives "[hidden]" for every verb, also for those that do not call String (%x, %d).
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, hidden) }

// LogValue gives "[hidden]" to log/slog. Zap calls String or MarshalJSON.
func (s Secret) LogValue() slog.Value { return slog.StringValue(hidden) }

// MarshalText gives "[hidden]".
func (s Secret) MarshalText() ([]byte, error) { return []byte(hidden), nil }

// MarshalJSON gives "[hidden]".
func (s Secret) MarshalJSON() ([]byte, error) { return []byte(`"` + hidden + `"`), nil }

// MarshalYAML gives "[hidden]".
func (s Secret) MarshalYAML() (any, error) { return hidden, nil }
