package store_test

import (
	"context"
	"testing"
	"time"
)

// BenchmarkAccount measures check_deposit's query; BenchmarkOffer is verify's.
func BenchmarkAccount(b *testing.B) {
	s := mustOpen(b)
	mustPut(b, s, record("7123456789"))
	ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
	defer cancel()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Account(ctx, "7123456789"); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkPayment reads one payment.
func BenchmarkPayment(b *testing.B) {
	s := mustOpen(b)
	id := mustIssue(b, s)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Payment(context.Background(), id); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkRepeat measures a callback that was recorded before: the platform
// sends each at least once.
func BenchmarkRepeat(b *testing.B) {
	s := mustOpen(b)
	event, body := paid(mustIssue(b, s), "1"), make([]byte, 900)
	if _, err := s.Record(context.Background(), event, body); err != nil {
		b.Fatal(err)
	}
	b.SetParallelism(32)
	reportCPU(b)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := s.Record(context.Background(), event, body); err != nil {
				b.Error(err)
			}
		}
	})
}
