package store_test

import (
	"context"
	"database/sql"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/fstest"

	"github.com/pressly/goose/v3"

	"tolem/pgtest"
	"tolem/store"
	"tolem/testkit"
	"tolem/topup"
)

// What follows is about PostgreSQL alone.

// postgresDatabase is a migrated database of the test's own.
func postgresDatabase(t testing.TB) (address string) {
	t.Helper()
	onlyPostgres(t)
	return newDatabase(t).Postgres
}

// postgresServer is a server of the test's own.
func postgresServer(t testing.TB, settings map[string]string) *pgtest.Server {
	t.Helper()
	onlyPostgres(t)
	return pgtest.NewServer(t, pgtest.Options{Settings: settings})
}

// openAt opens a store on a PostgreSQL database, as a process of its own would.
func openAt(t testing.TB, address string) *store.Store {
	t.Helper()
	s, err := store.Open(context.Background(), store.Options{Postgres: address})
	if err != nil {
		t.Fatalf("open a store: %v", err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close the store: %v", err)
		}
	})
	return s
}

// shell is an operator's connection.
func shell(t testing.TB, address string) *sql.DB {
	t.Helper()
	db, err := sql.Open("pgx", address)
	if err != nil {
		t.Fatal(err)
	}
	db.SetMaxOpenConns(1)
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func mustExec(t testing.TB, db *sql.DB, query string) {
	t.Helper()
	if _, err := db.Exec(query); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
}

func count(t testing.TB, db *sql.DB, query string) (n int64) {
	t.Helper()
	if err := db.QueryRow(query).Scan(&n); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return n
}

// with adds a setting to a URL.
func with(t testing.TB, address, name, value string) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	q.Set(name, value)
	u.RawQuery = q.Encode()
	return u.String()
}

func TestAServerThatWouldLoseWhatItAcknowledgedIsRefused(t *testing.T) {
	address := postgresDatabase(t)
	refused := func(t *testing.T, address, setting string) {
		t.Helper()
		s, err := store.Open(context.Background(), store.Options{Postgres: address})
		if err == nil {
			_ = s.Close()
		}
		if err == nil || !strings.Contains(err.Error(), setting+" of the PostgreSQL server is ") {
			t.Errorf("got %v, want a refusal because of %s", err, setting)
		}
	}
	for _, c := range []struct{ parameter, value, setting string }{
		{"synchronous_commit", "off", "synchronous_commit"},
		{"synchronous_commit", "local", "synchronous_commit"},
		{"client_encoding", "LATIN1", "client_encoding"},
		{"default_transaction_isolation", "serializable", "transaction_isolation"},
		{"session_replication_role", "replica", "session_replication_role"},
	} {
		t.Run(c.parameter+" "+c.value, func(t *testing.T) { refused(t, with(t, address, c.parameter, c.value), c.setting) })
	}
	for _, setting := range []string{"fsync", "full_page_writes"} {
		t.Run(setting, func(t *testing.T) {
			server := postgresServer(t, map[string]string{setting: "off"})
			refused(t, server.URL("postgres"), setting)
		})
	}
}

func TestAServerThatCeasesToBeDurableIsNotWrittenTo(t *testing.T) {
	address := postgresDatabase(t)
	s := openAt(t, address)
	mustAccounts(t, s)
	id := mustIssue(t, s)
	db := shell(t, address)
	mustExec(t, db, `DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET synchronous_commit = off', current_database()); END $$`)
	mustExec(t, db, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()`)
	_, err := s.Record(context.Background(), paid(id, "28"), []byte("{}"))
	if kindOf(err) != topup.KindUnavailable || !strings.Contains(err.Error(), "synchronous_commit") {
		t.Errorf("got %v, want unavailable because of synchronous_commit", err)
	}
	if err := s.Ready(context.Background()); err == nil {
		t.Error("ready all the same")
	}
	if n := count(t, db, `SELECT count(*) FROM messages`); n != 0 {
		t.Errorf("%d messages were stored", n)
	}
}

func TestTheErrorOfARefusedConnectionDoesNotShowThePassword(t *testing.T) {
	for _, address := range []string{
		"postgres://u:canary@127.0.0.1:1/d",
		"postgres://u:canary@127.0.0.1:port/d",
		"postgres://u:can%zzary@127.0.0.1/d",
		"postgres:// u:canary",
	} {
		_, err := store.Open(context.Background(), store.Options{Postgres: address})
		if err == nil || strings.Contains(err.Error(), "canary") || strings.Contains(err.Error(), "ary@") {
			t.Errorf("%s: got %v", address, err)
		}
	}
}

// TestALostConnectionDuringACommitIsResolvedByReadingBack proves both halves of "resolved by reading back":
// what was committed is not done again, and what was not is done.
func TestALostConnectionDuringACommitIsResolvedByReadingBack(t *testing.T) {
	directly := func(_ *testing.T, address string) string { return address }
	pooled := func(t *testing.T, address string) string { return through(t, address, "transaction", "exec") }
	for _, c := range []struct {
		name string
		by   func(*testing.T, string) string
		lose func(*pgtest.Proxy) <-chan struct{}
	}{
		{"after the server has committed", directly, func(p *pgtest.Proxy) <-chan struct{} { return p.LoseAnswer("COMMIT") }},
		{"before the server hears of it", directly, func(p *pgtest.Proxy) <-chan struct{} { return p.LoseRequest("COMMIT") }},
		{"in the middle of the batch", directly, func(p *pgtest.Proxy) <-chan struct{} { return p.LoseAnswer("UPDATE") }},
		{"after the server has committed, behind a pooler", pooled, func(p *pgtest.Proxy) <-chan struct{} { return p.LoseAnswer("COMMIT") }},
		{"before the server hears of it, behind a pooler", pooled, func(p *pgtest.Proxy) <-chan struct{} { return p.LoseRequest("COMMIT") }},
		{"in the middle of the batch, behind a pooler", pooled, func(p *pgtest.Proxy) <-chan struct{} { return p.LoseAnswer("UPDATE") }},
	} {
		lose := c.lose
		t.Run(c.name, func(t *testing.T) {
			address := postgresDatabase(t)
			proxy := pgtest.NewProxy(t, address)
			s := openAt(t, c.by(t, proxy.URL()))
			mustAccounts(t, s)
			id := mustIssue(t, s)

			lost := lose(proxy)
			if r := mustRecord(t, s, paid(id, "28")); r.Disposition != topup.DispositionCredited {
				t.Errorf("got %s", r.Disposition)
			}
			<-lost
			lost = lose(proxy)
			second := mustIssue(t, s)
			<-lost
			lost = lose(proxy)
			made, err := s.CreditPayment(context.Background(), second, anna)
			if err != nil {
				t.Errorf("an operator's step: %v", err)
			}
			<-lost

			db := shell(t, address)
			if n := count(t, db, `SELECT count(*) FROM payments`); n != 2 {
				t.Errorf("got %d payments, want 2", n)
			}
			if n := count(t, db, `SELECT count(*) FROM transactions`); n != 2 {
				t.Errorf("got %d ledger transactions, want 2", n)
			}
			if n := count(t, db, `SELECT count(*) FROM messages`); n != 1 {
				t.Errorf("got %d messages, want 1", n)
			}
			if got := mustPayment(t, s, second).Credit; got == nil || got.TransactionID != made.ID {
				t.Errorf("got the credit %v, want that which the operator was told of, %s", got, made.ID)
			}
			checked(t, s)
		})
	}
}

// TestAFailoverThatLostACommitIsNoCommit is what an asynchronous replica that
// takes over can do: the answer to a commit is lost, and so is the commit.
func TestAFailoverThatLostACommitIsNoCommit(t *testing.T) {
	address := postgresDatabase(t)
	proxy := pgtest.NewProxy(t, address)
	s := openAt(t, proxy.URL())
	mustAccounts(t, s)
	id := mustIssue(t, s)
	db := shell(t, address)
	// The replica has none of what the last transactions did, not even who writes.
	mustExec(t, db, `DELETE FROM writers`)
	lost := proxy.LoseRequest("COMMIT")
	testkit.Eventually(t, "the credit", func() bool {
		r, err := s.Record(context.Background(), paid(id, "28"), []byte("{}"))
		return err == nil && r.Disposition == topup.DispositionCredited
	})
	<-lost
	mustExec(t, db, `CREATE FUNCTION forget() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN DELETE FROM writers WHERE id = NEW.id; RETURN NULL; END'`)
	mustExec(t, db, `CREATE TRIGGER forget AFTER UPDATE ON writers FOR EACH ROW EXECUTE FUNCTION forget()`)
	second := mustIssue(t, s)
	lost = proxy.LoseRequest("COMMIT")
	_, err := s.Record(context.Background(), paid(second, "29"), []byte("{}"))
	<-lost
	if n := count(t, db, `SELECT count(*) FROM transactions`); (err == nil) != (n == 2) {
		t.Errorf("told %v, and %d credits are booked", err, n)
	}
}

func TestWhileTheDatabaseIsAwayEverythingIsUnavailableAndNothingHangs(t *testing.T) {
	address := postgresDatabase(t)
	proxy := pgtest.NewProxy(t, address)
	s := openAt(t, proxy.URL())
	mustAccounts(t, s)
	id := mustIssue(t, s)
	ctx := context.Background()

	proxy.Refuse(true)
	if _, err := s.Record(ctx, paid(id, "28"), []byte("{}")); kindOf(err) != topup.KindUnavailable {
		t.Errorf("record: got %v", err)
	}
	if _, err := s.Issue(ctx, store.NewPayment{Provider: "jetpay", Project: "1", CustomerID: "c", ContractID: "e", Money: hundred}); kindOf(err) != topup.KindUnavailable {
		t.Errorf("issue: got %v", err)
	}
	if _, err := s.Offer(ctx, "7123456789"); kindOf(err) != topup.KindUnavailable {
		t.Errorf("offer: got %v", err)
	}
	if _, err := s.Payment(ctx, id); kindOf(err) != topup.KindUnavailable {
		t.Errorf("payment: got %v", err)
	}
	if err := s.Ready(ctx); err == nil {
		t.Error("ready without a database")
	}
	proxy.Refuse(false)

	testkit.Eventually(t, "the writer to be back", func() bool {
		r, err := s.Record(ctx, paid(id, "28"), []byte("{}"))
		return err == nil && r.Disposition == topup.DispositionCredited
	})
	if _, err := s.Offer(ctx, "7123456789"); err != nil {
		t.Errorf("after it is back: %v", err)
	}
	checked(t, s)
}

// TestServersThatShareADatabaseCreditEachPaymentOnce hammers one database from
// several stores, each of which has its own queue and lanes, with the same
// messages in different orders.
func TestServersThatShareADatabaseCreditEachPaymentOnce(t *testing.T) {
	address := postgresDatabase(t)
	servers := []*store.Store{openAt(t, address), openAt(t, address), openAt(t, address)}
	mustAccounts(t, servers[0])
	const payments = 40
	var events []topup.Event
	for i := range payments {
		id := mustIssue(t, servers[i%len(servers)])
		events = append(events,
			paid(id, fmt.Sprintf("a%d", i)),
			paid(id, fmt.Sprintf("a%d", i)),                                                             // resent
			paid(id, fmt.Sprintf("b%d", i)),                                                             // a second movement
			paid(fmt.Sprintf("theirs-%d", i), fmt.Sprintf("c%d", i)),                                    // an id that we did not give out
			paid(fmt.Sprintf("theirs-%d", i), fmt.Sprintf("d%d", i)),                                    // and more money under it
			paid(id, fmt.Sprintf("e%d", i), func(e *topup.Event) { e.Outcome = topup.OutcomeDeclined }), // too late
		)
	}
	var wg sync.WaitGroup
	for n, s := range servers {
		mine := slices.Clone(events)
		order := rand.New(rand.NewPCG(uint64(n), 1))
		order.Shuffle(len(mine), func(i, j int) { mine[i], mine[j] = mine[j], mine[i] })
		next := make(chan topup.Event)
		wg.Go(func() {
			defer close(next)
			for _, e := range mine {
				next <- e
			}
		})
		for range 24 {
			wg.Go(func() {
				for e := range next {
					mustRecord(t, s, e)
				}
			})
		}
	}
	wg.Wait()

	db := shell(t, address)
	for query, want := range map[string]int64{
		`SELECT count(*) FROM transactions WHERE kind = 'credit'`:                                     payments,
		`SELECT count(*) FROM transactions WHERE kind = 'suspense'`:                                   3 * payments,
		`SELECT count(*) FROM transactions`:                                                           4 * payments,
		`SELECT count(*) FROM operations`:                                                             4 * payments,
		`SELECT count(*) FROM payments`:                                                               2 * payments,
		`SELECT count(*) FROM messages`:                                                               3 * 6 * payments,
		`SELECT count(*) FROM messages WHERE fingerprint IS NOT NULL`:                                 5 * payments,
		`SELECT count(*) FROM payments WHERE customer_id <> '' AND status = 'succeeded'`:              payments,
		`SELECT CAST(sum(credits - debits) AS BIGINT) FROM ledger_balances WHERE name LIKE 'cust%'`:   10000 * payments,
		`SELECT CAST(sum(credits - debits) AS BIGINT) FROM ledger_balances WHERE name LIKE 'suspen%'`: 3 * 10000 * payments,
	} {
		if got := count(t, db, query); got != want {
			t.Errorf("%s: got %d, want %d", query, got, want)
		}
	}
	checked(t, servers[0])
}

// TestCallbacksThatWaitShareATransaction asks the database itself: what one
// transaction has written carries its number.
func TestCallbacksThatWaitShareATransaction(t *testing.T) {
	address := postgresDatabase(t)
	s := openAt(t, address)
	mustAccounts(t, s)
	ids := make([]string, 40)
	for i := range ids {
		ids[i] = mustIssue(t, s)
	}
	release := s.HoldWriter()
	defer release()
	var wg sync.WaitGroup
	for i, id := range ids {
		wg.Go(func() { mustRecord(t, s, paid(id, fmt.Sprint(i))) })
	}
	waitForQueue(t, s, len(ids))
	release()
	wg.Wait()
	db := shell(t, address)
	if n := count(t, db, `SELECT count(*) FROM transactions WHERE kind = 'credit'`); n != int64(len(ids)) {
		t.Errorf("%d payments are credited, want %d", n, len(ids))
	}
	lanes := int64(len(s.Shards()))
	if n := count(t, db, `SELECT count(DISTINCT CAST(xmin AS TEXT)) FROM transactions`); n > lanes {
		t.Errorf("%d callbacks that waited took %d transactions, want one for each of %d lanes at most", len(ids), n, lanes)
	}
	checked(t, s)
}

// TestACreditWaitsForNoTotalsOfAnotherProcess is about the totals of settlement
// and suspense, to which every payment adds: no row of them is everybody's.
func TestACreditWaitsForNoTotalsOfAnotherProcess(t *testing.T) {
	address := postgresDatabase(t)
	one, other := openAt(t, address), openAt(t, address)
	shared := func(shard int64) bool { return slices.Contains(one.Shards(), shard) }
	for slices.ContainsFunc(other.Shards(), shared) { // parts are drawn
		other = openAt(t, address)
	}
	mustAccounts(t, one)
	mustRecord(t, one, paid(mustIssue(t, one), "1"))
	mustRecord(t, one, paid("theirs-1", "2"))

	// All rows that there are, as a transaction of the one has its own that does
	// not end.
	running, err := shell(t, address).Begin()
	if err != nil {
		t.Fatal(err)
	}
	defer running.Rollback()
	held, err := running.Exec(`SELECT 1 FROM ledger_totals FOR UPDATE`)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := held.RowsAffected(); err != nil || n < 3 {
		t.Fatalf("%d rows are held, %v; want those of a customer, of settlement and of suspense", n, err)
	}

	id := mustIssue(t, other, func(n *store.NewPayment) { n.CustomerID, n.ContractID = "7000000000", "1" })
	if r := mustRecord(t, other, paid(id, "3")); r.Disposition != topup.DispositionCredited {
		t.Errorf("got %s, want a credit", r.Disposition)
	}
	if r := mustRecord(t, other, paid("theirs-2", "4")); r.Disposition != topup.DispositionSuspended {
		t.Errorf("got %s, want money in suspense", r.Disposition)
	}
	if err := running.Rollback(); err != nil {
		t.Error(err)
	}
	checked(t, one)
}

func TestOperatorsOfSeveralServersAndCallbacksCreditOnce(t *testing.T) {
	address := postgresDatabase(t)
	servers := []*store.Store{openAt(t, address), openAt(t, address)}
	mustAccounts(t, servers[0])
	ctx := context.Background()
	for round := range 5 {
		id := mustIssue(t, servers[0])
		_, item := suspendedItem(t, servers[0], paid(fmt.Sprintf("theirs-%d", round), fmt.Sprintf("u%d", round)))
		var done, assigned, reversed atomic.Int64
		var wg sync.WaitGroup
		for i := range 40 {
			s := servers[i%2]
			wg.Go(func() {
				switch i % 3 {
				case 0:
					if _, err := s.CreditPayment(ctx, id, anna); err == nil {
						done.Add(1)
					} else if kindOf(err) != topup.KindConflict {
						t.Errorf("credit: %v", err)
					}
				case 1:
					mustRecord(t, s, paid(id, fmt.Sprintf("op%d", round)))
				default:
					made, err := s.AssignSuspense(ctx, item, "7000000000", "1", anna)
					if err == nil {
						assigned.Add(1)
						if _, err := s.Reverse(ctx, made.ID, anna); err == nil {
							reversed.Add(1)
						}
					} else if kindOf(err) != topup.KindConflict {
						t.Errorf("assign: %v", err)
					}
				}
			})
		}
		wg.Wait()
		if done.Load() > 1 {
			t.Errorf("an operator credited %d times", done.Load())
		}
		if assigned.Load() != reversed.Load() {
			t.Errorf("%d assignments, %d of them reversed", assigned.Load(), reversed.Load())
		}
		if c := mustPayment(t, servers[1], id).Credit; c == nil || c.Operation != fmt.Sprintf("op%d", round) {
			t.Errorf("got the credit %v, want one that is bound to the callback", c)
		}
	}
	checked(t, servers[1])
}

func TestAccountsPutThroughSeveralServersKeepTheLastOfEach(t *testing.T) {
	address := postgresDatabase(t)
	servers := []*store.Store{openAt(t, address), openAt(t, address)}
	var wg sync.WaitGroup
	var created atomic.Int64
	for i := range 60 {
		wg.Go(func() {
			if mustPut(t, servers[i%2], &topup.Account{CustomerID: "7123456789", AdditionalCustomerID: "A", Currency: "KZT",
				Contracts: []topup.Contract{{ID: fmt.Sprint(i), Number: "n"}}}) {
				created.Add(1)
			}
		})
	}
	wg.Wait()
	if created.Load() != 1 {
		t.Errorf("the account was created %d times", created.Load())
	}
	if n := len(mustAccount(t, servers[0], "7123456789").Contracts); n != 60 {
		t.Errorf("got %d contracts, want all 60: none is ever deleted", n)
	}
	db := shell(t, address)
	if n := count(t, db, `SELECT count(*) FROM accounts`); n != 1 {
		t.Errorf("%d records are left of one account", n)
	}
}

func TestTheFeedShowsNothingNewerThanTheOldestRunningTransaction(t *testing.T) {
	address := postgresDatabase(t)
	s := openAt(t, address)
	mustAccounts(t, s)
	shown := func() int { return len(feed(t, s)) }

	before := mustIssue(t, s)
	mustRecord(t, s, paid(before, "1"))
	testkit.Eventually(t, "the first credit in the feed", func() bool { return shown() == 1 })

	running, err := shell(t, address).Begin()
	if err != nil {
		t.Fatal(err)
	}
	defer running.Rollback()
	if _, err := running.Exec(`SELECT pg_current_xact_id()`); err != nil {
		t.Fatal(err)
	}
	id := mustIssue(t, s)
	mustRecord(t, s, paid(id, "2"))
	if got := mustPayment(t, s, id).Status; got != topup.StatusSucceeded {
		t.Errorf("beside a transaction that runs the payment is %s", got)
	}
	if n := shown(); n != 1 {
		t.Errorf("%d transactions are shown beside one that runs, want the 1 from before it", n)
	}
	var exported int
	if err := s.Journal(context.Background(), store.Period{}, func(topup.Transaction) error { exported++; return nil }); err != nil || exported != 1 {
		t.Errorf("an export has %d transactions, %v; want 1", exported, err)
	}
	if err := running.Commit(); err != nil {
		t.Fatal(err)
	}
	testkit.Eventually(t, "the second credit in the feed", func() bool { return shown() == 2 })
}

func TestAReaderOfTheFeedMissesNothingWhileSeveralServersWrite(t *testing.T) {
	address := postgresDatabase(t)
	servers := []*store.Store{openAt(t, address), openAt(t, address)}
	mustAccounts(t, servers[0])
	reader := openAt(t, address)
	const credits = 600
	var wg sync.WaitGroup
	var given atomic.Int64
	for w := range 24 {
		s := servers[w%2]
		wg.Go(func() {
			for n := given.Add(1); n <= credits; n = given.Add(1) {
				mustRecord(t, s, paid(mustIssue(t, s), fmt.Sprint(n)))
			}
		})
	}
	var last int64
	met := make(map[string]bool)
	testkit.Eventually(t, "all credits in the feed", func() bool {
		page, err := reader.Transactions(context.Background(), last, 50)
		if err != nil {
			t.Fatal(err)
		}
		for _, made := range page {
			if made.Seq <= last || met[made.ID] {
				t.Fatalf("transaction %s at place %d came after place %d", made.ID, made.Seq, last)
			}
			last, met[made.ID] = made.Seq, true
		}
		return len(met) == credits
	})
	wg.Wait()
	checked(t, reader)
}

func TestTheFeedGoesOnInAnotherCluster(t *testing.T) {
	programs, err := pgtest.Programs()
	if err != nil {
		t.Skip(err) // a server elsewhere, without its programs
	}
	// What is called postgres there may be a link to where all of them are.
	if real, err := filepath.EvalSymlinks(filepath.Join(programs, "postgres")); err == nil {
		programs = filepath.Dir(real)
	}
	address := postgresDatabase(t)
	old := openAt(t, address)
	mustAccounts(t, old)
	for n := range 3 {
		mustRecord(t, old, paid(mustIssue(t, old), fmt.Sprint(n)))
	}
	db := shell(t, address)
	mustExec(t, db, `UPDATE feed SET base = base + 1000000000000`) // as if this cluster were much older
	for n := range 3 {
		mustRecord(t, old, paid(mustIssue(t, old), fmt.Sprint("later ", n)))
	}
	mustExec(t, db, `UPDATE feed SET base = base - 1000000000000`)

	file := filepath.Join(t.TempDir(), "books.sql")
	if out, err := exec.Command(filepath.Join(programs, "pg_dump"), "--file="+file, address).CombinedOutput(); err != nil {
		t.Fatalf("pg_dump: %v: %s", err, out)
	}
	fresh := postgresServer(t, nil)
	psql := exec.Command(filepath.Join(programs, "psql"), "--quiet", "--set=ON_ERROR_STOP=1", "--file="+file, fresh.URL("postgres"))
	if out, err := psql.CombinedOutput(); err != nil {
		t.Fatalf("psql: %v: %s", err, out)
	}
	s := openAt(t, fresh.URL("postgres"))
	before := feed(t, s)
	if len(before) != 6 {
		t.Fatalf("the restored feed shows %d transactions, want 6", len(before))
	}
	mustRecord(t, s, paid(mustIssue(t, s), "new"))
	testkit.Eventually(t, "the new credit in the feed", func() bool { return len(feed(t, s)) == 7 })
	if after := feed(t, s); after[6].Seq <= before[5].Seq || after[6].Operation != "new" {
		t.Errorf("the new transaction is at place %d (%s), the last restored one at %d", after[6].Seq, after[6].Operation, before[5].Seq)
	}
	checked(t, s)
}

func TestTheJournalCannotBeChangedOrEmptied(t *testing.T) {
	address := postgresDatabase(t)
	s := openAt(t, address)
	mustAccounts(t, s)
	mustRecord(t, s, paid(mustIssue(t, s), "28"))
	db := shell(t, address)
	for _, role := range []string{"origin", "replica"} {
		mustExec(t, db, `SET session_replication_role = `+role)
		for _, statement := range []string{
			`TRUNCATE transactions CASCADE`, `TRUNCATE entries`, `TRUNCATE operations`, `TRUNCATE ledger_accounts CASCADE`, `TRUNCATE ledger_totals`,
			`DELETE FROM transactions`, `DELETE FROM entries`, `DELETE FROM operations`, `DELETE FROM ledger_accounts`, `DELETE FROM ledger_totals`,
			`UPDATE transactions SET reason = 'x'`, `UPDATE entries SET amount = amount + 1`, `UPDATE operations SET sum_amount = 1`,
			`UPDATE ledger_accounts SET name = 'x'`,
			`INSERT INTO transactions SELECT * FROM transactions ON CONFLICT (seq) DO UPDATE SET reason = 'x'`,
			`MERGE INTO entries e USING entries o ON e.seq = o.seq WHEN MATCHED THEN DELETE`,
		} {
			if _, err := db.Exec(statement); err == nil {
				t.Errorf("%s was done (%s)", statement, role)
			}
		}
	}
	checked(t, s)
}

func TestLedgerCheckFindsATriggerThatWasSwitchedOff(t *testing.T) {
	address := postgresDatabase(t)
	s := openAt(t, address)
	mustExec(t, shell(t, address), `ALTER TABLE entries DISABLE TRIGGER entries_insert_only`)
	report, err := s.Check(context.Background())
	if err != nil || !slices.ContainsFunc(report.Problems, func(p string) bool { return strings.Contains(p, "entries_insert_only") }) {
		t.Errorf("got %v, %v", report.Problems, err)
	}
}

func TestTextThatPostgreSQLCannotHoldIsKeptAsFarAsItCan(t *testing.T) {
	s := openAt(t, postgresDatabase(t))
	mustAccounts(t, s)
	id := mustIssue(t, s)
	r, err := s.Record(context.Background(), paid(id, "28", func(e *topup.Event) { e.Message, e.ReceiptID = "a\x00b", "\x00" }), []byte(`{"message":"a\u0000b"}`))
	if err != nil || r.Disposition != topup.DispositionCredited {
		t.Fatalf("got %v, %v", r, err)
	}
	if got := mustPayment(t, s, id).ProviderMessage; got != "a\uFFFDb" {
		t.Errorf("got %q", got)
	}
	if _, err := s.Offer(context.Background(), "7\x00"); kindOf(err) != topup.KindNotFound {
		t.Errorf("an id with U+0000: got %v", err)
	}
	if _, _, err := s.Payments(context.Background(), store.PaymentFilter{Q: "\x00"}); err != nil {
		t.Errorf("a search for U+0000: %v", err)
	}
}

func TestOneProcessSweepsAndAnotherTakesOverWhenItEnds(t *testing.T) {
	address := postgresDatabase(t)
	proxy := pgtest.NewProxy(t, address)
	first, second := openAt(t, proxy.URL()), openAt(t, address)
	ctx := context.Background()
	sweeps := func(s *store.Store) bool {
		t.Helper()
		does, err := s.Sweeps(ctx)
		if err != nil {
			t.Fatal(err)
		}
		return does
	}
	for range 3 {
		if !sweeps(first) || sweeps(second) {
			t.Fatal("not the first alone sweeps")
		}
	}
	proxy.Cut()
	testkit.Eventually(t, "the second to take over from a lost connection", func() bool { return sweeps(second) })
	testkit.Eventually(t, "the first to notice", func() bool { does, err := first.Sweeps(ctx); return err == nil && !does })
	if err := second.Close(); err != nil {
		t.Fatal(err)
	}
	testkit.Eventually(t, "the first to take over from a stop", func() bool { return sweeps(first) })
}

func TestAConnectionThatRestedTooLongSignsInAnew(t *testing.T) {
	address := postgresDatabase(t)
	s := openAt(t, address)
	mustAccounts(t, s)
	mustExec(t, shell(t, address), `UPDATE writers SET seen_at = 0`)
	if err := s.SweepWriters(context.Background()); err != nil {
		t.Fatal(err)
	}
	for n := range 4 {
		mustRecord(t, s, paid(mustIssue(t, s), fmt.Sprint(n)))
	}
	checked(t, s)
}

func TestASearchOnPostgreSQLReadsIndexesAlone(t *testing.T) {
	address := postgresDatabase(t)
	s := openAt(t, address)
	db := shell(t, address)
	mustExec(t, db, `INSERT INTO payments (id, payment_id, provider, project, customer_id, entity_id, contract_number, amount, currency, method, status, flags, created_at)
		SELECT n, 'p_' || n, 'jetpay', '1234', 'c' || n, '1', CASE WHEN n % 2 = 0 THEN n || ' /01' ELSE n || '/01' END, n, 'KZT', '', 'succeeded', 0, n FROM generate_series(1, 20000) n`)
	mustExec(t, db, `ANALYZE payments`)
	plan, err := s.ExplainOnPostgres(context.Background(), store.PaymentFilter{Q: "12345 / 0"})
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range plan {
		if strings.Contains(step, "Seq Scan on payments") {
			t.Errorf("%s\n%s", step, strings.Join(plan, "\n"))
		}
	}
	for text, want := range map[string]string{"12345 / 0": "p_12345", "12346/0": "p_12346"} {
		if got := ids(t, s, store.PaymentFilter{Q: text}); !slices.Equal(got, []string{want}) {
			t.Errorf("%s: got %v, want %s", text, got, want)
		}
	}
}

// TestAMigrationBesideAServerOfTheVersionBefore proves a rolling upgrade: a
// newer program adds a nullable column and an index, while this one serves.
func TestAMigrationBesideAServerOfTheVersionBefore(t *testing.T) {
	address := postgresDatabase(t)
	serving := openAt(t, address)
	mustAccounts(t, serving)
	stop := make(chan struct{})
	var wg sync.WaitGroup
	var booked atomic.Int64
	for w := range 8 {
		wg.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				mustRecord(t, serving, paid(mustIssue(t, serving), fmt.Sprintf("%d-%d", w, n)))
				if _, err := serving.Offer(context.Background(), "7123456789"); err != nil {
					t.Errorf("verify beside the migration: %v", err)
				}
				booked.Add(1)
			}
		})
	}
	testkit.Eventually(t, "traffic", func() bool { return booked.Load() > 50 })
	migrateFurther(t, address, level(1, 3)+`
		ALTER TABLE payments ADD COLUMN note TEXT;
		ALTER TABLE accounts ADD COLUMN note TEXT NOT NULL DEFAULT '';
		ALTER TABLE messages ADD COLUMN note TEXT;`, `
		CREATE INDEX CONCURRENTLY payments_note ON payments (note) WHERE note IS NOT NULL;`)
	before := booked.Load()
	testkit.Eventually(t, "traffic after the migration", func() bool { return booked.Load() > before+50 })
	beside := openAt(t, address) // the version before can be started again, too
	mustRecord(t, beside, paid(mustIssue(t, beside), "beside"))
	close(stop)
	wg.Wait()
	if got, want := count(t, shell(t, address), `SELECT count(*) FROM transactions`), booked.Load()+1; got != want {
		t.Errorf("booked %d, acknowledged %d", got, want)
	}

	migrateFurther(t, address, level(3, store.ProgramLevel+3))
	if _, err := store.Open(context.Background(), store.Options{Postgres: address}); err == nil || !strings.Contains(err.Error(), "install the newer tolem") {
		t.Errorf("a program that cannot live with the migration: got %v", err)
	}
}

// level is what a migration writes that lies so far ahead of this program's, and
// which the oldest program can live with.
func level(ahead, oldest int) string {
	return fmt.Sprintf(`INSERT INTO schema_levels (migration, oldest_program) VALUES (%d, %d);`, store.ProgramLevel+ahead, oldest)
}

// migrateFurther runs migrations of a program that is yet to come.
func migrateFurther(t *testing.T, address string, migrations ...string) {
	t.Helper()
	db := shell(t, address)
	files := fstest.MapFS{}
	own := os.DirFS("migrations/postgres")
	names, err := fs.Glob(own, "*.sql")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		text, err := fs.ReadFile(own, name)
		if err != nil {
			t.Fatal(err)
		}
		files[name] = &fstest.MapFile{Data: text}
	}
	done := count(t, db, `SELECT max(version_id) FROM goose_db_version`)
	for i, text := range migrations {
		head := "-- +goose Up\n"
		if strings.Contains(text, "CONCURRENTLY") {
			head = "-- +goose NO TRANSACTION\n" + head
		}
		files[fmt.Sprintf("%05d_further.sql", done+int64(i)+1)] = &fstest.MapFile{Data: []byte(head + text)}
	}
	provider, err := goose.NewProvider(goose.DialectPostgres, db, files, goose.WithAllowOutofOrder(true))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := provider.Up(context.Background()); err != nil {
		t.Fatalf("migrate: %v", err)
	}
}

func TestAServerThatCrashesUnderLoadKeepsAllThatWasAcknowledged(t *testing.T) {
	server := postgresServer(t, nil)
	address := server.URL("postgres")
	s := openAt(t, address)
	mustAccounts(t, s)
	var mu sync.Mutex
	acknowledged := make(map[string]bool)
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for w := range 16 {
		wg.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				id, err := s.Issue(context.Background(), store.NewPayment{
					Provider: "jetpay", Project: "1234", CustomerID: "7123456789", ContractID: "12345", ContractNumber: "A-1", Money: hundred,
				})
				if err == nil {
					_, err = s.Record(context.Background(), paid(id, fmt.Sprintf("%d-%d", w, n)), []byte("{}"))
				}
				if kindOf(err) == topup.KindUnavailable {
					continue
				}
				if err != nil {
					t.Errorf("got %v", err)
					return
				}
				mu.Lock()
				acknowledged[id] = true
				mu.Unlock()
			}
		})
	}
	have := func(n int) func() bool {
		return func() bool { mu.Lock(); defer mu.Unlock(); return len(acknowledged) >= n }
	}
	for round := 1; round <= 3; round++ {
		testkit.Eventually(t, "traffic", have(200*round))
		if err := server.Kill(); err != nil {
			t.Fatal(err)
		}
		if err := server.Restart(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	testkit.Eventually(t, "traffic after the last crash", have(len(acknowledged)+200))
	close(stop)
	wg.Wait()
	for id := range acknowledged {
		if p := mustPayment(t, s, id); p.Status != topup.StatusSucceeded || p.Credit == nil {
			t.Errorf("payment %s was acknowledged and is %s", id, p.Status)
		}
	}
	if n := count(t, shell(t, address), `SELECT count(*) FROM (SELECT payment_id FROM transactions GROUP BY payment_id HAVING count(*) > 1) x`); n != 0 {
		t.Errorf("%d payments were credited twice", n)
	}
	checked(t, s)
}
