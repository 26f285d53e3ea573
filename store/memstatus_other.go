//go:build !cgo

package store

// disableMemoryStatistics is for the C build of SQLite.
func disableMemoryStatistics() {}
