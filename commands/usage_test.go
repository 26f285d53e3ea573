package commands_test

import (
	"regexp"
	"strings"
	"testing"

	"tolem/testkit"
)

// leaves are all commands that do something.
var leaves = []string{
	"serve", "config check", "migrate", "healthcheck", "backup",
	"accounts import", "accounts export", "accounts imports", "accounts list", "accounts show",
	"payments list", "payments show", "payments credit",
	"suspense list", "suspense assign", "suspense return",
	"approvals list", "approvals show", "approvals approve", "approvals reject", "audit", "reconcile",
	"payouts import", "payouts add", "payouts list", "payouts show", "payouts post", "payouts discard", "settlement",
	"ledger reverse", "ledger check", "ledger balances", "ledger export",
	"sign", "verify", "replay", "simulate kaspi",
}

func TestWrongUsageExitsWith2AndSaysWhereHelpIs(t *testing.T) {
	s := newShop(t)
	for _, line := range []string{
		"", "nonsense", "--nonsense", "config", "config nonsense", "accounts", "payments", "suspense", "ledger", "simulate",
		"serve extra", "serve --nonsense", "config check extra", "migrate extra", "healthcheck --url x", "backup", "backup a b",
		"accounts import", "accounts import a.jsonl b.jsonl", "accounts list extra", "accounts show",
		"payments list --status paid", "payments list --flag red", "payments list --pending-over soon", "payments list --pending-over -2h",
		"payments list --limit -1", "payments list --from yesterday", "payments list --from 2026-11-31", "payments list --to 2026-11-01T25:00:00Z",
		"payments list --from 2026-11-02 --to 2026-11-01",
		"payments show", "payments credit", "payments credit p_1", "payments credit p_1 --reason=", "payments credit p_1 --reason=\u00a0",
		"suspense list extra", "suspense assign t_1 --reason r", "suspense assign t_1 --customer c --reason r", "suspense assign --customer c --entity e --reason r",
		"suspense return t_1", "suspense return t_1 --reason=", "suspense return --reason r",
		"ledger reverse t_1", "ledger reverse --reason r", "ledger check extra", "ledger balances --by chance", "ledger balances --from x",
		"ledger export", "ledger export --format xml", "ledger export --format csv --by size",
		"sign --secret=", "sign --provider highhelp --secret=", "sign --canonical --secret=", "sign --secret s --project 1", "sign --canonical --signature-only", "sign --project none", "sign --project 99", "sign a b",
		"verify --secret=", "verify --provider highhelp --timestamp 1764000000 --signature x --secret=", "verify --project 99", "verify --secret s --project 1", "verify a b",
		"replay", "replay --shuffle=x ../fixtures", "replay --admin-url http://127.0.0.1:1 ../fixtures",
		"simulate kaspi", "simulate kaspi --customer c --entity e", "simulate kaspi --customer c --entity e --amount 0",
		"simulate kaspi --customer c --entity e --amount 1.5", "simulate kaspi --customer c --entity e --amount 10000000000001",
		"simulate kaspi --customer c --entity e --amount 1 --outcome maybe", "simulate kaspi --customer c --entity e --amount 1 --count -1",
		"simulate kaspi --customer c --entity e --amount 1 --concurrency 2", "simulate kaspi --customer c --entity e --amount 1 --project 99",
		"simulate kaspi --customer c --entity e --amount 1 --url ftp://x",
		"sandbox --listen foo", "sandbox --listen=", "sandbox --listen 8090", "sandbox --listen 127.0.0.1:http", "sandbox --listen 127.0.0.1:65536",
	} {
		t.Run(line, func(t *testing.T) {
			got := s.tolem(t, strings.Split(line, " ")...)
			if line == "" {
				got = tolem(t, nil, "")
			}
			if got.code != 2 {
				t.Errorf("got exit code %d, want 2\n%s", got.code, got.err)
			}
			contains(t, "standard error", got.err, "tolem: ", "--help\" for usage.")
			if got.out != "" {
				t.Errorf("got %q on standard output, want nothing", got.out)
			}
		})
	}
}

func TestEveryCommandHasHelpWithAnExample(t *testing.T) {
	for _, command := range leaves {
		got := tolem(t, nil, "", append(strings.Fields(command), "--help")...)
		if got.code != 0 || got.err != "" {
			t.Errorf("%s: exit code %d, %q", command, got.code, got.err)
		}
		contains(t, command, got.out, "Usage: tolem "+command, "Example:", "tolem "+command, "--config=FILE")
		for _, id := range regexp.MustCompile(`\b[a-z]+_[0-9A-Z]{26}\b`).FindAllString(got.out, -1) {
			if !strings.HasPrefix(id, "p_") && !strings.HasPrefix(id, "t_") && !strings.HasPrefix(id, "ap_") {
				t.Errorf("%s: the example %s is no id of a payment or a ledger transaction", command, id)
			}
		}
	}
}

func TestTheProgramsHelpNamesEveryCommand(t *testing.T) {
	got := tolem(t, nil, "", "--help")
	if got.code != 0 {
		t.Fatalf("got exit code %d", got.code)
	}
	for _, command := range leaves {
		contains(t, "help", got.out, "  "+strings.Fields(command)[0])
	}
	contains(t, "help", got.out, "Exit codes: 0 done", "TOLEM_CONFIG")
}

func TestVersion(t *testing.T) {
	got := tolem(t, nil, "", "--version")
	if got.code != 0 || !strings.HasPrefix(got.out, "tolem ") || !strings.Contains(got.out, " go1.") {
		t.Errorf("got %+v", got)
	}
}

func TestEveryCommandExitsWith1OnAnInvalidConfiguration(t *testing.T) {
	config := testkit.WriteFile(t, t.TempDir(), "config.yaml", "lisen: 127.0.0.1:0\njetpay: {projects: [{id: 1, secrets: [s]}]}\n")
	for _, line := range []string{
		"serve", "config check", "migrate", "healthcheck", "backup /dev/null/x", "accounts import ../fixtures/accounts.jsonl", "accounts list", "accounts show c",
		"payments list", "payments show p_1", "payments credit p_1 --reason r", "suspense list", "suspense assign t --customer c --entity e --reason r",
		"suspense return t --reason r", "ledger reverse t --reason r", "ledger check", "ledger balances", "ledger export --format csv",
		"sign", "verify", "replay ../fixtures", "simulate kaspi --customer c --entity e --amount 1",
	} {
		got := tolem(t, nil, "{}", append(strings.Fields(line), "--config", config)...)
		if got.code != 1 || got.out != "" {
			t.Errorf("%s: got exit code %d and %q, want 1 and nothing", line, got.code, got.out)
		}
		contains(t, line, got.err, "lisen: ")
	}
}

func TestTheConfigurationIsNamedByFlagElseVariableElseConfigYAML(t *testing.T) {
	a, b := newShop(t, "timezone: Asia/Almaty"), newShop(t, "timezone: Asia/Bishkek")
	t.Chdir(newShop(t, "timezone: Asia/Dushanbe").dir)
	env := []string{"TOLEM_CONFIG=" + b.config}
	contains(t, "flag", tolem(t, env, "", "config", "check", "--config", a.config).out, "Asia/Almaty")
	contains(t, "variable", tolem(t, env, "", "config", "check").out, "Asia/Bishkek")
	contains(t, "neither", tolem(t, nil, "", "config", "check").out, "Asia/Dushanbe")
	contains(t, "neither, empty variable", tolem(t, []string{"TOLEM_CONFIG="}, "", "config", "check").out, "Asia/Dushanbe")
}
