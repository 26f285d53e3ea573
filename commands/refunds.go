package commands

import (
	"context"
	"fmt"

	"tolem/commands/internal/console"
	"tolem/store"
	"tolem/topup"
	"tolem/view"
)

// payBackFlags say of money that went back by which operation, and who paid it.
type payBackFlags struct {
	Operation *string `placeholder:"ID" help:"The platform's id of the refund, or none: not one that the platform has reported. An operation refunds once."`
	From      *string `placeholder:"settlement|bank:NAME" help:"Who paid: the platform (settlement, the default), or the merchant from the bank account of that name."`
}

// of are the flags as a request. An empty one is refused: a script whose variable
// is empty would book the money without its operation.
func (f payBackFlags) of(amount int64) (topup.PayBack, error) {
	r := topup.PayBack{Amount: amount}
	for _, flag := range []struct {
		name  string
		given *string
		into  *string
	}{{"operation", f.Operation, &r.Operation}, {"from", f.From, &r.From}} {
		if flag.given == nil {
			continue
		}
		if *flag.given == "" {
			return r, console.WrongUsage("--%s must not be empty", flag.name)
		}
		*flag.into = *flag.given
	}
	return r, nil
}

// paymentsRefundCommand books a refund.
type paymentsRefundCommand struct {
	console.Operator
	console.JSONFlag
	payBackFlags
	PaymentID   string  `arg:"" name:"payment_id" help:"The payment's id."`
	Amount      int64   `required:"" placeholder:"N" help:"In minor units: 3000 is 30.00 KZT."`
	Transaction *string `placeholder:"ID" help:"The credit or assignment to take it from. Default: the payment's credit."`
}

// Help is shown by --help.
func (paymentsRefundCommand) Help() string {
	return `Books that money which is credited went back to the payer: a part or all of it, several times, at most what is left. It moves no money itself: the platform, or the merchant's bank, does. The payment stays succeeded, and gets the flag refunded. ledger reverse undoes it.

While the platform has reported a refund of this payment that is not booked, name its operation, or none if this is another one; payments show has the operation and its sum. Naming it clears the flag refund or reversal. What lies in suspense is not refunded but returned: suspense return.

Example:

  tolem payments refund payment_47 --amount 3000 --operation 2812 --reason "JetPay's report of 12 November, line 813"
  tolem payments refund payment_47 --amount 3000 --from bank:halyk --reason "paid back by us, order 17"`
}

// Run refunds.
func (c *paymentsRefundCommand) Run(ctx context.Context, p *console.Program) error {
	request := topup.RefundRequest{}
	var err error
	if request.PayBack, err = c.of(c.Amount); err != nil {
		return err
	}
	if c.Transaction != nil {
		if request.Transaction = *c.Transaction; request.Transaction == "" {
			return console.WrongUsage("--transaction must not be empty")
		}
	}
	return operate(ctx, p, c.Operator, c.JSON, func(b console.Books, by store.By) (topup.Transaction, error) {
		return b.RefundPayment(ctx, c.PaymentID, request, by)
	})
}

// reportedRefund shows a refund that the platform has reported, with the arguments of
// payments refund or suspense return.
func reportedRefund(r view.ReportedRefund) string {
	if r.Sum == nil {
		return fmt.Sprintf("operation %s, sum unknown: see messages show %d", orDash(r.OperationID), r.MessageID)
	}
	return fmt.Sprintf("%s: --operation %s --amount %d", topup.Money{Amount: r.Sum.Amount, Currency: r.Sum.Currency}, r.OperationID, r.Sum.Amount)
}

// gaveBack is the sum that a message reports as given back to the payer.
func gaveBack(sum topup.Money) string {
	if sum.IsZero() {
		return ""
	}
	return ", " + sum.String() + " given back"
}
