package store_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tolem/store"
)

func TestASecondServerOnOneFileIsRefused(t *testing.T) {
	exclusive := func(o *store.Options) { o.Exclusive = true }
	s := mustOpen(t, newFile(t), exclusive)

	link := filepath.Join(t.TempDir(), "other-name.db")
	if err := os.Symlink(s.Path(), link); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{s.Path(), link} {
		_, err := store.Open(context.Background(), store.Options{Path: path, Exclusive: true})
		if !errors.Is(err, store.ErrLocked) {
			t.Errorf("open %s a second time: got %v, want ErrLocked", path, err)
		}
	}
	// An operator's command is not a server, and may work beside it.
	beside := mustOpen(t, same(s))
	mustIssue(t, beside)
}

func TestConnectionsAreAsDurableAsPromised(t *testing.T) {
	s := mustOpen(t, newFile(t))
	if err := s.AssertDurable(context.Background()); err != nil {
		t.Fatal(err)
	}
	conn, err := s.ReadPool().Conn(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for _, broken := range []struct{ pragma, says, mended string }{
		{`PRAGMA synchronous = NORMAL`, "synchronous", `PRAGMA synchronous = FULL`},
		{`PRAGMA foreign_keys = OFF`, "foreign_keys", `PRAGMA foreign_keys = ON`},
	} {
		if _, err := conn.ExecContext(context.Background(), broken.pragma); err != nil {
			t.Fatal(err)
		}
		if err := store.AssertPragmas(conn); err == nil || !strings.Contains(err.Error(), broken.says) {
			t.Errorf("%s: got %v", broken.pragma, err)
		}
		if _, err := conn.ExecContext(context.Background(), broken.mended); err != nil {
			t.Fatal(err)
		}
	}
}

func TestReadersCannotWrite(t *testing.T) {
	s := mustOpen(t)
	if _, err := s.ReadPool().Exec(`INSERT INTO meta (key, value) VALUES ('x', 'y')`); err == nil {
		t.Error("a read connection wrote")
	}
}

func TestAnOlderProgramRefusesADatabaseThatItCannotLiveWith(t *testing.T) {
	s := mustOpen(t, newFile(t))
	path := s.Path()
	raw := rawOpenAt(t, store.DriverName, "file:"+path)
	// A newer migration that this program can live with locks nobody out.
	if _, err := raw.Exec(`INSERT INTO schema_levels VALUES (1001, 1); INSERT INTO goose_db_version (version_id, is_applied) VALUES (1001, 1)`); err != nil {
		t.Fatal(err)
	}
	beside, err := store.Open(context.Background(), store.Options{Path: path})
	if err != nil {
		t.Fatalf("a newer schema alone: %v", err)
	}
	if err := beside.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := raw.Exec(`INSERT INTO schema_levels VALUES (1002, 1002)`); err != nil {
		t.Fatal(err)
	}
	_, err = store.Open(context.Background(), store.Options{Path: path})
	if err == nil || !strings.Contains(err.Error(), "level 1002") {
		t.Errorf("got %v, want a refusal that names the level", err)
	}
}

func TestADatabaseThatCannotBeOpenedIsAClearError(t *testing.T) {
	folder := t.TempDir()
	file := filepath.Join(folder, "garbage.db")
	if err := os.WriteFile(file, []byte(strings.Repeat("this is not a database ", 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	blocked := filepath.Join(folder, "blocked")
	if err := os.WriteFile(blocked, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, path := range map[string]string{"garbage": file, "a file for a folder": filepath.Join(blocked, "x.db")} {
		if s, err := store.Open(context.Background(), store.Options{Path: path}); err == nil {
			_ = s.Close()
			t.Errorf("%s: no error", name)
		}
	}
}

func TestWhatMustExistIsNeitherMadeNorMigrated(t *testing.T) {
	path := filepath.Join(t.TempDir(), "folder", "none.db")
	_, err := store.Open(context.Background(), store.Options{Path: path, Existing: true})
	if !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a database that is not there: got %v", err)
	}
	if _, err := os.Stat(filepath.Dir(path)); !errors.Is(err, os.ErrNotExist) {
		t.Error("the folder was made")
	}
	s := mustOpen(t)
	behind := store.Options{Existing: true}
	same(s)(&behind)
	raw := rawOpen(t, s)
	if _, err := raw.Exec(`DELETE FROM goose_db_version WHERE version_id = (SELECT max(version_id) FROM goose_db_version)`); err != nil {
		t.Fatal(err)
	}
	_, err = store.Open(context.Background(), behind)
	if err == nil || !strings.Contains(err.Error(), "tolem migrate") {
		t.Errorf("a database that is behind: got %v", err)
	}
}

func TestASlowReaderDoesNotMakeAServerUnready(t *testing.T) {
	s := mustOpen(t)
	for range 4 { // as many as there are for lists and exports
		conn, err := s.ReadPool().Conn(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
	}
	if err := s.Ready(context.Background()); err != nil {
		t.Error(err)
	}
}

func TestTheFilesAreTheirOwnersAlone(t *testing.T) {
	s := mustOpen(t, newFile(t))
	mustIssue(t, s)
	for _, suffix := range []string{"", "-wal", "-shm"} {
		info, err := os.Stat(s.Path() + suffix)
		if err != nil {
			t.Fatal(err)
		}
		if mode := info.Mode().Perm(); mode != 0o600 {
			t.Errorf("the mode of %s is %o", suffix, mode)
		}
	}
}

func TestAPathMayHaveAnyCharacters(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a b?c#d%20 ж", "tolem&x=1.db")
	s := mustOpen(t, fileAt(path))
	id := mustIssue(t, s)
	mustPayment(t, s, id)
	if _, err := os.Stat(path); err != nil {
		t.Errorf("the database is not where it was asked for: %v", err)
	}
}
