package database

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
	"slices"
	"strings"

	"tolem/store/internal/sqlite"
)

// sqliteMagic begins every SQLite file that holds anything.
const sqliteMagic = "SQLite format 3\x00"

// peculiarTables are ours since the first migration, and hardly anybody else's. One
// is enough: a database of ours that has lost the others is damaged, not foreign.
var peculiarTables = []string{"schema_levels", "suspense_items", "message_bodies"}

// namedTables is how many tables of another program's an error names.
const namedTables = 3

// RefuseOrphanedWAL refuses a database that is missing or empty while its
// write-ahead log is there: SQLite would delete the log, and with it commits.
func RefuseOrphanedWAL(path string) error {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	database, err := os.Stat(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) || err == nil && database.Size() > 0 {
		return nil
	}
	wal, err := os.Stat(path + "-wal")
	if err != nil || wal.Size() == 0 {
		return nil
	}
	return fmt.Errorf("%[1]s-wal is there, with what was written last, but %[1]s is missing or empty: put the database file back beside it, or move the -wal file away", path)
}

// RefuseForeign refuses a file of another program, before anything of it is
// changed: an empty file is fine, and so is one with our tables. A file that it
// cannot read is left to whoever opens it next, and reports why.
func RefuseForeign(ctx context.Context, path string) error {
	head := make([]byte, len(sqliteMagic))
	file, err := os.Open(path)
	if err != nil {
		return nil
	}
	n, err := io.ReadFull(file, head)
	_ = file.Close() // it was only read
	if err == nil && string(head) != sqliteMagic || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("%s is damaged, encrypted, or no SQLite database: name another file in database.dsn, or restore a backup (docs/operations.md, Backup and restore)", path)
	}
	if n == 0 {
		return nil
	}
	tables, ours, err := tablesOf(ctx, path)
	if err != nil || ours || len(tables) == 0 {
		return nil
	}
	more := ""
	if len(tables) > namedTables {
		more = fmt.Sprintf(" and %d more", len(tables)-namedTables)
		tables = tables[:namedTables]
	}
	return fmt.Errorf("%s is the database of another program, with the tables %s%s and none of tolem's: name another file in database.dsn", path, strings.Join(tables, ", "), more)
}

// tablesOf lists a file's tables, and reports whether they are this program's. The
// connection changes nothing, not even the journal mode.
func tablesOf(ctx context.Context, path string) (tables []string, ours bool, err error) {
	source := url.URL{Scheme: "file", OmitHost: true, Path: path, RawQuery: "mode=ro"}
	pool, err := sql.Open(sqlite.DriverName, source.String())
	if err != nil {
		return nil, false, err
	}
	defer func() { err = errors.Join(err, pool.Close()) }()
	rows, err := pool.QueryContext(ctx, `SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite\_%' ESCAPE '\' ORDER BY name`)
	if err != nil {
		return nil, false, err
	}
	defer rows.Close()
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return nil, false, err
		}
		tables = append(tables, name)
		ours = ours || slices.Contains(peculiarTables, name)
	}
	if len(tables) == 1 && tables[0] == "goose_db_version" {
		tables = nil // a first start that was cut short
	}
	return tables, ours, rows.Err()
}
