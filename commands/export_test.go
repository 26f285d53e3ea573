package commands_test

import (
	"encoding/csv"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"tolem/platform"
	"tolem/testkit"
	"tolem/topup"
)

// nasty are ids that mean something to hledger, spreadsheets or shells.
var nasty = []string{
	"(a)", "[b]", "*c", "!d", "=e", "+f", "-g", "@h", "~i", "#j", "%k", "|l", "'m", `"n"`, "{o}", "$100", "1000.00", "2026-11-01",
	"é漢字€", "Абай", "a,b", "a--b", `c\d`, "<e>", "a=b", "comment", "0",
}

// nastyBooks has a credit in a contract of each nasty id, and money of an
// unknown payment in currencies with none, two and three digits.
func nastyBooks(t *testing.T) *shop {
	t.Helper()
	s := newShop(t)
	s.env = []string{"TOLEM_DEMO__ACCOUNTS=", "TOLEM_DEMO__PAYMENTS="}
	var records strings.Builder
	for _, id := range nasty {
		records.WriteString(`{"customer_id":` + quote(id) + `,"additional_customer_id":"A","currency":"KZT","entities":[{"id":` + quote(id) + `,"number":"N"}]}` + "\n")
	}
	s.must(t, "accounts", "import", testkit.WriteFile(t, s.dir, "nasty.jsonl", records.String()))
	r := s.serve(t)
	for _, id := range nasty {
		if got := s.simulate(t, r, "--customer="+id, "--entity="+id, "--amount", "100001"); got.code != 0 {
			t.Fatalf("top up %s: got %+v", id, got)
		}
	}
	for i, currency := range []string{"JPY", "USD", "KWD"} {
		sum := topup.Money{Amount: 1000, Currency: currency}
		callback, err := demoProject(t).Callback(platform.NewCallback(platform.OutcomeSuccess, "unknown,"+currency, int64(i+1), sum, time.Now()))
		r.post(t, callback, err)
	}
	r.end(t)
	return s
}

func quote(text string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(text) + `"`
}

func TestTheExportedJournalIsAcceptedByHledger(t *testing.T) {
	need(t, "hledger")
	s := nastyBooks(t)
	hledger := func(args ...string) string {
		command := exec.Command("hledger", args...)
		command.Env = append(os.Environ(), "LC_ALL=C.UTF-8")
		out, err := command.CombinedOutput()
		if err != nil {
			t.Fatalf("hledger %s: %v\n%s", strings.Join(args, " "), err, out)
		}
		return string(out)
	}
	for _, args := range [][]string{nil, {"--by", "recorded"}, {"--from", "2099-01-01"}} {
		journal := s.must(t, append([]string{"ledger", "export", "--format", "hledger"}, args...)...)
		file := testkit.WriteFile(t, s.dir, "export.journal", journal)
		hledger("-f", file, "check", "--strict")
	}
	journal := filepath.Join(t.TempDir(), "all.journal")
	if err := os.WriteFile(journal, []byte(s.must(t, "ledger", "export", "--format", "hledger")), 0o600); err != nil {
		t.Fatal(err)
	}
	balances := hledgerRows(t, hledger("-f", journal, "balance", "--flat", "-O", "csv"))
	for _, id := range nasty {
		account := "customers:" + id + ":" + id
		if got, want := balances[account], "-1000.01 KZT"; got != want {
			t.Errorf("%s: got %q in hledger, want %q", account, got, want)
		}
	}
	if got, want := balances["suspense:jetpay:1234"], "-1000 JPY, -1.000 KWD, -10.00 USD"; got != want {
		t.Errorf("suspense: got %q in hledger, want %q", got, want)
	}
	first, _ := s.firstAndLast(t)
	contains(t, "transaction", hledger("-f", journal, "print", fmt.Sprintf("tag:seq=^%d$", first)), "(t_", ") credit", "payment:p_")
}

// hledgerRows are the amounts of a report in CSV, by account.
func hledgerRows(t *testing.T, report string) map[string]string {
	t.Helper()
	reader := csv.NewReader(strings.NewReader(report))
	reader.FieldsPerRecord = -1
	rows, err := reader.ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	amounts := map[string]string{}
	for _, row := range rows {
		if len(row) > 1 {
			amounts[row[0]] = row[1]
		}
	}
	return amounts
}

func TestHledgerDrawsUpABalanceSheetOfTheExportedJournal(t *testing.T) {
	need(t, "hledger")
	s := newShop(t)
	r := s.serve(t)
	if got := s.simulate(t, r, "--customer", "7123456789", "--entity", "12345", "--amount", "100000"); got.code != 0 {
		t.Fatalf("top up: got %+v", got)
	}
	callback, err := demoProject(t).Callback(platform.NewCallback(platform.OutcomeSuccess, "unknown", 1, tenge(2500), time.Now()))
	r.post(t, callback, err)
	// What no command posts yet: the accounts that money passes through after the credit.
	journal := testkit.WriteFile(t, s.dir, "books.journal", s.must(t, "ledger", "export", "--format", "hledger")+`
account bank:halyk
account reserve:jetpay:1234
account fees:jetpay:1234
account adjustments:jetpay:1234

2099-01-01 payout
    bank:halyk  900.00 KZT
    reserve:jetpay:1234  50.00 KZT
    fees:jetpay:1234  40.00 KZT
    adjustments:jetpay:1234  10.00 KZT
    settlement:jetpay:1234
`)
	report := func(args ...string) map[string]string {
		out, err := exec.Command("hledger", append(args, "-f", journal, "--strict", "-O", "csv")...).CombinedOutput()
		if err != nil {
			t.Fatalf("hledger %v: %v\n%s", args, err, out)
		}
		return hledgerRows(t, string(out))
	}
	for _, tc := range []struct{ report, account, want string }{
		{"balancesheet", "settlement:jetpay:1234", "25.00 KZT"},
		{"balancesheet", "bank:halyk", "900.00 KZT"},
		{"balancesheet", "reserve:jetpay:1234", "50.00 KZT"},
		{"balancesheet", "customers:7123456789:12345", "1000.00 KZT"},
		{"balancesheet", "suspense:jetpay:1234", "25.00 KZT"},
		{"incomestatement", "fees:jetpay:1234", "40.00 KZT"},
		{"incomestatement", "adjustments:jetpay:1234", "10.00 KZT"},
	} {
		if got := report(tc.report, "--flat")[tc.account]; got != tc.want {
			t.Errorf("%s: %s: got %q, want %q", tc.report, tc.account, got, tc.want)
		}
	}
}

func TestTheExportedCSVIsOneLineAPosting(t *testing.T) {
	s := nastyBooks(t)
	s.must(t, "payments", "credit", issue(t, s), "--reason", "=HYPERLINK(1)", "--actor", "@home")
	rows, err := csv.NewReader(strings.NewReader(s.must(t, "ledger", "export", "--format", "csv"))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	if want := 1 + 2*(len(nasty)+3+1); len(rows) != want {
		t.Fatalf("got %d lines, want %d", len(rows), want)
	}
	column := map[string]int{}
	for i, name := range rows[0] {
		column[name] = i
	}
	row := rows[2]
	first, _ := s.firstAndLast(t)
	for name, want := range map[string]string{
		"seq": strconv.FormatInt(first, 10), "kind": "credit", "account": "customers:(a):(a)", "amount": "-100001", "amount_major": "-1000.01", "currency": "KZT",
	} {
		if got := row[column[name]]; got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	last := rows[len(rows)-1]
	if got := last[column["reason"]]; got != "'=HYPERLINK(1)" {
		t.Errorf("a reason that is a formula: got %q", got)
	}
	if got := last[column["actor"]]; got != "'@home" {
		t.Errorf("an actor that is a formula: got %q", got)
	}
}

// issue gets a payment id from the shop's server.
func issue(t testing.TB, s *shop) string {
	t.Helper()
	r := s.serve(t)
	defer r.end(t)
	body, err := demoProject(t).CheckDeposit(platform.Deposit{CustomerID: "0", EntityID: "0", Money: tenge(1)})
	if err != nil {
		t.Fatal(err)
	}
	answer, err := r.player(t).Post(t.Context(), platform.Path, body)
	if err != nil {
		t.Fatal(err)
	}
	return decode[struct {
		PaymentID string `json:"payment_id"`
	}](t, string(answer.Body)).PaymentID
}
