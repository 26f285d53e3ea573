package store_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"tolem/store"
	"tolem/topup"
)

// TestAStepThatCannotBeWrittenWholeIsNotWritten takes tables away under a store,
// one at a time, and takes every step of an operator: one that is refused for it
// posts nothing and changes no payment.
func TestAStepThatCannotBeWrittenWholeIsNotWritten(t *testing.T) {
	for _, table := range []string{
		"operator_steps", "open_messages", "freed_operations", "operations", "suspense_items", "message_bodies", "messages", "meta", "ledger_accounts",
		"status_answers", "entries", "account_changes", "account_history", "payins", "idempotency", "catalogue", "accounts", "contract_numbers", "watch_marks",
		"audit", "approvals", "approval_decisions", "approved_transactions",
	} {
		t.Run("Without "+table, func(t *testing.T) {
			s := bookOf(t)
			raw := rawOpen(t, s)
			credited, waiting, reviewed := mustIssue(t, s), mustIssue(t, s), mustIssue(t, s)
			mustRecord(t, s, paid(credited, "1"))
			_, assigned := suspendedItem(t, s, paid("theirs-1", "2"))
			_, returned := suspendedItem(t, s, paid("theirs-2", "3"))
			manual := must(t)(s.RecordPayment(ctx, recordOf("4"), anna))
			unread := unreadable(t, s, reviewed, "5")
			refund := stored(t, s, paid(credited, "6", func(e *topup.Event) { e.Outcome, e.Status = topup.OutcomeRefunded, "refunded" }))
			posted := func() int64 { return queryInt(t, raw, `SELECT count(*) FROM transactions`) }
			statuses := func() int64 {
				return queryInt(t, raw, `SELECT coalesce(sum(length(status) + flags + open_items), 0) + count(*) FROM payments`)
			}
			statement := `DROP TABLE ` + table
			if onPostgres {
				statement += ` CASCADE`
			}
			if _, err := raw.Exec(statement); err != nil {
				t.Skipf("the database keeps it: %v", err)
			}
			changed := &topup.Account{CustomerID: "7999999999", AdditionalCustomerID: "D", Currency: "KGS", Contracts: []topup.Contract{{ID: "1", Number: "C-1"}}}
			failed := 0
			for name, step := range map[string]func() error{
				"credit":  func() error { _, err := s.CreditPayment(ctx, waiting, anna); return err },
				"recall":  func() error { _, err := s.RecallPayment(ctx, credited, anna); return err },
				"close":   func() error { return s.ClosePayment(ctx, reviewed, anna) },
				"record":  func() error { _, err := s.RecordPayment(ctx, recordOf("40"), anna); return err },
				"assign":  func() error { _, err := s.AssignSuspense(ctx, assigned, "7000000000", "1", anna); return err },
				"return":  func() error { _, err := s.ReturnSuspense(ctx, returned, topup.PayBack{}, anna); return err },
				"reverse": func() error { _, err := s.Reverse(ctx, manual.ID, anna); return err },
				"suspend": func() error {
					_, err := s.SuspendMessage(ctx, unread, topup.SuspendRequest{Amount: 500, Currency: "KZT"}, anna)
					return err
				},
				"dismiss":      func() error { return s.DismissMessage(ctx, refund, anna) },
				"close period": func() error { _, err := s.SetClosedPeriod(ctx, "2026-10-31", time.Unix(1, 0)); return err },
				"assign all": func() error {
					_, err := s.AssignAll(ctx, []store.Assignment{{Item: assigned, CustomerID: "7000000000", ContractID: "1"}}, anna)
					return err
				},
				"list": func() error {
					_, _, err := s.Messages(ctx, store.MessageFilter{Open: true, From: time.Unix(1, 0)})
					return err
				},
				"show":      func() error { _, _, err := s.Message(ctx, unread); return err },
				"put":       func() error { _, err := s.PutAccountBy(ctx, changed, "anna"); return err },
				"account":   func() error { _, err := s.Account(ctx, "7123456789"); return err },
				"accounts":  func() error { _, err := s.AccountsPage(ctx, "", 10); return err },
				"history":   func() error { _, err := s.AccountHistory(ctx, "7123456789"); return err },
				"imports":   func() error { _, err := s.AccountImports(ctx, 10); return err },
				"suspense":  func() error { _, err := s.SuspenseItems(ctx, store.SuspenseFilter{}); return err },
				"payments":  func() error { _, _, err := s.Payments(ctx, store.PaymentFilter{Q: "A-1"}); return err },
				"balances":  func() error { _, err := s.ContractBalances(ctx, "7123456789"); return err },
				"projects":  func() error { _, err := s.Projects(ctx); return err },
				"pay-in":    func() error { _, err := s.Payin(ctx, waiting); return err },
				"pay-ins":   func() error { _, err := s.DuePayins(ctx, nil, time.Unix(1, 0), 10); return err },
				"open":      func() error { _, _, err := s.PayinStats(ctx); return err },
				"keys":      func() error { _, err := s.SweepIdempotency(ctx); return err },
				"answer":    func() error { _, err := s.StatusAnswer(ctx, waiting); return err },
				"prune":     func() error { _, err := s.PruneRaw(ctx, time.Hour); return err },
				"mark":      func() error { _, err := s.WatchMark(ctx, "w"); return err },
				"journal":   func() error { return s.Journal(ctx, store.Period{}, func(topup.Transaction) error { return nil }) },
				"feed":      func() error { _, err := s.Transactions(ctx, 0, 10); return err },
				"audit":     func() error { _, _, err := s.AuditEntries(ctx, store.AuditFilter{}); return err },
				"approvals": func() error { _, _, err := s.Approvals(ctx, store.ApprovalFilter{}); return err },
				"check":     func() error { _, err := s.Check(ctx); return err },
				"note": func() error {
					_, err := s.NoteStatusAnswer(ctx, waiting, store.StatusAnswer{At: time.Unix(5, 0), HTTPStatus: 400, Code: "1"}, false)
					return err
				},
				"figures": func() error { _, err := s.Stats(ctx); return err },
				"timeline": func() error {
					_, err := s.Timeline(ctx, &topup.Payment{ID: credited, CustomerID: "c", Status: topup.StatusSucceeded})
					return err
				},
			} {
				before, as := posted(), statuses()
				if err := step(); err == nil {
					continue
				}
				failed++
				if after := posted(); after != before {
					t.Errorf("%s failed, and %d transactions became %d", name, before, after)
				}
				if now := statuses(); now != as {
					t.Errorf("%s failed, and a payment was changed", name)
				}
			}
			if failed == 0 {
				t.Errorf("nothing needs the table %s", table)
			}
		})
	}
}

func TestAnExportHasEveryAccount(t *testing.T) {
	s := bookOf(t)
	var file bytes.Buffer
	report, err := s.ExportAccounts(ctx, "jsonl", &file)
	if err != nil || report.Accounts != 3 || report.Contracts != 4 || report.Refused != 0 || strings.Count(file.String(), "\n") != 3 {
		t.Errorf("got %+v, %v\n%s", report, err, file.String())
	}
	if _, err := s.ExportAccounts(ctx, "xml", &file); err == nil {
		t.Error("an unknown format was taken")
	}
	ended, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := s.ExportAccounts(ended, "csv", &file); err == nil {
		t.Error("an export that was cancelled reported success")
	}
}

func TestOnlyDamageIsExplainedAsDamage(t *testing.T) {
	if err := store.ExplainDamage(nil); err != nil {
		t.Errorf("nothing: got %v", err)
	}
	other := errors.New("no such table: x")
	if err := store.ExplainDamage(other); err != other {
		t.Errorf("another error: got %v", err)
	}
	if err := store.ExplainDamage(errors.New("database disk image is malformed")); !strings.Contains(err.Error(), "restore a backup") {
		t.Errorf("damage: got %v", err)
	}
}

func TestTheOptimizationsAreSQLitesAlone(t *testing.T) {
	s := mustOpen(t)
	if got := s.Optimizations(); (len(got) > 0) == onPostgres {
		t.Errorf("got %v", got)
	}
}

// TestNothingIsAnsweredOnceTheStoreIsClosed: an error, and never an empty answer.
func TestNothingIsAnsweredOnceTheStoreIsClosed(t *testing.T) {
	s, err := store.Open(ctx, newDatabase(t))
	if err != nil {
		t.Fatal(err)
	}
	mustAccounts(t, s)
	id := mustIssue(t, s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for name, ask := range map[string]func() error{
		"account":  func() error { _, err := s.Account(ctx, "7123456789"); return err },
		"accounts": func() error { _, err := s.AccountsPage(ctx, "", 10); return err },
		"history":  func() error { _, err := s.AccountHistory(ctx, "7123456789"); return err },
		"imports":  func() error { _, err := s.AccountImports(ctx, 10); return err },
		"messages": func() error { _, _, err := s.Messages(ctx, store.MessageFilter{}); return err },
		"since":    func() error { _, _, err := s.Messages(ctx, store.MessageFilter{From: time.Unix(1, 0)}); return err },
		"message":  func() error { _, _, err := s.Message(ctx, 1); return err },
		"payments": func() error { _, _, err := s.Payments(ctx, store.PaymentFilter{}); return err },
		"suspense": func() error { _, err := s.SuspenseItems(ctx, store.SuspenseFilter{}); return err },
		"balances": func() error { _, err := s.Balances(ctx, store.BalanceFilter{}); return err },
		"between":  func() error { _, err := s.BalancesBetween(ctx, store.Period{From: time.Unix(1, 0)}); return err },
		"feed":     func() error { _, err := s.Transactions(ctx, 0, 10); return err },
		"journal":  func() error { return s.Journal(ctx, store.Period{}, func(topup.Transaction) error { return nil }) },
		"timeline": func() error { _, err := s.Timeline(ctx, &topup.Payment{ID: id, CustomerID: "c"}); return err },
		"answer":   func() error { _, err := s.StatusAnswer(ctx, id); return err },
		"projects": func() error { _, err := s.Projects(ctx); return err },
		"created":  func() error { _, err := s.Created(ctx); return err },
		"stats":    func() error { _, err := s.Stats(ctx); return err },
		"pending":  func() error { _, _, err := s.PendingStats(ctx); return err },
		"pay-in":   func() error { _, err := s.Payin(ctx, id); return err },
		"demo":     func() error { _, err := s.DemoSeeded(ctx); return err },
		"check":    func() error { _, err := s.Check(ctx); return err },
		"credit":   func() error { _, err := s.CreditPayment(ctx, id, anna); return err },
		"close":    func() error { return s.ClosePayment(ctx, id, anna) },
		"period":   func() error { _, err := s.SetClosedPeriod(ctx, "", time.Time{}); return err },
		"expire":   func() error { _, err := s.ExpirePending(ctx); return err },
		"prune":    func() error { _, err := s.PruneRaw(ctx, time.Hour); return err },
		"export":   func() error { _, err := s.ExportAccounts(ctx, "jsonl", new(bytes.Buffer)); return err },
	} {
		if err := ask(); err == nil {
			t.Errorf("%s: got no error", name)
		}
	}
}
