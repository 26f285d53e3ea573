package topup_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"tolem/topup"
)

func TestCheckID(t *testing.T) {
	for _, id := range []string{"1", "7123456789", "+77071234567", "a/b", "a%2Fb", "Әсел-7", "p_01J", strings.Repeat("x", 255),
		"12E5", "한글", "№7", "♥", "é"} {
		if err := topup.CheckID(id); err != nil {
			t.Errorf("CheckID(%q): %v", id, err)
		}
	}
	for _, id := range []string{"", " ", "a b", "a\tb", "a;b", "a:b", "a\x00b", "a\u200bb", "a\u00a0b", "a\u2028b", "\xff",
		"\u3164", "a\u115fb", "a\u1160b", "a\uffa0b", "\u2800", "a\ufe0fb", "a\U000e0100b", "a\u00adb", "a\u202eb", "a\u034fb", "a\u17b4b", "a\u180bb", "a\ufeffb", "a\ufffdb", strings.Repeat("x", 256)} {
		if err := topup.CheckID(id); err == nil {
			t.Errorf("CheckID(%q): no error", id)
		}
	}
}

func TestKZPhoneNormaliser(t *testing.T) {
	for typed, want := range map[string]string{
		"7071234567":                 "7071234567",
		"87071234567":                "7071234567",
		"77071234567":                "7071234567",
		"+77071234567":               "7071234567",
		"+7 707 123-45-67":           "7071234567",
		"8 (707) 123-45-67":          "7071234567",
		"707 123 45 67":              "7071234567",
		"8.707.123.45.67":            "7071234567",
		"8/707/1234567":              "7071234567",
		"8\u00a0707\u202f123\t4567":  "7071234567", // no-break, narrow and other blanks
		"8‑707–123—45−67":            "7071234567", // U+2011, U+2013, U+2014, U+2212
		"\u202a+7 707 1234567\u202c": "7071234567", // as copied from a telephone's contacts
		" 7071234567 ":               "7071234567",
		"":                           "",
		"12345":                      "12345",
		"12345\n":                    "12345\n",
		" 12345\u00a0":               "12345",
		"+7071234567":                "+7071234567",
		"+87071234567":               "+87071234567",
		"97071234567":                "97071234567",
		"8707123456a":                "8707123456a",
		"ABC-12345":                  "ABC-12345",
		"7071234567890":              "7071234567890",
		"٧٠٧١٢٣٤٥٦٧":                 "٧٠٧١٢٣٤٥٦٧",
		// No Kazakh number begins otherwise than with 7: two customers must not
		// become one.
		"81234567890":   "81234567890",
		"1234567890":    "1234567890",
		"80000012345":   "80000012345",
		"123-456-78-90": "123-456-78-90",
		// A spreadsheet's fraction is no separator: this would be 7712345690.
		"7771234569.0": "7771234569.0",
	} {
		if got := topup.NormalizeKZPhone.Apply(typed); got != want {
			t.Errorf("kz_phone %q: got %q, want %q", typed, got, want)
		}
		if got, want := topup.NormalizeNone.Apply(typed), strings.Trim(typed, " \u00a0"); got != want {
			t.Errorf("none %q: got %q, want %q", typed, got, want)
		}
	}
	if topup.NormalizeKZPhone.Fits("1234567890") || !topup.NormalizeKZPhone.Fits("7071234567") || !topup.NormalizeNone.Fits("x") {
		t.Error("Fits does not tell a Kazakh number from others")
	}
}

func TestAnIDThatASpreadsheetHasDestroyedIsNoRecords(t *testing.T) {
	destroyed := []string{
		"9.96555E+11", "9,96555E+11", "1E+11", "9.96555e+11", "1.2E-05", "7.071234567E9", "9.96555123456E11", "1.0E7", "7071234569.0", "7071234569,00", "'7011110001", `="7011110001"`,
		"#N/A", "#n/a", "#REF!", "#VALUE!", "#NAME?", "#DIV/0!", "#NUM!", "#NULL!", "#SPILL!", "#Н/Д", "#ССЫЛКА!", "#ЗНАЧ!", "#ИМЯ?", "########",
		"NULL", "null", "None", "nan", "NaN", "N/A", "undefined", `\N`,
	}
	for _, id := range destroyed {
		a := account()
		a.CustomerID, a.Contracts[1].ID = id, id
		if problems := a.Check(); len(problems) != 2 {
			t.Errorf("%s: got %v, want a problem of customer_id and of entities[1].id", id, problems)
		}
	}
	for _, id := range []string{"12E5", "1E5", "0E11", "1.5E2", "12.5E11", "7.0e9", "12.0", "10.5", "A-7071234569.0", "7071234569.01", "#12", "A#REF", "NULLA", "none", "NA", "O'Neill", "'m", "=e", "1000.00", "N", "0", "-"} {
		a := account()
		a.CustomerID, a.Contracts[1].ID = id, id
		if problems := a.Check(); len(problems) != 0 {
			t.Errorf("%s: got %v, want none", id, problems)
		}
	}
	for _, text := range []string{"9.96555E+11", "#N/A", "Err:502", "NULL", "\u3164", " ", "\u00a0\u200b", "Алма\ufffd"} {
		a := account()
		a.AdditionalCustomerID, a.Contracts[0].Number = text, text
		if problems := a.Check(); len(problems) != 2 {
			t.Errorf("number %q: got %v, want two problems", text, problems)
		}
	}
	for _, text := range []string{"12345.0", "'a'", "№ 1 от 01.02.2025", "=A", "1/2", "#5"} {
		a := account()
		a.AdditionalCustomerID, a.Contracts[0].Number = text, text
		if problems := a.Check(); len(problems) != 0 {
			t.Errorf("number %q: got %v, want none", text, problems)
		}
	}
}

func amount(n int64) *int64 { return &n }

func account() topup.Account {
	return topup.Account{
		CustomerID: "7123456789", AdditionalCustomerID: "ABCDE12345", Currency: "KZT",
		Contracts: []topup.Contract{
			{ID: "12345", Number: "1234_ABC/01-01-2025/Abcdef12", Payment: amount(100000), MinPayment: amount(100000), Info: json.RawMessage(`{"total_debt":500000}`)},
			{ID: "67890", Number: "5678_ABC", Closed: true},
		},
	}
}

func TestAccountCheckNamesEveryFieldThatBreaksARule(t *testing.T) {
	good := account()
	if problems := good.Check(); len(problems) != 0 {
		t.Fatalf("a good account: %v", problems)
	}
	tests := map[string]func(*topup.Account){
		"customer_id":             func(a *topup.Account) { a.CustomerID = "a b" },
		"additional_customer_id":  func(a *topup.Account) { a.AdditionalCustomerID = "" },
		"currency":                func(a *topup.Account) { a.Currency = "kzt" },
		"entities":                func(a *topup.Account) { a.Contracts = nil },
		"entities[0].id":          func(a *topup.Account) { a.Contracts[0].ID = "a:b" },
		"entities[1].id":          func(a *topup.Account) { a.Contracts[1].ID = a.Contracts[0].ID },
		"entities[0].number":      func(a *topup.Account) { a.Contracts[0].Number = strings.Repeat("n", 256) },
		"entities[1].number":      func(a *topup.Account) { a.Contracts[1].Number = "a\nb" },
		"entities[0].payment":     func(a *topup.Account) { a.Contracts[0].Payment = amount(-1) },
		"entities[0].min_payment": func(a *topup.Account) { a.Contracts[0].MinPayment = amount(topup.MaxAmount + 1) },
		"entities[0].info":        func(a *topup.Account) { a.Contracts[0].Info = json.RawMessage(`[1]`) },
	}
	for field, breakIt := range tests {
		t.Run(field, func(t *testing.T) {
			a := account()
			breakIt(&a)
			problems := a.Check()
			if len(problems) != 1 {
				t.Fatalf("got %v, want one problem", problems)
			}
			var refusal *topup.Error
			if !errors.As(problems[0], &refusal) || refusal.Field != field || refusal.Kind != topup.KindInvalid {
				t.Errorf("got %v, want an invalid %s", problems[0], field)
			}
		})
	}
	broken := topup.Account{CustomerID: "\xff", AdditionalCustomerID: "\xff", Contracts: []topup.Contract{{}}}
	if got := len(broken.Check()); got != 5 {
		t.Errorf("all at once: got %d problems, want 5: %v", got, broken.Check())
	}
}

func TestNoTextOfARecordHasControlCharacters(t *testing.T) {
	for _, control := range []string{"\x00", "\n", "\x1f", "\x7f", "\u0080", "\u009b", "\u009f"} {
		a := account()
		a.AdditionalCustomerID, a.Contracts[0].Number = "a"+control+"b", control
		if problems := a.Check(); len(problems) != 2 {
			t.Errorf("with %q: got %v, want two problems", control, problems)
		}
	}
	a := account()
	a.AdditionalCustomerID, a.Contracts[0].Number = "Әсел", "№\u00a07 — “а”"
	if problems := a.Check(); len(problems) != 0 {
		t.Errorf("text without control characters: got %v", problems)
	}
}

func TestPayable(t *testing.T) {
	a := account()
	if !a.Payable() {
		t.Error("an open account with an open contract must be payable")
	}
	a.Contracts[0].Closed = true
	if a.Payable() {
		t.Error("an account with closed contracts alone must not be payable")
	}
	b := account()
	b.Closed = true
	if b.Payable() {
		t.Error("a closed account must not be payable")
	}
}

func TestCheckDepositRefusesWithAReason(t *testing.T) {
	rules := topup.DepositRules{Methods: []string{"terminal/kaspi"}, MaxAmount: 1_000_000}
	good := topup.Deposit{ContractID: "12345", Money: topup.Money{Amount: 100000, Currency: "KZT"}, Method: "terminal/kaspi"}

	a := account()
	contract, err := topup.CheckDeposit(&a, good, rules)
	if err != nil || contract.ID != "12345" {
		t.Fatalf("a good deposit: got %v, %v", contract, err)
	}
	tests := []struct {
		name    string
		change  func(*topup.Account, *topup.Deposit)
		kind    topup.Kind
		message string
	}{
		{"closed account", func(a *topup.Account, _ *topup.Deposit) { a.Closed = true }, topup.KindNotFound, "account does not exist"},
		{"unknown contract", func(_ *topup.Account, d *topup.Deposit) { d.ContractID = "1" }, topup.KindInvalid, "entity_id does not name a contract of this account"},
		{"closed contract", func(_ *topup.Account, d *topup.Deposit) { d.ContractID = "67890" }, topup.KindInvalid, "entity_id names a contract that is closed"},
		{"other currency", func(_ *topup.Account, d *topup.Deposit) { d.Money.Currency = "RUB" }, topup.KindInvalid, "currency must be KZT for this account"},
		{"below the minimum", func(_ *topup.Account, d *topup.Deposit) { d.Money.Amount = 99999 }, topup.KindInvalid, "amount is below the minimum of 100000 minor units"},
		{"above the maximum", func(_ *topup.Account, d *topup.Deposit) { d.Money.Amount = 1_000_001 }, topup.KindInvalid, "amount is above the maximum of 1000000 minor units"},
		{"nothing", func(a *topup.Account, d *topup.Deposit) { a.Contracts[0].MinPayment = nil; d.Money.Amount = 0 }, topup.KindInvalid, "amount must be at least 1 minor unit"},
		{"other method", func(_ *topup.Account, d *topup.Deposit) { d.Method = "card" }, topup.KindInvalid, "payment_method is not accepted by this project"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a, d := account(), good
			tt.change(&a, &d)
			_, err := topup.CheckDeposit(&a, d, rules)
			var refusal *topup.Error
			if !errors.As(err, &refusal) || refusal.Kind != tt.kind || refusal.Error() != tt.message {
				t.Errorf("got %v, want %s: %s", err, tt.kind, tt.message)
			}
		})
	}
}

func TestFlagsAreNamed(t *testing.T) {
	flags := topup.FlagLate | topup.FlagConflict
	if got, want := fmt.Sprint(flags.Names()), "[conflict late]"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	encoded, err := json.Marshal(topup.Flags(0))
	if err != nil || string(encoded) != "[]" {
		t.Errorf("no flags: got %s, %v, want []", encoded, err)
	}
	all := topup.Flags(0)
	for _, name := range topup.Flags(0xffffffff).Names() {
		flag, err := topup.ParseFlag(name)
		if err != nil || fmt.Sprint(flag.Names()) != "["+name+"]" {
			t.Errorf("ParseFlag(%s): got %v, %v", name, flag.Names(), err)
		}
		all |= flag
	}
	if !all.Has(topup.FlagReversed) || !all.Has(topup.FlagAmountDiffers) || topup.FlagLate.Has(all) {
		t.Error("Has must mean: every one of them")
	}
	if _, err := topup.ParseFlag("nonsense"); err == nil {
		t.Error("an unknown flag: no error")
	}
	for _, status := range topup.Statuses {
		if got, err := topup.ParseStatus(string(status)); err != nil || got != status {
			t.Errorf("ParseStatus(%s): got %s, %v", status, got, err)
		}
	}
	if _, err := topup.ParseStatus("done"); err == nil {
		t.Error("an unknown status: no error")
	}
}

func TestErrorsSayWhatTheyAre(t *testing.T) {
	for want, err := range map[topup.Kind]*topup.Error{
		topup.KindInvalid:     topup.Invalid("f", "x %d", 1),
		topup.KindNotFound:    topup.NotFound("x"),
		topup.KindConflict:    topup.Conflict("x"),
		topup.KindUnavailable: topup.Unavailable("x"),
	} {
		if err.Kind != want {
			t.Errorf("got %s, want %s", err.Kind, want)
		}
	}
	if got := topup.Invalid("f", "x %d", 1).Error(); got != "f x 1" {
		t.Errorf("got %q", got)
	}
}

func TestLedgerAccountNames(t *testing.T) {
	for want, got := range map[string]string{
		"customers:7123456789:12345": topup.CustomerAccount("7123456789", "12345"),
		"settlement:jetpay:1234":     topup.SettlementAccount("jetpay", "1234"),
		"suspense:jetpay:1234":       topup.SuspenseAccount("jetpay", "1234"),
	} {
		if got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

// TestBoundsOfARecord: the greatest and the smallest value that each rule allows.
func TestBoundsOfARecord(t *testing.T) {
	a := account()
	a.Contracts[0].Number = strings.Repeat("n", topup.MaxTextBytes)
	a.Contracts[0].Payment, a.Contracts[0].MinPayment = amount(topup.MaxAmount), amount(0)
	a.CustomerID = "!~" + strings.Repeat("x", topup.MaxIDBytes-2)
	if problems := a.Check(); len(problems) != 0 {
		t.Errorf("got %v", problems)
	}
}

func TestTelephoneForms(t *testing.T) {
	want := []string{"7071234567", "77071234567", "87071234567", "+77071234567"}
	if got := topup.TelephoneForms(" 8 (707) 123-45-67 "); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := topup.TelephoneForms("12345"); got != nil {
		t.Errorf("no number: got %q", got)
	}
}

func TestDepositsAtTheBounds(t *testing.T) {
	a := account()
	a.Contracts[0].MinPayment = nil
	rules := topup.DepositRules{Methods: []string{"m"}, MaxAmount: 1_000_000}
	for _, amount := range []int64{1, rules.MaxAmount} {
		deposit := topup.Deposit{ContractID: "12345", Money: topup.Money{Amount: amount, Currency: "KZT"}, Method: "m"}
		if _, err := topup.CheckDeposit(&a, deposit, rules); err != nil {
			t.Errorf("%d: %v", amount, err)
		}
	}
}

func TestCheckNote(t *testing.T) {
	for text, want := range map[string]string{
		"":            "reason must be given",
		" \t":         "reason must be given",
		"ok":          "",
		"12345678":    "",
		"123456789":   "reason must be at most 8 bytes long",
		"a\xff":       "reason must be valid UTF-8",
		"a\nb":        "reason must not contain control characters",
		"причина тут": "reason must be at most 8 bytes long",
	} {
		if got := message(topup.CheckNote("reason", text, 8)); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}
