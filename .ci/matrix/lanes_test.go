package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"testing"
)

// TestPackagesWithoutTheRaceDetectorHaveNoGoroutines: nor a test that starts one by a
// method, or runs beside another test.
func TestPackagesWithoutTheRaceDetectorHaveNoGoroutines(t *testing.T) {
	for _, name := range alone {
		files, err := filepath.Glob(filepath.Join("../..", name, "*.go"))
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: %d files, %v", name, len(files), err)
		}
		for _, file := range files {
			tree, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			ast.Inspect(tree, func(n ast.Node) bool {
				switch n := n.(type) {
				case *ast.GoStmt:
					t.Errorf("%s starts a goroutine: take %s out of alone", file, name)
				case *ast.SelectorExpr:
					if n.Sel.Name == "Go" || n.Sel.Name == "Parallel" {
						t.Errorf("%s calls %s: take %s out of alone", file, n.Sel.Name, name)
					}
				}
				return true
			})
		}
	}
}

// TestWhatHasPassedIsNotRunAgain: and only the very same pass, if it passed.
func TestWhatHasPassedIsNotRunAgain(t *testing.T) {
	known := results(t.TempDir())
	here := surroundings{gcc: true, postgres: true}
	quick, all := quickLanes(here, []string{"tolem/a"}, known.counters()), allLanes(here, []string{"tolem/a"}, known.counters())
	for i, lane := range quick {
		for k, p := range lane {
			r := result{Passed: 3, Lines: []string{p.name}}
			if i == 1 && k == 0 {
				r.Failed = 1
			}
			if err := known.keep(p, r); err != nil {
				t.Fatal(err)
			}
		}
	}
	again := 0
	for _, lane := range all {
		for _, p := range lane {
			if r, ok := known.of(p); ok {
				again++
				if r.Passed != 3 || r.Lines[0] != p.name {
					t.Errorf("%s: %+v", p.name, r)
				}
			}
		}
	}
	if want := 3; again != want { // one pass failed, one has the race detector for some tests alone
		t.Errorf("%d passes are not run again, want %d", again, want)
	}
	if _, ok := results("").of(all[0][0]); ok {
		t.Error("without a folder a pass is known")
	}
}
