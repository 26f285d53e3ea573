package config_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.yaml.in/yaml/v3"

	"tolem/config"
)

const canary = "c4nary+/S3cret9="

// noCanary fails if the canary, or its bytes in hexadecimal, can be read in what was printed.
func noCanary(t *testing.T, what, printed string) {
	t.Helper()
	for _, form := range []string{canary, fmt.Sprintf("%x", canary), fmt.Sprintf("%X", canary), fmt.Sprint([]byte(canary))} {
		if strings.Contains(printed, form) {
			t.Errorf("%s shows the secret: %s", what, printed)
		}
	}
}

// holder has a secret where fmt cannot ask its methods.
type holder struct{ inner config.Secret }

func TestSecretIsHiddenByEveryVerb(t *testing.T) {
	secret := config.NewSecret(canary)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%T %[1]v", "%20s", "%p"} {
		got := fmt.Sprintf(verb, secret)
		noCanary(t, verb, got)
		if verb != "%p" && !strings.Contains(got, "[hidden]") { // %p is an address, whatever the type says
			t.Errorf("%s: got %q, want [hidden]", verb, got)
		}
		noCanary(t, verb+" of a pointer", fmt.Sprintf(verb, &secret))
		noCanary(t, verb+" of a list", fmt.Sprintf(verb, []config.Secret{secret}))
		noCanary(t, verb+" of an unexported field", fmt.Sprintf(verb, holder{secret}))
		noCanary(t, verb+" of an unexported field behind a pointer", fmt.Sprintf(verb, &holder{secret}))
	}
	if got, want := secret.String()+secret.GoString(), "[hidden][hidden]"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestSecretIsHiddenByEveryMarshaller(t *testing.T) {
	secret := config.NewSecret(canary)
	value := struct {
		One  config.Secret
		Many []config.Secret
		Keys map[string]*config.Secret
	}{secret, []config.Secret{secret}, map[string]*config.Secret{"k": &secret}}

	asJSON, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := string(asJSON), `{"One":"[hidden]","Many":["[hidden]"],"Keys":{"k":"[hidden]"}}`; got != want {
		t.Errorf("JSON: got %s, want %s", got, want)
	}
	asYAML, err := yaml.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	noCanary(t, "YAML", string(asYAML))
	if got, want := strings.Count(string(asYAML), "[hidden]"), 3; got != want {
		t.Errorf("YAML: got %d hidden secrets, want %d: %s", got, want, asYAML)
	}
	asText, err := secret.MarshalText()
	if got, want := string(asText), "[hidden]"; err != nil || got != want {
		t.Errorf("text: got %q, %v, want %q", got, err, want)
	}
}

func TestSecretIsHiddenByEveryLogger(t *testing.T) {
	secret := config.NewSecret(canary)
	var out bytes.Buffer
	core := zapcore.NewCore(zapcore.NewJSONEncoder(zap.NewProductionEncoderConfig()), zapcore.AddSync(&out), zap.DebugLevel)
	fields := []zap.Field{
		zap.Any("any", secret), zap.Any("pointer", &secret), zap.Any("list", []config.Secret{secret}),
		zap.Reflect("reflect", secret), zap.Stringer("stringer", secret), zap.Any("holder", holder{secret}),
		zap.Any("token", config.Token{Name: "n", Token: secret}),
	}
	zap.New(core).Info("zap", fields...)
	zap.New(core).Sugar().Infow("sugar", "key", secret, "holder", holder{secret})
	slog.New(slog.NewTextHandler(&out, nil)).Info("text", "secret", secret, "holder", holder{secret})
	slog.New(slog.NewJSONHandler(&out, nil)).Info("json", "secret", secret, "list", []config.Secret{secret})
	noCanary(t, "a log", out.String())
	if got, want := strings.Count(out.String(), "[hidden]"), 10; got != want {
		t.Errorf("got %d hidden secrets, want %d: %s", got, want, out.String())
	}
}

func TestSecretEqualsItsTextAlone(t *testing.T) {
	for _, tc := range []struct {
		name   string
		secret config.Secret
		other  string
		want   bool
	}{
		{"the same", config.NewSecret("abc"), "abc", true},
		{"another", config.NewSecret("abc"), "abd", false},
		{"shorter", config.NewSecret("abc"), "ab", false},
		{"longer", config.NewSecret("abc"), "abcd", false},
		{"empty", config.NewSecret("abc"), "", false},
		{"unset equals nothing", config.Secret{}, "", false},
		{"made of the empty text equals nothing", config.NewSecret(""), "", false},
	} {
		if got := tc.secret.Equal(tc.other); got != tc.want {
			t.Errorf("%s: got %v, want %v", tc.name, got, tc.want)
		}
	}
}

func TestSecretRevealsWhatItWasMadeOf(t *testing.T) {
	if got, want := config.NewSecret("abc").Reveal(), "abc"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := (config.Secret{}).Reveal(); got != "" {
		t.Errorf("unset: got %q, want nothing", got)
	}
	if !reflect.DeepEqual(config.NewSecret("abc"), config.NewSecret("abc")) || reflect.DeepEqual(config.NewSecret("abc"), config.NewSecret("abd")) {
		t.Error("DeepEqual does not compare the texts; tests rely on it")
	}
}
