package store_test

import (
	"testing"

	"tolem/store"
)

// BenchmarkIntact is what every commit pays for knowing that its files are in
// their places.
func BenchmarkIntact(b *testing.B) {
	s := mustOpen(b, func(o *store.Options) { o.Exclusive = true })
	mustIssue(b, s)
	b.ReportAllocs()
	for b.Loop() {
		if err := s.Intact(); err != nil {
			b.Fatal(err)
		}
	}
}
