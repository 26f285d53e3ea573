package topup

import "slices"

// Deposit is what a payer has confirmed and the provider asks us to accept.
type Deposit struct {
	ContractID string
	Money      Money
	Method     string
}

// DepositRules are the merchant's own limits on a deposit.
type DepositRules struct {
	Methods   []string // payment methods that the project accepts
	MaxAmount int64    // minor units
}

// CheckDeposit decides whether the account accepts the deposit, and returns
// the contract that it is for. This is the last moment at which the merchant
// can refuse. The error is an *Error: KindNotFound when there is nothing to
// top up, KindInvalid with the reason otherwise.
func CheckDeposit(account *Account, deposit Deposit, rules DepositRules) (*Contract, error) {
	if !account.Payable() {
		return nil, NotFound("account does not exist")
	}
	contract := account.Contract(deposit.ContractID)
	if contract == nil {
		return nil, Invalid("entity_id", "does not name a contract of this account")
	}
	if contract.Closed {
		return nil, Invalid("entity_id", "names a contract that is closed")
	}
	if deposit.Money.Currency != account.Currency {
		return nil, Invalid("currency", "must be %s for this account", account.Currency)
	}
	if !ValidCurrency(deposit.Money.Currency) {
		return nil, Invalid("currency", "is no currency any more")
	}
	if contract.MinPayment != nil && deposit.Money.Amount < *contract.MinPayment {
		return nil, Invalid("amount", "is below the minimum of %d minor units", *contract.MinPayment)
	}
	if deposit.Money.Amount > rules.MaxAmount {
		return nil, Invalid("amount", "is above the maximum of %d minor units", rules.MaxAmount)
	}
	if deposit.Money.Amount < 1 {
		return nil, Invalid("amount", "must be at least 1 minor unit")
	}
	if !slices.Contains(rules.Methods, deposit.Method) {
		return nil, Invalid("payment_method", "is not accepted by this project")
	}
	return contract, nil
}
