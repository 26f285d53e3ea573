package signing

import (
	"math"
	"strconv"
)

// rules is what one provider's signature says about names and values. The
// scanner and the walk are the same for all; another provider is another value
// of this type and another choice of order.
type rules struct {
	// doubleColons writes a ':' inside a name as '::'.
	doubleColons bool

	// skipNull gives null no line, as empty containers have none.
	skipNull bool

	// omits says which members give no line, they and all below them; nil
	// leaves nothing out.
	omits func(name []byte) bool

	// noted are the heads of the names that omits may leave out, and of those
	// in which a signature may stand. Members with other heads, nearly all, are
	// passed by without a look at their whole name.
	noted [3]uint64

	// render appends a boolean, null, -0, or a number that is not an integer, as
	// it stands in its line; text is as it stood in the body. Strings stand
	// there decoded and integers as their digits: they never pass through a
	// float.
	render func(dst []byte, kind Kind, text []byte) []byte
}

// jetpay is JetPay Gate, signature rules. Members are left out at any depth,
// as the reference SDK (PHP) does for both names.
var jetpay = rules{
	doubleColons: true,
	omits:        omittedByJetPay,
	noted:        heads("signature", "frame_mode", "general"),
	render:       renderForJetPay,
}

func omittedByJetPay(name []byte) bool {
	switch string(name) {
	case "signature", "frame_mode":
		return true
	}
	return false
}

func heads(names ...string) (heads [3]uint64) {
	for i, name := range names {
		heads[i] = head([]byte(name), 0, uint32(len(name)))
	}
	return heads
}

// notes says whether head is that of a noted name.
func (r *rules) notes(head uint64) bool {
	return head == r.noted[0] || head == r.noted[1] || head == r.noted[2]
}

// renderForJetPay: numbers that are no integers in shortest form, -0 as 0, true
// and false as 1 and 0, null as nothing.
//
// -0 is the integer 0 to PHP, the language of the reference SDK, and to
// ECMAScript. -0.0, which is a float, is written -0 by PHP and 0 by ECMAScript:
// here PHP decides.
func renderForJetPay(dst []byte, kind Kind, text []byte) []byte {
	switch kind {
	case KindNumber:
		if string(text) == "-0" {
			return append(dst, '0')
		}
		return appendShortest(dst, text)
	case KindBool:
		return appendBool(dst, text)
	}
	return dst
}

// appendBool: true and false as 1 and 0, in which the providers agree.
func appendBool(dst, text []byte) []byte {
	if text[0] == 't' {
		return append(dst, '1')
	}
	return append(dst, '0')
}

// appendShortest appends a number with a fraction or an exponent in the
// shortest form that reads back as the same float64: plain digits from 1e-6 to
// below 1e21, else with an exponent, as ECMAScript writes numbers (the SDKs
// differ outside of that range, and no amount is there). It is at most 25
// bytes long, whatever the exponent. A number that no float64 can hold stays
// as it stood.
func appendShortest(dst, text []byte) []byte {
	f, err := strconv.ParseFloat(string(text), 64)
	if err != nil {
		return append(dst, text...)
	}
	size := math.Abs(f)
	if size == 0 || (size >= 1e-6 && size < 1e21) {
		return strconv.AppendFloat(dst, f, 'f', -1, 64)
	}
	at := len(dst)
	return trimExponent(strconv.AppendFloat(dst, f, 'e', -1, 64), at)
}

// trimExponent turns Go's e-07 into e-7, in what stands from at on.
func trimExponent(dst []byte, at int) []byte {
	n := len(dst)
	if n-at > 4 && dst[n-2] == '0' && (dst[n-3] == '-' || dst[n-3] == '+') {
		dst[n-2] = dst[n-1]
		dst = dst[:n-1]
	}
	return dst
}
