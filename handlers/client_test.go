package handlers_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"tolem/openapi"
)

// TestAGeneratedClient: a client that ogen generates from the description takes a
// payment from suspense to its contract and refunds it. It compiles for a minute,
// and loads the generator, pinned in testdata/client, if it is not there yet.
func TestAGeneratedClient(t *testing.T) {
	if os.Getenv("TOLEM_TEST_CLIENT") == "" {
		t.Skip("takes a minute: make test-all sets TOLEM_TEST_CLIENT")
	}
	folder := filepath.Join(t.TempDir(), "client")
	if err := os.CopyFS(folder, os.DirFS("testdata/client")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, "openapi.json"), openapi.JSON(), 0o600); err != nil {
		t.Fatal(err)
	}
	run := func(name string, args ...string) string {
		t.Helper()
		command := exec.CommandContext(t.Context(), name, args...)
		command.Dir = folder
		command.Env = append(os.Environ(), "GOFLAGS=-trimpath", "GOWORK=off", "GOCOVERDIR=")
		out, err := command.CombinedOutput()
		if err != nil {
			t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
		}
		return string(out)
	}
	run("go", "tool", "ogen", "--target", "api", "--package", "api", "--clean", "openapi.json")
	run("go", "build", "-o", "client", ".")
	r := newRig(t)
	r.inSuspense("28")
	payment := r.ask("GET", "/api/v1/suspense", "").json(t)["items"].([]any)[0].(map[string]any)["payment_id"].(string)
	got := run(filepath.Join(folder, "client"), r.admin.URL, deskToken, "123456789", "12345")
	if want := payment + " succeeded: assigned 10000, refunded 10000 KZT\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
