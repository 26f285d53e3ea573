package store

import "errors"

// dialect is what the two databases say differently.
type dialect struct {
	name string
	// beginRead begins a transaction that reads one moment and writes nothing.
	beginRead string
	// position is the function that finds a text in a text: instr(text, part).
	position string
	// countTables counts the tables of a name.
	countTables string
	// errNoTables is what is wrong with a database that should have tables and has none.
	errNoTables error
}

var sqliteDialect = dialect{
	name: "sqlite",
	// The drivers' own transactions would begin IMMEDIATE, which takes the write lock.
	beginRead:   "BEGIN DEFERRED",
	position:    "instr",
	countTables: `SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = ?`,
	errNoTables: errors.New("the file is damaged, or of another program: it has no tables of tolem's; correct database.dsn, or restore a backup (docs/operations.md, Backup and restore)"),
}
