//go:build cgo

package sqlite

import "testing"

// TestEveryOptimizationIsLive with the SQLite that this program is built with.
func TestEveryOptimizationIsLive(t *testing.T) {
	for _, o := range Optimizations() {
		if !o.Live {
			t.Errorf("%s is not live", o.Name)
		}
	}
}

// TestMain does as a store does, so that no test opens a connection before.
func TestMain(m *testing.M) {
	DisableMemoryStatistics()
	m.Run()
}
