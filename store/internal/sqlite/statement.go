package sqlite

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"reflect"
)

// A Statement is prepared once on one driver connection and called without
// database/sql in between. That buys about half the time of the writer and of
// a read: no locks, no lookup of the statement, no conversion by reflection,
// and no goroutine that watches a context. It is for the handful of statements
// that run on every request.
//
// It is safe because its connection is held for good (*sql.Conn, never given
// back to the pool) and used by one goroutine at a time.
type Statement struct {
	stmt   driver.Stmt
	direct *direct // nil where the driver is in between
	query  driver.StmtQueryContext
	exec   driver.StmtExecContext
	args   []driver.NamedValue
	row    []driver.Value
}

// Prepare prepares each query into its place.
func Prepare(ctx context.Context, conn *sql.Conn, queries map[*Statement]string) error {
	return conn.Raw(func(raw any) error {
		preparer, ok := raw.(driver.ConnPrepareContext)
		if !ok {
			return fmt.Errorf("the driver %s cannot prepare statements", DriverName)
		}
		for place, query := range queries {
			if err := place.prepare(ctx, preparer, query); err != nil {
				return fmt.Errorf("prepare %q: %w", query, err)
			}
		}
		return nil
	})
}

func (s *Statement) prepare(ctx context.Context, on driver.ConnPrepareContext, query string) error {
	stmt, err := on.PrepareContext(ctx, query)
	if err != nil {
		return err
	}
	s.stmt = stmt
	s.direct = newDirect(stmt)
	var canQuery, canExec bool
	s.query, canQuery = stmt.(driver.StmtQueryContext)
	s.exec, canExec = stmt.(driver.StmtExecContext)
	if !canQuery || !canExec {
		return errors.Join(fmt.Errorf("the driver %s has no context-aware statements", DriverName), stmt.Close())
	}
	return nil
}

// Close finalizes the statement, if it was prepared.
func (s *Statement) Close() {
	if s.stmt != nil {
		_ = s.stmt.Close()
	}
}

// Exec executes the statement and returns the rows affected.
func (s *Statement) Exec(args ...any) (int64, error) {
	if s.direct != nil {
		return s.direct.run(args)
	}
	if err := s.bind(args); err != nil {
		return 0, err
	}
	result, err := s.exec.ExecContext(context.Background(), s.args)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

// Run executes a statement whose rows affected do not matter. It is asked as a
// query, because the C driver then binds all arguments and steps in one call
// into C instead of one for each argument.
func (s *Statement) Run(args ...any) error {
	_, err := s.QueryRow(nil, args...)
	return err
}

// QueryRow reads at most one row into places, and reports whether there was one.
// The answer is closed before it returns: an open one would keep the
// transaction alive.
func (s *Statement) QueryRow(places []any, args ...any) (found bool, err error) {
	if s.direct != nil {
		return s.direct.one(places, args)
	}
	return s.queryRowOfDriver(places, args)
}

func (s *Statement) queryRowOfDriver(places, args []any) (found bool, err error) {
	if err := s.bind(args); err != nil {
		return false, err
	}
	rows, err := s.query.QueryContext(context.Background(), s.args)
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	if cap(s.row) < len(places) {
		s.row = make([]driver.Value, len(places))
	}
	row := s.row[:len(places)]
	if err := rows.Next(row); err != nil {
		if errors.Is(err, io.EOF) {
			return false, nil
		}
		return false, err
	}
	for i, place := range places {
		if err := assign(place, row[i]); err != nil {
			return false, fmt.Errorf("column %d: %w", i, err)
		}
	}
	return true, nil
}

// Integers passes each row of an answer of so many integers to yield, which must not
// keep it. It is for walks over big tables: through the driver, each value is an
// allocation.
func (s *Statement) Integers(ctx context.Context, columns int, yield func(row []int64) error, args ...any) (err error) {
	if s.direct != nil {
		return s.direct.integers(ctx, columns, yield, args)
	}
	if err := s.bind(args); err != nil {
		return err
	}
	rows, err := s.query.QueryContext(ctx, s.args)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	values, row := make([]driver.Value, columns), make([]int64, columns)
	for {
		if err := rows.Next(values); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		for i, value := range values {
			if err := assign(&row[i], value); err != nil {
				return fmt.Errorf("column %d: %w", i, err)
			}
		}
		if err := yield(row); err != nil {
			return err
		}
	}
}

func (s *Statement) bind(args []any) error {
	s.args = s.args[:0]
	for i, arg := range args {
		value, err := bindable(arg)
		if err != nil {
			return fmt.Errorf("argument %d: %w", i, err)
		}
		s.args = append(s.args, driver.NamedValue{Ordinal: i + 1, Value: value})
	}
	return nil
}

// bindable turns an argument into one of the types that a driver takes.
func bindable(arg any) (driver.Value, error) {
	switch v := arg.(type) {
	// Each is boxed anew: one that leaked from here would move every argument
	// of every statement to the heap.
	case nil:
		return nil, nil
	case int64:
		return v, nil
	case string:
		return v, nil
	case []byte:
		if v == nil {
			return nil, nil
		}
		return v, nil
	case int:
		return int64(v), nil
	case uint32:
		return int64(v), nil
	case bool:
		if v {
			return int64(1), nil
		}
		return int64(0), nil
	case sql.NullInt64:
		return v.Value()
	case sql.NullString:
		return v.Value()
	}
	return nil, fmt.Errorf("a %v cannot be bound", reflect.TypeOf(arg))
}

// assign puts a column's value into its place, without ever changing its kind:
// an integer is never read from a text or a float.
func assign(place any, value driver.Value) error {
	switch p := place.(type) {
	case *sql.NullInt64:
		if value == nil {
			*p = sql.NullInt64{}
			return nil
		}
		p.Valid = true
		return assign(&p.Int64, value)
	case *sql.NullString:
		if value == nil {
			*p = sql.NullString{}
			return nil
		}
		p.Valid = true
		return assign(&p.String, value)
	case *string:
		switch v := value.(type) {
		case string:
			*p = v
			return nil
		case []byte:
			*p = string(v)
			return nil
		}
	case *[]byte:
		switch v := value.(type) {
		case string:
			*p = append((*p)[:0], v...)
			return nil
		case []byte:
			*p = append((*p)[:0], v...)
			return nil
		}
	default:
		if v, ok := value.(int64); ok {
			return assignInteger(place, v)
		}
	}
	return fmt.Errorf("a %T cannot be read into a %v", value, reflect.TypeOf(place))
}

func assignInteger(place any, v int64) error {
	switch p := place.(type) {
	case *int64:
		*p = v
	case *int:
		*p = int(v)
	case *uint32:
		*p = uint32(v)
	case *bool:
		*p = v != 0
	default:
		return fmt.Errorf("an integer cannot be read into a %v", reflect.TypeOf(place))
	}
	return nil
}
