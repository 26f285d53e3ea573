package commands

import (
	"bufio"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"tolem/calendar"
	"tolem/store"
	"tolem/topup"
	"tolem/view"
)

// ledgerExportCommand prints the journal.
type ledgerExportCommand struct {
	periodFlags
	Format string `required:"" enum:"csv,hledger,jsonl" help:"One of ${enum}."`
}

// Help is shown by --help.
func (ledgerExportCommand) Help() string {
	return `Prints the transactions of the period in the order of the feed. Memory does not grow with the journal.

csv: a header, then one line a posting; a debit is positive, a credit negative. Add up the column amount: it is in minor units (tiyn: 100000 is 1000.00 tenge), a whole number that every spreadsheet reads as one. amount_major is the same in major units, for reading: a spreadsheet in Russian or Kazakh takes its decimal point for text, or for a date (12.05). date is the day of the time that --by names, in the configured timezone. A text that a spreadsheet would take for a formula (it begins with =, +, -, @, a tab or a line break) has an apostrophe before it.

hledger: a journal that "hledger check --strict" accepts, with accounts, their types and commodities declared, so that balancesheet and incomestatement work. Days are those of the configured timezone.

jsonl: one transaction a line, as in the feed of the admin API. It is the exact one.

Example:

  tolem ledger export --format hledger --from 2026-11-01 --to 2026-11-30 > november.journal
  hledger -f november.journal balancesheet`
}

// exporter writes the journal in one format.
type exporter interface {
	// transaction writes one transaction. It is called in the order of the
	// feed.
	transaction(topup.Transaction) error
	// end writes what follows the last transaction.
	end(context.Context) error
}

// Run exports.
func (c *ledgerExportCommand) Run(ctx context.Context, p *program) error {
	var period store.Period
	return p.withBooks(ctx, func(b books) error {
		out := bufio.NewWriterSize(p.stdio.Out, 64<<10)
		e, err := c.exporter(out, b, period.By)
		if err != nil {
			return err
		}
		if err := b.Journal(ctx, period, e.transaction); err != nil {
			return fmt.Errorf("export the journal: %w", err)
		}
		if err := e.end(ctx); err != nil {
			return fmt.Errorf("export the journal: %w", err)
		}
		return out.Flush()
	}, c.into(&period))
}

func (c *ledgerExportCommand) exporter(out io.Writer, b books, by store.TimeAxis) (exporter, error) {
	days := accountingDays{by: by, zone: b.cfg.Location()}
	switch c.Format {
	case "csv":
		return newCSVExporter(out, days)
	case "hledger":
		return newHledgerExporter(out, b, days)
	}
	return newJSONLExporter(out), nil
}

// accountingDays are the days on which transactions count.
type accountingDays struct {
	by   store.TimeAxis
	zone *time.Location
}

// day is the day on which a transaction counts.
func (c accountingDays) day(t topup.Transaction) string {
	at := t.EffectiveAt
	if c.by == store.ByRecorded {
		at = t.RecordedAt
	}
	return calendar.DayOf(at, c.zone).String()
}

// jsonlExporter writes what the feed would.
type jsonlExporter struct{ encoder *json.Encoder }

func newJSONLExporter(out io.Writer) *jsonlExporter {
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	return &jsonlExporter{encoder}
}

func (e *jsonlExporter) transaction(t topup.Transaction) error {
	return e.encoder.Encode(view.TransactionOf(t))
}

func (e *jsonlExporter) end(context.Context) error { return nil }

// csvExporter writes one line a posting.
type csvExporter struct {
	writer *csv.Writer
	days   accountingDays
}

var csvHeading = []string{
	"seq", "date", "transaction_id", "kind", "payment_id", "effective_at", "recorded_at", "account", "amount", "currency", "amount_major",
	"actor", "reason", "reverses", "resolves",
}

func newCSVExporter(out io.Writer, days accountingDays) (*csvExporter, error) {
	e := &csvExporter{csv.NewWriter(out), days}
	return e, e.writer.Write(csvHeading)
}

func (e *csvExporter) transaction(t topup.Transaction) error {
	for _, posting := range t.Postings {
		err := e.writer.Write([]string{
			strconv.FormatInt(t.Seq, 10), e.days.day(t), cell(t.ID), cell(string(t.Kind)), cell(t.PaymentID),
			t.EffectiveAt.UTC().Format(time.RFC3339Nano), t.RecordedAt.UTC().Format(time.RFC3339Nano),
			cell(posting.Account), strconv.FormatInt(posting.Amount, 10), posting.Currency, major(posting.Amount, posting.Currency),
			cell(t.Actor), cell(t.Reason), cell(t.Reverses), cell(t.Resolves),
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (e *csvExporter) end(context.Context) error {
	e.writer.Flush()
	return e.writer.Error()
}

// cell disarms a text that a spreadsheet program would execute.
func cell(text string) string {
	if text != "" && strings.ContainsRune("=+-@\t\r\n", rune(text[0])) {
		return "'" + text
	}
	return text
}

// hledgerExporter writes a journal for hledger. Ids may be any visible
// characters but ';' and ':' (and no white space), all of which hledger takes
// inside an account's name; the names never begin with a bracket.
//
// What is used is declared at the end: only then is it known, without keeping
// all accounts in memory.
type hledgerExporter struct {
	out        io.Writer
	books      books
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

func newHledgerExporter(out io.Writer, b books, days accountingDays) (*hledgerExporter, error) {
	_, err := fmt.Fprintf(out, "; tolem journal, days by %s time in %s\ndecimal-mark .\n\n%s", days.by, days.zone, hledgerTypes)
	return &hledgerExporter{out, b, days, map[string]bool{}}, err
}

func (e *hledgerExporter) transaction(t topup.Transaction) error {
	var text strings.Builder
	fmt.Fprintf(&text, "\n%s (%s) %s  ; payment:%s, seq:%d\n", e.days.day(t), t.ID, t.Kind, t.PaymentID, t.Seq)
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
