package commands

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"tolem/bankfile"
	"tolem/commands/internal/console"
	"tolem/config"
	"tolem/maps"
	"tolem/store"
	"tolem/topup"
	"tolem/view"
)

// bankCommands work on statements of the merchant's bank accounts.
type bankCommands struct {
	Import bankImportCommand `cmd:"" help:"Keep the lines of a bank statement, each once."`
	Match  bankMatchCommand  `cmd:"" help:"Propose which line of a bank account is which payout, and write it down."`
}

// bankImportCommand keeps a statement.
type bankImportCommand struct {
	console.JSONFlag
	File    string            `arg:"" help:"The statement as the bank exported it."`
	Bank    string            `required:"" placeholder:"NAME" help:"The bank account, as the configuration names it (bank)."`
	Format  string            `required:"" enum:"1c,camt053,mt940,csv,xlsx" placeholder:"FORMAT" help:"One of ${enum}."`
	Map     console.Condition `placeholder:"MAP" help:"How a csv or xlsx file is read: a YAML file, or the name of a map that tolem has."`
	Opening *int64            `placeholder:"N" help:"The balance before the first line, in minor units; of a csv or xlsx file without a column of balances."`
	Closing *int64            `placeholder:"N" help:"The balance after the last line."`
	Actor   string            `placeholder:"NAME" help:"The actor; recorded in the audit. Default: the variable TOLEM_ACTOR, else the system's user."`
}

// Help is shown by --help.
func (bankImportCommand) Help() string {
	return `Reads a statement of a bank account and keeps its booked lines, each once: a line that comes again in another file is known. 1c is 1CClientBankExchange (windows-1251, DOS or UTF-8; with Russian or Kazakh keys), camt053 and mt940 are the formats of ISO 20022 and SWIFT, csv and xlsx are read by a map.

The account must be the configured one, and the opening balance with all lines must give the closing balance; a file that cannot be read or does not balance is refused, exit code 2, and nothing of it is kept. Told, with exit code 1, is what differs: a line that the bank has changed since an earlier statement (it is not kept again), one that has vanished, and a jump of the balance between two statements, which says that the days between are missing.

Example:

  tolem bank import statement.txt --bank halyk --format 1c
  tolem bank import november.xlsx --bank halyk --format xlsx --map my-bank.yaml`
}

// Run imports.
func (c *bankImportCommand) Run(ctx context.Context, p *console.Program) error {
	var account bankfile.Account
	check := func(cfg *config.Config) (err error) {
		account, err = c.account(cfg)
		return err
	}
	return p.WithBooks(ctx, func(b console.Books) error {
		who := console.Operator{Actor: c.Actor, Reason: "bank statement " + filepath.Base(c.File)}
		im, err := c.read(ctx, account)
		if err != nil {
			err = console.NoVerdict(fmt.Errorf("%s: %w", c.File, err))
			return refusedImport(ctx, p, b, who, store.ActionBankImport, c.File, err)
		}
		by, err := p.By(who, b.Config.Location())
		if err != nil {
			return err
		}
		done, err := b.ImportBankStatement(ctx, im, by)
		if err != nil {
			return err
		}
		return c.report(p, account, im, done)
	}, check)
}

// account is the configured bank account.
func (c *bankImportCommand) account(cfg *config.Config) (bankfile.Account, error) {
	bank := cfg.Bank(c.Bank)
	mapped := c.Format == "csv" || c.Format == "xlsx"
	switch {
	case bank == nil:
		return bankfile.Account{}, console.WrongUsage("--bank: the configuration has no bank account %q (bank)", c.Bank)
	case bank.IBAN == "":
		return bankfile.Account{}, console.WrongUsage("--bank: the configuration has no number (iban) of bank account %s, by which its statements are known", c.Bank)
	case mapped && c.Map == "":
		return bankfile.Account{}, console.WrongUsage("--map must say how the file is read: a file, or one of the maps that tolem has: %s", strings.Join(maps.Names(), ", "))
	case !mapped && c.Map != "":
		return bankfile.Account{}, console.WrongUsage("--map is for the formats csv and xlsx")
	case (c.Opening == nil) != (c.Closing == nil):
		return bankfile.Account{}, console.WrongUsage("--opening and --closing go together")
	case !mapped && c.Opening != nil:
		return bankfile.Account{}, console.WrongUsage("--opening and --closing are for the formats csv and xlsx")
	}
	return bankfile.Account{Number: bank.IBAN, Currency: bank.Currency}, nil
}

// read reads the file.
func (c *bankImportCommand) read(ctx context.Context, account bankfile.Account) (im store.BankImport, err error) {
	im = store.BankImport{Bank: c.Bank, Account: account, File: filepath.Base(c.File)}
	file, err := os.Open(c.File)
	if err != nil {
		return im, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	raw, err := io.ReadAll(io.LimitReader(file, bankfile.MaxBytes+1))
	if err != nil {
		return im, err
	}
	sum := sha256.Sum256(raw)
	im.SHA256 = hex.EncodeToString(sum[:])
	if c.Map == "" {
		im.Statements, err = bankfile.Read(bytes.NewReader(raw), bankfile.Format(c.Format), account)
		return im, err
	}
	m, err := maps.Load(string(c.Map))
	if err != nil {
		return im, err
	}
	if string(m.Format) != c.Format {
		return im, fmt.Errorf("the map is of format %s, not %s", m.Format, c.Format)
	}
	im.Statements, err = bankfile.ReadMapped(ctx, bytes.NewReader(raw), int64(len(raw)), m, account, c.balances())
	return im, err
}

// balances are those of the flags, nil without.
func (c *bankImportCommand) balances() *bankfile.Balances {
	if c.Opening == nil {
		return nil
	}
	return &bankfile.Balances{Opening: *c.Opening, Closing: *c.Closing}
}

// report prints what became of it.
func (c *bankImportCommand) report(p *console.Program, account bankfile.Account, im store.BankImport, done store.BankImported) error {
	differs := len(done.Changed)+len(done.Vanished)+len(done.Gaps) > 0
	if c.JSON {
		if err := p.PrintJSON(view.BankImportedOf(im, done)); err != nil {
			return err
		}
	} else if err := printBankImport(p, account, im, done); err != nil {
		return err
	}
	if differs {
		return console.ErrAnswered
	}
	return nil
}

func printBankImport(p *console.Program, account bankfile.Account, im store.BankImport, done store.BankImported) error {
	money := func(minor int64) string { return topup.Money{Amount: minor, Currency: account.Currency}.String() }
	for _, s := range im.Statements {
		err := p.Println(fmt.Sprintf("%s to %s: opening balance %s, closing balance %s, %s", s.From, s.To, money(s.Opening), money(s.Closing), console.Counted(int64(len(s.Lines)), "line")))
		if err != nil {
			return err
		}
	}
	for _, change := range done.Changed {
		if err := p.Println(fmt.Sprintf("changed: line %d of the file, %s: kept as line %d (%s), it now is %s", change.Now.Row, bankLine(change.Now.Line, account),
			change.Stored.ID, described(change.Stored.Line), described(change.Now.Line))); err != nil {
			return err
		}
	}
	for _, line := range done.Vanished {
		if err := p.Println(fmt.Sprintf("vanished: kept line %d, %s (%s), is of a day that the file covers, and not in it", line.ID, bankLine(line.Line, account), described(line.Line))); err != nil {
			return err
		}
	}
	for _, gap := range done.Gaps {
		if err := p.Println(fmt.Sprintf("gap: the balance at the end of %s is %s, and at the beginning of %s it is %s: import the statement between",
			gap.Before, money(gap.Closing), gap.After, money(gap.Opening))); err != nil {
			return err
		}
	}
	return p.Println(fmt.Sprintf("%d stored, %d known, %d changed, %d vanished, %s", done.Stored, done.Known, len(done.Changed), len(done.Vanished), console.Counted(int64(len(done.Gaps)), "gap")))
}

// bankLine is a line in a few words.
func bankLine(l bankfile.Line, account bankfile.Account) string {
	return fmt.Sprintf("%s, %s %s", l.Day, l.Direction, topup.Money{Amount: l.Amount, Currency: account.Currency})
}

// described is what tells a line from others of its day and sum.
func described(l bankfile.Line) string {
	purpose := l.Purpose
	if len(purpose) > 80 {
		purpose = strings.ToValidUTF8(purpose[:80], "") + "…"
	}
	return console.Printable(fmt.Sprintf("number %s, reference %s, account %s, purpose %q", orDash(l.Number), orDash(l.BankReference), orDash(l.CounterpartyAccount), purpose))
}
