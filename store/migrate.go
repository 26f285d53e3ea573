package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"

	"github.com/gofrs/flock"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
)

//go:embed migrations/*/*.sql
var migrations embed.FS

// ProgramLevel is the newest migration that this program was built with. A
// migration names the lowest level that can live with it (table
// schema_levels): a program of a lower level refuses to start, so that an old
// binary never works on tables that it does not understand, while a new column
// alone locks nobody out.
const ProgramLevel = 8

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
	return bringUp(ctx, pool, &sqliteDialect, existing)
}

// migratePostgres is migrate for PostgreSQL.
func migratePostgres(ctx context.Context, config *pgx.ConnConfig, existing bool) (err error) {
	own := config.Copy()
	// A migration waits for a table's lock behind whoever uses it, and everybody
	// else behind the migration: better to give up.
	own.RuntimeParams["lock_timeout"] = "5s"
	pool := stdlib.OpenDB(*own)
	defer func() { err = errors.Join(err, pool.Close()) }()
	turn, err := pool.Conn(ctx)
	if err != nil {
		return fmt.Errorf("connect: %w", explainConnect(err))
	}
	defer func() { err = errors.Join(err, turn.Close()) }()
	// Nothing is written, not even a table, to a server that may lose it.
	if err := turn.Raw(func(driver any) error { return assertPostgres(ctx, driver.(*stdlib.Conn).Conn()) }); err != nil {
		return err
	}
	if _, err := turn.ExecContext(ctx, "SET lock_timeout = 0"); err != nil {
		return err
	}
	if _, err := turn.ExecContext(ctx, "SELECT pg_advisory_lock($1, 0)", pgLockMigration); err != nil {
		return fmt.Errorf("lock: %w", err)
	}
	defer func() {
		_, unlock := turn.ExecContext(context.WithoutCancel(ctx), "SELECT pg_advisory_unlock($1, 0)", pgLockMigration)
		err = errors.Join(err, unlock)
	}()
	if err := bringUp(ctx, pool, &postgresDialect, existing); err != nil {
		return err
	}
	// Also for who migrates nothing: an operator may be the first to write to a
	// restored database.
	return raiseFeed(ctx, pool)
}

// raiseFeed lets places in the feed go on rising in a database that came from
// another cluster, where transactions had higher numbers.
func raiseFeed(ctx context.Context, pool *sql.DB) error {
	// What is visible was numbered below the number that comes next, unless it
	// was numbered elsewhere.
	_, err := pool.ExecContext(ctx, `UPDATE feed SET base = base + l.last - e.ends + 256
		FROM (SELECT greatest(coalesce((SELECT max(seq) FROM transactions), 0), coalesce((SELECT max(id) FROM messages), 0)) AS last) l,
			(SELECT f.base + 256 * CAST(CAST(pg_snapshot_xmax(pg_current_snapshot()) AS TEXT) AS BIGINT) AS ends FROM feed f) e
		WHERE l.last >= e.ends`)
	if err != nil {
		return fmt.Errorf("raise the feed: %w", err)
	}
	return nil
}

// explainConnect says what to do about a connection that was refused, without
// repeating the URL.
func explainConnect(err error) error {
	if refused := (*pgconn.PgError)(nil); errors.As(err, &refused) && refused.Code == "3D000" {
		return fmt.Errorf("%s: create it, for example with createdb", refused.Message)
	}
	return err
}

// bringUp brings the database to this program's schema, or refuses one that is
// behind or too far ahead.
func bringUp(ctx context.Context, pool *sql.DB, d *dialect, existing bool) error {
	if err := refuseNewer(ctx, pool, d); err != nil {
		return err
	}
	files, err := fs.Sub(migrations, "migrations/"+d.name)
	if err != nil {
		return err
	}
	kind := goose.DialectSQLite3
	if d == &postgresDialect {
		kind = goose.DialectPostgres
	}
	provider, err := goose.NewProvider(kind, pool, files)
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
func refuseNewer(ctx context.Context, pool *sql.DB, d *dialect) error {
	var tables int
	err := pool.QueryRowContext(ctx, d.countTables, "schema_levels").Scan(&tables)
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
