package main

import (
	"bytes"
	"io"
	neturl "net/url"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5"

	"tolem/pgtest"
)

func TestACommandHasAServerWhileItRuns(t *testing.T) {
	pgtest.NewServer(t, pgtest.Options{}) // skips where none is installed
	t.Setenv(pgtest.Variable, "")
	var out, errs bytes.Buffer
	script := `printf %s "$` + pgtest.Variable + `"; exit 7`
	code, err := run(t.Context(), []string{"--", "sh", "-c", script}, nil, &out, &errs)
	if err != nil || code != 7 {
		t.Errorf("got %d, %v, want the command's exit code 7; %s", code, err, errs.String())
	}
	url := out.String()
	if !strings.HasPrefix(url, "postgres://") {
		t.Fatalf("got %q, want a URL", url)
	}
	if conn, err := pgx.Connect(t.Context(), url); err == nil {
		conn.Close(t.Context())
		t.Error("the server outlives the command")
	}
}

func TestTheCommandCanConnect(t *testing.T) {
	pgtest.NewServer(t, pgtest.Options{})
	t.Setenv(pgtest.Variable, "")
	folder, err := os.MkdirTemp("", "pg") // those of t.TempDir are closed to the server's user
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(folder)
	if err := os.Chmod(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	in, command := io.Pipe()
	out, answer := io.Pipe()
	ended := make(chan int, 1)
	go func() {
		code, err := run(t.Context(), []string{"-folder", folder, "--", "sh", "-c", `echo "$` + pgtest.Variable + `"; read -r _`}, in, answer, io.Discard)
		if err != nil {
			t.Error(err)
		}
		ended <- code
	}()
	url := make([]byte, 300)
	n, err := out.Read(url)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(url[:n]), neturl.QueryEscape(folder)) {
		t.Errorf("the server at %s is not in %s", url[:n], folder)
	}
	conn, err := pgx.Connect(t.Context(), strings.TrimSpace(string(url[:n])))
	if err != nil {
		t.Error(err)
	} else {
		conn.Close(t.Context())
	}
	command.Write([]byte("\n"))
	command.Close()
	if got, want := <-ended, 0; got != want {
		t.Errorf("exit code: got %d, want %d", got, want)
	}
}

func TestAServerThatIsGivenIsUsed(t *testing.T) {
	const given = "postgres://somebody@elsewhere/postgres"
	t.Setenv(pgtest.Variable, given)
	var out bytes.Buffer
	code, err := run(t.Context(), []string{"sh", "-c", `printf %s "$` + pgtest.Variable + `"`}, nil, &out, io.Discard)
	if err != nil || code != 0 || out.String() != given {
		t.Errorf("got %d, %v, %q, want 0 and %q", code, err, out.String(), given)
	}
}

func TestACommandThatIsMissingIsAFailure(t *testing.T) {
	t.Setenv(pgtest.Variable, "postgres://somebody@elsewhere/postgres")
	for _, args := range [][]string{nil, {"--"}, {"no-such-program"}} {
		if code, err := run(t.Context(), args, nil, io.Discard, io.Discard); code == 0 || err == nil {
			t.Errorf("%q: got %d, %v, want a failure", args, code, err)
		}
	}
}

func TestATerminationIsPassedOnAndWaitedFor(t *testing.T) {
	out, says := io.Pipe()
	command := exec.Command("sh", "-c", `trap 'exit 9' TERM; echo ready; while :; do sleep 0.01; done`)
	command.Stdout = says
	signals := make(chan os.Signal, 2)
	go func() {
		_, _ = io.ReadFull(out, make([]byte, len("ready\n")))
		signals <- syscall.SIGINT // which the terminal sends to both
		signals <- syscall.SIGTERM
	}()
	if code, err := runCommand(command, signals); err != nil || code != 9 {
		t.Errorf("got %d, %v, want the exit code of the command's own end, 9", code, err)
	}
}
