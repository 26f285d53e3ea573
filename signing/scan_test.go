package signing_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"tolem/signing"
)

// part is what may stand in a JSON string, and the text that it stands for.
type part struct{ raw, text string }

// plainParts stand for themselves. Those of one byte are all neighbours of the
// bytes at which the scanner stops: when eight bytes are looked at as one
// number, it is neighbours that could be taken for them.
var plainParts = []part{
	{" ", " "}, {"!", "!"}, {"#", "#"}, {"/", "/"}, {"0", "0"}, {"9", "9"}, {";", ";"}, {"A", "A"}, {"[", "["}, {"]", "]"},
	{"_", "_"}, {"z", "z"}, {"\x7f", "\x7f"}, {"я", "я"}, {"\u0080", "\u0080"}, {"€", "€"}, {"😀", "😀"},
}

var escapedParts = []part{
	{`\"`, `"`}, {`\\`, `\`}, {`\/`, `/`}, {`\n`, "\n"}, {`\u0000`, "\x00"}, {`\u044f`, "я"}, {`\ud83d\ude00`, "😀"},
}

// badParts make a string malformed wherever they stand in it.
var badParts = []string{
	"\x00", "\x01", "\n", "\x1f", "\x80", "\xbf", "\xc3", "\xed\xa0\x80", "\xff", `\`, `\x`, `\u12`, `\ud83d`, `"`, `" `,
}

// canonicalOf gives the body's memory back at once, for the next one to use.
func canonicalOf(t *testing.T, body string) string {
	t.Helper()
	b, err := signing.Parse([]byte(body))
	if err != nil {
		t.Fatalf("%q: %v", body, err)
	}
	defer b.Release()
	return b.Canonical()
}

// eachPlace gives, for strings of up to three words and every place in them,
// what stands before and behind it.
func eachPlace(do func(before, behind string)) {
	for _, filling := range []string{"k", "#", "]", " ", "!", ";"} {
		for size := range 25 {
			for at := range size + 1 {
				do(strings.Repeat(filling, at), strings.Repeat(filling, size-at))
			}
		}
	}
}

// The scanner reads strings eight bytes at a time, and otherwise near the end of
// the body: here they stand at the end, and far from it.
func bodiesWith(raw string) []string {
	far := strings.Repeat(" ", 8)
	return []string{`{"a":"` + raw + `"}`, `{"a":"` + raw + `"}` + far, `{"` + raw + `":1}`, `{"` + raw + `":1}` + far}
}

func TestEveryByteIsReadAtEveryPlaceInAWord(t *testing.T) {
	for _, p := range slices.Concat(plainParts, escapedParts, []part{{":", ":"}}) {
		eachPlace(func(before, behind string) {
			text := before + p.text + behind
			value, name := "a:"+text, strings.ReplaceAll(text, ":", "::")+":1"
			for i, body := range bodiesWith(before + p.raw + behind) {
				want := value
				if i >= 2 {
					want = name
				}
				if got := canonicalOf(t, body); got != want {
					t.Fatalf("%q: got %q, want %q", body, got, want)
				}
			}
		})
	}
}

func TestABadByteIsRefusedAtEveryPlaceInAWord(t *testing.T) {
	for _, bad := range badParts {
		eachPlace(func(before, behind string) {
			for _, body := range bodiesWith(before + bad + behind) {
				if _, err := signing.Parse([]byte(body)); !errors.Is(err, signing.ErrMalformed) {
					t.Fatalf("%q: got %v", body, err)
				}
			}
		})
	}
}

// Names are sorted by their first eight bytes, and as a whole where those are
// the same.
func TestNamesThatBeginAlikeAreSortedAsAWhole(t *testing.T) {
	names := []string{"paymen", "payment", "payment_", "payment_i", "payment_id", "payment_status"}
	want := strings.Join(names, ":1;") + ":1"
	for order := range permutations(names) {
		body := `{"` + strings.Join(order, `":1,"`) + `":1}`
		if got := canonicalOf(t, body); got != want {
			t.Fatalf("%s: got %q", body, got)
		}
		for _, twice := range names {
			again := strings.Replace(body, "}", `,"`+twice+`":2}`, 1)
			if _, err := signing.Parse([]byte(again)); !errors.Is(err, signing.ErrMalformed) {
				t.Fatalf("%s: got %v", again, err)
			}
		}
	}
}

// permutations yields every order of list, in one slice that is used again.
func permutations(list []string) func(yield func([]string) bool) {
	return func(yield func([]string) bool) { permute(slices.Clone(list), 0, yield) }
}

func permute(list []string, from int, yield func([]string) bool) bool {
	if from == len(list) {
		return yield(list)
	}
	for i := from; i < len(list); i++ {
		list[from], list[i] = list[i], list[from]
		if !permute(list, from+1, yield) {
			return false
		}
		list[from], list[i] = list[i], list[from]
	}
	return true
}

func TestNamesThatBeginLikeThoseLeftOutAreSigned(t *testing.T) {
	body := `{"frame_mo":1,"frame_model":2,"frame_modes":3,"general_":{"signatur":4,"signature_":5},"signatures":6,"signature":"x","frame_mode":7}`
	want := "frame_mo:1;frame_model:2;frame_modes:3;general_:signatur:4;general_:signature_:5;signatures:6"
	if got := canonicalOf(t, body); got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

// The memory of a body is used again for the next one.
func TestNothingOfAnEarlierBodyIsLeft(t *testing.T) {
	bodies := map[string]string{
		`{"a":"text","b":["x",1.5,{"c":"d"}],"signature":{"e":"f"},"g":true}`: "a:text;b:0:x;b:1:1.5;b:2:c:d;g:1",
		`{"a":{},"b":[],"c":null,"d":[[],{}],"e":{"f":null}}`:                 "c:;e:f:",
		`[{"b":{}},"x"]`:                      "1:x",
		`{"frame_mode":{"a":1},"b":{"c":[]}}`: "",
	}
	for range 100 {
		for body, want := range bodies {
			b, err := signing.Parse([]byte(body))
			if err != nil {
				t.Fatal(err)
			}
			if got := b.Canonical(); got != want {
				t.Fatalf("%s: got %q, want %q", body, got, want)
			}
			for _, path := range []string{"a", "b", "c", "d", "e"} {
				if v, _ := b.Lookup(path); v.Kind() >= signing.KindObject && len(v.Bytes()) > 0 {
					t.Fatalf("%s: %s has the text %q", body, path, v.Bytes())
				}
			}
			b.Release()
		}
		if _, err := signing.Parse([]byte(`{"a":"text","b":{"c":"d","e":`)); err == nil {
			t.Fatal("half a body is read")
		}
	}
}
