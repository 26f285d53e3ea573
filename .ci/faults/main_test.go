package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestEachFaultIsCaught is what make test-all has of make faults: those that are caught
// in seconds. The others start servers and cut the power: make proof plants most of them.
func TestEachFaultIsCaught(t *testing.T) {
	if os.Getenv("TOLEM_TEST_FAULTS") == "" {
		t.Skip("takes minutes: TOLEM_TEST_FAULTS=1")
	}
	t.Chdir("../..")
	quick := slices.DeleteFunc(slices.Clone(faults), func(f fault) bool { return f.pkg == "./store" || f.pkg == "./proof" })
	if len(quick) < 25 {
		t.Fatalf("%d faults are caught in seconds", len(quick))
	}
	if err := passWithoutFaults(quick); err != nil {
		t.Fatal(err)
	}
	for _, f := range quick {
		t.Run(f.name, func(t *testing.T) {
			if err := f.plant(filepath.Join(t.TempDir(), "planted")); err != nil {
				t.Error(err)
			}
		})
	}
}

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
