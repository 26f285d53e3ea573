// Package notify delivers notifications to the merchant's own systems: it posts
// what the store's outbox has to the endpoints of the configuration, signed as
// Standard Webhooks says, at least once, and those of one contract in order.
package notify
