//go:build !cgo

package sqlite

// DisableMemoryStatistics is for the C build of SQLite.
func DisableMemoryStatistics() {}

// LookasideMisses is known only with SQLite in C.
func (*Statement) LookasideMisses() (times int, known bool) { return 0, false }
