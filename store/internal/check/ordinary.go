package check

import (
	"errors"
	"fmt"
	"strings"

	"gorm.io/gorm"

	"tolem/store/migrations"
)

// Nearly all of a book are ordinary credits: one transaction that one message made of one
// operation, for the whole of a payment. What the rules say of these is verified
// together, in one walk over the payments that reads each row once, where rule by rule
// the same rows are read some sixty times. Then a rule that walks over a big table is
// run on the rest of it. A rule that is not proven so is run as it is written, so that a
// broken book is reported in the same words either way.
//
// A query says {each.transaction} for the table whose rows it walks over, and
// transactions where it looks one up. {each.transaction} stands for the whole table in
// the rule, and for its rest where an ordinary credit cannot break the rule.

// ordinarySQL counts the payments that show a credit made by a message, and those of
// them that are not ordinary. Each is found through the rows that belong to it, by
// their keys; so as many ordinary credits as there are transactions of the kind are
// all of these.
const ordinarySQL = `SELECT count(*), coalesce(sum((
		t.kind = {kind.credit} AND t.payment_id = p.payment_id AND t.slot = 0 AND t.actor = ''
		AND t.reverses IS NULL AND t.resolves IS NULL AND t.takes IS NULL
		AND d.amount > 0 AND c.amount = -d.amount AND s.currency = a.currency
		AND s.name = 'settlement:' || p.provider || ':' || p.project AND a.name = 'customers:' || p.customer_id || ':' || p.entity_id
		AND p.credit_transaction = t.transaction_id AND p.credit_at = t.recorded_at AND p.credit_reversed = 0
		AND p.credit_amount = d.amount AND p.credit_currency = a.currency AND p.currency = a.currency
		AND (p.amount = d.amount OR p.provider = {provider.credits_received} AND p.flags & {flag.credited_other_sum} <> 0)
		AND o.seq = t.seq AND o.entered = 0 AND o.reference = ` + migrations.ReferenceSQL + `
		AND o.sum_amount = d.amount AND o.sum_currency = a.currency AND o.initial_amount = d.amount AND o.initial_currency = a.currency
		AND 1 = (SELECT count(*) FROM messages m WHERE m.reference = o.reference AND m.seq = t.seq AND m.disposition = {disposition.credited}
			AND m.payment_id = p.payment_id AND m.operation = o.operation AND m.provider = o.provider AND m.project = o.project)
	) IS NOT TRUE), 0)
	FROM payments p
	LEFT JOIN transactions t ON t.seq = p.credit_seq
	LEFT JOIN entries d ON d.seq = t.seq AND d.n = 0
	LEFT JOIN entries c ON c.seq = t.seq AND c.n = 1
	LEFT JOIN ledger_accounts s ON s.id = d.account_id
	LEFT JOIN ledger_accounts a ON a.id = c.account_id
	LEFT JOIN operations o ON o.operation = p.credit_operation AND o.provider = p.provider AND o.project = p.project
	WHERE p.credit_seq IS NOT NULL AND p.credit_by_operator = 0`

// sizesSQL counts what there is. A credit that is reversed is not ordinary.
const sizesSQL = `SELECT (SELECT count(*) FROM entries), (SELECT count(*) FROM operations),
	t.n, t.first, t.last, m.n, m.first, m.last,
	EXISTS (SELECT 1 FROM transactions r JOIN transactions x ON x.seq = r.reverses WHERE r.reverses IS NOT NULL AND x.kind = {kind.credit}),
	coalesce((SELECT seq FROM settlement_progress), 0)
	FROM (SELECT count(*) AS n, coalesce(min(seq), 1) AS first, coalesce(max(seq), 0) AS last FROM transactions) t,
	(SELECT count(*) AS n, coalesce(min(id), 1) AS first, coalesce(max(id), 0) AS last FROM messages) m`

// sizes is what sizesSQL counts.
type sizes struct {
	entries, operations    int64
	transactions, messages numbered
	reversed               bool  // a credit is
	summed                 int64 // the place up to which settlement is summed
}

// numbered are the rows of a table, and their numbers.
type numbered struct{ n, first, last int64 }

// gapless reports whether the rows are numbered from 1 on, and none is missing.
func (t numbered) gapless() bool { return t.first == 1 && t.last == t.n }

// restSQL defines the rest of each table: the rows that are not, or do not belong to,
// an ordinary credit. Of payments it leaves out those that break no rule about payments
// if all credits are ordinary: the payments that were credited by a message, of whose
// money nothing was moved since, and those that show no credit and did not succeed.
const restSQL = `WITH rest_transactions AS MATERIALIZED (SELECT * FROM transactions WHERE kind <> {kind.credit}),
	rest_entries AS MATERIALIZED (SELECT e.* FROM rest_transactions t CROSS JOIN entries e WHERE e.seq = t.seq),
	rest_operations AS MATERIALIZED (SELECT o.* FROM operations o LEFT JOIN transactions t ON t.seq = o.seq WHERE t.kind IS NOT {kind.credit}),
	rest_messages AS MATERIALIZED (
		SELECT m.id, m.seq, m.disposition, m.payment_id, m.provider, m.project, m.reference, m.operation FROM messages m WHERE m.disposition <> {disposition.credited}),
	moved (payment_id) AS MATERIALIZED (
		SELECT k.payment_id FROM transactions k WHERE k.takes IS NOT NULL
		UNION SELECT t.payment_id FROM transactions k JOIN transactions t ON t.seq = k.takes WHERE k.takes IS NOT NULL
		UNION SELECT i.payment_id FROM suspense_items i WHERE i.state = {item.open}),
	rest_payments AS MATERIALIZED (
		SELECT p.* FROM payments p WHERE p.flags & ({flag.refunded} | {flag.reversed}) <> 0 OR p.open_items <> 0 OR p.credit_by_operator <> 0 OR p.credit_reversed <> 0
			OR CASE WHEN p.credit_seq IS NOT NULL THEN p.status <> {status.succeeded}
				ELSE p.status = {status.succeeded} OR p.credit_operation <> ''
					OR coalesce(p.credit_transaction, p.credit_amount, p.credit_currency, p.credit_at) IS NOT NULL END
		UNION ALL SELECT p.* FROM moved x CROSS JOIN payments p WHERE p.payment_id = x.payment_id)
	`

// restWords are what {each.…} stands for in the rest.
var restWords = strings.NewReplacer(
	"{each.transaction}", "rest_transactions",
	"{each.entry}", "rest_entries",
	"{each.operation}", "rest_operations",
	"{each.payment}", "rest_payments",
	"{each.message}", "rest_messages",
)

// proofs are the rules that need no walk over the rest, or another one: what proves
// them, if all credits are ordinary and the running totals are right.
func (b sizes) proofs() map[string]string {
	const nothing = `SELECT 1 WHERE FALSE`
	list := map[string]string{holdsTotals: nothing, holdsForeignKeys: foreignKeysSQL, holdsSettlement: settlementOfRestSQL}
	if b.transactions.gapless() {
		list[holdsFeed] = nothing
	}
	if b.messages.gapless() {
		list[holdsMessages] = nothing
	}
	if b.summed > b.transactions.last/2 {
		list[holdsSums] = sumsBehindSQL
	}
	return list
}

// foreignKeysSQL finds rows that name one which does not exist.
const foreignKeysSQL = `SELECT 1 FROM rest_transactions t WHERE EXISTS (SELECT 1 FROM (SELECT t.reverses AS seq UNION ALL SELECT t.resolves UNION ALL SELECT t.takes) x
		WHERE x.seq IS NOT NULL AND NOT EXISTS (SELECT 1 FROM transactions y WHERE y.seq = x.seq))
	UNION ALL SELECT 1 FROM rest_entries e WHERE NOT EXISTS (SELECT 1 FROM ledger_accounts a WHERE a.id = e.account_id)
	UNION ALL SELECT 1 FROM rest_operations o WHERE NOT EXISTS (SELECT 1 FROM transactions t WHERE t.seq = o.seq)
	UNION ALL SELECT 1 FROM (SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT IN ('transactions', 'entries', 'operations')) x, pragma_foreign_key_check(x.name)`

// settlementOfRestSQL finds the settlement accounts that hold something else than the
// rule says: what is neither credited nor suspended nor went back through the platform
// must be what payouts settled.
const settlementOfRestSQL = `SELECT 1 FROM ledger_accounts a LEFT JOIN (
		SELECT e.account_id, sum(e.amount) AS amount FROM rest_entries e CROSS JOIN transactions t
		WHERE t.seq = e.seq AND NOT (t.payment_id <> ''
			AND (t.kind IN {kinds.from_settlement} AND e.amount > 0 OR t.kind IN {kinds.to_settlement} AND e.amount < 0 OR t.kind IN {kinds.reverse}))
		GROUP BY e.account_id) m ON m.account_id = a.id
	LEFT JOIN (` + settledByPayoutsSQL + `) p ON p.name = a.name AND p.currency = a.currency
	WHERE a.name >= 'settlement:' AND a.name < 'settlement;' AND coalesce(m.amount, 0) + coalesce(p.amount, 0) <> 0`

// sumsBehindSQL finds the accounts whose kept sums are not what the accounts hold, less
// the entries that are not summed yet.
const sumsBehindSQL = `SELECT 1 FROM ledger_accounts a
	LEFT JOIN (SELECT e.account_id, sum(e.amount) AS amount FROM entries e
		WHERE e.seq > (SELECT h.seq FROM settlement_progress h) GROUP BY e.account_id) j ON j.account_id = a.id
	LEFT JOIN (` + keptSumsSQL + `) u ON u.account_id = a.id
	WHERE ` + migrations.PlatformAccountsSQL + ` AND (coalesce(u.amount, 0) <> a.debits - a.credits - coalesce(j.amount, 0)
		OR a.name >= 'settlement:' AND a.name < 'settlement;' AND coalesce(u.received, 0) <> coalesce(u.came, 0))`

// Proven are those of the rules that hold of a SQLite file because all its credits are
// ordinary and its rest breaks none: none of them if one credit is not.
func Proven(db *gorm.DB, rules []Rule) (map[string]bool, error) {
	found, err := prove(db, rules)
	if err != nil && overflows(err) {
		return nil, nil
	}
	return found, err
}

func prove(db *gorm.DB, rules []Rule) (map[string]bool, error) {
	var b sizes
	t, m := &b.transactions, &b.messages
	err := db.Raw(inWords(sizesSQL)).Row().Scan(&b.entries, &b.operations, &t.n, &t.first, &t.last, &m.n, &m.first, &m.last, &b.reversed, &b.summed)
	if err != nil {
		return nil, fmt.Errorf("count the tables: %w", err)
	}
	if b.reversed {
		return nil, nil
	}
	var credits, others int64
	if err := db.Raw(inWords(ordinarySQL)).Row().Scan(&credits, &others); err != nil {
		return nil, fmt.Errorf("walk over the credits: %w", err)
	}
	if others != 0 {
		return nil, nil
	}
	right, err := totalsAreRight(db)
	if err != nil || !right {
		return nil, err
	}
	return b.proveOfRest(db, rules, credits)
}

// proveOfRest runs the rules on the rest of the tables, all in one statement, so that
// the rest is found once.
func (b sizes) proveOfRest(db *gorm.DB, rules []Rule, credits int64) (found map[string]bool, err error) {
	// Each credit has its transaction, two entries, an operation and a message: what else
	// there is must be the rest. So nothing is left out.
	sums := []struct {
		table      string
		all, times int64
	}{{"transactions", b.transactions.n, 1}, {"entries", b.entries, 2}, {"operations", b.operations, 1}, {"messages", b.messages.n, 1}}
	var arms []string
	for i, of := range sums {
		arms = append(arms, fmt.Sprintf("SELECT %d, (SELECT count(*) FROM rest_%s)", -1-i, of.table))
	}
	proofs := b.proofs()
	for i, r := range rules {
		query, other := proofs[r.Holds]
		if !other && strings.Contains(r.query, "{each.") {
			query = restWords.Replace(r.query)
		}
		if query != "" {
			arms = append(arms, fmt.Sprintf("SELECT %d, EXISTS (%s)", i, query))
		}
	}
	rows, err := db.Raw(inWords(restSQL + strings.Join(arms, " UNION ALL "))).Rows()
	if err != nil {
		return nil, fmt.Errorf("walk over the rest: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	found = map[string]bool{}
	for rows.Next() {
		var i int
		var n int64
		if err := rows.Scan(&i, &n); err != nil {
			return nil, err
		}
		switch {
		case i < 0:
			if of := sums[-1-i]; n+of.times*credits != of.all {
				return nil, nil
			}
		case n == 0:
			found[rules[i].Holds] = true
		}
	}
	return found, rows.Err()
}
