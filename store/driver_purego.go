//go:build !cgo

package store

import (
	"net/url"

	_ "modernc.org/sqlite" // the SQLite driver of a build without a C compiler
)

// DriverName is the database/sql driver behind GORM's SQLite dialector.
const DriverName = "sqlite"

// pragmas are the connection settings of that driver, in the order in which it
// applies them.
func pragmas() url.Values {
	return url.Values{
		"_pragma": {
			"busy_timeout(" + busyTimeoutMillis + ")",
			"journal_mode(WAL)",
			"synchronous(FULL)",
			"foreign_keys(ON)",
			"cache_size(" + cacheSize + ")",
		},
		"_txlock": {"immediate"},
	}
}

// readOnlyPragmas are added on the connections that only read.
func readOnlyPragmas() url.Values { return url.Values{"_pragma": {"query_only(ON)"}} }
