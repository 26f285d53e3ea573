package commands_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tolem/testkit"
)

type payoutJSON struct {
	PayoutID        string `json:"payout_id"`
	Status          string
	Net             int64
	TransactionID   string `json:"transaction_id"`
	DifferenceCount int    `json:"difference_count"`
	Differences     []struct {
		Line       int
		Difference string
	}
	Lines []struct {
		PaymentID string `json:"payment_id"`
	}
}

type settlementJSON struct {
	Provider, Currency                                                      string
	Credited, Refunded, PaidOut, Fees, Reserve, Adjustments, Owed, Suspense int64
	Unpaid                                                                  []struct {
		Days       string
		Count, Sum int64
	}
}

// bankLine configures the bank account of the tests.
const bankLine = `bank: [{name: halyk, currency: KZT}]`

// credited records a payment of 100 tenge for each operation.
func (s *shop) credited(t *testing.T, operations ...string) {
	t.Helper()
	for _, operation := range operations {
		s.must(t, "payments", "record", "--provider", "jetpay", "--project", "1234", "--customer", "7123456789", "--entity", "12345",
			"--amount", "10000", "--currency", "KZT", "--operation", operation, "--anyway", "--reason", "for the test")
	}
}

var ofPlatform = []string{"--provider", "jetpay", "--project", "1234", "--bank", "halyk"}

func (s *shop) settlement(t *testing.T, args ...string) settlementJSON {
	t.Helper()
	list := decode[[]settlementJSON](t, strings.ReplaceAll(s.must(t, append([]string{"settlement", "--json"}, args...)...), `"paid_out"`, `"paidout"`))
	if len(list) != 1 {
		t.Fatalf("got %+v", list)
	}
	return list[0]
}

// TestPayouts follows money from the platform to the bank.
func TestPayoutsImport_OfWhatIsNoFile(t *testing.T) {
	s := newShop(t, bankLine)
	s.must(t, "migrate")
	got := s.tolem(t, append([]string{"payouts", "import", os.DevNull}, ofPlatform...)...)
	if got.code != 2 || !strings.Contains(got.err, "must be a regular file") {
		t.Errorf("got %+v", got)
	}
}

func TestPayouts(t *testing.T) {
	s := newShop(t, bankLine)
	s.must(t, "migrate")
	s.must(t, "accounts", "import", "../fixtures/accounts.jsonl")
	s.credited(t, "1", "2", "3")
	const header = "payout_id,date,type,payment_id,operation_id,amount,currency,fee,reserve,adjustment,net\n"
	register := testkit.WriteFile(t, s.dir, "register.csv", header+
		"PO-1,2026-11-20,payment,,1,100.00,KZT,1.50,,,98.50\n"+
		"PO-1,2026-11-20,payment,,2,99.00,KZT,1.50,,,97.50\n"+
		"PO-1,2026-11-20,reserve,,,10.00,KZT,,,,-10.00\n"+
		"PO-2,2026-11-21,payment,p_nobody,77,5.00,KZT,,,,5.00\n")
	importing := append([]string{"payouts", "import", register}, ofPlatform...)

	contains(t, "dry run", s.must(t, append(importing, "--dry-run")...), "payout PO-1 of 2026-11-20, 3 lines, net 186.00 KZT: it would be entered as a draft")
	if got := s.must(t, "payouts", "list"); got != "none\n" {
		t.Errorf("after a dry run: got %s", got)
	}
	contains(t, "import", s.must(t, importing...), "payout PO-1 of 2026-11-20, 3 lines, net 186.00 KZT: it is entered as a draft", "payout PO-2")
	contains(t, "the same again", s.must(t, importing...), "it is there already, with the same content")

	got := decode[payoutJSON](t, s.must(t, "payouts", "show", "PO-1", "--json"))
	if got.Status != "draft" || got.Net != 18600 || len(got.Lines) != 3 || got.DifferenceCount != 1 || got.Differences[0].Line != 3 || got.Differences[0].Difference != "amount_differs" {
		t.Errorf("show: got %+v", got)
	}
	contains(t, "show", s.must(t, "payouts", "show", "PO-1"), "amount_differs: 100.00 KZT was received", "3 lines, 1 differ", "draft", "register register.csv")
	contains(t, "settlement", s.must(t, "settlement"), "jetpay 1234, named by no payout: 0-1 days 1 (100.00 KZT)")

	other := testkit.WriteFile(t, s.dir, "other.csv", strings.Replace(readFile(t, register), "1.50,,,98.50", "2.50,,,97.50", 1))
	refused := s.tolem(t, append([]string{"payouts", "import", other}, ofPlatform...)...)
	if refused.code != 1 {
		t.Errorf("other content: got %+v", refused)
	}
	contains(t, "other content", refused.err, "payout PO-1: it is there, draft, with other content: fees is 4.00 KZT, and was 3.00 KZT", "nothing was entered")

	bad := testkit.WriteFile(t, s.dir, "bad.csv", header+"PO-3,2026-11-20,payment,,4,x,KZT,,,,\nPO-3,2026-11-20,gift,,5,1,KZT,,,,\n")
	refused = s.tolem(t, append([]string{"payouts", "import", bad}, ofPlatform...)...)
	if refused.code != 2 {
		t.Errorf("bad lines: got %+v", refused)
	}
	contains(t, "bad lines", refused.err, "line 2: ", `line 3: its type "gift" is not in the map`, "nothing was entered")
	taken := testkit.WriteFile(t, s.dir, "taken.csv", header+"PO-3,2026-11-20,payment,,1,100.00,KZT,,,,\n")
	refused = s.tolem(t, append([]string{"payouts", "import", taken}, ofPlatform...)...)
	contains(t, "a line of another payout", refused.err, "line 2, payout PO-3: payment, operation 1 is in payout PO-1: a line is in one payout at most")

	made := decode[transaction](t, s.must(t, "payouts", "post", "PO-1", "--reason", "statement of the bank", "--json"))
	if made.Kind != "payout" || made.PaymentID != "" || len(made.Postings) != 4 {
		t.Errorf("post: got %+v", made)
	}
	if again := s.tolem(t, "payouts", "post", "PO-1", "--reason", "again"); again.code != 1 {
		t.Errorf("posted twice: got %+v", again)
	}
	contains(t, "discard", s.must(t, "payouts", "discard", "PO-2", "--reason", "not ours"), "payout PO-2 is discarded")
	contains(t, "list", s.must(t, "payouts", "list", "--status", "posted"), "PO-1")
	if got := s.tolem(t, "payouts", "list", "--status", "gone"); got.code != 2 {
		t.Errorf("a status that is none: got %+v", got)
	}

	want := settlementJSON{Credited: 30000, PaidOut: 18600, Fees: 300, Reserve: 1000, Owed: 10100}
	found := s.settlement(t)
	found.Provider, found.Currency, found.Unpaid = "", "", nil
	if fmt.Sprint(found) != fmt.Sprint(want) {
		t.Errorf("settlement: got %+v, want %+v", found, want)
	}
	if before := s.must(t, "settlement", "--at", "2026-11-19"); before != "none\n" {
		t.Errorf("before the payout: got %s", before)
	}

	contains(t, "hledger", s.must(t, "ledger", "export", "--format", "hledger"), "payout  ; payout:PO-1, seq:", "bank:halyk  186.00 KZT", "fees:jetpay:1234  3.00 KZT", "reserve:jetpay:1234  10.00 KZT")
	contains(t, "jsonl", s.must(t, "ledger", "export", "--format", "jsonl"), `"payout_id":"PO-1","kind":"payout"`)
	contains(t, "csv", s.must(t, "ledger", "export", "--format", "csv"), ",PO-1")
	contains(t, "payment", s.must(t, "payments", "list", "--json"), `"payout_id": "PO-1"`)

	s.must(t, "ledger", "reverse", made.TransactionID, "--reason", "the register was wrong")
	if got := decode[payoutJSON](t, s.must(t, "payouts", "show", "PO-1", "--json")); got.Status != "reversed" {
		t.Errorf("reversed: got %+v", got)
	}
	contains(t, "after the reversal", s.must(t, append([]string{"payouts", "import", other}, ofPlatform...)...), "payout PO-1 of 2026-11-20, 3 lines, net 185.00 KZT: it is entered as a draft")
	s.must(t, "ledger", "check")

	t.Run("ByHand", func(t *testing.T) {
		add := append([]string{"payouts", "add", "--id", "PO-9", "--date", "2026-11-20", "--currency", "KZT", "--gross", "0", "--fees", "500", "--net=-500"}, ofPlatform...)
		contains(t, "add", s.must(t, add...), "payout PO-9 of 2026-11-20, 0 lines, net -5.00 KZT: it is entered as a draft")
		made := decode[transaction](t, s.must(t, "payouts", "post", "PO-9", "--reason", "invoice 7", "--json"))
		if len(made.Postings) != 2 || made.Postings[0].Account != "bank:halyk" || made.Postings[0].Amount != -500 {
			t.Errorf("got %+v", made)
		}
		for _, tt := range []struct {
			args []string
			says string
		}{
			{append([]string{"payouts", "add", "--id", "PO-8", "--date", "2026-11-20", "--currency", "KZT", "--gross", "100", "--net", "99"}, ofPlatform...), "net must be gross − refunds − fees − reserve − adjustments: 100 − 0 − 0 − 0 − 0 is 100, not 99"},
			{append([]string{"payouts", "add", "--id", "PO-8", "--date", "2026-11-20", "--currency", "KGS", "--gross", "1", "--net", "1"}, ofPlatform...), "currency of the payout is KGS; the bank account halyk is in KZT"},
			{[]string{"payouts", "add", "--id", "PO-8", "--date", "2026-11-20", "--currency", "KZT", "--gross", "1", "--net", "1", "--provider", "jetpay", "--project", "1234", "--bank", "kaspi"}, "bank account kaspi is not configured: add it under bank"},
			{[]string{"payouts", "add", "--id", "PO-8", "--date", "2026-11-20", "--currency", "KZT", "--gross", "1", "--net", "1", "--provider", "jetpay", "--project", "9", "--bank", "halyk"}, "project 9 of jetpay is not configured"},
		} {
			if got := s.tolem(t, tt.args...); got.code != 1 || !strings.Contains(got.err, tt.says) {
				t.Errorf("%v: got %+v, want %q", tt.args, got, tt.says)
			}
		}
	})
	t.Run("OfAMapOfTheProgram", func(t *testing.T) {
		sample, err := os.ReadFile("../maps/samples/payout-register.csv")
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(s.dir, "sample.csv")
		if err := os.WriteFile(file, sample, 0o600); err != nil {
			t.Fatal(err)
		}
		contains(t, "import", s.must(t, append([]string{"payouts", "import", file}, ofPlatform...)...), "payout PO-1129 of 2026-11-29, 3 lines, net 6350.00 KZT")
	})
	s.must(t, "ledger", "check")
}
