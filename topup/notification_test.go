package topup_test

import (
	"testing"

	"tolem/topup"
)

func TestNotification(t *testing.T) {
	contract, suspense, settlement := "customers:c:e", "suspense:jetpay:1", "settlement:jetpay:1"
	transfer := func(debit, credit string) []topup.Posting {
		return topup.Transfer(debit, credit, topup.Money{Amount: 1, Currency: "KZT"})
	}
	t.Run("OfATransaction", func(t *testing.T) {
		for _, c := range []struct {
			name     string
			kind     topup.TransactionKind
			postings []topup.Posting
			status   topup.Status
			want     topup.EventType
		}{
			{"a credit", topup.KindCredit, transfer(settlement, contract), topup.StatusSucceeded, topup.EventSucceeded},
			{"a manual credit", topup.KindManualCredit, transfer(settlement, contract), topup.StatusSucceeded, topup.EventSucceeded},
			{"an assignment", topup.KindAssignment, transfer(suspense, contract), topup.StatusSucceeded, topup.EventResolved},
			{"a recall", topup.KindRecall, transfer(contract, suspense), topup.StatusReview, topup.EventReversed},
			{"a reversal of a credit", topup.KindReversal, transfer(contract, settlement), topup.StatusReview, topup.EventReversed},
			{"a reversal of a recall", topup.KindReversal, transfer(suspense, contract), topup.StatusSucceeded, topup.EventReversed},
			{"a return", topup.KindReturn, transfer(suspense, settlement), topup.StatusDeclined, topup.EventResolved},
			{"a reversal of a return", topup.KindReversal, transfer(settlement, suspense), topup.StatusReview, topup.EventReview},
			{"money in suspense", topup.KindSuspense, transfer(settlement, suspense), topup.StatusReview, topup.EventReview},
			{"more money of a credited payment", topup.KindSuspense, transfer(settlement, suspense), topup.StatusSucceeded, ""},
		} {
			if got := topup.EventOfTransaction(c.kind, c.postings, c.status); got != c.want {
				t.Errorf("%s: got %q, want %q", c.name, got, c.want)
			}
		}
	})
	t.Run("EveryKindThatMovesMoneyOfAContractHasOne", func(t *testing.T) {
		for _, kind := range topup.Kinds() {
			got := topup.EventOfTransaction(kind, transfer(settlement, contract), topup.StatusSucceeded)
			if moves := kind != topup.KindSuspense && kind != topup.KindReturn && kind != "payout"; (got != "") != moves {
				t.Errorf("%s: got %q", kind, got)
			}
		}
	})
	t.Run("OfAStatusAlone", func(t *testing.T) {
		for _, c := range []struct {
			before, now topup.Status
			want        topup.EventType
		}{
			{topup.StatusPending, topup.StatusDeclined, topup.EventDeclined},
			{topup.StatusPending, topup.StatusExpired, topup.EventExpired},
			{topup.StatusPending, topup.StatusReview, topup.EventReview},
			{"", topup.StatusReview, topup.EventReview},
			{topup.StatusDeclined, topup.StatusDeclined, ""},
			{topup.StatusDeclined, topup.StatusPending, ""},
			{"", topup.StatusPending, ""},
		} {
			if got := topup.EventOfStatus(c.before, c.now); got != c.want {
				t.Errorf("%q to %q: got %q, want %q", c.before, c.now, got, c.want)
			}
		}
	})
}
