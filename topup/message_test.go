package topup_test

import (
	"bytes"
	"strings"
	"testing"

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
