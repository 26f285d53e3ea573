package ledger

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"tolem/store/internal/database"
	"tolem/store/internal/sqlite"
)

// PendingStats returns when the oldest pending payment was issued, the zero
// time if there is none, and how many there are.
func (l *Ledger) PendingStats(ctx context.Context) (oldest time.Time, n int64, err error) {
	var first sql.NullInt64
	err = l.reader.Raw(ctx, `SELECT min(created_at), count(*) FROM payments WHERE status <> 'succeeded' AND status = 'pending'`).
		Row().Scan(&first, &n)
	if err != nil {
		return time.Time{}, 0, fmt.Errorf("count pending payments: %w", err)
	}
	return database.FromMicros(first.Int64), n, nil
}

// Stats are figures for a dashboard or an alert.
type Stats struct {
	Pending       int64
	OldestPending time.Time // zero when nothing is pending
	Review        int64     // payments that somebody must look at
	OpenSuspense  int64     // suspense items that nobody has resolved
	// Open are the messages that somebody must deal with, by what they told.
	OpenUnreadable, OpenRefunds, OpenReversals, OpenConflicts int64
	LastSeq                                                   int64 // newest place in the feed
	WALBytes                                                  int64 // size of the write-ahead log
}

// Stats reads the figures, each from an index.
func (l *Ledger) Stats(ctx context.Context) (Stats, error) {
	stats := Stats{WALBytes: sqlite.WALBytes(l.path)}
	var first sql.NullInt64
	err := l.reader.Raw(ctx, `SELECT
		(SELECT min(created_at) FROM payments WHERE status <> 'succeeded' AND status = 'pending'),
		(SELECT count(*) FROM payments WHERE status <> 'succeeded' AND status = 'pending'),
		(SELECT count(*) FROM payments WHERE status <> 'succeeded' AND status = 'review'),
		(SELECT count(*) FROM suspense_items WHERE state = 'open'),
		(SELECT coalesce(max(seq), 0) FROM transactions),
		(SELECT count(*) FROM open_messages WHERE told = 'unreadable'),
		(SELECT count(*) FROM open_messages WHERE told = 'refund'),
		(SELECT count(*) FROM open_messages WHERE told = 'reversal'),
		(SELECT count(*) FROM open_messages WHERE told = 'conflict')`).
		Row().Scan(&first, &stats.Pending, &stats.Review, &stats.OpenSuspense, &stats.LastSeq,
		&stats.OpenUnreadable, &stats.OpenRefunds, &stats.OpenReversals, &stats.OpenConflicts)
	if err != nil {
		return Stats{}, fmt.Errorf("read figures: %w", err)
	}
	stats.OldestPending = database.FromMicros(first.Int64)
	return stats, nil
}
