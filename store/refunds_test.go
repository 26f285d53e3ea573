package store_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"tolem/store"
	"tolem/topup"
)

// back asks for a refund: an amount, and perhaps its operation and who pays.
func back(amount int64, change ...func(*topup.RefundRequest)) topup.RefundRequest {
	r := topup.RefundRequest{PayBack: topup.PayBack{Amount: amount}}
	for _, c := range change {
		c(&r)
	}
	return r
}

func byOperation(operation string) func(*topup.RefundRequest) {
	return func(r *topup.RefundRequest) { r.Operation = operation }
}

// toldOf is the platform's message that an operation of a payment gave so much back.
func toldOf(reference, operation string, amount int64) topup.Event {
	return paid(reference, operation, func(e *topup.Event) {
		e.Outcome, e.Status, e.OwnOperation, e.Initial.Amount = topup.OutcomeRefunded, "partially refunded", true, amount
	})
}

// credited is a payment of 10000 that the platform has paid.
func credited(t testing.TB, s *store.Store, operation string) string {
	t.Helper()
	id := mustIssue(t, s)
	if r := mustRecord(t, s, paid(id, operation)); r.Disposition != topup.DispositionCredited {
		t.Fatalf("got %+v, want a credit", r)
	}
	return id
}

func TestRefund(t *testing.T) {
	s := bookOf(t)

	t.Run("PostsFromTheContractToWhoPays", func(t *testing.T) {
		id := credited(t, s, "1")
		made := must(t)(s.RefundPayment(ctx, id, back(3000, byOperation("2")), anna))
		credit := mustPayment(t, s, id).Credit.TransactionID
		want := topup.Transaction{
			Seq: made.Seq, ID: made.ID, Kind: topup.KindRefund, PaymentID: id, Operation: "2", Takes: credit, Actor: "anna", Reason: "ticket 7",
			EffectiveAt: made.EffectiveAt, RecordedAt: made.RecordedAt, Postings: topup.Transfer(own, settlement, topup.Money{Amount: 3000, Currency: "KZT"}),
		}
		if fmt.Sprint(made) != fmt.Sprint(want) {
			t.Errorf("got %+v, want %+v", made, want)
		}
		if p := mustPayment(t, s, id); p.Refunded != (topup.Money{Amount: 3000, Currency: "KZT"}) || p.Credited.TransactionID != credit {
			t.Errorf("got refunded %v, credited %+v", p.Refunded, p.Credited)
		}
		before := balanceOf(t, s, "bank:halyk")
		must(t)(s.RefundPayment(ctx, id, back(500, func(r *topup.RefundRequest) { r.From = "bank:halyk" }), anna))
		if got := balanceOf(t, s, "bank:halyk"); got != before+500 {
			t.Errorf("the bank account has %d, before %d", got, before)
		}
		shows(t, s, id, "succeeded, credited 6500, refunded")
	})

	t.Run("IsOfAPartSeveralTimesUpToTheCredit", func(t *testing.T) {
		id := credited(t, s, "10")
		must(t)(s.RefundPayment(ctx, id, back(3000), anna))
		must(t)(s.RefundPayment(ctx, id, back(6999), anna))
		before := len(feed(t, s))
		_, err := s.RefundPayment(ctx, id, back(2), anna)
		refused(t, err, topup.KindConflict, "0.01 KZT of")
		if len(feed(t, s)) != before {
			t.Error("a refusal posted")
		}
		must(t)(s.RefundPayment(ctx, id, back(1), anna))
		shows(t, s, id, "succeeded, reversed refunded")
		_, err = s.RefundPayment(ctx, id, back(1), anna)
		refused(t, err, topup.KindConflict, "nothing of this payment is left to refund: 100.00 KZT were refunded")
		if got := mustRecord(t, s, paid(id, "11")); got.Disposition != topup.DispositionSuspended {
			t.Errorf("more money: got %+v", got) // the credit stays taken
		}
	})

	t.Run("OfAnOperationIsOnce", func(t *testing.T) {
		one, other := credited(t, s, "20"), credited(t, s, "21")
		must(t)(s.RefundPayment(ctx, one, back(3000, byOperation("22")), anna))
		for _, id := range []string{one, other} {
			_, err := s.RefundPayment(ctx, id, back(3000, byOperation("22")), anna)
			refused(t, err, topup.KindConflict, "operation 22 has been booked as a refund already")
		}
		_, item := suspendedItem(t, s, paid(other, "23", sum(9000)))
		_, err := s.ReturnSuspense(ctx, item, topup.PayBack{Operation: "22"}, anna)
		refused(t, err, topup.KindConflict, "operation 22 has been booked as a refund already")
		must(t)(s.ReturnSuspense(ctx, item, topup.PayBack{Amount: 500, Operation: "24"}, anna))
		_, err = s.RefundPayment(ctx, one, back(500, byOperation("24")), anna)
		refused(t, err, topup.KindConflict, "operation 24 has been booked as a refund already")
		_, err = s.RefundPayment(ctx, one, back(500, byOperation("21")), anna)
		refused(t, err, topup.KindConflict, "operation 21 brought money")
		_, err = s.RecordPayment(ctx, recordOf("22"), anna)
		refused(t, err, topup.KindConflict, "operation 22 has posted already")
		checked(t, s)
	})

	t.Run("IsReversedAndFreesItsOperation", func(t *testing.T) {
		id := credited(t, s, "30")
		refund := must(t)(s.RefundPayment(ctx, id, back(3000, byOperation("31")), anna))
		mirror := must(t)(s.Reverse(ctx, refund.ID, anna))
		shows(t, s, id, "succeeded, credited 10000")
		again := must(t)(s.RefundPayment(ctx, id, back(2500, byOperation("31")), anna))
		_, err := s.Reverse(ctx, mirror.ID, anna)
		refused(t, err, topup.KindConflict, "its operation 31 has been entered again")
		must(t)(s.Reverse(ctx, again.ID, anna))
		must(t)(s.Reverse(ctx, mirror.ID, anna))
		shows(t, s, id, "succeeded, credited 7000, refunded")
		_, err = s.RefundPayment(ctx, id, back(1, byOperation("31")), anna)
		refused(t, err, topup.KindConflict, "operation 31 has been booked as a refund already")
	})

	t.Run("KeepsItsCreditFromBeingReversed", func(t *testing.T) {
		id := mustIssue(t, s)
		credit := must(t)(s.CreditPayment(ctx, id, anna))
		refund := must(t)(s.RefundPayment(ctx, id, back(3000), anna))
		_, err := s.Reverse(ctx, credit.ID, anna)
		refused(t, err, topup.KindConflict, "reverse the refund "+refund.ID+" first")
		must(t)(s.Reverse(ctx, refund.ID, anna))
		must(t)(s.Reverse(ctx, credit.ID, anna))
		shows(t, s, id, "review, reversed")
	})

	t.Run("OfARecalledCreditLeavesTheRestToTheRecall", func(t *testing.T) {
		id := credited(t, s, "40")
		refund := must(t)(s.RefundPayment(ctx, id, back(3000), anna))
		recall := must(t)(s.RecallPayment(ctx, id, anna))
		shows(t, s, id, "review, 1 in suspense, reversed refunded")
		must(t)(s.AssignSuspense(ctx, recall.ID, "7123456789", "12345", anna))
		shows(t, s, id, "succeeded, credited 7000, refunded")
		must(t)(s.Reverse(ctx, refund.ID, anna))
		shows(t, s, id, "succeeded, credited 10000") // beside the assignment
		must(t)(s.RecallPayment(ctx, id, anna))
		shows(t, s, id, "succeeded, credited 3000, 1 in suspense") // the newest first
		must(t)(s.RecallPayment(ctx, id, anna))
		shows(t, s, id, "review, 2 in suspense, reversed")
	})

	t.Run("TakesFromTheAssignmentThatIsNamed", func(t *testing.T) {
		id := credited(t, s, "50")
		recall := must(t)(s.RecallPayment(ctx, id, anna))
		assigned := must(t)(s.AssignSuspense(ctx, recall.ID, "7000000000", "1", anna))
		_, err := s.RefundPayment(ctx, id, back(3000), anna)
		refused(t, err, topup.KindConflict, "name the transaction from which to take it: "+assigned.ID)
		made := must(t)(s.RefundPayment(ctx, id, back(3000, func(r *topup.RefundRequest) { r.Transaction = assigned.ID }), anna))
		if made.Takes != assigned.ID || made.Postings[0].Account != "customers:7000000000:1" {
			t.Errorf("got %+v", made)
		}
		_, err = s.Reverse(ctx, assigned.ID, anna)
		refused(t, err, topup.KindConflict, "reverse the refund "+made.ID+" first")
		shows(t, s, id, "succeeded, reversed refunded")
	})

	t.Run("OfNothingIsRefused", func(t *testing.T) {
		_, err := s.RefundPayment(ctx, "p_none", back(1), anna)
		refused(t, err, topup.KindNotFound, "payment does not exist")
		_, err = s.RefundPayment(ctx, "p_none", back(1, byOperation("1")), anna)
		refused(t, err, topup.KindNotFound, "payment does not exist")
		_, err = s.RefundPayment(ctx, mustIssue(t, s), back(1), anna)
		refused(t, err, topup.KindConflict, "nothing of this payment is credited")
		_, err = s.RefundPayment(ctx, credited(t, s, "60"), back(1), store.By{Actor: "anna"})
		refused(t, err, topup.KindInvalid, "reason must be given")
	})

	t.Run("OfAPayinIsByWhateverNamesIt", func(t *testing.T) {
		id := mustIssue(t, s, func(n *store.NewPayment) { n.Provider, n.Project = "highhelp", "57aff4db" })
		mustRecord(t, s, told(id, topup.OutcomePaid, "success", func(e *topup.Event) { e.Sum.Amount, e.Initial.Amount = 10000, 10000 }))
		must(t)(s.RefundPayment(ctx, id, back(3000, byOperation("appeal-7")), anna))
		_, err := s.RefundPayment(ctx, id, back(3000, byOperation("appeal-7")), anna)
		refused(t, err, topup.KindConflict, "booked as a refund already")
		_, err = s.RefundPayment(ctx, id, back(3000, byOperation(id)), anna)
		refused(t, err, topup.KindConflict, "brought money")
		checked(t, s)
	})
}

// TestToldRefund: what the platform tells of a refund, and what is booked of it.
func TestToldRefund(t *testing.T) {
	s := bookOf(t)

	t.Run("IsFlaggedAndProposedWithItsSum", func(t *testing.T) {
		id := credited(t, s, "1")
		number := stored(t, s, toldOf(id, "2", 3000))
		shows(t, s, id, "succeeded, credited 10000, refund")
		open, err := s.OpenRefunds(ctx, id)
		if err != nil || len(open) != 1 || open[0].MessageID != number || open[0].Operation != "2" || open[0].Sum != (topup.Money{Amount: 3000, Currency: "KZT"}) || open[0].Told != topup.ToldRefund {
			t.Errorf("got %+v, %v", open, err)
		}
		_, err = s.RefundPayment(ctx, id, back(3000), anna)
		refused(t, err, topup.KindConflict, `(operation 2 of 30.00 KZT): say whether it is this one, with its operation or "none"`)
		_, err = s.RefundPayment(ctx, id, back(2000, byOperation("2")), anna)
		refused(t, err, topup.KindConflict, "operation 2 gave back 30.00 KZT (3000 minor units)")
		must(t)(s.RefundPayment(ctx, id, back(2000, byOperation("none")), anna)) // another one
		shows(t, s, id, "succeeded, credited 8000, refund refunded")
		if stats, err := s.Stats(ctx); err != nil || stats.OpenRefunds != 1 {
			t.Errorf("the gauge: got %+v, %v", stats, err)
		}
		must(t)(s.RefundPayment(ctx, id, back(3000, byOperation("2")), anna))
		if stats, err := s.Stats(ctx); err != nil || stats.OpenRefunds != 0 {
			t.Errorf("the gauge once it is booked: got %+v, %v", stats, err)
		}
		shows(t, s, id, "succeeded, credited 5000, refunded")
		if open, err := s.OpenRefunds(ctx, id); err != nil || len(open) != 0 {
			t.Errorf("got %+v, %v", open, err)
		}
		m, _, err := s.Message(ctx, number)
		if err != nil || m.PaidBack != (topup.Money{Amount: 3000, Currency: "KZT"}) || m.Open != "" {
			t.Errorf("the message shows %+v, %v", m, err)
		}
	})

	t.Run("IsClearedWhenEveryOperationIsBookedOrDismissed", func(t *testing.T) {
		id := credited(t, s, "10")
		mustRecord(t, s, toldOf(id, "11", 1000))
		mustRecord(t, s, toldOf(id, "11", 1001)) // the same operation, told otherwise
		last := stored(t, s, toldOf(id, "12", 2000))
		if open, err := s.OpenRefunds(ctx, id); err != nil || len(open) != 2 || open[0].Sum.Amount != 1001 {
			t.Errorf("got %+v, %v", open, err)
		}
		must(t)(s.RefundPayment(ctx, id, back(1001, byOperation("11")), anna))
		shows(t, s, id, "succeeded, credited 8999, refund refunded")
		if err := s.DismissMessage(ctx, last, anna); err != nil {
			t.Error(err)
		}
		shows(t, s, id, "succeeded, credited 8999, refunded")
	})

	t.Run("IsOpenAgainWhenItsRefundIsReversed", func(t *testing.T) {
		id := credited(t, s, "20")
		mustRecord(t, s, toldOf(id, "21", 1000))
		dismissed := stored(t, s, toldOf(id, "22", 500))
		if err := s.DismissMessage(ctx, dismissed, anna); err != nil {
			t.Error(err)
		}
		refund := must(t)(s.RefundPayment(ctx, id, back(1000, byOperation("21")), anna))
		reversal := must(t)(s.Reverse(ctx, refund.ID, anna))
		shows(t, s, id, "succeeded, credited 10000, refund")
		if open, err := s.OpenRefunds(ctx, id); err != nil || len(open) != 1 || open[0].Operation != "21" {
			t.Errorf("got %+v, %v", open, err)
		}
		must(t)(s.Reverse(ctx, reversal.ID, anna))
		shows(t, s, id, "succeeded, credited 9000, refunded")

		other := must(t)(s.RefundPayment(ctx, id, back(500, byOperation("22")), anna)) // was dismissed, and is booked all the same
		must(t)(s.Reverse(ctx, other.ID, anna))
		shows(t, s, id, "succeeded, credited 9000, refunded")
	})

	t.Run("OfWhatIsBookedAlreadyIsNotFlagged", func(t *testing.T) {
		id := credited(t, s, "30")
		must(t)(s.RefundPayment(ctx, id, back(1000, byOperation("31")), anna))
		if r := mustRecord(t, s, toldOf(id, "31", 1000)); r.Disposition != topup.DispositionPosted || r.Flags != 0 {
			t.Errorf("got %+v", r)
		}
		shows(t, s, id, "succeeded, credited 9000, refunded")
		if p := mustPayment(t, s, id); p.ProviderStatus != "partially refunded" {
			t.Errorf("the provider's status is %q", p.ProviderStatus)
		}
	})

	t.Run("ThatContradictsWhatIsBookedIsAConflict", func(t *testing.T) {
		id, other := credited(t, s, "40"), mustIssue(t, s)
		refund := must(t)(s.RefundPayment(ctx, id, back(1000, byOperation("41")), anna))
		if r := mustRecord(t, s, toldOf(other, "41", 1000)); r.Disposition != topup.DispositionPosted || r.Flags != topup.FlagConflict || r.Status != topup.StatusReview {
			t.Errorf("of another payment: got %+v", r)
		}
		if r := mustRecord(t, s, toldOf(id, "41", 1500)); r.Disposition != topup.DispositionPosted || r.Flags != topup.FlagConflict {
			t.Errorf("of another sum: got %+v", r)
		}
		shows(t, s, id, "succeeded, credited 9000, conflict refunded")
		must(t)(s.Reverse(ctx, refund.ID, anna))
		must(t)(s.RefundPayment(ctx, id, back(1500, byOperation("41")), anna))
		if open, err := s.OpenRefunds(ctx, id); err != nil || len(open) != 0 {
			t.Errorf("got %+v, %v", open, err)
		}
		checked(t, s)
	})

	t.Run("OfAnotherPaymentIsNotBookedHere", func(t *testing.T) {
		id, other := credited(t, s, "50"), credited(t, s, "51")
		mustRecord(t, s, toldOf(other, "52", 1000))
		_, err := s.RefundPayment(ctx, id, back(1000, byOperation("52")), anna)
		refused(t, err, topup.KindConflict, "operation 52 is about payment "+other)
	})

	t.Run("WhoseSumCannotBeBelievedHasNone", func(t *testing.T) {
		id := credited(t, s, "60")
		for operation, change := range map[string]func(*topup.Event){
			"61": func(e *topup.Event) { e.MaybeCut = true },
			"62": func(e *topup.Event) { e.OwnOperation = false },
			"63": func(e *topup.Event) { e.Initial = topup.Money{} },
		} {
			e := toldOf(id, operation, 1000)
			change(&e)
			mustRecord(t, s, e)
		}
		open, err := s.OpenRefunds(ctx, id)
		if err != nil || len(open) != 3 {
			t.Fatalf("got %+v, %v", open, err)
		}
		for _, r := range open {
			if !r.Sum.IsZero() {
				t.Errorf("got %+v", r)
			}
		}
		must(t)(s.RefundPayment(ctx, id, back(700, byOperation("63")), anna))
	})

	t.Run("EndsAReviewWhenItsItemGoesBack", func(t *testing.T) {
		id := mustIssue(t, s)
		_, item := suspendedItem(t, s, paid(id, "70", sum(9000)))
		mustRecord(t, s, toldOf(id, "71", 9000))
		_, err := s.ReturnSuspense(ctx, item, topup.PayBack{}, anna)
		refused(t, err, topup.KindConflict, "(operation 71 of 90.00 KZT)")
		made := must(t)(s.ReturnSuspense(ctx, item, topup.PayBack{Operation: "71"}, anna))
		shows(t, s, id, "declined, amount_differs")
		reversal := must(t)(s.Reverse(ctx, made.ID, anna))
		shows(t, s, id, "review, 1 in suspense, amount_differs refund")
		must(t)(s.Reverse(ctx, reversal.ID, anna))
		shows(t, s, id, "declined, amount_differs")
	})

	t.Run("IsInTheTimelineWithItsSum", func(t *testing.T) {
		id := credited(t, s, "80")
		mustRecord(t, s, toldOf(id, "81", 1234))
		timeline, err := s.Timeline(ctx, mustPayment(t, s, id))
		if err != nil {
			t.Fatal(err)
		}
		var sums []string
		for _, entry := range timeline {
			if m := entry.Message; m != nil {
				sums = append(sums, fmt.Sprintf("%s: %d %s", m.Operation, m.PaidBack.Amount, m.PaidBack.Currency))
			}
		}
		if got := strings.Join(sums, ", "); got != "80: 0 , 81: 1234 KZT" {
			t.Errorf("got %q", got)
		}
	})
}

func TestReturnOfAPart(t *testing.T) {
	s := bookOf(t)
	id := mustIssue(t, s)
	_, item := suspendedItem(t, s, paid(id, "1", sum(9000)))
	first := must(t)(s.ReturnSuspense(ctx, item, topup.PayBack{Amount: 3000, Operation: "2"}, anna))
	shows(t, s, id, "review, 1 in suspense, amount_differs")
	wantBalances(t, s, map[string]int64{suspense: 6000, settlement: -6000})
	items, err := s.SuspenseItems(ctx, store.SuspenseFilter{})
	if err != nil || len(items) != 1 || items[0].Money.Amount != 9000 || items[0].Returned != 3000 || items[0].State != "open" {
		t.Errorf("got %+v, %v", items, err)
	}
	_, err = s.ReturnSuspense(ctx, item, topup.PayBack{Amount: 6001}, anna)
	refused(t, err, topup.KindConflict, "60.00 KZT of this suspense item are left")
	second := must(t)(s.ReturnSuspense(ctx, item, topup.PayBack{}, anna)) // the rest
	shows(t, s, id, "declined, amount_differs")
	must(t)(s.Reverse(ctx, first.ID, anna))
	shows(t, s, id, "review, 1 in suspense, amount_differs")
	must(t)(s.Reverse(ctx, second.ID, anna))
	must(t)(s.ReturnSuspense(ctx, item, topup.PayBack{Amount: 4000, From: "bank:halyk"}, anna))
	must(t)(s.AssignSuspense(ctx, item, "7123456789", "12345", anna))
	shows(t, s, id, "succeeded, credited 5000, amount_differs")
	wantBalances(t, s, map[string]int64{suspense: 0, settlement: -9000, "bank:halyk": 4000, own: 5000})
	items, err = s.SuspenseItems(ctx, store.SuspenseFilter{All: true})
	if err != nil || len(items) != 1 || items[0].Returned != 4000 || items[0].State != "assigned" {
		t.Errorf("got %+v, %v", items, err)
	}
}

func TestBanksThatPayBackAreConfigured(t *testing.T) {
	s := bookOf(t, func(o *store.Options) { o.Banks = []string{"halyk"} })
	id := credited(t, s, "1")
	from := func(name string) topup.RefundRequest {
		return back(1, func(r *topup.RefundRequest) { r.From = "bank:" + name })
	}
	_, err := s.RefundPayment(ctx, id, from("kaspi"), anna)
	refused(t, err, topup.KindInvalid, "from names no bank account that is configured: one of [halyk]")
	must(t)(s.RefundPayment(ctx, id, from("halyk"), anna))
	checked(t, s)
}

// TestTwoHundredRefundsAtOncePostOnce: of one operation, on two payments, and as a
// return too.
func TestTwoHundredRefundsAtOncePostOnce(t *testing.T) {
	s := bookOf(t)
	one, other, last := credited(t, s, "1"), credited(t, s, "2"), credited(t, s, "4")
	_, item := suspendedItem(t, s, paid(other, "3", sum(9000)))
	for name, tt := range map[string]struct {
		step func(n int) error
		says string
	}{
		"of one operation": {func(n int) (err error) {
			switch n % 3 {
			case 0:
				_, err = s.RefundPayment(ctx, one, back(3000, byOperation("99")), anna)
			case 1:
				_, err = s.RefundPayment(ctx, other, back(3000, byOperation("99")), anna)
			default:
				_, err = s.ReturnSuspense(ctx, item, topup.PayBack{Amount: 3000, Operation: "99"}, anna)
			}
			return err
		}, "has been booked as a refund already"},
		"of all that is left": {func(int) error {
			_, err := s.RefundPayment(ctx, last, back(7000), anna)
			return err
		}, "left to refund"},
	} {
		t.Run(name, func(t *testing.T) {
			var done atomic.Int32
			var wg sync.WaitGroup
			for n := range 200 {
				wg.Go(func() {
					err := tt.step(n)
					if err == nil {
						done.Add(1)
						return
					}
					if busy := (*topup.Error)(nil); !errors.As(err, &busy) || busy.Kind != topup.KindConflict || !strings.Contains(err.Error(), tt.says) {
						t.Errorf("got %v", err)
					}
				})
			}
			wg.Wait()
			if n := done.Load(); n != 1 {
				t.Errorf("%d of 200 were done, want one", n)
			}
			checked(t, s)
		})
	}
}

// TestAnOlderProgramTakesNoStepOnARefundedPayment: it serves the database on while
// a newer one begins to.
func TestAnOlderProgramTakesNoStepOnARefundedPayment(t *testing.T) {
	s := bookOf(t)
	refunded, parted, untouched := credited(t, s, "1"), mustIssue(t, s), credited(t, s, "2")
	refund := must(t)(s.RefundPayment(ctx, refunded, back(3000), anna))
	_, item := suspendedItem(t, s, paid(parted, "3", sum(9000)))
	must(t)(s.ReturnSuspense(ctx, item, topup.PayBack{Amount: 1}, anna))
	raw := rawOpen(t, s)
	step := func(payment, kind, column string, of any) error {
		_, err := raw.Exec(fmt.Sprintf(`INSERT INTO transactions (seq, transaction_id, kind, payment_id, slot, %s, actor, reason, effective_at, recorded_at)
			VALUES (99000000, 't_x', '%s', '%s', 99000000, %v, 'x', 'x', 1, 1)`, column, kind, payment, of))
		return err
	}
	seq := func(id string) int64 {
		return queryInt(t, raw, `SELECT seq FROM transactions WHERE transaction_id = ?`, id)
	}
	for what, err := range map[string]error{
		"mirrors a refund":      step(refunded, "reversal", "reverses", seq(refund.ID)),
		"recalls what is left":  step(refunded, "recall", "takes", seq(refund.Takes)),
		"assigns a whole item":  step(parted, "assignment", "resolves", seq(item)),
		"returns it once more":  step(parted, "return", "resolves", seq(item)),
		"reverses what is left": step(parted, "reversal", "reverses", seq(item)),
	} {
		if err == nil {
			t.Errorf("an older program %s", what)
		}
	}
	if err := step(untouched, "recall", "takes", seq(mustPayment(t, s, untouched).Credit.TransactionID)); err != nil {
		t.Errorf("an older program's recall of another payment: %v", err)
	}
	if err := step(refunded, "reversal", "program_level, reverses", fmt.Sprintf("99, %d", seq(refund.Takes))); err == nil {
		t.Error("a provider's credit was mirrored")
	}
}

// TestRefundUnderFourEyes: what was asked for is what the second person approves.
func TestRefundUnderFourEyes(t *testing.T) {
	s := bookOf(t)
	underFourEyes(t, s, store.ActionRefund, store.ActionReturn)
	id := credited(t, s, "1")
	_, err := s.RefundPayment(ctx, id, back(3000, byOperation("2"), func(r *topup.RefundRequest) { r.From = "bank:halyk" }), anna)
	approval := proposed(t, err)
	shows(t, s, id, "succeeded, credited 10000")
	made, err := s.Approve(ctx, approval, bearer("bolat"))
	if err != nil || len(made) != 1 || made[0].Operation != "2" || made[0].Postings[1] != (topup.Posting{Account: "bank:halyk", Amount: -3000, Currency: "KZT"}) {
		t.Errorf("got %+v, %v", made, err)
	}
	_, item := suspendedItem(t, s, paid(id, "3", sum(9000)))
	_, err = s.ReturnSuspense(ctx, item, topup.PayBack{Amount: 4000}, anna)
	if made, err = s.Approve(ctx, proposed(t, err), bearer("bolat")); err != nil || made[0].Postings[0].Amount != 4000 {
		t.Errorf("got %+v, %v", made, err)
	}
	_, err = s.RefundPayment(ctx, id, back(3000, byOperation("2")), anna)
	refused(t, err, topup.KindConflict, "has been booked as a refund already") // is not even proposed
	checked(t, s)
}

// TestACreditIsRefusedWhileItsMovementMayBeRecordedElsewhere: one movement would be
// credited twice.
func TestACreditIsRefusedWhileItsMovementMayBeRecordedElsewhere(t *testing.T) {
	s := bookOf(t)
	id := mustIssue(t, s)
	record := must(t)(s.RecordPayment(ctx, recordOf("40"), anna))
	message := stored(t, s, paid(id, "40"))
	shows(t, s, id, "review, conflict")
	_, err := s.CreditPayment(ctx, id, anna)
	refused(t, err, topup.KindConflict, "reverse that step, then use messages suspend; if this payment was not paid, use payments close")

	// As the refusal says.
	must(t)(s.Reverse(ctx, record.ID, anna))
	item := must(t)(s.SuspendMessage(ctx, message, topup.SuspendRequest{}, anna))
	must(t)(s.AssignSuspense(ctx, item.ID, "7123456789", "12345", anna))
	shows(t, s, id, "succeeded, credited 10000, conflict")

	other := mustIssue(t, s)
	must(t)(s.RecordPayment(ctx, recordOf("41"), anna))
	stored(t, s, paid(other, "41"))
	if err := s.ClosePayment(ctx, other, anna); err != nil {
		t.Error(err)
	}
	shows(t, s, other, "declined, conflict")
}
