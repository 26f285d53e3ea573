package topup

import (
	"encoding/json"
	"fmt"
	"math/bits"
	"time"
)

// Status is where a payment stands.
type Status string

const (
	// StatusPending: issued, nothing final yet.
	StatusPending Status = "pending"
	// StatusSucceeded: credited to a contract, also when it was refunded since.
	StatusSucceeded Status = "succeeded"
	// StatusDeclined: the provider said no; money that comes later still credits.
	StatusDeclined Status = "declined"
	// StatusExpired: no result within the platform's retry time; money that
	// comes later still credits.
	StatusExpired Status = "expired"
	// StatusReview: money or an outcome exists that is credited to nobody.
	StatusReview Status = "review"
)

// Statuses lists every status, in the order in which a payment may meet them.
var Statuses = []Status{StatusPending, StatusSucceeded, StatusDeclined, StatusExpired, StatusReview}

// Flags mark what an operator should know about a payment. They are a set.
type Flags uint32

// The bit of each flag is stored: append, never reorder.
const (
	FlagAmountDiffers Flags = 1 << iota
	FlagCurrencyDiffers
	FlagUnknownPayment
	FlagSecondOperation
	FlagConflict
	FlagLate
	FlagRefund
	FlagReversal
	FlagDispute
	FlagUnreadable
	FlagOutcomeUnknown
	FlagReversed
	FlagRefunded
)

var flagNames = []string{
	"amount_differs", "currency_differs", "unknown_payment", "second_operation", "conflict", "late",
	"refund", "reversal", "dispute", "unreadable", "outcome_unknown", "reversed", "refunded",
}

// Has reports whether every flag of other is in f.
func (f Flags) Has(other Flags) bool { return f&other == other }

// Names returns the flags' public names, in a fixed order; never nil.
func (f Flags) Names() []string {
	names := make([]string, 0, bits.OnesCount32(uint32(f)))
	for i, name := range flagNames {
		if f&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	return names
}

// MarshalJSON renders the set as a list of names.
func (f Flags) MarshalJSON() ([]byte, error) { return json.Marshal(f.Names()) }

// ParseFlag returns the flag of that name.
func ParseFlag(name string) (Flags, error) {
	for i, known := range flagNames {
		if known == name {
			return 1 << i, nil
		}
	}
	return 0, Invalid("flag", "must be one of %v", flagNames)
}

// ParseStatus returns the status of that name.
func ParseStatus(name string) (Status, error) {
	for _, known := range Statuses {
		if string(known) == name {
			return known, nil
		}
	}
	return "", Invalid("status", "must be one of %v", Statuses)
}

// Payment is one intention to top up one contract, and what became of it.
type Payment struct {
	ID       string
	Provider string
	Project  string
	// CustomerID and ContractID are empty for money that came under an id we
	// never issued.
	CustomerID     string
	ContractID     string
	ContractNumber string // as it was when the payment was issued
	Money          Money  // what was asked
	Method         string
	Status         Status
	Stored         Status // the status that the database has; empty for a payment that it does not have
	Flags          Flags
	CreatedAt      time.Time
	ExpiresAt      time.Time // zero: never

	// What the provider said last.
	ProviderStatus    string
	ProviderCode      string
	ProviderMessage   string
	ProviderReference string // the platform's own id of the payment
	ProviderPaymentID string // the receipt number at the provider behind the platform
	OperationID       string
	ProviderTime      time.Time

	// Credit is the payment's one credit, nil until it is taken. It stays
	// taken when an operator reverses or recalls it.
	Credit *Credit
	// Credited is what the payment's own contract has of its money now, nil for
	// nothing.
	Credited *Credited
	// Refunded is what operators have booked as refunded of it, zero for nothing.
	Refunded Money
	// Recorded is set when an operator opened the payment for money that no
	// message told of.
	Recorded bool
	// Moved is set when an operator has recalled, refunded or suspended money of it, so that
	// Credit does not tell what its contract has.
	Moved bool
	// PayoutID is the payout that names the payment, empty for none. It is read
	// with the payment for people and billing, never for a decision.
	PayoutID string
	// InSuspense is the number of suspense items of the payment that nobody
	// has resolved.
	InSuspense int
}

// Credit is the one credit that a payment can have.
type Credit struct {
	Seq           int64 // the transaction's place in the feed
	TransactionID string
	Money         Money
	At            time.Time
	ByOperator    bool
	Operation     string // the provider's operation that is bound to it, empty if none
	Reversed      bool
}

// Issued reports whether the payment names a contract: we gave out its id, or an
// operator recorded it. One that was opened for money under an unknown id does not.
func (p *Payment) Issued() bool { return p.CustomerID != "" }

// flagsTold are set by messages that told of money that nobody could book.
const flagsTold = FlagUnreadable | FlagRefund | FlagReversal

// NothingOpen reports whether there is nothing of the payment that somebody must
// deal with: no credit, no money in suspense, and no message that told of money
// that nobody could book. A review of such a payment is over when the provider
// says no: it was for the payment's age alone, or what it was for is gone.
func (p *Payment) NothingOpen() bool {
	return p.Credit == nil && p.InSuspense == 0 && p.Flags&flagsTold == 0
}

// Name is the id under which the platform names the payment, empty when that is
// not known.
func (p *Payment) Name() string {
	if !p.Issued() || p.Recorded {
		return p.ProviderReference
	}
	return p.ID
}

// customersPrefix begins the ledger accounts of contracts.
const customersPrefix = "customers:"

// CustomerAccount names the ledger account that holds what was credited to a
// contract.
func CustomerAccount(customerID, contractID string) string {
	return fmt.Sprintf(customersPrefix+"%s:%s", customerID, contractID)
}

// SettlementAccount names the ledger account that holds what a platform owes
// the merchant for a project.
func SettlementAccount(provider, project string) string {
	return fmt.Sprintf("settlement:%s:%s", provider, project)
}

// SuspenseAccount names the ledger account that holds money of a project that
// belongs to nobody yet.
func SuspenseAccount(provider, project string) string {
	return fmt.Sprintf("suspense:%s:%s", provider, project)
}
