package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"tolem/store/internal/engine"
	"tolem/topup"
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

// TestTheWriterHasEnoughLookasideMemory: once the statements that stay prepared fill
// it, every allocation of every write is a malloc.
func TestTheWriterHasEnoughLookasideMemory(t *testing.T) {
	ctx := context.Background()
	s, err := Open(ctx, Options{Path: filepath.Join(t.TempDir(), "hot.db")})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for i := range 3 {
		money := topup.Money{Amount: 100, Currency: "KZT"}
		id, err := s.Issue(ctx, NewPayment{Provider: "jetpay", Project: "1234", CustomerID: "7", ContractID: "c", ContractNumber: "n", Money: money, Method: "kaspi"})
		if err != nil {
			t.Fatal(err)
		}
		recorded, err := s.Record(ctx, topup.Event{
			Provider: "jetpay", Project: "1234", Source: topup.SourceCallback, Outcome: topup.OutcomePaid, Complete: true, TopUp: true,
			Reference: id, Operation: fmt.Sprint("op-", i), Sum: money, Initial: money, Method: "kaspi", Status: "success", EffectiveAt: time.Now(),
		}, []byte(`{}`))
		if err != nil || recorded.Disposition != topup.DispositionCredited {
			t.Fatalf("got %+v, %v", recorded, err)
		}
	}
	err = s.writer.Wait(ctx, &engine.Write{Kind: engine.Issue, Run: func(tx *engine.Tx) error {
		times, known := tx.Statements.InsertBody.LookasideMisses()
		if !known {
			t.Logf("the driver %s does not count", DriverName)
		}
		if times != 0 {
			t.Errorf("%d allocations found it full", times)
		}
		return nil
	}})
	if err != nil {
		t.Fatal(err)
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
