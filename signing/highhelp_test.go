package signing_test

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"tolem/signing"
	"tolem/testkit"
)

const timestamp = "1721647251"

type highHelpVector struct {
	Name         string
	Algorithm    string
	NullAs       signing.NullAs   `json:"null_as"`
	Padding      signing.Padding  `json:"padding"`
	Digest       signing.Digest   `json:"digest"`
	HMACText     signing.HMACText `json:"hmac_text"`
	Timestamp    string
	Body         string
	StringToSign string `json:"string_to_sign"`
	Signature    string
}

func (v highHelpVector) dialect() signing.Dialect {
	return signing.Dialect{NullAs: v.NullAs, Padding: v.Padding, Digest: v.Digest, HMACText: v.HMACText}
}

func highHelpVectors(t testing.TB) (vectors []highHelpVector, secret string) {
	t.Helper()
	var file struct {
		Secret  string
		Vectors []highHelpVector
	}
	if err := json.Unmarshal(testKey(t, "vectors.json"), &file); err != nil {
		t.Fatal(err)
	}
	if len(file.Vectors) < 70 {
		t.Fatalf("vectors.json has %d vectors, want at least 70", len(file.Vectors))
	}
	return file.Vectors, file.Secret
}

// testKey reads a file beside the HighHelp vectors.
func testKey(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", "highhelp", name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// pair is a signer and the key that checks what it signs.
type pair struct {
	name   string
	signer signing.Signer
	key    signing.AlertKey
}

func rsaPair(t testing.TB) pair {
	t.Helper()
	signer, err := signing.NewRSASigner(testKey(t, "private.pkcs8.pem"))
	if err != nil {
		t.Fatal(err)
	}
	key, err := signing.NewRSAAlertKey(testKey(t, "public.spki.pem"))
	if err != nil {
		t.Fatal(err)
	}
	return pair{"RSA", signer, key}
}

func hmacPair(t testing.TB, secret string) pair {
	t.Helper()
	signer, err := signing.NewHMACSigner(secret)
	if err != nil {
		t.Fatal(err)
	}
	key, err := signing.NewHMACAlertKey(secret)
	if err != nil {
		t.Fatal(err)
	}
	return pair{"HMAC", signer, key}
}

// dialects are all that can be pinned, in the order in which auto tries them.
func dialects() []signing.Dialect {
	var all []signing.Dialect
	for _, n := range []signing.NullAs{signing.NullEmpty, signing.NullNone, signing.NullText, signing.NullSkip} {
		for _, p := range []signing.Padding{signing.PaddingOff, signing.PaddingOn} {
			for _, d := range []signing.Digest{signing.DigestOnce, signing.DigestTwice} {
				all = append(all, signing.Dialect{NullAs: n, Padding: p, Digest: d})
			}
		}
	}
	return all
}

func mustSign(t testing.TB, s signing.Signer, body string, d signing.Dialect) string {
	t.Helper()
	signature, err := s.Sign([]byte(body), timestamp, d)
	if err != nil {
		t.Fatal(err)
	}
	return signature
}

// alert tells all parts of a dialect apart: it holds nulls, and its canonical
// string needs padding under every null rule.
const alert = `{"project_id":"57aff4db","general":{"payment_id":"KZT-12"},` +
	`"status":{"status":"success","sub_status":null,"status_description":null},"payment_info":{"amount":7000,"currency":"KZT"}}`

func TestTheTestAlertTellsAllPartsApart(t *testing.T) {
	for _, d := range dialects() {
		canonical, err := mustParse(t, alert).HighHelpCanonical(d)
		if err != nil || len(canonical)%3 == 0 {
			t.Errorf("%s: %d bytes, %v", d, len(canonical), err)
		}
	}
}

func TestHighHelpVectors(t *testing.T) {
	vectors, secret := highHelpVectors(t)
	pairs := map[string]pair{"rsa": rsaPair(t), "hmac": hmacPair(t, secret)}
	for _, v := range vectors {
		t.Run(fmt.Sprint(v.Name, " ", v.Algorithm, " ", v.dialect()), func(t *testing.T) {
			p, d, body := pairs[v.Algorithm], v.dialect(), mustParse(t, v.Body)
			if got, err := body.HighHelpCanonical(d); err != nil || got != v.StringToSign {
				t.Errorf("canonical: %v\n got %q\nwant %q", err, got, v.StringToSign)
			}
			if got, err := p.signer.Sign([]byte(v.Body), v.Timestamp, d); err != nil || got != v.Signature {
				t.Errorf("signature: got %s, %v, want %s", got, err, v.Signature)
			}
			if used, err := body.VerifyHighHelp(p.key, v.Signature, v.Timestamp, d); err != nil || used != d {
				t.Errorf("pinned: got %s, %v", used, err)
			}
			used, err := body.VerifyHighHelp(p.key, v.Signature, v.Timestamp, signing.DefaultAlertDialect())
			if err != nil {
				t.Fatalf("auto: %v", err)
			}
			if used.NullAs != d.NullAs && used.NullAs != signing.NullAuto ||
				used.Padding != d.Padding && used.Padding != signing.PaddingAuto || used.Digest != d.Digest {
				t.Errorf("auto: got %s, want %s", used, d)
			}
			if hasNull := strings.Contains(v.Body, "null"); hasNull != (used.NullAs != signing.NullAuto) {
				t.Errorf("null_as is %s; the body holds a null: %v", used.NullAs, hasNull)
			}
		})
	}
}

func TestPrintedPlaceholderSignaturesAreRefused(t *testing.T) {
	vectors, secret := highHelpVectors(t)
	for _, p := range []pair{rsaPair(t), hmacPair(t, secret)} {
		for _, v := range vectors {
			for _, signature := range []string{"SIGNATURE", "fe99035f86fa436181717b302b95bacff1"} {
				_, err := mustParse(t, v.Body).VerifyHighHelp(p.key, signature, "1706182847", signing.DefaultAlertDialect())
				if !errors.Is(err, signing.ErrNotSigned) && !errors.Is(err, signing.ErrNoValidSignature) {
					t.Errorf("%s, %s: got %v", p.name, v.Name, err)
				}
			}
		}
	}
}

func TestHighHelpCanonicalString(t *testing.T) {
	eleven := `[0,1,2,3,4,5,6,7,8,9,10]`
	for _, tt := range []struct{ name, body, want string }{
		{"nothing", `{}`, ""},
		{"every kind", `{"s":"x","n":12,"t":true,"f":false,"z":null}`, "f:0;n:12;s:x;t:1;z:None"},
		{"numbers as they stand", `{"a":1.50,"b":1E+2,"c":-0.0,"d":100000000000000000000001,"e":-0}`, "a:1.50;b:1E+2;c:-0.0;d:100000000000000000000001;e:-0"},
		{"whole lines are sorted, not names", `{"b":{"a":1},"b-a":2,"b0":3}`, "b-a:2;b0:3;b:a:1"},
		{"bytes, not natural order", `{"a":` + eleven + `}`, "a:0:0;a:10:10;a:1:1;a:2:2;a:3:3;a:4:4;a:5:5;a:6:6;a:7:7;a:8:8;a:9:9"},
		{"capitals first, other scripts last", `{"б":1,"a":2,"B":3}`, "B:3;a:2;б:1"},
		{"colons are not doubled", `{"a:b":{"c::d:":1}}`, "a:b:c::d::1"},
		{"colons in values neither", `{"a":"x:y;z"}`, "a:x:y;z"},
		{"two members that join to one path", `{"a":{"b":2},"a:b":1}`, "a:b:1;a:b:2"},
		{"empty containers give no line", `{"a":{},"b":[],"c":{"d":[{}]},"e":1}`, "e:1"},
		{"an element's index is its name", `{"a":[{"x":1},[null]]}`, "a:0:x:1;a:1:0:None"},
		{"escapes are decoded", `{"\u0061":"\u20ac\n\/"}`, "a:€\n/"},
		{"empty names", `{"":{"":""}}`, "::"},
		{"nothing is left out", `{"signature":"s","frame_mode":{"signature":1},"general":{"signature":null}}`, "frame_mode:signature:1;general:signature:None;signature:s"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := mustParse(t, tt.body)
			gate := b.Canonical()
			if got, err := b.HighHelpCanonical(signing.Dialect{NullAs: signing.NullNone}); err != nil || got != tt.want {
				t.Errorf("got %q, %v, want %q", got, err, tt.want)
			}
			if got := b.Canonical(); got != gate {
				t.Errorf("the Gate's string was %q and became %q", gate, got)
			}
		})
	}
}

func TestNullStandsAsTheDialectSays(t *testing.T) {
	for null, want := range map[signing.NullAs]string{
		signing.NullEmpty: "a:;b:0:;c:1", signing.NullNone: "a:None;b:0:None;c:1", signing.NullText: "a:null;b:0:null;c:1", signing.NullSkip: "c:1",
	} {
		got, err := mustParse(t, `{"c":1,"b":[null],"a":null}`).HighHelpCanonical(signing.Dialect{NullAs: null})
		if err != nil || got != want {
			t.Errorf("%s: got %q, %v, want %q", null, got, err, want)
		}
	}
}

func TestNullAutoIsAStringOnlyWithoutNull(t *testing.T) {
	auto := signing.DefaultAlertDialect()
	if got, err := mustParse(t, `{"a":1}`).HighHelpCanonical(auto); err != nil || got != "a:1" {
		t.Errorf("got %q, %v", got, err)
	}
	for body, d := range map[string]signing.Dialect{`{"a":null}`: auto, `{"a":1}`: {}, `{"b":1}`: {NullAs: "nil"}} {
		if got, err := mustParse(t, body).HighHelpCanonical(d); !errors.Is(err, signing.ErrDialect) || got != "" {
			t.Errorf("%s, %s: got %q, %v", body, d, got, err)
		}
	}
}

func TestOnlyAnObjectIsAnAlert(t *testing.T) {
	p := rsaPair(t)
	for _, body := range []string{`[]`, `[{"a":1}]`, `"x"`, `null`} {
		b := mustParse(t, body)
		if _, err := b.HighHelpCanonical(signing.DefaultRequestDialect()); !errors.Is(err, signing.ErrMalformed) {
			t.Errorf("canonical %s: got %v", body, err)
		}
		if _, err := b.VerifyHighHelp(p.key, "x", timestamp, signing.DefaultAlertDialect()); !errors.Is(err, signing.ErrMalformed) {
			t.Errorf("verify %s: got %v", body, err)
		}
		if _, err := p.signer.Sign([]byte(body), timestamp, signing.DefaultRequestDialect()); !errors.Is(err, signing.ErrMalformed) {
			t.Errorf("sign %s: got %v", body, err)
		}
	}
	if _, err := p.signer.Sign([]byte(`{"a":1,"a":2}`), timestamp, signing.DefaultRequestDialect()); !errors.Is(err, signing.ErrMalformed) {
		t.Errorf("sign a repeated name: got %v", err)
	}
}

func TestHighHelpMessage(t *testing.T) {
	for padding, want := range map[signing.Padding]string{
		signing.PaddingOff: "0YvQt_-_" + "YQ" + timestamp, signing.PaddingOn: "0YvQt_-_" + "YQ==" + timestamp,
	} {
		canonical, err := base64.URLEncoding.DecodeString("0YvQt_-_YQ==")
		if err != nil {
			t.Fatal(err)
		}
		if got := string(signing.HighHelpMessage(string(canonical), timestamp, padding)); got != want {
			t.Errorf("%s: got %s, want %s", padding, got, want)
		}
	}
	if got := string(signing.HighHelpMessage("", timestamp, signing.PaddingOn)); got != timestamp {
		t.Errorf("empty: got %s", got)
	}
}

func TestAutoFindsEveryDialectAndPinnedOnlyItsOwn(t *testing.T) {
	for _, p := range []pair{rsaPair(t), hmacPair(t, "secret")} {
		for _, signed := range dialects() {
			t.Run(p.name+" "+signed.String(), func(t *testing.T) {
				signature := mustSign(t, p.signer, alert, signed)
				want := signed
				if p.name == "HMAC" {
					want.Digest = signing.DigestOnce // the digest plays no part
				}
				b := mustParse(t, alert)
				if used, err := b.VerifyHighHelp(p.key, signature, timestamp, signing.DefaultAlertDialect()); err != nil || used != want || !used.Pinned() {
					t.Errorf("auto: got %s, %v, want %s", used, err, want)
				}
				for _, pinned := range dialects() {
					used, err := b.VerifyHighHelp(p.key, signature, timestamp, pinned)
					same := pinned == signed || p.name == "HMAC" && pinned.NullAs == signed.NullAs && pinned.Padding == signed.Padding
					switch {
					case same && (err != nil || used != pinned):
						t.Errorf("pinned to its own: got %s, %v", used, err)
					case !same && (!errors.Is(err, signing.ErrNoValidSignature) || used != signing.Dialect{}):
						t.Errorf("pinned to %s: got %s, %v", pinned, used, err)
					}
				}
			})
		}
	}
}

func TestPinnedPartsAreNotTriedOut(t *testing.T) {
	p := rsaPair(t)
	signed := signing.Dialect{NullAs: signing.NullText, Padding: signing.PaddingOn, Digest: signing.DigestTwice}
	signature := mustSign(t, p.signer, alert, signed)
	b := mustParse(t, alert)
	for _, tt := range []struct {
		d  signing.Dialect
		ok bool
	}{
		{signing.Dialect{NullAs: "null", Padding: "auto", Digest: "auto"}, true},
		{signing.Dialect{NullAs: "auto", Padding: "on", Digest: "auto"}, true},
		{signing.Dialect{NullAs: "auto", Padding: "auto", Digest: "twice"}, true},
		{signing.Dialect{NullAs: "none", Padding: "auto", Digest: "auto"}, false},
		{signing.Dialect{NullAs: "auto", Padding: "off", Digest: "auto"}, false},
		{signing.Dialect{NullAs: "auto", Padding: "auto", Digest: "once"}, false},
	} {
		used, err := b.VerifyHighHelp(p.key, signature, timestamp, tt.d)
		if tt.ok && (err != nil || used != signed) || !tt.ok && !errors.Is(err, signing.ErrNoValidSignature) {
			t.Errorf("%s: got %s, %v", tt.d, used, err)
		}
	}
}

func TestWhatAnAlertDoesNotTellStaysAuto(t *testing.T) {
	p := rsaPair(t)
	auto := signing.DefaultAlertDialect()
	for _, tt := range []struct{ body, want string }{
		{`{"a":1}`, `null_as: auto, padding: auto, digest: twice`},
		{`{"a":12}`, `null_as: auto, padding: "on", digest: twice`},
		{`{"a":1,"b":null}`, `null_as: "null", padding: "on", digest: twice`},
		{`{"a":{"b":null}}`, `null_as: "null", padding: "on", digest: twice`},
	} {
		signature := mustSign(t, p.signer, tt.body, signing.Dialect{NullAs: signing.NullText, Padding: signing.PaddingOn, Digest: signing.DigestTwice})
		used, err := mustParse(t, tt.body).VerifyHighHelp(p.key, signature, timestamp, auto)
		if err != nil || used.String() != tt.want {
			t.Errorf("%s: got %s, %v, want %s", tt.body, used, err, tt.want)
		}
		if used.Pinned() == strings.Contains(tt.want, "auto") {
			t.Errorf("%s: Pinned says %v", used, used.Pinned())
		}
	}
}

// Every byte of an alert is changed in turn. What still verifies must have the
// same canonical string: the scheme does not tell null from "" and the like.
func TestOneChangedByteOfAnAlertFails(t *testing.T) {
	p := hmacPair(t, "secret")
	d := signing.DefaultRequestDialect()
	signature := mustSign(t, p.signer, alert, d)
	want, _ := mustParse(t, alert).HighHelpCanonical(d)
	refused := 0
	for i := range alert {
		for _, flip := range []byte{0x01, 0x02, 0x10, 0x20, 0x80} {
			changed := []byte(alert)
			changed[i] ^= flip
			b, err := signing.Parse(changed)
			if err != nil {
				refused++
				continue
			}
			for _, pinned := range []signing.Dialect{d, signing.DefaultAlertDialect()} {
				if used, err := b.VerifyHighHelp(p.key, signature, timestamp, pinned); err == nil {
					got, _ := b.HighHelpCanonical(used)
					t.Errorf("byte %d changed by %#x verifies as %s: %q, %v", i, flip, used, got, got == want)
				} else {
					refused++
				}
			}
			b.Release()
		}
	}
	if refused < len(alert)*5 {
		t.Errorf("only %d changes were tried", refused)
	}
}

// The one exception is the only '-' or '_' of a signature becoming '+' or '/':
// that is the same signature in standard Base64.
func TestOneChangedCharacterOfTheHeadersFails(t *testing.T) {
	for _, p := range []pair{rsaPair(t), hmacPair(t, "secret")} {
		d := signing.DefaultRequestDialect()
		signature := mustSign(t, p.signer, alert, d)
		b := mustParse(t, alert)
		for i := range signature {
			for _, c := range []byte("Ab0_-+/= \n") {
				changed := signature[:i] + string(c) + signature[i+1:]
				if urlAlphabet.Replace(changed) == signature {
					continue
				}
				if used, err := b.VerifyHighHelp(p.key, changed, timestamp, d); err == nil {
					t.Errorf("%s: character %d of the signature changed to %q verifies as %s", p.name, i, c, used)
				}
			}
		}
		for i := range timestamp {
			changed := timestamp[:i] + string('0'+(timestamp[i]-'0'+1)%10) + timestamp[i+1:]
			if _, err := b.VerifyHighHelp(p.key, signature, changed, d); !errors.Is(err, signing.ErrNoValidSignature) {
				t.Errorf("%s: timestamp %s: got %v", p.name, changed, err)
			}
		}
	}
}

func TestAnotherKeyFails(t *testing.T) {
	p := rsaPair(t)
	d := signing.DefaultRequestDialect()
	b := mustParse(t, alert)
	signature := mustSign(t, hmacPair(t, "secret").signer, alert, d)
	if _, err := b.VerifyHighHelp(hmacPair(t, "secret2").key, signature, timestamp, d); !errors.Is(err, signing.ErrNoValidSignature) {
		t.Errorf("another HMAC secret: got %v", err)
	}
	other := testkit.RSASigner(t)
	if _, err := b.VerifyHighHelp(p.key, mustSign(t, other, alert, d), timestamp, d); !errors.Is(err, signing.ErrNoValidSignature) {
		t.Errorf("another RSA key: got %v", err)
	}
	if _, err := b.VerifyHighHelp(other.AlertKey(), mustSign(t, other, alert, d), timestamp, d); err != nil {
		t.Errorf("its own RSA key: got %v", err)
	}
}

var urlAlphabet = strings.NewReplacer("+", "-", "/", "_")

// The digits at the end of base64url text must not be able to become digits of
// the timestamp, nor the other way round.
func TestDigitsCannotMoveBetweenTextAndTimestamp(t *testing.T) {
	p := hmacPair(t, "secret")
	d := signing.DefaultRequestDialect()
	// "a:" and 13 more bytes, so that the text has 20 characters and needs no
	// padding; the last byte decides its last character.
	var body, text string
	for c := byte(' '); c < 0x7f && body == ""; c++ {
		if c == '"' || c == '\\' {
			continue
		}
		try := "a:xxxxxxxxxxxx" + string(c)
		if text = base64.RawURLEncoding.EncodeToString([]byte(try)); text[len(text)-1] >= '0' && text[len(text)-1] <= '9' {
			body = `{"a":"` + try[2:] + `"}`
		}
	}
	if body == "" {
		t.Fatal("no text ends in a digit")
	}
	signature := mustSign(t, p.signer, body, d)
	if _, err := mustParse(t, body).VerifyHighHelp(p.key, signature, timestamp, d); err != nil {
		t.Fatal(err)
	}
	// The message ends in more than ten digits: it is the same bytes if the
	// timestamp is said to begin earlier, or later.
	for n := 1; n < 4; n++ {
		moved := text[len(text)-n:] + timestamp
		if _, err := mustParse(t, body).VerifyHighHelp(p.key, signature, moved, d); !errors.Is(err, signing.ErrNotSigned) {
			t.Errorf("timestamp %s: got %v", moved, err)
		}
		if _, err := mustParse(t, body).VerifyHighHelp(p.key, signature, timestamp[n:], d); !errors.Is(err, signing.ErrNotSigned) {
			t.Errorf("timestamp %s: got %v", timestamp[n:], err)
		}
	}
}

func TestTimestampIsTenDigits(t *testing.T) {
	p := rsaPair(t)
	b := mustParse(t, alert)
	for _, bad := range []string{
		"", "1", "172164725", "17216472511", "1721647251000", "172164725a", " 172164725", "-172164725", "+172164725", "1721647.51",
		"1721647251 ", "１７２", "0x17216472", "172164725\n",
	} {
		_, err := b.VerifyHighHelp(p.key, "AAAA", bad, signing.DefaultAlertDialect())
		if !errors.Is(err, signing.ErrNotSigned) || !errors.Is(err, signing.ErrTimestamp) {
			t.Errorf("verify %q: got %v", bad, err)
		}
		if got, err := p.signer.Sign([]byte(alert), bad, signing.DefaultRequestDialect()); !errors.Is(err, signing.ErrTimestamp) || got != "" {
			t.Errorf("sign %q: got %q, %v", bad, got, err)
		}
	}
}

func TestSignatureTextOfAlerts(t *testing.T) {
	d := signing.DefaultRequestDialect()
	b := mustParse(t, alert)
	for _, p := range []pair{rsaPair(t), hmacPair(t, "secret")} {
		text := mustSign(t, p.signer, alert, d)
		raw, err := base64.RawURLEncoding.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		either := func(ofHMAC, ofRSA error) error {
			if p.name == "HMAC" {
				return ofHMAC
			}
			return ofRSA
		}
		for _, tt := range []struct {
			name, text string
			want       error
		}{
			{"base64url", text, nil},
			{"base64url, padded", base64.URLEncoding.EncodeToString(raw), nil},
			{"Base64", base64.StdEncoding.EncodeToString(raw), nil},
			{"Base64 without padding", base64.RawStdEncoding.EncodeToString(raw), nil},
			{"hex", hex.EncodeToString(raw), either(nil, signing.ErrNoValidSignature)},
			{"hex in capitals", strings.ToUpper(hex.EncodeToString(raw)), either(nil, signing.ErrNoValidSignature)},
			{"hex in both", "aA" + hex.EncodeToString(raw)[2:], either(signing.ErrNotSigned, signing.ErrNoValidSignature)},
			{"nothing", "", signing.ErrNotSigned},
			{"a line break inside", text[:4] + "\n" + text[4:], signing.ErrNotSigned},
			{"a line break behind", text + "\n", signing.ErrNotSigned},
			{"a blank behind", text + " ", signing.ErrNotSigned},
			{"half of the padding", text + "=", signing.ErrNotSigned},
			{"too much padding", text + "===", signing.ErrNotSigned},
			{"both alphabets", "+-" + text[2:], signing.ErrNotSigned},
			{"stray bits", text[:len(text)-1] + string(text[len(text)-1]+1), signing.ErrNotSigned},
			{"far too long", strings.Repeat("A", 1<<20), signing.ErrNotSigned},
			{"one byte more", base64.RawURLEncoding.EncodeToString(append(raw, 0)), either(signing.ErrNotSigned, signing.ErrNoValidSignature)},
			{"one byte less", base64.RawURLEncoding.EncodeToString(raw[1:]), either(signing.ErrNotSigned, signing.ErrNoValidSignature)},
			{"zeros", base64.RawURLEncoding.EncodeToString(make([]byte, len(raw))), signing.ErrNoValidSignature},
		} {
			used, err := b.VerifyHighHelp(p.key, tt.text, timestamp, d)
			if !errors.Is(err, tt.want) || tt.want == nil && (err != nil || used.NullAs != d.NullAs) {
				t.Errorf("%s, %s: got %s, %v, want %v", p.name, tt.name, used, err, tt.want)
			}
		}
	}
}

func TestHMACTextOfRequests(t *testing.T) {
	p := hmacPair(t, "secret")
	for _, tt := range []struct {
		text    signing.HMACText
		padding signing.Padding
		size    int
		with    string
	}{
		{signing.HMACBase64URL, signing.PaddingOff, 86, ""},
		{"", signing.PaddingOff, 86, ""},
		{signing.HMACBase64URL, signing.PaddingOn, 88, "=="},
		{signing.HMACBase64, signing.PaddingOff, 88, "=="},
		{signing.HMACHex, signing.PaddingOn, 128, ""},
	} {
		d := signing.DefaultRequestDialect()
		d.HMACText, d.Padding = tt.text, tt.padding
		got := mustSign(t, p.signer, alert, d)
		if len(got) != tt.size || !strings.HasSuffix(got, tt.with) {
			t.Errorf("%s: got %s", d, got)
		}
		if used, err := mustParse(t, alert).VerifyHighHelp(p.key, got, timestamp, d); err != nil || used != d {
			t.Errorf("%s: got %s, %v", d, used, err)
		}
	}
}

func TestRequestsAreSignedInAPinnedDialectOnly(t *testing.T) {
	p := rsaPair(t)
	d := signing.DefaultRequestDialect()
	if !d.Pinned() || d.Validate() != nil {
		t.Errorf("the default is not pinned: %s", d)
	}
	for _, change := range []func(*signing.Dialect){
		func(d *signing.Dialect) { d.NullAs = signing.NullAuto },
		func(d *signing.Dialect) { d.Padding = signing.PaddingAuto },
		func(d *signing.Dialect) { d.Digest = signing.DigestAuto },
		func(d *signing.Dialect) { d.NullAs = "" },
		func(d *signing.Dialect) { d.NullAs = "None" },
		func(d *signing.Dialect) { d.Padding = "true" },
		func(d *signing.Dialect) { d.Digest = "thrice" },
		func(d *signing.Dialect) { d.HMACText = "auto" },
	} {
		bad := d
		change(&bad)
		if bad.Pinned() {
			t.Errorf("%s counts as pinned", bad)
		}
		if got, err := p.signer.Sign([]byte(`{"a":1}`), timestamp, bad); !errors.Is(err, signing.ErrDialect) || got != "" {
			t.Errorf("%s: got %q, %v", bad, got, err)
		}
	}
}

func TestAlertsAreNotCheckedInAnUnknownDialect(t *testing.T) {
	p := rsaPair(t)
	signature := mustSign(t, p.signer, alert, signing.DefaultRequestDialect())
	for _, d := range []signing.Dialect{{}, {NullAs: "auto", Padding: "auto"}, {NullAs: "x", Padding: "auto", Digest: "auto"}} {
		if _, err := mustParse(t, alert).VerifyHighHelp(p.key, signature, timestamp, d); !errors.Is(err, signing.ErrDialect) {
			t.Errorf("%s: got %v", d, err)
		}
	}
}

func TestDialectReadsAsConfiguration(t *testing.T) {
	for _, tt := range []struct {
		d    signing.Dialect
		want string
	}{
		{signing.DefaultAlertDialect(), `null_as: auto, padding: auto, digest: auto`},
		{signing.DefaultRequestDialect(), `null_as: empty, padding: "off", digest: once, hmac_text: base64url`},
		{signing.Dialect{NullAs: "null", Padding: "on", Digest: "twice"}, `null_as: "null", padding: "on", digest: twice`},
		{signing.Dialect{}, `null_as: "", padding: "", digest: ""`},
	} {
		if got := tt.d.String(); got != tt.want {
			t.Errorf("got %s, want %s", got, tt.want)
		}
	}
}

// A body that costs the most: it is refused in a time that shows no more work
// than one string for each null rule.
func TestGreatAlertsTakeNoLongerThanTheirSize(t *testing.T) {
	p := rsaPair(t)
	signature := base64.RawURLEncoding.EncodeToString(make([]byte, 256))
	for name, body := range map[string]string{
		"nulls under one name":   `{"k":[` + strings.Repeat("null,", 60000) + `null]}`,
		"a long name above":      `{"` + strings.Repeat("k", 80) + `":[` + strings.Repeat("null,", 38000) + `null]}`,
		"names in reverse":       strings.TrimSuffix(reversed(60000), "}") + `,"n":null}`,
		"colons that are halved": `{"n":null,"` + strings.Repeat(":", 500000) + `":1}`,
	} {
		t.Run(name, func(t *testing.T) {
			start := time.Now()
			b, err := signing.Parse([]byte(body))
			if err != nil {
				t.Fatal(err)
			}
			defer b.Release()
			if _, err := b.VerifyHighHelp(p.key, signature, timestamp, signing.DefaultAlertDialect()); !errors.Is(err, signing.ErrNoValidSignature) {
				t.Errorf("got %v", err)
			}
			if took := time.Since(start); took > 30*time.Second {
				t.Errorf("took %v", took)
			} else {
				t.Log(took)
			}
		})
	}
}

func TestRefusalsHoldNothingOfTheAlert(t *testing.T) {
	const secret = "7011112233"
	for _, p := range []pair{rsaPair(t), hmacPair(t, "k")} {
		for _, signature := range []string{secret, secret + "?", mustSign(t, p.signer, `{}`, signing.DefaultRequestDialect())} {
			for _, at := range []string{timestamp, secret + "0"} {
				_, err := mustParse(t, `{"`+secret+`":"`+secret+`"}`).VerifyHighHelp(p.key, signature, at, signing.DefaultAlertDialect())
				if err == nil || strings.Contains(err.Error(), secret) {
					t.Errorf("got %v", err)
				}
			}
		}
	}
}

func TestManyGoroutinesShareHighHelpKeys(t *testing.T) {
	pairs := []pair{rsaPair(t), hmacPair(t, "secret")}
	all := dialects()
	var wait sync.WaitGroup
	for worker := range 4 {
		wait.Go(func() {
			for i := range 20 {
				p, d := pairs[i%2], all[(i+worker)%len(all)]
				body := fmt.Sprintf(`{"worker":%d,"i":%d,"n":null,"pad":%q}`, worker, i, "xx"[:i%3])
				signature, err := p.signer.Sign([]byte(body), timestamp, d)
				if err != nil {
					t.Error(err)
					return
				}
				b, err := signing.Parse([]byte(body))
				if err != nil {
					t.Error(err)
					return
				}
				used, err := b.VerifyHighHelp(p.key, signature, timestamp, signing.DefaultAlertDialect())
				if err != nil || used.NullAs != d.NullAs || !slices.Contains([]signing.Padding{d.Padding, signing.PaddingAuto}, used.Padding) {
					t.Errorf("%s: got %s, %v", d, used, err)
				}
				b.Release()
			}
		})
	}
	wait.Wait()
}

// BenchmarkVerifyHighHelp is everything between the bytes of an alert and "it
// is authentic", with the dialect pinned and with the one that auto finds last.
func BenchmarkVerifyHighHelp(b *testing.B) {
	last := signing.Dialect{NullAs: signing.NullSkip, Padding: signing.PaddingOn, Digest: signing.DigestTwice}
	for _, p := range []pair{rsaPair(b), hmacPair(b, "secret")} {
		signature := mustSign(b, p.signer, alert, last)
		for name, d := range map[string]signing.Dialect{"pinned": last, "auto": signing.DefaultAlertDialect()} {
			b.Run(p.name+"/"+name, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					body, err := signing.Parse([]byte(alert))
					if err != nil {
						b.Fatal(err)
					}
					if _, err := body.VerifyHighHelp(p.key, signature, timestamp, d); err != nil {
						b.Fatal(err)
					}
					body.Release()
				}
			})
		}
	}
}
