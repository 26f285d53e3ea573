// Package docs verifies that docs/promises.md and docs/security.md say what is so:
// the tests that they name exist, their quotations are where they say, and each
// direct dependency is in the list.
package docs

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// known are the tests of the tree: of each package's folder the test functions, and
// of each of them every text of its file, which the names of its subtests are among,
// whether t.Run or a table has them.
type known map[string]map[string]map[string]bool

// has reports whether a folder has a test. Without a folder, any may have it. A name
// may have a subtest's behind a slash.
func (k known) has(folder, name string) bool {
	name, subtest, _ := strings.Cut(name, "/")
	for other, tests := range k {
		texts, found := tests[name]
		if found && (folder == "" || folder == other) && (subtest == "" || texts[subtest] || texts[subtest+"/"]) {
			return true
		}
	}
	return false
}

func testsOfTheTree(t *testing.T) known {
	t.Helper()
	k := make(known)
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		folder := filepath.ToSlash(strings.TrimPrefix(filepath.Dir(path), "../"))
		if k[folder] == nil {
			k[folder] = make(map[string]map[string]bool)
		}
		texts := make(map[string]bool)
		ast.Inspect(file, func(n ast.Node) bool {
			if literal, ok := n.(*ast.BasicLit); ok && literal.Kind == token.STRING {
				if text, err := strconv.Unquote(literal.Value); err == nil {
					texts[strings.ReplaceAll(text, " ", "_")] = true
				}
			}
			return true
		})
		for _, d := range file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil && testName.MatchString(f.Name.Name) {
				k[folder][f.Name.Name] = texts
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return k
}

var (
	testName = regexp.MustCompile(`^(Test|Fuzz)[A-Z]\w*$`)
	anyTest  = regexp.MustCompile("`((?:Test|Fuzz)[A-Z]\\w*(?:/[^`]+)?)`")
	command  = regexp.MustCompile(`(?m)^go .*\bgo test .*$|^go test .*$`)
	ofFolder = regexp.MustCompile(` \./([\w/.-]+)(?: -run|$)`)
	ofRun    = regexp.MustCompile(`-run '?([^' ]+)'?`)
	ofFuzz   = regexp.MustCompile(`-fuzz (\w+)`)
)

func page(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestTheTestsOfThePagesExist: a promise whose test was renamed has none.
func TestTheTestsOfThePagesExist(t *testing.T) {
	k := testsOfTheTree(t)
	for _, name := range []string{"promises.md", "security.md"} {
		text, named := page(t, name), 0
		for _, match := range anyTest.FindAllStringSubmatch(text, -1) {
			named++
			if !k.has("", match[1]) {
				t.Errorf("%s names %s, which does not exist", name, match[1])
			}
		}
		for _, line := range command.FindAllString(text, -1) {
			folder, run := ofFolder.FindStringSubmatch(line), ofRun.FindStringSubmatch(line)
			if folder == nil || run == nil {
				t.Errorf("%s: %q names no package or no test", name, line)
				continue
			}
			var tests []string
			if run[1] != "^$" {
				tests = strings.Split(run[1], "|")
			}
			if fuzz := ofFuzz.FindStringSubmatch(line); fuzz != nil {
				tests = append(tests, fuzz[1])
			}
			for _, test := range tests {
				named++
				if !k.has(folder[1], test) {
					t.Errorf("%s: %s is not a test of ./%s", name, test, folder[1])
				}
			}
		}
		if named == 0 {
			t.Errorf("%s names no test", name)
		}
	}
}

// TestEachPromiseIsQuotedAndHasTests: a promise is in the words of the page that makes
// it, and a command runs its tests.
func TestEachPromiseIsQuotedAndHasTests(t *testing.T) {
	quotation := regexp.MustCompile(`(?m)^> (.+)\n> \[[\w.]+\]\((\S+)\)$`)
	oneLine := func(text string) string { return strings.Join(strings.Fields(text), " ") }
	sections := strings.Split(page(t, "promises.md"), "\n## ")[1:]
	if len(sections) == 0 {
		t.Fatal("there is no promise")
	}
	for _, section := range sections {
		title, _, _ := strings.Cut(section, "\n")
		quoted := quotation.FindAllStringSubmatch(section, -1)
		if len(quoted) == 0 {
			t.Errorf("%s: is quoted from no page", title)
		}
		for _, q := range quoted {
			if !strings.Contains(oneLine(page(t, q[2])), oneLine(q[1])) {
				t.Errorf("%s: %s does not say %q", title, q[2], q[1])
			}
		}
		if !command.MatchString(section) {
			t.Errorf("%s: no command runs a test", title)
		}
		if !strings.Contains(section, "Limits:") {
			t.Errorf("%s: no limits", title)
		}
	}
}

// TestEachLineOfSecurityHasItsTest: whoever reads the tables can see each line fail.
func TestEachLineOfSecurityHasItsTest(t *testing.T) {
	lines := 0
	inTable := false
	for line := range strings.Lines(page(t, "security.md")) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		last := strings.TrimSpace(cells[len(cells)-1])
		switch {
		case !strings.HasPrefix(line, "|"):
			inTable = false
		case last == "test":
			inTable = true
		case inTable && !strings.HasPrefix(last, "---"):
			lines++
			if !anyTest.MatchString(last) && !strings.HasPrefix(last, "none: ") {
				t.Errorf("no test, and no reason why there is none: %s", line)
			}
		}
	}
	if lines == 0 {
		t.Error("there is no line")
	}
}

// TestEachDirectDependencyIsJustified: what go.mod requires directly has its line, and
// nothing else has one.
func TestEachDirectDependencyIsJustified(t *testing.T) {
	out, err := exec.Command("go", "list", "-m", "-f", "{{if not (or .Indirect .Main)}}{{.Path}}{{end}}", "all").Output()
	if err != nil {
		t.Fatal(err)
	}
	required := make(map[string]bool)
	for _, path := range strings.Fields(string(out)) {
		required[path] = true
	}
	if len(required) == 0 {
		t.Fatal("go.mod requires nothing")
	}
	_, list, found := strings.Cut(page(t, "security.md"), "\n## Dependencies\n")
	if !found {
		t.Fatal("security.md has no list of dependencies")
	}
	for _, match := range regexp.MustCompile("(?m)^\\| `([^`]+)` \\| ([^|]+) \\| ([^|]+) \\|$").FindAllStringSubmatch(list, -1) {
		if !required[match[1]] {
			t.Errorf("%s has a line twice, or go.mod does not require it", match[1])
		}
		delete(required, match[1])
	}
	for path := range required {
		t.Errorf("%s has no line with its licence and its purpose", path)
	}
}

func TestTheREADMELinksThePages(t *testing.T) {
	text := page(t, "../README.md")
	for _, name := range []string{"promises.md", "security.md"} {
		if !strings.Contains(text, "(docs/"+name+")") {
			t.Errorf("the README has no link to docs/%s", name)
		}
	}
}
