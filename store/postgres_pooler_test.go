package store_test

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"tolem/pgtest"
	"tolem/store"
	"tolem/testkit"
	"tolem/topup"
)

// alterDatabase changes a setting of a database for the sessions to come.
func alterDatabase(t *testing.T, address, what string) {
	t.Helper()
	mustExec(t, shell(t, address), `DO $$ BEGIN EXECUTE format('ALTER DATABASE %I `+what+`', current_database()); END $$`)
}

// poolers are the ways through PgBouncer that tolem works in.
var poolers = []struct {
	name, mode, execMode string
}{
	{"session mode", "session", ""},
	{"transaction mode, exec", "transaction", "exec"},
	{"transaction mode, simple_protocol", "transaction", "simple_protocol"},
	{"transaction mode, cache_describe", "transaction", "cache_describe"},
}

// through is the database through a PgBouncer with no more settings than its
// mode, and, in transaction mode, fewer sessions than tolem has connections.
func through(t *testing.T, address, mode, execMode string) string {
	t.Helper()
	settings := map[string]string{"pool_mode": mode}
	if mode == "transaction" {
		settings["default_pool_size"] = "8"
	} else {
		settings["default_pool_size"] = "40"
	}
	address = pgtest.NewPgBouncer(t, address, settings)
	if execMode != "" {
		address = with(t, address, "default_query_exec_mode", execMode)
	}
	return address
}

func TestEverythingWorksThroughPgBouncer(t *testing.T) {
	for _, p := range poolers {
		t.Run(p.name, func(t *testing.T) {
			onlyPostgres(t)
			address := through(t, pgtest.Database(t), p.mode, p.execMode)
			s := openAt(t, address) // migrates, too
			mustAccounts(t, s)
			mustImport(t, s, store.ImportOptions{}, jsonl(`{"customer_id":"7888888888","additional_customer_id":"A","currency":"KZT","entities":[{"id":"1","number":"n"}]}`))
			mustAccount(t, s, "7888888888")
			const payments = 200
			var wg sync.WaitGroup
			for i := range payments {
				wg.Go(func() {
					id := mustIssue(t, s)
					mustAccount(t, s, "7888888888")
					event := paid(id, fmt.Sprint(i))
					for _, want := range []topup.Disposition{topup.DispositionCredited, topup.DispositionRepeat} {
						if r := mustRecord(t, s, event); r.Disposition != want {
							t.Errorf("got %s, want %s", r.Disposition, want)
						}
					}
				})
			}
			wg.Wait()
			mustRecord(t, s, paid("theirs", "unknown"))
			id := mustIssue(t, s)
			if _, err := s.CreditPayment(context.Background(), id, anna); err != nil {
				t.Error(err)
			}
			if err := s.Ready(context.Background()); err != nil {
				t.Error(err)
			}
			if _, err := s.Stats(context.Background()); err != nil {
				t.Error(err)
			}
			if err := s.SweepWriters(context.Background()); err != nil {
				t.Error(err)
			}
			checked(t, s)
			backup := filepath.Join(t.TempDir(), "copy.db")
			if _, err := s.Backup(context.Background(), backup); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestAStartThroughPgBouncerSaysWhatToSet(t *testing.T) {
	for execMode, want := range map[string]string{"": "prepared statements", "describe_exec": "describe_exec"} {
		t.Run(execMode, func(t *testing.T) {
			address := through(t, postgresDatabase(t), "transaction", execMode)
			for range 3 { // what one attempt leaves behind does not change the next
				s, err := store.Open(context.Background(), store.Options{Postgres: address})
				if err == nil {
					_ = s.Close()
				}
				for _, words := range []string{"a pooler in transaction mode", "default_query_exec_mode=exec", "pool_mode = session", want} {
					if err == nil || !strings.Contains(err.Error(), words) {
						t.Errorf("got %v, want an error with %q", err, words)
					}
				}
			}
		})
	}
	t.Run("a setting in the URL", func(t *testing.T) {
		address := with(t, through(t, postgresDatabase(t), "session", ""), "search_path", "books")
		_, err := store.Open(context.Background(), store.Options{Postgres: address})
		if err == nil || !strings.Contains(err.Error(), "search_path: a pooler refuses") {
			t.Errorf("got %v, want an error that says what to do", err)
		}
	})
	t.Run("statement mode", func(t *testing.T) {
		address := through(t, postgresDatabase(t), "statement", "exec")
		s, err := store.Open(context.Background(), store.Options{Postgres: address})
		if err == nil {
			_ = s.Close()
		}
		if err == nil || !strings.Contains(err.Error(), "pool_mode = session") {
			t.Errorf("got %v, want an error that says what to set", err)
		}
	})
}

func TestOneProcessSweepsThroughPgBouncer(t *testing.T) {
	for _, p := range poolers[:2] {
		t.Run(p.name, func(t *testing.T) {
			address := postgresDatabase(t)
			pooled := through(t, address, p.mode, p.execMode)
			sweeps := func(s *store.Store) bool {
				held, err := s.Sweeps(context.Background())
				if err != nil {
					t.Error(err)
				}
				return held
			}
			a, b, direct := openAt(t, pooled), openAt(t, pooled), openAt(t, address)
			for range 5 {
				if !sweeps(a) || sweeps(b) || sweeps(direct) {
					t.Fatal("not exactly the first one sweeps")
				}
			}
			if err := a.Close(); err != nil {
				t.Error(err)
			}
			testkit.Eventually(t, "the second to take over", func() bool { return sweeps(b) })
			if sweeps(direct) || !sweeps(b) {
				t.Error("not exactly the second one sweeps")
			}
		})
	}
}

func TestSettingsOfARoleOrDatabaseThatTolemReliesOnAreItsOwn(t *testing.T) {
	changed := map[string]string{
		"client_min_messages": "error", "bytea_output": "escape", "DateStyle": "SQL, DMY", "IntervalStyle": "sql_standard",
		"extra_float_digits": "-15", "array_nulls": "off", "quote_all_identifiers": "on",
	}
	for _, p := range append(poolers, struct{ name, mode, execMode string }{"directly", "", ""}) {
		t.Run(p.name, func(t *testing.T) {
			onlyPostgres(t)
			address := pgtest.Database(t)
			for name, value := range changed {
				alterDatabase(t, address, "SET "+name+" = "+quoted(name, value))
			}
			if p.mode != "" {
				address = through(t, address, p.mode, p.execMode)
			}
			s := openAt(t, address)
			mustAccounts(t, s)
			mustRecord(t, s, paid(mustIssue(t, s), "28"))
			mustRecord(t, s, paid("theirs", "29", func(e *topup.Event) { e.Outcome = topup.OutcomeOpen })) // with a NULL in every nullable column
			checked(t, s)
			if _, err := s.Backup(context.Background(), filepath.Join(t.TempDir(), "copy.db")); err != nil {
				t.Error(err)
			}
		})
	}
}

// quoted is a setting's value in ALTER DATABASE, inside of a quoted format.
func quoted(name, value string) string {
	if name == "DateStyle" {
		return value
	}
	return "''" + value + "''"
}
