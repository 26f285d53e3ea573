package store_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"tolem/store"
)

func TestACommandBesideTheServerLeavesItsWALAlone(t *testing.T) {
	if onPostgres {
		t.Skip("the WAL is SQLite's")
	}
	server := mustOpen(t, func(o *store.Options) { o.Exclusive = true })
	_, release := store.HoldCheckpoints(server)
	defer release()
	for range 50 {
		mustIssue(t, server)
	}
	before := walBytes(t, server.Path())
	if before == 0 {
		t.Fatal("there is no backlog")
	}
	command, err := store.Open(context.Background(), store.Options{Path: server.Path(), Existing: true})
	if err != nil {
		t.Fatal(err)
	}
	id := mustIssue(t, command)
	if err := command.Close(); err != nil {
		t.Fatal(err)
	}
	if after := walBytes(t, server.Path()); after < before {
		t.Errorf("the WAL had %d bytes, and has %d after a command", before, after)
	}
	mustPayment(t, server, id)
	mustIssue(t, server)
}

// TestWhoeverClosesLastLeavesOneFile: with no server beside it, what a command
// leaves can be copied as one file.
func TestWhoeverClosesLastLeavesOneFile(t *testing.T) {
	if onPostgres {
		t.Skip("the WAL is SQLite's")
	}
	for name, exclusive := range map[string]bool{"a server": true, "a command": false} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "tolem.db")
			s, err := store.Open(context.Background(), store.Options{Path: path, Exclusive: exclusive})
			if err != nil {
				t.Fatal(err)
			}
			id := mustIssue(t, s)
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			if n := walBytes(t, path); n != 0 {
				t.Errorf("the WAL has %d bytes", n)
			}
			content, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			alone := filepath.Join(t.TempDir(), "copy.db")
			if err := os.WriteFile(alone, content, 0o600); err != nil {
				t.Fatal(err)
			}
			mustPayment(t, mustOpen(t, fileAt(alone)), id)
		})
	}
}

// walBytes is the size of the WAL of a database, 0 if there is none.
func walBytes(t *testing.T, path string) int64 {
	t.Helper()
	info, err := os.Stat(path + "-wal")
	if os.IsNotExist(err) {
		return 0
	}
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}
