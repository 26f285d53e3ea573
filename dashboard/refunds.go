package dashboard

import (
	"context"

	"tolem/store"
	"tolem/topup"
)

// standingOf is what a refund takes from: the transaction that was chosen, else the
// newest that stands.
func (d *Dashboard) standingOf(ctx context.Context, q *stepRequest) (list []topup.Standing, chosen *topup.Standing, err error) {
	b, err := d.book(ctx, q.id)
	if err != nil {
		return nil, nil, err
	}
	list = b.Standing()
	for i := range list {
		if list[i].Transaction.ID == q.form.Get("transaction") || chosen == nil {
			chosen = &list[i]
		}
	}
	return list, chosen, nil
}

// refundOptions are who can have paid the money back, and of which credits.
func refundOptions(ctx context.Context, d *Dashboard, q *stepRequest) (map[string][]option, error) {
	list, _, err := d.standingOf(ctx, q)
	if err != nil {
		return nil, err
	}
	options := map[string][]option{"from": {{Value: topup.FromSettlement, Text: "refund.from_platform"}}}
	for _, bank := range d.banks {
		options["from"] = append(options["from"], option{Value: "bank:" + bank, Text: "ledger.bank", Arg: bank})
	}
	for _, s := range list {
		options["transaction"] = append(options["transaction"], option{Value: s.Transaction.ID, Text: "refund.of", Arg: s.Transaction.ID, Money: s.Left})
	}
	return options, nil
}

// fillRefund proposes what the platform has told of, else all that is left.
func fillRefund(ctx context.Context, d *Dashboard, q *stepRequest) (map[string]string, error) {
	_, chosen, err := d.standingOf(ctx, q)
	if err != nil || chosen == nil {
		return nil, err
	}
	money := chosen.Left
	values := map[string]string{"from": topup.FromSettlement}
	told, err := d.store.OpenRefunds(ctx, q.id)
	if err != nil {
		return nil, err
	}
	if len(told) > 0 {
		values["operation"] = told[0].Operation
		if told[0].Sum.Currency == money.Currency {
			money = told[0].Sum
		}
	}
	digits, _ := topup.Digits(money.Currency)
	values["amount"] = topup.FormatMinor(money.Amount, digits)
	return values, nil
}

func refundSteps(ctx context.Context, d *Dashboard, q *stepRequest) ([]store.Step, error) {
	list, chosen, err := d.standingOf(ctx, q)
	if err != nil {
		return nil, err
	}
	step := store.RefundStep{PaymentID: q.id}
	step.Operation, step.From = q.text("operation"), q.text("from")
	if len(list) > 1 {
		step.Transaction = q.text("transaction")
	}
	if chosen == nil { // the store says why not
		step.Amount = 1
		return []store.Step{step}, nil
	}
	money, err := enteredMoney(q.text("amount"), chosen.Left.Currency)
	if err != nil {
		return nil, err
	}
	step.Amount = money.Amount
	return []store.Step{step}, nil
}
