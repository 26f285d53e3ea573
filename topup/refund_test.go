package topup_test

import (
	"strings"
	"testing"

	"tolem/topup"
)

var kzt3000 = topup.Money{Amount: 3000, Currency: "KZT"}

func TestDecideRefund(t *testing.T) {
	of := func(r topup.RefundRequest) func(topup.Book) (string, error) {
		return func(b topup.Book) (string, error) { return stepOf(topup.DecideRefund(b, r, topup.PayBackState{})) }
	}
	amount := func(n int64) topup.RefundRequest { return topup.RefundRequest{PayBack: topup.PayBack{Amount: n}} }
	t.Run("takes from", func(t *testing.T) {
		judge(t, []decision{
			{sentence: "the payment's credit", book: "credit", step: "refund 3000 own to settlement; takes from t1"},
			{sentence: "an operator's credit", book: "manual", step: "refund 3000 own to settlement; takes from t1"},
			{sentence: "what another refund has left", book: "credit, refund t1 7000", step: "refund 3000 own to settlement; takes from t1"},
			{sentence: "not more than that", book: "credit, refund t1 7001", refused: "29.99 KZT of t1 are left to refund, which is less than 30.00 KZT"},
			{sentence: "the credit again when a refund was reversed", book: "credit, refund t1 10000, reverse t2", step: "refund 3000 own to settlement; takes from t1"},
			{sentence: "the credit, not an assignment beside it", book: "credit, suspense 9000, assign t2 own", step: "refund 3000 own to settlement; takes from t1"},
			{sentence: "an assignment that took the payment's credit", book: "suspense 9000, assign t1 own", step: "refund 3000 own to settlement; takes from t2"},
			{sentence: "what was assigned back after a recall", book: "credit, recall t1, assign t2 own", step: "refund 3000 own to settlement; takes from t3"},
			{sentence: "not what another contract was assigned, without its name", book: "credit, recall t1, assign t2 other", refused: "name the transaction from which to take it: t3 (100.00 KZT)"},
			{sentence: "not one of several without its name", book: "credit, recall t1, assign t2 own, suspense 9000, assign t4 own", refused: "t5 (90.00 KZT), t3 (100.00 KZT)"},
			{sentence: "nothing that lies in suspense", book: "suspense 9000", refused: "use suspense return"},
			{sentence: "nothing of nothing", refused: "nothing of this payment is credited"},
			{sentence: "nothing when all was refunded", book: "credit, refund t1 10000", refused: "nothing of this payment is left to refund: 100.00 KZT were refunded"},
			{sentence: "nothing of a credit that was reversed", book: "manual, reverse t1", refused: "nothing of this payment is credited"},
		}, of(amount(3000)))
	})
	t.Run("takes from the transaction that was named", func(t *testing.T) {
		judge(t, []decision{
			{sentence: "an assignment to another contract", book: "credit, recall t1, assign t2 other", step: "refund 3000 other to settlement; takes from t3"},
			{sentence: "one of several", book: "credit, suspense 9000, assign t2 own", step: "refund 3000 own to settlement; takes from t3"},
			{sentence: "not one that was recalled", book: "credit, suspense 9000, assign t2 own, recall t3", refused: "nothing of transaction t3 is left"},
			{sentence: "not what is no credit", book: "credit, suspense 9000, return t2", refused: "transaction t3 is no credit or assignment, but a return"},
			{sentence: "not what does not exist", book: "credit", refused: "does not exist in this payment"},
		}, of(topup.RefundRequest{PayBack: topup.PayBack{Amount: 3000}, Transaction: "t3"}))
	})
	for _, n := range []int64{0, -1, topup.MaxAmount + 1} {
		judge(t, []decision{{sentence: "an amount that is none", book: "credit", refused: "amount must be between 1 and"}}, of(amount(n)))
	}
}

// TestPayBack: who pays, and by which operation, is decided alike for a refund and
// for the return of a suspense item.
func TestPayBack(t *testing.T) {
	told := topup.PaidBack{MessageID: 7, PaymentID: "p", Told: topup.ToldRefund, Operation: "99", Sum: kzt3000}
	elsewhere, unreadable := told, told
	elsewhere.PaymentID, unreadable.Sum = "p_2", topup.Money{}
	for _, c := range []struct {
		sentence string
		ask      topup.PayBack
		state    topup.PayBackState
		payer    string // short
		refused  string
	}{
		{"the platform pays when nothing is said", topup.PayBack{}, topup.PayBackState{}, "settlement:jetpay:1", ""},
		{"and when it is said", topup.PayBack{From: "settlement"}, topup.PayBackState{}, "settlement:jetpay:1", ""},
		{"or the merchant from a bank account", topup.PayBack{From: "bank:halyk"}, topup.PayBackState{}, "bank:halyk", ""},
		{"that is configured", topup.PayBack{From: "bank:halyk"}, topup.PayBackState{Banks: []string{"kaspi", "halyk"}}, "bank:halyk", ""},
		{"and no other", topup.PayBack{From: "bank:halyk"}, topup.PayBackState{Banks: []string{"kaspi"}}, "", "from names no bank account that is configured: one of [kaspi]"},
		{"none when none is configured", topup.PayBack{From: "bank:halyk"}, topup.PayBackState{Banks: []string{}}, "", "names no bank account"},
		{"its name follows the rules for ids", topup.PayBack{From: "bank:a:b"}, topup.PayBackState{}, "", "from has a name that must contain only visible"},
		{"and is not empty", topup.PayBack{From: "bank:"}, topup.PayBackState{}, "", "must not be empty"},
		{"nobody else pays", topup.PayBack{From: "customers:7:1"}, topup.PayBackState{}, "", "from must be settlement, or bank: and a name"},

		{"an operation is bound to it", topup.PayBack{Operation: "99"}, topup.PayBackState{}, "settlement:jetpay:1; by operation 99", ""},
		{"none is none", topup.PayBack{Operation: "none"}, topup.PayBackState{}, "settlement:jetpay:1", ""},
		{"a number with a leading zero is no operation", topup.PayBack{Operation: "099"}, topup.PayBackState{}, "", "operation must be 1 to 19 digits"},
		{"an operation refunds once", topup.PayBack{Operation: "99"}, topup.PayBackState{Posted: &topup.PostedOperation{Sum: topup.Money{Amount: -1, Currency: "KZT"}}}, "", "has been booked as a refund already"},
		{"what brought money gives none back", topup.PayBack{Operation: "99"}, topup.PayBackState{Posted: &topup.PostedOperation{Sum: kzt3000}}, "", "brought money"},

		{"while the platform has told of one, it must be said whether it is this", topup.PayBack{}, topup.PayBackState{Told: []topup.PaidBack{told}}, "", `(operation 99 of 30.00 KZT): say whether it is this one, with its operation or "none"`},
		{"it is", topup.PayBack{Operation: "99"}, topup.PayBackState{Told: []topup.PaidBack{told}, Of: &told}, "settlement:jetpay:1; by operation 99", ""},
		{"it is not", topup.PayBack{Operation: "none"}, topup.PayBackState{Told: []topup.PaidBack{told}}, "settlement:jetpay:1", ""},
		{"it is another", topup.PayBack{Operation: "98"}, topup.PayBackState{Told: []topup.PaidBack{told}}, "settlement:jetpay:1; by operation 98", ""},
		{"its sum is unknown", topup.PayBack{Operation: "99"}, topup.PayBackState{Told: []topup.PaidBack{unreadable}, Of: &unreadable}, "settlement:jetpay:1; by operation 99", ""},
		{"it is about another payment", topup.PayBack{Operation: "99"}, topup.PayBackState{Of: &elsewhere}, "", "is about payment p_2"},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			b := written(t, "credit, suspense 3000")
			b.Payment.Provider = "jetpay"
			ask := c.ask
			ask.Amount = 3000
			for way, decide := range map[string]func() (string, error){
				"refund 3000 own to %; takes from t1": func() (string, error) {
					return stepOf(topup.DecideRefund(b, topup.RefundRequest{PayBack: ask}, c.state))
				},
				"return 3000 suspense to %; resolves t2; item t2 returned, was open": func() (string, error) {
					return stepOf(topup.DecideReturn(b, "t2", ask, c.state))
				},
			} {
				got, err := decide()
				if c.refused != "" {
					wantRefusal(t, err, c.refused)
					continue
				}
				if want := asPaid(way, c.payer); err != nil || got != want {
					t.Errorf("got %q, %v; want %q", got, err, want)
				}
			}
		})
	}

	t.Run("the platform's sum is the sum", func(t *testing.T) {
		for amount, refused := range map[int64]string{3000: "", 2999: "gave back 30.00 KZT (3000 minor units)", 3001: "gave back 30.00 KZT"} {
			_, err := topup.DecideRefund(written(t, "credit"), topup.RefundRequest{PayBack: topup.PayBack{Amount: amount, Operation: "99"}}, topup.PayBackState{Of: &told})
			if refused != "" {
				wantRefusal(t, err, refused)
			} else if err != nil {
				t.Error(err)
			}
		}
	})
	t.Run("an amount that is missing is proposed", func(t *testing.T) {
		_, err := topup.DecideRefund(written(t, "credit"), topup.RefundRequest{}, topup.PayBackState{Told: []topup.PaidBack{told}})
		wantRefusal(t, err, "(operation 99 of 30.00 KZT)")
	})
	t.Run("a provider whose operations have no ids takes any text that names one", func(t *testing.T) {
		for operation, refused := range map[string]string{"r-1": "", "r 1": "operation must be 1 to 255 bytes"} {
			_, err := topup.DecideRefund(written(t, "credit"), topup.RefundRequest{PayBack: topup.PayBack{Amount: 1, Operation: operation}}, topup.PayBackState{})
			if refused != "" {
				wantRefusal(t, err, refused)
			} else if err != nil {
				t.Error(err)
			}
		}
	})
}

// asPaid is a step with its payer, after which its operation may stand.
func asPaid(step, payer string) string {
	account, operation, byOperation := strings.Cut(payer, ";")
	step = strings.Replace(step, "%", account, 1)
	if byOperation {
		step += ";" + operation
	}
	return step
}

func TestDecideReturnOfAPart(t *testing.T) {
	part := func(n int64) func(topup.Book) (string, error) {
		return func(b topup.Book) (string, error) {
			return stepOf(topup.DecideReturn(b, "t1", topup.PayBack{Amount: n}, topup.PayBackState{}))
		}
	}
	judge(t, []decision{
		{sentence: "leaves the rest there", book: "suspense 9000", step: "return 3000 suspense to settlement; resolves t1"},
		{sentence: "and another one ends it", book: "suspense 9000, return t1 6000", step: "return 3000 suspense to settlement; resolves t1; item t1 returned, was open"},
		{sentence: "not more than is left", book: "suspense 9000, return t1 6001", refused: "29.99 KZT of this suspense item are left, which is less than 30.00 KZT"},
		{sentence: "not when the rest was assigned", book: "suspense 9000, return t1 6000, assign t1 own 3000", refused: "already assigned"},
	}, part(3000))
	judge(t, []decision{{sentence: "not a negative one", book: "suspense 9000", refused: "amount must be between 1 and"}}, part(-1))
	judge(t, []decision{
		{sentence: "the rest is assigned", book: "suspense 9000, return t1 3000", step: "assignment 6000 suspense to own; resolves t1; is the one credit; by operation 29; item t1 assigned, was open"},
	}, func(b topup.Book) (string, error) {
		return stepOf(topup.DecideAssign(b, "t1", &topup.Account{CustomerID: "7", Currency: "KZT", Contracts: []topup.Contract{{ID: "1"}}}, "1"))
	})
}
