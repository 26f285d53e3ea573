package view

import (
	"encoding/json"

	"tolem/store"
	"tolem/topup"
)

// Payout is a payout without its lines. Amounts are minor units of its currency.
type Payout struct {
	PayoutID    string            `json:"payout_id"`
	Provider    string            `json:"provider"`
	ProjectID   json.RawMessage   `json:"project_id"` // a number for jetpay, else a string
	Bank        string            `json:"bank"`
	Date        string            `json:"date"`
	Status      topup.PayoutState `json:"status"`
	Currency    string            `json:"currency"`
	Gross       int64             `json:"gross"`
	Refunds     int64             `json:"refunds"`
	Fees        int64             `json:"fees"`
	Reserve     int64             `json:"reserve"`
	Adjustments int64             `json:"adjustments"`
	Net         int64             `json:"net"`
	LineCount   int64             `json:"line_count"`
	File        string            `json:"file,omitempty"`
	SHA256      string            `json:"sha256,omitempty"` // of the file
	CreatedAt   string            `json:"created_at"`
}

// PayoutOf shows a payout.
func PayoutOf(p *store.Payout) Payout {
	return Payout{
		PayoutID: p.ID, Provider: p.Provider, ProjectID: projectID(p.Provider, p.Project), Bank: p.Bank, Date: p.Date, Status: p.State, Currency: p.Currency,
		Gross: p.Gross, Refunds: p.Refunds, Fees: p.Fees, Reserve: p.Reserve, Adjustments: p.Adjustments, Net: p.Net,
		LineCount: p.Lines, File: p.File, SHA256: p.SHA256, CreatedAt: Time(p.CreatedAt),
	}
}

// WholePayout is a payout with what was done to it, and its lines.
type WholePayout struct {
	Payout
	TransactionID string       `json:"transaction_id,omitempty"` // that booked it
	Steps         []PayoutStep `json:"steps"`
	BankLine      *BankLine    `json:"bank_line,omitempty"` // that it is matched with
	// DifferenceCount is how many lines differ from what tolem has of their payments;
	// Differences are the first 1000 of them.
	DifferenceCount int          `json:"difference_count"`
	Differences     []PayoutLine `json:"differences"`
	Lines           []PayoutLine `json:"lines"`
	// NextLine is the place after which the next page of lines begins, absent when
	// there is none.
	NextLine int64 `json:"next_line,omitempty"`
}

// PayoutStep is something that was done to a payout.
type PayoutStep struct {
	At            string            `json:"at"`
	Status        topup.PayoutState `json:"status"` // in which it left the payout
	TransactionID string            `json:"transaction_id,omitempty"`
	Actor         string            `json:"actor"`
	Reason        string            `json:"reason"`
}

// PayoutLine is a line of a payout.
type PayoutLine struct {
	N          int64                `json:"n"`    // its place in the payout
	Line       int                  `json:"line"` // its number in the register
	Type       topup.PayoutLineType `json:"type"`
	Payment    string               `json:"payment,omitempty"`    // as the register has it
	PaymentID  string               `json:"payment_id,omitempty"` // tolem's payment, absent if it knows none
	Operation  string               `json:"operation_id,omitempty"`
	Amount     int64                `json:"amount"`
	Fee        int64                `json:"fee,omitempty"`
	Reserve    int64                `json:"reserve,omitempty"`
	Adjustment int64                `json:"adjustment,omitempty"`
	At         string               `json:"at,omitempty"`
	Difference topup.LineDifference `json:"difference,omitempty"`
	Received   *PayoutReceived      `json:"received,omitempty"` // where a payment's sum or currency differs
}

// PayoutReceived is what was received for a payment.
type PayoutReceived struct {
	Amount   int64  `json:"amount"`
	Currency string `json:"currency"`
}

// PayoutLineOf shows a line.
func PayoutLineOf(l *store.PayoutLine) PayoutLine {
	out := PayoutLine{
		N: l.N, Line: l.Line, Type: l.Type, Payment: l.Payment, PaymentID: l.PaymentID, Operation: l.Operation,
		Amount: l.Amount, Fee: l.Fee, Reserve: l.Reserve, Adjustment: l.Adjustment, At: Time(l.At), Difference: l.Difference,
	}
	if !l.Received.IsZero() {
		out.Received = &PayoutReceived{l.Received.Amount, l.Received.Currency}
	}
	return out
}

// WholePayoutOf shows a payout with a page of its lines; more tells that others
// follow.
func WholePayoutOf(p *store.Payout, lines []store.PayoutLine, more bool, differences []store.PayoutLine, total int) WholePayout {
	whole := WholePayout{
		Payout: PayoutOf(p), TransactionID: p.Posting(), Steps: []PayoutStep{},
		DifferenceCount: total, Differences: []PayoutLine{}, Lines: []PayoutLine{},
	}
	if l := p.BankLine; l != nil {
		line := BankLineOf(l.Bank, l.Currency, l.ID, l.Line)
		whole.BankLine = &line
	}
	for _, s := range p.Steps {
		whole.Steps = append(whole.Steps, PayoutStep{Time(s.At), s.State, s.TransactionID, s.Actor, s.Reason})
	}
	for i := range differences {
		whole.Differences = append(whole.Differences, PayoutLineOf(&differences[i]))
	}
	for i := range lines {
		whole.Lines = append(whole.Lines, PayoutLineOf(&lines[i]))
	}
	if more && len(lines) > 0 {
		whole.NextLine = lines[len(lines)-1].N
	}
	return whole
}

// PayoutImport is what became of payouts that were entered.
type PayoutImport struct {
	DryRun    bool       `json:"dry_run,omitempty"`
	Created   []PayoutID `json:"created"`
	Unchanged []PayoutID `json:"unchanged"`
}

// PayoutID names a payout.
type PayoutID struct {
	PayoutID  string          `json:"payout_id"`
	Provider  string          `json:"provider"`
	ProjectID json.RawMessage `json:"project_id"`
}

// PayoutImportOf shows what became of payouts.
func PayoutImportOf(r store.PayoutImport, dryRun bool) PayoutImport {
	return PayoutImport{DryRun: dryRun, Created: payoutIDs(r.Created), Unchanged: payoutIDs(r.Unchanged)}
}

func payoutIDs(list []store.PayoutRef) []PayoutID {
	ids := make([]PayoutID, 0, len(list))
	for _, r := range list {
		ids = append(ids, PayoutID{r.ID, r.Provider, projectID(r.Provider, r.Project)})
	}
	return ids
}

// Settlement is what was booked with a project of a platform in one currency, in
// minor units. Owed is credited less refunded, paid_out, fees, reserve and
// adjustments.
type Settlement struct {
	Provider    string          `json:"provider"`
	ProjectID   json.RawMessage `json:"project_id"`
	Currency    string          `json:"currency"`
	Credited    int64           `json:"credited"`
	Refunded    int64           `json:"refunded"`
	PaidOut     int64           `json:"paid_out"`
	Fees        int64           `json:"fees"`
	Reserve     int64           `json:"reserve"`
	Adjustments int64           `json:"adjustments"`
	Owed        int64           `json:"owed"`
	Suspense    int64           `json:"suspense"` // what of credited is in suspense
	Unpaid      []Unpaid        `json:"unpaid"`   // of payments that no payout has named
}

// Unpaid is money of an age that no payout has named.
type Unpaid struct {
	Days  string `json:"days"` // 0-1, 2-3, 4-7, 8-40, over-40
	Count int64  `json:"count"`
	Sum   int64  `json:"sum"`
}

// SettlementOf shows the settlement of a project.
func SettlementOf(s *store.Settlement) Settlement {
	out := Settlement{
		Provider: s.Provider, ProjectID: projectID(s.Provider, s.Project), Currency: s.Currency, Credited: s.Credited, Refunded: s.Refunded,
		PaidOut: s.PaidOut, Fees: s.Fees, Reserve: s.Reserve, Adjustments: s.Adjustments, Owed: s.Owed, Suspense: s.Suspense,
	}
	for i, u := range s.Unpaid {
		out.Unpaid = append(out.Unpaid, Unpaid{store.UnpaidAges[i], u.Count, u.Sum})
	}
	return out
}
