package config_test

import (
	"strings"
	"testing"

	"tolem/config"
)

const demoBank = "bank: [{name: halyk, iban: %s, bic: HSBKKZKX, bin: \"000000000000\", kbe: \"17\", currency: KZT}]\n"

func TestBank(t *testing.T) {
	with := func(text string) string { return "bank:\n  - " + text + "\n" + minimal }
	t.Run("Whole", func(t *testing.T) {
		got := mustLoad(t, strings.Replace(demoBank, "%s", "KZ98999DEMO000000001", 1)+minimal, nil).Bank("halyk")
		want := config.Bank{Name: "halyk", IBAN: "KZ98999DEMO000000001", BIC: "HSBKKZKX", BIN: "000000000000", KBE: "17", Currency: "KZT"}
		if got == nil || *got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
	})
	t.Run("NameAndCurrencyAreEnough", func(t *testing.T) {
		c := mustLoad(t, with("{name: kaspi-1, currency: KZT}"), nil)
		if got := c.Bank("kaspi-1"); got == nil || got.Currency != "KZT" {
			t.Errorf("got %+v", got)
		}
		if got := c.Bank("halyk"); got != nil {
			t.Errorf("got %+v for a name that is not configured", got)
		}
	})
	t.Run("FromAVariable", func(t *testing.T) {
		c := mustLoad(t, minimal, []string{`TOLEM_BANK=[{"name":"kaspi","currency":"KZT"}]`})
		if c.Bank("kaspi") == nil {
			t.Error("the account of the variable is not there")
		}
	})
	t.Run("IsInTheEffectiveConfiguration", func(t *testing.T) {
		text, err := mustLoad(t, with(`{name: halyk, bin: "000000000000", currency: KZT}`), nil).Effective()
		if err != nil {
			t.Fatal(err)
		}
		if want := "bank:\n  - name: halyk\n    bin: \"000000000000\"\n    currency: KZT\n"; !strings.Contains(string(text), want) {
			t.Errorf("got\n%s\nwithout\n%s", text, want)
		}
	})
	for _, test := range []struct{ name, bank, want string }{
		{"NoName", "{currency: KZT}", "bank[0].name: must be 1 to 64 letters, digits, '.', '_' or '-' (line 2)"},
		{"ColonInAName", "{name: 'a:b', currency: KZT}", "bank[0].name: must be 1 to 64 letters, digits, '.', '_' or '-' (line 2)"},
		{"NoCurrency", "{name: a}", "bank[0].currency: must be three capital letters, such as KZT (line 2)"},
		{"SmallIBAN", "{name: a, iban: kz00, currency: KZT}", "bank[0].iban: must be an IBAN in capital letters and digits without spaces: two letters, two digits and 11 to 30 characters (line 2)"},
		{"BIC", "{name: a, bic: HSBK, currency: KZT}", "bank[0].bic: must be 8 or 11 capital letters and digits, such as HSBKKZKX (line 2)"},
		{"BINOfEleven", "{name: a, bin: '12345678901', currency: KZT}", "bank[0].bin: must be 12 digits, in quotes (line 2)"},
		{"BINWithoutQuotes", "{name: a, bin: 123456789012, currency: KZT}", "bank[0].bin: must be a text; put it in quotes, so that it is read as it is written (line 2)"},
		{"KBE", "{name: a, kbe: '1', currency: KZT}", "bank[0].kbe: must be 2 digits, in quotes (line 2)"},
		{"NameTwice", "{name: a, currency: KZT}\n  - {name: a, currency: USD}", "bank[1].name: is the name of bank[0] too; give each account its own (line 3)"},
		{"NumberTwice", "{name: a, iban: KZ98999DEMO000000001, currency: KZT}\n  - {name: b, iban: KZ98999DEMO000000001, currency: KZT}", "bank[1].iban: is the number of bank[0] too; configure each account once (line 3)"},
	} {
		t.Run(test.name, func(t *testing.T) {
			wantLines(t, "problems", problemsOf(t, with(test.bank), nil), []string{test.want})
		})
	}
	t.Run("WrongCheckDigitsInProduction", func(t *testing.T) {
		text := "environment: production\ndemo: {accounts: \"\", payments: \"\"}\n" + strings.Replace(demoBank, "%s", "KZ00999DEMO000000001", 1) + minimal
		mustLoad(t, text, nil, "bank[0].iban: its check digits are wrong; compare it with the bank's contract (line 3)")
	})
}
