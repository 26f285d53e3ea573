package signing_test

import (
	"testing"

	"tolem/signing"
)

// A line that another message had signed stands in one that was cut anew either first, or
// within a value.
func TestWhatASignedStringBeginsWith(t *testing.T) {
	for _, tc := range []struct {
		body, name       string
		stored, verified bool // of a body that was not verified here, and of one that was
	}{
		{`{"payment":{"id":1}}`, "payment", true, true},
		{`{"payment":1}`, "payment", true, true},
		{`{"payments":1}`, "payment", false, false},
		{`{"payment":1}`, "payments", false, false},
		{`{"payment":1}`, "operation", false, false},
		{`{"operation":1,"payment":1}`, "payment", false, false},
		{`{"b10":1,"b9":2}`, "b9", true, true},   // the first one in natural order
		{`{"b10":1,"b9":2}`, "b10", true, false}, // and in that of bytes
		{`{}`, "payment", false, false},
		{`{}`, "", false, false},
	} {
		t.Run(tc.body+" "+tc.name, func(t *testing.T) {
			if got := mustParse(t, tc.body).SignedBeginsWith(tc.name); got != tc.stored {
				t.Errorf("stored: got %t, want %t", got, tc.stored)
			}
			key := mustKey(t, "a secret of the project")
			posted, err := signing.Embed([]byte(tc.body), key)
			if err != nil {
				t.Fatal(err)
			}
			b := mustParse(t, string(posted))
			if _, err := b.Verify(key); err != nil {
				t.Fatal(err)
			}
			if got := b.SignedBeginsWith(tc.name); got != tc.verified {
				t.Errorf("verified: got %t, want %t", got, tc.verified)
			}
		})
	}
}

func TestALineIsHiddenInANameOrAText(t *testing.T) {
	for body, want := range map[string]bool{
		`{"a":"x;payment:sum:amount:1"}`:       true,
		`{"a":"x;payment"}`:                    true,
		`{"a":";payment:1"}`:                   true,
		`{"a":"x;y;payment:1"}`:                true,
		`{"a":"x;operation:1"}`:                true,
		`{"a;payment":1}`:                      true,
		`{"a":"x;payment:1","b":2}`:            true, // in the first member
		`{"a":1,"b":"x;payment:1"}`:            true, // in the last one
		`{"a":{"b":["x",{"c":";payment:1"}]}}`: true,
		`{"a":"x;payments:1"}`:                 false,
		`{"a":"payment:1"}`:                    false,
		`{"a":"x;y:payment:1"}`:                false,
		`{"a":"x; payment:1"}`:                 false,
		`{"payment":{"operation":1}}`:          false,
		`{"a":"x;"}`:                           false,
		`{}`:                                   false,
	} {
		if got := mustParse(t, body).HidesLine("payment", "operation"); got != want {
			t.Errorf("%s: got %t, want %t", body, got, want)
		}
	}
}

func TestANameHasAColon(t *testing.T) {
	for body, want := range map[string]bool{
		`{"a:b":1}`:               true,
		`{":":1}`:                 true,
		`{"a:b":1,"c":2}`:         true, // the first name
		`{"a":1,"b:c":2}`:         true, // the last one
		`{"a":[{"b":1,"c:d":2}]}`: true,
		`{"a":"b:c"}`:             false,
		`{"a":{"b":1}}`:           false,
		`{}`:                      false,
	} {
		if got := mustParse(t, body).HasColonInName(); got != want {
			t.Errorf("%s: got %t, want %t", body, got, want)
		}
	}
}

// Escapes have digits in either case, and reach from the first to the last character.
func TestEscapesOfEveryDigit(t *testing.T) {
	for escaped, want := range map[string]string{
		`\u0123`: "\u0123", `\u4567`: "\u4567", `\u89ab`: "\u89ab", `\u89AB`: "\u89ab", `\ucdef`: "\ucdef", `\uCDEF`: "\ucdef",
		`\uFaFa`: "\ufafa", `\ud7ff`: "\ud7ff", `\ue000`: "\ue000", `\uffff`: "\uffff",
		`\ud800\udc00`: "\U00010000", `\uDBFF\uDFFF`: "\U0010ffff", `\udbff\udc00`: "\U0010fc00", `\ud800\udfff`: "\U000103ff",
	} {
		v, ok := mustParse(t, `{"a":"`+escaped+`"}`).Lookup("a")
		if got := v.Text(); !ok || got != want {
			t.Errorf("%s: got %q, want %q", escaped, got, want)
		}
	}
	for _, bad := range []string{`\u`, `\u1`, `\u12`, `\u123`, `\u123g`, `\u123G`, `\u@123`, `\u12"}`, `\x1234`, `\ud800\udbff`, `\ud800\ue000`, `\udc00\udc00`, `\ud800\\udc0`} {
		if b, err := signing.Parse([]byte(`{"a":"` + bad + `"}`)); err == nil {
			b.Release()
			t.Errorf("%s was read", bad)
		}
	}
}
