package topup

// kindRule is what is true of every ledger transaction of a kind. Decisions and
// the check of the ledger both go by it, so that a new kind is told here alone.
type kindRule struct {
	Kind TransactionKind
	// ByMessage: a provider's message can have made it, and then its operation has
	// posted. ByOperation: an operation can have, through a message or an operator.
	ByMessage, ByOperation bool
	// Entered: an operator can have entered an operation with it.
	Entered bool
	// Credits: it gives money to a contract; CreditsOwn: to the one that the payment
	// was issued for, by taking the payment's one credit.
	Credits, CreditsOwn bool
	// OpensItem: it puts money into suspense. Resolves: it takes an item's money out,
	// which leaves the item Resolved.
	OpensItem, Resolves bool
	Resolved            ItemState
	// FromSettlement and ToSettlement: the platform owes the money more, or less.
	FromSettlement, ToSettlement bool
	// OfPayout: it belongs to a payout and to no payment.
	OfPayout bool
	// PaysBack: money goes back to the payer, through the platform or, then not to
	// settlement, from an account of the merchant at a bank. Its operation has a
	// negative sum.
	PaysBack bool
	// Takes: it takes from an earlier credit. Reverses: it mirrors another.
	Takes, Reverses bool
}

var kindRules = []kindRule{
	{Kind: KindCredit, ByMessage: true, ByOperation: true, Credits: true, CreditsOwn: true, FromSettlement: true},
	{Kind: KindSuspense, ByMessage: true, ByOperation: true, Entered: true, OpensItem: true, FromSettlement: true},
	{Kind: KindManualCredit, ByOperation: true, Entered: true, Credits: true, CreditsOwn: true, FromSettlement: true},
	{Kind: KindAssignment, Credits: true, Resolves: true, Resolved: ItemAssigned},
	{Kind: KindReturn, ByOperation: true, Entered: true, Resolves: true, Resolved: ItemReturned, ToSettlement: true, PaysBack: true},
	{Kind: KindRecall, OpensItem: true, Takes: true},
	{Kind: KindPayout, OfPayout: true},
	{Kind: KindRefund, ByOperation: true, Entered: true, Takes: true, ToSettlement: true, PaysBack: true},
	{Kind: KindReversal, Reverses: true},
}

func (k TransactionKind) rule() kindRule {
	for i := range kindRules {
		if kindRules[i].Kind == k {
			return kindRules[i]
		}
	}
	return kindRule{Kind: k}
}

// Kinds lists every kind of ledger transaction.
func Kinds() []TransactionKind { return kindsThat(func(kindRule) bool { return true }) }

func kindsThat(fits func(kindRule) bool) []TransactionKind {
	var kinds []TransactionKind
	for _, r := range kindRules {
		if fits(r) {
			kinds = append(kinds, r.Kind)
		}
	}
	return kinds
}

// Kinds with a property, for queries.
var (
	KindsByMessage      = kindsThat(func(r kindRule) bool { return r.ByMessage })
	KindsByOperation    = kindsThat(func(r kindRule) bool { return r.ByOperation })
	KindsEntered        = kindsThat(func(r kindRule) bool { return r.Entered })
	KindsThatCredit     = kindsThat(func(r kindRule) bool { return r.Credits })
	KindsThatCreditOwn  = kindsThat(func(r kindRule) bool { return r.CreditsOwn })
	KindsThatOpenItems  = kindsThat(func(r kindRule) bool { return r.OpensItem })
	KindsThatResolve    = kindsThat(func(r kindRule) bool { return r.Resolves })
	KindsFromSettlement = kindsThat(func(r kindRule) bool { return r.FromSettlement })
	KindsToSettlement   = kindsThat(func(r kindRule) bool { return r.ToSettlement })
	KindsOfPayouts      = kindsThat(func(r kindRule) bool { return r.OfPayout })
	KindsThatPayBack    = kindsThat(func(r kindRule) bool { return r.PaysBack })
	KindsThatTake       = kindsThat(func(r kindRule) bool { return r.Takes })
	KindsThatReverse    = kindsThat(func(r kindRule) bool { return r.Reverses })
)

// credits reports whether the transaction's kind gives money to a contract.
func (k TransactionKind) credits() bool { return k.rule().Credits }

// OpensItem reports whether a transaction of the kind puts money into suspense.
func (k TransactionKind) OpensItem() bool { return k.rule().OpensItem }

// PaysBack reports whether a transaction of the kind sends money back to the payer.
func (k TransactionKind) PaysBack() bool { return k.rule().PaysBack }

// Resolved is what a transaction of the kind leaves a suspense item as; empty for
// kinds that resolve none.
func (k TransactionKind) Resolved() ItemState { return k.rule().Resolved }

// Made is the kind of the ledger transaction to which a message of that
// disposition belongs, empty for none.
func (d Disposition) Made() TransactionKind {
	switch d {
	case DispositionCredited:
		return KindCredit
	case DispositionSuspended:
		return KindSuspense
	case DispositionBound:
		return KindManualCredit
	}
	return ""
}

// What a sound book may have that the rules of today do not make.
const (
	// FlagsBoundOtherSum together mark a payment of [ReceivingProvider] whose
	// operator's credit may be bound to an operation of another sum: programs of
	// before bound them.
	FlagsBoundOtherSum = FlagAmountDiffers | FlagConflict
	// FlagCreditedOtherSum marks a payment of [ReceivingProvider] that may be credited
	// with another sum than was asked.
	FlagCreditedOtherSum = FlagAmountDiffers
)
