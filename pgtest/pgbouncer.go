package pgtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
)

// NewPgBouncer starts a real PgBouncer in front of the database that the URL
// names, with settings of its configuration file (pool_mode and others), and
// returns the URL of the same database through it. It ends with the test. The
// test is skipped where there is no PgBouncer, unless everything must be proved.
func NewPgBouncer(t testing.TB, rawURL string, settings map[string]string) string {
	t.Helper()
	program := bouncerProgram()
	if program == "" {
		const missing = "no PgBouncer is installed: install the Debian package pgbouncer"
		if os.Getenv("CI") == "true" {
			t.Fatal(missing)
		}
		t.Skip(missing)
	}
	b, err := startBouncer(program, rawURL, settings)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.stop(); err != nil {
			t.Error(err)
		}
	})
	through := b.through(rawURL)
	if err := b.answers(t.Context(), through); err != nil {
		t.Fatal(err)
	}
	return through
}

// bouncerProgram is where PgBouncer is. Debian keeps it off the PATH of users.
func bouncerProgram() string {
	for _, name := range []string{"pgbouncer", "/usr/sbin/pgbouncer", "/usr/local/sbin/pgbouncer"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	return ""
}

// bouncer is a PgBouncer on a socket of its own.
type bouncer struct {
	folder  string
	guard   *guard
	process *exec.Cmd
	ended   chan struct{}
}

const bouncerPID = "pgbouncer.pid"

func startBouncer(program, rawURL string, settings map[string]string) (*bouncer, error) {
	who, err := account() // PgBouncer, too, refuses root
	if err != nil {
		return nil, err
	}
	folder, err := os.MkdirTemp("", "tolem-pb-")
	if err != nil {
		return nil, err
	}
	b := &bouncer{folder: folder, ended: make(chan struct{})}
	if b.guard, err = watch(folder, bouncerPID, "TERM"); err != nil {
		return nil, errors.Join(err, os.RemoveAll(folder))
	}
	if err := b.start(program, rawURL, settings, func(c *exec.Cmd) { as(c, who) }, func(path string) error { return own(path, who) }); err != nil {
		return nil, errors.Join(fmt.Errorf("start PgBouncer: %w", err), b.guard.release())
	}
	return b, nil
}

func (b *bouncer) start(program, rawURL string, settings map[string]string, as func(*exec.Cmd), own func(string) error) error {
	text, err := b.configuration(rawURL, settings)
	if err != nil {
		return err
	}
	file := filepath.Join(b.folder, "pgbouncer.ini")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		return err
	}
	for _, path := range []string{b.folder, file} {
		if err := own(path); err != nil {
			return err
		}
	}
	log, err := os.OpenFile(filepath.Join(b.folder, "log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	b.process = exec.Command(program, file)
	b.process.Dir, b.process.Env = b.folder, []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C"}
	b.process.Stdout, b.process.Stderr = log, log
	as(b.process)
	if err := b.process.Start(); err != nil {
		return err
	}
	go func() {
		_ = b.process.Wait()
		close(b.ended)
	}()
	return nil
}

// configuration is PgBouncer's file. Everybody who can open the socket may sign
// in.
func (b *bouncer) configuration(rawURL string, settings map[string]string) (string, error) {
	server, err := pgx.ParseConfig(rawURL)
	if err != nil {
		return "", errors.New("the URL of the database cannot be read")
	}
	quoted := func(value string) string { return "'" + strings.ReplaceAll(value, "'", "''") + "'" }
	all := map[string]string{
		"unix_socket_dir": b.folder, "unix_socket_mode": "0777", "listen_port": port, "listen_addr": "",
		"auth_type": "any", "pidfile": filepath.Join(b.folder, bouncerPID), "server_tls_sslmode": "disable",
	}
	if server.TLSConfig != nil {
		all["server_tls_sslmode"] = "prefer"
	}
	maps.Copy(all, settings)
	var text strings.Builder
	fmt.Fprintf(&text, "[databases]\n%s = host=%s port=%d dbname=%s user=%s",
		server.Database, quoted(server.Host), server.Port, quoted(server.Database), quoted(server.User))
	if server.Password != "" { // an empty one is a syntax error there
		fmt.Fprintf(&text, " password=%s", quoted(server.Password))
	}
	text.WriteString("\n[pgbouncer]\n")
	for _, name := range slices.Sorted(maps.Keys(all)) {
		fmt.Fprintf(&text, "%s = %s\n", name, all[name])
	}
	return text.String(), nil
}

// through is the URL of the same database, through PgBouncer.
func (b *bouncer) through(rawURL string) string {
	u, err := url.Parse(rawURL)
	if err != nil {
		return rawURL
	}
	query := u.Query()
	query.Set("host", b.folder)
	query.Set("port", port)
	query.Set("sslmode", "disable")
	u.Host, u.RawQuery = "", query.Encode()
	return u.String()
}

// answers waits until PgBouncer takes connections.
func (b *bouncer) answers(ctx context.Context, through string) error {
	for {
		conn, err := pgx.Connect(ctx, through)
		if err == nil {
			return conn.Close(ctx)
		}
		select {
		case <-b.ended:
			return fmt.Errorf("start PgBouncer: it ended at once\n%s", b.lastWords())
		default:
		}
		if !pause(ctx, retryEvery) {
			return fmt.Errorf("start PgBouncer: it does not answer: %w\n%s", err, b.lastWords())
		}
	}
}

func (b *bouncer) lastWords() []byte {
	log, err := os.ReadFile(filepath.Join(b.folder, "log"))
	if err != nil {
		return nil
	}
	return bytes.TrimSpace(log[max(0, len(log)-tail):])
}

func (b *bouncer) stop() error {
	if err := b.process.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	<-b.ended
	_ = os.Remove(filepath.Join(b.folder, bouncerPID))
	return b.guard.release()
}
