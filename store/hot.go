package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"reflect"
)

// A hot statement is prepared once on one driver connection and called without
// database/sql in between. That buys about half the time of the writer and of
// verify: no locks, no lookup of the statement, no conversion by reflection,
// and no goroutine that watches a context. It is for the handful of SQLite statements
// that run on every request; everything else goes through GORM or database/sql.
//
// It is safe because its connection is held for good (*sql.Conn, never given
// back to the pool) and used by one goroutine at a time.
type hot struct {
	stmt   driver.Stmt
	direct *direct // nil where the driver is in between
	query  driver.StmtQueryContext
	exec   driver.StmtExecContext
	args   []driver.NamedValue
	row    []driver.Value
}

// prepareHot prepares each query into its place.
func prepareHot(ctx context.Context, conn *sql.Conn, queries map[*hot]string) error {
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

func (h *hot) prepare(ctx context.Context, on driver.ConnPrepareContext, query string) error {
	stmt, err := on.PrepareContext(ctx, query)
	if err != nil {
		return err
	}
	h.stmt = stmt
	h.direct = newDirect(stmt)
	var canQuery, canExec bool
	h.query, canQuery = stmt.(driver.StmtQueryContext)
	h.exec, canExec = stmt.(driver.StmtExecContext)
	if !canQuery || !canExec {
		return errors.Join(fmt.Errorf("the driver %s has no context-aware statements", DriverName), stmt.Close())
	}
	return nil
}

func (h *hot) close() {
	if h.stmt != nil {
		_ = h.stmt.Close()
	}
}

// run executes the statement and returns the rows affected.
func (h *hot) run(args ...any) (int64, error) {
	if h.direct != nil {
		return h.direct.run(args)
	}
	if err := h.bind(args); err != nil {
		return 0, err
	}
	result, err := h.exec.ExecContext(context.Background(), h.args)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

// put executes a statement whose rows affected do not matter. It is asked as a
// query, because the C driver then binds all arguments and steps in one call
// into C instead of one for each argument.
func (h *hot) put(args ...any) error {
	_, err := h.one(nil, args...)
	return err
}

// one reads at most one row into places, and reports whether there was one.
// The answer is closed before it returns: an open one would keep the
// transaction alive.
func (h *hot) one(places []any, args ...any) (found bool, err error) {
	if h.direct != nil {
		return h.direct.one(places, args)
	}
	return h.oneOfDriver(places, args)
}

func (h *hot) oneOfDriver(places, args []any) (found bool, err error) {
	if err := h.bind(args); err != nil {
		return false, err
	}
	rows, err := h.query.QueryContext(context.Background(), h.args)
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	if cap(h.row) < len(places) {
		h.row = make([]driver.Value, len(places))
	}
	row := h.row[:len(places)]
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

func (h *hot) bind(args []any) error {
	h.args = h.args[:0]
	for i, arg := range args {
		value, err := bindable(arg)
		if err != nil {
			return fmt.Errorf("argument %d: %w", i, err)
		}
		h.args = append(h.args, driver.NamedValue{Ordinal: i + 1, Value: value})
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

// reader is a read connection with its hot statements.
type reader struct {
	conn  *sql.Conn
	reads [hotReads]hot
}

// readers are lent out one at a time.
type readers struct {
	idle chan *reader
	n    int
}

// openReaders takes n connections of the pool for good.
func openReaders(ctx context.Context, pool *sql.DB, n int) (*readers, error) {
	rs := &readers{idle: make(chan *reader, n)}
	for range n {
		conn, err := pool.Conn(ctx)
		if err != nil {
			return rs, fmt.Errorf("read connection: %w", err)
		}
		r := &reader{conn: conn}
		rs.idle <- r
		rs.n++
		queries := make(map[*hot]string)
		for i, query := range hotReadSQL {
			queries[&r.reads[i]] = query
		}
		err = prepareHot(ctx, conn, queries)
		if err != nil {
			return rs, err
		}
	}
	return rs, nil
}

// with lends a reader to fn. It waits for one no longer than ctx allows.
func (rs *readers) with(ctx context.Context, fn func(*reader) error) error {
	select { // without a look at ctx, which costs more than taking the reader
	case r, open := <-rs.idle:
		if open {
			defer func() { rs.idle <- r }()
			return fn(r)
		}
	default:
	}
	select {
	case r, open := <-rs.idle:
		if !open {
			return errUnavailable(errors.New("the store is closed"))
		}
		defer func() { rs.idle <- r }()
		return fn(r)
	case <-ctx.Done():
		return errUnavailable(ctx.Err())
	}
}

// close waits until every reader is back, and closes them.
func (rs *readers) close() error {
	var errs []error
	for range rs.n {
		r := <-rs.idle
		for i := range r.reads {
			r.reads[i].close()
		}
		errs = append(errs, r.conn.Close())
	}
	close(rs.idle)
	return errors.Join(errs...)
}
