package commands_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tolem/testkit"
)

// A request signed here in one of the dialects is taken for an alert signed in
// it: the two schemes are the same, their keys are not.
func TestVerifyNamesTheDialectOfACapturedAlert(t *testing.T) {
	keys, err := filepath.Abs("../fixtures/highhelp/keys")
	if err != nil {
		t.Fatal(err)
	}
	const alert = `{"general":{"payment_id":"p_12"},"payment_info":{"amount":1500000,"method":null},"status":{"status":"success","sub_status":null}}`
	dir := t.TempDir()
	file := testkit.WriteFile(t, dir, "alert.json", alert+"\n")
	for _, tc := range []struct{ dialect, want string }{
		{`{null_as: none, padding: "on", digest: twice}`, `alert_dialect: {null_as: none, padding: "on", digest: twice}`},
		{`{null_as: skip, padding: "off", digest: once}`, `alert_dialect: {null_as: skip, padding: "off", digest: once}`},
	} {
		configuration := testkit.WriteFile(t, dir, "config.yaml", `
public_url: http://127.0.0.1:8080
database: {dsn: `+filepath.Join(dir, "t.db")+`}
highhelp:
  projects:
    - id: shop
      request_key: {algorithm: rsa, private_key_file: `+filepath.Join(keys, "request.pem")+`}
      request_dialect: `+tc.dialect+`
`)
		signed := tolem(t, nil, "", "sign", "--provider", "highhelp", "--timestamp", "1764000000", "--config", configuration, file)
		if signed.code != 0 {
			t.Fatalf("sign: %d %s", signed.code, signed.err)
		}
		contains(t, "the headers", signed.out, "x-access-timestamp: 1764000000", "x-access-merchant-id: shop", "x-access-token: ", "x-access-signature: ")
		only := tolem(t, nil, "", "sign", "--provider", "highhelp", "--timestamp", "1764000000", "--signature-only", "--config", configuration, file)
		signature := strings.TrimSpace(only.out)
		contains(t, "the headers", signed.out, signature)

		public := filepath.Join(keys, "request.public.pem")
		if _, err := os.Stat(public); err != nil {
			t.Fatal(err)
		}
		got := tolem(t, nil, "", "verify", "--provider", "highhelp", "--key", public, "--timestamp", "1764000000", "--signature", signature, file)
		if got.code != 0 {
			t.Fatalf("verify: %d %s", got.code, got.err)
		}
		contains(t, "what verify says", got.out, "valid\n", tc.want)

		wrong := tolem(t, nil, strings.Replace(alert, "1500000", "1500001", 1), "verify", "--provider", "highhelp", "--key", public, "--timestamp", "1764000000", "--signature", signature)
		if wrong.code != 1 {
			t.Errorf("another amount: exit code %d", wrong.code)
		}
		// The project has no alert_key.
		if got := tolem(t, nil, "", "verify", "--provider", "highhelp", "--config", configuration, "--timestamp", "1764000000", "--signature", signature, file); got.code != 1 {
			t.Errorf("without a key: exit code %d", got.code)
		}
	}
}

func TestHighHelpSignaturesWithASecretNeedNoConfiguration(t *testing.T) {
	const body = `{"a":1,"b":null}`
	signed := tolem(t, nil, body, "sign", "--provider", "highhelp", "--secret", "s", "--timestamp", "1764000000", "--signature-only")
	if signed.code != 0 {
		t.Fatalf("sign: %d %s", signed.code, signed.err)
	}
	got := tolem(t, nil, body, "verify", "--provider", "highhelp", "--secret", "s", "--timestamp", "1764000000", "--signature", strings.TrimSpace(signed.out))
	if got.code != 0 {
		t.Fatalf("verify: %d %s", got.code, got.err)
	}
	contains(t, "what verify says", got.out, "null_as: empty")
	canonical := tolem(t, nil, body, "sign", "--provider", "highhelp", "--secret", "s", "--canonical")
	if canonical.out != "a:1;b:" {
		t.Errorf("canonical: got %q", canonical.out)
	}
	for name, args := range map[string][]string{
		"no timestamp":     {"verify", "--provider", "highhelp", "--secret", "s", "--signature", "x"},
		"no signature":     {"verify", "--provider", "highhelp", "--secret", "s", "--timestamp", "1764000000"},
		"unknown provider": {"sign", "--provider", "nobody", "--secret", "s"},
	} {
		if got := tolem(t, nil, body, args...); got.code != 2 {
			t.Errorf("%s: exit code %d, %s", name, got.code, got.err)
		}
	}
}
