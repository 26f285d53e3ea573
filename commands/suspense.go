package commands

import (
	"context"
	"strings"

	"tolem/commands/internal/console"
	"tolem/config"
	"tolem/store"
	"tolem/topup"
	"tolem/view"
)

// suspensePage is how many items are read at a time.
const suspensePage = 500

// suspenseCommands allocate or return the money in suspense.
type suspenseCommands struct {
	List   suspenseListCommand   `cmd:"" help:"List money in suspense, the oldest first."`
	Assign suspenseAssignCommand `cmd:"" help:"Assign the money of an item to a contract."`
	Return suspenseReturnCommand `cmd:"" help:"Book the return of an item's money to the platform."`
}

// suspenseListCommand lists items.
type suspenseListCommand struct {
	periodFlags
	console.JSONFlag
	All    bool                    `help:"List resolved items too."`
	Flag   console.Condition       `placeholder:"F" help:"Items whose payment has this flag, such as amount_differs."`
	Amount console.AmountCondition `placeholder:"N" help:"Items of this sum in major units: 5000 and 5000.00 are both five thousand tenge."`
}

// Help is shown by --help.
func (suspenseListCommand) Help() string {
	return `The id of an item is that of the ledger transaction that put the money into suspense. The flags are those of its payment and give the reason: the amount or the currency differs, the payment is unknown, it is a second operation on a payment that was credited. PAID is the provider's date of the movement (the first open day, if that was in a closed period: payments show has both), RECEIPT the number on the payer's receipt. All conditions must hold.

Example:

  tolem suspense list
  tolem suspense list --flag unknown_payment --amount 5000.00 --from 2026-11-29 --to 2026-11-29
  tolem suspense list --all --json`
}

// Run lists.
func (c *suspenseListCommand) Run(ctx context.Context, p *console.Program) error {
	filter := store.SuspenseFilter{All: c.All, Major: c.Amount.Major, Limit: suspensePage}
	check := func(*config.Config) (err error) {
		filter.Flag, err = console.FlagCondition(c.Flag)
		return err
	}
	return p.WithBooks(ctx, func(b console.Books) error {
		list := p.List(c.JSON, "ITEM", "STATE", "AMOUNT", "FOR", "PLATFORM'S PAYMENT", "OPERATION", "RECEIPT", "FLAGS", "PAID", "SINCE")
		for {
			items, err := b.SuspenseItems(ctx, filter)
			if err != nil {
				return console.RefusedFilter(err)
			}
			for i := range items {
				if err := list.Add(view.SuspenseItemOf(&items[i]), suspenseCells(b, &items[i])...); err != nil {
					return err
				}
			}
			if len(items) < suspensePage {
				return list.End()
			}
			filter.After = items[len(items)-1].Seq
		}
	}, check, c.into(&filter.Period))
}

func suspenseCells(b console.Books, item *store.SuspenseItem) []string {
	owner := "nobody we know"
	if item.CustomerID != "" {
		owner = item.CustomerID + " / " + item.ContractID
	}
	sum := item.Money.String()
	if item.Returned > 0 && item.Returned < item.Money.Amount {
		sum += " less " + topup.Money{Amount: item.Returned, Currency: item.Money.Currency}.String()
	}
	zone := b.Config.Location()
	return []string{
		item.ID, item.State, sum, owner, item.ProviderReference, orDash(item.Operation), orDash(item.Receipt),
		strings.Join(item.Flags.Names(), ","), console.When(item.EffectiveAt, zone), console.When(item.RecordedAt, zone),
	}
}

// suspenseAssignCommand assigns the money of items to contracts.
type suspenseAssignCommand struct {
	console.Operator
	console.JSONFlag
	Item     string `arg:"" optional:"" help:"The item, as suspense list names it."`
	Customer string `placeholder:"C" help:"The customer's id."`
	Entity   string `placeholder:"E" help:"The contract's id."`
	File     string `placeholder:"FILE.csv" help:"Assign several items, all or nothing: a CSV file with the columns item,customer_id,entity_id."`
}

// Help is shown by --help.
func (suspenseAssignCommand) Help() string {
	return `Posts a new ledger transaction from suspense to the contract, with actor and reason. An assignment to the payment's own contract becomes the payment's credit if it has none. Refused when the item has been resolved.

With --file each row of a CSV file is one assignment; when any is refused, every invalid line is named and nothing is written. A file has at most 250 rows.

Example:

  tolem suspense assign t_01KAM3Y8S2K9YH3GB2M3Y7E1QZ --customer 7123456789 --entity 12345 --reason "the payer called, ticket 4711"
  tolem suspense assign --file assignments.csv --reason "list of the call centre, 12 November"`
}

// Run assigns.
func (c *suspenseAssignCommand) Run(ctx context.Context, p *console.Program) error {
	switch {
	case c.File != "" && (c.Item != "" || c.Customer != "" || c.Entity != ""):
		return console.WrongUsage("--file names the items and their contracts: give it alone")
	case c.File != "":
		return c.assignFile(ctx, p)
	case c.Item == "" || c.Customer == "" || c.Entity == "":
		return console.WrongUsage("name an item, --customer and --entity, or a --file")
	}
	return operate(ctx, p, c.Operator, c.JSON, func(b console.Books, by store.By) (topup.Transaction, error) {
		return b.AssignSuspense(ctx, c.Item, c.Customer, c.Entity, by)
	})
}

// suspenseReturnCommand sends an item's money back.
type suspenseReturnCommand struct {
	console.Operator
	console.JSONFlag
	payBackFlags
	Item   string `arg:"" help:"The item, as suspense list names it."`
	Amount *int64 `placeholder:"N" help:"A part of it, in minor units. Default: all that is left."`
}

// Help is shown by --help.
func (suspenseReturnCommand) Help() string {
	return `Posts a new ledger transaction from suspense back to the settlement account: the platform owes less by that sum. With --from bank:NAME the merchant paid it from its own account. It moves no money itself; agree the refund with the platform. With --amount a part goes back, and the rest stays in suspense. Refused when the item has been resolved.

While the platform has reported a refund of the payment that is not booked, name its operation, or none if this is another one; payments show has the operation and its sum. An operation is booked once, by payments refund or by this.

Example:

  tolem suspense return t_01KAM3Y8S2K9YH3GB2M3Y7E1QZ --reason "refunded by JetPay, letter of 12 November"
  tolem suspense return t_01KAM3Y8S2K9YH3GB2M3Y7E1QZ --amount 3000 --operation 2812 --reason "JetPay's report of 12 November, line 813"`
}

// Run returns it.
func (c *suspenseReturnCommand) Run(ctx context.Context, p *console.Program) error {
	amount := int64(0)
	if c.Amount != nil {
		if amount = *c.Amount; amount < 1 {
			return console.WrongUsage("--amount must be at least 1 minor unit")
		}
	}
	request, err := c.of(amount)
	if err != nil {
		return err
	}
	return operate(ctx, p, c.Operator, c.JSON, func(b console.Books, by store.By) (topup.Transaction, error) {
		return b.ReturnSuspense(ctx, c.Item, request, by)
	})
}
