package view

import (
	"encoding/json"

	"tolem/store"
	"tolem/topup"
)

// NotificationBody is the body of a notification, as its receivers get it.
func NotificationBody(n store.Notification) ([]byte, error) {
	var data notificationData
	if n.Payment != nil {
		payment := PaymentOf(n.Payment)
		data.Payment = &payment
	}
	if n.Payout != nil {
		payout := PayoutOf(n.Payout)
		data.Payout = &payout
	}
	if n.Transaction != nil {
		transaction := TransactionOf(*n.Transaction)
		data.Transaction = &transaction
	}
	return json.Marshal(notificationBody{n.Type, Time(n.At), data})
}

type notificationBody struct {
	Type      topup.EventType  `json:"type"`
	Timestamp string           `json:"timestamp"`
	Data      notificationData `json:"data"`
}

type notificationData struct {
	Payment     *Payment     `json:"payment,omitempty"`
	Payout      *Payout      `json:"payout,omitempty"`
	Transaction *Transaction `json:"transaction,omitempty"`
}

// Event is a notification and what became of it at each endpoint.
type Event struct {
	EventID       string          `json:"event_id"`
	Type          topup.EventType `json:"type"`
	At            string          `json:"at"`
	PaymentID     string          `json:"payment_id,omitempty"`
	PayoutID      string          `json:"payout_id,omitempty"`
	TransactionID string          `json:"transaction_id,omitempty"`
	Deliveries    []Delivery      `json:"deliveries"`
	Body          json.RawMessage `json:"body,omitempty"` // of one event alone
}

// Delivery is what became of a notification at an endpoint.
type Delivery struct {
	Endpoint   string              `json:"endpoint"`
	State      store.DeliveryState `json:"state"`
	Attempts   int64               `json:"attempts"`
	NextAt     string              `json:"next_at,omitempty"`
	LastAt     string              `json:"last_at,omitempty"`
	HTTPStatus int                 `json:"http_status,omitempty"`
	Error      string              `json:"error,omitempty"`
}

// EventOf shows a notification, with its body if whole is set.
func EventOf(e store.Event, whole bool) Event {
	out := Event{
		EventID: e.ID, Type: e.Type, At: Time(e.At), PaymentID: e.PaymentID, PayoutID: e.PayoutID, TransactionID: e.TransactionID,
		Deliveries: []Delivery{},
	}
	for _, d := range e.Deliveries {
		out.Deliveries = append(out.Deliveries, Delivery{
			Endpoint: d.Endpoint, State: d.State, Attempts: d.Attempts, NextAt: Time(d.NextAt), LastAt: Time(d.LastAt), HTTPStatus: d.Status, Error: d.Error,
		})
	}
	if whole {
		out.Body = e.Body
	}
	return out
}
