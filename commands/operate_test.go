package commands_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"tolem/platform"
	"tolem/storetest"
	"tolem/testkit"
	"tolem/topup"
)

func tenge(amount int64) topup.Money { return topup.Money{Amount: amount, Currency: "KZT"} }

type payment struct {
	PaymentID string `json:"payment_id"`
	Status    string
	Flags     []string
	Credited  *struct {
		Amount        int64
		TransactionID string `json:"transaction_id"`
	}
	Transactions []transaction
	Timeline     []struct{ What string }
}

type transaction struct {
	Seq           int64
	TransactionID string `json:"transaction_id"`
	PaymentID     string `json:"payment_id"`
	Kind          string
	Actor, Reason string
	Reverses      string
	Resolves      string
	Postings      []struct {
		Account, Currency string
		Amount            int64
	}
}

type item struct {
	Item, State string
	PaymentID   string `json:"payment_id"`
	Amount      int64
	Flags       []string
}

func (s *shop) payment(t testing.TB, id string) payment {
	t.Helper()
	return decode[payment](t, s.must(t, "payments", "show", id, "--json"))
}

func (s *shop) simulate(t testing.TB, r *running, args ...string) result {
	t.Helper()
	return s.tolem(t, append([]string{"simulate", "kaspi", "--url", r.public, "--admin-url", r.admin}, args...)...)
}

var issuedID = regexp.MustCompile(`"payment_id": "([^"]+)"`)

// TestAnOperatorsDay follows money through every command that an operator has.
func TestAnOperatorsDay(t *testing.T) {
	s := newShop(t)
	s.env = []string{"TOLEM_ACTOR=aigerim"}
	r := s.serve(t)

	// A top-up that goes well.
	got := s.simulate(t, r, "--customer", "7123456789", "--entity", "12345", "--amount", "100000")
	if got.code != 0 {
		t.Fatalf("simulate: got %+v", got)
	}
	contains(t, "simulate", got.out, "1. verify: POST "+r.public+"/jetpay", "2. check_deposit", "3. callback", "answered HTTP 200",
		": succeeded", "credited 1000.00 KZT", "contract 12345: 0.00 KZT before, 1000.00 KZT after")
	if signature := regexp.MustCompile(`[A-Za-z0-9+/]{60}`); signature.MatchString(got.out) {
		t.Errorf("a whole signature is printed:\n%s", got.out)
	}
	good := s.payment(t, issuedID.FindStringSubmatch(got.out)[1])
	if good.Status != "succeeded" || good.Credited == nil || good.Credited.Amount != 100000 || len(good.Timeline) != 3 {
		t.Errorf("payment: got %+v", good)
	}

	// One that is declined.
	if got := s.simulate(t, r, "--customer", "7123456789", "--entity", "12345", "--amount", "100000", "--outcome", "decline"); got.code != 0 {
		t.Errorf("decline: got %+v", got)
	}

	// One that is refused: below the contract's minimum.
	got = s.simulate(t, r, "--customer", "7123456789", "--entity", "12345", "--amount", "1")
	if got.code != 1 {
		t.Errorf("refused: got %+v", got)
	}
	contains(t, "refused", got.err, "check_deposit: HTTP 200, code 500")

	// Another sum than was asked for comes into suspense, and is assigned.
	callback, err := demoProject(t).Callback(platform.NewCallback(platform.OutcomeSuccess, "payment_47", 4711, tenge(12000), time.Now()))
	r.post(t, callback, err)
	items := decode[[]item](t, s.must(t, "suspense", "list", "--json"))
	if len(items) != 1 || items[0].Amount != 12000 || items[0].State != "open" || !reflect.DeepEqual(items[0].Flags, []string{"amount_differs"}) {
		t.Fatalf("suspense: got %+v", items)
	}
	contains(t, "suspense list", s.must(t, "suspense", "list"), items[0].Item, "120.00 KZT", "amount_differs")
	refused := s.tolem(t, "payments", "credit", "payment_47", "--reason", "r")
	if refused.code != 1 {
		t.Errorf("credit of a payment in suspense: got %+v", refused)
	}
	contains(t, "credit of a payment in suspense", refused.err, "suspense assign")
	assigned := decode[transaction](t, s.must(t, "suspense", "assign", items[0].Item, "--customer", "123456789", "--entity", "12345", "--reason", "the payer called", "--json"))
	if assigned.Kind != "assignment" || assigned.Actor != "aigerim" || assigned.Reason != "the payer called" || assigned.Resolves != items[0].Item {
		t.Errorf("assignment: got %+v", assigned)
	}
	if again := s.tolem(t, "suspense", "assign", items[0].Item, "--customer", "123456789", "--entity", "12345", "--reason", "again"); again.code != 1 {
		t.Errorf("assigned twice: got %+v", again)
	}
	if got := s.payment(t, "payment_47"); got.Status != "succeeded" || got.Credited.TransactionID != assigned.TransactionID {
		t.Errorf("assigned payment: got %+v", got)
	}
	if open := s.must(t, "suspense", "list"); open != "none\n" {
		t.Errorf("open items: got %s", open)
	}

	// The assignment was a mistake: it is reversed, and the money returned.
	reversal := decode[transaction](t, s.must(t, "ledger", "reverse", assigned.TransactionID, "--reason", "wrong payer", "--actor", "daniyar", "--json"))
	if reversal.Kind != "reversal" || reversal.Actor != "daniyar" || reversal.Reverses != assigned.TransactionID {
		t.Errorf("reversal: got %+v", reversal)
	}
	if again := s.tolem(t, "ledger", "reverse", assigned.TransactionID, "--reason", "again"); again.code != 1 {
		t.Errorf("reversed twice: got %+v", again)
	}
	contains(t, "return", s.must(t, "suspense", "return", items[0].Item, "--reason", "refunded"), "return", "debit", "suspense:jetpay:1234", "120.00 KZT", "aigerim: refunded")
	all := decode[[]item](t, s.must(t, "suspense", "list", "--all", "--json"))
	if len(all) != 1 || all[0].State != "returned" {
		t.Errorf("all items: got %+v", all)
	}

	// A callback that never came.
	got = s.simulate(t, r, "--customer", "7011112233", "--entity", "e1", "--amount", "500", "--outcome", "decline")
	lost := issuedID.FindStringSubmatch(got.out)[1]
	credit := s.must(t, "payments", "credit", lost, "--reason", "in the platform's report")
	contains(t, "credit", credit, "manual_credit", "customers:7011112233:e1", "5.00 KZT")
	contains(t, "payments show", s.must(t, "payments", "show", lost), "succeeded", "by an operator", "in the platform's report")

	contains(t, "payments list", s.must(t, "payments", "list", "--customer", "7011112233"), lost, "5.00 KZT")
	if found := decode[[]payment](t, s.must(t, "payments", "list", "--q", "4711", "--json")); len(found) != 1 || found[0].PaymentID != "payment_47" {
		t.Errorf("found by operation: got %+v", found)
	}
	if pending := s.must(t, "payments", "list", "--status", "pending", "--q", "payment_47", "--json"); pending != "[]\n" {
		t.Errorf("pending: got %s", pending)
	}
	limited := s.tolem(t, "payments", "list", "--limit", "1", "--json")
	if n := len(decode[[]payment](t, limited.out)); n != 1 {
		t.Errorf("--limit 1: got %d payments", n)
	}
	contains(t, "--limit 1", limited.err, "there are more")

	contains(t, "balances", s.must(t, "ledger", "balances"), "customers:7123456789:12345", "-1000.00", "settlement:jetpay:1234", "total")
	contains(t, "check", s.must(t, "ledger", "check"), "the ledger is sound: 6 transactions")
	r.end(t)
	contains(t, "check after the stop", s.must(t, "ledger", "check"), "the ledger is sound: 6 transactions")
}

func TestWhatDoesNotExistExitsWith1(t *testing.T) {
	s := newShop(t)
	for _, line := range []string{
		"accounts show nobody", "payments show p_none", "payments credit p_none --reason r", "suspense assign t_none --customer 1 --entity 1 --reason r",
		"suspense return t_none --reason r", "ledger reverse t_none --reason r", "accounts import nowhere.jsonl", "accounts import accounts.txt",
		"replay ../fixtures/nowhere", "backup /nonexistent/folder/copy.db",
	} {
		got := s.tolem(t, strings.Fields(line)...)
		if got.code != 1 || got.out != "" || !strings.HasPrefix(got.err, "tolem: ") {
			t.Errorf("%s: got %+v", line, got)
		}
	}
}

func TestWithoutActorTheSystemsUserIsRecorded(t *testing.T) {
	s := newShop(t)
	s.serve(t).end(t)
	made := decode[transaction](t, s.must(t, "payments", "credit", "payment_47", "--reason", "r", "--json"))
	if made.Actor == "" {
		t.Errorf("got %+v, want the system's user as actor", made)
	}
}

func TestPeriodsAreCutAtMidnightOfTheConfiguredTimezone(t *testing.T) {
	s := newShop(t, "timezone: Asia/Almaty")
	r := s.serve(t)
	// In Almaty (+05) the first is already the second of November.
	for i, at := range []string{"2026-11-01T19:00:00Z", "2026-11-01T18:59:59Z", "2026-11-02T18:59:59Z", "2026-11-02T19:00:00Z"} {
		effective, err := time.Parse(time.RFC3339, at)
		if err != nil {
			t.Fatal(err)
		}
		callback, err := demoProject(t).Callback(platform.NewCallback(platform.OutcomeSuccess, "unknown_"+at[8:10]+at[11:13], int64(i+1), tenge(int64(i+1)), effective))
		r.post(t, callback, err)
	}
	credits := func(args ...string) int64 {
		balances := decode[[]struct {
			Account         string
			Debits, Credits int64
		}](t, s.must(t, append([]string{"ledger", "balances", "--json", "--prefix", "suspense:"}, args...)...))
		if len(balances) == 0 {
			return 0
		}
		return balances[0].Credits
	}
	for _, tc := range []struct {
		args []string
		want int64
	}{
		{nil, 10},
		{[]string{"--from", "2026-11-02", "--to", "2026-11-02"}, 1 + 3},
		{[]string{"--from", "2026-11-02"}, 1 + 3 + 4},
		{[]string{"--to", "2026-11-01"}, 2},
		{[]string{"--from", "2026-11-01T18:59:59Z", "--to", "2026-11-01T19:00:00Z"}, 2},
		{[]string{"--from", "2026-11-02", "--to", "2026-11-02", "--by", "recorded"}, 0},
	} {
		if got := credits(tc.args...); got != tc.want {
			t.Errorf("%v: got %d, want %d", tc.args, got, tc.want)
		}
	}
	days := strings.Count(s.must(t, "ledger", "export", "--format", "csv", "--from", "2026-11-02", "--to", "2026-11-02"), ",2026-11-02,")
	if days != 4 {
		t.Errorf("csv: got %d postings on 2026-11-02, want 4", days)
	}
}

func TestADayWithoutMidnightIsCutAtItsFirstInstant(t *testing.T) {
	s := newShop(t, "timezone: America/Havana") // 2026-03-08 begins at 01:00, an hour after 23:59
	r := s.serve(t)
	for i, at := range []string{"2026-03-08T04:59:59Z", "2026-03-08T05:00:00Z", "2026-03-09T03:59:59Z", "2026-03-09T04:00:00Z"} {
		effective, err := time.Parse(time.RFC3339, at)
		if err != nil {
			t.Fatal(err)
		}
		callback, err := demoProject(t).Callback(platform.NewCallback(platform.OutcomeSuccess, fmt.Sprint("unknown_", i), int64(i+1), tenge(int64(i+1)), effective))
		r.post(t, callback, err)
	}
	for day, want := range map[string][]string{"2026-03-07": {"1"}, "2026-03-08": {"2", "3"}, "2026-03-09": {"4"}} {
		var got []string
		for line := range strings.Lines(s.must(t, "ledger", "export", "--format", "jsonl", "--from", day, "--to", day)) {
			got = append(got, decode[struct {
				Operation string `json:"operation_id"`
			}](t, line).Operation)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got operations %v, want %v", day, got, want)
		}
		if got := strings.Count(s.must(t, "ledger", "export", "--format", "csv"), ","+day+","); got != 2*len(want) {
			t.Errorf("%s: got %d postings in the export, want %d", day, got, 2*len(want))
		}
	}
}

func TestARefundDoesNotHideTheSale(t *testing.T) {
	s := newShop(t)
	r := s.serve(t)
	sold := time.Date(2026, 11, 20, 8, 0, 0, 0, time.UTC)
	sale := platform.NewCallback(platform.OutcomeSuccess, "payment_47", 4711, tenge(10000), sold)
	refund := platform.NewCallback(platform.OutcomeSuccess, "payment_47", 4712, tenge(10000), sold.Add(24*time.Hour))
	refund.Payment.Status, refund.Operation.Type = "refunded", "refund"
	for _, c := range []platform.Callback{sale, refund} {
		callback, err := demoProject(t).Callback(c)
		r.post(t, callback, err)
	}
	shown := decode[struct {
		OperationID string `json:"operation_id"`
		Receipt     string `json:"provider_payment_id"`
		Timeline    []struct {
			What        string
			OperationID string `json:"operation_id"`
		}
	}](t, s.must(t, "payments", "show", "payment_47", "--json"))
	if shown.OperationID != "4711" || shown.Receipt != "kaspi-4711" {
		t.Errorf("got operation %s and receipt %s, want those of the sale", shown.OperationID, shown.Receipt)
	}
	var delivered []string
	for _, entry := range shown.Timeline {
		if entry.What == "message" {
			delivered = append(delivered, entry.OperationID)
		}
	}
	if want := []string{"4711", "4712"}; !reflect.DeepEqual(delivered, want) {
		t.Errorf("timeline: got operations %v, want %v", delivered, want)
	}
	text := regexp.MustCompile(` +`).ReplaceAllString(s.must(t, "payments", "show", "payment_47"), " ")
	contains(t, "payments show", text,
		"provider's status refunded\n", "provider's date 2026-11-21 13:00:00 +0500\n",
		"movement operation 4711 on 2026-11-20 13:00:00 +0500, credit\n",
		"\noperation 4711\n", "other operations 4712 (refunded)\n", "receipt kaspi-4711\n")
}

func TestAListIsWholeUnlessItIsLimited(t *testing.T) {
	s := newShop(t)
	s.serve(t).end(t)
	s.breakBooks(t, `INSERT INTO payments (id, payment_id, provider, project, customer_id, entity_id, contract_number, amount, currency, method, status, flags, created_at)
		WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2345)
		SELECT 1000000 + i, 'p_many' || i, 'jetpay', '1234', 'many', 'e', '', i, 'KZT', '', 'pending', 0, i FROM n`)
	if n := len(decode[[]payment](t, s.must(t, "payments", "list", "--customer", "many", "--json"))); n != 2345 {
		t.Errorf("got %d payments, want 2345", n)
	}
	if n := strings.Count(s.must(t, "payments", "list", "--customer", "many"), "p_many"); n != 2345 {
		t.Errorf("got %d lines, want 2345", n)
	}
	for _, args := range [][]string{{"--json"}, nil} {
		got := s.tolem(t, append([]string{"payments", "list", "--customer", "many", "--limit", "1200"}, args...)...)
		if n := strings.Count(got.out, "p_many"); got.code != 0 || n != 1200 {
			t.Errorf("--limit 1200: got code %d and %d payments", got.code, n)
		}
		contains(t, "--limit 1200", got.err, "there are more than these 1200 payments")
	}
	if got := s.tolem(t, "payments", "list", "--customer", "many", "--limit", "2345", "--json"); got.err != "" {
		t.Errorf("--limit of just as many: got %s", got.err)
	}
}

func TestPaymentsAreSearchedForAsPeopleAsk(t *testing.T) {
	s := newShop(t)
	r := s.serve(t)
	got := s.simulate(t, r, "--customer", "7123456789", "--entity", "12345", "--amount", "512300")
	if got.code != 0 {
		t.Fatalf("simulate: got %+v", got)
	}
	id := issuedID.FindStringSubmatch(got.out)[1]
	for _, args := range [][]string{
		{"--amount", "5123.00"}, {"--amount", "5123"}, {"--amount", "5123", "--status", "succeeded"},
		{"--q", "1234_ABC/01", "--customer", "7123456789", "--amount", "5123"}, {"--q", "1234_ABC / 01", "--amount", "5123"},
	} {
		found := decode[[]payment](t, s.must(t, append([]string{"payments", "list", "--json"}, args...)...))
		if len(found) != 1 || found[0].PaymentID != id {
			t.Errorf("%q: got %+v, want %s", args, found, id)
		}
	}
	if got := s.must(t, "payments", "list", "--json", "--amount", "512300"); got != "[]\n" {
		t.Errorf("minor units: got %s", got)
	}
	contains(t, "an amount alone", s.tolem(t, "payments", "list", "--amount", "5123").err, "only payments from 20", "give --from")
	if got := s.tolem(t, "payments", "list", "--amount", "5123", "--customer", "7123456789"); got.err != "" {
		t.Errorf("an amount with a customer: got %s", got.err)
	}
	last := decode[[]payment](t, s.must(t, "payments", "list", "--json", "--amount", "5123", "--to", "2020-01-31"))
	if len(last) != 0 {
		t.Errorf("40 days up to 2020: got %+v", last)
	}
}

func TestSuspenseIsListedByFlagAmountAndDay(t *testing.T) {
	s := newShop(t) // Asia/Almaty
	r := s.serve(t)
	paidAt := time.Date(2026, 11, 20, 19, 30, 0, 0, time.UTC) // the 21st in Almaty
	for _, c := range []platform.Callback{
		platform.NewCallback(platform.OutcomeSuccess, "payment_47", 4711, tenge(12000), paidAt),
		platform.NewCallback(platform.OutcomeSuccess, "unknown_1", 4712, tenge(12000), paidAt.Add(-time.Hour)),
		platform.NewCallback(platform.OutcomeSuccess, "unknown_2", 4713, tenge(500000), paidAt),
	} {
		callback, err := demoProject(t).Callback(c)
		r.post(t, callback, err)
	}
	for _, tc := range []struct {
		args string
		want []string
	}{
		{"", []string{"4711", "4712", "4713"}},
		{"--flag unknown_payment", []string{"4712", "4713"}},
		{"--amount 120.00", []string{"4711", "4712"}},
		{"--amount 5000", []string{"4713"}},
		{"--from 2026-11-21 --to 2026-11-21", []string{"4711", "4713"}},
		{"--to 2026-11-20", []string{"4712"}},
		{"--to 2026-11-20 --by recorded", nil},
		{"--flag unknown_payment --amount 5000.00 --from 2026-11-21", []string{"4713"}},
	} {
		var got []string
		for _, item := range decode[[]struct {
			Operation string `json:"operation_id"`
			Receipt   string `json:"provider_payment_id"`
		}](t, s.must(t, append([]string{"suspense", "list", "--json"}, strings.Fields(tc.args)...)...)) {
			got = append(got, item.Operation)
			if item.Receipt != "kaspi-"+item.Operation {
				t.Errorf("operation %s: got receipt %q", item.Operation, item.Receipt)
			}
		}
		if !reflect.DeepEqual(got, tc.want) {
			t.Errorf("%s: got operations %v, want %v", tc.args, got, tc.want)
		}
	}
	contains(t, "suspense list", s.must(t, "suspense", "list", "--amount", "5000"), "RECEIPT", "kaspi-4713", "2026-11-21 00:30:00 +0500")
}

func TestABrokenLedgerIsNamed(t *testing.T) {
	s := newShop(t)
	r := s.serve(t)
	if got := s.simulate(t, r, "--customer", "7123456789", "--entity", "12345", "--amount", "100000"); got.code != 0 {
		t.Fatalf("simulate: got %+v", got)
	}
	r.end(t)
	table, column := "ledger_accounts", "id"
	if storetest.OnPostgres() {
		table, column = "ledger_totals", "account_id"
	}
	s.breakBooks(t, fmt.Sprintf(`UPDATE %s SET credits = credits + 1
		WHERE %s = (SELECT id FROM ledger_balances WHERE name = 'customers:7123456789:12345')`, table, column))
	got := s.tolem(t, "ledger", "check")
	if got.code != 1 || got.out != "" {
		t.Errorf("got %+v", got)
	}
	contains(t, "standard error", got.err, "customers:7123456789:12345", "the ledger is broken")
	copied := s.tolem(t, "backup", filepath.Join(s.dir, "copy.db"))
	if copied.code != 1 {
		t.Errorf("a backup of a broken ledger: got %+v", copied)
	}
}

func TestABackupIsADatabaseOfItsOwn(t *testing.T) {
	s := newShop(t)
	r := s.serve(t)
	if got := s.simulate(t, r, "--customer", "7123456789", "--entity", "12345", "--amount", "100000"); got.code != 0 {
		t.Fatalf("simulate: got %+v", got)
	}
	copied := filepath.Join(s.dir, "copy.db")
	_, last := s.firstAndLast(t)
	contains(t, "backup", s.must(t, "backup", copied), copied+" reaches to 20", fmt.Sprintf("the last ledger transaction is %d; checked", last))
	if again := s.tolem(t, "backup", copied); again.code != 1 {
		t.Errorf("over a file that exists: got %+v", again)
	}
	here := s.must(t, "ledger", "export", "--format", "jsonl")
	s.env = []string{"TOLEM_DATABASE__DRIVER=sqlite", "TOLEM_DATABASE__DSN=" + copied}
	if there := s.must(t, "ledger", "export", "--format", "jsonl"); there != here || here == "" {
		t.Errorf("got %s in the copy, want %s", there, here)
	}
	contains(t, "check of the copy", s.must(t, "ledger", "check"), "sound: 1 transactions")
}

// TestABackupHasNoSecret: who takes a copy can neither sign messages nor use the API,
// though the copy knows who may approve steps.
func TestABackupHasNoSecret(t *testing.T) {
	s := newShop(t, "four_eyes: [credit]", notifying("127.0.0.1:1"))
	r := s.serve(t)
	if got := s.simulate(t, r, "--customer", "7123456789", "--entity", "12345", "--amount", "100000"); got.code != 0 {
		t.Fatalf("simulate: got %+v", got)
	}
	copied := filepath.Join(s.dir, "copy.db")
	s.must(t, "backup", copied)
	content := readFile(t, copied)
	contains(t, "the copy", content, "7123456789", "billing", "demo")
	key := readFile(t, "../fixtures/highhelp/keys/request.pem")
	for name, secret := range map[string]string{
		"a token": "demo-admin-token", "JetPay's secret": "demo-secret", "the secret of notifications": strings.TrimPrefix(eventSecret, "whsec_"),
		"HighHelp's key": strings.Split(key, "\n")[1],
	} {
		if strings.Contains(content, secret) {
			t.Errorf("the copy has %s", name)
		}
	}
}

func TestImportReportsEveryBadLineAndImportsNothing(t *testing.T) {
	s := newShop(t)
	s.env = []string{"TOLEM_DEMO__ACCOUNTS=", "TOLEM_DEMO__PAYMENTS="}
	file := testkit.WriteFile(t, s.dir, "bad.jsonl", `{"customer_id":"1","additional_customer_id":"A","currency":"KZT","entities":[{"id":"e","number":"N"}]}
{"customer_id":"2","additional_customer_id":"A","currency":"KZT","entities":[]}
nonsense
{"customer_id":"3","additional_customer_id":"A","currency":"TENGE","entities":[{"id":"e","number":"N"}]}
`)
	got := s.tolem(t, "accounts", "import", file)
	if got.code != 1 || got.out != "" {
		t.Errorf("got %+v", got)
	}
	contains(t, "standard error", got.err, file+": line 2: ", file+": line 3: ", file+": line 4: ", "3 problems", "nothing was imported")
	if list := s.must(t, "accounts", "list"); list != "none\n" {
		t.Errorf("got accounts %s, want none", list)
	}
}

func TestImportAddsAndReplaceCloses(t *testing.T) {
	s := newShop(t)
	s.env = []string{"TOLEM_DEMO__ACCOUNTS=", "TOLEM_DEMO__PAYMENTS="}
	first := testkit.WriteFile(t, s.dir, "first.csv", `customer_id,additional_customer_id,currency,entity_id,number,payment,min_payment,info
1,A,KZT,e1,N-1,1000,500,"{""debt"":5}"
1,A,KZT,e2,N-2,,,
2,B,KGS,e1,N-3,,,
`)
	contains(t, "dry run", s.must(t, "accounts", "import", "--dry-run", first), "2 accounts with 3 contracts can be imported")
	if list := s.must(t, "accounts", "list", "--json"); list != "[]\n" {
		t.Errorf("after a dry run: got %s", list)
	}
	contains(t, "import", s.must(t, "accounts", "import", first), "2 accounts with 3 contracts imported: 2 created")
	second := testkit.WriteFile(t, s.dir, "second.jsonl", `{"customer_id":"1","additional_customer_id":"A","currency":"KZT","entities":[{"id":"e1","number":"N-1b"}]}`+"\n")
	contains(t, "second import", s.must(t, "accounts", "import", second), "1 changed")
	states := func() map[string]string {
		found := map[string]string{}
		for line := range strings.Lines(s.must(t, "accounts", "list")) {
			cells := strings.Fields(line)
			found[cells[0]+"/"+cells[1]] = cells[len(cells)-1]
		}
		delete(found, "CUSTOMER/CONTRACT")
		return found
	}
	if got, want := states(), map[string]string{"1/e1": "open", "1/e2": "open", "2/e1": "open"}; !reflect.DeepEqual(got, want) {
		t.Errorf("what is absent stays: got %v, want %v", got, want)
	}
	for _, dry := range [][]string{{"--dry-run"}, nil} {
		for _, yes := range [][]string{nil, {"--yes-close", "2"}} {
			refused := s.tolem(t, slices.Concat([]string{"accounts", "import", "--replace", second}, dry, yes)...)
			if refused.code != 1 || refused.out != "" {
				t.Errorf("half of the accounts closed unasked: got %+v", refused)
			}
			contains(t, "refusal", refused.err, "1 of 2 open accounts", "10 % (accounts.max_close_percent)", "--yes-close 1")
		}
	}
	contains(t, "dry run of the replace", s.must(t, "accounts", "import", "--replace", "--dry-run", "--yes-close", "1", second), "1 of 2 open accounts and 1 contract of others would be closed")
	contains(t, "replace", s.must(t, "accounts", "import", "--replace", "--yes-close", "1", second), "1 account closed, and 1 contract of others")
	if got, want := states(), map[string]string{"1/e1": "open", "1/e2": "closed", "2/e1": "closed"}; !reflect.DeepEqual(got, want) {
		t.Errorf("--replace closes: got %v, want %v", got, want)
	}
	contains(t, "show", s.must(t, "accounts", "show", "1"), "N-1b", "closed")
}

// ask reads a path of the admin API.
func (r *running) ask(t testing.TB, path string) string {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, r.admin+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer demo-admin-token")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("%s: got %d %s, %v", path, response.StatusCode, body, err)
	}
	return string(body)
}

func TestTheJSONOfTheCommandsIsThatOfTheAdminAPI(t *testing.T) {
	s := newShop(t)
	r := s.serve(t)
	// A bit of everything: replayed fixtures leave all kinds of payments.
	if got := s.tolem(t, "replay", "--url", r.public, "--admin-url", r.admin, "../fixtures/jetpay/seed-page", "../fixtures/jetpay/late", "../fixtures/jetpay/unknown-payment"); got.code != 0 {
		t.Fatalf("replay: got %+v", got)
	}
	items := decode[[]item](t, s.must(t, "suspense", "list", "--json"))
	if len(items) == 0 {
		t.Fatal("the fixtures left nothing in suspense")
	}
	made := decode[transaction](t, s.must(t, "suspense", "assign", items[0].Item, "--customer", "7000000010", "--entity", "c1", "--reason", "r", "--json"))
	s.must(t, "ledger", "reverse", made.TransactionID, "--reason", "r")

	same := func(what, command, api string) {
		t.Helper()
		got, want := decode[any](t, command), decode[any](t, api)
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s:\n got %s\nwant %s", what, command, api)
		}
	}
	member := func(text, name string) string { return string(decode[map[string]json.RawMessage](t, text)[name]) }
	list := s.must(t, "payments", "list", "--json")
	same("payments list", list, member(r.ask(t, "/api/v1/payments?limit=500"), "payments"))
	for _, p := range decode[[]payment](t, list) {
		same("payments show", s.must(t, "payments", "show", p.PaymentID, "--json"), r.ask(t, "/api/v1/payments/"+url.PathEscape(p.PaymentID)))
	}
	accounts := decode[[]struct {
		CustomerID string `json:"customer_id"`
	}](t, s.must(t, "accounts", "list", "--json"))
	if len(accounts) < 5 {
		t.Fatalf("got %d accounts", len(accounts))
	}
	for _, account := range accounts {
		same("accounts show", s.must(t, "accounts", "show", account.CustomerID, "--json"), r.ask(t, "/api/v1/accounts/"+url.PathEscape(account.CustomerID)))
	}
	same("ledger balances", s.must(t, "ledger", "balances", "--json"), member(r.ask(t, "/api/v1/ledger/balances?limit=1000"), "accounts"))
	feed := decode[[]any](t, member(r.ask(t, "/api/v1/ledger/transactions?limit=1000"), "transactions"))
	exported := strings.Split(strings.TrimSpace(s.must(t, "ledger", "export", "--format", "jsonl")), "\n")
	if len(feed) != len(exported) || len(feed) < 5 {
		t.Fatalf("got %d exported transactions and %d in the feed", len(exported), len(feed))
	}
	for i := range feed {
		if got := decode[any](t, exported[i]); !reflect.DeepEqual(got, feed[i]) {
			t.Errorf("transaction %d: got %v, want %v", i, got, feed[i])
		}
	}
}

func TestALoadIsMeasuredAndComparedWithTheBooks(t *testing.T) {
	s := newShop(t)
	r := s.serve(t)
	got := s.simulate(t, r, "--customer", "7123456789", "--entity", "12345", "--amount", "100000", "--count", "600", "--concurrency", "8")
	if got.code != 0 || got.err != "" {
		t.Fatalf("got %+v", got)
	}
	contains(t, "summary", got.out, "1800 messages in ", "a second", "p50", "p99", "check_deposit", "top-ups: 600 started, 600 done, 0 errors",
		"acknowledged 600, booked as success 600; the contract got 600000.00 KZT")
	got = s.simulate(t, r, "--customer", "7123456789", "--entity", "12345", "--amount", "1", "--count", "5")
	if got.code != 1 {
		t.Errorf("a load that is refused: got %+v", got)
	}
	contains(t, "a load that is refused", got.out, "0 done, 5 errors", "5 × check_deposit: HTTP 200, code 500")
}

func TestALoadPaysTheContractsOfAFileInTurn(t *testing.T) {
	s := newShop(t)
	s.env = []string{"TOLEM_DEMO__ACCOUNTS=", "TOLEM_DEMO__PAYMENTS="}
	jsonl := testkit.WriteFile(t, s.dir, "accounts.jsonl", `{"customer_id":"1","additional_customer_id":"A","currency":"KZT","entities":[{"id":"e1","number":"N-1"},{"id":"e2","number":"N-2","closed":true}]}
{"customer_id":"2","additional_customer_id":"B","currency":"KGS","entities":[{"id":"e1","number":"N-3"}]}
{"customer_id":"3","additional_customer_id":"C","currency":"KZT","closed":true,"entities":[{"id":"e1","number":"N-4"}]}
`)
	csv := testkit.WriteFile(t, s.dir, "accounts.csv", "customer_id,additional_customer_id,currency,entity_id,number,payment,min_payment,info\n1,A,KZT,e1,N-1,,,\n2,B,KGS,e1,N-3,,,\n")
	s.must(t, "accounts", "import", jsonl)
	r := s.serve(t)
	got := s.simulate(t, r, "--accounts", jsonl, "--amount", "10000", "--count", "5", "--concurrency", "2")
	if got.code != 0 {
		t.Fatalf("got %+v", got)
	}
	contains(t, "count", got.out, "top-ups: 5 started, 5 done, 0 errors", "acknowledged 5, booked as success 5\n")
	got = s.simulate(t, r, "--accounts", csv, "--amount", "1")
	if got.code != 0 {
		t.Fatalf("got %+v", got)
	}
	contains(t, "one each", got.out, "top-ups: 2 started, 2 done, 0 errors")
	contains(t, "balances", s.must(t, "accounts", "list"), "300.01 KZT", "200.01 KGS")
	if got := s.simulate(t, r, "--accounts", jsonl, "--amount", "1", "--outcome", "decline"); got.code != 0 {
		t.Errorf("decline: got %+v", got)
	}

	for name, text := range map[string]string{"line 2: ": "{\"customer_id\":\"1\",\"additional_customer_id\":\"A\",\"currency\":\"KZT\",\"entities\":[{\"id\":\"e1\",\"number\":\"N-1\"}]}\n{}\n", "has no open contract": "\n"} {
		got := s.simulate(t, r, "--accounts", testkit.WriteFile(t, s.dir, "bad.jsonl", text), "--amount", "1")
		if got.code != 1 || got.out != "" || !strings.Contains(got.err, "bad.jsonl") || !strings.Contains(got.err, name) {
			t.Errorf("%s: got %+v", name, got)
		}
	}
	if got := s.simulate(t, r, "--accounts", "nowhere.jsonl", "--amount", "1"); got.code != 1 {
		t.Errorf("no such file: got %+v", got)
	}
}

func TestSimulateWithoutTheAdminAPISaysSoOnce(t *testing.T) {
	s := newShop(t)
	r := s.serve(t)
	got := s.tolem(t, "simulate", "kaspi", "--url", r.public, "--customer", "7123456789", "--entity", "12345", "--amount", "100000")
	if got.code != 0 || strings.Count(got.err, "effects on the ledger are not checked") != 1 {
		t.Errorf("got %+v", got)
	}
	if strings.Contains(got.out, "The ledger says") {
		t.Errorf("got %s, want nothing about the ledger", got.out)
	}
	got = s.tolem(t, "simulate", "kaspi", "--url", r.public, "--admin-url", "http://127.0.0.1:1", "--customer", "7123456789", "--entity", "12345", "--amount", "100000")
	if got.code != 1 {
		t.Errorf("a named admin API that cannot be reached: got %+v", got)
	}
}

// TestAControlCharacterOfARecordIsNotPrinted is about a record of an older
// version, which took U+0080 to U+009F: a terminal may obey them.
func TestAControlCharacterOfARecordIsNotPrinted(t *testing.T) {
	s := newShop(t)
	s.env = []string{"TOLEM_DEMO__ACCOUNTS=", "TOLEM_DEMO__PAYMENTS="}
	file := testkit.WriteFile(t, s.dir, "a.jsonl", `{"customer_id":"1","additional_customer_id":"A","currency":"KZT","entities":[{"id":"e","number":"N-1"}]}`)
	s.must(t, "accounts", "import", file)
	s.breakBooks(t, "UPDATE accounts SET additional_customer_id = 'A\u009b2J', entities = replace(entities, 'N-1', 'N\u009b2J')")
	for _, command := range []string{"accounts list", "accounts show 1"} {
		out := s.must(t, strings.Fields(command)...)
		contains(t, command, out, `N\u009b2J`)
		if strings.ContainsRune(out, 0x9b) {
			t.Errorf("%s prints a control character: %q", command, out)
		}
	}
}
