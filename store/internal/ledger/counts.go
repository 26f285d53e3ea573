package ledger

import (
	"context"
	"fmt"
	"time"

	"tolem/store/internal/database"
	"tolem/topup"
)

// IssuedBetween counts the payments that were issued, or opened, in the time from,
// which is part of it, to to, which is not. It reads that part of an index.
func (l *Ledger) IssuedBetween(ctx context.Context, from, to time.Time) (n int64, err error) {
	err = l.reader.Raw(ctx, `SELECT count(*) FROM payments WHERE created_at >= ? AND created_at < ?`, database.Micros(from), database.Micros(to)).Row().Scan(&n)
	if err != nil {
		return 0, fmt.Errorf("count payments: %w", err)
	}
	return n, nil
}

// UnsettledSince counts the payments that were issued at a time or later and have
// not succeeded, by their status. It reads that part of an index.
func (l *Ledger) UnsettledSince(ctx context.Context, from time.Time) (map[topup.Status]int64, error) {
	counts := make(map[topup.Status]int64)
	for _, status := range topup.Statuses {
		if status == topup.StatusSucceeded {
			continue
		}
		var n int64
		err := l.reader.Raw(ctx, `SELECT count(*) FROM payments WHERE status <> 'succeeded' AND status = ? AND created_at >= ?`, string(status), database.Micros(from)).Row().Scan(&n)
		if err != nil {
			return nil, fmt.Errorf("count payments: %w", err)
		}
		counts[status] = n
	}
	return counts, nil
}

// PendingBefore counts the payments that are pending and were issued before a time.
func (l *Ledger) PendingBefore(ctx context.Context, at time.Time) (n int64, err error) {
	err = l.reader.Raw(ctx, `SELECT count(*) FROM payments WHERE status <> 'succeeded' AND status = 'pending' AND created_at < ?`, database.Micros(at)).Row().Scan(&n)
	if err != nil {
		return 0, fmt.Errorf("count pending payments: %w", err)
	}
	return n, nil
}
