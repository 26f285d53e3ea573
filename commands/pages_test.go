package commands_test

import (
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

// TestAnOperatorsWeek runs docs/operators-week.md.
func TestAnOperatorsWeek(t *testing.T) {
	s := newShop(t, "books_closed_to: 2026-10-31")
	runAsShown(t, "../docs/operators-week.md", "", "", s)
}

// TestAMonth runs the section "A month" of docs/finance.md; its last part where
// there is hledger.
func TestAMonth(t *testing.T) {
	s := newShop(t, `bank: [{name: halyk, iban: KZ98999DEMO000000001, bic: HSBKKZKX, bin: "000000000000", kbe: "17", currency: KZT}]`)
	end := "\n## "
	if _, err := exec.LookPath("hledger"); err != nil {
		end = "\n### The same month in hledger"
	}
	runAsShown(t, "../docs/finance.md", "\n## A month\n", end, s)
	need(t, "hledger")
}

// runAsShown runs the commands of a page in one shell against a server of the
// shop, and compares what each prints with what the page shows. With WRITE_DOCS=1
// in the environment it writes what was printed into the page. What is run begins
// at the text from and ends before the next text to; empty: at the ends of the page.
func runAsShown(t *testing.T, page, from, to string, s *shop) {
	t.Helper()
	for _, program := range []string{"bash", "curl", "awk"} {
		need(t, program)
	}
	text := readFile(t, page)
	begin, end := strings.Index(text, from), len(text)
	if begin < 0 {
		t.Fatalf("%s has no %q", page, from)
	}
	if i := strings.Index(text[begin+len(from):], to); to != "" && i >= 0 {
		end = begin + len(from) + i
	}
	server := s.serve(t)
	got := text[:begin] + runPage(t, text[begin:end], buildProgram(t, "0"), s, server) + text[end:]
	if os.Getenv("WRITE_DOCS") != "" {
		if err := os.WriteFile(page, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	printed, shown := strings.Split(steadyPage(got), "\n"), strings.Split(steadyPage(text), "\n")
	for i := range max(len(printed), len(shown)) {
		if i >= len(printed) || i >= len(shown) || printed[i] != shown[i] {
			t.Fatalf("line %d: printed\n%s\nthe page shows\n%s", i+1, strings.Join(printed[min(i, len(printed)):min(i+8, len(printed))], "\n"),
				strings.Join(shown[min(i, len(shown)):min(i+8, len(shown))], "\n"))
		}
	}
	server.end(t)
}

// runPage runs every command of a page's console blocks in one shell, and
// returns the page with what they printed.
func runPage(t *testing.T, page, program string, s *shop, server *running) string {
	t.Helper()
	block := regexp.MustCompile("(?s)```console\n(.*?)```")
	here := strings.NewReplacer(
		"http://127.0.0.1:8080", server.public, "http://127.0.0.1:8081", server.admin, "./tolem", program, "go build -o tolem .", "true")
	var script strings.Builder
	n := 0
	for _, match := range block.FindAllStringSubmatch(page, -1) {
		for _, command := range commandsOf(match[1]) {
			fmt.Fprintf(&script, "%s\nprintf '\\n@@%d\\n'\n", here.Replace(command), n)
			n++
		}
	}
	shell := exec.Command("bash", "-c", "exec 2>&1\n"+script.String())
	shell.Dir = ".."
	shell.Env = environment("TOLEM_CONFIG="+s.config, "TOLEM_ACTOR=aigerim",
		"TOLEM_LISTEN="+strings.TrimPrefix(server.public, "http://"), "TOLEM_ADMIN__LISTEN="+strings.TrimPrefix(server.admin, "http://"))
	out, err := shell.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	printed := regexp.MustCompile(`\n@@\d+\n`).Split(string(out), -1)
	if len(printed) != n+1 {
		t.Fatalf("%d commands printed %d times:\n%s", n, len(printed), out)
	}
	n = 0
	return block.ReplaceAllStringFunc(page, func(b string) string {
		var text strings.Builder
		text.WriteString("```console\n")
		for _, command := range commandsOf(block.FindStringSubmatch(b)[1]) {
			text.WriteString("$ " + command + "\n")
			if answer := strings.TrimSuffix(printed[n], "\n"); answer != "" {
				text.WriteString(answer + "\n")
			}
			n++
		}
		return text.String() + "```"
	})
}

func commandsOf(block string) []string {
	var commands []string
	for _, line := range strings.Split(block, "\n") {
		if command, ok := strings.CutPrefix(line, "$ "); ok {
			commands = append(commands, command)
		}
	}
	return commands
}

// steadyPage replaces what differs from run to run.
func steadyPage(text string) string {
	text = regexp.MustCompile(`\bmessage \d+`).ReplaceAllString(text, "message N") // PostgreSQL numbers with gaps
	return regexp.MustCompile(`\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d+)?( [+-]\d{4}|Z)?`).ReplaceAllStringFunc(steady(text), func(at string) string {
		if strings.HasSuffix(at, ":00:00Z") { // a day's beginning, or the platform's date
			return at
		}
		return "(time)"
	})
}
