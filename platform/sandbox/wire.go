package sandbox

import (
	"bytes"
	"encoding/json"
)

// status values (HighHelp, "Payment statuses").
const (
	statusError      = "error"
	statusProcessing = "processing"
	statusDispute    = "dispute"
	statusDecline    = "decline"
	statusSuccess    = "success"

	subNew         = "new"
	subRequisites  = "requisites"
	subAwaiting    = "awaiting_confirm"
	subAwaitingOTP = "awaiting_3ds_result"
	subSent        = "sent_verification"
	subInvalid     = "invalid_verification"
	subPaid        = "paid"

	subNoPayment       = "no_payment"
	subDifferentAmount = "different_amount"
	subConfirmTimeout  = "confirm_timeout"
)

// answer is what a call returns: flat, unlike an alert.
type answer struct {
	Status      string       `json:"status"`
	SubStatus   *string      `json:"sub_status"`
	Description *string      `json:"status_description"`
	RequestID   *string      `json:"request_id"`
	ProjectID   string       `json:"project_id"`
	PaymentID   string       `json:"payment_id"`
	PaymentInfo *paymentInfo `json:"payment_info,omitempty"`
	Integration *integration `json:"integration,omitempty"`
}

// alert is what is posted to the merchant: nested.
type alert struct {
	ProjectID string `json:"project_id"`
	General   struct {
		RequestID string `json:"request_id"`
		PaymentID string `json:"payment_id"`
	} `json:"general"`
	Status struct {
		Status      string  `json:"status"`
		SubStatus   *string `json:"sub_status"`
		Description *string `json:"status_description"`
	} `json:"status"`
	PaymentInfo paymentInfo  `json:"payment_info"`
	Requisites  any          `json:"recipient_requisites,omitempty"` // *requisites, null, or absent
	Integration *integration `json:"integration,omitempty"`
}

type paymentInfo struct {
	Amount        int64           `json:"amount"` // minor units
	OldAmount     int64           `json:"old_amount"`
	InitialAmount int64           `json:"initial_amount"`
	Currency      string          `json:"currency"`
	Lifetime      int64           `json:"lifetime"`               // seconds
	Expiration    int64           `json:"expiration_date"`        // Unix seconds
	Updated       int64           `json:"updated_date,omitempty"` // Unix seconds, in alerts
	Created       int64           `json:"created_date,omitempty"` // Unix seconds, in alerts
	Method        *string         `json:"method"`
	WidgetMethod  *string         `json:"widget_method"`
	PaymentSystem json.RawMessage `json:"payment_system,omitempty"` // null, or absent
	Type          string          `json:"type"`
}

// requisites are whose card the payer sends the money to, masked.
type requisites struct {
	PAN         string `json:"pan_hidden"`
	CardHolder  string `json:"card_holder_hidden"`
	BankName    string `json:"bank_name"`
	BankCountry string `json:"bank_country"`
	Currency    string `json:"currency"`
}

type integration struct {
	FormURL     string `json:"form_url"`
	RedirectURL string `json:"redirect_url"`
}

var jsonNull = json.RawMessage("null")

// orNull is nil for an empty text.
func orNull(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}

// encode is json.Marshal that leaves <, > and & as they are.
func encode(message any) ([]byte, error) {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(message); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(out.Bytes(), []byte("\n")), nil
}
