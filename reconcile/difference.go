package reconcile

import (
	"fmt"
	"strings"

	"tolem/reportfile"
)

// Kind is how a report and the books differ.
type Kind string

// The kinds of differences. Matched is none.
const (
	Matched            Kind = "matched"
	MissingHere        Kind = "missing_here"  // the platform has money that the books do not have
	MissingThere       Kind = "missing_there" // the books have money that the report does not have
	AmountDiffers      Kind = "amount_differs"
	CurrencyDiffers    Kind = "currency_differs"
	StatusDiffers      Kind = "status_differs" // paid on one side only; both know it
	RefundMissingHere  Kind = "refund_missing_here"
	RefundMissingThere Kind = "refund_missing_there"
	DuplicatedThere    Kind = "duplicated_there" // the same operation again
)

// Kinds are all kinds, in the order of the summary.
var Kinds = []Kind{Matched, MissingHere, MissingThere, AmountDiffers, CurrencyDiffers, StatusDiffers,
	RefundMissingHere, RefundMissingThere, DuplicatedThere}

// Words is the kind as the summary has it.
func (k Kind) Words() string { return strings.ReplaceAll(string(k), "_", " ") }

// Difference is one difference. At least one of Line and Entry is not nil.
type Difference struct {
	Kind  Kind
	Line  *Line
	Entry *Entry
	// Payment is what the books say of the line's payment, where that was asked.
	Payment *Payment
	// Next says what to do about it.
	Next string
}

// Counts are how many there are of each kind.
type Counts map[Kind]int

// String is the summary's line.
func (c Counts) String() string {
	parts := make([]string, len(Kinds))
	for i, kind := range Kinds {
		parts[i] = fmt.Sprintf("%d %s", c[kind], kind.Words())
	}
	return strings.Join(parts, ", ")
}

// Differ reports whether anything differs.
func (c Counts) Differ() bool {
	for kind, n := range c {
		if kind != Matched && n > 0 {
			return true
		}
	}
	return false
}

// next says what to do about a difference.
func (d *Difference) next(provider string) string {
	switch d.Kind {
	case MissingHere:
		return d.nextMissingHere(provider)
	case MissingThere:
		return "ask the platform for " + d.Entry.name() + "; if it never took the money: payments recall " + d.Entry.PaymentID + ", then suspense return"
	case AmountDiffers:
		if d.Entry == nil {
			return "nothing is credited here; ask the platform which sum is right, then payments record, or refund it there"
		}
		return "ask the platform which sum is right; payments show " + d.Entry.PaymentID + " has what its message told"
	case CurrencyDiffers:
		return "ask the platform which currency is right, and compare the map"
	case StatusDiffers:
		return d.nextStatus(provider)
	case RefundMissingHere:
		return d.nextRefund()
	case RefundMissingThere:
		return "the platform does not have this refund, or has cancelled it: ask it; if the money did not go back: ledger reverse " + d.Entry.TransactionID
	case DuplicatedThere:
		return "nothing: the line is there twice and counts once"
	}
	return ""
}

func (d *Difference) nextMissingHere(provider string) string {
	name, id := " --operation ", d.Line.Operation
	if provider == "highhelp" {
		name, id = " --reference ", d.Line.Payment
	}
	flag := name + "ID, which the report does not say"
	if id != "" {
		flag = name + word(id)
	}
	if d.Payment != nil && d.Payment.Credit != (Money{}) {
		return "payment " + d.Payment.PaymentID + " is credited by another operation: this is a second payment of the payer, or was counted twice; ask the platform, then payments record --anyway" + flag + ", or have it refunded"
	}
	if d.Payment != nil {
		return "the credit of payment " + d.Payment.PaymentID + " was undone by an operator: see payments show; if the money did come, payments record" + flag
	}
	return "no such payment is known here: ask the platform whose it is, then payments record" + flag
}

func (d *Difference) nextStatus(provider string) string {
	switch {
	case d.Line.Status == "":
		return "the map does not list its status: add it to statuses, and compare again"
	case d.Line.Status != reportfile.Paid && d.Entry != nil:
		return "the platform does not call it paid: ask it; if the payer was not charged: payments recall " + d.Entry.PaymentID + ", then suspense return"
	case d.Line.Status != reportfile.Paid && d.Payment != nil:
		return "the platform does not call it paid: ask it; if the payer was not charged: payments recall " + d.Payment.PaymentID + ", then suspense return"
	case d.Entry != nil:
		return "it is a payment on one side and a refund on the other: ask the platform, and compare types in the map"
	case d.Payment != nil && d.Payment.InSuspense:
		return "its money is in suspense here: suspense assign, or suspense return (payments show " + d.Payment.PaymentID + ")"
	case d.Payment != nil && d.Payment.Taken:
		return "its credit was undone by an operator: see payments show " + d.Payment.PaymentID
	case d.Payment != nil && provider == "highhelp":
		return "paid there, not credited here: serve asks the platform for open payments; if it does not report this one, payments credit " + d.Payment.PaymentID
	case d.Payment != nil:
		return "paid there, not credited here: payments credit " + d.Payment.PaymentID + ", or reconcile --apply"
	}
	return "see payments show " + word(d.Line.Payment)
}

func (d *Difference) nextRefund() string {
	operation := ""
	if d.Line.Operation != "" {
		operation = " --operation " + word(d.Line.Operation)
	}
	if d.Payment == nil {
		return "its payment is not known here, or not by this id: deal with that first, then payments refund --amount " + fmt.Sprint(abs(d.Line.Amount)) + operation
	}
	id := d.Payment.PaymentID
	if d.Payment.Credit == (Money{}) {
		return "nothing of payment " + id + " is credited: if its money is in suspense, suspense return; else deal with the payment first"
	}
	return fmt.Sprintf("payments refund %s --amount %d%s", id, abs(d.Line.Amount), operation)
}

// name is how a person asks for the entry.
func (e *Entry) name() string {
	if e.Operation != "" {
		return "operation " + e.Operation
	}
	return "payment " + e.Payment
}

// word is a value of a report as a shell takes it for one word, because people copy
// what they are told to do.
func word(value string) string {
	plain := strings.Trim(value, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_-.") == ""
	if plain && value != "" && value[0] != '-' {
		return value
	}
	return "'" + strings.ReplaceAll(value, "'", `'\''`) + "'"
}

func abs(n int64) int64 { return max(n, -n) }
