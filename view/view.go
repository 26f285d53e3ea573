// Package view is the JSON of records, as the admin API and the commands' --json
// show them. Absent optional members are left out, never null, except credited.
// Amounts are minor units, times RFC 3339 in UTC.
package view

import (
	"cmp"
	"encoding/json"
	"slices"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"tolem/store"
	"tolem/topup"
)

// Account is a customer with the contracts and what has been credited to them.
type Account struct {
	CustomerID           string     `json:"customer_id"`
	AdditionalCustomerID string     `json:"additional_customer_id"`
	Currency             string     `json:"currency"`
	Closed               bool       `json:"closed"`
	Entities             []Contract `json:"entities"`

	// What is known of how it became so; of one account alone.
	Created *AccountChange  `json:"created,omitempty"`
	Changed *AccountChange  `json:"changed,omitempty"`
	History []AccountChange `json:"history,omitempty"` // the oldest first
}

// AccountChange is something that happened to an account.
type AccountChange struct {
	At       string `json:"at,omitempty"` // absent: an older version did it
	What     string `json:"what,omitempty"`
	EntityID string `json:"entity_id,omitempty"`
	Source   string `json:"source"` // import, put, demo
	Actor    string `json:"actor,omitempty"`
	File     string `json:"file,omitempty"`
	SHA256   string `json:"sha256,omitempty"`
}

// AccountImport is an import of accounts.
type AccountImport struct {
	AccountChange
	Replace   bool  `json:"replace"`
	Accounts  int64 `json:"accounts"`
	Contracts int64 `json:"contracts"`
	Created   int64 `json:"created"`
	Changed   int64 `json:"changed"`
	Unchanged int64 `json:"unchanged"`
	Overtaken int64 `json:"overtaken"`
	Closed    int64 `json:"closed"`
}

// AccountImportOf shows an import of accounts.
func AccountImportOf(i store.AccountImport) AccountImport {
	return AccountImport{
		AccountChange: *accountChangeOf(&i.AccountChange), Replace: i.Replace,
		Accounts: i.Accounts, Contracts: i.Contracts, Created: i.ImportReport.Created, Changed: i.Changed,
		Unchanged: i.Unchanged, Overtaken: i.Overtaken, Closed: i.Closed,
	}
}

// WithHistory shows an account with what is known of its past.
func (a Account) WithHistory(h store.AccountHistory) Account {
	a.Created, a.Changed = accountChangeOf(h.Created), accountChangeOf(h.Changed)
	for i := range h.Events {
		a.History = append(a.History, *accountChangeOf(&h.Events[i]))
	}
	return a
}

func accountChangeOf(c *store.AccountChange) *AccountChange {
	if c == nil {
		return nil
	}
	out := &AccountChange{What: c.What, EntityID: c.ContractID, Source: c.Source, Actor: c.Actor, File: c.File, SHA256: c.SHA256}
	if !c.At.IsZero() {
		out.At = Time(c.At)
	}
	return out
}

// Contract is one contract of an account.
type Contract struct {
	ID         string          `json:"id"`
	Number     string          `json:"number"`
	Payment    *int64          `json:"payment,omitempty"`
	MinPayment *int64          `json:"min_payment,omitempty"`
	Info       json.RawMessage `json:"info,omitempty"`
	Closed     bool            `json:"closed"`
	Balance    int64           `json:"balance"` // what has been credited
}

// AccountOf shows an account; balances are minor units by contract id.
func AccountOf(a *topup.Account, balances map[string]int64) Account {
	out := Account{
		CustomerID:           a.CustomerID,
		AdditionalCustomerID: a.AdditionalCustomerID,
		Currency:             a.Currency,
		Closed:               a.Closed,
		Entities:             make([]Contract, 0, len(a.Contracts)),
	}
	for _, c := range a.Contracts {
		out.Entities = append(out.Entities, Contract{
			ID: c.ID, Number: c.Number, Payment: c.Payment, MinPayment: c.MinPayment,
			Info: c.Info, Closed: c.Closed, Balance: balances[c.ID],
		})
	}
	return out
}

// Payment is a payment without its history.
type Payment struct {
	PaymentID         string          `json:"payment_id"`
	Provider          string          `json:"provider"`
	ProjectID         json.RawMessage `json:"project_id"` // a number for jetpay, else a string
	CustomerID        string          `json:"customer_id,omitempty"`
	EntityID          string          `json:"entity_id,omitempty"`
	Amount            int64           `json:"amount"`
	Currency          string          `json:"currency"`
	Status            topup.Status    `json:"status"`
	Flags             topup.Flags     `json:"flags"`
	Credited          *Credit         `json:"credited"`
	Refunded          *Sum            `json:"refunded,omitempty"` // what operators booked as refunded
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
	PayoutID          string          `json:"payout_id,omitempty"` // the payout that names it
}

// Sum is an amount in minor units, with its currency.
type Sum struct {
	Amount   int64  `json:"amount"`
	Currency string `json:"currency"`
}

// sumOf shows a sum; nil, and so left out, for none.
func sumOf(m topup.Money) *Sum {
	if m.IsZero() {
		return nil
	}
	return &Sum{m.Amount, m.Currency}
}

// Credit is what stands on the payment's contract: credited, less what was recalled
// or refunded.
type Credit struct {
	Amount        int64  `json:"amount"`
	Currency      string `json:"currency"`
	TransactionID string `json:"transaction_id"`
	At            string `json:"at"`
}

// PaymentOf shows a payment.
func PaymentOf(p *topup.Payment) Payment {
	out := Payment{
		PaymentID:         p.ID,
		Provider:          p.Provider,
		ProjectID:         projectID(p.Provider, p.Project),
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
		ProviderTime:      Time(p.ProviderTime),
		CreatedAt:         Time(p.CreatedAt),
		EntityNumber:      p.ContractNumber,
		PaymentMethod:     p.Method,
		ExpiresAt:         Time(p.ExpiresAt),
		ProviderCode:      p.ProviderCode,
		ProviderMessage:   p.ProviderMessage,
		PayoutID:          p.PayoutID,
	}
	if c := p.Credited; c != nil {
		out.Credited = &Credit{c.Money.Amount, c.Money.Currency, c.TransactionID, Time(c.At)}
	}
	out.Refunded = sumOf(p.Refunded)
	return out
}

// projectID is a project's id as its provider writes it.
func projectID(platform, id string) json.RawMessage {
	if platform == "jetpay" {
		return json.RawMessage(id)
	}
	quoted, _ := jsontext.AppendQuote(nil, id) // checked text always can be
	return quoted
}

// WholePayment is a payment with its history.
type WholePayment struct {
	Payment
	// ReportedRefunds are those that nobody has booked or dismissed.
	ReportedRefunds []ReportedRefund `json:"reported_refunds,omitempty"`
	Transactions    []Transaction    `json:"transactions"`
	Timeline        []Happened       `json:"timeline"`
}

// ReportedRefund is a refund or a reversal that the platform has reported. The sum
// is what to book; absent when the platform did not name it.
type ReportedRefund struct {
	Told        topup.Told `json:"told"`
	OperationID string     `json:"operation_id,omitempty"`
	Sum         *Sum       `json:"sum,omitempty"`
	MessageID   int64      `json:"message_id"`
	ReceivedAt  string     `json:"received_at"`
}

// ReportedRefunds are those of a payment's timeline that nobody has booked or
// dismissed, each operation once.
func ReportedRefunds(timeline []store.TimelineEntry) (list []ReportedRefund) {
	at := map[string]int{}
	for _, entry := range timeline {
		m := entry.Message
		if m == nil || m.Open.Flag() == 0 {
			continue
		}
		if i, known := at[m.Operation]; known && m.Operation != "" {
			if sum := sumOf(m.PaidBack); sum != nil {
				list[i].Sum = sum
			}
			continue
		}
		at[m.Operation] = len(list)
		list = append(list, ReportedRefund{Told: m.Open, OperationID: m.Operation, Sum: sumOf(m.PaidBack), MessageID: m.ID, ReceivedAt: Time(m.ReceivedAt)})
	}
	return list
}

// WholePaymentOf shows a payment with its history; the transactions come in the
// order of the feed.
func WholePaymentOf(p *topup.Payment, timeline []store.TimelineEntry) WholePayment {
	whole := WholePayment{Payment: PaymentOf(p), ReportedRefunds: ReportedRefunds(timeline), Transactions: []Transaction{}, Timeline: []Happened{}}
	for _, entry := range timeline {
		whole.Timeline = append(whole.Timeline, happenedOf(p, entry))
		if entry.Transaction != nil {
			whole.Transactions = append(whole.Transactions, TransactionOf(*entry.Transaction))
		}
	}
	slices.SortFunc(whole.Transactions, func(a, b Transaction) int { return cmp.Compare(a.Seq, b.Seq) })
	return whole
}

// Transaction is a ledger transaction. A debit is positive, a credit
// negative; the postings sum to zero.
type Transaction struct {
	Seq           int64                 `json:"seq"`
	TransactionID string                `json:"transaction_id"`
	PaymentID     string                `json:"payment_id,omitempty"` // absent of a payout's
	PayoutID      string                `json:"payout_id,omitempty"`  // of a payout's alone
	Kind          topup.TransactionKind `json:"kind"`
	Postings      []topup.Posting       `json:"postings"`
	EffectiveAt   string                `json:"effective_at"`
	RecordedAt    string                `json:"recorded_at"`
	OperationID   string                `json:"operation_id,omitempty"`
	Actor         string                `json:"actor,omitempty"`
	Reason        string                `json:"reason,omitempty"`
	ApprovedBy    string                `json:"approved_by,omitempty"` // the second person, where one was needed
	Reverses      string                `json:"reverses,omitempty"`
	Resolves      string                `json:"resolves,omitempty"`
	Takes         string                `json:"takes,omitempty"` // the credit or assignment that a recall or a refund takes from
}

// TransactionOf shows a ledger transaction.
func TransactionOf(t topup.Transaction) Transaction {
	return Transaction{
		Seq: t.Seq, TransactionID: t.ID, PaymentID: t.PaymentID, PayoutID: t.PayoutID, Kind: t.Kind, Postings: t.Postings,
		EffectiveAt: Time(t.EffectiveAt), RecordedAt: Time(t.RecordedAt),
		OperationID: t.Operation, Actor: t.Actor, Reason: t.Reason, ApprovedBy: t.ApprovedBy, Reverses: t.Reverses, Resolves: t.Resolves, Takes: t.Takes,
	}
}

// Happened is one entry of a payment's timeline. The members after what
// depend on it.
type Happened struct {
	At   string             `json:"at"`
	What store.TimelineKind `json:"what"`

	// Of a message.
	Source         topup.Source      `json:"source,omitempty"`
	Disposition    topup.Disposition `json:"disposition,omitempty"`
	ProviderStatus string            `json:"provider_status,omitempty"`
	OperationID    string            `json:"operation_id,omitempty"`
	ProviderCode   string            `json:"provider_code,omitempty"`
	Open           topup.Told        `json:"open,omitempty"` // why an operator must handle it

	// For a status response of the provider: the sum that it reports as paid, and what differs from the requested
	// one, amount or currency.
	HTTPStatus      int    `json:"http_status,omitempty"`
	ProviderMessage string `json:"provider_message,omitempty"`
	Amount          int64  `json:"amount,omitempty"`
	Currency        string `json:"currency,omitempty"`
	Differs         string `json:"differs,omitempty"`
	PaidBack        *Sum   `json:"paid_back,omitempty"` // what it reports as given back to the payer

	// Of a ledger transaction, and of a message that made one.
	TransactionSeq int64 `json:"seq,omitempty"`

	// Of a ledger transaction.
	TransactionID string                `json:"transaction_id,omitempty"`
	Kind          topup.TransactionKind `json:"kind,omitempty"`

	// Of an operator's step without one.
	Action string `json:"action,omitempty"`

	// Of both.
	Actor  string `json:"actor,omitempty"`
	Reason string `json:"reason,omitempty"`

	// Of a ledger transaction: the second person, where one was needed.
	ApprovedBy string `json:"approved_by,omitempty"`

	// Of a message, and of a step that concerns one.
	MessageID int64 `json:"message_id,omitempty"`
}

func happenedOf(p *topup.Payment, entry store.TimelineEntry) Happened {
	out := Happened{At: Time(entry.At), What: entry.What}
	if m := entry.Message; m != nil {
		out.Source, out.Disposition, out.ProviderStatus = m.Source, m.Disposition, m.Status
		out.OperationID, out.ProviderCode, out.TransactionSeq, out.MessageID = m.Operation, m.Code, m.Seq, m.ID
		out.Open, out.PaidBack = m.Open, sumOf(m.PaidBack)
	}
	if a := entry.Answer; a != nil {
		out.Source, out.ProviderStatus, out.OperationID = topup.SourceInfo, a.Status, a.Operation
		out.HTTPStatus, out.ProviderCode, out.ProviderMessage = a.HTTPStatus, a.Code, a.Message
		out.Amount, out.Currency, out.Differs = a.Sum.Amount, a.Sum.Currency, a.Differs(p.Money)
		out.PaidBack = sumOf(a.PaidBack)
	}
	if t := entry.Transaction; t != nil {
		out.TransactionSeq, out.TransactionID, out.Kind = t.Seq, t.ID, t.Kind
		out.Actor, out.Reason, out.ApprovedBy = t.Actor, t.Reason, t.ApprovedBy
	}
	if s := entry.Step; s != nil {
		out.Action, out.Actor, out.Reason, out.MessageID = s.Action, s.Actor, s.Reason, s.MessageID
	}
	return out
}

// Balance is a ledger account with its running totals, never negative.
type Balance struct {
	Account  string `json:"account"`
	Currency string `json:"currency"`
	Debits   int64  `json:"debits"`
	Credits  int64  `json:"credits"`
}

// Time is a time in RFC 3339, UTC, as exact as the database keeps it, so that what is
// shown before it is stored is the same; empty, and so left out, for the zero time.
func Time(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Truncate(time.Microsecond).Format(time.RFC3339Nano)
}

// SuspenseItem is money in suspense: not allocated yet, or resolved.
type SuspenseItem struct {
	Item              string          `json:"item"`
	Seq               int64           `json:"seq"`
	State             string          `json:"state"`
	PaymentID         string          `json:"payment_id"`
	Provider          string          `json:"provider"`
	ProjectID         json.RawMessage `json:"project_id"`
	CustomerID        string          `json:"customer_id,omitempty"`
	EntityID          string          `json:"entity_id,omitempty"`
	Amount            int64           `json:"amount"`
	Currency          string          `json:"currency"`
	Returned          int64           `json:"returned,omitempty"` // what went back of the amount
	Flags             topup.Flags     `json:"flags"`
	ProviderReference string          `json:"provider_reference,omitempty"`
	OperationID       string          `json:"operation_id,omitempty"`
	ProviderPaymentID string          `json:"provider_payment_id,omitempty"` // the receipt's number
	EffectiveAt       string          `json:"effective_at,omitempty"`
	RecordedAt        string          `json:"recorded_at,omitempty"`
	CreatedAt         string          `json:"created_at"` // the same, by the name that other records have
	Resolution        *Resolution     `json:"resolution,omitempty"`
}

// Resolution is how an item was resolved.
type Resolution struct {
	TransactionID string                `json:"transaction_id"`
	Kind          topup.TransactionKind `json:"kind"`
	Actor         string                `json:"actor"`
	Reason        string                `json:"reason"`
	ApprovedBy    string                `json:"approved_by,omitempty"`
	At            string                `json:"at"`
}

// SuspenseItemOf shows an item.
func SuspenseItemOf(item *store.SuspenseItem) SuspenseItem {
	r := SuspenseItem{
		Item: item.ID, Seq: item.Seq, State: item.State, PaymentID: item.PaymentID,
		Provider: item.Provider, ProjectID: projectID(item.Provider, item.Project),
		CustomerID: item.CustomerID, EntityID: item.ContractID, Amount: item.Money.Amount, Currency: item.Money.Currency, Returned: item.Returned,
		Flags: item.Flags, ProviderReference: item.ProviderReference, OperationID: item.Operation,
		ProviderPaymentID: item.Receipt, EffectiveAt: Time(item.EffectiveAt), RecordedAt: Time(item.RecordedAt),
		CreatedAt: Time(item.RecordedAt),
	}
	if s := item.Resolution; s != nil {
		r.Resolution = &Resolution{s.TransactionID, s.Kind, s.Actor, s.Reason, s.ApprovedBy, Time(s.At)}
	}
	return r
}
