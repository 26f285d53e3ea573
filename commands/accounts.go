package commands

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/schollz/progressbar/v3"

	"tolem/accountfile"
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
func (c *accountsImportCommand) Run(ctx context.Context, p *program) error {
	by, err := p.by(operator{Actor: c.Actor}, time.UTC)
	if err != nil {
		by.Actor = by.OSUser // of a container without users: no reason not to import
	}
	file, err := accountfile.OnDisk(c.File)
	if err != nil {
		return fmt.Errorf("import accounts: %w", err)
	}
	return p.withNewBooks(ctx, func(b books) error {
		limit := &store.CloseLimit{Percent: b.cfg.Accounts.MaxClosePercent, Confirmed: -1}
		if c.YesClose != nil {
			limit.Confirmed = *c.YesClose
		}
		progress, finish := p.importProgress()
		report, err := b.ImportAccounts(ctx, store.ImportOptions{
			Replace: c.Replace, DryRun: c.DryRun, Progress: progress, CloseLimit: limit, Actor: by.Actor, OSUser: by.OSUser,
		}, file)
		finish()
		if bad := (*accountfile.LineErrors)(nil); errors.As(err, &bad) {
			return p.reportLines(c.File, bad)
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
		file, e.Closed, counted(e.Open, "open account"), e.Limit.Percent)
	if e.Limit.Confirmed >= 0 {
		text += fmt.Sprintf(", since --yes-close says %d", e.Limit.Confirmed)
	}
	return fmt.Errorf("%s. Is the file whole? If they shall be closed: --yes-close %d", text, e.Closed)
}

// reportLines prints every bad line.
func (p *program) reportLines(file string, bad *accountfile.LineErrors) error {
	for _, line := range bad.Lines {
		fmt.Fprintf(p.stdio.Err, "%s: %s\n", file, printable(line.Error()))
	}
	if bad.More > 0 {
		fmt.Fprintf(p.stdio.Err, "%s: and %s\n", file, counted(bad.More, "more problem"))
	}
	return fmt.Errorf("%s in %s: nothing was imported", counted(int64(len(bad.Lines))+bad.More, "problem"), file)
}

func (c *accountsImportCommand) report(p *program, r store.ImportReport) error {
	if r.Leftover != nil {
		p.warn(fmt.Sprintf("older records could not be removed, the next import will: %v", r.Leftover))
	}
	if r.Unfit > 0 {
		p.warn(fmt.Sprintf("%s no Kazakh telephone %s: accounts.normalize (kz_phone) leaves such ids as they are",
			areOf(r.Unfit, r.Accounts, "customer id"), numberOrNumbers(r.Unfit)))
	}
	text := fmt.Sprintf("%s with %s", counted(r.Accounts, "account"), counted(r.Contracts, "contract"))
	if c.DryRun {
		text += " can be imported"
		if c.Replace {
			text += fmt.Sprintf("; %d of %s and %s of others would be closed",
				r.Closed, counted(r.Open, "open account"), counted(r.ContractsClosed, "contract"))
		}
		return p.println(text)
	}
	text += fmt.Sprintf(" imported: %d created, %d changed, %d as they were", r.Created, r.Changed, r.Unchanged)
	if c.Replace {
		text += fmt.Sprintf("; %s closed, and %s of others", counted(r.Closed, "account"), counted(r.ContractsClosed, "contract"))
	}
	if r.Overtaken > 0 {
		text += fmt.Sprintf("; %d changed by somebody else meanwhile, who won", r.Overtaken)
	}
	return p.println(text + "; sha256 of the file " + r.SHA256)
}

// counted is a number of things: 1 account, 2 accounts.
func counted(n int64, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

// areOf is a part of a number of things with its verb: 1 of 5 ids is.
func areOf(part, whole int64, thing string) string {
	verb := "are"
	if part == 1 {
		verb = "is"
	}
	return fmt.Sprintf("%d of %s %s", part, counted(whole, thing), verb)
}

func numberOrNumbers(n int64) string {
	if n == 1 {
		return "number"
	}
	return "numbers"
}

// progressEvery is how often an import says how far it is where no bar can be
// drawn.
const progressEvery = 10 * time.Second

// importProgress draws a bar for each phase of an import on a terminal, and
// writes a line now and then elsewhere.
func (p *program) importProgress() (progress func(store.ImportProgress), finish func()) {
	if !p.terminal() {
		return progressLines(p.stdio.Err, progressEvery)
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

// progressLines writes how far an import is at intervals, also while it waits.
func progressLines(w io.Writer, every time.Duration) (progress func(store.ImportProgress), finish func()) {
	started := time.Now()
	var last atomic.Pointer[store.ImportProgress]
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		ticker := time.NewTicker(every)
		defer ticker.Stop()
		for {
			select {
			case <-stop:
				return
			case <-ticker.C:
				fmt.Fprintf(w, "tolem: import: %s, %s so far\n", howFar(last.Load()), time.Since(started).Round(time.Second))
			}
		}
	}()
	progress = func(at store.ImportProgress) { last.Store(&at) }
	return progress, func() { close(stop); <-stopped }
}

// howFar is a line about how far a phase of an import is.
func howFar(at *store.ImportProgress) string {
	if at == nil {
		return "beginning"
	}
	text := map[store.ImportPhase]string{
		store.PhaseClear: "removing what an import that died has left, rows",
		store.PhaseCheck: "checking the file, bytes",
		store.PhaseStage: "writing, accounts",
		store.PhaseSweep: "visible; removing older records, rows",
	}[at.Phase]
	text += fmt.Sprintf(" %d", at.Done)
	if at.Total > 0 {
		text += fmt.Sprintf(" of %d (%d %%)", at.Total, int64(float64(at.Done)/float64(at.Total)*100))
	}
	return text
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
func (c *accountsExportCommand) Run(ctx context.Context, p *program) error {
	format, err := accountfile.FormatOf(c.File)
	if err != nil {
		return fmt.Errorf("export accounts: %w", err)
	}
	return p.withBooks(ctx, func(b books) error {
		var report store.AccountExport
		err := writeNew(c.File, func(file io.Writer) (err error) {
			report, err = b.ExportAccounts(ctx, format, file)
			return err
		})
		if err != nil {
			return err
		}
		if report.Refused > 0 {
			p.warn(fmt.Sprintf("%s of today's rules for records: an import of this file would refuse them, naming each",
				breakOne(report.Refused)))
		}
		return p.println(fmt.Sprintf("%s with %s exported to %s", counted(report.Accounts, "account"), counted(report.Contracts, "contract"), c.File))
	})
}

func breakOne(n int64) string {
	if n == 1 {
		return "1 account breaks one"
	}
	return fmt.Sprintf("%d accounts break one", n)
}

// writeNew is writeFile for a file that must not exist.
func writeNew(path string, write func(io.Writer) error) error {
	if _, err := os.Lstat(path); err == nil {
		return fmt.Errorf("%s exists and is not overwritten", path)
	}
	return writeFile(path, write)
}

// accountsImportsCommand lists imports.
type accountsImportsCommand struct {
	jsonFlag
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
func (c *accountsImportsCommand) Run(ctx context.Context, p *program) error {
	return p.withBooks(ctx, func(b books) error {
		imports, err := b.AccountImports(ctx, c.Limit)
		if err != nil {
			return err
		}
		l := p.list(c.JSON, "AT", "BY", "FILE", "REPLACE", "ACCOUNTS", "CREATED", "CHANGED", "CLOSED", "SHA-256")
		for _, i := range imports {
			replace := "-"
			if i.Replace {
				replace = "yes"
			}
			err := l.add(view.AccountImportOf(i), when(i.At, b.cfg.Location()), orDash(i.Actor), orDash(i.File), replace,
				strconv.FormatInt(i.Accounts, 10), strconv.FormatInt(i.ImportReport.Created, 10), strconv.FormatInt(i.Changed, 10),
				strconv.FormatInt(i.Closed, 10), i.AccountChange.SHA256)
			if err != nil {
				return err
			}
		}
		return l.end()
	})
}

// accountsListCommand lists accounts.
type accountsListCommand struct{ jsonFlag }

// Help is shown by --help.
func (accountsListCommand) Help() string {
	return `One line per contract, with the sum of its credits, in the order of the customers' ids.

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
	return `The account as imported, what has been credited to each of its contracts, and its history: who created, closed, opened and changed it, when, and from which file. Of changes of amounts and info alone, only the last one and those of the admin API are shown.

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
		history, err := b.AccountHistory(ctx, account.CustomerID)
		if err != nil {
			return err
		}
		if c.JSON {
			balances, err := b.ContractBalances(ctx, account.CustomerID)
			if err != nil {
				return err
			}
			return p.printJSON(view.AccountOf(account, balances).WithHistory(history))
		}
		zone := b.cfg.Location()
		t := p.table()
		t.row("customer", account.CustomerID)
		t.row("at the platform", account.AdditionalCustomerID)
		t.row("currency", account.Currency)
		t.row("state", state(account.Closed))
		t.row("contracts", strconv.Itoa(len(account.Contracts)))
		t.row("created", madeBy(history.Created, zone))
		t.row("last changed", madeBy(history.Changed, zone))
		if err := t.flush(); err != nil {
			return err
		}
		if err := p.printHistory(history.Events, zone); err != nil {
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

// printHistory prints what happened to an account, the oldest first.
func (p *program) printHistory(events []store.AccountChange, zone *time.Location) error {
	if len(events) == 0 {
		return nil
	}
	if err := p.println("\nhistory"); err != nil {
		return err
	}
	t := p.table()
	for i := range events {
		e := &events[i]
		what := strings.ReplaceAll(e.What, "_", " ")
		if e.ContractID != "" {
			what += " " + e.ContractID
		}
		t.row(when(e.At, zone), what, doneBy(e))
	}
	return t.flush()
}

// madeBy is the time and the actor of a change of an account.
func madeBy(c *store.AccountChange, zone *time.Location) string {
	if c == nil {
		return "not recorded"
	}
	return strings.TrimSpace(when(c.At, zone) + " " + doneBy(c))
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
