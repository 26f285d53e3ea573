package store_test

import (
	"context"
	"database/sql"
	"testing"

	"tolem/testkit"
	"tolem/topup"
)

// waitingForLocks is how many sessions of the database wait for a lock.
func waitingForLocks(t testing.TB, db *sql.DB) int64 {
	t.Helper()
	return count(t, db, `SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`)
}

// TestAnOperatorsStepThatWasPartOfADeadlockIsTriedAgain: what it posts is sent
// when it reads the transaction back. That the server then chose it to resolve a
// deadlock must not be lost behind the errors of an aborted transaction.
func TestAnOperatorsStepThatWasPartOfADeadlockIsTriedAgain(t *testing.T) {
	address := postgresDatabase(t)
	s := openAt(t, with(t, address, "deadlock_timeout", "2s")) // by then the other one waits, too
	mustAccounts(t, s)
	mustRecord(t, s, paid(mustIssue(t, s), "28")) // there are totals to hold
	id := mustIssue(t, s)

	db := shell(t, address)
	mustExec(t, db, `SET deadlock_timeout = '10min'`) // so that the store's session is chosen
	other, err := db.Begin()
	if err != nil {
		t.Fatal(err)
	}
	defer other.Rollback()
	if _, err := other.Exec(`SELECT 1 FROM ledger_totals t JOIN ledger_accounts a ON a.id = t.account_id
		WHERE a.name LIKE 'customers:%' FOR UPDATE OF t`); err != nil {
		t.Fatal(err)
	}
	credited := make(chan error)
	go func() {
		_, err := s.CreditPayment(context.Background(), id, anna)
		credited <- err
	}()
	watch := shell(t, address)
	testkit.Eventually(t, "the step to wait for the totals", func() bool { return waitingForLocks(t, watch) == 1 })
	if _, err := other.Exec(`SELECT 1 FROM payments WHERE payment_id = $1 FOR UPDATE`, id); err != nil {
		t.Fatal(err)
	}
	if err := other.Rollback(); err != nil {
		t.Fatal(err)
	}
	if err := <-credited; err != nil {
		t.Errorf("got %v, want that it was tried again", err)
	}
	if p := mustPayment(t, s, id); p.Status != topup.StatusSucceeded {
		t.Errorf("the payment is %s", p.Status)
	}
	checked(t, s)
}
