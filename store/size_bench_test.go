package store_test

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"tolem/pgtest"
	"tolem/store"
)

const (
	// sizeContracts is how many contracts the top-ups of the benchmarks below
	// are for.
	sizeContracts = 20_000
	// sizeBody is the length of a raw callback, in bytes.
	sizeBody = 800
	// sizeParts is in how many parts the top-ups are measured.
	sizeParts = 10
)

// BenchmarkSizeOnSQLite and BenchmarkSizeOnPostgres measure the disk that a
// top-up takes once a database is filled: an issued payment and its callback.
// They fill it with as many again first.
//
//	go test ./store -run '^$' -bench 'SizeOn' -benchtime 100000x -timeout 30m
func BenchmarkSizeOnSQLite(b *testing.B) {
	s, err := store.Open(context.Background(), store.Options{Path: b.TempDir() + "/tolem.db"})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	db := rawOpenAt(b, store.DriverName, "file:"+s.Path()).DB
	size := func() int64 {
		return count(b, db, `SELECT (SELECT page_count FROM pragma_page_count) * (SELECT page_size FROM pragma_page_size)`)
	}
	topUps(b, s, 0, b.N)
	before := size()
	topUps(b, s, b.N, b.N)
	b.ReportMetric(float64(size()-before)/float64(b.N), "bytes/op")
}

// BenchmarkSizeOnPostgres vacuums after every tenth, as a server does by itself
// every few minutes. The first fill has no checkpoints; then comes one after
// every tenth, so that the WAL has its share of whole pages.
func BenchmarkSizeOnPostgres(b *testing.B) {
	server := pgtest.NewServer(b, pgtest.Options{Settings: map[string]string{
		"autovacuum": "off", "max_wal_size": "64GB", "checkpoint_timeout": "1h",
	}})
	s := openAt(b, server.URL("postgres"))
	db := shell(b, server.URL("postgres"))
	wal := func() int64 { return count(b, db, `SELECT CAST(pg_current_wal_lsn() - '0/0' AS BIGINT)`) }
	fill := func(first int, after ...string) (written float64) {
		before := wal()
		for part := range sizeParts {
			topUps(b, s, first+part*b.N/sizeParts, b.N/sizeParts)
			for _, statement := range after {
				mustExec(b, db, statement)
			}
		}
		return float64(wal()-before) / float64(b.N)
	}
	b.ReportMetric(fill(0, `VACUUM ANALYZE`), "wal-bytes/op")
	mustExec(b, db, `CHECKPOINT`)
	sizes := pgSizes(b, db)
	b.ReportMetric(fill(b.N, `VACUUM ANALYZE`, `CHECKPOINT`), "wal-with-checkpoints-bytes/op")
	total := 0.0
	for table, after := range pgSizes(b, db) {
		rows, indexes := after.per(sizes[table], b.N)
		total += rows + indexes
		if rows+indexes >= 1 {
			b.Logf("%-16s rows %5.0f  indexes %5.0f", table, rows, indexes)
		}
	}
	b.ReportMetric(total, "bytes/op")
}

// topUps issues and credits n payments of many contracts, thirty-two at once.
// Their operations are numbered from first.
func topUps(b *testing.B, s *store.Store, first, n int) {
	b.Helper()
	body := []byte(strings.Repeat("x", sizeBody))
	var given atomic.Int64
	var wg sync.WaitGroup
	for w := range 32 {
		random := rand.New(rand.NewPCG(uint64(first), uint64(w)))
		wg.Go(func() {
			for i := given.Add(1); i <= int64(n); i = given.Add(1) {
				contract := random.IntN(sizeContracts)
				id := mustIssue(b, s, func(p *store.NewPayment) {
					p.CustomerID, p.ContractID = fmt.Sprint(7_010_000_000+contract), fmt.Sprint(contract)
					p.ContractNumber = fmt.Sprintf("1234_ABC/01-01-2025/%d", contract)
				})
				e := paid(id, fmt.Sprint(2_000_000_000+first+int(i)))
				e.ReceiptID = fmt.Sprint(30_000_000_000 + first + int(i))
				sum := sha256.Sum256(e.Fingerprint)
				e.Fingerprint = sum[:]
				if _, err := s.Record(context.Background(), e, body); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
}

// pgSize is what a table takes, in bytes.
type pgSize struct{ rows, indexes int64 }

// per is how much a table has grown by each of n top-ups.
func (s pgSize) per(before pgSize, n int) (rows, indexes float64) {
	return float64(s.rows-before.rows) / float64(n), float64(s.indexes-before.indexes) / float64(n)
}

func pgSizes(b *testing.B, db *sql.DB) map[string]pgSize {
	b.Helper()
	sizes := make(map[string]pgSize)
	rows, err := db.Query(`SELECT tablename, pg_table_size(quote_ident(tablename)), pg_indexes_size(quote_ident(tablename)) FROM pg_tables WHERE schemaname = 'public'`)
	if err != nil {
		b.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var table string
		var size pgSize
		if err := rows.Scan(&table, &size.rows, &size.indexes); err != nil {
			b.Fatal(err)
		}
		sizes[table] = size
	}
	if err := rows.Err(); err != nil {
		b.Fatal(err)
	}
	return sizes
}
