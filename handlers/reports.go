package handlers

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"tolem/calendar"
	"tolem/store"
	"tolem/topup"
	"tolem/view"
)

const (
	// reportTimeout bounds a report that has to read the whole journal.
	reportTimeout = time.Minute
	// maxReportRows bounds an answer.
	maxReportRows = 10_000
)

// reportTurnover answers with the turnover of a period.
func (s *Server) reportTurnover(c echo.Context) error {
	q := queryOf(c, "by", "from", "to")
	by, err := store.ParseDimensions(q.text("by"))
	q.report(err)
	report := view.Turnover{By: by, From: q.text("from"), To: q.text("to"), Timezone: s.zone.String(), Rows: []view.TurnoverRow{}, Totals: []view.TurnoverRow{}}
	query := store.TurnoverQuery{By: by, Zone: s.zone, From: q.day("from"), To: q.day("to")}
	if !query.From.IsZero() && !query.To.IsZero() && query.To.Before(query.From) {
		q.report(topup.Invalid("to", "must not be before from"))
	}
	if len(q.problems) > 0 {
		return q.problems
	}
	ctx, cancel := context.WithTimeout(c.Request().Context(), reportTimeout)
	defer cancel()
	totals := view.TurnoverTotals{}
	err = s.store.Turnover(ctx, query, func(t store.Turnover) error {
		if len(report.Rows) == maxReportRows {
			return topup.Invalid("by", "gives more than %d rows: ask for a shorter period, or use tolem report", maxReportRows)
		}
		report.Rows = append(report.Rows, view.TurnoverRowOf(t))
		return totals.Add(t)
	})
	if err != nil {
		return fmt.Errorf("answer with a report: %w", err)
	}
	for _, t := range totals.Sorted() {
		report.Totals = append(report.Totals, view.TurnoverRowOf(t))
	}
	return writeJSON(c, http.StatusOK, report)
}

// day returns a day, the zero Day if it is not given.
func (q *query) day(name string) calendar.Day {
	text := q.text(name)
	if text == "" {
		return calendar.Day{}
	}
	day, err := calendar.ParseDay(text)
	if err != nil {
		q.report(topup.Invalid(name, "%s", err))
	}
	return day
}
