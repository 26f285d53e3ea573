package deploy_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestCommands: every command of the program that these files and docs/deploy.md run or name exists, with its flags.
func TestCommands(t *testing.T) {
	lines := map[string][]string{} // by where they are
	quoted := regexp.MustCompile("(?s)```sh\n(.*?)```|`([^`\n]+)`")
	for file, text := range files(t) {
		switch {
		case strings.HasSuffix(file, ".md"):
			for _, m := range quoted.FindAllStringSubmatch(text, -1) {
				lines[file] = append(lines[file], strings.Split(m[1]+m[2], "\n")...)
			}
		default:
			// In units, comments and descriptions; words of a sentence are none of its commands.
			lines[file] = append(lines[file], regexp.MustCompile(`ExecStart=.*|"tolem [^"]+"|: tolem config check`).FindAllString(text, -1)...)
		}
	}
	for _, file := range []string{"compose/compose.yaml"} {
		test := readCompose(t, file).Services["tolem"].Healthcheck.Test
		lines[file] = append(lines[file], strings.Join(test[1:], " "))
	}
	for file, kind := range map[string]string{"kubernetes/sqlite.yaml": "StatefulSet", "kubernetes/postgres.yaml": "Deployment"} {
		c := readManifest(t, file)[kind].Spec.Template.Spec.Containers[0]
		lines[file] = append(lines[file], "tolem "+strings.Join(c.Args, " "))
	}
	found := map[string]bool{}
	for file, texts := range lines {
		for _, text := range texts {
			for _, m := range regexp.MustCompile(`(?:^|[\s"=/])tolem ([a-z]+(?: [a-z]+)*)(.*)`).FindAllStringSubmatch(text, -1) {
				found[m[1]] = true
				help, ok := run(t, nil, append(strings.Fields(m[1]), "--help")...)
				if !ok || !strings.Contains(help, "Usage: tolem "+m[1]) {
					t.Errorf("%s: tolem %s is no command", file, m[1])
				}
				for _, flag := range regexp.MustCompile(`(?:^|\s)(--[a-z-]+)`).FindAllStringSubmatch(m[2], -1) {
					if !strings.Contains(help, flag[1]) {
						t.Errorf("%s: tolem %s has no flag %s", file, m[1], flag[1])
					}
				}
			}
		}
	}
	for _, command := range []string{"serve", "backup", "healthcheck", "migrate", "config check", "ledger check", "suspense list"} {
		if !found[command] {
			t.Errorf("found no %q, so this test finds too little", command)
		}
	}
	if !slices.Contains(lines["compose/compose.yaml"], "/tolem healthcheck") {
		t.Errorf("got %q", lines["compose/compose.yaml"])
	}
}
