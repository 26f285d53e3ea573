package proof_test

import (
	"fmt"
	"net/url"
	"reflect"
	"slices"
	"time"

	"tolem/proof/model"
)

// transaction is a ledger transaction as the feed shows it.
type transaction struct {
	Seq           int64
	TransactionID string `json:"transaction_id"`
	PaymentID     string `json:"payment_id"`
	PayoutID      string `json:"payout_id"`
	Kind          string
	Postings      []model.Posting
}

// compare holds the books against the model: every new transaction, every payment,
// every balance.
func (w *walk) compare() {
	w.must(w.m.Check())
	w.compareFeed()
	w.comparePayments()
	w.compareBalances()
}

// feed reads what is new. On PostgreSQL the feed waits for whoever may still commit
// an earlier place, so it may be a moment late.
func (w *walk) feed() (list []transaction) {
	var page struct{ Transactions []transaction }
	for late := time.Now().Add(5 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		w.must(w.s.read(fmt.Sprintf("/api/v1/ledger/transactions?limit=1000&after=%d", w.seq), &page))
		if len(page.Transactions) >= len(w.m.Txs)-w.known || time.Now().After(late) {
			return page.Transactions
		}
	}
}

func (w *walk) compareFeed() {
	want := w.m.Txs[w.known:]
	got := w.feed()
	for i := range max(len(got), len(want)) {
		switch {
		case i >= len(got):
			w.tally.lost += len(want) - len(got)
			w.fatalf("a %s is missing in the journal: %s", want[i].Kind, raw(want[i].Postings))
		case i >= len(want):
			w.tally.doubled += len(got) - len(want)
			w.fatalf("the journal has a transaction too many: %s", raw(got[i]))
		}
		g, t := got[i], want[i]
		if p := t.Payment; p != nil && p.ID == "" {
			p.ID = g.PaymentID // the server has just named it
		}
		if g.Kind != t.Kind || !samePostings(g.Postings, t.Postings) || t.Payment != nil && g.PaymentID != t.Payment.ID || t.Payout != nil && g.PayoutID != t.Payout.ID {
			w.fatalf("the journal has %s, want a %s of %s", raw(g), t.Kind, raw(t.Postings))
		}
		w.ids[t], w.seq = g.TransactionID, g.Seq
	}
	w.known = len(w.m.Txs)
}

func samePostings(a, b []model.Posting) bool {
	order := func(list []model.Posting) []model.Posting {
		list = slices.Clone(list)
		slices.SortFunc(list, func(x, y model.Posting) int { return int(x.Amount - y.Amount) })
		return list
	}
	return reflect.DeepEqual(order(a), order(b))
}

// page is the address of the first page, or of that of a cursor.
func page(cursor, path string) string {
	if cursor == "" {
		return path
	}
	return path + "&cursor=" + url.QueryEscape(cursor)
}

// shown is a payment as the API shows it.
type shown struct {
	PaymentID  string `json:"payment_id"`
	Provider   string
	CustomerID string `json:"customer_id"`
	EntityID   string `json:"entity_id"`
	Amount     int64
	Currency   string
	Status     string
	Flags      []string
	Credited   *model.Money
	Refunded   *model.Money
}

func (w *walk) comparePayments() {
	got := map[string]shown{}
	cursor := ""
	for {
		var part struct {
			Payments   []shown
			NextCursor *string `json:"next_cursor"`
		}
		w.must(w.s.read(page(cursor, "/api/v1/payments?limit=500"), &part))
		for _, p := range part.Payments {
			slices.Sort(p.Flags)
			got[p.PaymentID] = p
		}
		if part.NextCursor == nil || *part.NextCursor == "" {
			break
		}
		cursor = *part.NextCursor
	}
	for _, p := range w.m.Payments {
		want := shown{
			PaymentID: p.ID, Provider: p.Provider, CustomerID: p.Customer, EntityID: p.Contract, Amount: p.Asked.Amount, Currency: p.Asked.Currency,
			Status: p.Status, Flags: p.FlagNames(),
		}
		if c := w.m.Credited(p); c != (model.Money{}) {
			want.Credited = &c
		}
		is := got[p.ID]
		if refunded := w.m.Refunded(p); refunded > 0 {
			want.Refunded = &model.Money{Amount: refunded}
			if is.Refunded != nil {
				want.Refunded.Currency = is.Refunded.Currency
			}
		}
		if p.MayExpire && p.Status == "expired" && is.Status == "pending" {
			want.Status = "pending" // it is shown as expired within a minute
		}
		if !reflect.DeepEqual(is, want) {
			w.fatalf("%s is shown as\n%s\nwant\n%s", w.name(p.ID), raw(is), raw(want))
		}
		delete(got, p.ID)
	}
	for id, p := range got {
		w.fatalf("there is a payment %s that nobody made: %s", id, raw(p))
	}
}

func (w *walk) compareBalances() {
	got := map[string][2]int64{}
	cursor := ""
	for {
		var part struct {
			Accounts []struct {
				Account, Currency string
				Debits, Credits   int64
			}
			NextCursor *string `json:"next_cursor"`
			Total      map[string]int64
		}
		w.must(w.s.read(page(cursor, "/api/v1/ledger/balances?limit=1000"), &part))
		for _, a := range part.Accounts {
			got[a.Account+" "+a.Currency] = [2]int64{a.Debits, a.Credits}
		}
		for currency, sum := range part.Total {
			if sum != 0 {
				w.fatalf("the book is off by %d %s", sum, currency)
			}
		}
		if part.NextCursor == nil || *part.NextCursor == "" {
			break
		}
		cursor = *part.NextCursor
	}
	if want := w.m.Balances(); !reflect.DeepEqual(got, want) {
		w.fatalf("the balances (debits, credits) are\n%v\nwant\n%v", got, want)
	}
}

// event is a notification as the API lists it.
type event struct {
	Type          string
	PaymentID     string `json:"payment_id"`
	PayoutID      string `json:"payout_id"`
	TransactionID string `json:"transaction_id"`
}

// compareEvents holds the notifications against the model's. That a payment has
// expired is written within a minute, or never when something else came first; so
// these are compared by what they may be about.
func (w *walk) compareEvents() {
	var got, want []event
	cursor := ""
	expired := map[string]int{}
	for {
		var part struct {
			Events     []event
			NextCursor *string `json:"next_cursor"`
		}
		w.must(w.s.read(page(cursor, "/api/v1/events?limit=1000"), &part))
		for _, e := range part.Events {
			if e.Type == "topup.expired" {
				expired[e.PaymentID]++
				continue
			}
			got = append(got, e)
		}
		if part.NextCursor == nil || *part.NextCursor == "" {
			break
		}
		cursor = *part.NextCursor
	}
	slices.Reverse(got)
	for _, e := range w.m.Events {
		listed := event{Type: e.Type, TransactionID: w.ids[e.Tx]}
		if e.Payment != nil {
			listed.PaymentID = e.Payment.ID
		}
		if e.Payout != nil {
			listed.PayoutID = e.Payout.ID
		}
		want = append(want, listed)
	}
	for i := range max(len(got), len(want)) {
		if i >= len(got) || i >= len(want) || got[i] != want[i] {
			w.fatalf("notification %d: there are\n%s\nwant\n%s", i+1, raw(got[i:]), raw(want[i:]))
		}
	}
	for id, n := range expired {
		if p := w.m.ByID(id); p == nil || !p.MayExpire || n > 1 {
			w.fatalf("%s has expired %d times", w.name(id), n)
		}
	}
}

// end compares once more after a restart, with the program's own check.
func (w *walk) end() {
	w.compareEvents()
	w.s.kill()
	w.note("kill, and ledger check")
	code, out, err := w.s.command("ledger", "check")
	w.must(err)
	if code != 0 {
		w.fatalf("ledger check: exit code %d\n%s", code, out)
	}
	w.must(w.s.start(longExpiry))
	w.compare()
	w.compareEvents()
}
