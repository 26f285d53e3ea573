package store_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"tolem/accountfile"
	"tolem/store"
)

// BenchmarkImport imports a million contracts (500,000 accounts) into a filled
// database while a server on the same file issues payments and answers verify,
// and reports how long those waited. Run it once:
//
//	go test ./store -run '^$' -bench Import -benchtime 1x -timeout 30m
func BenchmarkImport(b *testing.B) {
	const accounts = 500_000
	folder := b.TempDir()
	first := writeAccounts(b, filepath.Join(folder, "first.jsonl"), accounts, 1)
	second := writeAccounts(b, filepath.Join(folder, "second.jsonl"), accounts, 2)
	server := mustOpen(b)
	operator := mustOpen(b, func(o *store.Options) { o.Path = server.Path() })
	mustPut(b, server, record("7123456789"))

	for b.Loop() {
		for _, run := range []struct {
			name string
			file accountfile.File
		}{{"empty", first}, {"filled", second}, {"same", second}} {
			stop := make(chan struct{})
			load := startLoad(b, server, stop)
			started := time.Now()
			report, err := operator.ImportAccounts(context.Background(), store.ImportOptions{}, run.file)
			took := time.Since(started)
			close(stop)
			if err != nil || report.Leftover != nil {
				b.Fatal(err, report.Leftover)
			}
			writes, reads := <-load, <-load
			b.ReportMetric(took.Seconds(), run.name+"-s")
			b.Logf("%s: %+v in %s; writes %s; reads %s; peak memory %s", run.name, report, took.Round(time.Millisecond), writes, reads, peakMemory())
		}
	}
}

// startLoad issues payments and asks for offers until stop is closed, and then
// sends what each waited.
func startLoad(b *testing.B, s *store.Store, stop <-chan struct{}) <-chan string {
	writes, reads, out := make(chan []time.Duration), make(chan []time.Duration), make(chan string, 2)
	run := func(result chan<- []time.Duration, do func() error) {
		var waits []time.Duration
		for {
			select {
			case <-stop:
				result <- waits
				return
			case <-time.After(2 * time.Millisecond):
			}
			started := time.Now()
			if err := do(); err != nil {
				b.Error(err)
			}
			waits = append(waits, time.Since(started))
		}
	}
	go run(writes, func() error {
		_, err := s.Issue(context.Background(), store.NewPayment{
			Provider: "jetpay", Project: "1234", CustomerID: "7123456789", ContractID: "e1", ContractNumber: "A-1", Money: hundred, Method: "terminal/kaspi",
		})
		return err
	})
	go run(reads, func() error {
		_, err := s.Offer(context.Background(), "7123456789")
		return err
	})
	go func() { out <- percentiles(<-writes); out <- percentiles(<-reads) }()
	return out
}

func percentiles(waits []time.Duration) string {
	slices.Sort(waits)
	if len(waits) == 0 {
		return "none"
	}
	at := func(share float64) time.Duration {
		return waits[int(share*float64(len(waits)-1))].Round(10 * time.Microsecond)
	}
	return fmt.Sprintf("%d: p50 %s, p99 %s, p99.9 %s, max %s", len(waits), at(.5), at(.99), at(.999), at(1))
}

// peakMemory is the most that this process has had resident, where the system tells.
func peakMemory() string {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return "unknown"
	}
	for line := range strings.Lines(string(status)) {
		if rest, found := strings.CutPrefix(line, "VmHWM:"); found {
			return strings.TrimSpace(rest)
		}
	}
	return "unknown"
}

// writeAccounts writes a file of accounts with two contracts each.
func writeAccounts(b *testing.B, path string, n, version int) accountfile.File {
	b.Helper()
	file, err := os.Create(path)
	if err != nil {
		b.Fatal(err)
	}
	out := bufio.NewWriter(file)
	for i := range n {
		// Not in order: a merchant's file need not be sorted.
		id := 7_000_000_000 + int64(i)*7_919%10_000_019
		contract := func(c string) string {
			return fmt.Sprintf(`{"id":"%s","number":"%d_ABC/01-01-2025/%s","min_payment":100000,"payment":%d,"info":{"total_debt":%d,"customer_name":"John Doe"}}`,
				c, i, c, 100000+version, 500000+i)
		}
		fmt.Fprintf(out, `{"customer_id":"%d","additional_customer_id":"A%d","currency":"KZT","entities":[%s,%s]}`+"\n", id, i, contract("e1"), contract("e2"))
	}
	if err := out.Flush(); err != nil {
		b.Fatal(err)
	}
	if err := file.Close(); err != nil {
		b.Fatal(err)
	}
	source, err := accountfile.OnDisk(path)
	if err != nil {
		b.Fatal(err)
	}
	return source
}
