package signing

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
)

// The algorithms of HighHelp's signatures, as the configuration names them.
const (
	AlgorithmRSA  = "rsa"  // RSASSA-PKCS1-v1_5 with SHA-256
	AlgorithmHMAC = "hmac" // HMAC-SHA-512
)

// errNoKey: the zero Signer or AlertKey.
var errNoKey = errors.New("no key is configured")

// Signer signs HighHelp requests with the merchant's own key. It is safe for
// concurrent use, and cannot be printed. The zero Signer has no key and signs
// nothing.
type Signer struct {
	unprintable
	rsa   *rsa.PrivateKey
	hmac  *Key
	token []byte
}

// NewRSASigner reads an RSA private key from PEM, PKCS#8 (PRIVATE KEY) or
// PKCS#1 (RSA PRIVATE KEY). It returns ErrKey.
func NewRSASigner(pem []byte) (Signer, error) {
	key, err := parsePrivateKey(pem)
	if err != nil {
		return Signer{}, fmt.Errorf("read the RSA key of requests: %w", err)
	}
	der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		return Signer{}, fmt.Errorf("read the RSA key of requests: %w", err)
	}
	return Signer{rsa: key, token: der}, nil
}

// NewHMACSigner makes a signer of a secret, whose UTF-8 bytes are the HMAC key.
// It returns ErrEmptySecret.
func NewHMACSigner(secret string) (Signer, error) {
	key, err := NewKey(secret)
	if err != nil {
		return Signer{}, err
	}
	return Signer{hmac: key}, nil
}

// Algorithm is AlgorithmRSA, AlgorithmHMAC, or empty for the zero Signer.
func (s Signer) Algorithm() string { return algorithm(s.rsa != nil, s.hmac != nil) }

// PublicKeyDER is the public half of an RSA key as SPKI in DER, nil for HMAC.
func (s Signer) PublicKeyDER() []byte { return append([]byte(nil), s.token...) }

// AccessToken is what x-access-token carries: [Signer.PublicKeyDER] in
// base64url without padding. It is empty for HMAC, where a token has to be
// configured.
func (s Signer) AccessToken() string { return base64.RawURLEncoding.EncodeToString(s.token) }

// AlertKey checks what this signer signs. It is for what plays the provider: a
// merchant's alerts are signed with another key than its requests.
func (s Signer) AlertKey() AlertKey {
	if s.rsa != nil {
		return AlertKey{rsa: &s.rsa.PublicKey}
	}
	return AlertKey{hmac: s.hmac}
}

// Sign is the signature of exactly these bytes of a JSON object, for the header
// x-access-signature. The timestamp is the one sent beside it, Unix seconds in
// ten digits. Every part of the dialect must be pinned.
//
// An RSA signature is base64url, an HMAC one is in the form HMACText (empty
// means base64url). base64url is padded if the dialect's Padding is on: whoever
// pads the text inside the message is taken to pad throughout.
//
// It returns ErrDialect, ErrTimestamp, ErrTooLarge or ErrMalformed.
func (s Signer) Sign(body []byte, timestamp string, d Dialect) (string, error) {
	signature, err := s.sign(body, timestamp, d)
	if err != nil {
		return "", fmt.Errorf("sign for HighHelp: %w", err)
	}
	return signature, nil
}

func (s Signer) sign(body []byte, timestamp string, d Dialect) (string, error) {
	if err := d.forRequest(); err != nil {
		return "", err
	}
	if !isTimestamp(timestamp) {
		return "", ErrTimestamp
	}
	b, err := parseObject(body)
	if err != nil {
		return "", err
	}
	defer b.Release()
	message := highHelpMessage(b.highHelpCanonical(d.NullAs), timestamp, d.Padding)
	switch {
	case s.rsa != nil:
		raw, err := rsa.SignPKCS1v15(nil, s.rsa, crypto.SHA256, digestOf(message, d.Digest))
		if err != nil {
			return "", err
		}
		return base64URL(d.Padding).EncodeToString(raw), nil
	case s.hmac != nil:
		return hmacText(s.hmac.sum(message), d), nil
	}
	return "", errNoKey
}

// hmacText writes an HMAC in the dialect's form.
func hmacText(sum []byte, d Dialect) string {
	switch d.HMACText {
	case HMACHex:
		return hex.EncodeToString(sum)
	case HMACBase64:
		return base64.StdEncoding.EncodeToString(sum)
	}
	return base64URL(d.Padding).EncodeToString(sum)
}

// digestOf is the SHA-256 that RSA signs.
func digestOf(message []byte, d Digest) []byte {
	sum := sha256.Sum256(message)
	if d == DigestTwice {
		sum = sha256.Sum256(sum[:])
	}
	return sum[:]
}

// AlertKey checks the signatures of HighHelp's alerts. It is safe for concurrent
// use, and cannot be printed. The zero AlertKey has no key and accepts nothing.
type AlertKey struct {
	unprintable
	rsa  *rsa.PublicKey
	hmac *Key
}

// NewRSAAlertKey reads an RSA public key from PEM: SPKI (PUBLIC KEY), PKCS#1
// (RSA PUBLIC KEY), or an X.509 certificate, of which only the key is used,
// whoever issued it and whether or not it has expired. It returns ErrKey, also
// for a private key: who has that could sign alerts.
func NewRSAAlertKey(pem []byte) (AlertKey, error) {
	key, err := parsePublicKey(pem)
	if err != nil {
		return AlertKey{}, fmt.Errorf("read the RSA key of alerts: %w", err)
	}
	return AlertKey{rsa: key}, nil
}

// NewHMACAlertKey makes a key of a secret, whose UTF-8 bytes are the HMAC key.
// It returns ErrEmptySecret.
func NewHMACAlertKey(secret string) (AlertKey, error) {
	key, err := NewKey(secret)
	if err != nil {
		return AlertKey{}, err
	}
	return AlertKey{hmac: key}, nil
}

// Algorithm is AlgorithmRSA, AlgorithmHMAC, or empty for the zero AlertKey.
func (k AlertKey) Algorithm() string { return algorithm(k.rsa != nil, k.hmac != nil) }

func algorithm(isRSA, isHMAC bool) string {
	switch {
	case isRSA:
		return AlgorithmRSA
	case isHMAC:
		return AlgorithmHMAC
	}
	return ""
}

// digests are the digests to try with the key.
func (k AlertKey) digests(d Dialect) []Digest {
	if k.hmac == nil {
		return d.digests()
	}
	return d.digests()[:1]
}

// matches says whether the key made the signature of message. For HMAC it takes
// the same time wherever the two differ; of an RSA signature nothing is secret.
func (k AlertKey) matches(message, signature []byte, d Digest) bool {
	if k.hmac != nil {
		return k.hmac.matches(message, signature)
	}
	return rsa.VerifyPKCS1v15(k.rsa, crypto.SHA256, digestOf(message, d), signature) == nil
}

// decode reads the text of a signature.
func (k AlertKey) decode(text string) ([]byte, error) {
	switch {
	case k.rsa == nil && k.hmac == nil:
		return nil, fmt.Errorf("%w: %w", ErrNoValidSignature, errNoKey)
	case text == "":
		return nil, fmt.Errorf("%w: the signature is empty", ErrNotSigned)
	case len(text) > maxSignatureText:
		return nil, fmt.Errorf("%w: the signature has %d characters", ErrNotSigned, len(text))
	case k.rsa != nil:
		return decodeRSA(text, k.rsa.Size())
	}
	return decodeHMAC(text)
}

// maxSignatureText bounds the text of a signature: more than the Base64 of the
// largest RSA key accepted.
const maxSignatureText = 2 * maxRSABits / 8

func decodeRSA(text string, size int) ([]byte, error) {
	raw, err := decodeBase64(text)
	if err != nil {
		return nil, fmt.Errorf("%w: the signature is not base64url", ErrNotSigned)
	}
	if len(raw) != size {
		return nil, fmt.Errorf("%w: it has %d bytes, and this key makes signatures of %d", ErrNoValidSignature, len(raw), size)
	}
	return raw, nil
}

func decodeHMAC(text string) ([]byte, error) {
	decode := decodeBase64
	if len(text) == hex.EncodedLen(signatureSize) {
		decode = decodeHex
	}
	raw, err := decode(text)
	if err != nil || len(raw) != signatureSize {
		return nil, fmt.Errorf("%w: the signature is not base64url, Base64 or hex of %d bytes", ErrNotSigned, signatureSize)
	}
	return raw, nil
}

// decodeHex reads small letters or capitals, but not a mixture.
func decodeHex(text string) ([]byte, error) {
	if text != strings.ToLower(text) && text != strings.ToUpper(text) {
		return nil, errors.New("small letters and capitals")
	}
	return hex.DecodeString(text)
}

// decodeBase64 reads either alphabet, padded or not, but not a mixture, nor
// stray bits in the last character, nor the line breaks that Go's decoders
// skip.
func decodeBase64(text string) ([]byte, error) {
	if strings.ContainsAny(text, "\r\n") {
		return nil, errors.New("a line break")
	}
	encoding := base64.RawURLEncoding
	if strings.ContainsAny(text, "+/") {
		encoding = base64.RawStdEncoding
	}
	if strings.HasSuffix(text, "=") {
		encoding = encoding.WithPadding(base64.StdPadding)
	}
	return encoding.Strict().DecodeString(text)
}

// sum is the HMAC of message.
func (k *Key) sum(message []byte) []byte {
	m := k.macs.Get().(*mac)
	sum := append([]byte(nil), m.of(message)...)
	k.macs.Put(m)
	return sum
}
