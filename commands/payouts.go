package commands

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"tolem/calendar"
	"tolem/commands/internal/console"
	"tolem/config"
	"tolem/maps"
	"tolem/payoutfile"
	"tolem/reportfile"
	"tolem/store"
	"tolem/topup"
	"tolem/view"
)

// payoutPage is how many payouts, and how many lines of one, are read at a time.
const payoutPage = 500

// payoutsCommands work on what the platforms paid to the bank.
type payoutsCommands struct {
	Import  payoutsImportCommand  `cmd:"" help:"Enter the payouts of a settlement register as drafts."`
	Add     payoutsAddCommand     `cmd:"" help:"Enter a payout by hand, as a draft."`
	List    payoutsListCommand    `cmd:"" help:"List payouts, those entered last first."`
	Show    payoutsShowCommand    `cmd:"" help:"Show a payout with its lines, and what differs from tolem's payments."`
	Post    payoutsPostCommand    `cmd:"" help:"Book a draft in the ledger, once."`
	Discard payoutsDiscardCommand `cmd:"" help:"Give a draft up."`
}

// payoutProject says from whom a payout is, and to which account it goes.
type payoutProject struct {
	Provider string `required:"" enum:"jetpay,highhelp" placeholder:"P" help:"jetpay or highhelp."`
	Project  string `required:"" placeholder:"X" help:"The project's id."`
	Bank     string `required:"" placeholder:"NAME" help:"The name of the merchant's bank account, as the key bank of the configuration has it."`
	Actor    string `placeholder:"NAME" help:"The actor; recorded with the payout. Default: the variable TOLEM_ACTOR, else the system's user."`
}

// check finds the project and the bank account in the configuration.
func (f payoutProject) check(cfg *config.Config) (topup.BankAccountOf, error) {
	if !cfg.HasProject(f.Provider, f.Project) {
		return topup.BankAccountOf{}, topup.NotFound("project %s of %s is not configured", f.Project, f.Provider)
	}
	bank := cfg.Bank(f.Bank)
	if bank == nil {
		return topup.BankAccountOf{}, topup.NotFound("bank account %s is not configured: add it under bank", f.Bank)
	}
	return topup.BankAccountOf{Name: bank.Name, Currency: bank.Currency}, nil
}

// enter enters payouts and prints what became of them.
func enter(ctx context.Context, p *console.Program, b console.Books, list []store.NewPayout, actor, reason string, dryRun, asJSON bool) error {
	by, err := p.By(console.Operator{Actor: actor, Reason: reason}, b.Config.Location())
	if err != nil {
		return err
	}
	report, err := b.ImportPayouts(ctx, list, by, dryRun)
	if err != nil {
		return reportPayoutErrors(p, err)
	}
	if asJSON {
		return p.PrintJSON(view.PayoutImportOf(report, dryRun))
	}
	for _, n := range list {
		what := "is there already, with the same content"
		for _, created := range report.Created {
			if created == (store.PayoutRef{ID: n.ID, Provider: n.Provider, Project: n.Project}) {
				what = "is entered as a draft"
				if dryRun {
					what = "would be entered as a draft"
				}
			}
		}
		if err := p.Println(fmt.Sprintf("payout %s of %s, %s, net %s: it %s", n.ID, n.Date, console.Counted(int64(len(n.Lines)), "line"), topup.Money{Amount: n.Net, Currency: n.Currency}, what)); err != nil {
			return err
		}
	}
	return nil
}

// reportPayoutErrors prints a line for each refusal.
func reportPayoutErrors(p *console.Program, err error) error {
	list := joinedErrors(err)
	found := errors.As(err, new(*store.PayoutError))
	if !found {
		return err
	}
	for _, refusal := range list {
		fmt.Fprintln(p.Stdio.Err, console.Printable(refusal.Error()))
	}
	return fmt.Errorf("%s; nothing was entered", console.Counted(int64(len(list)), "problem"))
}

// joinedErrors are the errors that [errors.Join] has joined.
func joinedErrors(err error) []error {
	for one := err; one != nil; one = errors.Unwrap(one) {
		if joined, ok := one.(interface{ Unwrap() []error }); ok {
			return joined.Unwrap()
		}
	}
	return []error{err}
}

// payoutsImportCommand enters the payouts of a register.
type payoutsImportCommand struct {
	payoutProject
	console.JSONFlag
	File   string            `arg:"" placeholder:"FILE" help:"The settlement register: CSV, XLSX or JSON, as the map says."`
	Map    string            `placeholder:"MAP" default:"payout-register" help:"How the register is read: a file, or the name of one of tolem's maps. Default: ${default}."`
	ID     console.Condition `placeholder:"ID" help:"The payout's id, for a register of one payout without a column for it."`
	Date   console.DayFlag   `placeholder:"D" help:"The day of all payouts, such as 2026-11-29. Default: the last day of the lines of each."`
	Signed bool              `help:"Amounts are what they change in the balance: refunds, fees, reserve and adjustments are negative."`
	DryRun bool              `help:"Check everything, and write nothing."`
}

// Help is shown by --help.
func (payoutsImportCommand) Help() string {
	return `Reads a settlement register by a map (docs/finance.md), adds its lines up, and enters one draft for each payout. Nothing is booked: payouts post does that. When any line cannot be read, contradicts itself or is in another payout, all such lines are named and nothing is entered. The same register again changes nothing; a payout that is there with other content is refused, and what differs is named.

Lines of payments that tolem does not know, or knows with another sum, are no reason to refuse: payouts show names them.

Example:

  tolem payouts import register.csv --provider jetpay --project 1234 --bank halyk --dry-run
  tolem payouts import kaspi.xlsx --map kaspi-pay-xlsx --signed --id 2026-11-29 --provider jetpay --project 1234 --bank halyk`
}

// Run imports.
func (c *payoutsImportCommand) Run(ctx context.Context, p *console.Program) error {
	var bank topup.BankAccountOf
	o := payoutfile.Options{Provider: c.Provider, Project: c.Project, ID: string(c.ID), Signed: c.Signed}
	check := func(cfg *config.Config) (err error) {
		if c.Date != "" {
			if o.Date, err = calendar.ParseDay(string(c.Date)); err != nil {
				return console.WrongUsage("--date must be a day such as 2026-11-29")
			}
		}
		o.Zone = cfg.Location()
		bank, err = c.check(cfg)
		o.Bank = bank
		return err
	}
	return p.WithBooks(ctx, func(b console.Books) error {
		reason := "register " + console.Printable(filepath.Base(c.File))
		register, hash, err := readRegister(ctx, c.File, c.Map, o)
		if err != nil {
			err = console.NoVerdict(fmt.Errorf("%s: nothing was entered:\n%w", c.File, err))
			if c.DryRun {
				return err
			}
			return refusedImport(ctx, p, b, console.Operator{Actor: c.Actor, Reason: reason}, store.ActionPayoutAdd, c.File, err)
		}
		var list []store.NewPayout
		for _, r := range register.Payouts {
			n, err := newPayout(r.Payout, o.Zone, bank)
			if err != nil {
				return err
			}
			n.Lines, n.File, n.SHA256 = r.Lines, filepath.Base(c.File), hash
			list = append(list, n)
		}
		if register.Duplicates > 0 {
			p.Warn(fmt.Sprintf("%d lines occur again with the same content; each was counted once", register.Duplicates))
		}
		return enter(ctx, p, b, list, c.Actor, reason, c.DryRun, c.JSON)
	}, check)
}

// newPayout is a payout to be entered, with its day in the time zone of the books.
func newPayout(p topup.Payout, zone *time.Location, bank topup.BankAccountOf) (store.NewPayout, error) {
	day, err := calendar.ParseDay(p.Date)
	if err != nil {
		return store.NewPayout{}, topup.Invalid("date", "must be a day such as 2026-11-29")
	}
	return store.NewPayout{Payout: p, Bank: bank, Day: store.Day{Start: day.Start(zone), End: day.End(zone)}}, nil
}

// readRegister reads a register, and the SHA-256 of its bytes.
func readRegister(ctx context.Context, path, how string, o payoutfile.Options) (register payoutfile.Register, hash string, err error) {
	m, err := maps.Load(how)
	if err != nil {
		return register, "", err
	}
	file, err := os.Open(path)
	if err != nil {
		return register, "", err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	info, err := file.Stat()
	if err != nil {
		return register, "", err
	}
	if !info.Mode().IsRegular() { // which is read twice
		return register, "", errors.New("must be a regular file")
	}
	rows, err := reportfile.Open(file, info.Size(), m)
	if err != nil {
		return register, "", err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	if register, err = payoutfile.Read(ctx, rows, m, o); err != nil {
		return register, "", err
	}
	sum := sha256.New()
	if _, err := io.Copy(sum, io.NewSectionReader(file, 0, info.Size())); err != nil {
		return register, "", err
	}
	return register, hex.EncodeToString(sum.Sum(nil)), nil
}

// payoutsAddCommand enters a payout by hand.
type payoutsAddCommand struct {
	payoutProject
	console.JSONFlag
	ID          string `required:"" placeholder:"ID" help:"The platform's id of the payout; unique in its project."`
	Date        string `required:"" placeholder:"D" help:"The day of the payout, such as 2026-11-29."`
	Currency    string `required:"" placeholder:"CUR" help:"Three letters: the currency of the bank account."`
	Gross       int64  `required:"" placeholder:"N" help:"The payers' money, in minor units, as all figures."`
	Refunds     int64  `placeholder:"N" help:"What went back to payers, chargebacks included."`
	Fees        int64  `placeholder:"N" help:"What the platform kept; negative: gave back."`
	Reserve     int64  `placeholder:"N" help:"What it holds back; negative: released."`
	Adjustments int64  `placeholder:"N" help:"Corrections and penalties; negative: in the merchant's favour."`
	Net         int64  `required:"" placeholder:"N" help:"What arrived at the bank; negative: was taken."`
}

// Help is shown by --help.
func (payoutsAddCommand) Help() string {
	return `For a payout without a register. Its figures must add up: gross less refunds, fees, reserve and adjustments is net. Figures are in minor units (tiyn: 1000000 is 10000.00 tenge); a negative one is written with an equals sign (--net=-500). Nothing is booked: payouts post does that. The same payout again changes nothing.

Example:

  tolem payouts add --provider jetpay --project 1234 --bank halyk --id PO-1129 --date 2026-11-29 --currency KZT --gross 1000000 --refunds 300000 --fees 15000 --net 685000`
}

// Run adds.
func (c *payoutsAddCommand) Run(ctx context.Context, p *console.Program) error {
	var n store.NewPayout
	check := func(cfg *config.Config) error {
		bank, err := c.check(cfg)
		if err != nil {
			return err
		}
		n, err = newPayout(topup.Payout{
			ID: c.ID, Provider: c.Provider, Project: c.Project, Bank: bank.Name, Date: c.Date, Currency: c.Currency,
			PayoutFigures: topup.PayoutFigures{Gross: c.Gross, Refunds: c.Refunds, Fees: c.Fees, Reserve: c.Reserve, Adjustments: c.Adjustments, Net: c.Net},
		}, cfg.Location(), bank)
		return err
	}
	return p.WithBooks(ctx, func(b console.Books) error {
		return enter(ctx, p, b, []store.NewPayout{n}, c.Actor, "entered by hand", false, c.JSON)
	}, check)
}

// payoutsListCommand lists payouts.
type payoutsListCommand struct {
	console.FormatFlags
	Status   console.Condition `placeholder:"S" help:"One of draft, posted, discarded, reversed."`
	Provider console.Condition `placeholder:"P" help:"jetpay or highhelp."`
	Project  console.Condition `placeholder:"X" help:"The project's id."`
	Bank     console.Condition `placeholder:"NAME" help:"The bank account."`
}

// Help is shown by --help.
func (payoutsListCommand) Help() string {
	return `Example:

  tolem payouts list --status draft
  tolem payouts list --json`
}

// Run lists.
func (c *payoutsListCommand) Run(ctx context.Context, p *console.Program) error {
	filter := store.PayoutFilter{
		State: topup.PayoutState(c.Status), Provider: string(c.Provider), Project: string(c.Project), Bank: string(c.Bank), Limit: payoutPage,
	}
	return p.WithBooks(ctx, func(b console.Books) error {
		found := func(yield func(*store.Payout) error) error {
			for filter := filter; ; {
				page, next, err := b.Payouts(ctx, filter)
				if err != nil {
					return console.RefusedFilter(err)
				}
				for i := range page {
					if err := yield(&page[i]); err != nil {
						return err
					}
				}
				if next == "" {
					return nil
				}
				filter.Cursor = next
			}
		}
		return console.PrintRecords(p, c.FormatFlags, payoutTable(b.Config.Location()), found, func(p *console.Program, asJSON bool) error {
			l := p.List(asJSON, "PAYOUT", "STATUS", "DATE", "PROJECT", "BANK", "GROSS", "REFUNDS", "FEES", "RESERVE", "ADJUSTMENTS", "NET", "CUR", "LINES")
			if err := found(func(o *store.Payout) error { return l.Add(view.PayoutOf(o), payoutCells(o)...) }); err != nil {
				return err
			}
			return l.End()
		})
	})
}

func payoutCells(o *store.Payout) []string {
	amount := func(n int64) string { return major(n, o.Currency) }
	return []string{
		o.ID, string(o.State), o.Date, o.Provider + " " + o.Project, o.Bank, amount(o.Gross), amount(o.Refunds), amount(o.Fees),
		amount(o.Reserve), amount(o.Adjustments), amount(o.Net), o.Currency, strconv.FormatInt(o.Lines, 10),
	}
}

// payoutName names a payout on the command line.
type payoutName struct {
	ID       string            `arg:"" name:"payout_id" help:"The payout's id."`
	Provider console.Condition `placeholder:"P" help:"jetpay or highhelp; needed where the id is that of payouts of several projects."`
	Project  console.Condition `placeholder:"X" help:"The project's id; needed as --provider is."`
}

func (n payoutName) ref() store.PayoutRef {
	return store.PayoutRef{ID: n.ID, Provider: string(n.Provider), Project: string(n.Project)}
}

// payoutsShowCommand shows a payout.
type payoutsShowCommand struct {
	payoutName
	console.JSONFlag
}

// Help is shown by --help.
func (payoutsShowCommand) Help() string {
	return `Shows the figures of a payout, what was done to it, its lines, and how each line differs from the payment that it names: payment_unknown (tolem has no such payment), not_received (nothing was credited for it), amount_differs, currency_differs, refund_not_booked (less was refunded through the platform than the registers say), listed_twice (payouts list more for the payment than was received). A payout can be posted whatever differs: its figures say what the platform paid.

Example:

  tolem payouts show PO-1129`
}

// Run shows.
func (c *payoutsShowCommand) Run(ctx context.Context, p *console.Program) error {
	return p.WithBooks(ctx, func(b console.Books) error {
		o, err := b.Payout(ctx, c.ref())
		if err != nil {
			return err
		}
		if c.JSON {
			return payoutJSON(ctx, p, b, o)
		}
		return printPayout(ctx, p, b, o)
	})
}

func payoutJSON(ctx context.Context, p *console.Program, b console.Books, o *store.Payout) error {
	var lines, differences []store.PayoutLine
	err := eachPayoutLine(ctx, b, o, func(l store.PayoutLine) error {
		lines = append(lines, l)
		if l.Difference != "" {
			differences = append(differences, l)
		}
		return nil
	})
	if err != nil {
		return err
	}
	return p.PrintJSON(view.WholePayoutOf(o, lines, false, differences, len(differences)))
}

// eachPayoutLine passes every line of a payout to yield.
func eachPayoutLine(ctx context.Context, b console.Books, o *store.Payout, yield func(store.PayoutLine) error) error {
	for after := int64(0); ; {
		page, err := b.PayoutLines(ctx, o, after, payoutPage)
		if err != nil {
			return err
		}
		for _, l := range page {
			if err := yield(l); err != nil {
				return err
			}
		}
		if len(page) < payoutPage {
			return nil
		}
		after = page[len(page)-1].N
	}
}

// printPayout shows a payout to people.
func printPayout(ctx context.Context, p *console.Program, b console.Books, o *store.Payout) error {
	amount := func(n int64) string { return topup.Money{Amount: n, Currency: o.Currency}.String() }
	t := p.Table()
	t.Row("payout", o.ID)
	t.Row("status", string(o.State))
	t.Row("project", o.Provider+" "+o.Project)
	t.Row("bank", o.Bank)
	t.Row("date", o.Date)
	t.Row("gross", amount(o.Gross))
	t.Row("refunds", amount(o.Refunds))
	t.Row("fees", amount(o.Fees))
	t.Row("reserve", amount(o.Reserve))
	t.Row("adjustments", amount(o.Adjustments))
	t.Row("net", amount(o.Net))
	t.RowIf("file", o.File)
	t.RowIf("sha256", o.SHA256)
	if l := o.BankLine; l != nil {
		t.Row("bank line", fmt.Sprintf("%d: %s, %s %s, %s", l.ID, l.Day, l.Direction, topup.Money{Amount: l.Amount, Currency: l.Currency}, described(l.Line)))
	}
	for _, s := range o.Steps {
		t.Row(string(s.State), console.When(s.At, b.Config.Location())+" by "+s.Actor+": "+s.Reason)
		t.RowIf("transaction", s.TransactionID)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	if o.Lines == 0 {
		return nil
	}
	if err := p.Println(""); err != nil {
		return err
	}
	lines, differ := p.List(false, "LINE", "TYPE", "PAYMENT", "OPERATION", "AMOUNT", "FEE", "RESERVE", "ADJUSTMENT", "DIFFERENCE"), 0
	err := eachPayoutLine(ctx, b, o, func(l store.PayoutLine) error {
		difference := string(l.Difference)
		if difference != "" {
			differ++
		}
		if !l.Received.IsZero() {
			difference += ": " + l.Received.String() + " was received"
		}
		return lines.Add(nil, strconv.Itoa(l.Line), string(l.Type), orDash(cmp.Or(l.PaymentID, l.Payment)), orDash(l.Operation), major(l.Amount, o.Currency),
			major(l.Fee, o.Currency), major(l.Reserve, o.Currency), major(l.Adjustment, o.Currency), difference)
	})
	if err != nil {
		return err
	}
	if err := lines.End(); err != nil {
		return err
	}
	return p.Println(fmt.Sprintf("%s, %d differ", console.Counted(o.Lines, "line"), differ))
}

// payoutsPostCommand books a draft.
type payoutsPostCommand struct {
	console.Operator
	payoutName
	console.JSONFlag
}

// Help is shown by --help.
func (payoutsPostCommand) Help() string {
	return `Posts a ledger transaction from settlement to the bank account, fees, reserve and adjustments, dated on the payout's day; where that is in a closed period, on the first open day. Figures of zero have no posting. ledger reverse on the transaction undoes it, and frees the payout's id and lines.

Example:

  tolem payouts post PO-1129 --reason "statement of 30 November"`
}

// Run posts.
func (c *payoutsPostCommand) Run(ctx context.Context, p *console.Program) error {
	return operate(ctx, p, c.Operator, c.JSON, func(b console.Books, by store.By) (topup.Transaction, error) {
		return b.PostPayout(ctx, c.ref(), by)
	})
}

// payoutsDiscardCommand gives a draft up.
type payoutsDiscardCommand struct {
	console.Operator
	payoutName
	console.JSONFlag
}

// Help is shown by --help.
func (payoutsDiscardCommand) Help() string {
	return `For a draft that is wrong: its id and its lines are free again. It moves no money. One that was posted is undone with ledger reverse.

Example:

  tolem payouts discard PO-1129 --reason "the register was of the wrong day"`
}

// Run discards.
func (c *payoutsDiscardCommand) Run(ctx context.Context, p *console.Program) error {
	return p.AsOperator(ctx, c.Operator, func(b console.Books, by store.By) error {
		if err := b.DiscardPayout(ctx, c.ref(), by); err != nil {
			return err
		}
		if !c.JSON {
			return p.Println("payout " + c.ID + " is discarded")
		}
		o, err := b.Payout(ctx, c.ref())
		if err != nil {
			return err
		}
		return p.PrintJSON(view.PayoutOf(o))
	})
}
