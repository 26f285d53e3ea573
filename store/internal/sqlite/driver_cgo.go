//go:build cgo

package sqlite

import (
	"net/url"

	_ "github.com/mattn/go-sqlite3" // the SQLite driver of a build with a C compiler
)

// DriverName is the database/sql driver behind GORM's SQLite dialector.
const DriverName = "sqlite3"

// query are the settings as that driver reads them. mattn/go-sqlite3 sets
// synchronous=NORMAL and leaves foreign keys off unless told otherwise.
func (c Connection) query() url.Values {
	query := url.Values{
		"_journal_mode": {"WAL"},
		"_synchronous":  {"FULL"},
		"_foreign_keys": {"on"},
		"_txlock":       {"immediate"},
		"_busy_timeout": {c.busyTimeoutMillis()},
		"_cache_size":   {c.cacheSize()},
		"_mutex":        {"no"}, // database/sql gives a connection to one goroutine at a time
	}
	if c.ReadOnly {
		query.Set("_query_only", "true")
	}
	if c.BatchWAL && registerBatchingVFS() {
		query.Set("vfs", batchingVFS)
	}
	return query
}
