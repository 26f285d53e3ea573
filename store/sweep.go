package store

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"tolem/store/internal/database"
	"tolem/store/internal/sqlite"
	"tolem/topup"
)

const (
	// expireBatch and pruneBatch bound how long a sweep keeps others from
	// writing.
	expireBatch = 250
	pruneBatch  = 100
)

// ExpirePending marks the pending JetPay payments whose time for a result is
// over, and returns how many. Money that still comes for them is credited.
func (s *Store) ExpirePending(ctx context.Context) (int, error) {
	now := micros(s.now())
	expired := 0
	for {
		due, err := s.duePayments(ctx, now)
		if err != nil {
			return expired, fmt.Errorf("look for payments to expire: %w", err)
		}
		if len(due) == 0 {
			return expired, nil
		}
		var n int64
		err = s.writer.do(ctx, func(tx *wtx) error {
			expired, err := tx.scanIDs(fmt.Sprintf(expireSQL, topup.FlagOutcomeUnknown, s.dialect.SkipLocked()), due, now, topup.ExpiringProvider)
			if err != nil {
				return err
			}
			n = int64(len(expired))
			return tx.notifyExpired(expired)
		})
		if err != nil {
			return expired, fmt.Errorf("expire payments: %w", err)
		}
		if n == 0 {
			return expired, nil // others work on all of them: the next sweep looks again
		}
		expired += int(n)
	}
}

// expireSQL writes down what [topup.Payment.ExpireInTime] says of a payment. It
// asks again: a result may have come since the payments were read. A
// payment that somebody works on is left alone, for its result is coming; so
// the sweep never waits for a payment while it holds others.
const expireSQL = `UPDATE payments SET status = CASE WHEN flags & %d <> 0 THEN 'review' ELSE 'expired' END WHERE id IN (
	SELECT p.id FROM payments p WHERE p.id IN ? AND p.status = 'pending' AND p.expires_at <= ? AND p.provider = ?%s) RETURNING id`

// scanIDs runs a statement that changes rows and returns their ids.
func (tx *wtx) scanIDs(query string, args ...any) ([]int64, error) {
	var ids []int64
	err := tx.gorm().Raw(query, args...).Scan(&ids).Error
	return ids, err
}

const dueSQL = `SELECT p.id FROM payments p WHERE p.status <> 'succeeded' AND p.status = 'pending'
	AND p.expires_at <= ? AND p.provider = ? ORDER BY p.created_at LIMIT ?`

func (s *Store) duePayments(ctx context.Context, now int64) ([]int64, error) {
	var due []int64
	err := s.raw(ctx, dueSQL, now, topup.ExpiringProvider, expireBatch).Scan(&due).Error
	return due, err
}

// PruneRaw deletes the raw bodies of provider messages that are older than the
// retention, and returns how many. The messages themselves stay.
func (s *Store) PruneRaw(ctx context.Context, olderThan time.Duration) (int, error) {
	if olderThan <= 0 {
		return 0, topup.Invalid("raw_retention", "must be longer than zero")
	}
	before := micros(s.now().Add(-olderThan))
	pruned := 0
	for {
		var n int64
		err := s.writer.do(ctx, func(tx *wtx) (err error) {
			n, err = tx.pruneOldest(before)
			return err
		})
		if err != nil {
			return pruned, fmt.Errorf("prune raw messages: %w", err)
		}
		pruned += int(n)
		if n < pruneBatch {
			return pruned, nil
		}
	}
}

// pruneOldest deletes from the oldest end, up to the first body that is young
// enough: bodies are stored in the order in which they came.
func (tx *wtx) pruneOldest(before int64) (int64, error) {
	done := tx.gorm().Exec(`DELETE FROM message_bodies WHERE message_id IN (
		SELECT b.message_id FROM message_bodies b ORDER BY b.message_id LIMIT ?) AND received_at < ?`, pruneBatch, before)
	return done.RowsAffected, done.Error
}

// ReadyPart is a thing that a store needs in order to work.
type ReadyPart string

const (
	ReadyFiles   ReadyPart = "files"      // the database's files are those that are open
	ReadyDurable ReadyPart = "durability" // every connection syncs as the promises need
	ReadyWrite   ReadyPart = "write"      // a write is committed in time
	ReadyDisk    ReadyPart = "disk"       // the database's file system has room
)

// NotReadyError says which part is missing.
type NotReadyError struct {
	Part ReadyPart
	Err  error
}

func (e *NotReadyError) Error() string { return fmt.Sprintf("not ready (%s): %s", e.Part, e.Err) }

// Unwrap returns the cause.
func (e *NotReadyError) Unwrap() error { return e.Err }

const (
	readyTimeout = 3 * time.Second
	// minFreeBytes leaves room for the write-ahead log to be copied back, with
	// a wide margin.
	minFreeBytes = 256 << 20
	heartbeatKey = "heartbeat"
)

// Ready reports whether the store can take money: its files are in their places,
// its connections are as durable as they must be, a write is really committed within three seconds,
// and the disk of a SQLite file has room. The error is a *NotReadyError.
func (s *Store) Ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	if err := s.Intact(); err != nil {
		return &NotReadyError{ReadyFiles, err}
	}
	err := s.writer.do(ctx, func(tx *wtx) error {
		if s.dialect.Name != database.SQLite.Name {
			return nil // every transaction writes the process's own row; one for all would hold all of them up
		}
		return tx.gorm().Exec(`INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value`,
			heartbeatKey, tx.now().UTC().Format(time.RFC3339Nano)).Error
	})
	if err != nil {
		return &NotReadyError{ReadyWrite, err}
	}
	if err := s.AssertDurable(ctx); err != nil {
		return &NotReadyError{ReadyDurable, err}
	}
	if s.dialect.Name != database.SQLite.Name {
		return nil // the disk is the database server's
	}
	if err := checkFree(filepath.Dir(s.path), minFreeBytes); err != nil {
		return &NotReadyError{ReadyDisk, err}
	}
	return nil
}

// Disk is what is free on the disk of a SQLite file, in bytes, and below what a
// store is not ready. Both are 0 on PostgreSQL, and where the system cannot be
// asked; free alone is 0 when it does not answer.
func (s *Store) Disk() (free, least uint64) {
	if s.dialect.Name != database.SQLite.Name {
		return 0, 0
	}
	free, known, err := sqlite.FreeBytes(filepath.Dir(s.path))
	if err != nil {
		return 0, minFreeBytes
	}
	if !known {
		return 0, 0
	}
	return free, minFreeBytes
}

// checkFree reports whether the file system of the folder has that many bytes
// left for us.
func checkFree(folder string, least uint64) error {
	free, known, err := sqlite.FreeBytes(folder)
	if err != nil {
		return fmt.Errorf("ask for free disk space: %w", err)
	}
	if known && free < least {
		return fmt.Errorf("%d MiB are free on the disk of the database, it needs %d MiB", free>>20, least>>20)
	}
	return nil
}
