package commands_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tolem/commands"
	"tolem/platform"
	"tolem/signing"
	"tolem/storetest"
	"tolem/testkit"
)

// demoProject is the project whose secret the demo configuration has.
func demoProject(t testing.TB) platform.Project {
	t.Helper()
	key, err := signing.NewKey("demo-secret")
	if err != nil {
		t.Fatal(err)
	}
	return platform.Project{ID: 1234, Key: key}
}

func TestServeAnswersOnBothListeners(t *testing.T) {
	s := newShop(t)
	r := s.serve(t)
	for _, url := range []string{r.public + "/healthz", r.admin + "/livez", r.admin + "/readyz"} {
		if status, body := testkit.Get(t, url); status != http.StatusOK || body != "ok" {
			t.Errorf("%s: got %d %q, want 200 ok", url, status, body)
		}
	}
	s.env = []string{"TOLEM_LISTEN=" + strings.TrimPrefix(r.public, "http://")}
	if got := s.must(t, "healthcheck"); got != "ok\n" {
		t.Errorf("healthcheck: got %q", got)
	}
	s.env = []string{"TOLEM_LISTEN=0.0.0.0" + r.public[strings.LastIndexByte(r.public, ':'):]}
	if got := s.must(t, "healthcheck"); got != "ok\n" {
		t.Errorf("healthcheck of a listener on all addresses: got %q", got)
	}
}

func TestHealthcheckExitsWith1WhenNobodyServes(t *testing.T) {
	s := newShop(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.env = []string{"TOLEM_LISTEN=" + listener.Addr().String()}
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	if got := s.tolem(t, "healthcheck"); got.code != 1 {
		t.Errorf("got %+v", got)
	}
	s.env = nil
	got := s.tolem(t, "healthcheck")
	if got.code != 1 {
		t.Errorf("port 0: got %+v", got)
	}
	contains(t, "port 0", got.err, "port 0")
}

func TestASecondServerOnTheSameDatabaseIsRefused(t *testing.T) {
	storetest.OnlySQLite(t, "a PostgreSQL database has any number of servers")
	s := newShop(t)
	r := s.serve(t)
	got := s.tolem(t, "serve")
	if got.code != 1 {
		t.Errorf("got %+v", got)
	}
	contains(t, "standard error", got.err, "another tolem serve uses this database")
	link := filepath.Join(s.dir, "other-name.db")
	if err := os.Symlink(s.database.Path, link); err != nil {
		t.Fatal(err)
	}
	s.env = []string{"TOLEM_DATABASE__DSN=" + link}
	contains(t, "under another name", s.tolem(t, "serve").err, "another tolem serve uses this database")
	s.env = nil
	r.end(t)
	s.serve(t).end(t)
}

func TestATakenPortIsAClearError(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	for key, variable := range map[string]string{"listen": "TOLEM_LISTEN", "admin.listen": "TOLEM_ADMIN__LISTEN"} {
		s := newShop(t)
		s.env = []string{variable + "=" + listener.Addr().String()}
		got := s.tolem(t, "serve")
		if got.code != 1 {
			t.Errorf("%s: got %+v", key, got)
		}
		contains(t, key, got.err, "tolem: "+key+" "+listener.Addr().String()+" cannot be opened", "address already in use")
		s.env = nil
		s.serve(t) // nothing was left locked
	}
}

func TestAStopAnswersTheRequestUnderWay(t *testing.T) {
	s := newShop(t)
	r := s.serve(t)
	body, err := demoProject(t).CheckDeposit(platform.Deposit{CustomerID: "123456789", EntityID: "12345", Money: tenge(10000)})
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("tcp", strings.TrimPrefix(r.public, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	// The server says 100 Continue when it begins to read the body: from then
	// on the request is under way.
	fmt.Fprintf(conn, "POST /jetpay HTTP/1.1\r\nHost: tolem\r\nContent-Length: %d\r\nExpect: 100-continue\r\n\r\n", len(body))
	reader := bufio.NewReader(conn)
	if line, err := reader.ReadString('\n'); err != nil || !strings.Contains(line, "100 Continue") {
		t.Fatalf("got %q, %v", line, err)
	}
	if _, err := reader.ReadString('\n'); err != nil {
		t.Fatal(err)
	}

	r.stop()
	if _, ok := r.lines.wait("draining"); !ok {
		t.Fatal("the server did not say that it drains")
	}
	if _, err := conn.Write(body); err != nil {
		t.Fatal(err)
	}
	response, err := http.ReadResponse(reader, nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	issued := decode[struct {
		Code      int
		PaymentID string `json:"payment_id"`
	}](t, string(answer))
	if response.StatusCode != http.StatusOK || issued.Code != 0 {
		t.Fatalf("got %d %s", response.StatusCode, answer)
	}
	r.end(t)
	if _, err := net.Dial("tcp", strings.TrimPrefix(r.public, "http://")); err == nil {
		t.Error("the stopped server still accepts connections")
	}
	s.must(t, "payments", "show", issued.PaymentID)
	if info, err := os.Stat(s.database.Path + "-wal"); err == nil && info.Size() > 0 {
		t.Errorf("the write-ahead log was not flushed into the database: %d bytes", info.Size())
	}
}

func TestAStopWhileTheServerStartsIsNoFailure(t *testing.T) {
	s := newShop(t)
	s.use(storetest.Empty(t)) // there is something to migrate
	stopped, stop := context.WithCancel(t.Context())
	stop()
	var said bytes.Buffer
	stdio := commands.Stdio{In: strings.NewReader(""), Out: io.Discard, Err: &said}
	if err := commands.Run(stopped, []string{"serve", "--config", s.config}, s.env, stdio); err != nil {
		t.Errorf("got %v, want exit code 0", err)
	}
	contains(t, "the log", said.String(), "stopped before it served")
	if strings.Contains(said.String(), "tolem: ") {
		t.Errorf("an error is printed:\n%s", &said)
	}
	s.serve(t) // nothing was left locked or half-done
}

func TestProductionRefusesADatabaseThatHadDemoData(t *testing.T) {
	s := newShop(t)
	s.serve(t).end(t)
	s.env = []string{
		"TOLEM_ENVIRONMENT=production", "TOLEM_DEMO__ACCOUNTS=", "TOLEM_DEMO__PAYMENTS=",
		`TOLEM_ADMIN__TOKENS=[{"name":"a","role":"admin","token":"0123456789abcdef0123"}]`,
		`TOLEM_JETPAY__PROJECTS=[{"id":1234,"secrets":["a-secret-of-ones-own"]}]`,
		"TOLEM_PUBLIC_URL=https://pay.example.kz", "TOLEM_HIGHHELP__BASE_URL=https://api.hh-processing.com", "TOLEM_HIGHHELP__PROJECTS=[]",
	}
	got := s.tolem(t, "serve")
	if got.code != 1 {
		t.Errorf("got %+v", got)
	}
	contains(t, "standard error", got.err, "demo data", "database.dsn")
	s.use(storetest.Unopened(t))
	s.serve(t)
}

func TestServeIsEmptyWithoutDemoData(t *testing.T) {
	s := newShop(t)
	s.env = []string{"TOLEM_DEMO__ACCOUNTS=", "TOLEM_DEMO__PAYMENTS="}
	s.serve(t).end(t)
	if got := s.must(t, "accounts", "list", "--json"); got != "[]\n" {
		t.Errorf("got %s, want no accounts", got)
	}
	s.env = []string{"TOLEM_DEMO__ACCOUNTS=" + filepath.Join(s.dir, "missing.jsonl")}
	got := s.tolem(t, "serve")
	if got.code != 1 {
		t.Errorf("got %+v", got)
	}
	contains(t, "standard error", got.err, "missing.jsonl", "demo.accounts")
}

func TestDemoDataAreNotSeededTwice(t *testing.T) {
	s := newShop(t)
	s.serve(t).end(t)
	before := s.must(t, "payments", "list", "--json")
	r := s.serve(t)
	if strings.Contains(r.lines.String(), "filled with demo data") {
		t.Error("the second start seeded again")
	}
	r.end(t)
	if after := s.must(t, "payments", "list", "--json"); after != before {
		t.Errorf("got %s, want %s", after, before)
	}
}

func TestExpiredPaymentsAreShownAsExpiredAfterAStart(t *testing.T) {
	s := newShop(t)
	s.serve(t).end(t)
	s.breakBooks(t, `UPDATE payments SET expires_at = created_at WHERE payment_id = 'payment_47'`)
	r := s.serve(t)
	if _, ok := r.lines.wait("expire pending payments"); !ok {
		t.Fatal("nothing expired")
	}
	r.end(t)
	contains(t, "payment", s.must(t, "payments", "show", "payment_47"), "expired")
}

func TestServeLogsWarningsOfTheConfiguration(t *testing.T) {
	s := newShop(t)
	s.env = []string{"TOLEM_NONSENSE=1"}
	r := s.serve(t)
	warning, ok := r.lines.wait("configuration")
	if !ok || warning["level"] != "warn" {
		t.Fatalf("got %v", warning)
	}
	contains(t, "warning", warning["warning"].(string), "TOLEM_NONSENSE")
}

func TestMigrateCreatesTheDatabaseOnce(t *testing.T) {
	s := newShop(t)
	s.use(storetest.Empty(t))
	contains(t, "first", s.must(t, "migrate"), "schema level ", "migrated")
	contains(t, "second", s.must(t, "migrate"), "schema level ", "up to date")
}

// player plays the platform against a running server.
func (r *running) player(t testing.TB) *platform.Client {
	t.Helper()
	client, err := platform.NewClient(r.public, platform.ClientOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return client
}

// post posts a callback and wants it to be acknowledged.
func (r *running) post(t testing.TB, body []byte, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	answer, err := r.player(t).Post(context.Background(), platform.Path, body)
	if err != nil || answer.Status != http.StatusOK {
		t.Fatalf("got %d %s, %v", answer.Status, answer.Body, err)
	}
}

// TestAListenerKeepsIdleConnectionsForAsLongAsIsConfigured: it closes one after a
// moment, and keeps another for longer than that.
func TestAListenerKeepsIdleConnectionsForAsLongAsIsConfigured(t *testing.T) {
	const short = 50 * time.Millisecond
	for _, configured := range []time.Duration{short, time.Hour} {
		s := newShop(t, "idle_timeout: "+configured.String())
		r := s.serve(t)
		for _, url := range []string{r.public + "/healthz", r.admin + "/livez"} {
			address, path, _ := strings.Cut(strings.TrimPrefix(url, "http://"), "/")
			conn, err := net.Dial("tcp", address)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			reader := bufio.NewReader(conn)
			ask := func() {
				t.Helper()
				fmt.Fprintf(conn, "GET /%s HTTP/1.1\r\nHost: tolem\r\n\r\n", path)
				response, err := http.ReadResponse(reader, nil)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := io.Copy(io.Discard, response.Body); err != nil {
					t.Fatal(err)
				}
			}
			ask()
			if configured == short {
				if _, err := reader.ReadByte(); err != io.EOF {
					t.Errorf("%s, idle for %s: got %v, want that the server closes", url, configured, err)
				}
				continue
			}
			if err := conn.SetReadDeadline(time.Now().Add(4 * short)); err != nil {
				t.Fatal(err)
			}
			if _, err := reader.ReadByte(); !os.IsTimeout(err) {
				t.Errorf("%s, idle for %s: got %v, want that nothing comes", url, configured, err)
			}
		}
		r.end(t)
	}
}
