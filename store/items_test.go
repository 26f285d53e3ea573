package store_test

import (
	"context"
	"testing"
	"time"

	"tolem/store"
	"tolem/topup"
)

func TestSuspenseItemsShowWhoseMoneyLiesThereAndWhoResolvedIt(t *testing.T) {
	c := newClock()
	s := bookOf(t, func(o *store.Options) { o.Now = c.Now })
	ctx := context.Background()
	id := mustIssue(t, s)
	_, first := suspendedItem(t, s, paid(id, "1", sum(9000)))
	unknown, second := suspendedItem(t, s, paid("their-id", "2"))
	c.Add(time.Hour)
	made := must(t)(s.AssignSuspense(ctx, first, "7123456789", "12345", anna))

	items, err := s.SuspenseItems(ctx, store.SuspenseFilter{})
	if err != nil || len(items) != 1 {
		t.Fatalf("got %d open items, %v; want 1", len(items), err)
	}
	want := store.SuspenseItem{
		ID: second, Seq: items[0].Seq, PaymentID: unknown, Provider: "jetpay", Project: "1234", Money: hundred, Flags: topup.FlagUnknownPayment,
		ProviderReference: "their-id", Operation: "2", Receipt: "receipt-2", State: store.SuspenseOpen,
		EffectiveAt: time.Date(2026, 11, 20, 8, 0, 0, 0, time.UTC), RecordedAt: c.Now().Add(-time.Hour),
	}
	if items[0] != want {
		t.Errorf("got %+v, want %+v", items[0], want)
	}

	items, err = s.SuspenseItems(ctx, store.SuspenseFilter{All: true})
	if err != nil || len(items) != 2 {
		t.Fatalf("got %d items, %v; want 2", len(items), err)
	}
	resolved := items[0]
	if resolved.ID != first || resolved.State != store.SuspenseAssigned || resolved.CustomerID != "7123456789" || resolved.ContractID != "12345" ||
		resolved.Money.Amount != 9000 || resolved.ProviderReference != id {
		t.Errorf("got %+v", resolved)
	}
	by := store.Resolution{TransactionID: made.ID, Kind: topup.KindAssignment, Actor: "anna", Reason: "ticket 7", At: c.Now()}
	if resolved.Resolution == nil || *resolved.Resolution != by {
		t.Errorf("got %+v, want %+v", resolved.Resolution, by)
	}
	for _, tt := range []struct {
		filter store.SuspenseFilter
		want   int
	}{
		{store.SuspenseFilter{All: true, PaymentID: id}, 1},
		{store.SuspenseFilter{PaymentID: id}, 0},
		{store.SuspenseFilter{All: true, Limit: 1}, 1},
		{store.SuspenseFilter{All: true, After: resolved.Seq}, 1},
		{store.SuspenseFilter{All: true, After: want.Seq}, 0},
		{store.SuspenseFilter{All: true, Flag: topup.FlagAmountDiffers}, 1},
		{store.SuspenseFilter{Flag: topup.FlagAmountDiffers}, 0},
		{store.SuspenseFilter{Flag: topup.FlagUnknownPayment}, 1},
		{store.SuspenseFilter{All: true, Flag: topup.FlagUnknownPayment | topup.FlagAmountDiffers}, 0},
		{store.SuspenseFilter{All: true, Amount: 9000}, 1},
		{store.SuspenseFilter{All: true, Major: major(t, "100.00")}, 1},
		{store.SuspenseFilter{All: true, Major: major(t, "9000")}, 0},
		{store.SuspenseFilter{Period: store.Period{From: want.EffectiveAt, To: want.EffectiveAt.Add(time.Second)}}, 1},
		{store.SuspenseFilter{Period: store.Period{To: want.EffectiveAt}}, 0},
		{store.SuspenseFilter{Period: store.Period{From: want.RecordedAt, By: store.ByRecorded}}, 1},
		{store.SuspenseFilter{Period: store.Period{From: want.RecordedAt.Add(time.Second), By: store.ByRecorded}}, 0},
	} {
		if items, err := s.SuspenseItems(ctx, tt.filter); err != nil || len(items) != tt.want {
			t.Errorf("%+v: got %d items, %v; want %d", tt.filter, len(items), err, tt.want)
		}
	}
	for name, filter := range map[string]store.SuspenseFilter{
		"too many at once":  {Limit: 1001},
		"a negative amount": {Amount: -1},
		"an unknown time":   {Period: store.Period{By: "chance"}},
	} {
		if _, err := s.SuspenseItems(ctx, filter); kindOf(err) != topup.KindInvalid {
			t.Errorf("%s: got %v", name, err)
		}
	}
}
