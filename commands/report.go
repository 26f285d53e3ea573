package commands

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"tolem/calendar"
	"tolem/commands/internal/console"
	"tolem/config"
	"tolem/sheet"
	"tolem/store"
	"tolem/view"
)

// reportCommand prints the turnover.
type reportCommand struct {
	console.FormatFlags
	By   string            `required:"" placeholder:"DIMENSIONS" help:"day, month, contract, project or method, or two of them with a comma between: contract,day."`
	From console.Condition `placeholder:"D" help:"From this day on (2026-11-01), in the configured timezone. Default: the first of the journal."`
	To   console.Condition `placeholder:"D" help:"Up to this day, which is included."`
}

// Help is shown by --help.
func (reportCommand) Help() string {
	return `The turnover of a period, from the journal. A transaction counts on the day of its effective date: the provider's for a message, the operator's for a step.

count: transactions that credited a contract. credited: what contracts were credited, less what recalls and reversals took back. refunded: what went back to payers. fees: what the platforms kept, from posted payouts; it is known by day, month and project, not by contract and method. net: credited less refunded and fees.

Amounts are in major units in the table and in xlsx, in minor units in csv and json. By day, month or project the answer comes from sums that are kept and brought up to date; by contract or method the whole journal is read.

Example:

  tolem report --by day --from 2026-11-01 --to 2026-11-30
  tolem report --by contract,month --from 2026-01-01 --format xlsx --out contracts.xlsx`
}

// query reads the flags.
func (c *reportCommand) query(cfg *config.Config) (q store.TurnoverQuery, err error) {
	q.Zone = cfg.Location()
	if q.By, err = store.ParseDimensions(c.By); err != nil {
		return q, console.WrongUsage("--%w", err)
	}
	for _, flag := range []struct {
		name string
		text console.Condition
		day  *calendar.Day
	}{{"--from", c.From, &q.From}, {"--to", c.To, &q.To}} {
		if flag.text == "" {
			continue
		}
		if *flag.day, err = calendar.ParseDay(string(flag.text)); err != nil {
			return q, console.WrongUsage("%s must be a day such as 2026-11-01", flag.name)
		}
	}
	if !q.From.IsZero() && !q.To.IsZero() && q.To.Before(q.From) {
		return q, console.WrongUsage("--from must not be after --to")
	}
	return q, nil
}

// Run reports.
func (c *reportCommand) Run(ctx context.Context, p *console.Program) error {
	var query store.TurnoverQuery
	check := func(cfg *config.Config) (err error) {
		query, err = c.query(cfg)
		return err
	}
	return p.WithBooks(ctx, func(b console.Books) error {
		found := func(yield func(store.Turnover) error) error { return b.Turnover(ctx, query, yield) }
		return console.PrintRecords(p, c.FormatFlags, turnoverTable(query), found, func(p *console.Program, asJSON bool) error {
			if asJSON {
				return printTurnoverJSON(p, query, found)
			}
			return printTurnover(p, query, found)
		})
	}, check)
}

// printTurnover prints a table for people, which ends with the sums.
func printTurnover(p *console.Program, query store.TurnoverQuery, found console.Records[store.Turnover]) error {
	var heading []string
	for _, d := range query.By {
		heading = append(heading, strings.ToUpper(string(d)))
	}
	l := p.List(false, append(heading, "CURRENCY", "COUNT", "CREDITED", "REFUNDED", "FEES", "NET")...)
	totals := view.TurnoverTotals{}
	err := found(func(t store.Turnover) error {
		if err := totals.Add(t); err != nil {
			return err
		}
		var cells []string
		for _, d := range query.By {
			cells = append(cells, dimensionCell(t, d))
		}
		return l.Add(nil, append(cells, turnoverCells(t)...)...)
	})
	if err != nil {
		return err
	}
	for _, t := range totals.Sorted() {
		cells := make([]string, len(query.By))
		cells[0] = "total"
		if err := l.Add(nil, append(cells, turnoverCells(t)...)...); err != nil {
			return err
		}
	}
	return l.End()
}

// dimensionCell is what a row is told by.
func dimensionCell(t store.Turnover, d store.Dimension) string {
	switch d {
	case store.ByDay:
		return t.Day.String()
	case store.ByMonth:
		return t.Month
	case store.ByContract:
		return t.CustomerID + " " + t.ContractID
	case store.ByProject:
		return t.Provider + " " + t.Project
	}
	return orDash(t.Method)
}

func turnoverCells(t store.Turnover) []string {
	fees := "-"
	if t.Fees != nil {
		fees = major(*t.Fees, t.Currency)
	}
	return []string{
		t.Currency, strconv.FormatInt(t.Count, 10), major(t.Credited, t.Currency), major(t.Refunded, t.Currency), fees, major(t.Net(), t.Currency),
	}
}

// printTurnoverJSON prints the report as the admin API has it, row by row: by
// contract there may be more rows than fit into memory.
func printTurnoverJSON(p *console.Program, query store.TurnoverQuery, found console.Records[store.Turnover]) error {
	head, err := compactJSON(view.Turnover{By: query.By, From: query.From.String(), To: query.To.String(), Timezone: query.Zone.String()})
	if err != nil {
		return err
	}
	head, _, _ = strings.Cut(head, `"rows":`)
	if _, err := fmt.Fprint(p.Stdio.Out, head, `"rows":[`); err != nil {
		return err
	}
	totals := view.TurnoverTotals{}
	row := jsonRows(p)
	err = found(func(t store.Turnover) error {
		if err := totals.Add(t); err != nil {
			return err
		}
		return row(t)
	})
	if err != nil {
		return err
	}
	if _, err := fmt.Fprint(p.Stdio.Out, "],\n\"totals\":["); err != nil {
		return err
	}
	row = jsonRows(p)
	for _, t := range totals.Sorted() {
		if err := row(t); err != nil {
			return err
		}
	}
	return p.Println("]}")
}

// jsonRows prints rows of a JSON array, a line each.
func jsonRows(p *console.Program) func(store.Turnover) error {
	before := "\n"
	return func(t store.Turnover) error {
		text, err := compactJSON(view.TurnoverRowOf(t))
		if err != nil {
			return err
		}
		_, err = fmt.Fprint(p.Stdio.Out, before, text)
		before = ",\n"
		return err
	}
}

// compactJSON is a value on one line.
func compactJSON(value any) (string, error) {
	var text strings.Builder
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(value)
	return strings.TrimSuffix(text.String(), "\n"), err
}

// turnoverTable is the report as a file.
func turnoverTable(query store.TurnoverQuery) sheet.Table[store.Turnover] {
	type row = store.Turnover
	table := sheet.Table[row]{Name: "turnover", Zone: query.Zone}
	for _, d := range query.By {
		switch d {
		case store.ByDay:
			table.Columns = append(table.Columns, sheet.Column[row]{Heading: "day", Width: 12, Of: func(t row) sheet.Value { return sheet.Day(t.Day) }})
		case store.ByMonth:
			table.Columns = append(table.Columns, sheet.TextColumn("month", 10, func(t row) string { return t.Month }))
		case store.ByContract:
			table.Columns = append(table.Columns,
				sheet.TextColumn("customer_id", 18, func(t row) string { return t.CustomerID }), sheet.TextColumn("entity_id", 16, func(t row) string { return t.ContractID }))
		case store.ByProject:
			table.Columns = append(table.Columns,
				sheet.TextColumn("provider", 12, func(t row) string { return t.Provider }), sheet.TextColumn("project_id", 14, func(t row) string { return t.Project }))
		case store.ByMethod:
			table.Columns = append(table.Columns, sheet.TextColumn("payment_method", 20, func(t row) string { return t.Method }))
		}
	}
	amount := func(heading string, of func(row) int64) sheet.Column[row] {
		return sheet.Column[row]{Heading: heading, Width: 18, Of: func(t row) sheet.Value { return sheet.Amount(of(t), t.Currency) }}
	}
	table.Columns = append(table.Columns,
		sheet.TextColumn("currency", 9, func(t row) string { return t.Currency }),
		sheet.Column[row]{Heading: "count", Width: 10, Of: func(t row) sheet.Value { return sheet.Count(t.Count) }},
		amount("credited", func(t row) int64 { return t.Credited }),
		amount("refunded", func(t row) int64 { return t.Refunded }),
		sheet.Column[row]{Heading: "fees", Width: 18, Of: func(t row) sheet.Value {
			if t.Fees == nil {
				return sheet.Value{}
			}
			return sheet.Amount(*t.Fees, t.Currency)
		}},
		amount("net", row.Net),
	)
	return table
}
