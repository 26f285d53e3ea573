package handlers

import (
	"context"
	"net/http"

	"github.com/labstack/echo/v4"

	"tolem/calendar"
	"tolem/store"
	"tolem/view"
)

type eventPage struct {
	Events     []view.Event `json:"events"`
	NextCursor *string      `json:"next_cursor"`
}

// listEvents answers with a page of notifications, the newest first, without their
// bodies.
func (s *Server) listEvents(c echo.Context) error {
	q := queryOf(c, "status", "from", "to", "limit", "cursor")
	filter := store.EventFilter{
		State:  store.DeliveryState(q.text("status")),
		Period: store.Period{From: q.time("from", s.zone, calendar.Day.Start), To: q.time("to", s.zone, calendar.Day.End)},
		Limit:  int(q.number("limit", 1, maxFeed)),
		Cursor: q.text("cursor"),
	}
	if len(q.problems) > 0 {
		return q.problems
	}
	ctx, cancel := c.(*exchange).deadline()
	defer cancel()
	list, next, err := s.store.Events(ctx, filter)
	if err != nil {
		return err
	}
	page := eventPage{Events: make([]view.Event, 0, len(list)), NextCursor: orNull(next)}
	for _, e := range list {
		page.Events = append(page.Events, view.EventOf(e, false))
	}
	return writeJSON(c, http.StatusOK, page)
}

// getEvent answers with a notification and its body.
func (s *Server) getEvent(c echo.Context) error {
	id, err := pathParam(c, "event_id")
	if err != nil {
		return err
	}
	ctx, cancel := c.(*exchange).deadline()
	defer cancel()
	e, err := s.store.Event(ctx, id)
	if err != nil {
		return err
	}
	return writeJSON(c, http.StatusOK, view.EventOf(e, true))
}

// eventStep answers what was done to a notification.
type eventStep struct {
	EventID string              `json:"event_id"`
	State   store.DeliveryState `json:"state"`
}

// resendBody is the body of a request to send a notification again: absent, or an
// empty object.
type resendBody struct{}

func (resendBody) noted() note { return note{Reason: "asked for over the API"} }

func (s *Server) resendEvent(c echo.Context) error {
	return step(s, c, func(ctx context.Context, id string, _ resendBody, by store.By) error {
		return s.store.ResendEvent(ctx, id, by)
	})
}

func (s *Server) skipEvent(c echo.Context) error {
	return step(s, c, func(ctx context.Context, id string, _ onlyNote, by store.By) error {
		return s.store.SkipEvent(ctx, id, by)
	})
}
