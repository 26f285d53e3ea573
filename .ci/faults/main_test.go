package main

import (
	"os"
	"strings"
	"testing"
)

// TestEachFaultCanBePlanted: the text that it replaces is in the code, once.
func TestEachFaultCanBePlanted(t *testing.T) {
	names := map[string]bool{}
	for _, f := range faults {
		if names[f.name] {
			t.Errorf("%s is in the list twice", f.name)
		}
		names[f.name] = true
		for _, e := range f.edits {
			if _, err := e.apply("../.."); err != nil {
				t.Errorf("%s: %v", f.name, err)
			}
		}
	}
}

func TestTheListIsInTheDocs(t *testing.T) {
	text, err := os.ReadFile("../../docs/faults.md")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), list()) {
		t.Error("docs/faults.md does not have the table that go run ./.ci/faults -table prints")
	}
}

// TestABuildThatFailsCatchesNothing reads what go test -json prints.
func TestABuildThatFailsCatchesNothing(t *testing.T) {
	for text, caught := range map[string]bool{
		`{"Action":"fail","Package":"p","Test":"TestX"}` + "\n":        true,
		`{"Action":"fail","Package":"p","Test":"TestY"}` + "\n":        false,
		`{"Action":"build-fail","ImportPath":"p"}` + "\n":              false,
		`{"Action":"fail","Package":"p","FailedBuild":"p"}` + "\nnote": false,
	} {
		if err := caughtBy(text, "TestX"); (err == nil) != caught {
			t.Errorf("%s: %v", text, err)
		}
	}
}
