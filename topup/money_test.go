package topup_test

import (
	"math"
	"strings"
	"testing"

	"tolem/topup"
)

func TestDigitsComeFromTheISOTable(t *testing.T) {
	for currency, want := range map[string]int{
		"KZT": 2, "KGS": 2, "TJS": 2, "RUB": 2, "USD": 2, "UZS": 2,
		"JPY": 0, "KRW": 0, "VND": 0,
		"BHD": 3, "KWD": 3, "IQD": 3,
	} {
		got, ok := topup.Digits(currency)
		if !ok || got != want {
			t.Errorf("Digits(%s): got %d, %v, want %d", currency, got, ok, want)
		}
	}
	for _, code := range []string{"", "KZ", "kzt", "KZTT", "ZZZ", "K1T", "₸₸₸", "КЗТ"} {
		if topup.ValidCurrency(code) {
			t.Errorf("ValidCurrency(%q): got true", code)
		}
	}
}

func TestCurrenciesAreThoseOfISO4217Today(t *testing.T) {
	for _, code := range []string{"KZT", "KGS", "TJS", "RUB", "BYN", "EUR", "ZWG", "VED", "VES", "SLE", "XCG", "XOF", "XPF"} {
		if !topup.ValidCurrency(code) || !topup.KnownCurrency(code) {
			t.Errorf("%s is a currency of today", code)
		}
	}
	// Ended, or never money that anybody pays with. What books have of it is
	// shown as before.
	for code, shown := range map[string]string{
		"RUR": "1.00 RUR", "BYR": "100 BYR", "HRK": "1.00 HRK", "BGN": "1.00 BGN", "ANG": "1.00 ANG", "ZWL": "1.00 ZWL",
		"SLL": "1.00 SLL", "VEF": "1.00 VEF", "XAU": "100 XAU", "XDR": "100 XDR", "CLF": "0.0100 CLF",
	} {
		if topup.ValidCurrency(code) || !topup.KnownCurrency(code) {
			t.Errorf("%s is no currency of today, but a known one", code)
		}
		if got := (topup.Money{Amount: 100, Currency: code}).String(); got != shown {
			t.Errorf("got %s, want %s", got, shown)
		}
	}
	for _, code := range []string{"XXX", "XTS", "XBA", "USN", "ZZZ"} {
		if topup.KnownCurrency(code) {
			t.Errorf("%s is no currency", code)
		}
	}
	a := account()
	a.Currency = "BGN"
	if problems := a.Check(); len(problems) != 0 {
		t.Errorf("an account of before: got %v", problems)
	}
	if err := a.CheckCurrency(); err == nil {
		t.Error("a new account in BGN was accepted")
	}
	deposit := topup.Deposit{ContractID: "12345", Money: topup.Money{Amount: 100000, Currency: "BGN"}, Method: "m"}
	if _, err := topup.CheckDeposit(&a, deposit, topup.DepositRules{Methods: []string{"m"}, MaxAmount: topup.MaxAmount}); err == nil {
		t.Error("a new payment in BGN was accepted")
	}
}

func TestMoneyIsShownInMajorUnits(t *testing.T) {
	for want, m := range map[string]topup.Money{
		"100.00 KZT":                {Amount: 10000, Currency: "KZT"},
		"0.05 KGS":                  {Amount: 5, Currency: "KGS"},
		"-0.05 KGS":                 {Amount: -5, Currency: "KGS"},
		"-12.34 KGS":                {Amount: -1234, Currency: "KGS"},
		"0.00 KZT":                  {Amount: 0, Currency: "KZT"},
		"0.10 KZT":                  {Amount: 10, Currency: "KZT"},
		"1.00 KZT":                  {Amount: 100, Currency: "KZT"},
		"500 JPY":                   {Amount: 500, Currency: "JPY"},
		"1.500 KWD":                 {Amount: 1500, Currency: "KWD"},
		"7 ???":                     {Amount: 7, Currency: "???"},
		"-92233720368547758.08 KZT": {Amount: math.MinInt64, Currency: "KZT"},
	} {
		if got := m.String(); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	if !(topup.Money{}).IsZero() || (topup.Money{Currency: "KZT"}).IsZero() {
		t.Error("IsZero must be true for no money alone")
	}
}

func TestMoneyOf(t *testing.T) {
	for _, tc := range []struct {
		amount   int64
		currency string
		ok       bool
	}{
		{1, "KZT", true}, {topup.MaxAmount, "KZT", true},
		{0, "KZT", false}, {-1, "KZT", false}, {topup.MaxAmount + 1, "KZT", false},
		{1, "", false}, {1, "kzt", false}, {1, "QQQ", false},
	} {
		want := topup.Money{}
		if tc.ok {
			want = topup.Money{Amount: tc.amount, Currency: tc.currency}
		}
		if got, ok := topup.MoneyOf(tc.amount, tc.currency); got != want || ok != tc.ok {
			t.Errorf("%d %q: got %v %t, want %v %t", tc.amount, tc.currency, got, ok, want, tc.ok)
		}
	}
}

func TestAddRefusesToOverflow(t *testing.T) {
	for _, pair := range [][2]int64{{math.MaxInt64, 1}, {1, math.MaxInt64}, {math.MinInt64, -1}, {-1, math.MinInt64}} {
		if got, err := topup.Add(pair[0], pair[1]); err == nil {
			t.Errorf("Add(%d, %d): got %d and no error", pair[0], pair[1], got)
		}
	}
	for _, sum := range [][3]int64{{math.MaxInt64, math.MinInt64, -1}, {math.MaxInt64 - 1, 1, math.MaxInt64}, {-5, 3, -2},
		{math.MinInt64 + 1, -1, math.MinInt64}, {math.MaxInt64, 0, math.MaxInt64}, {math.MinInt64, 0, math.MinInt64}} {
		if got, err := topup.Add(sum[0], sum[1]); err != nil || got != sum[2] {
			t.Errorf("Add(%d, %d): got %d, %v, want %d", sum[0], sum[1], got, err, sum[2])
		}
	}
}

func TestPostingsMustBalanceInEachCurrency(t *testing.T) {
	kzt := topup.Transfer("settlement:jetpay:1", "customers:a:b", topup.Money{Amount: 100, Currency: "KZT"})
	kgs := topup.Transfer("settlement:jetpay:1", "customers:a:b", topup.Money{Amount: 7, Currency: "KGS"})
	good := map[string][]topup.Posting{
		"a transfer":         kzt,
		"two currencies":     append(append([]topup.Posting{}, kzt...), kgs...),
		"a mirrored one":     topup.Mirror(kzt),
		"three that balance": {{Account: "a", Amount: 3, Currency: "KZT"}, {Account: "b", Amount: -1, Currency: "KZT"}, {Account: "c", Amount: -2, Currency: "KZT"}},
	}
	for name, postings := range good {
		if err := topup.CheckPostings(postings); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	bad := map[string][]topup.Posting{
		"nothing":                  nil,
		"one alone":                kzt[:1],
		"a zero":                   {{Account: "customers:7123456789:1", Currency: "KZT"}, {Account: "b", Currency: "KZT"}},
		"a sum that is not zero":   {{Account: "a", Amount: 2, Currency: "KZT"}, {Account: "b", Amount: -1, Currency: "KZT"}},
		"currencies that offset":   {{Account: "a", Amount: 1, Currency: "KZT"}, {Account: "b", Amount: -1, Currency: "KGS"}},
		"the second currency":      append(append([]topup.Posting{}, kzt...), kgs[0]),
		"a sum that wraps to zero": {{Account: "a", Amount: math.MaxInt64, Currency: "KZT"}, {Account: "b", Amount: math.MaxInt64, Currency: "KZT"}, {Account: "c", Amount: 2, Currency: "KZT"}},
	}
	for name, postings := range bad {
		if err := topup.CheckPostings(postings); err == nil {
			t.Errorf("%s: no error", name)
		} else if strings.Contains(err.Error(), "7123456789") {
			t.Errorf("%s: the error goes to the log and names a customer: %v", name, err)
		}
	}
}
