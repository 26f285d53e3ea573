package signing

import "strconv"

// Kind says what a JSON value is.
type Kind uint8

// The kinds of JSON value.
const (
	KindNull Kind = iota
	KindString
	KindNumber
	KindBool
	KindObject
	KindArray
)

// String names the kind as JSON does, for error messages.
func (k Kind) String() string {
	switch k {
	case KindNull:
		return "null"
	case KindString:
		return "string"
	case KindNumber:
		return "number"
	case KindBool:
		return "boolean"
	case KindObject:
		return "object"
	case KindArray:
		return "array"
	}
	return "unknown"
}

// Value is one value of a Body. It is valid until the Body is released.
type Value struct {
	text []byte
	kind Kind
}

// Kind says what the value is.
func (v Value) Kind() Kind { return v.kind }

// Text is a copy of [Value.Bytes].
func (v Value) Text() string { return string(v.text) }

// Bytes is the decoded text of a string, the digits of a number exactly as
// they stood in the body, "true" or "false" of a boolean, and empty for
// everything else. It is not a copy: it must not be changed, and is valid only
// until the Body is released.
func (v Value) Bytes() []byte { return v.text }

// maxDigits is how many digits an integer may have: no int64 has more.
const maxDigits = 19

// StringValue is the text of a string, and empty for every other kind. Status
// values of the protocols are compared with it exactly, so that any other
// spelling is a value that is not known.
func (v Value) StringValue() string {
	if v.kind != KindString {
		return ""
	}
	return string(v.text)
}

// IsStringOrNumber reports whether the value is one of the two.
func (v Value) IsStringOrNumber() bool { return v.kind == KindString || v.kind == KindNumber }

// StringOrNumber is the text of a string or a number, and empty for every other
// kind.
func (v Value) StringOrNumber() string {
	if !v.IsStringOrNumber() {
		return ""
	}
	return string(v.text)
}

// IsDigits reports whether the value is an integer that is not negative: a
// number or a string of 1 to 19 digits, without a leading zero. The signature
// cannot tell 1 from "1".
func (v Value) IsDigits() bool {
	if !v.IsStringOrNumber() {
		return false
	}
	digits := v.text
	if len(digits) == 0 || len(digits) > maxDigits || digits[0] == '0' && len(digits) > 1 {
		return false
	}
	for _, d := range digits {
		if d < '0' || d > '9' {
			return false
		}
	}
	return true
}

// Digits is the value's text if [Value.IsDigits], and empty otherwise.
func (v Value) Digits() string {
	if !v.IsDigits() {
		return ""
	}
	return string(v.text)
}

// Integer is the value of the digits. It is false, and 0, where they are not all
// digits, or more than 64 bits hold.
func (v Value) Integer() (int64, bool) {
	if !v.IsDigits() {
		return 0, false
	}
	n, err := strconv.ParseInt(string(v.text), 10, 64)
	if err != nil {
		return 0, false
	}
	return n, true
}

// ID is a string as it is, or the digits of an integer; false for anything
// else.
func (v Value) ID() (string, bool) {
	if v.kind == KindString || v.kind == KindNumber && v.IsDigits() {
		return string(v.text), true
	}
	return "", false
}
