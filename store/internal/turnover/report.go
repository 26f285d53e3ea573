// Package turnover reports what moved, by day, month, contract, project or method, and
// keeps the sums that make such reports fast.
package turnover

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"tolem/calendar"
	"tolem/store/internal/database"
	"tolem/store/internal/engine"
	"tolem/store/internal/ledger"
	"tolem/topup"
)

// Reports are the turnover of a database.
type Reports struct {
	reader *engine.Reader
	writer *engine.Writer
	ledger *ledger.Ledger
}

// New returns the turnover of a database.
func New(r *engine.Reader, w *engine.Writer, l *ledger.Ledger) *Reports { return &Reports{r, w, l} }

// Dimension is what the turnover is told by.
type Dimension string

// The dimensions.
const (
	ByDay      Dimension = "day"
	ByMonth    Dimension = "month"
	ByContract Dimension = "contract"
	ByProject  Dimension = "project"
	ByMethod   Dimension = "method"
)

var dimensions = []Dimension{ByDay, ByMonth, ByContract, ByProject, ByMethod}

// ParseDimensions reads one dimension, or two with a comma between. The error is
// of KindInvalid.
func ParseDimensions(text string) ([]Dimension, error) {
	var by []Dimension
	for name := range strings.SplitSeq(text, ",") {
		d := Dimension(strings.TrimSpace(name))
		if !slices.Contains(dimensions, d) {
			return nil, topup.Invalid("by", "must be day, month, contract, project or method, or two of them with a comma between")
		}
		by = append(by, d)
	}
	switch {
	case len(by) > 2:
		return nil, topup.Invalid("by", "must be at most two of day, month, contract, project and method")
	case len(by) == 2 && by[0] == by[1], slices.Contains(by, ByDay) && slices.Contains(by, ByMonth):
		return nil, topup.Invalid("by", "%s says the same twice", text)
	}
	return by, nil
}

// TurnoverQuery asks for turnover. Days are those of the zone, on which
// transactions count (their effective time).
type TurnoverQuery struct {
	By       []Dimension  // one or two
	From, To calendar.Day // both included; the zero Day leaves that end open
	Zone     *time.Location
}

// Turnover is what moved. A member that the query does not tell by is empty.
type Turnover struct {
	Day                    calendar.Day
	Month                  string // 2026-11
	CustomerID, ContractID string
	Provider, Project      string
	Method                 string
	Currency               string

	Count    int64 // of transactions that credited a contract
	Credited int64 // what contracts were credited, less recalls and reversals; minor units
	Refunded int64 // what went back to payers
	// Fees are what platforms kept, from payouts; nil where they are not known: of a
	// contract and of a method.
	Fees *int64
}

// Net is what is left.
func (t Turnover) Net() int64 {
	net := t.Credited - t.Refunded
	if t.Fees != nil {
		net -= *t.Fees
	}
	return net
}

// Turnover passes the turnover of a period to yield, in the order of its
// dimensions. By day, month or project it is read from sums that are kept (see
// [Reports.SumTurnover]); by contract or method the whole journal is read, in memory
// that does not grow with it.
func (r *Reports) Turnover(ctx context.Context, q TurnoverQuery, yield func(Turnover) error) error {
	if slices.Contains(q.By, ByContract) || slices.Contains(q.By, ByMethod) {
		return wrapReport(r.turnoverOfJournal(ctx, q, yield))
	}
	return wrapReport(r.turnoverOfSums(ctx, q, yield))
}

func wrapReport(err error) error {
	if err != nil {
		return fmt.Errorf("report the turnover: %w", err)
	}
	return nil
}

// turnoverOfSums adds the kept sums up, by days or less.
func (r *Reports) turnoverOfSums(ctx context.Context, q TurnoverQuery, yield func(Turnover) error) (err error) {
	if _, err := r.SumTurnover(ctx, q.Zone); err != nil {
		return err
	}
	from, to := q.From.String(), q.To.String()
	if to == "" {
		to = "9999-12-31"
	}
	rows, err := r.reader.Raw(ctx, turnoverSumsSQL, q.Zone.String(), from, to).Rows()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	sums := map[Turnover]turnoverSums{}
	for rows.Next() {
		var day string
		var row Turnover
		var more turnoverSums
		if err := rows.Scan(&day, &row.Provider, &row.Project, &row.Currency, &more.count, &more.credited, &more.refunded, &more.fees); err != nil {
			return err
		}
		if row.Day, err = calendar.ParseDay(day); err != nil {
			return err
		}
		row.Month = day[:len("2026-11")]
		key := row.only(q.By)
		sum := sums[key]
		if err := sum.add(more); err != nil {
			return err
		}
		sums[key] = sum
	}
	if err := rows.Err(); err != nil {
		return err
	}
	list := make([]Turnover, 0, len(sums))
	for row, sum := range sums {
		row.Count, row.Credited, row.Refunded, row.Fees = sum.count, sum.credited, sum.refunded, &sum.fees
		list = append(list, row)
	}
	slices.SortFunc(list, func(a, b Turnover) int { return slices.Compare(a.order(q.By), b.order(q.By)) })
	for _, row := range list {
		if err := yield(row); err != nil {
			return err
		}
	}
	return nil
}

// only is the row with the members of these dimensions alone.
func (t Turnover) only(by []Dimension) Turnover {
	row := Turnover{Currency: t.Currency}
	for _, d := range by {
		switch d {
		case ByDay:
			row.Day = t.Day
		case ByMonth:
			row.Month = t.Month
		case ByProject:
			row.Provider, row.Project = t.Provider, t.Project
		}
	}
	return row
}

// order is what rows are sorted by.
func (t Turnover) order(by []Dimension) []string {
	var keys []string
	for _, d := range by {
		switch d {
		case ByDay:
			keys = append(keys, t.Day.String())
		case ByMonth:
			keys = append(keys, t.Month)
		case ByProject:
			keys = append(keys, t.Provider, t.Project)
		}
	}
	return append(keys, t.Currency)
}

const turnoverOfJournalSQL = `SELECT %s, a.currency, CAST(sum(CASE WHEN %s THEN 1 ELSE 0 END) AS BIGINT),
	CAST(sum(CASE WHEN %s = '` + string(topup.KindRefund) + `' THEN 0 ELSE -e.amount END) AS BIGINT), CAST(sum(CASE WHEN %s = '` + string(topup.KindRefund) + `' THEN e.amount ELSE 0 END) AS BIGINT)
	FROM transactions t JOIN entries e ON e.seq = t.seq JOIN ledger_accounts a ON a.id = e.account_id %s
	WHERE t.seq <= ? AND a.name >= 'customers:' AND a.name < 'customers;' AND t.effective_at >= ? AND t.effective_at < ? GROUP BY %s ORDER BY %s`

// turnoverOfJournal sums the journal itself.
func (r *Reports) turnoverOfJournal(ctx context.Context, q TurnoverQuery, yield func(Turnover) error) (err error) {
	last, err := r.ledger.LastFinal(ctx)
	if err != nil {
		return err
	}
	from, until, err := r.turnoverPeriod(ctx, q, last)
	if err != nil || !from.Before(until) {
		return err
	}
	columns, scan, join := turnoverColumns(q, from, until)
	places := make([]string, len(scan)+1) // and the currency
	for i := range places {
		places[i] = strconv.Itoa(i + 1)
	}
	order := strings.Join(places, ", ")
	rows, err := r.reader.Raw(ctx, fmt.Sprintf(turnoverOfJournalSQL, strings.Join(columns, ", "), creditingSQL, rootKindSQL, rootKindSQL, join, order, order),
		last, database.Micros(from), database.Micros(until)).Rows()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var row Turnover
		var raw turnoverText
		cells := []any{}
		for _, place := range scan {
			cells = append(cells, place(&raw))
		}
		if err := rows.Scan(append(cells, &row.Currency, &row.Count, &row.Credited, &row.Refunded)...); err != nil {
			return err
		}
		if err := raw.into(&row); err != nil {
			return err
		}
		if row.Count == 0 && row.Credited == 0 && row.Refunded == 0 {
			continue
		}
		if err := yield(row); err != nil {
			return err
		}
	}
	return rows.Err()
}

// turnoverText are the cells of a row as the query has them.
type turnoverText struct{ day, month, account, provider, project, method string }

func (t turnoverText) into(row *Turnover) (err error) {
	if t.day != "" {
		if row.Day, err = calendar.ParseDay(t.day); err != nil {
			return err
		}
	}
	row.Month, row.Provider, row.Project, row.Method = t.month, t.provider, t.project, t.method
	if t.account != "" {
		row.CustomerID, row.ContractID, _ = strings.Cut(strings.TrimPrefix(t.account, "customers:"), ":")
	}
	return nil
}

// turnoverColumns are the columns of a query, where each is scanned to, and the
// tables that they need.
func turnoverColumns(q TurnoverQuery, from, until time.Time) (columns []string, scan []func(*turnoverText) any, join string) {
	add := func(column string, place func(*turnoverText) any) {
		columns, scan = append(columns, column), append(scan, place)
	}
	for _, d := range q.By {
		switch d {
		case ByDay:
			add(periodsSQL(q.Zone, from, until, calendar.Day.Next, calendar.Day.String), func(t *turnoverText) any { return &t.day })
		case ByMonth:
			add(periodsSQL(q.Zone, from, until, nextMonth, func(d calendar.Day) string { return d.String()[:len("2026-11")] }), func(t *turnoverText) any { return &t.month })
		case ByContract:
			add("a.name", func(t *turnoverText) any { return &t.account })
		case ByProject:
			add("p.provider", func(t *turnoverText) any { return &t.provider })
			add("p.project", func(t *turnoverText) any { return &t.project })
			join = "JOIN payments p ON p.payment_id = t.payment_id"
		case ByMethod:
			add("p.method", func(t *turnoverText) any { return &t.method })
			join = "JOIN payments p ON p.payment_id = t.payment_id"
		}
	}
	return columns, scan, join
}

// nextMonth is the first day of the month that follows.
func nextMonth(d calendar.Day) calendar.Day {
	month := d.String()[:len("2026-11")]
	for d.String()[:len(month)] == month {
		d = d.Next()
	}
	return d
}

// periodsSQL names the day or month in which a transaction t counts. They are
// found by halves, so that a year of days takes nine comparisons.
func periodsSQL(zone *time.Location, from, until time.Time, next func(calendar.Day) calendar.Day, name func(calendar.Day) string) string {
	var starts []int64
	var names []string
	for d := calendar.DayOf(from, zone); d.Start(zone).Before(until); d = next(d) {
		starts, names = append(starts, database.Micros(d.Start(zone))), append(names, name(d))
	}
	var b strings.Builder
	var write func(low, high int)
	write = func(low, high int) {
		if high-low == 1 {
			b.WriteString("'" + names[low] + "'")
			return
		}
		middle := (low + high) / 2
		fmt.Fprintf(&b, "CASE WHEN t.effective_at < %d THEN ", starts[middle])
		write(low, middle)
		b.WriteString(" ELSE ")
		write(middle, high)
		b.WriteString(" END")
	}
	write(0, len(names))
	return b.String()
}

// turnoverPeriod is the period of a query, its open ends closed by the journal's
// first and last day.
func (r *Reports) turnoverPeriod(ctx context.Context, q TurnoverQuery, last int64) (from, until time.Time, err error) {
	if q.From.IsZero() || q.To.IsZero() {
		var first, final *int64
		if err := r.reader.Raw(ctx, `SELECT min(t.effective_at), max(t.effective_at) FROM transactions t WHERE t.seq <= ?`, last).Row().Scan(&first, &final); err != nil {
			return from, until, err
		}
		if first == nil {
			return from, until, nil
		}
		from, until = database.FromMicros(*first), database.FromMicros(*final).Add(time.Microsecond)
	}
	if !q.From.IsZero() {
		from = q.From.Start(q.Zone)
	}
	if !q.To.IsZero() {
		until = q.To.End(q.Zone)
	}
	return from, until, nil
}
