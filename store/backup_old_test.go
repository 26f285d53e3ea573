package store_test

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/pressly/goose/v3"

	"tolem/pgtest"
	"tolem/store"
	"tolem/topup"
)

// levels are the schemas of this program and all before it.
func levels(t *testing.T) (levels []int64) {
	t.Helper()
	names, err := fs.Glob(os.DirFS("migrations/"+kindOfStore()), "*.sql")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		level, err := strconv.ParseInt(name[:5], 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		levels = append(levels, level)
	}
	if len(levels) < 2 || levels[len(levels)-1] != store.ProgramLevel {
		t.Fatalf("got levels %v, this program has %d", levels, store.ProgramLevel)
	}
	return levels
}

func kindOfStore() string {
	if onPostgres {
		return "postgres"
	}
	return "sqlite"
}

// databaseOf makes a database with the schema of an older program, and a payment
// in it.
func databaseOf(t *testing.T, level int64) (store.Options, rawDB) {
	t.Helper()
	o, dialect := store.Options{Path: filepath.Join(t.TempDir(), "tolem.db")}, goose.DialectSQLite3
	driver, dsn := store.DriverName, "file:"+o.Path
	if onPostgres {
		o, dialect = store.Options{Postgres: pgtest.Database(t)}, goose.DialectPostgres
		driver, dsn = "pgx", o.Postgres
	}
	db := rawOpenAt(t, driver, dsn)
	provider, err := goose.NewProvider(dialect, db.DB, os.DirFS("migrations/"+kindOfStore()))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := provider.UpTo(context.Background(), level); err != nil {
		t.Fatal(err)
	}
	for _, statement := range []string{
		`INSERT INTO meta (key, value) VALUES ('accounts.normalize', 'none')`,
		`INSERT INTO payments (payment_id, provider, project, customer_id, entity_id, contract_number, amount, currency, method, status, flags, created_at)
			VALUES ('p_old', 'jetpay', '1234', '7123456789', '12345', 'OLD-1', 10000, 'KZT', '', 'pending', 0, 1)`,
	} {
		if _, err := db.Exec(statement); err != nil {
			t.Fatal(err)
		}
	}
	return o, db
}

// TestABackupIsMadeOfEverySchemaBeforeItsUpgrade: the copy is as old as the
// original, which stays as it is, and this program can go on with it.
func TestABackupIsMadeOfEverySchemaBeforeItsUpgrade(t *testing.T) {
	for _, level := range levels(t) {
		t.Run(fmt.Sprint("level ", level), func(t *testing.T) {
			o, db := databaseOf(t, level)
			folder := t.TempDir()
			file := filepath.Join(folder, "copy.db")
			report, err := store.Backup(context.Background(), o, file)
			if err != nil {
				t.Fatal(err)
			}
			if report.Level != level || report.Check.Payments != 1 || len(report.Check.Problems) != 0 || report.ReachesTo.IsZero() {
				t.Errorf("got %+v", report)
			}
			if left, err := os.ReadDir(folder); err != nil || len(left) != 1 {
				t.Errorf("left behind: %v, %v", left, err)
			}
			const current = `SELECT max(version_id) FROM goose_db_version`
			if now := queryInt(t, db, current); now != level {
				t.Errorf("the original has level %d now", now)
			}
			if got := queryInt(t, rawOpenAt(t, store.DriverName, "file:"+file), current); got != level {
				t.Errorf("the copy has level %d", got)
			}
			var reported []store.Migration
			restored := mustOpen(t, func(o *store.Options) {
				*o = store.Options{Path: file, OnMigrate: func(m store.Migration) { reported = append(reported, m) }}
			})
			if p := mustPayment(t, restored, "p_old"); p.Status != topup.StatusPending {
				t.Errorf("got %+v", p)
			}
			mustRecord(t, restored, paid("p_old", "28"))
			checked(t, restored)
			at := level
			for _, m := range reported {
				if m.From != at || m.To <= m.From || m.Name == "" || m.Took <= 0 {
					t.Errorf("got %+v, want a migration from %d", m, at)
				}
				at = m.To
			}
			if at != store.ProgramLevel {
				t.Errorf("reported were %+v", reported)
			}
		})
	}
}

// TestADamagedOldDatabaseGivesNoBackup: it is no better than one of today.
func TestADamagedOldDatabaseGivesNoBackup(t *testing.T) {
	level := levels(t)[0]
	o, db := databaseOf(t, level)
	const alone = `INSERT INTO transactions (seq, transaction_id, payment_id, slot, kind, effective_at, recorded_at) VALUES (1, 'tx_1', 'p_old', 0, 'credit', 1, 1)`
	if _, err := db.Exec(alone); err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	if report, err := store.Backup(context.Background(), o, filepath.Join(folder, "copy.db")); err == nil {
		t.Errorf("got %+v, want an error: the transaction has no entries", report)
	}
	if left, err := os.ReadDir(folder); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}
