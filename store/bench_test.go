package store_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
)

// BenchmarkIssue and BenchmarkRecord measure what the writer can do when many
// wait for it.
func BenchmarkIssue(b *testing.B) {
	s := mustOpen(b)
	b.SetParallelism(32)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			mustIssue(b, s)
		}
	})
}

func BenchmarkRecord(b *testing.B) {
	s := mustOpen(b)
	ids := make([]string, b.N)
	var n atomic.Int64
	b.SetParallelism(32)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			ids[n.Add(1)-1] = mustIssue(b, s)
		}
	})
	body := make([]byte, 900)
	n.Store(0)
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			i := n.Add(1)
			if _, err := s.Record(context.Background(), paid(ids[i-1], fmt.Sprint(i)), body); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.StopTimer()
	if got := queryInt(b, rawOpen(b, s.Path()), `SELECT count(*) FROM transactions`); got != int64(b.N) {
		b.Fatalf("acknowledged %d, booked %d", b.N, got)
	}
}
