package store_test

import (
	"context"
	"io"
	"strings"
	"testing"
	"time"

	"tolem/store"
	"tolem/topup"
)

const demoPayment = `{"payment_id":"payment_47","provider":"jetpay","project_id":1234,"customer_id":"c1","entity_id":"e1","amount":10000,"currency":"KZT","payment_method":"terminal/kaspi"}`

func reader(lines ...string) io.Reader { return strings.NewReader(strings.Join(lines, "\n")) }

func mustBeDemo(t *testing.T, s *store.Store, want bool) {
	t.Helper()
	got, err := s.DemoSeeded(context.Background())
	if err != nil || got != want {
		t.Errorf("the mark of demo data: got %t, %v, want %t", got, err, want)
	}
}

func TestDemoDataFillAnEmptyDatabaseAndMarkIt(t *testing.T) {
	clock := newClock()
	s := mustOpen(t, func(o *store.Options) { o.Now = clock.Now })
	mustBeDemo(t, s, false)
	other := strings.NewReplacer(`1234`, `"57aff4db-b45d"`, "payment_47", "payment_48").Replace(demoPayment)
	seeded, err := s.SeedDemo(context.Background(), reader(line("c1", "e1"), line("c2", "e1")), reader(demoPayment, other), time.Hour)
	if err != nil || !seeded {
		t.Fatalf("got %t, %v", seeded, err)
	}
	mustBeDemo(t, s, true)
	if got, want := outlines(t, s), "c1: KZT e1; c2: KZT e1"; got != want {
		t.Errorf("accounts: got %s, want %s", got, want)
	}
	p := mustPayment(t, s, "payment_47")
	want := topup.Payment{
		ID: "payment_47", Provider: "jetpay", Project: "1234", CustomerID: "c1", ContractID: "e1", ContractNumber: "number-e1",
		Money: hundred, Method: "terminal/kaspi", Status: topup.StatusPending, Stored: topup.StatusPending, CreatedAt: clock.Now(), ExpiresAt: clock.Now().Add(time.Hour),
	}
	if *p != want {
		t.Errorf("payment: got %+v, want %+v", *p, want)
	}
	if got := mustPayment(t, s, "payment_48").Project; got != "57aff4db-b45d" {
		t.Errorf("project: got %s", got)
	}
	// The page's sample callback credits it.
	if r := mustRecord(t, s, paid("payment_47", "28")); r.Disposition != topup.DispositionCredited {
		t.Errorf("a callback for it: got %+v", r)
	}
}

func TestDemoDataStayOutOfAFilledDatabase(t *testing.T) {
	for name, fill := range map[string]func(*store.Store){
		"accounts": func(s *store.Store) { mustPut(t, s, record("c9")) },
		"payments": func(s *store.Store) { mustIssue(t, s) },
	} {
		s := mustOpen(t)
		fill(s)
		seeded, err := s.SeedDemo(context.Background(), reader(line("c1", "e1")), nil, 0)
		if err != nil || seeded {
			t.Errorf("with %s: got %t, %v", name, seeded, err)
		}
		mustBeDemo(t, s, false)
	}
	s := mustOpen(t)
	for i, want := range []bool{true, false} {
		seeded, err := s.SeedDemo(context.Background(), reader(line("c1", "e1")), nil, 0)
		if err != nil || seeded != want {
			t.Errorf("time %d: got %t, %v", i+1, seeded, err)
		}
	}
	mustBeDemo(t, s, true)
}

func TestBadDemoDataLeaveTheDatabaseEmpty(t *testing.T) {
	edit := func(old, new string) string { return strings.Replace(demoPayment, old, new, 1) }
	for says, demo := range map[string][2]string{
		"demo accounts: line 1: currency must be":     {lineIn("kzt", "c1", "e1"), ""},
		"demo accounts: line 2: customer_id must not": {line("c1", "e1") + "\n" + line("c1", "e1"), ""},
		"demo accounts: line 1: record is not valid":  {`{`, ""},
		"payment 1: payment_id must contain only":     {"", edit("payment_47", "pay ment")},
		"payment 2: payment_id must not appear twice": {"", demoPayment + "\n" + demoPayment},
		"payment 1: project_id must be a string":      {"", edit("1234", "true")},
		"payment 1: customer_id must be that of":      {"", edit("c1", "c2")},
		"payment 1: entity_id must be a contract":     {"", edit("e1", "e2")},
		"payment 1: currency must be KZT":             {"", edit("KZT", "KGS")},
		"payment 1: amount must be between":           {"", edit("10000", "0")},
		"payment 1: provider and payment_method":      {"", edit("jetpay", "")},
		"demo payments: payment 1: json":              {"", `{"payment":1}`},
	} {
		s := mustOpen(t)
		if demo[0] == "" {
			demo[0] = line("c1", "e1")
		}
		seeded, err := s.SeedDemo(context.Background(), reader(demo[0]), reader(demo[1]), 0)
		if err == nil || seeded || !strings.Contains(err.Error(), says) {
			t.Errorf("got %t, %v, want %s", seeded, err, says)
		}
		mustBeDemo(t, s, false)
		if got := outlines(t, s); got != "" {
			t.Errorf("%s: accounts were stored: %s", says, got)
		}
	}
}

func TestDemoDataAreSeededUnderTheDatabasesOwnNormaliser(t *testing.T) {
	s := mustOpen(t)
	beside(t, s, func(o *store.Options) { o.Normalize = topup.NormalizeKZPhone })
	if _, err := s.SeedDemo(context.Background(), reader(line("c1", "e1")), nil, 0); kindOf(err) != topup.KindConflict {
		t.Errorf("got %v, want a conflict", err)
	}
}
