// Package store keeps accounts, payments, provider messages and the ledger in
// one SQLite file, or in a PostgreSQL database, through GORM.
//
// All writes of a process go through one queue: what waits in it is committed
// in one transaction, and each caller is answered only after that is on disk.
// Reads have their own connections and never wait for a write. Several
// processes may work on one database: no process keeps state that another can
// invalidate. On SQLite every write decides on what it reads inside its own
// immediate transaction; on PostgreSQL on what it has locked.
//
// The store returns errors and does not log.
package store

import (
	"context"
	"crypto/rand"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/gofrs/flock"
	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"tolem/topup"
)

// busyTimeoutMillis is how long a write waits for another process's write.
const busyTimeoutMillis = "5000"

// coldReaders is how many connections serve everything but the hot reads:
// lists, exports, checks.
const coldReaders = 4

// Page caches, in KiB with a minus sign. SQLite's own two megabytes make the
// writer read its pages anew for every batch. Those of the readers are emptied by
// every commit. The writer's keeps the upper levels of every index when half a
// million customers top up in turns, of whose own pages nothing can be kept.
const (
	cacheSize       = "-16384"
	writerCacheSize = "-32768"
)

// ErrLocked says that another server already serves this database.
var ErrLocked = errors.New("another tolem serve uses this database: one SQLite file has one server")

// Options are what a store needs from outside.
type Options struct {
	// Path is the SQLite file; it and its folder are created when missing.
	Path string
	// Postgres is the URL of a PostgreSQL database, which must exist; if it is
	// set, Path is not used.
	Postgres string
	// Normalize is how customer ids are brought into one form. It is written
	// into an empty database and cannot change on a filled one.
	Normalize topup.Normalizer
	// Existing is set by whoever works on a database that must be there: it is
	// neither created nor migrated, which a running server might not survive.
	Existing bool
	// Exclusive is set by the server: a second exclusive store on the same
	// SQLite file is refused with ErrLocked. Any number of servers share one
	// PostgreSQL database.
	Exclusive bool
	// Now tells the time, time.Now if nil.
	Now func() time.Time
	// Entropy feeds new ids, crypto/rand if nil.
	Entropy io.Reader
	// Queue bounds how many writes may wait, 4096 if zero.
	Queue int
	// OnCommit, if set, is told of every commit: how many writes shared it and
	// how long it took.
	OnCommit func(batch int, took time.Duration)
	// OnMigrate, if set, is called with every migration that was carried out.
	OnMigrate func(Migration)
	// OnLost, if set, is called once with a *LostFilesError when the files of a SQLite
	// database are not those that are open, and by a server once more with what was
	// done to save their content. It must not use the store.
	OnLost func(error)
	// OnThread, if set, is called on the thread of its own that writes to SQLite,
	// before the first write.
	OnThread func()
}

// Store is an open database.
type Store struct {
	path      string
	now       func() time.Time
	entropy   io.Reader
	normalize topup.Normalizer
	dialect   *dialect

	readPool *sql.DB
	read     *gorm.DB
	readers  *readers
	writer   *writer

	// of SQLite
	lock        *flock.Flock
	files       *files
	checkpoints *checkpointer
	// of PostgreSQL
	postgres  *pgServer // nil on SQLite
	sweepLock *sweepLock

	closed atomic.Bool
	// servedSince is when an exclusive store on SQLite was opened, zero for
	// others.
	servedSince time.Time
}

// Open opens the database, migrates it to this program's schema, asserts that
// the connections are as durable as the promises need, and starts the writer.
// Close it.
func Open(ctx context.Context, o Options) (s *Store, err error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Entropy == nil {
		o.Entropy = rand.Reader
	}
	if o.Normalize == "" {
		o.Normalize = topup.NormalizeNone
	}
	s = &Store{now: o.Now, entropy: o.Entropy, normalize: o.Normalize, sweepLock: newSweepLock()}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Close())
			s = nil
		}
	}()
	if o.Postgres != "" {
		err = s.openPostgres(ctx, o)
	} else {
		err = s.openSQLite(ctx, o)
	}
	if err != nil {
		return s, err
	}
	if err = s.AssertDurable(ctx); err != nil {
		return s, err
	}
	return s, s.settleNormalizer(ctx)
}

func (s *Store) openSQLite(ctx context.Context, o Options) (err error) {
	s.dialect = &sqliteDialect
	disableMemoryStatistics()
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
	if s.files, err = openFiles(name, s.path, o.Exclusive, o.OnLost); err != nil {
		return err
	}
	if err = migrate(ctx, s.path, o.Existing, o.OnMigrate); err != nil {
		return errMigrate(o.Existing, err)
	}
	hotReaders := max(4, runtime.NumCPU())
	if s.readPool, s.read, err = openPool(s.files, hotReaders+coldReaders, readOnlyPragmas()); err != nil {
		return err
	}
	if s.readers, err = openReaders(ctx, s.readPool, hotReaders); err != nil {
		return err
	}
	s.writer = newWriter(o)
	lane, err := openSQLiteLane(ctx, s.files, s.writer, o.Exclusive)
	if err != nil {
		return err
	}
	s.writer.start(lane)
	if s.checkpoints, err = startCheckpointer(ctx, s.files, s.writer); err != nil {
		return err
	}
	return s.files.begin()
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

// DSN builds the data source name with every setting in it: a PRAGMA that is
// executed on a pooled connection would hold for that connection alone.
func DSN(path string, extra ...url.Values) string {
	query := pragmas()
	for _, values := range extra {
		for key, list := range values {
			query[key] = append(query[key], list...)
		}
	}
	return (&url.URL{Scheme: "file", OmitHost: true, Path: path, RawQuery: query.Encode()}).String()
}

// connector opens connections to a database as long as its files are those that
// were opened first: no connection ever touches a foreign file.
type connector struct {
	driver driver.Driver
	dsn    string
	files  *files
}

func (c connector) Driver() driver.Driver { return c.driver }

// Connect is called by the pool.
func (c connector) Connect(context.Context) (driver.Conn, error) {
	if err := c.files.check(); err != nil {
		return nil, errUnavailable(err)
	}
	return c.driver.Open(c.dsn)
}

// newPool is a pool of connections to the files.
func newPool(f *files, extra ...url.Values) (*sql.DB, error) {
	named, err := sql.Open(DriverName, "") // which opens nothing
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", f.path, err)
	}
	return sql.OpenDB(connector{named.Driver(), DSN(f.path, extra...), f}), named.Close()
}

// openPool opens a pool of n connections, and GORM on top of it.
func openPool(f *files, n int, extra ...url.Values) (*sql.DB, *gorm.DB, error) {
	path := f.path
	pool, err := newPool(f, extra...)
	if err != nil {
		return nil, nil, err
	}
	pool.SetMaxOpenConns(n)
	pool.SetMaxIdleConns(n)
	orm, err := gorm.Open(sqlite.Dialector{DriverName: DriverName, Conn: pool}, &gorm.Config{
		Logger: logger.Discard, SkipDefaultTransaction: true, DisableAutomaticPing: true,
	})
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("open %s: %w", path, err), pool.Close())
	}
	return pool, orm, nil
}

// AssertDurable asks the connections how durable they are. It is called at
// start, and again by the readiness probe.
func (s *Store) AssertDurable(ctx context.Context) error {
	err := s.writer.do(ctx, func(tx *wtx) error { return tx.assertDurable(tx.ctx) })
	if err != nil {
		return fmt.Errorf("write connection: %w", err)
	}
	if s.readers == nil {
		return nil
	}
	// A hot reader: the others may all be busy with long lists and exports,
	// which is no reason to take a server for a broken one.
	err = s.readers.with(ctx, func(r *reader) error { return assertPragmas(ctx, r.conn) })
	if err != nil {
		return fmt.Errorf("read connection: %w", err)
	}
	// Nothing is lost while the WAL has it, but it grows, and a disk that takes no
	// checkpoint is ill.
	return s.checkpoints.err()
}

// assertPragmas compares a connection's settings with what durability needs.
// Each PRAGMA's answer is read to its end: an answer left open keeps the
// statement, and with it the transaction, alive.
func assertPragmas(ctx context.Context, conn *sql.Conn) error {
	for _, want := range []struct{ pragma, value string }{
		{"journal_mode", "wal"},
		{"synchronous", "2"}, // FULL
		{"foreign_keys", "1"},
	} {
		var got string
		if err := conn.QueryRowContext(ctx, "PRAGMA "+want.pragma).Scan(&got); err != nil {
			return fmt.Errorf("PRAGMA %s: %w", want.pragma, err)
		}
		if got != want.value {
			return fmt.Errorf("PRAGMA %s is %q, must be %q", want.pragma, got, want.value)
		}
	}
	return nil
}

// Intact looks whether the files of a SQLite database are those that are open.
// The error is a *LostFilesError once they are not, until the store is opened
// again.
func (s *Store) Intact() error { return s.files.check() }

// Path returns the SQLite file's name, "" on PostgreSQL.
func (s *Store) Path() string { return s.path }

// Close drains the writer and closes every connection; an exclusive store on
// SQLite makes a last checkpoint, any other one if nobody else has it open. Writes
// that come later are refused as unavailable. A second Close does nothing.
//
// When the files are not those that were opened, it closes no connection and
// returns the *LostFilesError: SQLite would write its WAL into the file, and remove
// the WAL by its name, whoever they belong to. The end of the process closes them.
func (s *Store) Close() error {
	if s.closed.Swap(true) {
		return nil
	}
	var errs []error
	if s.writer != nil {
		s.writer.drain()
	}
	s.releaseSweeps()
	if err := s.files.check(); err != nil && s.files.gone() != nil {
		if s.checkpoints != nil {
			s.checkpoints.abandon()
		}
		if s.lock != nil {
			errs = append(errs, s.lock.Unlock())
		}
		return errors.Join(append(errs, err)...)
	}
	s.files.end()
	if s.checkpoints != nil {
		errs = append(errs, s.checkpoints.close(s.lock != nil))
	}
	if s.readers != nil {
		errs = append(errs, s.readers.close())
	}
	if s.readPool != nil {
		errs = append(errs, s.readPool.Close())
	}
	if s.writer != nil {
		errs = append(errs, s.writer.close())
	}
	errs = append(errs, s.files.close())
	if s.lock != nil {
		errs = append(errs, s.lock.Unlock())
	}
	return errors.Join(errs...)
}

// micros is a time as the database keeps it, 0 for the zero time.
func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

// nullMicros is a time as the database keeps it, NULL for the zero time.
func nullMicros(t time.Time) sql.NullInt64 {
	return sql.NullInt64{Int64: micros(t), Valid: !t.IsZero()}
}

// fromMicros is the reverse of micros.
func fromMicros(us int64) time.Time {
	if us == 0 {
		return time.Time{}
	}
	return time.UnixMicro(us).UTC()
}
