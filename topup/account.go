package topup

import (
	"encoding/json"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxTextBytes bounds free text such as a contract's number.
const MaxTextBytes = 255

// Account is a customer of the merchant, with the contracts that can be topped
// up. Its JSON is the record that is imported and that the admin API shows.
type Account struct {
	CustomerID           string     `json:"customer_id"`
	AdditionalCustomerID string     `json:"additional_customer_id"`
	Currency             string     `json:"currency"`
	Closed               bool       `json:"closed,omitempty"`
	Contracts            []Contract `json:"entities"`
}

// Contract is what a payment is credited to ("entity" in the provider's
// messages).
type Contract struct {
	ID     string `json:"id"`
	Number string `json:"number"`
	// Payment is the amount to suggest to the payer, MinPayment the least that
	// is accepted, both in minor units; nil where the record has none.
	Payment    *int64 `json:"payment,omitempty"`
	MinPayment *int64 `json:"min_payment,omitempty"`
	// Info is passed through to the payer's app as it was imported: one JSON
	// object, its key order and number text untouched.
	Info   json.RawMessage `json:"info,omitempty"`
	Closed bool            `json:"closed,omitempty"`
}

// Check reports everything that is wrong with the record, as errors of
// KindInvalid that name the field. That a currency is still one is for
// [Account.CheckCurrency]: an account that has it keeps it.
func (a *Account) Check() []error {
	var problems []error
	report := func(field string, err error) {
		if err != nil {
			problems = append(problems, Invalid(field, "%s", err))
		}
	}
	report("customer_id", CheckRecordID(a.CustomerID))
	report("additional_customer_id", checkRecordText(a.AdditionalCustomerID))
	if !KnownCurrency(a.Currency) {
		report("currency", fmt.Errorf("must be an ISO 4217 code such as KZT"))
	}
	if len(a.Contracts) == 0 {
		report("entities", fmt.Errorf("must have at least one entry"))
	}
	seen := make(map[string]bool, len(a.Contracts))
	for i, c := range a.Contracts {
		at := func(member string) string { return fmt.Sprintf("entities[%d].%s", i, member) }
		report(at("id"), CheckRecordID(c.ID))
		if seen[c.ID] {
			report(at("id"), fmt.Errorf("must be unique within the account"))
		}
		seen[c.ID] = true
		report(at("number"), checkRecordText(c.Number))
		report(at("payment"), checkOptionalAmount(c.Payment))
		report(at("min_payment"), checkOptionalAmount(c.MinPayment))
		report(at("info"), checkInfo(c.Info))
	}
	return problems
}

// CheckCurrency reports a currency that no account can be opened in any more,
// as an error of KindInvalid. It is asked of new accounts and of those whose
// currency changes.
func (a *Account) CheckCurrency() error {
	if ValidCurrency(a.Currency) {
		return nil
	}
	return Invalid("currency", "must be a currency of today's ISO 4217 list; %s is none", a.Currency)
}

// Payable reports whether the account can be topped up at all: it is open and
// has an open contract.
func (a *Account) Payable() bool {
	if a.Closed {
		return false
	}
	for i := range a.Contracts {
		if !a.Contracts[i].Closed {
			return true
		}
	}
	return false
}

// Contract returns the account's contract with that id, or nil.
func (a *Account) Contract(id string) *Contract {
	for i := range a.Contracts {
		if a.Contracts[i].ID == id {
			return &a.Contracts[i]
		}
	}
	return nil
}

// checkText accepts 1 to 255 bytes of UTF-8 without control characters.
func checkText(text string) error {
	if text == "" {
		return fmt.Errorf("must not be empty")
	}
	if len(text) > MaxTextBytes {
		return fmt.Errorf("must be at most %d bytes long", MaxTextBytes)
	}
	if !utf8.ValidString(text) {
		return fmt.Errorf("must be valid UTF-8")
	}
	if strings.ContainsFunc(text, unicode.IsControl) {
		return fmt.Errorf("must not contain control characters")
	}
	return nil
}

func checkOptionalAmount(amount *int64) error {
	if amount != nil && (*amount < 0 || *amount > MaxAmount) {
		return fmt.Errorf("must be between 0 and %d minor units", MaxAmount)
	}
	return nil
}

func checkInfo(info json.RawMessage) error {
	if len(info) == 0 {
		return nil
	}
	if info[0] != '{' || !json.Valid(info) {
		return fmt.Errorf("must be a JSON object")
	}
	return nil
}
