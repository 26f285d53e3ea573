package store_test

import (
	"context"
	"database/sql"
	"fmt"
	"testing"
	"time"

	"tolem/store"
	"tolem/storetest"
	"tolem/testkit"
	"tolem/topup"
)

func newClock() *testkit.Clock {
	return testkit.NewClock(time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC))
}

// onPostgres tells that this run of the tests is on PostgreSQL.
var onPostgres = storetest.OnPostgres()

// onlyPostgres skips a test of what there is on PostgreSQL alone.
func onlyPostgres(t testing.TB) {
	t.Helper()
	storetest.OnlyPostgres(t)
}

// newDatabase returns options that name a database of the test's own, which has only
// its tables.
func newDatabase(t testing.TB) store.Options {
	t.Helper()
	o := storetest.New(t)
	o.ReadMessage = readStored
	return o
}

// mustOpen opens a store on a new database and closes it with the test.
func mustOpen(t testing.TB, change ...func(*store.Options)) *store.Store {
	t.Helper()
	o := newDatabase(t)
	for _, c := range change {
		c(&o)
	}
	s, err := store.Open(context.Background(), o)
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

// rawDB is a connection of an operator's own, with SQL in which ? stands for an
// argument.
type rawDB = storetest.DB

// rawOpen opens the store's database with a connection of its own, as an
// operator with a shell would.
func rawOpen(t testing.TB, s *store.Store) rawDB {
	t.Helper()
	return storetest.Open(t, store.Options{Path: s.Path(), Postgres: s.PostgresURL()})
}

func rawOpenAt(t testing.TB, driver, source string) rawDB {
	t.Helper()
	return storetest.OpenAt(t, driver, source)
}

var hundred = topup.Money{Amount: 10000, Currency: "KZT"}

func mustIssue(t testing.TB, s *store.Store, change ...func(*store.NewPayment)) string {
	t.Helper()
	n := store.NewPayment{
		Provider: "jetpay", Project: "1234", CustomerID: "7123456789", ContractID: "12345", ContractNumber: "A-1",
		Money: hundred, Method: "terminal/kaspi", ExpiresAfter: 288 * time.Hour,
	}
	for _, c := range change {
		c(&n)
	}
	id, err := s.Issue(context.Background(), n)
	if err != nil {
		t.Fatalf("issue: %v", err)
	}
	return id
}

// paid is a movement for a payment, under an operation.
func paid(reference, operation string, change ...func(*topup.Event)) topup.Event {
	e := topup.Event{
		Provider: "jetpay", Project: "1234", Reference: reference, Operation: operation,
		Outcome: topup.OutcomePaid, Sum: hundred, Initial: hundred, Complete: true, TopUp: true,
		Method: "kaspi", Status: "success", Code: "0", Message: "Success", ReceiptID: "receipt-" + operation,
		EffectiveAt: time.Date(2026, 11, 20, 8, 0, 0, 0, time.UTC),
	}
	for _, c := range change {
		c(&e)
	}
	e.Fingerprint = fmt.Appendf(nil, "%s|%s|%s|%s|%v|%v", e.Project, e.Reference, e.Operation, e.Status, e.Sum, e.Initial)
	return e
}

func mustRecord(t testing.TB, s *store.Store, e topup.Event) store.Recorded {
	t.Helper()
	r, err := s.Record(context.Background(), e, []byte(`{"raw":"`+e.Operation+`"}`))
	if err != nil {
		t.Fatalf("record: %v", err)
	}
	return r
}

func mustPayment(t testing.TB, s *store.Store, id string) *topup.Payment {
	t.Helper()
	p, err := s.Payment(context.Background(), id)
	if err != nil {
		t.Fatalf("payment %s: %v", id, err)
	}
	return p
}

func queryInt(t testing.TB, db rawDB, query string, args ...any) int64 {
	t.Helper()
	var n sql.NullInt64
	if err := db.QueryRow(query, args...).Scan(&n); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return n.Int64
}
