package store_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"tolem/calendar"
	"tolem/store"
	"tolem/topup"
)

const (
	bankHalyk   = "bank:halyk"
	feesAccount = "fees:jetpay:1234"
)

// newPayout is a payout of 19 000 less fees of 500.
func newPayout(id string, change ...func(*store.NewPayout)) store.NewPayout {
	day, _ := calendar.ParseDay("2026-11-20")
	p := store.NewPayout{
		Payout: topup.Payout{
			ID: id, Provider: "jetpay", Project: "1234", Date: day.String(), Currency: "KZT",
			PayoutFigures: topup.PayoutFigures{Gross: 19000, Fees: 500, Net: 18500},
		},
		Day:  store.Day{Start: day.Start(time.UTC), End: day.End(time.UTC)},
		Bank: topup.BankAccountOf{Name: "halyk", Currency: "KZT"},
	}
	for _, c := range change {
		c(&p)
	}
	return p
}

// withLines gives a payout lines, and their sums as its figures.
func withLines(lines ...topup.PayoutLine) func(*store.NewPayout) {
	return func(p *store.NewPayout) {
		p.Lines, p.PayoutFigures = lines, topup.PayoutFigures{}
		for _, l := range lines {
			f, err := l.Figures()
			if err == nil {
				p.PayoutFigures, err = p.Plus(f)
			}
			if err != nil {
				panic(err)
			}
		}
	}
}

// saleLine is a payment in a register; its number is that of its operation.
func saleLine(line int, payment, operation string, amount, fee int64) topup.PayoutLine {
	return topup.PayoutLine{Line: line, Type: topup.LinePayment, Payment: payment, Operation: operation, Amount: amount, Fee: fee}
}

func ref(id string) store.PayoutRef { return store.PayoutRef{ID: id} }

func mustAdd(t testing.TB, s *store.Store, p store.NewPayout) {
	t.Helper()
	got, err := s.AddPayout(context.Background(), p, anna)
	if err != nil || len(got.Created) != 1 {
		t.Fatalf("add payout %s: got %+v, %v", p.ID, got, err)
	}
}

func mustPost(t testing.TB, s *store.Store, id string) topup.Transaction {
	t.Helper()
	made, err := s.PostPayout(context.Background(), ref(id), anna)
	if err != nil {
		t.Fatalf("post payout %s: %v", id, err)
	}
	return made
}

func payoutsOfSample(t *testing.T, s *store.Store, b sample) []topup.Transaction {
	t.Helper()
	ctx := context.Background()
	mustAdd(t, s, newPayout("po-1", withLines(saleLine(2, b.payments[1], "28", 10000, 300), saleLine(3, b.payments[2], "29", 9000, 200))))
	first := mustPost(t, s, "po-1")
	mustAdd(t, s, newPayout("po-2"))
	second := mustPost(t, s, "po-2")
	reversal := must(t)(s.Reverse(ctx, second.ID, anna))
	mustAdd(t, s, newPayout("po-3", withLines(saleLine(2, "p_nobody", "77", 5000, 0))))
	if _, err := s.Settlement(ctx, calendar.Day{}, time.UTC); err != nil {
		t.Fatal(err)
	}
	return []topup.Transaction{first, second, reversal}
}

// ignoreChecks lets SQLite take what its checks refuse.
const ignoreChecks = `PRAGMA ignore_check_constraints = ON`

// matched is a bank line that is matched with payouts.
func matched(bank, currency, direction string, amount int, payouts ...int) string {
	key := `x'00'`
	if onPostgres {
		key = `'\x00'`
	}
	text := fmt.Sprintf(`INSERT INTO bank_lines (id, bank, account, currency, day, value_day, direction, amount, number, reference, counterparty_account,
		counterparty_name, counterparty_id, purpose_code, purpose, occurrence, key, sha256, imported_at)
		VALUES (1, '%s', 'KZ1', '%s', '2026-11-21', '', '%s', %d, '1', '', '', '', '', '', '', 1, %s, '', 1)`, bank, currency, direction, amount, key)
	for _, payout := range payouts {
		text += fmt.Sprintf(`; INSERT INTO bank_matches (payout, line, at, actor, reason) VALUES (%d, 1, 1, 'anna', '')`, payout)
	}
	return text
}

const matchRule = "a bank line and a payout that count are matched once, and say the same"

var payoutBreaches = []breach{
	{"a payout's transactions, and no others, have no payment",
		`DELETE FROM payout_steps WHERE seq = {1}`, `transaction <{1}> (seq {1}, payout): it belongs to no payment, and to no payout`},
	{"a payout's transactions, and no others, have no payment",
		`UPDATE transactions SET payment_id = '' WHERE seq = 5`, `transaction <t5> (seq 5, return): it belongs to no payment, and to no payout`},
	{"a payout's transactions, and no others, have no payment",
		`UPDATE transactions SET payment_id = '<p1>' WHERE seq = {1}`, `transaction <{1}> (seq {1}, payout): it belongs to payment <p1>, and can only be a payout's`},
	{"a payout's transactions, and no others, have no payment",
		`UPDATE payout_steps SET seq = 5 WHERE seq = {3}`, `transaction seq 5 is not that of a payout`},
	{"the figures of a payout add up",
		ignoreChecks + `; UPDATE payouts SET net = net + 1 WHERE payout_id = 'po-3'`,
		`payout po-3 of jetpay 1234: gross less refunds, fees, reserve and adjustments is 5000, and net is 5001`},
	{"the postings of a payout are its figures",
		`UPDATE entries SET amount = amount + 1 WHERE seq = {1} AND n = 0; UPDATE entries SET amount = amount - 1 WHERE seq = {1} AND n = 1`,
		`payout po-1 of jetpay 1234: transaction seq {1} does not book 18500 KZT on ` + bankHalyk},
	{"the postings of a payout are its figures",
		`UPDATE payouts SET project = '9' WHERE payout_id = 'po-1'`,
		`payout po-1 of jetpay 9: transaction seq {1} books 500 KZT on ` + feesAccount + `, which is none of its figures`},
	{"the postings of a payout are its figures",
		`UPDATE payouts SET fees = fees + 1, net = net - 1 WHERE payout_id = 'po-2'`,
		`payout po-2 of jetpay 1234: transaction seq {3} does not book -501 KZT on ` + feesAccount},
	{"the state of a payout is that of its newest step, and what the journal says",
		`UPDATE payouts SET state = 'draft' WHERE payout_id = 'po-1'`, `payout po-1 of jetpay 1234: it is draft, and its newest step says posted`},
	{"the state of a payout is that of its newest step, and what the journal says",
		`UPDATE payouts SET state = 'posted' WHERE payout_id = 'po-2'`, `payout po-2 of jetpay 1234: it is posted, which its posting, seq {2}, is not`},
	{"the state of a payout is that of its newest step, and what the journal says",
		`UPDATE payout_steps SET state = 'posted' WHERE payout = 3; UPDATE payouts SET state = 'posted' WHERE id = 3`,
		`a step that leaves a payout posted has transaction none`},
	{"an id is held by one payout of its project",
		`DROP INDEX payouts_held; UPDATE payouts SET payout_id = 'po-1' WHERE payout_id = 'po-3'`, `payout po-1 of jetpay 1234: 2 payouts hold this id`},
	{"a line is in one payout at most",
		`UPDATE payout_lines SET operation = '28', key = 'payment 28' WHERE payout = 3`, `line "payment 28" of jetpay 1234: it is 2 times in payouts that count`},
	{matchRule, matched("kaspi", "KZT", "in", 18500, 1), `payout po-1 of jetpay 1234, bank line 1 of kaspi: the payout was paid to halyk`},
	{matchRule, matched("halyk", "KZT", "in", 18501, 1), `payout po-1 of jetpay 1234, bank line 1 of halyk: the line is in 18501 KZT, the payout 18500 KZT`},
	{matchRule, matched("halyk", "KGS", "in", 18500, 1), `bank line 1 of halyk: the line is in 18500 KGS, the payout 18500 KZT`},
	{matchRule, matched("halyk", "KZT", "out", 18500, 1), `bank line 1 of halyk: the line is out 18500 KZT, the payout 18500 KZT`},
	{matchRule, matched("halyk", "KZT", "in", 18500, 1, 1), `payout po-1 of jetpay 1234, bank line 1 of halyk: another match of one of them counts too`},
	{"a line is known by what it says, and names a payment of its own project",
		`UPDATE payout_lines SET key = 'x' WHERE payout = 3`, `payout po-3 of jetpay 1234, line 2: its key "x" is not that of what it says`},
	{"a line is known by what it says, and names a payment of its own project",
		`UPDATE payout_lines SET payment_id = '<p9>' WHERE payout = 3`, `payout po-3 of jetpay 1234, line 2: its payment <p9> is none of this project`},
	{"a payout that has lines is their sum",
		`UPDATE payout_lines SET fee = 301 WHERE payout = 1 AND n = 1`, `payout po-1 of jetpay 1234: its figures are not the sums of its lines`},
	{"a payout that has lines is their sum",
		`DELETE FROM payout_lines WHERE payout = 1`, `payout po-1 of jetpay 1234: its figures are not the sums of its lines`},
	{"settlement is credits and suspense, less returns and refunds through the platform, less gross less refunds of payouts",
		`UPDATE ledger_accounts SET debits = debits + 1 WHERE name = '` + settlement + `'`,
		`ledger account ` + settlement + ` KZT: it holds`},
	{"settlement is credits and suspense, less returns and refunds through the platform, less gross less refunds of payouts",
		`UPDATE payouts SET gross = gross + 100, refunds = refunds + 1, net = net + 99 WHERE payout_id = 'po-1'`,
		`ledger account ` + settlement + ` KZT: it holds`},
	{"the sums that settlement shows are those of the journal",
		`UPDATE settlement_sums SET amount = amount + 1 WHERE kind = 'payout'`, `the sums of settlement are`},
	{"the sums that settlement shows are those of the journal",
		`UPDATE settlement_sums SET amount = amount + 1 WHERE kind = 'received'`, `the sums of settlement are`},
	{"the sums that settlement shows are those of the journal",
		`DELETE FROM settlement_sums WHERE kind = 'suspense'`, `the sums of settlement are`},
}
