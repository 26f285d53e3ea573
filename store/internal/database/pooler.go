package database

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

const (
	// poolerTimeout is how long a pooler may take to give the two sessions at once
	// by which its mode is found out.
	poolerTimeout = 10 * time.Second
	// poolerRounds is how often it is looked for. One round suffices unless other
	// clients use the pool just then.
	poolerRounds = 3
)

// poolerAdvice ends the message about a pooler that tolem cannot work through.
const poolerAdvice = "use the pooler's session mode (pool_mode = session), or give the PostgreSQL server's own address, which is best"

// findPooler finds out whether a pooler in transaction mode is in between, and
// refuses one through which statements would fail now and then.
func (p *Server) findPooler(ctx context.Context) (err error) {
	first, err := pgx.ConnectConfig(ctx, p.Config.Copy())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, first.Close(context.WithoutCancel(ctx))) }()
	session, err := sessionOf(ctx, first.PgConn())
	if err != nil {
		return err
	}
	// A server tells a client the number of its session at the start. A pooler, of
	// which one connection may be many sessions, tells a number of its own.
	if session == first.PgConn().PID() {
		return nil
	}
	second, err := pgx.ConnectConfig(ctx, p.Config.Copy())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, second.Close(context.WithoutCancel(ctx))) }()
	for range poolerRounds {
		if p.TransactionPooled, err = changesSession(ctx, first.PgConn(), second.PgConn()); err != nil {
			return err
		}
		if p.TransactionPooled {
			return p.refuseExecMode(ctx, first, second.PgConn())
		}
	}
	return nil
}

// sessionOf is the number of the server's session that runs a statement of the
// connection just now.
func sessionOf(ctx context.Context, conn *pgconn.PgConn) (uint32, error) {
	results, err := conn.Exec(ctx, "SELECT pg_backend_pid()").ReadAll()
	if err != nil {
		return 0, err
	}
	if len(results) != 1 || len(results[0].Rows) != 1 {
		return 0, errors.New("the server does not tell the number of its session")
	}
	number, err := strconv.ParseUint(string(results[0].Rows[0][0]), 10, 32)
	return uint32(number), err
}

// changesSession reports whether the connection gets another session while
// somebody else's transaction has the one that it had last.
func changesSession(ctx context.Context, conn, other *pgconn.PgConn) (changed bool, err error) {
	before, err := sessionOf(ctx, conn)
	if err != nil {
		return false, err
	}
	err = beside(ctx, other, func(ctx context.Context) error {
		after, err := sessionOf(ctx, conn)
		changed = after != before
		return err
	})
	return changed, err
}

// beside runs fn while the other connection is in a transaction.
func beside(ctx context.Context, other *pgconn.PgConn, fn func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, poolerTimeout)
	defer cancel()
	if _, err := other.Exec(ctx, "BEGIN; SELECT 1").ReadAll(); err != nil {
		if errors.Is(err, context.DeadlineExceeded) || CodeOf(err) == "" {
			return err
		}
		return fmt.Errorf("the database is behind a pooler that refuses transactions (statement mode?): %w: %s", err, poolerAdvice)
	}
	if err := fn(ctx); err != nil {
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			err = fmt.Errorf("the database is behind a pooler that gives tolem no second connection (PgBouncer: default_pool_size): %w", err)
		}
		return err
	}
	_, err := other.Exec(ctx, "COMMIT").ReadAll()
	return err
}

// refuseExecMode refuses a way of sending statements that does not work behind
// this pooler in transaction mode: what is sent apart may reach two sessions.
func (p *Server) refuseExecMode(ctx context.Context, conn *pgx.Conn, other *pgconn.PgConn) error {
	const behind = "the database is behind a pooler in transaction mode"
	const choice = "add default_query_exec_mode=exec (or simple_protocol, or cache_describe) to the URL, or "
	switch p.Config.DefaultQueryExecMode {
	case pgx.QueryExecModeExec, pgx.QueryExecModeSimpleProtocol, pgx.QueryExecModeCacheDescribe:
		return nil
	case pgx.QueryExecModeDescribeExec:
		return errors.New(behind + ", and with default_query_exec_mode=describe_exec statements fail there now and then: " + choice + poolerAdvice)
	}
	// Newer poolers follow prepared statements.
	name := "tolem_" + strconv.FormatUint(rand.Uint64(), 36) // it may stay behind in a session that others use
	if _, err := conn.Prepare(ctx, name, "SELECT 1"); err != nil {
		return err
	}
	err := beside(ctx, other, func(ctx context.Context) error {
		return conn.PgConn().ExecPrepared(ctx, name, nil, nil, nil).Read().Err
	})
	if CodeOf(err) != "" {
		return fmt.Errorf("%s, which loses prepared statements (%w): %s%s", behind, err, choice, poolerAdvice)
	}
	return err
}
