package commands

import (
	"context"
	"fmt"
	"strings"
	"time"

	"tolem/config"
	"tolem/store"
	"tolem/topup"
	"tolem/view"
)

// paymentPage is how many payments are read at a time.
const paymentPage = 500

// paymentsCommands look at payments.
type paymentsCommands struct {
	List   paymentsListCommand   `cmd:"" help:"List payments, the newest first."`
	Show   paymentsShowCommand   `cmd:"" help:"Show a payment with its whole timeline."`
	Credit paymentsCreditCommand `cmd:"" help:"Credit a payment whose callback never came."`
}

// paymentsListCommand lists payments.
type paymentsListCommand struct {
	span
	jsonFlag
	Status      string        `placeholder:"S" help:"One of pending, succeeded, declined, expired, review."`
	Flag        string        `placeholder:"F" help:"Payments with this flag, such as amount_differs."`
	Customer    string        `placeholder:"C" help:"Payments of this customer."`
	Q           string        `name:"q" placeholder:"TEXT" help:"Any id, in full: ours, the provider's, the operation's, a receipt number; or a contract number."`
	PendingOver time.Duration `placeholder:"D" help:"Pending since longer than this, such as 2h."`
	Limit       int           `default:"1000" placeholder:"N" help:"At most so many; 0: all. Default: ${default}."`
}

// Help is shown by --help.
func (paymentsListCommand) Help() string {
	return `All conditions must hold. --from and --to are about the time at which the payment was issued. When there are more payments than --limit, that is said on standard error.

Example:

  tolem payments list --status review
  tolem payments list --customer 7123456789 --from 2026-11-01 --to 2026-11-01
  tolem payments list --pending-over 2h --json`
}

// Run lists.
func (c *paymentsListCommand) Run(ctx context.Context, p *program) error {
	var filter store.PaymentFilter
	check := func(cfg *config.Config) (err error) {
		filter, err = c.filter(cfg)
		return err
	}
	return p.withBooks(ctx, func(b books) error {
		l := p.list(c.JSON, "PAYMENT", "STATUS", "FLAGS", "AMOUNT", "CUSTOMER", "CONTRACT", "ISSUED")
		for {
			filter.Limit = paymentPage
			if c.Limit > 0 {
				filter.Limit = min(paymentPage, c.Limit-l.n)
			}
			payments, next, err := b.Payments(ctx, filter)
			if err != nil {
				return err
			}
			for _, payment := range payments {
				if err := l.add(view.PaymentOf(payment), paymentCells(b, payment)...); err != nil {
					return err
				}
			}
			if next == "" {
				return l.end()
			}
			if l.n == c.Limit {
				p.warn(fmt.Sprintf("there are more than these %d payments: narrow the search, or give --limit 0", c.Limit))
				return l.end()
			}
			filter.Cursor = next
		}
	}, check)
}

func (c *paymentsListCommand) filter(cfg *config.Config) (store.PaymentFilter, error) {
	f := store.PaymentFilter{CustomerID: c.Customer, Q: c.Q, PendingOver: c.PendingOver}
	var err error
	if c.Status != "" {
		if f.Status, err = topup.ParseStatus(c.Status); err != nil {
			return f, wrongUsage("--%w", err)
		}
	}
	if c.Flag != "" {
		if f.Flag, err = topup.ParseFlag(c.Flag); err != nil {
			return f, wrongUsage("--%w", err)
		}
	}
	if c.PendingOver < 0 {
		return f, wrongUsage("--pending-over must not be negative")
	}
	if c.Limit < 0 {
		return f, wrongUsage("--limit must not be negative")
	}
	f.From, f.To, err = c.between(cfg.Location())
	return f, err
}

func paymentCells(b books, p *topup.Payment) []string {
	return []string{
		p.ID, string(p.Status), orDash(strings.Join(p.Flags.Names(), ",")), p.Money.String(),
		orDash(p.CustomerID), orDash(p.ContractID), when(p.CreatedAt, b.cfg.Location()),
	}
}

func orDash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}

// paymentsShowCommand shows one payment.
type paymentsShowCommand struct {
	jsonFlag
	PaymentID string `arg:"" name:"payment_id" help:"The payment's id."`
}

// Help is shown by --help.
func (paymentsShowCommand) Help() string {
	return `What was asked, where the payment stands, what the provider said last, and everything that happened to it in the order of time: the issue, each delivery of the provider and what was done about it, each ledger transaction.

Example:

  tolem payments show payment_47
  tolem payments show payment_47 --json`
}

// Run shows it.
func (c *paymentsShowCommand) Run(ctx context.Context, p *program) error {
	return p.withBooks(ctx, func(b books) error {
		payment, err := b.Payment(ctx, c.PaymentID)
		if err != nil {
			return err
		}
		timeline, err := b.Timeline(ctx, payment)
		if err != nil {
			return err
		}
		if c.JSON {
			return p.printJSON(view.WholePaymentOf(payment, timeline))
		}
		return p.printPayment(b, payment, timeline)
	})
}

func (p *program) printPayment(b books, payment *topup.Payment, timeline []store.TimelineEntry) error {
	zone := b.cfg.Location()
	t := p.table()
	t.row("payment", payment.ID)
	t.row("status", string(payment.Status))
	t.rowIf("flags", strings.Join(payment.Flags.Names(), ", "))
	t.row("amount", payment.Money.String())
	t.rowIf("customer", payment.CustomerID)
	t.rowIf("contract", payment.ContractID)
	t.rowIf("contract number", payment.ContractNumber)
	t.row("project", payment.Provider+" "+payment.Project)
	t.rowIf("method", payment.Method)
	t.row("issued", when(payment.CreatedAt, zone))
	t.row("expires", when(payment.ExpiresAt, zone))
	if c := payment.Credit; c != nil {
		t.row("credit", c.Money.String()+" by "+c.TransactionID+creditNote(c))
	}
	t.rowIf("provider's status", payment.ProviderStatus)
	t.rowIf("provider's code", strings.TrimSpace(payment.ProviderCode+" "+payment.ProviderMessage))
	t.rowIf("provider's payment", payment.ProviderReference)
	t.rowIf("operation", payment.OperationID)
	t.rowIf("receipt", payment.ProviderPaymentID)
	if err := t.flush(); err != nil {
		return err
	}
	if err := p.println("\ntimeline"); err != nil {
		return err
	}
	t = p.table()
	for _, entry := range timeline {
		t.row(when(entry.At, zone), string(entry.What), happened(payment, entry))
	}
	return t.flush()
}

// rowIf adds a row, unless it would be empty.
func (t *table) rowIf(name, value string) {
	if value != "" {
		t.row(name, value)
	}
}

func creditNote(c *topup.Credit) string {
	switch {
	case c.Reversed:
		return " (reversed)"
	case c.ByOperator:
		return " (by an operator)"
	}
	return ""
}

// happened is one line about an entry of a payment's timeline.
func happened(payment *topup.Payment, entry store.TimelineEntry) string {
	if m := entry.Message; m != nil {
		return fmt.Sprintf("%s: status %s, operation %s, code %s: %s", m.Source, orDash(m.Status), orDash(m.Operation), orDash(m.Code), m.Disposition)
	}
	if entry.Answer != nil {
		return answered(payment, entry.Answer)
	}
	t := entry.Transaction
	if t == nil {
		return ""
	}
	var moves []string
	for _, posting := range t.Postings {
		moves = append(moves, fmt.Sprintf("%s %s %s", side(posting.Amount), posting.Account,
			topup.Money{Amount: max(posting.Amount, -posting.Amount), Currency: posting.Currency}))
	}
	text := fmt.Sprintf("%s %s: %s", t.Kind, t.ID, strings.Join(moves, ", "))
	if t.Actor != "" {
		text += fmt.Sprintf(" (%s: %s)", t.Actor, t.Reason)
	}
	return text
}

// answered is what the provider answered when it was asked for a payment's
// status, compared with what was asked.
func answered(payment *topup.Payment, a *store.StatusAnswer) string {
	text := fmt.Sprintf("%s: HTTP status %d, status %s", topup.SourceInfo, a.HTTPStatus, orDash(a.Status))
	if reason := strings.TrimSpace(a.Code + " " + a.Message); reason != "" {
		text += fmt.Sprintf(", code %s", reason)
	}
	if a.Operation != "" {
		text += ", operation " + a.Operation
	}
	switch {
	case a.Sum.IsZero():
	case a.Differs(payment.Money) != "":
		text += fmt.Sprintf(": %s, the %s DIFFERS from the %s that were asked", a.Sum, a.Differs(payment.Money), payment.Money)
	default:
		text += fmt.Sprintf(": %s, as asked", a.Sum)
	}
	return text
}

// paymentsCreditCommand credits a payment by hand.
type paymentsCreditCommand struct {
	operator
	jsonFlag
	PaymentID string `arg:"" name:"payment_id" help:"The payment's id."`
}

// Help is shown by --help.
func (paymentsCreditCommand) Help() string {
	return `For money that the platform confirms in its own reports while its callback never came. Takes the payment's one credit: a callback that comes later is bound to it and posts nothing. Compare its sum with the platform's first: what its Gate said is in payments show, and a difference is warned of. Refused while money of the payment lies in suspense (then use suspense assign) and when it was credited before.

Example:

  tolem payments credit payment_47 --reason "in JetPay's report of 12 November, callback never came"`
}

// Run credits.
func (c *paymentsCreditCommand) Run(ctx context.Context, p *program) error {
	return p.operate(ctx, c.operator, c.JSON, func(b books, by store.By) (topup.Transaction, error) {
		if err := c.compare(ctx, p, b); err != nil {
			return topup.Transaction{}, err
		}
		return b.CreditPayment(ctx, c.PaymentID, by)
	})
}

// compare warns of a sum that the provider gave otherwise, before it is credited.
func (c *paymentsCreditCommand) compare(ctx context.Context, p *program, b books) error {
	answer, err := b.StatusAnswer(ctx, c.PaymentID)
	if err != nil || answer == nil {
		return err
	}
	payment, err := b.Payment(ctx, c.PaymentID)
	if err != nil {
		return err
	}
	if differs := answer.Differs(payment.Money); differs != "" {
		p.warn(fmt.Sprintf("the platform said %s that %s were paid; %s is credited, so that the %s differs: if that is wrong, reverse it",
			when(answer.At, b.cfg.Location()), answer.Sum, payment.Money, differs))
	}
	return nil
}
