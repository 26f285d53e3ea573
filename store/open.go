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
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"github.com/gofrs/flock"

	"tolem/store/internal/accounts"
	"tolem/store/internal/check"
	"tolem/store/internal/database"
	"tolem/store/internal/engine"
	"tolem/store/internal/events"
	"tolem/store/internal/ledger"
	"tolem/store/internal/payouts"
	"tolem/store/internal/seal"
	"tolem/store/internal/sqlite"
	"tolem/store/internal/turnover"
	"tolem/store/migrations"
	"tolem/topup"
)

// ErrLocked says that another server already serves this database.
var ErrLocked = database.ErrLocked

// ProgramLevel is the newest migration that this program was built with.
const ProgramLevel = migrations.ProgramLevel

// Migration is one step of a schema to the next, which was carried out.
type Migration = migrations.Migration

// ExplainDamage adds what to do to an error that says that a SQLite file is damaged,
// and leaves all others as they are.
func ExplainDamage(err error) error { return database.ExplainDamage(err) }

// CheckReport is what a check has seen and what is wrong.
type CheckReport = check.Report

// Check verifies every invariant of the ledger against the database as it is at one
// moment, while others may write. The problems are in the report; the error says
// that the check itself could not be made. Memory does not grow with the journal.
func (s *Store) Check(ctx context.Context) (CheckReport, error) {
	return check.Database{Dialect: s.dialect, Server: s.postgres, Read: s.reader.ORM}.Check(ctx)
}

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
	// Banks are the names of the merchant's accounts from which money may be booked
	// as paid back; nil: any name.
	Banks []string
	// Existing is set by whoever works on a database that must be there: it is
	// neither created nor migrated, which a running server might not survive.
	Existing bool
	// Exclusive is set by the server: a second exclusive store on the same
	// SQLite file is refused with ErrLocked. Any number of servers share one
	// PostgreSQL database.
	Exclusive bool
	// ReadMessage reads stored messages for the steps that rest on them; nil: those
	// steps fail.
	ReadMessage ReadMessage
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
	// NotificationBody, if set, makes the body of a notification. Without it nobody is
	// notified.
	NotificationBody func(Notification) ([]byte, error)
	// OnThread, if set, is called on the thread of its own that writes to SQLite,
	// before the first write.
	OnThread func()
}

// Store is an open database.
type Store struct {
	*accounts.Catalogue
	*ledger.Ledger
	*turnover.Reports
	*payouts.Register
	*seal.Seals
	*events.Outbox

	path      string
	now       func() time.Time
	entropy   io.Reader
	normalize topup.Normalizer
	readRaw   ReadMessage
	banks     []string
	dialect   *database.Dialect

	reader *engine.Reader
	writer *writer

	// of SQLite
	lock        *flock.Flock
	files       *sqlite.Files
	checkpoints *sqlite.Checkpointer
	// of PostgreSQL
	postgres   *database.Server // nil on SQLite
	leadership *database.Leadership

	// endpoints are who is notified.
	endpoints atomic.Pointer[[]Endpoint]

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
	s = &Store{now: o.Now, entropy: o.Entropy, normalize: o.Normalize, banks: o.Banks, readRaw: o.ReadMessage}
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
	s.openAccounts()
	s.Ledger = ledger.New(s.reader, s.now, s.normalize, s.path)
	s.Reports = turnover.New(s.reader, s.writer.Writer, s.Ledger)
	s.Register = payouts.New(s.reader, s.writer.Writer, s.Ledger, s.now)
	s.Seals = seal.New(s.reader, s.writer.Writer, s.Ledger, s.now)
	s.Outbox = events.New(s.reader, s.writer.Writer, s.Ledger, s.now)
	if err = s.AssertDurable(ctx); err != nil {
		return s, err
	}
	if err = s.loadEndpoints(ctx); err != nil {
		return s, err
	}
	return s, s.SettleNormalizer(ctx)
}

// AssertDurable asks the connections how durable they are. It is called at
// start, and again by the readiness probe.
func (s *Store) AssertDurable(ctx context.Context) error {
	err := s.writer.Do(ctx, (*engine.Tx).AssertDurable)
	if err != nil {
		return fmt.Errorf("write connection: %w", err)
	}
	if err := s.reader.AssertDurable(ctx); err != nil {
		return fmt.Errorf("read connection: %w", err)
	}
	if s.checkpoints == nil {
		return nil
	}
	// Nothing is lost while the WAL has it, but it grows, and a disk that takes no
	// checkpoint is ill.
	return s.checkpoints.Err()
}

// Intact looks whether the files of a SQLite database are those that are open.
// The error is a *LostFilesError once they are not, until the store is opened
// again.
func (s *Store) Intact() error { return s.files.Check() }

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
		s.writer.Drain()
	}
	if s.leadership != nil {
		s.leadership.Release()
	}
	if err := s.files.Check(); err != nil && s.files.Lost() != nil {
		if s.checkpoints != nil {
			s.checkpoints.Abandon()
		}
		if s.lock != nil {
			errs = append(errs, s.lock.Unlock())
		}
		return errors.Join(append(errs, err)...)
	}
	s.files.EndCheck()
	if s.checkpoints != nil {
		errs = append(errs, s.checkpoints.Close(s.lock != nil))
	}
	if s.reader != nil {
		errs = append(errs, s.reader.Close())
	}
	if s.writer != nil {
		errs = append(errs, s.writer.Close())
	}
	errs = append(errs, s.files.Close())
	if s.lock != nil {
		errs = append(errs, s.lock.Unlock())
	}
	return errors.Join(errs...)
}

// How times are kept; the zero time is 0, or NULL.
func micros(t time.Time) int64             { return database.Micros(t) }
func nullMicros(t time.Time) sql.NullInt64 { return database.NullMicros(t) }
func fromMicros(us int64) time.Time        { return database.FromMicros(us) }
