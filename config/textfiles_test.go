package config_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"tolem/config"
)

func TestASecretFileThatCannotBeMeantIsRefused(t *testing.T) {
	const (
		bom   = "the file begins with a byte order mark (BOM), which is no part of the secret; save it as UTF-8 without one"
		utf16 = "the file is UTF-16 text, as editors and PowerShell on Windows write it; save it as UTF-8 without a byte order mark"
		lines = "the file holds more than one line; leave the line of the secret alone, and nothing behind it"
	)
	for content, want := range map[string]string{
		"\ufeff" + canary:                   bom,
		"\ufeff" + canary + "\r\n":          bom,
		"\xff\xfec\x004\x00":                utf16,
		"\xfe\xff\x00c\x004":                utf16,
		canary + "\n\n":                     lines,
		canary + "\nand another\n":          lines,
		canary + "\r":                       lines,
		"# the secret of JetPay\n" + canary: lines,
		"\n" + canary:                       lines,
	} {
		path := write(t, "s", content)
		for key, text := range map[string]string{
			"jetpay.projects[0].secret_files[0]": "jetpay: {projects: [{id: 1, secret_files: [" + path + "]}]}",
			"admin.tokens[0].token_file":         minimal + "admin: {tokens: [{name: a, role: read, token_file: " + path + "}]}",
			"database.dsn_file":                  minimal + "database: {driver: postgres, dsn_file: " + path + "}",
		} {
			got := problemsOf(t, text, nil)
			if len(got) != 1 || !strings.HasPrefix(got[0], key+": "+want+" (line ") {
				t.Errorf("%s with %q: got %q, want %q", key, content, got, want)
			}
			noCanary(t, "a problem", strings.Join(got, "\n"))
		}
	}
}

func TestASecretThatIsHardlyMeantIsWarnedOf(t *testing.T) {
	for content, want := range map[string]string{
		`"` + canary + `"`:         "is in quotes",
		`'` + canary + `'`:         "is in quotes",
		"`" + canary + "`":         "is in quotes",
		"SECRET=" + canary:         "begins with a name, as in NAME=value",
		"export KEY_1=" + canary:   "begins with a name, as in NAME=value",
		"secret: " + canary:        "begins with a name, as in NAME=value",
		"${JETPAY_SECRET}":         "is the name of a variable, which nobody replaces here",
		"$JETPAY_SECRET":           "is the name of a variable, which nobody replaces here",
		"$(cat /run/secrets/x)":    "is the name of a variable, which nobody replaces here",
		"{{ .Values.secret }}":     "is the name of a variable, which nobody replaces here",
		"%JETPAY_SECRET%":          "is the name of a variable, which nobody replaces here",
		"<your secret>":            "is the name of a variable, which nobody replaces here",
		canary + " # of JetPay":    "holds a # behind white space, as before a comment",
		canary + `\n`:              `ends with \n or \r in two characters`,
		canary + " ":               "starts or ends with white space",
		"\u00a0" + canary:          "starts or ends with white space",
		canary + "\u200b":          "holds a character that cannot be seen",
		canary[:4] + "\u00ad":      "holds a character that cannot be seen",
		canary:                     "",
		"Zm9vYmFyMDEyMzQ1Njc4OQ==": "", // Base64 is no assignment
		"FOOBARFOOBARFOO=":         "",
		"a$B{c}%d%#e":              "",
		"correct horse battery":    "",
	} {
		for key, text := range map[string]string{
			"jetpay.projects[0].secret_files[0]": "jetpay: {projects: [{id: 1, secret_files: [" + write(t, "s", content+"\n") + "]}]}",
			"jetpay.projects[0].secrets[0]":      fmt.Sprintf("jetpay: {projects: [{id: 1, secrets: [%q]}]}", content),
		} {
			path := write(t, "config.yaml", text)
			got, warnings, err := config.Load(path, nil)
			if err != nil || got.JetPay.Projects[0].Secrets[0].Reveal() != content {
				t.Errorf("%q: got %v: a secret is taken as it is", content, err)
				continue
			}
			var wanted []string
			if want != "" {
				wanted = []string{key + ": " + want + ", which is taken as part of the secret (line 1)"}
			}
			wantLines(t, content, warnings, wanted)
			noCanary(t, "a warning", strings.Join(warnings, "\n"))
		}
	}
}

func TestAPEMThatIsWrappedInSomethingIsCalledSo(t *testing.T) {
	_, privateFile, publicFile := newKey(t, 2048)
	private, public := readFile(t, privateFile), readFile(t, publicFile)
	oneLine := func(pem, between string) string { return strings.ReplaceAll(strings.TrimSpace(pem), "\n", between) }
	const escaped = `has \n in two characters where lines should end, as environment files do; write real line breaks (printf '%b' "$PEM" > FILE)`
	for _, tc := range []struct{ private, public, want string }{
		{"\ufeff" + private, public, "begins with a byte order mark (BOM), which is no part of the key; save it as UTF-8 without one"},
		{oneLine(private, `\n`), public, escaped},
		{`"` + oneLine(private, `\n`) + `\n"`, public, escaped},
		{private, oneLine(public, `\n`), escaped},
		{oneLine(private, " "), public, "has the whole PEM on one line; its BEGIN and END lines need line breaks around them"},
		{`"` + private + `"`, public, "has quotes around the PEM; remove them"},
		{"PRIVATE_KEY=" + private, public, "begins with a name, as in NAME=value; leave the PEM alone"},
		{private, `PUBLIC_KEY="` + public + `"`, "has quotes around the PEM; remove them"},
		{"${PRIVATE_KEY}", public, "holds the name of a variable, which nobody replaces here; write the PEM itself"},
		{private, "LS0tLS1CRUdJTiBQVUJMSUMgS0VZLS0tLS0K", "is Base64 of a PEM, as Kubernetes keeps it; decode it (base64 -d)"},
		{"\x30\x82\x04\xbd\x02\x01", public, "is binary (DER); convert it to PEM with openssl (-inform DER -outform PEM)"},
		{private, "\xff\xfe-\x00-\x00", "is UTF-16 text, as editors and PowerShell on Windows write it; save it as UTF-8 without a byte order mark"},
		{strings.ReplaceAll(private, "\n", "\r\n"), strings.ReplaceAll(public, "\n", "\r\n"), ""},
	} {
		text := fmt.Sprintf("public_url: https://a.kz\nhighhelp: {projects: [{id: p, request_key: {algorithm: rsa, private_key_file: %s}, alert_key: {algorithm: rsa, public_key_file: %s}}]}",
			write(t, "private", tc.private), write(t, "public", tc.public))
		if tc.want == "" {
			if _, _, err := config.Load(write(t, "config.yaml", text), nil); err != nil {
				t.Errorf("a PEM of Windows: %v", err)
			}
			continue
		}
		got := problemsOf(t, text, nil)
		if len(got) != 1 || !strings.HasSuffix(got[0], "key_file: the file "+tc.want+" (line 2)") {
			t.Errorf("got %q, want %q", got, tc.want)
		}
	}
}

// TestAFileThatMayNotBeReadGetsTheAdviceForThat runs itself as nobody when the tests are run by root, who may read all.
func TestAFileThatMayNotBeReadGetsTheAdviceForThat(t *testing.T) {
	const inside = "TEST_UNREADABLE_FOLDER"
	folder := os.Getenv(inside)
	if folder == "" && os.Getuid() == 0 {
		folder = worldReadable(t)
		self := filepath.Join(folder, "test")
		if err := os.WriteFile(self, []byte(readFile(t, os.Args[0])), 0o755); err != nil {
			t.Fatal(err)
		}
		unreadable(t, folder)
		cmd := exec.CommandContext(t.Context(), self, "-test.run=^"+t.Name()+"$")
		cmd.Dir, cmd.Env = folder, append(os.Environ(), inside+"="+folder)
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return
	}
	if folder == "" {
		folder = worldReadable(t)
		unreadable(t, folder)
	}
	const denied = "cannot be read: permission denied; let the user that tolem runs as read it, and enter its folder"
	secret := filepath.Join(folder, "secret")
	text := "jetpay:\n  projects: [{id: 1, secret_files: [" + secret + "]}]"
	wantLines(t, "a secret", problemsOf(t, text, nil), []string{"jetpay.projects[0].secret_files[0]: the file " + denied + " (line 2)"})
	_, _, err := config.Load(secret, nil)
	if err == nil || err.Error() != secret+": "+denied {
		t.Errorf("the configuration itself: got %v", err)
	}
}

// worldReadable is a folder that everybody may enter, which t.TempDir is not.
func worldReadable(t *testing.T) string {
	t.Helper()
	folder, err := os.MkdirTemp("", "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(folder) })
	if err := os.Chmod(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	return folder
}

func unreadable(t *testing.T, folder string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(folder, "secret"), []byte(canary), 0); err != nil {
		t.Fatal(err)
	}
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
