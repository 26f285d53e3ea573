package handlers_test

import (
	"testing"

	"tolem/testkit"
	"tolem/topup"
)

// TestReturnedMoneyIsSeenByThePaymentsStatusWhateverTheOperation: the platform's
// status of the payment says that money went back, whole or in part, also in a
// message whose operation is of a type that says nothing of it.
func TestReturnedMoneyIsSeenByThePaymentsStatusWhateverTheOperation(t *testing.T) {
	for status, want := range map[string]topup.Flags{
		"refunded": topup.FlagRefund, "partially refunded": topup.FlagRefund,
		"reversed": topup.FlagReversal, "partially reversed": topup.FlagReversal,
	} {
		for _, operation := range []string{"sale", "manual change"} {
			t.Run(status+", operation "+operation, func(t *testing.T) {
				r := newRig(t)
				id := r.issue()
				if a := r.send(callbackFor(t, id, "28")); a.status != 200 {
					t.Fatalf("the credit: %d %s", a.status, a.body)
				}
				body := testkit.Edit(t, callbackFor(t, id, "29"), `"status":"success"`, `"status":"`+status+`"`, `"type":"sale"`, `"type":"`+operation+`"`)
				if a := r.send(body); a.status != 200 {
					t.Fatalf("got %d %s", a.status, a.body)
				}
				p := r.payment(id)
				if !p.Flags.Has(want) || p.Status != topup.StatusSucceeded {
					t.Errorf("got %s, flags %v; want it credited and flagged %v", p.Status, p.Flags.Names(), want.Names())
				}
			})
		}
	}
}
