package migrations

// Names and expressions of the schema that queries of several packages share.
const (
	// BalancesTable is where the running totals of ledger accounts are read.
	BalancesTable = "ledger_balances"
	// ReferenceSQL is the id under which the provider names payment p.
	ReferenceSQL = `CASE WHEN p.customer_id = '' OR p.recorded <> 0 THEN p.provider_reference ELSE p.payment_id END`
	// HeldPayoutSQL is true of a payout o that holds its id and its lines.
	HeldPayoutSQL = `(o.state = 'draft' OR o.state = 'posted')`
	// PlatformAccountsSQL is true of a ledger account a of what was booked with
	// platforms.
	PlatformAccountsSQL = `(a.name >= 'settlement:' AND a.name < 'settlement;' OR a.name >= 'suspense:' AND a.name < 'suspense;'
	OR a.name >= 'fees:' AND a.name < 'fees;' OR a.name >= 'reserve:' AND a.name < 'reserve;' OR a.name >= 'adjustments:' AND a.name < 'adjustments;')`
	// ReceivedKind is the kind under which settlement_sums has money that came, at
	// the time of its first transaction, so that a reversal takes it out there.
	ReceivedKind = "received"
	// DebitsAndCreditsSQL sums entries e by their side.
	DebitsAndCreditsSQL = `sum(CASE WHEN e.amount > 0 THEN e.amount ELSE 0 END) AS debits, sum(CASE WHEN e.amount < 0 THEN -e.amount ELSE 0 END) AS credits`
)
