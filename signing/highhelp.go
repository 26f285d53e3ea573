package signing

import (
	"encoding/base64"
	"errors"
	"fmt"
)

// timestampDigits is how many digits an x-access-timestamp has: Unix seconds
// from 2001 to 2286.
const timestampDigits = 10

// ErrTimestamp: a timestamp is not Unix seconds in exactly ten digits. It is
// joined to base64url text, which may end in digits too, without a separator;
// with another length digits could move from one to the other.
var ErrTimestamp = errors.New("the timestamp is not ten digits")

// highHelp is HighHelp, authentication and signature, with one of the null
// rules. Nothing is left out: the signature stands in a header. A ':' in a name
// is not doubled, and numbers stand as they do in the body.
func highHelp(null NullAs) rules {
	text := nullText(null)
	return rules{
		skipNull: null == NullSkip,
		render: func(dst []byte, kind Kind, value []byte) []byte {
			switch kind {
			case KindNull:
				return append(dst, text...)
			case KindBool:
				return appendBool(dst, value)
			}
			return append(dst, value...)
		},
	}
}

// nullText is what stands in a line for null.
func nullText(null NullAs) string {
	switch null {
	case NullNone:
		return "None"
	case NullText:
		return "null"
	}
	return ""
}

// HighHelpCanonical is the string that HighHelp's signature covers: a line
// path:to:name:value for every scalar, an element's index as its name, true and
// false as 1 and 0, null as the dialect says, no line for an empty object or
// array; whole lines in byte order, joined with ';'.
//
// It is no more injective than the Gate's (see the package), and a ':' in a
// name is not doubled: {"a:b":1} and {"a":{"b":1}} give one string. With
// NullSkip any member that is null is unsigned. [Body.Lookup] finds members
// by their structure and so never takes the one for the other; members named
// signature or frame_mode are signed here, but not found by it.
//
// It returns ErrMalformed if the body is not an object, and ErrDialect if the
// null rule is unknown, or is auto although the body holds a null. The other
// parts of the dialect play no part.
func (b *Body) HighHelpCanonical(d Dialect) (string, error) {
	if err := b.mustBeObject(); err != nil {
		return "", err
	}
	if err := (Dialect{NullAs: d.NullAs, Padding: PaddingAuto, Digest: DigestAuto}).Validate(); err != nil {
		return "", err
	}
	if d.NullAs == NullAuto && b.hasNull() {
		return "", fmt.Errorf("%w: null_as is auto, and the body holds a null", ErrDialect)
	}
	return string(b.highHelpCanonical(d.NullAs)), nil
}

// highHelpCanonical is valid until the next string is made of the body.
func (b *Body) highHelpCanonical(null NullAs) []byte {
	r := highHelp(null)
	b.writeLines(&r)
	b.orders[0] = b.sortLines(b.orders[0], byLine)
	b.ready = false // joined is not the Gate's string any more
	b.joined = b.join(b.joined[:0], b.orders[0])
	return b.joined
}

func (b *Body) mustBeObject() error {
	if b.Root() != KindObject {
		return fmt.Errorf("%w: not a JSON object", ErrMalformed)
	}
	return nil
}

// hasNull says whether a null stands anywhere in the body.
func (b *Body) hasNull() bool {
	for i := range b.nodes {
		if b.nodes[i].kind == KindNull {
			return true
		}
	}
	return false
}

// HighHelpMessage is what is hashed: the canonical string in base64url, padded
// if p is on, and right behind it the timestamp.
func HighHelpMessage(canonical, timestamp string, p Padding) []byte {
	return highHelpMessage([]byte(canonical), timestamp, p)
}

func highHelpMessage(canonical []byte, timestamp string, p Padding) []byte {
	text := base64URL(p)
	message := make([]byte, 0, text.EncodedLen(len(canonical))+len(timestamp))
	message = text.AppendEncode(message, canonical)
	return append(message, timestamp...)
}

// base64URL is base64url, padded if p is on.
func base64URL(p Padding) *base64.Encoding {
	if p == PaddingOn {
		return base64.URLEncoding
	}
	return base64.RawURLEncoding
}

func isTimestamp(text string) bool {
	if len(text) != timestampDigits {
		return false
	}
	for i := range len(text) {
		if !isDigit(text[i]) {
			return false
		}
	}
	return true
}

// VerifyHighHelp checks the signature and timestamp that came in an alert's
// headers against the body, and returns the dialect that was signed in.
//
// Parts of d that are auto are tried out, in this order: null_as empty, none,
// null, skip; for each of them padding off, on; for each of those digest once,
// twice. Pinned parts are taken as they are. That is at most sixteen
// combinations, and one canonical string for each null rule.
//
// In the returned dialect a part stays auto if the alert does not tell: null_as
// if the body holds no null, padding if the canonical string needs none. With an
// HMAC key digest plays no part; auto is then returned as once, so that the
// dialect can be pinned.
//
// The RSA signature is base64url or standard Base64; the HMAC one may also be
// hex. Padding may be there or not. Errors: ErrDialect; ErrMalformed if the
// body is not an object; ErrNotSigned if there is nothing to check (no
// signature, not in one of the forms, or a timestamp that is not ten digits);
// ErrNoValidSignature if the key did not make it in any dialect tried, or if k
// is the zero AlertKey: without a key nothing is accepted. Whether the
// timestamp is recent is not looked at.
func (b *Body) VerifyHighHelp(k AlertKey, signature, timestamp string, d Dialect) (Dialect, error) {
	if err := d.Validate(); err != nil {
		return Dialect{}, err
	}
	if err := b.mustBeObject(); err != nil {
		return Dialect{}, err
	}
	if !isTimestamp(timestamp) {
		return Dialect{}, fmt.Errorf("%w: %w", ErrNotSigned, ErrTimestamp)
	}
	raw, err := k.decode(signature)
	if err != nil {
		return Dialect{}, err
	}
	tried := 0
	for _, null := range d.nullRules(b.hasNull()) {
		canonical := b.highHelpCanonical(null)
		for _, padding := range d.paddings(len(canonical)) {
			message := highHelpMessage(canonical, timestamp, padding)
			for _, digest := range k.digests(d) {
				if k.matches(message, raw, digest) {
					return Dialect{NullAs: null, Padding: padding, Digest: digest, HMACText: d.HMACText}, nil
				}
				tried++
			}
		}
	}
	return Dialect{}, fmt.Errorf("%w: the key did not make it in any of %d dialects tried", ErrNoValidSignature, tried)
}
