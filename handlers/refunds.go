package handlers

import (
	"context"

	"github.com/labstack/echo/v4"

	"tolem/store"
	"tolem/topup"
)

// payBackBody says of money that went back how much, by which operation, and who
// paid it.
type payBackBody struct {
	Amount    *int64  `json:"amount,omitempty"` // minor units
	Operation *string `json:"operation,omitempty"`
	From      *string `json:"from,omitempty"`
	note
}

// request is the body in the domain's words. What is given is not empty: a client
// whose value is missing would book the money without it.
func (b payBackBody) request() (topup.PayBack, error) {
	var r topup.PayBack
	if b.Amount != nil {
		if r.Amount = *b.Amount; r.Amount < 1 {
			return r, topup.Invalid("amount", "must be at least 1 minor unit")
		}
	}
	var err error
	if r.Operation, err = given("operation", b.Operation); err == nil {
		r.From, err = given("from", b.From)
	}
	return r, err
}

func given(member string, text *string) (string, error) {
	switch {
	case text == nil:
		return "", nil
	case *text == "":
		return "", topup.Invalid(member, "must not be empty: leave it out")
	}
	return *text, nil
}

// refundBody asks for a refund.
type refundBody struct {
	Transaction *string `json:"transaction,omitempty"`
	payBackBody
}

func (s *Server) refundPayment(c echo.Context) error {
	return step(s, c, func(ctx context.Context, id string, b refundBody, by store.By) error {
		pays, err := b.request()
		if err != nil {
			return err
		}
		from, err := given("transaction", b.Transaction)
		if err != nil {
			return err
		}
		_, err = s.store.RefundPayment(ctx, id, topup.RefundRequest{PayBack: pays, Transaction: from}, by)
		return err
	})
}

func (s *Server) returnItem(c echo.Context) error {
	return step(s, c, func(ctx context.Context, item string, b payBackBody, by store.By) error {
		request, err := b.request()
		if err != nil {
			return err
		}
		_, err = s.store.ReturnSuspense(ctx, item, request, by)
		return err
	})
}
