package ledger

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"gorm.io/gorm"

	"tolem/store/internal/database"
	"tolem/topup"
)

// blanks are the blanks that a contract's number may contain: those of
// unicode.IsSpace that are no control characters.
var blanks = []rune{
	' ', 0xa0, 0x1680, 0x2000, 0x2001, 0x2002, 0x2003, 0x2004, 0x2005, 0x2006, 0x2007, 0x2008, 0x2009, 0x200a,
	0x2028, 0x2029, 0x202f, 0x205f, 0x3000,
}

// numberSource is where a database keeps contract numbers, by an index.
type numberSource struct {
	from   string // table or view, as n
	number string // its column
	// compact is number without blanks, as the index of those that have any
	// says it: SQLite would not use it otherwise.
	compact string
	// payments is the beginning of a query of payments f by their numbers n.
	payments string
}

// Payments have an index by number in PostgreSQL alone (migration 4).
var (
	sqliteNumbers = numberSource{
		from: "contract_numbers", number: "n.number", compact: sqliteCompact("n.number"),
		payments: `SELECT f.id FROM contract_numbers n JOIN payments f ON f.customer_id = n.customer_id AND f.customer_id <> ''
			AND f.contract_number = n.number AND f.contract_number <> ''`,
	}
	postgresNumbers = numberSource{
		from: "payments", number: "n.contract_number", compact: postgresCompact("n.contract_number"),
		payments: `SELECT n.id FROM payments n`,
	}
)

// numbers is where this database keeps contract numbers.
func (l *Ledger) numbers() *numberSource {
	if l.reader.Dialect.Name == database.SQLite.Name {
		return &sqliteNumbers
	}
	return &postgresNumbers
}

func sqliteCompact(column string) string {
	for _, blank := range blanks {
		column = fmt.Sprintf("replace(%s, char(%d), '')", column, blank)
	}
	return column
}

func postgresCompact(column string) string {
	var list strings.Builder
	for _, blank := range blanks {
		fmt.Fprintf(&list, `\u%04X`, blank)
	}
	return fmt.Sprintf("translate(%s, E'%s', '')", column, &list)
}

// compactNumber is a contract's number, or the beginning of one, without blanks.
func compactNumber(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) {
			return -1
		}
		return r
	}, text)
}

// keys are the two ways in which numbers are found: as they are, and, of those
// that have blanks, without them. Each is a key with the rest of its index's
// condition.
func (n *numberSource) keys() [2][2]string {
	plain := n.number + " <> ''"
	return [2][2]string{{n.number, plain}, {n.compact, n.number + " <> " + n.compact}}
}

// maxNumbers is how many numbers may begin alike to be searched for by that
// beginning.
const maxNumbers = 1000

// numberRange is what number keys are compared with: a beginning, or, when too
// many numbers have it, or none could, the whole.
type numberRange struct {
	from, to string // to is empty: equal to from
	tooMany  bool
}

func (r numberRange) where(key string) (condition string, args []any) {
	if r.to == "" {
		return key + " = ?", []any{r.from}
	}
	return key + " >= ? AND " + key + " < ?", []any{r.from, r.to}
}

// nextNumberSQL walks the distinct keys of a range, one step of an index each.
const nextNumberSQL = `WITH RECURSIVE found (number, count) AS (
	SELECT * FROM (SELECT %[1]s AS number, 1 AS count FROM %[2]s n WHERE %[1]s >= ? AND %[1]s < ? AND %[3]s ORDER BY %[1]s LIMIT 1) first
	UNION ALL
	SELECT (SELECT %[1]s FROM %[2]s n WHERE %[1]s > found.number AND %[1]s < ? AND %[3]s ORDER BY %[1]s LIMIT 1), found.count + 1
		FROM found WHERE found.number IS NOT NULL AND found.count <= ?)
	SELECT count(number) FROM found`

// numberRange decides how numbers are compared with a text.
func (l *Ledger) numberRange(ctx context.Context, text string) (numberRange, error) {
	r := numberRange{from: compactNumber(text)}
	end := PrefixEnd(r.from)
	if end == "" {
		return r, nil
	}
	count := 0
	for _, key := range l.numbers().keys() {
		query := fmt.Sprintf(nextNumberSQL, key[0], l.numbers().from, key[1])
		var n int
		if err := l.reader.Raw(ctx, query, r.from, end, end, maxNumbers).Row().Scan(&n); err != nil {
			return r, fmt.Errorf("count contract numbers: %w", err)
		}
		count += n
	}
	if r.tooMany = count > maxNumbers; !r.tooMany {
		r.to = end
	}
	return r, nil
}

// foundSQL finds payments by any id that a person may have in hand, in full.
// Every part reads one index.
const foundSQL = `SELECT f.id FROM payments f WHERE f.payment_id = ?
	UNION SELECT f.id FROM payments f WHERE f.provider_payment_id = ?
	UNION SELECT f.id FROM payments f WHERE f.provider_reference = ? AND f.customer_id = ''
	UNION SELECT f.id FROM payments f WHERE f.provider_reference = ? AND f.provider_reference <> '' AND f.customer_id <> ''
	UNION SELECT f.id FROM payments f WHERE f.operation_id = ? AND f.operation_id <> '' AND (f.status <> 'succeeded' OR f.flags <> 0)
	UNION SELECT f.id FROM messages m JOIN payments f ON f.payment_id = m.payment_id
		WHERE m.operation = ? AND m.operation <> '' AND m.disposition NOT IN ('credited', 'repeat')
	UNION SELECT f.id FROM messages m JOIN payments f ON f.payment_id = m.payment_id
		WHERE m.receipt = ? AND m.receipt <> '' AND m.disposition NOT IN ('credited', 'repeat')
	UNION SELECT f.id FROM operations o JOIN transactions t ON t.seq = o.seq JOIN payments f ON f.payment_id = t.payment_id WHERE o.operation = ?
	UNION SELECT f.id FROM transactions t JOIN payments f ON f.payment_id = t.payment_id WHERE t.transaction_id = ?`

// CustomerIDs lists the ids under which a customer may be stored whom somebody
// names by that text.
func (l *Ledger) CustomerIDs(text string) []string {
	ids := []string{l.normalize.Apply(text)}
	for _, id := range topup.TelephoneForms(text) {
		if !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	return ids
}

// found narrows a query of payments p to those that the filter's Q finds.
func (l *Ledger) found(ctx context.Context, q *gorm.DB, f PaymentFilter) (_ *gorm.DB, tooMany bool, err error) {
	text := strings.TrimSpace(f.Q)
	switch {
	case text == "":
		return nil, false, topup.Invalid("q", "must not be blank")
	case len(text) > topup.MaxTextBytes:
		return nil, false, topup.Invalid("q", "must be at most %d bytes long", topup.MaxTextBytes)
	case !utf8.ValidString(text):
		return nil, false, topup.Invalid("q", "must be valid UTF-8")
	}
	number, err := l.numberRange(ctx, text)
	if err != nil {
		return nil, false, err
	}
	query := foundSQL
	var args []any
	for range strings.Count(query, "?") {
		args = append(args, text)
	}
	for _, key := range l.numbers().keys() {
		condition, more := number.where(key[0])
		query += "\n	UNION " + l.numbers().payments + " WHERE " + condition + " AND " + key[1]
		args = append(args, more...)
	}
	if f.Payers {
		query += "\n	UNION SELECT f.id FROM payments f WHERE f.customer_id <> '' AND f.customer_id IN ?"
		args = append(args, l.CustomerIDs(text))
	}
	return q.Where("p.id IN ("+query+")", args...), number.tooMany, nil
}

// errTooManyNumbers is for a text that finds nothing but more contract numbers
// than can be searched for.
func errTooManyNumbers() error {
	return topup.Invalid("q", "more than %d contract numbers begin so: give more of the number", maxNumbers)
}

// majorAmount is a sum in major units as a condition on an amount and its
// currency: whatever the currency is, the sum with its digits.
func majorAmount(sum topup.Major, amount, currency string) (condition string, args []any) {
	const usual = 2 // digits: nearly all currencies
	var unusual []string
	cases := []string{"1 = 0"}
	for digits, currencies := range topup.CurrenciesByDigits() {
		if digits == usual {
			continue
		}
		unusual = append(unusual, currencies...)
		if minor, ok := sum.Minor(digits); ok {
			cases, args = append(cases, amount+" = ? AND "+currency+" IN ?"), append(args, minor, currencies)
		}
	}
	if minor, ok := sum.Minor(usual); ok {
		cases, args = append(cases, amount+" = ? AND "+currency+" NOT IN ?"), append(args, minor, unusual)
	}
	return "(" + strings.Join(cases, " OR ") + ")", args
}
