package events

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tolem/store/internal/ledger"
	"tolem/store/internal/sqlite"
	"tolem/store/migrations"
)

// TestNoQueryReadsAllNotifications: they are of thirty days, with their bodies.
func TestNoQueryReadsAllNotifications(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tolem.db")
	if err := migrations.SQLite(context.Background(), path, false, nil); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open(sqlite.DriverName, "file:"+path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	within, _ := Within(ledger.Period{From: time.Unix(1, 0), To: time.Unix(2, 0)})
	period := strings.Join(within, " AND ")
	list := func(where string) string { return fmt.Sprintf(eventsSQL, where) }
	for name, q := range map[string]struct {
		sql  string
		want string // in a step of the plan
	}{
		"a page":      {list(`v.id < ?`), "SEARCH v USING INTEGER PRIMARY KEY (rowid<?)"},
		"one":         {list(`v.event_id = ?`), "(event_id=?)"},
		"a period":    {list(period), "(event_id>? AND event_id<?)"},
		"pending":     {list(pendingSQL), "SEARCH v USING INTEGER PRIMARY KEY (rowid=?)"},
		"not spread":  {list(pendingSQL), "SEARCH v USING INTEGER PRIMARY KEY (rowid>?)"},
		"failed":      {list(otherSQL), "SEARCH o USING COVERING INDEX event_deliveries_state (state=?)"},
		"deliveries":  {strings.Replace(deliveriesSQL, "IN ?", "IN (?, ?)", 1), "SEARCH d USING INDEX event_deliveries_event (id=?)"},
		"old":         {oldSQL, "(event_id<?)"},
		"next":        {`SELECT 1 FROM events v WHERE ` + nextSQL, "SEARCH v USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)"},
		"due":         {headsSQL, "SEARCH o USING COVERING INDEX event_deliveries_open (endpoint=? AND contract>?)"},
		"due behind":  {followingSQL, "SEARCH o USING COVERING INDEX event_deliveries_open (endpoint=? AND contract=? AND id>? AND id<?)"},
		"due row":     {headsSQL, "SEARCH d USING PRIMARY KEY (endpoint=? AND id=?)"},
		"row behind":  {followingSQL, "SEARCH d USING PRIMARY KEY (endpoint=? AND id=?)"},
		"back":        {backSQL, "SEARCH o USING COVERING INDEX event_deliveries_open (endpoint=? AND contract>?)"},
		"row back":    {backSQL, "SEARCH event_deliveries USING PRIMARY KEY (endpoint=? AND id=?)"},
		"noted":       {`UPDATE event_deliveries SET state = 'x' WHERE endpoint = ? AND id = ? AND state = 'pending'`, "USING PRIMARY KEY (endpoint=? AND id=?)"},
		"behind":      {waitingStatsSQL, "SEARCH d USING COVERING INDEX event_deliveries_state (state=?)"},
		"behind, new": {unspreadStatsSQL, "SEARCH v USING INTEGER PRIMARY KEY (rowid>?)"},
	} {
		args := make([]any, strings.Count(q.sql, "?"))
		for i := range args {
			args[i] = 7
		}
		rows, err := db.Query("EXPLAIN QUERY PLAN "+q.sql, args...)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		var plan []string
		for rows.Next() {
			var id, parent, unused int
			var step string
			if err := rows.Scan(&id, &parent, &unused, &step); err != nil {
				t.Fatal(err)
			}
			plan = append(plan, step)
		}
		if err := rows.Close(); err != nil {
			t.Fatal(err)
		}
		whole := strings.Join(plan, "\n")
		if !strings.Contains(whole, q.want) {
			t.Errorf("%s: no step is %s:\n%s", name, q.want, whole)
		}
		for _, step := range plan {
			// What the query itself has made, and the one row of event_progress.
			if strings.HasPrefix(step, "SCAN") && step != "SCAN h" && step != "SCAN x" && step != "SCAN p" {
				t.Errorf("%s: %s:\n%s", name, step, whole)
			}
		}
	}
}
