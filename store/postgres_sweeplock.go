package store

import (
	"context"
	"fmt"
	"time"
	"tolem/store/internal/database"

	"github.com/jackc/pgx/v5"
)

// sweepLock is the one advisory lock that the process which sweeps holds, on a
// connection of its own: it is gone with the connection.
type sweepLock struct {
	turn chan struct{} // holds one token: who has it may use conn
	conn *pgx.Conn     // nil while there is none
}

func newSweepLock() *sweepLock {
	l := &sweepLock{turn: make(chan struct{}, 1)}
	l.turn <- struct{}{}
	return l
}

// Sweeps reports whether this process is the one that does the regular work:
// expiring, pruning, asking providers. On SQLite it always is. On PostgreSQL it
// is when it has, or gets, the lock that one process can have; whoever asks,
// asks again before every piece of work.
func (s *Store) Sweeps(ctx context.Context) (bool, error) {
	if s.postgres == nil {
		return true, nil
	}
	select {
	case <-s.sweepLock.turn:
	case <-ctx.Done():
		return false, ctx.Err()
	}
	defer func() { s.sweepLock.turn <- struct{}{} }()
	if s.closed.Load() {
		return false, nil
	}
	return s.sweepLock.hold(ctx, s.postgres)
}

func (l *sweepLock) hold(ctx context.Context, server *database.Server) (held bool, err error) {
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
			THEN true ELSE pg_try_advisory_lock(%[1]d, k.book) END FROM (SELECT hashtext(current_schema()) AS book) k`, database.LockSweeps)).Scan(&held)
	if err != nil {
		l.close(ctx)
		return false, fmt.Errorf("take the lock for the sweeps: %w", err)
	}
	return held, nil
}

// holdInTransaction is hold where sessions are shared: the lock belongs to a
// transaction that stays open, and so keeps its session, as long as this
// process has the lock. It reads nothing, so it holds up no vacuum.
func (l *sweepLock) holdInTransaction(ctx context.Context) (held bool, err error) {
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
	if _, err := server.Exec(ctx, "BEGIN ISOLATION LEVEL READ COMMITTED; "+database.UnlimitedSQL).ReadAll(); err != nil {
		return false, err
	}
	err = l.conn.QueryRow(ctx, fmt.Sprintf(`SELECT pg_try_advisory_xact_lock(%d, hashtext(current_schema()))`, database.LockSweeps)).Scan(&held)
	if err != nil || held {
		return held, err
	}
	_, err = server.Exec(ctx, "ROLLBACK").ReadAll()
	return false, err
}

// releaseSweeps lets another process sweep.
func (s *Store) releaseSweeps() {
	<-s.sweepLock.turn
	defer func() { s.sweepLock.turn <- struct{}{} }()
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	s.sweepLock.close(ctx)
}

// close gives the lock back with its connection.
func (l *sweepLock) close(ctx context.Context) {
	if l.conn != nil {
		_ = l.conn.Close(ctx) // the lock is gone either way
		l.conn = nil
	}
}

// SweepWriters forgets the connections of processes that are gone. On SQLite
// there are none.
func (s *Store) SweepWriters(ctx context.Context) error {
	if s.postgres == nil {
		return nil
	}
	before := micros(s.now().Add(-writerRest))
	err := s.writer.do(ctx, func(tx *wtx) error {
		return tx.gorm().Exec(`DELETE FROM writers WHERE id IN (
			SELECT w.id FROM writers w WHERE w.seen_at < ? ORDER BY w.id FOR UPDATE SKIP LOCKED)`, before).Error
	})
	if err != nil {
		return fmt.Errorf("sweep writers: %w", err)
	}
	return nil
}
