// Package check verifies every invariant of the books: rules as queries, and the
// triggers and keys of the schema on which the promises rest.
package check

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/jackc/pgx/v5/pgconn"
	"gorm.io/gorm"

	"tolem/store/internal/database"
	"tolem/store/internal/seal"
	"tolem/store/internal/sqlite"
	"tolem/store/migrations"
)

// maxProblems bounds what each rule reports: a broken book can break one rule
// for every transaction.
const maxProblems = 50

// Report is what a check has seen and what is wrong.
type Report struct {
	Transactions int64
	Entries      int64
	Accounts     int64 // ledger accounts
	Payments     int64
	Problems     []string // one line each, with the ids; empty when all is well
}

// Database is what is checked.
type Database struct {
	Dialect *database.Dialect
	Server  *database.Server // nil on SQLite
	Read    *gorm.DB
}

// Check verifies every invariant of the ledger, and its seals, against the database as it is
// at one moment, while others may write. The problems are in the report; the
// error says that the check itself could not be made. Memory does not grow
// with the journal; what has to be sorted goes through the database's temporary
// files.
func (d Database) Check(ctx context.Context) (Report, error) {
	var report Report
	schema, err := d.checkSchema(ctx)
	if err != nil {
		return Report{}, fmt.Errorf("check the ledger: compare the schema: %w", err)
	}
	err = database.Snapshot(ctx, d.Dialect, d.Read, func(db *gorm.DB) (err error) {
		if report, err = Book(ctx, d.Dialect, db); err != nil {
			return err
		}
		sealed, err := seal.Verify(d.Dialect, db)
		if err != nil {
			return fmt.Errorf("verify the seals: %w", err)
		}
		report.Problems = slices.Concat(report.Problems, sealed.Problems)
		return nil
	})
	if err != nil {
		return Report{}, fmt.Errorf("check the ledger: %w", err)
	}
	report.Problems = slices.Concat(schema, report.Problems)
	return report, nil
}

// checkSchema verifies that what the promises rest on in a PostgreSQL database
// itself is there. A SQLite file is asked by Book, in the same snapshot.
func (d Database) checkSchema(ctx context.Context) ([]string, error) {
	if d.Server == nil {
		return nil, nil
	}
	return checkPostgresSchema(ctx, d.Server)
}

// CopiedFromKey is where meta of a copy keeps which database it was copied from,
// if that was not SQLite.
const CopiedFromKey = "copied_from"

// Book runs every rule on the database behind db.
func Book(ctx context.Context, d *database.Dialect, db *gorm.DB) (Report, error) {
	var report Report
	err := db.Raw(`SELECT (SELECT count(*) FROM transactions), (SELECT count(*) FROM entries),
		(SELECT count(*) FROM ledger_accounts), (SELECT count(*) FROM payments)`).Row().
		Scan(&report.Transactions, &report.Entries, &report.Accounts, &report.Payments)
	if err != nil {
		return report, err
	}
	if d.Name == database.SQLite.Name {
		if report.Problems, err = checkSQLiteSchema(ctx, db); err != nil {
			return report, err
		}
	}
	applying, err := RulesFor(d, db)
	if err != nil {
		return report, err
	}
	var holds map[string]bool
	if d.Name == database.SQLite.Name {
		if holds, err = Proven(db, applying); err != nil {
			return report, err
		}
	}
	for _, r := range applying {
		if holds[r.Holds] {
			continue
		}
		problems, err := r.Problems(db)
		if err != nil {
			return report, fmt.Errorf("%s: %w", r.Holds, err)
		}
		report.Problems = append(report.Problems, problems...)
	}
	return report, nil
}

// Rule is an invariant, as a query that returns a line for each breach.
type Rule struct {
	Holds string // the sentence that is true of a sound book
	query string
}

// RulesFor are the rules that a sound book in this database obeys.
func RulesFor(d *database.Dialect, db *gorm.DB) ([]Rule, error) {
	if d.Name != database.SQLite.Name {
		return Everywhere, nil
	}
	var copied bool
	err := db.Raw(`SELECT EXISTS (SELECT 1 FROM meta WHERE key = ?)`, CopiedFromKey).Row().Scan(&copied)
	if err != nil {
		return nil, err
	}
	if copied {
		return slices.Concat(Everywhere, sqliteRules), nil
	}
	return slices.Concat(Everywhere, gaplessRules, sqliteRules), nil
}

// Problems runs the rule: a line for each breach, at most 50.
func (r Rule) Problems(db *gorm.DB) ([]string, error) {
	// PostgreSQL answers nothing more after an error, but from a savepoint.
	if err := db.Exec("SAVEPOINT rule").Error; err != nil {
		return nil, err
	}
	problems, err := Lines(db, inWords(r.query))
	if err == nil {
		return problems, nil
	}
	if !overflows(err) {
		return nil, err
	}
	return []string{"a sum does not fit into 64 bits; this does not hold: " + r.Holds}, db.Exec("ROLLBACK TO SAVEPOINT rule").Error
}

// overflows reports whether an integer became too large, in SQLite's words or
// in PostgreSQL's. That is a finding: no sound book holds such amounts.
func overflows(err error) bool {
	const outOfRange = "22003" // of PostgreSQL
	refused := (*pgconn.PgError)(nil)
	return strings.Contains(err.Error(), "integer overflow") || (errors.As(err, &refused) && refused.Code == outOfRange)
}

// Lines runs a query of one text column, and reads at most maxProblems rows.
func Lines(db *gorm.DB, query string, args ...any) (found []string, err error) {
	rows, err := db.Raw(query, args...).Rows()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		if len(found) == maxProblems {
			return append(found, "… and more like the one before"), nil
		}
		var line string
		if err := rows.Scan(&line); err != nil {
			return nil, err
		}
		found = append(found, oneLine(line))
	}
	return found, rows.Err()
}

// oneLine keeps a provider's id from breaking a problem into lines.
func oneLine(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return unicode.ReplacementChar
		}
		return r
	}, text)
}

// Each query below is written so that SQLite walks the big tables in their own
// order, or sorts through temporary files; none collects the journal in memory.
// CROSS JOIN keeps SQLite to the order in which the tables are named. The same
// text runs on PostgreSQL, whose format knows %s alone. What is in braces is the
// domain's: see domainWords.

// undoneSQL defines undone(seq, by): the transactions that do not count any
// more, because of an odd number of reversals in a row, and the last of these.
const undoneSQL = `WITH RECURSIVE chain (root, last, length) AS (
		SELECT t.seq, r.seq, 1 FROM transactions r JOIN transactions t ON t.seq = r.reverses
			WHERE r.reverses IS NOT NULL AND t.kind NOT IN {kinds.reverse} AND r.seq > t.seq
		UNION ALL
		SELECT c.root, r.seq, c.length + 1 FROM chain c JOIN transactions r ON r.reverses = c.last AND r.seq > c.last),
	undone (seq, by) AS MATERIALIZED (SELECT root, max(last) FROM chain GROUP BY root HAVING max(length) % 2 = 1) `

// settledSQL adds returned(item, amount, by): what was sent back of suspense items,
// and by which transaction last; and settled(item, state, by): what became of each
// item according to the journal; an item that is not in it is open.
const settledSQL = undoneSQL + `, returned (item, amount, by) AS MATERIALIZED (
		SELECT t.resolves, sum(e.amount), max(t.seq) FROM {each.transaction} t JOIN entries e ON e.seq = t.seq AND e.amount > 0
			WHERE t.resolves IS NOT NULL AND t.kind IN {kinds.pay_back} AND t.seq NOT IN (SELECT u.seq FROM undone u) GROUP BY t.resolves),
	settled (item, state, by) AS MATERIALIZED (
		SELECT t.resolves, {t.resolved}, t.seq
			FROM {each.transaction} t WHERE t.resolves IS NOT NULL AND t.kind NOT IN {kinds.pay_back} AND t.seq NOT IN (SELECT u.seq FROM undone u)
		UNION ALL
		SELECT b.item, {item.returned}, b.by FROM returned b JOIN entries e ON e.seq = b.item AND e.amount < 0 WHERE b.amount >= -e.amount
		UNION ALL
		SELECT t.seq, {item.reversed}, u.by FROM undone u JOIN transactions t ON t.seq = u.seq WHERE t.kind IN {kinds.open_items}) `

// standingSQL adds taken(seq, amount): what was recalled or refunded of credits and
// assignments.
const standingSQL = undoneSQL + `, taken (seq, amount) AS MATERIALIZED (
		SELECT t.takes, sum(e.amount) FROM transactions t JOIN entries e ON e.seq = t.seq AND e.amount > 0
			WHERE t.takes IS NOT NULL AND t.seq NOT IN (SELECT u.seq FROM undone u) GROUP BY t.takes) `

// creditedSQL is the sum that stands of a payment p on any contract.
const creditedSQL = `(SELECT coalesce(sum(-e.amount - coalesce(k.amount, 0)), 0) FROM transactions t
		JOIN entries e ON e.seq = t.seq AND e.amount < 0 LEFT JOIN taken k ON k.seq = t.seq
		WHERE t.payment_id = p.payment_id AND t.kind IN {kinds.credit} AND t.seq NOT IN (SELECT u.seq FROM undone u))`

// refundedSQL tells whether a refund of a payment p stands.
const refundedSQL = `EXISTS (SELECT 1 FROM transactions t WHERE t.payment_id = p.payment_id AND t.kind = {kind.refund} AND t.seq NOT IN (SELECT u.seq FROM undone u))`

// The rules that ordinary.go proves in another way.
const (
	holdsTotals      = "the running totals are the sums of the entries"
	holdsFeed        = "the feed has no gaps"
	holdsMessages    = "no message is missing"
	holdsForeignKeys = "every foreign key points to a row"
)

// Everywhere are the rules for both databases.
var Everywhere = slices.Concat(bookRules, payoutRules)

var bookRules = []Rule{
	{"every transaction has at least two entries", `
		SELECT format('transaction %s (seq %s) has %s entries, it needs at least two', t.transaction_id, t.seq, count(e.n))
		FROM {each.transaction} t LEFT JOIN entries e ON e.seq = t.seq GROUP BY t.seq HAVING count(e.n) < 2`},
	{"the entries of a transaction sum to zero in each currency", `
		SELECT format('transaction seq %s: its entries in %s sum to %s, not to zero', e.seq, a.currency, sum(e.amount))
		FROM (SELECT e.seq FROM {each.entry} e JOIN ledger_accounts a ON a.id = e.account_id
			GROUP BY e.seq HAVING sum(e.amount) <> 0 OR min(a.currency) <> max(a.currency)) x
		JOIN entries e ON e.seq = x.seq JOIN ledger_accounts a ON a.id = e.account_id
		GROUP BY e.seq, a.currency HAVING sum(e.amount) <> 0`},
	{"every entry belongs to a transaction", `
		SELECT format('entry %s of seq %s: its transaction does not exist', e.n, e.seq)
		FROM {each.entry} e WHERE NOT EXISTS (SELECT 1 FROM transactions t WHERE t.seq = e.seq)`},
	{"every entry belongs to a ledger account", `
		SELECT format('entry %s of seq %s: its ledger account %s does not exist', e.n, e.seq, e.account_id)
		FROM {each.entry} e WHERE NOT EXISTS (SELECT 1 FROM ledger_accounts a WHERE a.id = e.account_id)`},
	{holdsTotals, `
		SELECT format('ledger account %s %s: its running totals are %s debits, %s credits; its entries sum to %s and %s',
			a.name, a.currency, a.debits, a.credits, coalesce(s.debits, 0), coalesce(s.credits, 0))
		FROM ` + migrations.BalancesTable + ` a LEFT JOIN (
			SELECT e.account_id, ` + migrations.DebitsAndCreditsSQL + ` FROM entries e GROUP BY e.account_id
		) s ON s.account_id = a.id
		WHERE a.debits <> coalesce(s.debits, 0) OR a.credits <> coalesce(s.credits, 0)`},
	{"all debits are all credits, in each currency", `
		SELECT format('the whole book in %s: all debits less all credits are %s, not zero', currency, sum(debits - credits))
		FROM ` + migrations.BalancesTable + ` GROUP BY currency HAVING sum(debits - credits) <> 0`},
	{"every transaction belongs to a payment", `
		SELECT format('transaction %s (seq %s): its payment %s does not exist', t.transaction_id, t.seq, t.payment_id)
		FROM {each.transaction} t WHERE t.payment_id <> '' AND NOT EXISTS (SELECT 1 FROM payments p WHERE p.payment_id = t.payment_id)`},

	{"what an operation posted is on record, unless an operator's posting was reversed", undoneSQL + `
		SELECT format('transaction %s (seq %s, %s): the operation that made it is not on record', t.transaction_id, t.seq, t.kind)
		FROM (SELECT seq FROM {each.transaction} WHERE kind IN {kinds.by_message} EXCEPT SELECT seq FROM {each.operation}) x
		JOIN transactions t ON t.seq = x.seq WHERE t.actor = '' OR t.seq NOT IN (SELECT u.seq FROM undone u)`},
	{"an operator's posting that was reversed has freed its operation", undoneSQL + `
		SELECT format('operation %s of %s %s: transaction seq %s was reversed, and it still counts as posted', o.operation, o.provider, o.project, o.seq)
		FROM undone u JOIN transactions t ON t.seq = u.seq JOIN {each.operation} o ON o.seq = u.seq
		WHERE t.actor <> '' AND t.kind IN {kinds.entered} AND EXISTS (SELECT 1 FROM operator_steps s WHERE s.seq = t.seq)`},
	{"an operation is freed by the reversal of an operator's posting", `
		SELECT format('operation %s of %s %s: it was freed by seq %s, which does not reverse an operator''s posting', f.operation, f.provider, f.project, f.freed_by)
		FROM freed_operations f LEFT JOIN transactions r ON r.seq = f.freed_by LEFT JOIN transactions t ON t.seq = f.seq
		WHERE coalesce(r.kind, '') NOT IN {kinds.reverse} OR coalesce(t.actor, '') = '' OR r.payment_id IS DISTINCT FROM t.payment_id`},
	{"a transaction has one operation", `
		SELECT format('transaction seq %s: %s operations claim to have made it', seq, count(*))
		FROM {each.operation} GROUP BY seq HAVING count(*) > 1`},
	// Programs of before bound HighHelp's success to the credit that an operator
	// had made even if another sum was received: then the payment says so, with both
	// flags. An operator may have suspended a part of what a message tells of.
	{"an operation belongs to a transaction that it can have made, of its own sum", `
		SELECT format('operation %s of %s %s: transaction seq %s is not a posting of %s %s by it', o.operation, o.provider, o.project, o.seq, o.sum_amount, o.sum_currency)
		FROM {each.operation} o
		LEFT JOIN transactions t ON t.seq = o.seq AND t.kind IN {kinds.by_operation}
		LEFT JOIN entries e ON e.seq = t.seq AND CASE WHEN t.kind IN {kinds.pay_back} THEN e.amount < 0 ELSE e.amount > 0 END
		LEFT JOIN ledger_accounts a ON a.id = e.account_id
		LEFT JOIN payments p ON p.payment_id = t.payment_id
		WHERE (e.amount IS DISTINCT FROM o.sum_amount AND NOT coalesce(t.kind = {kind.manual_credit} AND o.provider = {provider.credits_received} AND p.flags & {flags.bound_other_sum} = {flags.bound_other_sum}, FALSE)
				AND NOT coalesce(o.entered <> 0 AND t.kind = {kind.suspense} AND e.amount < o.sum_amount, FALSE))
			OR (o.entered <> 0) IS DISTINCT FROM (t.actor <> '' AND EXISTS (SELECT 1 FROM operator_steps s WHERE s.seq = t.seq AND s.operation = o.operation))
			OR a.currency IS DISTINCT FROM o.sum_currency OR (a.name IS DISTINCT FROM 'settlement:' || o.provider || ':' || o.project
				AND NOT coalesce(t.kind IN {kinds.pay_back} AND substr(a.name, 1, 5) = 'bank:', FALSE))`},

	// An operation that was credited was to bring what it brought: JetPay's by
	// the rules for money, HighHelp's because it names one sum.
	{"an operation belongs to the payment that it names", `
		SELECT format('operation %s of %s %s (seq %s): %s', operation, provider, project, seq, CASE
			WHEN wrong_payment THEN format('it names another payment than %s', payment_id)
			WHEN wrong_sum THEN format('it was to bring %s %s, and brought %s %s, to the credit of payment %s', initial_amount, initial_currency, sum_amount, sum_currency, payment_id)
			ELSE format('the credit of payment %s does not show it', payment_id) END)
		FROM (SELECT o.*, p.payment_id,
				o.reference IS DISTINCT FROM CASE WHEN o.entered <> 0 AND t.kind = {kind.manual_credit} THEN p.payment_id ELSE ` + migrations.ReferenceSQL + ` END AS wrong_payment,
				t.kind <> {kind.suspense} AND (o.initial_amount <> o.sum_amount OR o.initial_currency <> o.sum_currency) AS wrong_sum,
				t.kind = {kind.manual_credit} AND p.credit_operation = '' AS not_shown
			FROM {each.operation} o JOIN transactions t ON t.seq = o.seq JOIN payments p ON p.payment_id = t.payment_id) x
		WHERE wrong_payment OR wrong_sum OR not_shown`},
	{"what a provider posted has the message that said so", `
		SELECT format('transaction %s (seq %s, %s): the message of the provider that made it is missing', t.transaction_id, t.seq, t.kind)
		FROM (SELECT t.seq FROM {each.transaction} t WHERE t.kind IN {kinds.by_message} OR (t.kind = {kind.manual_credit} AND EXISTS (
				SELECT 1 FROM payments p WHERE p.payment_id = t.payment_id AND p.credit_operation <> ''))
			EXCEPT SELECT m.seq FROM {each.message} m WHERE m.seq IS NOT NULL EXCEPT SELECT s.seq FROM operator_steps s WHERE s.seq IS NOT NULL) x
		JOIN transactions t ON t.seq = x.seq`},
	{"an operator's posting of an operation or a message is written down as a step", `
		SELECT format('operator''s step %s (%s): transaction seq %s is not what it made', s.id, s.action, coalesce(CAST(s.seq AS TEXT), '-'))
		FROM operator_steps s LEFT JOIN transactions t ON t.seq = s.seq LEFT JOIN messages m ON m.id = s.message_id
		WHERE (s.action IN ('record', 'suspend', 'refund', 'return')) <> (s.seq IS NOT NULL)
			OR (s.seq IS NOT NULL AND (t.kind IS DISTINCT FROM CASE s.action WHEN 'record' THEN {kind.manual_credit} WHEN 'suspend' THEN {kind.suspense}
					WHEN 'refund' THEN {kind.refund} WHEN 'return' THEN {kind.return} END
				OR t.payment_id IS DISTINCT FROM s.payment_id OR t.actor <> s.actor))
			OR (s.action IN ('refund', 'return') AND s.operation = '')
			OR (s.action IN ('suspend', 'dismiss') AND m.id IS NULL) OR (s.action IN ('record', 'close') AND s.payment_id IS NULL)`},
	{"an open message is stored", `
		SELECT format('open message %s: there is no such message about payment %s', o.message_id, coalesce(o.payment_id, '-'))
		FROM open_messages o LEFT JOIN messages m ON m.id = o.message_id WHERE m.id IS NULL OR m.payment_id IS DISTINCT FROM o.payment_id`},
	{"a message belongs to the payment that it names, and to what it made", undoneSQL + `
		SELECT CASE
			WHEN no_payment THEN format('message %s: its payment %s does not exist', id, payment_id)
			WHEN wrong_payment THEN format('message %s: it does not name payment %s, with which it is kept', id, payment_id)
			WHEN not_of_payment THEN format('message %s: transaction seq %s is not one of its payment', id, seq)
			WHEN wrong_effect THEN format('message %s, which was %s, cannot have made transaction seq %s', id, disposition, coalesce(CAST(seq AS TEXT), '-'))
			ELSE format('message %s: its operation is not what made transaction seq %s', id, seq) END
		FROM (SELECT m.id, m.payment_id, m.seq, m.disposition,
				m.payment_id IS NOT NULL AND p.id IS NULL AS no_payment,
				p.id IS NOT NULL AND (m.provider <> p.provider OR m.project <> p.project
					OR m.reference <> ` + migrations.ReferenceSQL + `) AS wrong_payment,
				m.seq IS NOT NULL AND m.payment_id IS DISTINCT FROM t.payment_id AS not_of_payment,
				t.kind IS DISTINCT FROM {m.made} AS wrong_effect,
				m.seq IS DISTINCT FROM o.seq AND NOT coalesce(m.disposition = {disposition.bound} AND m.seq IN (SELECT u.seq FROM undone u), FALSE) AS wrong_operation
			FROM {each.message} m LEFT JOIN payments p ON p.payment_id = m.payment_id
			LEFT JOIN transactions t ON t.seq = m.seq
			LEFT JOIN operations o ON m.seq IS NOT NULL AND o.operation = m.operation AND o.provider = m.provider AND o.project = m.project) x
		WHERE no_payment OR wrong_payment OR not_of_payment OR wrong_effect OR wrong_operation`},

	{"a transaction that needed a second person was approved by another than its proposer", `
		SELECT format('transaction %s (seq %s): %s is no approval by a second person of a step of its actor', coalesce(t.transaction_id, '-'), x.seq, x.approval_id)
		FROM approved_transactions x LEFT JOIN transactions t ON t.seq = x.seq
		LEFT JOIN approvals a ON a.id = x.approval_id LEFT JOIN approval_decisions d ON d.approval_id = x.approval_id
		WHERE d.decision IS DISTINCT FROM 'approved' OR d.actor IS DISTINCT FROM x.approved_by
			OR d.actor IS NOT DISTINCT FROM a.actor OR d.actor IS NOT DISTINCT FROM a.os_user
			OR a.actor IS DISTINCT FROM t.actor OR a.reason IS DISTINCT FROM substr(t.reason, 1, length(a.reason))`},
	{"a proposal is decided before it expires, and posts when it is approved", `
		SELECT format('proposal %s: it was %s by %s %s', d.approval_id, d.decision, d.actor,
			CASE WHEN a.expires_at > d.at THEN 'and posted nothing' ELSE 'after it had expired' END)
		FROM approval_decisions d LEFT JOIN approvals a ON a.id = d.approval_id
		WHERE (coalesce(a.expires_at, 0) <= d.at AND a.step IS DISTINCT FROM 'report_part')
			OR (d.decision = 'approved' AND coalesce(a.step, '') NOT IN ('report', 'report_part') AND NOT EXISTS (SELECT 1 FROM approved_transactions x WHERE x.approval_id = d.approval_id))`},
	{"a part of a proposal is carried out after the whole was approved, in the name of who approved it", `
		SELECT format('proposal %s: it was %s by %s, and its whole %s by %s', d.approval_id, d.decision, d.actor, coalesce(w.decision, 'not decided'), coalesce(w.actor, '-'))
		FROM approvals a JOIN approval_decisions d ON d.approval_id = a.id LEFT JOIN approval_decisions w ON w.approval_id = substr(a.id, 1, length(a.id) - 7)
		WHERE a.step = 'report_part' AND (d.decision <> 'approved' OR w.decision IS DISTINCT FROM 'approved' OR w.actor IS DISTINCT FROM d.actor)`},
	{"a transaction takes the payment's credit or a place of its own", `
		SELECT format('transaction %s (seq %s, %s): slot %s', t.transaction_id, t.seq, t.kind, t.slot)
		FROM {each.transaction} t WHERE t.slot <> CASE WHEN t.kind IN {kinds.credit_own} OR (t.kind = {kind.assignment} AND t.slot = 0) THEN 0 ELSE t.seq END`},
	{"a payment shows the credit that the journal has", undoneSQL + `
		SELECT format('payment %s: it shows credit %s of %s %s%s; the journal has %s of %s %s%s', t.payment_id,
			coalesce(p.credit_transaction, 'none'), coalesce(p.credit_amount, 0), coalesce(p.credit_currency, '-'), CASE WHEN p.credit_reversed <> 0 THEN ', reversed' ELSE '' END,
			t.transaction_id, coalesce(-e.amount, 0), coalesce(a.currency, '-'), CASE WHEN t.seq IN (SELECT u.seq FROM undone u) THEN ', reversed' ELSE '' END)
		FROM {each.transaction} t
		LEFT JOIN payments p ON p.payment_id = t.payment_id
		LEFT JOIN entries e ON e.seq = t.seq AND e.amount < 0
		LEFT JOIN ledger_accounts a ON a.id = e.account_id
		WHERE t.slot = 0 AND (p.credit_seq IS DISTINCT FROM t.seq OR p.credit_transaction IS DISTINCT FROM t.transaction_id
			OR p.credit_amount IS DISTINCT FROM -e.amount OR p.credit_currency IS DISTINCT FROM a.currency
			OR p.credit_by_operator IS DISTINCT FROM CASE WHEN t.kind = {kind.credit} THEN 0 ELSE 1 END
			OR p.credit_reversed IS DISTINCT FROM CASE WHEN t.seq IN (SELECT u.seq FROM undone u) THEN 1 ELSE 0 END)`},
	{"a credit that a payment shows is in the journal", `
		SELECT format('payment %s: it shows credit %s, which the journal does not have', p.payment_id, coalesce(p.credit_transaction, CAST(p.credit_seq AS TEXT), '(without an id)'))
		FROM {each.payment} p WHERE (p.credit_seq IS NOT NULL OR p.credit_transaction IS NOT NULL OR p.credit_amount IS NOT NULL OR p.credit_currency IS NOT NULL
				OR p.credit_at IS NOT NULL OR p.credit_operation <> '' OR p.credit_by_operator <> 0)
			AND NOT EXISTS (SELECT 1 FROM transactions t WHERE t.payment_id = p.payment_id AND t.slot = 0)`},
	// A pay-in may bring another sum than it asked for, and then says so
	// (HighHelp, "Alerts").
	{"what a payment shows of its credit is what brought it", `
		SELECT format('payment %s: %s', payment_id, CASE
			WHEN wrong_time THEN format('the time of its credit is not when %s (seq %s) was recorded', transaction_id, seq)
			WHEN wrong_operation THEN format('its credit shows operation "%s", which did not bring the money of %s (seq %s)', credit_operation, transaction_id, seq)
			ELSE format('it asked for %s %s, and was credited with %s %s by %s (seq %s, %s)', amount, currency,
				coalesce(CAST(credit_amount AS TEXT), '-'), coalesce(credit_currency, '-'), transaction_id, seq, kind) END)
		FROM (SELECT p.payment_id, p.amount, p.currency, p.credit_amount, p.credit_currency, p.credit_operation, t.transaction_id, t.seq, t.kind,
				p.credit_at IS DISTINCT FROM t.recorded_at AS wrong_time,
				NOT (t.kind = {kind.manual_credit} AND p.credit_operation = '') AND o.seq IS DISTINCT FROM coalesce(t.resolves, t.seq)
					AND NOT (p.credit_reversed <> 0 AND EXISTS (SELECT 1 FROM freed_operations f WHERE f.seq = coalesce(t.resolves, t.seq) AND f.operation = p.credit_operation)) AS wrong_operation,
				t.kind IN {kinds.credit_own} AND (p.currency IS DISTINCT FROM p.credit_currency OR (p.amount IS DISTINCT FROM p.credit_amount
					AND NOT (t.kind = {kind.credit} AND p.provider = {provider.credits_received} AND p.flags & {flag.credited_other_sum} <> 0))) AS wrong_sum
			FROM {each.payment} p JOIN transactions t ON t.seq = p.credit_seq
			LEFT JOIN operations o ON o.operation = p.credit_operation AND o.provider = p.provider AND o.project = p.project) x
		WHERE wrong_time OR wrong_operation OR wrong_sum`},
	{"money moves on the accounts of the payment's own provider and project", `
		SELECT format('transaction %s (seq %s, %s): it moves %s, which is not the account of payment %s', t.transaction_id, t.seq, t.kind, a.name, t.payment_id)
		FROM {each.transaction} t CROSS JOIN payments p CROSS JOIN entries e CROSS JOIN ledger_accounts a
		WHERE p.payment_id = t.payment_id AND e.seq = t.seq AND a.id = e.account_id AND a.name <> CASE
			WHEN t.kind IN {kinds.pay_back} AND e.amount < 0 AND substr(a.name, 1, 5) = 'bank:' THEN a.name
			WHEN t.kind IN {kinds.from_settlement} AND e.amount > 0 OR t.kind IN {kinds.to_settlement} AND e.amount < 0 THEN 'settlement:' || p.provider || ':' || p.project
			WHEN t.kind IN {kinds.resolve} AND e.amount > 0 OR t.kind IN {kinds.open_items} AND e.amount < 0 THEN 'suspense:' || p.provider || ':' || p.project
			ELSE a.name END`},
	{"a payment is credited to its own contract", `
		SELECT format('payment %s: transaction %s (seq %s) credits another contract than the payment was issued for', t.payment_id, t.transaction_id, t.seq)
		FROM {each.transaction} t JOIN payments p ON p.payment_id = t.payment_id
		LEFT JOIN entries e ON e.seq = t.seq AND e.amount < 0
		LEFT JOIN ledger_accounts a ON a.id = e.account_id
		WHERE t.kind IN {kinds.credit_own} AND a.name IS DISTINCT FROM 'customers:' || p.customer_id || ':' || p.entity_id`},
	{"a payment that is credited has succeeded", standingSQL + `
		SELECT format('payment %s: it is credited, and its status is %s', p.payment_id, p.status)
		FROM {each.payment} p WHERE p.status <> {status.succeeded} AND p.credit_seq IS NOT NULL AND ` + creditedSQL + ` > 0`},
	// Programs of before left a payment succeeded when an operator's credit or
	// assignment was reversed.
	{"a payment that succeeded is credited to a contract, or was and is refunded", standingSQL + `
		SELECT format('payment %s: its status is succeeded, and nothing is credited', p.payment_id)
		FROM {each.payment} p WHERE p.status = {status.succeeded} AND ((p.credit_seq IS NULL
				AND NOT EXISTS (SELECT 1 FROM transactions t WHERE t.payment_id = p.payment_id AND t.kind = {kind.assignment}))
			OR (p.payment_id IN (SELECT t.payment_id FROM transactions t WHERE t.takes IS NOT NULL) AND ` + creditedSQL + ` = 0 AND NOT ` + refundedSQL + `))`},
	{"a payment of whose money nothing but refunds is left has succeeded", undoneSQL + `
		SELECT format('payment %s: it was refunded, and its status is %s', p.payment_id, p.status)
		FROM {each.payment} p WHERE p.flags <> 0 AND p.flags & {flag.refunded} <> 0 AND p.open_items = 0 AND p.status <> {status.succeeded}`},
	{"the flag refunded says that a refund stands", undoneSQL + `
		SELECT format('payment %s: the flag refunded and its refunds differ', p.payment_id)
		FROM {each.payment} p WHERE (p.flags <> 0 AND p.flags & {flag.refunded} <> 0 AND NOT ` + refundedSQL + `)
			OR (p.flags & {flag.refunded} = 0 AND p.payment_id IN (SELECT r.payment_id FROM transactions r WHERE r.takes IS NOT NULL AND r.kind = {kind.refund}) AND ` + refundedSQL + `)`},
	{"a payment with money in suspense is in review, unless it succeeded", `
		SELECT format('payment %s: money of it lies in suspense, and its status is %s', p.payment_id, p.status)
		FROM {each.payment} p WHERE p.open_items > 0 AND p.status NOT IN ({status.review}, {status.succeeded})`},
	// Programs of before left the flag reversed on a payment whose money
	// was assigned to its contract again.
	{"the flag reversed says that the payment had its credit, and that nothing stands on its contract", standingSQL + `
		SELECT format('payment %s: the flag reversed and what stands of its money differ', p.payment_id)
		FROM {each.payment} p WHERE (p.flags & {flag.reversed} <> 0 AND (p.credit_seq IS NULL OR (p.credit_reversed = 0
				AND p.credit_amount - coalesce((SELECT k.amount FROM taken k WHERE k.seq = p.credit_seq), 0) > 0)))
			OR (p.flags & {flag.reversed} = 0 AND p.credit_seq IS NOT NULL
				AND (p.credit_reversed <> 0 OR EXISTS (SELECT 1 FROM taken k WHERE k.seq = p.credit_seq AND k.amount = p.credit_amount))
				AND ` + creditedSQL + ` = 0)`},
	{"a recall or a refund, and nothing else, takes from an earlier credit or assignment of the same payment", undoneSQL + `
		SELECT format('transaction %s (seq %s, %s): it must not take from %s', k.transaction_id, k.seq, k.kind, coalesce('seq ' || k.takes, 'nothing'))
		FROM {each.transaction} k LEFT JOIN transactions t ON t.seq = k.takes
		WHERE (k.kind IN {kinds.take}) <> (k.takes IS NOT NULL)
			OR (k.takes IS NOT NULL AND (t.seq IS NULL OR t.seq >= k.seq OR t.payment_id <> k.payment_id OR t.kind NOT IN {kinds.credit}
				OR (k.seq NOT IN (SELECT u.seq FROM undone u) AND t.seq IN (SELECT u.seq FROM undone u))))`},
	{"recalls and refunds take from the contract that was credited, and no more than was", standingSQL + `
		SELECT format('transaction %s (seq %s): what is recalled or refunded of it does not come from its contract, or is more than it', t.transaction_id, t.seq)
		FROM taken k JOIN transactions t ON t.seq = k.seq JOIN entries e ON e.seq = t.seq AND e.amount < 0
		WHERE k.amount > -e.amount OR EXISTS (SELECT 1 FROM transactions r JOIN entries d ON d.seq = r.seq AND d.amount > 0
			WHERE r.takes = t.seq AND d.account_id <> e.account_id)`},

	{"a reversal, and nothing else, reverses an earlier transaction of the same payment", `
		SELECT format('transaction %s (seq %s, %s): it must not reverse %s', r.transaction_id, r.seq, r.kind, coalesce('seq ' || r.reverses, 'nothing'))
		FROM {each.transaction} r LEFT JOIN transactions t ON t.seq = r.reverses
		WHERE (r.kind IN {kinds.reverse}) <> (r.reverses IS NOT NULL)
			OR (r.reverses IS NOT NULL AND (t.seq IS NULL OR t.seq >= r.seq OR t.payment_id <> r.payment_id))`},
	{"a reversal is the exact mirror of what it reverses", `
		SELECT format('transaction %s (seq %s): it is not the mirror of seq %s, which it reverses', r.transaction_id, r.seq, r.reverses)
		FROM transactions r WHERE r.reverses IS NOT NULL AND (
			EXISTS (SELECT 1 FROM entries e WHERE e.seq = r.seq AND NOT EXISTS (
				SELECT 1 FROM entries o WHERE o.seq = r.reverses AND o.n = e.n AND o.account_id = e.account_id AND o.amount = -e.amount))
			OR EXISTS (SELECT 1 FROM entries o WHERE o.seq = r.reverses AND NOT EXISTS (
				SELECT 1 FROM entries e WHERE e.seq = r.seq AND o.n = e.n)))`},
	{"an assignment or a return, and nothing else, resolves suspended money of the same payment", `
		SELECT format('transaction %s (seq %s, %s): it must not resolve %s', t.transaction_id, t.seq, t.kind, coalesce('seq ' || t.resolves, 'nothing'))
		FROM {each.transaction} t LEFT JOIN transactions s ON s.seq = t.resolves
		WHERE (t.kind IN {kinds.resolve}) <> (t.resolves IS NOT NULL)
			OR (t.resolves IS NOT NULL AND (coalesce(s.kind, '') NOT IN {kinds.open_items} OR s.seq >= t.seq OR s.payment_id <> t.payment_id))`},
	{"a resolution takes the money of its item from the account in which it lies", `
		SELECT format('transaction %s (seq %s): it does not take money of suspense item seq %s from its account', t.transaction_id, t.seq, t.resolves)
		FROM {each.transaction} t WHERE t.resolves IS NOT NULL AND NOT EXISTS (
			SELECT 1 FROM entries s JOIN entries e ON e.seq = t.seq AND e.account_id = s.account_id AND e.amount > 0 AND e.amount <= -s.amount
			WHERE s.seq = t.resolves AND s.amount < 0)`},
	{"returns take no more from an item than was put there, and an assignment takes the rest", settledSQL + `
		SELECT format('suspense item seq %s: %s of %s went back, and %s were assigned', s.seq, coalesce(b.amount, 0), -s.amount, coalesce(d.amount, 0))
		FROM (SELECT b.item FROM returned b UNION SELECT c.item FROM settled c WHERE c.state <> {item.reversed}) x
		JOIN entries s ON s.seq = x.item AND s.amount < 0
		LEFT JOIN returned b ON b.item = x.item
		LEFT JOIN (SELECT c.item, sum(e.amount) AS amount FROM settled c JOIN entries e ON e.seq = c.by AND e.amount > 0
			WHERE c.state NOT IN ({item.reversed}, {item.returned}) GROUP BY c.item) d ON d.item = x.item
		WHERE coalesce(b.amount, 0) + coalesce(d.amount, 0) > -s.amount
			OR (d.amount IS NOT NULL AND coalesce(b.amount, 0) + d.amount <> -s.amount)
			OR (b.amount IS NOT NULL AND x.item IN (SELECT u.seq FROM undone u))`},
	{"an operation by which an operator has booked that money went back is on record with it, once", undoneSQL + `
		SELECT format('transaction %s (seq %s): operation %s, by which its money went back, is on record with %s', t.transaction_id, t.seq, s.operation, coalesce('seq ' || o.seq, 'nothing'))
		FROM operator_steps s JOIN transactions t ON t.seq = s.seq JOIN payments p ON p.payment_id = t.payment_id
		LEFT JOIN operations o ON o.operation = s.operation AND o.provider = p.provider AND o.project = p.project
		WHERE s.action IN ('refund', 'return') AND t.seq NOT IN (SELECT u.seq FROM undone u) AND o.seq IS DISTINCT FROM t.seq`},
	{"money in suspense is listed as an item", `
		SELECT format('transaction %s (seq %s): it put money into suspense, and is not listed as an item', t.transaction_id, t.seq)
		FROM {each.transaction} t WHERE t.kind IN {kinds.open_items} AND NOT EXISTS (
			SELECT 1 FROM suspense_items i WHERE i.seq = t.seq AND i.payment_id = t.payment_id)`},
	{"an item is money in suspense", `
		SELECT format('suspense item seq %s: there is no suspense transaction of payment %s', i.seq, i.payment_id)
		FROM suspense_items i WHERE NOT EXISTS (
			SELECT 1 FROM transactions t WHERE t.seq = i.seq AND t.kind IN {kinds.open_items} AND t.payment_id = i.payment_id)`},
	{"an item is resolved at most once", settledSQL + `
		SELECT format('suspense item seq %s: %s resolutions of it count', item, count(*)) FROM settled GROUP BY item HAVING count(*) > 1`},
	{"the state of an item is what the journal says", settledSQL + `
		SELECT format('suspense item seq %s of payment %s: it is %s by seq %s; the journal says %s by seq %s',
			i.seq, i.payment_id, i.state, coalesce(CAST(i.resolved_by AS TEXT), '-'), coalesce(s.state, {item.open}), coalesce(CAST(s.by AS TEXT), '-'))
		FROM suspense_items i LEFT JOIN settled s ON s.item = i.seq
		WHERE i.state <> coalesce(s.state, {item.open}) OR i.resolved_by IS DISTINCT FROM s.by`},
	{"an item that was not returned whole says what went back of it", settledSQL + `
		SELECT format('suspense item seq %s of payment %s: it says that %s went back; the journal says %s', i.seq, i.payment_id, i.part_returned, coalesce(b.amount, 0))
		FROM suspense_items i LEFT JOIN returned b ON b.item = i.seq
		WHERE (i.state <> {item.returned} AND i.part_returned <> coalesce(b.amount, 0)) OR (i.state = {item.returned} AND i.part_returned <> 0)`},
	{"a payment counts its open suspense items", `
		SELECT format('payment %s: it counts %s open suspense items; there are %s', p.payment_id, p.open_items, coalesce(o.items, 0))
		FROM {each.payment} p LEFT JOIN (
			SELECT payment_id, count(*) AS items FROM suspense_items WHERE state = {item.open} GROUP BY payment_id
		) o ON o.payment_id = p.payment_id
		WHERE p.open_items <> coalesce(o.items, 0)`},
	{"a suspense account holds the sum of its open items", settledSQL + `
		SELECT format('ledger account %s %s: it holds %s; its open items sum to %s', a.name, a.currency, a.credits - a.debits, coalesce(o.amount, 0))
		FROM ` + migrations.BalancesTable + ` a LEFT JOIN (
			SELECT e.account_id, -sum(e.amount + coalesce(b.amount, 0)) AS amount FROM suspense_items i JOIN entries e ON e.seq = i.seq AND e.amount < 0
			LEFT JOIN returned b ON b.item = i.seq
			WHERE i.state = {item.open} GROUP BY e.account_id
		) o ON o.account_id = a.id
		WHERE a.name >= 'suspense:' AND a.name < 'suspense;' AND a.credits - a.debits <> coalesce(o.amount, 0)`},
}

// gaplessRules hold where numbers are given out without gaps: in SQLite. With
// several servers on one database, a write that fails leaves a gap.
var gaplessRules = []Rule{
	{holdsFeed, `
		SELECT format('transaction %s (seq %s): the place before it in the feed, seq %s, is missing', t.transaction_id, t.seq, t.seq - 1)
		FROM transactions t WHERE t.seq <> 1 AND NOT EXISTS (SELECT 1 FROM transactions b WHERE b.seq = t.seq - 1)`},
	{holdsMessages, `
		SELECT format('message %s: the message before it, %s, is missing', m.id, m.id - 1)
		FROM messages m WHERE m.id <> 1 AND NOT EXISTS (SELECT 1 FROM messages b WHERE b.id = m.id - 1)`},
}

// sqliteRules ask SQLite itself. PostgreSQL is asked by checkPostgresSchema
// whether its keys are in force; and the rules above look behind each of them.
var sqliteRules = []Rule{
	{holdsForeignKeys, `
		SELECT format('table %s, row %s: what it names in table %s does not exist', "table", coalesce(rowid, '-'), parent) FROM pragma_foreign_key_check`},
}

// checkSQLiteSchema compares the database with one that the migrations make
// from nothing: the triggers and the unique keys must be there, word for word,
// and the tables must be strict. Whatever a newer program has added is its own.
func checkSQLiteSchema(ctx context.Context, db *gorm.DB) ([]string, error) {
	guards, tables, err := expectedSchema(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the expected schema: %w", err)
	}
	var problems []string
	for _, g := range guards {
		var found sql.NullString
		err := db.Raw(`SELECT max(sql) FROM sqlite_master WHERE type = ? AND name = ?`, g.kind, g.name).Row().Scan(&found)
		if err != nil {
			return nil, err
		}
		switch {
		case !found.Valid:
			problems = append(problems, fmt.Sprintf("%s %s is missing", g.kind, g.name))
		case found.String != g.sql:
			problems = append(problems, fmt.Sprintf("%s %s was changed", g.kind, g.name))
		}
	}
	for _, table := range tables {
		var strict sql.NullBool
		err := db.Raw(`SELECT max(strict) FROM pragma_table_list WHERE schema = 'main' AND name = ?`, table).Row().Scan(&strict)
		if err != nil {
			return nil, err
		}
		switch {
		case !strict.Valid:
			problems = append(problems, fmt.Sprintf("table %s is missing", table))
		case !strict.Bool:
			problems = append(problems, fmt.Sprintf("table %s is not STRICT", table))
		}
	}
	return problems, nil
}

// guard is a trigger or a unique key on which the promises rest.
type guard struct{ kind, name, sql string }

// expectedSchema runs the migrations on a database in memory, and reads which
// guards and strict tables they make.
func expectedSchema(ctx context.Context) (guards []guard, tables []string, err error) {
	pool, err := sql.Open(sqlite.DriverName, ":memory:")
	if err != nil {
		return nil, nil, err
	}
	defer func() { err = errors.Join(err, pool.Close()) }()
	pool.SetMaxOpenConns(1) // another connection would have another memory
	if err := migrations.BringUp(ctx, pool, &database.SQLite, false, nil); err != nil {
		return nil, nil, err
	}
	rows, err := pool.QueryContext(ctx, `SELECT type, name, coalesce(sql, '') FROM sqlite_master
		WHERE type = 'trigger' OR (type = 'index' AND sql LIKE 'CREATE UNIQUE%')
		UNION ALL SELECT 'table', name, '' FROM pragma_table_list WHERE schema = 'main' AND strict`)
	if err != nil {
		return nil, nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var g guard
		if err := rows.Scan(&g.kind, &g.name, &g.sql); err != nil {
			return nil, nil, err
		}
		if g.kind == "table" {
			tables = append(tables, g.name)
			continue
		}
		guards = append(guards, g)
	}
	return guards, tables, rows.Err()
}

// Triggers are the names of the triggers that a sound SQLite file has, sorted.
func Triggers(ctx context.Context) (names []string, err error) {
	guards, _, err := expectedSchema(ctx)
	for _, g := range guards {
		if g.kind == "trigger" {
			names = append(names, g.name)
		}
	}
	slices.Sort(names)
	return names, err
}
