package commands

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/schollz/progressbar/v3"

	"tolem/store"
	"tolem/topup"
	"tolem/view"
)

// accountPage is how many accounts are read at a time.
const accountPage = 500

// accountsCommands work on accounts.
type accountsCommands struct {
	Import accountsImportCommand `cmd:"" help:"Import account records, all of a file or nothing."`
	List   accountsListCommand   `cmd:"" help:"List accounts."`
	Show   accountsShowCommand   `cmd:"" help:"Show an account with the balances of its contracts."`
}

// accountsImportCommand imports a file.
type accountsImportCommand struct {
	Replace bool   `help:"Close the accounts and contracts that the file does not have. Without it they stay."`
	DryRun  bool   `help:"Check the file and change nothing."`
	File    string `arg:"" help:"The records; its name ends in .jsonl or .csv."`
}

// Help is shown by --help.
func (accountsImportCommand) Help() string {
	return `The file is checked first, and every bad line is reported with its number; then nothing is imported. The server can go on meanwhile: what is imported becomes visible all at once. Nothing is deleted.

jsonl: one account a line, the shape of a verify answer with customer_id. csv: one row a contract, with the columns customer_id, additional_customer_id, currency, entity_id, number, payment, min_payment, info; amounts are in minor units, info is a JSON object or empty.

Example:

  tolem accounts import accounts.jsonl
  tolem accounts import --replace --dry-run contracts.csv`
}

// Run imports.
func (c *accountsImportCommand) Run(ctx context.Context, p *program) error {
	file, err := store.OpenImportFile(c.File)
	if err != nil {
		return fmt.Errorf("import accounts: %w", err)
	}
	return p.withNewBooks(ctx, func(b books) error {
		progress, finish := p.importProgress()
		report, err := b.ImportAccounts(ctx, store.ImportOptions{Replace: c.Replace, DryRun: c.DryRun, Progress: progress}, file)
		finish()
		if bad := (*store.RecordErrors)(nil); errors.As(err, &bad) {
			return p.reportLines(c.File, bad)
		}
		if err != nil {
			return err
		}
		return c.report(p, report)
	})
}

// reportLines prints every bad line.
func (p *program) reportLines(file string, bad *store.RecordErrors) error {
	for _, line := range bad.Lines {
		fmt.Fprintf(p.stdio.Err, "%s: %s\n", file, printable(line.Error()))
	}
	if bad.More > 0 {
		fmt.Fprintf(p.stdio.Err, "%s: and %d more problems\n", file, bad.More)
	}
	return fmt.Errorf("%d problems in %s: nothing was imported", int64(len(bad.Lines))+bad.More, file)
}

func (c *accountsImportCommand) report(p *program, r store.ImportReport) error {
	if r.Leftover != nil {
		p.warn(fmt.Sprintf("older records could not be removed, the next import will: %v", r.Leftover))
	}
	text := fmt.Sprintf("%d accounts with %d contracts", r.Accounts, r.Contracts)
	if c.DryRun {
		text += " can be imported"
		if c.Replace {
			text += fmt.Sprintf("; %d accounts would be closed", r.Closed)
		}
		return p.println(text)
	}
	text += fmt.Sprintf(" imported: %d created, %d changed, %d as they were", r.Created, r.Changed, r.Unchanged)
	if c.Replace {
		text += fmt.Sprintf("; %d accounts closed", r.Closed)
	}
	if r.Overtaken > 0 {
		text += fmt.Sprintf("; %d were changed by somebody else meanwhile and stay so", r.Overtaken)
	}
	return p.println(text)
}

// importProgress draws a bar for each phase of an import, on a terminal only.
func (p *program) importProgress() (progress func(store.ImportProgress), finish func()) {
	if !p.terminal() {
		return nil, func() {}
	}
	var bar *progressbar.ProgressBar
	var phase store.ImportPhase
	progress = func(at store.ImportProgress) {
		if bar == nil || at.Phase != phase {
			phase = at.Phase
			total := at.Total
			if total == 0 {
				total = -1 // unknown: a spinner
			}
			bar = progressbar.NewOptions64(total, progressbar.OptionSetWriter(p.stdio.Err),
				progressbar.OptionSetDescription(string(phase)), progressbar.OptionThrottle(100*time.Millisecond),
				progressbar.OptionClearOnFinish())
		}
		_ = bar.Set64(at.Done) // only drawing can fail
	}
	return progress, func() {
		if bar != nil {
			_ = bar.Finish()
		}
	}
}

// accountsListCommand lists accounts.
type accountsListCommand struct{ jsonFlag }

// Help is shown by --help.
func (accountsListCommand) Help() string {
	return `One line a contract, with what has been credited to it, in the order of the customers' ids.

Example:

  tolem accounts list
  tolem accounts list --json`
}

// Run lists.
func (c *accountsListCommand) Run(ctx context.Context, p *program) error {
	return p.withBooks(ctx, func(b books) error {
		l := p.list(c.JSON, accountHeading...)
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
				return l.end()
			}
		}
	})
}

var accountHeading = []string{"CUSTOMER", "CONTRACT", "NUMBER", "PAYMENT", "MINIMUM", "CREDITED", "STATE"}

// addAccount lists an account: one JSON object, or a row for each contract.
func addAccount(ctx context.Context, b books, l *list, account *topup.Account) error {
	balances, err := b.ContractBalances(ctx, account.CustomerID)
	if err != nil {
		return err
	}
	if l.json {
		return l.add(view.AccountOf(account, balances))
	}
	for i := range account.Contracts {
		c := &account.Contracts[i]
		err := l.add(nil, account.CustomerID, c.ID, c.Number, optional(c.Payment, account.Currency), optional(c.MinPayment, account.Currency),
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
	jsonFlag
	CustomerID string `arg:"" name:"customer_id" help:"The customer's id."`
}

// Help is shown by --help.
func (accountsShowCommand) Help() string {
	return `The account as imported, and what has been credited to each of its contracts.

Example:

  tolem accounts show 7123456789`
}

// Run shows it.
func (c *accountsShowCommand) Run(ctx context.Context, p *program) error {
	return p.withBooks(ctx, func(b books) error {
		account, err := b.Account(ctx, c.CustomerID)
		if err != nil {
			return err
		}
		if c.JSON {
			balances, err := b.ContractBalances(ctx, account.CustomerID)
			if err != nil {
				return err
			}
			return p.printJSON(view.AccountOf(account, balances))
		}
		t := p.table()
		t.row("customer", account.CustomerID)
		t.row("at the platform", account.AdditionalCustomerID)
		t.row("currency", account.Currency)
		t.row("state", state(account.Closed))
		t.row("contracts", strconv.Itoa(len(account.Contracts)))
		if err := t.flush(); err != nil {
			return err
		}
		if err := p.println(""); err != nil {
			return err
		}
		l := p.list(false, accountHeading...)
		if err := addAccount(ctx, b, l, account); err != nil {
			return err
		}
		if err := l.end(); err != nil {
			return err
		}
		for _, contract := range account.Contracts {
			if len(contract.Info) > 0 {
				fmt.Fprintf(p.stdio.Out, "info of %s: %s\n", contract.ID, printable(string(contract.Info)))
			}
		}
		return nil
	})
}
