package store

import (
	"context"
	"errors"

	"tolem/store/internal/backup"
)

// BackupReport is what a copy holds.
type BackupReport = backup.Report

// Backup makes a consistent copy of the database in a new file while others
// write, and verifies it: the copy passes SQLite's own integrity check and
// Check. The error is of KindConflict when the file exists.
//
// The copy is one SQLite file, for its owner only, that Open opens like any
// other, whichever database it was copied from.
func (s *Store) Backup(ctx context.Context, file string) (BackupReport, error) {
	return backup.Source{Dialect: s.dialect, Level: ProgramLevel, Files: s.files, Read: s.reader.ORM}.Backup(ctx, file)
}

// Backup is [Store.Backup] of a database that may have the schema of any older
// program, as before an upgrade. Nothing in it is changed. The copy has the
// schema of the original; what is verified by Check is a copy of that, brought to
// this program's schema.
func Backup(ctx context.Context, o Options, file string) (report BackupReport, err error) {
	source, closeSource, err := backup.Open(ctx, o.Postgres, o.Path)
	if err != nil {
		return report, err
	}
	defer func() { err = errors.Join(err, closeSource()) }()
	return source.Backup(ctx, file)
}
