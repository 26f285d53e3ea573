package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"
)

// CheckpointPolicy says when the WAL is copied into the database, and how long
// anybody waits for that.
type CheckpointPolicy struct {
	// Every is how often it is seen whether it is time for a checkpoint.
	Every time.Duration
	// A WAL of RestartPages is copied into the database, and the writer held for a
	// moment, so that it starts afresh instead of growing for as long as the load
	// lasts.
	RestartPages int
	// PassiveEvery is how often a shorter one is copied, so that not much is
	// left to do when a server starts again.
	PassiveEvery time.Duration
	// or when nothing has been written for QuietTicks times Every: a read has to
	// look for each of its pages in all of the WAL that was not copied.
	QuietTicks int
	// RestartTimeout bounds how long the writer is held for readers to end.
	RestartTimeout time.Duration
	// Before that, what was written meanwhile is copied in up to CatchUps rounds,
	// the last of which took less than CaughtUp.
	CatchUps int
	CaughtUp time.Duration
	// SaveAttempts is how often the WAL of a database that was lost is copied.
	SaveAttempts int
	// After a restart that a long reader, such as a backup, did not allow, the
	// writer is left alone for a pause that grows from the shortest to the longest.
	ShortestPause, LongestPause time.Duration
}

// CheckpointerOptions are what a Checkpointer needs.
type CheckpointerOptions struct {
	Files      *Files
	Connection Connection
	Policy     CheckpointPolicy
	// Writer is locked while the WAL starts afresh. Nothing is written meanwhile.
	Writer sync.Locker
	// Write commits a statement in a transaction of the writer's.
	Write func(ctx context.Context, statement string) error
}

// A Checkpointer copies the WAL into the database on a connection of its own. On
// the writer's connection a checkpoint would leave an open statement behind,
// after which commits are reported and never made.
type Checkpointer struct {
	policy CheckpointPolicy
	pool   *sql.DB
	conn   *sql.Conn
	files  *Files
	writer sync.Locker
	write  func(ctx context.Context, statement string) error
	stop   chan struct{}
	done   chan struct{}

	frames    int                   // in the WAL at the last tick
	quiet     int                   // ticks since it was another number
	restarted int                   // pages in the WAL when it was last let start afresh
	copiedAt  time.Time             // when a checkpoint was last made
	notBefore time.Time             // of the next restart
	pause     time.Duration         // after the last one that was not allowed, 0 after one that was
	saved     bool                  // what there was to save of files that were lost
	failure   atomic.Pointer[error] // of a checkpoint, nil when all is well again
}

// StartCheckpointer begins to make checkpoints.
func StartCheckpointer(ctx context.Context, o CheckpointerOptions) (*Checkpointer, error) {
	pool, err := OpenPool(o.Files, 1, o.Connection)
	if err != nil {
		return nil, err
	}
	c := &Checkpointer{policy: o.Policy, pool: pool, files: o.Files, writer: o.Writer, write: o.Write}
	if err := c.connect(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("checkpoint connection: %w", err), pool.Close())
	}
	c.begin()
	return c, nil
}

func (c *Checkpointer) connect(ctx context.Context) (err error) {
	if c.conn, err = c.pool.Conn(ctx); err != nil {
		return err
	}
	// It never waits inside SQLite, which sleeps for milliseconds: while it waits
	// for a reader, the writer waits for it.
	var millis int
	if err = c.conn.QueryRowContext(ctx, "PRAGMA busy_timeout = 0").Scan(&millis); err != nil {
		return errors.Join(err, c.conn.Close())
	}
	if c.files.own == 0 {
		return nil
	}
	// So that the server's mark gets into the file, unless somebody reads an older
	// state still. What fails here fails again at the next tick, which notes it.
	_, _ = c.checkpoint(ctx, "PASSIVE")
	return nil
}

// begin starts the loop, and end ends it.
func (c *Checkpointer) begin() {
	c.stop, c.done = make(chan struct{}), make(chan struct{})
	go c.run()
}

func (c *Checkpointer) end() {
	close(c.stop)
	<-c.done
}

func (c *Checkpointer) run() {
	defer close(c.done)
	ticker := time.NewTicker(c.policy.Every)
	defer ticker.Stop()
	for {
		select {
		case <-c.stop:
			return
		case <-ticker.C:
			if err := c.files.Check(); err != nil {
				c.save(context.Background())
				continue
			}
			// A checkpoint that could not be made is made the next time; the
			// WAL holds everything until then.
			c.note(c.tick(context.Background()))
		}
	}
}

// note keeps what a tick has come to, for whoever asks whether all is well. A
// failure stays until a tick has found all well, and not only nothing to do yet.
func (c *Checkpointer) note(well bool, err error) {
	if err != nil {
		c.failure.Store(&err)
	} else if well {
		c.failure.Store(nil)
	}
}

// Err says why the last checkpoint failed, if it did.
func (c *Checkpointer) Err() error {
	if failure := c.failure.Load(); failure != nil {
		return *failure
	}
	return nil
}

// tick makes a checkpoint, if it is time for one and nobody else does. All is
// well when one was made, or everything was copied before.
func (c *Checkpointer) tick(ctx context.Context) (well bool, err error) {
	w, err := c.checkpoint(ctx, "NOOP") // which only asks
	if err != nil {
		return false, err
	}
	full := w.frames >= c.policy.RestartPages
	if full && w.frames == c.restarted && w.copied == w.frames {
		return true, nil // it starts afresh with the next write, and is as long as it was until then
	}
	if c.quiet++; w.frames != c.frames {
		c.frames, c.quiet = w.frames, 0
	}
	if !full && (w.copied == w.frames || c.quiet < c.policy.QuietTicks && time.Since(c.copiedAt) < c.policy.PassiveEvery) {
		return w.copied == w.frames, nil
	}
	c.copiedAt = time.Now()
	if statement := c.files.nextMark(); statement != "" {
		// One that could not be written is written the next time; without it an older
		// copy of the file is not told from this one, and nothing else is lost.
		_ = c.write(ctx, statement)
	}
	w, err = c.checkpoint(ctx, "PASSIVE")
	if err != nil || w.busy || !full || time.Now().Before(c.notBefore) {
		return !w.busy, err // another process makes one, and may fail
	}
	if err := c.catchUp(ctx); err != nil {
		return false, err
	}
	return true, c.restart(ctx)
}

// restart lets the WAL start afresh. It keeps the file, which the writer goes on
// to fill from its start; truncating it would cost many times as long.
func (c *Checkpointer) restart(ctx context.Context) error {
	c.writer.Lock()
	defer c.writer.Unlock()
	for held := time.Now(); ; {
		w, err := c.checkpoint(ctx, "RESTART")
		if err != nil {
			return err
		}
		if !w.busy {
			c.pause, c.restarted = 0, w.frames
			return nil
		}
		if time.Since(held) > c.policy.RestartTimeout {
			c.pause = min(max(2*c.pause, c.policy.ShortestPause), c.policy.LongestPause)
			c.notBefore = time.Now().Add(c.pause)
			return nil
		}
		time.Sleep(c.policy.RestartTimeout / 50)
	}
}

// catchUp copies what came while the WAL was copied, and what came meanwhile,
// until there is next to nothing left to do while the writer is held.
func (c *Checkpointer) catchUp(ctx context.Context) error {
	for range c.policy.CatchUps {
		started := time.Now()
		if _, err := c.checkpoint(ctx, "PASSIVE"); err != nil || time.Since(started) < c.policy.CaughtUp {
			return err
		}
	}
	return nil
}

// walState is what a checkpoint tells of the WAL.
type walState struct {
	busy           bool // somebody stood in the way
	frames, copied int  // pages in it, and those of them that are in the database too
}

// checkpoint makes one and reads its answer to the end.
func (c *Checkpointer) checkpoint(ctx context.Context, mode string) (w walState, err error) {
	err = c.conn.QueryRowContext(ctx, "PRAGMA wal_checkpoint("+mode+")").Scan(&w.busy, &w.frames, &w.copied)
	if err != nil {
		return walState{}, fmt.Errorf("checkpoint: %w", err)
	}
	return w, nil
}

// save does once what can be done for a database whose files are not in their
// places any more. What this process holds open may be the only copy.
func (c *Checkpointer) save(ctx context.Context) {
	lost := c.files.lost.Load()
	if lost == nil || c.files.own == 0 || c.saved {
		return
	}
	c.saved = true
	kind := lost.kind
	if c.files.isOverwritten() {
		kind = lostContent // too: our pages must not get among foreign ones
	}
	stamp := ".saved-" + time.Now().UTC().Format("20060102T150405.000Z")
	switch {
	case kind == lostContent:
		name := c.files.path + "-wal" + stamp
		if done, err := c.files.setAsideWAL(name); err != nil {
			c.files.report(fmt.Errorf("the write-ahead log of the overwritten database could not be set aside, remove it before the next start: %w", err))
		} else if done {
			c.files.report(fmt.Errorf("the write-ahead log of the overwritten database is %s now: it does not fit to what was written over it", name))
		}
	case kind == lostWAL:
		err := c.copyAll(ctx, "PASSIVE")
		c.report("the write-ahead log that the server had open was copied into the database: nothing is lost", err)
	case kind == lostMain && c.files.unnamed():
		// With what is in the WAL. The WAL then goes, if it has its name still: it
		// would be taken for that of the foreign file.
		name := c.files.path + stamp
		err := c.copyInto(ctx, name)
		if err == nil {
			err = c.copyAll(ctx, "TRUNCATE")
		}
		c.report("the database that the server had open has no name any more; all of it is in "+name+" now", err)
	case kind == lostMain:
		err := c.copyAll(ctx, "TRUNCATE")
		c.report("the moved database has all that was in its write-ahead log", err)
	}
}

// copyAll copies all of the WAL into the database, as soon as nobody reads an
// older state.
func (c *Checkpointer) copyAll(ctx context.Context, mode string) error {
	for range c.policy.SaveAttempts {
		w, err := c.checkpoint(ctx, mode)
		if err != nil || !w.busy && w.copied == w.frames {
			return err
		}
		time.Sleep(c.policy.Every)
	}
	return errors.New("somebody reads an older state of it all the time")
}

func (c *Checkpointer) report(done string, err error) {
	if err != nil {
		err = fmt.Errorf("what the server has open could not be saved, do not end it before you have copied the files of /proc/%d/fd: %w", os.Getpid(), err)
	} else {
		err = errors.New(done)
	}
	c.files.report(err)
}

// copyInto writes all that the database holds into a new file.
func (c *Checkpointer) copyInto(ctx context.Context, file string) (err error) {
	made, err := os.OpenFile(file, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer func() {
		if err = errors.Join(err, made.Close()); err != nil {
			err = errors.Join(err, os.Remove(file))
		}
	}()
	if _, err := c.conn.ExecContext(ctx, "VACUUM INTO ?", file); err != nil {
		return err
	}
	if err := RemoveMarks(made); err != nil {
		return err
	}
	return errors.Join(made.Sync(), SyncFolder(file))
}

// Abandon ends the loop and leaves the files alone.
func (c *Checkpointer) Abandon() {
	c.end()
	c.save(context.Background())
}

// Close ends the loop. The server, who then has the database for itself, makes a
// last checkpoint, so that the file alone holds everything. Everybody else leaves
// the WAL alone: truncating it takes the server's turn to write for as long as the
// disk takes, and gives away what restart keeps. When there is no server, SQLite
// itself does the same when the last connection is closed.
func (c *Checkpointer) Close(server bool) (err error) {
	c.end()
	if server {
		_, err = c.checkpoint(context.Background(), "TRUNCATE")
	}
	return errors.Join(err, c.conn.Close(), c.pool.Close())
}

// WALBytes returns the size of the write-ahead log in bytes.
func WALBytes(path string) int64 {
	info, err := os.Stat(path + "-wal")
	if err != nil {
		return 0
	}
	return info.Size()
}

// SyncFolder sees to disk that a file has its name.
func SyncFolder(file string) error {
	folder, err := os.Open(filepath.Dir(file))
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}
