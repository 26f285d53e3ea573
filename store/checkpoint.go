package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"time"
)

const (
	checkpointEvery = 100 * time.Millisecond
	// restartPause is how long the writer is left alone after a restart that
	// a long reader, such as a backup, did not allow.
	restartPause = 5 * time.Second
	// A WAL file above passiveBytes is copied into the database beside the
	// traffic; above restartFrames pages (64 MiB) the writer is held for a
	// moment, so that the WAL starts afresh instead of growing for as long as
	// the load lasts.
	passiveBytes  = 4 << 20
	restartFrames = 64 << 20 / 4096
)

// checkpointer copies the WAL into the database on a connection of its own. On
// the writer's connection a checkpoint would leave an open statement behind,
// after which commits are reported and never made.
type checkpointer struct {
	pool   *sql.DB
	path   string
	writer *writer
	stop   chan struct{}
	done   chan struct{}

	notBefore time.Time // of the next restart
}

func startCheckpointer(ctx context.Context, path string, w *writer) (*checkpointer, error) {
	pool, err := sql.Open(DriverName, DSN(path))
	if err != nil {
		return nil, err
	}
	pool.SetMaxOpenConns(1)
	// It gives way at once: while it waits for a reader, the writer waits for it.
	var millis int
	if err := pool.QueryRowContext(ctx, "PRAGMA busy_timeout = 20").Scan(&millis); err != nil {
		return nil, errors.Join(fmt.Errorf("checkpoint connection: %w", err), pool.Close())
	}
	c := &checkpointer{pool: pool, path: path, writer: w, stop: make(chan struct{}), done: make(chan struct{})}
	go c.run()
	return c, nil
}

func (c *checkpointer) run() {
	defer close(c.done)
	ticker := time.NewTicker(checkpointEvery)
	defer ticker.Stop()
	for {
		select {
		case <-c.stop:
			return
		case <-ticker.C:
			// A checkpoint that could not be made is made the next time; the
			// WAL holds everything until then.
			_ = c.tick(context.Background())
		}
	}
}

func (c *checkpointer) tick(ctx context.Context) error {
	if walSize(c.path) < passiveBytes {
		return nil
	}
	_, frames, err := c.checkpoint(ctx, "PASSIVE")
	if err != nil || frames < restartFrames || time.Now().Before(c.notBefore) {
		return err
	}
	// Nearly everything is copied already. RESTART keeps the file, which the
	// writer goes on to fill from its start; truncating it would cost many
	// times as long.
	c.writer.turn.Lock()
	defer c.writer.turn.Unlock()
	busy, _, err := c.checkpoint(ctx, "RESTART")
	if busy {
		c.notBefore = time.Now().Add(restartPause)
	}
	return err
}

// checkpoint makes one, reads its answer to the end, and returns whether
// somebody stood in its way, and how many frames the WAL has.
func (c *checkpointer) checkpoint(ctx context.Context, mode string) (busy bool, frames int, err error) {
	var copied int
	err = c.pool.QueryRowContext(ctx, "PRAGMA wal_checkpoint("+mode+")").Scan(&busy, &frames, &copied)
	if err != nil {
		return false, 0, fmt.Errorf("checkpoint: %w", err)
	}
	return busy, frames, nil
}

// close ends the loop and makes a last checkpoint, so that the file alone holds everything.
func (c *checkpointer) close() error {
	close(c.stop)
	<-c.done
	_, _, err := c.checkpoint(context.Background(), "TRUNCATE")
	return errors.Join(err, c.pool.Close())
}

// walSize returns the size of the write-ahead log in bytes.
func walSize(path string) int64 {
	info, err := os.Stat(path + "-wal")
	if err != nil {
		return 0
	}
	return info.Size()
}
