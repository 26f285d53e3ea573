package store_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"tolem/pgtest"
	"tolem/store"
	"tolem/testkit"
	"tolem/topup"
)

// Troubles that a reviewer has made for the store on PostgreSQL, once each.

func TestTheURLOfSeveralHostsOpensAStore(t *testing.T) {
	s := openAt(t, with(t, postgresDatabase(t), "target_session_attrs", "read-write"))
	mustAccounts(t, s)
	mustRecord(t, s, paid(mustIssue(t, s), "28"))
}

func TestASessionThatWasRefusedForItsSettingsIsNotKept(t *testing.T) {
	address := postgresDatabase(t)
	s := openAt(t, address)
	mustAccounts(t, s)
	id := mustIssue(t, s)
	db := shell(t, address)
	alter := func(what string) {
		mustExec(t, db, `DO $$ BEGIN EXECUTE format('ALTER DATABASE %I `+what+`', current_database()); END $$`)
	}
	alter("SET synchronous_commit = off")
	mustExec(t, db, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()`)
	release := s.HoldWriter() // so that the writes below go to both lanes
	var wg sync.WaitGroup
	for n := range 2 {
		wg.Go(func() {
			if _, err := s.Record(context.Background(), paid(id, fmt.Sprint(n)), []byte("{}")); kindOf(err) != topup.KindUnavailable {
				t.Errorf("got %v, want unavailable", err)
			}
		})
	}
	testkit.Eventually(t, "both in the queue", func() bool { return s.QueueDepth() == 2 })
	release()
	wg.Wait()
	alter("RESET synchronous_commit")
	good := 0
	testkit.Eventually(t, "both lanes to be back", func() bool {
		if s.Ready(context.Background()) != nil {
			good = 0
			return false
		}
		good++
		return good == 30
	})
}

func TestARepeatWhoseBodyIsNoTextIsARepeat(t *testing.T) {
	s := openAt(t, postgresDatabase(t))
	mustAccounts(t, s)
	for i, body := range []string{"{\"a\":\"\x00\"}", "{\"a\":\"\xff\"}"} {
		id := mustIssue(t, s)
		for range 2 {
			if _, err := s.Record(context.Background(), paid(id, fmt.Sprint(i)), []byte(body)); err != nil {
				t.Errorf("body %q: %v", body, err)
			}
		}
	}
	checked(t, s)
}

func TestAServerThatHangsWhileItProbesItselfHoldsUpNoOther(t *testing.T) {
	address := postgresDatabase(t)
	s := openAt(t, address)
	db := shell(t, address)
	mustExec(t, db, `INSERT INTO meta (key, value) VALUES ('heartbeat', '') ON CONFLICT DO NOTHING`)
	hung, err := db.Begin()
	if err != nil {
		t.Fatal(err)
	}
	defer hung.Rollback()
	if _, err := hung.Exec(`SELECT 1 FROM meta WHERE key = 'heartbeat' FOR UPDATE`); err != nil {
		t.Fatal(err)
	}
	if err := s.Ready(context.Background()); err != nil {
		t.Error(err)
	}
}

func TestAPaymentThatSomebodyHoldsIsUnavailableAndItsNeighboursAreCredited(t *testing.T) {
	address := postgresDatabase(t)
	s := openAt(t, address)
	mustAccounts(t, s)
	held := mustIssue(t, s)
	var others []string
	for range 20 {
		others = append(others, mustIssue(t, s))
	}
	hung, err := shell(t, address).Begin()
	if err != nil {
		t.Fatal(err)
	}
	defer hung.Rollback()
	if _, err := hung.Exec(`SELECT 1 FROM payments WHERE payment_id = $1 FOR UPDATE`, held); err != nil {
		t.Fatal(err)
	}
	release := s.HoldWriter() // so that they share batches
	var wg sync.WaitGroup
	wg.Go(func() {
		if _, err := s.Record(context.Background(), paid(held, "held"), []byte("{}")); kindOf(err) != topup.KindUnavailable {
			t.Errorf("the held one: got %v, want unavailable", err)
		}
	})
	for i, id := range others {
		wg.Go(func() { mustRecord(t, s, paid(id, fmt.Sprint(i))) })
	}
	testkit.Eventually(t, "all in the queue", func() bool { return s.QueueDepth() == len(others)+1 })
	release()
	wg.Wait()
	if err := hung.Rollback(); err != nil {
		t.Fatal(err)
	}
	if r := mustRecord(t, s, paid(held, "held")); r.Disposition != topup.DispositionCredited {
		t.Errorf("when it is free again: got %s", r.Disposition)
	}
	checked(t, s)
}

func TestAnImportIsShownBesideAVacuum(t *testing.T) {
	address := postgresDatabase(t)
	s := openAt(t, address)
	mustAccounts(t, s)
	vacuum, err := shell(t, address).Begin()
	if err != nil {
		t.Fatal(err)
	}
	defer vacuum.Rollback()
	if _, err := vacuum.Exec(`LOCK TABLE payments IN SHARE UPDATE EXCLUSIVE MODE`); err != nil {
		t.Fatal(err)
	}
	mustImport(t, s, store.ImportOptions{}, jsonl(`{"customer_id":"7888888888","additional_customer_id":"A","currency":"KZT","entities":[{"id":"1","number":"n"}]}`))
	mustAccount(t, s, "7888888888")
}

func TestAnOperatorWhoComesFirstToARestoredDatabaseIsSeenInTheFeed(t *testing.T) {
	address := postgresDatabase(t)
	old := openAt(t, address)
	mustAccounts(t, old)
	db := shell(t, address)
	mustExec(t, db, `UPDATE feed SET base = base + 1000000000000`)
	mustRecord(t, old, paid(mustIssue(t, old), "1"))
	id := mustIssue(t, old)
	mustExec(t, db, `UPDATE feed SET base = base - 1000000000000`) // as in a younger cluster
	last := count(t, db, `SELECT max(seq) FROM transactions`)
	s, err := store.Open(context.Background(), store.Options{Postgres: address, Existing: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	made, err := s.CreditPayment(context.Background(), id, anna)
	if err != nil {
		t.Fatal(err)
	}
	if made.Seq <= last {
		t.Errorf("the credit is at place %d, behind a reader that has come to %d", made.Seq, last)
	}
}

func TestTwoBooksInTwoSchemasOfOneDatabaseAreTwoBooks(t *testing.T) {
	address := postgresDatabase(t)
	db := shell(t, address)
	mustExec(t, db, `CREATE SCHEMA a`)
	mustExec(t, db, `CREATE SCHEMA b`)
	a, b := openAt(t, with(t, address, "search_path", "a")), openAt(t, with(t, address, "search_path", "b"))
	for name, s := range map[string]*store.Store{"a": a, "b": b} {
		if sweeps, err := s.Sweeps(context.Background()); err != nil || !sweeps {
			t.Errorf("%s does not sweep: %v", name, err)
		}
		mustAccounts(t, s)
		mustRecord(t, s, paid(mustIssue(t, s), "1"))
		checked(t, s)
	}
}

// reload changes a setting of the whole server.
func reload(t *testing.T, s *pgtest.Server, statement string) {
	t.Helper()
	db := shell(t, s.URL("postgres"))
	mustExec(t, db, statement)
	mustExec(t, db, `SELECT pg_reload_conf()`)
}

func TestDurabilityThatAReloadTakesAwayIsNoticedByTheNextWrite(t *testing.T) {
	server := postgresServer(t, nil)
	s := openAt(t, server.URL("postgres"))
	mustAccounts(t, s)
	reload(t, server, `ALTER SYSTEM SET synchronous_commit = off`)
	issue := func() error {
		_, err := s.Issue(context.Background(), store.NewPayment{Provider: "jetpay", Project: "1", CustomerID: "7123456789", ContractID: "12345", Money: hundred})
		return err
	}
	// The sessions hear of the reload one after the other, in their own time.
	refused := 0
	testkit.Eventually(t, "both lanes to refuse", func() bool {
		if err := issue(); err == nil {
			refused = 0
			return false
		} else if !strings.Contains(err.Error(), "synchronous_commit") {
			t.Fatalf("got %v", err)
		}
		refused++
		return refused == 20
	})
	reload(t, server, `ALTER SYSTEM RESET synchronous_commit`)
	testkit.Eventually(t, "writes to be taken again", func() bool { return issue() == nil })
}

func TestACommitWhoseStandbyWasNotWaitedForIsNotAcknowledged(t *testing.T) {
	for _, c := range []struct{ name, setting, mode, execMode string }{
		{"as the server comes", "", "", ""},
		{"in a database that hides warnings", `ALTER DATABASE postgres SET client_min_messages = error`, "", ""},
		{"for a role that hides warnings", `ALTER ROLE postgres SET client_min_messages = error`, "", ""},
		{"for a role that hides warnings, through a pooler in session mode", `ALTER ROLE postgres SET client_min_messages = error`, "session", ""},
		{"for a role that hides warnings, through a pooler in transaction mode", `ALTER ROLE postgres SET client_min_messages = error`, "transaction", "exec"},
	} {
		t.Run(c.name, func(t *testing.T) {
			server := postgresServer(t, nil)
			address := server.URL("postgres")
			if c.setting != "" {
				mustExec(t, shell(t, address), c.setting)
			}
			pooled := address
			if c.mode != "" {
				pooled = through(t, address, c.mode, c.execMode)
			}
			cancelledWaitsAreNotAcknowledged(t, server, openAt(t, pooled))
		})
	}
}

// cancelledWaitsAreNotAcknowledged gives the server a standby that never
// answers, and cancels the waits for it.
func cancelledWaitsAreNotAcknowledged(t *testing.T, server *pgtest.Server, s *store.Store) {
	t.Helper()
	mustAccounts(t, s)
	db := shell(t, server.URL("postgres"))
	mustExec(t, db, `SET synchronous_commit = local`)
	reload(t, server, `ALTER SYSTEM SET synchronous_standby_names = 'nobody'`)
	waiting := func() int64 {
		return count(t, db, `SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'`)
	}

	var acknowledged atomic.Int64
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for range 4 { // some before the sessions hear of the reload
		wg.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				if _, err := s.Issue(context.Background(), store.NewPayment{Provider: "jetpay", Project: "1", CustomerID: "7123456789", ContractID: "12345", Money: hundred}); err == nil {
					acknowledged.Add(1)
				}
			}
		})
	}
	testkit.Eventually(t, "both lanes to wait for the standby", func() bool { return waiting() == 2 })
	before := acknowledged.Load()
	for range 3 {
		mustExec(t, db, `SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'`)
		testkit.Eventually(t, "both lanes to wait again", func() bool { return waiting() == 2 })
	}
	if n := acknowledged.Load() - before; n != 0 {
		t.Errorf("%d writes were acknowledged, and no standby has them", n)
	}
	close(stop)
	reload(t, server, `ALTER SYSTEM RESET synchronous_standby_names`)
	wg.Wait()
}

// TestACommitThatNoStandbyHasIsNotShown: a commit that is given up because no standby
// answers is not cancelled. PostgreSQL would show it, and a failover to a standby that
// does not have it would take away what billing may have read.
func TestACommitThatNoStandbyHasIsNotShown(t *testing.T) {
	server := postgresServer(t, nil)
	s := openAt(t, server.URL("postgres"))
	mustAccounts(t, s)
	db := shell(t, server.URL("postgres"))
	mustExec(t, db, `SET synchronous_commit = local`)
	payments := func() int64 { return count(t, db, `SELECT count(*) FROM payments`) }
	issue := func() error {
		_, err := s.Issue(context.Background(), store.NewPayment{Provider: "jetpay", Project: "1", CustomerID: "7123456789", ContractID: "12345", Money: hundred})
		return err
	}
	s.SetWriteTimeout(500 * time.Millisecond)
	reload(t, server, `ALTER SYSTEM SET synchronous_standby_names = 'nobody'`)
	acknowledged, givenUp := int64(0), 0
	testkit.Eventually(t, "commits to be given up", func() bool {
		if issue() == nil { // its session has not heard of the reload yet
			acknowledged++
		} else {
			givenUp++
		}
		return givenUp == 6 // both lanes, and what they try later
	})
	if n := payments(); n != acknowledged {
		t.Errorf("%d payments are shown, want the %d that a standby would have", n, acknowledged)
	}
	if waiting := count(t, db, `SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'`); waiting == 0 {
		t.Error("no commit waits for the standby")
	}
	s.SetWriteTimeout(0)
	reload(t, server, `ALTER SYSTEM RESET synchronous_standby_names`)
	testkit.Eventually(t, "writes to be taken again", func() bool { return issue() == nil })
	checked(t, s)
}

// TestRepeatsBetweenNewMoneyDoNotDeadlock has callbacks of few customers at two
// servers, and repeats of others between them.
func TestRepeatsBetweenNewMoneyDoNotDeadlock(t *testing.T) {
	address := postgresDatabase(t)
	servers := []*store.Store{openAt(t, address), openAt(t, address)}
	const customers, payments = 40, 1200
	ids := make([]string, payments)
	old := make([]topup.Event, 100)
	var wg sync.WaitGroup
	for i := range ids {
		wg.Go(func() {
			ids[i] = mustIssue(t, servers[0], func(n *store.NewPayment) { n.CustomerID = fmt.Sprintf("7%09d", i*7919%customers) })
		})
	}
	for i := range old {
		old[i] = paid(fmt.Sprint("theirs", i), fmt.Sprint("old", i), func(e *topup.Event) { e.Outcome = topup.OutcomeOpen })
		wg.Go(func() { mustRecord(t, servers[0], old[i]) })
	}
	wg.Wait()
	var next atomic.Int64
	for w := range 128 {
		wg.Go(func() {
			for i := next.Add(1) - 1; i < payments; i = next.Add(1) - 1 {
				if i%3 == 0 {
					mustRecord(t, servers[w%2], old[int(i)%len(old)])
				}
				mustRecord(t, servers[w%2], paid(ids[i], fmt.Sprint(i)))
			}
		})
	}
	wg.Wait()
	checked(t, servers[0])
	for _, s := range servers {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
	// A session tells its statistics when it ends, at the latest.
	db := shell(t, address)
	testkit.Eventually(t, "the sessions to end", func() bool {
		return count(t, db, `SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()`) == 1
	})
	if n := count(t, db, `SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()`); n != 0 {
		t.Errorf("%d deadlocks", n)
	}
}
