package store_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"tolem/store"
	"tolem/testkit"
	"tolem/topup"
	"tolem/view"
)

// notifying opens a store that notifies one endpoint of everything.
func notifying(t testing.TB, endpoints ...store.Endpoint) (*store.Store, *testkit.Clock) {
	t.Helper()
	c := newClock()
	s := mustOpen(t, func(o *store.Options) { o.Now, o.NotificationBody = c.Now, view.NotificationBody })
	if len(endpoints) == 0 {
		endpoints = []store.Endpoint{{Name: "billing"}}
	}
	if err := s.SetEndpoints(context.Background(), endpoints); err != nil {
		t.Fatal(err)
	}
	mustAccounts(t, s)
	return s, c
}

// notices are the types of the notifications, the oldest first.
func notices(t testing.TB, s *store.Store) string {
	t.Helper()
	list, _, err := s.Events(context.Background(), store.EventFilter{Limit: 1000})
	if err != nil {
		t.Fatal(err)
	}
	slices.Reverse(list)
	types := make([]string, len(list))
	for i, e := range list {
		types[i] = string(e.Type)
	}
	return strings.Join(types, " ")
}

type notified struct {
	Type string
	Data struct {
		Payment     json.RawMessage
		Transaction *view.Transaction
	}
}

func TestNotify(t *testing.T) {
	ctx := context.Background()
	by := store.By{Actor: "op", Reason: "test"}
	t.Run("ACreditIsToldWithItsPaymentAndTransaction", func(t *testing.T) {
		s, _ := notifying(t)
		id := mustIssue(t, s)
		if got := notices(t, s); got != "" {
			t.Fatalf("a payment that was issued is told as %s", got)
		}
		mustRecord(t, s, paid(id, "op1"))
		mustRecord(t, s, paid(id, "op1")) // a duplicate
		if got := notices(t, s); got != "topup.succeeded" {
			t.Fatalf("told %s", got)
		}
		list, _, err := s.Events(ctx, store.EventFilter{})
		if err != nil {
			t.Fatal(err)
		}
		var n notified
		if err := json.Unmarshal(list[0].Body, &n); err != nil {
			t.Fatal(err)
		}
		feed, err := s.Transactions(ctx, 0, 0)
		if err != nil {
			t.Fatal(err)
		}
		payment, err := s.Payment(ctx, id)
		if err != nil {
			t.Fatal(err)
		}
		wantTransaction, wantPayment := view.TransactionOf(feed[0]), view.PaymentOf(payment)
		if fmt.Sprintf("%+v", *n.Data.Transaction) != fmt.Sprintf("%+v", wantTransaction) {
			t.Errorf("transaction:\n got %+v\nwant %+v", *n.Data.Transaction, wantTransaction)
		}
		want, _ := json.Marshal(wantPayment)
		if got := n.Data.Payment; string(got) != string(want) {
			t.Errorf("payment:\n got %s\nwant %s", got, want)
		}
		if list[0].TransactionID != feed[0].ID || list[0].PaymentID != id {
			t.Errorf("kept as %+v", list[0])
		}
	})
	t.Run("OperatorsStepsAreTold", func(t *testing.T) {
		s, _ := notifying(t)
		id := mustIssue(t, s)
		if _, err := s.CreditPayment(ctx, id, by); err != nil {
			t.Fatal(err)
		}
		recalled, err := s.RecallPayment(ctx, id, by)
		if err != nil {
			t.Fatal(err)
		}
		p := mustPayment(t, s, id)
		assigned, err := s.AssignSuspense(ctx, recalled.ID, p.CustomerID, p.ContractID, by)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Reverse(ctx, assigned.ID, by); err != nil {
			t.Fatal(err)
		}
		if _, err := s.ReturnSuspense(ctx, recalled.ID, topup.PayBack{}, by); err != nil {
			t.Fatal(err)
		}
		if got, want := notices(t, s), "topup.succeeded topup.reversed topup.resolved topup.reversed topup.resolved"; got != want {
			t.Errorf("told %s, want %s", got, want)
		}
	})
	t.Run("ARefundIsToldWithWhatIsLeft", func(t *testing.T) {
		s, _ := notifying(t)
		id := mustIssue(t, s)
		mustRecord(t, s, paid(id, "op1"))
		if _, err := s.RefundPayment(ctx, id, topup.RefundRequest{PayBack: topup.PayBack{Amount: 3000}}, by); err != nil {
			t.Fatal(err)
		}
		list, _, err := s.Events(ctx, store.EventFilter{Limit: 1})
		if err != nil || len(list) != 1 || list[0].Type != topup.EventRefunded {
			t.Fatalf("the newest is %+v, %v", list, err)
		}
		var n notified
		if err := json.Unmarshal(list[0].Body, &n); err != nil {
			t.Fatal(err)
		}
		payment, err := s.Payment(ctx, id)
		if err != nil {
			t.Fatal(err)
		}
		if want, _ := json.Marshal(view.PaymentOf(payment)); string(n.Data.Payment) != string(want) {
			t.Errorf("payment:\n got %s\nwant %s", n.Data.Payment, want)
		}
	})
	t.Run("ADeclineAReviewAndAnExpiryAreTold", func(t *testing.T) {
		s, c := notifying(t)
		declined := paid(mustIssue(t, s), "op1")
		declined.Outcome, declined.Status = topup.OutcomeDeclined, "decline"
		mustRecord(t, s, declined)
		mustRecord(t, s, paid("never-issued", "op2"))
		mustIssue(t, s, func(n *store.NewPayment) { n.ExpiresAfter = time.Hour })
		c.Add(2 * time.Hour)
		if n, err := s.ExpirePending(ctx); err != nil || n != 1 {
			t.Fatalf("expired %d, %v", n, err)
		}
		if got, want := notices(t, s), "topup.declined topup.review topup.expired"; got != want {
			t.Errorf("told %s, want %s", got, want)
		}
	})
	t.Run("APayoutIsToldWhenItIsPosted", func(t *testing.T) {
		s, _ := notifying(t)
		id := mustIssue(t, s)
		mustRecord(t, s, paid(id, "1"))
		mustAdd(t, s, newPayout("po-1", withLines(saleLine(2, id, "1", 10000, 300))))
		made := mustPost(t, s, "po-1")
		list, _, err := s.Events(ctx, store.EventFilter{Limit: 1})
		if err != nil || len(list) != 1 || list[0].Type != topup.EventPayoutPosted || list[0].PayoutID != "po-1" || list[0].TransactionID != made.ID {
			t.Fatalf("the newest is %+v, %v", list, err)
		}
		if body := string(list[0].Body); !strings.Contains(body, `"payout_id":"po-1"`) || !strings.Contains(body, made.ID) {
			t.Errorf("body %s", body)
		}
	})
	t.Run("NobodyIsToldUnlessSomebodyIsConfigured", func(t *testing.T) {
		s := mustOpen(t, func(o *store.Options) { o.NotificationBody = view.NotificationBody })
		mustRecord(t, s, paid(mustIssue(t, s), "op1"))
		if got := notices(t, s); got != "" {
			t.Errorf("told %s", got)
		}
	})
	t.Run("AnEndpointGetsItsTypesAlone", func(t *testing.T) {
		s, _ := notifying(t, store.Endpoint{Name: "a", Types: []topup.EventType{topup.EventReversed}}, store.Endpoint{Name: "b"})
		id := mustIssue(t, s)
		mustRecord(t, s, paid(id, "op1"))
		if _, err := s.RecallPayment(ctx, id, by); err != nil {
			t.Fatal(err)
		}
		for endpoint, want := range map[string]int{"a": 1, "b": 1} { // b: the first of its contract
			due, err := s.DueDeliveries(ctx, endpoint, 10)
			if err != nil || len(due) != want {
				t.Errorf("%s: %d are due, %v", endpoint, len(due), err)
			}
		}
	})
	t.Run("AProcessThatOpensTheDatabaseLaterNotifiesToo", func(t *testing.T) {
		c := newClock()
		o := newDatabase(t)
		o.Now, o.NotificationBody = c.Now, view.NotificationBody
		first, err := store.Open(ctx, o)
		if err != nil {
			t.Fatal(err)
		}
		if err := first.SetEndpoints(ctx, []store.Endpoint{{Name: "billing"}}); err != nil {
			t.Fatal(err)
		}
		mustAccounts(t, first)
		id := mustIssue(t, first)
		if err := first.Close(); err != nil {
			t.Fatal(err)
		}
		second, err := store.Open(ctx, o)
		if err != nil {
			t.Fatal(err)
		}
		defer second.Close()
		if _, err := second.CreditPayment(ctx, id, by); err != nil {
			t.Fatal(err)
		}
		if got := notices(t, second); got != "topup.succeeded" {
			t.Errorf("told %s", got)
		}
	})
	t.Run("WhatIsRolledBackIsNotTold", func(t *testing.T) {
		s, _ := notifying(t)
		id := mustIssue(t, s)
		mustRecord(t, s, paid(id, "op1"))
		if _, err := s.CreditPayment(ctx, id, by); err == nil {
			t.Fatal("credited twice")
		}
		if got := notices(t, s); got != "topup.succeeded" {
			t.Errorf("told %s", got)
		}
	})
}

func TestDeliveries(t *testing.T) {
	ctx := context.Background()
	by := store.By{Actor: "op", Reason: "test"}
	// due are the places of what is due at billing.
	due := func(t *testing.T, s *store.Store) []store.DueDelivery {
		t.Helper()
		list, err := s.DueDeliveries(ctx, "billing", 10)
		if err != nil {
			t.Fatal(err)
		}
		return list
	}
	save := func(t *testing.T, s *store.Store, d store.DueDelivery, a store.Attempt) {
		t.Helper()
		a.Delivery = d
		if err := s.SaveAttempts(ctx, []store.Attempt{a}); err != nil {
			t.Fatal(err)
		}
	}
	// three writes three notifications of one contract.
	three := func(t *testing.T, s *store.Store) {
		t.Helper()
		for i := range 3 {
			mustRecord(t, s, paid(mustIssue(t, s), fmt.Sprintf("op%d", i)))
		}
	}
	t.Run("OfAContractComeInOrder", func(t *testing.T) {
		s, c := notifying(t)
		three(t, s)
		list := due(t, s)
		if len(list) != 1 {
			t.Fatalf("%d are due, want the first alone", len(list))
		}
		save(t, s, list[0], store.Attempt{State: store.DeliveryPending, At: c.Now(), NextAt: c.Now().Add(time.Minute), Error: "HTTP 500", Status: 500})
		if list := due(t, s); len(list) != 0 {
			t.Fatalf("%d are due while the first waits", len(list))
		}
		c.Add(2 * time.Minute)
		again := due(t, s)
		if len(again) != 1 || again[0].EventID != list[0].EventID || again[0].Attempts != 1 || again[0].FirstAt.IsZero() {
			t.Fatalf("due again: %+v", again)
		}
		save(t, s, again[0], store.Attempt{State: store.DeliveryDelivered, At: c.Now(), Status: 204})
		following, err := s.FollowingDelivery(ctx, again[0])
		if err != nil || following == nil || following.EventID == again[0].EventID {
			t.Fatalf("following: %+v, %v", following, err)
		}
	})
	t.Run("AFailedOneHoldsTheLaterOnesUntilItIsSkipped", func(t *testing.T) {
		s, c := notifying(t)
		three(t, s)
		first := due(t, s)[0]
		save(t, s, first, store.Attempt{State: store.DeliveryFailed, At: c.Now(), Error: "no answer in time"})
		if list := due(t, s); len(list) != 0 {
			t.Fatalf("%d are due behind a failed one", len(list))
		}
		if err := s.SkipEvent(ctx, first.EventID, by); err != nil {
			t.Fatal(err)
		}
		if list := due(t, s); len(list) != 1 || list[0].EventID == first.EventID {
			t.Fatalf("due after the skip: %+v", list)
		}
		if err := s.SkipEvent(ctx, first.EventID, by); err == nil {
			t.Error("skipped twice")
		}
		if err := s.ResendEvent(ctx, first.EventID, by); err != nil {
			t.Fatal(err)
		}
		if list := due(t, s); len(list) != 1 || list[0].EventID != first.EventID {
			t.Fatalf("due after it was sent again: %+v", list)
		}
	})
	t.Run("AfterAnOutageAllIsDueAgain", func(t *testing.T) {
		s, c := notifying(t)
		other := func(n *store.NewPayment) { n.CustomerID, n.ContractID, n.ContractNumber = "7000000000", "1", "B-1" }
		mustRecord(t, s, paid(mustIssue(t, s), "op1"))
		mustRecord(t, s, paid(mustIssue(t, s, other), "op2"))
		list := due(t, s)
		if len(list) != 2 {
			t.Fatalf("%d are due, want 2", len(list))
		}
		save(t, s, list[0], store.Attempt{State: store.DeliveryFailed, At: c.Now(), Error: "x"})
		save(t, s, list[1], store.Attempt{State: store.DeliveryPending, At: c.Now(), NextAt: c.Now().Add(time.Second), Error: "x"})
		c.Add(time.Second)
		back := due(t, s)
		if len(back) != 1 {
			t.Fatalf("%d are due, want 1", len(back))
		}
		save(t, s, back[0], store.Attempt{State: store.DeliveryDelivered, At: c.Now()})
		if list := due(t, s); len(list) != 1 {
			t.Errorf("%d are due, want the one that had failed", len(list))
		}
	})
	t.Run("AnAttemptThatFailsAfterAnothersSuccessKeepsItsDelay", func(t *testing.T) {
		s, c := notifying(t)
		other := &topup.Account{CustomerID: "other", AdditionalCustomerID: "o", Currency: "KZT", Contracts: []topup.Contract{{ID: "o1", Number: "O1"}}}
		if _, err := s.PutAccount(ctx, other); err != nil {
			t.Fatal(err)
		}
		three(t, s)
		id, err := s.Issue(ctx, store.NewPayment{Provider: "jetpay", Project: "1234", CustomerID: "other", ContractID: "o1", ContractNumber: "O1", Money: paid("", "").Sum})
		if err != nil {
			t.Fatal(err)
		}
		mustRecord(t, s, paid(id, "op-other"))
		for _, d := range due(t, s) {
			save(t, s, d, store.Attempt{State: store.DeliveryPending, At: c.Now(), NextAt: c.Now().Add(time.Second)})
		}
		c.Add(2 * time.Second)
		both := due(t, s)
		if len(both) != 2 {
			t.Fatalf("%d are due, want 2", len(both))
		}
		later := c.Now().Add(time.Millisecond)
		err = s.SaveAttempts(ctx, []store.Attempt{
			{Delivery: both[0], State: store.DeliveryDelivered, At: c.Now()},
			{Delivery: both[1], State: store.DeliveryPending, At: later, NextAt: later.Add(30 * time.Second)},
		})
		if err != nil {
			t.Fatal(err)
		}
		c.Add(time.Second)
		for _, d := range due(t, s) {
			if d.EventID == both[1].EventID {
				t.Error("due again before its delay is over")
			}
		}
	})
	t.Run("OldOnesThatWaitNowhereAreDeleted", func(t *testing.T) {
		s, c := notifying(t)
		three(t, s)
		save(t, s, due(t, s)[0], store.Attempt{State: store.DeliveryDelivered, At: c.Now()})
		c.Add(31 * 24 * time.Hour)
		if n, err := s.PruneEvents(ctx, 30*24*time.Hour); err != nil || n != 1 {
			t.Errorf("pruned %d, %v", n, err)
		}
		if got := notices(t, s); got != "topup.succeeded topup.succeeded" {
			t.Errorf("left: %s", got)
		}
		// One that took 31 days is kept for 30 more.
		save(t, s, due(t, s)[0], store.Attempt{State: store.DeliveryDelivered, At: c.Now()})
		for wait, want := range []int{0, 1} {
			c.Add(time.Duration(wait) * 31 * 24 * time.Hour)
			if n, err := s.PruneEvents(ctx, 30*24*time.Hour); err != nil || n != want {
				t.Errorf("pruned %d, want %d, %v", n, want, err)
			}
		}
		stats, err := s.EventStats(ctx)
		if err != nil || len(stats) != 1 || stats[0].Pending != 1 || stats[0].Oldest.IsZero() {
			t.Errorf("stats: %+v, %v", stats, err)
		}
	})
	t.Run("ListsArePagedAndFiltered", func(t *testing.T) {
		s, c := notifying(t)
		three(t, s)
		save(t, s, due(t, s)[0], store.Attempt{State: store.DeliveryDelivered, At: c.Now()})
		page, next, err := s.Events(ctx, store.EventFilter{Limit: 2})
		if err != nil || len(page) != 2 || next == "" {
			t.Fatalf("%d, %q, %v", len(page), next, err)
		}
		rest, _, err := s.Events(ctx, store.EventFilter{Limit: 2, Cursor: next})
		if err != nil || len(rest) != 1 {
			t.Fatalf("%d, %v", len(rest), err)
		}
		for state, want := range map[store.DeliveryState]int{store.DeliveryPending: 2, store.DeliveryDelivered: 1, store.DeliveryFailed: 0} {
			list, _, err := s.Events(ctx, store.EventFilter{State: state})
			if err != nil || len(list) != want {
				t.Errorf("%s: %d, %v", state, len(list), err)
			}
		}
		if n, err := s.ResendEvents(ctx, store.Period{From: c.Now().Add(-time.Hour), To: c.Now().Add(time.Hour)}, by); err != nil || n != 3 {
			t.Errorf("sent again: %d, %v", n, err)
		}
	})
}
