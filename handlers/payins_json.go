package handlers

import (
	"tolem/highhelp"
	"tolem/store"
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
