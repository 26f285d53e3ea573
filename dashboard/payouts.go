package dashboard

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"tolem/calendar"
	"tolem/store"
	"tolem/topup"
)

type payoutsPage struct {
	State    string
	States   []topup.PayoutState
	Payouts  []store.Payout
	NextURL  string
	FirstURL string
}

// payouts lists what platforms have paid, or say that they have.
func (d *Dashboard) payouts(w http.ResponseWriter, r *http.Request, s *session) error {
	q := r.URL.Query()
	body := payoutsPage{State: q.Get("status"), States: topup.PayoutStates}
	list, next, err := d.store.Payouts(r.Context(), store.PayoutFilter{State: topup.PayoutState(body.State), Cursor: q.Get("cursor"), Limit: pageRows})
	if err != nil {
		return err
	}
	body.Payouts = list
	body.NextURL, body.FirstURL = pageURLs(r, next)
	p := d.page(w, r, s, "payouts.title")
	p.Section = "payouts"
	d.show(w, r, http.StatusOK, "payouts", p, body)
	return nil
}

// payoutURL is the address of a payout: its id is unique in its project.
func payoutURL(provider, project, id string) string {
	return "/payouts/" + url.PathEscape(id) + "?" + url.Values{"provider": {provider}, "project": {project}}.Encode()
}

// figure is one of a payout's sums.
type figure struct {
	Key    string
	Amount int64
	Total  bool
}

type payoutPage struct {
	Payout      *store.Payout
	Day         string
	Figures     []figure
	Posting     *topup.Transaction
	Differences []store.PayoutLine
	Differing   int
	Lines       []store.PayoutLine
	After       int64
	Comparing   bool      // Differences are not known yet
	ComparedAt  time.Time // of a comparison in the background
	MoreLines   bool      // there are others than those that differ
	NextURL     string
	FirstURL    string
	Steps       []offered
}

// payout shows a payout: its figures, its lines against the payments, and what was
// done to it.
func (d *Dashboard) payout(w http.ResponseWriter, r *http.Request, s *session) error {
	ctx, q := r.Context(), r.URL.Query()
	payout, err := d.store.Payout(ctx, store.PayoutRef{ID: r.PathValue("id"), Provider: q.Get("provider"), Project: q.Get("project")})
	if err != nil {
		return err
	}
	body := payoutPage{Payout: payout, Figures: []figure{
		{"payout.gross", payout.Gross, false}, {"payout.refunds", -payout.Refunds, false}, {"payout.fees", -payout.Fees, false},
		{"payout.reserve", -payout.Reserve, false}, {"payout.adjustments", -payout.Adjustments, false}, {"payout.net", payout.Net, true},
	}}
	if id := payout.Posting(); id != "" {
		t, err := d.store.Transaction(ctx, id)
		if err != nil {
			return err
		}
		body.Posting = &t
	}
	if text := q.Get("cursor"); text != "" {
		if body.After, err = positive(text); err != nil {
			return topup.Invalid("cursor", "must be the place of a line")
		}
	} else if err := d.compareLines(ctx, &body); err != nil {
		return err
	}
	if body.Lines, err = d.store.PayoutLines(ctx, payout, body.After, pageRows); err != nil {
		return err
	}
	body.MoreLines = body.After > 0 || len(body.Lines) > len(body.Differences)
	next := ""
	if len(body.Lines) == pageRows {
		next = strconv.FormatInt(body.Lines[pageRows-1].N, 10)
	}
	body.NextURL, body.FirstURL = pageURLs(r, next)
	if maySteps(s.Role) && payout.State == topup.PayoutDraft {
		ref := "?" + url.Values{"provider": {payout.Provider}, "project": {payout.Project}}.Encode()
		for _, name := range stepsOf["payouts"] {
			body.Steps = append(body.Steps, offered{name, "/payouts/" + url.PathEscape(payout.ID) + "/" + name + ref})
		}
	}
	p := d.page(w, r, s, "payout.title", payout.ID)
	p.Section = "payouts"
	d.show(w, r, http.StatusOK, "payout", p, body)
	return nil
}

// differing are the lines of a payout that differ from what we have.
type differing struct {
	list  []store.PayoutLine // at most shownDifferences
	total int
}

// compareLines finds the lines that differ, of a large payout in the background.
func (d *Dashboard) compareLines(ctx context.Context, body *payoutPage) error {
	payout := body.Payout
	compare := func(ctx context.Context) (any, error) {
		list, total, err := d.store.PayoutDifferences(ctx, payout)
		return differing{list[:min(len(list), shownDifferences)], total}, err
	}
	var found any
	var err error
	if payout.Lines <= d.compared {
		found, err = compare(ctx)
	} else {
		found, body.ComparedAt, err = d.background.get("payout "+strconv.FormatInt(payout.Row, 10), compare)
		body.Comparing = body.ComparedAt.IsZero()
	}
	if f, ok := found.(differing); ok {
		body.Differences, body.Differing = f.list, f.total
	}
	return err
}

// payoutRef is the payout that a step is about.
func payoutRef(q *stepRequest) store.PayoutRef {
	return store.PayoutRef{ID: q.id, Provider: q.form.Get("provider"), Project: q.form.Get("project")}
}

type settlementPage struct {
	Unsummed int64 // transactions that are still being added up
	At       string
	Rows     []store.Settlement
	Ages     []string
	AtDay    calendar.Day
}

// settlement shows what each platform owes, and how old the money is that no payout
// has named.
func (d *Dashboard) settlement(w http.ResponseWriter, r *http.Request, s *session) error {
	body := settlementPage{At: r.URL.Query().Get("at"), Ages: store.UnpaidAges[:]}
	if body.At != "" {
		day, err := calendar.ParseDay(body.At)
		if err != nil {
			return topup.Invalid("at", "%v", err)
		}
		body.AtDay = day
	}
	left, err := d.store.Unsummed(r.Context())
	switch {
	case err != nil:
		return err
	case left > d.unsummed:
		body.Unsummed = left
		_, _, err = d.background.get("settlement", func(ctx context.Context) (any, error) { return nil, d.store.SumSettlement(ctx) })
		if err != nil {
			return err
		}
	default:
		if body.Rows, err = d.store.Settlement(r.Context(), body.AtDay, d.zone); err != nil {
			return err
		}
	}
	if body.At == "" {
		body.At = calendar.DayOf(d.now(), d.zone).String()
	}
	p := d.page(w, r, s, "settlement.title")
	p.Section = "settlement"
	d.show(w, r, http.StatusOK, "settlement", p, body)
	return nil
}
