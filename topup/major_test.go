package topup_test

import (
	"errors"
	"slices"
	"testing"

	"tolem/topup"
)

func TestASumInMajorUnitsHasTheCurrencysDigits(t *testing.T) {
	for _, tt := range []struct {
		text   string
		digits int
		want   int64
		ok     bool
	}{
		{"5000.00", 2, 500000, true},
		{"5000", 2, 500000, true},
		{"5000.5", 2, 500050, true},
		{"0.05", 2, 5, true},
		{"007", 0, 7, true},
		{"5000.00", 0, 5000, true},
		{"5000.50", 0, 0, false},
		{"5000.123", 2, 0, false},
		{"5000.123", 3, 5000123, true},
		{"100000000000", 2, topup.MaxAmount, true},
		{"100000000000.01", 2, 0, false},
		{"99999999999999999999999", 2, 0, false},
	} {
		sum, err := topup.ParseMajor(tt.text)
		if err != nil {
			t.Errorf("%s: %v", tt.text, err)
			continue
		}
		if got, ok := sum.Minor(tt.digits); ok != tt.ok || ok && got != tt.want {
			t.Errorf("%s with %d digits: got %d, %v, want %d, %v", tt.text, tt.digits, got, ok, tt.want, tt.ok)
		}
	}
	for _, text := range []string{"", " ", "0", "0.00", ".", ".5", "5.", "-5", "+5", "1e3", "5,000", "5 000", "5000.00 KZT", "٥"} {
		if _, err := topup.ParseMajor(text); !errors.Is(err, topup.ErrMajor) {
			t.Errorf("%q: got %v, want ErrMajor", text, err)
		}
	}
}

func TestCurrenciesAreListedByTheirDigits(t *testing.T) {
	for digits, code := range map[int]string{0: "JPY", 2: "KZT", 3: "KWD"} {
		if !slices.Contains(topup.CurrenciesByDigits()[digits], code) {
			t.Errorf("%s is not listed with %d digits", code, digits)
		}
	}
}
