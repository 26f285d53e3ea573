package topup_test

import (
	"strings"
	"testing"

	"tolem/topup"
)

// TestBookOfPlatform is what payouts are compared with: what was received for a payment
// and what went back, by what its journal has.
func TestBookOfPlatform(t *testing.T) {
	const settlement, own, bank = "settlement:jetpay:1", "customers:7:1", "bank:main"
	kgs := func(n int64) topup.Money { return topup.Money{Amount: n, Currency: "KGS"} }
	moved := func(id string, kind topup.TransactionKind, operation, from, to string, m topup.Money) topup.Transaction {
		return topup.Transaction{ID: id, Kind: kind, Operation: operation, Postings: topup.Transfer(from, to, m)}
	}
	credit := moved("t1", topup.KindCredit, "28", settlement, own, kzt(500))
	second := moved("t2", topup.KindSuspense, "29", settlement, "suspense:jetpay:1", kzt(300))
	refund := moved("t3", topup.KindRefund, "30", own, settlement, kzt(120))
	another := moved("t4", topup.KindRefund, "31", own, settlement, kzt(80))
	byBank := moved("t5", topup.KindRefund, "", own, bank, kzt(50))
	assigned := moved("t6", topup.KindAssignment, "", "suspense:jetpay:1", own, kzt(300))
	foreign := moved("t7", topup.KindSuspense, "32", settlement, "suspense:jetpay:1", kgs(9))
	undo := topup.Transaction{ID: "t8", Kind: topup.KindReversal, Reverses: "t3", Postings: topup.Mirror(refund.Postings)}
	for _, c := range []struct {
		what      string
		journal   []topup.Transaction
		operation string
		received  int64
		currency  string
		refunded  int64
	}{
		{"nothing", nil, "", 0, "", 0},
		{"a credit", []topup.Transaction{credit}, "", 500, "KZT", 0},
		{"and money in suspense", []topup.Transaction{credit, second}, "", 800, "KZT", 0},
		{"by the first operation", []topup.Transaction{credit, second}, "28", 500, "KZT", 0},
		{"by the second operation", []topup.Transaction{credit, second}, "29", 300, "KZT", 0},
		{"by an operation that brought nothing", []topup.Transaction{credit, second}, "99", 800, "KZT", 0},
		{"refunds through the platform", []topup.Transaction{credit, refund, another}, "", 500, "KZT", 200},
		{"a refund by a bank", []topup.Transaction{credit, byBank}, "", 500, "KZT", 0},
		{"a refund that was reversed", []topup.Transaction{credit, refund, undo, another}, "", 500, "KZT", 80},
		{"an assignment, which the platform knows nothing of", []topup.Transaction{assigned, second}, "", 300, "KZT", 0},
		{"money in another currency", []topup.Transaction{credit, foreign, second}, "", 800, "KZT", 0},
		{"the operation in another currency", []topup.Transaction{credit, foreign}, "32", 9, "KGS", 0},
	} {
		t.Run(c.what, func(t *testing.T) {
			book := topup.Book{Payment: &topup.Payment{}, Transactions: c.journal}
			if received, currency, refunded := book.OfPlatform(c.operation); received != c.received || currency != c.currency || refunded != c.refunded {
				t.Errorf("got %d %q, refunded %d; want %d %q, refunded %d", received, currency, refunded, c.received, c.currency, c.refunded)
			}
		})
	}
}

func kzt(n int64) topup.Money { return topup.Money{Amount: n, Currency: "KZT"} }

// TestBookPost adds steps to the book of a payment of contract 7:1, one after the other.
// Its flag late is for what no step may change.
func TestBookPost(t *testing.T) {
	const settlement, own, other = "settlement:jetpay:1", "customers:7:1", "customers:7:2"
	p := &topup.Payment{ID: "p", Provider: "jetpay", Project: "1", CustomerID: "7", ContractID: "1", Money: kzt(500),
		Status: topup.StatusReview, Flags: topup.FlagLate | topup.FlagOutcomeUnknown}
	b := &topup.Book{Payment: p}
	ids := map[string]int{}
	post := func(s topup.Step, id string, reverses string) {
		ids[id] = len(ids) + 1
		b.Post(s, topup.Transaction{ID: id, Seq: int64(ids[id]), Kind: s.Kind, Actor: "anna", Reverses: reverses, Takes: s.Takes, Resolves: s.Resolves, Postings: s.Postings})
	}
	want := func(status topup.Status, flags topup.Flags, moved bool) {
		t.Helper()
		if p.Status != status || p.Flags != flags || p.Moved != moved {
			t.Errorf("got %s, %v, moved %v; want %s, %v, moved %v", p.Status, p.Flags.Names(), p.Moved, status, flags.Names(), moved)
		}
	}

	credit := topup.Step{Kind: topup.KindManualCredit, TakesCredit: true, Postings: topup.Transfer(settlement, own, kzt(500))}
	post(credit, "credit", "")
	want(topup.StatusSucceeded, topup.FlagLate, false)
	if p.Credit == nil || p.Credit.Reversed || !p.Credit.ByOperator || p.Credit.Money != kzt(500) {
		t.Errorf("got the credit %+v", p.Credit)
	}

	post(topup.Step{Kind: topup.KindRefund, Takes: "credit", Postings: topup.Transfer(own, settlement, kzt(100))}, "refund", "")
	want(topup.StatusSucceeded, topup.FlagLate|topup.FlagRefunded, true)
	post(topup.Step{Kind: topup.KindRefund, Takes: "credit", Postings: topup.Transfer(own, settlement, kzt(150))}, "more", "")
	if p.Refunded != kzt(250) || p.Credited == nil || p.Credited.Money != kzt(250) {
		t.Errorf("two refunds: got %v refunded, %+v credited", p.Refunded, p.Credited)
	}

	post(topup.Step{Kind: topup.KindReversal}, "undo refund", "refund")
	post(topup.Step{Kind: topup.KindReversal}, "undo more", "more")
	want(topup.StatusSucceeded, topup.FlagLate, true)
	post(topup.Step{Kind: topup.KindReversal}, "undo credit", "credit")
	want(topup.StatusReview, topup.FlagLate|topup.FlagReversed, true)
	if !p.Credit.Reversed {
		t.Error("the credit is not reversed")
	}

	// Another contract's money is not the payment's own, another currency's is no sum with it.
	post(topup.Step{Kind: topup.KindAssignment, Postings: topup.Transfer("suspense:jetpay:1", other, kzt(7))}, "elsewhere", "")
	post(topup.Step{Kind: topup.KindAssignment, Postings: topup.Transfer("suspense:jetpay:1", own, topup.Money{Amount: 9, Currency: "KGS"})}, "foreign", "")
	post(topup.Step{Kind: topup.KindAssignment, Postings: topup.Transfer("suspense:jetpay:1", own, kzt(5))}, "newest", "")
	if p.Credited == nil || p.Credited.Money != kzt(5) || p.Credited.TransactionID != "newest" {
		t.Errorf("got %+v credited, want 0.05 KZT of the newest", p.Credited)
	}

	p.Flags |= topup.FlagOutcomeUnknown
	b.Close()
	want(topup.StatusDeclined, topup.FlagLate, true)
}

// TestBookRefundedInAnotherCurrency: those of the newest, where none is in the payment's.
func TestBookRefundedInAnotherCurrency(t *testing.T) {
	b := topup.Book{Payment: &topup.Payment{Money: kzt(1)}}
	if got := b.Refunded(); !got.IsZero() {
		t.Errorf("of nothing: got %v", got)
	}
	for _, currency := range []string{"KGS", "USD", "USD"} {
		b.Transactions = append(b.Transactions, topup.Transaction{
			ID: currency, Kind: topup.KindRefund, Postings: topup.Transfer("customers:7:1", "settlement:jetpay:1", topup.Money{Amount: 3, Currency: currency}),
		})
	}
	if got, want := b.Refunded(), (topup.Money{Amount: 6, Currency: "USD"}); got != want {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestBookPartReturned(t *testing.T) {
	item := topup.Transaction{ID: "t1", Kind: topup.KindSuspense, Postings: topup.Transfer("settlement:jetpay:1", "suspense:jetpay:1", kzt(500))}
	back := func(n int64) topup.Transaction {
		return topup.Transaction{ID: "r", Kind: topup.KindReturn, Resolves: "t1", Postings: topup.Transfer("suspense:jetpay:1", "settlement:jetpay:1", kzt(n))}
	}
	for _, c := range []struct {
		what    string
		journal []topup.Transaction
		want    int64
	}{
		{"no item", nil, 0},
		{"nothing of it", []topup.Transaction{item}, 0},
		{"a part", []topup.Transaction{item, back(200)}, 200},
		{"two parts", []topup.Transaction{item, back(200), back(100)}, 300},
		{"the whole", []topup.Transaction{item, back(500)}, 0},
	} {
		if got := (topup.Book{Payment: &topup.Payment{}, Transactions: c.journal}).PartReturned("t1"); got != c.want {
			t.Errorf("%s: got %d, want %d", c.what, got, c.want)
		}
	}
}

// TestDecisionApply: flags are cleared and added, and others stay.
func TestDecisionApply(t *testing.T) {
	p := &topup.Payment{Flags: topup.FlagLate | topup.FlagOutcomeUnknown, InSuspense: 2}
	d := topup.Decision{Disposition: topup.DispositionSuspended, Status: topup.StatusReview, Flags: topup.FlagConflict, Settled: topup.FlagOutcomeUnknown}
	if seq := d.Apply(p, topup.Event{Outcome: topup.OutcomePaid}, topup.Made{Seq: 7}); seq != 7 {
		t.Errorf("got seq %d, want 7", seq)
	}
	if p.Flags != topup.FlagLate|topup.FlagConflict || p.InSuspense != 3 {
		t.Errorf("got %v and %d in suspense, want late, conflict and 3", p.Flags.Names(), p.InSuspense)
	}
}

// TestNeedsBook: one of these flags is enough, any other is not.
func TestNeedsBook(t *testing.T) {
	needs := "amount_differs currency_differs unknown_payment second_operation conflict unreadable reversed refunded"
	for i := range 32 {
		flag := topup.Flags(1) << i
		names := flag.Names()
		if len(names) == 0 {
			break
		}
		want := strings.Contains(" "+needs+" ", " "+names[0]+" ")
		if got := (&topup.Payment{Flags: flag}).NeedsBook(); got != want {
			t.Errorf("%s: got %v, want %v", names[0], got, want)
		}
		if !(&topup.Payment{Flags: flag, Moved: true}).NeedsBook() {
			t.Errorf("%s, moved: got false", names[0])
		}
	}
	if (&topup.Payment{}).NeedsBook() {
		t.Error("nothing: got true")
	}
}
