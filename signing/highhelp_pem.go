package signing

import (
	"bytes"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
)

// RSA keys are between these sizes: shorter ones can be broken, longer ones
// only cost time.
const (
	minRSABits = 2048
	maxRSABits = 8192
)

// ErrKey: a file holds no RSA key that can be used. It comes wrapped with what
// is wrong and what to do, and never with what stands in the file.
var ErrKey = errors.New("unusable key")

func parsePrivateKey(text []byte) (*rsa.PrivateKey, error) {
	block, err := onePEM(text)
	if err != nil {
		return nil, err
	}
	switch {
	case block.Type == "PRIVATE KEY":
		parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
		if err != nil {
			return nil, unreadable(block.Type)
		}
		key, ok := parsed.(*rsa.PrivateKey)
		if !ok {
			return nil, fmt.Errorf("%w: it is a private key, but not of RSA", ErrKey)
		}
		return key, checkRSA(&key.PublicKey)
	case block.Type == "RSA PRIVATE KEY":
		key, err := x509.ParsePKCS1PrivateKey(block.Bytes)
		if err != nil {
			return nil, unreadable(block.Type)
		}
		return key, checkRSA(&key.PublicKey)
	case isPublic(block.Type):
		return nil, fmt.Errorf("%w: it is a %s; signing takes the private key (private_key_….pem)", ErrKey, block.Type)
	}
	return nil, fmt.Errorf("%w: it is a %s; a private key is a PRIVATE KEY (PKCS#8) or RSA PRIVATE KEY (PKCS#1)", ErrKey, block.Type)
}

func parsePublicKey(text []byte) (*rsa.PublicKey, error) {
	block, err := onePEM(text)
	if err != nil {
		return nil, err
	}
	if strings.HasSuffix(block.Type, "PRIVATE KEY") {
		return nil, fmt.Errorf("%w: it is a private key; alerts are checked with the provider's public key for alerts, from the cabinet", ErrKey)
	}
	if !isPublic(block.Type) {
		return nil, fmt.Errorf("%w: it is a %s; a public key is a PUBLIC KEY (SPKI), RSA PUBLIC KEY (PKCS#1) or CERTIFICATE", ErrKey, block.Type)
	}
	parsed, err := publicKeyOf(block)
	if err != nil {
		return nil, unreadable(block.Type)
	}
	key, ok := parsed.(*rsa.PublicKey)
	if !ok {
		return nil, fmt.Errorf("%w: it is a public key, but not of RSA", ErrKey)
	}
	return key, checkRSA(key)
}

func isPublic(blockType string) bool {
	switch blockType {
	case "PUBLIC KEY", "RSA PUBLIC KEY", "CERTIFICATE":
		return true
	}
	return false
}

// publicKeyOf reads the key of a block that isPublic.
func publicKeyOf(block *pem.Block) (any, error) {
	switch block.Type {
	case "PUBLIC KEY":
		return x509.ParsePKIXPublicKey(block.Bytes)
	case "RSA PUBLIC KEY":
		return x509.ParsePKCS1PublicKey(block.Bytes)
	}
	certificate, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, err
	}
	return certificate.PublicKey, nil
}

// onePEM reads the only block of a text, whose DER is one whole value. Text
// before it is a comment, as RFC 7468 has it.
func onePEM(text []byte) (*pem.Block, error) {
	const begin = "-----BEGIN "
	block, rest := pem.Decode(text)
	switch blocks := bytes.Count(text, []byte(begin)); {
	case blocks == 0:
		return nil, fmt.Errorf("%w: it is not PEM, which begins with %q", ErrKey, begin)
	case blocks > 1:
		return nil, fmt.Errorf("%w: it holds %d PEM blocks; leave only the key", ErrKey, blocks)
	case block == nil:
		return nil, fmt.Errorf("%w: its PEM block is damaged or cut short", ErrKey)
	case len(bytes.TrimSpace(rest)) > 0:
		return nil, fmt.Errorf("%w: data stand behind its PEM block", ErrKey)
	case block.Type == "ENCRYPTED PRIVATE KEY" || block.Headers["DEK-Info"] != "":
		return nil, fmt.Errorf("%w: it is encrypted; decrypt it first (openssl pkey -in FILE -out PLAIN)", ErrKey)
	}
	// Not every parser of x509 looks behind the value.
	var value asn1.RawValue
	if rest, err := asn1.Unmarshal(block.Bytes, &value); err != nil || len(rest) > 0 {
		return nil, unreadable(block.Type)
	}
	return block, nil
}

// unreadable does not repeat what the parser found: it is a key.
func unreadable(blockType string) error {
	return fmt.Errorf("%w: its %s cannot be read", ErrKey, blockType)
}

// checkRSA refuses keys that offer no safety or cannot work.
func checkRSA(key *rsa.PublicKey) error {
	switch bits := key.N.BitLen(); {
	case bits < minRSABits:
		return fmt.Errorf("%w: it has %d bits, at least %d are needed", ErrKey, bits, minRSABits)
	case bits > maxRSABits:
		return fmt.Errorf("%w: it has %d bits, at most %d are accepted", ErrKey, bits, maxRSABits)
	case key.E < 3 || key.E%2 == 0 || key.N.Bit(0) == 0:
		return fmt.Errorf("%w: its numbers are not those of an RSA key", ErrKey)
	}
	return nil
}
