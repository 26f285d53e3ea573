package docs_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// TestImportsRunDown: each package of the program is in the list of architecture.md,
// and imports only packages that are further down in it.
func TestImportsRunDown(t *testing.T) {
	text, err := os.ReadFile("architecture.md")
	if err != nil {
		t.Fatal(err)
	}
	list, _, found := strings.Cut(string(text), "These packages are not part of the program")
	if !found {
		t.Fatal("architecture.md has no list of packages")
	}
	var order []string
	for _, match := range regexp.MustCompile(`(?m)^ {4,9}(?:\d  )? {0,4}((?:[a-z]+/)+) |(store/internal/payouts/) `).FindAllStringSubmatch(list, -1) {
		order = append(order, strings.TrimSuffix(match[1]+match[2], "/"))
	}
	// place is where a package is in the list, a folder's packages with it; -1 if nowhere.
	place := func(name string) int {
		for ; name != "."; name = path.Dir(name) {
			if i := slices.Index(order, name); i >= 0 {
				return i
			}
		}
		return -1
	}
	apart := []string{"bench", "proof", "storetest", "pgtest", "testkit", "docs", "deploy", ".ci", "findings", "sheet/sheettest", "handlers/testdata"}
	seen := 0
	err = filepath.WalkDir("..", func(file string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go") {
			return err
		}
		name := filepath.ToSlash(filepath.Dir(strings.TrimPrefix(file, "../")))
		if name == "." || slices.ContainsFunc(apart, func(folder string) bool { return name == folder || strings.HasPrefix(name, folder+"/") }) {
			return nil
		}
		at := place(name)
		if at < 0 {
			t.Errorf("%s is not in the list", name)
			return nil
		}
		seen++
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		for _, imported := range parsed.Imports {
			target, _ := strconv.Unquote(imported.Path.Value)
			target, own := strings.CutPrefix(target, "tolem/")
			if !own || place(target) >= at { // a folder's packages have one place
				continue
			}
			t.Errorf("%s imports %s, which is not further down", name, target)
		}
		return nil
	})
	if err != nil || seen < 100 {
		t.Fatalf("looked at %d files of %d packages: %v", seen, len(order), err)
	}
}
