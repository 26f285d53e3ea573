//go:build cgo

package store

import (
	"net/url"

	_ "github.com/mattn/go-sqlite3" // the SQLite driver of a build with a C compiler
)

// DriverName is the database/sql driver behind GORM's SQLite dialector.
const DriverName = "sqlite3"

// pragmas are the connection settings of that driver. mattn/go-sqlite3 sets
// synchronous=NORMAL and leaves foreign keys off unless told otherwise.
func pragmas() url.Values {
	return url.Values{
		"_journal_mode": {"WAL"},
		"_synchronous":  {"FULL"},
		"_foreign_keys": {"on"},
		"_txlock":       {"immediate"},
		"_busy_timeout": {busyTimeoutMillis},
		"_cache_size":   {cacheSize},
		"_mutex":        {"no"}, // database/sql gives a connection to one goroutine at a time
	}
}

// readOnlyPragmas are added on the connections that only read.
func readOnlyPragmas() url.Values { return url.Values{"_query_only": {"true"}} }
