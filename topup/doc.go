// Package topup is the domain: what an account, a contract, a payment and a
// ledger transaction are, and the rules by which a provider's message moves
// money. It knows nothing of HTTP, SQL, clocks or logs: everything it needs is
// passed in, and everything it decides is returned as a value.
//
// The centre is [Decide]. A provider adapter turns a verified message into an
// [Event]; the store gathers the [State] that the event meets; Decide answers
// with a [Decision], which the store carries out together with the raw message
// in one write transaction. The rules for money live there and nowhere else.
package topup
