package commands

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"tolem/accountfile"
	"tolem/commands/internal/console"
	"tolem/store"
	"tolem/topup"
	"tolem/view"
)

// accountPage is how many accounts are read at a time.
const accountPage = 500

// accountsCommands work on accounts.
type accountsCommands struct {
	Import  accountsImportCommand  `cmd:"" help:"Import a file of account records, all or nothing."`
	Export  accountsExportCommand  `cmd:"" help:"Export all accounts to a file that can be imported."`
	Imports accountsImportsCommand `cmd:"" help:"List imports: when, by whom, from which file."`
	List    accountsListCommand    `cmd:"" help:"List accounts."`
	Show    accountsShowCommand    `cmd:"" help:"Show an account with the balances of its contracts and its history."`
}

// accountsImportCommand imports a file.
type accountsImportCommand struct {
	Replace  bool   `help:"Close the accounts and contracts that are absent from the file. Without it they do not change."`
	YesClose *int64 `name:"yes-close" placeholder:"N" help:"With --replace: confirm that N accounts are closed, more than accounts.max_close_percent allows."`
	DryRun   bool   `help:"Check the file and change nothing."`
	Actor    string `placeholder:"NAME" help:"The actor; recorded in the accounts' history. Default: the variable TOLEM_ACTOR, else the system's user."`
	File     string `arg:"" help:"The records; its name ends in .jsonl or .csv."`
}

// Help is shown by --help.
func (accountsImportCommand) Help() string {
	return `The whole file is checked first. If it has invalid lines, each is reported with its number, and nothing is imported. The server can run meanwhile: the import becomes visible atomically. Nothing is deleted. With --replace, a file that would close more than accounts.max_close_percent (10) of the open accounts is refused, since it may be truncated: --yes-close N confirms that N are closed.

jsonl: one account per line, in the format of a verify answer with customer_id. csv: one row per contract, with the columns customer_id, additional_customer_id, currency, entity_id, number, payment, min_payment, info, closed, entity_closed, of which the last five may be missing; amounts are in minor units, info is a JSON object or empty. Fields are separated by commas, semicolons or tabs. UTF-8, or UTF-16 with a byte order mark. Ids that a spreadsheet has changed (9.96555E+11, 7071234569.0, #N/A) are refused.

Example:

  tolem accounts import accounts.jsonl
  tolem accounts import --replace --dry-run contracts.csv`
}

// Validate is called by kong.
func (c *accountsImportCommand) Validate() error {
	switch {
	case c.YesClose == nil:
		return nil
	case !c.Replace:
		return errors.New("--yes-close is for --replace: without it nothing is closed")
	case *c.YesClose < 0:
		return errors.New("--yes-close must not be negative")
	}
	return nil
}

// Run imports.
func (c *accountsImportCommand) Run(ctx context.Context, p *console.Program) error {
	by, err := p.By(console.Operator{Actor: c.Actor}, time.UTC)
	if err != nil {
		by.Actor = by.OSUser // of a container without users: no reason not to import
	}
	file, err := accountfile.OnDisk(c.File)
	if err != nil {
		return fmt.Errorf("import accounts: %w", err)
	}
	return p.WithNewBooks(ctx, func(b console.Books) error {
		limit := &store.CloseLimit{Percent: b.Config.Accounts.MaxClosePercent, Confirmed: -1}
		if c.YesClose != nil {
			limit.Confirmed = *c.YesClose
		}
		progress, finish := p.ImportProgress()
		report, err := b.ImportAccounts(ctx, store.ImportOptions{
			Replace: c.Replace, DryRun: c.DryRun, Progress: progress, CloseLimit: limit, Actor: by.Actor, OSUser: by.OSUser,
		}, file)
		finish()
		if bad := (*accountfile.LineErrors)(nil); errors.As(err, &bad) {
			return reportLines(p, c.File, bad)
		}
		if many := (*store.TooManyClosedError)(nil); errors.As(err, &many) {
			return tooManyClosed(c.File, many)
		}
		if err != nil {
			return err
		}
		return c.report(p, report)
	})
}

// tooManyClosed says what to do about a file that would close too many.
func tooManyClosed(file string, e *store.TooManyClosedError) error {
	text := fmt.Sprintf("%s does not have %d of %s, and --replace would close them: more than %d %% (accounts.max_close_percent). Nothing was imported",
		file, e.Closed, console.Counted(e.Open, "open account"), e.Limit.Percent)
	if e.Limit.Confirmed >= 0 {
		text += fmt.Sprintf(", since --yes-close says %d", e.Limit.Confirmed)
	}
	return fmt.Errorf("%s. Is the file whole? If they shall be closed: --yes-close %d", text, e.Closed)
}

// reportLines prints every bad line.
func reportLines(p *console.Program, file string, bad *accountfile.LineErrors) error {
	for _, line := range bad.Lines {
		fmt.Fprintf(p.Stdio.Err, "%s: %s\n", file, console.Printable(line.Error()))
	}
	if bad.More > 0 {
		fmt.Fprintf(p.Stdio.Err, "%s: and %s\n", file, console.Counted(bad.More, "more problem"))
	}
	return fmt.Errorf("%s in %s: nothing was imported", console.Counted(int64(len(bad.Lines))+bad.More, "problem"), file)
}

func (c *accountsImportCommand) report(p *console.Program, r store.ImportReport) error {
	if r.Leftover != nil {
		p.Warn(fmt.Sprintf("older records could not be removed, the next import will: %v", r.Leftover))
	}
	if r.Unfit > 0 {
		p.Warn(fmt.Sprintf("%s no Kazakh telephone %s: accounts.normalize (kz_phone) leaves such ids as they are",
			console.AreOf(r.Unfit, r.Accounts, "customer id"), numberOrNumbers(r.Unfit)))
	}
	text := fmt.Sprintf("%s with %s", console.Counted(r.Accounts, "account"), console.Counted(r.Contracts, "contract"))
	if c.DryRun {
		text += " can be imported"
		if c.Replace {
			text += fmt.Sprintf("; %d of %s and %s of others would be closed",
				r.Closed, console.Counted(r.Open, "open account"), console.Counted(r.ContractsClosed, "contract"))
		}
		return p.Println(text)
	}
	text += fmt.Sprintf(" imported: %d created, %d changed, %d as they were", r.Created, r.Changed, r.Unchanged)
	if c.Replace {
		text += fmt.Sprintf("; %s closed, and %s of others", console.Counted(r.Closed, "account"), console.Counted(r.ContractsClosed, "contract"))
	}
	if r.Overtaken > 0 {
		text += fmt.Sprintf("; %d changed by somebody else meanwhile, who won", r.Overtaken)
	}
	return p.Println(text + "; sha256 of the file " + r.SHA256)
}

func numberOrNumbers(n int64) string {
	if n == 1 {
		return "number"
	}
	return "numbers"
}

// accountsExportCommand writes all accounts.
type accountsExportCommand struct {
	File string `arg:"" help:"The file to make; its name ends in .jsonl or .csv. A file that exists is not overwritten."`
}

// Help is shown by --help.
func (accountsExportCommand) Help() string {
	return `Exports all accounts, closed ones included, as records for import; importing them again changes nothing. Ids, numbers and info are written as they were imported. In a .csv file the columns closed and entity_closed mark what is closed.

Example:

  tolem accounts export accounts.jsonl`
}

// Run exports.
func (c *accountsExportCommand) Run(ctx context.Context, p *console.Program) error {
	format, err := accountfile.FormatOf(c.File)
	if err != nil {
		return fmt.Errorf("export accounts: %w", err)
	}
	return p.WithBooks(ctx, func(b console.Books) error {
		var report store.AccountExport
		err := console.WriteNew(c.File, func(file io.Writer) (err error) {
			report, err = b.ExportAccounts(ctx, format, file)
			return err
		})
		if err != nil {
			return err
		}
		if report.Refused > 0 {
			p.Warn(fmt.Sprintf("%s of today's rules for records: an import of this file would refuse them, naming each",
				breakOne(report.Refused)))
		}
		return p.Println(fmt.Sprintf("%s with %s exported to %s", console.Counted(report.Accounts, "account"), console.Counted(report.Contracts, "contract"), c.File))
	})
}

func breakOne(n int64) string {
	if n == 1 {
		return "1 account breaks one"
	}
	return fmt.Sprintf("%d accounts break one", n)
}

// accountsImportsCommand lists imports.
type accountsImportsCommand struct {
	console.JSONFlag
	Limit int `default:"20" help:"How many of the latest imports."`
}

// Help is shown by --help.
func (accountsImportsCommand) Help() string {
	return `The last imports that became visible, the newest first, with the SHA-256 of each file.

Example:

  tolem accounts imports`
}

// Validate is called by kong.
func (c *accountsImportsCommand) Validate() error {
	if c.Limit < 1 {
		return errors.New("--limit must be 1 or more")
	}
	return nil
}

// Run lists them.
func (c *accountsImportsCommand) Run(ctx context.Context, p *console.Program) error {
	return p.WithBooks(ctx, func(b console.Books) error {
		imports, err := b.AccountImports(ctx, c.Limit)
		if err != nil {
			return err
		}
		l := p.List(c.JSON, "AT", "BY", "FILE", "REPLACE", "ACCOUNTS", "CREATED", "CHANGED", "CLOSED", "SHA-256")
		for _, i := range imports {
			replace := "-"
			if i.Replace {
				replace = "yes"
			}
			err := l.Add(view.AccountImportOf(i), console.When(i.At, b.Config.Location()), orDash(i.Actor), orDash(i.File), replace,
				strconv.FormatInt(i.Accounts, 10), strconv.FormatInt(i.ImportReport.Created, 10), strconv.FormatInt(i.Changed, 10),
				strconv.FormatInt(i.Closed, 10), i.AccountChange.SHA256)
			if err != nil {
				return err
			}
		}
		return l.End()
	})
}

// accountsListCommand lists accounts.
type accountsListCommand struct{ console.JSONFlag }

// Help is shown by --help.
func (accountsListCommand) Help() string {
	return `One line per contract, with the sum of its credits, in the order of the customers' ids.

Example:

  tolem accounts list
  tolem accounts list --json`
}

// Run lists.
func (c *accountsListCommand) Run(ctx context.Context, p *console.Program) error {
	return p.WithBooks(ctx, func(b console.Books) error {
		l := p.List(c.JSON, accountHeading...)
		after := ""
		for {
			page, err := b.AccountsPage(ctx, after, accountPage)
			if err != nil {
				return err
			}
			for _, account := range page {
				if err := addAccount(ctx, b, l, account); err != nil {
					return err
				}
				after = account.CustomerID
			}
			if len(page) < accountPage {
				return l.End()
			}
		}
	})
}

var accountHeading = []string{"CUSTOMER", "CONTRACT", "NUMBER", "PAYMENT", "MINIMUM", "CREDITED", "STATE"}

// addAccount lists an account: one JSON object, or a row for each contract.
func addAccount(ctx context.Context, b console.Books, l *console.List, account *topup.Account) error {
	balances, err := b.ContractBalances(ctx, account.CustomerID)
	if err != nil {
		return err
	}
	if l.JSON {
		return l.Add(view.AccountOf(account, balances))
	}
	for i := range account.Contracts {
		c := &account.Contracts[i]
		err := l.Add(nil, account.CustomerID, c.ID, c.Number, optional(c.Payment, account.Currency), optional(c.MinPayment, account.Currency),
			topup.Money{Amount: balances[c.ID], Currency: account.Currency}.String(), state(account.Closed || c.Closed))
		if err != nil {
			return err
		}
	}
	return nil
}

func optional(amount *int64, currency string) string {
	if amount == nil {
		return "-"
	}
	return major(*amount, currency)
}

func state(closed bool) string {
	if closed {
		return "closed"
	}
	return "open"
}

// accountsShowCommand shows one account.
type accountsShowCommand struct {
	console.JSONFlag
	CustomerID string `arg:"" name:"customer_id" help:"The customer's id."`
}

// Help is shown by --help.
func (accountsShowCommand) Help() string {
	return `The account as imported, what has been credited to each of its contracts, and its history: who created, closed, opened and changed it, when, and from which file. Of changes of amounts and info alone, only the last one and those of the admin API are shown.

Example:

  tolem accounts show 7123456789`
}

// Run shows it.
func (c *accountsShowCommand) Run(ctx context.Context, p *console.Program) error {
	return p.WithBooks(ctx, func(b console.Books) error {
		account, err := b.Account(ctx, c.CustomerID)
		if err != nil {
			return err
		}
		history, err := b.AccountHistory(ctx, account.CustomerID)
		if err != nil {
			return err
		}
		if c.JSON {
			balances, err := b.ContractBalances(ctx, account.CustomerID)
			if err != nil {
				return err
			}
			return p.PrintJSON(view.AccountOf(account, balances).WithHistory(history))
		}
		zone := b.Config.Location()
		t := p.Table()
		t.Row("customer", account.CustomerID)
		t.Row("at the platform", account.AdditionalCustomerID)
		t.Row("currency", account.Currency)
		t.Row("state", state(account.Closed))
		t.Row("contracts", strconv.Itoa(len(account.Contracts)))
		t.Row("created", madeBy(history.Created, zone))
		t.Row("last changed", madeBy(history.Changed, zone))
		if err := t.Flush(); err != nil {
			return err
		}
		if err := printHistory(p, history.Events, zone); err != nil {
			return err
		}
		if err := p.Println(""); err != nil {
			return err
		}
		l := p.List(false, accountHeading...)
		if err := addAccount(ctx, b, l, account); err != nil {
			return err
		}
		if err := l.End(); err != nil {
			return err
		}
		for _, contract := range account.Contracts {
			if len(contract.Info) > 0 {
				fmt.Fprintf(p.Stdio.Out, "info of %s: %s\n", contract.ID, console.Printable(string(contract.Info)))
			}
		}
		return nil
	})
}

// printHistory prints what happened to an account, the oldest first.
func printHistory(p *console.Program, events []store.AccountChange, zone *time.Location) error {
	if len(events) == 0 {
		return nil
	}
	if err := p.Println("\nhistory"); err != nil {
		return err
	}
	t := p.Table()
	for i := range events {
		e := &events[i]
		what := strings.ReplaceAll(e.What, "_", " ")
		if e.ContractID != "" {
			what += " " + e.ContractID
		}
		t.Row(console.When(e.At, zone), what, doneBy(e))
	}
	return t.Flush()
}

// madeBy is the time and the actor of a change of an account.
func madeBy(c *store.AccountChange, zone *time.Location) string {
	if c == nil {
		return "not recorded"
	}
	return strings.TrimSpace(console.When(c.At, zone) + " " + doneBy(c))
}

// doneBy is who changed an account, and by what.
func doneBy(c *store.AccountChange) string {
	var text string
	switch c.Source {
	case store.SourcePut:
		text = "by a PUT"
		if c.Actor != "" {
			text += " with the token " + c.Actor
		}
	case store.SourceDemo:
		text = "by demo data"
	case store.SourceBilling:
		text = "by an answer of billing"
	default:
		text = "by an import"
		if c.Actor != "" {
			text += " of " + c.Actor
		}
		if c.File != "" {
			text += " from " + c.File
		}
		if c.SHA256 != "" {
			text += " (sha256 " + c.SHA256 + ")"
		}
	}
	return text
}
