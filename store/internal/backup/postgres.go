package backup

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"

	"gorm.io/gorm"

	"tolem/store/internal/check"
	"tolem/store/internal/database"
	"tolem/store/internal/sqlite"
	"tolem/store/migrations"
)

// A PostgreSQL database is copied into a SQLite file: the tables and columns
// are the same, and the copy is one file that every tolem opens, checks and
// serves. It is no substitute for the server's own backups, which can be
// brought up to the last commit.

// copyPostgresInto writes what the database holds at one moment into the file,
// row by row, and sees it onto the disk.
func (s Source) copyPostgresInto(ctx context.Context, file string) (err error) {
	made, err := os.OpenFile(file, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer made.Close()
	// Nobody else sees the file before it is whole: no WAL, and one sync at the end.
	pool, err := sql.Open(sqlite.DriverName, (&url.URL{Scheme: "file", OmitHost: true, Path: file}).String())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, pool.Close()) }()
	pool.SetMaxOpenConns(1)
	if err := migrations.BringUpTo(ctx, pool, &database.SQLite, min(s.Level, migrations.ProgramLevel), nil); err != nil {
		return fmt.Errorf("make the copy's tables: %w", err)
	}
	tx, err := pool.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // after the commit it does nothing
	err = database.Snapshot(ctx, s.Dialect, s.Read, func(db *gorm.DB) error { return copyTables(ctx, db, tx) })
	if err != nil {
		return fmt.Errorf("copy the database: %w", err)
	}
	if err := tx.Commit(); err != nil {
		return err
	}
	return made.Sync()
}

// copyTables fills the tables of an empty SQLite database.
func copyTables(ctx context.Context, from *gorm.DB, into *sql.Tx) error {
	tables, err := copiedTables(ctx, into)
	if err != nil {
		return err
	}
	// Indexes and triggers come after the rows: so an index is sorted once, and
	// no trigger looks for what each row might replace.
	later, err := takeDown(ctx, into)
	if err != nil {
		return err
	}
	for _, table := range tables {
		if err := copyTable(ctx, from, into, table); err != nil {
			return fmt.Errorf("table %s: %w", table.name, err)
		}
	}
	for _, statement := range later {
		if _, err := into.ExecContext(ctx, statement); err != nil {
			return fmt.Errorf("%s: %w", statement, err)
		}
	}
	_, err = into.ExecContext(ctx, `INSERT INTO meta (key, value) VALUES (?, ?)`, check.CopiedFromKey, "postgres")
	return err
}

// copiedTable is a table of SQLite, with its columns in their order.
type copiedTable struct {
	name    string
	columns []string
	isBlob  []bool
}

// copiedTables are all tables but those that tell how the tables were made.
func copiedTables(ctx context.Context, db *sql.Tx) (tables []copiedTable, err error) {
	rows, err := db.QueryContext(ctx, `SELECT t.name, c.name, c.type = 'BLOB' FROM sqlite_master t JOIN pragma_table_info(t.name) c
		WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite%' AND t.name NOT IN ('goose_db_version', 'schema_levels')
		ORDER BY t.name, c.cid`)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var table, column string
		var isBlob bool
		if err := rows.Scan(&table, &column, &isBlob); err != nil {
			return nil, err
		}
		if n := len(tables); n == 0 || tables[n-1].name != table {
			tables = append(tables, copiedTable{name: table})
		}
		last := &tables[len(tables)-1]
		last.columns, last.isBlob = append(last.columns, column), append(last.isBlob, isBlob)
	}
	return tables, rows.Err()
}

// takeDown drops the indexes and triggers, and returns the statements that make
// them again, word for word.
func takeDown(ctx context.Context, db *sql.Tx) (statements []string, err error) {
	rows, err := db.QueryContext(ctx, `SELECT type, name, sql FROM sqlite_master WHERE type IN ('index', 'trigger') AND sql IS NOT NULL`)
	if err != nil {
		return nil, err
	}
	var drops []string
	for rows.Next() {
		var kind, name, statement string
		if err := rows.Scan(&kind, &name, &statement); err != nil {
			return nil, errors.Join(err, rows.Close())
		}
		drops = append(drops, "DROP "+kind+" "+name)
		statements = append(statements, statement)
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return nil, err
	}
	for _, drop := range drops {
		if _, err := db.ExecContext(ctx, drop); err != nil {
			return nil, err
		}
	}
	return statements, nil
}

// copyTable copies a table. Running totals are kept in parts: their view has
// them as the table of SQLite does.
func copyTable(ctx context.Context, from *gorm.DB, into *sql.Tx, t copiedTable) (err error) {
	if _, err := into.ExecContext(ctx, "DELETE FROM "+t.name); err != nil { // what the migrations have put there
		return err
	}
	source, list := t.name, strings.Join(t.columns, ", ")
	if source == "ledger_accounts" {
		source = migrations.BalancesTable
	}
	insert, err := into.PrepareContext(ctx, "INSERT INTO "+t.name+" ("+list+") VALUES (?"+strings.Repeat(", ?", len(t.columns)-1)+")")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, insert.Close()) }()
	rows, err := from.Raw("SELECT " + list + " FROM " + source + " ORDER BY 1").Rows()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	values, places := make([]any, len(t.columns)), make([]any, len(t.columns))
	for i := range places {
		places[i] = &values[i]
	}
	for rows.Next() {
		if err := rows.Scan(places...); err != nil {
			return err
		}
		for i, isBlob := range t.isBlob {
			// Raw bodies are text in PostgreSQL.
			if text, ok := values[i].(string); ok && isBlob {
				values[i] = []byte(text)
			}
		}
		if _, err := insert.ExecContext(ctx, values...); err != nil {
			return err
		}
	}
	return rows.Err()
}
