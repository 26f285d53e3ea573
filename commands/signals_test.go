//go:build unix

package commands_test

import (
	"net/http"
	"os"
	"os/exec"
	"syscall"
	"testing"

	"tolem/platform"
)

// TestServeOutlivesTheReaderOfItsLog: the server goes on without a log, and ends
// as it should.
func TestServeOutlivesTheReaderOfItsLog(t *testing.T) {
	if testing.Short() {
		t.Skip("builds a real server")
	}
	t.Parallel()
	s := newShop(t)
	program := buildProgram(t, "0")
	process := exec.Command(program, "serve", "--config", s.config)
	process.Env = environment(s.env...)
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	process.Stderr = write // the process's own end: nobody reads on for it
	if err := process.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = process.Process.Kill() })
	if err := write.Close(); err != nil {
		t.Fatal(err)
	}
	w := &watched{process: process, ended: make(chan error, 1)}
	w.client = servingOn(t, read)
	if err := read.Close(); err != nil {
		t.Fatal(err)
	}
	go func() { w.ended <- process.Wait() }()
	for operation := range int64(3) {
		if _, callback := w.pay(t, operation+1); w.post(t, callback) != http.StatusOK {
			t.Error("a callback was not acknowledged")
		}
	}
	if err := w.interrupt(t); err != nil {
		t.Errorf("the server ended with %v, want exit code 0", err)
	}
	s.checkLedger(t, program)
}

// servingOn reads a log up to the line that says where the server is.
func servingOn(t *testing.T, log *os.File) *platform.Client {
	t.Helper()
	lines := newLogLines()
	go func() {
		defer lines.close()
		buffer := make([]byte, 4096)
		for {
			n, err := log.Read(buffer)
			if err != nil {
				return
			}
			if _, err := lines.Write(buffer[:n]); err != nil {
				return
			}
		}
	}()
	ready, ok := lines.wait("serving")
	if !ok {
		t.Fatalf("the server ended instead of serving:\n%s", lines)
	}
	client, err := platform.NewClient("http://"+ready["listen"].(string), platform.ClientOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return client
}

func TestServeIgnoresSIGHUPAndSaysSo(t *testing.T) {
	if testing.Short() {
		t.Skip("builds a real server")
	}
	t.Parallel()
	s := newShop(t)
	w := s.watch(t, buildProgram(t, "0"))
	if err := w.process.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	const said = "SIGHUP is ignored: the configuration is read at the start only; to change it, restart the server"
	if line, ok := w.lines.wait(said); !ok || line["level"] != "warn" {
		t.Fatalf("got %v\n%s", line, w.lines)
	}
	if _, callback := w.pay(t, 1); w.post(t, callback) != http.StatusOK {
		t.Error("a callback was not acknowledged")
	}
	if err := w.interrupt(t); err != nil {
		t.Errorf("the server ended with %v, want exit code 0", err)
	}
}
