package commands_test

import (
	"bytes"
	"cmp"
	"context"
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
	"tolem/store"
	"tolem/storetest"
	"tolem/testkit"
)

// shop is a merchant's installation: a configuration and a database, which is
// not there yet or empty. Nothing of it is shared with another test.
type shop struct {
	dir      string
	database store.Options
	config   string
	env      []string
}

// newShop writes a configuration with free ports and the demo data, and
// HighHelp where nobody answers. The lines are put before it; a key of theirs
// must not be among the shop's own.
func newShop(t testing.TB, lines ...string) *shop {
	t.Helper()
	return newShopOn(t, storetest.Unopened(t), lines...)
}

// newShopOn is newShop with a database that the test has chosen.
func newShopOn(t testing.TB, database store.Options, lines ...string) *shop {
	t.Helper()
	dir := t.TempDir()
	fixtures, err := filepath.Abs("../fixtures")
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Join(lines, "\n") + "\n" + storetest.Config(database) + fmt.Sprintf(`
listen: 127.0.0.1:0
admin: {listen: "127.0.0.1:0", tokens: [{name: demo, role: admin, token: demo-admin-token}]}
demo: {accounts: %q, payments: %q}
jetpay: {projects: [{id: 1234, secrets: [demo-secret]}]}
`, filepath.Join(fixtures, "accounts.jsonl"), filepath.Join(fixtures, "payments.jsonl"))
	if !strings.Contains(text, "highhelp:") {
		text += highhelpLines("http://127.0.0.1:1", "http://127.0.0.1:1")
	}
	return &shop{dir: dir, database: database, config: testkit.WriteFile(t, dir, "config.yaml", text)}
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

// use lets the shop work on another database.
func (s *shop) use(o store.Options) {
	s.database = o
	s.env = append(s.env, "TOLEM_DATABASE__DSN="+cmp.Or(o.Postgres, o.Path))
}

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

// firstAndLast are the lowest and the highest seq in the shop's database. On
// PostgreSQL they begin anywhere.
func (s *shop) firstAndLast(t testing.TB) (first, last int64) {
	t.Helper()
	err := storetest.Open(t, s.database).QueryRow(`SELECT min(seq), max(seq) FROM transactions`).Scan(&first, &last)
	if err != nil {
		t.Fatal(err)
	}
	return first, last
}

// environment is that of this process, without what is meant for the tests.
func environment(more ...string) []string {
	own := slices.DeleteFunc(os.Environ(), func(entry string) bool { return strings.HasPrefix(entry, "TOLEM_TEST_") })
	return append(own, more...)
}

// breakBooks changes the shop's database behind the program's back.
func (s *shop) breakBooks(t testing.TB, statement string) {
	t.Helper()
	db := storetest.Open(t, s.database)
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

// untouched wants that nobody has written to the shop's database, or made it.
func (s *shop) untouched(t testing.TB) {
	t.Helper()
	if s.database.Postgres == "" {
		if _, err := os.Stat(s.database.Path); err == nil {
			t.Error("a database was made")
		}
		return
	}
	var tables, rows int
	db := storetest.Open(t, s.database)
	err := db.QueryRow(`SELECT count(*) FROM pg_tables WHERE schemaname = 'public' AND tablename = 'payments'`).Scan(&tables)
	if err == nil && tables > 0 {
		err = db.QueryRow(`SELECT (SELECT count(*) FROM payments) + (SELECT count(*) FROM accounts)`).Scan(&rows)
	}
	if err != nil {
		t.Fatal(err)
	}
	if rows > 0 {
		t.Errorf("the database has %d rows", rows)
	}
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
