package store

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"tolem/topup"
)

// copiedFromKey is where meta of a copy keeps which database it was copied from,
// if that was not SQLite.
const copiedFromKey = "copied_from"

// BackupReport is what a copy holds.
type BackupReport struct {
	File  string
	Bytes int64
	// ReachesTo is when the last thing in the copy was recorded: a ledger
	// transaction, a provider's message or an issued payment. Zero when it
	// holds none. What the platform was told later is not in the copy.
	ReachesTo time.Time
	LastSeq   int64 // newest place in the feed, 0 when there is none
	Check     CheckReport
}

// Backup makes a consistent copy of the database in a new file while others
// write, and verifies it: the copy passes SQLite's own integrity check and
// Check. It is written under another name in the same folder and gets its own
// name only when it is on disk and sound, so that a file of that name is
// always a good copy. The error is of KindConflict when the file exists.
//
// The copy is one SQLite file, for its owner only, that Open opens like any
// other, whichever database it was copied from.
func (s *Store) Backup(ctx context.Context, file string) (report BackupReport, err error) {
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
	draft := filepath.Join(filepath.Dir(target), "."+filepath.Base(target)+"."+rand.Text()[:8]+".part")
	defer func() {
		if gone := os.Remove(draft); gone != nil && !errors.Is(gone, fs.ErrNotExist) {
			err = errors.Join(err, gone)
		}
	}()
	copyInto := s.copyInto
	if s.dialect.name != sqliteDialect.name {
		copyInto = s.copyPostgresInto
	}
	if err := copyInto(ctx, draft); err != nil {
		return report, fmt.Errorf("back up: %w", err)
	}
	if report, err = verifyCopy(ctx, draft); err != nil {
		return report, fmt.Errorf("verify the backup: %w", err)
	}
	report.File = target
	if err := publish(draft, target); err != nil {
		if errors.Is(err, fs.ErrExist) {
			return report, errBackupExists(file)
		}
		return report, fmt.Errorf("name the backup: %w", err)
	}
	return report, nil
}

func errBackupExists(file string) error {
	return topup.Conflict("%s exists: a backup never overwrites a file, give it a new name", file)
}

// copyInto writes what the database holds at this moment into the file, and
// sees it onto the disk. VACUUM INTO only reads, but the readers' connections
// refuse it, so it has one of its own.
func (s *Store) copyInto(ctx context.Context, file string) error {
	made, err := os.OpenFile(file, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer made.Close()
	pool, orm, err := openPool(s.files, 1)
	if err != nil {
		return err
	}
	defer pool.Close()
	if err := orm.WithContext(ctx).Exec("VACUUM INTO ?", file).Error; err != nil {
		return fmt.Errorf("copy the database: %w", err)
	}
	if err := removeMarks(made); err != nil {
		return err
	}
	return made.Sync()
}

// verifyCopy checks a finished copy, which nobody writes to, and says how far
// it reaches.
func verifyCopy(ctx context.Context, file string) (report BackupReport, err error) {
	source := url.URL{Scheme: "file", OmitHost: true, Path: file, RawQuery: "mode=ro&immutable=1"}
	pool, err := sql.Open(DriverName, source.String())
	if err != nil {
		return report, err
	}
	defer func() { err = errors.Join(err, pool.Close()) }()
	orm, err := gorm.Open(sqlite.Dialector{DriverName: DriverName, Conn: pool}, &gorm.Config{Logger: logger.Discard, DisableAutomaticPing: true})
	if err != nil {
		return report, err
	}
	err = snapshot(ctx, &sqliteDialect, orm, func(db *gorm.DB) error {
		damage, err := lines(db, `SELECT integrity_check FROM pragma_integrity_check WHERE integrity_check <> 'ok'`)
		if err != nil {
			return err
		}
		if len(damage) > 0 {
			return fmt.Errorf("the copy is damaged: %s", damage[0])
		}
		if report.Check, err = checkBook(ctx, &sqliteDialect, db); err != nil {
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
		report.ReachesTo = fromMicros(reaches.Int64)
		return err
	})
	if err != nil {
		return report, err
	}
	info, err := os.Stat(file)
	if err != nil {
		return report, err
	}
	report.Bytes = info.Size()
	return report, nil
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
	return syncFolder(target)
}

// syncFolder sees to disk that a file has its name.
func syncFolder(file string) error {
	folder, err := os.Open(filepath.Dir(file))
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}
