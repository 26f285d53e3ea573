package topup_test

import (
	"bytes"
	"crypto/sha256"
	"fmt"
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
		strings.Repeat("a", 255): strings.Repeat("a", 255),
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
		"2000-01-01T00:00:00Z":      time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC),
		"9999-12-31T23:59:59Z":      time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC),
	} {
		if got := topup.ParseDate(text); got != want {
			t.Errorf("%q: got %v, want %v", text, got, want)
		}
	}
}

// TestShownReference: never an id of ours, and another one for each id.
func TestShownReference(t *testing.T) {
	marked := func(shown, id string) string {
		sum := sha256.Sum256([]byte(id))
		return fmt.Sprintf("%s (#%x)", shown, sum[:6])
	}
	long := strings.Repeat("a b ", 64)
	for id, want := range map[string]string{
		"":              "",
		"  ":            "",
		"\x00\u200b":    "",
		"order 7":       "order 7",
		"p_1":           marked("p_1", "p_1"),
		"order\x00 7":   marked("order 7", "order\x00 7"),
		"a\xffb c":      marked("ab c", "a\xffb c"),
		long[:255]:      long[:255],
		long:            marked(long[:255-len(marked("", long))], long),
		"ж " + long[3:]: marked("ж "+long[3:][:255-3-len(marked("", long))], "ж "+long[3:]),
	} {
		got := topup.ShownReference(id)
		if got != want {
			t.Errorf("%q: got %q, want %q", id, got, want)
		}
		if len(got) > topup.MaxIDBytes || topup.CheckID(got) == nil {
			t.Errorf("%q: %q is too long, or an id of ours", id, got)
		}
	}
}
