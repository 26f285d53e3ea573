package dashboard

import (
	"net/http"
	"time"

	"tolem/calendar"
	"tolem/store"
	"tolem/topup"
)

// todo is something that needs a person.
type todo struct {
	Key   string // of its text, which has plural forms
	Count int64
	URL   string
	Since time.Time // of the oldest, zero if it is not known
	Sums  []Sum
}

type overviewPage struct {
	Todo    []todo
	Figures *Figures
	Chart   []chart
}

// overview shows what needs a person first, and then how the days went.
func (d *Dashboard) overview(w http.ResponseWriter, r *http.Request, s *session) error {
	p := d.page(w, r, s, "overview.title")
	p.Section = "overview"
	f := p.Figures
	body := overviewPage{Figures: f, Todo: d.todo(f)}
	var err error
	if body.Chart, err = charts(d.printer(p.Language), f.Days); err != nil {
		return err
	}
	d.show(w, r, http.StatusOK, "overview", p, body)
	return nil
}

// todo lists what needs a person, money first.
func (d *Dashboard) todo(f *Figures) []todo {
	var list []todo
	add := func(key string, n int64, url string, since time.Time, sums []Sum) {
		if n > 0 {
			list = append(list, todo{key, n, url, since, sums})
		}
	}
	var inSuspense []Sum
	for _, b := range f.Suspense {
		if b.Sum.Amount > 0 {
			inSuspense = addSum(inSuspense, b.Sum)
		}
	}
	add("todo.suspense", f.Stats.OpenSuspense, "/suspense", f.Oldest, inSuspense)
	add("todo.review", f.Stats.Review, "/payments?status="+string(topup.StatusReview), time.Time{}, nil)
	add("todo.approvals", f.Approvals, "/approvals", time.Time{}, nil)
	add("todo.payouts", f.Drafts, "/payouts?status="+string(topup.PayoutDraft), time.Time{}, nil)
	add("todo.events", f.Failed, "/events?status="+string(store.DeliveryFailed), time.Time{}, nil)
	add("todo.messages", f.Messages(), "/messages?open=1", time.Time{}, nil)
	before := calendar.DayOf(f.At.Add(-waitingLong), d.zone)
	add("todo.waiting", f.Waiting, "/payments?status="+string(topup.StatusPending)+"&to="+before.String(), f.Stats.OldestPending, nil)
	return list
}

// addSum adds an amount to the sum of its currency. Amounts that do not fit into 64
// bits are beyond any book.
func addSum(list []Sum, s Sum) []Sum {
	for i := range list {
		if list[i].Currency == s.Currency {
			if sum, err := topup.Add(list[i].Amount, s.Amount); err == nil {
				list[i].Amount = sum
			}
			return list
		}
	}
	return append(list, s)
}
