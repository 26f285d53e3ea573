package store_test

import (
	"context"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"tolem/store"
	"tolem/topup"
)

// What the tests need to say the same on SQLite and on PostgreSQL.

// same opens the database that s has open.
func same(s *store.Store) func(*store.Options) {
	return func(o *store.Options) { o.Path, o.Postgres = s.Path(), s.PostgresURL() }
}

// fileAt opens a SQLite file, whatever this run of the tests is on.
func fileAt(file string) func(*store.Options) {
	return func(o *store.Options) { o.Path, o.Postgres = file, "" }
}

// newFile opens a new SQLite file.
func newFile(t testing.TB) func(*store.Options) {
	return fileAt(filepath.Join(t.TempDir(), "tolem.db"))
}

// addToTotals changes the running totals of a ledger account and nothing else.
func addToTotals(raw rawDB, account string, debits, credits int64) error {
	query := `UPDATE ledger_accounts SET debits = debits + ?, credits = credits + ? WHERE name = ?`
	if onPostgres {
		query = `UPDATE ledger_totals SET debits = debits + ?, credits = credits + ?
			WHERE account_id = (SELECT id FROM ledger_accounts WHERE name = ?)`
	}
	_, err := raw.Exec(query, debits, credits, account)
	return err
}

// failing makes every such change of a table fail: with the text, or, without
// one, by doing nothing.
func failing(change, table, condition, says string) []string {
	if !onPostgres {
		act := `SELECT RAISE(IGNORE)`
		if says != "" {
			act = `SELECT RAISE(ABORT, '` + says + `')`
		}
		if condition != "" {
			condition = "WHEN " + condition
		}
		return []string{`CREATE TRIGGER failing BEFORE ` + change + ` ON ` + table + ` ` + condition + ` BEGIN ` + act + `; END`}
	}
	act := `RETURN NULL`
	if says != "" {
		act = `RAISE EXCEPTION '` + says + `'`
	}
	if condition != "" {
		condition = "WHEN (" + condition + ")"
	}
	return []string{
		`CREATE FUNCTION failing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN ` + strings.ReplaceAll(act, "'", "''") + `; END'`,
		`CREATE TRIGGER failing BEFORE ` + change + ` ON ` + table + ` FOR EACH ROW ` + condition + ` EXECUTE FUNCTION failing()`,
	}
}

// ranked replaces the places of transactions in the feed by 1, 2, 3: PostgreSQL
// leaves gaps between them.
func ranked(t *testing.T, list []topup.Transaction) []topup.Transaction {
	t.Helper()
	list = slices.Clone(list)
	last := int64(0)
	for i := range list {
		if list[i].Seq <= last {
			t.Fatalf("seq %d follows %d", list[i].Seq, last)
		}
		if !onPostgres && list[i].Seq != int64(i+1) {
			t.Fatalf("place %d of the feed is seq %d", i+1, list[i].Seq)
		}
		last = list[i].Seq
		list[i].Seq = int64(i + 1)
	}
	return list
}

// loadSample fills an empty PostgreSQL database with what a SQLite file holds,
// to the number.
func loadSample(t *testing.T, file string, s *store.Store) {
	t.Helper()
	ctx := context.Background()
	from := rawOpenAt(t, store.DriverName, "file:"+file)
	to := rawOpen(t, s)
	exec := func(query string, args ...any) {
		t.Helper()
		if _, err := to.Exec(query, args...); err != nil {
			t.Fatalf("%s: %v", query, err)
		}
	}
	exec(`SET session_replication_role = replica`) // foreign keys rest
	exec(`DELETE FROM catalogue`)
	exec(`DELETE FROM meta`)
	exec(`DELETE FROM settlement_progress`)
	guards := map[string]string{"payouts": "payouts_keep", "payout_lines": "payout_lines_keep"} // a payout begins as staged
	for table, trigger := range guards {
		exec(`ALTER TABLE ` + table + ` DISABLE TRIGGER ` + trigger)
	}
	defer func() {
		for table, trigger := range guards {
			exec(`ALTER TABLE ` + table + ` ENABLE ALWAYS TRIGGER ` + trigger)
		}
	}()
	for _, table := range []string{"meta", "catalogue", "accounts", "payments", "messages", "message_bodies", "transactions", "ledger_accounts",
		"entries", "operations", "freed_operations", "operator_steps", "approvals", "approval_decisions", "approved_transactions", "audit", "open_messages", "told_refunds", "suspense_items", "payins", "idempotency", "watch_marks", "status_answers",
		"payouts", "payout_lines", "payout_steps", "settlement_progress", "settlement_sums", "payout_sums"} {
		rows, err := from.DB.QueryContext(ctx, `SELECT * FROM `+table)
		if err != nil {
			t.Fatal(err)
		}
		columns, err := rows.Columns()
		if err != nil {
			t.Fatal(err)
		}
		for rows.Next() {
			values, places := make([]any, len(columns)), make([]any, len(columns))
			for i := range values {
				places[i] = &values[i]
			}
			if err := rows.Scan(places...); err != nil {
				t.Fatal(err)
			}
			row := columns
			if table == "ledger_accounts" { // id, name, currency, debits, credits
				exec(`INSERT INTO ledger_totals (account_id, shard, debits, credits) VALUES (?, 0, ?, ?)`, values[0], values[3], values[4])
				row, values = columns[:3], values[:3]
			}
			if table == "message_bodies" {
				values[2] = string(values[2].([]byte))
			}
			exec(`INSERT INTO `+table+` (`+strings.Join(row, ", ")+`) VALUES (?`+strings.Repeat(", ?", len(row)-1)+`)`, values...)
		}
		if err := rows.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
