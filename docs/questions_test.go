package docs

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var (
	quoted   = regexp.MustCompile("`([^`]+)`")
	filePath = regexp.MustCompile(`^[a-z0-9_.]+(/[a-z0-9_.]+)*/[a-z0-9_]+\.(go|sql|sh)$|^[a-z]+/$`)
	goName   = regexp.MustCompile(`^[A-Za-z]+$`)
)

// TestTheFilesOfArchitectureExist: a path that was renamed leads nobody anywhere.
func TestTheFilesOfArchitectureExist(t *testing.T) {
	for _, name := range []string{"architecture.md", "performance-notes.md"} {
		named := 0
		for _, match := range quoted.FindAllStringSubmatch(page(t, name), -1) {
			if !filePath.MatchString(match[1]) {
				continue
			}
			named++
			if _, err := os.Stat("../" + match[1]); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		if named == 0 {
			t.Errorf("%s names no file", name)
		}
	}
}

// TestEachQuestionIsAnsweredInThreeFiles: what a newcomer asks is found within three
// files, which exist and have the functions and names that the answer gives.
func TestEachQuestionIsAnsweredInThreeFiles(t *testing.T) {
	_, table, found := strings.Cut(page(t, "architecture.md"), "| question | where to read |\n|---|---|\n")
	table, _, ended := strings.Cut(table, "\n\n")
	if !found || !ended {
		t.Fatal("architecture.md has no table of questions")
	}
	rows := strings.Split(table, "\n")
	if len(rows) < 10 {
		t.Errorf("%d questions, want at least ten", len(rows))
	}
	for _, row := range rows {
		cells := strings.Split(strings.Trim(row, "| "), " | ")
		if len(cells) != 2 {
			t.Errorf("not a question and its answer: %s", row)
			continue
		}
		var read []string // the texts of the files
		var names []string
		files := 0
		for _, match := range quoted.FindAllStringSubmatch(cells[1], -1) {
			switch name := match[1]; {
			case filePath.MatchString(name):
				if !strings.HasSuffix(name, "_test.go") {
					files++
				}
				if !strings.HasSuffix(name, "/") {
					read = append(read, page(t, "../"+name))
				}
			case goName.MatchString(name):
				names = append(names, name)
			default:
				t.Errorf("%s: `%s` is no path and no name", cells[0], name)
			}
		}
		if files == 0 || files > 3 {
			t.Errorf("%s: %d files beside tests, want one to three", cells[0], files)
		}
		for _, name := range names {
			word := regexp.MustCompile(`\b` + name + `\b`)
			if !slices.ContainsFunc(read, word.MatchString) {
				t.Errorf("%s: no file of the answer has %s", cells[0], name)
			}
		}
	}
}
