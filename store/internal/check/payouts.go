package check

import "tolem/store/migrations"

// The rules of payouts and of settlement; see Everywhere.

// payoutLegsSQL defines legs(payout, seq, name, currency, amount): what the figures of
// payouts say of the entries that their postings, and the reversals behind those,
// have.
const payoutLegsSQL = `WITH made (payout, seq, bank, project, currency, gross, refunds, fees, reserve, adjustments, net) AS (
		SELECT o.id, s.seq, o.bank, o.provider || ':' || o.project, o.currency, g.sign * o.gross, g.sign * o.refunds, g.sign * o.fees,
			g.sign * o.reserve, g.sign * o.adjustments, g.sign * o.net
		FROM payout_steps s JOIN payouts o ON o.id = s.payout JOIN (SELECT 1 AS sign, 'posted' AS state UNION ALL SELECT -1, 'reversed') g ON g.state = s.state
		WHERE s.seq IS NOT NULL),
	legs (payout, seq, name, currency, amount) AS MATERIALIZED (
		SELECT payout, seq, 'bank:' || bank, currency, net FROM made WHERE net <> 0
		UNION ALL SELECT payout, seq, 'fees:' || project, currency, fees FROM made WHERE fees <> 0
		UNION ALL SELECT payout, seq, 'reserve:' || project, currency, reserve FROM made WHERE reserve <> 0
		UNION ALL SELECT payout, seq, 'adjustments:' || project, currency, adjustments FROM made WHERE adjustments <> 0
		UNION ALL SELECT payout, seq, 'settlement:' || project, currency, refunds - gross FROM made WHERE refunds <> gross) `

// settledByPayoutsSQL is what posted payouts took from settlement accounts.
const settledByPayoutsSQL = `SELECT 'settlement:' || o.provider || ':' || o.project AS name, o.currency, sum(o.gross - o.refunds) AS amount
	FROM payouts o WHERE o.state = 'posted' GROUP BY 1, 2`

// keptSumsSQL are the sums that settlement shows, of each account.
const keptSumsSQL = `SELECT s.account_id, sum(CASE WHEN s.kind <> '` + migrations.ReceivedKind + `' THEN s.amount ELSE 0 END) AS amount,
		sum(CASE WHEN s.kind = '` + migrations.ReceivedKind + `' THEN s.amount ELSE 0 END) AS received, sum(CASE WHEN s.kind IN {kinds.from_settlement} THEN s.amount ELSE 0 END) AS came
	FROM settlement_sums s GROUP BY s.account_id`

// The rules that ordinary.go proves in another way.
const (
	holdsSettlement = "settlement is credits and suspense, less returns and refunds through the platform, less gross less refunds of payouts"
	holdsSums       = "the sums that settlement shows are those of the journal"
)

var payoutRules = []Rule{
	{"a payout's transactions, and no others, have no payment", `
		SELECT format('transaction %s (seq %s, %s): it belongs to no payment, and to no payout', t.transaction_id, t.seq, t.kind)
		FROM transactions t WHERE t.payment_id = '' AND (NOT EXISTS (SELECT 1 FROM payout_steps s WHERE s.seq = t.seq) OR t.kind NOT IN {kinds.of_payouts} AND t.kind NOT IN {kinds.reverse})
		UNION ALL
		SELECT format('transaction %s (seq %s, %s): it belongs to payment %s, and can only be a payout''s', t.transaction_id, t.seq, t.kind, t.payment_id)
		FROM {each.transaction} t WHERE t.kind IN {kinds.of_payouts} AND t.payment_id <> ''
		UNION ALL
		SELECT format('payout step %s: transaction seq %s is not that of a payout', s.id, s.seq)
		FROM payout_steps s LEFT JOIN transactions t ON t.seq = s.seq WHERE s.seq IS NOT NULL AND t.payment_id IS DISTINCT FROM ''`},
	{"the figures of a payout add up", `
		SELECT format('payout %s of %s %s: gross less refunds, fees, reserve and adjustments is %s, and net is %s', o.payout_id, o.provider, o.project,
			o.gross - o.refunds - o.fees - o.reserve - o.adjustments, o.net)
		FROM payouts o WHERE o.gross - o.refunds - o.fees - o.reserve - o.adjustments <> o.net`},
	{"the postings of a payout are its figures", payoutLegsSQL + `
		SELECT format('payout %s of %s %s: transaction seq %s does not book %s %s on %s', o.payout_id, o.provider, o.project, l.seq, l.amount, l.currency, l.name)
		FROM legs l JOIN payouts o ON o.id = l.payout WHERE NOT EXISTS (SELECT 1 FROM entries e JOIN ledger_accounts a ON a.id = e.account_id
			WHERE e.seq = l.seq AND a.name = l.name AND a.currency = l.currency AND e.amount = l.amount)
		UNION ALL
		SELECT format('payout %s of %s %s: transaction seq %s books %s %s on %s, which is none of its figures', o.payout_id, o.provider, o.project, s.seq, e.amount, a.currency, a.name)
		FROM payout_steps s JOIN payouts o ON o.id = s.payout JOIN entries e ON e.seq = s.seq JOIN ledger_accounts a ON a.id = e.account_id
		WHERE NOT EXISTS (SELECT 1 FROM legs l WHERE l.seq = s.seq AND l.name = a.name AND l.currency = a.currency AND l.amount = e.amount)`},
	{"the state of a payout is that of its newest step, and what the journal says", undoneSQL + `
		SELECT format('payout %s of %s %s: it is %s, and its newest step says %s', o.payout_id, o.provider, o.project, o.state, coalesce(s.state, 'nothing'))
		FROM payouts o LEFT JOIN payout_steps s ON s.id = (SELECT max(l.id) FROM payout_steps l WHERE l.payout = o.id)
		WHERE o.state <> 'staged' AND s.state IS DISTINCT FROM o.state
		UNION ALL
		SELECT format('payout step %s: a step that leaves a payout %s has transaction %s', s.id, s.state, coalesce(CAST(s.seq AS TEXT), 'none'))
		FROM payout_steps s WHERE (s.state IN ('posted', 'reversed')) <> (s.seq IS NOT NULL)
		UNION ALL
		SELECT format('payout %s of %s %s: it is %s, which its posting, seq %s, is not', o.payout_id, o.provider, o.project, o.state, t.seq)
		FROM payouts o JOIN payout_steps s ON s.payout = o.id JOIN transactions t ON t.seq = s.seq AND t.kind IN {kinds.of_payouts}
		WHERE (o.state = 'posted') = (t.seq IN (SELECT u.seq FROM undone u)) OR o.state NOT IN ('posted', 'reversed')`},
	{"an id is held by one payout of its project", `
		SELECT format('payout %s of %s %s: %s payouts hold this id', o.payout_id, o.provider, o.project, count(*))
		FROM payouts o WHERE ` + migrations.HeldPayoutSQL + ` GROUP BY o.payout_id, o.provider, o.project HAVING count(*) > 1`},
	{"a line is in one payout at most", `
		SELECT format('line "%s" of %s %s: it is %s times in payouts that count', l.key, o.provider, o.project, count(*))
		FROM payout_lines l JOIN payouts o ON o.id = l.payout WHERE l.key <> '' AND ` + migrations.HeldPayoutSQL + `
		GROUP BY l.key, o.provider, o.project HAVING count(*) > 1`},
	{"a bank line and a payout that count are matched once, and say the same", `
		SELECT format('payout %s of %s %s, bank line %s of %s: %s', o.payout_id, o.provider, o.project, m.line, coalesce(b.bank, '-'), CASE
			WHEN b.id IS NULL OR b.bank <> o.bank THEN format('the payout was paid to %s', o.bank)
			WHEN b.currency <> o.currency OR b.amount <> abs(o.net) OR (b.direction = 'in') <> (o.net > 0) THEN
				format('the line is %s %s %s, the payout %s %s', b.direction, b.amount, b.currency, o.net, o.currency)
			ELSE 'another match of one of them counts too' END)
		FROM bank_matches m JOIN payouts o ON o.id = m.payout AND o.state IN ('draft', 'posted') LEFT JOIN bank_lines b ON b.id = m.line
		WHERE b.id IS NULL OR b.bank <> o.bank OR b.currency <> o.currency OR b.amount <> abs(o.net) OR (b.direction = 'in') <> (o.net > 0)
			OR EXISTS (SELECT 1 FROM bank_matches n JOIN payouts q ON q.id = n.payout AND q.state IN ('draft', 'posted')
				WHERE n.id <> m.id AND (n.line = m.line OR n.payout = m.payout))`},
	{"a line is known by what it says, and names a payment of its own project", `
		SELECT format('payout %s of %s %s, line %s: %s', o.payout_id, o.provider, o.project, l.line, CASE
			WHEN p.payment_id IS NULL AND l.payment_id IS NOT NULL THEN format('its payment %s is none of this project', l.payment_id)
			ELSE format('its key "%s" is not that of what it says', l.key) END)
		FROM payout_lines l JOIN payouts o ON o.id = l.payout
		LEFT JOIN payments p ON p.payment_id = l.payment_id AND p.provider = o.provider AND p.project = o.project
		WHERE (p.payment_id IS NULL AND l.payment_id IS NOT NULL)
			OR l.key <> CASE WHEN l.operation <> '' THEN l.type || ' ' || l.operation WHEN l.type = 'payment' THEN 'payment:' || l.payment ELSE '' END`},
	{"a payout that has lines is their sum", `
		SELECT format('payout %s of %s %s: its figures are not the sums of its lines', o.payout_id, o.provider, o.project)
		FROM payouts o LEFT JOIN (SELECT l.payout, count(*) AS n,
				sum(CASE WHEN l.type = 'payment' THEN l.amount ELSE 0 END) AS gross,
				sum(CASE WHEN l.type IN ('refund', 'chargeback') THEN l.amount WHEN l.type = 'refund_reversal' THEN -l.amount ELSE 0 END) AS refunds,
				sum(l.fee + CASE WHEN l.type = 'fee' THEN l.amount ELSE 0 END) AS fees,
				sum(l.reserve + CASE WHEN l.type = 'reserve' THEN l.amount ELSE 0 END) AS reserve,
				sum(l.adjustment + CASE WHEN l.type = 'adjustment' THEN l.amount ELSE 0 END) AS adjustments
			FROM payout_lines l GROUP BY l.payout) s ON s.payout = o.id
		WHERE o.state <> 'staged' AND (o.lines <> coalesce(s.n, 0) OR (o.lines > 0 AND
			(o.gross <> s.gross OR o.refunds <> s.refunds OR o.fees <> s.fees OR o.reserve <> s.reserve OR o.adjustments <> s.adjustments)))`},
	{holdsSettlement, `
		SELECT format('ledger account %s %s: it holds %s; what came, less what went back and what payouts settled, is %s', a.name, a.currency, a.debits - a.credits,
			coalesce(m.amount, 0) - coalesce(p.amount, 0))
		FROM ` + migrations.BalancesTable + ` a LEFT JOIN (
			SELECT e.account_id, sum(e.amount) AS amount FROM entries e CROSS JOIN transactions t
			WHERE e.account_id IN (SELECT x.id FROM ledger_accounts x WHERE x.name >= 'settlement:' AND x.name < 'settlement;') AND t.seq = e.seq AND t.payment_id <> ''
				AND (t.kind IN {kinds.from_settlement} AND e.amount > 0 OR t.kind IN {kinds.to_settlement} AND e.amount < 0 OR t.kind IN {kinds.reverse})
			GROUP BY e.account_id) m ON m.account_id = a.id
		LEFT JOIN (` + settledByPayoutsSQL + `) p ON p.name = a.name AND p.currency = a.currency
		WHERE a.name >= 'settlement:' AND a.name < 'settlement;' AND a.debits - a.credits <> coalesce(m.amount, 0) - coalesce(p.amount, 0)`},
	{holdsSums, `
		SELECT format('ledger account %s %s: up to seq %s the sums of settlement are %s, and the entries %s; of what came they are %s and %s', a.name, a.currency, g.seq,
			coalesce(u.amount, 0), coalesce(j.amount, 0), coalesce(u.received, 0), coalesce(u.came, 0))
		FROM ledger_accounts a CROSS JOIN settlement_progress g
		LEFT JOIN (SELECT e.account_id, sum(e.amount) AS amount FROM entries e
			WHERE e.seq <= (SELECT h.seq FROM settlement_progress h) AND e.account_id IN (SELECT a.id FROM ledger_accounts a WHERE ` + migrations.PlatformAccountsSQL + `)
			GROUP BY e.account_id) j ON j.account_id = a.id
		LEFT JOIN (` + keptSumsSQL + `) u ON u.account_id = a.id
		WHERE ` + migrations.PlatformAccountsSQL + ` AND (coalesce(u.amount, 0) <> coalesce(j.amount, 0)
			OR a.name >= 'settlement:' AND a.name < 'settlement;' AND coalesce(u.received, 0) <> coalesce(u.came, 0))`},
}
