package docs_test

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestNoPackageIsLarge: a package has at most 7,500 lines without its tests, so that a
// newcomer can know it. bench, which only measures the program, may have more.
func TestNoPackageIsLarge(t *testing.T) {
	const most = 7500
	lines := map[string]int{}
	err := filepath.WalkDir("..", func(file string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go") {
			return err
		}
		text, err := os.ReadFile(file)
		lines[filepath.ToSlash(strings.TrimPrefix(filepath.Dir(file), "../"))] += bytes.Count(text, []byte("\n"))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if lines["commands"] == 0 || lines["store"] == 0 {
		t.Fatalf("no lines were counted: %v", lines)
	}
	for name, n := range lines {
		if n > most && name != "bench" {
			t.Errorf("%s has %d lines, more than %d: move a part that is a subject of its own into a package below it", name, n, most)
		}
	}
}
