package store_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"tolem/store"
	"tolem/testkit"
	"tolem/topup"
)

// lossLog collects what a store reports of its files.
type lossLog struct {
	mu   sync.Mutex
	said []string
}

func (l *lossLog) add(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.said = append(l.said, err.Error())
}

func (l *lossLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.said, "\n")
}

// serving opens a store as a server does. It may be lost in the end.
func serving(t *testing.T, path string) (*store.Store, *lossLog) {
	t.Helper()
	log := &lossLog{}
	s, err := store.Open(context.Background(), store.Options{Path: path, Exclusive: true, OnLost: log.add})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		lost := (*store.LostFilesError)(nil)
		if err := s.Close(); err != nil && !errors.As(err, &lost) {
			t.Error(err)
		}
	})
	return s, log
}

// TestWhatMayBeDoneBesideAServerIsNoLoss: operators and commands work on the same
// file, and change all of it.
func TestWhatMayBeDoneBesideAServerIsNoLoss(t *testing.T) {
	if onPostgres {
		t.Skip("the files are SQLite's")
	}
	path := filepath.Join(t.TempDir(), "tolem.db")
	s, log := serving(t, path)
	mustAccounts(t, s)
	credited, stop := underLoad(t, s)
	raw := rawOpen(t, s)
	if err := raw.QueryRow(`PRAGMA busy_timeout = 60000`).Scan(new(int)); err != nil {
		t.Fatal(err)
	}
	for round := range 5 {
		before := credited.Load()
		testkit.Eventually(t, "more credits", func() bool { return credited.Load() > before+20 })
		for _, statement := range []string{`PRAGMA wal_checkpoint(TRUNCATE)`, `PRAGMA wal_checkpoint(RESTART)`, `ANALYZE`} {
			rows, err := raw.Query(statement)
			if err != nil {
				t.Fatal(err)
			}
			for rows.Next() {
			}
			if err := errors.Join(rows.Err(), rows.Close()); err != nil {
				t.Fatal(err)
			}
		}
		if round == 2 { // it needs the file for itself for a moment
			stop()
			if _, err := raw.Exec(`VACUUM`); err != nil {
				t.Fatal(err)
			}
			credited, stop = underLoad(t, s)
		}
		if _, err := s.Backup(context.Background(), filepath.Join(t.TempDir(), "copy.db")); err != nil {
			t.Error(err)
		}
		// SQLite hands the lock to whoever asks at the right moment: beside this load
		// that may be the server for longer than a write waits.
		var beside *store.Store
		testkit.Eventually(t, "another process opens the database", func() (opened bool) {
			var err error
			beside, err = store.Open(context.Background(), store.Options{Path: path, Existing: true})
			return err == nil
		})
		testkit.Eventually(t, "a write of another process", func() bool {
			_, err := beside.Issue(context.Background(), store.NewPayment{
				Provider: "jetpay", Project: "1234", CustomerID: "7123456789", ContractID: "12345", ContractNumber: "A-1", Money: hundred,
			})
			return err == nil
		})
		if err := beside.Close(); err != nil {
			t.Error(err)
		}
	}
	stop()
	if err := s.Ready(context.Background()); err != nil || log.String() != "" {
		t.Errorf("got %v, reported was %q", err, log)
	}
	checked(t, s)
}

// TestALostDatabaseStaysLost: neither writes nor reads are answered, also when the
// file is back, and nothing is written to what stands in its place.
func TestALostDatabaseStaysLost(t *testing.T) {
	if onPostgres {
		t.Skip("the files are SQLite's")
	}
	for name, tc := range map[string]struct{ lose, undo func(folder string) error }{
		"its folder moved": {
			func(folder string) error { return os.Rename(folder+"/data", folder+"/elsewhere") },
			func(folder string) error { return os.Rename(folder+"/elsewhere", folder+"/data") },
		},
		"a link to it leads elsewhere": {
			func(folder string) error {
				return errors.Join(os.Remove(folder+"/link.db"), os.Symlink(folder+"/stranger.db", folder+"/link.db"))
			},
			func(folder string) error {
				return errors.Join(os.Remove(folder+"/link.db"), os.Symlink(folder+"/data/tolem.db", folder+"/link.db"))
			},
		},
		"emptied": {
			func(folder string) error { return os.Truncate(folder+"/data/tolem.db", 0) },
			func(string) error { return nil },
		},
	} {
		t.Run(name, func(t *testing.T) {
			folder := t.TempDir()
			if err := os.Mkdir(folder+"/data", 0o700); err != nil {
				t.Fatal(err)
			}
			stranger, err := store.Open(context.Background(), store.Options{Path: folder + "/stranger.db"})
			if err != nil {
				t.Fatal(err)
			}
			if err := stranger.Close(); err != nil {
				t.Fatal(err)
			}
			before, err := os.ReadFile(folder + "/stranger.db")
			if err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink(folder+"/data/tolem.db", folder+"/link.db"); err != nil {
				t.Fatal(err)
			}
			s, log := serving(t, folder+"/link.db")
			id := mustIssue(t, s)
			if err := tc.lose(folder); err != nil {
				t.Fatal(err)
			}
			testkit.Eventually(t, "it to be noticed without a write", func() bool { return log.String() != "" })
			if err := tc.undo(folder); err != nil {
				t.Fatal(err)
			}
			if _, err := s.Record(context.Background(), paid(id, "1"), nil); kindOf(err) != topup.KindUnavailable {
				t.Errorf("a callback: got %v", err)
			}
			if _, err := s.Payment(context.Background(), id); kindOf(err) != topup.KindUnavailable {
				t.Errorf("a read: got %v", err)
			}
			wantNotReady(t, s.Ready(context.Background()), store.ReadyFiles)
			lost := (*store.LostFilesError)(nil)
			if err := s.Close(); !errors.As(err, &lost) || lost.What == "" || lost.Advice == "" {
				t.Errorf("close: got %v", err)
			}
			if after, err := os.ReadFile(folder + "/stranger.db"); err != nil || string(after) != string(before) {
				t.Errorf("the foreign file was written to, or %v", err)
			}
			if n := strings.Count(log.String(), "nothing is accepted"); n != 1 {
				t.Errorf("reported were:\n%s", log)
			}
		})
	}
}
