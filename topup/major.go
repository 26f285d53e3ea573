package topup

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// Major is a sum in major units as a person writes it, in no certain currency:
// 5000.00 is 500000 minor units of tenge and 5000000 of Kuwaiti dinar.
type Major struct {
	whole, fraction string // decimal digits, without zeros that say nothing
}

// ErrMajor is what [ParseMajor] returns for a text that is no sum.
var ErrMajor = errors.New("must be a sum in major units, such as 5000 or 5000.00")

// ParseMajor reads a sum: decimal digits, and perhaps a point with digits behind
// it. It is above 0. The error is [ErrMajor].
func ParseMajor(text string) (Major, error) {
	whole, fraction, pointed := strings.Cut(text, ".")
	if !isDigits(whole) || pointed && !isDigits(fraction) {
		return Major{}, ErrMajor
	}
	m := Major{strings.TrimLeft(whole, "0"), strings.TrimRight(fraction, "0")}
	if m.IsZero() {
		return Major{}, ErrMajor
	}
	return m, nil
}

func isDigits(text string) bool {
	return text != "" && strings.Trim(text, "0123456789") == ""
}

// IsZero reports whether m is the zero Major.
func (m Major) IsZero() bool { return m == Major{} }

// Minor is the sum in minor units of a currency with so many digits, and false
// when such a currency has no such sum, or it is above MaxAmount.
func (m Major) Minor(digits int) (int64, bool) {
	if len(m.fraction) > digits {
		return 0, false
	}
	amount, err := strconv.ParseInt(m.whole+m.fraction+strings.Repeat("0", digits-len(m.fraction)), 10, 64)
	return amount, err == nil && amount <= MaxAmount
}

// CurrenciesByDigits are all currencies, in order, by how many digits their
// minor units have. The caller must not change it.
var CurrenciesByDigits = sync.OnceValue(func() map[int][]string {
	byDigits := map[int][]string{}
	var code [3]byte
	for code[0] = 'A'; code[0] <= 'Z'; code[0]++ {
		for code[1] = 'A'; code[1] <= 'Z'; code[1]++ {
			for code[2] = 'A'; code[2] <= 'Z'; code[2]++ {
				if digits, ok := Digits(string(code[:])); ok {
					byDigits[digits] = append(byDigits[digits], string(code[:]))
				}
			}
		}
	}
	for _, codes := range byDigits {
		slices.Sort(codes)
	}
	return byDigits
})
