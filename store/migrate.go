package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

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
const ProgramLevel = 9

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
func migratePostgres(ctx context.Context, server *pgServer, existing bool) (err error) {
	turn, err := pgx.ConnectConfig(ctx, server.session(nil))
	if err != nil {
		return fmt.Errorf("connect: %w", explainConnect(err))
	}
	// Closing it gives the lock back.
	defer func() { err = errors.Join(err, turn.Close(context.WithoutCancel(ctx))) }()
	// Nothing is written, not even a table, to a server that may lose it.
	if err := server.assertDurable(ctx, turn); err != nil {
		return err
	}
	if err := lockMigration(ctx, turn); err != nil {
		return fmt.Errorf("lock: %w", err)
	}
	// A migration waits for a table's lock behind whoever uses it, and everybody
	// else behind the migration: better to give up.
	pool := stdlib.OpenDB(*server.session(map[string]string{"lock_timeout": "5s"}))
	defer func() { err = errors.Join(err, pool.Close()) }()
	if err := bringUp(ctx, pool, &postgresDialect, existing); err != nil {
		return err
	}
	// Also for who migrates nothing: an operator may be the first to write to a
	// restored database.
	return raiseFeed(ctx, pool)
}

// lockMigration makes this the only process that migrates, until the connection
// is closed. The lock is that of a transaction, which a pooler in transaction
// mode leaves alone. It is asked for again and again: a statement that waits for
// it would hold a snapshot, for which the other process's CREATE INDEX
// CONCURRENTLY waits.
func lockMigration(ctx context.Context, conn *pgx.Conn) error {
	for {
		if _, err := conn.PgConn().Exec(ctx, "BEGIN ISOLATION LEVEL READ COMMITTED; "+unlimitedSQL).ReadAll(); err != nil {
			return err
		}
		var held bool
		if err := conn.QueryRow(ctx, fmt.Sprintf("SELECT pg_try_advisory_xact_lock(%d, 0)", pgLockMigration)).Scan(&held); err != nil || held {
			return err
		}
		if _, err := conn.Exec(ctx, "ROLLBACK"); err != nil {
			return err
		}
		select {
		case <-time.After(migrationPoll):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// migrationPoll is how often a process asks whether another one has migrated.
const migrationPoll = 50 * time.Millisecond

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
	refused := (*pgconn.PgError)(nil)
	if !errors.As(err, &refused) {
		return err
	}
	switch {
	case refused.Code == "3D000":
		return fmt.Errorf("%s: create it, for example with createdb", refused.Message)
	case strings.HasPrefix(refused.Message, "unsupported startup parameter"): // PgBouncer's words
		return fmt.Errorf("%s: a pooler refuses what the URL sets; take it out of the URL, and set it for the role or database (ALTER ROLE … SET)", refused.Message)
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
