package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// dialect is what the two databases say differently.
type dialect struct {
	name string
	// beginRead begins a transaction that reads one moment and writes nothing.
	beginRead string
	// position is the function that finds a text in a text: instr(text, part).
	position string
	// countTables counts the tables of a name.
	countTables string
	// created reads when the first table was made, in Unix seconds.
	created string
	// errNoTables is what is wrong with a database that should have tables and has none.
	errNoTables error
}

var sqliteDialect = dialect{
	name: "sqlite",
	// The drivers' own transactions would begin IMMEDIATE, which takes the write lock.
	beginRead:   "BEGIN DEFERRED",
	position:    "instr",
	countTables: `SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = ?`,
	created:     `SELECT CAST(strftime('%s', min(tstamp)) AS INTEGER) FROM goose_db_version`,
	errNoTables: errors.New("the file is damaged, or of another program: it has no tables of tolem's; correct database.dsn, or restore a backup (docs/operations.md, Backup and restore)"),
}

// assertPrimary makes sure that what a transaction reads is the primary's, also
// where a pooler balances load statement by statement.
func (d *dialect) assertPrimary(ctx context.Context, conn *sql.Conn) error {
	if d.name != postgresDialect.name {
		return nil
	}
	// The first question changes nothing, but is a volatile function's: after it
	// pgpool-II sends the rest of the transaction to the primary.
	var standby sql.NullString
	if err := conn.QueryRowContext(ctx, `SELECT pg_is_in_recovery()`).Scan(new(bool)); err != nil {
		return fmt.Errorf("ask whether this is the primary: %w", err)
	}
	if err := conn.QueryRowContext(ctx, onStandbySQL).Scan(&standby); err != nil {
		return fmt.Errorf("ask whether this is the primary: %w", err)
	}
	if standby.String == "on" {
		return errOnStandby
	}
	return nil
}
