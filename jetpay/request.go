package jetpay

import (
	"tolem/signing"
	"tolem/topup"
)

// VerifyRequest reads a verify, strictly: whose account is meant, in the form in
// which customers' ids are stored.
func (m Message) VerifyRequest(normalize topup.Normalizer) (customerID string, err error) {
	if err := m.claim.check(); err != nil {
		return "", err
	}
	return m.customerID(normalize)
}

func (m Message) customerID(normalize topup.Normalizer) (string, error) {
	id, err := text(m.body, "customer_id")
	if err != nil {
		return "", err
	}
	id = normalize.Apply(id)
	if err := topup.CheckID(id); err != nil {
		return "", topup.Invalid("customer_id", "%s", err)
	}
	return id, nil
}

// DepositRequest reads a check_deposit, strictly: what is to be paid for whom.
func (m Message) DepositRequest(normalize topup.Normalizer) (customerID string, d topup.Deposit, err error) {
	if err := m.claim.check(); err != nil {
		return "", d, err
	}
	if customerID, err = m.customerID(normalize); err != nil {
		return "", d, err
	}
	b := m.body
	if d.ContractID, err = text(b, "entity_id"); err != nil {
		return "", d, err
	}
	if err := topup.CheckID(d.ContractID); err != nil {
		return "", d, topup.Invalid("entity_id", "%s", err)
	}
	if d.Money.Amount, err = amount(b, "amount"); err != nil {
		return "", d, err
	}
	if d.Money.Currency, err = plainText(b, "currency"); err != nil {
		return "", d, err
	}
	if !isCurrencyCode(d.Money.Currency) {
		return "", d, topup.Invalid("currency", "must be a code of three capital letters such as KZT")
	}
	if d.Method, err = plainText(b, "payment_method"); err != nil {
		return "", d, err
	}
	return customerID, d, nil
}

// text reads a member that is documented as a string. An integer is taken as
// its digits: the platform's own SDKs send both, and the signature cannot tell
// them apart (JetPay Gate, "Types").
func text(b *signing.Body, name string) (string, error) {
	v, ok := b.Lookup(name)
	if !ok {
		return "", topup.Invalid(name, "is missing")
	}
	if id, ok := v.ID(); ok {
		return id, nil
	}
	return "", topup.Invalid(name, "must be a string")
}

// plainText reads a member that can only be a string.
func plainText(b *signing.Body, name string) (string, error) {
	v, ok := b.Lookup(name)
	if !ok {
		return "", topup.Invalid(name, "is missing")
	}
	if v.Kind() != signing.KindString {
		return "", topup.Invalid(name, "must be a string")
	}
	return v.StringValue(), nil
}

// amount reads minor units, between 1 and [topup.MaxAmount].
func amount(b *signing.Body, name string) (int64, error) {
	v, ok := b.Lookup(name)
	if !ok {
		return 0, topup.Invalid(name, "is missing")
	}
	if !v.IsDigits() {
		return 0, topup.Invalid(name, "must be a whole number of minor units")
	}
	n, ok := v.Integer()
	if !ok || !topup.ValidAmount(n) {
		return 0, topup.Invalid(name, "must be between 1 and %d minor units", topup.MaxAmount)
	}
	return n, nil
}

func isCurrencyCode(code string) bool {
	if len(code) != 3 {
		return false
	}
	for i := range 3 {
		if code[i] < 'A' || code[i] > 'Z' {
			return false
		}
	}
	return true
}
