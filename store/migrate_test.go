package store_test

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pressly/goose/v3"

	"tolem/store"
)

// TestADatabaseOfEachEarlierLevelIsBroughtUp proves that migrations lead from
// any earlier program to the same schema as a new database has.
func TestADatabaseOfEachEarlierLevelIsBroughtUp(t *testing.T) {
	own := os.DirFS("migrations/sqlite")
	names, err := fs.Glob(own, "*.sql")
	if err != nil || len(names) == 0 {
		t.Fatalf("got %v, %v", names, err)
	}
	for level := range names[1:] {
		path := filepath.Join(t.TempDir(), "tolem.db")
		db := rawOpenAt(t, store.DriverName, "file:"+path)
		provider, err := goose.NewProvider(goose.DialectSQLite3, db.DB, own)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := provider.UpTo(context.Background(), int64(level+1)); err != nil {
			t.Fatal(err)
		}
		if _, err := db.Exec(`INSERT INTO meta (key, value) VALUES ('accounts.normalize', 'none')`); err != nil {
			t.Fatal(err)
		}
		if _, err := db.Exec(`INSERT INTO payments (payment_id, provider, project, customer_id, entity_id, contract_number, amount, currency, method, status, flags, created_at)
			VALUES ('p_old', 'jetpay', '1234', '7123456789', '12345', 'OLD-1', 1, 'KZT', '', 'pending', 0, 1)`); err != nil {
			t.Fatal(err)
		}
		s := mustOpen(t, func(o *store.Options) { *o = store.Options{Path: path} })
		mustAccounts(t, s)
		mustRecord(t, s, paid(mustIssue(t, s), "28"))
		if page, _, err := s.Payments(context.Background(), store.PaymentFilter{Q: "OLD-1"}); err != nil || len(page) != 1 || page[0].ID != "p_old" {
			t.Errorf("level %d: a search for an older payment's contract: got %v, %v", level+1, page, err)
		}
		checked(t, s) // compares the schema with a new database's

		for statement, refused := range map[string]string{
			`UPDATE payments SET status = 'lost'`:                                         "CHECK constraint failed",
			`INSERT INTO suspense_items (seq, payment_id, state) VALUES (1, 'p', 'lost')`: "CHECK constraint failed",
		} {
			if _, err := db.Exec(statement); err == nil || !strings.Contains(err.Error(), refused) {
				t.Errorf("level %d: %s: got %v, want %s", level+1, statement, err, refused)
			}
		}
		var sound string
		if err := db.QueryRow(`PRAGMA integrity_check`).Scan(&sound); err != nil || sound != "ok" {
			t.Errorf("level %d: %s, %v", level+1, sound, err)
		}
		if n := queryInt(t, db, `SELECT count(*) FROM sqlite_schema WHERE sql LIKE '%status IN (%' OR sql LIKE '%kind IN (%' OR (name = 'suspense_items' AND sql LIKE '%state IN (%')`); n != 0 {
			t.Errorf("level %d: %d tables have a slow check still", level+1, n)
		}
	}
}
