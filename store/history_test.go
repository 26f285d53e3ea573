package store_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"tolem/accountfile"
	"tolem/store"
	"tolem/topup"
)

// named gives a file its name.
func named(name string, file accountfile.File) accountfile.File {
	file.Name = name
	return file
}

// story is an account's history in short.
func story(t testing.TB, s *store.Store, customerID string) string {
	t.Helper()
	h, err := s.AccountHistory(context.Background(), customerID)
	if err != nil {
		t.Fatal(err)
	}
	one := func(c *store.AccountChange) string {
		if c == nil {
			return "unknown"
		}
		text := strings.TrimSpace(c.What + " " + c.ContractID)
		if c.Source == store.SourceImport && c.File != "" && len(c.SHA256) != 64 {
			t.Errorf("%s: got hash %q", text, c.SHA256)
		}
		return strings.Join(strings.Fields(fmt.Sprintf("%s %s by %s %s", c.At.Format("15:04"), text, c.Actor, c.File)), " ")
	}
	var all []string
	for i := range h.Events {
		all = append(all, one(&h.Events[i]))
	}
	return strings.Join(all, "; ") + " | last " + one(h.Changed)
}

func TestAnAccountTellsWhoChangedItWhenAndFromWhichFile(t *testing.T) {
	ctx := context.Background()
	c := newClock()
	s := mustOpen(t, func(o *store.Options) { o.Now = c.Now })
	step := func(file accountfile.File, o store.ImportOptions) {
		t.Helper()
		c.Add(time.Hour)
		mustImport(t, s, o, file)
	}
	put := func(account *topup.Account) {
		t.Helper()
		c.Add(time.Hour)
		if _, err := s.PutAccountBy(ctx, account, "billing"); err != nil {
			t.Fatal(err)
		}
	}
	step(named("a.jsonl", jsonl(line("c1", "e1", "e2"), line("c2", "e1"))), store.ImportOptions{Actor: "alice"}) // 13
	step(named("b.jsonl", jsonl(line("c1", "e1", "-e2", "e3"))), store.ImportOptions{Actor: "bob"})              // 14
	put(record("c1", only("e1", "e2"), func(a *topup.Account) { a.AdditionalCustomerID = "A" }))                 // 15
	step(named("c.jsonl", jsonl(line("c1", "e1", "e2"))), store.ImportOptions{Actor: "bob", Replace: true})      // 16: closes c2, writes c1 anew
	c.Add(time.Hour)
	put(record("c3")) // 18

	if got, want := story(t, s, "c1"), "13:00 created by alice a.jsonl; 14:00 contract_closed e2 by bob b.jsonl; 14:00 contract_added e3 by bob b.jsonl; "+
		"15:00 contract_reopened e2 by billing; 15:00 contract_closed e3 by billing | last 15:00 by billing"; got != want {
		t.Errorf("c1:\n got %s\nwant %s", got, want)
	}
	if got, want := story(t, s, "c2"), "13:00 created by alice a.jsonl; 16:00 closed by bob c.jsonl | last 16:00 by bob c.jsonl"; got != want {
		t.Errorf("c2, closed because the file did not have it:\n got %s\nwant %s", got, want)
	}
	if got, want := story(t, s, "c3"), "18:00 created by billing | last 18:00 by billing"; got != want {
		t.Errorf("c3:\n got %s\nwant %s", got, want)
	}

	// That an account was closed stays known when it is opened again, or closed
	// for other reasons.
	step(named("d.jsonl", jsonl(line("c2", "e1"), line("c1", "e1", "e2"))), store.ImportOptions{Actor: "alice", Replace: true}) // 19
	if got, want := story(t, s, "c2"), "13:00 created by alice a.jsonl; 16:00 closed by bob c.jsonl; 19:00 reopened by alice d.jsonl; "+
		"19:00 contract_reopened e1 by alice d.jsonl | last 19:00 by alice d.jsonl"; got != want {
		t.Errorf("c2, opened again:\n got %s\nwant %s", got, want)
	}
	put(record("c3", func(a *topup.Account) { a.AdditionalCustomerID = "B" })) // 20
	if got, want := story(t, s, "c3"), "18:00 created by billing; 19:00 closed by alice d.jsonl; 20:00 reopened by billing; "+
		"20:00 additional_customer_id_changed by billing; 20:00 contract_reopened e1 by billing; 20:00 contract_reopened e2 by billing | last 20:00 by billing"; got != want {
		t.Errorf("c3, opened by a PUT:\n got %s\nwant %s", got, want)
	}

	imports, err := s.AccountImports(ctx, 10)
	if err != nil || len(imports) != 4 {
		t.Fatalf("got %v, %v, want four imports", imports, err)
	}
	if i := imports[0]; i.File != "d.jsonl" || i.Actor != "alice" || !i.Replace || i.Accounts != 2 || i.Changed != 1 || i.Unchanged != 1 || i.Closed != 1 || i.At != c.Now().Add(-time.Hour) {
		t.Errorf("got %+v", i)
	}
	if _, err := s.AccountHistory(ctx, "nobody"); kindOf(err) != topup.KindNotFound {
		t.Errorf("got %v, want not found", err)
	}
	checked(t, s)
}

func TestWhatNeverBecameVisibleIsNoHistory(t *testing.T) {
	c := newClock()
	s := mustOpen(t, func(o *store.Options) { o.Now = c.Now })
	server := beside(t, s, func(o *store.Options) { o.Now = c.Now })
	mustImport(t, s, store.ImportOptions{}, jsonl(line("c1", "e1"), line("c2", "e1")))

	ctx, cancel := context.WithCancel(context.Background())
	_, err := s.ImportAccounts(ctx, store.ImportOptions{Progress: atPhase(store.PhaseStage, cancel)},
		jsonl(line("c1", "-e1"), line("c2", "-e1")))
	if err == nil {
		t.Fatal("the import was not cancelled")
	}
	if got, want := story(t, s, "c1"), "12:00 created by | last 12:00 by"; got != want {
		t.Errorf("after an import that ended on the way:\n got %s\nwant %s", got, want)
	}

	// A PUT wins over what an import has staged.
	mustImport(t, s, store.ImportOptions{Progress: atPhase(store.PhaseStage, func() {
		c.Add(time.Minute)
		mustPut(t, server, record("c2", only("e1")))
		c.Add(time.Minute)
	})}, jsonl(line("c2", "-e1")))
	if got := outlines(t, s); got != "c1: KZT e1; c2: KZT e1" {
		t.Fatalf("got %s", got)
	}
	if got := story(t, s, "c2"); strings.Contains(got, "contract_closed") {
		t.Errorf("after a PUT that won: got %s", got)
	}
}

func TestTheHistoryOfAccountsIsInsertOnly(t *testing.T) {
	s := mustOpen(t)
	mustImport(t, s, store.ImportOptions{Actor: "alice"}, jsonl(line("c1", "e1")))
	mustImport(t, s, store.ImportOptions{Actor: "alice"}, jsonl(line("c1", "-e1")))
	db := rawOpen(t, s)
	for _, statement := range []string{
		`UPDATE account_changes SET actor = 'mallory'`, `DELETE FROM account_changes`,
		`UPDATE account_history SET events = '[]'`, `DELETE FROM account_history`,
	} {
		if _, err := db.Exec(statement); err == nil || !strings.Contains(err.Error(), "insert-only") {
			t.Errorf("%s: got %v", statement, err)
		}
	}
}

// What an older program writes, which does not know the columns, has no history,
// and what follows it has.
func TestAnOlderProgramsRecordsHaveNoHistory(t *testing.T) {
	s := mustOpen(t)
	db := rawOpen(t, s)
	if _, err := db.Exec(`INSERT INTO accounts (customer_id, revision, additional_customer_id, currency, closed, entities, offered)
		VALUES ('c1', 7, 'A', 'KZT', 0, '[{"id":"e1","number":"number-e1"}]', NULL)`); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec(`UPDATE catalogue SET last_revision = 7`); err != nil {
		t.Fatal(err)
	}
	if got, want := story(t, s, "c1"), " | last unknown"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	mustPut(t, s, record("c1", only("e1"), func(a *topup.Account) { a.AdditionalCustomerID = "A" }))
	if got, want := story(t, s, "c1"), " | last unknown"; got != want {
		t.Errorf("after a PUT that changes nothing: got %s, want %s", got, want)
	}
	if _, err := s.PutAccountBy(context.Background(), record("c1", only("e2")), "billing"); err != nil {
		t.Fatal(err)
	}
	if got := story(t, s, "c1"); !strings.Contains(got, "contract_added e2 by billing") || !strings.Contains(got, "contract_closed e1 by billing") {
		t.Errorf("got %s", got)
	}
}

// Not the next import that replaces, which the history knows, has closed what an
// older program's import closed.
func TestWhatAnOlderProgramClosedIsNotTakenForAnothersWork(t *testing.T) {
	s := mustOpen(t)
	mustImport(t, s, store.ImportOptions{Actor: "alice"}, jsonl(line("c1", "e1"), line("c2", "e1")))
	db := rawOpen(t, s)
	if _, err := db.Exec(`UPDATE catalogue SET last_revision = last_revision + 1, closed_below = last_revision + 1`); err != nil {
		t.Fatal(err)
	}
	mustImport(t, s, store.ImportOptions{Actor: "bob", Replace: true}, jsonl(line("c2", "e1")))
	h, err := s.AccountHistory(context.Background(), "c1")
	if err != nil {
		t.Fatal(err)
	}
	if n := len(h.Events); n != 2 || h.Events[1].What != store.AccountClosed || h.Events[1].Actor != "" || !h.Events[1].At.IsZero() {
		t.Errorf("got %+v", h.Events)
	}
}

func TestImportOfAShortFileDoesNotCloseEverybody(t *testing.T) {
	s := mustOpen(t)
	const all = 500
	mustImport(t, s, store.ImportOptions{}, jsonl(manyLines(all, "e1")...))
	limit := func(confirmed int64) *store.CloseLimit { return &store.CloseLimit{Percent: 10, Confirmed: confirmed} }
	open := func() (n int) {
		page, err := s.AccountsPage(context.Background(), "", 1000)
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range page {
			if !a.Closed {
				n++
			}
		}
		return n
	}
	for _, dry := range []bool{true, false} {
		for _, confirmed := range []int64{-1, 0, 496, 498, all} {
			_, err := s.ImportAccounts(context.Background(), store.ImportOptions{Replace: true, DryRun: dry, CloseLimit: limit(confirmed)}, jsonl(manyLines(3, "e1")...))
			refused := (*store.TooManyClosedError)(nil)
			if !errors.As(err, &refused) || refused.Closed != 497 || refused.Open != all {
				t.Errorf("dry run %v, confirmed %d: got %v, want a refusal to close 497 of 500", dry, confirmed, err)
			}
		}
	}
	if open() != all {
		t.Fatalf("%d accounts are open, want all", open())
	}
	// A tenth may go unasked, one more may not.
	if _, err := s.ImportAccounts(context.Background(), store.ImportOptions{Replace: true, CloseLimit: limit(-1)}, jsonl(manyLines(449, "e1")...)); err == nil {
		t.Error("51 of 500 were closed")
	}
	mustImport(t, s, store.ImportOptions{Replace: true, CloseLimit: limit(-1)}, jsonl(manyLines(450, "e1")...))
	report := mustImport(t, s, store.ImportOptions{Replace: true, CloseLimit: limit(447)}, jsonl(manyLines(3, "e1")...))
	if report.Closed != 447 || open() != 3 {
		t.Errorf("got %+v, %d open", report, open())
	}
}

func TestAnAccountKeepsACurrencyThatHasEnded(t *testing.T) {
	s := mustOpen(t)
	db := rawOpen(t, s)
	if _, err := db.Exec(`INSERT INTO accounts (customer_id, revision, additional_customer_id, currency, closed, entities, offered)
		VALUES ('c1', 1, 'A', 'BGN', 0, '[{"id":"e1","number":"number-e1"}]', NULL)`); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec(`UPDATE catalogue SET last_revision = 1`); err != nil {
		t.Fatal(err)
	}
	mustImport(t, s, store.ImportOptions{}, jsonl(lineIn("BGN", "c1", "e1", "e2")))
	mustPut(t, s, record("c1", inCurrency("BGN")))
	if got, want := outlines(t, s), "c1: BGN e1 e2"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if _, err := s.PutAccount(context.Background(), record("c2", inCurrency("BGN"))); kindOf(err) != topup.KindInvalid {
		t.Errorf("a new account: got %v, want a refusal", err)
	}
	if _, err := s.PutAccount(context.Background(), record("c1", inCurrency("HRK"))); kindOf(err) != topup.KindInvalid {
		t.Errorf("another currency: got %v, want a refusal", err)
	}
}
