package commands

import (
	"context"
	"errors"

	"tolem/commands/internal/console"
	"tolem/store"
	"tolem/topup"
	"tolem/view"
)

// operate runs one step of an operator and prints the transaction that it
// posted.
func operate(ctx context.Context, p *console.Program, o console.Operator, asJSON bool, act func(console.Books, store.By) (topup.Transaction, error)) error {
	return p.AsOperator(ctx, o, func(b console.Books, by store.By) error {
		made, err := act(b, by)
		if proposed := (*store.ProposedError)(nil); errors.As(err, &proposed) {
			return reportProposed(ctx, p, b, proposed, asJSON)
		}
		if err != nil {
			return err
		}
		if asJSON {
			return p.PrintJSON(view.TransactionOf(made))
		}
		return printTransaction(p, b, made)
	})
}

// reportProposed prints a step that waits for a second person.
func reportProposed(ctx context.Context, p *console.Program, b console.Books, proposed *store.ProposedError, asJSON bool) error {
	if asJSON {
		return p.PrintJSON(view.ProposedOf(proposed))
	}
	a, err := b.Approval(ctx, proposed.ApprovalID)
	if err != nil {
		return err
	}
	if err := printApproval(p, b, &a, ""); err != nil {
		return err
	}
	return p.Println("nothing is posted yet: another person approves it with tolem approvals approve " + a.ID + " --token-file F")
}

// printTransaction shows a ledger transaction to people.
func printTransaction(p *console.Program, b console.Books, made topup.Transaction) error {
	t := p.Table()
	t.Row("transaction", made.ID)
	t.Row("kind", string(made.Kind))
	t.RowIf("payment", made.PaymentID)
	t.RowIf("payout", made.PayoutID)
	if made.Actor != "" {
		t.Row("by", made.Actor+": "+made.Reason)
	}
	t.RowIf("approved by", made.ApprovedBy)
	if effective := console.When(made.EffectiveAt, b.Config.Location()); effective != console.When(made.RecordedAt, b.Config.Location()) {
		t.Row("effective", effective)
	}
	t.Row("recorded", console.When(made.RecordedAt, b.Config.Location()))
	for _, posting := range made.Postings {
		t.Row(side(posting.Amount), posting.Account, topup.Money{Amount: max(posting.Amount, -posting.Amount), Currency: posting.Currency}.String())
	}
	return t.Flush()
}

// side names the side of a posting: debits are positive.
func side(amount int64) string {
	if amount < 0 {
		return "credit"
	}
	return "debit"
}
