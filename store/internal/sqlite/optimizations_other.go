//go:build !cgo

package sqlite

// Optimization is a way of being faster that needs the C build of SQLite.
type Optimization struct {
	Name string
	Live bool
}

// Optimizations are all of them; without C none is live.
func Optimizations() []Optimization {
	return []Optimization{{Name: "direct_statements"}, {Name: "batched_wal"}, {Name: "own_page_cache"}, {Name: "no_memory_statistics"}}
}
