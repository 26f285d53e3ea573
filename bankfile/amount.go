package bankfile

import (
	"errors"
	"strconv"
	"strings"

	"tolem/topup"
)

// maxAmountBytes bounds the text of an amount.
const maxAmountBytes = 64

var (
	errAmount    = errors.New("is no amount")
	errPrecision = errors.New("has more digits behind the decimal mark than the account's currency")
	errLarge     = errors.New("is larger than any balance")
)

// amount reads an amount in major units, with a point or a comma before its
// fraction and blanks of any kind between thousands. What could be read in two
// ways is refused: 1,234 of a currency with two digits is neither.
func (a Account) amount(text string) (int64, error) {
	if len(text) > maxAmountBytes {
		return 0, errAmount
	}
	text = strings.Join(strings.FieldsFunc(text, func(r rune) bool {
		return r == ' ' || r == '\u00a0' || r == '\u2009' || r == '\u202f'
	}), "")
	digits, known := topup.Digits(a.Currency)
	if !known {
		return 0, errors.New("is of an unknown currency")
	}
	unsigned, negative := strings.CutPrefix(text, "-")
	whole, fraction, _ := strings.Cut(strings.Replace(unsigned, ",", ".", 1), ".")
	if whole == "" || !isDigits(whole) || !isDigits(fraction) {
		return 0, errAmount
	}
	if len(fraction) > digits {
		// A bank that writes more zeros than the currency has digits means no more money.
		if strings.Trim(fraction[digits:], "0") != "" || len(fraction) == 3 && digits == 2 {
			return 0, errPrecision
		}
		fraction = fraction[:digits]
	}
	number := strings.TrimLeft(whole+fraction+strings.Repeat("0", digits-len(fraction)), "0")
	if len(number) > 18 {
		return 0, errLarge
	}
	if number == "" {
		return 0, nil
	}
	minor, err := strconv.ParseInt(number, 10, 64)
	if err != nil {
		return 0, errAmount
	}
	if negative {
		minor = -minor
	}
	return minor, nil
}

func isDigits(text string) bool {
	return strings.Trim(text, "0123456789") == ""
}
