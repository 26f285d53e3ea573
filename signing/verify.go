package signing

import (
	"encoding/base64"
	"fmt"
	"slices"
)

// strictBase64 also refuses stray bits in the last character, so that a
// signature has one spelling.
var strictBase64 = base64.StdEncoding.Strict()

// Verify checks the body's signature and returns the index of the key that
// made it. The signature is the top-level member "signature"; only if there is
// no such member, general.signature.
//
// The lines are taken in the three orders in which the platform's own SDKs
// sign: natural order of paths, byte order of paths, byte order of whole lines.
//
// It returns ErrNotSigned if there is no signature to check (missing, empty,
// not a string, not the Base64 of 64 bytes), and ErrNoValidSignature if none
// of the keys made it. The index is then -1.
func (b *Body) Verify(keys ...*Key) (int, error) {
	b.signed = nil
	signature, err := b.decodeSignature()
	if err != nil {
		return -1, err
	}
	if i := matching(keys, b.canonical(), signature); i >= 0 {
		b.signed = b.joined
		return i, nil
	}
	if i := b.matchingOtherwise(keys, signature); i >= 0 {
		b.signed = slices.Clone(b.joined)
		return i, nil
	}
	return -1, fmt.Errorf("%w: %d keys tried", ErrNoValidSignature, len(keys))
}

// matchingOtherwise tries the keys on the other two orders, where they differ
// from those tried before.
func (b *Body) matchingOtherwise(keys []*Key, signature []byte) int {
	b.writeLines(&b.rules)
	for i, by := range [...]order{naturally, byPath, byLine} {
		o := b.sortLines(b.orders[i], by)
		b.orders[i] = o
		same := func(tried []line) bool { return slices.Equal(tried, o) }
		if i == 0 || slices.ContainsFunc(b.orders[:i], same) {
			continue
		}
		b.ready = false // joined is not the natural order any more
		b.joined = b.join(b.joined[:0], o)
		if found := matching(keys, b.joined, signature); found >= 0 {
			return found
		}
	}
	return -1
}

// matching is the index of the key that signed message, or -1.
func matching(keys []*Key, message, signature []byte) int {
	for i, k := range keys {
		if k.matches(message, signature) {
			return i
		}
	}
	return -1
}

// decodeSignature finds the signature and decodes it.
func (b *Body) decodeSignature() ([]byte, error) {
	id := b.topSig
	if id == 0 {
		id = b.generalSig
	}
	if id == 0 {
		return nil, fmt.Errorf("%w: no signature member", ErrNotSigned)
	}
	n := &b.nodes[id]
	if n.kind != KindString {
		return nil, fmt.Errorf("%w: the signature is a JSON %s, not a string", ErrNotSigned, n.kind)
	}
	text := b.arena[n.text:n.textEnd]
	if len(text) == 0 {
		return nil, fmt.Errorf("%w: the signature is empty", ErrNotSigned)
	}
	if len(text) != signatureText {
		return nil, fmt.Errorf("%w: the signature has %d characters, not %d", ErrNotSigned, len(text), signatureText)
	}
	// Go's decoder skips line breaks; what had some decodes to fewer bytes.
	size, err := strictBase64.Decode(b.signature[:], text)
	if err != nil || size != signatureSize {
		return nil, fmt.Errorf("%w: the signature is not standard Base64 of %d bytes", ErrNotSigned, signatureSize)
	}
	return b.signature[:size], nil
}
