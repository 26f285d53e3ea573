package store

import (
	"context"
	"time"

	"tolem/store/internal/ledger"
	"tolem/store/internal/payouts"
	"tolem/store/internal/seal"
	"tolem/store/internal/turnover"
	"tolem/store/migrations"
	"tolem/topup"
)

// What is read of the books is [ledger.Ledger], which a Store embeds.
type (
	// PaymentFilter narrows a list of payments.
	PaymentFilter = ledger.PaymentFilter
	// SuspenseFilter narrows a list of suspense items.
	SuspenseFilter = ledger.SuspenseFilter
	// SuspenseItem is money that a transaction has put into suspense.
	SuspenseItem = ledger.SuspenseItem
	// Resolution is what became of a suspense item.
	Resolution = ledger.Resolution
	// Balance is what a ledger account holds.
	Balance = ledger.Balance
	// BalanceFilter narrows a list of balances.
	BalanceFilter = ledger.BalanceFilter
	// BalancePage is a page of balances.
	BalancePage = ledger.BalancePage
	// Period selects ledger transactions by time.
	Period = ledger.Period
	// TimeAxis says which of a transaction's two times a period is cut by.
	TimeAxis = ledger.TimeAxis
	// Project is a project of a provider that the books know.
	Project = ledger.Project
	// Stats are figures for metrics.
	Stats = ledger.Stats
	// Statement is what moved on a customer's contracts.
	Statement = ledger.Statement
	// StatementContract is a contract in a statement.
	StatementContract = ledger.StatementContract
	// StatementLine is a line of a statement.
	StatementLine = ledger.StatementLine

	// Payout is a stored payout.
	Payout = payouts.Payout
	// PayoutStep is something that was done to a payout.
	PayoutStep = payouts.PayoutStep
	// PayoutRef names a payout.
	PayoutRef = payouts.PayoutRef
	// PayoutFilter narrows a list of payouts.
	PayoutFilter = payouts.PayoutFilter
	// PayoutLine is a stored line of a payout.
	PayoutLine = payouts.PayoutLine
	// Settlement is what a platform owes for a project.
	Settlement = payouts.Settlement
	// Unpaid is what no payout names yet.
	Unpaid = payouts.Unpaid

	// Dimension is what the turnover is reported by.
	Dimension = turnover.Dimension
	// TurnoverQuery asks for turnover.
	TurnoverQuery = turnover.TurnoverQuery
	// Turnover is what moved.
	Turnover = turnover.Turnover

	// Seal is the head of the hash chain over the journal.
	Seal = seal.Seal
	// SealReport is what a verification of seals has read and what is wrong.
	SealReport = seal.Report
)

// MaxStatement bounds the lines of a statement.
const MaxStatement = ledger.MaxStatement

// UnpaidAges are the ages by which what is unpaid is divided, in days.
var UnpaidAges = payouts.UnpaidAges

// The dimensions of turnover.
const (
	ByDay      = turnover.ByDay
	ByMonth    = turnover.ByMonth
	ByContract = turnover.ByContract
	ByProject  = turnover.ByProject
	ByMethod   = turnover.ByMethod
)

// ParseDimensions reads one dimension, or two with a comma between. The error is of
// KindInvalid.
func ParseDimensions(text string) ([]Dimension, error) { return turnover.ParseDimensions(text) }

// The two times of a transaction.
const (
	ByEffective = ledger.ByEffective
	ByRecorded  = ledger.ByRecorded
)

// ParseTimeAxis returns the axis of that name; the error is of KindInvalid.
func ParseTimeAxis(name string) (TimeAxis, error) { return ledger.ParseTimeAxis(name) }

// PageEnd is how far a page of payments has looked back whose next cursor this is.
func PageEnd(cursor string) (time.Time, error) { return ledger.PageEnd(cursor) }

const (
	maxBook              = ledger.MaxBook
	defaultPage, maxPage = ledger.DefaultPage, ledger.MaxPage
	defaultFeed, maxFeed = ledger.DefaultFeed, ledger.MaxFeed
	transactionsSQL      = ledger.TransactionsSQL
	referenceSQL         = migrations.ReferenceSQL
)

func encodeCursor(parts ...string) string { return ledger.EncodeCursor(parts...) }

func decodeCursor(cursor string, parts int) ([]string, error) {
	return ledger.DecodeCursor(cursor, parts)
}

func pageSize(limit, normal, largest int) (int, error) {
	return ledger.PageSize(limit, normal, largest)
}

func (s *Store) transactions(ctx context.Context, limit int, where string, args ...any) ([]topup.Transaction, error) {
	return s.Find(ctx, limit, where, args...)
}

func errCursor() error { return ledger.ErrCursor() }
