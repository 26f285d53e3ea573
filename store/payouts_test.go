package store_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"tolem/calendar"
	"tolem/store"
	"tolem/testkit"
	"tolem/topup"
)

// paidBook is a book in which payments were credited with 10 000 each, under the
// operations 1, 2, ….
func paidBook(t testing.TB, n int, change ...func(*store.Options)) (*store.Store, []string) {
	t.Helper()
	s := bookOf(t, change...)
	var ids []string
	for i := range n {
		id := mustIssue(t, s)
		mustRecord(t, s, paid(id, fmt.Sprint(i+1)))
		ids = append(ids, id)
	}
	return s, ids
}

func mustPayout(t testing.TB, s *store.Store, id string) *store.Payout {
	t.Helper()
	p, err := s.Payout(ctx, ref(id))
	if err != nil {
		t.Fatalf("payout %s: %v", id, err)
	}
	return p
}

func wantRefusal(t *testing.T, err error, kind topup.Kind, says string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), says) || (kind != "" && kindOf(err) != kind) {
		t.Errorf("got %v (%s), want %s %q", err, kindOf(err), kind, says)
	}
}

func TestPayout(t *testing.T) {
	t.Parallel()
	t.Run("IsADraftUntilItIsPosted", func(t *testing.T) {
		s, ids := paidBook(t, 2)
		mustAdd(t, s, newPayout("po-1", withLines(saleLine(2, ids[0], "1", 10000, 300), saleLine(3, ids[1], "2", 10000, 200))))
		if got := mustPayout(t, s, "po-1"); got.State != topup.PayoutDraft || got.Lines != 2 || got.Net != 19500 || len(feed(t, s)) != 2 {
			t.Fatalf("got %+v, %d transactions", got, len(feed(t, s)))
		}
		made := mustPost(t, s, "po-1")
		want := []topup.Posting{{Account: bankHalyk, Amount: 19500, Currency: "KZT"}, {Account: feesAccount, Amount: 500, Currency: "KZT"}, {Account: settlement, Amount: -20000, Currency: "KZT"}}
		if made.Kind != topup.KindPayout || made.PaymentID != "" || made.PayoutID != "po-1" || !slices.Equal(made.Postings, want) || made.Actor != anna.Actor {
			t.Errorf("got %+v, want the postings %v", made, want)
		}
		if got := feed(t, s)[2]; got.ID != made.ID || got.PayoutID != "po-1" || got.PaymentID != "" {
			t.Errorf("the feed has %+v", got)
		}
		p := mustPayout(t, s, "po-1")
		if p.State != topup.PayoutPosted || p.Posting() != made.ID || len(p.Steps) != 2 || p.Steps[1].Reason != anna.Reason {
			t.Errorf("got %+v", p)
		}
		if got := mustPayment(t, s, ids[1]); got.PayoutID != "po-1" {
			t.Errorf("payment: got payout %q", got.PayoutID)
		}
		checked(t, s)
	})
	t.Run("IsPostedOnce", func(t *testing.T) {
		s, _ := paidBook(t, 1)
		mustAdd(t, s, newPayout("po-1"))
		mustPost(t, s, "po-1")
		_, err := s.PostPayout(ctx, ref("po-1"), anna)
		wantRefusal(t, err, topup.KindConflict, "the payout has been posted")
		wantRefusal(t, s.DiscardPayout(ctx, ref("po-1"), anna), topup.KindConflict, "use ledger reverse on its transaction")
		checked(t, s)
	})
	t.Run("CountsOnItsDay", func(t *testing.T) {
		s, _ := paidBook(t, 1, at(newClock()))
		mustAdd(t, s, newPayout("po-1"))
		if got := mustPost(t, s, "po-1").EffectiveAt; !got.Equal(time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC)) {
			t.Errorf("got %v", got)
		}
	})
	t.Run("OfAClosedDayCountsOnTheFirstOpenOne", func(t *testing.T) {
		s, _ := paidBook(t, 1, at(newClock()))
		open := time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC)
		if _, err := s.SetClosedPeriod(ctx, "2026-11-20", open); err != nil {
			t.Fatal(err)
		}
		mustAdd(t, s, newPayout("po-1"))
		if got := mustPost(t, s, "po-1").EffectiveAt; !got.Equal(open) {
			t.Errorf("got %v, want %v", got, open)
		}
		mustAdd(t, s, newPayout("po-2"))
		by := anna
		by.Effective = store.Day{Start: open.AddDate(0, 0, -1), End: open}
		_, err := s.PostPayout(ctx, ref("po-2"), by)
		wantRefusal(t, err, topup.KindConflict, "the books are closed to 2026-11-20")
	})
	t.Run("DiscardedFreesItsIDAndLines", func(t *testing.T) {
		s, ids := paidBook(t, 1)
		line := withLines(saleLine(2, ids[0], "1", 10000, 0))
		mustAdd(t, s, newPayout("po-1", line))
		if err := s.DiscardPayout(ctx, ref("po-1"), anna); err != nil {
			t.Fatal(err)
		}
		if got := mustPayment(t, s, ids[0]); got.PayoutID != "" {
			t.Errorf("the payment is still named by %q", got.PayoutID)
		}
		wantRefusal(t, s.DiscardPayout(ctx, ref("po-1"), anna), topup.KindConflict, "already discarded")
		mustAdd(t, s, newPayout("po-1", line, func(p *store.NewPayout) { p.Date = "2026-11-21" }))
		if got := mustPayout(t, s, "po-1"); got.State != topup.PayoutDraft || got.Date != "2026-11-21" {
			t.Errorf("got %+v, want the new draft", got)
		}
		checked(t, s)
	})
	t.Run("ReversedFreesItsIDAndLines", func(t *testing.T) {
		s, ids := paidBook(t, 1)
		line := withLines(saleLine(2, ids[0], "1", 10000, 0))
		mustAdd(t, s, newPayout("po-1", line))
		reversal := must(t)(s.Reverse(ctx, mustPost(t, s, "po-1").ID, anna))
		if reversal.PayoutID != "po-1" || reversal.Kind != topup.KindReversal || mustPayout(t, s, "po-1").State != topup.PayoutReversed {
			t.Errorf("got %+v", reversal)
		}
		again := must(t)(s.Reverse(ctx, reversal.ID, anna)) // nothing is taken: it counts again
		if mustPayout(t, s, "po-1").State != topup.PayoutPosted {
			t.Error("the payout is not posted again")
		}
		reversal = must(t)(s.Reverse(ctx, again.ID, anna))
		mustAdd(t, s, newPayout("po-2", line))
		_, err := s.Reverse(ctx, reversal.ID, anna)
		wantRefusal(t, err, topup.KindConflict, "lines of it are in payout po-2 since the payout was reversed")
		if err := s.DiscardPayout(ctx, ref("po-2"), anna); err != nil {
			t.Fatal(err)
		}
		mustAdd(t, s, newPayout("po-1"))
		_, err = s.Reverse(ctx, reversal.ID, anna)
		wantRefusal(t, err, topup.KindConflict, "payout po-1 has been entered again since")
		checked(t, s)
	})
	t.Run("OfSeveralProjectsIsAskedFor", func(t *testing.T) {
		s, _ := paidBook(t, 1)
		mustAdd(t, s, newPayout("po-1"))
		mustAdd(t, s, newPayout("po-1", func(p *store.NewPayout) { p.Project = "9" }))
		_, err := s.Payout(ctx, ref("po-1"))
		wantRefusal(t, err, topup.KindInvalid, "name the provider and the project")
		_, err = s.PostPayout(ctx, ref("po-1"), anna)
		wantRefusal(t, err, topup.KindInvalid, "name the provider and the project")
		if made := must(t)(s.PostPayout(ctx, store.PayoutRef{ID: "po-1", Provider: "jetpay", Project: "9"}, anna)); made.Postings[0].Account != bankHalyk || made.Postings[2].Account != "settlement:jetpay:9" {
			t.Errorf("got %+v", made.Postings)
		}
		_, err = s.Payout(ctx, ref("po-none"))
		wantRefusal(t, err, topup.KindNotFound, "payout does not exist")
		checked(t, s)
	})
	t.Run("IsListed", func(t *testing.T) {
		s, _ := paidBook(t, 1)
		for i := range 5 {
			mustAdd(t, s, newPayout(fmt.Sprintf("po-%d", i)))
		}
		mustPost(t, s, "po-1")
		var got []string
		for cursor := ""; ; {
			page, next, err := s.Payouts(ctx, store.PayoutFilter{State: topup.PayoutDraft, Limit: 2, Cursor: cursor})
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range page {
				got = append(got, p.ID)
			}
			if cursor = next; next == "" {
				break
			}
		}
		if want := []string{"po-4", "po-3", "po-2", "po-0"}; !slices.Equal(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
		_, _, err := s.Payouts(ctx, store.PayoutFilter{State: "gone"})
		wantRefusal(t, err, topup.KindInvalid, "status must be one of")
	})
	t.Run("IsPostedByASecondPersonUnderFourEyes", func(t *testing.T) {
		s, ids := paidBook(t, 1)
		underFourEyes(t, s, store.ActionPayout)
		mustAdd(t, s, newPayout("po-1", withLines(saleLine(2, ids[0], "1", 10000, 0))))
		_, err := s.PostPayout(ctx, ref("po-1"), store.By{Actor: "anna", Reason: "ticket 9"})
		id := proposed(t, err)
		if got := mustPayout(t, s, "po-1"); got.State != topup.PayoutDraft {
			t.Errorf("proposed: got %s", got.State)
		}
		made, err := s.Approve(ctx, id, bearer("bolat"))
		if err != nil || len(made) != 1 || made[0].Kind != topup.KindPayout || mustPayout(t, s, "po-1").State != topup.PayoutPosted {
			t.Errorf("approved: got %+v, %v", made, err)
		}
		checked(t, s)
	})
	t.Run("NeedsAnActorAndAReason", func(t *testing.T) {
		s, _ := paidBook(t, 1)
		_, err := s.AddPayout(ctx, newPayout("po-1"), store.By{})
		wantRefusal(t, err, topup.KindInvalid, "actor must be given")
		mustAdd(t, s, newPayout("po-1"))
		_, err = s.PostPayout(ctx, ref("po-1"), store.By{Actor: "anna"})
		wantRefusal(t, err, topup.KindInvalid, "reason must be given")
	})
}

func TestPayoutImport(t *testing.T) {
	t.Parallel()
	t.Run("OfTheSameChangesNothing", func(t *testing.T) {
		s, ids := paidBook(t, 2)
		register := []store.NewPayout{
			newPayout("po-1", withLines(saleLine(2, ids[0], "1", 10000, 300))),
			newPayout("po-2", withLines(saleLine(3, ids[1], "2", 10000, 300))),
		}
		for n, want := range []int{2, 0} {
			got, err := s.ImportPayouts(ctx, register, anna, false)
			if err != nil || len(got.Created) != want || len(got.Unchanged) != 2-want {
				t.Fatalf("import %d: got %+v, %v", n, got, err)
			}
		}
		mustPost(t, s, "po-1")
		if got, err := s.ImportPayouts(ctx, register, anna, false); err != nil || len(got.Unchanged) != 2 {
			t.Fatalf("after it was posted: got %+v, %v", got, err)
		}
		checked(t, s)
	})
	t.Run("OfOtherContentIsRefused", func(t *testing.T) {
		s, ids := paidBook(t, 2)
		mustAdd(t, s, newPayout("po-1", withLines(saleLine(2, ids[0], "1", 10000, 300))))
		for _, tt := range []struct {
			change func(*store.NewPayout)
			says   string
		}{
			{withLines(saleLine(2, ids[0], "1", 10000, 400)), "it is there, draft, with other content: fees is 4.00 KZT, and was 3.00 KZT; net is 96.00 KZT, and was 97.00 KZT"},
			{withLines(saleLine(2, ids[0], "1", 10000, 400)), "line 2 (payment, " + ids[0] + ", operation 1): fee is 4.00 KZT, and was 3.00 KZT; if the register"},
			{func(p *store.NewPayout) { p.Date = "2026-11-21" }, "date is 2026-11-21, and was 2026-11-20"},
			{withLines(saleLine(2, ids[1], "2", 10000, 300)), "line 2 (payment, " + ids[1] + ", operation 2) is another one than line 2 was (payment, " + ids[0] + ", operation 1)"},
			{withLines(), "it has 0 lines, and had 1"},
		} {
			_, err := s.AddPayout(ctx, newPayout("po-1", withLines(saleLine(2, ids[0], "1", 10000, 300)), tt.change), anna)
			wantRefusal(t, err, topup.KindConflict, tt.says)
			wantRefusal(t, err, topup.KindConflict, "use payouts discard")
		}
		mustPost(t, s, "po-1")
		_, err := s.AddPayout(ctx, newPayout("po-1"), anna)
		wantRefusal(t, err, topup.KindConflict, "if the register is right, use ledger reverse on its transaction, and import it again")
		checked(t, s)
	})
	t.Run("NamesEveryBadLineAndChangesNothing", func(t *testing.T) {
		s, ids := paidBook(t, 2)
		mustAdd(t, s, newPayout("po-1", withLines(saleLine(2, ids[0], "1", 10000, 300))))
		_, err := s.ImportPayouts(ctx, []store.NewPayout{
			newPayout("po-2", withLines(saleLine(2, ids[1], "2", 10000, 0))),
			newPayout("po-3", withLines(saleLine(3, ids[0], "1", 10000, 0), saleLine(4, "", "9", 5, 0), saleLine(5, "", "9", 6, 0))),
		}, anna, false)
		wantRefusal(t, err, "", "line 5, payout po-3: payment, operation 9 is in line 4, of payout po-3, too")
		_, err = s.ImportPayouts(ctx, []store.NewPayout{
			newPayout("po-2", withLines(saleLine(2, ids[1], "2", 10000, 0))),
			newPayout("po-3", withLines(saleLine(3, ids[0], "1", 10000, 0), saleLine(4, "", "9", 5, 0))),
			newPayout("po-4", func(p *store.NewPayout) { p.Currency = "KGS" }),
		}, anna, false)
		wantRefusal(t, err, "", "payout po-4: currency of the payout is KGS; the bank account halyk is in KZT")
		_, err = s.ImportPayouts(ctx, []store.NewPayout{
			newPayout("po-2", withLines(saleLine(2, ids[1], "2", 10000, 0))),
			newPayout("po-3", withLines(saleLine(3, ids[0], "1", 10000, 0), saleLine(4, "", "9", 5, 0))),
		}, anna, false)
		wantRefusal(t, err, "", "line 3, payout po-3: payment, "+ids[0]+", operation 1 is in payout po-1: a line is in one payout at most")
		if page, _, err := s.Payouts(ctx, store.PayoutFilter{}); err != nil || len(page) != 1 {
			t.Errorf("got %d payouts, %v; want the one of before", len(page), err)
		}
		if got := queryInt(t, rawOpen(t, s), `SELECT count(*) FROM payouts`); got != 1 {
			t.Errorf("%d payouts are stored", got)
		}
		checked(t, s)
	})
	t.Run("FiguresMustBeTheSumsOfTheLines", func(t *testing.T) {
		s, ids := paidBook(t, 1)
		_, err := s.AddPayout(ctx, newPayout("po-1", withLines(saleLine(2, ids[0], "1", 10000, 300)), func(p *store.NewPayout) { p.Gross, p.Net = 10100, 9800 }), anna)
		wantRefusal(t, err, topup.KindInvalid, "figures must be the sums of its lines: gross is 100.00 KZT, and was 101.00 KZT")
	})
	t.Run("DryRunWritesNothing", func(t *testing.T) {
		s, _ := paidBook(t, 1)
		got, err := s.ImportPayouts(ctx, []store.NewPayout{newPayout("po-1")}, anna, true)
		if err != nil || len(got.Created) != 1 {
			t.Fatalf("got %+v, %v", got, err)
		}
		if page, _, _ := s.Payouts(ctx, store.PayoutFilter{}); len(page) != 0 {
			t.Errorf("got %d payouts", len(page))
		}
	})
	t.Run("OfManyLines", func(t *testing.T) {
		s, ids := paidBook(t, 3)
		var lines []topup.PayoutLine
		for n := range 1100 {
			lines = append(lines, saleLine(n+2, ids[n%3], fmt.Sprint(n+1), 10000, int64(n)))
		}
		mustAdd(t, s, newPayout("po-1", withLines(lines...)))
		list, total, err := s.PayoutDifferences(ctx, mustPayout(t, s, "po-1"))
		if err != nil || total != 1100 || len(list) == 0 || list[0].Difference != topup.LineListedTwice {
			t.Fatalf("got %d differences, %v, %v; want each of 1100 lines of three payments", total, list, err)
		}
		page, err := s.PayoutLines(ctx, mustPayout(t, s, "po-1"), 1000, 500)
		if err != nil || len(page) != 100 || page[0].N != 1001 {
			t.Fatalf("got %d lines, %v", len(page), err)
		}
		checked(t, s)
	})
	t.Run("WhatACrashLeftIsSwept", func(t *testing.T) {
		c := newClock()
		s, ids := paidBook(t, 1, at(c))
		raw := rawOpen(t, s)
		if _, err := raw.Exec(`INSERT INTO payouts (payout_id, provider, project, bank, date, day_start, day_end, currency, gross, refunds, fees, reserve, adjustments, net, lines, file, sha256, created_at, state)
			VALUES ('po-1', 'jetpay', '1234', 'halyk', '2026-11-20', 0, 0, 'KZT', 0, 0, 0, 0, 0, 0, 1, '', '', ?, 'staged')`, c.Now().UnixMicro()); err != nil {
			t.Fatal(err)
		}
		if _, err := raw.Exec(`INSERT INTO payout_lines SELECT id, 1, 1, 'payment', '', '1', 1, 0, 0, 0, NULL, 'payment 1', NULL FROM payouts`); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Payout(ctx, ref("po-1")); kindOf(err) != topup.KindNotFound {
			t.Errorf("a staged payout is seen: %v", err)
		}
		c.Add(2 * time.Hour)
		mustAdd(t, s, newPayout("po-1", withLines(saleLine(2, ids[0], "1", 10000, 0))))
		if got := queryInt(t, raw, `SELECT count(*) FROM payouts`); got != 1 {
			t.Errorf("%d payouts are stored", got)
		}
		checked(t, s)
	})
}

// TestPayoutDifferences_ListedTwice: the lines of one payment have two keys where
// one names its id and one its operation, so both are kept, and both are told.
func TestPayoutDifferences_ListedTwice(t *testing.T) {
	t.Parallel()
	s, ids := paidBook(t, 2)
	mustAdd(t, s, newPayout("po-1", withLines(saleLine(2, ids[0], "", 10000, 0), saleLine(3, "", "2", 10000, 0))))
	mustAdd(t, s, newPayout("po-2", withLines(saleLine(2, "", "1", 10000, 0))))
	told := func(id string) (list []string) {
		t.Helper()
		lines, _, err := s.PayoutDifferences(ctx, mustPayout(t, s, id))
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range lines {
			list = append(list, fmt.Sprintf("%d %s", l.Line, l.Difference))
		}
		return list
	}
	for _, id := range []string{"po-1", "po-2"} {
		if got := told(id); !slices.Equal(got, []string{"2 listed_twice"}) {
			t.Errorf("%s: got %q", id, got)
		}
	}
	if err := s.DiscardPayout(ctx, ref("po-2"), anna); err != nil {
		t.Fatal(err)
	}
	if got := told("po-1"); len(got) > 0 {
		t.Errorf("beside a payout that was discarded: got %q", got)
	}
}

func TestPayoutDifferences(t *testing.T) {
	t.Parallel()
	s, ids := paidBook(t, 3)
	unknown, item := suspendedItem(t, s, paid("their-id", "30"))
	pending := mustIssue(t, s)
	must(t)(s.ReturnSuspense(ctx, item, topup.PayBack{}, anna))
	refund := func(line int, payment, operation string, amount int64) topup.PayoutLine {
		return topup.PayoutLine{Line: line, Type: topup.LineRefund, Payment: payment, Operation: operation, Amount: amount}
	}
	mustAdd(t, s, newPayout("po-1", withLines(
		saleLine(2, ids[0], "1", 10000, 0),
		saleLine(3, ids[1], "", 9999, 0),
		saleLine(4, "", "3", 10000, 0),
		saleLine(5, "p_nobody", "77", 500, 0),
		saleLine(6, pending, "", 10000, 0),
		saleLine(7, "their-id", "", 10000, 0),
		refund(8, "their-id", "90", 10000),
		refund(9, ids[0], "91", 10),
		topup.PayoutLine{Line: 10, Type: topup.LineFee, Amount: 7},
	)))
	list, total, err := s.PayoutDifferences(ctx, mustPayout(t, s, "po-1"))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, l := range list {
		got = append(got, fmt.Sprintf("%d %s %v", l.Line, l.Difference, l.Received.Amount))
	}
	want := []string{"3 amount_differs 10000", "5 payment_unknown 0", "6 not_received 0", "9 refund_not_booked 0"}
	if !slices.Equal(got, want) || total != len(want) {
		t.Errorf("got %q, want %q", got, want)
	}
	mustPost(t, s, "po-1") // where the figures say, whatever differs
	if got := mustPayment(t, s, unknown); got.PayoutID != "po-1" {
		t.Errorf("the platform's own id: got %q", got.PayoutID)
	}
	if page, _, err := s.Payments(ctx, store.PaymentFilter{}); err != nil || !slices.ContainsFunc(page, func(p *topup.Payment) bool { return p.ID == ids[2] && p.PayoutID == "po-1" }) {
		t.Errorf("the list of payments does not name the payout, %v", err)
	}
	checked(t, s)
}

// at sets a store's clock.
func at(c *testkit.Clock) func(*store.Options) { return func(o *store.Options) { o.Now = c.Now } }

func TestPayoutsAreGuardedByTheDatabase(t *testing.T) {
	t.Parallel()
	s, ids := paidBook(t, 1)
	mustAdd(t, s, newPayout("po-1", withLines(saleLine(2, ids[0], "1", 10000, 0))))
	mustPost(t, s, "po-1")
	raw := rawOpen(t, s)
	for _, attack := range []string{
		`UPDATE payouts SET net = net + 1, gross = gross + 1`,
		`UPDATE payouts SET state = 'draft'`,
		`UPDATE payouts SET state = 'discarded'`,
		`UPDATE payouts SET project = '9'`,
		`DELETE FROM payouts`,
		`INSERT INTO payouts (payout_id, provider, project, bank, date, day_start, day_end, currency, gross, refunds, fees, reserve, adjustments, net, lines, file, sha256, created_at, state)
			SELECT 'po-2', provider, project, bank, date, day_start, day_end, currency, gross, refunds, fees, reserve, adjustments, net, lines, file, sha256, created_at, 'posted' FROM payouts`,
		`UPDATE payout_lines SET amount = 1`,
		`UPDATE payout_lines SET payment_id = 'p_other'`,
		`UPDATE payout_lines SET payment_id = NULL`,
		`DELETE FROM payout_lines`,
		`INSERT INTO payout_lines SELECT payout, n + 1, line, type, payment, operation, amount, fee, reserve, adjustment, at, '', payment_id FROM payout_lines`,
		`UPDATE payout_steps SET reason = 'x'`,
		`DELETE FROM payout_steps`,
	} {
		if _, err := raw.Exec(attack); err == nil {
			t.Errorf("%s: done", attack)
		}
	}
	checked(t, s)
}

// settled is the settlement of the test's project in tenge.
func settled(t testing.TB, s *store.Store, day string) store.Settlement {
	t.Helper()
	var d calendar.Day
	if day != "" {
		var err error
		if d, err = calendar.ParseDay(day); err != nil {
			t.Fatal(err)
		}
	}
	list, err := s.Settlement(ctx, d, time.UTC)
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range list {
		if l.Provider == "jetpay" && l.Project == "1234" && l.Currency == "KZT" {
			return l
		}
	}
	return store.Settlement{}
}

func TestSettlement(t *testing.T) {
	t.Parallel()
	t.Run("Figures", func(t *testing.T) {
		s, ids := paidBook(t, 3, at(newClock()))
		suspendedItem(t, s, paid("their-id", "30", sum(4000)))
		_, item := suspendedItem(t, s, paid("another", "31", sum(1000)))
		must(t)(s.ReturnSuspense(ctx, item, topup.PayBack{}, anna))
		mustAdd(t, s, newPayout("po-1", withLines(saleLine(2, ids[0], "1", 10000, 300), saleLine(3, ids[1], "2", 10000, 200),
			topup.PayoutLine{Line: 4, Type: topup.LineReserve, Amount: 1000}, topup.PayoutLine{Line: 5, Type: topup.LineAdjustment, Amount: -50})))
		mustPost(t, s, "po-1")
		got := settled(t, s, "")
		want := store.Settlement{Provider: "jetpay", Project: "1234", Currency: "KZT", Credited: 35000, Refunded: 1000, PaidOut: 18550, Fees: 500, Reserve: 1000,
			Adjustments: -50, Owed: 14000, Suspense: 4000}
		want.Unpaid[0] = store.Unpaid{Count: 3, Sum: 15000}
		if got != want {
			t.Errorf("got  %+v\nwant %+v", got, want)
		}
		if got.Owed != got.Credited-got.Refunded-got.PaidOut-got.Fees-got.Reserve-got.Adjustments {
			t.Error("the figures do not add up")
		}
		checked(t, s)
	})
	t.Run("Refunds", func(t *testing.T) {
		s, ids := paidBook(t, 2, at(newClock()))
		mustAdd(t, s, newPayout("po-1", withLines(saleLine(2, ids[0], "1", 10000, 0),
			topup.PayoutLine{Line: 3, Type: topup.LineRefund, Payment: ids[0], Operation: "90", Amount: 3000})))
		differing := func() (list []topup.LineDifference) {
			lines, _, err := s.PayoutDifferences(ctx, mustPayout(t, s, "po-1"))
			if err != nil {
				t.Fatal(err)
			}
			for _, l := range lines {
				list = append(list, l.Difference)
			}
			return list
		}
		if got := differing(); !slices.Equal(got, []topup.LineDifference{topup.LineRefundNotBooked}) {
			t.Errorf("before the refund: got %q", got)
		}
		must(t)(s.RefundPayment(ctx, ids[0], back(3000, byOperation("90")), anna))
		must(t)(s.RefundPayment(ctx, ids[1], back(500, func(r *topup.RefundRequest) { r.From = "bank:halyk" }), anna))
		if got := differing(); len(got) > 0 {
			t.Errorf("after the refund: got %q", got)
		}
		mustPost(t, s, "po-1")
		if got := settled(t, s, ""); got.Credited != 20000 || got.Refunded != 3000 || got.PaidOut != 7000 || got.Owed != 10000 || got.Unpaid[0].Count != 1 {
			t.Errorf("got %+v", got)
		}
		checked(t, s)
		refund := feed(t, s)[2]
		must(t)(s.Reverse(ctx, refund.ID, anna))
		if got := settled(t, s, ""); got.Refunded != 0 || got.Owed != 13000 {
			t.Errorf("the refund was reversed: got %+v", got)
		}
		if got := differing(); len(got) != 1 {
			t.Errorf("the refund was reversed: got %q", got)
		}
		checked(t, s)
	})
	t.Run("Ages", func(t *testing.T) {
		c := newClock() // 2026-11-21
		s := bookOf(t, at(c))
		var ids []string
		for i, day := range []int{21, 20, 19, 18, 17, 14, 13, -19, -30} {
			id := mustIssue(t, s)
			mustRecord(t, s, paid(id, fmt.Sprint(i+1), func(e *topup.Event) { e.EffectiveAt = time.Date(2026, 11, day, 8, 0, 0, 0, time.UTC) }))
			ids = append(ids, id)
		}
		unpaid := func(day string) (counts [5]int64) {
			for i, u := range settled(t, s, day).Unpaid {
				counts[i] = u.Count
			}
			return counts
		}
		// 21 and 20 · 19 and 18 · 17 and 14 · 13 and 12 October, 40 days ago · 1 October
		if got, want := unpaid(""), [5]int64{2, 2, 2, 2, 1}; got != want {
			t.Errorf("got %v, want %v", got, want)
		}
		mustAdd(t, s, newPayout("po-1", withLines(saleLine(2, ids[8], "9", 10000, 0), saleLine(3, ids[0], "1", 10000, 0))))
		if got, want := unpaid(""), [5]int64{1, 2, 2, 2, 0}; got != want {
			t.Errorf("with a payout: got %v, want %v", got, want)
		}
		if got, want := unpaid("2026-11-19"), [5]int64{2, 1, 2, 1, 1}; got != want { // the payout is of the 20th
			t.Errorf("before the payout: got %v, want %v", got, want)
		}
		if err := s.DiscardPayout(ctx, ref("po-1"), anna); err != nil {
			t.Fatal(err)
		}
		if got, want := unpaid(""), [5]int64{2, 2, 2, 2, 1}; got != want {
			t.Errorf("discarded: got %v, want %v", got, want)
		}
		checked(t, s)
	})
	t.Run("AtADay", func(t *testing.T) {
		s, _ := paidBook(t, 1, at(newClock())) // credited on the 20th
		mustAdd(t, s, newPayout("po-1", func(p *store.NewPayout) { p.PayoutFigures = topup.PayoutFigures{Gross: 10000, Net: 10000} }))
		mustPost(t, s, "po-1")
		if got := settled(t, s, "2026-11-19"); got != (store.Settlement{}) {
			t.Errorf("the day before: got %+v", got)
		}
		if got := settled(t, s, "2026-11-20"); got.Owed != 0 || got.PaidOut != 10000 {
			t.Errorf("on the day: got %+v", got)
		}
	})
	t.Run("MoneyThatComesAfterItsPayout", func(t *testing.T) {
		s := bookOf(t, at(newClock()))
		id := mustIssue(t, s)
		mustAdd(t, s, newPayout("po-1", withLines(saleLine(2, id, "1", 10000, 0))))
		if got := settled(t, s, ""); got.Unpaid != [5]store.Unpaid{} {
			t.Errorf("got %+v", got)
		}
		mustRecord(t, s, paid(id, "1"))
		if got := settled(t, s, ""); got.Credited != 10000 || got.Unpaid != [5]store.Unpaid{} {
			t.Errorf("got %+v", got)
		}
		checked(t, s)
	})
	t.Run("APaymentThatIsRecordedAfterItsPayout", func(t *testing.T) {
		s, ids := paidBook(t, 1, at(newClock()))
		mustAdd(t, s, newPayout("po-1", withLines(saleLine(2, ids[0], "1", 10000, 0), saleLine(3, "", "77", 777, 0))))
		if _, total, err := s.PayoutDifferences(ctx, mustPayout(t, s, "po-1")); err != nil || total != 1 {
			t.Errorf("got %d differences, %v", total, err)
		}
		settled(t, s, "")
		recorded := must(t)(s.RecordPayment(ctx, recordOf("77"), anna)).PaymentID
		if list, total, err := s.PayoutDifferences(ctx, mustPayout(t, s, "po-1")); err != nil || total != 0 {
			t.Errorf("after it was recorded: got %+v, %v", list, err)
		}
		if got := settled(t, s, ""); got.Credited != 10777 || got.Unpaid != [5]store.Unpaid{} {
			t.Errorf("got %+v", got)
		}
		if got := mustPayment(t, s, recorded); got.PayoutID != "po-1" {
			t.Errorf("the payment is named by %q", got.PayoutID)
		}
		checked(t, s)
	})
	t.Run("AReversedCreditIsNotWaitedFor", func(t *testing.T) {
		s := bookOf(t, at(newClock()))
		named, other := mustIssue(t, s), mustIssue(t, s)
		credit := must(t)(s.CreditPayment(ctx, named, anna))
		otherCredit := must(t)(s.CreditPayment(ctx, other, anna))
		mustAdd(t, s, newPayout("po-1", withLines(saleLine(2, named, "", 10000, 0))))
		waited := func() int64 { return settled(t, s, "").Unpaid[0].Count }
		if got := waited(); got != 1 {
			t.Errorf("got %d", got)
		}
		reversal := must(t)(s.Reverse(ctx, credit.ID, anna))
		must(t)(s.Reverse(ctx, otherCredit.ID, anna))
		if got := waited(); got != 0 {
			t.Errorf("reversed: got %d", got)
		}
		must(t)(s.Reverse(ctx, reversal.ID, anna))
		if got := waited(); got != 0 {
			t.Errorf("reversed again: got %d", got)
		}
		if err := s.DiscardPayout(ctx, ref("po-1"), anna); err != nil {
			t.Fatal(err)
		}
		if got := waited(); got != 1 {
			t.Errorf("without the payout: got %d", got)
		}
		checked(t, s)
	})
}

// A cancelled context ends an import, and leaves nothing that anybody sees.
func TestPayoutImport_EndsWithItsContext(t *testing.T) {
	t.Parallel()
	s, ids := paidBook(t, 1)
	ended, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := s.ImportPayouts(ended, []store.NewPayout{newPayout("po-1", withLines(saleLine(2, ids[0], "1", 10000, 0)))}, anna, false); err == nil {
		t.Fatal("done")
	}
	if page, _, err := s.Payouts(ctx, store.PayoutFilter{}); err != nil || len(page) > 0 {
		t.Errorf("got %d payouts, %v", len(page), err)
	}
	mustAdd(t, s, newPayout("po-1", withLines(saleLine(2, ids[0], "1", 10000, 0))))
	checked(t, s)
}
