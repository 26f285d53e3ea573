package store_test

import (
	"context"
	"database/sql"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"tolem/store"
	"tolem/topup"
)

// sample is a book in which everything has happened once, as a file:
//
//	seq 1 credit of p1 · 2 suspense of p2, 4 assigned to its own contract
//	3 suspense of p3, under an unknown id, 5 returned · 6 credit of p4 by an
//	operator, 7 reversed · 8 suspense of p5, open · 9 suspense of p6 by an operator,
//	from a message that cannot be read, 10 reversed
//	p7 is pending · 11 credit of p8 by an operator, its callback and a decline
//	came later · 12 credit of p9, of the other provider, which brought less
//	13 credit of p10, which an operator recorded, 14 recalled, open · 15 suspense of
//	p11 by an operator, open · p12 has a refund that nobody has dealt with
//	16 credit of p13 by an operator, approved by another · 17 credit of p14, 18 a part
//	of it refunded · 19 suspense of p15, 20 a part of it returned, open
//	payout 1, of p1 and p2, is posted, payout 2 reversed, payout 3 a draft: their
//	transactions are the last, {1} to {3}
//
// A payment's message has the payment's number, but those of p5, p6, p8, p8, p9,
// p11, p12, p14 and p15 are 4 to 12.
type sample struct {
	file     string
	payments [16]string // p1 to p15
	ids      [24]string
	approval string              // <a>
	payouts  []topup.Transaction // of payouts: posting, posting, reversal
}

func newSample(t *testing.T) sample {
	t.Helper()
	s := bookOf(t, newFile(t), func(o *store.Options) { o.Now = ticking() })
	ctx := context.Background()
	var b sample
	for _, n := range []int{1, 2, 4, 5, 6, 7} {
		b.payments[n] = mustIssue(t, s)
	}
	mustRecord(t, s, paid(b.payments[1], "28"))
	_, second := suspendedItem(t, s, paid(b.payments[2], "29", sum(9000)))
	unknown, third := suspendedItem(t, s, paid("their-id", "30"))
	b.payments[3] = unknown
	must(t)(s.AssignSuspense(ctx, second, "7123456789", "12345", anna))
	must(t)(s.ReturnSuspense(ctx, third, topup.PayBack{}, anna))
	manual := must(t)(s.CreditPayment(ctx, b.payments[4], anna))
	must(t)(s.Reverse(ctx, manual.ID, anna))
	suspendedItem(t, s, paid(b.payments[5], "31", sum(5000)))
	readByEye := func(amount int64) topup.SuspendRequest { return topup.SuspendRequest{Amount: amount, Currency: "KZT"} }
	ninth := must(t)(s.SuspendMessage(ctx, unreadable(t, s, b.payments[6], "32"), readByEye(7000), anna))
	must(t)(s.Reverse(ctx, ninth.ID, anna))
	b.payments[8] = mustIssue(t, s, func(n *store.NewPayment) { n.ContractID = "2" })
	must(t)(s.CreditPayment(ctx, b.payments[8], anna))
	if got := mustRecord(t, s, paid(b.payments[8], "33")); got.Disposition != topup.DispositionBound {
		t.Fatalf("got %+v, want the callback bound to the credit", got)
	}
	mustRecord(t, s, paid(b.payments[8], "33", func(e *topup.Event) { e.Outcome, e.Status = topup.OutcomeDeclined, "decline" }))
	b.payments[9] = mustIssue(t, s, func(n *store.NewPayment) { n.Provider, n.Project, n.ContractID = "highhelp", "57aff4db", "2" })
	less := func(e *topup.Event) { e.Sum.Amount, e.Initial.Amount = 9900, 9900 }
	if got := mustRecord(t, s, told(b.payments[9], topup.OutcomePaid, "success", less)); got.Flags != topup.FlagAmountDiffers {
		t.Fatalf("got %+v, want a credit of what was received", got)
	}
	b.payments[10] = must(t)(s.RecordPayment(ctx, recordOf("40"), anna)).PaymentID
	must(t)(s.RecallPayment(ctx, b.payments[10], anna))
	b.payments[11], b.payments[12] = mustIssue(t, s), mustIssue(t, s)
	must(t)(s.SuspendMessage(ctx, unreadable(t, s, b.payments[11], "41"), readByEye(41), anna))
	mustRecord(t, s, paid(b.payments[12], "42", func(e *topup.Event) { e.Outcome, e.Status = topup.OutcomeRefunded, "refunded" }))
	underFourEyes(t, s, store.ActionCredit)
	b.payments[13] = mustIssue(t, s)
	_, err := s.CreditPayment(ctx, b.payments[13], store.By{Actor: "anna", Reason: "ticket 8"})
	b.approval = proposed(t, err)
	if _, err := s.Approve(ctx, b.approval, bearer("bolat")); err != nil {
		t.Fatal(err)
	}
	b.payments[14] = mustIssue(t, s, func(n *store.NewPayment) { n.ContractID = "2" })
	mustRecord(t, s, paid(b.payments[14], "50"))
	must(t)(s.RefundPayment(ctx, b.payments[14], topup.RefundRequest{PayBack: topup.PayBack{Amount: 3000, Operation: "51"}}, anna))
	b.payments[15] = mustIssue(t, s)
	_, part := suspendedItem(t, s, paid(b.payments[15], "52", sum(9000)))
	must(t)(s.ReturnSuspense(ctx, part, topup.PayBack{Amount: 4000, Operation: "53"}, anna))
	b.payouts = payoutsOfSample(t, s, b)
	for _, tr := range feed(t, s) {
		b.ids[tr.Seq] = tr.ID
	}
	checked(t, s)
	b.file = filepath.Join(t.TempDir(), "sample.db")
	if _, err := s.Backup(ctx, b.file); err != nil {
		t.Fatal(err)
	}
	return b
}

// ticking is a clock that never tells the same time twice.
func ticking() func() time.Time {
	c := newClock()
	return func() time.Time {
		c.Add(time.Microsecond)
		return c.Now()
	}
}

// names puts the sample's ids into a text: p1 is a payment, t1 a transaction.
func (b sample) names(text string) string {
	for n, id := range b.payments {
		text = strings.ReplaceAll(text, fmt.Sprintf("<p%d>", n), id)
	}
	for n, made := range b.payouts {
		text = strings.ReplaceAll(text, fmt.Sprintf("<{%d}>", n+1), made.ID)
		text = strings.ReplaceAll(text, fmt.Sprintf("{%d}", n+1), fmt.Sprint(made.Seq))
	}
	for n, id := range b.ids {
		text = strings.ReplaceAll(text, fmt.Sprintf("<t%d>", n), id)
	}
	return strings.ReplaceAll(text, "<a>", b.approval)
}

// corrupted is a copy of the sample in which somebody has worked around the
// triggers and put them back.
func (b sample) corrupted(t *testing.T, damage ...string) *store.Store {
	t.Helper()
	file := filepath.Join(t.TempDir(), "corrupted.db")
	content, err := os.ReadFile(b.file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, content, 0o600); err != nil {
		t.Fatal(err)
	}
	raw := rawOpenAt(t, store.DriverName, "file:"+file)
	triggers := map[string]string{}
	rows, err := raw.Query(`SELECT name, sql FROM sqlite_master WHERE type = 'trigger'`)
	if err != nil {
		t.Fatal(err)
	}
	for rows.Next() {
		var name, text string
		if err := rows.Scan(&name, &text); err != nil {
			t.Fatal(err)
		}
		triggers[name] = text
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	script := []string{"BEGIN"} // one transaction: one wait for the disk
	for name := range triggers {
		script = append(script, "DROP TRIGGER "+name)
	}
	for _, d := range damage {
		if name, found := strings.CutPrefix(d, "LEAVE OUT "); found {
			delete(triggers, name)
			continue
		}
		script = append(script, b.names(d))
	}
	script = slices.AppendSeq(script, maps.Values(triggers))
	if _, err := raw.Exec(strings.Join(append(script, "COMMIT"), ";\n")); err != nil {
		t.Fatalf("%s: %v", damage, err)
	}
	if err := raw.Close(); err != nil {
		t.Fatal(err)
	}
	return mustOpen(t, fileAt(file))
}

func problems(t *testing.T, s *store.Store) []string {
	t.Helper()
	report, err := s.Check(context.Background())
	if err != nil {
		t.Fatalf("check: %v", err)
	}
	return report.Problems
}

const doesNotFit = `a sum does not fit into 64 bits`

// breach is damage to a book, and what check must say of it.
type breach struct {
	rule   string
	damage string // statements
	says   string
}

var breaches = slices.Concat(bookBreaches, payoutBreaches)

var bookBreaches = []breach{
	{"every transaction has at least two entries",
		`DELETE FROM entries WHERE seq = 1 AND n = 1`, `transaction <t1> (seq 1) has 1 entries`},
	{"every transaction has at least two entries",
		`DELETE FROM entries WHERE seq = 5`, `transaction <t5> (seq 5) has 0 entries`},
	{"the entries of a transaction sum to zero in each currency",
		`UPDATE entries SET amount = 10001 WHERE seq = 1 AND n = 0`, `transaction seq 1: its entries in KZT sum to 1, not to zero`},
	{"the entries of a transaction sum to zero in each currency",
		`INSERT INTO ledger_accounts (id, name, currency) VALUES (50, 'x', 'KGS'); UPDATE entries SET account_id = 50 WHERE seq = 1 AND n = 0`,
		`transaction seq 1: its entries in KGS sum to 10000`},
	{"every entry belongs to a transaction",
		`INSERT INTO entries VALUES (99, 0, 1, 5), (99, 1, 2, -5)`, `entry 1 of seq 99: its transaction does not exist`},
	{"every entry belongs to a ledger account",
		`UPDATE entries SET account_id = 99 WHERE seq = 1 AND n = 0`, `entry 0 of seq 1: its ledger account 99 does not exist`},
	{"the running totals are the sums of the entries",
		`UPDATE ledger_accounts SET debits = debits + 1, credits = credits + 1 WHERE name = '` + own + `'`,
		`ledger account ` + own + ` KZT: its running totals are 10001 debits, 39001 credits; its entries sum to 10000 and 39000`},
	{"the running totals are the sums of the entries",
		`UPDATE entries SET amount = amount * 922337203685477 WHERE seq IN (1, 2, 3)`, doesNotFit},
	{"all debits are all credits, in each currency",
		`UPDATE ledger_accounts SET debits = debits + 1 WHERE id = 1`, `the whole book in KZT: all debits less all credits are 1, not zero`},
	{"the feed has no gaps",
		`DELETE FROM entries WHERE seq = 5; DELETE FROM transactions WHERE seq = 5`, `transaction <t6> (seq 6): the place before it in the feed, seq 5, is missing`},
	{"the feed has no gaps",
		`DELETE FROM transactions WHERE seq = 1`, `the place before it in the feed, seq 1, is missing`},
	{"every transaction belongs to a payment",
		`DELETE FROM payments WHERE payment_id = '<p1>'`, `transaction <t1> (seq 1): its payment <p1> does not exist`},
	{"what an operation posted is on record, unless an operator's posting was reversed",
		`DELETE FROM operations WHERE operation = '28'`, `transaction <t1> (seq 1, credit): the operation that made it is not on record`},
	{"what an operation posted is on record, unless an operator's posting was reversed",
		`DELETE FROM operations WHERE operation = '31'`, `transaction <t8> (seq 8, suspense): the operation that made it is not on record`},
	{"a transaction has one operation",
		`INSERT INTO operations SELECT '77', provider, project, seq, reference, sum_amount, sum_currency, initial_amount, initial_currency, entered FROM operations WHERE operation = '28'`,
		`transaction seq 1: 2 operations claim to have made it`},
	{"an operation belongs to a transaction that it can have made, of its own sum",
		`UPDATE operations SET sum_amount = 1 WHERE operation = '28'`, `operation 28 of jetpay 1234: transaction seq 1 is not a posting of 1 KZT by it`},
	{"an operation belongs to a transaction that it can have made, of its own sum",
		`UPDATE operations SET seq = 5 WHERE operation = '28'`, `operation 28 of jetpay 1234: transaction seq 5 is not`},
	{"an operation belongs to a transaction that it can have made, of its own sum",
		`UPDATE operations SET project = '9' WHERE operation = '28'`, `operation 28 of jetpay 9: transaction seq 1 is not`},
	{"a transaction takes the payment's credit or a place of its own",
		`UPDATE transactions SET slot = 77 WHERE seq = 5`, `transaction <t5> (seq 5, return): slot 77`},
	{"a transaction takes the payment's credit or a place of its own",
		`UPDATE transactions SET slot = 1 WHERE seq = 1`, `transaction <t1> (seq 1, credit): slot 1`},
	{"a payment shows the credit that the journal has",
		`UPDATE payments SET credit_amount = 1 WHERE payment_id = '<p1>'`, `payment <p1>: it shows credit <t1> of 1 KZT; the journal has <t1> of 10000 KZT`},
	{"a payment shows the credit that the journal has",
		`UPDATE payments SET credit_currency = 'KGS' WHERE payment_id = '<p1>'`, `payment <p1>: it shows credit <t1> of 10000 KGS`},
	{"a payment shows the credit that the journal has",
		`UPDATE payments SET credit_reversed = 0, flags = 0 WHERE payment_id = '<p4>'`, `the journal has <t6> of 10000 KZT, reversed`},
	{"a payment shows the credit that the journal has",
		`UPDATE payments SET credit_transaction = 't_x' WHERE payment_id = '<p2>'`, `payment <p2>: it shows credit t_x of 9000 KZT; the journal has <t4>`},
	{"a payment shows the credit that the journal has",
		`UPDATE payments SET credit_seq = NULL, credit_transaction = NULL, credit_amount = NULL, status = 'pending' WHERE payment_id = '<p1>'`,
		`payment <p1>: it shows credit none of 0 KZT`},
	{"a payment shows the credit that the journal has",
		`UPDATE payments SET credit_by_operator = 1 WHERE payment_id = '<p1>'`, `payment <p1>: it shows credit`},
	{"a credit that a payment shows is in the journal",
		`UPDATE payments SET credit_seq = 1, credit_transaction = '<t1>', credit_amount = 10000, credit_currency = 'KZT', status = 'succeeded' WHERE payment_id = '<p7>'`,
		`payment <p7>: it shows credit <t1>, which the journal does not have`},
	{"a payment is credited to its own contract",
		`UPDATE payments SET entity_id = '2' WHERE payment_id = '<p1>'`, `payment <p1>: transaction <t1> (seq 1) credits another contract`},
	{"a payment that is credited has succeeded",
		`UPDATE payments SET status = 'declined' WHERE payment_id = '<p1>'`, `payment <p1>: it is credited, and its status is declined`},
	{"a payment that succeeded is credited to a contract, or was and is refunded",
		`UPDATE payments SET status = 'succeeded' WHERE payment_id = '<p7>'`, `payment <p7>: its status is succeeded, and nothing is credited`},
	{"a payment with money in suspense is in review, unless it succeeded",
		`UPDATE payments SET status = 'pending' WHERE payment_id = '<p5>'`, `payment <p5>: money of it lies in suspense, and its status is pending`},
	{"a payment that succeeded is credited to a contract, or was and is refunded",
		`UPDATE payments SET status = 'succeeded' WHERE payment_id = '<p10>'`, `payment <p10>: its status is succeeded, and nothing is credited`},
	{"the flag reversed says that the payment had its credit, and that nothing stands on its contract",
		`UPDATE payments SET flags = 0 WHERE payment_id = '<p4>'`, `payment <p4>: the flag reversed and what stands of its money differ`},
	{"the flag reversed says that the payment had its credit, and that nothing stands on its contract",
		`UPDATE payments SET flags = 0 WHERE payment_id = '<p10>'`, `payment <p10>: the flag reversed and what stands of its money differ`},
	{"the flag reversed says that the payment had its credit, and that nothing stands on its contract",
		`UPDATE payments SET flags = 2048 WHERE payment_id = '<p1>'`, `payment <p1>: the flag reversed and what stands of its money differ`},
	{"the flag reversed says that the payment had its credit, and that nothing stands on its contract",
		`UPDATE payments SET flags = 2048 WHERE payment_id = '<p7>'`, `payment <p7>: the flag reversed and what stands of its money differ`},

	{"what an operation posted is on record, unless an operator's posting was reversed",
		`DELETE FROM operations WHERE operation = '41'`, `transaction <t15> (seq 15, suspense): the operation that made it is not on record`},
	{"an operator's posting that was reversed has freed its operation",
		`INSERT INTO operations SELECT operation, provider, project, seq, reference, sum_amount, sum_currency, initial_amount, initial_currency, entered FROM freed_operations`,
		`operation 32 of jetpay 1234: transaction seq 9 was reversed, and it still counts as posted`},
	{"an operation is freed by the reversal of an operator's posting",
		`UPDATE freed_operations SET freed_by = 7`, `operation 32 of jetpay 1234: it was freed by seq 7, which does not reverse an operator's posting`},
	{"an operation is freed by the reversal of an operator's posting",
		`UPDATE freed_operations SET freed_by = 9`, `operation 32 of jetpay 1234: it was freed by seq 9, which does not`},
	{"an operation is freed by the reversal of an operator's posting",
		`UPDATE freed_operations SET seq = 1`, `operation 32 of jetpay 1234: it was freed by seq 10, which does not`},
	{"an operation belongs to a transaction that it can have made, of its own sum",
		`UPDATE operations SET entered = 0 WHERE operation = '40'`, `operation 40 of jetpay 1234: transaction seq 13 is not a posting of 777 KZT by it`},
	{"an operation belongs to a transaction that it can have made, of its own sum",
		`UPDATE operations SET entered = 1 WHERE operation = '28'`, `operation 28 of jetpay 1234: transaction seq 1 is not a posting of 10000 KZT by it`},
	{"an operation belongs to a transaction that it can have made, of its own sum",
		`UPDATE operations SET sum_amount = 40, initial_amount = 40 WHERE operation = '41'`, `operation 41 of jetpay 1234: transaction seq 15 is not a posting of 40 KZT by it`},
	{"an operation belongs to the payment that it names",
		`UPDATE operations SET reference = '<p1>' WHERE operation = '40'`, `operation 40 of jetpay 1234 (seq 13): it names another payment than <p10>`},
	{"an operator's posting of an operation or a message is written down as a step",
		`UPDATE operator_steps SET seq = 6 WHERE action = 'record'`, `(record): transaction seq 6 is not what it made`},
	{"an operator's posting of an operation or a message is written down as a step",
		`UPDATE operator_steps SET seq = NULL WHERE action = 'record'`, `(record): transaction seq - is not what it made`},
	{"an operator's posting of an operation or a message is written down as a step",
		`UPDATE operator_steps SET action = 'record' WHERE seq = 15`, `(record): transaction seq 15 is not what it made`},
	{"an operator's posting of an operation or a message is written down as a step",
		`UPDATE operator_steps SET message_id = 99 WHERE seq = 15`, `(suspend): transaction seq 15 is not what it made`},
	{"an operator's posting of an operation or a message is written down as a step",
		`UPDATE operator_steps SET payment_id = '<p1>' WHERE seq = 13`, `(record): transaction seq 13 is not what it made`},
	{"an operator's posting of an operation or a message is written down as a step",
		`UPDATE operator_steps SET actor = 'bob' WHERE seq = 13`, `(record): transaction seq 13 is not what it made`},
	{"what a provider posted has the message that said so",
		`DELETE FROM operator_steps WHERE seq = 15`, `transaction <t15> (seq 15, suspense): the message`},
	{"an open message is stored",
		`UPDATE open_messages SET message_id = 99 WHERE message_id = 10`, `open message 99: there is no such message about payment <p12>`},
	{"an open message is stored",
		`UPDATE open_messages SET payment_id = '<p1>' WHERE message_id = 10`, `open message 10: there is no such message about payment <p1>`},
	{"a recall or a refund, and nothing else, takes from an earlier credit or assignment of the same payment",
		`UPDATE transactions SET takes = NULL WHERE seq = 14`, `transaction <t14> (seq 14, recall): it must not take from nothing`},
	{"a recall or a refund, and nothing else, takes from an earlier credit or assignment of the same payment",
		`UPDATE transactions SET takes = 1 WHERE seq = 14`, `transaction <t14> (seq 14, recall): it must not take from seq 1`},
	{"a recall or a refund, and nothing else, takes from an earlier credit or assignment of the same payment",
		`UPDATE transactions SET takes = 1 WHERE seq = 5`, `transaction <t5> (seq 5, return): it must not take from seq 1`},
	{"a recall or a refund, and nothing else, takes from an earlier credit or assignment of the same payment",
		`UPDATE transactions SET payment_id = '<p10>', kind = 'reversal', reverses = 13 WHERE seq = 15`, `transaction <t14> (seq 14, recall): it must not take from seq 13`},
	{"recalls and refunds take from the contract that was credited, and no more than was",
		`UPDATE entries SET account_id = (SELECT id FROM ledger_accounts WHERE name = '` + own + `') WHERE seq = 14 AND amount > 0`,
		`transaction <t13> (seq 13): what is recalled or refunded of it does not come from its contract, or is more than it`},
	{"recalls and refunds take from the contract that was credited, and no more than was",
		`UPDATE entries SET amount = amount * 2 WHERE seq = 14`, `transaction <t13> (seq 13): what is recalled or refunded of it does not come`},
	{"money moves on the accounts of the payment's own provider and project",
		`INSERT INTO ledger_accounts (id, name, currency) VALUES (50, '` + suspense + `0', 'KZT'); UPDATE entries SET account_id = 50 WHERE seq = 14 AND amount < 0`,
		`transaction <t14> (seq 14, recall): it moves ` + suspense + `0, which is not`},
	{"money in suspense is listed as an item",
		`DELETE FROM suspense_items WHERE seq = 14`, `transaction <t14> (seq 14): it put money into suspense, and is not listed as an item`},
	{"the state of an item is what the journal says",
		`UPDATE suspense_items SET state = 'reversed', resolved_by = 10 WHERE seq = 14`, `suspense item seq 14 of payment <p10>: it is reversed by seq 10; the journal says open by seq -`},
	{"a reversal, and nothing else, reverses an earlier transaction of the same payment",
		`UPDATE transactions SET reverses = NULL WHERE seq = 7`, `transaction <t7> (seq 7, reversal): it must not reverse nothing`},
	{"a reversal, and nothing else, reverses an earlier transaction of the same payment",
		`UPDATE transactions SET reverses = 1 WHERE seq = 7`, `transaction <t7> (seq 7, reversal): it must not reverse seq 1`},
	{"a reversal, and nothing else, reverses an earlier transaction of the same payment",
		`UPDATE transactions SET reverses = 8 WHERE seq = 5`, `transaction <t5> (seq 5, return): it must not reverse seq 8`},
	{"a reversal is the exact mirror of what it reverses",
		`UPDATE entries SET amount = -9999 WHERE seq = 7 AND amount < 0; UPDATE entries SET amount = 9999 WHERE seq = 7 AND amount > 0`,
		`transaction <t7> (seq 7): it is not the mirror of seq 6`},
	{"a reversal is the exact mirror of what it reverses",
		`INSERT INTO entries SELECT 7, n + 2, account_id, amount FROM entries WHERE seq = 7`, `transaction <t7> (seq 7): it is not the mirror of seq 6`},
	{"a reversal is the exact mirror of what it reverses",
		`INSERT INTO entries SELECT 6, n + 2, account_id, amount FROM entries WHERE seq = 6`, `transaction <t7> (seq 7): it is not the mirror of seq 6`},
	{"an assignment or a return, and nothing else, resolves suspended money of the same payment",
		`UPDATE transactions SET resolves = 1 WHERE seq = 4`, `transaction <t4> (seq 4, assignment): it must not resolve seq 1`},
	{"an assignment or a return, and nothing else, resolves suspended money of the same payment",
		`UPDATE transactions SET resolves = NULL WHERE seq = 5`, `transaction <t5> (seq 5, return): it must not resolve nothing`},
	{"a resolution takes the money of its item from the account in which it lies",
		`UPDATE entries SET amount = amount * 2 WHERE seq = 4`, `transaction <t4> (seq 4): it does not take money of suspense item seq 2`},
	{"a resolution takes the money of its item from the account in which it lies",
		`UPDATE entries SET account_id = (SELECT id FROM ledger_accounts WHERE name = '` + own + `') WHERE seq = 20 AND amount > 0`,
		`transaction <t20> (seq 20): it does not take money of suspense item seq 19`},
	{"returns take no more from an item than was put there, and an assignment takes the rest",
		`UPDATE entries SET amount = 8999 WHERE seq = 4 AND amount > 0; UPDATE entries SET amount = -8999 WHERE seq = 4 AND amount < 0`,
		`suspense item seq 2: 0 of 9000 went back, and 8999 were assigned`},
	{"returns take no more from an item than was put there, and an assignment takes the rest",
		`UPDATE entries SET amount = amount * 3 WHERE seq = 20`, `suspense item seq 19: 12000 of 9000 went back, and 0 were assigned`},
	{"returns take no more from an item than was put there, and an assignment takes the rest",
		`UPDATE transactions SET resolves = 2, payment_id = '<p2>' WHERE seq = 20`, `suspense item seq 2: 4000 of 9000 went back, and 9000 were assigned`},
	{"an operation by which an operator has booked that money went back is on record with it, once",
		`UPDATE operator_steps SET operation = '53' WHERE seq = 18`, `transaction <t18> (seq 18): operation 53, by which its money went back, is on record with seq 20`},
	{"an operation by which an operator has booked that money went back is on record with it, once",
		`DELETE FROM operations WHERE operation = '51'`, `transaction <t18> (seq 18): operation 51, by which its money went back, is on record with nothing`},
	{"an operation belongs to a transaction that it can have made, of its own sum",
		`UPDATE operations SET sum_amount = 3000, initial_amount = 3000 WHERE operation = '51'`, `operation 51 of jetpay 1234: transaction seq 18 is not a posting of 3000 KZT by it`},
	{"an operation belongs to a transaction that it can have made, of its own sum",
		`UPDATE operations SET project = '9' WHERE operation = '53'`, `operation 53 of jetpay 9: transaction seq 20 is not`},
	{"an operator's posting of an operation or a message is written down as a step",
		`UPDATE operator_steps SET operation = '' WHERE seq = 18`, `(refund): transaction seq 18 is not what it made`},
	{"an operator's posting of an operation or a message is written down as a step",
		`UPDATE operator_steps SET action = 'return' WHERE seq = 18`, `(return): transaction seq 18 is not what it made`},
	{"a recall or a refund, and nothing else, takes from an earlier credit or assignment of the same payment",
		`UPDATE transactions SET takes = NULL WHERE seq = 18`, `transaction <t18> (seq 18, refund): it must not take from nothing`},
	{"a recall or a refund, and nothing else, takes from an earlier credit or assignment of the same payment",
		`UPDATE transactions SET takes = 1 WHERE seq = 18`, `transaction <t18> (seq 18, refund): it must not take from seq 1`},
	{"recalls and refunds take from the contract that was credited, and no more than was",
		`UPDATE entries SET amount = amount * 4 WHERE seq = 18`, `transaction <t17> (seq 17): what is recalled or refunded of it does not come`},
	{"money moves on the accounts of the payment's own provider and project",
		`UPDATE entries SET account_id = (SELECT id FROM ledger_accounts WHERE name = '` + own + `') WHERE seq = 18 AND amount < 0`, `transaction <t18> (seq 18, refund): it moves ` + own + `, which is not`},
	{"the flag refunded says that a refund stands",
		`UPDATE payments SET flags = 0 WHERE payment_id = '<p14>'`, `payment <p14>: the flag refunded and its refunds differ`},
	{"the flag refunded says that a refund stands",
		`UPDATE payments SET flags = 4096 WHERE payment_id = '<p1>'`, `payment <p1>: the flag refunded and its refunds differ`},
	{"a payment of whose money nothing but refunds is left has succeeded",
		`UPDATE payments SET status = 'review' WHERE payment_id = '<p14>'`, `payment <p14>: it was refunded, and its status is review`},
	{"money in suspense is listed as an item",
		`DELETE FROM suspense_items WHERE seq = 8`, `transaction <t8> (seq 8): it put money into suspense, and is not listed as an item`},
	{"an item is money in suspense",
		`INSERT INTO suspense_items (seq, payment_id, state) VALUES (1, '<p1>', 'open')`, `suspense item seq 1: there is no suspense transaction of payment <p1>`},
	{"an item is money in suspense",
		`UPDATE suspense_items SET payment_id = '<p1>' WHERE seq = 8`, `suspense item seq 8: there is no suspense transaction of payment <p1>`},
	{"an item is resolved at most once",
		`UPDATE transactions SET resolves = 2 WHERE seq = 5`, `suspense item seq 2: 2 resolutions of it count`},
	{"the state of an item is what the journal says",
		`UPDATE suspense_items SET state = 'assigned', resolved_by = 4 WHERE seq = 8`,
		`suspense item seq 8 of payment <p5>: it is assigned by seq 4; the journal says open by seq -`},
	{"the state of an item is what the journal says",
		`UPDATE suspense_items SET state = 'open', resolved_by = NULL WHERE seq = 9`, `it is open by seq -; the journal says reversed by seq 10`},
	{"the state of an item is what the journal says",
		`UPDATE suspense_items SET resolved_by = 5 WHERE seq = 2`, `it is assigned by seq 5; the journal says assigned by seq 4`},
	{"an item that was not returned whole says what went back of it",
		`UPDATE suspense_items SET part_returned = 1 WHERE seq = 19`, `suspense item seq 19 of payment <p15>: it says that 1 went back; the journal says 4000`},
	{"an item that was not returned whole says what went back of it",
		`UPDATE suspense_items SET part_returned = 1 WHERE seq = 3`, `suspense item seq 3 of payment <p3>: it says that 1 went back`},
	{"a payment counts its open suspense items",
		`UPDATE payments SET open_items = 3 WHERE payment_id = '<p5>'`, `payment <p5>: it counts 3 open suspense items; there are 1`},
	{"a payment counts its open suspense items",
		`UPDATE payments SET open_items = 0 WHERE payment_id = '<p5>'`, `payment <p5>: it counts 0 open suspense items; there are 1`},
	{"a suspense account holds the sum of its open items",
		`UPDATE suspense_items SET state = 'returned', resolved_by = 5 WHERE seq = 8`, `ledger account ` + suspense + ` KZT: it holds 10818; its open items sum to 5818`},
	{"a suspense account holds the sum of its open items",
		`UPDATE suspense_items SET state = 'returned', resolved_by = 20 WHERE seq = 19`, `ledger account ` + suspense + ` KZT: it holds 10818; its open items sum to 5818`},
	{"every foreign key points to a row",
		`UPDATE suspense_items SET resolved_by = 99 WHERE seq = 3`, `table suspense_items, row 3: what it names in table transactions does not exist`},

	{"what a payment shows of its credit is what brought it",
		`UPDATE payments SET credit_at = credit_at + 1 WHERE payment_id = '<p1>'`, `payment <p1>: the time of its credit is not when <t1> (seq 1) was recorded`},
	{"what a payment shows of its credit is what brought it",
		`UPDATE payments SET credit_at = NULL WHERE payment_id = '<p4>'`, `payment <p4>: the time of its credit is not when <t6> (seq 6) was recorded`},
	{"what a payment shows of its credit is what brought it",
		`UPDATE payments SET credit_operation = '29' WHERE payment_id = '<p1>'`, `payment <p1>: its credit shows operation "29", which did not bring the money of <t1> (seq 1)`},
	{"what a payment shows of its credit is what brought it",
		`UPDATE payments SET credit_operation = '' WHERE payment_id = '<p1>'`, `payment <p1>: its credit shows operation "", which`},
	{"what a payment shows of its credit is what brought it",
		`UPDATE payments SET credit_operation = '' WHERE payment_id = '<p2>'`, `payment <p2>: its credit shows operation "", which did not bring the money of <t4> (seq 4)`},
	{"what a payment shows of its credit is what brought it",
		`UPDATE payments SET credit_operation = '28' WHERE payment_id = '<p4>'`, `payment <p4>: its credit shows operation "28", which`},
	{"what a payment shows of its credit is what brought it",
		`UPDATE operations SET operation = '777' WHERE operation = '29'`, `payment <p2>: its credit shows operation "29", which`},
	{"what a payment shows of its credit is what brought it",
		`UPDATE payments SET amount = 1 WHERE payment_id = '<p1>'`, `payment <p1>: it asked for 1 KZT, and was credited with 10000 KZT by <t1> (seq 1, credit)`},
	{"what a payment shows of its credit is what brought it",
		`UPDATE payments SET currency = 'KGS' WHERE payment_id = '<p1>'`, `payment <p1>: it asked for 10000 KGS, and was credited with 10000 KZT`},
	{"what a payment shows of its credit is what brought it",
		`UPDATE payments SET amount = 1 WHERE payment_id = '<p4>'`, `payment <p4>: it asked for 1 KZT, and was credited with 10000 KZT by <t6> (seq 6, manual_credit)`},
	{"what a payment shows of its credit is what brought it",
		`UPDATE payments SET currency = 'KGS' WHERE payment_id = '<p9>'`, `payment <p9>: it asked for 10000 KGS, and was credited with 9900 KZT`},
	{"what a payment shows of its credit is what brought it",
		`UPDATE payments SET flags = 0 WHERE payment_id = '<p9>'`, `payment <p9>: it asked for 10000 KZT, and was credited with 9900 KZT`},
	{"a credit that a payment shows is in the journal",
		`UPDATE payments SET credit_operation = '1' WHERE payment_id = '<p7>'`, `payment <p7>: it shows credit (without an id), which the journal does not have`},
	{"a credit that a payment shows is in the journal",
		`UPDATE payments SET credit_at = 1 WHERE payment_id = '<p7>'`, `payment <p7>: it shows credit (without an id)`},
	{"an operation belongs to the payment that it names",
		`UPDATE operations SET reference = '<p2>' WHERE operation = '28'`, `operation 28 of jetpay 1234 (seq 1): it names another payment than <p1>`},
	{"an operation belongs to the payment that it names",
		`UPDATE operations SET reference = 'x', operation = '2' || char(10) || '8' WHERE operation = '28'`, `operation 2�8 of jetpay 1234 (seq 1): it names another`},
	{"an operation belongs to the payment that it names",
		`UPDATE operations SET reference = '<p3>' WHERE operation = '30'`, `operation 30 of jetpay 1234 (seq 3): it names another payment than <p3>`},
	{"an operation belongs to the payment that it names",
		`UPDATE payments SET provider_reference = 'another' WHERE payment_id = '<p3>'`, `operation 30 of jetpay 1234 (seq 3): it names another payment than <p3>`},
	{"an operation belongs to the payment that it names",
		`UPDATE operations SET initial_amount = 1 WHERE operation = '28'`, `operation 28 of jetpay 1234 (seq 1): it was to bring 1 KZT, and brought 10000 KZT, to the credit of payment <p1>`},
	{"an operation belongs to the payment that it names",
		`UPDATE operations SET initial_currency = 'KGS' WHERE operation = '33'`, `operation 33 of jetpay 1234 (seq 11): it was to bring 10000 KGS`},
	{"an operation belongs to the payment that it names",
		`UPDATE payments SET credit_operation = '' WHERE payment_id = '<p8>'`, `operation 33 of jetpay 1234 (seq 11): the credit of payment <p8> does not show it`},
	{"money moves on the accounts of the payment's own provider and project",
		`UPDATE payments SET project = '9' WHERE payment_id = '<p1>'`, `transaction <t1> (seq 1, credit): it moves ` + settlement + `, which is not the account of payment <p1>`},
	{"money moves on the accounts of the payment's own provider and project",
		`UPDATE payments SET provider = 'highhelp' WHERE payment_id = '<p5>'`, `transaction <t8> (seq 8, suspense): it moves ` + suspense + `, which is not`},
	{"money moves on the accounts of the payment's own provider and project",
		`INSERT INTO ledger_accounts (id, name, currency) VALUES (50, '` + suspense + `0', 'KZT'); UPDATE entries SET account_id = 50 WHERE seq IN (2, 4) AND account_id = (SELECT id FROM ledger_accounts WHERE name = '` + suspense + `')`,
		`transaction <t4> (seq 4, assignment): it moves ` + suspense + `0, which is not`},
	{"money moves on the accounts of the payment's own provider and project",
		`UPDATE entries SET account_id = (SELECT id FROM ledger_accounts WHERE name = '` + own + `') WHERE seq = 5 AND amount < 0`, `transaction <t5> (seq 5, return): it moves ` + own + `, which is not`},
	{"a message belongs to the payment that it names, and to what it made",
		`UPDATE messages SET payment_id = 'p_none' WHERE id = 7`, `message 7: its payment p_none does not exist`},
	{"a message belongs to the payment that it names, and to what it made",
		`UPDATE messages SET payment_id = '<p1>' WHERE id = 7`, `message 7: it does not name payment <p1>, with which it is kept`},
	{"a message belongs to the payment that it names, and to what it made",
		`UPDATE messages SET reference = 'another' WHERE id = 3`, `message 3: it does not name payment <p3>`},
	{"a message belongs to the payment that it names, and to what it made",
		`UPDATE messages SET payment_id = NULL WHERE id = 1`, `message 1: transaction seq 1 is not one of its payment`},
	{"a message belongs to the payment that it names, and to what it made",
		`UPDATE messages SET seq = 99 WHERE id = 1`, `message 1: transaction seq 99 is not one of its payment`},
	{"a message belongs to the payment that it names, and to what it made",
		`UPDATE messages SET seq = 7 WHERE id = 1`, `message 1: transaction seq 7 is not one of its payment`},
	{"a message belongs to the payment that it names, and to what it made",
		`UPDATE messages SET seq = 4 WHERE id = 2`, `message 2, which was suspended, cannot have made transaction seq 4`},
	{"a message belongs to the payment that it names, and to what it made",
		`UPDATE messages SET seq = NULL WHERE id = 6`, `message 6, which was bound, cannot have made transaction seq -`},
	{"a message belongs to the payment that it names, and to what it made",
		`UPDATE messages SET seq = 11 WHERE id = 7`, `message 7, which was noted, cannot have made transaction seq 11`},
	{"a message belongs to the payment that it names, and to what it made",
		`UPDATE messages SET disposition = 'repeat' WHERE id = 8`, `message 8, which was repeat, cannot have made transaction seq 12`},
	{"a message belongs to the payment that it names, and to what it made",
		`UPDATE messages SET operation = '29' WHERE id = 1`, `message 1: its operation is not what made transaction seq 1`},
	{"a message belongs to the payment that it names, and to what it made",
		`UPDATE operations SET operation = '777' WHERE operation = '31'`, `message 4: its operation is not what made transaction seq 8`},
	{"what a provider posted has the message that said so",
		`DELETE FROM messages WHERE id = 1`, `transaction <t1> (seq 1, credit): the message of the provider that made it is missing`},
	{"what a provider posted has the message that said so",
		`DELETE FROM messages WHERE id = 4`, `transaction <t8> (seq 8, suspense): the message`},
	{"what a provider posted has the message that said so",
		`DELETE FROM messages WHERE id = 6`, `transaction <t11> (seq 11, manual_credit): the message`},
	{"no message is missing",
		`DELETE FROM messages WHERE id = 7`, `message 8: the message before it, 7, is missing`},

	{"a part of a proposal is carried out after the whole was approved, in the name of who approved it",
		`INSERT INTO approvals SELECT id || '.000001', at, expires_at, 'report_part', action, object, params, preview, effective_start, effective_end, actor, by_token, os_user, role, reason, request_id FROM approvals WHERE id = '<a>';
		INSERT INTO approval_decisions SELECT approval_id || '.000001', at, decision, 'dana', os_user, role, reason, request_id FROM approval_decisions WHERE approval_id = '<a>'`,
		`proposal <a>.000001: it was approved by dana, and its whole approved by bolat`},
	{"a transaction that needed a second person was approved by another than its proposer",
		`UPDATE approval_decisions SET actor = 'anna'; UPDATE approved_transactions SET approved_by = 'anna'`, `transaction <t16> (seq 16): <a> is no approval by a second person`},
	{"a transaction that needed a second person was approved by another than its proposer",
		`UPDATE approvals SET os_user = 'bolat'`, `transaction <t16> (seq 16): <a> is no approval`},
	{"a transaction that needed a second person was approved by another than its proposer",
		`UPDATE approval_decisions SET decision = 'rejected'`, `transaction <t16> (seq 16): <a> is no approval`},
	{"a transaction that needed a second person was approved by another than its proposer",
		`UPDATE approved_transactions SET approved_by = 'dana'`, `transaction <t16> (seq 16): <a> is no approval`},
	{"a transaction that needed a second person was approved by another than its proposer",
		`UPDATE approvals SET reason = 'another'`, `transaction <t16> (seq 16): <a> is no approval`},
	{"a transaction that needed a second person was approved by another than its proposer",
		`UPDATE approved_transactions SET seq = 15`, `transaction <t15> (seq 15): <a> is no approval`},
	{"a proposal is decided before it expires, and posts when it is approved",
		`DELETE FROM approved_transactions`, `proposal <a>: it was approved by bolat and posted nothing`},
	{"a proposal is decided before it expires, and posts when it is approved",
		`UPDATE approvals SET expires_at = 1`, `proposal <a>: it was approved by bolat after it had expired`},

	{"schema", `LEAVE OUT entries_no_update`, `trigger entries_no_update is missing`},
	{"schema", `LEAVE OUT transactions_no_delete; CREATE TRIGGER transactions_no_delete BEFORE DELETE ON transactions BEGIN SELECT 1; END`,
		`trigger transactions_no_delete was changed`},
	{"schema", `DROP INDEX transactions_payment`, `index transactions_payment is missing`},
	{"schema", `DROP INDEX transactions_reverses; CREATE UNIQUE INDEX transactions_reverses ON transactions (reverses, seq) WHERE reverses IS NOT NULL`,
		`index transactions_reverses was changed`},
	{"schema", `DROP TABLE message_bodies; CREATE TABLE message_bodies (message_id INTEGER NOT NULL PRIMARY KEY, received_at INTEGER NOT NULL, body BLOB NOT NULL)`,
		`table message_bodies is not STRICT`},
	{"schema", `DROP TABLE schema_levels`, `table schema_levels is missing`},
}

// statements splits damage; a trigger's body keeps its semicolons.
func (b breach) statements() []string {
	if strings.Contains(b.damage, "CREATE TRIGGER") {
		return strings.SplitN(b.damage, "; ", 2)
	}
	return strings.Split(b.damage, "; ")
}

func TestCheckNamesWhateverIsBroken(t *testing.T) {
	t.Parallel()
	b := newSample(t)
	if onPostgres {
		checkNamesOnPostgres(t, b)
		return
	}
	if got := problems(t, b.corrupted(t)); len(got) > 0 {
		t.Fatalf("an undamaged copy: got %q", got)
	}
	for i, tt := range breaches {
		t.Run(fmt.Sprintf("%d %s", i, tt.rule), func(t *testing.T) {
			got := problems(t, b.corrupted(t, tt.statements()...))
			want := b.names(tt.says)
			if !slices.ContainsFunc(got, func(line string) bool { return strings.Contains(line, want) }) {
				t.Errorf("got %q, want a line that says %q", got, want)
			}
			for _, line := range got {
				if strings.ContainsAny(line, "\n\r") {
					t.Errorf("%q is not one line", line)
				}
			}
		})
	}
}

// checkNamesOnPostgres runs the same damage on the same book in PostgreSQL.
func checkNamesOnPostgres(t *testing.T, b sample) {
	s := mustOpen(t)
	loadSample(t, b.file, s)
	if got := problems(t, s); len(got) > 0 {
		t.Fatalf("an undamaged copy: got %q", got)
	}
	for i, tt := range breaches {
		if !slices.Contains(store.RulesEverywhere(), tt.rule) {
			continue
		}
		t.Run(fmt.Sprintf("%d %s", i, tt.rule), func(t *testing.T) {
			var damage []string
			for _, statement := range tt.statements() {
				damage = append(damage, forPostgres(b.names(statement)))
			}
			got, err := s.ProblemsAfter(context.Background(), damage...)
			want := b.names(tt.says)
			if want == doesNotFit {
				want = "its running totals are" // its sums are wider
			}
			if err != nil || !slices.ContainsFunc(got, func(line string) bool { return strings.Contains(line, want) }) {
				t.Errorf("got %q, %v; want a line that says %q", got, err, want)
			}
		})
	}
}

// forPostgres is a statement that damages a book, in PostgreSQL's words.
func forPostgres(statement string) string {
	if statement == ignoreChecks {
		return `ALTER TABLE payouts DROP CONSTRAINT payouts_check`
	}
	statement = strings.ReplaceAll(statement, "char(10)", "chr(10)")
	if change, condition, found := strings.Cut(statement, " WHERE "); found && strings.HasPrefix(change, "UPDATE ledger_accounts SET debits") {
		return strings.Replace(change, "ledger_accounts", "ledger_totals", 1) + " WHERE account_id IN (SELECT id FROM ledger_accounts WHERE " + condition + ")"
	}
	return statement
}

func TestCheckNamesWhateverIsMissingFromAPostgreSQLSchema(t *testing.T) {
	t.Parallel()
	onlyPostgres(t)
	for damage, says := range map[string]string{
		`DROP TRIGGER entries_insert_only ON entries`:                                                             "trigger entries_insert_only is missing",
		`ALTER TABLE entries DISABLE TRIGGER entries_insert_only`:                                                 "trigger entries_insert_only is switched off",
		`ALTER TABLE entries ENABLE TRIGGER entries_insert_only`:                                                  "trigger entries_insert_only is not always on",
		`ALTER TABLE suspense_items DISABLE TRIGGER ALL`:                                                          "constraint suspense_items_seq_fkey is switched off",
		`ALTER TABLE entries DROP CONSTRAINT entries_seq_fkey`:                                                    "constraint entries_seq_fkey is missing",
		`ALTER TABLE entries DROP CONSTRAINT entries_amount_check`:                                                "constraint entries_amount_check is missing",
		`ALTER TABLE payments ALTER COLUMN amount DROP NOT NULL`:                                                  "column payments.amount was changed",
		`ALTER TABLE payments ALTER COLUMN payment_id TYPE VARCHAR(90)`:                                           "column payments.payment_id was changed",
		`DROP INDEX transactions_payment`:                                                                         "index transactions_payment is missing",
		`DROP TABLE watch_marks`:                                                                                  "constraint watch_marks_pkey is missing",
		`DROP FUNCTION refuse_change CASCADE`:                                                                     "refuse_change() does not exist",
		`CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'`: "function refuse_change was changed",
		`DROP INDEX transactions_reverses; CREATE UNIQUE INDEX transactions_reverses ON transactions (reverses, seq) WHERE reverses IS NOT NULL`:        "index transactions_reverses was changed",
		`DROP TRIGGER entries_insert_only ON entries; CREATE TRIGGER entries_insert_only BEFORE DELETE ON entries EXECUTE FUNCTION refuse_change('no')`: "trigger entries_insert_only was changed",
	} {
		s := mustOpen(t)
		raw := rawOpen(t, s)
		if _, err := raw.Exec(damage); err != nil {
			t.Fatalf("%s: %v", damage, err)
		}
		if got := problems(t, s); !slices.ContainsFunc(got, func(line string) bool { return strings.Contains(line, says) }) {
			t.Errorf("%s: got %q, want a line that says %q", damage, got, says)
		}
	}
}

func TestEveryRuleOfCheckIsSeenToBreak(t *testing.T) {
	for _, holds := range store.Rules() {
		if !slices.ContainsFunc(breaches, func(b breach) bool { return b.rule == holds }) {
			t.Errorf("no test breaks the rule: %s", holds)
		}
	}
}

func TestCheckCountsWhatItHasSeen(t *testing.T) {
	s := bookOf(t)
	mustRecord(t, s, paid(mustIssue(t, s), "28"))
	mustIssue(t, s)
	got, err := s.Check(context.Background())
	if want := (store.CheckReport{Transactions: 1, Entries: 2, Accounts: 2, Payments: 2}); err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %+v, %v; want %+v", got, err, want)
	}
}

func TestAFloodOfProblemsIsCutShort(t *testing.T) {
	s := mustOpen(t)
	for i := range 60 {
		mustRecord(t, s, paid("theirs", fmt.Sprint(i)))
	}
	raw := rawOpen(t, s)
	drop := `DROP TRIGGER operations_no_delete`
	if onPostgres {
		drop += ` ON operations`
	}
	for _, query := range []string{drop, `DELETE FROM operations`} {
		if _, err := raw.Exec(query); err != nil {
			t.Fatal(err)
		}
	}
	got := problems(t, s)
	// One rule misses the operations of the transactions, one those of the messages.
	if len(got) != 1+51+51 || !strings.Contains(got[51], "more") || !strings.Contains(got[len(got)-1], "more") {
		t.Errorf("got %d lines, the last %q; want the trigger, and twice 50 and a last one", len(got), got[len(got)-1])
	}
}

func TestCheckSeesOneMomentWhileOthersWriteAndNeverBlocksThem(t *testing.T) {
	t.Parallel()
	s := bookOf(t)
	var ids []string
	for range 400 { // so that none gets hundreds of transactions, which a step on it reads
		ids = append(ids, mustIssue(t, s))
	}
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				id := ids[(i*7+w)%len(ids)]
				r := mustRecord(t, s, paid(id, fmt.Sprintf("%d-%d", w, i), sum([]int64{10000, 9000}[i%2])))
				if r.Disposition == topup.DispositionSuspended && i%3 == 0 {
					list, err := s.SuspenseItems(context.Background(), store.SuspenseFilter{PaymentID: id, Limit: 1})
					if err == nil && len(list) == 1 {
						_, _ = s.AssignSuspense(context.Background(), list[0].ID, "7123456789", "2", anna)
					}
				}
			}
		})
	}
	for range 15 {
		checked(t, s)
	}
	close(stop)
	wg.Wait()
	checked(t, s)
	if n := len(feed(t, s)); n == 0 {
		t.Error("nothing was written meanwhile")
	}
}

func TestCheckWaitsForNoWriterAndLocksNoTable(t *testing.T) {
	if !onPostgres {
		t.Skip("only on PostgreSQL: SQLite has no locks on tables")
	}
	t.Parallel()
	s := bookOf(t)
	mustRecord(t, s, paid(mustIssue(t, s), "28"))
	writer, err := rawOpen(t, s).Begin()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = writer.Rollback() }()
	// The lock of somebody who writes into every table and has not committed yet.
	if _, err := writer.Exec(`DO $$ DECLARE name text; BEGIN
		FOR name IN SELECT tablename FROM pg_tables WHERE schemaname = current_schema() LOOP
			EXECUTE format('LOCK TABLE %I IN ROW EXCLUSIVE MODE', name);
		END LOOP; END $$`); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if _, err := s.Check(ctx); err != nil {
		t.Errorf("check beside a writer: %v", err)
	}
}

func TestACheckThatIsCancelledGivesItsConnectionBackInOrder(t *testing.T) {
	s := bookOf(t)
	mustRecord(t, s, paid(mustIssue(t, s), "28"))
	for range 20 { // more often than there are connections
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		if _, err := s.Check(ctx); err == nil {
			t.Fatal("a cancelled check reported success")
		}
		short, cancel := context.WithTimeout(context.Background(), time.Millisecond)
		_, _ = s.Check(short)
		cancel()
	}
	mustRecord(t, s, paid(mustIssue(t, s), "29"))
	var n int
	for range 20 { // no connection is left behind in an old snapshot
		if err := s.ReadPool().QueryRow(`SELECT count(*) FROM transactions`).Scan(&n); err != nil || n != 2 {
			t.Fatalf("a reader sees %d transactions, %v; want 2", n, err)
		}
	}
	conns := make([]*sql.Conn, 0, 4)
	for range 4 {
		conn, err := s.ReadPool().Conn(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		conns = append(conns, conn)
		if err := conn.QueryRowContext(context.Background(), `SELECT count(*) FROM transactions`).Scan(&n); err != nil || n != 2 {
			t.Errorf("a connection sees %d transactions, %v; want 2", n, err)
		}
	}
	for _, conn := range conns {
		_ = conn.Close()
	}
}
