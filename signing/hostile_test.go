package signing_test

import (
	"errors"
	"fmt"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"tolem/signing"
)

func TestHostileBodiesAreRefused(t *testing.T) {
	deep := func(n int) string { return strings.Repeat(`{"a":`, n) + "1" + strings.Repeat("}", n) }
	for _, tt := range []struct {
		name, body string
		want       error
	}{
		{"nothing", "", signing.ErrMalformed},
		{"blanks only", " \n", signing.ErrMalformed},
		{"not JSON", "signature=1", signing.ErrMalformed},
		{"a byte order mark", "\xef\xbb\xbf{}", signing.ErrMalformed},
		{"UTF-16", "{\x00}\x00", signing.ErrMalformed},
		{"a name twice", `{"a":1,"a":1}`, signing.ErrMalformed},
		{"a name twice, spelt with an escape", `{"a":1,"\u0061":1}`, signing.ErrMalformed},
		{"a name twice, deep down", `{"x":[{"y":{"a":1,"b":2,"a":3}}]}`, signing.ErrMalformed},
		{"a name twice, one a container", `{"a":{},"a":1}`, signing.ErrMalformed},
		{"a name twice, with a colon", `{"a:b":1,"a\u003ab":1}`, signing.ErrMalformed},
		{"the empty name twice", `{"":1,"":1}`, signing.ErrMalformed},
		{"signature twice", `{"signature":"a","signature":"b"}`, signing.ErrMalformed},
		{"a name twice within a signature", `{"signature":{"a":1,"a":2}}`, signing.ErrMalformed},
		{"general twice", `{"general":{"signature":"a"},"general":{"signature":"b"}}`, signing.ErrMalformed},
		{"a second value", `{}{}`, signing.ErrMalformed},
		{"a trailing comma after the value", `{},`, signing.ErrMalformed},
		{"a trailing NUL", "{}\x00", signing.ErrMalformed},
		{"a trailing comma in an object", `{"a":1,}`, signing.ErrMalformed},
		{"a trailing comma in an array", `[1,]`, signing.ErrMalformed},
		{"a comment", `{/**/}`, signing.ErrMalformed},
		{"a name without quotes", `{a:1}`, signing.ErrMalformed},
		{"a name without a value", `{"a"}`, signing.ErrMalformed},
		{"a name without a value, 2", `{"a":}`, signing.ErrMalformed},
		{"members without a comma", `{"a":1 "b":2}`, signing.ErrMalformed},
		{"elements without a comma", `[1 2]`, signing.ErrMalformed},
		{"an unclosed object", `{"a":1`, signing.ErrMalformed},
		{"an unclosed array", `[1`, signing.ErrMalformed},
		{"an unclosed string", `{"a":"x`, signing.ErrMalformed},
		{"an unclosed name", `{"a`, signing.ErrMalformed},
		{"an unclosed escape", `{"a":"\`, signing.ErrMalformed},
		{"brackets that do not match", `{"a":[1}}`, signing.ErrMalformed},
		{"depth 33", deep(33), signing.ErrMalformed},
		{"depth 33 of arrays", strings.Repeat("[", 33) + strings.Repeat("]", 33), signing.ErrMalformed},
		{"half a million brackets", strings.Repeat("[", 500000), signing.ErrMalformed},
		{"depth 33 under a signature", `{"signature":` + deep(32) + `}`, signing.ErrMalformed},
		{"a lone high surrogate", `{"a":"\ud83d"}`, signing.ErrMalformed},
		{"a lone high surrogate before text", `{"a":"\ud83dx12345"}`, signing.ErrMalformed},
		{"a lone high surrogate before another escape", `{"a":"\ud83d\u0041"}`, signing.ErrMalformed},
		{"two high surrogates", `{"a":"\ud83d\ud83d"}`, signing.ErrMalformed},
		{"a lone low surrogate", `{"a":"\ude00"}`, signing.ErrMalformed},
		{"surrogates the wrong way round", `{"a":"\ude00\ud83d"}`, signing.ErrMalformed},
		{"a lone surrogate in a name", `{"\ud83d":1}`, signing.ErrMalformed},
		{"an encoded surrogate", "{\"a\":\"\xed\xa0\x80\"}", signing.ErrMalformed},
		{"invalid UTF-8 in a value", "{\"a\":\"\xff\"}", signing.ErrMalformed},
		{"invalid UTF-8 in a name", "{\"\xc3\":1}", signing.ErrMalformed},
		{"a cut rune before an escape", "{\"a\":\"\xc3\\n\"}", signing.ErrMalformed},
		{"an overlong encoding", "{\"a\":\"\xc0\xaf\"}", signing.ErrMalformed},
		{"a NUL in a string", "{\"a\":\"x\x00y\"}", signing.ErrMalformed},
		{"a line break in a string", "{\"a\":\"x\ny\"}", signing.ErrMalformed},
		{"a tab in a name", "{\"a\t\":1}", signing.ErrMalformed},
		{"an unknown escape", `{"a":"\x41"}`, signing.ErrMalformed},
		{"a capital \\U", `{"a":"\U0041"}`, signing.ErrMalformed},
		{"three hex digits", `{"a":"\u004"}`, signing.ErrMalformed},
		{"a bad hex digit", `{"a":"\u004g"}`, signing.ErrMalformed},
		{"NaN", `{"a":NaN}`, signing.ErrMalformed},
		{"a word cut short", `{"a":tru}`, signing.ErrMalformed},
		{"a word cut short at the end", `nul`, signing.ErrMalformed},
		{"a word too long", `{"a":nulll}`, signing.ErrMalformed},
		{"capitals", `{"a":False}`, signing.ErrMalformed},
		{"false cut short", `[fals]`, signing.ErrMalformed},
		{"a leading zero", `{"a":01}`, signing.ErrMalformed},
		{"a plus sign", `{"a":+1}`, signing.ErrMalformed},
		{"a sign alone", `{"a":-}`, signing.ErrMalformed},
		{"a point alone", `{"a":.5}`, signing.ErrMalformed},
		{"a point at the end", `{"a":5.}`, signing.ErrMalformed},
		{"an exponent without digits", `{"a":5e}`, signing.ErrMalformed},
		{"an exponent with a sign only", `{"a":5e+}`, signing.ErrMalformed},
		{"hexadecimal", `{"a":0x10}`, signing.ErrMalformed},
		{"single quotes", `{'a':1}`, signing.ErrMalformed},
		{"a non-breaking space", "{\u00a0}", signing.ErrMalformed},
		{"one byte over the limit", `"` + strings.Repeat("x", signing.MaxBody-1) + `"`, signing.ErrTooLarge},
		{"lines that unfold to gigabytes", `{"` + strings.Repeat("k", 500000) + `":[` + strings.Repeat("1,", 200000) + `1]}`, signing.ErrTooLarge},
		{"containers that unfold to gigabytes", `{"` + strings.Repeat("k", 500000) + `":[` + strings.Repeat("[],", 100000) + `1]}`, signing.ErrTooLarge},
		{"more members than can be sorted in time", `{"a":[` + strings.Repeat("1,", 70000) + `1]}`, signing.ErrTooLarge},
		{"more empty objects than can be kept", `[` + strings.Repeat("{},", 70000) + `1]`, signing.ErrTooLarge},
		{"unsigned members that unfold to gigabytes", `{"frame_mode":{"` + strings.Repeat("k", 500000) + `":[` + strings.Repeat("1,", 200000) + `1]}}`, signing.ErrTooLarge},
	} {
		t.Run(tt.name, func(t *testing.T) {
			body, err := signing.Parse([]byte(tt.body))
			if !errors.Is(err, tt.want) || body != nil {
				t.Fatalf("got %v, %v; want nil, %v", body, err, tt.want)
			}
			other := signing.ErrTooLarge
			if tt.want == other {
				other = signing.ErrMalformed
			}
			if errors.Is(err, other) {
				t.Errorf("%v is both", err)
			}
			if _, err := signing.Sign([]byte(tt.body), mustKey(t, "s")); !errors.Is(err, tt.want) {
				t.Errorf("Sign: got %v, want %v", err, tt.want)
			}
		})
	}
}

func TestStrangeButValidBodiesAreRead(t *testing.T) {
	for name, body := range map[string]string{
		"depth 32":                     strings.Repeat(`{"a":`, 32) + "1" + strings.Repeat("}", 32),
		"depth 32 of arrays":           strings.Repeat("[", 32) + strings.Repeat("]", 32),
		"exactly the limit":            `"` + strings.Repeat("x", signing.MaxBody-2) + `"`,
		"one name in many objects":     `{"a":{"a":{"a":1},"b":{"a":1}},"b":[{"a":1},{"a":1}]}`,
		"names equal but for case":     `{"a":1,"A":1}`,
		"an escaped NUL":               `{"\u0000":"\u0000"}`,
		"a surrogate pair":             `{"\ud83d\ude00":"\uD83D\uDE00"}`,
		"the highest character":        `{"a":"\udbff\udfff"}`,
		"a noncharacter":               "{\"a\":\"\\uffff\uffff\"}",
		"delete":                       "{\"a\":\"\x7f\"}",
		"a number of 100,000 digits":   "[" + strings.Repeat("9", 100000) + "]",
		"a fraction of 100,000 digits": "[0." + strings.Repeat("9", 100000) + "]",
		"an exponent of many digits":   "[1e" + strings.Repeat("9", 100000) + "]",
		"a name full of colons":        `{"` + strings.Repeat(":", 100000) + `":1}`,
	} {
		t.Run(name, func(t *testing.T) { mustParse(t, body).Canonical() })
	}
}

func TestErrorsHoldNothingOfTheBody(t *testing.T) {
	const secret = "7011112233"
	for _, body := range []string{
		`{"` + secret + `":1,"` + secret + `":2}`, `{"a":"` + secret + `\x"}`, `{"a":` + secret + `x}`, secret + secret + "x",
		`{"a":"` + secret, `{"` + secret + `"}`, "{\"a\":\"" + secret + "\xff\"}", `{"signature":"` + secret + `"}`, `{"signature":` + secret + `}`,
	} {
		b, err := signing.Parse([]byte(body))
		if err == nil {
			_, err = b.Verify(mustKey(t, "s"))
			b.Release()
		}
		if err == nil || strings.Contains(err.Error(), secret) {
			t.Errorf("%s: got %v", body, err)
		}
	}
}

// Hostile bodies of the greatest size: each is read, put in order and refused.
// A quadratic algorithm would take longer than tests may; BenchmarkGreatBodies
// tells how the time grows. With the race detector they are a tenth as large.
func TestGreatBodiesAreRefused(t *testing.T) {
	scale := 1
	if raceEnabled {
		scale = 10
	}
	for name, body := range greatBodies(scale) {
		t.Run(name, func(t *testing.T) {
			if len(body) > signing.MaxBody {
				t.Fatalf("the test's body is too large: %d", len(body))
			}
			refuseGreatBody(t, body)
		})
	}
}

// BenchmarkGreatBodies compares the greatest bodies with some of a tenth of
// their size: the time for a byte should hardly differ.
func BenchmarkGreatBodies(b *testing.B) {
	for _, scale := range []int{10, 1} {
		for name, body := range greatBodies(scale) {
			b.Run(fmt.Sprintf("%s/a %dth", name, scale), func(b *testing.B) {
				b.SetBytes(int64(len(body)))
				for b.Loop() {
					refuseGreatBody(b, body)
				}
			})
		}
	}
}

func refuseGreatBody(t testing.TB, body string) {
	t.Helper()
	b, err := signing.Parse([]byte(body))
	if err != nil {
		t.Fatal(err)
	}
	defer b.Release()
	if _, err := b.Verify(mustKey(t, "s")); !errors.Is(err, signing.ErrNoValidSignature) {
		t.Errorf("got %v", err)
	}
	b.Has("no:such:path")
}

// greatBodies are hostile in one way each, and as large as a body may be,
// divided by scale.
func greatBodies(scale int) map[string]string {
	flat := func(format string, n int, and string) string {
		var out strings.Builder
		out.WriteByte('{')
		for i := range n / scale {
			fmt.Fprintf(&out, format, i)
		}
		return out.String() + and + `"end":1}`
	}
	signature := `"signature":"` + strings.Repeat("A", 86) + `==",`
	return map[string]string{
		"60,000 names":                 flat(`"%d":1,`, 60000, signature),
		"names in reverse":             reversed(60000 / scale),
		"names alike in natural order": flat(`"%08d":1,`, 60000, signature),
		"names with blanks":            flat(`" \t%d ":1,`, 60000, signature),
		"one long name above many":     `{` + signature + `"` + strings.Repeat("k", 60) + `":{"` + strings.Repeat("0", 20) + `":` + flat(`"p%d":1,`, 38000, "") + `}}`,
		"one long number above many":   `{` + signature + `"` + strings.Repeat("9", 60) + `":[` + strings.Repeat("1,", 43000/scale) + `1]}`,
		"many elements":                `{` + signature + `"a":[` + strings.Repeat("1,", 60000/scale) + `1]}`,
		"many empty objects":           `{` + signature + `"a":[` + strings.Repeat("{},", 60000/scale) + `1]}`,
		"long names alike to the end":  flat(`"`+strings.Repeat("1", 1000)+`%d":1,`, 1000, signature),
	}
}

func reversed(n int) string {
	var out strings.Builder
	out.WriteString(`{"signature":"` + strings.Repeat("A", 86) + `=="`)
	for i := range n {
		out.WriteString(`,"` + strconv.Itoa(n-i) + `":1`)
	}
	return out.String() + "}"
}

// After a burst of the greatest bodies, the memory that stays in use is that
// of ordinary ones.
func TestMemoryDoesNotGrow(t *testing.T) {
	great := []byte(reversed(60000))
	small := []byte(`{"a":1e999999999,"b":1.5e300}`)
	use := func(data []byte, times int) {
		for range times {
			b, err := signing.Parse(data)
			if err != nil {
				t.Fatal(err)
			}
			b.Canonical()
			b.Release()
		}
	}
	use(small, 10)
	before := heap()
	use(great, 10)
	use(small, 1000)
	if grown := int64(heap()) - int64(before); grown > 2<<20 {
		t.Errorf("the heap grew by %d bytes", grown)
	}
}

// heap is what is in use. One garbage collection only: a pool keeps its
// objects over the first one, so what it hoards shows.
func heap() uint64 {
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}
