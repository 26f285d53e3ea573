//go:build unix

package commands_test

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"tolem/platform"
	"tolem/view"
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

func TestSIGHUP(t *testing.T) {
	if testing.Short() {
		t.Skip("builds a real server")
	}
	t.Parallel()
	s := newShop(t)
	w := s.watch(t, buildProgram(t, "0"))
	original, err := os.ReadFile(s.config)
	if err != nil {
		t.Fatal(err)
	}
	// reload puts other text into the configuration, and waits for the log's answer.
	reload := func(says string, pairs ...string) map[string]any {
		t.Helper()
		if err := os.WriteFile(s.config, []byte(strings.NewReplacer(pairs...).Replace(string(original))), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := w.process.Process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		line, ok := w.lines.wait(says)
		if !ok {
			t.Fatalf("the log does not say %q:\n%s", says, w.lines)
		}
		return line
	}
	serving, ok := w.lines.wait("serving")
	if !ok {
		t.Fatal(w.lines)
	}
	status := func(token string) int {
		t.Helper()
		request, err := http.NewRequest(http.MethodGet, "http://"+serving["admin_listen"].(string)+"/api/v1/config", nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Authorization", "Bearer "+token)
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		return response.StatusCode
	}
	const again = "the configuration was read again"
	bad := reload(again+" and is invalid: the server goes on with the one that it has", "role: admin", "role: root", "jetpay:", "jetpya:")
	if problems := fmt.Sprint(bad["problems"]); bad["level"] != "error" || !strings.Contains(problems, "admin.tokens[0].role: must be one of") || !strings.Contains(problems, "jetpya: unknown key") {
		t.Errorf("got %v", bad)
	}
	if got := status("demo-admin-token"); got != http.StatusOK {
		t.Errorf("after an invalid configuration: got %d", got)
	}
	_, callback := w.pay(t, 1)
	line := reload(again, "demo-admin-token", "another-token", "demo-secret", "another-secret", "listen: 127.0.0.1:0", "listen: 127.0.0.1:1")
	if line["level"] != "info" {
		t.Errorf("got %v", line)
	}
	if kept, ok := w.lines.wait("these keys of the configuration have changed and need a restart: until then they keep their values"); !ok || fmt.Sprint(kept["keys"]) != "[listen]" {
		t.Errorf("got %v", kept)
	}
	if old, fresh := status("demo-admin-token"), status("another-token"); old != http.StatusUnauthorized || fresh != http.StatusOK {
		t.Errorf("the old token: got %d, the new one: %d", old, fresh)
	}
	if got := w.post(t, callback); got != http.StatusBadRequest {
		t.Errorf("a callback that is signed with a secret that was removed: got %d", got)
	}
	if strings.Contains(w.lines.String(), "another-token") || strings.Contains(w.lines.String(), "another-secret") {
		t.Error("the log has a secret")
	}
	audit := decode[[]view.AuditEntry](t, s.must(t, "audit", "--json"))
	if len(audit) < 2 || audit[1].Action != "reload" || audit[1].Result != "refused" || !strings.Contains(audit[1].Detail, "2 problems") ||
		audit[0].Action != "reload" || audit[0].Result != "done" || !strings.Contains(audit[0].Detail, "admin.tokens") {
		t.Errorf("the audit has %+v", audit)
	}
	if err := w.interrupt(t); err != nil {
		t.Errorf("the server ended with %v, want exit code 0", err)
	}
}
