package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/gofrs/flock"
	gormsqlite "gorm.io/driver/sqlite"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"tolem/store/internal/sqlite"
)

// DriverName is the database/sql driver behind GORM's SQLite dialector.
const DriverName = sqlite.DriverName

// LostFilesError says that the files of the database are not those that are
// open. It stays until the store is opened again.
type LostFilesError = sqlite.LostFilesError

// coldReaders is how many connections serve everything but the hot reads:
// lists, exports, checks.
const coldReaders = 4

// How connections are set up. SQLite's own page cache of two megabytes makes the
// writer read its pages anew for every batch. Those of the readers are emptied by
// every commit. The writer's keeps the upper levels of every index when half a
// million customers top up in turns, of whose own pages nothing can be kept.
var (
	ordinary      = sqlite.Connection{BusyTimeout: 5 * time.Second, CacheKiB: 16 << 10}
	reading       = sqlite.Connection{BusyTimeout: 5 * time.Second, CacheKiB: 16 << 10, ReadOnly: true}
	checkpointing = sqlite.Connection{BusyTimeout: 5 * time.Second, CacheKiB: 16 << 10, BatchWAL: true}
	writing       = sqlite.Connection{BusyTimeout: 5 * time.Second, CacheKiB: 32 << 10, BatchWAL: true}
)

// checkpoints is when the WAL is copied into the database.
var checkpoints = sqlite.CheckpointPolicy{
	Every: 100 * time.Millisecond,
	// 128 MiB. The longer the WAL is, the more often a page that is written again
	// and again is copied but once, and the rarer the moments in which the disk has
	// to take both.
	RestartPages: 128 << 20 / 4096,
	PassiveEvery: 5 * time.Second,
	QuietTicks:   5,
	// A read of a request takes a tenth of a millisecond.
	RestartTimeout: 5 * time.Millisecond,
	CatchUps:       6,
	CaughtUp:       2 * time.Millisecond,
	SaveAttempts:   50,
	ShortestPause:  200 * time.Millisecond,
	LongestPause:   5 * time.Second,
}

func (s *Store) openSQLite(ctx context.Context, o Options) (err error) {
	s.dialect = &sqliteDialect
	sqlite.DisableMemoryStatistics()
	if o.Existing {
		if err := mustHaveContent(o.Path); err != nil {
			return err
		}
	}
	if err := refuseOrphanedWAL(o.Path); err != nil {
		return err
	}
	if s.path, err = resolve(o.Path); err != nil {
		return err
	}
	if err := refuseForeign(ctx, s.path); err != nil {
		return err
	}
	if o.Exclusive {
		if s.lock, err = lockFile(s.path + ".lock"); err != nil {
			return err
		}
		s.servedSince = s.now()
	}
	name, err := filepath.Abs(o.Path)
	if err != nil {
		return fmt.Errorf("database path %s: %w", o.Path, err)
	}
	if s.files, err = sqlite.OpenFiles(sqlite.FilesOptions{
		Name: name, Path: s.path, MarkContent: o.Exclusive, Report: o.OnLost, Refuse: errUnavailable,
	}); err != nil {
		return err
	}
	if err = migrate(ctx, s.path, o.Existing, o.OnMigrate); err != nil {
		return errMigrate(o.Existing, err)
	}
	hotReaders := max(4, runtime.NumCPU())
	if s.readPool, s.read, err = openPool(s.files, hotReaders+coldReaders, reading); err != nil {
		return err
	}
	if s.readers, err = sqlite.OpenReaders(ctx, s.readPool, hotReaders, hotReadSQL[:]); err != nil {
		return err
	}
	s.writer = newWriter(o)
	lane, err := openSQLiteLane(ctx, s.files, s.writer, o.Exclusive)
	if err != nil {
		return err
	}
	s.writer.start(lane)
	s.checkpoints, err = sqlite.StartCheckpointer(ctx, sqlite.CheckpointerOptions{
		Files: s.files, Connection: checkpointing, Policy: checkpoints, Writer: &s.writer.turn,
		Write: func(ctx context.Context, statement string) error {
			return s.writer.do(ctx, func(tx *wtx) error { return tx.gorm().Exec(statement).Error })
		},
	})
	if err != nil {
		return err
	}
	return s.files.BeginCheck()
}

// errMigrate says what could not be done, where anything was to be done.
func errMigrate(existing bool, err error) error {
	if existing {
		return err
	}
	return fmt.Errorf("migrate: %w", err)
}

// mustHaveContent refuses a file that is not there, or empty, before SQLite makes
// a database of it.
func mustHaveContent(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return errNoDatabase(path, err)
	}
	if info.Size() == 0 {
		return sqliteDialect.errNoTables
	}
	return nil
}

// resolve makes one name of the many that a file can have, so that two servers
// cannot lock the same database under two names, and creates its folder.
func resolve(path string) (string, error) {
	absolute, err := filepath.Abs(path)
	if err != nil {
		return "", fmt.Errorf("database path %s: %w", path, err)
	}
	if err := os.MkdirAll(filepath.Dir(absolute), 0o750); err != nil {
		return "", fmt.Errorf("create the database folder: %w", err)
	}
	// The file holds personal data: it is its owner's alone, and so are the
	// two that SQLite puts beside it, which take over its mode.
	file, err := os.OpenFile(absolute, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return "", fmt.Errorf("open the database file: %w", err)
	}
	if err := file.Close(); err != nil {
		return "", fmt.Errorf("open the database file: %w", err)
	}
	real, err := filepath.EvalSymlinks(absolute)
	if err != nil {
		return "", fmt.Errorf("database file: %w", err)
	}
	return real, nil
}

func lockFile(name string) (*flock.Flock, error) {
	lock := flock.New(name)
	held, err := lock.TryLock()
	if err != nil {
		return nil, fmt.Errorf("lock %s: %w", name, err)
	}
	if !held {
		return nil, ErrLocked
	}
	return lock, nil
}

// Optimization is a way of being faster that may not be available.
type Optimization struct {
	Name string
	Live bool
}

// Optimizations are those of the store's database, and which of them are live.
func (s *Store) Optimizations() (all []Optimization) {
	if s.dialect.name != sqliteDialect.name {
		return nil
	}
	for _, o := range sqlite.Optimizations() {
		all = append(all, Optimization(o))
	}
	return all
}

// DSN is the data source name of an ordinary connection to a SQLite file.
func DSN(path string) string { return ordinary.DSN(path) }

// openPool opens a pool of n connections, and GORM on top of it.
func openPool(f *sqlite.Files, n int, c sqlite.Connection) (*sql.DB, *gorm.DB, error) {
	pool, err := sqlite.OpenPool(f, n, c)
	if err != nil {
		return nil, nil, err
	}
	orm, err := gorm.Open(gormsqlite.Dialector{DriverName: DriverName, Conn: pool}, &gorm.Config{
		Logger: logger.Discard, SkipDefaultTransaction: true, DisableAutomaticPing: true,
	})
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("open %s: %w", f.Path(), err), pool.Close())
	}
	return pool, orm, nil
}
