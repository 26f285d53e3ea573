package store_test

import (
	"context"
	"testing"
	"time"

	"tolem/pgtest"
)

// TestAnUnknownCommitIsNotTakenForDoneWhenItsWriterIsForgotten lets the sweep
// forget a writer between a commit that is lost and the question what became of
// it: where there is no row, nothing was committed.
func TestAnUnknownCommitIsNotTakenForDoneWhenItsWriterIsForgotten(t *testing.T) {
	address := postgresDatabase(t)
	proxy := pgtest.NewProxy(t, address)
	s := openAt(t, proxy.URL())
	mustAccounts(t, s)
	id := mustIssue(t, s)
	operator, sweeper, watcher := shell(t, address), shell(t, address), shell(t, address)
	held, err := operator.Begin()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := held.Exec(`SELECT 1 FROM payments WHERE payment_id = $1 FOR UPDATE`, id); err != nil {
		t.Fatal(err)
	}

	lost := proxy.LoseRequest("COMMIT")
	recorded, swept := make(chan error, 1), make(chan error, 1)
	go func() {
		_, err := s.Record(context.Background(), paid(id, "28"), []byte("{}"))
		recorded <- err
	}()
	waiting := func(query string) {
		late := time.Now().Add(10 * time.Minute)
		for count(t, watcher, `SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE '`+query+`%'`) == 0 {
			if time.Now().After(late) {
				t.Fatalf("nobody waits with %s", query)
			}
		}
	}
	waiting("SELECT u.n") // for the payment
	go func() {
		_, err := sweeper.Exec(`DELETE FROM writers`)
		swept <- err
	}()
	waiting("DELETE") // for that write
	if err := held.Rollback(); err != nil {
		t.Fatal(err)
	}
	<-lost
	if err := <-swept; err != nil {
		t.Fatal(err)
	}
	if err := <-recorded; err == nil && mustPayment(t, s, id).Credit == nil {
		t.Error("the write was acknowledged and is lost")
	}
	mustRecord(t, s, paid(id, "28"))
	if mustPayment(t, s, id).Credit == nil {
		t.Error("the message that came again was not credited")
	}
	checked(t, s)
}
