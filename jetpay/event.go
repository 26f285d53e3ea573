package jetpay

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"time"

	"tolem/signing"
	"tolem/topup"
)

// Event translates a callback (JetPay Gate, "Callbacks in Gate") that was
// signed with a key of p. It never refuses: what cannot be read is left empty.
func (m Message) Event(p *Project) topup.Event {
	c := callbackMembers(m.body)
	sum, sumOK := moneyOf(c.sum)
	initial, initialOK := moneyOf(c.initial)
	e := topup.Event{
		Provider:    Provider,
		Project:     p.ID,
		Source:      topup.SourceCallback,
		Amounts:     topup.AmountExact,
		MaybeCut:    mayBeCut(m.body, c.paymentID),
		Operation:   c.operationID.Digits(),
		Outcome:     outcomeOf(c),
		Sum:         sum,
		Initial:     initial,
		TopUp:       c.paymentMethod.Kind() == signing.KindString && slices.Contains(p.callbackMethods, c.paymentMethod.StringValue()),
		Method:      topup.Shown(c.paymentMethod.StringOrNumber()),
		Status:      topup.Shown(c.paymentStatus.StringOrNumber()),
		Code:        topup.Shown(c.code.StringOrNumber()),
		Message:     topup.Shown(c.message.StringOrNumber()),
		ReceiptID:   topup.Shown(c.receiptID.StringOrNumber()),
		EffectiveAt: dateOf(c.operationDate, c.paymentDate),
	}
	e.OwnOperation = e.PaysBack() && paysBack(c.operationType.StringValue())
	e.Complete = m.claim.readable && !e.MaybeCut && e.Operation != "" && sumOK && initialOK
	e.Reference = referenceOf(c.paymentID)
	if e.Reference == "" && e.Outcome == topup.OutcomePaid && e.Complete {
		e.Reference = topup.UnnamedReference(e.Operation)
	}
	e.Fingerprint = fingerprint(e, c)
	return e
}

// mayBeCut reports whether the platform may have signed other lines than
// these. The signature joins names and values without escaping the values, so
// whoever has a text of his own signed, such as the account number that he
// typed, ";operation:id:1;…", can have lines signed that fit a movement too.
//
// Cut from a request, or from an answer of ours where answers are signed, the
// signed string begins with that message's first name. Cut from the parameters
// of a Payment Page, which the merchant signs with the same secret and the
// payer's browser carries, it has the payment_id and payment_amount of those.
// Cut from another callback, the lines that stood there are hidden in a value,
// as those of a Payment Page may be: a ':' in a name is doubled, so that they
// cannot stand elsewhere as lines. Such a movement moves no money; an operator
// decides. Nor does one whose payment.id has a ';' in it: none of ours has, and what
// follows it may be any line.
func mayBeCut(b *signing.Body, paymentID signing.Value) bool {
	if paymentID.Kind() == signing.KindString && bytes.IndexByte(paymentID.Bytes(), ';') >= 0 {
		return true
	}
	for _, first := range [...]string{"customer_id", "amount", "additional_customer_id", "code"} {
		if b.SignedBeginsWith(first) {
			return true
		}
	}
	return b.Has("payment_id") || b.Has("payment_amount") ||
		b.HidesLine("payment", "operation", "payment_id", "payment_amount")
}

// members are the members of a callback that we read. One that is missing
// is the zero Value, a null.
type members struct {
	paymentID, paymentStatus, paymentDate, paymentMethod       signing.Value
	operationID, operationType, operationStatus, operationDate signing.Value
	code, message, receiptID                                   signing.Value
	sum, initial                                               moneyMembers
}

type moneyMembers struct{ amount, currency signing.Value }

func callbackMembers(b *signing.Body) members {
	at := func(path string) signing.Value {
		v, _ := b.Lookup(path)
		return v
	}
	return members{
		paymentID:       at("payment:id"),
		paymentStatus:   at("payment:status"),
		paymentDate:     at("payment:date"),
		paymentMethod:   at("payment:method"),
		sum:             moneyMembers{at("payment:sum:amount"), at("payment:sum:currency")},
		operationID:     at("operation:id"),
		operationType:   at("operation:type"),
		operationStatus: at("operation:status"),
		operationDate:   at("operation:date"),
		initial:         moneyMembers{at("operation:sum_initial:amount"), at("operation:sum_initial:currency")},
		code:            at("operation:code"),
		message:         at("operation:message"),
		receiptID:       at("operation:provider:payment_id"),
	}
}

// outcomeOf is the status table (JetPay Gate, "Rules for money"): the payment's
// status and the operation's type decide. The operation's status alone decides
// nothing, except that a movement, a refund or a reversal needs it to be a
// success.
func outcomeOf(m members) topup.Outcome {
	typ, status, operation := m.operationType.StringValue(), m.paymentStatus.StringValue(), m.operationStatus.StringValue()
	refund := isRefund(typ)
	reversal := !refund && takesBack(typ)
	switch {
	case typ == "sale" && operation == "success" && status == "success":
		return topup.OutcomePaid
	case (refund || reversal) && operation != "success" && operation != "":
		// It was declined or is under way. What the payment's status reports of
		// earlier ones, their own messages have reported.
		return paidOrOpen(status)
	case status == "refunded", status == "partially refunded", refund && operation == "success":
		return topup.OutcomeRefunded
	case status == "reversed", status == "partially reversed", reversal && operation == "success":
		return topup.OutcomeReversed
	case isDecline(status) && !leavesOpen(m.code):
		return topup.OutcomeDeclined
	}
	return paidOrOpen(status)
}

// paidOrOpen is the outcome of a message that is no movement, and reports
// nothing but the payment's status.
func paidOrOpen(status string) topup.Outcome {
	if status == "success" {
		return topup.OutcomePaidStatus
	}
	return topup.OutcomeOpen
}

// paysBack reports whether an operation of the type gives money back. A "refund
// reverse" cancels a refund.
func paysBack(typ string) bool { return isRefund(typ) != takesBack(typ) }

func isRefund(typ string) bool { return strings.Contains(typ, "refund") }

// takesBack reports whether a type of operation takes money back.
func takesBack(typ string) bool {
	for _, part := range [...]string{"revers", "void", "cancel", "chargeback"} {
		if strings.Contains(typ, part) {
			return true
		}
	}
	return false
}

func isDecline(status string) bool {
	switch status {
	case "decline", "error", "expired", "canceled", "cancelled":
		return true
	}
	return false
}

// leavesOpen reports whether a code means that a declined payment may still be
// paid.
func leavesOpen(code signing.Value) bool {
	text, _ := code.ID()
	switch text {
	case "19999", "29999", "20802", "20899":
		return true
	}
	return false
}

// referenceOf returns the payment's id; of what is no id, what can be shown of
// it, which is nothing for a value that is neither text nor number.
func referenceOf(v signing.Value) string {
	if id, ok := v.ID(); ok && topup.CheckID(id) == nil {
		return id
	}
	switch v.Kind() {
	case signing.KindString:
		return topup.ShownReference(v.Text())
	case signing.KindNumber:
		return topup.ShownReference(v.Text() + " (number)")
	}
	return ""
}

// moneyOf reads an amount and its currency; false if a message cannot carry them.
func moneyOf(m moneyMembers) (topup.Money, bool) {
	amount, ok := m.amount.Integer()
	if !ok {
		return topup.Money{}, false
	}
	return topup.MoneyOf(amount, m.currency.StringValue())
}

// dateOf returns the first date that can be read, as the accounting date of
// what happened.
func dateOf(dates ...signing.Value) time.Time {
	for _, v := range dates {
		if at := topup.ParseDate(v.StringValue()); !at.IsZero() {
			return at
		}
	}
	return time.Time{}
}

// fingerprint is equal for a message and its repeats: what it covers is what
// makes a repeat (JetPay Gate, "Rules for money"), as the text that was kept,
// so that 1 and "1" are the same. A message that names no payment, and a movement
// that cannot be read, has none: it is never taken for a repeat.
//
// The code counts but for a movement: a decline that may still be paid and then
// becomes final is no duplicate. What a movement's fingerprint is made of can never
// change: those of years ago are stored, and the platform may send them again.
func fingerprint(e topup.Event, m members) []byte {
	if e.Reference == "" || e.Outcome == topup.OutcomePaid && !e.Complete {
		return nil
	}
	parts := [...]signing.Value{
		m.paymentID, m.paymentStatus, m.operationID, m.operationStatus, m.operationType,
		m.sum.amount, m.sum.currency, m.initial.amount, m.initial.currency, m.code,
	}
	counts := parts[:]
	if e.Outcome == topup.OutcomePaid {
		counts = parts[:len(parts)-1]
	}
	var f topup.Fingerprint
	f.AddText(e.Provider)
	f.AddText(e.Project)
	for _, v := range counts {
		if v.IsStringOrNumber() {
			f.Add(v.Bytes())
		} else {
			f.AddAbsent() // unlike an empty text
		}
	}
	return f.Sum()
}

// ReadStored reads a stored callback anew, for an operator's step. Its signature
// was verified when it arrived. It works without the project's configuration,
// which may be gone: which methods the project takes does not matter here.
func ReadStored(project string, body []byte) (topup.Event, error) {
	b, err := signing.Parse(body)
	if err != nil {
		return topup.Event{}, fmt.Errorf("parse the stored message: %w", err)
	}
	defer b.Release()
	return Read(b).Event(&Project{ID: project}), nil
}
