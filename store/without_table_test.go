package store_test

import (
	"testing"
	"time"

	"tolem/store"
	"tolem/topup"
	"tolem/view"
)

// TestWhatCannotBeWrittenWhole takes tables away under a store, one at a time, and
// takes the steps after the credit: refunds, payouts, bank lines, approvals,
// notifications, seals. One that fails posts nothing and changes no payment, no
// payout and no notification.
func TestWhatCannotBeWrittenWhole(t *testing.T) {
	tables := []string{
		"account_confirmations", "approval_decisions", "approvals", "approved_transactions", "audit", "bank_lines", "bank_matches", "bank_statements",
		"entries", "event_deliveries", "event_progress", "events", "freed_operations", "idempotency", "ledger_accounts", "messages", "meta", "open_messages", "operations",
		"operator_steps", "payout_lines", "payout_steps", "payout_sums", "payouts", "seals", "settlement_progress", "settlement_sums", "suspense_items",
		"told_refunds", "turnover", "turnover_through",
	}
	for _, table := range tables {
		t.Run("Without/"+table, func(t *testing.T) {
			s := bookOf(t, func(o *store.Options) { o.NotificationBody = view.NotificationBody })
			raw := rawOpen(t, s)
			fillFurtherTables(t, s)
			underFourEyes(t, s, store.ActionRecord) // credits are posted again
			credited, waiting := mustIssue(t, s), mustIssue(t, s)
			mustRecord(t, s, paid(credited, "60"))
			refunded := must(t)(s.RefundPayment(ctx, credited, topup.RefundRequest{PayBack: topup.PayBack{Amount: 1000}}, anna))
			_, item := suspendedItem(t, s, paid("theirs-1", "61"))
			mustAdd(t, s, newPayout("po-2", withLines(saleLine(2, credited, "60", 10000, 300))))
			mustAdd(t, s, newPayout("po-3", withLines(saleLine(2, mustIssue(t, s), "99", 5000, 0))))
			_, err := s.RecordPayment(ctx, recordOf("62"), bearer("anna"))
			approval := proposed(t, err)
			_, err = s.RecordPayment(ctx, recordOf("63"), bearer("anna"))
			rejected := proposed(t, err)
			payout, err := s.Payout(ctx, ref("po-2"))
			if err != nil {
				t.Fatal(err)
			}
			seal, err := s.LastSeal(ctx)
			if err != nil {
				t.Fatal(err)
			}
			due, err := s.DueDeliveries(ctx, "billing", 10)
			if err != nil || len(due) == 0 {
				t.Fatalf("%d notifications are due, %v", len(due), err)
			}
			account, err := s.Account(ctx, "7000000000")
			if err != nil {
				t.Fatal(err)
			}
			statement := `DROP TABLE ` + table
			if onPostgres {
				statement += ` CASCADE`
			}
			if _, err := raw.Exec(statement); err != nil {
				t.Skipf("the database keeps it: %v", err)
			}
			// books is what a step that fails leaves as it was. A table that is gone counts nothing.
			books := func() (counts [4]int64) {
				for i, query := range []string{
					`SELECT count(*) FROM transactions`,
					`SELECT coalesce(sum(length(status) + flags + open_items), 0) + count(*) FROM payments`,
					`SELECT coalesce(sum(length(state)), 0) + count(*) FROM payouts WHERE state <> 'staged'`, // those of an import that was cut short are swept
					`SELECT count(*) FROM events`,
				} {
					if err := raw.QueryRow(query).Scan(&counts[i]); err != nil {
						counts[i] = -1
					}
				}
				return counts
			}
			failed := 0
			for _, step := range []struct {
				name string
				take func() error
			}{
				{"refund", func() error {
					_, err := s.RefundPayment(ctx, credited, topup.RefundRequest{PayBack: topup.PayBack{Amount: 1000, Operation: "70"}}, anna)
					return err
				}},
				{"reverse the refund", func() error { _, err := s.Reverse(ctx, refunded.ID, anna); return err }},
				{"return a part", func() error { _, err := s.ReturnSuspense(ctx, item, topup.PayBack{Amount: 100}, anna); return err }},
				{"reported refunds", func() error { _, err := s.OpenRefunds(ctx, credited); return err }},
				{"add a payout", func() error { _, err := s.AddPayout(ctx, newPayout("po-4"), anna); return err }},
				{"try an import of payouts", func() error {
					_, err := s.ImportPayouts(ctx, []store.NewPayout{newPayout("po-5")}, anna, true)
					return err
				}},
				{"post a payout", func() error { _, err := s.PostPayout(ctx, ref("po-2"), anna); return err }},
				{"discard a payout", func() error { return s.DiscardPayout(ctx, ref("po-3"), anna) }},
				{"a payout", func() error { _, err := s.Payout(ctx, ref("po-1")); return err }},
				{"payouts", func() error { _, _, err := s.Payouts(ctx, store.PayoutFilter{}); return err }},
				{"lines", func() error { _, err := s.PayoutLines(ctx, payout, 0, 10); return err }},
				{"differences", func() error { _, _, err := s.PayoutDifferences(ctx, payout); return err }},
				{"sums", func() error { return s.SumSettlement(ctx) }},
				{"turnover", func() error { _, err := s.SumTurnover(ctx, time.UTC); return err }},
				{"import a statement", func() error {
					_, err := s.ImportBankStatement(ctx, statementOf(t, "2026-11-21", 9700, 5), anna)
					return err
				}},
				{"propose matches", func() error { _, err := s.ProposeBankMatches(ctx, 7); return err }},
				{"match", func() error { _, err := s.ApplyBankMatches(ctx, 7, anna); return err }},
				{"propose", func() error { _, err := s.RecordPayment(ctx, recordOf("64"), bearer("anna")); return err }},
				{"preview", func() error { _, err := s.Preview(ctx, store.CreditStep{PaymentID: waiting}, anna); return err }},
				{"approve", func() error { _, err := s.Approve(ctx, approval, bearer("bolat")); return err }},
				{"reject", func() error { return s.Reject(ctx, rejected, bearer("bolat")) }},
				{"approval", func() error { _, err := s.Approval(ctx, approval); return err }},
				{"approvals", func() error { _, _, err := s.Approvals(ctx, store.ApprovalFilter{}); return err }},
				{"approved now", func() error { _, err := s.PreviewApproval(ctx, approval); return err }},
				{"four eyes", func() error { _, err := s.SetFourEyes(ctx, nil, store.By{Actor: "serve"}); return err }},
				{"audit", func() error { _, _, err := s.AuditEntries(ctx, store.AuditFilter{}); return err }},
				{"events", func() error { _, _, err := s.Events(ctx, store.EventFilter{State: store.DeliveryPending}); return err }},
				{"event", func() error { _, err := s.Event(ctx, due[0].EventID); return err }},
				{"due", func() error { _, err := s.DueDeliveries(ctx, "billing", 10); return err }},
				{"following", func() error { _, err := s.FollowingDelivery(ctx, due[0]); return err }},
				{"attempt", func() error {
					return s.SaveAttempts(ctx, []store.Attempt{{Delivery: due[0], State: store.DeliveryDelivered, At: time.Unix(9, 0)}})
				}},
				{"resend", func() error { return s.ResendEvent(ctx, due[0].EventID, anna) }},
				{"resend a period", func() error {
					_, err := s.ResendEvents(ctx, store.Period{From: time.Unix(1, 0), To: time.Now().Add(time.Hour)}, anna)
					return err
				}},
				{"skip", func() error { return s.SkipEvent(ctx, due[0].EventID, anna) }},
				{"behind", func() error { _, err := s.EventStats(ctx); return err }},
				{"old events", func() error { _, err := s.PruneEvents(ctx, time.Nanosecond); return err }},
				{"endpoints", func() error { return s.SetEndpoints(ctx, []store.Endpoint{{Name: "billing"}, {Name: "other"}}) }},
				{"seal", func() error { _, err := s.SealJournal(ctx); return err }},
				{"verify the seal", func() error { _, err := s.VerifySeal(ctx, seal, false); return err }},
				{"verify what is recent", func() error { _, err := s.VerifySeal(ctx, seal, true); return err }},
				{"confirm", func() error { return s.ConfirmAccount(ctx, account, time.Now().Add(time.Hour), 0) }},
				{"confirmed", func() error { _, err := s.AccountConfirmedAt(ctx, "7000000000"); return err }},
				{"forget", func() error { return s.ForgetConfirmation(ctx, "7000000000") }},
				{"message", func() error {
					_, err := s.Record(ctx, paid(credited, "65", func(e *topup.Event) { e.Outcome, e.Status = topup.OutcomeRefunded, "refunded" }), []byte(`{}`))
					return err
				}},
				{"callback", func() error { _, err := s.Record(ctx, paid("theirs-2", "66"), []byte(`{}`)); return err }},
				{"check", func() error { _, err := s.Check(ctx); return err }},
			} {
				before := books()
				err := step.take()
				if err == nil {
					continue
				}
				failed++
				if after := books(); after != before {
					t.Errorf("%s failed, and %v became %v: %v", step.name, before, after, err)
				}
			}
			if failed == 0 {
				t.Errorf("nothing needs the table %s", table)
			}
		})
	}
}
