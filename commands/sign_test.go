package commands_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"tolem/testkit"
)

type vector struct {
	Name         string
	Secret       string
	Body         json.RawMessage
	StringToSign string `json:"string_to_sign"`
	Signature    string
}

// publishedVectors are those of the platform's own SDKs.
func publishedVectors(t *testing.T) []vector {
	t.Helper()
	data, err := os.ReadFile("../signing/testdata/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	file := decode[struct{ Vectors []vector }](t, string(data))
	if len(file.Vectors) < 18 {
		t.Fatalf("got %d vectors, want at least 18", len(file.Vectors))
	}
	return file.Vectors
}

// unread is a configuration that cannot be read: whoever tries exits with 1.
const unread = "/nonexistent/config.yaml"

func TestSignAndVerifyAgreeWithThePublishedVectors(t *testing.T) {
	for _, v := range publishedVectors(t) {
		t.Run(v.Name, func(t *testing.T) {
			body := string(v.Body)
			got := tolem(t, nil, body+"\n", "sign", "--secret", v.Secret, "--signature-only", "--config", unread)
			if want := v.Signature + "\n"; got.code != 0 || got.out != want {
				t.Errorf("--signature-only: got %+v, want %q", got, want)
			}
			got = tolem(t, nil, body, "sign", "--secret", v.Secret, "--canonical", "-", "--config", unread)
			if got.code != 0 || got.out != v.StringToSign {
				t.Errorf("--canonical: got %+v, want %q", got, v.StringToSign)
			}
			signed := tolem(t, nil, body, "sign", "--secret", v.Secret, "--config", unread)
			if !json.Valid([]byte(signed.out)) || !strings.Contains(signed.out, v.Signature) || !strings.HasSuffix(signed.out, "}\n") {
				t.Errorf("sign: got %+v", signed)
			}
			file := testkit.WriteFile(t, t.TempDir(), "signed.json", signed.out)
			if got := tolem(t, nil, "", "verify", "--secret", v.Secret, "--config", unread, file); got.code != 0 || got.out != "valid\n" || got.err != "" {
				t.Errorf("verify: got %+v", got)
			}
			if got := tolem(t, nil, signed.out, "verify", "--secret", v.Secret+"x", "--config", unread); got.code != 1 || got.out != "" {
				t.Errorf("verify with another secret: got %+v", got)
			}
		})
	}
}

func TestVerifySaysWhyNot(t *testing.T) {
	for _, tc := range []struct{ name, body, want string }{
		{"nothing", "", "malformed"},
		{"not JSON", "hello", "malformed"},
		{"a repeated name", `{"a":1,"a":1,"signature":"x"}`, "stands twice"},
		{"not signed", `{"a":1}`, "no signature member"},
		{"a placeholder", `{"a":1,"signature":"abc"}`, "has 3 characters, not 88"},
		{"another signature", `{"a":1,"signature":"` + strings.Repeat("A", 86) + `=="}`, "no valid signature"},
		{"too large", `{"a":"` + strings.Repeat("x", 1<<20) + `"}`, "too large"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := tolem(t, nil, tc.body, "verify", "--secret", "s", "--config", unread)
			if got.code != 1 || got.out != "" || !strings.HasPrefix(got.err, "tolem: not valid: ") {
				t.Errorf("got %+v", got)
			}
			contains(t, "standard error", got.err, tc.want)
		})
	}
}

func TestSignRefusesWhatCannotBeSigned(t *testing.T) {
	for _, body := range []string{"", "[]", "1", `{"a":`, `{"a":1}{}`, `{"a":"` + strings.Repeat("x", 1<<20) + `"}`} {
		for _, flag := range []string{"--canonical", "--signature-only", "--secret=s"} {
			if got := tolem(t, nil, body, "sign", "--secret=s", flag, "--config", unread); got.code != 1 || got.out != "" {
				t.Errorf("sign %s of %.20q: got %+v", flag, body, got)
			}
		}
	}
	if got := tolem(t, nil, "", "sign", "--secret=s", "nowhere.json"); got.code != 1 {
		t.Errorf("a missing file: got %+v", got)
	}
}

func TestTheCanonicalStringNeedsNoSecret(t *testing.T) {
	got := tolem(t, nil, `{"b":1,"a":{"x":null}}`, "sign", "--canonical", "--config", unread)
	if got.code != 0 || got.out != "a:x:;b:1" {
		t.Errorf("got %+v", got)
	}
}

func TestSignTakesTheSecretFromTheConfiguration(t *testing.T) {
	dir := t.TempDir()
	one := testkit.WriteFile(t, dir, "one.yaml", "jetpay: {projects: [{id: 1, secrets: [new, old]}]}\n")
	two := testkit.WriteFile(t, dir, "two.yaml", "jetpay: {projects: [{id: 1, secrets: [new, old]}, {id: 2, secrets: [other]}]}\n")
	sign := func(args ...string) string {
		got := tolem(t, nil, `{"a":1}`, append([]string{"sign", "--signature-only"}, args...)...)
		if got.code != 0 {
			t.Fatalf("sign %v: got %+v", args, got)
		}
		return got.out
	}
	if got, want := sign("--config", one), sign("--secret", "new"); got != want {
		t.Errorf("the only project: got %s, want %s: the first secret signs", got, want)
	}
	if got, want := sign("--config", two, "--project", "2"), sign("--secret", "other"); got != want {
		t.Errorf("a named project: got %s, want %s", got, want)
	}
	for _, secret := range []string{"new", "old"} {
		signed := tolem(t, nil, `{"a":1}`, "sign", "--secret", secret).out
		if got := tolem(t, nil, signed, "verify", "--config", two, "--project", "1"); got.code != 0 {
			t.Errorf("verify what %s has signed: got %+v", secret, got)
		}
	}
	for _, command := range []string{"sign", "verify"} {
		got := tolem(t, nil, `{"a":1}`, command, "--config", two)
		if got.code != 2 {
			t.Errorf("%s with several projects and none named: got %+v", command, got)
		}
		contains(t, command, got.err, "1, 2", "--project")
	}
}
