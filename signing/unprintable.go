package signing

import (
	"fmt"
	"io"
)

const hidden = "[hidden]"

// unprintable is embedded in whatever holds a key: every way of formatting or
// marshalling it gives [hidden].
type unprintable struct{}

// String hides the key.
func (unprintable) String() string { return hidden }

// GoString hides the key.
func (unprintable) GoString() string { return hidden }

// Format hides the key from every verb.
func (unprintable) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, hidden) }

// MarshalJSON hides the key.
func (unprintable) MarshalJSON() ([]byte, error) { return []byte(`"` + hidden + `"`), nil }

// MarshalText hides the key.
func (unprintable) MarshalText() ([]byte, error) { return []byte(hidden), nil }
