package store_test

import (
	"context"
	"reflect"
	"testing"
	"time"

	"tolem/store"
	"tolem/storetest"
)

func TestProjectsAreThoseWithOpenPaymentsOrMoney(t *testing.T) {
	s := mustOpen(t)
	of := func(provider, project string) func(*store.NewPayment) {
		return func(n *store.NewPayment) { n.Provider, n.Project = provider, project }
	}
	mustIssue(t, s, of("jetpay", "2"))
	mustIssue(t, s, of("jetpay", "2"))
	mustIssue(t, s, of("highhelp", "57aff4db"))
	credited := mustIssue(t, s, of("jetpay", "10"))
	if _, err := s.CreditPayment(context.Background(), credited, store.By{Actor: "a", Reason: "r"}); err != nil {
		t.Fatal(err)
	}
	got, err := s.Projects(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	want := []store.Project{{Provider: "highhelp", ID: "57aff4db", Open: 1}, {Provider: "jetpay", ID: "10", Open: 0}, {Provider: "jetpay", ID: "2", Open: 2}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestADatabaseKnowsWhenItWasMade(t *testing.T) {
	before := time.Now().Truncate(time.Second)
	var o store.Options
	s := mustOpen(t, func(opened *store.Options) {
		if !onPostgres {
			opened.Path = storetest.Missing(t).Path
		}
		o = *opened
	})
	first, err := s.Created(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	// On PostgreSQL the tests' databases are copies of one that was made before.
	if after := time.Now(); first.After(after) || !onPostgres && first.Before(before) {
		t.Errorf("got %s, want it between %s and %s", first, before, after)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if again, err := mustOpen(t, func(reopened *store.Options) { *reopened = o }).Created(context.Background()); err != nil || !again.Equal(first) {
		t.Errorf("opened again: got %s, %v, want %s", again, err, first)
	}
}
