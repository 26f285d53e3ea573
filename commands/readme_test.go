package commands_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"tolem/config"
)

// blocks returns the fenced blocks of a Markdown text that are in a language.
func blocks(text, language string) []string {
	var found []string
	for _, match := range regexp.MustCompile("(?s)```"+language+"\n(.*?)```").FindAllStringSubmatch(text, -1) {
		found = append(found, match[1])
	}
	return found
}

// documents are the README and everything under docs.
func documents(t *testing.T) map[string]string {
	t.Helper()
	files, err := filepath.Glob("../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	texts := make(map[string]string)
	for _, file := range append(files, "../README.md") {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		texts[file] = string(text)
	}
	return texts
}

func TestEveryConfigurationInTheDocumentsLoads(t *testing.T) {
	loaded := 0
	for file, text := range documents(t) {
		for _, block := range blocks(text, "yaml") {
			// The secrets that it names lie in files of the machine it is for.
			dir := t.TempDir()
			for _, secret := range regexp.MustCompile(`/run/secrets/([\w.-]+)`).FindAllStringSubmatch(block, -1) {
				content := "not-a-real-secret-" + secret[1] + "\n"
				if strings.Contains(block, "dsn_file: /run/secrets/"+secret[1]) {
					content = "postgres://tolem:" + content[:10] + "@db.example.kz:5432/tolem?sslmode=verify-full\n"
				}
				if key, err := os.ReadFile("../fixtures/highhelp/keys/" + secret[1]); err == nil {
					content = string(key)
				}
				writeFile(t, dir, secret[1], content)
			}
			block = strings.ReplaceAll(block, "/run/secrets", dir)
			if _, warnings, err := config.Load(writeFile(t, dir, "config.yaml", block), nil); err != nil || len(warnings) > 0 {
				t.Errorf("%s: %v %v\n%s", file, err, warnings, block)
			}
			loaded++
		}
	}
	if loaded == 0 {
		t.Error("there is no configuration in any document")
	}
}

// TestTheReadmesToursPrintWhatTheyShow runs the commands of the README, one
// after the other, each tour against a server with the demo data.
func TestTheReadmesToursPrintWhatTheyShow(t *testing.T) {
	for _, program := range []string{"bash", "curl"} {
		need(t, program)
	}
	tours := blocks(documents(t)["../README.md"], "console")
	if len(tours) != 2 {
		t.Fatalf("the README has %d tours, want two", len(tours))
	}
	program := buildProgram(t, "0")
	t.Run("top-ups", func(t *testing.T) {
		s := newShop(t)
		follow(t, tours[0], program, s, s.serve(t), "")
	})
	t.Run("pay-ins", func(t *testing.T) {
		m := newMarket(t)
		follow(t, tours[1], program, m.shop, m.running, m.pages)
	})
}

// follow runs the commands of a tour and compares what they print.
func follow(t *testing.T, tour, program string, s *shop, server *running, sandbox string) {
	t.Helper()
	variables := environment("TOLEM_CONFIG="+s.config,
		"TOLEM_LISTEN="+strings.TrimPrefix(server.public, "http://"), "TOLEM_ADMIN__LISTEN="+strings.TrimPrefix(server.admin, "http://"))
	here := strings.NewReplacer(
		"http://127.0.0.1:8080", server.public, "http://127.0.0.1:8081", server.admin,
		"./tolem", program, "go build -o tolem .", "true",
	)
	for _, step := range regexp.MustCompile(`(?m)^\$ `).Split(tour, -1)[1:] {
		line, want, _ := strings.Cut(step, "\n")
		command := exec.Command("bash", "-o", "pipefail", "-c", here.Replace(line))
		command.Dir = ".."
		command.Env = variables
		got, err := command.CombinedOutput()
		if err != nil {
			t.Errorf("%s: %v\n%s", line, err, got)
		}
		printed := strings.ReplaceAll(string(got), sandbox, "http://127.0.0.1:8090")
		if sandbox == "" {
			printed = string(got)
		}
		if got, want := steady(printed), steady(want); got != want {
			t.Errorf("%s\nprinted:\n%s\nthe README shows:\n%s", line, got, want)
		}
	}
}

// steady replaces what differs from run to run.
func steady(text string) string {
	text = regexp.MustCompile(`\b([pt])_[0-9A-HJKMNP-TV-Z]{26}\b`).ReplaceAllString(text, "${1}_…")
	text = regexp.MustCompile(`/widget/[0-9a-f]{40}\b`).ReplaceAllString(text, "/widget/…")
	return strings.TrimRight(text, "\n")
}
