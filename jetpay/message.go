package jetpay

import (
	"tolem/signing"
	"tolem/topup"
)

// Kind is what a message is. It follows from the content.
type Kind uint8

// The kinds of message.
const (
	KindCallback     Kind = iota // the result of a payment
	KindVerify                   // does this account exist
	KindCheckDeposit             // issue a payment id
	KindOther                    // a synchronous request of a type that is not known
)

// ErrUnknownType refuses a message of KindOther.
var ErrUnknownType error = topup.Invalid("type", "must be verify or check_deposit")

// Message is a message of JetPay Gate that was read strictly. Nothing of it may be
// believed before [Projects.Verify]. It is valid until its body is released.
type Message struct {
	Kind  Kind
	body  *signing.Body
	claim claim
}

// Read finds out what a message is, and of which project.
func Read(b *signing.Body) Message { return Message{Kind: kindOf(b), body: b, claim: claimOf(b)} }

// ProjectID is the id of the project that the message claims to be of, empty if
// it cannot be read.
func (m Message) ProjectID() string {
	if !m.claim.readable {
		return ""
	}
	return m.claim.value.Text()
}

// kindOf: a body with a payment object is a callback, else one with a type is a
// synchronous request; anything else is taken as a callback.
func kindOf(b *signing.Body) Kind {
	if payment, ok := b.Lookup("payment"); ok && payment.Kind() == signing.KindObject {
		return KindCallback
	}
	typ, ok := b.Lookup("type")
	if !ok {
		return KindCallback
	}
	if typ.Kind() != signing.KindString {
		return KindOther
	}
	switch string(typ.Bytes()) {
	case "verify":
		return KindVerify
	case "check_deposit":
		return KindCheckDeposit
	}
	return KindOther
}

// claim is the project that a message claims to be of.
type claim struct {
	value    signing.Value
	present  bool
	readable bool
}

// claimOf finds the project's id at the top level, else in general. An object
// or array in its place counts as nothing there: an empty one is not signed.
func claimOf(b *signing.Body) claim {
	for _, path := range [...]string{"project_id", "general:project_id"} {
		v, ok := b.Lookup(path)
		if ok && v.Kind() != signing.KindObject && v.Kind() != signing.KindArray {
			return claim{value: v, present: true, readable: v.IsDigits()}
		}
	}
	return claim{}
}

// check refuses a claim that cannot be read.
func (c claim) check() error {
	switch {
	case c.readable:
		return nil
	case c.present:
		return topup.Invalid("project_id", "must be a whole number")
	}
	return topup.Invalid("project_id", "is missing")
}
