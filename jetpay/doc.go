// Package jetpay knows the protocol of JetPay Gate: what its messages are, who has
// signed them, what they mean, and how they are answered.
//
//	Read              what a message is, and of which project
//	Projects.Verify   the project whose key has signed it; only then is it believed
//	Message.Event     a callback as a [topup.Event], which names nothing of JetPay
//	Message.VerifyRequest, Message.DepositRequest, Append…
//	                  the requests that are answered at once, and the answers
//	Gate.Status       asks the platform for the status of a payment
//
// The Gate alone does I/O. The package logs nothing, keeps nothing and decides
// nothing about money. Its errors have no secret and nothing about a person; a
// [GateError] quotes the code and the text of the platform's own refusal.
package jetpay

import "tolem/topup"

// Provider is the name of the platform in payments and ledger accounts.
const Provider = topup.JetPay
