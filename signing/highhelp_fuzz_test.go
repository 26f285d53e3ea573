package signing_test

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"testing"

	"tolem/signing"
)

// FuzzHighHelpCanonical compares with a second implementation that shares
// nothing with the first: decode into a tree, join, sort.
func FuzzHighHelpCanonical(f *testing.F) {
	seedBodies(f)
	vectors, _ := highHelpVectors(f)
	for _, v := range vectors {
		f.Add([]byte(v.Body))
	}
	for _, body := range []string{`{"a:b":{"c::d":null},"e":[{},[],[null]]}`, `{"frame_mode":{"signature":null,":":1}}`, `{"a":[0,1,2,3,4,5,6,7,8,9,10],":":1}`} {
		f.Add([]byte(body))
	}
	key, err := signing.NewHMACAlertKey("fuzz")
	if err != nil {
		f.Fatal(err)
	}
	signer, err := signing.NewHMACSigner("fuzz")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, data []byte) { checkHighHelp(t, data, signer, key) })
}

func TestHighHelpCanonicalStringIsTheNaiveOne(t *testing.T) {
	p := hmacPair(t, "secret")
	for seed := range 2000 {
		g := newGenerator(uint64(seed) + 1<<41)
		checkHighHelp(t, []byte(g.body()), p.signer, p.key)
	}
}

// checkHighHelp checks the canonical string under every null rule, and that
// what is signed in a dialect verifies in it and under auto.
func checkHighHelp(t *testing.T, data []byte, signer signing.Signer, key signing.AlertKey) {
	b, err := signing.Parse(data)
	if err != nil {
		return
	}
	defer b.Release()
	if b.Root() != signing.KindObject {
		return
	}
	gate := b.Canonical()
	for null, text := range map[signing.NullAs]string{signing.NullEmpty: "", signing.NullNone: "None", signing.NullText: "null", signing.NullSkip: ""} {
		d := signing.Dialect{NullAs: null, Padding: signing.PaddingOn, Digest: signing.DigestOnce}
		got, err := b.HighHelpCanonical(d)
		if want := naiveHighHelp(t, data, text, null == signing.NullSkip); err != nil || got != want {
			t.Fatalf("%q, null as %s: %v\n got %q\nwant %q", data, null, err, got, want)
		}
		signature, err := signer.Sign(data, timestamp, d)
		if err != nil {
			t.Fatalf("%q: sign: %v", data, err)
		}
		for _, tried := range []signing.Dialect{d, signing.DefaultAlertDialect()} {
			if _, err := b.VerifyHighHelp(key, signature, timestamp, tried); err != nil {
				t.Fatalf("%q: signed as %s, tried %s: %v", data, d, tried, err)
			}
		}
	}
	if got := b.Canonical(); got != gate {
		t.Fatalf("%q: the Gate's string was %q and became %q", data, gate, got)
	}
}

func naiveHighHelp(t *testing.T, data []byte, null string, skip bool) string {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	var tree any
	if err := decoder.Decode(&tree); err != nil {
		t.Fatalf("%q: encoding/json: %v", data, err)
	}
	var lines []string
	var walk func(path string, value any)
	walk = func(path string, value any) {
		switch v := value.(type) {
		case map[string]any:
			for name, member := range v {
				walk(path+name+":", member)
			}
		case []any:
			for i, element := range v {
				walk(path+strconv.Itoa(i)+":", element)
			}
		case string:
			lines = append(lines, path+v)
		case json.Number:
			lines = append(lines, path+v.String())
		case bool:
			lines = append(lines, path+map[bool]string{true: "1", false: "0"}[v])
		case nil:
			if !skip {
				lines = append(lines, path+null)
			}
		}
	}
	walk("", tree)
	slices.Sort(lines)
	return strings.Join(lines, ";")
}
