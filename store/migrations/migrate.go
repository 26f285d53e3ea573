// Package migrations has the schema of the store as the steps that make it, for SQLite and for
// PostgreSQL, and carries them out.
package migrations

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"

	"tolem/store/internal/database"
	"tolem/store/internal/sqlite"
)

// Files are the migrations of both databases, in folders sqlite and postgres.
//
//go:embed */*.sql
var Files embed.FS

// ProgramLevel is the newest migration that this program was built with. A
// migration names the lowest level that can live with it (table
// schema_levels): a program of a lower level refuses to start, so that an old
// binary never works on tables that it does not understand, while a new column
// alone locks nobody out.
const ProgramLevel = 20

// SQLite brings the database to this program's schema, or, where it must exist
// already, refuses one that is behind. Migrations only go forward; two
// processes that start at once take turns.
func SQLite(ctx context.Context, path string, existing bool, report func(Migration)) (err error) {
	lock := flock.New(path + ".migrate.lock")
	if err := lock.Lock(); err != nil {
		return fmt.Errorf("lock: %w", err)
	}
	defer func() { err = errors.Join(err, lock.Unlock()) }()

	pool, err := sql.Open(sqlite.DriverName, database.Ordinary.DSN(path))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, pool.Close()) }()
	pool.SetMaxOpenConns(1)
	return BringUp(ctx, pool, &database.SQLite, existing, report)
}

// Postgres is [SQLite] for PostgreSQL.
func Postgres(ctx context.Context, server *database.Server, existing bool, report func(Migration)) (err error) {
	lock, err := pgx.ConnectConfig(ctx, server.Session(nil))
	if err != nil {
		return fmt.Errorf("connect: %w", database.ExplainConnect(err))
	}
	// Closing it gives the lock back.
	defer func() { err = errors.Join(err, lock.Close(context.WithoutCancel(ctx))) }()
	// Nothing is written, not even a table, to a server that may lose it.
	if err := server.AssertDurable(ctx, lock); err != nil {
		return err
	}
	if err := lockMigration(ctx, lock); err != nil {
		return fmt.Errorf("lock: %w", err)
	}
	// A migration waits for a table's lock behind whoever uses it, and everybody
	// else behind the migration: better to give up.
	pool := stdlib.OpenDB(*server.Session(map[string]string{"lock_timeout": "5s"}))
	defer func() { err = errors.Join(err, pool.Close()) }()
	if err := BringUp(ctx, pool, &database.Postgres, existing, report); err != nil {
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
		if _, err := conn.PgConn().Exec(ctx, "BEGIN ISOLATION LEVEL READ COMMITTED; "+database.UnlimitedSQL).ReadAll(); err != nil {
			return err
		}
		// In the simple protocol: the portal of the extended one stays open, with its
		// snapshot, until the transaction ends.
		answer, err := conn.PgConn().Exec(ctx, fmt.Sprintf("SELECT pg_try_advisory_xact_lock(%d, 0)", database.LockMigration)).ReadAll()
		if err != nil {
			return err
		}
		if string(answer[0].Rows[0][0]) == "t" {
			return nil
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
		FROM (SELECT greatest((SELECT max(seq) FROM transactions), (SELECT max(id) FROM messages),
			(SELECT max(id) FROM events), (SELECT spread FROM event_progress)) AS last) l,
			(SELECT f.base + 256 * CAST(CAST(pg_snapshot_xmax(pg_current_snapshot()) AS TEXT) AS BIGINT) AS ends FROM feed f) e
		WHERE l.last >= e.ends`)
	if err != nil {
		return fmt.Errorf("raise the feed: %w", err)
	}
	return nil
}

// Migration is one step of a schema to the next, which was carried out.
type Migration struct {
	Name     string // of its file
	From, To int64  // levels; From is 0 in a new database
	Took     time.Duration
}

// BringUp brings the database to this program's schema, or refuses one that is
// behind or too far ahead. report, if not nil, is called with every migration.
func BringUp(ctx context.Context, pool *sql.DB, d *database.Dialect, existing bool, report func(Migration)) error {
	if err := refuseNewer(ctx, pool, d); err != nil {
		return err
	}
	if existing {
		return refuseOlder(ctx, pool, d)
	}
	return BringUpTo(ctx, pool, d, math.MaxInt64, report)
}

// BringUpTo carries out the migrations up to a level.
func BringUpTo(ctx context.Context, pool *sql.DB, d *database.Dialect, level int64, report func(Migration)) error {
	files, err := fs.Sub(Files, d.Name)
	if err != nil {
		return err
	}
	kind := goose.DialectSQLite3
	if d.Name == database.Postgres.Name {
		kind = goose.DialectPostgres
	}
	provider, err := goose.NewProvider(kind, pool, files)
	if err != nil {
		return err
	}
	from, err := provider.GetDBVersion(ctx)
	if err != nil {
		return err
	}
	results, err := provider.UpTo(ctx, level)
	if failed := (*goose.PartialError)(nil); errors.As(err, &failed) {
		results = failed.Applied
	}
	for _, r := range results {
		if report != nil {
			report(Migration{filepath.Base(r.Source.Path), from, r.Source.Version, r.Duration})
		}
		from = r.Source.Version
	}
	return err
}

// SchemaLevel is the newest migration in a database, which is only read. The error
// is the dialect's errNoTables when it has none.
func SchemaLevel(ctx context.Context, pool *sql.DB, d *database.Dialect) (level int64, err error) {
	if err := refuseNewer(ctx, pool, d); err != nil {
		return 0, err
	}
	var tables int
	if err := pool.QueryRowContext(ctx, d.CountTables, "goose_db_version").Scan(&tables); err != nil {
		return 0, err
	}
	if tables == 0 {
		return 0, d.ErrNoTables
	}
	if err := pool.QueryRowContext(ctx, `SELECT coalesce(max(version_id), 0) FROM goose_db_version`).Scan(&level); err != nil {
		return 0, err
	}
	if level == 0 {
		return 0, d.ErrNoTables
	}
	return level, nil
}

// refuseOlder stops a command that would have to migrate first, perhaps under a
// server of the older version.
func refuseOlder(ctx context.Context, pool *sql.DB, d *database.Dialect) error {
	level, err := SchemaLevel(ctx, pool, d)
	if err != nil {
		return err
	}
	if level < ProgramLevel {
		return fmt.Errorf("the database has an older schema (%d) than this program (%d): make a backup, stop the server, run tolem migrate, start the new one", level, ProgramLevel)
	}
	return nil
}

// refuseNewer stops a program that a migration in the database has left behind.
func refuseNewer(ctx context.Context, pool *sql.DB, d *database.Dialect) error {
	var tables int
	err := pool.QueryRowContext(ctx, d.CountTables, "schema_levels").Scan(&tables)
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
