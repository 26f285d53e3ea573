package handlers

import (
	"net/http"
	"strconv"

	"github.com/labstack/echo/v4"

	"tolem/calendar"
	"tolem/store"
	"tolem/topup"
	"tolem/view"
)

// What operators work on: money in suspense, and the providers' messages.

type suspensePage struct {
	Items      []view.SuspenseItem `json:"items"`
	NextCursor *string             `json:"next_cursor"`
}

type messagePage struct {
	Messages   []view.Message `json:"messages"`
	NextCursor *string        `json:"next_cursor"`
}

type approvalPage struct {
	Approvals  []view.Approval `json:"approvals"`
	NextCursor *string         `json:"next_cursor"`
}

type auditPage struct {
	Entries    []view.AuditEntry `json:"entries"`
	NextCursor *string           `json:"next_cursor"`
}

// listApprovals answers with a page of proposals, the newest first.
func (s *Server) listApprovals(c echo.Context) error {
	q := queryOf(c, "open", "limit", "cursor")
	filter := store.ApprovalFilter{Open: q.truth("open"), Limit: int(q.number("limit", 1, maxPage)), Cursor: q.text("cursor")}
	if len(q.problems) > 0 {
		return q.problems
	}
	ctx, cancel := c.(*exchange).deadline()
	defer cancel()
	list, next, err := s.store.Approvals(ctx, filter)
	if err != nil {
		return err
	}
	page := approvalPage{Approvals: make([]view.Approval, 0, len(list)), NextCursor: orNull(next)}
	for i := range list {
		page.Approvals = append(page.Approvals, view.ApprovalOf(&list[i]))
	}
	return writeJSON(c, http.StatusOK, page)
}

// listAudit answers with a page of the audit, the newest first.
func (s *Server) listAudit(c echo.Context) error {
	q := queryOf(c, "from", "to", "actor", "limit", "cursor")
	filter := store.AuditFilter{
		From: q.time("from", s.zone, calendar.Day.Start), To: q.time("to", s.zone, calendar.Day.End),
		Actor: q.text("actor"), Limit: int(q.number("limit", 1, maxPage)), Cursor: q.text("cursor"),
	}
	if len(q.problems) > 0 {
		return q.problems
	}
	ctx, cancel := c.(*exchange).deadline()
	defer cancel()
	list, next, err := s.store.AuditEntries(ctx, filter)
	if err != nil {
		return err
	}
	page := auditPage{Entries: make([]view.AuditEntry, 0, len(list)), NextCursor: orNull(next)}
	for _, e := range list {
		page.Entries = append(page.Entries, view.AuditEntryOf(e))
	}
	return writeJSON(c, http.StatusOK, page)
}

// listSuspense answers with a page of suspense items, the oldest first.
func (s *Server) listSuspense(c echo.Context) error {
	q := queryOf(c, "status", "flag", "payment_id", "amount", "from", "to", "limit", "cursor")
	limit := q.number("limit", 1, maxPage)
	if limit == 0 {
		limit = defaultPage
	}
	filter := store.SuspenseFilter{
		All:       true,
		PaymentID: q.text("payment_id"),
		Amount:    q.number("amount", 1, topup.MaxAmount),
		Period:    store.Period{From: q.time("from", s.zone, calendar.Day.Start), To: q.time("to", s.zone, calendar.Day.End)},
		After:     q.number("cursor", 1, 1<<62),
		Limit:     int(limit) + 1, // one more shows whether there is another page
	}
	var err error
	if text := q.text("status"); text != "" {
		filter.State, err = topup.ParseItemState(text)
		q.report(err)
	}
	if text := q.text("flag"); text != "" {
		filter.Flag, err = topup.ParseFlag(text)
		q.report(err)
	}
	if len(q.problems) > 0 {
		return q.problems
	}
	ctx, cancel := c.(*exchange).deadline()
	defer cancel()
	items, err := s.store.SuspenseItems(ctx, filter)
	if err != nil {
		return err
	}
	next := ""
	if len(items) > int(limit) {
		items = items[:limit]
		next = strconv.FormatInt(items[limit-1].Seq, 10)
	}
	page := suspensePage{Items: make([]view.SuspenseItem, 0, len(items)), NextCursor: orNull(next)}
	for i := range items {
		page.Items = append(page.Items, view.SuspenseItemOf(&items[i]))
	}
	return writeJSON(c, http.StatusOK, page)
}

// listMessages answers with a page of stored messages, the newest first.
func (s *Server) listMessages(c echo.Context) error {
	q := queryOf(c, "disposition", "open", "q", "from", "to", "limit", "cursor")
	filter := store.MessageFilter{
		Open:   q.truth("open"),
		Q:      q.text("q"),
		From:   q.time("from", s.zone, calendar.Day.Start),
		To:     q.time("to", s.zone, calendar.Day.End),
		Limit:  int(q.number("limit", 1, maxPage)),
		Cursor: q.text("cursor"),
	}
	var err error
	if text := q.text("disposition"); text != "" {
		filter.Disposition, err = store.ParseDisposition(text)
		q.report(err)
	}
	if len(q.problems) > 0 {
		return q.problems
	}
	ctx, cancel := c.(*exchange).deadline()
	defer cancel()
	list, next, err := s.store.Messages(ctx, filter)
	if err != nil {
		return err
	}
	page := messagePage{Messages: make([]view.Message, 0, len(list)), NextCursor: orNull(next)}
	for i := range list {
		page.Messages = append(page.Messages, view.MessageOf(&list[i]))
	}
	return writeJSON(c, http.StatusOK, page)
}
