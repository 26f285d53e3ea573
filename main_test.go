package main

import (
	"bufio"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"tolem/commands"
)

func TestRunIsTheWholeProgram(t *testing.T) {
	var out strings.Builder
	err := run(t.Context(), []string{"sign", "--canonical"}, nil, commands.Stdio{In: strings.NewReader(`{"b":1,"a":2}`), Out: &out, Err: io.Discard})
	if err != nil || out.String() != "a:2;b:1" {
		t.Errorf("got %q, %v", out.String(), err)
	}
}

// TestTheRepositoryServesAtOnceAndStopsOnSIGTERM runs what "go run . serve"
// runs, on the repository's own configuration, with free ports and another
// database.
func TestTheRepositoryServesAtOnceAndStopsOnSIGTERM(t *testing.T) {
	env := []string{
		"TOLEM_LISTEN=127.0.0.1:0", "TOLEM_ADMIN__LISTEN=127.0.0.1:0",
		"TOLEM_DATABASE__DSN=" + filepath.Join(t.TempDir(), "data", "tolem.db"),
	}
	reader, writer := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		ended <- run(t.Context(), []string{"serve"}, env, commands.Stdio{In: strings.NewReader(""), Out: io.Discard, Err: writer})
		writer.Close()
	}()
	var said strings.Builder
	serving := false
	for lines := bufio.NewScanner(reader); lines.Scan(); {
		said.WriteString(lines.Text() + "\n")
		if !serving && strings.Contains(lines.Text(), `"msg":"serving"`) {
			serving = true
			self, err := os.FindProcess(os.Getpid())
			if err == nil {
				err = self.Signal(syscall.SIGTERM)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := <-ended; err != nil {
		t.Errorf("got error %v, want none", err)
	}
	if !serving || !strings.Contains(said.String(), "filled with demo data") || !strings.Contains(said.String(), `"msg":"draining"`) {
		t.Errorf("got\n%s\nwant it to seed, serve and drain", said.String())
	}
}
