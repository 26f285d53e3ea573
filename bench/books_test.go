//go:build linux

package main

import (
	"testing"
	"time"

	"tolem/store"
)

func TestADifferenceBetweenAcknowledgedAndBookedIsAnError(t *testing.T) {
	d, said := loaded(t, 60)
	if _, err := said.compare(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	for what, change := range map[string]func(*acknowledged){
		"a payment that does not exist":        func(a *acknowledged) { a.issue("p_lost") },
		"a credit that is not booked":          func(a *acknowledged) { a.credit("p_lost") },
		"one credit booked instead of another": func(a *acknowledged) { a.credits.sum++ },
	} {
		other := acknowledged{issued: said.issued, credits: said.credits}
		change(&other)
		if _, err := other.compare(t.Context(), d); err == nil {
			t.Errorf("%s: got no error", what)
		}
	}
}

func TestABrokenBookIsAnErrorAlsoWhenTheNumbersAgree(t *testing.T) {
	d, said := loaded(t, 60)
	db, err := d.connect()
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(`UPDATE ledger_accounts SET credits = credits + 1 WHERE id = (SELECT max(id) FROM ledger_accounts)`); err != nil {
		t.Fatal(err)
	}
	if note, err := said.compare(t.Context(), d); err == nil {
		t.Errorf("got %q, want to hear that the running totals are wrong", note)
	}
}

func TestASmallDiskIsRefusedBeforeItIsFilled(t *testing.T) {
	if err := room(t.TempDir(), 1<<50); err == nil {
		t.Error("got no error for more payments than any disk holds")
	}
	if err := room(t.TempDir(), 0); err != nil {
		t.Logf("this machine has little room: %v", err)
	}
}

func TestASyncedWriteIsMeasured(t *testing.T) {
	rate, err := syncRate(t.TempDir(), 20*time.Millisecond)
	if err != nil || rate <= 0 {
		t.Errorf("got %v, %v", rate, err)
	}
}

// The naive way is only worth comparing with if it books the same.
func TestTheNaiveWayBooksWhatLedgerCheckAccepts(t *testing.T) {
	d := sqliteIn(t.TempDir(), "naive.db")
	naive, err := openNaive(t.Context(), d, 3)
	if err != nil {
		t.Fatal(err)
	}
	defer naive.close()
	ids, err := naive.issue(t.Context(), 7)
	if err != nil {
		t.Fatal(err)
	}
	var said acknowledged
	for i, id := range ids {
		said.issue(id)
		if err := naive.credit(id, int64(i)); err != nil {
			t.Fatal(err)
		}
		said.credit(id)
	}
	if _, err := said.compare(t.Context(), d); err != nil {
		t.Error(err)
	}
	if err := naive.credit(ids[0], 0); err == nil {
		t.Error("a repeat was booked")
	}
	if _, err := store.Open(t.Context(), d.options()); err != nil {
		t.Error(err)
	}
}
