package topup

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// MaxAmount is the largest amount, in minor units, that a message or a record
// may carry (JetPay Gate, "Types": 1 to 10^13).
const MaxAmount int64 = 10_000_000_000_000

// Money is an amount in minor units of a currency (10000 KZT is 100.00 tenge;
// a currency without minor units counts in major units).
type Money struct {
	Amount   int64
	Currency string // ISO 4217, three capital letters
}

// MoneyOf returns an amount of a currency, if a message may carry it; otherwise
// the zero Money, and false.
func MoneyOf(amount int64, currency string) (Money, bool) {
	if !ValidAmount(amount) || !KnownCurrency(currency) {
		return Money{}, false
	}
	return Money{Amount: amount, Currency: currency}, true
}

// ValidAmount reports whether a message may carry the amount: from 1 to
// MaxAmount.
func ValidAmount(amount int64) bool { return amount >= 1 && amount <= MaxAmount }

// IsZero reports whether m carries neither amount nor currency.
func (m Money) IsZero() bool { return m == Money{} }

// String renders the amount in major units, for people: "100.00 KZT".
func (m Money) String() string {
	digits, ok := Digits(m.Currency)
	if !ok {
		return strconv.FormatInt(m.Amount, 10) + " " + m.Currency
	}
	return FormatMinor(m.Amount, digits) + " " + m.Currency
}

// FormatMinor renders an amount of minor units with the given number of
// fraction digits: FormatMinor(-5, 2) is "-0.05".
func FormatMinor(amount int64, digits int) string {
	text := strconv.FormatInt(amount, 10)
	if digits == 0 {
		return text
	}
	sign := ""
	if amount < 0 {
		sign, text = "-", text[1:]
	}
	if len(text) <= digits {
		text = strings.Repeat("0", digits-len(text)+1) + text
	}
	cut := len(text) - digits
	return sign + text[:cut] + "." + text[cut:]
}

// Digits returns how many digits the minor unit of a known currency has, and
// false when the code is not known.
func Digits(code string) (int, bool) {
	c, known := currencies[code]
	return c.digits, known
}

// ValidCurrency reports whether code is a currency of ISO 4217 today: what a new
// account or payment may have.
func ValidCurrency(code string) bool { return currencies[code].valid }

// KnownCurrency reports whether code is, or was, taken as a currency: what books
// and messages may have.
func KnownCurrency(code string) bool {
	_, known := currencies[code]
	return known
}

// Add adds two amounts and refuses to overflow.
func Add(a, b int64) (int64, error) {
	if (b > 0 && a > math.MaxInt64-b) || (b < 0 && a < math.MinInt64-b) {
		return 0, fmt.Errorf("add %d and %d: the sum does not fit into 64 bits", a, b)
	}
	return a + b, nil
}
