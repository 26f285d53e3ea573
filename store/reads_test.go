package store_test

import (
	"context"
	"testing"
	"time"

	"tolem/store"
	"tolem/topup"
)

func TestAReadThatCannotBeMadeIsAnErrorAndNeverAnEmptyAnswer(t *testing.T) {
	s := bookOf(t)
	id := mustIssue(t, s)
	p := mustPayment(t, s, id)
	cancelled, cancel := context.WithCancel(context.Background())
	cancel()
	// Tables that are gone stand for whatever goes wrong half-way.
	broken := bookOf(t)
	raw := rawOpen(t, broken)
	if _, err := raw.Exec(`DROP VIEW ledger_balances`); err != nil {
		t.Fatal(err)
	}
	for _, table := range []string{"entries", "suspense_items", "messages", "message_bodies", "ledger_accounts", "operations", "payments"} {
		if _, err := raw.Exec(`ALTER TABLE ` + table + ` RENAME TO gone_` + table); err != nil {
			t.Fatal(err)
		}
	}
	for name, read := range map[string]func(context.Context, *store.Store) error{
		"payments": func(ctx context.Context, s *store.Store) error {
			_, _, err := s.Payments(ctx, store.PaymentFilter{})
			return err
		},
		"timeline": func(ctx context.Context, s *store.Store) error { _, err := s.Timeline(ctx, p); return err },
		"items": func(ctx context.Context, s *store.Store) error {
			_, err := s.SuspenseItems(ctx, store.SuspenseFilter{})
			return err
		},
		"pending": func(ctx context.Context, s *store.Store) error { _, _, err := s.PendingStats(ctx); return err },
		"figures": func(ctx context.Context, s *store.Store) error { _, err := s.Stats(ctx); return err },
		"balances": func(ctx context.Context, s *store.Store) error {
			_, err := s.Balances(ctx, store.BalanceFilter{})
			return err
		},
		"period": func(ctx context.Context, s *store.Store) error {
			_, err := s.BalancesBetween(ctx, store.Period{})
			return err
		},
		"feed":         func(ctx context.Context, s *store.Store) error { _, err := s.Transactions(ctx, 0, 0); return err },
		"transactions": func(ctx context.Context, s *store.Store) error { _, err := s.PaymentTransactions(ctx, id); return err },
		"journal": func(ctx context.Context, s *store.Store) error {
			return s.Journal(ctx, store.Period{}, func(topup.Transaction) error { return nil })
		},
		"check":  func(ctx context.Context, s *store.Store) error { _, err := s.Check(ctx); return err },
		"expire": func(ctx context.Context, s *store.Store) error { _, err := s.ExpirePending(ctx); return err },
		"backup": func(ctx context.Context, s *store.Store) error {
			_, err := s.Backup(ctx, t.TempDir()+"/copy")
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			if err := read(cancelled, s); err == nil {
				t.Error("cancelled: no error")
			}
			if err := read(context.Background(), broken); err == nil {
				t.Error("on a broken database: no error")
			}
			if err := read(context.Background(), s); err != nil {
				t.Errorf("and on a sound one: %v", err)
			}
		})
	}
	if _, err := broken.PruneRaw(context.Background(), time.Hour); kindOf(err) != topup.KindUnavailable {
		t.Errorf("prune on a broken database: got %v", err)
	}
}

func TestAnOperatorsStepThatFailsHalfWayLeavesNothing(t *testing.T) {
	ctx := context.Background()
	change, running := "UPDATE", "ledger_accounts"
	if onPostgres {
		change, running = "INSERT", "ledger_totals"
	}
	for name, damage := range map[string][]string{
		"the items cannot be read":           {`ALTER TABLE suspense_items RENAME TO gone`},
		"the items cannot be moved":          failing("UPDATE", "suspense_items", "", "broken"),
		"the items do not move":              failing("UPDATE", "suspense_items", "", ""),
		"the payments cannot be saved":       failing("UPDATE", "payments", "", "broken"),
		"the entries cannot be written":      failing("INSERT", "entries", "", "broken"),
		"the transactions cannot be written": failing("INSERT", "transactions", "", "broken"),
		"the running totals cannot be added": failing(change, running, "", "broken"),
		"the payment is gone":                {`DELETE FROM payments`},
		"the journal cannot be read":         {`ALTER TABLE entries RENAME TO gone`},
	} {
		t.Run(name, func(t *testing.T) {
			s := bookOf(t)
			id := mustIssue(t, s)
			_, item := suspendedItem(t, s, paid(id, "1", sum(9000)))
			raw := rawOpen(t, s)
			for _, query := range damage {
				if _, err := raw.Exec(query); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := s.AssignSuspense(ctx, item, "7123456789", "12345", anna); err == nil {
				t.Error("assigned")
			}
			if _, err := s.ReturnSuspense(ctx, item, topup.PayBack{}, anna); err == nil {
				t.Error("returned")
			}
			if _, err := s.Reverse(ctx, item, anna); err == nil {
				t.Error("reversed")
			}
			if got := queryInt(t, raw, `SELECT count(*) FROM transactions`); got != 1 {
				t.Errorf("got %d transactions, want 1", got)
			}
		})
	}
}

func TestMoneyWhoseOperationIsNotOnRecordTakesNoCredit(t *testing.T) {
	s := bookOf(t)
	id := mustIssue(t, s)
	_, item := suspendedItem(t, s, paid(id, "1", sum(9000)))
	if _, err := rawOpen(t, s).Exec(`DELETE FROM messages`); err != nil {
		t.Fatal(err)
	}
	// A credit without its operation would be bound to the next callback, whose
	// money would be lost.
	if _, err := s.AssignSuspense(context.Background(), item, "7123456789", "12345", anna); err == nil {
		t.Error("assigned")
	}
	must(t)(s.AssignSuspense(context.Background(), item, "7000000000", "1", anna)) // takes no credit
}
