package commands

import (
	"context"
	"errors"

	"tolem/config"
	"tolem/store"
	"tolem/topup"
	"tolem/view"
)

// operate runs one step of an operator and prints the transaction that it
// posted.
func (p *program) operate(ctx context.Context, o operator, asJSON bool, act func(books, store.By) (topup.Transaction, error)) error {
	return p.asOperator(ctx, o, func(b books, by store.By) error {
		made, err := act(b, by)
		if proposed := (*store.ProposedError)(nil); errors.As(err, &proposed) {
			return p.reportProposed(ctx, b, proposed, asJSON)
		}
		if err != nil {
			return err
		}
		if asJSON {
			return p.printJSON(view.TransactionOf(made))
		}
		return p.printTransaction(b, made)
	})
}

// reportProposed prints a step that waits for a second person.
func (p *program) reportProposed(ctx context.Context, b books, proposed *store.ProposedError, asJSON bool) error {
	if asJSON {
		return p.printJSON(view.ProposedOf(proposed))
	}
	a, err := b.Approval(ctx, proposed.ApprovalID)
	if err != nil {
		return err
	}
	if err := p.printApproval(b, &a, ""); err != nil {
		return err
	}
	return p.println("nothing is posted yet: another person approves it with tolem approvals approve " + a.ID + " --token-file F")
}

// asOperator opens the books for an operator's step.
func (p *program) asOperator(ctx context.Context, o operator, act func(books, store.By) error) error {
	var by store.By
	check := func(cfg *config.Config) (err error) {
		by, err = p.by(o, cfg.Location())
		return err
	}
	return p.withBooks(ctx, func(b books) error { return act(b, by) }, check)
}

// printTransaction shows a ledger transaction to people.
func (p *program) printTransaction(b books, made topup.Transaction) error {
	t := p.table()
	t.row("transaction", made.ID)
	t.row("kind", string(made.Kind))
	t.rowIf("payment", made.PaymentID)
	t.rowIf("payout", made.PayoutID)
	if made.Actor != "" {
		t.row("by", made.Actor+": "+made.Reason)
	}
	t.rowIf("approved by", made.ApprovedBy)
	if effective := when(made.EffectiveAt, b.cfg.Location()); effective != when(made.RecordedAt, b.cfg.Location()) {
		t.row("effective", effective)
	}
	t.row("recorded", when(made.RecordedAt, b.cfg.Location()))
	for _, posting := range made.Postings {
		t.row(side(posting.Amount), posting.Account, topup.Money{Amount: max(posting.Amount, -posting.Amount), Currency: posting.Currency}.String())
	}
	return t.flush()
}

// side names the side of a posting: debits are positive.
func side(amount int64) string {
	if amount < 0 {
		return "credit"
	}
	return "debit"
}
