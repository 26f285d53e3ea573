package signing_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"strings"
	"testing"

	"tolem/signing"
)

func TestEveryFormOfAKeyIsTheSameKey(t *testing.T) {
	d := signing.DefaultRequestDialect()
	b := mustParse(t, alert)
	token := ""
	for _, private := range []string{"private.pkcs8.pem", "private.pkcs1.pem"} {
		signer, err := signing.NewRSASigner(testKey(t, private))
		if err != nil {
			t.Fatalf("%s: %v", private, err)
		}
		signature := mustSign(t, signer, alert, d)
		for _, public := range []string{"public.spki.pem", "public.pkcs1.pem", "certificate.pem"} {
			key, err := signing.NewRSAAlertKey(testKey(t, public))
			if err != nil {
				t.Fatalf("%s: %v", public, err)
			}
			if _, err := b.VerifyHighHelp(key, signature, timestamp, d); err != nil {
				t.Errorf("%s, %s: %v", private, public, err)
			}
		}
		if _, err := b.VerifyHighHelp(signer.AlertKey(), signature, timestamp, d); err != nil {
			t.Errorf("%s, its own public half: %v", private, err)
		}
		if token != "" && signer.AccessToken() != token {
			t.Error("one key has two access tokens")
		}
		token = signer.AccessToken()
	}
	block, _ := pem.Decode(testKey(t, "public.spki.pem"))
	if want := base64.RawURLEncoding.EncodeToString(block.Bytes); token != want {
		t.Errorf("access token: got %s, want the public key %s", token, want)
	}
}

func TestPublicKeyIsTheDEROfTheAccessToken(t *testing.T) {
	signer := rsaPair(t).signer
	der := signer.PublicKeyDER()
	if got := base64.RawURLEncoding.EncodeToString(der); got != signer.AccessToken() {
		t.Errorf("got %s, want %s", got, signer.AccessToken())
	}
	der[0]++
	if bytes.Equal(der, signer.PublicKeyDER()) {
		t.Error("the signer's own bytes were handed out")
	}
	hmac := hmacPair(t, "s").signer
	if hmac.AccessToken() != "" || len(hmac.PublicKeyDER()) != 0 {
		t.Errorf("HMAC has an access token: %q", hmac.AccessToken())
	}
}

func TestAlgorithmNamesTheKey(t *testing.T) {
	r, h := rsaPair(t), hmacPair(t, "s")
	for _, tt := range []struct{ got, want string }{
		{r.signer.Algorithm(), "rsa"}, {r.key.Algorithm(), "rsa"}, {h.signer.Algorithm(), "hmac"}, {h.key.Algorithm(), "hmac"},
		{h.signer.AlertKey().Algorithm(), "hmac"}, {signing.Signer{}.Algorithm(), ""}, {signing.AlertKey{}.Algorithm(), ""},
	} {
		if tt.got != tt.want {
			t.Errorf("got %q, want %q", tt.got, tt.want)
		}
	}
}

func TestWithoutAKeyNothingIsSignedOrAccepted(t *testing.T) {
	d := signing.DefaultRequestDialect()
	if got, err := (signing.Signer{}).Sign([]byte(alert), timestamp, d); err == nil || got != "" {
		t.Errorf("got %q, %v", got, err)
	}
	for _, p := range []pair{rsaPair(t), hmacPair(t, "s")} {
		for _, k := range []signing.AlertKey{{}, signing.Signer{}.AlertKey()} {
			signature := mustSign(t, p.signer, alert, d)
			if _, err := mustParse(t, alert).VerifyHighHelp(k, signature, timestamp, d); !errors.Is(err, signing.ErrNoValidSignature) {
				t.Errorf("got %v", err)
			}
		}
	}
}

func TestEmptyHMACSecretIsRefused(t *testing.T) {
	if s, err := signing.NewHMACSigner(""); !errors.Is(err, signing.ErrEmptySecret) || s.Algorithm() != "" {
		t.Errorf("signer: got %v", err)
	}
	if k, err := signing.NewHMACAlertKey(""); !errors.Is(err, signing.ErrEmptySecret) || k.Algorithm() != "" {
		t.Errorf("alert key: got %v", err)
	}
}

func TestUnusableKeysAreRefusedWithTheReason(t *testing.T) {
	private, public := string(testKey(t, "private.pkcs8.pem")), string(testKey(t, "public.spki.pem"))
	block, _ := pem.Decode([]byte(private))
	withTail := pemOf("PRIVATE KEY", append(bytes.Clone(block.Bytes), 0, 0))
	relabelled := pemOf("RSA PRIVATE KEY", block.Bytes)
	noDER := pemOf("PRIVATE KEY", []byte("not DER"))
	noPublicDER := pemOf("PUBLIC KEY", []byte("\x30\x00"))
	for _, tt := range []struct {
		name, pem string
		asPrivate string // what NewRSASigner says, empty: it takes the key
		asPublic  string
	}{
		{"nothing", "", "not PEM", "not PEM"},
		{"DER", string(block.Bytes), "not PEM", "not PEM"},
		{"Base64 without armour", strings.Join(strings.Split(private, "\n")[1:5], "\n"), "not PEM", "not PEM"},
		{"cut short", private[:len(private)/2], "damaged or cut short", "damaged or cut short"},
		{"damaged", strings.Replace(private, "\nMI", "\n!!", 1), "damaged or cut short", "damaged or cut short"},
		{"trailing text", private + "x", "behind its PEM block", "behind its PEM block"},
		{"two keys", private + private, "2 PEM blocks", "2 PEM blocks"},
		{"a private and a public key", private + public, "2 PEM blocks", "2 PEM blocks"},
		{"DER with something behind", withTail, "cannot be read", "cannot be read"},
		{"no DER", noDER, "cannot be read", "cannot be read"},
		{"PKCS#8 labelled PKCS#1", relabelled, "cannot be read", "private key"},
		{"an empty PKCS#8", pemOf("PRIVATE KEY", []byte("\x30\x00")), "cannot be read", "private key"},
		{"an empty SPKI", noPublicDER, "signing takes the private key", "cannot be read"},
		{"an empty PKCS#1 public key", pemOf("RSA PUBLIC KEY", []byte("\x30\x00")), "signing takes the private key", "cannot be read"},
		{"an empty certificate", pemOf("CERTIFICATE", []byte("\x30\x00")), "signing takes the private key", "cannot be read"},
		{"encrypted PKCS#8", string(testKey(t, "encrypted.pkcs8.pem")), "openssl pkey", "openssl pkey"},
		{"encrypted PKCS#1", string(testKey(t, "encrypted.pkcs1.pem")), "openssl pkey", "openssl pkey"},
		{"an EC private key", string(testKey(t, "ec.private.pem")), "not of RSA", "it is a private key"},
		{"an EC private key in SEC 1", ecPEM(t), "it is a EC PRIVATE KEY", "it is a private key"},
		{"an EC public key", string(testKey(t, "ec.public.pem")), "signing takes the private key", "not of RSA"},
		{"1024 bits, private", string(testKey(t, "small.private.pem")), "1024 bits", "it is a private key"},
		{"1024 bits, public", string(testKey(t, "small.public.pem")), "signing takes the private key", "1024 bits"},
		{"a request to sign", pemOf("CERTIFICATE REQUEST", block.Bytes), "CERTIFICATE REQUEST", "CERTIFICATE REQUEST"},
		{"a public key for signing", public, "signing takes the private key", ""},
		{"a certificate for signing", string(testKey(t, "certificate.pem")), "signing takes the private key", ""},
		{"a private key for alerts", private, "", "it is a private key"},
		{"a PKCS#1 private key for alerts", string(testKey(t, "private.pkcs1.pem")), "", "it is a private key"},
		{"comments and blanks around", "my key\n" + private + "\n \r\n", "", "it is a private key"},
		{"line ends of Windows", strings.ReplaceAll(public, "\n", "\r\n"), "signing takes the private key", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			signer, err := signing.NewRSASigner([]byte(tt.pem))
			checkRefusal(t, "private", err, tt.asPrivate, signer.Algorithm())
			key, err := signing.NewRSAAlertKey([]byte(tt.pem))
			checkRefusal(t, "public", err, tt.asPublic, key.Algorithm())
		})
	}
}

// checkRefusal wants an error that says so, or none if says is empty.
func checkRefusal(t *testing.T, as string, err error, says, algorithm string) {
	t.Helper()
	if says == "" {
		if err != nil || algorithm != signing.AlgorithmRSA {
			t.Errorf("as a %s key: got %q, %v", as, algorithm, err)
		}
		return
	}
	if !errors.Is(err, signing.ErrKey) || !strings.Contains(err.Error(), says) || algorithm != "" {
		t.Errorf("as a %s key: got %q, %v, want %q", as, algorithm, err, says)
	}
}

func TestPublicKeysThatProveNothingAreRefused(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	even := new(big.Int).Lsh(big.NewInt(1), 2047)
	huge := new(big.Int).Add(new(big.Int).Lsh(big.NewInt(1), 9000), big.NewInt(1))
	for _, tt := range []struct {
		name string
		n    *big.Int
		e    int
		says string
	}{
		{"exponent 1: everybody can sign", key.N, 1, "not those of an RSA key"},
		{"an even exponent", key.N, 65536, "not those of an RSA key"},
		{"an even modulus", even, 65537, "not those of an RSA key"},
		{"more bits than make sense", huge, 65537, "9001 bits"},
	} {
		der, err := asn1.Marshal(struct {
			N *big.Int
			E int
		}{tt.n, tt.e})
		if err != nil {
			t.Fatal(err)
		}
		_, err = signing.NewRSAAlertKey([]byte(pemOf("RSA PUBLIC KEY", der)))
		if !errors.Is(err, signing.ErrKey) || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: got %v", tt.name, err)
		}
	}
}

func pemOf(blockType string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: blockType, Bytes: der}))
}

func ecPEM(t *testing.T) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return pemOf("EC PRIVATE KEY", der)
}

func TestKeyErrorsHoldNothingOfTheFile(t *testing.T) {
	for _, text := range []string{"verysecret", pemOf("PRIVATE KEY", []byte("verysecret")), pemOf("PRIVATE KEY", []byte("x")) + "verysecret"} {
		for _, err := range []error{second(signing.NewRSASigner([]byte(text))), second(signing.NewRSAAlertKey([]byte(text)))} {
			if err == nil || strings.Contains(err.Error(), "verysecret") {
				t.Errorf("got %v", err)
			}
		}
	}
}

func second[T any](_ T, err error) error { return err }

func TestHighHelpKeysCannotBePrinted(t *testing.T) {
	const secret = "very-secret"
	h, r := hmacPair(t, secret), rsaPair(t)
	mustSign(t, h.signer, alert, signing.DefaultRequestDialect()) // so that pooled state exists
	var out bytes.Buffer
	for _, key := range []any{h.signer, h.key, r.signer, r.key, &h.signer, &h.key, &r.signer, &r.key} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
			text := fmt.Sprintf(verb, key)
			if text != "[hidden]" {
				t.Errorf("%s of %T: got %q", verb, key, text)
			}
			fmt.Fprintf(&out, verb, struct{ K any }{key})
		}
		text, err := json.Marshal(map[string]any{"k": key})
		if err != nil || string(text) != `{"k":"[hidden]"}` {
			t.Errorf("json of %T: got %s, %v", key, text, err)
		}
		slog.New(slog.NewTextHandler(&out, nil)).Info("m", "key", key)
		slog.New(slog.NewJSONHandler(&out, nil)).Info("m", "key", key)
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%x"} {
		fmt.Fprintf(&out, verb, struct {
			s signing.Signer
			k signing.AlertKey
		}{h.signer, h.key})
		fmt.Fprintf(&out, verb, struct {
			s signing.Signer
			k signing.AlertKey
		}{r.signer, r.key})
	}
	block, _ := pem.Decode(testKey(t, "private.pkcs1.pem"))
	key, err := x509.ParsePKCS1PrivateKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	for _, form := range []string{
		secret, fmt.Sprintf("%x", secret), strings.Trim(fmt.Sprint([]byte(secret)), "[]"),
		key.D.String(), key.D.Text(16), key.Primes[0].String(), key.Primes[0].Text(16), fmt.Sprint(key.D.Bits()[0]),
	} {
		if strings.Contains(out.String(), form) {
			t.Errorf("%.20s… is in what was printed", form)
		}
	}
}
