package commands

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"tolem/calendar"
	"tolem/commands/internal/console"
	"tolem/config"
	"tolem/store"
	"tolem/topup"
	"tolem/view"
)

// paymentPage is how many payments are read at a time.
const paymentPage = 500

// paymentsCommands show and correct payments.
type paymentsCommands struct {
	List   paymentsListCommand   `cmd:"" help:"List payments, the newest first."`
	Show   paymentsShowCommand   `cmd:"" help:"Show a payment with its whole timeline."`
	Credit paymentsCreditCommand `cmd:"" help:"Credit a payment whose callback has not arrived."`
	Record paymentsRecordCommand `cmd:"" help:"Credit money that no message has reported, as a new payment."`
	Refund paymentsRefundCommand `cmd:"" help:"Book that credited money went back to the payer, in whole or in part."`
	Recall paymentsRecallCommand `cmd:"" help:"Take a credit to the wrong contract back into suspense."`
	Close  paymentsCloseCommand  `cmd:"" help:"Close a review in which nothing is credited and nothing is in suspense."`
}

// paymentsListCommand lists payments.
type paymentsListCommand struct {
	console.Span
	console.FormatFlags
	Status      console.Condition       `placeholder:"S" help:"One of pending, succeeded, declined, expired, review."`
	Flag        console.Condition       `placeholder:"F" help:"Payments with this flag, such as amount_differs."`
	Customer    console.Condition       `placeholder:"C" help:"Payments of this customer."`
	Q           console.Condition       `name:"q" placeholder:"TEXT" help:"A complete id: the payment's, the provider's, the operation's, a receipt number; or the beginning of a contract number, in which blanks are ignored."`
	Amount      console.AmountCondition `placeholder:"N" help:"Payments of this sum in major units: 5000 and 5000.00 are both five thousand tenge. (The admin API's amount is in minor units.)"`
	PendingOver time.Duration           `placeholder:"D" help:"Pending for longer than this, such as 2h."`
	Limit       int                     `default:"0" placeholder:"N" help:"At most so many. Default: all."`
}

// Help is shown by --help.
func (paymentsListCommand) Help() string {
	return `All conditions must hold. --from and --to select by the time of issue. With --limit, standard error says when there are more payments.

--amount alone, or with only --status succeeded, looks at the last 40 days; name others with --from or --to.

Example:

  tolem payments list --status review
  tolem payments list --customer 7123456789 --from 2026-11-01 --to 2026-11-01
  tolem payments list --q "1234_ABC / 01" --amount 5000.00
  tolem payments list --pending-over 2h --json
  tolem payments list --from 2026-11-01 --to 2026-11-30 --format xlsx --out november.xlsx`
}

// Run lists.
func (c *paymentsListCommand) Run(ctx context.Context, p *console.Program) error {
	var filter store.PaymentFilter
	check := func(cfg *config.Config) (err error) {
		filter, err = c.filter(cfg)
		return err
	}
	return p.WithBooks(ctx, func(b console.Books) error {
		if days := c.amountDays(&filter, b.Config.Location()); days != "" {
			p.Warn(days)
		}
		found := func(yield func(*topup.Payment) error) error { return c.each(ctx, p, b, filter, yield) }
		return console.PrintRecords(p, c.FormatFlags, paymentTable(b.Config.Location()), found, func(p *console.Program, asJSON bool) error {
			l := p.List(asJSON, "PAYMENT", "STATUS", "FLAGS", "AMOUNT", "CUSTOMER", "CONTRACT", "ISSUED")
			err := found(func(payment *topup.Payment) error {
				return l.Add(view.PaymentOf(payment), paymentCells(b, payment)...)
			})
			if err != nil {
				return err
			}
			return l.End()
		})
	}, check)
}

// each passes the payments of the filter to yield, page by page, at most --limit
// of them.
func (c *paymentsListCommand) each(ctx context.Context, p *console.Program, b console.Books, filter store.PaymentFilter, yield func(*topup.Payment) error) error {
	for n := 0; ; {
		filter.Limit = paymentPage
		if c.Limit > 0 {
			filter.Limit = min(paymentPage, c.Limit-n)
		}
		payments, next, err := b.Payments(ctx, filter)
		if err != nil {
			return console.RefusedFilter(err)
		}
		for _, payment := range payments {
			if err := yield(payment); err != nil {
				return err
			}
		}
		n += len(payments)
		if next == "" {
			return nil
		}
		if n == c.Limit {
			p.Warn(fmt.Sprintf("there are more than these %d payments: narrow the search, or leave --limit out", c.Limit))
			return nil
		}
		filter.Cursor = next
	}
}

// amountDays is how far back payments are searched by their amount alone:
// without another condition every payment would be read.
const amountDays = 40

// amountDays bounds a search that has nothing but an amount, and says so.
func (c *paymentsListCommand) amountDays(f *store.PaymentFilter, zone *time.Location) (note string) {
	narrow := f.CustomerID != "" || f.Q != "" || f.Flag != 0 || f.PendingOver != 0 || f.Status != "" && f.Status != topup.StatusSucceeded
	if f.Major.IsZero() || narrow || !f.From.IsZero() {
		return ""
	}
	last := time.Now()
	if !f.To.IsZero() {
		last = f.To.Add(-1)
	}
	first := calendar.DayOf(last, zone).Add(-amountDays)
	f.From = first.Start(zone)
	return fmt.Sprintf("only payments from %s on are searched for the amount; give --from to search others", first)
}

func (c *paymentsListCommand) filter(cfg *config.Config) (store.PaymentFilter, error) {
	f := store.PaymentFilter{CustomerID: string(c.Customer), Q: string(c.Q), Major: c.Amount.Major, PendingOver: c.PendingOver}
	var err error
	if c.Status != "" {
		if f.Status, err = topup.ParseStatus(string(c.Status)); err != nil {
			return f, console.WrongUsage("--%w", err)
		}
	}
	if f.Flag, err = console.FlagCondition(c.Flag); err != nil {
		return f, err
	}
	if c.PendingOver < 0 {
		return f, console.WrongUsage("--pending-over must not be negative")
	}
	if c.Limit < 0 {
		return f, console.WrongUsage("--limit must not be negative")
	}
	f.From, f.To, err = c.Between(cfg.Location())
	return f, err
}

func paymentCells(b console.Books, p *topup.Payment) []string {
	return []string{
		p.ID, string(p.Status), orDash(strings.Join(p.Flags.Names(), ",")), p.Money.String(),
		orDash(p.CustomerID), orDash(p.ContractID), console.When(p.CreatedAt, b.Config.Location()),
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
	console.JSONFlag
	PaymentID string `arg:"" name:"payment_id" help:"The payment's id."`
}

// Help is shown by --help.
func (paymentsShowCommand) Help() string {
	return `Prints the requested sum, the payment's status, the provider's last status with its date, and the timeline: the issue, each message of the provider and its disposition, each ledger transaction. The provider's date is that of its status; a movement's own date is the one by which it is booked. operation is the movement's; a refund's is among the other operations. A refund or a reversal that the platform has reported, and that no operator has booked or dismissed, is shown with the arguments of payments refund.

Example:

  tolem payments show payment_47
  tolem payments show payment_47 --json`
}

// Run shows it.
func (c *paymentsShowCommand) Run(ctx context.Context, p *console.Program) error {
	return p.WithBooks(ctx, func(b console.Books) error {
		payment, err := b.Payment(ctx, c.PaymentID)
		if err != nil {
			return err
		}
		timeline, err := b.Timeline(ctx, payment)
		if err != nil {
			return err
		}
		if c.JSON {
			return p.PrintJSON(view.WholePaymentOf(payment, timeline))
		}
		return printPayment(p, b, payment, timeline)
	})
}

func printPayment(p *console.Program, b console.Books, payment *topup.Payment, timeline []store.TimelineEntry) error {
	zone := b.Config.Location()
	t := p.Table()
	t.Row("payment", payment.ID)
	t.Row("status", string(payment.Status))
	t.RowIf("flags", strings.Join(payment.Flags.Names(), ", "))
	t.Row("amount", payment.Money.String())
	t.RowIf("customer", payment.CustomerID)
	t.RowIf("contract", payment.ContractID)
	t.RowIf("contract number", payment.ContractNumber)
	t.Row("project", payment.Provider+" "+payment.Project)
	t.RowIf("method", payment.Method)
	t.Row("issued", console.When(payment.CreatedAt, zone))
	t.Row("expires", console.When(payment.ExpiresAt, zone))
	if c := payment.Credited; c != nil {
		note := ""
		if own := payment.Credit; own != nil && own.ByOperator && own.TransactionID == c.TransactionID {
			note = " (by an operator)"
		}
		t.Row("credited", c.Money.String()+" by "+c.TransactionID+note)
	}
	if c := payment.Credit; c != nil && (payment.Credited == nil || payment.Credited.TransactionID != c.TransactionID) {
		t.Row("first credit", c.Money.String()+" by "+c.TransactionID+creditNote(payment))
	}
	if !payment.Refunded.IsZero() {
		t.Row("refunded", payment.Refunded.String())
	}
	for _, r := range view.ReportedRefunds(timeline) {
		t.Row("reported "+string(r.Told), reportedRefund(r))
	}
	t.RowIf("provider's status", payment.ProviderStatus)
	if !payment.ProviderTime.IsZero() {
		t.Row("provider's date", console.When(payment.ProviderTime, zone))
	}
	t.RowIf("provider's code", strings.TrimSpace(payment.ProviderCode+" "+payment.ProviderMessage))
	t.RowIf("provider's payment", payment.ProviderReference)
	for _, entry := range timeline {
		if tx := entry.Transaction; tx != nil && tx.Operation != "" {
			t.Row("movement", fmt.Sprintf("operation %s on %s, %s", tx.Operation, console.When(tx.EffectiveAt, zone), tx.Kind))
		}
	}
	t.RowIf("operation", payment.OperationID)
	t.RowIf("other operations", otherOperations(payment, timeline))
	t.RowIf("receipt", payment.ProviderPaymentID)
	if err := t.Flush(); err != nil {
		return err
	}
	if err := p.Println("\ntimeline"); err != nil {
		return err
	}
	t = p.Table()
	for _, entry := range timeline {
		t.Row(console.When(entry.At, zone), string(entry.What), happened(payment, entry))
	}
	return t.Flush()
}

// otherOperations are the operations that messages of the payment named beside
// its own, such as that of a refund, each with what the provider said of it last.
func otherOperations(payment *topup.Payment, timeline []store.TimelineEntry) string {
	var order []string
	status := map[string]string{}
	for _, entry := range timeline {
		m := entry.Message
		if m == nil || m.Operation == "" || m.Operation == payment.OperationID || m.Disposition == topup.DispositionRepeat {
			continue
		}
		if _, seen := status[m.Operation]; !seen {
			order = append(order, m.Operation)
		}
		status[m.Operation] = m.Status
	}
	for i, operation := range order {
		order[i] = fmt.Sprintf("%s (%s)", operation, orDash(status[operation]))
	}
	return strings.Join(order, ", ")
}

func creditNote(p *topup.Payment) string {
	switch {
	case p.Credit.Reversed:
		return " (reversed)"
	case p.Credited == nil && !p.Refunded.IsZero():
		return " (refunded)"
	case p.Credited == nil:
		return " (recalled)"
	}
	return ""
}

// happened is one line about an entry of a payment's timeline.
func happened(payment *topup.Payment, entry store.TimelineEntry) string {
	if m := entry.Message; m != nil {
		return fmt.Sprintf("%s %d: status %s, operation %s, code %s: %s", m.Source, m.ID, orDash(m.Status), orDash(m.Operation), orDash(m.Code), m.Disposition) + gaveBack(m.PaidBack)
	}
	if s := entry.Step; s != nil {
		text := s.Action
		if s.MessageID != 0 {
			text += " of message " + strconv.FormatInt(s.MessageID, 10)
		}
		return text + " (" + s.Actor + ": " + s.Reason + ")"
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
	if t.ApprovedBy != "" {
		text += ", approved by " + t.ApprovedBy
	}
	return text
}

// answered shows the provider's last status response for a payment, compared
// with what was requested.
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
	return text + gaveBack(a.PaidBack)
}

// paymentsCreditCommand credits a payment by hand.
type paymentsCreditCommand struct {
	console.Operator
	console.JSONFlag
	PaymentID string `arg:"" name:"payment_id" help:"The payment's id."`
}

// Help is shown by --help.
func (paymentsCreditCommand) Help() string {
	return `For money that the platform confirms in its reports although its callback has not arrived. It becomes the payment's only credit: a later callback of the same sum is bound to it and posts nothing; one of another sum is put into suspense. First compare its sum with the platform's: payments show has the last status response of its Gate, and the command warns of a difference. Refused while money of the payment is in suspense (then use suspense assign), when money of it was assigned to another contract, and when it was credited before.

Example:

  tolem payments credit payment_47 --reason "in JetPay's report of 12 November, callback never came"`
}

// Run credits.
func (c *paymentsCreditCommand) Run(ctx context.Context, p *console.Program) error {
	return operate(ctx, p, c.Operator, c.JSON, func(b console.Books, by store.By) (topup.Transaction, error) {
		if err := c.compare(ctx, p, b); err != nil {
			return topup.Transaction{}, err
		}
		return b.CreditPayment(ctx, c.PaymentID, by)
	})
}

// compare warns of a sum that the provider gave otherwise, before it is credited.
func (c *paymentsCreditCommand) compare(ctx context.Context, p *console.Program, b console.Books) error {
	answer, err := b.StatusAnswer(ctx, c.PaymentID)
	if err != nil || answer == nil {
		return err
	}
	payment, err := b.Payment(ctx, c.PaymentID)
	if err != nil {
		return err
	}
	if differs := answer.Differs(payment.Money); differs != "" {
		p.Warn(fmt.Sprintf("the platform said %s that %s were paid; %s is credited, so that the %s differs: if that is wrong, reverse it",
			console.When(answer.At, b.Config.Location()), answer.Sum, payment.Money, differs))
	}
	return nil
}
