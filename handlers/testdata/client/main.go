// Client takes money from suspense to a contract and refunds it, over a client that
// was generated from the server's own description:
//
//	client URL TOKEN CUSTOMER_ID ENTITY_ID
package main

import (
	"context"
	"fmt"
	"os"

	"client/api"
)

type token string

// Token presents the token with every request.
func (t token) Token(context.Context, api.OperationName) (api.Token, error) {
	return api.Token{Token: string(t)}, nil
}

func main() {
	if err := run(context.Background(), os.Args[1], token(os.Args[2]), os.Args[3], os.Args[4]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, url string, t token, customer, entity string) error {
	c, err := api.NewClient(url, t)
	if err != nil {
		return err
	}
	list, err := c.ListSuspense(ctx, api.ListSuspenseParams{Status: api.NewOptItemState(api.ItemStateOpen)})
	page, ok := list.(*api.ListSuspenseOK)
	if err != nil || !ok || len(page.Items) != 1 {
		return fmt.Errorf("list: %T %v", list, err)
	}
	item := page.Items[0]
	assign := func(key string) (*api.Transaction, error) {
		made, err := c.AssignItem(ctx, &api.Assignment{CustomerID: customer, EntityID: entity, Reason: "the payer called"},
			api.AssignItemParams{Item: item.Item, IdempotencyKey: api.NewOptString(key)})
		return transaction(made, err)
	}
	assigned, err := assign("assign-1")
	if err != nil {
		return err
	}
	again, err := assign("assign-1")
	if err != nil || again.TransactionID != assigned.TransactionID {
		return fmt.Errorf("the same request again: %v %v", again, err)
	}
	if _, err := assign("assign-2"); err == nil {
		return fmt.Errorf("an item was assigned twice")
	}
	made, err := c.RefundPayment(ctx, &api.Refund{Amount: item.Amount, Transaction: api.NewOptString(assigned.TransactionID), Reason: "asked for it back"},
		api.RefundPaymentParams{PaymentID: item.PaymentID, IdempotencyKey: api.NewOptString("refund-1")})
	if _, err := transaction(made, err); err != nil {
		return err
	}
	shown, err := c.GetPayment(ctx, api.GetPaymentParams{PaymentID: item.PaymentID})
	payment, ok := shown.(*api.WholePayment)
	if err != nil || !ok {
		return fmt.Errorf("get: %T %v", shown, err)
	}
	_, err = fmt.Printf("%s %s: assigned %d, refunded %d %s\n", payment.PaymentID, payment.Status, item.Amount, payment.Refunded.Value.Amount, payment.Currency)
	return err
}

// transaction is the answer to a step that has posted, else why not.
func transaction(answer any, err error) (*api.Transaction, error) {
	if err != nil {
		return nil, err
	}
	made, ok := answer.(*api.Transaction)
	if !ok {
		return nil, fmt.Errorf("the answer is %T: %+v", answer, answer)
	}
	return made, nil
}
