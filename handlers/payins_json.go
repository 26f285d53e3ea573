package handlers

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"tolem/highhelp"
	"tolem/store"
	"tolem/topup"
	"tolem/view"
)

// payinRequest is what a merchant asks for. The tags' order is that of the
// canonical content, which the idempotency key covers.
type payinRequest struct {
	ProjectID    string      `json:"project_id,omitempty"`
	CustomerID   string      `json:"customer_id,omitempty"`
	EntityID     string      `json:"entity_id,omitempty"`
	Amount       int64       `json:"amount,omitempty"` // minor units
	Currency     string      `json:"currency,omitempty"`
	WidgetMethod string      `json:"widget_method,omitempty"` // empty: the customer chooses
	Payer        payinPayer  `json:"payer"`
	Sender       payinSender `json:"sender"`
	Lifetime     int64       `json:"lifetime,omitempty"` // seconds
	Description  string      `json:"description,omitempty"`
	ExtraParam   string      `json:"extra_param,omitempty"`
	RedirectURL  string      `json:"redirect_url,omitempty"`
}

// payinPayer is personal data: it is passed on, and neither stored nor logged.
type payinPayer struct {
	ID           string `json:"id,omitempty"`
	IPAddress    string `json:"ip_address,omitempty"`
	Country      string `json:"country,omitempty"`
	Language     string `json:"language,omitempty"`
	Email        string `json:"email,omitempty"`
	CustomerType string `json:"customer_type,omitempty"`
}

type payinSender struct {
	BankSymbol string `json:"bank_symbol,omitempty"`
}

// payinOf reads the body of a request, strictly: unknown and repeated members,
// and values of another type, are problems.
func payinOf(body []byte) (payinRequest, error) {
	var asked payinRequest
	if !json.Valid(body) {
		return asked, &notJSON{"the body must be one JSON object: the pay-in that is asked for"}
	}
	err := jsonv2.Unmarshal(body, &asked, jsonv2.RejectUnknownMembers(true))
	if err == nil {
		return asked, nil
	}
	var (
		typed  *jsonv2.SemanticError
		syntax *jsontext.SyntacticError
	)
	switch {
	case errors.As(err, &typed) && errors.Is(err, jsonv2.ErrUnknownName):
		return asked, topup.Invalid(fieldOf(typed.JSONPointer), "is not known; see the documentation for the members of a pay-in")
	case errors.As(err, &typed):
		return asked, topup.Invalid(fieldOf(typed.JSONPointer), "has a value of another type than documented")
	case errors.As(err, &syntax) && errors.Is(err, jsontext.ErrDuplicateName):
		return asked, topup.Invalid(fieldOf(syntax.JSONPointer), "is given twice")
	}
	return asked, topup.Invalid("body", "must be valid UTF-8, and not nested deeper than documented")
}

var plainField = regexp.MustCompile(`^[A-Za-z0-9_.]{1,60}$`)

// fieldOf names the member at a pointer: payer.ip_address. A name from outside
// may be of any length and hold anything; such a one is not repeated.
func fieldOf(at jsontext.Pointer) string {
	field := strings.ReplaceAll(strings.TrimPrefix(string(at), "/"), "/", ".")
	if !plainField.MatchString(field) {
		return "body"
	}
	return field
}

// forProvider is the request in HighHelp's words, without the payment's id,
// which is not known before every rule holds.
func (r payinRequest) forProvider(alertsURL string) highhelp.PayinRequest {
	out := highhelp.PayinRequest{
		General: highhelp.General{
			ProjectID: r.ProjectID, PaymentID: "later",
			CallbackURL: alertsURL, SuccessURL: alertsURL, DeclineURL: alertsURL, RedirectURL: r.RedirectURL,
		},
		Payment: highhelp.Payment{
			Amount: r.Amount, Currency: r.Currency, Lifetime: r.Lifetime, Description: r.Description,
			ExtraParam: r.ExtraParam, WidgetMethod: r.WidgetMethod,
		},
		Customer: highhelp.Customer{
			ID: r.Payer.ID, IPAddress: r.Payer.IPAddress, Country: r.Payer.Country, Language: r.Payer.Language,
			CustomerType: r.Payer.CustomerType, Email: r.Payer.Email,
		},
	}
	if r.Sender.BankSymbol != "" {
		out.Sender = &highhelp.Sender{BankSymbol: r.Sender.BankSymbol}
	}
	return out
}

// headerIdempotencyKey is optional: without it every request opens a payment.
const headerIdempotencyKey = "Idempotency-Key"

const maxIdempotencyKey = 255

// idempotencyKey reads the header, and hashes what is asked for: order and
// white space of the body play no part.
func idempotencyKey(x *exchange, asked payinRequest) (store.IdempotencyKey, error) {
	given := x.Request().Header.Values(headerIdempotencyKey)
	switch {
	case len(given) == 0:
		return store.IdempotencyKey{}, nil
	case len(given) > 1 || len(given[0]) > maxIdempotencyKey || !isVisible(given[0]):
		return store.IdempotencyKey{}, topup.Invalid(headerIdempotencyKey, "must be given once, with 1 to %d visible ASCII characters", maxIdempotencyKey)
	}
	return store.IdempotencyKey{Token: x.client, Key: given[0], Hash: hashOf(asked)}, nil
}

// hashOf is equal for two requests exactly when they ask for the same.
func hashOf(asked payinRequest) []byte {
	canonical, err := json.Marshal(asked)
	if err != nil { // texts and numbers can always be encoded
		panic(fmt.Sprintf("hash a request: %v", err))
	}
	hash := sha256.Sum256(canonical)
	return hash[:]
}

func isVisible(text string) bool {
	for i := range len(text) {
		if text[i] <= ' ' || text[i] > '~' {
			return false
		}
	}
	return text != ""
}

// payinJSON is a payment with its form. expires_at is until when the customer
// can pay; the payment itself does not expire.
type payinJSON struct {
	view.Payment
	FormURL     string `json:"form_url,omitempty"`
	RedirectURL string `json:"redirect_url,omitempty"`
	Method      string `json:"method,omitempty"`
}

func payinJSONOf(y *store.Payin) payinJSON {
	out := payinJSON{Payment: view.PaymentOf(y.Payment), FormURL: y.FormURL, RedirectURL: y.RedirectURL, Method: y.Method}
	out.ExpiresAt = view.Time(y.LifetimeEnds)
	return out
}
