package view

import (
	"encoding/json"

	"tolem/store"
	"tolem/topup"
)

// Message is a provider's stored message, without its body.
type Message struct {
	ID                int64             `json:"id"`
	ReceivedAt        string            `json:"received_at"`
	Provider          string            `json:"provider"`
	ProjectID         json.RawMessage   `json:"project_id"` // a number for jetpay, else a string
	Source            topup.Source      `json:"source"`
	Disposition       topup.Disposition `json:"disposition"`
	Open              topup.Told        `json:"open,omitempty"` // why an operator must handle it
	ProviderReference string            `json:"provider_reference,omitempty"`
	PaymentID         string            `json:"payment_id,omitempty"`
	TransactionID     string            `json:"transaction_id,omitempty"`
	ProviderStatus    string            `json:"provider_status,omitempty"`
	OperationID       string            `json:"operation_id,omitempty"`
	ProviderCode      string            `json:"provider_code,omitempty"`
	ReceiptID         string            `json:"provider_payment_id,omitempty"`
	PaidBack          *Sum              `json:"paid_back,omitempty"` // what it reports as given back to the payer
}

// MessageOf shows a message.
func MessageOf(m *store.StoredMessage) Message {
	return Message{
		ID: m.ID, ReceivedAt: Time(m.ReceivedAt), Provider: m.Provider, ProjectID: projectID(m.Provider, m.Project),
		Source: m.Source, Disposition: m.Disposition, Open: m.Open, ProviderReference: m.Reference, PaymentID: m.PaymentID,
		TransactionID: m.TransactionID, ProviderStatus: m.Status, OperationID: m.Operation, ProviderCode: m.Code, ReceiptID: m.Receipt,
		PaidBack: sumOf(m.PaidBack),
	}
}

// Step is what an operator did beside, or instead of, a ledger transaction.
type Step struct {
	At            string `json:"at"`
	Action        string `json:"action"`
	TransactionID string `json:"transaction_id,omitempty"`
	OperationID   string `json:"operation_id,omitempty"`
	Actor         string `json:"actor"`
	Reason        string `json:"reason"`
}

// WholeMessage is a message with its body, for people: it holds what the payer
// entered.
type WholeMessage struct {
	Message
	MaybeCut bool   `json:"may_be_cut"` // from other signed text: nothing of it is believed
	Steps    []Step `json:"steps"`
	Body     string `json:"body,omitempty"` // as it was posted; absent when its retention is over
}

// WholeMessageOf shows a message with its body.
func WholeMessageOf(m *store.StoredMessage, body []byte, maybeCut bool) WholeMessage {
	whole := WholeMessage{Message: MessageOf(m), MaybeCut: maybeCut, Steps: []Step{}, Body: string(body)}
	for _, s := range m.Steps {
		whole.Steps = append(whole.Steps, stepOf(s))
	}
	return whole
}

func stepOf(s store.StepRecord) Step {
	return Step{At: Time(s.At), Action: s.Action, TransactionID: s.TransactionID, OperationID: s.Operation, Actor: s.Actor, Reason: s.Reason}
}
