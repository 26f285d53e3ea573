package commands_test

import (
	"strings"
	"testing"

	"tolem/testkit"
)

func TestConfigCheckPrintsTheEffectiveConfigurationWithoutSecrets(t *testing.T) {
	dir := t.TempDir()
	file := testkit.WriteFile(t, dir, "secret", "from-a-file-0123456789\n")
	config := testkit.WriteFile(t, dir, "config.yaml", `
admin: {tokens: [{name: a, role: admin, token: inline-token-0123456789}]}
jetpay: {projects: [{id: 7, secrets: [inline-secret-0123456789], secret_files: [`+file+`]}]}
`)
	env := []string{`TOLEM_TIMEZONE=Asia/Bishkek`, "TOLEM_NONSENSE=1", "TOLEM_ACTOR=me"}
	got := tolem(t, env, "", "config", "check", "--config", config)
	if got.code != 0 {
		t.Fatalf("got %+v", got)
	}
	contains(t, "configuration", got.out, "timezone: Asia/Bishkek", "listen: 127.0.0.1:8080", "[hidden]", "payment_expiry: 288h", "id: 7")
	for _, secret := range []string{"inline-token", "inline-secret", "from-a-file"} {
		if strings.Contains(got.out+got.err, secret) {
			t.Errorf("%s is shown:\n%s%s", secret, got.out, got.err)
		}
	}
	if want := "tolem: warning: TOLEM_NONSENSE: "; !strings.HasPrefix(got.err, want) || strings.Count(got.err, "\n") != 1 {
		t.Errorf("got warnings %q, want one about TOLEM_NONSENSE", got.err)
	}
}

func TestWhatConfigCheckPrintsIsAConfiguration(t *testing.T) {
	s := newShop(t)
	printed := s.must(t, "config", "check")
	again := strings.ReplaceAll(printed, `'[hidden]'`, "x")
	config := testkit.WriteFile(t, t.TempDir(), "config.yaml", strings.ReplaceAll(again, `[hidden]`, "x"))
	if got := tolem(t, nil, "", "config", "check", "--config", config); got.code != 0 || got.out != printed {
		t.Errorf("got %+v, want the same again:\n%s", got, printed)
	}
}

func TestConfigCheckPrintsALineForEachProblem(t *testing.T) {
	config := testkit.WriteFile(t, t.TempDir(), "config.yaml", "listen: nowhere\nnonsense: 1\nlog: {level: loud}\njetpay: {projects: [{id: 1, secrets: [s]}]}\n")
	got := tolem(t, nil, "", "config", "check", "--config", config)
	if got.code != 1 || got.out != "" {
		t.Errorf("got exit code %d and %q, want 1 and nothing", got.code, got.out)
	}
	lines := strings.Split(strings.TrimSpace(got.err), "\n")
	if len(lines) != 3 {
		t.Fatalf("got %d lines, want 3:\n%s", len(lines), got.err)
	}
	for _, key := range []string{"listen: ", "nonsense: ", "log.level: "} {
		if !strings.HasPrefix(lines[0], key) && !strings.HasPrefix(lines[1], key) && !strings.HasPrefix(lines[2], key) {
			t.Errorf("no line begins with %q:\n%s", key, got.err)
		}
	}
}

func TestAMissingConfigurationSaysHowToNameOne(t *testing.T) {
	got := tolem(t, nil, "", "config", "check", "--config", "nowhere.yaml")
	if got.code != 1 {
		t.Errorf("got exit code %d, want 1", got.code)
	}
	contains(t, "standard error", got.err, "nowhere.yaml", "--config", "TOLEM_CONFIG")
}

// TestConfigCheckRunningPrintsWhatTheServerRunsWith: the file, and the variables of
// this shell, may be others than those that it was started with.
func TestConfigCheckRunningPrintsWhatTheServerRunsWith(t *testing.T) {
	s := newShop(t)
	started := s.env
	s.env = append(started, "TOLEM_TIMEZONE=Asia/Bishkek", "TOLEM_WATCH__INTERVAL=2m")
	r := s.serve(t)
	if got := s.tolem(t, "config", "check", "--running", "--admin-url", r.admin); got.code != 0 || got.err != "" || got.out != s.must(t, "config", "check") {
		t.Errorf("nothing differs: got %+v", got)
	}
	s.env = append(started, "TOLEM_LOG__LEVEL=warn")
	got := s.tolem(t, "config", "check", "--running", "--admin-url", r.admin)
	if got.code != 1 {
		t.Errorf("got exit code %d", got.code)
	}
	contains(t, "what it runs with", got.out, "timezone: Asia/Bishkek\n", "level: info\n", "interval: 2m\n", "[hidden]")
	const differ = "log.level: the server runs with \"info\", a start here and now would take \"warn\"\n" +
		"timezone: the server runs with \"Asia/Bishkek\", a start here and now would take \"Asia/Almaty\"\n" +
		"watch.interval: the server runs with \"2m\", a start here and now would take \"1m\"\n"
	if got.err != differ {
		t.Errorf("got\n%s\nwant\n%s", got.err, differ)
	}
	if strings.Contains(got.out+got.err, "demo-admin-token") || strings.Contains(got.out+got.err, "demo-secret") {
		t.Error("a secret is shown")
	}
	s.env = append(started, "TOLEM_ADMIN__LISTEN=127.0.0.1:1")
	if got := s.tolem(t, "config", "check", "--running"); got.code != 1 || got.out != "" {
		t.Errorf("no server: got %+v", got)
	}
	if got := s.tolem(t, "config", "check", "--admin-url", r.admin); got.code != 2 {
		t.Errorf("--admin-url alone: got %+v", got)
	}
}
