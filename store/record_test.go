package store_test

import (
	"context"
	"fmt"
	"math"
	"strings"
	"sync"
	"testing"
	"time"

	"tolem/store"
	"tolem/testkit"
	"tolem/topup"
)

func TestIssuedPaymentsArePendingUnderFreshSortableIDs(t *testing.T) {
	c := newClock()
	s := mustOpen(t, func(o *store.Options) { o.Now = c.Now })
	seen := map[string]bool{}
	last := ""
	for range 100 {
		id := mustIssue(t, s)
		if seen[id] || id <= last || !strings.HasPrefix(id, "p_") || len(id) != 28 {
			t.Fatalf("id %q after %q", id, last)
		}
		seen[id], last = true, id
		c.Add(time.Millisecond)
	}
	p := mustPayment(t, s, last)
	if p.Status != topup.StatusPending || p.Money != hundred || p.CustomerID != "7123456789" || p.ContractNumber != "A-1" || p.Credit != nil {
		t.Errorf("got %+v", p)
	}
	if got := p.ExpiresAt.Sub(p.CreatedAt); got != 288*time.Hour {
		t.Errorf("expires after %v", got)
	}
	if _, err := s.Payment(context.Background(), "p_nothing"); kindOf(err) != topup.KindNotFound {
		t.Errorf("an unknown payment: got %v", err)
	}
}

func TestACreditTheMessageAndTheStatusAreOneTransaction(t *testing.T) {
	s := mustOpen(t)
	id := mustIssue(t, s)
	got := mustRecord(t, s, paid(id, "28"))
	if got.Disposition != topup.DispositionCredited || got.PaymentID != id || got.Status != topup.StatusSucceeded {
		t.Errorf("got %+v", got)
	}
	p := mustPayment(t, s, id)
	if p.Status != topup.StatusSucceeded || p.Credit == nil || p.Credit.Money != hundred || p.Credit.Operation != "28" || p.Credit.ByOperator {
		t.Errorf("payment: got %+v, credit %+v", p, p.Credit)
	}
	if p.ProviderStatus != "success" || p.ProviderPaymentID != "receipt-28" || p.OperationID != "28" || p.ProviderTime.IsZero() {
		t.Errorf("the provider's part: got %+v", p)
	}
	raw := rawOpen(t, s)
	for query, want := range map[string]int64{
		`SELECT count(*) FROM transactions WHERE kind = 'credit' AND slot = 0`:                                  1,
		`SELECT count(*) FROM entries`:                                                                          2,
		`SELECT sum(amount) FROM entries`:                                                                       0,
		`SELECT credits - debits FROM ledger_balances WHERE name = 'customers:7123456789:12345'`:                10000,
		`SELECT debits - credits FROM ledger_balances WHERE name = 'settlement:jetpay:1234'`:                    10000,
		`SELECT count(*) FROM messages WHERE disposition = 'credited' AND seq = (SELECT seq FROM transactions)`: 1,
		`SELECT count(*) FROM message_bodies WHERE CAST(body AS TEXT) = '{"raw":"28"}'`:                         1,
		`SELECT effective_at FROM transactions`:                                                                 time.Date(2026, 11, 20, 8, 0, 0, 0, time.UTC).UnixMicro(),
		`SELECT count(*) FROM operations WHERE operation = '28' AND provider = 'jetpay' AND project = '1234'`:   1,
	} {
		if got := queryInt(t, raw, query); got != want {
			t.Errorf("%s: got %d, want %d", query, got, want)
		}
	}
}

func TestRepeatsAddALineAndNoEffect(t *testing.T) {
	s := mustOpen(t)
	id := mustIssue(t, s)
	e := paid(id, "28")
	mustRecord(t, s, e)
	mustRecord(t, s, e) // the very same bytes
	if _, err := s.Record(context.Background(), e, []byte(`{ "raw" : "28" }`)); err != nil {
		t.Fatal(err)
	}
	raw := rawOpen(t, s)
	for query, want := range map[string]int64{
		`SELECT count(*) FROM transactions`:                          1,
		`SELECT count(*) FROM messages`:                              3,
		`SELECT count(*) FROM messages WHERE disposition = 'repeat'`: 2,
		`SELECT count(*) FROM message_bodies`:                        2, // the same bytes are kept once
		`SELECT sum(credits) FROM ledger_balances`:                   10000,
	} {
		if got := queryInt(t, raw, query); got != want {
			t.Errorf("%s: got %d, want %d", query, got, want)
		}
	}
}

func TestTwoHundredCopiesAtOnceCreditOnce(t *testing.T) {
	o := newDatabase(t)
	open := func() *store.Store {
		s, err := store.Open(context.Background(), o)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	s := open()
	id := mustIssue(t, s)
	for range 2 { // and again after a restart
		var wg sync.WaitGroup
		for range 200 {
			wg.Go(func() { mustRecord(t, s, paid(id, "28")) })
		}
		wg.Wait()
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		s = open()
	}
	defer s.Close()
	raw := rawOpen(t, s)
	if got := queryInt(t, raw, `SELECT count(*) FROM transactions`); got != 1 {
		t.Errorf("got %d ledger transactions, want 1", got)
	}
	if got := queryInt(t, raw, `SELECT count(*) FROM messages WHERE disposition = 'repeat'`); got != 399 {
		t.Errorf("got %d repeats, want 399", got)
	}
}

func TestMoneyUnderAnUnknownIDIsKeptTogether(t *testing.T) {
	s := mustOpen(t)
	first := mustRecord(t, s, paid("their-id", "1"))
	second := mustRecord(t, s, paid("their-id", "2"))
	if first.Disposition != topup.DispositionSuspended || first.PaymentID == "" || second.PaymentID != first.PaymentID {
		t.Errorf("got %+v, then %+v", first, second)
	}
	p := mustPayment(t, s, first.PaymentID)
	if p.Status != topup.StatusReview || p.Flags != topup.FlagUnknownPayment || p.ProviderReference != "their-id" ||
		p.Issued() || p.InSuspense != 2 || p.Money != hundred {
		t.Errorf("got %+v", p)
	}
	// Our own id for it was never issued: a message that names it is unknown too.
	third := mustRecord(t, s, paid(first.PaymentID, "3"))
	if third.Disposition != topup.DispositionSuspended || third.PaymentID == first.PaymentID {
		t.Errorf("got %+v", third)
	}
	raw := rawOpen(t, s)
	if got := queryInt(t, raw, `SELECT credits FROM ledger_balances WHERE name = 'suspense:jetpay:1234'`); got != 30000 {
		t.Errorf("suspense: got %d, want 30000", got)
	}
	if got := queryInt(t, raw, `SELECT count(*) FROM suspense_items WHERE state = 'open'`); got != 3 {
		t.Errorf("items: got %d, want 3", got)
	}
}

func TestAPaymentOfAnotherProjectIsUnknown(t *testing.T) {
	s := mustOpen(t)
	id := mustIssue(t, s)
	got := mustRecord(t, s, paid(id, "1", func(e *topup.Event) { e.Project = "99" }))
	if got.Disposition != topup.DispositionSuspended || got.PaymentID == id || got.Flags != topup.FlagUnknownPayment {
		t.Errorf("got %+v", got)
	}
	if p := mustPayment(t, s, id); p.Status != topup.StatusPending {
		t.Errorf("the other project's payment: got %s", p.Status)
	}
	if got := mustRecord(t, s, paid(id, "1")); got.Disposition != topup.DispositionCredited {
		t.Errorf("the same operation id under its own project: got %+v", got)
	}
}

func TestForeignAndUnreadableMessagesAreStoredAndPostNothing(t *testing.T) {
	s := mustOpen(t)
	for _, e := range []topup.Event{
		paid("a-card-payment", "1", func(e *topup.Event) { e.TopUp = false }),
		{Provider: "jetpay", Project: "1234", Outcome: topup.OutcomePaid},
		{Provider: "jetpay", Project: "1234", Outcome: topup.OutcomeOpen},
	} {
		mustRecord(t, s, e)
	}
	raw := rawOpen(t, s)
	if got := queryInt(t, raw, `SELECT count(*) FROM transactions`); got != 0 {
		t.Errorf("%d ledger transactions", got)
	}
	if got := queryInt(t, raw, `SELECT count(*) FROM message_bodies`); got != 3 {
		t.Errorf("%d raw bodies are kept, want 3", got)
	}
}

func TestOlderMessagesDoNotHideNewerOnes(t *testing.T) {
	at := func(minute int) func(*topup.Event) {
		return func(e *topup.Event) { e.EffectiveAt = time.Date(2026, 11, 20, 8, minute, 0, 0, time.UTC) }
	}
	as := func(o topup.Outcome, status string) func(*topup.Event) {
		return func(e *topup.Event) { e.Outcome, e.Status = o, status }
	}
	s := mustOpen(t)
	id := mustIssue(t, s)
	mustRecord(t, s, paid(id, "28", at(5), as(topup.OutcomeDeclined, "decline")))
	mustRecord(t, s, paid(id, "28", at(1), as(topup.OutcomeOpen, "processing")))
	if p := mustPayment(t, s, id); p.ProviderStatus != "decline" || p.Status != topup.StatusDeclined {
		t.Errorf("got %s, %s", p.Status, p.ProviderStatus)
	}
	mustRecord(t, s, paid(id, "29", at(6)))
	mustRecord(t, s, paid(id, "30", at(7), as(topup.OutcomeDeclined, "decline")))
	if p := mustPayment(t, s, id); p.ProviderStatus != "success" || p.Status != topup.StatusSucceeded || p.Flags != topup.FlagLate {
		t.Errorf("got %s, %s, %v", p.Status, p.ProviderStatus, p.Flags.Names())
	}
}

func TestAMovementWithoutADateTakesEffectWhenItComes(t *testing.T) {
	c := newClock()
	s := mustOpen(t, func(o *store.Options) { o.Now = c.Now })
	mustRecord(t, s, paid(mustIssue(t, s), "1", func(e *topup.Event) { e.EffectiveAt = time.Time{} }))
	if got := queryInt(t, rawOpen(t, s), `SELECT effective_at FROM transactions`); got != c.Now().UnixMicro() {
		t.Errorf("got %d", got)
	}
}

func TestARunningTotalThatWouldOverflowPostsNothingAndHarmsNobody(t *testing.T) {
	s := mustOpen(t)
	id := mustIssue(t, s)
	mustRecord(t, s, paid(id, "1"))
	raw := rawOpen(t, s)
	if err := addToTotals(raw, own, 0, math.MaxInt64-5-10000); err != nil {
		t.Fatal(err)
	}
	full := mustIssue(t, s)
	other := mustIssue(t, s, func(n *store.NewPayment) { n.ContractID = "67890" })

	release := s.HoldWriter()
	defer release()
	var fullErr, otherErr error
	var wg sync.WaitGroup
	wg.Go(func() { _, fullErr = s.Record(context.Background(), paid(full, "2"), []byte("{}")) })
	wg.Go(func() { _, otherErr = s.Record(context.Background(), paid(other, "3"), []byte("{}")) })
	testkit.Eventually(t, "the queue", func() bool { return s.QueueDepth() == 2 })
	release()
	wg.Wait()
	if kindOf(fullErr) != topup.KindUnavailable {
		t.Errorf("the overflowing credit: got %v, want unavailable", fullErr)
	}
	if otherErr != nil {
		t.Errorf("its neighbour: %v", otherErr)
	}
	if p := mustPayment(t, s, full); p.Status != topup.StatusPending || p.Credit != nil {
		t.Errorf("the overflowing payment: got %+v", p)
	}
	if got := queryInt(t, raw, `SELECT count(*) FROM transactions`); got != 2 {
		t.Errorf("got %d ledger transactions, want 2", got)
	}
}

func TestConcurrentOperationsOnOnePaymentCreditItOnce(t *testing.T) {
	s := mustOpen(t)
	id := mustIssue(t, s)
	var wg sync.WaitGroup
	for i := range 50 {
		wg.Go(func() { mustRecord(t, s, paid(id, fmt.Sprint(i))) })
	}
	wg.Wait()
	p := mustPayment(t, s, id)
	if p.InSuspense != 49 || p.Flags != topup.FlagSecondOperation || p.Status != topup.StatusSucceeded {
		t.Errorf("got %+v", p)
	}
	raw := rawOpen(t, s)
	if got := queryInt(t, raw, `SELECT credits FROM ledger_balances WHERE name LIKE 'customers:%'`); got != 10000 {
		t.Errorf("credited %d, want 10000", got)
	}
}

func TestAPaymentIsExpiredFromTheMomentThatItIs(t *testing.T) {
	c := newClock()
	s := mustOpen(t, func(o *store.Options) { o.Now = c.Now })
	id := mustIssue(t, s)
	just := mustIssue(t, s)
	c.Add(288*time.Hour - time.Microsecond)
	if got := mustRecord(t, s, paid(just, "1")); got.Flags != 0 {
		t.Errorf("just before: got %v", got.Flags.Names())
	}
	c.Add(time.Microsecond)
	// No sweep has written it down yet.
	if got := mustRecord(t, s, paid(id, "2")); got.Disposition != topup.DispositionCredited || got.Flags != topup.FlagLate {
		t.Errorf("got %+v", got)
	}
}

func TestACreditedPaymentGoesOnShowingTheMovementBehindItsCredit(t *testing.T) {
	s := mustOpen(t)
	id := mustIssue(t, s)
	mustRecord(t, s, paid(id, "1"))
	mustRecord(t, s, paid(id, "2", func(e *topup.Event) { e.EffectiveAt = e.EffectiveAt.Add(time.Hour) }))
	if p := mustPayment(t, s, id); p.OperationID != "1" || p.ProviderPaymentID != "receipt-1" {
		t.Errorf("got operation %s, receipt %s", p.OperationID, p.ProviderPaymentID)
	}
	// The movement that credits is shown although something newer was said.
	late := mustIssue(t, s)
	mustRecord(t, s, paid(late, "3", func(e *topup.Event) {
		e.Outcome, e.Status, e.EffectiveAt = topup.OutcomeDeclined, "decline", e.EffectiveAt.Add(time.Hour)
	}))
	mustRecord(t, s, paid(late, "4"))
	if p := mustPayment(t, s, late); p.ProviderStatus != "success" || p.OperationID != "4" {
		t.Errorf("got %s, operation %s", p.ProviderStatus, p.OperationID)
	}
}

func TestEveryOperationAndReceiptFindsItsPayment(t *testing.T) {
	s := mustOpen(t)
	id := mustIssue(t, s)
	mustRecord(t, s, paid(id, "1", func(e *topup.Event) { e.Outcome, e.Status = topup.OutcomeDeclined, "decline" }))
	mustRecord(t, s, paid(id, "2"))
	mustRecord(t, s, paid(id, "3"))
	mustRecord(t, s, paid("theirs", "4"))
	for _, q := range []string{"1", "2", "3", "receipt-1", "receipt-2", "receipt-3"} {
		page, _, err := s.Payments(context.Background(), store.PaymentFilter{Q: q})
		if err != nil || len(page) != 1 || page[0].ID != id {
			t.Errorf("q=%s: got %d payments, %v", q, len(page), err)
		}
	}
	for _, q := range []string{"4", "receipt-4", "theirs"} {
		if page, _, err := s.Payments(context.Background(), store.PaymentFilter{Q: q}); err != nil || len(page) != 1 || page[0].ID == id {
			t.Errorf("q=%s: got %d payments, %v", q, len(page), err)
		}
	}
}
