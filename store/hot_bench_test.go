package store

import (
	"crypto/rand"
	"testing"
	"time"
)

// BenchmarkNewID makes one of our ids from the system's randomness, as the
// writer does.
func BenchmarkNewID(b *testing.B) {
	now := time.Now()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := newID(paymentPrefix, now, rand.Reader); err != nil {
			b.Fatal(err)
		}
	}
}
