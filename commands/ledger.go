package commands

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"tolem/commands/internal/console"
	"tolem/config"
	"tolem/store"
	"tolem/topup"
	"tolem/view"
)

// balancePage is how many ledger accounts are read at a time.
const balancePage = 500

// ledgerCommands work on the books.
type ledgerCommands struct {
	Check    ledgerCheckCommand    `cmd:"" help:"Verify every invariant of the ledger, or a seal."`
	Seal     ledgerSealCommand     `cmd:"" help:"Seal the journal, and print the seal."`
	Balances ledgerBalancesCommand `cmd:"" help:"Print the balances of the ledger accounts."`
	Export   ledgerExportCommand   `cmd:"" help:"Print the journal for other programs."`
	Reverse  ledgerReverseCommand  `cmd:"" help:"Reverse a ledger transaction, once."`
}

// ledgerReverseCommand undoes a transaction by another one.
type ledgerReverseCommand struct {
	console.Operator
	console.JSONFlag
	Transaction string `arg:"" help:"The ledger transaction's id."`
}

// Help is shown by --help.
func (ledgerReverseCommand) Help() string {
	return `For a mistaken transaction of an operator: a manual credit, an assignment, a return, a recall, a suspended message, a reversal. The journal is never changed: a new transaction moves the same money back. The effects of the transaction are undone too: a manual credit no longer counts (the payment goes to review, with the flag reversed), a resolved suspense item is open again, and an operation that was entered may be entered again. Refused when it was done before, and while something rests on it that must be undone first.

What a provider's message has posted is not reversed: a credit to the wrong contract is undone with payments recall.

Example:

  tolem ledger reverse t_01KAM3Y8S2K9YH3GB2M3Y7E1QZ --reason "assigned to the wrong contract, ticket 4711"`
}

// Run reverses.
func (c *ledgerReverseCommand) Run(ctx context.Context, p *console.Program) error {
	return operate(ctx, p, c.Operator, c.JSON, func(b console.Books, by store.By) (topup.Transaction, error) {
		return b.Reverse(ctx, c.Transaction, by)
	})
}

// ledgerCheckCommand proves the books.
type ledgerCheckCommand struct {
	Seal   string `placeholder:"FILE" help:"Verify instead that the journal up to this seal is what it was when ledger seal printed it."`
	Recent bool   `help:"With --seal: do not read again what the seal covers. Compare its hash with that in the database, and verify what was sealed since."`
}

// Help is shown by --help.
func (ledgerCheckCommand) Help() string {
	return `Reads the whole journal: every transaction sums to zero in each currency, running totals equal the sums of their entries, no payment is credited twice, what payments and suspense items say is what the journal says, and the journal is what was sealed every day. When something is broken it says what, and exits 1. It can run beside the server.

With --seal it reads the journal only to verify seals: that of the file, which was kept where nobody who can write to the database can change it, and those in the database. A changed, deleted, inserted or moved row is found, the last ones included. With --recent it is much faster on a large journal, and finds a journal that was changed and sealed anew, cut off or restored from an older backup; a row that was changed without a new seal only if it is newer than the seal.

Example:

  tolem ledger check
  tolem ledger check --seal /mnt/elsewhere/seal-2026-11-30.json`
}

// Run checks.
func (c ledgerCheckCommand) Run(ctx context.Context, p *console.Program) error {
	switch {
	case c.Seal != "":
		return checkSeal(ctx, p, c.Seal, c.Recent)
	case c.Recent:
		return console.WrongUsage("--recent goes with --seal")
	}
	return p.WithBooks(ctx, func(b console.Books) error {
		report, err := b.Check(ctx)
		if err != nil {
			return fmt.Errorf("check the ledger: %w", err)
		}
		counted := fmt.Sprintf("%d transactions, %d entries, %d ledger accounts, %d payments",
			report.Transactions, report.Entries, report.Accounts, report.Payments)
		if len(report.Problems) == 0 {
			return p.Println("the ledger is sound: " + counted)
		}
		for _, problem := range report.Problems {
			fmt.Fprintln(p.Stdio.Err, console.Printable(problem))
		}
		return fmt.Errorf("the ledger is broken: %d problems in %s", len(report.Problems), counted)
	})
}

// periodFlags say which part of the journal is meant.
type periodFlags struct {
	console.Span
	By string `enum:"effective,recorded" default:"effective" help:"Which time is used: effective is the provider's (the accounting date), recorded is when it was written."`
}

func (f periodFlags) period(cfg *config.Config) (store.Period, error) {
	from, to, err := f.Between(cfg.Location())
	return store.Period{From: from, To: to, By: store.TimeAxis(f.By)}, err
}

// into is a check that reads the period into its place.
func (f periodFlags) into(place *store.Period) func(*config.Config) error {
	return func(cfg *config.Config) (err error) {
		*place, err = f.period(cfg)
		return err
	}
}

// ledgerBalancesCommand prints balances.
type ledgerBalancesCommand struct {
	periodFlags
	console.JSONFlag
	Prefix console.Condition `placeholder:"TEXT" help:"Only accounts with this prefix, such as suspense: or customers:7123456789:"`
}

// Help is shown by --help.
func (ledgerBalancesCommand) Help() string {
	return `Debits and credits of each ledger account, and their difference. With --from or --to only what moved in that period. Amounts are in major units, with --json in minor units. The last lines are the sum over all that is shown: zero for the whole book.

Example:

  tolem ledger balances
  tolem ledger balances --prefix suspense:
  tolem ledger balances --from 2026-11-01 --to 2026-11-30`
}

// Run prints them.
func (c *ledgerBalancesCommand) Run(ctx context.Context, p *console.Program) error {
	var period store.Period
	return p.WithBooks(ctx, func(b console.Books) error {
		l := &balanceList{list: p.List(c.JSON, "ACCOUNT", "CURRENCY", "DEBITS", "CREDITS", "BALANCE"), sums: map[string]store.Balance{}}
		if period.From.IsZero() && period.To.IsZero() {
			if err := eachBalance(ctx, b, string(c.Prefix), l.add); err != nil {
				return err
			}
			return l.end()
		}
		balances, err := b.BalancesBetween(ctx, period)
		if err != nil {
			return fmt.Errorf("read balances: %w", err)
		}
		for _, balance := range balances {
			if !strings.HasPrefix(balance.Account, string(c.Prefix)) {
				continue
			}
			if err := l.add(balance); err != nil {
				return err
			}
		}
		return l.end()
	}, c.into(&period))
}

// eachBalance passes the ledger accounts to yield, page by page.
func eachBalance(ctx context.Context, b console.Books, prefix string, yield func(store.Balance) error) error {
	filter := store.BalanceFilter{Prefix: prefix, Limit: balancePage}
	for {
		page, err := b.Balances(ctx, filter)
		if err != nil {
			return fmt.Errorf("read balances: %w", err)
		}
		for _, balance := range page.Accounts {
			if err := yield(balance); err != nil {
				return err
			}
		}
		if page.Next == "" {
			return nil
		}
		filter.Cursor = page.Next
	}
}

// balanceList prints balances as they are read; the table for people ends with
// their sums.
type balanceList struct {
	list *console.List
	sums map[string]store.Balance // by currency
}

func (l *balanceList) add(balance store.Balance) error {
	sum := l.sums[balance.Currency]
	var overflow [2]error
	sum.Debits, overflow[0] = topup.Add(sum.Debits, balance.Debits)
	sum.Credits, overflow[1] = topup.Add(sum.Credits, balance.Credits)
	if err := errors.Join(overflow[:]...); err != nil {
		return fmt.Errorf("sum of all accounts in %s: %w", balance.Currency, err)
	}
	l.sums[balance.Currency] = sum
	return l.row(balance)
}

// row adds a ledger account. Debits and credits are never negative, so their
// difference cannot overflow.
func (l *balanceList) row(b store.Balance) error {
	return l.list.Add(view.Balance(b), b.Account, b.Currency,
		major(b.Debits, b.Currency), major(b.Credits, b.Currency), major(b.Debits-b.Credits, b.Currency))
}

func (l *balanceList) end() error {
	if l.list.JSON {
		return l.list.End()
	}
	for _, currency := range slices.Sorted(maps.Keys(l.sums)) {
		sum := l.sums[currency]
		sum.Account, sum.Currency = "total", currency
		if err := l.row(sum); err != nil {
			return err
		}
	}
	return l.list.End()
}

// major is an amount in major units, without its currency.
func major(amount int64, currency string) string {
	digits, ok := topup.Digits(currency)
	if !ok {
		return strconv.FormatInt(amount, 10)
	}
	return topup.FormatMinor(amount, digits)
}
