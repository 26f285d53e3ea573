package commands

import (
	"context"

	"tolem/commands/internal/console"
	"tolem/store"
	"tolem/topup"
	"tolem/view"
)

// paymentsRecallCommand moves a credit back into suspense.
type paymentsRecallCommand struct {
	console.Operator
	console.JSONFlag
	PaymentID string `arg:"" name:"payment_id" help:"The payment's id."`
}

// Help is shown by --help.
func (paymentsRecallCommand) Help() string {
	return `For a credit to the wrong contract: its remaining money is moved from the contract into suspense, and the payment gets the status review. From there suspense assign moves it to the right contract, or suspense return books its return to the platform. The transaction's id is the suspense item. The payment's only credit stays used: no message and no payments credit can credit it again. When the payment has several credits, the newest is recalled.

Example:

  tolem payments recall payment_47 --reason "the payer meant contract 67890, ticket 4711"
  tolem suspense assign t_01KAM3Y8S2K9YH3GB2M3Y7E1QZ --customer 7123456789 --entity 67890 --reason "ticket 4711"`
}

// Run recalls.
func (c *paymentsRecallCommand) Run(ctx context.Context, p *console.Program) error {
	return operate(ctx, p, c.Operator, c.JSON, func(b console.Books, by store.By) (topup.Transaction, error) {
		return b.RecallPayment(ctx, c.PaymentID, by)
	})
}

// paymentsCloseCommand ends a review.
type paymentsCloseCommand struct {
	console.Operator
	console.JSONFlag
	PaymentID string `arg:"" name:"payment_id" help:"The payment's id."`
}

// Help is shown by --help.
func (paymentsCloseCommand) Help() string {
	return `For a review after which there is nothing to book: the payment becomes declined. It moves no money. A later success still credits the payment. Refused while money of the payment is credited or in suspense.

Example:

  tolem payments close payment_47 --reason "JetPay: the payer was never charged, letter of 12 November"`
}

// Run closes.
func (c *paymentsCloseCommand) Run(ctx context.Context, p *console.Program) error {
	return p.AsOperator(ctx, c.Operator, func(b console.Books, by store.By) error {
		if err := b.ClosePayment(ctx, c.PaymentID, by); err != nil {
			return err
		}
		payment, err := b.Payment(ctx, c.PaymentID)
		if err != nil {
			return err
		}
		if c.JSON {
			return p.PrintJSON(view.PaymentOf(payment))
		}
		return p.Println("payment " + payment.ID + " is " + string(payment.Status))
	})
}

// paymentsRecordCommand credits money that no message has reported.
type paymentsRecordCommand struct {
	console.Operator
	console.JSONFlag
	Provider  string `required:"" enum:"jetpay,highhelp" placeholder:"P" help:"jetpay or highhelp."`
	Project   string `required:"" placeholder:"X" help:"The project's id."`
	Customer  string `required:"" placeholder:"C" help:"The customer's id."`
	Entity    string `required:"" placeholder:"E" help:"The contract's id."`
	Amount    int64  `required:"" placeholder:"N" help:"In minor units."`
	Currency  string `required:"" placeholder:"CUR" help:"Three letters."`
	Operation string `placeholder:"ID" help:"JetPay's id of the operation."`
	Reference string `placeholder:"ID" help:"HighHelp's payment_id."`
	Anyway    bool   `help:"Record it although a payment of the same contract and sum is pending."`
}

// Help is shown by --help.
func (paymentsRecordCommand) Help() string {
	return `For money that the platform's reports or support confirm and that no message has reported: creates a payment with its credit. The operation (JetPay) counts as posted, so that a later callback about it posts nothing; a success of HighHelp with the reference is handled like one of a payment that an operator credited: the same sum is bound to it, another is put into suspense. Refused when that is posted already; and, without --anyway, while a payment of the same contract and sum is not credited, because this money may be that payment's.

Example:

  tolem payments record --provider jetpay --project 1234 --customer 7123456789 --entity 12345 --amount 10000 --currency KZT --operation 2811 --reason "JetPay's report of 12 November, line 812"`
}

// Run records.
func (c *paymentsRecordCommand) Run(ctx context.Context, p *console.Program) error {
	switch {
	case c.Provider == "jetpay" && (c.Operation == "" || c.Reference != ""):
		return console.WrongUsage("JetPay needs --operation, the platform's id of the movement, and no --reference")
	case c.Provider == "highhelp" && (c.Reference == "" || c.Operation != ""):
		return console.WrongUsage("HighHelp needs --reference, its payment_id, and no --operation")
	}
	request := topup.RecordRequest{
		Provider: c.Provider, Project: c.Project, CustomerID: c.Customer, ContractID: c.Entity,
		Money: topup.Money{Amount: c.Amount, Currency: c.Currency}, Operation: c.Operation, Reference: c.Reference, Anyway: c.Anyway,
	}
	return operate(ctx, p, c.Operator, c.JSON, func(b console.Books, by store.By) (topup.Transaction, error) {
		if !b.Config.HasProject(c.Provider, c.Project) {
			return topup.Transaction{}, topup.NotFound("project %s of %s is not configured", c.Project, c.Provider)
		}
		return b.RecordPayment(ctx, request, by)
	})
}
