//go:build cgo

package sqlite

// Optimization is a way of being faster that needs SQLite's C functions as they
// were when it was written.
type Optimization struct {
	Name string
	Live bool
}

// Optimizations are all of them. What is asked for before the first connection is
// live once that was opened.
func Optimizations() []Optimization {
	return []Optimization{
		{"direct_statements", directLinked()},
		{"batched_wal", registerBatchingVFS()},
		{"own_page_cache", ownPageCache},
		{"no_memory_statistics", memoryStatisticsOff.Load()},
	}
}
