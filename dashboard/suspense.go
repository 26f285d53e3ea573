package dashboard

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"tolem/jetpay"
	"tolem/store"
	"tolem/topup"
)

const (
	suspenseRows = 20
	// A payment that money was meant for was issued at most so long before the money
	// came, or a little after it.
	candidateBefore = 24 * time.Hour
	candidateAfter  = time.Hour
)

// candidate is a contract that the money of an item may be for.
type candidate struct {
	CustomerID, ContractID, Number string
	Why                            string    // own, payer or open
	PaymentID                      string    // of an open payment
	IssuedAt                       time.Time // of that
}

// Value is the candidate as a form carries it.
func (c candidate) Value() string {
	return url.Values{"customer": {c.CustomerID}, "contract": {c.ContractID}}.Encode()
}

type suspenseItem struct {
	store.SuspenseItem
	Candidates []candidate
}

type suspensePage struct {
	Items    []suspenseItem
	NextURL  string
	FirstURL string
	All      bool
}

// suspense lists the money that is credited to nobody, the oldest first.
func (d *Dashboard) suspense(w http.ResponseWriter, r *http.Request, s *session) error {
	ctx := r.Context()
	q := r.URL.Query()
	body := suspensePage{All: q.Get("all") == "1"}
	filter := store.SuspenseFilter{All: body.All, Limit: suspenseRows + 1}
	if after := q.Get("after"); after != "" {
		seq, err := strconv.ParseInt(after, 10, 64)
		if err != nil || seq < 0 {
			return topup.Invalid("after", "must be a place in the feed")
		}
		filter.After, body.FirstURL = seq, "/suspense"
	}
	items, err := d.store.SuspenseItems(ctx, filter)
	if err != nil {
		return err
	}
	if len(items) > suspenseRows {
		items = items[:suspenseRows]
		next := url.Values{"after": {strconv.FormatInt(items[suspenseRows-1].Seq, 10)}}
		if body.All {
			next.Set("all", "1")
		}
		body.NextURL = "/suspense?" + next.Encode()
	}
	for _, item := range items {
		row := suspenseItem{SuspenseItem: item}
		if item.State == store.SuspenseOpen {
			if row.Candidates, err = d.candidates(ctx, item); err != nil {
				return err
			}
		}
		body.Items = append(body.Items, row)
	}
	p := d.page(w, r, s, "suspense.title")
	p.Section = "suspense"
	d.show(w, r, http.StatusOK, "suspense", p, body)
	return nil
}

// candidates proposes contracts for an item: the one that its payment was issued
// for, those of the account that the payer's own text names, and those of open
// payments of the same sum near in time. They are proposals: nothing is decided by
// them.
func (d *Dashboard) candidates(ctx context.Context, item store.SuspenseItem) ([]candidate, error) {
	var list []candidate
	add := func(c candidate) {
		if !slices.ContainsFunc(list, func(b candidate) bool { return b.CustomerID == c.CustomerID && b.ContractID == c.ContractID }) {
			list = append(list, c)
		}
	}
	if item.CustomerID != "" {
		account, err := d.store.Account(ctx, item.CustomerID)
		if err != nil && !isRefusal(err) {
			return nil, err
		}
		if err == nil {
			if c := account.Contract(item.ContractID); c != nil && account.Currency == item.Money.Currency {
				add(candidate{CustomerID: account.CustomerID, ContractID: c.ID, Number: c.Number, Why: "own"})
			}
		}
	}
	named, err := d.payerAccounts(ctx, item)
	if err != nil {
		return nil, err
	}
	for _, account := range named {
		for _, c := range account.Contracts {
			if !c.Closed && account.Currency == item.Money.Currency {
				add(candidate{CustomerID: account.CustomerID, ContractID: c.ID, Number: c.Number, Why: "payer"})
			}
		}
	}
	open, err := d.store.OpenPaymentsLike(ctx, item.Money, item.RecordedAt.Add(-candidateBefore), item.RecordedAt.Add(candidateAfter))
	if err != nil {
		return nil, err
	}
	for _, p := range open {
		if p.ID != item.PaymentID {
			add(candidate{CustomerID: p.CustomerID, ContractID: p.ContractID, Number: p.ContractNumber, Why: "open", PaymentID: p.ID, IssuedAt: p.CreatedAt})
		}
	}
	return list, nil
}

// payerAccounts are the accounts that the payer named, as far as the message that
// brought the money has what the payer entered.
func (d *Dashboard) payerAccounts(ctx context.Context, item store.SuspenseItem) ([]*topup.Account, error) {
	if item.CustomerID != "" {
		return nil, nil
	}
	id, err := d.store.ItemMessage(ctx, &item)
	if err != nil || id == 0 {
		return nil, err
	}
	_, body, err := d.store.Message(ctx, id)
	if err != nil || body == nil {
		return nil, err
	}
	var list []*topup.Account
	for _, text := range jetpay.PayerTexts(body) {
		accounts, err := d.accountsNamed(ctx, text)
		if err != nil {
			return nil, err
		}
		list = append(list, accounts...)
	}
	return list, nil
}
