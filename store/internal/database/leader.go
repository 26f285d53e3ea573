package database

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// Leadership is the advisory lock that the one process which does the background jobs holds, on a
// connection of its own: it is gone with the connection.
type Leadership struct {
	server *Server
	token  chan struct{} // holds one token: who has it may use conn
	conn   *pgx.Conn     // nil while there is none
	over   bool
}

// NewLeadership is of a process that does not have the lock yet.
func NewLeadership(server *Server) *Leadership {
	l := &Leadership{server: server, token: make(chan struct{}, 1)}
	l.token <- struct{}{}
	return l
}

// Held reports whether this process is the leader: whether it has, or gets, the lock
// that one process can have. Whoever asks, asks again before every piece of work.
func (l *Leadership) Held(ctx context.Context) (bool, error) {
	select {
	case <-l.token:
	case <-ctx.Done():
		return false, ctx.Err()
	}
	defer func() { l.token <- struct{}{} }()
	if l.over {
		return false, nil
	}
	return l.hold(ctx, l.server)
}

// Release lets another process become the leader. Afterwards this one never is.
func (l *Leadership) Release() {
	<-l.token
	defer func() { l.token <- struct{}{} }()
	l.over = true
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	l.close(ctx)
}

func (l *Leadership) hold(ctx context.Context, server *Server) (held bool, err error) {
	if l.conn == nil {
		if l.conn, err = pgx.ConnectConfig(ctx, server.Session(nil)); err != nil {
			return false, fmt.Errorf("connect for the sweeps: %w", err)
		}
	}
	if server.TransactionPooled {
		return l.holdInTransaction(ctx)
	}
	// A lock that this connection has is not taken a second time: one release
	// must free it.
	err = l.conn.QueryRow(ctx, fmt.Sprintf(`SELECT CASE WHEN EXISTS (SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()
			AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
			AND classid = %[1]d AND objid = CAST(CAST(k.book AS BIGINT) & 4294967295 AS oid) AND granted)
			THEN true ELSE pg_try_advisory_lock(%[1]d, k.book) END FROM (SELECT hashtext(current_schema()) AS book) k`, LockSweeps)).Scan(&held)
	if err != nil {
		l.close(ctx)
		return false, fmt.Errorf("take the lock for the sweeps: %w", err)
	}
	return held, nil
}

// holdInTransaction is hold where sessions are shared: the lock belongs to a
// transaction that stays open, and so keeps its session, as long as this
// process has the lock. It reads nothing, so it holds up no vacuum.
func (l *Leadership) holdInTransaction(ctx context.Context) (held bool, err error) {
	server := l.conn.PgConn()
	defer func() {
		if err != nil {
			l.close(ctx)
			err = fmt.Errorf("take the lock for the sweeps: %w", err)
		}
	}()
	if server.TxStatus() == 'T' {
		_, err := server.Exec(ctx, "SELECT 1").ReadAll()
		return err == nil, err
	}
	if _, err := server.Exec(ctx, "BEGIN ISOLATION LEVEL READ COMMITTED; "+UnlimitedSQL).ReadAll(); err != nil {
		return false, err
	}
	err = l.conn.QueryRow(ctx, fmt.Sprintf(`SELECT pg_try_advisory_xact_lock(%d, hashtext(current_schema()))`, LockSweeps)).Scan(&held)
	if err != nil || held {
		return held, err
	}
	_, err = server.Exec(ctx, "ROLLBACK").ReadAll()
	return false, err
}

// close gives the lock back with its connection.
func (l *Leadership) close(ctx context.Context) {
	if l.conn != nil {
		_ = l.conn.Close(ctx) // the lock is gone either way
		l.conn = nil
	}
}
