package commands_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"tolem/config"
	"tolem/maps"
	"tolem/reportfile"
	"tolem/testkit"
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
				testkit.WriteFile(t, dir, secret[1], content)
			}
			block = strings.ReplaceAll(block, "/run/secrets", dir)
			if _, warnings, err := config.Load(testkit.WriteFile(t, dir, "config.yaml", block), nil); err != nil || len(warnings) > 0 {
				t.Errorf("%s: %v %v\n%s", file, err, warnings, block)
			}
			loaded++
		}
	}
	if loaded == 0 {
		t.Error("there is no configuration in any document")
	}
}

// TestEveryMapInTheDocumentsIsRead: see docs/finance.md.
func TestEveryMapInTheDocumentsIsRead(t *testing.T) {
	read := 0
	for file, text := range documents(t) {
		for _, block := range blocks(text, "yaml map") {
			if _, err := reportfile.ParseMap([]byte(block)); err != nil {
				t.Errorf("%s: %v\n%s", file, err, block)
			}
			read++
		}
	}
	if read == 0 {
		t.Error("there is no map in any document")
	}
}

// TestReconcileInTheDocumentsPrintsWhatItShows runs the example of docs/finance.md
// on the demo data.
func TestReconcileInTheDocumentsPrintsWhatItShows(t *testing.T) {
	s := newShop(t)
	s.must(t, "migrate")
	s.serve(t).end(t)
	shown := 0
	for _, block := range blocks(readFile(t, "../docs/finance.md"), "console") {
		first, want, _ := strings.Cut(block, "\n")
		line, isCommand := strings.CutPrefix(first, "$ tolem reconcile ")
		if !isCommand {
			continue
		}
		shown++
		args := strings.Fields(strings.ReplaceAll(line, "maps/", "../maps/"))
		if got := s.tolem(t, append([]string{"reconcile"}, args...)...); got.out != want {
			t.Errorf("%s: got\n%s\nwant\n%s", first, got.out, want)
		}
	}
	if shown == 0 {
		t.Error("there is no example")
	}
}

// TestTheMapsOfTheProgramAreInTheDocuments: nobody finds what is not named.
func TestTheMapsOfTheProgramAreInTheDocuments(t *testing.T) {
	page := readFile(t, "../docs/finance.md")
	for _, name := range maps.Names() {
		if !strings.Contains(page, "`"+name+"`") {
			t.Errorf("docs/finance.md does not name the map %s", name)
		}
	}
}

// TestTheAccountRecordsInTheDocumentsCanBeImported imports those of
// docs/operations.md in either form, and what accounts list prints of them as
// that page says.
func TestTheAccountRecordsInTheDocumentsCanBeImported(t *testing.T) {
	text := documents(t)["../docs/operations.md"]
	for language, ending := range map[string]string{"json": "jsonl", "csv": "csv"} {
		t.Run(ending, func(t *testing.T) {
			records := blocks(text, language)
			if len(records) != 1 {
				t.Fatalf("got %d blocks, want one", len(records))
			}
			s := newShop(t)
			s.env = []string{"TOLEM_DEMO__ACCOUNTS=", "TOLEM_DEMO__PAYMENTS="}
			contains(t, "import", s.must(t, "accounts", "import", testkit.WriteFile(t, s.dir, "records."+ending, records[0])),
				"1 account with 2 contracts imported: 1 created")
			var lines strings.Builder
			for _, account := range decode[[]map[string]any](t, s.must(t, "accounts", "list", "--json")) {
				for _, entity := range account["entities"].([]any) {
					delete(entity.(map[string]any), "balance")
				}
				line, err := json.Marshal(account)
				if err != nil {
					t.Fatal(err)
				}
				lines.Write(append(line, '\n'))
			}
			contains(t, "import of what was listed", s.must(t, "accounts", "import", testkit.WriteFile(t, s.dir, "listed.jsonl", lines.String())),
				"1 account with 2 contracts imported: 0 created, 0 changed")
		})
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

// TestTheFilesInTheDocumentationExist: docs/architecture.md answers questions by
// naming files.
func TestTheFilesInTheDocumentationExist(t *testing.T) {
	named := 0
	for page, text := range documents(t) {
		for _, match := range regexp.MustCompile("`([a-z0-9_]+(?:/[a-z0-9_.]+)*/[a-z0-9_]+\\.(?:go|sql|sh|json|yml))`").FindAllStringSubmatch(text, -1) {
			if strings.HasPrefix(match[1], "api/") {
				continue
			}
			named++
			if _, err := os.Stat(filepath.Join("..", match[1])); err != nil {
				t.Errorf("%s names %s, which does not exist", filepath.Base(page), match[1])
			}
		}
	}
	if named == 0 {
		t.Error("no document names a file")
	}
}
