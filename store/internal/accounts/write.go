package accounts

import (
	"context"
	"errors"
	"time"

	"tolem/store/internal/engine"
	"tolem/topup"
)

const (
	// A staging transaction is kept to some milliseconds by the number of rows
	// in it, which follows what the last one took.
	firstRows, fewestRows, mostRows = 200, 50, 1000
	shortWrite, longWrite           = 4 * time.Millisecond, 8 * time.Millisecond
	// yieldFactor is how long the database is left to others after each
	// transaction, as a multiple of what that took. SQLite's lock is not fair:
	// who waits for it asks again at intervals, and must meet it free.
	yieldFactor = 2
	// importAttempts is how often a write that found the database busy is tried.
	// Each attempt waits for it for some seconds; all of them for longer than a
	// process that hangs can hold its locks on PostgreSQL.
	importAttempts = 12
	retryPause     = 100 * time.Millisecond
)

// write runs one short write, and then leaves the database to others for
// longer than it has taken it. A write that has begun is not given up when ctx
// ends. One of which nobody can tell whether it was committed is tried again: fn
// must know its own work when it meets that.
func (im *importer) write(ctx context.Context, fn func(*engine.Tx) error) error {
	for attempt := 1; ; attempt++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		var started time.Time
		err := im.c.writer.Do(context.WithoutCancel(ctx), func(tx *engine.Tx) error {
			started = im.c.now()
			if err := tx.LockCatalogue(); err != nil {
				return err
			}
			return fn(tx)
		})
		if err == nil {
			took := im.c.now().Sub(started)
			im.pace(took)
			_ = pause(ctx, yieldFactor*took) // the write is done, whether ctx has ended or not
			return nil
		}
		refusal := (*topup.Error)(nil)
		busy := errors.As(err, &refusal) && refusal.Kind == topup.KindUnavailable
		if !busy || attempt == importAttempts {
			return err
		}
		if err := pause(ctx, retryPause); err != nil {
			return err
		}
	}
}

// pace chooses how many rows to write at once by what the last write took.
func (im *importer) pace(took time.Duration) {
	switch {
	case took > longWrite:
		im.rows = max(fewestRows, im.rows/2)
	case took < shortWrite:
		im.rows = min(mostRows, im.rows+im.rows/4)
	}
}

func pause(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
