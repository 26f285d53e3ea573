package topup_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"tolem/topup"
)

func TestFingerprintsDifferWhereverThePartsDo(t *testing.T) {
	of := func(build func(*topup.Fingerprint)) []byte {
		var f topup.Fingerprint
		build(&f)
		return f.Sum()
	}
	base := of(func(f *topup.Fingerprint) { f.AddText("ab"); f.AddText("c") })
	if len(base) != 16 {
		t.Errorf("got %d bytes", len(base))
	}
	if same := of(func(f *topup.Fingerprint) { f.Add([]byte("ab")); f.AddText("c") }); !bytes.Equal(same, base) {
		t.Error("a text and its bytes must be the same part")
	}
	seen := map[string]string{string(base): "base"}
	for name, build := range map[string]func(*topup.Fingerprint){
		"cut elsewhere": func(f *topup.Fingerprint) { f.AddText("a"); f.AddText("bc") },
		"joined":        func(f *topup.Fingerprint) { f.AddText("abc") },
		"an empty one":  func(f *topup.Fingerprint) { f.AddText("ab"); f.AddText("c"); f.AddText("") },
		"an absent one": func(f *topup.Fingerprint) { f.AddText("ab"); f.AddText("c"); f.AddAbsent() },
		"nothing":       func(*topup.Fingerprint) {},
	} {
		sum := string(of(build))
		if other, taken := seen[sum]; taken {
			t.Errorf("%s and %s are the same", name, other)
		}
		seen[sum] = name
	}
}

func TestShownWordsAreBoundedAndPlain(t *testing.T) {
	for text, want := range map[string]string{
		"":                       "",
		"General decline":        "General decline",
		"a\nb\x00c\u0085d":       "abcd",
		"\xffx":                  "\ufffdx",
		strings.Repeat("ж", 200): strings.Repeat("ж", 127),
		strings.Repeat("a", 256): strings.Repeat("a", 255),
	} {
		if got := topup.Shown(text); got != want {
			t.Errorf("Shown(%q): got %q, want %q", text, got, want)
		}
	}
}

func TestParseDate(t *testing.T) {
	for text, want := range map[string]time.Time{
		"2022-03-25T16:08:46+0500":  time.Date(2022, 3, 25, 11, 8, 46, 0, time.UTC),
		"2022-03-25T16:08:46+05:00": time.Date(2022, 3, 25, 11, 8, 46, 0, time.UTC),
		"2022-03-25T11:08:46Z":      time.Date(2022, 3, 25, 11, 8, 46, 0, time.UTC),
		"2022-03-25":                {},
		"1648206526":                {},
		"":                          {},
		"2000-01-01T00:00:00+0600":  {}, // 1999 in UTC
		"9999-12-31T23:59:59-1200":  {}, // 10000 in UTC
	} {
		if got := topup.ParseDate(text); got != want {
			t.Errorf("%q: got %v, want %v", text, got, want)
		}
	}
}
