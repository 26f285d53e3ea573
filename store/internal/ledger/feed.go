package ledger

import (
	"context"
	"fmt"
	"math"

	"tolem/store/internal/database"
	"tolem/topup"
)

// How many transactions a page of the feed has, if the caller does not say, and at
// most.
const DefaultFeed, MaxFeed = 100, 1000

// Transactions is the feed: the ledger transactions that follow the place
// after, at most limit of them (1 to 1000, 100 if zero). A reader that passes
// the last Seq it has never misses one: in SQLite places are given out under
// the write lock, without gaps; in PostgreSQL, where they have gaps, the feed
// ends before the first place that a running transaction can still fill.
func (l *Ledger) Transactions(ctx context.Context, after int64, limit int) ([]topup.Transaction, error) {
	limit, err := PageSize(limit, DefaultFeed, MaxFeed)
	if err != nil {
		return nil, err
	}
	if after < 0 {
		return nil, topup.Invalid("after", "must not be negative")
	}
	end, err := l.FeedEnd(ctx)
	if err != nil {
		return nil, err
	}
	return l.Find(ctx, limit, `t.seq > ? AND t.seq < ?`, after, end)
}

// pgFeedEndSQL is the first place of the feed that can still be filled. A place
// is base + 256 times the number of the database's transaction that took it, and
// a little more; so it is the place of the oldest transaction that runs. Those
// that are known to work on another database of the same server, where one may
// run for hours, do not hold the feed up.
//
// Where a transaction works is known while it holds the lock on its number. The
// second column tells that the oldest one holds it no longer: it has ended since
// the snapshot was taken, and nobody knows where it was.
const pgFeedEndSQL = `WITH running AS MATERIALIZED (SELECT r.number, l.locktype IS NULL AS ended
	FROM pg_snapshot_xip(pg_current_snapshot()) AS r (number)
	LEFT JOIN (pg_locks l LEFT JOIN pg_stat_activity a ON a.pid = l.pid LEFT JOIN pg_database d ON d.oid = a.datid)
		ON l.locktype = 'transactionid' AND l.mode = 'ExclusiveLock' AND l.granted AND l.transactionid = CAST(r.number AS xid)
	WHERE d.datname IS NULL OR d.datname = current_database())
	SELECT f.base + 256 * CAST(CAST(least(pg_snapshot_xmax(pg_current_snapshot()), o.number) AS TEXT) AS BIGINT), coalesce(o.ended, false)
	FROM feed f LEFT JOIN (SELECT number, ended FROM running ORDER BY number LIMIT 1) o ON true`

// feedEndTries is how often the end of the feed is looked for anew when the
// oldest transaction has ended meanwhile. The last answer holds in any case: it
// is not too far, and by so many transactions that have just ended, too near.
const feedEndTries = 10

// FeedEnd is the first place of the feed that is not final, where the feed ends
// for now.
func (l *Ledger) FeedEnd(ctx context.Context) (end int64, err error) {
	if l.reader.Dialect.Name == database.SQLite.Name {
		return math.MaxInt64, nil
	}
	for range feedEndTries {
		var ended bool
		if err := l.reader.Raw(ctx, pgFeedEndSQL).Row().Scan(&end, &ended); err != nil {
			return 0, fmt.Errorf("look for the end of the feed: %w", err)
		}
		if !ended {
			break
		}
	}
	return end, nil
}

// LastInFeed is the last place of the feed that is final, 0 when there is none.
func (l *Ledger) LastInFeed(ctx context.Context) (last int64, err error) {
	end, err := l.FeedEnd(ctx)
	if err != nil {
		return 0, err
	}
	if err := l.reader.Raw(ctx, `SELECT coalesce(max(t.seq), 0) FROM transactions t WHERE t.seq < ?`, end).Row().Scan(&last); err != nil {
		return 0, fmt.Errorf("look for the last transaction: %w", err)
	}
	return last, nil
}
