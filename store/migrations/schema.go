package migrations

// Names and expressions of the schema that queries of several packages share.
const (
	// BalancesTable is where the running totals of ledger accounts are read.
	BalancesTable = "ledger_balances"
	// ReferenceSQL is the id under which the provider names payment p.
	ReferenceSQL = `CASE WHEN p.customer_id = '' OR p.recorded <> 0 THEN p.provider_reference ELSE p.payment_id END`
	// DebitsAndCreditsSQL sums entries e by their side.
	DebitsAndCreditsSQL = `sum(CASE WHEN e.amount > 0 THEN e.amount ELSE 0 END) AS debits, sum(CASE WHEN e.amount < 0 THEN -e.amount ELSE 0 END) AS credits`
)
