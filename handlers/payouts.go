package handlers

import (
	"context"
	"net/http"

	"github.com/labstack/echo/v4"

	"tolem/calendar"
	"tolem/store"
	"tolem/topup"
	"tolem/view"
)

type payoutPage struct {
	Payouts    []view.Payout `json:"payouts"`
	NextCursor *string       `json:"next_cursor"`
}

// listPayouts answers with a page of payouts, those entered last first.
func (s *Server) listPayouts(c echo.Context) error {
	q := queryOf(c, "status", "provider", "project_id", "bank", "limit", "cursor")
	filter := store.PayoutFilter{
		Provider: q.text("provider"), Project: q.text("project_id"), Bank: q.text("bank"),
		Limit: int(q.number("limit", 1, maxPage)), Cursor: q.text("cursor"),
	}
	if text := q.text("status"); text != "" {
		state, err := topup.ParsePayoutState(text)
		q.report(err)
		filter.State = state
	}
	if len(q.problems) > 0 {
		return q.problems
	}
	ctx, cancel := c.(*exchange).deadline()
	defer cancel()
	list, next, err := s.store.Payouts(ctx, filter)
	if err != nil {
		return err
	}
	page := payoutPage{Payouts: make([]view.Payout, 0, len(list)), NextCursor: orNull(next)}
	for i := range list {
		page.Payouts = append(page.Payouts, view.PayoutOf(&list[i]))
	}
	return writeJSON(c, http.StatusOK, page)
}

// getPayout answers with a payout, what was done to it, and a page of its lines.
func (s *Server) getPayout(c echo.Context) error {
	q := queryOf(c, "provider", "project_id", "after", "limit")
	after, limit := q.number("after", 0, 1<<62), int(q.number("limit", 1, maxPage))
	if len(q.problems) > 0 {
		return q.problems
	}
	if limit == 0 {
		limit = defaultPage
	}
	id, err := pathParam(c, "payout_id")
	if err != nil {
		return err
	}
	ctx, cancel := c.(*exchange).deadline()
	defer cancel()
	payout, err := s.store.Payout(ctx, store.PayoutRef{ID: id, Provider: q.text("provider"), Project: q.text("project_id")})
	if err != nil {
		return err
	}
	lines, err := s.store.PayoutLines(ctx, payout, after, limit)
	if err != nil {
		return err
	}
	differences, total, err := s.store.PayoutDifferences(ctx, payout)
	if err != nil {
		return err
	}
	return writeJSON(c, http.StatusOK, view.WholePayoutOf(payout, lines, len(lines) == limit, differences, total))
}

// payoutBody is a payout that is entered by hand.
type payoutBody struct {
	PayoutID    string    `json:"payout_id"`
	Provider    string    `json:"provider"`
	ProjectID   projectID `json:"project_id"`
	Bank        string    `json:"bank"`
	Date        string    `json:"date"`
	Currency    string    `json:"currency"`
	Gross       int64     `json:"gross"` // minor units, as all figures
	Refunds     int64     `json:"refunds,omitempty"`
	Fees        int64     `json:"fees,omitempty"`
	Reserve     int64     `json:"reserve,omitempty"`
	Adjustments int64     `json:"adjustments,omitempty"`
	Net         int64     `json:"net"`
}

func (payoutBody) noted() note { return note{Reason: "entered by hand"} }

func (s *Server) addPayout(c echo.Context) error {
	return step(s, c, func(ctx context.Context, _ string, b payoutBody, by store.By) error {
		if !s.isConfigured(b.Provider, string(b.ProjectID)) {
			return topup.Invalid("project_id", "is not that of a configured project of this provider")
		}
		bank := s.settings.Load().config.Bank(b.Bank)
		if bank == nil {
			return topup.Invalid("bank", "is not the name of a configured bank account")
		}
		day, err := calendar.ParseDay(b.Date)
		if err != nil {
			return topup.Invalid("date", "must be a day such as 2026-11-29")
		}
		_, err = s.store.AddPayout(ctx, store.NewPayout{
			Payout: topup.Payout{
				ID: b.PayoutID, Provider: b.Provider, Project: string(b.ProjectID), Bank: b.Bank, Date: b.Date, Currency: b.Currency,
				PayoutFigures: topup.PayoutFigures{Gross: b.Gross, Refunds: b.Refunds, Fees: b.Fees, Reserve: b.Reserve, Adjustments: b.Adjustments, Net: b.Net},
			},
			Day:  store.Day{Start: day.Start(s.zone), End: day.End(s.zone)},
			Bank: topup.BankAccountOf{Name: bank.Name, Currency: bank.Currency},
		}, by)
		return err
	})
}

// payoutStep is the body of a step on a payout. Provider and project are needed
// where the id is that of payouts of several projects.
type payoutStep struct {
	Provider  string    `json:"provider,omitempty"`
	ProjectID projectID `json:"project_id,omitempty"`
	note
}

func (b payoutStep) ref(id string) store.PayoutRef {
	return store.PayoutRef{ID: id, Provider: b.Provider, Project: string(b.ProjectID)}
}

func (s *Server) postPayout(c echo.Context) error {
	return step(s, c, func(ctx context.Context, id string, b payoutStep, by store.By) error {
		_, err := s.store.PostPayout(ctx, b.ref(id), by)
		return err
	})
}

func (s *Server) discardPayout(c echo.Context) error {
	return step(s, c, func(ctx context.Context, id string, b payoutStep, by store.By) error {
		return s.store.DiscardPayout(ctx, b.ref(id), by)
	})
}

// getSettlement answers with what each platform owes.
func (s *Server) getSettlement(c echo.Context) error {
	q := queryOf(c, "at")
	day := q.day("at")
	if len(q.problems) > 0 {
		return q.problems
	}
	ctx, cancel := context.WithTimeout(c.Request().Context(), reportTimeout)
	defer cancel()
	list, err := s.store.Settlement(ctx, day, s.zone)
	if err != nil {
		return err
	}
	shown := make([]view.Settlement, 0, len(list))
	for i := range list {
		shown = append(shown, view.SettlementOf(&list[i]))
	}
	return writeJSON(c, http.StatusOK, shown)
}
