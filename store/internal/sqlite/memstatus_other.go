//go:build !cgo

package sqlite

// DisableMemoryStatistics is for the C build of SQLite.
func DisableMemoryStatistics() {}
