package signing

import (
	"crypto/hmac"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"hash"
	"sync"
)

// signatureSize is the length of an HMAC-SHA-512 in bytes; its Base64 has 88
// characters.
const (
	signatureSize = sha512.Size
	signatureText = 88
)

// Key makes and checks signatures with one secret. It is safe for concurrent
// use and cannot be printed: every way of formatting or marshalling it gives
// [hidden].
type Key struct {
	unprintable
	macs *sync.Pool
}

// mac is an HMAC state that is used again and again, with room for its result.
type mac struct {
	hash hash.Hash
	sum  [signatureSize]byte
}

// NewKey makes a key of a secret, whose UTF-8 bytes are the HMAC key. An empty
// one gives ErrEmptySecret: anybody could sign with it.
func NewKey(secret string) (*Key, error) {
	if secret == "" {
		return nil, fmt.Errorf("make a signing key: %w", ErrEmptySecret)
	}
	key := []byte(secret)
	return &Key{macs: &sync.Pool{New: func() any {
		return &mac{hash: hmac.New(sha512.New, key)}
	}}}, nil
}

// matches says whether signature is this key's signature of message. It takes
// the same time wherever the two differ.
func (k *Key) matches(message, signature []byte) bool {
	m := k.macs.Get().(*mac)
	ok := subtle.ConstantTimeCompare(m.of(message), signature) == 1
	k.macs.Put(m)
	return ok
}

// sign is the signature of message, in Base64.
func (k *Key) sign(message []byte) string {
	m := k.macs.Get().(*mac)
	text := base64.StdEncoding.EncodeToString(m.of(message))
	k.macs.Put(m)
	return text
}

// of is the HMAC of message, valid until the next call.
func (m *mac) of(message []byte) []byte {
	m.hash.Reset() // from the second time on restores the keyed state, without hashing the key
	m.hash.Write(message)
	return m.hash.Sum(m.sum[:0])
}
