package config_test

import (
	"os"
	"path/filepath"
	"testing"

	"tolem/config"
)

func TestFilesAreLookedForHereAndThenBesideTheConfiguration(t *testing.T) {
	repository, err := filepath.Abs("../config.yaml")
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(t.TempDir())
	c, warnings, err := config.Load(repository, nil)
	if err != nil || len(warnings) > 0 {
		t.Fatalf("from another folder: %v %v", err, warnings)
	}
	beside := filepath.Join(filepath.Dir(repository), "fixtures", "accounts.jsonl")
	if c.Demo.Accounts != beside {
		t.Errorf("demo.accounts: got %s, want %s", c.Demo.Accounts, beside)
	}
	if err := os.MkdirAll("fixtures", 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile("fixtures/accounts.jsonl", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	c, _, err = config.Load(repository, nil)
	if err != nil || c.Demo.Accounts != "fixtures/accounts.jsonl" {
		t.Errorf("a file that is here comes first: got %s, %v", c.Demo.Accounts, err)
	}
}
