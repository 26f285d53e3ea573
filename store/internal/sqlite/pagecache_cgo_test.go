//go:build cgo

package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"maps"
	"path/filepath"
	"testing"

	"pgregory.net/rapid"
)

// TestTheLayerOnThePageCacheHidesNothing: whatever is inserted, deleted, rolled
// back and vacuumed, pages that are gone do not come back and others stay.
func TestTheLayerOnThePageCacheHidesNothing(t *testing.T) {
	if !ownPageCache {
		t.Fatal("our layer cannot be used with this SQLite")
	}
	n := 0
	rapid.Check(t, func(r *rapid.T) {
		n++
		path := filepath.Join(t.TempDir(), fmt.Sprint(n, ".db"))
		pool, err := sql.Open(DriverName, Connection{BusyTimeout: settings.BusyTimeout, CacheKiB: settings.CacheKiB, BatchWAL: true}.DSN(path))
		if err != nil {
			r.Fatal(err)
		}
		defer pool.Close()
		pool.SetMaxOpenConns(1)
		exec := func(query string, args ...any) {
			if _, err := pool.ExecContext(context.Background(), query, args...); err != nil {
				r.Fatalf("%s: %v", query, err)
			}
		}
		exec(`CREATE TABLE t (k TEXT NOT NULL PRIMARY KEY, v INTEGER NOT NULL, filler BLOB NOT NULL) WITHOUT ROWID`)
		exec(`CREATE INDEX t_filler ON t (filler, v)`)
		var states []map[string]int64 // of the transaction, and of its savepoints
		now := map[string]int64{}
		key := rapid.IntRange(0, 400)
		r.Repeat(map[string]func(*rapid.T){
			"begin": func(r *rapid.T) {
				exec([]string{`BEGIN IMMEDIATE`, `SAVEPOINT s`}[min(len(states), 1)])
				states = append(states, maps.Clone(now))
			},
			"commit": func(r *rapid.T) {
				if len(states) == 0 {
					r.Skip()
				}
				exec([]string{`COMMIT`, `RELEASE s`}[min(len(states)-1, 1)])
				states = states[:len(states)-1]
			},
			"roll back": func(r *rapid.T) {
				last := len(states) - 1
				if last < 0 {
					r.Skip()
				}
				if last == 0 {
					exec(`ROLLBACK`)
				} else {
					exec(`ROLLBACK TO s`)
					exec(`RELEASE s`)
				}
				now, states = states[last], states[:last]
			},
			"put many": func(r *rapid.T) {
				for range rapid.IntRange(1, 60).Draw(r, "rows") {
					// Keys anywhere, so that pages in the middle are split.
					k, v := fmt.Sprintf("%x", key.Draw(r, "key")*7919%401), rapid.Int64().Draw(r, "value")
					exec(`INSERT OR REPLACE INTO t VALUES (?, ?, zeroblob(?))`, k, v, 100+v&1023)
					now[k] = v
				}
			},
			"delete many": func(r *rapid.T) {
				for range rapid.IntRange(1, 60).Draw(r, "rows") {
					k := fmt.Sprintf("%x", key.Draw(r, "key"))
					exec(`DELETE FROM t WHERE k = ?`, k)
					delete(now, k)
				}
			},
			"shrink": func(r *rapid.T) {
				if len(states) > 0 {
					r.Skip()
				}
				exec(`VACUUM`)
			},
			"": func(r *rapid.T) {
				var verdict string
				if err := pool.QueryRow(`PRAGMA integrity_check`).Scan(&verdict); err != nil || verdict != "ok" {
					r.Fatalf("integrity: %s, %v", verdict, err)
				}
				rows, err := pool.Query(`SELECT k, v FROM t`)
				if err != nil {
					r.Fatal(err)
				}
				defer rows.Close()
				got := map[string]int64{}
				for rows.Next() {
					var k string
					var v int64
					if err := rows.Scan(&k, &v); err != nil {
						r.Fatal(err)
					}
					got[k] = v
				}
				if err := rows.Err(); err != nil {
					r.Fatal(err)
				}
				if !maps.Equal(got, now) {
					r.Fatalf("%d rows are there, %d were put, or their values differ", len(got), len(now))
				}
			},
		})
	})
}
