package commands

import (
	"cmp"
	"encoding/json"
	"slices"
	"time"

	"tolem/store"
	"tolem/topup"
)

// The JSON of records, with the members of the admin API. A test holds the two
// against each other.

type accountRecord struct {
	CustomerID           string           `json:"customer_id"`
	AdditionalCustomerID string           `json:"additional_customer_id"`
	Currency             string           `json:"currency"`
	Closed               bool             `json:"closed"`
	Entities             []contractRecord `json:"entities"`
}

type contractRecord struct {
	ID         string          `json:"id"`
	Number     string          `json:"number"`
	Payment    *int64          `json:"payment,omitempty"`
	MinPayment *int64          `json:"min_payment,omitempty"`
	Info       json.RawMessage `json:"info,omitempty"`
	Closed     bool            `json:"closed"`
	Balance    int64           `json:"balance"`
}

func accountJSON(a *topup.Account, balances map[string]int64) accountRecord {
	r := accountRecord{a.CustomerID, a.AdditionalCustomerID, a.Currency, a.Closed, []contractRecord{}}
	for _, c := range a.Contracts {
		r.Entities = append(r.Entities, contractRecord{c.ID, c.Number, c.Payment, c.MinPayment, c.Info, c.Closed, balances[c.ID]})
	}
	return r
}

type paymentRecord struct {
	PaymentID         string          `json:"payment_id"`
	Provider          string          `json:"provider"`
	ProjectID         json.RawMessage `json:"project_id"`
	CustomerID        string          `json:"customer_id,omitempty"`
	EntityID          string          `json:"entity_id,omitempty"`
	Amount            int64           `json:"amount"`
	Currency          string          `json:"currency"`
	Status            topup.Status    `json:"status"`
	Flags             topup.Flags     `json:"flags"`
	Credited          *creditRecord   `json:"credited"`
	ProviderStatus    string          `json:"provider_status,omitempty"`
	ProviderReference string          `json:"provider_reference,omitempty"`
	ProviderPaymentID string          `json:"provider_payment_id,omitempty"`
	OperationID       string          `json:"operation_id,omitempty"`
	ProviderTime      utc             `json:"provider_time,omitzero"`
	CreatedAt         utc             `json:"created_at,omitzero"`
	EntityNumber      string          `json:"entity_number,omitempty"`
	PaymentMethod     string          `json:"payment_method,omitempty"`
	ExpiresAt         utc             `json:"expires_at,omitzero"`
	ProviderCode      string          `json:"provider_code,omitempty"`
	ProviderMessage   string          `json:"provider_message,omitempty"`
}

type creditRecord struct {
	Amount        int64  `json:"amount"`
	Currency      string `json:"currency"`
	TransactionID string `json:"transaction_id"`
	At            utc    `json:"at"`
}

func paymentJSON(p *topup.Payment) paymentRecord {
	r := paymentRecord{
		PaymentID: p.ID, Provider: p.Provider, ProjectID: projectJSON(p.Provider, p.Project),
		CustomerID: p.CustomerID, EntityID: p.ContractID,
		Amount: p.Money.Amount, Currency: p.Money.Currency, Status: p.Status, Flags: p.Flags,
		ProviderStatus: p.ProviderStatus, ProviderReference: p.ProviderReference, ProviderPaymentID: p.ProviderPaymentID,
		OperationID: p.OperationID, ProviderTime: utc{p.ProviderTime}, CreatedAt: utc{p.CreatedAt},
		EntityNumber: p.ContractNumber, PaymentMethod: p.Method, ExpiresAt: utc{p.ExpiresAt},
		ProviderCode: p.ProviderCode, ProviderMessage: p.ProviderMessage,
	}
	if c := p.Credit; c != nil && !c.Reversed {
		r.Credited = &creditRecord{c.Money.Amount, c.Money.Currency, c.TransactionID, utc{c.At}}
	}
	return r
}

// projectJSON is a project's id as its provider writes it: a number at JetPay.
func projectJSON(provider, id string) json.RawMessage {
	if provider == "jetpay" {
		return json.RawMessage(id)
	}
	quoted, _ := json.Marshal(id) // a string always can be
	return quoted
}

// wholePayment is a payment with its history.
type wholePayment struct {
	paymentRecord
	Transactions []transactionRecord `json:"transactions"`
	Timeline     []happenedRecord    `json:"timeline"`
}

func wholePaymentJSON(p *topup.Payment, timeline []store.TimelineEntry) wholePayment {
	whole := wholePayment{paymentJSON(p), []transactionRecord{}, []happenedRecord{}}
	for _, entry := range timeline {
		whole.Timeline = append(whole.Timeline, happenedJSON(entry))
		if entry.Transaction != nil {
			whole.Transactions = append(whole.Transactions, transactionJSON(*entry.Transaction))
		}
	}
	slices.SortFunc(whole.Transactions, func(a, b transactionRecord) int { return cmp.Compare(a.Seq, b.Seq) })
	return whole
}

type transactionRecord struct {
	Seq           int64                 `json:"seq"`
	TransactionID string                `json:"transaction_id"`
	PaymentID     string                `json:"payment_id"`
	Kind          topup.TransactionKind `json:"kind"`
	Postings      []topup.Posting       `json:"postings"`
	EffectiveAt   utc                   `json:"effective_at,omitzero"`
	RecordedAt    utc                   `json:"recorded_at,omitzero"`
	OperationID   string                `json:"operation_id,omitempty"`
	Actor         string                `json:"actor,omitempty"`
	Reason        string                `json:"reason,omitempty"`
	Reverses      string                `json:"reverses,omitempty"`
	Resolves      string                `json:"resolves,omitempty"`
}

func transactionJSON(t topup.Transaction) transactionRecord {
	return transactionRecord{
		Seq: t.Seq, TransactionID: t.ID, PaymentID: t.PaymentID, Kind: t.Kind, Postings: t.Postings,
		EffectiveAt: utc{t.EffectiveAt}, RecordedAt: utc{t.RecordedAt},
		OperationID: t.Operation, Actor: t.Actor, Reason: t.Reason, Reverses: t.Reverses, Resolves: t.Resolves,
	}
}

// happenedRecord is one entry of a payment's timeline; the members after what
// depend on it.
type happenedRecord struct {
	At             utc                   `json:"at"`
	What           store.TimelineKind    `json:"what"`
	Disposition    topup.Disposition     `json:"disposition,omitempty"`
	ProviderStatus string                `json:"provider_status,omitempty"`
	OperationID    string                `json:"operation_id,omitempty"`
	ProviderCode   string                `json:"provider_code,omitempty"`
	Seq            int64                 `json:"seq,omitempty"`
	TransactionID  string                `json:"transaction_id,omitempty"`
	Kind           topup.TransactionKind `json:"kind,omitempty"`
	Actor          string                `json:"actor,omitempty"`
	Reason         string                `json:"reason,omitempty"`
}

func happenedJSON(entry store.TimelineEntry) happenedRecord {
	r := happenedRecord{At: utc{entry.At}, What: entry.What}
	if m := entry.Message; m != nil {
		r.Disposition, r.ProviderStatus, r.OperationID, r.ProviderCode, r.Seq = m.Disposition, m.Status, m.Operation, m.Code, m.Seq
	}
	if t := entry.Transaction; t != nil {
		r.Seq, r.TransactionID, r.Kind, r.Actor, r.Reason = t.Seq, t.ID, t.Kind, t.Actor, t.Reason
	}
	return r
}

type balanceRecord struct {
	Account  string `json:"account"`
	Currency string `json:"currency"`
	Debits   int64  `json:"debits"`
	Credits  int64  `json:"credits"`
}

func balanceJSON(b store.Balance) balanceRecord { return balanceRecord(b) }

// suspenseRecord is an item in suspense. The admin API has none of these.
type suspenseRecord struct {
	Item              string            `json:"item"`
	Seq               int64             `json:"seq"`
	State             string            `json:"state"`
	PaymentID         string            `json:"payment_id"`
	Provider          string            `json:"provider"`
	ProjectID         json.RawMessage   `json:"project_id"`
	CustomerID        string            `json:"customer_id,omitempty"`
	EntityID          string            `json:"entity_id,omitempty"`
	Amount            int64             `json:"amount"`
	Currency          string            `json:"currency"`
	Flags             topup.Flags       `json:"flags"`
	ProviderReference string            `json:"provider_reference,omitempty"`
	OperationID       string            `json:"operation_id,omitempty"`
	EffectiveAt       utc               `json:"effective_at,omitzero"`
	RecordedAt        utc               `json:"recorded_at,omitzero"`
	Resolution        *resolutionRecord `json:"resolution,omitempty"`
}

type resolutionRecord struct {
	TransactionID string                `json:"transaction_id"`
	Kind          topup.TransactionKind `json:"kind"`
	Actor         string                `json:"actor"`
	Reason        string                `json:"reason"`
	At            utc                   `json:"at"`
}

func suspenseJSON(item *store.SuspenseItem) suspenseRecord {
	r := suspenseRecord{
		Item: item.ID, Seq: item.Seq, State: item.State, PaymentID: item.PaymentID,
		Provider: item.Provider, ProjectID: projectJSON(item.Provider, item.Project),
		CustomerID: item.CustomerID, EntityID: item.ContractID, Amount: item.Money.Amount, Currency: item.Money.Currency,
		Flags: item.Flags, ProviderReference: item.ProviderReference, OperationID: item.Operation,
		EffectiveAt: utc{item.EffectiveAt}, RecordedAt: utc{item.RecordedAt},
	}
	if s := item.Resolution; s != nil {
		r.Resolution = &resolutionRecord{s.TransactionID, s.Kind, s.Actor, s.Reason, utc{s.At}}
	}
	return r
}

// utc is a time that is written as RFC 3339 in UTC, with as many digits of the
// second as it has.
type utc struct{ time.Time }

// MarshalJSON writes the time.
func (t utc) MarshalJSON() ([]byte, error) {
	return []byte(`"` + t.UTC().Format(time.RFC3339Nano) + `"`), nil
}
