package signing_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"

	"tolem/signing"
)

func seedBodies(f *testing.F) {
	for _, v := range publishedVectors(f) {
		f.Add([]byte(v.Body))
	}
	for _, body := range []string{
		``, `{}`, `[]`, `null`, ` {"a" : [1, -0.5e+3, true, false, null, "x"]} `, `{"a":1,"\u0061":2}`, `{"a":{"":{"b":1}},"a:b":2}`,
		`"\ud83d\ude00\ud83d"`, "\"\xed\xa0\x80\"", "\xef\xbb\xbf{}", `{"p10":1,"p2":1,"p 2":1,"01":1,"1":1}`, `{"a":1e999999999}`, `{}x`,
		`{"signature":"x","general":{"signature":"y"},"frame_mode":1}`, strings.Repeat("[", 33) + strings.Repeat("]", 33), `01`, `-`, `1.`, `"\/\b\x"`,
		`{"a 0":1,"a0 ":2,"1 a":3,"1a":4,"\u0000":5," ":6,"":7}`,
	} {
		f.Add([]byte(body))
	}
}

// FuzzParse: what Parse accepts is what jsontext accepts, but for the depth,
// and they see the same values.
func FuzzParse(f *testing.F) {
	seedBodies(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		want, depth, wantErr := readWithJSONText(data)
		b, err := signing.Parse(data)
		if wantErr == nil && depth > signing.MaxDepth {
			wantErr = fmt.Errorf("depth %d", depth)
		}
		if (err == nil) != (wantErr == nil) {
			t.Fatalf("%q: got %v, jsontext says %v", data, err, wantErr)
		}
		if err != nil {
			return
		}
		defer b.Release()
		for path, scalar := range want {
			v, ok := b.Lookup(path)
			if !ok || v.Text() != scalar {
				t.Fatalf("%q: %s: got %q, %v, jsontext says %q", data, path, v.Text(), ok, scalar)
			}
		}
		if i, err := b.Verify(mustKey(t, "fuzz")); err == nil || i != -1 {
			t.Fatalf("%q verifies", data)
		}
	})
}

// readWithJSONText reads data strictly and returns its scalars by path, where
// the path is one that Lookup promises to find.
func readWithJSONText(data []byte) (map[string]string, int, error) {
	decoder := jsontext.NewDecoder(bytes.NewReader(data))
	scalars := map[string]string{}
	deepest := 0
	for {
		token, err := decoder.ReadToken()
		if err != nil {
			return nil, 0, err
		}
		deepest = max(deepest, decoder.StackDepth())
		if path, ok := lookupPath(decoder); ok {
			switch token.Kind() {
			case '"', '0', 't', 'f', 'n':
				text := token.String()
				if token.Kind() == 'n' {
					text = ""
				}
				scalars[path] = text
			}
		}
		if decoder.StackDepth() == 0 {
			break
		}
	}
	if _, err := decoder.ReadToken(); err != io.EOF {
		return nil, 0, fmt.Errorf("trailing data: %v", err)
	}
	return scalars, deepest, nil
}

// lookupPath is the path of the value the decoder has just read; false for
// names, and for paths that Lookup does not find or does not tell apart.
func lookupPath(decoder *jsontext.Decoder) (string, bool) {
	depth := decoder.StackDepth()
	if kind, length := decoder.StackIndex(depth); kind == '{' && length%2 == 1 {
		return "", false
	}
	var names []string
	for token := range decoder.StackPointer().Tokens() {
		if token == "" || token == "signature" || token == "frame_mode" || strings.Contains(token, ":") {
			return "", false
		}
		names = append(names, token)
	}
	return strings.Join(names, ":"), len(names) > 0
}

// FuzzCanonicalAgainstNaive compares with a second implementation that shares
// nothing with the first: decode into a tree, join, sort one by one.
func FuzzCanonicalAgainstNaive(f *testing.F) {
	seedBodies(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		b, err := signing.Parse(data)
		if err != nil {
			return
		}
		defer b.Release()
		if got, want := b.Canonical(), naiveCanonical(t, data); got != want {
			t.Fatalf("%q\n got %q\nwant %q", data, got, want)
		}
	})
}

func TestCanonicalStringIsTheNaiveOne(t *testing.T) {
	for seed := range 3000 {
		g := newGenerator(uint64(seed) + 1<<40)
		body := g.body()
		if got, want := mustParse(t, body).Canonical(), naiveCanonical(t, []byte(body)); got != want {
			t.Fatalf("%s\n got %q\nwant %q", body, got, want)
		}
	}
}

type naiveLine struct{ path, line string }

func naiveCanonical(t *testing.T, data []byte) string {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	var lines []naiveLine
	if err := naiveLines(decoder, nil, &lines); err != nil {
		t.Fatalf("%q: encoding/json: %v", data, err)
	}
	slices.SortStableFunc(lines, func(a, b naiveLine) int { return naiveNatural(a.path, b.path) })
	var out []string
	for _, l := range lines {
		out = append(out, l.line)
	}
	return strings.Join(out, ";")
}

// naiveLines reads one value and appends its lines. A nil path is the root's.
// The lines of members that are left out are read into the void.
func naiveLines(decoder *json.Decoder, path []string, lines *[]naiveLine) error {
	token, err := decoder.Token()
	if err != nil {
		return err
	}
	if delim, ok := token.(json.Delim); ok {
		for i := 0; decoder.More(); i++ {
			name := strconv.Itoa(i)
			into := lines
			if delim == '{' {
				key, err := decoder.Token()
				if err != nil {
					return err
				}
				if name = key.(string); name == "signature" || name == "frame_mode" {
					into = new([]naiveLine)
				}
			}
			if err := naiveLines(decoder, append(path[:len(path):len(path)], name), into); err != nil {
				return err
			}
		}
		_, err := decoder.Token()
		return err
	}
	if path == nil {
		return nil
	}
	var names []string
	for _, name := range path {
		names = append(names, strings.ReplaceAll(name, ":", "::"))
	}
	joined := strings.Join(names, ":")
	*lines = append(*lines, naiveLine{joined, joined + ":" + naiveScalar(token)})
	return nil
}

func naiveScalar(token json.Token) string {
	switch v := token.(type) {
	case string:
		return v
	case bool:
		return map[bool]string{true: "1", false: "0"}[v]
	case json.Number:
		if v.String() == "-0" {
			return "0"
		}
		if !strings.ContainsAny(v.String(), ".eE") {
			return v.String()
		}
		f, err := v.Float64()
		if err != nil {
			return v.String()
		}
		text, _ := json.Marshal(f)
		return string(text)
	}
	return ""
}

// naiveNatural is strnatcmp as PHP 8 has it, written over strings that are cut
// off at the front as the comparison goes on.
func naiveNatural(a, b string) int {
	if a == "" || b == "" {
		return strings.Compare(a, b)
	}
	a, b = cutZeros(a), cutZeros(b)
	for {
		a, b = cutBlanks(a), cutBlanks(b)
		x, y := digitsOf(a), digitsOf(b)
		if x != "" && y != "" {
			switch {
			case x[0] == '0' || y[0] == '0':
				if x != y {
					return strings.Compare(x, y)
				}
			case len(x) != len(y):
				return len(x) - len(y)
			case x != y:
				return strings.Compare(x, y)
			}
			a, b = a[len(x):], b[len(y):]
			if a == "" || b == "" {
				return strings.Compare(a, b)
			}
		}
		// One past the end a C string has a NUL.
		p, q := a+"\x00", b+"\x00"
		if p[0] != q[0] {
			return int(p[0]) - int(q[0])
		}
		aEnded, bEnded := len(a) <= 1, len(b) <= 1
		switch {
		case aEnded && bEnded:
			return 0
		case aEnded:
			return -1
		case bEnded:
			return 1
		}
		a, b = a[1:], b[1:]
	}
}

func cutZeros(s string) string {
	for len(s) > 1 && s[0] == '0' && digitsOf(s[1:]) != "" {
		s = s[1:]
	}
	return s
}

func cutBlanks(s string) string { return strings.TrimLeft(s, " \t\n\v\f\r") }

func digitsOf(s string) string { return s[:len(s)-len(strings.TrimLeft(s, "0123456789"))] }
