// Package billing asks the merchant's billing for accounts, for
// accounts.source: http. An answer becomes the account's record in the store,
// from which verify and check_deposit are then answered as with records that were
// imported.
//
// A request is GET with the three headers of Standard Webhooks, signed over an
// empty body. The answer is 200 with an account record, or 404 for a customer that
// billing does not know; anything else is a failure. While billing fails, a record
// that is not older than accounts.http.stale is used.
package billing
