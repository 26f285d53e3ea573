package config

import (
	"fmt"
	"math/big"
	"regexp"
	"strings"
)

// Bank is an account of the merchant's at a bank. The ledger keeps it as bank:NAME. All but name and currency may be
// left out; then statements of the account cannot be imported, nor documents be written for it.
type Bank struct {
	Name     string `yaml:"name" validate:"name"`           // unique; a part of the ledger account's name
	IBAN     string `yaml:"iban,omitempty" validate:"iban"` // the account's number
	BIC      string `yaml:"bic,omitempty" validate:"bic"`   // of the bank
	BIN      string `yaml:"bin,omitempty" validate:"bin"`   // of the account's owner: 12 digits
	KBE      string `yaml:"kbe,omitempty" validate:"kbe"`   // the owner's code of beneficiary: 2 digits
	Currency string `yaml:"currency" validate:"currency"`   // of the account
}

var (
	ibanForm = regexp.MustCompile(`^[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}$`)
	bicForm  = regexp.MustCompile(`^[A-Z0-9]{8}([A-Z0-9]{3})?$`)
	binForm  = regexp.MustCompile(`^[0-9]{12}$`)
	kbeForm  = regexp.MustCompile(`^[0-9]{2}$`)
)

// orNone accepts what the form accepts, and nothing.
func orNone(form *regexp.Regexp) func(string) bool {
	return func(text string) bool { return text == "" || form.MatchString(text) }
}

func (r *rules) banks() {
	names, numbers := map[string]int{}, map[string]int{}
	for i, bank := range r.config.Banks {
		key := fmt.Sprintf("bank[%d]", i)
		if first, taken := names[bank.Name]; taken {
			r.problem(key+".name", fmt.Sprintf("is the name of bank[%d] too; give each account its own", first))
		} else {
			names[bank.Name] = i
		}
		if bank.IBAN == "" {
			continue
		}
		if first, taken := numbers[bank.IBAN]; taken {
			r.problem(key+".iban", fmt.Sprintf("is the number of bank[%d] too; configure each account once", first))
		} else {
			numbers[bank.IBAN] = i
		}
		if r.config.Environment == Production && ibanForm.MatchString(bank.IBAN) && !soundIBAN(bank.IBAN) {
			r.warn(key+".iban", "its check digits are wrong; compare it with the bank's contract")
		}
	}
}

// soundIBAN verifies the check digits (ISO 13616: modulo 97 of the number with its first four characters at the end and
// letters as 10 to 35 is 1).
func soundIBAN(iban string) bool {
	var digits strings.Builder
	for _, c := range iban[4:] + iban[:4] {
		if c >= 'A' {
			fmt.Fprint(&digits, c-'A'+10)
		} else {
			digits.WriteRune(c)
		}
	}
	number, ok := new(big.Int).SetString(digits.String(), 10)
	return ok && number.Mod(number, big.NewInt(97)).Int64() == 1
}
