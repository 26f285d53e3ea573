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

var anna = store.By{Actor: "anna", Reason: "ticket 7"}

// mustAccount stores the account that mustIssue issues for, and one more.
func mustAccounts(t testing.TB, s *store.Store) {
	t.Helper()
	for _, a := range []*topup.Account{
		{CustomerID: "7123456789", AdditionalCustomerID: "A", Currency: "KZT", Contracts: []topup.Contract{{ID: "12345", Number: "A-1"}, {ID: "2", Number: "A-2"}}},
		{CustomerID: "7000000000", AdditionalCustomerID: "B", Currency: "KZT", Contracts: []topup.Contract{{ID: "1", Number: "B-1"}}},
		{CustomerID: "7999999999", AdditionalCustomerID: "C", Currency: "KGS", Contracts: []topup.Contract{{ID: "1", Number: "C-1"}}},
	} {
		if _, err := s.PutAccount(context.Background(), a); err != nil {
			t.Fatalf("put an account: %v", err)
		}
	}
}

// bookOf is a store with the accounts in it.
func bookOf(t testing.TB, change ...func(*store.Options)) *store.Store {
	t.Helper()
	s := mustOpen(t, change...)
	mustAccounts(t, s)
	return s
}

// checked fails the test when ledger check finds anything.
func checked(t testing.TB, s *store.Store) {
	t.Helper()
	report, err := s.Check(context.Background())
	if err != nil {
		t.Fatalf("check: %v", err)
	}
	for _, p := range report.Problems {
		t.Errorf("ledger check: %s", p)
	}
}

func balanceOf(t testing.TB, s *store.Store, account string) int64 {
	t.Helper()
	page, err := s.Balances(context.Background(), store.BalanceFilter{Prefix: account, Limit: 1})
	if err != nil {
		t.Fatal(err)
	}
	if len(page.Accounts) == 0 || page.Accounts[0].Account != account {
		return 0
	}
	return page.Accounts[0].Credits - page.Accounts[0].Debits
}

const (
	own        = "customers:7123456789:12345"
	suspense   = "suspense:jetpay:1234"
	settlement = "settlement:jetpay:1234"
)

// wantBalances compares what three accounts hold, as credits less debits.
func wantBalances(t testing.TB, s *store.Store, want map[string]int64) {
	t.Helper()
	for account, amount := range want {
		if got := balanceOf(t, s, account); got != amount {
			t.Errorf("%s: got %d, want %d", account, got, amount)
		}
	}
}

func sum(amount int64) func(*topup.Event) {
	return func(e *topup.Event) { e.Sum.Amount = amount }
}

// suspendedItem puts money of a payment into suspense and returns the item.
func suspendedItem(t testing.TB, s *store.Store, e topup.Event) (paymentID, item string) {
	t.Helper()
	r := mustRecord(t, s, e)
	if r.Disposition != topup.DispositionSuspended {
		t.Fatalf("got %s, want money in suspense", r.Disposition)
	}
	list, err := s.PaymentTransactions(context.Background(), r.PaymentID)
	if err != nil {
		t.Fatal(err)
	}
	return r.PaymentID, list[len(list)-1].ID
}

func must(t testing.TB) func(topup.Transaction, error) topup.Transaction {
	return func(made topup.Transaction, err error) topup.Transaction {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return made
	}
}

func TestAnOperatorsCreditTakesTheOneCreditAndTheLateCallbackIsBoundToIt(t *testing.T) {
	c := newClock()
	s := bookOf(t, func(o *store.Options) { o.Now = c.Now })
	id := mustIssue(t, s)
	made := must(t)(s.CreditPayment(context.Background(), id, anna))
	want := topup.Transaction{
		Seq: made.Seq, ID: made.ID, Kind: topup.KindManualCredit, PaymentID: id, Actor: "anna", Reason: "ticket 7",
		EffectiveAt: c.Now(), RecordedAt: c.Now(), Postings: topup.Transfer(settlement, own, hundred),
	}
	if fmt.Sprint(made) != fmt.Sprint(want) {
		t.Errorf("got %+v, want %+v", made, want)
	}
	p := mustPayment(t, s, id)
	if p.Status != topup.StatusSucceeded || p.Credit == nil || !p.Credit.ByOperator || p.Credit.TransactionID != made.ID || p.Credit.Money != hundred {
		t.Errorf("got %+v, credit %+v", p, p.Credit)
	}
	if got := mustRecord(t, s, paid(id, "28")); got.Disposition != topup.DispositionBound {
		t.Errorf("the late callback: got %s", got.Disposition)
	}
	if got := mustPayment(t, s, id).Credit.Operation; got != "28" {
		t.Errorf("bound to operation %q", got)
	}
	if got := mustRecord(t, s, paid(id, "29")); got.Disposition != topup.DispositionSuspended || got.Flags != topup.FlagSecondOperation {
		t.Errorf("another operation: got %+v", got)
	}
	wantBalances(t, s, map[string]int64{own: 10000, suspense: 10000, settlement: -20000})
	checked(t, s)
}

func TestAnOperatorsCreditIsRefused(t *testing.T) {
	s := bookOf(t)
	ctx := context.Background()
	credited, manual, reversed, suspended := mustIssue(t, s), mustIssue(t, s), mustIssue(t, s), mustIssue(t, s)
	mustRecord(t, s, paid(credited, "1"))
	must(t)(s.CreditPayment(ctx, manual, anna))
	must(t)(s.Reverse(ctx, must(t)(s.CreditPayment(ctx, reversed, anna)).ID, anna))
	suspendedItem(t, s, paid(suspended, "2", sum(9999)))
	unknown, item := suspendedItem(t, s, paid("their-id", "3"))
	must(t)(s.ReturnSuspense(ctx, item, topup.PayBack{}, anna))
	before := len(feed(t, s))

	for name, want := range map[string]struct {
		payment string
		kind    topup.Kind
		says    string
	}{
		"when a callback has credited":       {credited, topup.KindConflict, "has been credited"},
		"when an operator has credited":      {manual, topup.KindConflict, "has been credited"},
		"when the credit was reversed":       {reversed, topup.KindConflict, "reversed"},
		"while its money lies in suspense":   {suspended, topup.KindConflict, "suspense assign"},
		"when the payment names no contract": {unknown, topup.KindConflict, "no contract"},
		"when there is no such payment":      {"p_none", topup.KindNotFound, "does not exist"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := s.CreditPayment(ctx, want.payment, anna)
			if kindOf(err) != want.kind || !strings.Contains(err.Error(), want.says) {
				t.Errorf("got %v, want a %s that says %q", err, want.kind, want.says)
			}
		})
	}
	if after := len(feed(t, s)); after != before {
		t.Errorf("refusals posted: %d transactions, before %d", after, before)
	}
	checked(t, s)
}

func TestEveryStepOfAnOperatorNeedsAnActorAndAReason(t *testing.T) {
	s := bookOf(t)
	id := mustIssue(t, s)
	for field, by := range map[string]store.By{
		"actor":  {Reason: "r"},
		"reason": {Actor: "a", Reason: " \t"},
	} {
		_, err := s.CreditPayment(context.Background(), id, by)
		if kindOf(err) != topup.KindInvalid || !strings.Contains(err.Error(), field+" must be given") {
			t.Errorf("without %s: got %v", field, err)
		}
	}
	for what, reason := range map[string]string{
		"too long":          strings.Repeat("r", 501),
		"a line break":      "a\nb",
		"a C1 control":      "a\u0085b",
		"a broken encoding": "a\xffb",
	} {
		if _, err := s.CreditPayment(context.Background(), id, store.By{Actor: "a", Reason: reason}); kindOf(err) != topup.KindInvalid {
			t.Errorf("%s: got %v", what, err)
		}
	}
	must(t)(s.CreditPayment(context.Background(), id, store.By{Actor: "a", Reason: strings.Repeat("r", 500)}))
}

func TestMoneyAssignedToThePaymentsOwnContractTakesItsOneCredit(t *testing.T) {
	s := bookOf(t)
	id := mustIssue(t, s)
	_, item := suspendedItem(t, s, paid(id, "28", sum(9000)))
	made := must(t)(s.AssignSuspense(context.Background(), item, "7123456789", "12345", anna))
	if made.Kind != topup.KindAssignment || made.Resolves != item || made.PaymentID != id {
		t.Errorf("got %+v", made)
	}
	p := mustPayment(t, s, id)
	if p.Status != topup.StatusSucceeded || p.InSuspense != 0 || p.Credit == nil || p.Credit.Operation != "28" || p.Credit.Money.Amount != 9000 {
		t.Errorf("got %+v, credit %+v", p, p.Credit)
	}
	// The right sum under another operation is further money, not this money.
	if got := mustRecord(t, s, paid(id, "29")); got.Disposition != topup.DispositionSuspended || got.Flags != topup.FlagSecondOperation {
		t.Errorf("a later movement: got %+v", got)
	}
	if _, err := s.CreditPayment(context.Background(), id, anna); kindOf(err) != topup.KindConflict {
		t.Errorf("a second credit: got %v", err)
	}
	wantBalances(t, s, map[string]int64{own: 9000, suspense: 10000, settlement: -19000})
	checked(t, s)
}

func TestMoneyAssignedToAnotherContractLeavesThePaymentsCreditFree(t *testing.T) {
	s := bookOf(t)
	id := mustIssue(t, s)
	_, item := suspendedItem(t, s, paid(id, "28", sum(9000)))
	must(t)(s.AssignSuspense(context.Background(), item, "7000000000", "1", anna))
	p := mustPayment(t, s, id)
	if p.Status != topup.StatusSucceeded || p.Credit != nil || p.InSuspense != 0 {
		t.Errorf("got %+v, credit %+v", p, p.Credit)
	}
	if got := mustRecord(t, s, paid(id, "29")); got.Disposition != topup.DispositionCredited {
		t.Errorf("the payment's own money: got %+v", got)
	}
	wantBalances(t, s, map[string]int64{own: 10000, "customers:7000000000:1": 9000, suspense: 0})
	checked(t, s)
}

func TestMoneyUnderAnUnknownIDTakesThatPaymentsCreditWhenAssigned(t *testing.T) {
	s := bookOf(t)
	id, first := suspendedItem(t, s, paid("their-id", "1"))
	_, second := suspendedItem(t, s, paid("their-id", "2"))
	must(t)(s.AssignSuspense(context.Background(), first, "7000000000", "1", anna))
	p := mustPayment(t, s, id)
	if p.Status != topup.StatusSucceeded || p.Credit == nil || p.Credit.Operation != "1" || p.InSuspense != 1 {
		t.Errorf("got %+v, credit %+v", p, p.Credit)
	}
	must(t)(s.AssignSuspense(context.Background(), second, "7000000000", "1", anna)) // without the credit
	if got := mustPayment(t, s, id).Credit.Operation; got != "1" {
		t.Errorf("the credit is now of operation %s", got)
	}
	wantBalances(t, s, map[string]int64{"customers:7000000000:1": 20000, suspense: 0})
	checked(t, s)
}

func TestAClosedContractAcceptsMoneyThatIsOwedToIt(t *testing.T) {
	s := bookOf(t)
	id := mustIssue(t, s)
	_, item := suspendedItem(t, s, paid(id, "28", sum(9000)))
	closed := &topup.Account{CustomerID: "7123456789", AdditionalCustomerID: "A", Currency: "KZT", Closed: true,
		Contracts: []topup.Contract{{ID: "12345", Number: "A-1", Closed: true}}}
	if _, err := s.PutAccount(context.Background(), closed); err != nil {
		t.Fatal(err)
	}
	must(t)(s.AssignSuspense(context.Background(), item, "7123456789", "12345", anna))
	wantBalances(t, s, map[string]int64{own: 9000})
}

func TestTheCustomerOfAnAssignmentIsNormalised(t *testing.T) {
	s := bookOf(t, func(o *store.Options) { o.Normalize = topup.NormalizeKZPhone })
	id := mustIssue(t, s)
	_, item := suspendedItem(t, s, paid(id, "28", sum(9000)))
	made := must(t)(s.AssignSuspense(context.Background(), item, "+7 712 345-67-89", "12345", anna))
	if got := made.Postings[1].Account; got != own {
		t.Errorf("credited %s", got)
	}
	if mustPayment(t, s, id).Credit == nil {
		t.Errorf("the payment's own contract did not take its credit")
	}
}

func TestAnAssignmentIsRefused(t *testing.T) {
	s := bookOf(t)
	ctx := context.Background()
	id := mustIssue(t, s)
	_, item := suspendedItem(t, s, paid(id, "1", sum(9000)))
	_, assigned := suspendedItem(t, s, paid(id, "2", sum(9000)))
	_, returned := suspendedItem(t, s, paid(id, "3", sum(9000)))
	must(t)(s.AssignSuspense(ctx, assigned, "7123456789", "12345", anna))
	must(t)(s.ReturnSuspense(ctx, returned, topup.PayBack{}, anna))
	credit := mustPayment(t, s, id).Credit.TransactionID
	before := len(feed(t, s))

	for name, want := range map[string]struct {
		item, customer, contract string
		kind                     topup.Kind
		says                     string
	}{
		"to an unknown account":            {item, "7555555555", "1", topup.KindNotFound, "account does not exist"},
		"to an unknown contract":           {item, "7123456789", "9", topup.KindNotFound, "contract does not exist"},
		"to an account in other money":     {item, "7999999999", "1", topup.KindInvalid, "KGS"},
		"of an item that was assigned":     {assigned, "7123456789", "12345", topup.KindConflict, "already assigned"},
		"of an item that was returned":     {returned, "7123456789", "12345", topup.KindConflict, "already returned"},
		"of something that does not exist": {"t_none", "7123456789", "12345", topup.KindNotFound, "suspense item"},
		"of something that is no item":     {credit, "7123456789", "12345", topup.KindNotFound, "suspense item"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := s.AssignSuspense(ctx, want.item, want.customer, want.contract, anna)
			if kindOf(err) != want.kind || !strings.Contains(err.Error(), want.says) {
				t.Errorf("got %v, want a %s that says %q", err, want.kind, want.says)
			}
		})
	}
	for _, item := range []string{assigned, returned} {
		if _, err := s.ReturnSuspense(ctx, item, topup.PayBack{}, anna); kindOf(err) != topup.KindConflict {
			t.Errorf("a return of what is resolved: got %v", err)
		}
	}
	if _, err := s.ReturnSuspense(ctx, "t_none", topup.PayBack{}, anna); kindOf(err) != topup.KindNotFound {
		t.Errorf("a return of nothing: got %v", err)
	}
	if after := len(feed(t, s)); after != before {
		t.Errorf("refusals posted: %d transactions, before %d", after, before)
	}
	checked(t, s)
}

func TestReturnedMoneyDeclinesThePaymentUnlessSomethingIsOpen(t *testing.T) {
	s := bookOf(t)
	ctx := context.Background()
	id := mustIssue(t, s)
	_, first := suspendedItem(t, s, paid(id, "1", sum(9000)))
	_, second := suspendedItem(t, s, paid(id, "2", sum(9000)))
	made := must(t)(s.ReturnSuspense(ctx, first, topup.PayBack{}, anna))
	if made.Kind != topup.KindReturn || made.Resolves != first {
		t.Errorf("got %+v", made)
	}
	if p := mustPayment(t, s, id); p.Status != topup.StatusReview || p.InSuspense != 1 {
		t.Errorf("with more in suspense: got %s, %d items", p.Status, p.InSuspense)
	}
	must(t)(s.ReturnSuspense(ctx, second, topup.PayBack{}, anna))
	if p := mustPayment(t, s, id); p.Status != topup.StatusDeclined || p.InSuspense != 0 {
		t.Errorf("with nothing left: got %s, %d items", p.Status, p.InSuspense)
	}
	if got := mustRecord(t, s, paid(id, "3")); got.Disposition != topup.DispositionCredited || got.Flags != topup.FlagLate {
		t.Errorf("money that comes later: got %+v", got)
	}

	flagged := mustIssue(t, s)
	mustRecord(t, s, paid(flagged, "4", func(e *topup.Event) { e.Complete = false; e.Operation = "" }))
	_, item := suspendedItem(t, s, paid(flagged, "5", sum(9000)))
	must(t)(s.ReturnSuspense(ctx, item, topup.PayBack{}, anna))
	if p := mustPayment(t, s, flagged); p.Status != topup.StatusReview {
		t.Errorf("with an unreadable message: got %s", p.Status)
	}
	wantBalances(t, s, map[string]int64{own: 10000, suspense: 0, settlement: -10000})
	checked(t, s)
}

// step is one thing done to a payment whose money was suspended, and what is
// to be seen after it.
type step struct {
	does     string
	status   topup.Status
	item     string // state of the suspense item
	credited bool   // its contract has money of it
	reversed bool   // the flag
	conflict bool   // the step is refused
}

func TestAReversalUndoesAndItsOwnReversalDoesAgain(t *testing.T) {
	const review, succeeded, declined = topup.StatusReview, topup.StatusSucceeded, topup.StatusDeclined
	for name, steps := range map[string][]step{
		"assignment to the own contract": {
			{does: "assign", status: succeeded, item: "assigned", credited: true},
			{does: "reverse last", status: review, item: "open", reversed: true},
			{does: "reverse assignment", status: review, item: "open", reversed: true, conflict: true},
			{does: "reverse last", status: succeeded, item: "assigned", credited: true},
			{does: "reverse last", status: review, item: "open", reversed: true},
			{does: "assign", status: succeeded, item: "assigned", credited: true}, // what is credited is what its contract has
			{does: "reverse third reversal", status: succeeded, item: "assigned", credited: true, conflict: true},
		},
		"assignment to another contract": {
			{does: "assign elsewhere", status: succeeded, item: "assigned"},
			{does: "reverse last", status: review, item: "open"},
			{does: "reverse last", status: succeeded, item: "assigned"},
			{does: "reverse last", status: review, item: "open"},
			{does: "return", status: declined, item: "returned"},
		},
		"return": {
			{does: "return", status: declined, item: "returned"},
			{does: "reverse last", status: review, item: "open"},
			{does: "reverse last", status: declined, item: "returned"},
			{does: "reverse suspense", status: declined, item: "returned", conflict: true},
		},
		"suspense, which a provider posted": {
			{does: "reverse suspense", status: review, item: "open", conflict: true},
			{does: "assign", status: succeeded, item: "assigned", credited: true},
			{does: "reverse suspense", status: succeeded, item: "assigned", credited: true, conflict: true},
			{does: "reverse last", status: review, item: "open", reversed: true},
			{does: "reverse suspense", status: review, item: "open", reversed: true, conflict: true},
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := bookOf(t)
			ctx := context.Background()
			id := mustIssue(t, s)
			_, item := suspendedItem(t, s, paid(id, "28", sum(9000)))
			var ids []string // of what was posted, in order
			var reversals []string
			var assignment string
			for i, step := range steps {
				var made topup.Transaction
				var err error
				switch step.does {
				case "assign":
					made, err = s.AssignSuspense(ctx, item, "7123456789", "12345", anna)
				case "assign elsewhere":
					made, err = s.AssignSuspense(ctx, item, "7000000000", "1", anna)
				case "return":
					made, err = s.ReturnSuspense(ctx, item, topup.PayBack{}, anna)
				case "reverse suspense":
					made, err = s.Reverse(ctx, item, anna)
				case "reverse assignment":
					made, err = s.Reverse(ctx, assignment, anna)
				case "reverse third reversal":
					made, err = s.Reverse(ctx, reversals[2], anna)
					if err == nil {
						// The third reversal undid; its mirror would do again.
						t.Errorf("step %d: done again although the item was resolved otherwise", i)
					}
				case "reverse last":
					made, err = s.Reverse(ctx, ids[len(ids)-1], anna)
				}
				if step.conflict != (kindOf(err) == topup.KindConflict) || (!step.conflict && err != nil) {
					t.Fatalf("step %d, %s: got %v", i, step.does, err)
				}
				if err == nil {
					ids = append(ids, made.ID)
				}
				if made.Kind == topup.KindReversal {
					reversals = append(reversals, made.ID)
				}
				if made.Kind == topup.KindAssignment && assignment == "" {
					assignment = made.ID
				}
				p := mustPayment(t, s, id)
				items, err := s.SuspenseItems(ctx, store.SuspenseFilter{All: true, PaymentID: id})
				if err != nil {
					t.Fatal(err)
				}
				got := step
				got.status, got.item = p.Status, items[0].State
				got.credited = p.Credited != nil
				got.reversed = p.Flags.Has(topup.FlagReversed)
				if got != step {
					t.Errorf("step %d: got %+v, want %+v", i, got, step)
				}
				checked(t, s)
			}
		})
	}
}

func TestAReversedManualCreditStaysTaken(t *testing.T) {
	s := bookOf(t)
	ctx := context.Background()
	id := mustIssue(t, s)
	credit := must(t)(s.CreditPayment(ctx, id, anna)).ID
	mirror := must(t)(s.Reverse(ctx, credit, anna))
	if mirror.Reverses != credit || mirror.Kind != topup.KindReversal || mirror.PaymentID != id {
		t.Errorf("got %+v", mirror)
	}
	if want := topup.Mirror(topup.Transfer(settlement, own, hundred)); fmt.Sprint(mirror.Postings) != fmt.Sprint(want) {
		t.Errorf("got %v, want %v", mirror.Postings, want)
	}
	p := mustPayment(t, s, id)
	if p.Status != topup.StatusReview || p.Credited != nil || p.Credit == nil || !p.Credit.Reversed || !p.Flags.Has(topup.FlagReversed) {
		t.Errorf("got %+v, credit %+v", p, p.Credit)
	}
	wantBalances(t, s, map[string]int64{own: 0, settlement: 0})
	if _, err := s.Reverse(ctx, credit, anna); kindOf(err) != topup.KindConflict {
		t.Errorf("a second reversal: got %v", err)
	}
	if _, err := s.Reverse(ctx, "t_none", anna); kindOf(err) != topup.KindNotFound {
		t.Errorf("a reversal of nothing: got %v", err)
	}
	must(t)(s.Reverse(ctx, mirror.ID, anna))
	if p := mustPayment(t, s, id); p.Status != topup.StatusSucceeded || p.Credited == nil || p.Credit.Reversed || p.Flags.Has(topup.FlagReversed) {
		t.Errorf("after the undo was undone: got %+v, credit %+v", p, p.Credit)
	}
	mustRecord(t, s, paid(id, "28")) // is bound to it
	if got := mustRecord(t, s, paid(id, "29")); got.Disposition != topup.DispositionSuspended {
		t.Errorf("further money: got %+v", got)
	}
	wantBalances(t, s, map[string]int64{own: 10000, suspense: 10000})
	checked(t, s)
}

func TestWhatAProviderPostedIsNotReversed(t *testing.T) {
	s := bookOf(t)
	ctx := context.Background()
	id := mustIssue(t, s)
	mustRecord(t, s, paid(id, "28"))
	_, item := suspendedItem(t, s, paid(id, "29"))
	before := len(feed(t, s))
	for what, want := range map[string]struct{ transaction, says string }{
		"its credit":              {mustPayment(t, s, id).Credit.TransactionID, "payments recall"},
		"what it put in suspense": {item, "suspense assign or suspense return"},
	} {
		_, err := s.Reverse(ctx, want.transaction, anna)
		if kindOf(err) != topup.KindConflict || !strings.Contains(err.Error(), want.says) {
			t.Errorf("%s: got %v, want a conflict that names %s", what, err, want.says)
		}
	}
	if after := len(feed(t, s)); after != before {
		t.Errorf("the refusals posted: %d transactions, before %d", after, before)
	}
	wantBalances(t, s, map[string]int64{own: 10000, suspense: 10000})
	checked(t, s)
}

func TestAReversedManualCreditSwallowsNoCallback(t *testing.T) {
	s := bookOf(t)
	id := mustIssue(t, s)
	made := must(t)(s.CreditPayment(context.Background(), id, anna))
	must(t)(s.Reverse(context.Background(), made.ID, anna))
	if got := mustRecord(t, s, paid(id, "28")); got.Disposition != topup.DispositionSuspended {
		t.Errorf("got %+v", got)
	}
	wantBalances(t, s, map[string]int64{own: 0, suspense: 10000})
	checked(t, s)
}

// TestAReversedCreditIsNotDoneAgainOnceMoneyOfItsPaymentCame: the customer would
// have both.
func TestAReversedCreditIsNotDoneAgainOnceMoneyOfItsPaymentCame(t *testing.T) {
	s := bookOf(t)
	ctx := context.Background()
	id := mustIssue(t, s)
	mirror := must(t)(s.Reverse(ctx, must(t)(s.CreditPayment(ctx, id, anna)).ID, anna))
	_, item := suspendedItem(t, s, paid(id, "28"))
	refused := func(when, says string) {
		t.Helper()
		before := len(feed(t, s))
		_, err := s.Reverse(ctx, mirror.ID, anna)
		if kindOf(err) != topup.KindConflict || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: got %v, want a conflict that says %q", when, err, says)
		}
		if after := len(feed(t, s)); after != before {
			t.Errorf("%s: the refusal posted: %d transactions, before %d", when, after, before)
		}
		checked(t, s)
	}
	_, err := s.CreditPayment(ctx, id, anna)
	if kindOf(err) != topup.KindConflict || !strings.Contains(err.Error(), "suspense assign") || strings.Contains(err.Error(), "reverse that reversal") {
		t.Errorf("payments credit: got %v, want a conflict that names suspense assign alone", err)
	}
	refused("while it lies in suspense", "money of this payment lies in suspense: use suspense assign")
	if p := mustPayment(t, s, id); !p.Credit.Reversed || !p.Flags.Has(topup.FlagReversed) {
		t.Errorf("got %+v, credit %+v; want it reversed still", p, p.Credit)
	}
	wantBalances(t, s, map[string]int64{own: 0, suspense: 10000})

	assignment := must(t)(s.AssignSuspense(ctx, item, "7123456789", "12345", anna))
	refused("when it was assigned", "reverse that assignment first")
	wantBalances(t, s, map[string]int64{own: 10000, suspense: 0})

	must(t)(s.Reverse(ctx, assignment.ID, anna))
	must(t)(s.ReturnSuspense(ctx, item, topup.PayBack{}, anna))
	refused("when it went back", "has come since its credit was reversed")
	wantBalances(t, s, map[string]int64{own: 0, suspense: 0})
}

func TestACreditIsUndoneWhateverCameMeanwhile(t *testing.T) {
	s := bookOf(t)
	ctx := context.Background()
	id := mustIssue(t, s)
	mirror := must(t)(s.Reverse(ctx, must(t)(s.CreditPayment(ctx, id, anna)).ID, anna))
	again := must(t)(s.Reverse(ctx, mirror.ID, anna))
	suspendedItem(t, s, paid(id, "29", sum(9000)))
	must(t)(s.Reverse(ctx, again.ID, anna))
	wantBalances(t, s, map[string]int64{own: 0, suspense: 9000})
	checked(t, s)
}

func TestTheTimeOfACreditIsWhenItWasRecorded(t *testing.T) {
	s := bookOf(t, func(o *store.Options) { o.Now = ticking() })
	ctx := context.Background()
	callback, manual, assigned := mustIssue(t, s), mustIssue(t, s), mustIssue(t, s)
	mustRecord(t, s, paid(callback, "1"))
	must(t)(s.CreditPayment(ctx, manual, anna))
	_, item := suspendedItem(t, s, paid(assigned, "2", sum(9000)))
	must(t)(s.AssignSuspense(ctx, item, "7123456789", "12345", anna))
	recorded := map[string]time.Time{}
	for _, made := range feed(t, s) {
		recorded[made.ID] = made.RecordedAt
	}
	for _, id := range []string{callback, manual, assigned} {
		c := mustPayment(t, s, id).Credit
		if want := recorded[c.TransactionID]; !c.At.Equal(want) {
			t.Errorf("payment %s: got %s, want %s", id, c.At, want)
		}
	}
}

func TestOperatorsAndCallbacksAtOnceCreditOnce(t *testing.T) {
	s := bookOf(t)
	id := mustIssue(t, s)
	var wg sync.WaitGroup
	for i := range 60 {
		wg.Go(func() {
			if i%2 == 0 {
				_, _ = s.CreditPayment(context.Background(), id, anna) // all but one are refused
				return
			}
			mustRecord(t, s, paid(id, "28"))
		})
	}
	wg.Wait()
	wantBalances(t, s, map[string]int64{own: 10000, suspense: 0})
	checked(t, s)
}

func TestATotalThatOverflowsIsRefusedAndLeavesItsNeighboursUnharmed(t *testing.T) {
	if onPostgres {
		t.Skip("PostgreSQL has a part of a total for each connection that writes")
	}
	s := bookOf(t)
	ctx := context.Background()
	huge, fits := mustIssue(t, s), mustIssue(t, s, func(n *store.NewPayment) { n.Project = "77" })
	err := s.Raw(ctx, func(exec func(string, ...any) error) error {
		insert := `INSERT INTO ledger_accounts (name, currency, debits, credits) VALUES ('%s', 'KZT', %d, %d)`
		if err := exec(fmt.Sprintf(insert, "customers:x:y", 0, math.MaxInt64-9999)); err != nil {
			return err
		}
		return exec(fmt.Sprintf(insert, settlement, math.MaxInt64-9999, 0))
	})
	if err != nil {
		t.Fatal(err)
	}
	release := s.HoldWriter()
	var wg sync.WaitGroup
	wg.Go(func() { // takes the writer's first batch, so that the others share one
		_, _ = s.Issue(ctx, store.NewPayment{Provider: "jetpay", Project: "1", CustomerID: "c", ContractID: "e", Money: hundred})
	})
	errs := make([]error, 2)
	wg.Go(func() { _, errs[0] = s.CreditPayment(ctx, huge, anna) })
	wg.Go(func() { _, errs[1] = s.CreditPayment(ctx, fits, anna) })
	testkit.Eventually(t, "both are queued", func() bool { return s.QueueDepth() >= 2 })
	release()
	wg.Wait()
	if kindOf(errs[0]) != topup.KindUnavailable {
		t.Errorf("the one that overflows: got %v", errs[0])
	}
	if errs[1] != nil {
		t.Errorf("its neighbour: got %v", errs[1])
	}
	if p := mustPayment(t, s, huge); p.Status != topup.StatusPending || p.Credit != nil {
		t.Errorf("got %+v", p)
	}
	wantBalances(t, s, map[string]int64{own: 10000, "settlement:jetpay:77": -10000, settlement: -(math.MaxInt64 - 9999)})
	if got := len(feed(t, s)); got != 1 {
		t.Errorf("got %d transactions, want 1", got)
	}
}

// feed reads the whole feed by pages.
func feed(t interface {
	Helper()
	Fatal(...any)
}, s *store.Store) (all []topup.Transaction) {
	t.Helper()
	for {
		after := int64(0)
		if n := len(all); n > 0 {
			after = all[n-1].Seq
		}
		page, err := s.Transactions(context.Background(), after, 7)
		if err != nil {
			t.Fatal(err)
		}
		if len(page) == 0 {
			return all
		}
		all = append(all, page...)
	}
}
