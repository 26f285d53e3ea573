package engine

import (
	"crypto/rand"
	"testing"
	"time"
)

// BenchmarkNewID makes one of our ids from the system's randomness, as the
// Writer does.
func BenchmarkNewID(b *testing.B) {
	now := time.Now()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := NewID("p_", now, rand.Reader); err != nil {
			b.Fatal(err)
		}
	}
}
