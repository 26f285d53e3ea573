package sqlite

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"math"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// settings are those of an ordinary connection.
var settings = Connection{BusyTimeout: 5 * time.Second, CacheKiB: 2048}

// mustPrepare prepares a statement on a connection of its own, as the store
// does, and once more with the driver in between.
func mustPrepare(t *testing.T, query string) (direct, driver *Statement) {
	t.Helper()
	ctx := context.Background()
	pool, err := OpenPool(&Files{path: filepath.Join(t.TempDir(), "hot.db")}, 1, settings)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := pool.Conn(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.ExecContext(ctx, `CREATE TABLE t (id INTEGER PRIMARY KEY, word TEXT NOT NULL UNIQUE)`); err != nil {
		t.Fatal(err)
	}
	direct, driver = &Statement{}, &Statement{}
	if err := Prepare(ctx, conn, map[*Statement]string{direct: query, driver: query}); err != nil {
		t.Fatal(err)
	}
	driver.direct = nil
	t.Cleanup(func() {
		direct.Close()
		driver.Close()
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
		if err := pool.Close(); err != nil {
			t.Error(err)
		}
	})
	return direct, driver
}

// TestADirectStatementReadsAndWritesWhatTheDriverDoes: the same bytes and the
// same kinds come back on both ways, from nothing to more than every buffer.
func TestADirectStatementReadsAndWritesWhatTheDriverDoes(t *testing.T) {
	direct, driver := mustPrepare(t, `SELECT ?1, typeof(?1), coalesce(length(CAST(?1 AS BLOB)), -1), ?2`)
	if (direct.direct == nil) == strings.HasPrefix(DriverName, "sqlite3") {
		t.Fatalf("with the driver %s, called without it: %v", DriverName, direct.direct != nil)
	}
	long := strings.Repeat("длинный текст ", 100_000)
	for _, arg := range []any{
		nil, "", "a", "1234567", "12345678", "123456789", "with\x00zero", "Қазақстан", long,
		[]byte(nil), []byte{}, []byte{0}, []byte("blob"), bytes.Repeat([]byte{0, 255}, 70_000),
		sql.NullString{}, sql.NullString{String: "", Valid: true}, sql.NullString{String: "x", Valid: true},
	} {
		type answer struct {
			value sql.NullString
			kind  string
			size  int64
			after int
		}
		read := func(h *Statement) (a answer) {
			found, err := h.QueryRow([]any{&a.value, &a.kind, &a.size, &a.after}, arg, 7)
			if err != nil || !found {
				t.Fatalf("%.20q: found %v, %v", arg, found, err)
			}
			return a
		}
		if got, want := read(direct), read(driver); got != want {
			t.Errorf("%.20q: got %.60v, want %.60v", arg, got, want)
		}
	}
	for _, arg := range []any{int64(math.MinInt64), int64(math.MaxInt64), 0, 1, -5, uint32(1<<32 - 1), true, false, sql.NullInt64{}, sql.NullInt64{Int64: 9, Valid: true}} {
		type answer struct {
			value sql.NullInt64
			kind  string
			size  int64
			after int
		}
		read := func(h *Statement) (a answer) {
			found, err := h.QueryRow([]any{&a.value, &a.kind, &a.size, &a.after}, arg, 7)
			if err != nil || !found {
				t.Fatalf("%v: found %v, %v", arg, found, err)
			}
			return a
		}
		if got, want := read(direct), read(driver); got != want {
			t.Errorf("%v: got %v, want %v", arg, got, want)
		}
	}
}

// TestADirectStatementNeverChangesAKind: an integer is not read from a text or
// a float, nor a text from an integer or from nothing, on either way.
func TestADirectStatementNeverChangesAKind(t *testing.T) {
	direct, driver := mustPrepare(t, `SELECT CASE ?1 WHEN 0 THEN '12' WHEN 1 THEN 1.0 WHEN 2 THEN 12 ELSE NULL END`)
	for name, h := range map[string]*Statement{"direct": direct, "driver": driver} {
		var text string
		var number int64
		for _, bad := range []struct {
			which int
			place any
		}{{0, &number}, {1, &number}, {1, &text}, {2, &text}, {3, &number}, {3, &text}} {
			if _, err := h.QueryRow([]any{bad.place}, bad.which); err == nil {
				t.Errorf("%s: value %d was read into a %T", name, bad.which, bad.place)
			}
		}
		if _, err := h.QueryRow([]any{&number}, 2); err != nil || number != 12 {
			t.Errorf("%s: after the errors got %d, %v", name, number, err)
		}
		if _, err := h.QueryRow([]any{&number}, 1.5); err == nil {
			t.Errorf("%s: a float was bound", name)
		}
	}
}

// TestADirectStatementFailsAsTheDriversDoes, says why, and works again.
func TestADirectStatementFailsAsTheDriversDoes(t *testing.T) {
	direct, driver := mustPrepare(t, `INSERT INTO t (word) VALUES (?)`)
	for name, h := range map[string]*Statement{"direct": direct, "driver": driver} {
		if changed, err := h.Exec(name); err != nil || changed != 1 {
			t.Fatalf("%s: changed %d, %v", name, changed, err)
		}
		if err := h.Run(name); err == nil || !strings.Contains(err.Error(), "UNIQUE constraint failed") {
			t.Errorf("%s: a second %q: got %v", name, name, err)
		}
		if err := h.Run(nil); err == nil || !strings.Contains(err.Error(), "NOT NULL constraint failed") {
			t.Errorf("%s: nothing: got %v", name, err)
		}
		if changed, err := h.Exec(name + " again"); err != nil || changed != 1 {
			t.Errorf("%s: afterwards changed %d, %v", name, changed, err)
		}
	}
}

// TestIntegersAreReadToTheirEnd: more rows than cross in one call, the extremes, and
// whatever ends a walk early; afterwards the statement works again, on either way.
func TestIntegersAreReadToTheirEnd(t *testing.T) {
	ctx := context.Background()
	direct, driver := mustPrepare(t, `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1)
		SELECT i, CASE i WHEN ?2 THEN 'text' WHEN 1 THEN -9223372036854775807 - 1 WHEN 2 THEN 9223372036854775807 ELSE abs(CASE i WHEN ?3 THEN -9223372036854775807 - 1 ELSE i END) END FROM n`)
	const none = int64(-1)
	errEnough := errors.New("enough was read")
	for name, s := range map[string]*Statement{"direct": direct, "driver": driver} {
		for _, rows := range []int64{1, 2, 1023, 1024, 1025, 5000} {
			n := int64(0)
			err := s.Integers(ctx, 2, func(row []int64) error {
				n++
				want := n
				switch n {
				case 1:
					want = math.MinInt64
				case 2:
					want = math.MaxInt64
				}
				if row[0] != n || row[1] != want {
					t.Fatalf("%s: row %d is %d", name, n, row)
				}
				return nil
			}, rows, none, none)
			if err != nil || n != rows {
				t.Errorf("%s: read %d of %d rows, %v", name, n, rows, err)
			}
		}
		for what, at := range map[string][2]int64{"a text": {2000, none}, "an overflow": {none, 2000}} {
			n := int64(0)
			err := s.Integers(ctx, 2, func([]int64) error { n++; return nil }, int64(5000), at[0], at[1])
			if err == nil || n > 1999 {
				t.Errorf("%s: %s in row 2000: read %d rows, %v", name, what, n, err)
			}
		}
		if err := s.Integers(ctx, 2, func([]int64) error { return errEnough }, int64(5000), none, none); !errors.Is(err, errEnough) {
			t.Errorf("%s: ended early with %v", name, err)
		}
		cancelled, cancel := context.WithCancel(ctx)
		cancel()
		if err := s.Integers(cancelled, 2, func([]int64) error { return nil }, int64(5000), none, none); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: cancelled, it ended with %v", name, err)
		}
		n := 0
		if err := s.Integers(ctx, 2, func([]int64) error { n++; return nil }, int64(3), none, none); err != nil || n != 3 {
			t.Errorf("%s: after all that read %d of 3 rows, %v", name, n, err)
		}
	}
}
