package config_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"tolem/config"
	"tolem/signing"
)

const (
	demoKeys     = "../fixtures/highhelp/keys/"
	registerID   = "57aff4db-b45d-42bf-bc5f-b7a499a01782"
	hmacMinimal  = "public_url: https://pay.example.kz\nhighhelp:\n  projects:\n    - id: p\n      request_key: {algorithm: hmac, secret: request-secret}\n"
	hmacAlert    = "      alert_key: {algorithm: hmac, secret: alert-secret}\n"
	hmacToken    = "      access_token: api-key\n"
	hmacComplete = hmacMinimal + hmacAlert + hmacToken
)

// newKey is a pair of PEM files with keys of their own.
func newKey(t *testing.T, bits int) (private *rsa.PrivateKey, privateFile, publicFile string) {
	t.Helper()
	private, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		t.Fatal(err)
	}
	return private, write(t, "private.pem", pkcs8(t, private)), write(t, "public.pem", spki(t, &private.PublicKey))
}

func pkcs8(t *testing.T, key any) string {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return asPEM("PRIVATE KEY", der)
}

func spki(t *testing.T, key any) string {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return asPEM("PUBLIC KEY", der)
}

func asPEM(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

func certificate(t *testing.T, key *rsa.PrivateKey) string {
	t.Helper()
	template := &x509.Certificate{SerialNumber: big.NewInt(1)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return asPEM("CERTIFICATE", der)
}

func mustRead(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestTheContractsHighHelpBlockLoads(t *testing.T) {
	_, privateFile, _ := newKey(t, 2048)
	_, _, publicFile := newKey(t, 2048)
	text := fmt.Sprintf(`public_url: https://pay.example.kz             # where providers reach the public listener; callback URLs are built from it
highhelp:
  base_url: https://api.hh-processing.com
  timeout: 10s
  projects:
    - id: 57aff4db-b45d-42bf-bc5f-b7a499a01782
      merchant_id: 57aff4db-b45d-42bf-bc5f-b7a499a01782   # default: id
      request_key: {algorithm: rsa, private_key_file: %s}
      alert_key: {algorithm: rsa, public_key_file: %s}
      request_dialect: {null_as: empty, padding: "off", digest: once, hmac_text: base64url}
      alert_dialect: {null_as: auto, padding: auto, digest: auto}
      alert_headers: {signature: x-access-signature, timestamp: x-access-timestamp}
      access_token: ""
      algorithm_header: ""
  max_over: 10
watch: {interval: 1m, max_age: 72h}
merchant:
  listen: ""
`, privateFile, publicFile)
	want := config.HighHelp{
		BaseURL: "https://api.hh-processing.com", Timeout: 10 * time.Second, MaxOver: 10,
		Projects: []config.HighHelpProject{{
			ID: registerID, MerchantID: registerID,
			RequestKey:     config.RequestKey{Algorithm: "rsa", PrivateKeyFile: privateFile, PrivateKey: config.NewSecret(strings.TrimSuffix(mustRead(t, privateFile), "\n"))},
			AlertKey:       config.AlertKey{Algorithm: "rsa", PublicKeyFile: publicFile, PublicKey: strings.TrimSuffix(mustRead(t, publicFile), "\n")},
			RequestDialect: config.RequestDialect{NullAs: "empty", Padding: "off", Digest: "once", HMACText: "base64url"},
			AlertDialect:   config.AlertDialect{NullAs: "auto", Padding: "auto", Digest: "auto"},
			AlertHeaders:   config.AlertHeaders{Signature: "x-access-signature", Timestamp: "x-access-timestamp"},
		}},
		Methods: config.DefaultHighHelpMethods(),
	}
	got := mustLoad(t, text, nil)
	if !reflect.DeepEqual(got.HighHelp, want) {
		t.Errorf("got  %+v\nwant %+v", got.HighHelp, want)
	}
	if got.PublicURL != "https://pay.example.kz" || got.Watch != (config.Watch{Interval: time.Minute, MaxAge: 72 * time.Hour}) || got.Merchant.Listen != "" {
		t.Errorf("got %q, %v and %v", got.PublicURL, got.Watch, got.Merchant)
	}
	if len(got.JetPay.Projects) != 0 {
		t.Errorf("got JetPay projects %v, want none", got.JetPay.Projects)
	}
}

func TestWhatAHighHelpProjectLeavesOutIsTheDefault(t *testing.T) {
	got := mustLoad(t, hmacComplete, nil).HighHelp
	want := config.NewHighHelpProject("p")
	want.RequestKey = config.RequestKey{Algorithm: "hmac", Secret: config.NewSecret("request-secret")}
	want.AlertKey = config.AlertKey{Algorithm: "hmac", Secret: config.NewSecret("alert-secret")}
	want.AccessToken = config.NewSecret("api-key")
	if !reflect.DeepEqual(got.Projects, []config.HighHelpProject{want}) {
		t.Errorf("got  %+v\nwant %+v", got.Projects[0], want)
	}
	// A section that is partly given keeps the rest of its defaults.
	part := mustLoad(t, hmacComplete+"      alert_dialect: {null_as: skip}\n      request_dialect: {digest: twice}\n      merchant_id: other\n", nil).HighHelp.Projects[0]
	if got, want := part.AlertDialect, (config.AlertDialect{NullAs: "skip", Padding: "auto", Digest: "auto"}); got != want {
		t.Errorf("got %v, want %v", got, want)
	}
	if got, want := part.RequestDialect, (config.RequestDialect{NullAs: "empty", Padding: "off", Digest: "twice", HMACText: "base64url"}); got != want {
		t.Errorf("got %v, want %v", got, want)
	}
	if got, want := part.MerchantID, "other"; got != want {
		t.Errorf("got merchant id %q, want %q", got, want)
	}
}

func TestAnAlertWindowIsOffUnlessItIsGiven(t *testing.T) {
	if got := mustLoad(t, hmacComplete, nil).HighHelp.Projects[0].AlertWindow; got != 0 {
		t.Errorf("got %s, want none", got)
	}
	given := mustLoad(t, hmacComplete+"      alert_window: 5m\n", nil)
	if got, want := given.HighHelp.Projects[0].AlertWindow, 5*time.Minute; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	effective, err := given.Effective()
	if err != nil || !strings.Contains(string(effective), "      alert_window: 5m\n") {
		t.Errorf("got %v\n%s", err, effective)
	}
}

func TestADialectsWordsMayStandWithoutQuotes(t *testing.T) {
	got := mustLoad(t, hmacComplete+"      alert_dialect: {null_as: null, padding: off}\n      request_dialect: {null_as: null, padding: on}\n", nil).HighHelp.Projects[0]
	if got, want := got.AlertDialect, (config.AlertDialect{NullAs: "null", Padding: "off", Digest: "auto"}); got != want {
		t.Errorf("got %v, want %v", got, want)
	}
	if got, want := got.RequestDialect, (config.RequestDialect{NullAs: "null", Padding: "on", Digest: "once", HMACText: "base64url"}); got != want {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestHighHelpProjectsComeFromAVariable(t *testing.T) {
	got := mustLoad(t, minimal, []string{
		"TOLEM_PUBLIC_URL=https://pay.example.kz", "TOLEM_HIGHHELP__MAX_OVER=3", "TOLEM_WATCH__INTERVAL=5s", "TOLEM_MERCHANT__LISTEN=127.0.0.1:8082",
		`TOLEM_HIGHHELP__PROJECTS=[{"id":"p","access_token":"t","request_key":{"algorithm":"hmac","secret":"a"},"alert_key":{"algorithm":"hmac","secret":"b"},"alert_dialect":{"null_as":null}}]`,
		`TOLEM_HIGHHELP__METHODS=[{"name":"m","currency":"KZT","country":"KZ","widget_methods":["w"]}]`,
	})
	project := got.HighHelp.Projects[0]
	if !project.RequestKey.Secret.Equal("a") || !project.AlertKey.Secret.Equal("b") || project.AlertDialect.NullAs != "null" || project.MerchantID != "p" {
		t.Errorf("got %+v", project)
	}
	if want := []config.HighHelpMethod{{Name: "m", Currency: "KZT", Country: "KZ", WidgetMethods: []string{"w"}}}; !reflect.DeepEqual(got.HighHelp.Methods, want) {
		t.Errorf("got methods %+v, want %+v", got.HighHelp.Methods, want)
	}
	if got.HighHelp.MaxOver != 3 || got.Watch.Interval != 5*time.Second || got.Merchant.Listen != "127.0.0.1:8082" {
		t.Errorf("got %d, %v, %q", got.HighHelp.MaxOver, got.Watch, got.Merchant.Listen)
	}
}

func TestKeysAreReadInEveryForm(t *testing.T) {
	key, privateFile, publicFile := newKey(t, 2048)
	_, otherPrivate, otherPublic := newKey(t, 2048)
	load := func(private, public string) (*config.Config, []string, error) {
		return config.Load(write(t, "c.yaml", fmt.Sprintf(
			"public_url: https://a.kz\nhighhelp: {projects: [{id: p, request_key: {algorithm: rsa, private_key_file: %s}, alert_key: {algorithm: rsa, public_key_file: %s}}]}", private, public)), nil)
	}
	for name, private := range map[string]string{
		"PKCS#8":          privateFile,
		"PKCS#1":          write(t, "k", asPEM("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(key))),
		"after a comment": write(t, "k", "written by openssl\n"+pkcs8(t, key)),
	} {
		if _, warnings, err := load(private, otherPublic); err != nil || len(warnings) > 0 {
			t.Errorf("private key in %s: got %v, %v", name, warnings, err)
		}
	}
	for name, public := range map[string]string{
		"SPKI":        publicFile,
		"PKCS#1":      write(t, "k", asPEM("RSA PUBLIC KEY", x509.MarshalPKCS1PublicKey(&key.PublicKey))),
		"certificate": write(t, "k", certificate(t, key)),
	} {
		if _, warnings, err := load(otherPrivate, public); err != nil || len(warnings) > 0 {
			t.Errorf("public key in %s: got %v, %v", name, warnings, err)
		}
		_, warnings, err := load(privateFile, public)
		wantLines(t, "warnings for the request key as "+name, warnings, []string{
			"highhelp.projects[0].alert_key: is the public half of request_key; alerts are signed with the provider's key, which the cabinet shows (line 2)",
		})
		if err != nil {
			t.Error(err)
		}
	}
}

func TestBadKeyFilesAreRefused(t *testing.T) {
	key, privateFile, publicFile := newKey(t, 2048)
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	const (
		private = "highhelp.projects[0].request_key.private_key_file: "
		public  = "highhelp.projects[0].alert_key.public_key_file: "
	)
	_, _, otherPublic := newKey(t, 2048)
	for _, tc := range []struct{ name, private, public, want string }{
		{"no such private key", "/no/such", otherPublic, private + "the file cannot be read: no such file or directory; check the path"},
		{"an empty private key", write(t, "k", "\n"), otherPublic, private + "the file is empty; a key must not be"},
		{"a folder", "/", otherPublic, private + "is not a regular file; name one that holds the key"},
		{"a large private key", write(t, "k", strings.Repeat("x", 16<<10+1)), otherPublic, private + "the file is larger than 16384 bytes; name one that holds the key and nothing else"},
		{"DER", write(t, "k", "\x30\xff"), otherPublic, private + "the file is not UTF-8 text; name one that holds the key and nothing else"},
		{"no PEM", write(t, "k", canary), otherPublic, private},
		{"a public key as private key", publicFile, otherPublic, private},
		{"broken PKCS#8", write(t, "k", asPEM("PRIVATE KEY", []byte(canary))), otherPublic, private},
		{"broken PKCS#1", write(t, "k", asPEM("RSA PRIVATE KEY", []byte(canary))), otherPublic, private},
		{"an encrypted key", write(t, "k", asPEM("ENCRYPTED PRIVATE KEY", []byte(canary))), otherPublic, private},
		{"another kind of private key", write(t, "k", pkcs8(t, curve)), otherPublic, private},
		{"no such public key", privateFile, "/no/such", public + "the file cannot be read: no such file or directory; check the path"},
		{"a private key as public key", privateFile, privateFile, public},
		{"no public PEM", privateFile, write(t, "k", canary), public},
		{"another PEM", privateFile, write(t, "k", asPEM("CERTIFICATE REQUEST", nil)), public},
		{"a broken public key", privateFile, write(t, "k", asPEM("PUBLIC KEY", x509.MarshalPKCS1PublicKey(&key.PublicKey))), public},
		{"another kind of public key", privateFile, write(t, "k", spki(t, &curve.PublicKey)), public},
	} {
		t.Run(tc.name, func(t *testing.T) {
			text := fmt.Sprintf("public_url: https://a.kz\nhighhelp: {projects: [{id: p, request_key: {algorithm: rsa, private_key_file: %s}, alert_key: {algorithm: rsa, public_key_file: %s}}]}", tc.private, tc.public)
			got, want := problemsOf(t, text, nil), tc.want
			switch want { // what is wrong with a key's content, signing says
			case private:
				want += unusable(t, func(text []byte) error { _, err := signing.NewRSASigner(text); return err }, tc.private)
			case public:
				want += unusable(t, func(text []byte) error { _, err := signing.NewRSAAlertKey(text); return err }, tc.public)
			}
			wantLines(t, "problems", got, []string{want + " (line 2)"})
			noCanary(t, "a problem", strings.Join(got, "\n"))
		})
	}
}

// unusable is what signing says about a key file.
func unusable(t *testing.T, parse func([]byte) error, path string) string {
	t.Helper()
	err := parse([]byte(mustRead(t, path)))
	if !errors.Is(err, signing.ErrKey) {
		t.Fatalf("got %v, want an unusable key", err)
	}
	return err.Error()
}

func TestHMACSecretsComeFromFiles(t *testing.T) {
	file := write(t, "secret", "from-a-file\n")
	text := "public_url: https://a.kz\nhighhelp: {projects: [{id: p, access_token: t, request_key: {algorithm: hmac, secret_file: " + file + "}, alert_key: {algorithm: hmac, secret_file: " + file + "}}]}"
	got := mustLoad(t, text, nil)
	project := got.HighHelp.Projects[0]
	if !project.RequestKey.Secret.Equal("from-a-file") || !project.AlertKey.Secret.Equal("from-a-file") {
		t.Errorf("got %+v", project)
	}
	effective, err := got.Effective()
	if err != nil {
		t.Fatal(err)
	}
	again := mustLoad(t, string(effective), nil).HighHelp.Projects[0]
	if !again.RequestKey.Secret.Equal("from-a-file") || !again.AlertKey.Secret.Equal("from-a-file") {
		t.Errorf("again: got %+v", again)
	}
	if !project.RequestKey.Secret.Equal("from-a-file") {
		t.Error("the secret is gone")
	}
}

func TestTheEffectiveHighHelpPartHidesSecrets(t *testing.T) {
	_, privateFile, publicFile := newKey(t, 2048)
	text := fmt.Sprintf(`public_url: http://localhost:8080
highhelp:
  projects:
    - id: p
      access_token: t-%[1]s
      request_key: {algorithm: hmac, secret: a-%[1]s}
      alert_key: {algorithm: hmac, secret: b-%[1]s}
      alert_dialect: {null_as: null, padding: "on"}
    - id: q
      request_key: {algorithm: rsa, private_key_file: %[2]s}
      alert_key: {algorithm: rsa, public_key_file: %[3]s}
    - id: r
      request_key: {algorithm: rsa, private_key_file: %[2]s}
`, canary, privateFile, publicFile)
	got, _, err := config.Load(write(t, "c.yaml", text), nil)
	if err != nil {
		t.Fatal(err)
	}
	effective, err := got.Effective()
	if err != nil {
		t.Fatal(err)
	}
	noCanary(t, "the effective configuration", string(effective))
	noCanary(t, "a printed configuration", fmt.Sprintf("%v %+v %#v", got, got, got))
	if strings.Contains(string(effective), "BEGIN") || strings.Contains(fmt.Sprintf("%+v", got), "BEGIN PRIVATE KEY") {
		t.Errorf("shows a key: %s", effective)
	}
	for _, want := range []string{
		"    - id: p\n      merchant_id: p\n      request_key:\n        algorithm: hmac\n        secret: '[hidden]'\n      alert_key:\n        algorithm: hmac\n        secret: '[hidden]'\n",
		"      alert_dialect:\n        null_as: \"null\"\n        padding: \"on\"\n        digest: auto\n",
		"      access_token: '[hidden]'\n",
		"      request_key:\n        algorithm: rsa\n        private_key_file: " + privateFile + "\n      alert_key:\n        algorithm: rsa\n        public_key_file: " + publicFile + "\n",
		"    - id: r\n      merchant_id: r\n      request_key:\n        algorithm: rsa\n        private_key_file: " + privateFile + "\n      request_dialect:\n        null_as: empty\n        padding: \"off\"\n        digest: once\n        hmac_text: base64url\n",
	} {
		if !strings.Contains(string(effective), want) {
			t.Errorf("lacks\n%s\nin\n%s", want, effective)
		}
	}
}

func TestBadHighHelpValuesAreNamed(t *testing.T) {
	inProject := func(text string) string { return hmacComplete + "      " + text + "\n" }
	keys := func(text string) string {
		return "public_url: https://a.kz\nhighhelp: {projects: [{id: p, access_token: t, " + text + "}]}\n"
	}
	const alert = "alert_key: {algorithm: hmac, secret: a}"
	method := func(text string) string { return hmacComplete + "  methods:\n    - " + text + "\n" }
	baseURL := "must be a URL such as https://pay.example.kz, without user, query and fragment"
	const twice = "name: m, currency: KZT, country: KZ, widget_methods: [w]"
	for _, tc := range []struct{ name, text, want string }{
		// addresses
		{"no public_url", strings.Replace(hmacComplete, "public_url: https://pay.example.kz\n", "", 1), "public_url: is missing; HighHelp needs the URL at which it reaches the public listener, such as https://pay.example.kz"},
		{"public_url without scheme", "public_url: pay.example.kz\n" + minimal, "public_url: " + baseURL + " (line 1)"},
		{"public_url without host", "public_url: 'https://:443'\n" + minimal, "public_url: " + baseURL + " (line 1)"},
		{"public_url of another scheme", "public_url: ftp://pay.example.kz\n" + minimal, "public_url: " + baseURL + " (line 1)"},
		{"public_url with a user", "public_url: https://u:p@pay.example.kz\n" + minimal, "public_url: " + baseURL + " (line 1)"},
		{"public_url with a query", "public_url: https://pay.example.kz?a=b\n" + minimal, "public_url: " + baseURL + " (line 1)"},
		{"public_url with an empty query", "public_url: https://pay.example.kz?\n" + minimal, "public_url: " + baseURL + " (line 1)"},
		{"public_url with a fragment", "public_url: 'https://pay.example.kz#a'\n" + minimal, "public_url: " + baseURL + " (line 1)"},
		{"public_url with a blank", "public_url: 'https://pay.example.kz/a b'\n" + minimal, "public_url: " + baseURL + " (line 1)"},
		{"public_url that is too long", "public_url: https://a.kz/" + strings.Repeat("x", 1900) + "\n" + minimal, "public_url: is longer than 1900 bytes (line 1)"},
		{"public_url over http", "public_url: http://pay.example.kz\n" + minimal, "public_url: must begin with https; http is for loopback addresses in development only (line 1)"},
		{"base_url over http", "highhelp: {base_url: 'http://10.0.0.1:9'}\n" + minimal, "highhelp.base_url: must begin with https; http is for loopback addresses in development only (line 1)"},
		{"an empty base_url", hmacComplete + "  base_url: ''\n", "highhelp.base_url: is empty; give the URL of the provider's API (line 8)"},
		{"gate_url over http", "jetpay: {gate_url: 'http://gate.example', projects: [{id: 1, secrets: [a]}]}", "jetpay.gate_url: must begin with https; http is for loopback addresses in development only (line 1)"},
		{"http in production", "environment: production\npublic_url: http://127.0.0.1:8080\n" + minimal, "public_url: must begin with https; production sends and receives nothing over http (line 2)"},
		{"merchant.listen", "merchant: {listen: nowhere}\n" + minimal, "merchant.listen: must be host:port, such as 127.0.0.1:8080 (line 1)"},
		{"merchant.listen is listen", "merchant: {listen: '127.0.0.1:8080'}\n" + minimal, "merchant.listen: must differ from listen and admin.listen; each listener needs a port of its own (line 1)"},
		{"merchant.listen is admin.listen", "merchant: {listen: ':8081'}\n" + minimal, "merchant.listen: must differ from listen and admin.listen; each listener needs a port of its own (line 1)"},

		// numbers
		{"timeout 0", hmacComplete + "  timeout: 0s\n", "highhelp.timeout: must be longer than 0 (line 8)"},
		{"timeout without end", hmacComplete + "  timeout: 1h\n", "highhelp.timeout: must be 2m or less (line 8)"},
		{"max_over 0", hmacComplete + "  max_over: 0\n", "highhelp.max_over: must be 1 or more (line 8)"},
		{"max_over without bound", hmacComplete + "  max_over: 100001\n", "highhelp.max_over: must be 100000 or less (line 8)"},
		{"a fraction as max_over", hmacComplete + "  max_over: 1.5\n", "highhelp.max_over: must be a whole number in plain decimal digits, not in quotes (line 8)"},
		{"watch.interval 0", "watch: {interval: 0s}\n" + minimal, "watch.interval: must be longer than 0 (line 1)"},
		{"watch.max_age below 0", "watch: {max_age: -1h}\n" + minimal, "watch.max_age: must be longer than 0 (line 1)"},

		// projects
		{"no id", "public_url: https://a.kz\nhighhelp: {projects: [{access_token: t, request_key: {algorithm: hmac, secret: a}, " + alert + "}]}", "highhelp.projects[0].id: must be 1 to 255 visible ASCII characters without spaces, ':' and ';' (line 2)"},
		{"an id with a colon", strings.Replace(hmacComplete, "id: p", "id: 'a:b'", 1), "highhelp.projects[0].id: must be 1 to 255 visible ASCII characters without spaces, ':' and ';' (line 4)"},
		{"an id that is a number", strings.Replace(hmacComplete, "id: p", "id: 5", 1), "highhelp.projects[0].id: must be a text; put it in quotes, so that it is read as it is written (line 4)"},
		{"one id twice", hmacComplete + "    - id: p\n      request_key: {algorithm: hmac, secret: request-secret}\n" + hmacAlert + hmacToken, "highhelp.projects[1].id: is the id of highhelp.projects[0] too; configure each project once (line 8)"},
		{"a merchant_id with a blank", inProject("merchant_id: 'a b'"), "highhelp.projects[0].merchant_id: must be 1 to 255 visible ASCII characters without spaces, ':' and ';' (line 8)"},
		{"an algorithm header with a blank", inProject("algorithm_header: 'a b'"), "highhelp.projects[0].algorithm_header: must be at most 255 visible ASCII characters without spaces, because it travels in an HTTP header (line 8)"},
		{"an access token with a blank", strings.Replace(hmacComplete, "api-key", "api key", 1), "highhelp.projects[0].access_token: must be visible ASCII characters without spaces, because it travels in an HTTP header (line 7)"},

		// keys
		{"no request key", keys(alert), "highhelp.projects[0].request_key.algorithm: must be one of rsa, hmac (line 2)"},
		{"another algorithm", keys("request_key: {algorithm: ed25519}, " + alert), "highhelp.projects[0].request_key.algorithm: must be one of rsa, hmac (line 2)"},
		{"rsa without a file", keys("request_key: {algorithm: rsa}, " + alert), "highhelp.projects[0].request_key.private_key_file: is missing; give the PEM file of your private key (line 2)"},
		{"rsa with a secret", keys("request_key: {algorithm: rsa, private_key_file: " + demoKeys + "request.pem, secret: a}, " + alert), "highhelp.projects[0].request_key.secret: has no meaning with algorithm rsa; remove it, or change the algorithm (line 2)"},
		{"hmac with a key file", keys("request_key: {algorithm: hmac, private_key_file: a, secret: a}, " + alert), "highhelp.projects[0].request_key.private_key_file: has no meaning with algorithm hmac; remove it, or change the algorithm (line 2)"},
		{"hmac without a secret", keys("request_key: {algorithm: hmac}, " + alert), "highhelp.projects[0].request_key.secret: is missing or empty; give a secret or a secret_file (line 2)"},
		{"hmac with an empty secret", keys("request_key: {algorithm: hmac, secret: ''}, " + alert), "highhelp.projects[0].request_key.secret: is missing or empty; give a secret or a secret_file (line 2)"},
		{"hmac with secret and file", keys("request_key: {algorithm: hmac, secret: a, secret_file: b}, " + alert), "highhelp.projects[0].request_key: has both secret and secret_file; keep one (line 2)"},
		{"an empty secret file", keys("request_key: {algorithm: hmac, secret_file: " + write(t, "s", "\n") + "}, " + alert), "highhelp.projects[0].request_key.secret_file: the file is empty; a secret must not be (line 2)"},
		{"an alert key without algorithm", keys("request_key: {algorithm: hmac, secret: a}, alert_key: {secret: a}"), "highhelp.projects[0].alert_key.algorithm: must be one of rsa, hmac (line 2)"},
		{"an alert key of another algorithm", keys("request_key: {algorithm: hmac, secret: a}, alert_key: {algorithm: md5, secret: a}"), "highhelp.projects[0].alert_key.algorithm: must be one of rsa, hmac (line 2)"},
		{"an rsa alert key without a file", keys("request_key: {algorithm: hmac, secret: a}, alert_key: {algorithm: rsa}"), "highhelp.projects[0].alert_key.public_key_file: is missing; give the PEM file of the provider's public key for alerts (line 2)"},
		{"an alert key with a private key file", keys("request_key: {algorithm: hmac, secret: a}, alert_key: {algorithm: hmac, secret: a, private_key_file: x}"), "highhelp.projects[0].alert_key.private_key_file: unknown key; correct or remove it; known here: algorithm, public_key_file, secret, secret_file (line 2)"},
		{"a key that only the program may set", keys("request_key: {algorithm: hmac, secret: a, '-': x}, " + alert), "highhelp.projects[0].request_key: has an unknown key, not shown because it may be a secret; remove it; known here: algorithm, private_key_file, secret, secret_file (line 2)"},

		// dialects and headers
		{"auto for requests", inProject("request_dialect: {null_as: auto}"), "highhelp.projects[0].request_dialect.null_as: must be one of empty, none, null, skip (line 8)"},
		{"another null_as", inProject("alert_dialect: {null_as: None}"), "highhelp.projects[0].alert_dialect.null_as: must be one of auto, empty, none, null, skip (line 8)"},
		{"an empty null_as", inProject("alert_dialect: {null_as: ''}"), "highhelp.projects[0].alert_dialect.null_as: must be one of auto, empty, none, null, skip (line 8)"},
		{"null_as without a value", inProject("alert_dialect: {null_as: }"), "highhelp.projects[0].alert_dialect.null_as: has no value; write one, or remove the key (line 8)"},
		{"null_as with a tilde", inProject("alert_dialect: {null_as: ~}"), "highhelp.projects[0].alert_dialect.null_as: has no value; write one, or remove the key (line 8)"},
		{"null as padding", inProject("alert_dialect: {padding: null}"), "highhelp.projects[0].alert_dialect.padding: has no value; write one, or remove the key (line 8)"},
		{"padding", inProject("alert_dialect: {padding: 'yes'}"), "highhelp.projects[0].alert_dialect.padding: must be one of auto, off, on (line 8)"},
		{"digest", inProject("alert_dialect: {digest: thrice}"), "highhelp.projects[0].alert_dialect.digest: must be one of auto, once, twice (line 8)"},
		{"hmac_text", inProject("request_dialect: {hmac_text: base32}"), "highhelp.projects[0].request_dialect.hmac_text: must be one of base64url, hex, base64 (line 8)"},
		{"hmac_text for alerts", inProject("alert_dialect: {hmac_text: hex}"), "highhelp.projects[0].alert_dialect.hmac_text: unknown key; correct or remove it; known here: null_as, padding, digest (line 8)"},
		{"an empty header", inProject("alert_headers: {signature: ''}"), "highhelp.projects[0].alert_headers.signature: must be the name of an HTTP header that has no other meaning, such as x-access-signature (line 8)"},
		{"a header with a colon", inProject("alert_headers: {timestamp: 'a:'}"), "highhelp.projects[0].alert_headers.timestamp: must be the name of an HTTP header that has no other meaning, such as x-access-signature (line 8)"},
		{"a header that is taken", inProject("alert_headers: {timestamp: Content-Length}"), "highhelp.projects[0].alert_headers.timestamp: must be the name of an HTTP header that has no other meaning, such as x-access-signature (line 8)"},
		{"an alert_window below 0", inProject("alert_window: -1s"), "highhelp.projects[0].alert_window: must not be shorter than 0 (line 8)"},
		{"an alert_window without a unit", inProject("alert_window: 300"), "highhelp.projects[0].alert_window: must be a duration such as 288h or 10s (line 8)"},
		{"one header for both", inProject("alert_headers: {signature: X-Access-Timestamp}"), "highhelp.projects[0].alert_headers: names the same header twice; the signature and the timestamp need one each (line 8)"},

		// methods
		{"no methods", hmacComplete + "  methods: []\n", "highhelp.methods: is an empty list; name at least one, or remove the key to use the default (line 8)"},
		{"a method without name", method("{currency: KZT, country: KZ, widget_methods: [w]}"), "highhelp.methods[0].name: must be 1 to 64 letters, digits, '.', '_' or '-' (line 9)"},
		{"a method's currency", method("{name: m, currency: kzt, country: KZ, widget_methods: [w]}"), "highhelp.methods[0].currency: must be three capital letters, such as KZT (line 9)"},
		{"a method's country", method("{name: m, currency: KZT, country: KAZ, widget_methods: [w]}"), "highhelp.methods[0].country: must be two capital letters, such as KZ (line 9)"},
		{"a method's language", method("{name: m, currency: KZT, country: KZ, widget_methods: [w], default_language: KK}"), "highhelp.methods[0].default_language: must be two small letters, such as kk (line 9)"},
		{"a method without widget methods", method("{name: m, currency: KZT, country: KZ}"), "highhelp.methods[0].widget_methods: is an empty list; name at least one, or remove the key to use the default (line 9)"},
		{"a long widget method", method("{name: m, currency: KZT, country: KZ, widget_methods: [" + strings.Repeat("x", 33) + "]}"), "highhelp.methods[0].widget_methods[0]: must be 1 to 32 visible ASCII characters without spaces (line 9)"},
		{"a widget method twice", method("{name: m, currency: KZT, country: KZ, widget_methods: [w, w]}"), "highhelp.methods[0].widget_methods: lists the same value twice; keep one (line 9)"},
		{"a name twice", method("{" + twice + "}\n    - {name: m, currency: KGS, country: KG, widget_methods: [w]}"), "highhelp.methods[1].name: is the name of highhelp.methods[0] too; give each method its own (line 10)"},
		{"a widget method in two methods", method("{" + twice + "}\n    - {name: n, currency: KZT, country: KZ, widget_methods: [v, w]}"), "highhelp.methods[1].widget_methods[1]: stands in highhelp.methods[0] too, for the same currency and country; keep one (line 10)"},
		{"confirm", method("{" + twice + ", confirm: yes}"), "highhelp.methods[0].confirm: must be true or false (line 9)"},
		{"an unknown key of a method", method("{" + twice + ", banks: [a]}"), "highhelp.methods[0].banks: unknown key; correct or remove it; known here: name, currency, country, widget_methods, default_language, customer_type, sender, confirm (line 9)"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			wantLines(t, tc.text, problemsOf(t, tc.text, nil), []string{tc.want})
		})
	}
}

func TestGoodAddresses(t *testing.T) {
	for _, text := range []string{
		"public_url: https://pay.example.kz/tolem/\n", "public_url: http://localhost:8080\n", "public_url: 'http://[::1]:8080'\n", "public_url: http://127.0.0.2\n",
		"highhelp: {base_url: 'http://127.0.0.1:9090'}\n", "public_url: ''\n", "merchant: {listen: '127.0.0.1:0'}\n",
	} {
		mustLoad(t, text+minimal, nil)
	}
	got := mustLoad(t, "jetpay: {gate_url: 'https://gate.example', projects: [{id: 1, secrets: [a]}]}", nil)
	if got, want := got.JetPay.GateURL, "https://gate.example"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestHighHelpWarnings(t *testing.T) {
	mustLoad(t, hmacMinimal, nil,
		"highhelp.projects[0].alert_key: is missing; every alert of this project will be refused (line 4)",
		"highhelp.projects[0].access_token: is missing; an HMAC key has none of its own, so requests carry no x-access-token (line 4)",
	)
	mustLoad(t, hmacMinimal+"      alert_key:\n"+hmacToken, nil, "highhelp.projects[0].alert_key: is missing; every alert of this project will be refused (line 6)")
	mustLoad(t, strings.Replace(hmacComplete, "request-secret", "' request-secret'", 1), nil,
		"highhelp.projects[0].request_key.secret: starts or ends with white space, which is taken as part of the secret (line 5)")
	mustLoad(t, "merchant: {listen: ':8082'}\n"+minimal, nil,
		"merchant.listen: is not a loopback address; keep it out of reach of the internet, it carries tokens in the clear (line 1)")
}

func TestOnlyAConfiguredAlertKeyIsOne(t *testing.T) {
	if (config.AlertKey{}).Configured() {
		t.Error("no key counts as one")
	}
	if !mustLoad(t, hmacComplete, nil).HighHelp.Projects[0].AlertKey.Configured() {
		t.Error("a key does not count")
	}
}

func TestProductionRefusesHighHelpsDemoKeysAndSecrets(t *testing.T) {
	copied := write(t, "copy.pem", mustRead(t, demoKeys+"request.pem"))
	_, privateFile, _ := newKey(t, 2048)
	folder := filepath.Join(t.TempDir(), "fixtures", "highhelp", "keys")
	if err := os.MkdirAll(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	inFolder := filepath.Join(folder, "new.pem")
	if err := os.WriteFile(inFolder, []byte(mustRead(t, privateFile)), 0o600); err != nil {
		t.Fatal(err)
	}
	secretFile := write(t, "s", "demo-highhelp-secret\n")
	project := func(id, request, alert string) string {
		return fmt.Sprintf("    - {id: %s, access_token: t, request_key: {%s}, alert_key: {%s}}\n", id, request, alert)
	}
	text := "environment: production\npublic_url: https://pay.example.kz\nhighhelp:\n  projects:\n" +
		project("a", "algorithm: hmac, secret: demo-highhelp-secret", "algorithm: hmac, secret: 7-bytes") +
		project("b", "algorithm: hmac, secret: good-enough", "algorithm: hmac, secret_file: "+secretFile) +
		project("c", "algorithm: rsa, private_key_file: "+copied, "algorithm: rsa, public_key_file: "+demoKeys+"alerts.pem") +
		project("d", "algorithm: rsa, private_key_file: "+inFolder, "algorithm: hmac, secret: good-enough")
	demos := "is the demo's, which everybody knows; production needs one of its own"
	wantLines(t, "problems", problemsOf(t, text, nil), []string{
		"highhelp.projects[0].request_key.secret: " + demos + " (line 5)",
		"highhelp.projects[0].alert_key.secret: is shorter than 8 bytes; production needs one that cannot be guessed (line 5)",
		"highhelp.projects[1].alert_key.secret_file: " + demos + " (line 6)",
		"highhelp.projects[2].request_key.private_key_file: " + demos + " (line 7)",
		"highhelp.projects[2].alert_key.public_key_file: " + demos + " (line 7)",
		"highhelp.projects[3].request_key.private_key_file: " + demos + " (line 8)",
	})
	mustLoad(t, strings.Replace(text, "production", "development", 1), nil)
}

// A demo key that is replaced must get its fingerprint into this package, so that no copy of it reaches production.
func TestEveryKeyOfTheDemoIsKnownByItself(t *testing.T) {
	files, err := filepath.Glob(demoKeys + "*.pem")
	if err != nil || len(files) == 0 {
		t.Fatalf("got %v, %v, want the demo's keys", files, err)
	}
	for _, file := range files {
		copied := write(t, "copy.pem", mustRead(t, file))
		key := "request_key: {algorithm: rsa, private_key_file: " + copied + "}"
		if !strings.Contains(mustRead(t, file), "PRIVATE KEY") {
			key = "request_key: {algorithm: hmac, secret: good-enough}, alert_key: {algorithm: rsa, public_key_file: " + copied + "}"
		}
		got := problemsOf(t, "environment: production\npublic_url: https://a.kz\nhighhelp: {projects: [{id: p, "+key+"}]}", nil)
		if len(got) != 1 || !strings.Contains(got[0], "is the demo's") {
			t.Errorf("%s: got %q, want it refused as the demo's; add its fingerprint to demoKeys", file, got)
		}
	}
}

// As in TestNoMistakeShowsASecret, the canary stands where a secret could.
func TestNoMistakeInHighHelpShowsASecret(t *testing.T) {
	for _, text := range []string{
		"request_key: {algorithm: hmac, secret: [" + canary + "]}", "request_key: {algorithm: " + canary + "}", "request_key: " + canary, "request_key: {" + canary + ": x}",
		"request_key: {algorithm: hmac, secret_file: " + canary + "}", "request_key: {algorithm: rsa, private_key_file: " + canary + "}", "request_key: {algorithm: rsa, private_key: " + canary + "}",
		"request_key: {algorithm: hmac, secret: " + canary + ", secret_file: " + canary + "}", "request_key: {algorithm: rsa, secret: " + canary + "}",
		"alert_key: {algorithm: rsa, public_key_file: " + canary + "}", "alert_key: {secret: " + canary + "}", "alert_key: " + canary, "access_token: [" + canary + "]", "access_token: '" + canary + " '",
		canary + ": x", "alert_headers: {signature: '" + canary + " '}", "request_dialect: {null_as: " + canary + "}", "algorithm_header: '" + canary + " '", "merchant_id: '" + canary + ":'",
	} {
		mistake(t, "public_url: https://a.kz\nhighhelp: {projects: [{id: p, "+text+"}]}", nil)
	}
	for _, text := range []string{
		"public_url: " + canary, "public_url: https://u:" + canary + "@a.kz", "public_url: 'https://a.kz:" + canary + "'", "merchant: {listen: " + canary + "}", "merchant: " + canary,
		"highhelp: " + canary, "highhelp: {base_url: " + canary + "}", "highhelp: {methods: [" + canary + "]}", "highhelp: {methods: [{name: '" + canary + " '}]}", "watch: {interval: " + canary + "}",
	} {
		mistake(t, text+"\n"+minimal, nil)
	}
	mistake(t, minimal, []string{`TOLEM_HIGHHELP__PROJECTS=[{"request_key":{"secret":"` + canary + `"}}]`})
	mistake(t, minimal, []string{"TOLEM_PUBLIC_URL=" + canary})
}
