package store

import (
	"context"
	"fmt"
	"path/filepath"
	"runtime"
	"time"

	"tolem/store/internal/database"
	"tolem/store/internal/engine"
	"tolem/store/internal/sqlite"
	"tolem/store/migrations"
)

// DriverName is the database/sql driver behind GORM's SQLite dialector.
const DriverName = sqlite.DriverName

// LostFilesError says that the files of the database are not those that are
// open. It stays until the store is opened again.
type LostFilesError = sqlite.LostFilesError

// coldReaders is how many connections serve everything but the hot reads:
// lists, exports, checks.
const coldReaders = 4

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
	s.dialect = &database.SQLite
	sqlite.DisableMemoryStatistics()
	if o.Existing {
		if err := database.MustHaveContent(o.Path); err != nil {
			return err
		}
	}
	if err := database.RefuseOrphanedWAL(o.Path); err != nil {
		return err
	}
	if s.path, err = database.Resolve(o.Path); err != nil {
		return err
	}
	if err := database.RefuseForeign(ctx, s.path); err != nil {
		return err
	}
	if o.Exclusive {
		if s.lock, err = database.LockFile(s.path + ".lock"); err != nil {
			return err
		}
		s.servedSince = s.now()
	}
	name, err := filepath.Abs(o.Path)
	if err != nil {
		return fmt.Errorf("database path %s: %w", o.Path, err)
	}
	if s.files, err = sqlite.OpenFiles(sqlite.FilesOptions{
		Name: name, Path: s.path, MarkContent: o.Exclusive, Report: o.OnLost, Refuse: database.Unavailable,
	}); err != nil {
		return err
	}
	if err = migrations.SQLite(ctx, s.path, o.Existing, o.OnMigrate); err != nil {
		return errMigrate(o.Existing, err)
	}
	hotReaders := max(4, runtime.NumCPU())
	if s.reader, err = engine.OpenSQLiteReader(ctx, s.files, hotReaders, coldReaders); err != nil {
		return err
	}
	s.writer = s.newWriter(o)
	if err := s.writer.OpenSQLite(ctx, s.files, o.Exclusive); err != nil {
		return err
	}
	s.checkpoints, err = sqlite.StartCheckpointer(ctx, sqlite.CheckpointerOptions{
		Files: s.files, Connection: database.Checkpointing, Policy: checkpoints, Writer: &s.writer.BatchMutex,
		Write: func(ctx context.Context, statement string) error {
			return s.writer.Do(ctx, func(tx *engine.Tx) error { return tx.Gorm().Exec(statement).Error })
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

// Optimization is a way of being faster that may not be available.
type Optimization struct {
	Name string
	Live bool
}

// Optimizations are those of the store's database, and which of them are live.
func (s *Store) Optimizations() (all []Optimization) {
	if s.dialect.Name != database.SQLite.Name {
		return nil
	}
	for _, o := range sqlite.Optimizations() {
		all = append(all, Optimization(o))
	}
	return all
}

// DSN is the data source name of an ordinary connection to a SQLite file.
func DSN(path string) string { return database.Ordinary.DSN(path) }
