package signing_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"tolem/signing"
)

func TestSignMakesWhatVerifyAccepts(t *testing.T) {
	key := mustKey(t, "ключ")
	body := `{"p10":1,"p2":{"a:b":null},"x":[1.0,true]}`
	got, err := signing.Sign([]byte(body), key)
	if err != nil {
		t.Fatal(err)
	}
	if want := signatureOf("ключ", "p2:a::b:;p10:1;x:0:1;x:1:1"); got != want || len(got) != 88 {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestEmbedPutsTheSignatureInAndKeepsTheRest(t *testing.T) {
	key := mustKey(t, "k")
	a1 := signatureOf("k", "a:1")
	none := signatureOf("k", "")
	general := `{"a":1,"general":{"signature":"old"}`
	for _, tt := range []struct{ name, body, want string }{
		{"as the last member", `{"a":1}`, `{"a":1,"signature":"` + a1 + `"}`},
		{"before white space", "\t{ \"a\" : 1\n}\n", "\t{ \"a\" : 1,\"signature\":\"" + a1 + "\"\n}\n"},
		{"in an empty object", ` { } `, ` {"signature":"` + none + `" } `},
		{"in place of another", `{"signature":"old", "a":1}`, `{"signature":"` + a1 + `", "a":1}`},
		{"in place of an object", `{"a":1,"signature" : {"x":[1]} }`, `{"a":1,"signature" : "` + a1 + `" }`},
		{"in place of null", `{"\u0073ignature":null,"a":1}`, `{"\u0073ignature":"` + a1 + `","a":1}`},
		{"at the top, whatever stands in general", general + `}`, general + `,"signature":"` + a1 + `"}`},
		{"not in a deeper one", `{"a":1,"x":{"signature":"s"}}`, `{"a":1,"x":{"signature":"s"},"signature":"` + a1 + `"}`},
		{"after a container", `{"a":1,"x":[ ]}`, `{"a":1,"x":[ ],"signature":"` + a1 + `"}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			data := []byte(tt.body)
			got, err := signing.Embed(data, key)
			if err != nil || string(got) != tt.want {
				t.Fatalf("got  %s, %v\nwant %s", got, err, tt.want)
			}
			if string(data) != tt.body {
				t.Error("the argument was changed")
			}
			if _, err := verify(t, string(got), key); err != nil {
				t.Errorf("verify: %v", err)
			}
			again, err := signing.Embed(got, key)
			if err != nil || !bytes.Equal(again, got) {
				t.Errorf("embedded again: %s, %v", again, err)
			}
		})
	}
}

func TestOnlyAnObjectCanBeSigned(t *testing.T) {
	key := mustKey(t, "k")
	for _, body := range []string{`[]`, `[{"a":1}]`, `"x"`, `1`, `null`, `true`, ``, `{`} {
		if got, err := signing.Sign([]byte(body), key); !errors.Is(err, signing.ErrMalformed) || got != "" {
			t.Errorf("Sign %s: got %q, %v", body, got, err)
		}
		if got, err := signing.Embed([]byte(body), key); !errors.Is(err, signing.ErrMalformed) || got != nil {
			t.Errorf("Embed %s: got %q, %v", body, got, err)
		}
	}
}

func TestEmbedMakesNothingThatParseRefuses(t *testing.T) {
	key := mustKey(t, "k")
	fits := signing.MaxBody - len(`{"a":"","signature":""}`) - 88
	for extra, want := range map[int]error{0: nil, 1: signing.ErrTooLarge} {
		body := []byte(`{"a":"` + strings.Repeat("x", fits+extra) + `"}`)
		got, err := signing.Embed(body, key)
		if !errors.Is(err, want) || (want == nil) != (len(got) == signing.MaxBody) {
			t.Errorf("%d bytes over: got %d bytes, %v", extra, len(got), err)
		}
	}
}

func TestEmptySecretIsRefused(t *testing.T) {
	if key, err := signing.NewKey(""); !errors.Is(err, signing.ErrEmptySecret) || key != nil {
		t.Errorf("got %v, %v", key, err)
	}
}

func TestKeyCannotBePrinted(t *testing.T) {
	const secret = "very-secret"
	key := mustKey(t, secret)
	if _, err := signing.Sign([]byte(`{}`), key); err != nil { // so that pooled state exists
		t.Fatal(err)
	}
	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d", "%T %v"} {
		args := []any{key}
		if strings.Contains(verb, "%T") {
			args = []any{key, key}
		}
		text := fmt.Sprintf(verb, args...)
		if !strings.Contains(text, "[hidden]") {
			t.Errorf("%s: got %q", verb, text)
		}
		out.WriteString(text)
		fmt.Fprintf(&out, verb, *key)
		fmt.Fprintf(&out, verb, struct{ K *signing.Key }{key})
		fmt.Fprintf(&out, verb, struct{ k signing.Key }{*key})
	}
	out.WriteString(key.String() + key.GoString())
	slog.New(slog.NewTextHandler(&out, nil)).Info("m", "key", key)
	slog.New(slog.NewJSONHandler(&out, nil)).Info("m", "key", *key)
	for _, value := range []any{key, *key, map[string]any{"k": key}, []*signing.Key{key}, map[signing.Key]int{*key: 1}} {
		text, err := json.Marshal(value)
		if err != nil || !strings.Contains(string(text), "[hidden]") {
			t.Errorf("json: got %s, %v", text, err)
		}
		out.Write(text)
	}
	for _, form := range []string{secret, fmt.Sprintf("%x", secret), fmt.Sprint([]byte(secret)), fmt.Sprintf("%#v", []byte(secret))} {
		if strings.Contains(out.String(), strings.Trim(form, "[]")) {
			t.Errorf("the secret is in %s", out.String())
		}
	}
}
