package signing_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"tolem/signing"
)

type vector struct {
	Name         string
	Source       string
	Secret       string
	Body         json.RawMessage
	StringToSign string `json:"string_to_sign"`
	Signature    string
}

func publishedVectors(t testing.TB) []vector {
	t.Helper()
	data, err := os.ReadFile("testdata/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Vectors []vector }
	if err := json.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	if len(file.Vectors) < 18 {
		t.Fatalf("testdata/vectors.json has %d vectors, want at least 18", len(file.Vectors))
	}
	return file.Vectors
}

func TestPublishedVectors(t *testing.T) {
	for _, v := range publishedVectors(t) {
		t.Run(v.Name, func(t *testing.T) {
			if v.Source == "" {
				t.Error("the vector has no source")
			}
			key := mustKey(t, v.Secret)
			body := mustParse(t, string(v.Body))
			if got := body.Canonical(); got != v.StringToSign {
				t.Errorf("canonical\n got %q\nwant %q", got, v.StringToSign)
			}
			signature, err := signing.Sign(v.Body, key)
			if err != nil || signature != v.Signature {
				t.Errorf("signature: got %s, %v, want %s", signature, err, v.Signature)
			}
			at := strings.LastIndexByte(string(v.Body), '}')
			signed := string(v.Body[:at]) + `,"signature":"` + v.Signature + `"}`
			if _, err := mustParse(t, signed).Verify(key); err != nil {
				t.Errorf("verify: %v", err)
			}
			if body.Has("general:signature") {
				t.Error("a signature is found although nobody signs it")
			}
		})
	}
}

func TestVectorsThatCarryTheirSignatureInGeneralVerifyAsTheyStand(t *testing.T) {
	found := 0
	for _, v := range publishedVectors(t) {
		if !strings.Contains(string(v.Body), `"signature"`) {
			continue
		}
		found++
		if _, err := mustParse(t, string(v.Body)).Verify(mustKey(t, v.Secret)); err != nil {
			t.Errorf("%s: %v", v.Name, err)
		}
	}
	if found == 0 {
		t.Error("no vector carries general.signature")
	}
}

func mustKey(t testing.TB, secret string) *signing.Key {
	t.Helper()
	key, err := signing.NewKey(secret)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// mustParse parses and releases the body when the test ends.
func mustParse(t testing.TB, data string) *signing.Body {
	t.Helper()
	body, err := signing.Parse([]byte(data))
	if err != nil {
		t.Fatalf("parse %.80q: %v", data, err)
	}
	t.Cleanup(body.Release)
	return body
}
