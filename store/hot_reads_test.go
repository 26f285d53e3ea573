package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"path/filepath"
	"reflect"
	"testing"

	"tolem/store/internal/engine"
)

// TestTheHotReadsArePlannedOnce: SQLite plans a statement anew for every value
// whose parameter "might influence the choice of query plan", which costs
// several times what the statement does. The C driver counts how often.
func TestTheHotReadsArePlannedOnce(t *testing.T) {
	ctx := context.Background()
	s, err := Open(ctx, Options{Path: filepath.Join(t.TempDir(), "hot.db")})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	conn, err := s.reader.Pool.Conn(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for _, query := range engine.ReadSQL {
		times, known, err := plannedAnew(ctx, conn, query)
		if err != nil {
			t.Fatal(err)
		}
		if !known {
			t.Skipf("the driver %s does not count", DriverName)
		}
		if times != 0 {
			t.Errorf("planned anew %d times: %s", times, query)
		}
	}
}

// TestTheHotWritesArePlannedOnce: the same of the writer's statements, but for the
// one that looks for what an operator recorded, which few messages need.
func TestTheHotWritesArePlannedOnce(t *testing.T) {
	ctx := context.Background()
	path := filepath.Join(t.TempDir(), "hot.db")
	s, err := Open(ctx, Options{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	pool, err := sql.Open(DriverName, "file:"+path)
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	conn, err := pool.Conn(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for _, query := range engine.Queries() {
		times, known, err := plannedAnew(ctx, conn, query)
		if err != nil {
			t.Fatalf("%s: %v", query, err)
		}
		if !known {
			t.Skipf("the driver %s does not count", DriverName)
		}
		if times != 0 {
			t.Errorf("planned anew %d times: %s", times, query)
		}
	}
}

// plannedAnew runs a query three times on one statement of the driver's.
func plannedAnew(ctx context.Context, conn interface{ Raw(func(any) error) error }, query string) (times int64, known bool, err error) {
	err = conn.Raw(func(raw any) (err error) {
		stmt, err := raw.(driver.ConnPrepareContext).PrepareContext(ctx, query)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, stmt.Close()) }()
		count := reflect.ValueOf(stmt).Elem().FieldByName("repreps")
		if known = count.IsValid(); !known {
			return nil
		}
		args := make([]driver.NamedValue, stmt.NumInput())
		for i := range args {
			args[i] = driver.NamedValue{Ordinal: i + 1, Value: "7123456789"}
		}
		for range 3 {
			// Whether it finds or may write anything does not matter here.
			rows, err := stmt.(driver.StmtQueryContext).QueryContext(ctx, args)
			if err != nil {
				continue
			}
			_ = rows.Next(make([]driver.Value, len(rows.Columns())))
			if err := rows.Close(); err != nil {
				return err
			}
		}
		times = count.Int()
		return nil
	})
	return times, known, err
}
