package store_test

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"tolem/store"
	"tolem/view"
)

// BenchmarkPagesOfACallback counts the pages that a callback puts into the WAL when
// nothing shares its transaction, without an endpoint for notifications and with
// one, and those of what the dispatcher notes in rounds of thirty.
//
//	go test ./store -run '^$' -bench PagesOfACallback -benchtime 3000x
func BenchmarkPagesOfACallback(b *testing.B) {
	for name, endpoints := range map[string][]store.Endpoint{"without": nil, "with": {{Name: "billing"}}} {
		b.Run(name, func(b *testing.B) {
			ctx := context.Background()
			path := b.TempDir() + "/tolem.db"
			s, err := store.Open(ctx, store.Options{Path: path, NotificationBody: view.NotificationBody})
			if err != nil {
				b.Fatal(err)
			}
			defer s.Close()
			if err := s.SetEndpoints(ctx, endpoints); err != nil {
				b.Fatal(err)
			}
			// So many payments that a page has one of those at hand.
			ids := make([]string, b.N)
			for i := range ids {
				ids[i] = mustIssue(b, s, func(n *store.NewPayment) {
					n.CustomerID = fmt.Sprint(7_000_000_000 + i*617%1000)
					n.ContractID, n.ContractNumber = n.CustomerID+"1", n.CustomerID[3:]
				})
			}
			_, release := store.HoldCheckpoints(s)
			defer release()
			pages := func() float64 {
				info, err := os.Stat(path + "-wal")
				if err != nil {
					b.Fatal(err)
				}
				return float64(info.Size()-32) / (4096 + 24)
			}
			var noted float64
			body := make([]byte, 900)
			before := pages()
			b.ResetTimer()
			for i := range ids {
				if _, err := s.Record(ctx, paid(ids[i], fmt.Sprint(i)), body); err != nil {
					b.Fatal(err)
				}
				if i%30 > 0 || endpoints == nil {
					continue
				}
				b.StopTimer()
				began := pages()
				mustDeliver(b, s)
				noted += pages() - began
				b.StartTimer()
			}
			b.StopTimer()
			b.ReportMetric((pages()-before-noted)/float64(b.N), "pages/op")
			b.ReportMetric(noted/float64(b.N), "noted-pages/op")
		})
	}
}

// mustDeliver notes that what is due was delivered.
func mustDeliver(t testing.TB, s *store.Store) {
	t.Helper()
	due, err := s.DueDeliveries(context.Background(), "billing", 64)
	if err != nil {
		t.Fatal(err)
	}
	attempts := make([]store.Attempt, len(due))
	for i, d := range due {
		attempts[i] = store.Attempt{Delivery: d, State: store.DeliveryDelivered, At: time.Now(), Status: 204}
	}
	if err := s.SaveAttempts(context.Background(), attempts); err != nil {
		t.Fatal(err)
	}
}
