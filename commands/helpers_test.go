package commands_test

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"tolem/commands"
)

// shop is a merchant's installation: a configuration and a folder for its
// database. Nothing of it is shared with another test.
type shop struct {
	dir    string
	config string
	env    []string
}

// newShop writes a configuration with free ports and the demo data, and
// HighHelp where nobody answers. The lines are put before it; a key of theirs
// must not be among the shop's own.
func newShop(t testing.TB, lines ...string) *shop {
	t.Helper()
	dir := t.TempDir()
	fixtures, err := filepath.Abs("../fixtures")
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Join(lines, "\n") + fmt.Sprintf(`
listen: 127.0.0.1:0
admin: {listen: "127.0.0.1:0", tokens: [{name: demo, role: admin, token: demo-admin-token}]}
database: {dsn: %q}
demo: {accounts: %q, payments: %q}
jetpay: {projects: [{id: 1234, secrets: [demo-secret]}]}
`, filepath.Join(dir, "tolem.db"), filepath.Join(fixtures, "accounts.jsonl"), filepath.Join(fixtures, "payments.jsonl"))
	if !strings.Contains(text, "highhelp:") {
		text += highhelpLines("http://127.0.0.1:1", "http://127.0.0.1:1")
	}
	return &shop{dir: dir, config: writeFile(t, dir, "config.yaml", text)}
}

// highhelpLines configure the demo's HighHelp project.
func highhelpLines(publicURL, baseURL string) string {
	keys, err := filepath.Abs("../fixtures/highhelp/keys")
	if err != nil {
		panic(err) // there is no working directory
	}
	return fmt.Sprintf(`
public_url: %q
highhelp:
  base_url: %q
  timeout: 2s
  projects:
    - id: 57aff4db-b45d-42bf-bc5f-b7a499a01782
      request_key: {algorithm: rsa, private_key_file: %q}
      alert_key: {algorithm: rsa, public_key_file: %q}
`, publicURL, baseURL, filepath.Join(keys, "request.pem"), filepath.Join(keys, "alerts.pem"))
}

func writeFile(t testing.TB, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func (s *shop) database() string { return filepath.Join(s.dir, "tolem.db") }

// result is what one run of the program came to.
type result struct {
	out, err string
	code     int
}

// tolem runs a command of the shop.
func (s *shop) tolem(t testing.TB, args ...string) result {
	t.Helper()
	return tolem(t, s.env, "", append(args, "--config", s.config)...)
}

// must runs a command that has to end with exit code 0, and returns its output.
func (s *shop) must(t testing.TB, args ...string) string {
	t.Helper()
	got := s.tolem(t, args...)
	if got.code != 0 {
		t.Fatalf("tolem %s: exit code %d\n%s%s", strings.Join(args, " "), got.code, got.out, got.err)
	}
	return got.out
}

// tolem runs the whole program in this process.
func tolem(t testing.TB, env []string, in string, args ...string) result {
	t.Helper()
	var out, errs bytes.Buffer
	err := commands.Run(t.Context(), args, env, commands.Stdio{In: strings.NewReader(in), Out: &out, Err: &errs})
	return result{out.String(), errs.String(), commands.ExitCode(err)}
}

// running is a server in this process.
type running struct {
	public, admin string // URLs
	lines         *logLines
	stop          context.CancelFunc
	ended         chan error
}

// serve starts the shop's server and waits until it says that it serves. It is
// stopped at the end of the test, if the test has not done so.
func (s *shop) serve(t testing.TB) *running {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	r := &running{lines: newLogLines(), stop: stop, ended: make(chan error, 1)}
	go func() {
		stdio := commands.Stdio{In: strings.NewReader(""), Out: io.Discard, Err: r.lines}
		r.ended <- commands.Run(ctx, []string{"serve", "--config", s.config}, s.env, stdio)
		r.lines.close()
	}()
	t.Cleanup(stop)
	ready, ok := r.lines.wait("serving")
	if !ok {
		t.Fatalf("the server ended instead of serving:\n%s", r.lines)
	}
	r.public, r.admin = "http://"+ready["listen"].(string), "http://"+ready["admin_listen"].(string)
	t.Cleanup(func() { r.end(t) })
	return r
}

// end stops the server and wants it to end without an error. It may be called
// more than once.
func (r *running) end(t testing.TB) {
	t.Helper()
	r.stop()
	err, running := <-r.ended
	if !running {
		return
	}
	close(r.ended)
	if err != nil {
		t.Errorf("serve: got error %v, want none\n%s", err, r.lines)
	}
}

// logLines collects JSON log lines and lets a test wait for one.
type logLines struct {
	mu     sync.Mutex
	grown  *sync.Cond
	text   bytes.Buffer
	closed bool
}

func newLogLines() *logLines {
	l := &logLines{}
	l.grown = sync.NewCond(&l.mu)
	return l
}

func (l *logLines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.grown.Broadcast()
	return l.text.Write(p)
}

func (l *logLines) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	l.grown.Broadcast()
}

func (l *logLines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// wait returns the first line with that message, or false when the program
// ends without one.
func (l *logLines) wait(message string) (map[string]any, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for {
		for line := range bytes.Lines(l.text.Bytes()) {
			var entry map[string]any
			if json.Unmarshal(line, &entry) == nil && entry["msg"] == message {
				return entry, true
			}
		}
		if l.closed {
			return nil, false
		}
		l.grown.Wait()
	}
}

// driver is the SQLite driver of this build.
func driver(t testing.TB) string {
	t.Helper()
	i := slices.IndexFunc(sql.Drivers(), func(name string) bool { return name == "sqlite3" || name == "sqlite" })
	if i < 0 {
		t.Fatalf("no SQLite driver among %v", sql.Drivers())
	}
	return sql.Drivers()[i]
}

// connect opens the shop's database on a connection that has nothing to do
// with the store.
func (s *shop) connect(t testing.TB) *sql.DB {
	t.Helper()
	db, err := sql.Open(driver(t), s.database())
	if err != nil {
		t.Fatal(err)
	}
	return db
}

// breakBooks changes the shop's database behind the program's back.
func (s *shop) breakBooks(t testing.TB, statement string) {
	t.Helper()
	db := s.connect(t)
	changed, err := db.Exec(statement)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := changed.RowsAffected(); err != nil || n == 0 {
		t.Fatalf("%s: changed %d rows, %v", statement, n, err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

// need skips the test when a program is missing; under CI=true that is a
// failure.
func need(t testing.TB, program string) {
	t.Helper()
	if _, err := exec.LookPath(program); err == nil {
		return
	}
	if os.Getenv("CI") == "true" {
		t.Fatalf("missing: %s", program)
	}
	t.Skipf("missing: %s", program)
}

func contains(t testing.TB, what, got string, wants ...string) {
	t.Helper()
	for _, want := range wants {
		if !strings.Contains(got, want) {
			t.Errorf("%s: got\n%s\nwant it to contain %q", what, got, want)
		}
	}
}

// decode reads one JSON document and nothing behind it.
func decode[T any](t testing.TB, text string) T {
	t.Helper()
	var value T
	if err := json.Unmarshal([]byte(text), &value); err != nil {
		t.Fatalf("got %q, want JSON: %v", text, err)
	}
	return value
}
