//go:build linux

package main

import (
	"bytes"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"go.uber.org/zap"

	"tolem/config"
	"tolem/handlers"
	"tolem/store"
)

// loaded makes a database of so many payments.
func loaded(t *testing.T, payments int64) (database, *acknowledged) {
	t.Helper()
	folder := t.TempDir()
	d := sqliteIn(folder, "tolem.db")
	if err := d.open(t.Context(), folder, loadedCustomers(payments)); err != nil {
		t.Fatal(err)
	}
	said := &acknowledged{}
	if err := fill(t.Context(), d, payments, yearsAgo(), said, func(int64) {}); err != nil {
		t.Fatal(err)
	}
	return d, said
}

func TestLedgerCheckAcceptsALoadedBook(t *testing.T) {
	d, said := loaded(t, 2345)
	note, err := said.compare(t.Context(), d)
	if err != nil {
		t.Fatal(err)
	}
	if said.issued.count != 2345 || said.credits.count < 2000 || said.credits.count > 2345 {
		t.Errorf("got %s, want 2345 payments, most of them credited", note)
	}
}

// TestALoadedTopUpIsLikeOneThatTheServerBooked compares the rows of both: in
// every column of every table the same kind of value, or the same emptiness.
func TestALoadedTopUpIsLikeOneThatTheServerBooked(t *testing.T) {
	loaded, _ := loaded(t, 50)
	served := servedTopUp(t)
	for table, where := range map[string]string{
		"payments":        "p.status = 'succeeded' ORDER BY p.id DESC",
		"messages":        "p.disposition = 'credited' ORDER BY p.id DESC",
		"message_bodies":  "1 = 1",
		"transactions":    "1 = 1 ORDER BY p.seq DESC",
		"entries":         "p.amount < 0 ORDER BY p.seq DESC",
		"operations":      "1 = 1",
		"ledger_accounts": "p.credits > 0",
	} {
		query := "SELECT * FROM " + table + " p WHERE " + where + " LIMIT 1"
		got, want := kinds(t, loaded, query), kinds(t, served, query)
		if !maps.Equal(got, want) {
			t.Errorf("%s: the loader leaves\n%v\nthe server leaves\n%v", table, got, want)
		}
	}
}

// kinds says of each column of a row what kind of value it has.
func kinds(t *testing.T, d database, query string) map[string]string {
	t.Helper()
	db, err := d.connect()
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	rows, err := db.Query(query)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	values, places := make([]any, len(columns)), make([]any, len(columns))
	for i := range values {
		places[i] = &values[i]
	}
	if !rows.Next() {
		t.Fatalf("%s: no row, %v", query, rows.Err())
	}
	if err := rows.Scan(places...); err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	for i, column := range columns {
		kind := fmt.Sprintf("%T", values[i])
		if values[i] == "" || values[i] == int64(0) {
			kind = "empty " + kind
		}
		if id, isText := values[i].(string); isText && len(id) > 2 && id[1] == '_' {
			kind = fmt.Sprintf("id like %s of %d", id[:2], len(id)) // of ours
		}
		if fingerprint, isBytes := values[i].([]byte); isBytes && column == "fingerprint" {
			kind = fmt.Sprintf("%d bytes", len(fingerprint))
		}
		found[column] = kind
	}
	return found
}

// servedTopUp is a database in which the server itself has booked a top-up.
func servedTopUp(t *testing.T) database {
	t.Helper()
	folder := t.TempDir()
	d := sqliteIn(folder, "tolem.db")
	if err := d.open(t.Context(), folder, 1); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(folder, "config.yaml")
	if err := os.WriteFile(file, fmt.Appendf(nil, configuration, "127.0.0.1:0", "127.0.0.1:0", adminToken, d.driver, d.dsn, project, secret), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, _, err := config.Load(file, nil)
	if err != nil {
		t.Fatal(err)
	}
	s, err := store.Open(t.Context(), d.options())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	server, err := handlers.New(handlers.Options{Config: cfg, Store: s, Log: zap.NewNop(), Metrics: handlers.NewMetrics()})
	if err != nil {
		t.Fatal(err)
	}
	from, err := newSender("", 1)
	if err != nil {
		t.Fatal(err)
	}
	post := func(q *request, err error) answer {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		recorder := httptest.NewRecorder()
		server.Public().ServeHTTP(recorder, httptest.NewRequest(http.MethodPost, route, bytes.NewReader(q.body)))
		return answer{status: recorder.Code, body: recorder.Body.Bytes()}
	}
	id, err := issued(post(from.deposit()))
	if err != nil {
		t.Fatal(err)
	}
	if got := post(from.callback(id)); got.status != http.StatusOK {
		t.Fatalf("got %d, want the callback to be acknowledged", got.status)
	}
	return d
}
