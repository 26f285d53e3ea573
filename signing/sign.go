package signing

import "fmt"

// Sign is the signature of a JSON object in standard Base64, 88 characters,
// over its lines in natural order. A signature that stands in it already plays
// no part. It returns ErrTooLarge or ErrMalformed.
func Sign(data []byte, k *Key) (string, error) {
	b, err := parseObject(data)
	if err != nil {
		return "", fmt.Errorf("sign: %w", err)
	}
	defer b.Release()
	return k.sign(b.canonical()), nil
}

// Embed returns a copy of a JSON object with a fresh signature in its
// top-level member "signature": in place of the one that stands there, else as
// the last member. Every other byte stays as it is. It returns ErrTooLarge
// (also if the signed body would be over MaxBody) or ErrMalformed.
func Embed(data []byte, k *Key) ([]byte, error) {
	b, err := parseObject(data)
	if err != nil {
		return nil, fmt.Errorf("embed a signature: %w", err)
	}
	defer b.Release()
	out := b.splice(data, k.sign(b.canonical()))
	if len(out) > MaxBody {
		return nil, fmt.Errorf("embed a signature: %w: more than %d bytes with it", ErrTooLarge, MaxBody)
	}
	return out, nil
}

func parseObject(data []byte) (*Body, error) {
	b, err := Parse(data)
	if err != nil {
		return nil, err
	}
	if b.Root() != KindObject {
		b.Release()
		return nil, fmt.Errorf("%w: not a JSON object", ErrMalformed)
	}
	return b, nil
}

// splice copies data, which b was read from, with the signature in it.
func (b *Body) splice(data []byte, signature string) []byte {
	from, to := b.lastEnd, b.lastEnd
	before := `,"signature":"`
	switch {
	case b.topSig != 0:
		from, to = b.sigStart, b.sigEnd
		before = `"`
	case b.lastEnd == 0:
		from, to = b.openBrace+1, b.openBrace+1
		before = `"signature":"`
	}
	out := make([]byte, 0, len(data)+len(before)+len(signature)+1)
	out = append(out, data[:from]...)
	out = append(out, before...)
	out = append(out, signature...)
	out = append(out, '"')
	return append(out, data[to:]...)
}
