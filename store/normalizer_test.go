package store_test

import (
	"context"
	"strings"
	"testing"

	"tolem/store"
	"tolem/topup"
)

func TestIdsAreNormalisedWhereverTheyEnter(t *testing.T) {
	s := mustOpen(t, func(o *store.Options) { o.Normalize = topup.NormalizeKZPhone })
	ctx := context.Background()
	mustPut(t, s, record("+7 707 123-45-67"))
	for _, id := range []string{"7071234567", "87071234567", "+7 (707) 123-45-67"} {
		offer, err := s.Offer(ctx, id)
		if err != nil || offer.CustomerID != "7071234567" {
			t.Errorf("offer for %s: got %+v, %v", id, offer, err)
		}
		if got := mustAccount(t, s, id).CustomerID; got != "7071234567" {
			t.Errorf("account %s: got %s", id, got)
		}
	}
	if mustPut(t, s, record("87071234567")) {
		t.Error("the same customer was created twice")
	}
}

func TestTheNormaliserCannotChangeOnAFilledDatabase(t *testing.T) {
	ctx := context.Background()
	o := newDatabase(t)
	open := func(n topup.Normalizer) (*store.Store, error) {
		o.Normalize = n
		return store.Open(ctx, o)
	}
	for _, n := range []topup.Normalizer{topup.NormalizeKZPhone, topup.NormalizeNone, topup.NormalizeKZPhone} {
		s, err := open(n)
		if err != nil {
			t.Fatalf("an empty database with %s: %v", n, err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	late, err := open(topup.NormalizeKZPhone)
	if err != nil {
		t.Fatal(err)
	}
	defer late.Close()
	s, err := open(topup.NormalizeNone)
	if err != nil {
		t.Fatal(err)
	}
	mustPut(t, s, record("c1"))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := open(topup.NormalizeKZPhone); err == nil || !strings.Contains(err.Error(), "accounts.normalize cannot change on a filled database: it is none") {
		t.Errorf("a filled database: got %v", err)
	}
	// One that was open before the other filled the database does not write.
	if _, err := late.PutAccount(ctx, record("c2")); kindOf(err) != topup.KindConflict {
		t.Errorf("put with another normaliser: got %v, want a conflict", err)
	}
}
