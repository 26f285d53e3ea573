package commands

import (
	"context"
	"fmt"
	"strings"

	"tolem/calendar"
	"tolem/commands/internal/console"
	"tolem/store"
	"tolem/topup"
	"tolem/view"
)

// settlementCommand prints what each platform owes.
type settlementCommand struct {
	console.FormatFlags
	At console.DayFlag `placeholder:"D" help:"As of the end of this day, such as 2026-10-31. Default: now."`
}

// Help is shown by --help.
func (settlementCommand) Help() string {
	return `For each project of a platform and each currency: what was credited (suspense included), what was refunded through the platform (returns included), what payouts brought to the bank, and what the platform kept as fees, holds back as reserve, and adjusted. OWED is credited less all of these: the balance of the settlement account. A reserve is paid out beside it, with a payout whose reserve is negative.

Below each, the money of payments that no payout has named, by the age of the payment in days. A draft names its payments too.

--at shows the books as of the end of a day, by effective dates, with the payouts dated up to it.

Example:

  tolem settlement
  tolem settlement --at 2026-10-31 --json`
}

// Run prints.
func (c *settlementCommand) Run(ctx context.Context, p *console.Program) error {
	var day calendar.Day
	if c.At != "" {
		var err error
		if day, err = calendar.ParseDay(string(c.At)); err != nil {
			return console.WrongUsage("--at must be a day such as 2026-10-31")
		}
	}
	return p.WithBooks(ctx, func(b console.Books) error {
		list, err := b.Settlement(ctx, day, b.Config.Location())
		if err != nil {
			return err
		}
		found := func(yield func(*store.Settlement) error) error {
			for i := range list {
				if err := yield(&list[i]); err != nil {
					return err
				}
			}
			return nil
		}
		return console.PrintRecords(p, c.FormatFlags, settlementTable(b.Config.Location()), found, func(p *console.Program, asJSON bool) error {
			return printSettlement(p, list, asJSON)
		})
	})
}

func printSettlement(p *console.Program, list []store.Settlement, asJSON bool) error {
	out := p.List(asJSON, "PROJECT", "CUR", "CREDITED", "REFUNDED", "PAID OUT", "FEES", "RESERVE", "ADJUSTMENTS", "OWED", "SUSPENSE")
	for i := range list {
		if err := out.Add(view.SettlementOf(&list[i]), settlementCells(&list[i])...); err != nil {
			return err
		}
	}
	if err := out.End(); err != nil || asJSON {
		return err
	}
	for i := range list {
		if text := unpaidText(&list[i]); text != "" {
			if err := p.Println(text); err != nil {
				return err
			}
		}
	}
	return nil
}

func settlementCells(s *store.Settlement) []string {
	amount := func(n int64) string { return major(n, s.Currency) }
	return []string{
		s.Provider + " " + s.Project, s.Currency, amount(s.Credited), amount(s.Refunded), amount(s.PaidOut), amount(s.Fees),
		amount(s.Reserve), amount(s.Adjustments), amount(s.Owed), amount(s.Suspense),
	}
}

// unpaidText says what no payout has named, empty for nothing.
func unpaidText(s *store.Settlement) string {
	var ages []string
	for i, u := range s.Unpaid {
		if u.Count != 0 {
			ages = append(ages, fmt.Sprintf("%s days %d (%s)", store.UnpaidAges[i], u.Count, topup.Money{Amount: u.Sum, Currency: s.Currency}))
		}
	}
	if len(ages) == 0 {
		return ""
	}
	return fmt.Sprintf("%s %s, named by no payout: %s", s.Provider, s.Project, strings.Join(ages, ", "))
}
