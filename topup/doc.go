// Package topup is the domain: what an account, a contract, a payment and a
// ledger transaction are, and the rules by which a provider's message moves
// money. It knows nothing of HTTP, SQL, clocks or logs: everything it needs is
// passed in, and everything it decides is returned as a value.
//
// The centre is [Decide]. A provider adapter turns a verified message into an
// [Event]; the store gathers the [State] that the event meets; Decide answers
// with a [Decision], which the store carries out together with the raw message
// in one write transaction. The rules for money live there and nowhere else.
//
// Every rule that moves money or a status is here, as a pure function of what is
// there; the store reads the state, asks, and carries the answer out in one
// transaction:
//
//	decide.go, event.go     what a message does
//	effect.go               what follows for the payment, its dates and its expiry
//	steps.go, told.go, book.go  operators' steps, and what the books then show
//	payin.go                what becomes of a pay-in, and when its provider is polled
//	kinds.go                what every ledger transaction of a kind does; the check
//	                        of the ledger goes by it, too
//	provider.go             what the rules know of a platform
package topup
