package store

import (
	"context"
	"fmt"
	"time"
)

// writerRest is how long a connection's row in writers is kept after its last
// batch.
const writerRest = 24 * time.Hour

// Sweeps reports whether this process is the one that does the regular work:
// expiring, pruning, asking providers. On SQLite it always is. On PostgreSQL it
// is when it has, or gets, the lock that one process can have; whoever asks,
// asks again before every piece of work.
func (s *Store) Sweeps(ctx context.Context) (bool, error) {
	if s.leadership == nil {
		return true, nil
	}
	return s.leadership.Held(ctx)
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
