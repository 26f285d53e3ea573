package commands_test

import (
	"path/filepath"
	"strings"
	"testing"

	"tolem/testkit"
)

// hideSecrets has every secret of the shop's configuration in files that are not
// there, as they are to who may not enter their folder.
func (s *shop) hideSecrets(t testing.TB) {
	t.Helper()
	secret := func(name string) string { return filepath.Join(t.TempDir(), "no-such-folder", name) }
	s.env = append(s.env,
		`TOLEM_ADMIN__TOKENS=[{"name":"a","role":"admin","token_file":"`+secret("token")+`"}]`,
		`TOLEM_JETPAY__PROJECTS=[{"id":1234,"secret_files":["`+secret("secret")+`"]}]`,
		`TOLEM_HIGHHELP__PROJECTS=[{"id":"57aff4db-b45d-42bf-bc5f-b7a499a01782","request_key":{"algorithm":"rsa","private_key_file":"`+secret("private")+`"},"alert_key":{"algorithm":"rsa","public_key_file":"`+secret("public")+`"}}]`)
}

// TestACommandNeedsTheSecretsThatItUses: who answers payers' questions must not be
// able to sign as the platform.
func TestACommandNeedsTheSecretsThatItUses(t *testing.T) {
	s := newShop(t)
	s.serve(t).end(t)
	s.hideSecrets(t)
	dir := t.TempDir()
	body := testkit.WriteFile(t, dir, "body.json", `{"a":1}`)
	for _, args := range [][]string{
		{"accounts", "list"},
		{"accounts", "show", "7123456789"},
		{"payments", "list"},
		{"payments", "show", "payment_47"},
		{"payments", "credit", "payment_47", "--reason", "in the report"},
		{"suspense", "list"},
		{"ledger", "check"},
		{"ledger", "balances"},
		{"ledger", "export", "--format", "hledger"},
		{"backup", filepath.Join(dir, "backup.db")},
		{"migrate"},
		{"sign", "--secret", "s", body},
		{"sign", "--canonical", body},
		{"replay", "../fixtures/jetpay/credit"},
	} {
		if args[0] == "backup" && s.database.Postgres != "" {
			continue
		}
		if got := s.tolem(t, args...); got.code != 0 {
			t.Errorf("%s: got exit code %d\n%s%s", strings.Join(args, " "), got.code, got.out, got.err)
		}
	}
	for _, args := range [][]string{{"serve"}, {"config", "check"}, {"sign", body}, {"verify", body}, {"sandbox"}} {
		got := s.tolem(t, args...)
		if got.code != 1 || !strings.Contains(got.err, "the file cannot be read: no such file or directory") {
			t.Errorf("%s uses them: got exit code %d\n%s", strings.Join(args, " "), got.code, got.err)
		}
	}
	// Whoever signs for one provider needs no key of the other.
	for provider, theirs := range map[string]string{"jetpay": "highhelp.", "highhelp": "jetpay."} {
		for _, command := range []string{"sign", "verify"} {
			args := []string{command, "--provider", provider, body}
			if command == "verify" && provider == "highhelp" {
				args = append(args, "--timestamp", "1764000000", "--signature", "x")
			}
			got := s.tolem(t, args...)
			if got.code != 1 || !strings.Contains(got.err, "the file cannot be read") || strings.Contains(got.err, theirs) {
				t.Errorf("%s: got exit code %d\n%s", strings.Join(args, " "), got.code, got.err)
			}
		}
	}
	// What they do not open they still check.
	s.env = append(s.env, "TOLEM_LISTEN=nowhere")
	if got := s.tolem(t, "payments", "list"); got.code != 1 || !strings.Contains(got.err, "listen: must be host:port") {
		t.Errorf("a broken key: got exit code %d\n%s", got.code, got.err)
	}
}
