package commands

import (
	"context"
	"fmt"
	"strings"

	"tolem/commands/internal/console"
	"tolem/store"
	"tolem/topup"
	"tolem/view"
)

// bankMatchCommand matches payouts with bank lines.
type bankMatchCommand struct {
	console.JSONFlag
	Apply  bool   `help:"Write the matches down."`
	Reason string `placeholder:"TEXT" help:"The reason; required with --apply, and recorded with each match."`
	Actor  string `placeholder:"NAME" help:"The actor; recorded with each match. Default: the variable TOLEM_ACTOR, else the system's user."`
}

// Help is shown by --help.
func (bankMatchCommand) Help() string {
	return `Looks for the bank line of each payout (draft or posted) that has none: on the payout's bank account, with its net in its direction, booked on the payout's day or at most bank_days later (a setting, 7 by default). A match is one to one. Where several lines or payouts fit each other, a line that names one of the payouts, as its number, its reference or a word of its purpose, is that payout's; without a name they are ambiguous, and listed. A name alone never suffices: sum, direction and day must fit.

Two payouts in one line, and one payout in two lines, are listed as groups and never matched. A match moves no money; payouts show has its line. Discarding a payout, or reversing its posting, frees the line.

Without --apply nothing is written. Exit code 1 if a payout is left without a line.

Example:

  tolem bank match
  tolem bank match --apply --reason "statement of November"`
}

// Run matches.
func (c *bankMatchCommand) Run(ctx context.Context, p *console.Program) error {
	if c.Apply != (strings.TrimSpace(c.Reason) != "") {
		return console.WrongUsage("--apply and --reason go together")
	}
	return p.WithBooks(ctx, func(b console.Books) error {
		found, err := c.match(ctx, p, b)
		if err != nil {
			return err
		}
		if c.JSON {
			err = p.PrintJSON(view.BankProposalOf(found, c.Apply))
		} else {
			err = c.print(p, found)
		}
		if err == nil && len(found.Ambiguous)+len(found.Open) > 0 {
			return console.ErrAnswered
		}
		return err
	})
}

func (c *bankMatchCommand) match(ctx context.Context, p *console.Program, b console.Books) (store.BankProposal, error) {
	if !c.Apply {
		return b.ProposeBankMatches(ctx, int(b.Config.BankDays))
	}
	by, err := p.By(console.Operator{Actor: c.Actor, Reason: c.Reason}, b.Config.Location())
	if err != nil {
		return store.BankProposal{}, err
	}
	return b.ApplyBankMatches(ctx, int(b.Config.BankDays), by)
}

// print shows a proposal to people.
func (c *bankMatchCommand) print(p *console.Program, found store.BankProposal) error {
	var lines []string
	say := func(format string, args ...any) { lines = append(lines, fmt.Sprintf(format, args...)) }
	for _, m := range found.Matches {
		how := "sum and day"
		if m.Named {
			how = "sum, day and name"
		}
		say("match: %s = %s (%s)", shownPayout(m.Payout), shownBankLine(m.Line), how)
	}
	for _, a := range found.Ambiguous {
		say("ambiguous: %s may be %s", shownPayout(a.Payout), shownBankLines(a.Lines))
	}
	for _, g := range found.Groups {
		var payouts []string
		for _, o := range g.Payouts {
			payouts = append(payouts, shownPayout(o))
		}
		say("group: %s = %s", strings.Join(payouts, " + "), shownBankLines(g.Lines))
	}
	for _, o := range found.Open {
		say("no line: %s", shownPayout(o))
	}
	for _, line := range lines {
		if err := p.Println(console.Printable(line)); err != nil {
			return err
		}
	}
	what := "proposed"
	if c.Apply {
		what = "matched"
	}
	return p.Println(fmt.Sprintf("%d %s, %d ambiguous, %d without a line, %s", len(found.Matches), what, len(found.Ambiguous), len(found.Open), console.Counted(int64(len(found.Groups)), "group")))
}

func shownPayout(p store.Payout) string {
	return fmt.Sprintf("payout %s of %s, %s", p.ID, p.Date, topup.Money{Amount: p.Net, Currency: p.Currency})
}

func shownBankLine(l store.BankLine) string {
	return fmt.Sprintf("line %d of %s, %s %s, %s", l.ID, l.Day, l.Direction, topup.Money{Amount: l.Amount, Currency: l.Currency}, described(l.Line))
}

func shownBankLines(lines []store.BankLine) string {
	list := make([]string, len(lines))
	for i, l := range lines {
		list[i] = shownBankLine(l)
	}
	return strings.Join(list, "; ")
}
