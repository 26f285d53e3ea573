package signing_test

import (
	"crypto/hmac"
	"crypto/sha512"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"tolem/signing"
)

// signatureOf signs a string with the standard library alone.
func signatureOf(secret, message string) string {
	mac := hmac.New(sha512.New, []byte(secret))
	mac.Write([]byte(message))
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// verify parses a body and verifies it.
func verify(t testing.TB, body string, keys ...*signing.Key) (int, error) {
	t.Helper()
	return mustParse(t, body).Verify(keys...)
}

func TestVerifyTellsWhichKeySigned(t *testing.T) {
	old, live, next := mustKey(t, "old"), mustKey(t, "live"), mustKey(t, "next")
	body := `{"a":1,"signature":"` + signatureOf("live", "a:1") + `"}`
	for _, tt := range []struct {
		keys []*signing.Key
		want int
	}{
		{[]*signing.Key{live}, 0},
		{[]*signing.Key{old, live, next}, 1},
		{[]*signing.Key{next, old, live}, 2},
		{[]*signing.Key{live, live}, 0},
	} {
		if got, err := verify(t, body, tt.keys...); err != nil || got != tt.want {
			t.Errorf("got %d, %v, want %d", got, err, tt.want)
		}
	}
	for _, keys := range [][]*signing.Key{nil, {old}, {old, next}} {
		if got, err := verify(t, body, keys...); !errors.Is(err, signing.ErrNoValidSignature) || got != -1 {
			t.Errorf("%d other keys: got %d, %v", len(keys), got, err)
		}
	}
}

func TestVerifyAcceptsTheOrdersOfAllSDKs(t *testing.T) {
	const members = `"e":[0,1,2,3,4,5,6,7,8,9,10],"b":"z","b-c":1`
	const ten = "e:3:3;e:4:4;e:5:5;e:6:6;e:7:7;e:8:8;e:9:9"
	for name, canonical := range map[string]string{
		"natural order of paths (PHP)":   "b:z;b-c:1;e:0:0;e:1:1;e:2:2;" + ten + ";e:10:10",
		"byte order of paths (Python)":   "b:z;b-c:1;e:0:0;e:1:1;e:10:10;e:2:2;" + ten,
		"byte order of lines (Go, Java)": "b-c:1;b:z;e:0:0;e:10:10;e:1:1;e:2:2;" + ten,
	} {
		t.Run(name, func(t *testing.T) {
			b := mustParse(t, `{`+members+`,"signature":"`+signatureOf("k", canonical)+`"}`)
			natural := b.Canonical()
			for range 2 {
				if i, err := b.Verify(mustKey(t, "other"), mustKey(t, "k")); err != nil || i != 1 {
					t.Errorf("got %d, %v", i, err)
				}
				if got := b.Canonical(); got != natural {
					t.Errorf("the string to sign became %q", got)
				}
			}
		})
	}
	wrong := "b-c:1;b:z;e:0:0;e:1:1;e:2:2;" + ten + ";e:10:10"
	if _, err := verify(t, `{`+members+`,"signature":"`+signatureOf("k", wrong)+`"}`, mustKey(t, "k")); !errors.Is(err, signing.ErrNoValidSignature) {
		t.Errorf("lines in the order of the document or any other: got %v", err)
	}
}

func TestSignatureThatCannotBeCheckedIsNotSigned(t *testing.T) {
	good := signatureOf("k", "a:1")
	for name, signature := range map[string]string{
		"empty":                   `""`,
		"null":                    `null`,
		"a number":                `1`,
		"true":                    `true`,
		"an object":               `{"signature":"` + good + `"}`,
		"an array":                `["` + good + `"]`,
		"too short":               `"` + good[:84] + `"`,
		"too long":                `"` + good + `AAAA"`,
		"hex":                     `"` + strings.Repeat("0f", 64) + `"`,
		"without padding":         `"` + good[:86] + `"`,
		"padding replaced":        `"` + good[:86] + `AA"`,
		"with a blank":            `" ` + good[:87] + `"`,
		"with line breaks":        `"` + good[:76] + `\n` + good[76:] + `"`,
		"with a line break for a": `"` + good[:84] + `\n\n\n\n"`,
		"the URL alphabet":        `"` + strings.Repeat("_-", 43) + `=="`,
		"stray bits at the end":   `"` + strings.Repeat("A", 85) + `B=="`,
	} {
		t.Run(name, func(t *testing.T) {
			for _, body := range []string{
				`{"a":1,"signature":` + signature + `}`,
				`{"a":1,"general":{"signature":` + signature + `}}`,
				`{"a":1,"signature":` + signature + `,"general":{"signature":"` + good + `"}}`,
				`{"general":{"signature":"` + good + `"},"signature":` + signature + `,"a":1}`,
			} {
				if i, err := verify(t, body, mustKey(t, "k")); !errors.Is(err, signing.ErrNotSigned) || i != -1 {
					t.Errorf("%s: got %d, %v", body, i, err)
				}
			}
		})
	}
}

func TestMissingSignatureIsNotSigned(t *testing.T) {
	good := signatureOf("k", "a:1")
	for _, body := range []string{
		`{"a":1}`, `{}`, `{"a":1,"Signature":"` + good + `"}`, `{"a":1,"x":{"signature":"` + good + `"}}`,
		`{"a":1,"general":[{"signature":"` + good + `"}]}`, `{"a":1,"x":{"general":{"signature":"` + good + `"}}}`,
		`{"a":1,"general":{"x":{"signature":"` + good + `"}}}`, `{"a":1,"general:signature":"` + good + `"}`,
		`[{"signature":"` + good + `"}]`, `"` + good + `"`, `null`,
	} {
		if i, err := verify(t, body, mustKey(t, "k")); !errors.Is(err, signing.ErrNotSigned) || i != -1 {
			t.Errorf("%s: got %d, %v", body, i, err)
		}
	}
}

func TestGeneralSignatureCountsOnlyWithoutATopLevelOne(t *testing.T) {
	good, bad := signatureOf("k", "a:1"), signatureOf("other", "a:1")
	key := mustKey(t, "k")
	for body, want := range map[string]error{
		`{"a":1,"general":{"signature":"` + good + `"}}`:                              nil,
		`{"general":{"signature":"` + good + `"},"a":1}`:                              nil,
		`{"a":1,"signature":"` + good + `","general":{"signature":"` + bad + `"}}`:    nil,
		`{"a":1,"general":{"signature":"` + good + `"},"signature":"` + bad + `"}`:    signing.ErrNoValidSignature,
		`{"a":1,"general":{"signature":"` + bad + `"}}`:                               signing.ErrNoValidSignature,
		`{"a":1,"\u0073ignature":"` + strings.ReplaceAll(good, "/", `\/`) + `"}`:      nil,
		`{"a":1,"general":{"signature":"` + good + `","x":1}}`:                        signing.ErrNoValidSignature,
		`{"a":1,"general":{"frame_mode":"x","signature":"` + good + `","extra":{} }}`: nil,
	} {
		if _, err := verify(t, body, key); !errors.Is(err, want) || (want == nil && err != nil) {
			t.Errorf("%s: got %v, want %v", body, err, want)
		}
	}
}

// Every byte of a callback is changed in turn. What still verifies must say
// the same: the changed byte was white space, an escape's spelling, or part of
// what the scheme leaves out.
func TestOneChangedByteFails(t *testing.T) {
	signed, key := callback(t)
	original := mustParse(t, string(signed))
	for i := range signed {
		for _, flip := range []byte{0x01, 0x02, 0x10, 0x20, 0x80} {
			changed := append([]byte(nil), signed...)
			changed[i] ^= flip
			b, err := signing.Parse(changed)
			if err != nil {
				continue
			}
			if _, err := b.Verify(key); err == nil && b.Canonical() != original.Canonical() {
				t.Errorf("byte %d changed by %#x still verifies", i, flip)
			} else if err == nil {
				t.Errorf("byte %d changed by %#x goes unnoticed", i, flip)
			}
			b.Release()
		}
	}
}

func TestManyGoroutinesShareAKey(t *testing.T) {
	keys := []*signing.Key{mustKey(t, "first"), mustKey(t, "second")}
	var wait sync.WaitGroup
	for worker := range 8 {
		wait.Go(func() {
			for i := range 300 {
				secret := []string{"first", "second"}[i%2]
				message := fmt.Sprintf("id:%d;worker:%d", i, worker)
				body := fmt.Sprintf(`{"worker":%d,"id":%d,"signature":"%s"}`, worker, i, signatureOf(secret, message))
				b, err := signing.Parse([]byte(body))
				if err != nil {
					t.Error(err)
					return
				}
				if got, err := b.Verify(keys...); err != nil || got != i%2 {
					t.Errorf("got %d, %v, want %d", got, err, i%2)
				}
				if got := b.Canonical(); got != message {
					t.Errorf("got %q, want %q", got, message)
				}
				if v, _ := b.Lookup("id"); v.Text() != fmt.Sprint(i) {
					t.Errorf("id: got %q, want %d", v.Text(), i)
				}
				b.Release()
			}
		})
	}
	wait.Wait()
}

func TestVerifyingACallbackAllocatesNothing(t *testing.T) {
	signed, key := callback(t)
	check := func() {
		b, err := signing.Parse(signed)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := b.Verify(key); err != nil {
			t.Fatal(err)
		}
		if v, ok := b.Lookup("payment:sum:amount"); !ok || len(v.Bytes()) == 0 {
			t.Fatal("no amount")
		}
		b.Release()
	}
	check()
	if raceEnabled {
		return // the race detector makes pools forget on purpose
	}
	if got := testing.AllocsPerRun(1000, check); got >= 1 {
		t.Errorf("got %v allocations, want 0", got)
	}
}

func TestReleaseTwiceIsHarmless(t *testing.T) {
	b, err := signing.Parse([]byte(`{"a":1}`))
	if err != nil {
		t.Fatal(err)
	}
	b.Release()
	b.Release()
	one, two := mustParse(t, `{"a":1}`), mustParse(t, `{"b":2}`)
	if one == two || one.Canonical() != "a:1" || two.Canonical() != "b:2" {
		t.Errorf("two bodies share memory: %q, %q", one.Canonical(), two.Canonical())
	}
	(*signing.Body)(nil).Release()
}
