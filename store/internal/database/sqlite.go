package database

import (
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/gofrs/flock"
	gormsqlite "gorm.io/driver/sqlite"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"tolem/store/internal/sqlite"
)

// How connections are set up. SQLite's own page cache of two megabytes makes the
// writer read its pages anew for every batch. Those of the readers are emptied by
// every commit. The writer's keeps the upper levels of every index when half a
// million customers top up in turns, of whose own pages nothing can be kept.
var (
	Ordinary      = sqlite.Connection{BusyTimeout: 5 * time.Second, CacheKiB: 16 << 10}
	Reading       = sqlite.Connection{BusyTimeout: 5 * time.Second, CacheKiB: 16 << 10, ReadOnly: true}
	Checkpointing = sqlite.Connection{BusyTimeout: 5 * time.Second, CacheKiB: 16 << 10, BatchWAL: true}
	Writing       = sqlite.Connection{BusyTimeout: 5 * time.Second, CacheKiB: 32 << 10, BatchWAL: true}
)

// ErrLocked says that another server already serves this database.
var ErrLocked = errors.New("another tolem serve uses this database: one SQLite file has one server")

// MustHaveContent refuses a file that is not there, or empty, before SQLite makes
// a database of it.
func MustHaveContent(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return errNoDatabase(path, err)
	}
	if info.Size() == 0 {
		return SQLite.ErrNoTables
	}
	return nil
}

// errNoDatabase says that there is no file.
func errNoDatabase(path string, err error) error {
	return fmt.Errorf("there is no database %s; tolem serve or tolem migrate makes one: %w", path, err)
}

// Resolve makes one name of the many that a file can have, so that two servers
// cannot lock the same database under two names, and creates its folder.
func Resolve(path string) (string, error) {
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

func LockFile(name string) (*flock.Flock, error) {
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

// OpenPool opens a pool of n connections, and GORM on top of it.
func OpenPool(f *sqlite.Files, n int, c sqlite.Connection) (*sql.DB, *gorm.DB, error) {
	pool, err := sqlite.OpenPool(f, n, c)
	if err != nil {
		return nil, nil, err
	}
	orm, err := gorm.Open(gormsqlite.Dialector{DriverName: sqlite.DriverName, Conn: pool}, &gorm.Config{
		Logger: logger.Discard, SkipDefaultTransaction: true, DisableAutomaticPing: true,
	})
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("open %s: %w", f.Path(), err), pool.Close())
	}
	return pool, orm, nil
}

// ExplainDamage adds what to do to an error that says that a SQLite file is damaged,
// and leaves all others as they are. No command can mend one.
func ExplainDamage(err error) error {
	if err == nil {
		return nil
	}
	// The drivers' errors have no type in common.
	for _, said := range []string{"file is not a database", "database disk image is malformed", "malformed database schema"} {
		if strings.Contains(err.Error(), said) {
			return fmt.Errorf("the database file is damaged: stop the server, keep the file and its -wal aside, and restore a backup (docs/operations.md, Backup and restore): %w", err)
		}
	}
	return err
}
