package store_test

import (
	"testing"

	"tolem/pgtest"
	"tolem/store"
)

// TestImportKnowsItsOwnWorkWhenTheOutcomeOfACommitIsUnknown: the answer
// to the commit is lost, and so is the question what became of it. The import
// then writes again, and meets what it has written.
func TestImportKnowsItsOwnWorkWhenTheOutcomeOfACommitIsUnknown(t *testing.T) {
	for _, c := range []struct {
		name   string
		before store.ImportPhase // after which the next commit is lost, "" for the first
		setUp  string
	}{
		{"when it takes its place", "", ""},
		{"when it takes the place of one that died", "", `UPDATE catalogue SET last_revision = 5, staging = 5, claim = 1, heartbeat_at = 0`},
		{"when it stages", store.PhaseCheck, ""},
		{"when it shows what it has staged", store.PhaseStage, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			address := postgresDatabase(t)
			db := shell(t, address)
			if c.setUp != "" {
				mustExec(t, db, c.setUp)
			}
			proxy := pgtest.NewProxy(t, address)
			s := openAt(t, proxy.URL())
			var answer, question <-chan struct{}
			lose := func() {
				answer, question = proxy.LoseAnswer("COMMIT"), proxy.LoseRequest("SELECT batch FROM writers")
			}
			if c.before == "" {
				lose()
			}
			report := mustImport(t, s, store.ImportOptions{Progress: func(p store.ImportProgress) {
				if p.Phase == c.before && p.Done == p.Total {
					lose()
				}
			}}, jsonl(line("c1", "e1"), line("c2", "e1")))
			<-answer
			<-question
			if report.Created != 2 {
				t.Errorf("report: %+v", report)
			}
			if got, want := outlines(t, s), "c1: KZT e1; c2: KZT e1"; got != want {
				t.Errorf("got %s, want %s", got, want)
			}
			if n := count(t, db, `SELECT count(*) FROM accounts`); n != 2 {
				t.Errorf("%d rows are kept of two accounts", n)
			}
			mustImport(t, s, store.ImportOptions{}, jsonl(line("c3", "e1"))) // its place is free
		})
	}
}
