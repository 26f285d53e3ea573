package topup

import (
	"fmt"
	"time"
)

// TransactionKind says why a ledger transaction was made.
type TransactionKind string

const (
	KindCredit       TransactionKind = "credit"        // a provider's movement, credited to its contract
	KindSuspense     TransactionKind = "suspense"      // money that is credited to nobody yet: by a provider's message, or by an operator from a stored one
	KindManualCredit TransactionKind = "manual_credit" // an operator credited a payment
	KindAssignment   TransactionKind = "assignment"    // an operator gave suspended money to a contract
	KindReturn       TransactionKind = "return"        // an operator sent suspended money back
	KindRecall       TransactionKind = "recall"        // an operator took a credit back into suspense
	KindPayout       TransactionKind = "payout"        // an operator booked what a platform paid to a bank account
	KindRefund       TransactionKind = "refund"        // an operator booked that credited money went back to the payer
	KindReversal     TransactionKind = "reversal"      // an operator mirrored another transaction
)

// Posting is one line of a ledger transaction. The amount is in minor units,
// positive for a debit and negative for a credit; the postings of a
// transaction sum to zero in each currency.
type Posting struct {
	Account  string `json:"account"`
	Amount   int64  `json:"amount"`
	Currency string `json:"currency"`
}

// Transaction is an entry of the journal. It is never changed or deleted;
// corrections are new transactions.
type Transaction struct {
	Seq         int64 // place in the feed, rising in commit order
	ID          string
	Kind        TransactionKind
	PaymentID   string // empty for that of a payout
	PayoutID    string // of the payout's posting and the reversals behind it, else empty
	Operation   string // the provider's operation, also one that an operator entered; empty for none
	Reverses    string // the transaction that this one mirrors
	Resolves    string // the suspense item that this one resolves
	Takes       string // the credit or assignment from which this one takes
	Actor       string // who, for an operator's
	Reason      string // why, for an operator's
	ApprovedBy  string // the second person, where one was needed
	EffectiveAt time.Time
	RecordedAt  time.Time
	Postings    []Posting
}

// Transfer makes the two postings that move money from one account to another:
// it debits the first and credits the second.
func Transfer(debit, credit string, m Money) []Posting {
	return []Posting{
		{Account: debit, Amount: m.Amount, Currency: m.Currency},
		{Account: credit, Amount: -m.Amount, Currency: m.Currency},
	}
}

// Mirror makes the postings that undo the given ones.
func Mirror(postings []Posting) []Posting {
	mirrored := make([]Posting, len(postings))
	for i, p := range postings {
		mirrored[i] = Posting{Account: p.Account, Amount: -p.Amount, Currency: p.Currency}
	}
	return mirrored
}

// CheckPostings refuses postings that do not balance: at least two, none of
// zero, and a sum of zero in each currency, without overflow.
func CheckPostings(postings []Posting) error {
	if len(postings) < 2 {
		return fmt.Errorf("a ledger transaction needs at least two postings, got %d", len(postings))
	}
	for i, p := range postings {
		if p.Amount == 0 {
			return fmt.Errorf("posting %d: the amount is zero", i+1)
		}
		sum := int64(0)
		first := true
		for j, q := range postings {
			if q.Currency != p.Currency {
				continue
			}
			if j < i {
				first = false
				break
			}
			var err error
			if sum, err = Add(sum, q.Amount); err != nil {
				return err
			}
		}
		if first && sum != 0 {
			return fmt.Errorf("the postings in %s sum to %d, not to zero", p.Currency, sum)
		}
	}
	return nil
}
