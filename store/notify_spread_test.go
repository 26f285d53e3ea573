package store_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"tolem/store"
	"tolem/testkit"
	"tolem/topup"
	"tolem/view"
)

// deliver notes that a delivery was made.
func deliver(t testing.TB, s *store.Store, at time.Time, list ...store.DueDelivery) {
	t.Helper()
	attempts := make([]store.Attempt, len(list))
	for i, d := range list {
		attempts[i] = store.Attempt{Delivery: d, State: store.DeliveryDelivered, At: at, Status: 204}
	}
	if err := s.SaveAttempts(ctx, attempts); err != nil {
		t.Fatal(err)
	}
}

func mustDue(t testing.TB, s *store.Store, endpoint string, want int) []store.DueDelivery {
	t.Helper()
	list, err := s.DueDeliveries(ctx, endpoint, 1000)
	if err != nil || len(list) != want {
		t.Fatalf("%d are due at %s, %v; want %d", len(list), endpoint, err, want)
	}
	return list
}

// mustEvents are the notifications, the oldest first.
func mustEvents(t testing.TB, s *store.Store, f store.EventFilter) []store.Event {
	t.Helper()
	list, _, err := s.Events(ctx, f)
	if err != nil {
		t.Fatal(err)
	}
	for i, j := 0, len(list)-1; i < j; i, j = i+1, j-1 {
		list[i], list[j] = list[j], list[i]
	}
	return list
}

// TestSpread: a callback writes its notification without deliveries; what is done and
// shown before they are inserted is as if they were there.
func TestSpread(t *testing.T) {
	credits := func(t *testing.T, s *store.Store, n int) {
		t.Helper()
		for range n {
			id := mustIssue(t, s)
			mustRecord(t, s, paid(id, "op-"+id))
		}
	}
	rows := func(t *testing.T, s *store.Store) int64 {
		t.Helper()
		return queryInt(t, rawOpen(t, s), `SELECT count(*) FROM event_deliveries`)
	}
	t.Run("IsListedAndCountedBefore", func(t *testing.T) {
		s, c := notifying(t, store.Endpoint{Name: "a"}, store.Endpoint{Name: "b"})
		credits(t, s, 2)
		for _, when := range []string{"before", "after"} {
			for _, f := range []store.EventFilter{{}, {State: store.DeliveryPending}, {Period: store.Period{From: c.Now(), To: c.Now().Add(time.Microsecond)}}} {
				list := mustEvents(t, s, f)
				if len(list) != 2 {
					t.Fatalf("%s: %+v has %d", when, f, len(list))
				}
				for _, e := range list {
					want := []store.Delivery{{Endpoint: "a", State: store.DeliveryPending, NextAt: e.At}, {Endpoint: "b", State: store.DeliveryPending, NextAt: e.At}}
					if fmt.Sprint(e.Deliveries) != fmt.Sprint(want) {
						t.Errorf("%s: got %v, want %v", when, e.Deliveries, want)
					}
				}
			}
			for _, f := range []store.EventFilter{{State: store.DeliveryFailed}, {State: store.DeliverySkipped}, {State: store.DeliveryDelivered}, {Period: store.Period{To: c.Now()}}} {
				if list := mustEvents(t, s, f); len(list) != 0 {
					t.Errorf("%s: %+v has %d", when, f, len(list))
				}
			}
			stats, err := s.EventStats(ctx)
			if err != nil || len(stats) != 2 {
				t.Fatal(stats, err)
			}
			for _, e := range stats {
				if e.Pending != 2 || e.Failed != 0 || !e.Oldest.Equal(c.Now()) {
					t.Errorf("%s: %+v", when, e)
				}
			}
			if n := rows(t, s); when == "before" && n != 0 || when == "after" && n != 4 {
				t.Errorf("%s: %d rows", when, n)
			}
			mustDue(t, s, "a", 1)
		}
	})
	t.Run("IsSkippedAndSentAgainBefore", func(t *testing.T) {
		s, c := notifying(t)
		credits(t, s, 4)
		list := mustEvents(t, s, store.EventFilter{})
		if err := s.SkipEvent(ctx, list[1].ID, anna); err != nil {
			t.Fatal(err)
		}
		if err := s.SkipEvent(ctx, list[1].ID, anna); kindOf(err) != topup.KindConflict {
			t.Errorf("skipped twice: %v", err)
		}
		if err := s.ResendEvent(ctx, list[2].ID, anna); err != nil {
			t.Fatal(err)
		}
		states := func(want string) {
			t.Helper()
			var got []string
			for _, e := range mustEvents(t, s, store.EventFilter{}) {
				got = append(got, string(e.Deliveries[0].State))
			}
			if strings.Join(got, " ") != want {
				t.Errorf("got %v, want %s", got, want)
			}
		}
		states("pending skipped pending pending")
		if stats, err := s.EventStats(ctx); err != nil || stats[0].Pending != 3 {
			t.Errorf("%+v, %v", stats, err)
		}
		if n := rows(t, s); n != 2 {
			t.Errorf("%d rows, want those of the two", n)
		}
		for _, want := range []int{0, 2, 3} {
			due := mustDue(t, s, "billing", 1)
			if due[0].EventID != list[want].ID {
				t.Fatalf("got %s, want the notification %d", due[0].EventID, want)
			}
			deliver(t, s, c.Now(), due...)
		}
		states("delivered skipped delivered delivered")
	})
	t.Run("OfAPeriodIsSentAgainBefore", func(t *testing.T) {
		s, c := notifying(t)
		credits(t, s, 3)
		c.Add(time.Hour)
		credits(t, s, 2)
		if n, err := s.ResendEvents(ctx, store.Period{From: c.Now().Add(-time.Hour), To: c.Now()}, anna); err != nil || n != 3 {
			t.Errorf("sent again: %d, %v; want 3", n, err)
		}
	})
	t.Run("IsForThoseWhoWereConfiguredThen", func(t *testing.T) {
		s, _ := notifying(t, store.Endpoint{Name: "a"})
		credits(t, s, 1)
		if err := s.SetEndpoints(ctx, []store.Endpoint{{Name: "b"}}); err != nil {
			t.Fatal(err)
		}
		mustDue(t, s, "b", 0)
		mustDue(t, s, "a", 1)
	})
	t.Run("IsNotDeletedBefore", func(t *testing.T) {
		s, c := notifying(t)
		credits(t, s, 1)
		c.Add(31 * 24 * time.Hour)
		if n, err := s.PruneEvents(ctx, 30*24*time.Hour); err != nil || n != 0 {
			t.Errorf("deleted %d, %v", n, err)
		}
		mustDue(t, s, "billing", 1)
	})
	// Were the place of one that is deleted given out again, the new notification
	// would be taken for one that has its deliveries.
	t.Run("GoesOnWhereAllAreDeleted", func(t *testing.T) {
		c := newClock()
		o := newDatabase(t)
		o.Now, o.NotificationBody = c.Now, view.NotificationBody
		for range 2 {
			s, err := store.Open(ctx, o)
			if err != nil {
				t.Fatal(err)
			}
			if err := s.SetEndpoints(ctx, []store.Endpoint{{Name: "billing"}}); err != nil {
				t.Fatal(err)
			}
			mustAccounts(t, s)
			credits(t, s, 2)
			deliver(t, s, c.Now(), mustDue(t, s, "billing", 1)...)
			deliver(t, s, c.Now(), mustDue(t, s, "billing", 1)...)
			c.Add(31 * 24 * time.Hour)
			if n, err := s.PruneEvents(ctx, 30*24*time.Hour); err != nil || n != 2 {
				t.Fatalf("deleted %d, %v", n, err)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
		}
	})
	t.Run("OfManyIsInParts", func(t *testing.T) {
		s, c := notifying(t)
		credits(t, s, 600)
		// Also for an endpoint that is down, where little is attempted.
		err := s.SaveAttempts(ctx, []store.Attempt{{Delivery: mustDue(t, s, "billing", 1)[0], State: store.DeliveryPending, At: c.Now(), NextAt: c.Now()}})
		if n := rows(t, s); err != nil || n != 600 {
			t.Errorf("%d rows, %v; want 600", n, err)
		}
		seen := map[string]bool{}
		for len(seen) < 600 {
			due := mustDue(t, s, "billing", 1)
			var made []store.DueDelivery
			for next := &due[0]; next != nil; {
				made, seen[next.EventID] = append(made, *next), true
				following, err := s.FollowingDelivery(ctx, *next)
				if err != nil {
					t.Fatal(err)
				}
				next = following
			}
			deliver(t, s, c.Now(), made...)
		}
		mustDue(t, s, "billing", 0)
		if list := mustEvents(t, s, store.EventFilter{State: store.DeliveryDelivered, Limit: 1000}); len(list) != 600 {
			t.Errorf("%d are delivered", len(list))
		}
	})
	t.Run("KeepsTheOrderWithThoseOfAnOlderProgram", func(t *testing.T) {
		s, c := notifying(t)
		credits(t, s, 1)
		db := rawOpen(t, s)
		older := []string{
			`INSERT INTO events (id, event_id, type, at, payment_id, payout_id, contract, body)
				SELECT id + 1, 'evt_00000000000000000000000000', type, at, payment_id, payout_id, contract, body FROM events`,
			`INSERT INTO event_deliveries (endpoint, id, contract, state, open) SELECT 'billing', id, contract, 'pending', 1 FROM events WHERE receivers = ''`,
		}
		for _, statement := range older {
			if _, err := db.Exec(statement); err != nil {
				t.Fatal(err)
			}
		}
		first := mustDue(t, s, "billing", 1)
		if first[0].EventID == "evt_00000000000000000000000000" {
			t.Error("the second is due before the first")
		}
		deliver(t, s, c.Now(), first...)
		deliver(t, s, c.Now(), mustDue(t, s, "billing", 1)...)
		mustDue(t, s, "billing", 0)
	})
	t.Run("EndsWhereAnotherTransactionMayStillWrite", func(t *testing.T) {
		onlyPostgres(t)
		s, _ := notifying(t)
		running, err := rawOpenAt(t, "pgx", s.PostgresURL()).Begin()
		if err != nil {
			t.Fatal(err)
		}
		defer running.Rollback()
		if _, err := running.Exec(`INSERT INTO writers (id, batch, seen_at) VALUES ('slow', 0, 0)`); err != nil {
			t.Fatal(err)
		}
		credits(t, s, 1)
		mustDue(t, s, "billing", 0)
		if err := running.Commit(); err != nil {
			t.Fatal(err)
		}
		testkit.Eventually(t, "the notification", func() bool {
			list, err := s.DueDeliveries(ctx, "billing", 1)
			return err == nil && len(list) == 1
		})
	})
	t.Run("GoesOnInAYoungerCluster", func(t *testing.T) {
		onlyPostgres(t)
		s, c := notifying(t)
		mustIssue(t, s, func(n *store.NewPayment) { n.ExpiresAfter = time.Hour })
		id := mustIssue(t, s)
		db := rawOpen(t, s)
		older := func(by int64) {
			t.Helper()
			if _, err := db.Exec(`UPDATE feed SET base = base + ?`, by); err != nil {
				t.Fatal(err)
			}
		}
		older(1_000_000_000_000)
		c.Add(2 * time.Hour)
		if _, err := s.ExpirePending(ctx); err != nil { // the notification alone has that place
			t.Fatal(err)
		}
		deliver(t, s, c.Now(), mustDue(t, s, "billing", 1)...)
		older(-1_000_000_000_000)
		later, err := store.Open(ctx, store.Options{Postgres: s.PostgresURL(), Existing: true, Now: c.Now, NotificationBody: view.NotificationBody})
		if err != nil {
			t.Fatal(err)
		}
		defer later.Close()
		must(t)(later.CreditPayment(ctx, id, anna))
		testkit.Eventually(t, "the credit", func() bool { list, err := later.DueDeliveries(ctx, "billing", 10); return err == nil && len(list) == 1 })
	})
	t.Run("ByTwoServersAtOnce", func(t *testing.T) {
		onlyPostgres(t)
		s, _ := notifying(t)
		other := openAt(t, s.PostgresURL())
		done := make(chan error)
		go func() {
			for range 50 {
				if _, err := other.DueDeliveries(ctx, "somebody else", 1); err != nil {
					done <- err
					return
				}
			}
			done <- nil
		}()
		for range 50 {
			credits(t, s, 1)
			if _, err := s.DueDeliveries(ctx, "somebody else", 1); err != nil {
				t.Error(err)
			}
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
		if stats, err := s.EventStats(ctx); err != nil || stats[0].Pending != 50 {
			t.Errorf("%+v, %v", stats, err)
		}
	})
}

// TestADatabaseWithDeliveriesIsBroughtUp: what a program of before has written is
// delivered before what comes later, and both can be listed.
func TestADatabaseWithDeliveriesIsBroughtUp(t *testing.T) {
	db, o := databaseAt(t, 19)
	for _, statement := range []string{
		`INSERT INTO meta (key, value) VALUES ('accounts.normalize', 'none')`,
		`INSERT INTO meta (key, value) VALUES ('notify_endpoints', '[{"name":"billing"}]')`,
		`INSERT INTO events (id, event_id, type, at, payment_id, payout_id, contract, body) VALUES
			(1, 'evt_00000000000000000000000001', 'topup.review', 1, 'p', '', 'customers:7123456789:12345', '{}'),
			(2, 'evt_00000000000000000000000002', 'topup.review', 2, 'p', '', 'customers:7123456789:12345', '{}')`,
		`INSERT INTO event_deliveries (endpoint, id, contract, state, open) VALUES
			('billing', 1, 'customers:7123456789:12345', 'delivered', 0), ('billing', 2, 'customers:7123456789:12345', 'pending', 1)`,
	} {
		if _, err := db.Exec(statement); err != nil {
			t.Fatal(err)
		}
	}
	s := mustOpen(t, func(into *store.Options) {
		into.Path, into.Postgres, into.NotificationBody = o.Path, o.Postgres, view.NotificationBody
	})
	mustAccounts(t, s)
	mustRecord(t, s, paid(mustIssue(t, s), "1"))
	list := mustEvents(t, s, store.EventFilter{State: store.DeliveryPending})
	if len(list) != 2 {
		t.Fatalf("%d are pending, want 2", len(list))
	}
	for _, want := range list {
		due := mustDue(t, s, "billing", 1)
		if due[0].EventID != want.ID {
			t.Fatalf("%s is due, want %s", due[0].EventID, want.ID)
		}
		deliver(t, s, time.Now(), due...)
	}
	mustDue(t, s, "billing", 0)
	checked(t, s)
}
