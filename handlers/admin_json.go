package handlers

import (
	"bytes"
	"encoding/json"
	"time"

	"tolem/store"
	"tolem/topup"
)

// The admin API's JSON. Absent optional members are left out, never null,
// except credited and next_cursor. Amounts are minor units, times RFC 3339 in
// UTC.

type accountJSON struct {
	CustomerID           string         `json:"customer_id"`
	AdditionalCustomerID string         `json:"additional_customer_id"`
	Currency             string         `json:"currency"`
	Closed               bool           `json:"closed"`
	Entities             []contractJSON `json:"entities"`
}

type contractJSON struct {
	ID         string          `json:"id"`
	Number     string          `json:"number"`
	Payment    *int64          `json:"payment,omitempty"`
	MinPayment *int64          `json:"min_payment,omitempty"`
	Info       json.RawMessage `json:"info,omitempty"`
	Closed     bool            `json:"closed"`
	Balance    int64           `json:"balance"` // what has been credited
}

func accountOf(a *topup.Account, balances map[string]int64) accountJSON {
	out := accountJSON{
		CustomerID:           a.CustomerID,
		AdditionalCustomerID: a.AdditionalCustomerID,
		Currency:             a.Currency,
		Closed:               a.Closed,
		Entities:             make([]contractJSON, 0, len(a.Contracts)),
	}
	for _, c := range a.Contracts {
		out.Entities = append(out.Entities, contractJSON{
			ID: c.ID, Number: c.Number, Payment: c.Payment, MinPayment: c.MinPayment,
			Info: c.Info, Closed: c.Closed, Balance: balances[c.ID],
		})
	}
	return out
}

type paymentPage struct {
	Payments   []paymentJSON `json:"payments"`
	NextCursor *string       `json:"next_cursor"`
}

type paymentJSON struct {
	PaymentID         string          `json:"payment_id"`
	Provider          string          `json:"provider"`
	ProjectID         json.RawMessage `json:"project_id"` // a number for jetpay, else a string
	CustomerID        string          `json:"customer_id,omitempty"`
	EntityID          string          `json:"entity_id,omitempty"`
	Amount            int64           `json:"amount"`
	Currency          string          `json:"currency"`
	Status            topup.Status    `json:"status"`
	Flags             topup.Flags     `json:"flags"`
	Credited          *creditJSON     `json:"credited"`
	ProviderStatus    string          `json:"provider_status,omitempty"`
	ProviderReference string          `json:"provider_reference,omitempty"`
	ProviderPaymentID string          `json:"provider_payment_id,omitempty"`
	OperationID       string          `json:"operation_id,omitempty"`
	ProviderTime      string          `json:"provider_time,omitempty"`
	CreatedAt         string          `json:"created_at"`
	EntityNumber      string          `json:"entity_number,omitempty"`
	PaymentMethod     string          `json:"payment_method,omitempty"`
	ExpiresAt         string          `json:"expires_at,omitempty"`
	ProviderCode      string          `json:"provider_code,omitempty"`
	ProviderMessage   string          `json:"provider_message,omitempty"`
}

type creditJSON struct {
	Amount        int64  `json:"amount"`
	Currency      string `json:"currency"`
	TransactionID string `json:"transaction_id"`
	At            string `json:"at"`
}

func paymentOf(p *topup.Payment) paymentJSON {
	out := paymentJSON{
		PaymentID:         p.ID,
		Provider:          p.Provider,
		ProjectID:         projectJSON(p.Provider, p.Project),
		CustomerID:        p.CustomerID,
		EntityID:          p.ContractID,
		Amount:            p.Money.Amount,
		Currency:          p.Money.Currency,
		Status:            p.Status,
		Flags:             p.Flags,
		ProviderStatus:    p.ProviderStatus,
		ProviderReference: p.ProviderReference,
		ProviderPaymentID: p.ProviderPaymentID,
		OperationID:       p.OperationID,
		ProviderTime:      timeJSON(p.ProviderTime),
		CreatedAt:         timeJSON(p.CreatedAt),
		EntityNumber:      p.ContractNumber,
		PaymentMethod:     p.Method,
		ExpiresAt:         timeJSON(p.ExpiresAt),
		ProviderCode:      p.ProviderCode,
		ProviderMessage:   p.ProviderMessage,
	}
	if c := p.Credit; c != nil && !c.Reversed {
		out.Credited = &creditJSON{c.Money.Amount, c.Money.Currency, c.TransactionID, timeJSON(c.At)}
	}
	return out
}

// projectJSON is a project's id as its provider writes it.
func projectJSON(platform, id string) json.RawMessage {
	if platform == provider {
		return json.RawMessage(id)
	}
	return appendText(nil, id)
}

// wholePayment is a payment with its history.
type wholePayment struct {
	paymentJSON
	Transactions []transactionJSON `json:"transactions"`
	Timeline     []happenedJSON    `json:"timeline"`
}

type transactionPage struct {
	Transactions []transactionJSON `json:"transactions"`
}

// transactionJSON is a ledger transaction. A debit is positive, a credit
// negative; the postings sum to zero.
type transactionJSON struct {
	Seq           int64                 `json:"seq"`
	TransactionID string                `json:"transaction_id"`
	PaymentID     string                `json:"payment_id"`
	Kind          topup.TransactionKind `json:"kind"`
	Postings      []topup.Posting       `json:"postings"`
	EffectiveAt   string                `json:"effective_at"`
	RecordedAt    string                `json:"recorded_at"`
	OperationID   string                `json:"operation_id,omitempty"`
	Actor         string                `json:"actor,omitempty"`
	Reason        string                `json:"reason,omitempty"`
	Reverses      string                `json:"reverses,omitempty"`
	Resolves      string                `json:"resolves,omitempty"`
}

func transactionOf(t topup.Transaction) transactionJSON {
	return transactionJSON{
		Seq: t.Seq, TransactionID: t.ID, PaymentID: t.PaymentID, Kind: t.Kind, Postings: t.Postings,
		EffectiveAt: timeJSON(t.EffectiveAt), RecordedAt: timeJSON(t.RecordedAt),
		OperationID: t.Operation, Actor: t.Actor, Reason: t.Reason, Reverses: t.Reverses, Resolves: t.Resolves,
	}
}

// happenedJSON is one entry of a payment's timeline. The members after what
// depend on it.
type happenedJSON struct {
	At   string             `json:"at"`
	What store.TimelineKind `json:"what"`

	// Of a message.
	Disposition    topup.Disposition `json:"disposition,omitempty"`
	ProviderStatus string            `json:"provider_status,omitempty"`
	OperationID    string            `json:"operation_id,omitempty"`
	ProviderCode   string            `json:"provider_code,omitempty"`

	// Of a ledger transaction, and of a message that made one.
	TransactionSeq int64 `json:"seq,omitempty"`

	// Of a ledger transaction.
	TransactionID string                `json:"transaction_id,omitempty"`
	Kind          topup.TransactionKind `json:"kind,omitempty"`
	Actor         string                `json:"actor,omitempty"`
	Reason        string                `json:"reason,omitempty"`
}

func happenedOf(entry store.TimelineEntry) happenedJSON {
	out := happenedJSON{At: timeJSON(entry.At), What: entry.What}
	if m := entry.Message; m != nil {
		out.Disposition, out.ProviderStatus = m.Disposition, m.Status
		out.OperationID, out.ProviderCode, out.TransactionSeq = m.Operation, m.Code, m.Seq
	}
	if t := entry.Transaction; t != nil {
		out.TransactionSeq, out.TransactionID, out.Kind = t.Seq, t.ID, t.Kind
		out.Actor, out.Reason = t.Actor, t.Reason
	}
	return out
}

type balancePage struct {
	Accounts   []balanceJSON `json:"accounts"`
	NextCursor *string       `json:"next_cursor"`
	// Total is all debits less all credits of the whole book: 0 per currency.
	Total map[string]int64 `json:"total"`
}

type balanceJSON struct {
	Account  string `json:"account"`
	Currency string `json:"currency"`
	Debits   int64  `json:"debits"`
	Credits  int64  `json:"credits"`
}

// timeJSON is a time in RFC 3339, UTC; empty, and so left out, for the zero
// time.
func timeJSON(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}

// orNull is a cursor, null where there is no further page.
func orNull(cursor string) *string {
	if cursor == "" {
		return nil
	}
	return &cursor
}

func marshal(value any) ([]byte, error) {
	var buffer bytes.Buffer
	encoder := json.NewEncoder(&buffer)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(value)
	return buffer.Bytes(), err
}
