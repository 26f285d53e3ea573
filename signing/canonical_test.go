package signing_test

import (
	"strings"
	"testing"

	"tolem/signing"
)

func TestCanonicalString(t *testing.T) {
	for _, tt := range []struct{ name, body, want string }{
		{"a scalar is a line", `{"a":"b"}`, "a:b"},
		{"names join with colons", `{"a":{"b":{"c":"d"}}}`, "a:b:c:d"},
		{"an array's index is the name", `{"a":["x",["y"]]}`, "a:0:x;a:1:0:y"},
		{"an array may be the root", `[{"a":1},2]`, "0:a:1;1:2"},
		{"a scalar root has no name and no line", ` "x" `, ""},
		{"a colon in a name is doubled", `{"a:b":1}`, "a::b:1"},
		{"a colon in a nested name is doubled", `{"x":{":":{"a::b":1}}}`, "x::::a::::b:1"},
		{"a colon in a value is not", `{"a":"b:c;d"}`, "a:b:c;d"},
		{"an empty name is a name", `{"":{"":1},"a":{"":2}}`, "::1;a::2"},
		{"escapes are decoded in names and values", `{"\u0061\/\t":"\u0416\ud83d\ude00\"\\\b\f\n\r\t"}`, "a/\t:Ж😀\"\\\b\f\n\r\t"},
		{"strings are not trimmed", `{"a":"  x "}`, "a:  x "},
		{"true is 1 and false is 0", `{"a":true,"b":false}`, "a:1;b:0"},
		{"null and the empty string keep their line", `{"a":null,"b":""}`, "a:;b:"},
		{"empty containers give no line", `{"a":{},"b":[],"c":[{},[]],"d":1}`, "d:1"},
		{"nothing gives nothing", `{}`, ""},
		{"signature is left out at any depth", `{"signature":"x","a":{"signature":{"b":1},"c":2},"d":[{"signature":[1]}]}`, "a:c:2"},
		{"frame_mode is left out at any depth", `{"frame_mode":"x","a":{"frame_mode":{"b":1},"c":2}}`, "a:c:2"},
		{"an escaped signature is one too", `{"\u0073ignature":"x","a":1}`, "a:1"},
		{"other names like it are not", `{"Signature":1,"signature ":2,"signature:":3}`, "Signature:1;signature :2;signature:::3"},
		{"a value named signature is only a value", `{"a":["signature","frame_mode"]}`, "a:0:signature;a:1:frame_mode"},

		{"integers keep every digit", `{"a":9223372036854775807,"b":-9223372036854775808,"c":123456789012345678901234567890}`,
			"a:9223372036854775807;b:-9223372036854775808;c:123456789012345678901234567890"},
		{"zero", `{"a":0,"b":-0,"c":0.0,"d":0e5}`, "a:0;b:0;c:0;d:0"},
		{"a negative zero with a fraction or an exponent is PHP's", `{"a":-0.0,"b":-0e5,"c":-0.00E-3,"d":-1e-400}`, "a:-0;b:-0;c:-0;d:-0"},
		{"-0 is 0 in an array too", `{"a":[-0,-0 ,0]}`, "a:0:0;a:1:0;a:2:0"},
		{"1.0 is 1", `{"a":1.0,"b":100.00}`, "a:1;b:100"},
		{"1.5 is 1.5", `{"a":1.5,"b":1.50,"c":-0.25}`, "a:1.5;b:1.5;c:-0.25"},
		{"1e3 is 1000", `{"a":1e3,"b":1E+3,"c":1.5e3,"d":15e-1}`, "a:1000;b:1000;c:1500;d:1.5"},
		{"plain digits reach from 1e-6 to below 1e21", `{"a":1e-6,"b":1e20,"c":1e-7,"d":1e21,"e":1.5e-10,"f":1e100}`,
			"a:0.000001;b:100000000000000000000;c:1e-7;d:1e+21;e:1.5e-10;f:1e+100"},
		{"a number too great for a float stays", `{"a":1e999999999,"b":-1e400}`, "a:1e999999999;b:-1e400"},
		{"a number too small for a float is 0", `{"a":1e-999999999}`, "a:0"},

		{"numbers in names sort as numbers", `{"p10":1,"p2":2,"p1":3}`, "p1:3;p2:2;p10:1"},
		{"indices sort as numbers", `{"e":[0,1,2,3,4,5,6,7,8,9,10]}`,
			"e:0:0;e:1:1;e:2:2;e:3:3;e:4:4;e:5:5;e:6:6;e:7:7;e:8:8;e:9:9;e:10:10"},
		{"a digit sorts before the colon", `{"a":{"z":1},"a1":2}`, "a1:2;a:z:1"},
		{"upper case sorts before lower", `{"account":1,"AuthCode":2}`, "AuthCode:2;account:1"},
		{"the path is sorted, not the line", `{"a-b":1,"a":"z"}`, "a:z;a-b:1"},
		{"leading zeros make a fraction", `{"a10":1,"a9":2,"a09":3,"a1":4,"a01":5}`, "a01:5;a09:3;a1:4;a9:2;a10:1"},
		{"leading zeros at the very beginning are ignored", `{"10":1,"009":2,"08":3}`, "08:3;009:2;10:1"},
		{"blanks are skipped", `{"a c":1,"ab":2,"a  a":3}`, "a  a:3;ab:2;a c:1"},
		{"what is equal in natural order keeps its place", `{"a b":1,"ab":2,"01":3,"1":4}`, "01:3;1:4;a b:1;ab:2"},
		{"… also the other way round", `{"ab":2,"a b":1,"1":4,"01":3}`, "1:4;01:3;ab:2;a b:1"},
		{"one path from two structures: both are signed", `{"a":{"":{"b":1}},"a:b":2}`, "a::b:1;a::b:2"},
		{"digit-only names sort with the others", `{"10":1,"9":2,"a":3,"1:2":4,"-5":5,"01":6,"1":7}`, "-5:5;01:6;1:7;1::2:4;9:2;10:1;a:3"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			body := mustParse(t, tt.body)
			if got := body.Canonical(); got != tt.want {
				t.Errorf("got  %q\nwant %q", got, tt.want)
			}
			if got := body.Canonical(); got != tt.want {
				t.Errorf("asked again: %q", got)
			}
		})
	}
}

func TestWhiteSpaceBetweenTokensMeansNothing(t *testing.T) {
	spaced := " \t\r\n{ \"a\" :\n[ 1 , { \"b\"\t: null } , [ ] ] ,\r\"c\" : { } } \n"
	if got, want := mustParse(t, spaced).Canonical(), mustParse(t, `{"a":[1,{"b":null},[]],"c":{}}`).Canonical(); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestLookupGivesTheSignedValues(t *testing.T) {
	body := mustParse(t, `{"s":"x\u00e9","n":-1.50,"i":12345678901234567890,"t":true,"f":false,"z":null,"o":{"e":{}},"a":[[],"y"],
		"payment":{"sum":{"amount":10000}},"e":""}`)
	for _, tt := range []struct {
		path string
		kind signing.Kind
		text string
	}{
		{"s", signing.KindString, "xé"},
		{"n", signing.KindNumber, "-1.50"},
		{"i", signing.KindNumber, "12345678901234567890"},
		{"t", signing.KindBool, "true"},
		{"f", signing.KindBool, "false"},
		{"z", signing.KindNull, ""},
		{"e", signing.KindString, ""},
		{"o", signing.KindObject, ""},
		{"o:e", signing.KindObject, ""},
		{"a", signing.KindArray, ""},
		{"a:0", signing.KindArray, ""},
		{"a:1", signing.KindString, "y"},
		{"payment:sum:amount", signing.KindNumber, "10000"},
	} {
		v, ok := body.Lookup(tt.path)
		if !ok || v.Kind() != tt.kind || v.Text() != tt.text || string(v.Bytes()) != tt.text {
			t.Errorf("%s: got %v %q, %v; want %v %q", tt.path, v.Kind(), v.Text(), ok, tt.kind, tt.text)
		}
		if !body.Has(tt.path) {
			t.Errorf("%s is not there", tt.path)
		}
	}
	for _, path := range []string{"", "x", "payment:sum:amoun", "payment:sum:amount:x", "a:2", "a:00", ":s", "s:", "payment::sum"} {
		if v, ok := body.Lookup(path); ok {
			t.Errorf("%q is found: %v", path, v.Kind())
		}
	}
	if got := body.Root(); got != signing.KindObject {
		t.Errorf("root: got %v", got)
	}
}

// The promise of Lookup: only the chain of nested objects with these names
// answers to a path of plain names.
func TestNothingElseAnswersToAPathOfPlainNames(t *testing.T) {
	for _, body := range []string{
		`{"payment:id":1}`, `{"payment":{":id":1}}`, `{"payment:":{"id":1}}`, `{"payment":{"":{"id":1}}}`,
		`{"":{"payment":{"id":1}}}`, `{"payment":{"id:":1}}`, `{"payment":[{"id":1}]}`, `[{"payment":{"id":1}}]`,
		`{"payment":[["id",1]]}`, `{"payment":"id"}`, `{"payment":{"id ":1}}`, `{"Payment":{"id":1}}`,
		`{"payment\u0000":{"id":1}}`, `{"x":{"payment":{"id":1}}}`, `{"payment":{"x":{"id":1}}}`, `"payment:id"`,
	} {
		if v, ok := mustParse(t, body).Lookup("payment:id"); ok {
			t.Errorf("%s answers to payment:id with a %v", body, v.Kind())
		}
	}
	for _, body := range []string{`{"payment":{"id":1}}`, `{"\u0070ayment":{"i\u0064":1}}`, `{"payment:id":2,"payment":{"":{"id":3},"id":1}}`} {
		if v, ok := mustParse(t, body).Lookup("payment:id"); !ok || v.Text() != "1" {
			t.Errorf("%s: got %q, %v", body, v.Text(), ok)
		}
	}
}

func TestWhatIsNotSignedIsNotFound(t *testing.T) {
	body := mustParse(t, `{"signature":{"payment":{"id":1}},"frame_mode":"x","general":{"signature":"s","frame_mode":{"a":[1]},"id":2}}`)
	for _, path := range []string{"signature", "signature:payment", "signature:payment:id", "frame_mode", "general:signature", "general:frame_mode:a:0"} {
		if body.Has(path) {
			t.Errorf("%s is found", path)
		}
	}
	if !body.Has("general:id") {
		t.Error("general:id is not found")
	}
}

func TestBodyKeepsNothingOfTheCallersBytes(t *testing.T) {
	data := []byte(`{"a":"value","n":1.50}`)
	body, err := signing.Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	defer body.Release()
	for i := range data {
		data[i] = 'x'
	}
	if got := body.Canonical(); got != "a:value;n:1.5" {
		t.Errorf("got %q", got)
	}
	if v, _ := body.Lookup("n"); v.Text() != "1.50" {
		t.Errorf("n: got %q", v.Text())
	}
}

func TestKindsHaveNames(t *testing.T) {
	kinds := []string{"null", "string", "number", "boolean", "object", "array", "unknown"}
	for i, want := range kinds {
		if got := signing.Kind(i).String(); got != want {
			t.Errorf("kind %d: got %s, want %s", i, got, want)
		}
	}
	for i, text := range []string{"null", `""`, "0", "true", "{}", "[]"} {
		if got := mustParse(t, text).Root(); got.String() != kinds[i] {
			t.Errorf("%s: got %v", text, got)
		}
	}
}

func TestLongTextSurvivesWhole(t *testing.T) {
	for n := range 40 {
		text := strings.Repeat("x", n)
		for _, special := range []string{"", `\"`, `\n`, "é", "\x7f", `\u0000`, `é\\é`} {
			body := mustParse(t, `{"a":"`+text+special+text+`"}`)
			v, _ := body.Lookup("a")
			if !strings.HasPrefix(v.Text(), text) || !strings.HasSuffix(v.Text(), text) || len(v.Text()) < 2*n || len(v.Text()) > 2*n+5 {
				t.Errorf("%d × x around %s: got %q", n, special, v.Text())
			}
		}
	}
}
