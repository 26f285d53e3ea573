// Package backup copies a database, while others write to it, into one SQLite file
// that is checked before it gets its name.
package backup

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"time"

	gormsqlite "gorm.io/driver/sqlite"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"tolem/store/internal/check"
	"tolem/store/internal/database"
	"tolem/store/internal/sqlite"
	"tolem/store/migrations"
	"tolem/topup"
)

// Report is what a copy holds.
type Report struct {
	File  string
	Bytes int64
	Level int64 // of its schema; an older one than this program has was checked after an upgrade on trial
	// ReachesTo is when the last thing in the copy was recorded: a ledger
	// transaction, a provider's message or an issued payment. Zero when it
	// holds none. What the platform was told later is not in the copy.
	ReachesTo time.Time
	LastSeq   int64 // newest place in the feed, 0 when there is none
	Check     check.Report
}

// Source is a database that a backup is made of.
type Source struct {
	Dialect *database.Dialect
	Level   int64         // of its schema
	Files   *sqlite.Files // of SQLite
	Read    *gorm.DB      // of PostgreSQL
}

// Open opens a database that may have the schema of any older program, as before an
// upgrade, for copying alone: the PostgreSQL database of that URL, or if that is
// empty the SQLite file. Nothing in it is changed.
func Open(ctx context.Context, postgres, path string) (src Source, closeSource func() error, err error) {
	var pool *sql.DB
	if postgres != "" {
		var server *database.Server
		if server, src.Dialect, err = database.FindServer(ctx, postgres); err != nil {
			return src, nil, err
		}
		if pool, src.Read, err = database.OpenPostgresPool(server.Session(database.ReadingSettings), 1); err != nil {
			return src, nil, err
		}
	} else {
		src.Dialect = &database.SQLite
		if src.Files, err = existingFiles(ctx, path); err != nil {
			return src, nil, err
		}
		if pool, _, err = database.OpenPool(src.Files, 1, database.Reading); err != nil {
			return src, nil, err
		}
	}
	if src.Level, err = migrations.SchemaLevel(ctx, pool, src.Dialect); err != nil {
		return src, nil, errors.Join(database.ExplainConnect(err), pool.Close())
	}
	return src, pool.Close, nil
}

// existingFiles are those of a SQLite database that must be there, and be ours: a
// connection of a pool makes another program's one with a write-ahead log.
func existingFiles(ctx context.Context, path string) (*sqlite.Files, error) {
	if err := database.MustHaveContent(path); err != nil {
		return nil, err
	}
	real, err := database.Resolve(path)
	if err != nil {
		return nil, err
	}
	if err := database.RefuseForeign(ctx, real); err != nil {
		return nil, err
	}
	return sqlite.OpenFiles(sqlite.FilesOptions{Path: real, Refuse: database.Unavailable})
}

// current reports whether the database has this program's schema, or a newer one
// that it can live with.
func (s Source) current() bool { return s.Level >= migrations.ProgramLevel }

// Backup makes a consistent copy of the database in a new file while others
// write, and verifies it: the copy passes SQLite's own integrity check and the rules
// of package check. A copy of an older schema is verified in a copy of it that is
// brought to this program's schema. It is written under another name in the same
// folder and gets its own name only when it is on disk and sound, so that a file of
// that name is always a good copy. The error is of KindConflict when the file exists.
func (s Source) Backup(ctx context.Context, file string) (report Report, err error) {
	target, err := filepath.Abs(file)
	if err != nil {
		return report, fmt.Errorf("backup file %s: %w", file, err)
	}
	if _, err := os.Lstat(target); !errors.Is(err, fs.ErrNotExist) {
		if err == nil {
			return report, errBackupExists(file)
		}
		return report, fmt.Errorf("backup file: %w", err)
	}
	draft, err := newDraft(target)
	if err != nil {
		return report, err
	}
	defer func() { err = errors.Join(err, draft.discard()) }()
	copyInto := s.copyInto
	if s.Dialect.Name != database.SQLite.Name {
		copyInto = s.copyPostgresInto
	}
	if err := copyInto(ctx, draft.path); err != nil {
		return report, fmt.Errorf("back up: %w", err)
	}
	if report, err = s.verify(ctx, draft.path); err != nil {
		return report, fmt.Errorf("verify the backup: %w", err)
	}
	report.File, report.Level = target, s.Level
	if err := publish(draft.path, target); err != nil {
		if errors.Is(err, fs.ErrExist) {
			return report, errBackupExists(file)
		}
		return report, fmt.Errorf("name the backup: %w", err)
	}
	return report, nil
}

// verify checks a finished copy. What is older than this program is brought to its
// schema in a copy of the copy first: so it is known before an upgrade, too, that
// the upgrade goes well.
func (s Source) verify(ctx context.Context, draft string) (report Report, err error) {
	checked := draft
	if !s.current() {
		if err := checkFile(ctx, draft); err != nil {
			return report, err
		}
		checked = draft + trialEnding
		if err := upgradeCopy(ctx, draft, checked); err != nil {
			return report, fmt.Errorf("bring a copy to this program's schema: %w", err)
		}
	}
	if report, err = verifyCopy(ctx, checked); err != nil {
		return report, err
	}
	info, err := os.Stat(draft)
	if err != nil {
		return report, err
	}
	report.Bytes = info.Size()
	return report, nil
}

// upgradeCopy makes a copy of a file, with this program's schema.
func upgradeCopy(ctx context.Context, from, to string) (err error) {
	original, err := os.Open(from)
	if err != nil {
		return err
	}
	defer original.Close()
	made, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	if _, err := io.Copy(made, original); err != nil {
		return errors.Join(err, made.Close())
	}
	if err := made.Close(); err != nil {
		return err
	}
	pool, err := sql.Open(sqlite.DriverName, (&url.URL{Scheme: "file", OmitHost: true, Path: to}).String())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, pool.Close()) }()
	pool.SetMaxOpenConns(1)
	return migrations.BringUp(ctx, pool, &database.SQLite, false, nil)
}

func errBackupExists(file string) error {
	return topup.Conflict("%s exists: a backup never overwrites a file, give it a new name", file)
}

// copyInto writes what the database holds at this moment into the file, and
// sees it onto the disk. VACUUM INTO only reads, but the readers' connections
// refuse it, so it has one of its own.
func (s Source) copyInto(ctx context.Context, file string) error {
	made, err := os.OpenFile(file, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer made.Close()
	pool, orm, err := database.OpenPool(s.Files, 1, database.Ordinary)
	if err != nil {
		return err
	}
	defer pool.Close()
	if err := orm.WithContext(ctx).Exec("VACUUM INTO ?", file).Error; err != nil {
		return fmt.Errorf("copy the database: %w", err)
	}
	if err := sqlite.RemoveMarks(made); err != nil {
		return err
	}
	return made.Sync()
}

// finished opens a copy that nobody writes to.
func finished(file string) (*sql.DB, *gorm.DB, error) {
	source := url.URL{Scheme: "file", OmitHost: true, Path: file, RawQuery: "mode=ro&immutable=1"}
	pool, err := sql.Open(sqlite.DriverName, source.String())
	if err != nil {
		return nil, nil, err
	}
	orm, err := gorm.Open(gormsqlite.Dialector{DriverName: sqlite.DriverName, Conn: pool}, &gorm.Config{Logger: logger.Discard, DisableAutomaticPing: true})
	if err != nil {
		return nil, nil, errors.Join(err, pool.Close())
	}
	return pool, orm, nil
}

// checkFile asks SQLite whether a file is sound.
func checkFile(ctx context.Context, file string) (err error) {
	pool, orm, err := finished(file)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, pool.Close()) }()
	return checkIntegrity(orm.WithContext(ctx))
}

func checkIntegrity(db *gorm.DB) error {
	damage, err := check.Lines(db, `SELECT integrity_check FROM pragma_integrity_check WHERE integrity_check <> 'ok'`)
	if err == nil && len(damage) > 0 {
		err = fmt.Errorf("the copy is damaged: %s", damage[0])
	}
	return err
}

// verifyCopy checks a finished copy, and says how far it reaches.
func verifyCopy(ctx context.Context, file string) (report Report, err error) {
	pool, orm, err := finished(file)
	if err != nil {
		return report, err
	}
	defer func() { err = errors.Join(err, pool.Close()) }()
	err = database.Snapshot(ctx, &database.SQLite, orm, func(db *gorm.DB) error {
		if err := checkIntegrity(db); err != nil {
			return err
		}
		if report.Check, err = check.Book(ctx, &database.SQLite, db); err != nil {
			return err
		}
		if n := len(report.Check.Problems); n > 0 {
			return fmt.Errorf("the ledger is broken, run ledger check: %d problems, the first: %s", n, report.Check.Problems[0])
		}
		var reaches sql.NullInt64
		err = db.Raw(`SELECT max(coalesce((SELECT recorded_at FROM transactions ORDER BY seq DESC LIMIT 1), 0),
			coalesce((SELECT received_at FROM messages ORDER BY id DESC LIMIT 1), 0),
			coalesce((SELECT created_at FROM payments ORDER BY id DESC LIMIT 1), 0)),
			(SELECT coalesce(max(seq), 0) FROM transactions)`).Row().Scan(&reaches, &report.LastSeq)
		report.ReachesTo = database.FromMicros(reaches.Int64)
		return err
	})
	return report, err
}

// publish gives a finished file its name, and sees that to disk. It fails with
// fs.ErrExist when the name was taken meanwhile: a link, unlike a rename,
// never replaces anything.
func publish(draft, target string) error {
	if err := os.Link(draft, target); err != nil {
		if errors.Is(err, fs.ErrExist) {
			return err
		}
		// A file system without links.
		if _, taken := os.Lstat(target); taken == nil {
			return fs.ErrExist
		}
		if err := os.Rename(draft, target); err != nil {
			return err
		}
	}
	return sqlite.SyncFolder(target)
}
