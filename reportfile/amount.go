package reportfile

import (
	"errors"
	"fmt"
	"math/big"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxFigure is the largest figure of a report, in minor units: as many digits as
// a spreadsheet keeps.
const maxFigure = 999_999_999_999_999

// maxFigureBytes bounds the text of a figure.
const maxFigureBytes = 64

var (
	errNoFigure  = errors.New("is no amount")
	errLarge     = errors.New("is an amount of more than 15 digits")
	errFraction  = errors.New("has a fraction, but the map says that amounts are in minor units")
	errTwoSigns  = errors.New("is no amount: it has more than one sign")
	errPrecision = errors.New("is a number with digits behind those of the currency")
)

// units says how the figures of a line are written.
type units struct {
	decimal byte
	minor   bool
	digits  int    // of the currency's minor unit
	code    string // of the currency
}

// figure reads an amount as people write it, and returns it in minor units.
func (u units) figure(text string) (int64, error) {
	if len(text) > maxFigureBytes {
		return 0, errNoFigure
	}
	body, negative, err := unsigned(trim(text))
	if err != nil {
		return 0, err
	}
	whole, fraction, pointed := strings.Cut(body, string(u.decimal))
	if pointed && (u.minor || fraction == "") {
		if u.minor {
			return 0, errFraction
		}
		return 0, errNoFigure
	}
	digits, grouped, err := u.ungroup(whole)
	if err != nil {
		return 0, err
	}
	if !isDigits(fraction) || digits == "" && fraction == "" {
		if strings.IndexByte(fraction, u.decimal) >= 0 {
			return 0, fmt.Errorf("is no amount: it has more than one decimal mark (%q)", u.decimal)
		}
		return 0, errNoFigure
	}
	if grouped == 1 && !pointed {
		return 0, fmt.Errorf("can be read in two ways: the map's decimal mark is %q, and one other mark may group thousands or be a decimal mark too", u.decimal)
	}
	scale := u.digits
	if u.minor {
		scale = 0
	}
	if len(fraction) > scale {
		return 0, fmt.Errorf("has more digits behind the decimal mark than %s has (%d)", u.code, u.digits)
	}
	return toMinor(digits+fraction, scale-len(fraction), negative)
}

// toMinor is the figure of these digits with so many zeros behind them.
func toMinor(digits string, zeros int, negative bool) (int64, error) {
	digits = strings.TrimLeft(digits, "0")
	if len(digits)+zeros > 15 && digits != "" {
		return 0, errLarge
	}
	if digits == "" {
		return 0, nil
	}
	amount, err := strconv.ParseInt(digits+"000000000000000"[:zeros], 10, 64)
	if err != nil {
		return 0, errNoFigure
	}
	if negative {
		amount = -amount
	}
	return amount, nil
}

// unsigned takes the sign off: before, behind or, as accountants do, in
// parentheses.
func unsigned(text string) (body string, negative bool, err error) {
	signs := 0
	if inner, opened := strings.CutPrefix(text, "("); opened {
		inner, closed := strings.CutSuffix(inner, ")")
		if !closed {
			return "", false, errNoFigure
		}
		text, negative, signs = trim(inner), true, 1
	}
	for _, sign := range []struct {
		text     string
		negative bool
	}{{"-", true}, {"\u2212", true}, {"+", false}} {
		if rest, found := strings.CutPrefix(text, sign.text); found {
			text, negative = trim(rest), negative || sign.negative
			signs++
		}
		if rest, found := strings.CutSuffix(text, sign.text); found {
			text, negative = trim(rest), negative || sign.negative
			signs++
		}
	}
	if signs > 1 {
		return "", false, errTwoSigns
	}
	return text, negative, nil
}

// ungroup takes the marks between thousands out of a whole number: blanks of any
// width, or the mark that is not the decimal one. It returns how many of the
// latter there were.
func (u units) ungroup(whole string) (digits string, marks int, err error) {
	if isDigits(whole) {
		return whole, 0, nil
	}
	other := byte(',')
	if u.decimal == ',' {
		other = '.'
	}
	var b strings.Builder
	mark, group, first := rune(0), 0, true
	for _, r := range whole {
		switch {
		case r >= '0' && r <= '9':
			b.WriteByte(byte(r))
			group++
			continue
		case r != rune(other) && !isThinBlank(r):
			return "", 0, errNoFigure
		case mark != 0 && mark != r, group == 0, group > 3, !first && group != 3:
			return "", 0, errors.New("is no amount: thousands are not grouped in threes by one mark")
		}
		if r == rune(other) {
			marks++
		}
		mark, group, first = r, 0, false
	}
	if group != 3 {
		if marks == 1 {
			return "", 0, fmt.Errorf("is no amount: the map's decimal mark is %q", u.decimal)
		}
		return "", 0, errors.New("is no amount: thousands are not grouped in threes by one mark")
	}
	return b.String(), marks, nil
}

// isThinBlank reports whether r is a blank that may be written between thousands.
func isThinBlank(r rune) bool {
	switch r {
	case ' ', '\u00a0', '\u2007', '\u2009', '\u202f':
		return true
	}
	return false
}

func isDigits(text string) bool {
	for i := range len(text) {
		if text[i] < '0' || text[i] > '9' {
			return false
		}
	}
	return true
}

// tolerance is how far a spreadsheet's number may be from the amount that it
// stands for: it is kept in binary.
var tolerance = big.NewRat(1, 1_000_000)

// number reads an amount that a spreadsheet or JSON has as a number; exact says
// that it must be the amount itself.
func (u units) number(literal string, exact bool) (int64, error) {
	scale := u.digits
	if u.minor {
		scale = 0
	}
	unsigned, negative := strings.CutPrefix(literal, "-")
	if whole, fraction, _ := strings.Cut(unsigned, "."); whole != "" && isDigits(whole) && isDigits(fraction) && len(fraction) <= scale {
		return toMinor(whole+fraction, scale-len(fraction), negative)
	}
	value, err := rational(literal)
	if err != nil {
		return 0, err
	}
	minor := new(big.Rat).Mul(value, new(big.Rat).SetInt(pow10(scale)))
	nearest := roundHalfUp(minor)
	apart := new(big.Rat).Sub(minor, new(big.Rat).SetInt(nearest))
	apart.Abs(apart)
	apart.Quo(apart, new(big.Rat).SetInt(pow10(scale)))
	if exact && apart.Sign() != 0 || apart.Cmp(tolerance) > 0 {
		if u.minor {
			return 0, errFraction
		}
		return 0, fmt.Errorf("%w (%s has %d)", errPrecision, u.code, u.digits)
	}
	if nearest.CmpAbs(big.NewInt(maxFigure)) > 0 {
		return 0, errLarge
	}
	return nearest.Int64(), nil
}

// rational reads a number with, perhaps, an exponent that a sum may have.
func rational(literal string) (*big.Rat, error) {
	if len(literal) > maxFigureBytes || strings.Trim(literal, "0123456789.eE+-") != "" {
		return nil, errNoFigure
	}
	if _, exponent, has := strings.Cut(strings.ToLower(literal), "e"); has {
		if n, err := strconv.Atoi(exponent); err != nil || n > 20 || n < -40 {
			return nil, errNoFigure
		}
	}
	value, ok := new(big.Rat).SetString(literal)
	if !ok {
		return nil, errNoFigure
	}
	return value, nil
}

func pow10(n int) *big.Int { return new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(n)), nil) }

// roundHalfUp is the nearest integer, of two the one farther from zero.
func roundHalfUp(value *big.Rat) *big.Int {
	double := new(big.Int).Mul(new(big.Int).Abs(value.Num()), big.NewInt(2))
	double.Add(double, value.Denom())
	double.Quo(double, new(big.Int).Mul(value.Denom(), big.NewInt(2)))
	if value.Sign() < 0 {
		double.Neg(double)
	}
	return double
}

// wholeNumber is the text of an id that a spreadsheet or JSON has as a number.
func wholeNumber(literal string, most int) (string, error) {
	digits := literal
	if !isDigits(literal) || literal == "" {
		value, err := rational(literal)
		if err != nil || !value.IsInt() || value.Sign() < 0 {
			return "", errors.New("is a number that is no id: ids are whole numbers or texts")
		}
		digits = value.Num().String()
	}
	if len(strings.TrimLeft(digits, "0")) > most {
		return "", fmt.Errorf("is a number of more than %d digits, of which a spreadsheet keeps %d: have the report written with ids as text", most, most)
	}
	return digits, nil
}

// shown is a value in an error: short, and without what a terminal acts on.
func shown(text string) string {
	const most = 40
	if len(text) > most {
		cut := most
		for cut > 0 && !utf8.RuneStart(text[cut]) {
			cut--
		}
		return strconv.Quote(text[:cut]) + "…"
	}
	return strconv.Quote(text)
}
