package topup

import (
	"fmt"
	"regexp"
	"strings"
)

// Spreadsheets and the programs around them change ids without a word: a long
// number becomes 9.96555E+11 or 7071234569.0, a missing one #N/A or NULL. The
// original cannot be told from what is left, and two customers may have become
// one: so such ids are refused where records enter. Only forms that these
// programs write are taken for damage: ids such as 12E5, 10.5 or are
// somebody's own.
var (
	// scientific is a number as spreadsheets shorten it; they always write the
	// exponent's sign, and a comma where that is the decimal separator.
	scientific = regexp.MustCompile(`^[+-]?[0-9]{1,3}([.,][0-9]+)?[eE][+-][0-9]{1,3}$`)
	// floating is a number as Java writes it (Double.toString), and with it the
	// programs that read workbooks by Apache POI: from ten millions on, one digit
	// before the point, and no sign of the exponent.
	floating = regexp.MustCompile(`^[1-9]\.[0-9]{1,16}E([7-9]|[1-9][0-9]{1,2})$`)
	// decimal is a whole number that was read as one with a fraction. One of
	// fewer digits may be a number of the merchant's own, such as 12.0 or 1000.00.
	decimal = regexp.MustCompile(`^([0-9]{4,}[.,]0|[0-9]{7,}[.,]0{2,6})$`)
	// marked is a number with the apostrophe that makes a text of it, formula what
	// makes a text of it in a CSV file, or computes it.
	marked  = regexp.MustCompile(`^'[0-9+]`)
	formula = regexp.MustCompile(`^=("|[A-Z]+\()`)
	// errorValue is what a spreadsheet shows in place of a value, in any
	// language: #REF!, #ИМЯ?, ######.
	errorValue = regexp.MustCompile(`^#(N/A|Н/Д|N/D|NV|[\pL\d/_]+[!?]|#+)$`)
	// errorCode is what LibreOffice shows: Err:502.
	errorCode = regexp.MustCompile(`^(ERR|ОШИБКА|ОШ):[0-9]{3}$`)
)

// longestDamage is more bytes than any of these forms has.
const longestDamage = 40

// nothings are what programs write for no value at all, in their spelling, and
// for truths, which nobody's id is.
var nothings = map[string]bool{
	"NULL": true, "null": true, "Null": true, "(NULL)": true, "(null)": true, "<NULL>": true, "<null>": true, `\N`: true,
	"None": true, "NaN": true, "nan": true, "<NA>": true, "N/A": true, "n/a": true, "Н/Д": true, "н/д": true, "undefined": true,
	"TRUE": true, "FALSE": true, "ИСТИНА": true, "ЛОЖЬ": true,
}

// Damage says how a program has changed an id on its way here, "" if it has not
// as far as can be seen.
func Damage(id string) string {
	if d := textDamage(id); d != "" {
		return d
	}
	switch {
	case decimal.MatchString(id):
		return "is a number with a decimal fraction, as spreadsheets write long ids; export the column as text"
	case marked.MatchString(id):
		return "is a number behind an apostrophe, by which spreadsheets mark a text; export it without"
	case formula.MatchString(id):
		return "is a formula of a spreadsheet; export its value"
	}
	return ""
}

// textDamage is Damage for texts that people read, where apostrophes, signs of
// equality and fractions may be meant.
func textDamage(text string) string {
	if len(text) > longestDamage {
		return ""
	}
	capitals := strings.ToUpper(text)
	switch {
	case scientific.MatchString(text):
		return "is a number in scientific notation, of which a spreadsheet has dropped digits; export the column as text"
	case floating.MatchString(text):
		return "is a number in scientific notation, as Java programs write long numbers; export the column as text"
	case errorValue.MatchString(capitals), errorCode.MatchString(capitals):
		return "is a spreadsheet's error value, not an id; mend the formula and export again"
	case nothings[text]:
		return "is a word for a missing value, not an id; leave the row out or give the id"
	}
	return ""
}

// CheckRecordID is [CheckID] for an id of an account record that comes from
// outside: it also refuses what [Damage] tells of.
func CheckRecordID(id string) error {
	if d := Damage(id); d != "" {
		return fmt.Errorf("%s", d)
	}
	return CheckID(id)
}

// checkRecordText is checkText for a text of a record that comes from outside:
// it must have something to read.
func checkRecordText(text string) error {
	if err := checkText(text); err != nil {
		return err
	}
	if strings.IndexFunc(text, visible) < 0 {
		return fmt.Errorf("must have a visible character")
	}
	if strings.ContainsRune(text, '\uFFFD') {
		return fmt.Errorf("has U+FFFD, which stands for characters that were lost: export it again as UTF-8")
	}
	if d := textDamage(strings.TrimSpace(text)); d != "" {
		return fmt.Errorf("%s", d)
	}
	return nil
}
