package handlers_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"tolem/config"
	"tolem/pgtest"
	"tolem/store"
	"tolem/storetest"
	"tolem/testkit"
)

// scraped is what a scraper gets.
func (r *rig) scraped() string {
	r.t.Helper()
	return r.askAs("", http.MethodGet, "/metrics", "").body
}

// scrapedWhole is what a scraper gets once the database has answered in time.
func (r *rig) scrapedWhole() (text string) {
	r.t.Helper()
	testkit.Eventually(r.t, "the database's gauges", func() bool {
		text = r.scraped()
		return strings.Contains(text, "\ntolem_database_gauges_up 1")
	})
	return text
}

func TestAScrapeDoesNotWaitForADatabaseThatStandsStill(t *testing.T) {
	storetest.OnlyPostgres(t)
	server := pgtest.NewServer(t, pgtest.Options{})
	clock := time.Now()
	r := newRig(t, func(_ *config.Config, o *store.Options) {
		*o = store.Options{Postgres: server.URL("postgres"), Now: func() time.Time { return clock }}
	})
	if got := r.scrapedWhole(); !strings.Contains(got, "\ntolem_pending_payments 0") {
		t.Fatalf("the gauges are missing:\n%s", got)
	}
	clock = clock.Add(time.Hour) // the figures are old now
	if err := server.Suspend(t.Context()); err != nil {
		t.Fatal(err)
	}
	// Several scrapers at once, and one after another, wait for one read.
	type scrape struct {
		took time.Duration
		body string
	}
	for range 3 {
		results := make(chan scrape)
		for range 3 {
			go func() {
				started := time.Now()
				body := r.scraped()
				results <- scrape{time.Since(started), body}
			}()
		}
		for range 3 {
			got := <-results
			if got.took > 10*time.Second { // a scraper gives up then; it is a second, and room for a slow machine
				t.Errorf("a scrape took %s", got.took)
			}
			if !strings.Contains(got.body, "\ntolem_database_gauges_up 0") || strings.Contains(got.body, "\ntolem_pending_payments") {
				t.Error("old figures are shown, or nothing says that they are missing")
			}
			if !strings.Contains(got.body, `tolem_requests_total{kind="callback",outcome="credited",route="/jetpay"} 0`) {
				t.Error("the counters are missing")
			}
		}
	}
	if err := server.Resume(); err != nil {
		t.Fatal(err)
	}
	testkit.Eventually(t, "the gauges to be back", func() bool { return strings.Contains(r.scraped(), "\ntolem_pending_payments 0") })
}
