package store_test

import (
	"bytes"
	"context"
	"database/sql"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tolem/store"
)

func TestADatabaseOfAnotherProgramIsRefusedAndLeftAsItIs(t *testing.T) {
	for name, statements := range map[string][]string{
		"one with a rollback journal":                      {`CREATE TABLE customers (id INTEGER)`, `INSERT INTO customers VALUES (1)`},
		"one whose tables are in its write-ahead log only": {`PRAGMA journal_mode = WAL`, `PRAGMA wal_autocheckpoint = 0`, `CREATE TABLE customers (id INTEGER)`},
		"one with migrations of its own": {`CREATE TABLE goose_db_version (id INTEGER, version_id INTEGER, is_applied INTEGER, tstamp TEXT)`,
			`INSERT INTO goose_db_version VALUES (1, 0, 1, ''), (2, 20, 1, '')`, `CREATE TABLE customers (id INTEGER)`},
		"one with tables of our names": {`CREATE TABLE accounts (id INTEGER)`, `CREATE TABLE customers (id INTEGER)`, `CREATE TABLE payments (id INTEGER)`, `CREATE TABLE x (id INTEGER)`},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "other.db")
			other := rawOpenAt(t, store.DriverName, "file:"+path)
			for _, statement := range statements {
				if _, err := other.Exec(statement); err != nil {
					t.Fatal(err)
				}
			}
			before := mustReadFile(t, path)
			for what, o := range map[string]store.Options{
				"serve": {Path: path, Exclusive: true}, "a command": {Path: path, Existing: true}, "migrate": {Path: path},
			} {
				s, err := store.Open(context.Background(), o)
				if err == nil {
					_ = s.Close()
					t.Fatalf("%s took it over", what)
				}
				if !strings.Contains(err.Error(), path+" is the database of another program, with the tables ") || !strings.Contains(err.Error(), "customers") {
					t.Errorf("%s: got %v", what, err)
				}
			}
			_, err := store.Backup(context.Background(), store.Options{Path: path}, path+".copy")
			if err == nil || !strings.Contains(err.Error(), path+" is the database of another program, with the tables ") {
				t.Errorf("backup: got %v", err)
			}
			if !bytes.Equal(before, mustReadFile(t, path)) {
				t.Error("the file was changed")
			}
			for _, left := range []string{".lock", ".migrate.lock"} {
				if _, err := os.Stat(path + left); err == nil {
					t.Errorf("%s was left behind", left)
				}
			}
		})
	}
}

func TestAFileThatIsNoDatabaseIsRefusedAndLeftAsItIs(t *testing.T) {
	for _, content := range []string{"x", "customer_id,currency\n7123456789,KZT\n", strings.Repeat("\x8f", 8192)} {
		path := filepath.Join(t.TempDir(), "accounts.csv")
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := store.Open(context.Background(), store.Options{Path: path, Exclusive: true})
		if err == nil || !strings.Contains(err.Error(), path+" is damaged, encrypted, or no SQLite database") {
			t.Errorf("got %v", err)
		}
		if string(mustReadFile(t, path)) != content {
			t.Error("the file was changed")
		}
	}
}

func TestAnEmptyFileAndAFirstStartThatWasCutShortBecomeADatabase(t *testing.T) {
	folder := t.TempDir()
	empty, hollow, begun := filepath.Join(folder, "empty.db"), filepath.Join(folder, "hollow.db"), filepath.Join(folder, "begun.db")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for path, statements := range map[string]string{
		hollow: `CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT); DROP TABLE t`, // leaves sqlite_sequence
		begun: `CREATE TABLE goose_db_version (id INTEGER PRIMARY KEY AUTOINCREMENT, version_id INTEGER NOT NULL, is_applied INTEGER NOT NULL, tstamp TIMESTAMP DEFAULT (datetime('now')));
			INSERT INTO goose_db_version (version_id, is_applied) VALUES (0, 1)`,
	} {
		db, err := sql.Open(store.DriverName, "file:"+path)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := db.Exec(statements); err != nil {
			t.Fatal(err)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
	for _, path := range []string{empty, hollow, begun} {
		for range 2 { // the second time it is ours
			s, err := store.Open(context.Background(), store.Options{Path: path})
			if err != nil {
				t.Fatalf("%s: %v", path, err)
			}
			mustIssue(t, s)
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// TestAWriteAheadLogWithoutItsDatabaseIsNotThrownAway: SQLite deletes the log of
// an empty file, and with it what was committed last.
func TestAWriteAheadLogWithoutItsDatabaseIsNotThrownAway(t *testing.T) {
	s := mustOpen(t, newFile(t))
	mustIssue(t, s)
	wal := mustReadFile(t, s.Path()+"-wal")
	for name, database := range map[string]func(path string) error{
		"missing": func(string) error { return nil },
		"empty":   func(path string) error { return os.WriteFile(path, nil, 0o600) },
	} {
		path := filepath.Join(t.TempDir(), "tolem.db")
		if err := os.WriteFile(path+"-wal", wal, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := database(path); err != nil {
			t.Fatal(err)
		}
		_, err := store.Open(context.Background(), store.Options{Path: path})
		if err == nil || !strings.Contains(err.Error(), path+"-wal is there") {
			t.Errorf("%s: got %v", name, err)
		}
		if !bytes.Equal(wal, mustReadFile(t, path+"-wal")) {
			t.Errorf("%s: the log was changed", name)
		}
	}
}

func mustReadFile(t testing.TB, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}
