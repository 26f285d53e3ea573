package topup

import (
	"slices"
	"strings"
)

// EventType is what a notification to the merchant's own systems is about. Every
// ledger transaction that moves money to or from a contract has exactly one
// notification; who counts balances needs the first four.
type EventType string

// The types of notifications.
const (
	EventSucceeded    EventType = "topup.succeeded" // a credit, by a message or an operator
	EventResolved     EventType = "topup.resolved"  // money left suspense, or a review was closed
	EventRefunded     EventType = "topup.refunded"
	EventReversed     EventType = "topup.reversed" // a recall, or a reversal that moves money of a contract
	EventDeclined     EventType = "topup.declined"
	EventExpired      EventType = "topup.expired"
	EventReview       EventType = "topup.review" // a person must look
	EventPayoutPosted EventType = "payout.posted"
)

// EventTypes lists all types.
func EventTypes() []EventType {
	return []EventType{EventSucceeded, EventResolved, EventRefunded, EventReversed, EventDeclined, EventExpired, EventReview, EventPayoutPosted}
}

// eventsOfKinds are the notifications of transactions that move money of a
// contract.
var eventsOfKinds = map[TransactionKind]EventType{
	KindCredit: EventSucceeded, KindManualCredit: EventSucceeded, KindAssignment: EventResolved,
	KindRefund: EventRefunded, KindRecall: EventReversed, KindReversal: EventReversed,
}

// EventOfTransaction is the notification of a ledger transaction of a payment
// whose status is now the given one; empty if it has none. Money that never
// touches a contract is reported by the status in which it leaves the payment.
func EventOfTransaction(kind TransactionKind, postings []Posting, status Status) EventType {
	if ContractTouched(postings) != "" {
		return eventsOfKinds[kind]
	}
	if kind == KindReturn {
		return EventResolved
	}
	return eventOfStatus(status)
}

// EventOfStatus is the notification of a payment whose status has changed without
// a ledger transaction; empty if it has none.
func EventOfStatus(before, now Status) EventType {
	if before == now {
		return ""
	}
	return eventOfStatus(now)
}

func eventOfStatus(status Status) EventType {
	switch status {
	case StatusDeclined:
		return EventDeclined
	case StatusExpired:
		return EventExpired
	case StatusReview:
		return EventReview
	}
	return ""
}

// ContractTouched is the ledger account of the contract whose money the postings
// move, empty if they move none.
func ContractTouched(postings []Posting) string {
	i := slices.IndexFunc(postings, func(p Posting) bool { return strings.HasPrefix(p.Account, customersPrefix) })
	if i < 0 {
		return ""
	}
	return postings[i].Account
}
