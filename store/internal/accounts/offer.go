package accounts

import (
	"context"
	"encoding/json"
	"fmt"

	"tolem/store/internal/engine"
	"tolem/topup"
)

// Offer is what verify answers: who the customer is and what can be topped up.
type Offer struct {
	CustomerID           string // normalised
	AdditionalCustomerID string
	Currency             string
	// Entities is the JSON array of the open contracts, as they were imported.
	Entities json.RawMessage
}

// Offer returns what a payer may top up. The id is normalised first. The error
// is of KindNotFound when the account is unknown, closed or without an open
// contract.
func (c *Catalogue) Offer(ctx context.Context, customerID string) (Offer, error) {
	o := Offer{CustomerID: c.normalize.Apply(customerID)}
	_, err := c.reader.One(ctx, engine.ReadOffer, []any{&o.AdditionalCustomerID, &o.Currency, (*[]byte)(&o.Entities)}, o.CustomerID)
	if err != nil {
		return Offer{}, fmt.Errorf("read an account: %w", err)
	}
	if len(o.Entities) == 0 {
		return Offer{}, topup.NotFound("account does not exist")
	}
	return o, nil
}
