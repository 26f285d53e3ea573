package topup_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"tolem/topup"
)

// written makes the book of one payment of 10000 KZT, issued for the contract
// "own", from its transactions in the order in which they were posted: t1, t2, …
//
//	credit               the platform's, of 10000, by operation 28
//	suspense 9000        the platform put 9000 in suspense
//	manual               an operator's credit; "bound": with a callback bound to it
//	suspended 2000       an operator put 2000 of a stored message in suspense
//	assign t1 own        or to the contract "other"; of what a return has left: assign t1 own 6000
//	return t1, or a part of it: return t1 3000
//	recall t1 (what is left of it), refund t1 3000, reverse t1
//
// Between them may stand "unsure" (the provider calls the payment paid, and its
// money did not come). Before them may stand "unknown" (the payment was opened for
// money under an id that was never issued) and a status in which messages have
// left it.
func written(t *testing.T, lines string) topup.Book {
	t.Helper()
	p := &topup.Payment{
		ID: "p", Provider: "highhelp", Project: "1", CustomerID: "7", ContractID: "1",
		Money: topup.Money{Amount: 10000, Currency: "KZT"}, Status: topup.StatusPending,
	}
	b := topup.Book{Payment: p}
	money := func(words []string) topup.Money {
		m := p.Money
		if len(words) > 1 {
			if _, err := fmt.Sscan(words[1], &m.Amount); err != nil {
				t.Fatalf("%v: %v", words, err)
			}
		}
		return m
	}
	part := func(words []string, whole int64) topup.Money {
		if len(words) > 2 {
			return money(words[1:])
		}
		return topup.Money{Amount: whole, Currency: "KZT"}
	}
	find := func(id string) topup.Transaction {
		for _, tr := range b.Transactions {
			if tr.ID == id {
				return tr
			}
		}
		t.Fatalf("%s is not in the book", id)
		return topup.Transaction{}
	}
	for _, line := range strings.Split(lines, ", ") {
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		n := len(b.Transactions) + 1
		made := topup.Transaction{Seq: int64(n), ID: fmt.Sprintf("t%d", n), PaymentID: "p", Actor: "anna", RecordedAt: day(n), EffectiveAt: day(n)}
		switch words[0] {
		case "unknown":
			p.CustomerID, p.ContractID = "", ""
			continue
		case "review", "declined", "expired", "pending":
			p.Status = topup.Status(words[0])
			continue
		case "unreadable":
			p.Flags |= topup.FlagUnreadable
			continue
		case "conflict":
			p.Flags |= topup.FlagConflict
			continue
		case "unsure":
			p.Flags |= topup.FlagOutcomeUnknown
			continue
		case "credit":
			made.Kind, made.Actor, made.Operation, made.Postings = topup.KindCredit, "", "28", topup.Transfer(accounts["settlement"], accounts["own"], money(words))
		case "suspense":
			made.Kind, made.Actor, made.Operation, made.Postings = topup.KindSuspense, "", "29", topup.Transfer(accounts["settlement"], accounts["suspense"], money(words))
		case "suspended":
			made.Kind, made.Operation, made.Postings = topup.KindSuspense, "30", topup.Transfer(accounts["settlement"], accounts["suspense"], money(words))
		case "manual", "bound":
			made.Kind, made.Postings = topup.KindManualCredit, topup.Transfer(accounts["settlement"], accounts["own"], p.Money)
		case "assign":
			made.Kind, made.Resolves = topup.KindAssignment, words[1]
			made.Postings = topup.Transfer(accounts["suspense"], accounts[words[2]], part(append(words[:2:2], words[3:]...), -find(words[1]).Postings[1].Amount))
		case "return":
			made.Kind, made.Resolves = topup.KindReturn, words[1]
			made.Postings = topup.Transfer(accounts["suspense"], accounts["settlement"], part(words, -find(words[1]).Postings[1].Amount))
		case "recall":
			of := find(words[1])
			made.Kind, made.Takes = topup.KindRecall, words[1]
			left := -of.Postings[1].Amount
			for _, s := range b.Standing() {
				if s.Transaction.ID == of.ID {
					left = s.Left.Amount
				}
			}
			made.Postings = topup.Transfer(of.Postings[1].Account, accounts["suspense"], topup.Money{Amount: left, Currency: "KZT"})
		case "refund":
			made.Kind, made.Takes, made.Operation = topup.KindRefund, words[1], "99"
			made.Postings = topup.Transfer(find(words[1]).Postings[1].Account, accounts["settlement"], part(words, 0))
		case "reverse":
			made.Kind, made.Reverses, made.Postings = topup.KindReversal, words[1], topup.Mirror(find(words[1]).Postings)
		default:
			t.Fatalf("%q is nothing that can stand in a book", line)
		}
		b.Transactions = append(b.Transactions, made)
		toOwn := made.Kind == topup.KindAssignment && (words[2] == "own" || !p.Issued())
		if p.Credit == nil && (made.Kind == topup.KindCredit || made.Kind == topup.KindManualCredit || toOwn) {
			p.Credit = &topup.Credit{Seq: made.Seq, TransactionID: made.ID, Money: p.Money, ByOperator: made.Actor != ""}
			if words[0] == "bound" {
				p.Credit.Operation = "28"
			}
		}
		if p.Credit != nil {
			p.Credit.Reversed = b.Undone(p.Credit.TransactionID)
		}
		b.Settle()
	}
	return b
}

func day(n int) time.Time { return time.Date(2026, 11, n, 8, 0, 0, 0, time.UTC) }

var accounts = map[string]string{
	"settlement": topup.SettlementAccount("highhelp", "1"), "suspense": topup.SuspenseAccount("highhelp", "1"),
	"own": topup.CustomerAccount("7", "1"), "other": topup.CustomerAccount("8", "1"),
}

// moves says what a step comes to.
func moves(s topup.Step) string {
	short := func(account string) string {
		for name, a := range accounts {
			if a == account {
				return name
			}
		}
		return account
	}
	says := []string{fmt.Sprintf("%s %d %s to %s", s.Kind, s.Postings[0].Amount, short(s.Postings[0].Account), short(s.Postings[1].Account))}
	note := func(word, text string) {
		if text != "" {
			says = append(says, word+" "+text)
		}
	}
	note("reverses", s.Reverses)
	note("resolves", s.Resolves)
	note("takes from", s.Takes)
	if s.TakesCredit {
		note("is", "the one credit")
		note("by operation", s.Operation)
	}
	if m := s.Item; m != nil {
		note("item", fmt.Sprintf("%s %s, was %s", m.Item, m.To, m.From))
		note("by", m.ByEarlier)
	}
	if s.Kind.PaysBack() {
		note("by operation", s.Operation)
	}
	note("frees", s.Frees)
	note("takes again", s.Retakes)
	return strings.Join(says, "; ")
}

// decision is a row of the tables below: a sentence, the book that it is about,
// and the step, or a word of the refusal, which says what to do instead.
type decision struct{ sentence, book, step, refused string }

func judge(t *testing.T, rows []decision, decide func(topup.Book) (string, error)) {
	t.Helper()
	for _, row := range rows {
		t.Run(row.sentence, func(t *testing.T) {
			got, err := decide(written(t, row.book))
			if row.refused == "" && (err != nil || got != row.step) {
				t.Errorf("%s:\ngot  %s, %v\nwant %s", row.book, got, err, row.step)
			}
			if row.refused != "" {
				wantRefusal(t, err, row.refused)
			}
		})
	}
}

func wantRefusal(t *testing.T, err error, says string) {
	t.Helper()
	refusal := (*topup.Error)(nil)
	if !errors.As(err, &refusal) || !strings.Contains(err.Error(), says) {
		t.Errorf("got %v, want a refusal that says %q", err, says)
	}
}

func stepOf(s topup.Step, err error) (string, error) {
	if err != nil {
		return "", err
	}
	return moves(s), nil
}

func TestDecideCredit(t *testing.T) {
	judge(t, []decision{
		{sentence: "what was issued is credited to the contract that it was issued for",
			step: "manual_credit 10000 settlement to own; is the one credit"},
		{sentence: "also when the provider has said no", book: "declined", step: "manual_credit 10000 settlement to own; is the one credit"},
		{sentence: "also when money of it came and went back", book: "suspense 10001, return t1",
			step: "manual_credit 10000 settlement to own; is the one credit"},
		{sentence: "not ahead of its money that has come", book: "suspense 10001", refused: "suspense assign"},
		{sentence: "not twice", book: "credit", refused: "has been credited"},
		{sentence: "not beside an assignment to its own contract", book: "suspense 10001, assign t1 own", refused: "has been credited"},
		{sentence: "not when its money was assigned elsewhere", book: "suspense 10001, assign t1 other", refused: "reverse that assignment"},
		{sentence: "not after a credit that was reversed", book: "manual, reverse t1", refused: "reverse that reversal"},
		{sentence: "not after a recall, while what was recalled lies there", book: "credit, recall t1", refused: "suspense assign"},
		{sentence: "not after a recall whose money went back", book: "credit, recall t1, return t2", refused: "reverse what became of the recalled money"},
		{sentence: "not after a recall whose money was assigned elsewhere", book: "credit, recall t1, assign t2 other", refused: "reverse what became of the recalled money"},
		{sentence: "not of a payment without a contract", book: "unknown, suspense, return t1", refused: "assigned from suspense"},
		{sentence: "not while its movement may be what an operator entered elsewhere", book: "conflict, review", refused: "reverse that step, then use messages suspend"},
		{sentence: "but once that review was closed", book: "conflict, declined", step: "manual_credit 10000 settlement to own; is the one credit"},
		{sentence: "not when all of it was refunded", book: "credit, refund t1 10000", refused: "of which 100.00 KZT were refunded"},
	}, func(b topup.Book) (string, error) { return stepOf(topup.DecideCredit(b)) })
}

func TestDecideAssign(t *testing.T) {
	account := func(id string) *topup.Account {
		return &topup.Account{CustomerID: id, Currency: "KZT", Contracts: []topup.Contract{{ID: "1"}}}
	}
	assign := func(item, customer, contract string) func(topup.Book) (string, error) {
		return func(b topup.Book) (string, error) {
			return stepOf(topup.DecideAssign(b, item, account(customer), contract))
		}
	}
	t.Run("to its own contract", func(t *testing.T) {
		judge(t, []decision{
			{sentence: "takes the payment's credit, with the operation that brought the money", book: "suspense 9000",
				step: "assignment 9000 suspense to own; resolves t1; is the one credit; by operation 29; item t1 assigned, was open"},
			{sentence: "takes it also after a decline", book: "suspense 9000, return t1, reverse t2",
				step: "assignment 9000 suspense to own; resolves t1; is the one credit; by operation 29; item t1 assigned, was open"},
			{sentence: "a credit is no item", book: "credit", refused: "does not exist"},
			{sentence: "an item that is assigned is not assigned again", book: "suspense 9000, assign t1 own", refused: "already assigned"},
			{sentence: "nor one that went back", book: "suspense 9000, return t1", refused: "already returned"},
			{sentence: "nor one whose suspension was reversed", book: "suspended 9000, reverse t1", refused: "already reversed"},
		}, assign("t1", "7", "1"))
	})
	t.Run("of a recall", func(t *testing.T) {
		judge(t, []decision{
			{sentence: "goes to the right contract (credited to the wrong one)", book: "credit, recall t1",
				step: "assignment 10000 suspense to other; resolves t2; item t2 assigned, was open"},
		}, assign("t2", "8", "1"))
		judge(t, []decision{
			{sentence: "may go back where it was, without the payment's credit, which stays taken", book: "credit, recall t1",
				step: "assignment 10000 suspense to own; resolves t2; item t2 assigned, was open"},
		}, assign("t2", "7", "1"))
	})
	t.Run("to another contract", func(t *testing.T) {
		judge(t, []decision{
			{sentence: "leaves the credit free", book: "suspense 9000", step: "assignment 9000 suspense to other; resolves t1; item t1 assigned, was open"},
			{sentence: "takes the credit of a payment that has no contract", book: "unknown, suspense 9000",
				step: "assignment 9000 suspense to other; resolves t1; is the one credit; by operation 29; item t1 assigned, was open"},
			{sentence: "once", book: "unknown, suspense 9000, suspense 9000, assign t2 other", step: "assignment 9000 suspense to other; resolves t1; item t1 assigned, was open"},
		}, assign("t1", "8", "1"))
	})
	t.Run("to another contract of the same customer leaves the credit free", func(t *testing.T) {
		two := account("7")
		two.Contracts = append(two.Contracts, topup.Contract{ID: "2"})
		s, err := topup.DecideAssign(written(t, "suspense 9000"), "t1", two, "2")
		if err != nil || s.TakesCredit || s.Postings[1].Account != topup.CustomerAccount("7", "2") {
			t.Errorf("got %+v, %v", s, err)
		}
	})
	judge(t, []decision{{sentence: "a contract that does not exist gets nothing", book: "suspense 9000", refused: "contract does not exist"}}, assign("t1", "7", "9"))
	judge(t, []decision{{sentence: "nor does an account that does not exist", book: "suspense 9000", refused: "account does not exist"}}, func(b topup.Book) (string, error) {
		return stepOf(topup.DecideAssign(b, "t1", nil, "1"))
	})
	judge(t, []decision{{sentence: "nor one in other money", book: "suspense 9000", refused: "of the money is KZT, the account's is KGS"}}, func(b topup.Book) (string, error) {
		kgs := account("7")
		kgs.Currency = "KGS"
		return stepOf(topup.DecideAssign(b, "t1", kgs, "1"))
	})
}

func TestDecideReturn(t *testing.T) {
	judge(t, []decision{
		{sentence: "money in suspense goes back to the platform", book: "suspense 9000", step: "return 9000 suspense to settlement; resolves t1; item t1 returned, was open"},
		{sentence: "not twice", book: "suspense 9000, return t1", refused: "already returned"},
		{sentence: "not when a contract has it", book: "suspense 9000, assign t1 own", refused: "already assigned"},
		{sentence: "a credit is no item", book: "credit", refused: "does not exist"},
	}, func(b topup.Book) (string, error) {
		return stepOf(topup.DecideReturn(b, "t1", topup.PayBack{}, topup.PayBackState{}))
	})
	judge(t, []decision{
		{sentence: "also the rest of what went back in part", book: "credit, suspense 9000, return t2 3000", step: "return 6000 suspense to settlement; resolves t2; item t2 returned, was open"},
		{sentence: "so does what was recalled", book: "credit, recall t1", step: "return 10000 suspense to settlement; resolves t2; item t2 returned, was open"},
	}, func(b topup.Book) (string, error) {
		return stepOf(topup.DecideReturn(b, "t2", topup.PayBack{}, topup.PayBackState{}))
	})
}

func TestDecideRecall(t *testing.T) {
	judge(t, []decision{
		{sentence: "takes a credit back into suspense", book: "credit", step: "recall 10000 own to suspense; takes from t1"},
		{sentence: "an operator's too", book: "manual", step: "recall 10000 own to suspense; takes from t1"},
		{sentence: "and an assignment to its own contract", book: "suspense 9000, assign t1 own", step: "recall 9000 own to suspense; takes from t2"},
		{sentence: "of several the newest first", book: "credit, suspense 9000, assign t2 own", step: "recall 9000 own to suspense; takes from t3"},
		{sentence: "and then the one before", book: "credit, suspense 9000, assign t2 own, recall t3", step: "recall 10000 own to suspense; takes from t1"},
		{sentence: "what was assigned back after a recall is taken from that assignment", book: "credit, recall t1, assign t2 own",
			step: "recall 10000 own to suspense; takes from t3"},
		{sentence: "any contract is that of a payment which has none", book: "unknown, suspense 9000, assign t1 other", step: "recall 9000 other to suspense; takes from t2"},
		{sentence: "of a reversed recall everything is there again", book: "credit, recall t1, reverse t2", step: "recall 10000 own to suspense; takes from t1"},
		{sentence: "less what was refunded", book: "credit, refund t1 3000", step: "recall 7000 own to suspense; takes from t1"},
		{sentence: "a refund that was reversed after a recall is recalled in its turn", book: "credit, refund t1 3000, recall t1, reverse t2", step: "recall 3000 own to suspense; takes from t1"},
		{sentence: "not what was refunded", book: "credit, refund t1 10000", refused: "it was refunded"},
		{sentence: "not of nothing", refused: "nothing of this payment is credited"},
		{sentence: "not of what lies in suspense", book: "suspense 9000", refused: "suspense assign or suspense return"},
		{sentence: "not of what another contract was assigned", book: "suspense 9000, assign t1 other", refused: "ledger reverse on the assignment"},
		{sentence: "not twice", book: "credit, recall t1", refused: "lies in suspense"},
		{sentence: "not of a reversed credit", book: "manual, reverse t1", refused: "nothing of this payment is credited"},
	}, func(b topup.Book) (string, error) { return stepOf(topup.DecideRecall(b)) })
}

func TestDecideReverse(t *testing.T) {
	of := func(transaction string) func(topup.Book) (string, error) {
		return func(b topup.Book) (string, error) { return stepOf(topup.DecideReverse(b, transaction)) }
	}
	t.Run("undoes", func(t *testing.T) {
		judge(t, []decision{
			{sentence: "an operator's credit, and frees its operation", book: "manual", step: "reversal -10000 settlement to own; reverses t1; frees t1"},
			{sentence: "a bound one too", book: "bound", step: "reversal -10000 settlement to own; reverses t1; frees t1"},
			{sentence: "a message that was suspended", book: "suspended 2000", step: "reversal -2000 settlement to suspense; reverses t1; item t1 reversed, was open; frees t1"},
			{sentence: "not the provider's credit", book: "credit", refused: "payments recall"},
			{sentence: "not what the provider put in suspense", book: "suspense 9000", refused: "suspense assign or suspense return"},
			{sentence: "not twice", book: "manual, reverse t1", refused: "has been reversed; the last reversal is t2: reverse that one"},
			{sentence: "nor when it counts again, but its last reversal is", book: "manual, reverse t1, reverse t2", refused: "has been reversed; the last reversal is t3: reverse that one"},
			{sentence: "not a credit that was recalled", book: "manual, recall t1", refused: "reverse the recall first"},
			{sentence: "but one whose recall was reversed", book: "manual, recall t1, reverse t2", step: "reversal -10000 settlement to own; reverses t1; frees t1"},
			{sentence: "not a credit that was refunded", book: "manual, refund t1 3000", refused: "reverse the refund t2 first"},
			{sentence: "but one whose refund was reversed", book: "manual, refund t1 3000, reverse t2", step: "reversal -10000 settlement to own; reverses t1; frees t1"},
			{sentence: "not a suspended message of which a part went back", book: "suspended 2000, return t1 500", refused: "reverse that return first"},
			{sentence: "not a suspended message whose money was assigned", book: "suspended 2000, assign t1 own", refused: "is assigned: reverse what was done to it first"},
			{sentence: "not one whose money went back", book: "suspended 2000, return t1", refused: "is returned: reverse what was done to it first"},
		}, of("t1"))
		judge(t, []decision{
			{sentence: "an assignment", book: "suspense 9000, assign t1 own", step: "reversal -9000 suspense to own; reverses t2; item t1 open, was assigned"},
			{sentence: "a return", book: "suspense 9000, return t1", step: "reversal -9000 suspense to settlement; reverses t2; item t1 open, was returned; frees t2"},
			{sentence: "a return of a part", book: "suspense 9000, return t1 3000", step: "reversal -3000 suspense to settlement; reverses t2; frees t2"},
			{sentence: "of two that emptied the item either", book: "suspense 9000, return t1 3000, return t1 6000", step: "reversal -3000 suspense to settlement; reverses t2; item t1 open, was returned; frees t2"},
			{sentence: "not a return of a part whose rest was assigned", book: "suspense 9000, return t1 3000, assign t1 own 6000", refused: "is assigned: reverse what was done to it first"},
			{sentence: "a refund, and frees its operation", book: "credit, refund t1 3000", step: "reversal -3000 own to settlement; reverses t2; frees t2"},
			{sentence: "a refund also after a recall of the rest", book: "credit, refund t1 3000, recall t1", step: "reversal -3000 own to settlement; reverses t2; frees t2"},
			{sentence: "not an assignment that was refunded", book: "suspense 9000, assign t1 own, refund t2 1", refused: "reverse the refund t3 first"},
			{sentence: "not a recall of which a part went back", book: "credit, recall t1, return t2 500", refused: "reverse that return first"},
			{sentence: "a recall", book: "credit, recall t1", step: "reversal -10000 own to suspense; reverses t2; item t2 reversed, was open"},
			{sentence: "not a recall whose money was assigned", book: "credit, recall t1, assign t2 other", refused: "is assigned: reverse what was done to it first"},
			{sentence: "not an assignment that was recalled", book: "suspense 9000, assign t1 own, recall t2", refused: "reverse the recall first"},
		}, of("t2"))
	})
	t.Run("of a reversal does again", func(t *testing.T) {
		judge(t, []decision{
			{sentence: "an operator's credit, whose operation is posted again", book: "manual, reverse t1", step: "reversal 10000 settlement to own; reverses t2; takes again t1"},
			{sentence: "also a provider's, which older programs reversed", book: "credit, reverse t1", step: "reversal 10000 settlement to own; reverses t2"},
			{sentence: "not while money of its payment lies in suspense", book: "manual, reverse t1, suspense", refused: "suspense assign"},
			{sentence: "not when that was assigned", book: "manual, reverse t1, suspense, assign t3 other", refused: "reverse that assignment first"},
			{sentence: "nor when it came and went", book: "manual, reverse t1, suspense, return t3", refused: "has come since"},
			{sentence: "a message that was suspended", book: "suspended 2000, reverse t1", step: "reversal 2000 settlement to suspense; reverses t2; item t1 open, was reversed; takes again t1"},
			{sentence: "not once another message of the payment has posted what it had", book: "suspended 2000, reverse t1, suspended 5000", refused: "messages suspend"},
			{sentence: "but when that was reversed in its turn", book: "suspended 2000, reverse t1, suspended 5000, reverse t3",
				step: "reversal 2000 settlement to suspense; reverses t2; item t1 open, was reversed; takes again t1"},
		}, of("t2"))
		judge(t, []decision{
			{sentence: "not one that another one's second life has taken the sum of",
				book: "suspended 2000, suspended 3000, reverse t2, reverse t1, reverse t4, suspended 3000", refused: "messages suspend"},
		}, of("t3"))
		judge(t, []decision{
			{sentence: "an assignment", book: "suspense 9000, assign t1 own, reverse t2", step: "reversal 9000 suspense to own; reverses t3; item t1 assigned, was open; by t2"},
			{sentence: "not when the item was given to somebody else", book: "suspense 9000, assign t1 own, reverse t2, assign t1 other", refused: "is assigned: reverse what was done to it first"},
			{sentence: "an assignment of what a return has left, not once more is there", book: "suspense 9000, assign t1 own, reverse t2, return t1 3000", refused: "use suspense assign again"},
			{sentence: "a return", book: "suspense 9000, return t1, reverse t2", step: "reversal 9000 suspense to settlement; reverses t3; item t1 returned, was open; by t2; takes again t2"},
			{sentence: "a return of a part", book: "suspense 9000, return t1 3000, reverse t2, return t1 3000", step: "reversal 3000 suspense to settlement; reverses t3; takes again t2"},
			{sentence: "a return that empties the item again beside a newer one", book: "suspense 9000, return t1 3000, reverse t2, return t1 6000",
				step: "reversal 3000 suspense to settlement; reverses t3; item t1 returned, was open; by t4; takes again t2"},
			{sentence: "not a return of more than is left", book: "suspense 9000, return t1 3000, reverse t2, return t1 7000", refused: "use suspense return again"},
			{sentence: "a refund, whose operation counts as booked again", book: "credit, refund t1 3000, reverse t2", step: "reversal 3000 own to settlement; reverses t3; takes again t2"},
			{sentence: "not a refund of what was recalled meanwhile", book: "credit, refund t1 3000, reverse t2, recall t1", refused: "what was refunded is not credited any more"},
			{sentence: "nor of what was refunded again", book: "credit, refund t1 6000, reverse t2, refund t1 6000", refused: "what was refunded is not credited any more"},
			{sentence: "not when the item was assigned", book: "suspense 9000, return t1, reverse t2, assign t1 own", refused: "is assigned: reverse what was done to it first"},
			{sentence: "a recall", book: "credit, recall t1, reverse t2", step: "reversal 10000 own to suspense; reverses t3; item t2 open, was reversed"},
			{sentence: "not a recall of what was recalled again", book: "credit, recall t1, reverse t2, recall t1", refused: "not credited any more"},
			{sentence: "nor of a credit that was reversed", book: "manual, recall t1, reverse t2, reverse t1", refused: "not credited any more"},
		}, of("t3"))
	})
	t.Run("of a reversal of a reversal undoes once more", func(t *testing.T) {
		judge(t, []decision{
			{sentence: "an operator's credit", book: "manual, reverse t1, reverse t2", step: "reversal -10000 settlement to own; reverses t3; frees t1"},
			{sentence: "whatever came meanwhile", book: "manual, reverse t1, reverse t2, suspense", step: "reversal -10000 settlement to own; reverses t3; frees t1"},
			{sentence: "not when it was recalled", book: "manual, reverse t1, reverse t2, recall t1", refused: "reverse the recall first"},
			{sentence: "not a provider's", book: "credit, reverse t1, reverse t2", refused: "payments recall"},
		}, of("t3"))
	})
	judge(t, []decision{{sentence: "not what does not exist", refused: "does not exist"}}, of("t9"))
}

func TestAStepIsNotDatedBeforeWhatItUndoes(t *testing.T) {
	account := &topup.Account{CustomerID: "7", Currency: "KZT", Contracts: []topup.Contract{{ID: "1"}}}
	for step, tt := range map[string]struct {
		book   string
		decide func(topup.Book) (topup.Step, error)
		want   time.Time
	}{
		"a credit has nothing before it":       {"", topup.DecideCredit, time.Time{}},
		"an assignment is not before its item": {"suspense", func(b topup.Book) (topup.Step, error) { return topup.DecideAssign(b, "t1", account, "1") }, day(1)},
		"a return is not before its item": {"credit, suspense", func(b topup.Book) (topup.Step, error) {
			return topup.DecideReturn(b, "t2", topup.PayBack{}, topup.PayBackState{})
		}, day(2)},
		"a recall is not before its credit":         {"suspense, assign t1 own", topup.DecideRecall, day(2)},
		"a reversal is not before what it reverses": {"manual, reverse t1", func(b topup.Book) (topup.Step, error) { return topup.DecideReverse(b, "t2") }, day(2)},
	} {
		got, err := tt.decide(written(t, tt.book))
		if err != nil || !got.Earliest.Equal(tt.want) {
			t.Errorf("%s: got %v, %v; want %v", step, got.Earliest, err, tt.want)
		}
	}
}

func TestDecideClose(t *testing.T) {
	judge(t, []decision{
		{sentence: "ends a review with nothing credited and nothing in suspense", book: "review", step: "closed"},
		{sentence: "also when a credit was reversed", book: "manual, reverse t1", step: "closed"},
		{sentence: "also when the message that began it is not dealt with", book: "review, unreadable", step: "closed"},
		{sentence: "not while money lies in suspense", book: "suspense 9000", refused: "suspense assign or suspense return"},
		{sentence: "not what is no review", book: "pending", refused: "only a review can be closed"},
		{sentence: "not what has succeeded", book: "credit", refused: "only a review can be closed"},
	}, func(b topup.Book) (string, error) { return "closed", topup.DecideClose(b) })
}

// TestStatusFollowsFromTheBooks: what a payment shows after each operator's step.
func TestStatusFollowsFromTheBooks(t *testing.T) {
	for _, row := range []struct{ sentence, book, status, credited string }{
		{"money on a contract is success", "credit", "succeeded", "10000 by t1"},
		{"money in suspense is to be looked at", "suspense 9000", "review", ""},
		{"a recall ends the success", "credit, recall t1", "review, reversed", ""},
		{"assigned to the right contract it has succeeded, and its own contract has nothing", "credit, recall t1, assign t2 other", "succeeded, reversed", ""},
		{"assigned back, it is the assignment that counts", "credit, recall t1, assign t2 own", "succeeded", "10000 by t3"},
		{"a reversed recall leaves the credit", "credit, recall t1, reverse t2", "succeeded", "10000 by t1"},
		{"returned, it is over", "credit, recall t1, return t2", "declined, reversed", ""},
		{"recall of one of two leaves it succeeded", "credit, suspense 9000, assign t2 own, recall t3", "succeeded", "10000 by t1"},
		{"of two the sum is shown, and the newest", "credit, suspense 9000, assign t2 own", "succeeded", "19000 by t3"},
		{"1001 of 1000, assigned, reversed, assigned again", "suspense 10001, assign t1 own, reverse t2, assign t1 own", "succeeded", "10001 by t4"},
		{"a manual credit, reversed, whose late callback was assigned", "manual, reverse t1, suspense, assign t3 own", "succeeded", "10000 by t4"},
		{"a reversed manual credit is to be looked at", "manual, reverse t1", "review, reversed", ""},
		{"done again it has succeeded", "manual, reverse t1, reverse t2", "succeeded", "10000 by t1"},
		{"what another contract has is no credit of its own", "suspense 9000, assign t1 other", "succeeded", ""},
		{"beside a credit that does not count", "suspense 9000, assign t1 other, reverse t2", "review", ""},
		{"a return ends the review", "suspense 9000, return t1", "declined", ""},
		{"but not while a message that could not be read is open", "unreadable, suspense 9000, return t1", "review", ""},
		{"nor while the provider calls it paid and its money is not here", "suspense 9000, unsure, return t1", "review, unsure", ""},
		{"which is over when a contract has it, whether or not it takes the one credit", "manual, reverse t1, suspense, unsure, assign t3 own", "succeeded", "10000 by t4"},
		{"nor while more lies there", "suspense 9000, suspense 1, return t1", "review", ""},
		{"money of a payment without a contract is credited wherever it is", "unknown, suspense 9000, assign t1 other", "succeeded", "9000 by t2"},
		{"and gone when it was recalled", "unknown, suspense 9000, assign t1 other, recall t2", "review, reversed", ""},
		{"a refund of a part leaves the rest", "credit, refund t1 3000", "succeeded, refunded", "7000 by t1"},
		{"a refund of all leaves it succeeded, with nothing credited", "credit, refund t1 10000", "succeeded, reversed, refunded", ""},
		{"a refund that was reversed leaves no trace", "credit, refund t1 10000, reverse t2", "succeeded", "10000 by t1"},
		{"a refund of a part and a recall of the rest is to be looked at", "credit, refund t1 3000, recall t1", "review, reversed, refunded", ""},
		{"and over when the rest went back, since a part was credited and refunded", "credit, refund t1 3000, recall t1, return t3", "succeeded, reversed, refunded", ""},
		{"a refund that was reversed after a recall stands again", "credit, refund t1 3000, recall t1, reverse t2", "succeeded", "3000 by t1"},
		{"beside an assignment too, and the newest is shown", "credit, refund t1 3000, recall t1, assign t3 own, reverse t2", "succeeded", "10000 by t4"},
		{"money that came to a payment which was refunded is to be looked at", "credit, refund t1 10000, suspense 9000", "review, reversed, refunded", ""},
		{"a part that went back leaves the rest in suspense", "suspense 9000, return t1 3000", "review", ""},
		{"two parts that are all of it end the review", "suspense 9000, return t1 3000, return t1 6000", "declined", ""},
		{"the rest of a part that went back is credited", "suspense 9000, return t1 3000, assign t1 own 6000", "succeeded", "6000 by t3"},
		{"a refund of an assignment is one of the payment", "suspense 9000, assign t1 other, refund t2 9000", "succeeded, refunded", ""},
		{"a suspended message that was reversed is no money", "suspended 2000, reverse t1", "declined", ""},
		{"and is again when that was undone", "suspended 2000, reverse t1, reverse t2", "review", ""},
	} {
		t.Run(row.sentence, func(t *testing.T) {
			b := written(t, row.book)
			p := b.Payment
			status, credited := string(p.Status), ""
			if p.Flags.Has(topup.FlagReversed) {
				status += ", reversed"
			}
			if p.Flags.Has(topup.FlagRefunded) {
				status += ", refunded"
			}
			if p.Flags.Has(topup.FlagOutcomeUnknown) {
				status += ", unsure"
			}
			if c := b.Credited(); c != nil {
				credited = fmt.Sprintf("%d by %s", c.Money.Amount, c.TransactionID)
			}
			if status != row.status || credited != row.credited || fmt.Sprint(p.Credited) != fmt.Sprint(b.Credited()) {
				t.Errorf("%s: got %q, credited %q; want %q, %q", row.book, status, credited, row.status, row.credited)
			}
		})
	}
}
