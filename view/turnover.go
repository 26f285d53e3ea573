package view

import (
	"cmp"
	"encoding/json"
	"slices"

	"tolem/store"
	"tolem/topup"
)

// Turnover is the turnover of a period, told by one or two dimensions.
type Turnover struct {
	By       []store.Dimension `json:"by"`
	From     string            `json:"from,omitempty"` // a day; absent: from the first
	To       string            `json:"to,omitempty"`
	Timezone string            `json:"timezone"` // whose days these are
	Rows     []TurnoverRow     `json:"rows"`
	Totals   []TurnoverRow     `json:"totals"` // one a currency
}

// TurnoverRow is what moved. Only the members that the report is told by are there.
type TurnoverRow struct {
	Day        string          `json:"day,omitempty"`
	Month      string          `json:"month,omitempty"`
	CustomerID string          `json:"customer_id,omitempty"`
	EntityID   string          `json:"entity_id,omitempty"`
	Provider   string          `json:"provider,omitempty"`
	ProjectID  json.RawMessage `json:"project_id,omitempty"`
	Method     string          `json:"payment_method,omitempty"`
	Currency   string          `json:"currency"`
	Count      int64           `json:"count"`
	Credited   int64           `json:"credited"`
	Refunded   int64           `json:"refunded"`
	Fees       *int64          `json:"fees,omitempty"` // absent where they are not known
	Net        int64           `json:"net"`
}

// TurnoverRowOf shows a row.
func TurnoverRowOf(t store.Turnover) TurnoverRow {
	row := TurnoverRow{
		Day: t.Day.String(), Month: t.Month, CustomerID: t.CustomerID, EntityID: t.ContractID, Provider: t.Provider, Method: t.Method,
		Currency: t.Currency, Count: t.Count, Credited: t.Credited, Refunded: t.Refunded, Fees: t.Fees, Net: t.Net(),
	}
	if t.Provider != "" {
		row.ProjectID = projectID(t.Provider, t.Project)
	}
	return row
}

// TurnoverTotals adds rows up, by currency.
type TurnoverTotals map[string]store.Turnover

// Add adds a row. A sum that does not fit into 64 bits is an error.
func (t TurnoverTotals) Add(row store.Turnover) (err error) {
	sum, known := t[row.Currency]
	if !known {
		sum.Currency = row.Currency
		if row.Fees != nil {
			sum.Fees = new(int64)
		}
	}
	add := func(to *int64, what int64) {
		if err == nil {
			*to, err = topup.Add(*to, what)
		}
	}
	add(&sum.Count, row.Count)
	add(&sum.Credited, row.Credited)
	add(&sum.Refunded, row.Refunded)
	if sum.Fees != nil && row.Fees != nil {
		fees := *sum.Fees
		add(&fees, *row.Fees)
		sum.Fees = &fees
	}
	t[row.Currency] = sum
	return err
}

// Sorted are the totals in the order of the currencies; never nil.
func (t TurnoverTotals) Sorted() []store.Turnover {
	list := make([]store.Turnover, 0, len(t))
	for _, sum := range t {
		list = append(list, sum)
	}
	slices.SortFunc(list, func(a, b store.Turnover) int { return cmp.Compare(a.Currency, b.Currency) })
	return list
}
