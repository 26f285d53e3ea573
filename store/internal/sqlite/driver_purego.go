//go:build !cgo

package sqlite

import (
	"net/url"

	_ "modernc.org/sqlite" // the SQLite driver of a build without a C compiler
)

// DriverName is the database/sql driver behind GORM's SQLite dialector.
const DriverName = "sqlite"

// query are the settings as that driver reads them, in the order in which it
// applies them.
func (c Connection) query() url.Values {
	pragmas := []string{
		"busy_timeout(" + c.busyTimeoutMillis() + ")",
		"journal_mode(WAL)",
		"synchronous(FULL)",
		"foreign_keys(ON)",
		"cache_size(" + c.cacheSize() + ")",
	}
	if c.ReadOnly {
		pragmas = append(pragmas, "query_only(ON)")
	}
	return url.Values{"_pragma": pragmas, "_txlock": {"immediate"}}
}
