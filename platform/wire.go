package platform

import (
	"time"

	"tolem/topup"
)

// The messages with the platform's names and order of members.

type verify struct {
	Type       string `json:"type"`
	ProjectID  int64  `json:"project_id"`
	CustomerID string `json:"customer_id"`
}

type checkDeposit struct {
	Type          string `json:"type"`
	ProjectID     int64  `json:"project_id"`
	CustomerID    string `json:"customer_id"`
	EntityID      string `json:"entity_id"`
	Amount        int64  `json:"amount"`
	Currency      string `json:"currency"`
	PaymentMethod string `json:"payment_method"`
}

type callback struct {
	ProjectID int64             `json:"project_id"`
	Payment   callbackPayment   `json:"payment"`
	Account   callbackAccount   `json:"account"`
	Customer  callbackCustomer  `json:"customer"`
	Operation callbackOperation `json:"operation"`
}

type callbackPayment struct {
	ID          string `json:"id"`
	Type        string `json:"type"`
	Status      string `json:"status"`
	Date        date   `json:"date"`
	Method      string `json:"method"`
	Sum         sum    `json:"sum"`
	Description string `json:"description"`
}

type callbackAccount struct {
	Number string `json:"number"`
}

type callbackCustomer struct {
	ID string `json:"id"`
}

type callbackOperation struct {
	ID           int64            `json:"id"`
	Type         string           `json:"type"`
	Status       string           `json:"status"`
	Date         date             `json:"date"`
	CreatedDate  date             `json:"created_date"`
	RequestID    string           `json:"request_id"`
	SumInitial   sum              `json:"sum_initial"`
	SumConverted sum              `json:"sum_converted"`
	Code         string           `json:"code"`
	Message      string           `json:"message"`
	Provider     callbackProvider `json:"provider"`
}

type callbackProvider struct {
	ID         int64  `json:"id"`
	PaymentID  string `json:"payment_id"`
	AuthCode   string `json:"auth_code"`
	EndpointID string `json:"endpoint_id,omitempty"`
	Date       date   `json:"date,omitzero"`
}

type sum struct {
	Amount   int64  `json:"amount"`
	Currency string `json:"currency"`
}

// date is a time in the platform's layout.
type date struct{ time.Time }

// MarshalJSON writes the date in DateLayout.
func (d date) MarshalJSON() ([]byte, error) { return []byte(`"` + d.Format(DateLayout) + `"`), nil }

func newCallback(project int64, c Callback) callback {
	o := c.Operation
	return callback{
		ProjectID: project,
		Payment: callbackPayment{
			ID: c.Payment.ID, Type: c.Payment.Type, Status: c.Payment.Status, Date: date{c.Payment.Date},
			Method: c.Payment.Method, Sum: newSum(c.Payment.Sum), Description: c.Payment.Description,
		},
		Account:  callbackAccount{Number: c.Account},
		Customer: callbackCustomer{ID: c.Customer},
		Operation: callbackOperation{
			ID: o.ID, Type: o.Type, Status: o.Status, Date: date{o.Date}, CreatedDate: date{o.CreatedDate}, RequestID: o.RequestID,
			SumInitial: newSum(o.SumInitial), SumConverted: newSum(o.SumConverted), Code: o.Code, Message: o.Message,
			Provider: callbackProvider{
				ID: o.Provider.ID, PaymentID: o.Provider.PaymentID, AuthCode: o.Provider.AuthCode,
				EndpointID: o.Provider.EndpointID, Date: date{o.Provider.Date},
			},
		},
	}
}

func newSum(m topup.Money) sum { return sum{Amount: m.Amount, Currency: m.Currency} }
