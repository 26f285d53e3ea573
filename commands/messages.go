package commands

import (
	"context"
	"strconv"

	"tolem/commands/internal/console"
	"tolem/config"
	"tolem/store"
	"tolem/topup"
	"tolem/view"
)

// messagePage is how many messages are read at a time.
const messagePage = 500

// messagesCommands work on what providers sent.
type messagesCommands struct {
	List    messagesListCommand    `cmd:"" help:"List stored messages, the newest first."`
	Show    messagesShowCommand    `cmd:"" help:"Show a message with its raw body."`
	Suspend messagesSuspendCommand `cmd:"" help:"Put the money of a message that was not posted into suspense."`
	Dismiss messagesDismissCommand `cmd:"" help:"Record that a message was handled."`
}

// messagesListCommand lists messages.
type messagesListCommand struct {
	console.Span
	console.JSONFlag
	Disposition *string `placeholder:"D" help:"The disposition: one of repeat, noted, posted, credited, suspended, bound, foreign, unreadable."`
	Open        bool    `help:"Messages that need an operator: a movement that could not be read, a refund or a reversal that the platform reported, a success that contradicts what was posted."`
	Q           *string `name:"q" placeholder:"TEXT" help:"A complete id: of an operation, a receipt, or a payment (tolem's or the platform's)."`
	Limit       int     `placeholder:"N" help:"At most so many. Default: all."`
}

// Help is shown by --help.
func (messagesListCommand) Help() string {
	return `Every message with a valid signature is stored, also one that names no payment. --from and --to select by the time of arrival.

Example:

  tolem messages list --open
  tolem messages list --disposition foreign --from 2026-11-01 --to 2026-11-30
  tolem messages list --q 2811 --json`
}

// Run lists.
func (c *messagesListCommand) Run(ctx context.Context, p *console.Program) error {
	var filter store.MessageFilter
	check := func(cfg *config.Config) (err error) {
		filter, err = c.filter(cfg)
		return err
	}
	return p.WithBooks(ctx, func(b console.Books) error {
		l := p.List(c.JSON, "MESSAGE", "RECEIVED", "PROVIDER", "DISPOSITION", "OPEN", "STATUS", "OPERATION", "PLATFORM'S PAYMENT", "PAYMENT")
		for {
			filter.Limit = messagePage
			if c.Limit > 0 {
				filter.Limit = min(messagePage, c.Limit-l.Count)
			}
			page, next, err := b.Messages(ctx, filter)
			if err != nil {
				return err
			}
			for i := range page {
				m := &page[i]
				err := l.Add(view.MessageOf(m), strconv.FormatInt(m.ID, 10), console.When(m.ReceivedAt, b.Config.Location()), m.Provider+" "+m.Project,
					string(m.Disposition), orDash(string(m.Open)), orDash(m.Status), orDash(m.Operation), orDash(m.Reference), orDash(m.PaymentID))
				if err != nil {
					return err
				}
			}
			if next == "" || (c.Limit > 0 && l.Count == c.Limit) {
				return l.End()
			}
			filter.Cursor = next
		}
	}, check)
}

func (c *messagesListCommand) filter(cfg *config.Config) (f store.MessageFilter, err error) {
	f.Open = c.Open
	if c.Disposition != nil {
		if f.Disposition, err = store.ParseDisposition(*c.Disposition); err != nil {
			return f, console.WrongUsage("--%w", err)
		}
	}
	if c.Q != nil {
		if f.Q = *c.Q; f.Q == "" {
			return f, console.WrongUsage("--q must not be empty")
		}
	}
	if c.Limit < 0 {
		return f, console.WrongUsage("--limit must not be negative")
	}
	f.From, f.To, err = c.Between(cfg.Location())
	return f, err
}

// messagesShowCommand shows a message.
type messagesShowCommand struct {
	console.JSONFlag
	ID int64 `arg:"" help:"The message's number, as messages list has it."`
}

// Help is shown by --help.
func (messagesShowCommand) Help() string {
	return `The raw body contains personal data that the payer entered: show it only to people who need it.

Example:

  tolem messages show 812`
}

// Run shows it.
func (c *messagesShowCommand) Run(ctx context.Context, p *console.Program) error {
	return p.WithBooks(ctx, func(b console.Books) error {
		m, body, err := b.Message(ctx, c.ID)
		if err != nil {
			return err
		}
		cut := false
		if body != nil {
			event, err := b.ReadStored(m, body)
			cut = err == nil && event.MaybeCut
		}
		if c.JSON {
			return p.PrintJSON(view.WholeMessageOf(&m, body, cut))
		}
		return printMessage(p, b, m, body, cut)
	})
}

func printMessage(p *console.Program, b console.Books, m store.StoredMessage, body []byte, cut bool) error {
	zone := b.Config.Location()
	t := p.Table()
	t.Row("message", strconv.FormatInt(m.ID, 10))
	t.Row("received", console.When(m.ReceivedAt, zone))
	t.Row("project", m.Provider+" "+m.Project)
	t.Row("source", string(m.Source))
	t.Row("disposition", string(m.Disposition))
	t.RowIf("open", string(m.Open))
	if cut {
		t.Row("may be cut", "from other signed text: nothing of it is believed; ask the platform, then use payments record")
	}
	t.RowIf("platform's payment", m.Reference)
	t.RowIf("payment", m.PaymentID)
	t.RowIf("transaction", m.TransactionID)
	t.RowIf("status", m.Status)
	t.RowIf("operation", m.Operation)
	if !m.PaidBack.IsZero() {
		t.Row("given back", m.PaidBack.String())
	}
	t.RowIf("code", m.Code)
	t.RowIf("receipt", m.Receipt)
	for _, step := range m.Steps {
		text := step.Action
		if step.TransactionID != "" {
			text += " by " + step.TransactionID
		}
		t.Row(console.When(step.At, zone), text+" ("+step.Actor+": "+step.Reason+")")
	}
	if err := t.Flush(); err != nil {
		return err
	}
	if body == nil {
		return p.Println("\nthe raw body is gone (raw_retention)")
	}
	return p.Println("\n" + console.Printable(string(body)))
}

// messagesSuspendCommand suspends money of a message.
type messagesSuspendCommand struct {
	console.Operator
	console.JSONFlag
	ID        int64  `arg:"" help:"The message's number, as messages list has it."`
	Amount    *int64 `placeholder:"N" help:"In minor units, when it cannot be read in the message, or for a part."`
	Currency  string `placeholder:"C" help:"Three letters, when it cannot be read in the message."`
	Operation string `placeholder:"ID" help:"JetPay's operation, when it cannot be read in the message."`
	Reference string `placeholder:"ID" help:"HighHelp's payment_id, when it cannot be read in the message."`
}

// Help is shown by --help.
func (messagesSuspendCommand) Help() string {
	return `For a stored, signed message whose money was not posted: one that could not be read, one of a method that was not configured, a HighHelp success with another sum than its payment's. Its money is put into suspense, from where it is assigned or returned; once per message and once per operation, at most the sum in the message. Values that cannot be read in it must be given: the operation (HighHelp: the reference), the amount, the currency. Never for a message that may be cut from other signed text; messages show says so.

Example:

  tolem messages suspend 812 --reason "JetPay confirms operation 2811, letter of 12 November"
  tolem messages suspend 813 --operation 2812 --amount 10000 --currency KZT --reason "ticket 4711"`
}

// Run suspends.
func (c *messagesSuspendCommand) Run(ctx context.Context, p *console.Program) error {
	request := topup.SuspendRequest{Operation: c.Operation, Reference: c.Reference, Currency: c.Currency}
	if c.Amount != nil {
		// A part of nothing is a mistake, not the whole.
		if request.Amount = *c.Amount; request.Amount < 1 {
			return console.WrongUsage("--amount must be at least 1 minor unit")
		}
	}
	return operate(ctx, p, c.Operator, c.JSON, func(b console.Books, by store.By) (topup.Transaction, error) {
		return b.SuspendMessage(ctx, c.ID, request, by)
	})
}

// messagesDismissCommand settles a message.
type messagesDismissCommand struct {
	console.Operator
	console.JSONFlag
	ID int64 `arg:"" help:"The message's number, as messages list has it."`
}

// Help is shown by --help.
func (messagesDismissCommand) Help() string {
	return `Records that a message was handled: one that could not be read, a refund or a reversal, or a success that contradicts what was posted. It is no longer listed as open, and the flag refund or reversal of its payment is cleared when no other message has set it. It moves no money.

Example:

  tolem messages dismiss 812 --reason "recalled and returned, ticket 4711"`
}

// Run dismisses.
func (c *messagesDismissCommand) Run(ctx context.Context, p *console.Program) error {
	return p.AsOperator(ctx, c.Operator, func(b console.Books, by store.By) error {
		if err := b.DismissMessage(ctx, c.ID, by); err != nil {
			return err
		}
		m, _, err := b.Message(ctx, c.ID)
		if err != nil {
			return err
		}
		if c.JSON {
			return p.PrintJSON(view.MessageOf(&m))
		}
		return p.Println("message " + strconv.FormatInt(m.ID, 10) + " was dismissed")
	})
}
