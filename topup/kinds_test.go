package topup_test

import (
	"slices"
	"testing"

	"tolem/topup"
)

// TestKinds shows which kinds of ledger transactions do what: queries of the
// store are made of these lists.
func TestKinds(t *testing.T) {
	type kinds = []topup.TransactionKind
	for name, c := range map[string]struct{ got, want kinds }{
		"ByMessage":      {topup.KindsByMessage, kinds{"credit", "suspense"}},
		"ByOperation":    {topup.KindsByOperation, kinds{"credit", "suspense", "manual_credit", "return", "refund"}},
		"Entered":        {topup.KindsEntered, kinds{"suspense", "manual_credit", "return", "refund"}},
		"Credit":         {topup.KindsThatCredit, kinds{"credit", "manual_credit", "assignment"}},
		"CreditOwn":      {topup.KindsThatCreditOwn, kinds{"credit", "manual_credit"}},
		"OpenItems":      {topup.KindsThatOpenItems, kinds{"suspense", "recall"}},
		"Resolve":        {topup.KindsThatResolve, kinds{"assignment", "return"}},
		"FromSettlement": {topup.KindsFromSettlement, kinds{"credit", "suspense", "manual_credit"}},
		"ToSettlement":   {topup.KindsToSettlement, kinds{"return", "refund"}},
		"OfPayout":       {topup.KindsOfPayouts, kinds{"payout"}},
		"PayBack":        {topup.KindsThatPayBack, kinds{"return", "refund"}},
		"Take":           {topup.KindsThatTake, kinds{"recall", "refund"}},
		"Reverse":        {topup.KindsThatReverse, kinds{"reversal"}},
	} {
		t.Run(name, func(t *testing.T) {
			if !slices.Equal(c.got, c.want) {
				t.Errorf("got %q, want %q", c.got, c.want)
			}
		})
	}
	for _, kind := range topup.Kinds() {
		if kind.OpensItem() != slices.Contains(topup.KindsThatOpenItems, kind) || (kind.Resolved() != "") != slices.Contains(topup.KindsThatResolve, kind) {
			t.Errorf("%s: its property and its list differ", kind)
		}
	}
}
