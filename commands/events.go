package commands

import (
	"context"
	"fmt"
	"strings"

	"tolem/commands/internal/console"
	"tolem/config"
	"tolem/store"
	"tolem/view"
)

// eventsPage is how many notifications are read at a time.
const eventsPage = 500

// eventsCommands are about notifications.
type eventsCommands struct {
	List   eventsListCommand   `cmd:"" help:"List notifications, the newest first."`
	Show   eventsShowCommand   `cmd:"" help:"Show a notification, what became of it at each endpoint, and its body."`
	Resend eventsResendCommand `cmd:"" help:"Send a notification again, or all of a period."`
	Skip   eventsSkipCommand   `cmd:"" help:"Give up a notification, so that the later ones of its contract pass."`
	Listen eventsListenCommand `cmd:"" help:"Receive, verify and print notifications, for integrators."`
}

// eventsListCommand lists notifications.
type eventsListCommand struct {
	console.Span
	console.JSONFlag
	Status console.Condition `placeholder:"S" help:"Those that have such a delivery: pending, delivered, failed or skipped."`
	Limit  int               `placeholder:"N" help:"At most so many. Default: all."`
}

// Help is shown by --help.
func (eventsListCommand) Help() string {
	return `The notifications for the endpoints of notify in the configuration, and what became of each at every endpoint. A pending or failed one keeps the later ones of its contract from that endpoint.

Example:

  tolem events list --status failed
  tolem events list --from 2026-11-29 --to 2026-11-29 --json`
}

// Run lists.
func (c *eventsListCommand) Run(ctx context.Context, p *console.Program) error {
	filter := store.EventFilter{State: store.DeliveryState(c.Status)}
	check := func(cfg *config.Config) (err error) {
		if c.Limit < 0 {
			return console.WrongUsage("--limit must not be negative")
		}
		filter.Period.From, filter.Period.To, err = c.Between(cfg.Location())
		return err
	}
	return p.WithBooks(ctx, func(b console.Books) error {
		l := p.List(c.JSON, "EVENT", "TYPE", "AT", "PAYMENT OR PAYOUT", "TRANSACTION", "DELIVERIES")
		for {
			filter.Limit = eventsPage
			if c.Limit > 0 {
				filter.Limit = min(eventsPage, c.Limit-l.Count)
			}
			page, next, err := b.Events(ctx, filter)
			if err != nil {
				return console.RefusedFilter(err)
			}
			for _, e := range page {
				err := l.Add(view.EventOf(e, false), e.ID, string(e.Type), console.When(e.At, b.Config.Location()), orDash(e.PaymentID+e.PayoutID),
					orDash(e.TransactionID), deliveries(e.Deliveries))
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

// deliveries is one line about what became of a notification.
func deliveries(list []store.Delivery) string {
	texts := make([]string, len(list))
	for i, d := range list {
		texts[i] = d.Endpoint + " " + string(d.State)
		if d.Error != "" {
			texts[i] += " (" + d.Error + ")"
		}
	}
	return orDash(strings.Join(texts, ", "))
}

// eventsShowCommand shows a notification.
type eventsShowCommand struct {
	console.JSONFlag
	ID string `arg:"" help:"The event's id, as events list has it."`
}

// Help is shown by --help.
func (eventsShowCommand) Help() string {
	return `Shows a notification as it is sent.

Example:

  tolem events show evt_01KAM3Y8S2K9YH3GB2M3Y7E1QZ`
}

// Run shows it.
func (c *eventsShowCommand) Run(ctx context.Context, p *console.Program) error {
	return p.WithBooks(ctx, func(b console.Books) error {
		e, err := b.Event(ctx, c.ID)
		if err != nil {
			return err
		}
		if c.JSON {
			return p.PrintJSON(view.EventOf(e, true))
		}
		t := p.Table()
		t.Row("event", e.ID)
		t.Row("type", string(e.Type))
		t.Row("at", console.When(e.At, b.Config.Location()))
		t.RowIf("payment", e.PaymentID)
		t.RowIf("payout", e.PayoutID)
		t.RowIf("transaction", e.TransactionID)
		t.Row("in order with", e.Contract)
		for _, d := range e.Deliveries {
			text := fmt.Sprintf("%s, %d attempts", d.State, d.Attempts)
			if !d.LastAt.IsZero() {
				text += ", the last one " + console.When(d.LastAt, b.Config.Location())
			}
			if d.Error != "" {
				text += ": " + d.Error
			}
			if d.State == store.DeliveryPending {
				text += ", due " + console.When(d.NextAt, b.Config.Location())
			}
			t.Row("endpoint "+d.Endpoint, text)
		}
		t.Row("body", string(e.Body))
		return t.Flush()
	})
}

// eventsResendCommand sends notifications again.
type eventsResendCommand struct {
	console.Span
	ID     string `arg:"" optional:"" help:"The event's id; or give --from and --to."`
	Reason string `placeholder:"TEXT" help:"The reason; recorded in the audit."`
	Actor  string `placeholder:"NAME" help:"The actor; recorded beside the system's user. Default: the variable TOLEM_ACTOR, else the system's user."`
}

// Help is shown by --help.
func (eventsResendCommand) Help() string {
	return `Makes notifications due at all their endpoints, also where they were delivered or skipped. Receivers get the same webhook-id, so those that keep the ids they have seen do nothing twice.

Example:

  tolem events resend evt_01KAM3Y8S2K9YH3GB2M3Y7E1QZ
  tolem events resend --from 2026-11-28 --to 2026-11-29`
}

// Run makes them due.
func (c *eventsResendCommand) Run(ctx context.Context, p *console.Program) error {
	spanned := c.From != "" || c.To != ""
	if (c.ID != "") == spanned || spanned && (c.From == "" || c.To == "") {
		return console.WrongUsage("give an event's id, or --from and --to")
	}
	var period store.Period
	var by store.By
	check := func(cfg *config.Config) (err error) {
		if period.From, period.To, err = c.Between(cfg.Location()); err != nil {
			return err
		}
		by, err = p.By(console.Operator{Reason: c.Reason, Actor: c.Actor}, cfg.Location())
		return err
	}
	return p.WithBooks(ctx, func(b console.Books) error {
		if c.ID != "" {
			if err := b.ResendEvent(ctx, c.ID, by); err != nil {
				return err
			}
			return p.Println("event " + c.ID + " is due again")
		}
		n, err := b.ResendEvents(ctx, period, by)
		if err != nil {
			return err
		}
		return p.Println(fmt.Sprintf("%d deliveries are due again", n))
	}, check)
}

// eventsSkipCommand gives a notification up.
type eventsSkipCommand struct {
	ID     string `arg:"" help:"The event's id, as events list has it."`
	Reason string `required:"" placeholder:"TEXT" help:"The reason; recorded in the audit."`
	Actor  string `placeholder:"NAME" help:"The actor; recorded beside the system's user. Default: the variable TOLEM_ACTOR, else the system's user."`
}

// Validate is called by kong: an empty reason is no reason.
func (c eventsSkipCommand) Validate() error { return console.Operator{Reason: c.Reason}.Validate() }

// Help is shown by --help.
func (eventsSkipCommand) Help() string {
	return `The endpoints that do not have the notification never get it, unless it is sent again with events resend. The later ones of its contract are delivered.

Example:

  tolem events skip evt_01KAM3Y8S2K9YH3GB2M3Y7E1QZ --reason "booked by hand, ticket 4711"`
}

// Run gives it up.
func (c *eventsSkipCommand) Run(ctx context.Context, p *console.Program) error {
	return p.AsOperator(ctx, console.Operator{Reason: c.Reason, Actor: c.Actor}, func(b console.Books, by store.By) error {
		if err := b.SkipEvent(ctx, c.ID, by); err != nil {
			return err
		}
		return p.Println("event " + c.ID + " is skipped")
	})
}
