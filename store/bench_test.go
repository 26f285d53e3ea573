package store_test

import (
	"bytes"
	"context"
	"fmt"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// reportCPU adds the processor time of an operation to a benchmark's figures:
// on a shared machine it drifts far less than the time on the wall.
func reportCPU(b *testing.B) {
	spent := func() time.Duration {
		var u syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
			b.Fatal(err)
		}
		return time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	before := spent()
	b.ReportAllocs()
	b.ResetTimer()
	b.Cleanup(func() { b.ReportMetric(float64(spent()-before)/float64(b.N), "cpu-ns/op") })
}

// BenchmarkIssue and BenchmarkRecord measure what the writer can do when many
// wait for it.
func BenchmarkIssue(b *testing.B) {
	s := mustOpen(b)
	b.SetParallelism(32)
	reportCPU(b)
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
	body := bytes.Repeat([]byte("x"), 900)
	n.Store(0)
	reportCPU(b)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			i := n.Add(1)
			if _, err := s.Record(context.Background(), paid(ids[i-1], fmt.Sprint(i)), body); err != nil {
				b.Error(err)
			}
		}
	})
	b.StopTimer()
	if got := queryInt(b, rawOpen(b, s), `SELECT count(*) FROM transactions`); got != int64(b.N) {
		b.Fatalf("acknowledged %d, booked %d", b.N, got)
	}
}
