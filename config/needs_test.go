package config_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"tolem/config"
)

// allSecretsInFiles names a file for each secret; what is %s is its folder.
const allSecretsInFiles = `
public_url: https://pay.example.kz
admin: {tokens: [{name: a, role: read, token_file: %[1]s/token}]}
database: {driver: postgres, dsn_file: %[1]s/url}
jetpay: {projects: [{id: 1, secret_files: [%[1]s/secret]}]}
highhelp:
  projects:
    - {id: r, request_key: {algorithm: rsa, private_key_file: %[1]s/private}, alert_key: {algorithm: rsa, public_key_file: %[1]s/public}}
    - {id: h, request_key: {algorithm: hmac, secret_file: %[1]s/hmac}, access_token: t, alert_key: {algorithm: hmac, secret_file: %[1]s/alerts}}
`

func TestOnlyTheFilesOfNeededSecretsAreOpened(t *testing.T) {
	path := write(t, "config.yaml", fmt.Sprintf(allSecretsInFiles, "/no/such/folder"))
	for needs, want := range map[config.Secrets][]string{
		config.NoSecrets:    {},
		config.DatabaseURL:  {"database.dsn_file"},
		config.AdminTokens:  {"admin.tokens[0].token_file"},
		config.JetPayKeys:   {"jetpay.projects[0].secret_files[0]"},
		config.HighHelpKeys: {"highhelp.projects[0].request_key.private_key_file", "highhelp.projects[0].alert_key.public_key_file", "highhelp.projects[1].request_key.secret_file", "highhelp.projects[1].alert_key.secret_file"},
	} {
		got, warnings, err := config.LoadFor(needs, path, nil)
		wantLines(t, "warnings", warnings, nil)
		if len(want) == 0 {
			if err != nil || got.HighHelp.Projects[1].ID != "h" {
				t.Errorf("needs nothing: got %v", err)
			}
			continue
		}
		var problems *config.Problems
		if !errors.As(err, &problems) {
			t.Errorf("needs %v: got %v, want problems", want, err)
			continue
		}
		var keys []string
		for _, problem := range problems.List {
			keys = append(keys, problem.Key)
		}
		wantLines(t, "problems", keys, want)
	}
}

func TestSecretsThatAreNotNeededAreNotMissed(t *testing.T) {
	const text = "admin: {tokens: [{name: a, role: read}]}\ndatabase: {driver: postgres}\njetpay: {projects: [{id: 1}]}\n" +
		"highhelp: {projects: [{id: h, request_key: {algorithm: hmac}}, {id: r, request_key: {algorithm: rsa}}]}\npublic_url: https://p.example\n"
	if _, warnings, err := config.LoadFor(config.NoSecrets, write(t, "config.yaml", text), nil); err != nil || len(warnings) > 0 {
		t.Errorf("got %v, %v", warnings, err)
	}
	if _, _, err := config.LoadFor(config.DatabaseURL, write(t, "config.yaml", "database: {dsn: a.db}\n"), nil); err != nil {
		t.Errorf("no project at all: got %v", err)
	}
	if got, want := len(problemsOf(t, text, nil)), 5; got != want {
		t.Errorf("who needs all misses %d, want %d", got, want)
	}
}

func TestTheRestIsCheckedWhateverIsNeeded(t *testing.T) {
	text := strings.Replace(fmt.Sprintf(allSecretsInFiles, "/no/such"), "id: 1,", "id: 1, colour: red,", 1) + "listen: nowhere\n"
	_, _, err := config.LoadFor(config.NoSecrets, write(t, "config.yaml", text), []string{"TOLEM_ENVIRONMENT=production", "TOLEM_DEMO__ACCOUNTS=x", `TOLEM_ADMIN__TOKENS=[{"name":"a","role":"read","token":"short"}]`})
	if err == nil {
		t.Fatal("got no problems")
	}
	for _, want := range []string{"jetpay.projects[0].colour: unknown key", "listen: must be host:port", "demo.accounts: production", "admin.tokens[0].token: is shorter"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("got\n%v\nwant %q", err, want)
		}
	}
}
