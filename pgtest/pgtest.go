// Package pgtest gives tests and benchmarks a real PostgreSQL.
//
//	url := pgtest.Database(t)                       // a fresh, empty database, dropped after t ends
//	url := pgtest.Template(t, "store", migrate)     // the same, as a copy of one that migrate filled once
//	proxy := pgtest.NewProxy(t, url)                // the same database over TCP that can be cut
//	url := pgtest.NewPgBouncer(t, url, settings)    // the same database through a real PgBouncer
//
//	server := pgtest.NewServer(t, pgtest.Options{}) // a server of one's own, to be killed and restarted
//	server, err := pgtest.Start(ctx, options)       // the same outside of tests
//
// Database and Template take the server that TOLEM_TEST_POSTGRES names, or else
// start one for the process from the installed programs. Where there is neither
// the test is skipped, and fails under CI=true.
//
// To start one server for many commands:
//
//	go run ./pgtest/server -- go test ./store ./handlers
package pgtest

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// Variable is the environment variable that names a server to test with:
// postgres://user@host/postgres, or postgres://user@/postgres?host=/folder for a
// socket. The user must be allowed to create databases. Databases that earlier
// tests left behind (tolem_test_…) are dropped there.
const Variable = "TOLEM_TEST_POSTGRES"

const (
	// timeout bounds one command to the server. Making and dropping databases
	// waits for the disk, which a busy machine shares.
	timeout = 10 * time.Minute
	// retryEvery is how long a database that is still in use is left alone.
	retryEvery = 20 * time.Millisecond
	// undropped is how many databases may wait to be dropped.
	undropped = 64
	// objectInUse is PostgreSQL's code for a database with connections.
	objectInUse = "55006"
)

// Database is the URL of a fresh, empty database. It is dropped after the test
// ends, with all its connections.
func Database(t testing.TB) string {
	t.Helper()
	c := need(t)
	return c.lend(t, "template0")
}

// Template is the URL of a fresh database that is a copy of one that fill made.
// In a process, fill runs once for a key; it gets the URL of an empty database
// and closes its connections before it returns.
func Template(t testing.TB, key string, fill func(url string) error) string {
	t.Helper()
	c := need(t)
	source, err := c.template(key, fill)
	if err != nil {
		t.Fatalf("fill the template database %q: %v", key, err)
	}
	return c.lend(t, source)
}

// NewServer is Start for a test: the server is stopped when the test ends.
func NewServer(t testing.TB, options Options) *Server {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	server, err := Start(ctx, options)
	without(t, err)
	t.Cleanup(func() {
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
	})
	return server
}

// need is the process's server.
func need(t testing.TB) *cluster {
	t.Helper()
	c, err := shared()
	without(t, err)
	return c
}

// without ends a test when there is no server: it is skipped, except where
// skipping is not allowed.
func without(t testing.TB, err error) {
	t.Helper()
	if errors.Is(err, ErrNotInstalled) && os.Getenv("CI") != "true" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// shared is the process's server. Tests of one package have nothing in common
// but the process, and a server for each of them would take seconds, so this is
// a variable of the package. A server of our own ends with the process.
var shared = sync.OnceValues(func() (*cluster, error) {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	if given := os.Getenv(Variable); given != "" {
		return connect(ctx, given, nil)
	}
	server, err := Start(ctx, Options{})
	if err != nil {
		return nil, err
	}
	return connect(ctx, server.URL("postgres"), server)
})

// cluster makes and drops databases on one server.
type cluster struct {
	base   *url.URL
	server *Server // that we started for it, or nil
	prefix string  // of the names of this process's databases
	used   chan string

	mu    sync.Mutex // for what follows
	admin *pgx.Conn
	made  int
	kinds map[string]func() (string, error)
}

// connect connects to a server as the owner of databases with a prefix of their
// own. An owner is known by its connections of that name, which last as long as
// the process.
func connect(ctx context.Context, rawURL string, server *Server) (*cluster, error) {
	base, err := parseURL(rawURL)
	if err != nil {
		return nil, err
	}
	var id [6]byte
	if _, err := rand.Read(id[:]); err != nil {
		return nil, fmt.Errorf("make a name for test databases: %w", err)
	}
	c := &cluster{
		base: base, server: server, prefix: "tolem_test_" + hex.EncodeToString(id[:]),
		used: make(chan string, undropped), kinds: map[string]func() (string, error){},
	}
	if c.admin, err = c.dial(ctx); err != nil {
		return nil, err
	}
	dropper, err := c.dial(ctx)
	if err != nil {
		return nil, errors.Join(err, c.admin.Close(ctx))
	}
	go c.tidy(dropper)
	return c, nil
}

// dial is a connection that is known as this process's.
func (c *cluster) dial(ctx context.Context) (*pgx.Conn, error) {
	config, err := pgx.ParseConfig(c.base.String())
	if err != nil {
		return nil, fmt.Errorf("%s: %w", Variable, err)
	}
	config.RuntimeParams["application_name"] = c.prefix
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("connect to the PostgreSQL of the tests (%s): %w", Variable, err)
	}
	return conn, nil
}

// parseURL reads a server's URL. Its errors do not repeat it, it may hold a
// password.
func parseURL(raw string) (*url.URL, error) {
	u, err := url.Parse(raw)
	if err != nil || (u.Scheme != "postgres" && u.Scheme != "postgresql") {
		return nil, fmt.Errorf("%s must be a URL like postgres://user@host:5432/postgres", Variable)
	}
	query := u.Query()
	if !query.Has("connect_timeout") {
		query.Set("connect_timeout", "10")
		u.RawQuery = query.Encode()
	}
	return u, nil
}

// databaseURL is the URL of another database of the same server.
func databaseURL(base *url.URL, name string) string {
	u := *base
	u.Path, u.RawPath = "/"+name, ""
	return u.String()
}

// tidy drops databases beside the tests, because to drop one takes longer than
// to make one: PostgreSQL writes a checkpoint for it. It begins with those that
// earlier processes left. What cannot be dropped, or not before the process ends,
// is left for the next one.
func (c *cluster) tidy(conn *pgx.Conn) {
	defer conn.Close(context.Background())
	for _, name := range c.orphans(conn) {
		drop(conn, name)
	}
	for name := range c.used {
		drop(conn, name)
	}
}

// orphans are the test databases whose owner has gone.
func (c *cluster) orphans(conn *pgx.Conn) []string {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	rows, err := conn.Query(ctx, `
		SELECT d.datname FROM pg_database AS d
		WHERE d.datname ~ '^tolem_test_[0-9a-f]{12}_'
		  AND NOT EXISTS (SELECT FROM pg_stat_activity AS a WHERE a.application_name = substr(d.datname, 1, 23))`)
	if err != nil {
		return nil
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil
	}
	return names
}

// drop drops a database and ends the connections to it. Another process may do
// the same at the same time.
func drop(conn *pgx.Conn, name string) {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	_, _ = conn.Exec(ctx, fmt.Sprintf("DROP DATABASE IF EXISTS %s WITH (FORCE)", name))
}

// lend makes a database for the time of a test.
func (c *cluster) lend(t testing.TB, source string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	name, err := c.create(ctx, source)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.used <- name })
	return databaseURL(c.base, name)
}

// template is the name of the database that fill made for a key.
func (c *cluster) template(key string, fill func(url string) error) (string, error) {
	c.mu.Lock()
	once, ok := c.kinds[key]
	if !ok {
		once = sync.OnceValues(func() (string, error) { return c.fillTemplate(fill) })
		c.kinds[key] = once
	}
	c.mu.Unlock()
	return once()
}

func (c *cluster) fillTemplate(fill func(url string) error) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	name, err := c.create(ctx, "template0")
	if err != nil {
		return "", err
	}
	return name, fill(databaseURL(c.base, name))
}

// create makes a database that is a copy of another, and returns its name.
func (c *cluster) create(ctx context.Context, source string) (string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.made++
	name := fmt.Sprintf("%s_%d", c.prefix, c.made)
	statement := fmt.Sprintf("CREATE DATABASE %s TEMPLATE %s", name, source)
	for {
		_, err := c.admin.Exec(ctx, statement)
		if err == nil {
			return name, nil
		}
		// The server keeps a closed connection for a moment.
		if !isInUse(err) || !pause(ctx, retryEvery) {
			return "", fmt.Errorf("create a test database: %w", err)
		}
	}
}

func isInUse(err error) bool {
	var refusal *pgconn.PgError
	return errors.As(err, &refusal) && refusal.Code == objectInUse
}

// pause waits, and says false when the context ends first.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
