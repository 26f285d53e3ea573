package sandbox

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"tolem/platform"
)

// kioskPage is the Kaspi page. Nothing of it is kept: every step carries what
// the one before has found.
type kioskPage struct {
	Title     string
	Problem   string
	Playing   bool
	Customer  string
	Currency  string
	Contracts []contract
	Entity    string // the chosen one
	Amount    string // as it was typed
	Done      bool
	Declined  bool
	PaymentID string
	Paid      string
	Exchanges []exchangeRow
}

// contract is one that verify has shown.
type contract struct {
	ID         string `json:"id"`
	Number     string `json:"number"`
	Payment    int64  `json:"payment"`     // minor units; 0: not said
	MinPayment int64  `json:"min_payment"` // minor units; 0: not said
}

// Hint shows the amount that the contract requests.
func (c contract) Hint(currency string) string {
	var parts []string
	if c.Payment > 0 {
		parts = append(parts, "to pay "+money(c.Payment, currency))
	}
	if c.MinPayment > 0 {
		parts = append(parts, "at least "+money(c.MinPayment, currency))
	}
	return strings.Join(parts, ", ")
}

// Number is the number of the chosen contract, by which the payer knows it.
func (p kioskPage) Number() string {
	for _, c := range p.Contracts {
		if c.ID == p.Entity {
			return c.Number
		}
	}
	return p.Entity
}

// exchangeRow is one message of a top-up and its answer.
type exchangeRow struct {
	Message, Request, Answer string
	Status                   int
}

func (s *Sandbox) showKiosk(w http.ResponseWriter, _ *http.Request) {
	s.renderKiosk(w, http.StatusOK, kioskPage{})
}

func (s *Sandbox) renderKiosk(w http.ResponseWriter, status int, page kioskPage) {
	page.Title, page.Playing = "Kaspi kiosk", s.player != nil
	s.render(w, status, "kaspi.html", page)
}

// postKiosk takes the account, and then the contract and the amount too.
func (s *Sandbox) postKiosk(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	page := kioskPage{
		Customer: strings.TrimSpace(r.FormValue("account")), Entity: r.FormValue("contract"),
		Amount: strings.TrimSpace(r.FormValue("amount")),
	}
	if s.player == nil {
		s.renderKiosk(w, http.StatusNotFound, page)
		return
	}
	err := s.lookUp(r.Context(), &page)
	if err == nil && page.Entity != "" {
		err = s.topUp(r.Context(), &page, r.FormValue("outcome"))
	}
	if err != nil {
		page.Problem = problemText(err)
		s.renderKiosk(w, http.StatusUnprocessableEntity, page)
		return
	}
	s.renderKiosk(w, http.StatusOK, page)
}

// problemText is the error that the payer sees.
func problemText(err error) string {
	var no *platform.RefusedError
	switch {
	case errors.As(err, &no) && no.Code >= 0:
		return fmt.Sprintf("The merchant refused %s: %s (code %d).", no.Message, no.Reason, no.Code)
	case errors.As(err, &no):
		return fmt.Sprintf("The merchant’s answer to %s cannot be read (HTTP %d).", no.Message, no.Status)
	case errors.Is(err, ErrInput):
		_, text, _ := strings.Cut(err.Error(), ": ")
		return strings.ToUpper(text[:1]) + text[1:] + "."
	}
	return "The merchant’s server cannot be reached."
}

// lookUp requests the account's contracts from the merchant.
func (s *Sandbox) lookUp(ctx context.Context, page *kioskPage) error {
	if page.Customer == "" {
		return input("enter an account")
	}
	body, err := s.player.Project.Verify(page.Customer)
	if err != nil {
		return err
	}
	got, err := s.player.Client.Post(ctx, platform.Path, body)
	if err != nil {
		return err
	}
	page.add(platform.Exchange{Message: platform.MessageVerify, Request: body, Answer: got})
	var offer struct {
		Code     *int       `json:"code"`
		Message  string     `json:"message"`
		Currency string     `json:"currency"`
		Entities []contract `json:"entities"`
	}
	if err := json.Unmarshal(got.Body, &offer); err != nil || offer.Code == nil {
		return &platform.RefusedError{Message: platform.MessageVerify, Status: got.Status, Code: -1}
	}
	if *offer.Code != 0 || got.Status != http.StatusOK {
		return &platform.RefusedError{Message: platform.MessageVerify, Status: got.Status, Code: *offer.Code, Reason: offer.Message}
	}
	page.Currency, page.Contracts = offer.Currency, offer.Entities
	return nil
}

// topUp pays: the platform's three messages.
func (s *Sandbox) topUp(ctx context.Context, page *kioskPage, outcome string) error {
	amount, err := parseMoney(page.Amount)
	if err == nil && amount == 0 {
		err = input("enter an amount")
	}
	if err != nil {
		return err
	}
	ends, err := platform.ParseOutcome(outcome)
	if err != nil {
		return input("choose how the payment ends")
	}
	exchanges, paymentID, err := s.player.TopUp(ctx, platform.TopUp{
		CustomerID: page.Customer, EntityID: page.Entity, Amount: amount, Currency: page.Currency, Outcome: ends,
	})
	page.Exchanges = nil // the first of them is a verify, too
	for _, x := range exchanges {
		page.add(x)
		if x.Message == platform.MessageCallback && s.o.DataAPI != nil {
			if err := s.o.DataAPI.PutCallback(x.Request); err != nil {
				return fmt.Errorf("the Data API: %w", err)
			}
		}
	}
	page.PaymentID = paymentID
	if err != nil {
		return err
	}
	page.Done, page.Declined = true, ends == platform.OutcomeDecline
	page.Paid = money(amount, page.Currency)
	return nil
}

func (p *kioskPage) add(x platform.Exchange) {
	p.Exchanges = append(p.Exchanges, exchangeRow{
		Message: x.Message, Request: indented(x.Request), Answer: indented(x.Answer.Body), Status: x.Answer.Status,
	})
}

// indented lays JSON out for people; anything else stays as it is.
func indented(body []byte) string {
	var out bytes.Buffer
	if err := json.Indent(&out, body, "", "  "); err != nil {
		return string(body)
	}
	return out.String()
}
