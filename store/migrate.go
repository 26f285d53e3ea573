package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"

	"github.com/gofrs/flock"
	"github.com/pressly/goose/v3"
)

//go:embed migrations/sqlite/*.sql
var sqliteMigrations embed.FS

// ProgramLevel is the newest migration that this program was built with. A
// migration names the lowest level that can live with it (table
// schema_levels): a program of a lower level refuses to start, so that an old
// binary never works on tables that it does not understand, while a new column
// alone locks nobody out.
const ProgramLevel = 2

// migrate brings the database to this program's schema, or, where it must exist
// already, refuses one that is behind. Migrations only go forward; two
// processes that start at once take turns.
func migrate(ctx context.Context, path string, existing bool) (err error) {
	lock := flock.New(path + ".migrate.lock")
	if err := lock.Lock(); err != nil {
		return fmt.Errorf("lock: %w", err)
	}
	defer func() { err = errors.Join(err, lock.Unlock()) }()

	pool, err := sql.Open(DriverName, DSN(path))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, pool.Close()) }()
	pool.SetMaxOpenConns(1)

	if err := refuseNewer(ctx, pool); err != nil {
		return err
	}
	files, err := fs.Sub(sqliteMigrations, "migrations/sqlite")
	if err != nil {
		return err
	}
	provider, err := goose.NewProvider(goose.DialectSQLite3, pool, files)
	if err != nil {
		return err
	}
	if existing {
		return refuseOlder(ctx, provider)
	}
	_, err = provider.Up(ctx)
	return err
}

// refuseOlder stops a command that would have to migrate first, perhaps under a
// server of the older version.
func refuseOlder(ctx context.Context, provider *goose.Provider) error {
	pending, err := provider.HasPending(ctx)
	if err != nil {
		return err
	}
	if pending {
		return errors.New("the database has an older schema than this program: stop the server, run tolem migrate, start the new one")
	}
	return nil
}

// refuseNewer stops a program that a migration in the database has left behind.
func refuseNewer(ctx context.Context, pool *sql.DB) error {
	var tables int
	err := pool.QueryRowContext(ctx, `SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = 'schema_levels'`).Scan(&tables)
	if err != nil || tables == 0 {
		return err
	}
	var migration, oldest int
	err = pool.QueryRowContext(ctx, `SELECT migration, oldest_program FROM schema_levels ORDER BY oldest_program DESC LIMIT 1`).Scan(&migration, &oldest)
	if err != nil {
		return err
	}
	if oldest > ProgramLevel {
		return fmt.Errorf("migration %d of this database needs a program of level %d or newer; this one has level %d: install the newer tolem",
			migration, oldest, ProgramLevel)
	}
	return nil
}
