//go:build cgo

package sqlite

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// mustOpenOn opens a connection of its own, with SQLite's own file system or
// with ours, and a cache so small that a transaction has to write before its end.
func mustOpenOn(t *testing.T, path string, ours bool) *sql.Conn {
	t.Helper()
	c := settings
	c.BatchWAL = ours
	if ours && !registerBatchingVFS() {
		t.Fatal("our file system cannot be used with this SQLite")
	}
	pool, err := sql.Open(DriverName, c.DSN(path))
	if err != nil {
		t.Fatal(err)
	}
	conn, err := pool.Conn(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
		if err := pool.Close(); err != nil {
			t.Error(err)
		}
	})
	var off int
	if err := conn.QueryRowContext(context.Background(), "PRAGMA wal_autocheckpoint = 0").Scan(&off); err != nil {
		t.Fatal(err)
	}
	mustExec(t, conn, "PRAGMA cache_size = 10")
	return conn
}

func mustExec(t *testing.T, conn *sql.Conn, statements ...string) {
	t.Helper()
	for _, statement := range statements {
		if _, err := conn.ExecContext(context.Background(), statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
}

const (
	makeTable = `CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER NOT NULL, filler BLOB NOT NULL)`
	// fill adds rows of 1 kB: far more than the cache, and than is put off.
	fill = `INSERT INTO t (n, filler) WITH RECURSIVE c (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 2000) SELECT n, zeroblob(1000) FROM c`
)

// histories are what a connection may do between opening a database and looking
// at its WAL.
var histories = map[string][]string{
	"small commits":                       {`INSERT INTO t VALUES (1, 1, x'01')`, `INSERT INTO t VALUES (2, 2, x'02')`, `UPDATE t SET n = 3 WHERE id = 1`},
	"a commit larger than is put off":     {fill},
	"pages written twice before a commit": {`BEGIN IMMEDIATE`, fill, `UPDATE t SET n = n + 1`, `UPDATE t SET n = n + 1`, `COMMIT`},
	"written, rolled back, committed":     {fill, `BEGIN IMMEDIATE`, fill, `UPDATE t SET n = n + 1`, `ROLLBACK`, `INSERT INTO t VALUES (9999, 1, x'')`, fill},
	"a savepoint rolled back":             {`BEGIN IMMEDIATE`, fill, `SAVEPOINT s`, `UPDATE t SET n = -n`, fill, `ROLLBACK TO s`, `UPDATE t SET n = n + 1 WHERE id < 50`, `COMMIT`},
	"the WAL begun anew":                  {fill, `PRAGMA wal_checkpoint(RESTART)`, `INSERT INTO t VALUES (9999, 1, x'')`, fill},
}

// TestTheWALIsWhatSQLiteWouldHaveWritten: the same pages in the same order with
// the same marks of commits; only the random salt, and the sums over it, differ.
func TestTheWALIsWhatSQLiteWouldHaveWritten(t *testing.T) {
	for name, history := range histories {
		t.Run(name, func(t *testing.T) {
			var logs [2][]byte
			for i, ours := range []bool{false, true} {
				path := filepath.Join(t.TempDir(), "t.db")
				conn := mustOpenOn(t, path, ours)
				mustExec(t, conn, append([]string{makeTable}, history...)...)
				var err error
				if logs[i], err = os.ReadFile(path + "-wal"); err != nil {
					t.Fatal(err)
				}
				checkWhole(t, mustOpenOn(t, path, false))
			}
			own, real := framesOf(t, logs[1]), framesOf(t, logs[0])
			if len(own) != len(real) || len(real) < 3 {
				t.Fatalf("%d frames, SQLite has written %d", len(own), len(real))
			}
			for i := range own {
				if !bytes.Equal(own[i], real[i]) {
					t.Fatalf("frame %d of %d differs", i, len(real))
				}
			}
		})
	}
}

// framesOf cuts a WAL into its frames (https://sqlite.org/fileformat2.html#walformat),
// without what depends on the random salt.
func framesOf(t *testing.T, log []byte) (frames [][]byte) {
	t.Helper()
	size := int(binary.BigEndian.Uint32(log[8:]))
	log = log[32:]
	for ; len(log) >= 24+size; log = log[24+size:] {
		frames = append(frames, append(bytes.Clone(log[:8]), log[24:24+size]...))
	}
	if len(log) > 0 {
		t.Fatalf("%d bytes behind the last frame", len(log))
	}
	return frames
}

func checkWhole(t *testing.T, conn *sql.Conn) {
	t.Helper()
	var verdict string
	if err := conn.QueryRowContext(context.Background(), `PRAGMA integrity_check`).Scan(&verdict); err != nil || verdict != "ok" {
		t.Fatalf("integrity check: %s, %v", verdict, err)
	}
}

// TestWhatWasRolledBackNeverLandsOnAnothersCommit: pages of a transaction that
// was rolled back lie where another connection, as of another process, writes
// next.
func TestWhatWasRolledBackNeverLandsOnAnothersCommit(t *testing.T) {
	path := filepath.Join(t.TempDir(), "t.db")
	ours, other := mustOpenOn(t, path, true), mustOpenOn(t, path, false)
	mustExec(t, ours, makeTable, fill)
	for round := range 20 {
		// Read from the database and not from the WAL, nothing makes it write before.
		mustExec(t, other, `PRAGMA wal_checkpoint(TRUNCATE)`)
		mustExec(t, ours, `BEGIN IMMEDIATE`, fmt.Sprintf(`UPDATE t SET n = -%d WHERE id <= %d`, round, 37*(round+1)), `ROLLBACK`)
		mustExec(t, other, fmt.Sprintf(`INSERT INTO t VALUES (%d, 1, x'')`, 10_000+round))
		mustExec(t, ours, fmt.Sprintf(`INSERT INTO t VALUES (%d, 1, x'')`, 20_000+round))
		for _, conn := range []*sql.Conn{ours, other, mustOpenOn(t, path, false)} {
			checkWhole(t, conn)
			var rows, negative int
			if err := conn.QueryRowContext(context.Background(), `SELECT count(*), count(*) FILTER (WHERE n < 0) FROM t`).Scan(&rows, &negative); err != nil {
				t.Fatal(err)
			}
			if want := 2000 + 2*(round+1); rows != want || negative != 0 {
				t.Fatalf("round %d: %d rows, %d of them rolled back; want %d and none", round, rows, negative, want)
			}
		}
	}
}

// TestACommitIsSeenByOthersWhenItReturns: nothing of it is put off any longer.
func TestACommitIsSeenByOthersWhenItReturns(t *testing.T) {
	path := filepath.Join(t.TempDir(), "t.db")
	ours, other := mustOpenOn(t, path, true), mustOpenOn(t, path, false)
	mustExec(t, ours, makeTable)
	for want := 1; want <= 100; want++ {
		mustExec(t, ours, `INSERT INTO t (n, filler) VALUES (1, zeroblob(3000))`)
		var rows int
		if err := other.QueryRowContext(context.Background(), `SELECT count(*) FROM t`).Scan(&rows); err != nil || rows != want {
			t.Fatalf("another connection sees %d rows (%v), want %d", rows, err, want)
		}
	}
}
