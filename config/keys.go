package config

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"path/filepath"
	"slices"
	"strings"

	"tolem/signing"
)

// demoKeyFolder holds the demo's keys, in every copy of the repository.
const demoKeyFolder = "fixtures/highhelp/keys"

// demoKeys are the fingerprints of the keys in demoKeyFolder.
var demoKeys = []string{
	"3229993483ad5bac6e5fba8ff8dd52e0b005ddba0c980ed40a845fa3c98e5a6c", // request.pem
	"bf7810bdaa18220ba3867a0b03fb2b7be402a35faf7af581599ac55ce5befe3c", // alerts.pem
}

// privateKeyFile reads the PEM of an RSA private key and gives the fingerprint of its public half.
func (r *rules) privateKeyFile(key, path string) (Secret, string) {
	text, ok := r.pemFile(key, path, "give the PEM file of your private key")
	if !ok {
		return Secret{}, ""
	}
	if _, err := signing.NewRSASigner([]byte(text)); err != nil {
		r.problem(key, err.Error())
		return Secret{}, ""
	}
	return NewSecret(text), privateFingerprint(NewSecret(text))
}

// privateFingerprint is the fingerprint of a private key that has been accepted.
func privateFingerprint(text Secret) string {
	signer, err := signing.NewRSASigner([]byte(text.Reveal()))
	if err != nil {
		return ""
	}
	return fingerprint(signer.PublicKeyDER())
}

// publicKeyFile reads the PEM of an RSA public key and gives its fingerprint.
func (r *rules) publicKeyFile(key, path string) (text, print string) {
	text, ok := r.pemFile(key, path, "give the PEM file of the provider's public key for alerts")
	if !ok {
		return "", ""
	}
	if _, err := signing.NewRSAAlertKey([]byte(text)); err != nil {
		r.problem(key, err.Error())
		return "", ""
	}
	return text, publicFingerprint(text)
}

func (r *rules) pemFile(key, path, missing string) (string, bool) {
	if !r.given(key) {
		if r.need(HighHelpKeys) {
			r.problem(key, "is missing; "+missing)
		}
		return "", false
	}
	if !r.need(HighHelpKeys) {
		return "", false
	}
	text, err := readText(path, "key", maxKeyFile)
	if err != nil {
		r.problem(key, err.Error())
		return "", false
	}
	if fault := pemFault(text); fault != "" {
		r.problem(key, "the file "+fault)
		return "", false
	}
	return text, true
}

// publicFingerprint is the fingerprint of a public key that has been accepted, whatever form its PEM has.
func publicFingerprint(text string) string {
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return ""
	}
	if certificate, err := x509.ParseCertificate(block.Bytes); err == nil {
		return fingerprint(certificate.RawSubjectPublicKeyInfo)
	}
	if key, err := x509.ParsePKCS1PublicKey(block.Bytes); err == nil {
		if der, err := x509.MarshalPKIXPublicKey(key); err == nil {
			return fingerprint(der)
		}
	}
	return fingerprint(block.Bytes)
}

// fingerprint is the SHA-256 of a key's SPKI DER, in hexadecimal.
func fingerprint(der []byte) string {
	sum := sha256.Sum256(der)
	return hex.EncodeToString(sum[:])
}

// realPEM refuses keys that everybody knows.
func (r *rules) realPEM(key, path, fingerprint string) {
	if isDemoKey(path, fingerprint) {
		r.problem(key, "is the demo's, which everybody knows; production needs one of its own")
	}
}

// isDemoKey recognises a demo key by its content, also as a copy or in another format, and by its folder.
func isDemoKey(path, fingerprint string) bool {
	folder := filepath.ToSlash(filepath.Dir(filepath.Clean(path)))
	return slices.Contains(demoKeys, fingerprint) || folder == demoKeyFolder || strings.HasSuffix(folder, "/"+demoKeyFolder)
}
