package store_test

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"testing"

	"tolem/store"
)

// dump is every row of the journal's tables, to see that nothing changed.
func dump(t *testing.T, db rawDB) string {
	t.Helper()
	var all strings.Builder
	for _, table := range []string{"transactions", "entries", "operations", "ledger_accounts", "freed_operations", "operator_steps", "approvals", "approval_decisions", "approved_transactions", "audit"} {
		rows, err := db.Query(`SELECT * FROM ` + table)
		if err != nil {
			t.Fatal(err)
		}
		columns, err := rows.Columns()
		if err != nil {
			t.Fatal(err)
		}
		for rows.Next() {
			row := make([]any, len(columns))
			for i := range row {
				row[i] = new(sql.NullString)
			}
			if err := rows.Scan(row...); err != nil {
				t.Fatal(err)
			}
			for _, cell := range row {
				fmt.Fprintf(&all, "%q ", cell.(*sql.NullString).String)
			}
			fmt.Fprintln(&all, table)
		}
		if err := rows.Err(); err != nil {
			t.Fatal(err)
		}
	}
	return all.String()
}

func TestTheJournalCannotBeChangedThroughARawConnection(t *testing.T) {
	s := bookOf(t)
	id := mustIssue(t, s)
	mustRecord(t, s, paid(id, "28"))
	mustRecord(t, s, paid(id, "29"))
	must(t)(s.Reverse(context.Background(), must(t)(s.RecallPayment(context.Background(), id, anna)).ID, anna))
	raw := rawOpen(t, s) // as an operator's shell: no foreign keys, no settings of ours
	before := dump(t, raw)
	for _, attack := range []string{
		`UPDATE transactions SET reason = 'x'`,
		`UPDATE transactions SET seq = 9 WHERE seq = 3`,
		`UPDATE OR REPLACE transactions SET seq = 1 WHERE seq = 2`,
		`UPDATE OR REPLACE transactions SET transaction_id = (SELECT transaction_id FROM transactions WHERE seq = 1) WHERE seq = 2`,
		`UPDATE OR IGNORE transactions SET actor = 'x'`,
		`DELETE FROM transactions`,
		`DELETE FROM transactions WHERE seq = 3`,
		`INSERT OR REPLACE INTO transactions SELECT seq, transaction_id, kind, payment_id, slot, reverses, resolves, 'x', reason, 0, 0, NULL, NULL FROM transactions`,
		`REPLACE INTO transactions SELECT 99, transaction_id, kind, 'p', 99, NULL, resolves, 'x', reason, 0, 0, NULL, NULL FROM transactions WHERE seq = 1`,
		`REPLACE INTO transactions SELECT 99, 't_x', kind, payment_id, slot, NULL, resolves, 'x', reason, 0, 0, NULL, NULL FROM transactions WHERE seq = 1`,
		`REPLACE INTO transactions SELECT 99, 't_x', kind, 'p', 99, reverses, resolves, 'x', reason, 0, 0, NULL, NULL FROM transactions WHERE seq = 4`,
		`INSERT INTO transactions SELECT * FROM transactions WHERE seq = 1 ON CONFLICT DO UPDATE SET reason = 'x'`,

		`UPDATE entries SET amount = 1`,
		`UPDATE OR REPLACE entries SET n = 0 WHERE n = 1`,
		`UPDATE entries SET seq = 7 WHERE seq = 1`,
		`DELETE FROM entries`,
		`DELETE FROM entries WHERE seq = 1 AND n = 0`,
		`INSERT OR REPLACE INTO entries SELECT seq, n, account_id, 5 FROM entries`,
		`REPLACE INTO entries (seq, n, account_id, amount) VALUES (1, 0, 1, 5)`,
		`INSERT INTO entries SELECT * FROM entries WHERE seq = 1 ON CONFLICT DO UPDATE SET amount = 5`,

		`UPDATE operations SET seq = 2`,
		`UPDATE OR REPLACE operations SET operation = '28'`,
		`DELETE FROM operations`,
		`INSERT OR REPLACE INTO operations SELECT operation, provider, project, 3, reference, 1, sum_currency, 1, initial_currency, 0 FROM operations`,
		`INSERT INTO operations SELECT * FROM operations WHERE operation = '28' ON CONFLICT DO UPDATE SET seq = 3`,

		`UPDATE ledger_accounts SET name = 'x' WHERE id = 1`,
		`UPDATE ledger_accounts SET currency = 'USD'`,
		`UPDATE OR REPLACE ledger_accounts SET id = 2 WHERE id = 1`,
		`DELETE FROM ledger_accounts`,
		`INSERT OR REPLACE INTO ledger_accounts SELECT id, 'x', currency, 0, 0 FROM ledger_accounts`,
		`INSERT OR REPLACE INTO ledger_accounts (name, currency, debits, credits) SELECT name, currency, 0, 0 FROM ledger_accounts`,
	} {
		if _, err := raw.Exec(attack); err == nil || strings.Contains(err.Error(), "columns but") {
			t.Errorf("accepted, or no attack: %s: %v", attack, err)
		}
		if after := dump(t, raw); after != before {
			t.Fatalf("%s changed the journal from\n%s\nto\n%s", attack, before, after)
		}
	}
	// INSERT OR IGNORE may be ignored; it must not change anything either.
	for _, quiet := range []string{
		`INSERT OR IGNORE INTO transactions SELECT * FROM transactions`,
		`INSERT OR IGNORE INTO entries SELECT * FROM entries`,
		`INSERT OR IGNORE INTO operations SELECT * FROM operations`,
	} {
		_, _ = raw.Exec(quiet)
		if after := dump(t, raw); after != before {
			t.Fatalf("%s changed the journal", quiet)
		}
	}
	checked(t, s)
}

func TestEveryTableOfTheJournalIsGuardedAgainstUpdateDeleteAndReplace(t *testing.T) {
	names, err := store.TriggerNames(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, table := range []string{"entries", "operations", "transactions"} {
		want = append(want, table+"_no_delete", table+"_no_replace", table+"_no_update")
	}
	for _, table := range []string{"approvals", "approval_decisions", "approved_transactions", "audit"} {
		want = append(want, table+"_no_delete", table+"_no_replace", table+"_no_update")
	}
	want = append(want, "freed_operations_no_delete", "freed_operations_no_replace", "freed_operations_no_update",
		"operator_steps_no_delete", "operator_steps_no_replace", "operator_steps_no_update",
		"ledger_accounts_identity", "ledger_accounts_no_delete", "ledger_accounts_no_replace")
	for _, name := range want {
		if !slices.Contains(names, name) {
			t.Errorf("%s is missing among %v", name, names)
		}
	}
}

func TestARunningTotalNeverBecomesAFloat(t *testing.T) {
	s := bookOf(t)
	mustRecord(t, s, paid(mustIssue(t, s), "28"))
	raw := rawOpen(t, s)
	before := dump(t, raw)
	for _, attack := range []string{
		`UPDATE ledger_accounts SET credits = credits + 9223372036854775807`,
		`UPDATE ledger_accounts SET credits = 1.5`,
		`UPDATE ledger_accounts SET credits = 'many'`,
		`UPDATE ledger_accounts SET credits = -1`,
	} {
		if _, err := raw.Exec(attack); err == nil {
			t.Errorf("accepted: %s", attack)
		}
	}
	if after := dump(t, raw); after != before {
		t.Errorf("changed to %s", after)
	}
}

// TestWhatOperatorsDidCannotBeChangedThroughARawConnection: on both databases.
func TestWhatOperatorsDidCannotBeChangedThroughARawConnection(t *testing.T) {
	s := bookOf(t)
	credited, suspended := mustIssue(t, s), mustIssue(t, s)
	mustRecord(t, s, paid(credited, "28"))
	_, item := suspendedItem(t, s, paid(suspended, "29", sum(1)))
	manual := must(t)(s.CreditPayment(ctx, mustIssue(t, s), anna))
	must(t)(s.RecallPayment(ctx, manual.PaymentID, anna))
	recorded := must(t)(s.RecordPayment(ctx, recordOf("40"), anna))
	must(t)(s.RecordPayment(ctx, recordOf("41"), anna))
	must(t)(s.Reverse(ctx, recorded.ID, anna)) // frees operation 40
	underFourEyes(t, s, store.ActionRecord)
	_, err := s.RecordPayment(ctx, recordOf("42"), bearer("anna"))
	approved := proposed(t, err)
	if _, err := s.Approve(ctx, approved, bearer("bolat")); err != nil {
		t.Fatal(err)
	}
	_, err = s.RecordPayment(ctx, recordOf("43"), bearer("anna"))
	waiting := proposed(t, err)
	decide := func(id, actor string) string {
		return fmt.Sprintf(`INSERT INTO approval_decisions (approval_id, at, decision, actor, os_user, role, reason, request_id) VALUES ('%s', 1, 'approved', '%s', '', '', '', '')`, id, actor)
	}
	raw := rawOpen(t, s)
	seq := func(id string) int64 {
		return queryInt(t, raw, `SELECT seq FROM transactions WHERE transaction_id = ?`, id)
	}
	mirror := func(of int64) string {
		return fmt.Sprintf(`INSERT INTO transactions (seq, transaction_id, kind, payment_id, slot, reverses, actor, reason, effective_at, recorded_at)
			SELECT 99000000, 't_x', 'reversal', payment_id, 99000000, seq, 'x', 'x', 1, 1 FROM transactions WHERE seq = %d`, of)
	}
	free := func(operation string, seq, by int64) string {
		return fmt.Sprintf(`INSERT INTO freed_operations (operation, provider, project, seq, reference, sum_amount, sum_currency, initial_amount, initial_currency, entered, freed_by)
			SELECT operation, provider, project, %d, reference, sum_amount, sum_currency, initial_amount, initial_currency, entered, %d FROM operations WHERE operation = '%s'`, seq, by, operation)
	}
	reversal := queryInt(t, raw, `SELECT max(seq) FROM transactions WHERE kind = 'reversal'`)
	before := dump(t, raw)
	for _, attack := range []struct{ statement, says string }{
		{mirror(queryInt(t, raw, `SELECT seq FROM transactions WHERE kind = 'credit'`)), "is not reversed"},
		{mirror(seq(item)), "is not reversed"},
		{mirror(seq(manual.ID)), "is not reversed"}, // it was recalled
		{`DELETE FROM operations WHERE operation = '28'`, "insert-only"},
		{`DELETE FROM operations WHERE operation = '41'`, "insert-only"}, // an operator's, not reversed
		{`UPDATE operations SET entered = 0 WHERE operation = '41'`, "insert-only"},
		{free("28", queryInt(t, raw, `SELECT seq FROM transactions WHERE kind = 'credit'`), reversal), "reversal of an operator's transaction"},
		{free("41", queryInt(t, raw, `SELECT seq FROM operations WHERE operation = '41'`), queryInt(t, raw, `SELECT seq FROM operations WHERE operation = '41'`)), "reversal of an operator's transaction"},
		{`UPDATE freed_operations SET seq = 1`, "insert-only"},
		{`DELETE FROM freed_operations`, "insert-only"},
		{`UPDATE operator_steps SET actor = 'x'`, "insert-only"},
		{`DELETE FROM operator_steps`, "insert-only"},
		{`UPDATE audit SET actor = 'x'`, "insert-only"},
		{`DELETE FROM audit`, "insert-only"},
		{`UPDATE approvals SET actor = 'x'`, "insert-only"},
		{`DELETE FROM approvals`, "insert-only"},
		{`UPDATE approval_decisions SET actor = 'x'`, "insert-only"},
		{`DELETE FROM approval_decisions`, "insert-only"},
		{`UPDATE approved_transactions SET approved_by = 'x'`, "insert-only"},
		{`DELETE FROM approved_transactions`, "insert-only"},
		{decide(waiting, "anna"), "another person than its proposer"},
		{fmt.Sprintf(`INSERT INTO approved_transactions (seq, approval_id, approved_by) VALUES (%d, '%s', 'bolat')`, seq(manual.ID), waiting), "with its proposal"},
		{fmt.Sprintf(`INSERT INTO approved_transactions (seq, approval_id, approved_by) VALUES (%d, '%s', 'dana')`, seq(manual.ID), approved), "with its proposal"},
	} {
		if _, err := raw.Exec(attack.statement); err == nil || !strings.Contains(err.Error(), attack.says) {
			t.Errorf("%s: got %v, want %q", attack.statement, err, attack.says)
		}
		if after := dump(t, raw); after != before {
			t.Fatalf("%s changed the journal from\n%s\nto\n%s", attack.statement, before, after)
		}
	}
	attacks := []string{`REPLACE INTO operator_steps SELECT id, 0, action, payment_id, message_id, seq, operation, 'x', 'x' FROM operator_steps`,
		`REPLACE INTO audit SELECT id, 0, 'x', '', '', '', '', '', 'done', '', '' FROM audit`,
		`REPLACE INTO approval_decisions SELECT approval_id, 0, 'rejected', 'x', '', '', '', '' FROM approval_decisions`,
		`REPLACE INTO approved_transactions SELECT seq, approval_id, 'x' FROM approved_transactions`,
		`REPLACE INTO approvals SELECT id, 0, 0, step, action, object, params, preview, NULL, NULL, 'x', 0, '', '', '', '' FROM approvals`,
		`REPLACE INTO freed_operations SELECT id, 'x', provider, project, seq, reference, 1, sum_currency, 1, initial_currency, 0, freed_by FROM freed_operations`}
	if onPostgres {
		attacks = []string{`TRUNCATE audit`, `TRUNCATE approvals CASCADE`, `TRUNCATE approval_decisions`, `TRUNCATE approved_transactions`, `TRUNCATE operator_steps`, `TRUNCATE freed_operations`, `TRUNCATE operations`}
	}
	for _, attack := range attacks {
		if _, err := raw.Exec(attack); err == nil || strings.Contains(err.Error(), "columns but") {
			t.Errorf("accepted, or no attack: %s: %v", attack, err)
		}
		if after := dump(t, raw); after != before {
			t.Fatalf("%s changed the journal", attack)
		}
	}
	checked(t, s)
}

// TestAnOperationThatIsPostedAgainIsGuardedAgain: only the reversal that stands
// lets it go.
func TestAnOperationThatIsPostedAgainIsGuardedAgain(t *testing.T) {
	s := bookOf(t)
	recorded := must(t)(s.RecordPayment(ctx, recordOf("40"), anna))
	again := must(t)(s.Reverse(ctx, must(t)(s.Reverse(ctx, recorded.ID, anna)).ID, anna))
	raw := rawOpen(t, s)
	if _, err := raw.Exec(`DELETE FROM operations WHERE operation = '40'`); err == nil || !strings.Contains(err.Error(), "insert-only") {
		t.Errorf("got %v", err)
	}
	must(t)(s.Reverse(ctx, again.ID, anna)) // frees it once more
	must(t)(s.RecordPayment(ctx, recordOf("40"), anna))
	checked(t, s)
}
