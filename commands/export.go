package commands

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"tolem/calendar"
	"tolem/commands/internal/console"
	"tolem/sheet"
	"tolem/store"
	"tolem/topup"
	"tolem/view"
)

// ledgerExportCommand prints the journal.
type ledgerExportCommand struct {
	periodFlags
	console.OutFlag
	Format string `required:"" enum:"csv,xlsx,hledger,jsonl,1c" help:"One of ${enum}."`
}

// Help is shown by --help.
func (ledgerExportCommand) Help() string {
	return `Prints the transactions of the period in the order of the feed. Memory does not grow with the journal.

csv: for programs. A header, then one line a posting; a debit is positive, a credit negative. Add up the column amount: it is in minor units (tiyn: 100000 is 1000.00 tenge). amount_major is the same in major units. date is the day of the time that --by names, in the configured timezone. A text that a spreadsheet would take for a formula (it begins with =, +, -, @, a tab or a line break) has an apostrophe before it.

xlsx: the same for a spreadsheet: ids are text, amounts are numbers in major units, times are dates in the configured timezone. A spreadsheet in Russian or Kazakh misreads the CSV: it takes a decimal point for text or for a date (12.05), and rounds ids of more than 15 digits.

hledger: a journal that "hledger check --strict" accepts, with accounts, their types and commodities declared, so that balancesheet and incomestatement work. Days are those of the configured timezone.

1c: the posted payouts as 1CClientBankExchange with the keys of Kazakhstan, in windows-1251. The bank account of each needs iban, bic, bin and kbe in the configuration (bank). A character that windows-1251 does not have is named, and nothing is written.

jsonl: one transaction a line, as in the feed of the admin API. It is the exact one.

Example:

  tolem ledger export --format hledger --from 2026-11-01 --to 2026-11-30 > november.journal
  hledger -f november.journal balancesheet
  tolem ledger export --format xlsx --from 2026-11-01 --to 2026-11-30 --out november.xlsx`
}

// Run exports.
func (c *ledgerExportCommand) Run(ctx context.Context, p *console.Program) error {
	var period store.Period
	return p.WithBooks(ctx, func(b console.Books) error {
		return c.Output(p, c.Format == "xlsx" || c.Format == "1c", func(p *console.Program) error {
			if err := c.export(ctx, p.Stdio.Out, b, period); err != nil {
				return fmt.Errorf("export the journal: %w", err)
			}
			return nil
		})
	}, c.into(&period))
}

func (c *ledgerExportCommand) export(ctx context.Context, out io.Writer, b console.Books, period store.Period) error {
	days := accountingDays{by: period.By, zone: b.Config.Location()}
	switch c.Format {
	case "csv", "xlsx":
		return journalTable(days.zone).Write(out, sheet.Format(c.Format), func(add func(posting) error) error {
			return b.Journal(ctx, period, func(t topup.Transaction) error { return eachPosting(t, days.day(t), add) })
		})
	case "hledger":
		e, err := newHledgerExporter(out, b, days)
		if err != nil {
			return err
		}
		if err := b.Journal(ctx, period, e.transaction); err != nil {
			return err
		}
		return e.end(ctx)
	case "1c":
		return exportOneC(ctx, out, b, period)
	}
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	return b.Journal(ctx, period, func(t topup.Transaction) error { return encoder.Encode(view.TransactionOf(t)) })
}

func eachPosting(t topup.Transaction, day calendar.Day, add func(posting) error) error {
	for _, p := range t.Postings {
		if err := add(posting{t, day, p}); err != nil {
			return err
		}
	}
	return nil
}

// accountingDays are the days on which transactions count.
type accountingDays struct {
	by   store.TimeAxis
	zone *time.Location
}

// day is the day on which a transaction counts.
func (c accountingDays) day(t topup.Transaction) calendar.Day {
	at := t.EffectiveAt
	if c.by == store.ByRecorded {
		at = t.RecordedAt
	}
	return calendar.DayOf(at, c.zone)
}

// hledgerExporter writes a journal for hledger. Ids may be any visible
// characters but ';' and ':' (and no white space), all of which hledger takes
// inside an account's name; the names never begin with a bracket.
//
// What is used is declared at the end: only then is it known, without keeping
// all accounts in memory.
type hledgerExporter struct {
	out        io.Writer
	books      console.Books
	days       accountingDays
	currencies map[string]bool
}

// hledgerTypes declare the accounts at the top, from which those below have
// their type: hledger knows an account's side by it, never by our names.
const hledgerTypes = `account settlement  ; type:Asset
account bank  ; type:Asset
account reserve  ; type:Asset
account customers  ; type:Liability
account suspense  ; type:Liability
account fees  ; type:Expense
account adjustments  ; type:Expense
`

func newHledgerExporter(out io.Writer, b console.Books, days accountingDays) (*hledgerExporter, error) {
	_, err := fmt.Fprintf(out, "; tolem journal, days by %s time in %s\ndecimal-mark .\n\n%s", days.by, days.zone, hledgerTypes)
	return &hledgerExporter{out, b, days, map[string]bool{}}, err
}

func (e *hledgerExporter) transaction(t topup.Transaction) error {
	var text strings.Builder
	belongsTo := "payment:" + t.PaymentID
	if t.PayoutID != "" {
		belongsTo = "payout:" + t.PayoutID
	}
	fmt.Fprintf(&text, "\n%s (%s) %s  ; %s, seq:%d", e.days.day(t), t.ID, t.Kind, belongsTo, t.Seq)
	if t.ApprovedBy != "" {
		text.WriteString(", approved_by:" + t.ApprovedBy)
	}
	text.WriteString("\n")
	for _, posting := range t.Postings {
		e.currencies[posting.Currency] = true
		fmt.Fprintf(&text, "    %s  %s %s\n", posting.Account, major(posting.Amount, posting.Currency), posting.Currency)
	}
	_, err := io.WriteString(e.out, text.String())
	return err
}

func (e *hledgerExporter) end(ctx context.Context) error {
	if _, err := fmt.Fprintln(e.out); err != nil {
		return err
	}
	for _, currency := range slices.Sorted(maps.Keys(e.currencies)) {
		// A sample amount with all its digits; without any, the mark alone.
		sample := major(0, currency)
		if !strings.Contains(sample, ".") {
			sample += "."
		}
		if _, err := fmt.Fprintf(e.out, "commodity 100%s %s\n", sample, currency); err != nil {
			return err
		}
	}
	previous := ""
	return eachBalance(ctx, e.books, "", func(balance store.Balance) error {
		if balance.Account == previous {
			return nil // in another currency
		}
		previous = balance.Account
		_, err := fmt.Fprintf(e.out, "account %s\n", balance.Account)
		return err
	})
}
