package commands_test

import (
	"context"
	crand "crypto/rand"
	"errors"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"tolem/highhelp"
	"tolem/pgtest"
	"tolem/platform"
	"tolem/store"
	"tolem/storetest"
	"tolem/testkit"
)

// What is in this file is about PostgreSQL alone.

// onPostgres is a shop whose database several servers can share.
func onPostgres(t testing.TB, lines ...string) *shop {
	t.Helper()
	storetest.OnlyPostgres(t)
	return newShop(t, lines...)
}

// issued gets payment ids, from the servers in turns.
func issued(t testing.TB, n int, servers ...*victim) []string {
	t.Helper()
	ids := make([]string, n)
	for i := range ids {
		body, err := demoProject(t).CheckDeposit(platform.Deposit{CustomerID: "123456789", EntityID: "12345", Money: tenge(10000)})
		if err != nil {
			t.Fatal(err)
		}
		answer, err := servers[i%len(servers)].client.Post(t.Context(), platform.Path, body)
		if err != nil || answer.Status != http.StatusOK {
			t.Fatalf("check_deposit: HTTP %d %s, %v", answer.Status, answer.Body, err)
		}
		ids[i] = decode[struct {
			PaymentID string `json:"payment_id"`
		}](t, string(answer.Body)).PaymentID
	}
	return ids
}

// TestTwoServersCreditEachPaymentOnce posts each callback to both servers at
// the same time, and a second operation for each payment as well.
func TestTwoServersCreditEachPaymentOnce(t *testing.T) {
	s := onPostgres(t)
	program := buildProgram(t, "0")
	servers := []*victim{s.start(t, program), s.start(t, program)}
	const payments, copies = 300, 3
	ids := issued(t, payments, servers...)
	var bodies [][]byte
	for i, id := range ids {
		body, err := demoProject(t).Callback(platform.NewCallback(platform.OutcomeSuccess, id, int64(1000+i), tenge(10000), time.Now()))
		if err != nil {
			t.Fatal(err)
		}
		bodies = append(bodies, body)
	}
	start := make(chan struct{})
	var all sync.WaitGroup
	for _, server := range servers {
		for range copies {
			order := rand.Perm(payments / 10) // both work on the same few payments at once
			all.Go(func() {
				<-start
				for tens := range 10 {
					for _, i := range order {
						answer, err := server.client.Post(t.Context(), platform.CallbackPath, bodies[tens*payments/10+i])
						if err != nil || answer.Status != http.StatusOK {
							t.Errorf("callback: HTTP %d %s, %v", answer.Status, answer.Body, err)
							return
						}
					}
				}
			})
		}
	}
	close(start)
	all.Wait()
	_, credits := s.booked(t)
	for _, id := range ids {
		if credits[id] != 1 {
			t.Errorf("payment %s is credited %d times, want once", id, credits[id])
		}
	}
	if len(credits) != payments {
		t.Errorf("%d payments are credited, want %d", len(credits), payments)
	}
	s.checkLedger(t, program)
	for _, server := range servers {
		server.stop(t)
	}
	s.checkLedger(t, program)
}

// TestAKilledServerLosesNothingThatEitherAcknowledged kills one of two servers
// under load again and again, while the other goes on.
func TestAKilledServerLosesNothingThatEitherAcknowledged(t *testing.T) {
	s := onPostgres(t)
	program := buildProgram(t, "0")
	survivor := s.start(t, program)
	m := &memory{}
	for range kills {
		victim := s.start(t, program)
		// The survivor is sent the same messages again, and new ones.
		done := make(chan struct{})
		living, enough := context.WithCancel(t.Context())
		go func() {
			defer close(done)
			st := &storm{memory: m, project: demoProject(t), client: survivor.client, more: true}
			if err := st.rage(living); errors.Is(err, errRefused) || err != nil && living.Err() == nil {
				t.Errorf("the survivor: %v", err)
			}
		}()
		st := &storm{memory: m, project: demoProject(t), client: victim.client, more: true, kill: sync.OnceFunc(func() { victim.kill(t) }), last: 200 + rand.IntN(600)}
		err := st.rage(t.Context())
		enough()
		<-done
		if err != nil {
			t.Fatalf("the victim refused: %v", err)
		}
		m.compare(t, s)
	}
	st := &storm{memory: m, project: demoProject(t), client: survivor.client}
	if err := st.rage(t.Context()); err != nil {
		t.Fatal(err)
	}
	m.compare(t, s)
	survivor.stop(t)
	s.checkLedger(t, program)
	succeeded := m.creditedAll(t, s)
	t.Logf("%d messages, %d payments credited", len(m.sent), succeeded)
}

// provider is HighHelp, which never says what became of a pay-in, and notes by
// which way it was asked: each server has one of its own.
type provider struct {
	mu    sync.Mutex
	asked map[string]int
	grown chan struct{} // one token when somebody has asked
}

func (p *provider) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	if way, ok := strings.CutSuffix(q.URL.Path, highhelp.PathInfo); ok {
		p.mu.Lock()
		p.asked[way]++
		p.mu.Unlock()
		select {
		case p.grown <- struct{}{}:
		default:
		}
	}
	w.WriteHeader(http.StatusInternalServerError)
}

// waitFor waits until a way was asked by so often.
func (p *provider) waitFor(t *testing.T, way string, times int) {
	t.Helper()
	late := time.After(10 * time.Minute)
	for {
		p.mu.Lock()
		asked := p.asked[way]
		p.mu.Unlock()
		if asked >= times {
			return
		}
		select {
		case <-p.grown:
		case <-late:
			t.Fatalf("%s was asked by %d times, want %d", way, asked, times)
		}
	}
}

// take returns how often each way was asked by since the last call.
func (p *provider) take() map[string]int {
	p.mu.Lock()
	defer p.mu.Unlock()
	asked := p.asked
	p.asked = map[string]int{}
	return asked
}

// openPayin lets a server ask the provider for a form, which it does not get, so
// that the pay-in is to be watched.
func (v *victim) openPayin(t *testing.T) {
	t.Helper()
	const order = `{"customer_id":"7011112233","entity_id":"e1","amount":1500000,"currency":"KZT","widget_method":"payin-p2p-card-international",
		"payer":{"id":"cus_12345","ip_address":"192.0.2.1","country":"KZ"}}`
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, v.admin+"/api/v1/payins", strings.NewReader(order))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer demo-admin-token")
	request.Header.Set("Idempotency-Key", crand.Text())
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusGatewayTimeout {
		t.Fatalf("got HTTP %d, want 504", response.StatusCode)
	}
}

// TestOneServerDoesTheRegularWorkAndAnotherTakesOver looks at whom the provider
// is asked by: first the one, then the other when the first is killed, then a
// third when that is stopped.
func TestOneServerDoesTheRegularWorkAndAnotherTakesOver(t *testing.T) {
	t.Parallel()
	p := &provider{asked: map[string]int{}, grown: make(chan struct{}, 1)}
	front := httptest.NewServer(p)
	defer front.Close()
	s := onPostgres(t, "watch: {interval: 20ms, max_age: 72h}")
	program := buildProgram(t, "0")
	start := func(way string) *victim { return s.start(t, program, "TOLEM_HIGHHELP__BASE_URL="+front.URL+way) }

	first := start("/first")
	first.openPayin(t)
	p.waitFor(t, "/first", 1) // it has the lock
	second := start("/second")
	for range 3 {
		second.openPayin(t)
	}
	p.waitFor(t, "/first", 12)
	if asked := p.take(); len(asked) != 1 {
		t.Errorf("asked by %v, want the first alone", asked)
	}

	first.kill(t)
	second.openPayin(t)
	p.waitFor(t, "/second", 6)
	third := start("/third")
	third.openPayin(t)
	p.waitFor(t, "/second", 9)
	if asked := p.take(); asked["/third"] != 0 {
		t.Errorf("asked by %v, want the second alone", asked)
	}

	second.stop(t)
	third.openPayin(t)
	p.waitFor(t, "/third", 6)
	third.stop(t)
}

// TestWhatIsWrongWithADatabaseIsSaidWithoutItsPassword goes through what the
// operator of a server meets.
func TestWhatIsWrongWithADatabaseIsSaidWithoutItsPassword(t *testing.T) {
	s := onPostgres(t)
	const password = "c4naryS3cret9"
	with := func(change func(u *url.URL, query url.Values)) string {
		u, err := url.Parse(s.database.Postgres)
		if err != nil {
			t.Fatal(err)
		}
		query := u.Query()
		u.User = url.UserPassword(u.User.Username(), password)
		change(u, query)
		u.RawQuery = query.Encode()
		return u.String()
	}
	setting := func(name, value string) string {
		return with(func(_ *url.URL, query url.Values) { query.Set(name, value) })
	}
	locked := pgtest.NewServer(t, pgtest.Options{Settings: map[string]string{"fsync": "off"}})
	for name, c := range map[string]struct {
		address string
		wants   []string
	}{
		"nobody listens": {with(func(u *url.URL, query url.Values) {
			u.Host = "127.0.0.1:1"
			query.Del("host")
			query.Del("port")
		}), []string{"127.0.0.1:1", "connect"}},
		"no such database":  {with(func(u *url.URL, _ url.Values) { u.Path = "/nowhere" }), []string{`"nowhere" does not exist`, "createdb"}},
		"no such user":      {with(func(u *url.URL, _ url.Values) { u.User = url.UserPassword("nobody", password) }), []string{`role "nobody" does not exist`}},
		"read-only":         {setting("default_transaction_read_only", "on"), []string{"transaction_read_only", "primary"}},
		"not durable":       {setting("synchronous_commit", "off"), []string{"synchronous_commit", "ALTER DATABASE"}},
		"another isolation": {setting("default_transaction_isolation", "serializable"), []string{"transaction_isolation"}},
		"no fsync":          {locked.URL("postgres") + "&password=" + password, []string{"fsync", "postgresql.conf"}},
	} {
		t.Run(name, func(t *testing.T) {
			s.env = []string{"TOLEM_DATABASE__DSN=" + c.address}
			for _, command := range [][]string{{"serve"}, {"migrate"}, {"ledger", "check"}} {
				got := s.tolem(t, command...)
				if got.code != 1 || got.out != "" {
					t.Errorf("%v: got %+v", command, got)
				}
				contains(t, strings.Join(command, " "), got.err, c.wants...)
				if strings.Contains(got.err, password) {
					t.Errorf("%v shows the password: %s", command, got.err)
				}
			}
		})
	}
}

// TestARoleThatOwnsTheDatabaseAndNothingElseIsEnough does what
// docs/operations.md says, and then forgets the password.
func TestARoleThatOwnsTheDatabaseAndNothingElseIsEnough(t *testing.T) {
	storetest.OnlyPostgres(t)
	server := pgtest.NewServer(t, pgtest.Options{})
	root := storetest.Open(t, store.Options{Postgres: server.URL("postgres")})
	var access string
	if err := root.QueryRow(`SHOW hba_file`).Scan(&access); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(access, []byte("local all tolem scram-sha-256\nlocal all all trust\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, statement := range []string{
		`CREATE ROLE tolem LOGIN PASSWORD 'right-c4naryS3cret9'`,
		`CREATE DATABASE tolem OWNER tolem ENCODING 'UTF8' TEMPLATE template0`,
		`SELECT pg_reload_conf()`,
	} {
		if _, err := root.Exec(statement); err != nil {
			t.Fatal(err)
		}
	}
	as := func(password string) store.Options {
		u, err := url.Parse(server.URL("tolem"))
		if err != nil {
			t.Fatal(err)
		}
		u.User = url.UserPassword("tolem", password)
		return store.Options{Postgres: u.String()}
	}
	s := newShopOn(t, as("right-c4naryS3cret9"))
	r := s.serve(t)
	if got := s.simulate(t, r, "--customer", "7123456789", "--entity", "12345", "--amount", "100000"); got.code != 0 {
		t.Errorf("simulate: got %+v", got)
	}
	s.must(t, "ledger", "check")
	s.must(t, "backup", s.dir+"/copy.db")
	r.end(t)

	// The server reads the file a moment after it was told to.
	testkit.Eventually(t, "the password is asked for", func() bool {
		s.use(as("wrong-c4naryS3cret9"))
		return s.tolem(t, "ledger", "check").code == 1
	})
	got := s.tolem(t, "serve")
	contains(t, "standard error", got.err, "password authentication failed")
	if got.code != 1 || strings.Contains(got.err, "c4nary") {
		t.Errorf("got %+v, want exit code 1 and no password", got)
	}
}

// TestACommandNeverPrintsTheDatabasesPassword looks at what they print when all
// is well.
func TestACommandNeverPrintsTheDatabasesPassword(t *testing.T) {
	s := onPostgres(t)
	const password = "c4naryS3cret9"
	s.use(store.Options{Postgres: s.database.Postgres + "&password=" + password})
	r := s.serve(t)
	printed := s.must(t, "migrate") + s.must(t, "config", "check") + s.must(t, "ledger", "check") + s.must(t, "backup", s.dir+"/copy.db")
	r.end(t)
	printed += r.lines.String()
	if strings.Contains(printed, password) {
		t.Errorf("the password is shown:\n%s", printed)
	}
	contains(t, "what is printed", printed, "password=xxxxx")
}
