// Package database opens SQLite files and PostgreSQL servers for the store: pools of
// connections with GORM on top, the settings of their sessions, what the two say
// differently, and which databases are refused. It knows no rule and no query.
package database

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// Dialect is what the two databases say differently.
type Dialect struct {
	Name string
	// BeginRead begins a transaction that reads one moment and writes nothing.
	BeginRead string
	// Position is the function that finds a text in a text: instr(text, part).
	Position string
	// CountTables counts the tables of a name.
	CountTables string
	// Created reads when the first table was made, in Unix seconds.
	Created string
	// ErrNoTables is what is wrong with a database that should have tables and has none.
	ErrNoTables error
}

var SQLite = Dialect{
	Name: "sqlite",
	// The drivers' own transactions would begin IMMEDIATE, which takes the write lock.
	BeginRead:   "BEGIN DEFERRED",
	Position:    "instr",
	CountTables: `SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = ?`,
	Created:     `SELECT CAST(strftime('%s', min(tstamp)) AS INTEGER) FROM goose_db_version`,
	ErrNoTables: errors.New("the file is damaged, or of another program: it has no tables of tolem's; correct database.dsn, or restore a backup (docs/operations.md, Backup and restore)"),
}

// AssertPrimary makes sure that what a transaction reads is the primary's, also
// where a pooler balances load statement by statement.
func (d *Dialect) AssertPrimary(ctx context.Context, conn *sql.Conn) error {
	if d.Name != Postgres.Name {
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

// SkipLocked ends a query that passes over the rows that others have locked.
func (d *Dialect) SkipLocked() string {
	if d.Name == SQLite.Name {
		return ""
	}
	return " FOR UPDATE SKIP LOCKED"
}
