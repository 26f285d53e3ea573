package dashboard

import (
	"context"
	"net/http"

	"tolem/store"
)

type eventsPage struct {
	State    string
	States   []store.DeliveryState
	Events   []shownEvent
	NextURL  string
	FirstURL string
	Behind   []store.EndpointStats // endpoints that do not have everything
}

type shownEvent struct {
	store.Event
	Text string // its body, masked
	Open bool   // an endpoint does not have it
}

// events lists what the merchant's own systems were told.
func (d *Dashboard) events(w http.ResponseWriter, r *http.Request, s *session) error {
	q := r.URL.Query()
	body := eventsPage{State: q.Get("status"), States: store.DeliveryStates()}
	list, next, err := d.store.Events(r.Context(), store.EventFilter{State: store.DeliveryState(body.State), Cursor: q.Get("cursor"), Limit: suspenseRows})
	if err != nil {
		return err
	}
	for _, e := range list {
		shown := shownEvent{Event: e}
		shown.Text, _ = masked(e.Body)
		for _, delivery := range e.Deliveries {
			shown.Open = shown.Open || delivery.State == store.DeliveryPending || delivery.State == store.DeliveryFailed
		}
		body.Events = append(body.Events, shown)
	}
	stats, err := d.store.EventStats(r.Context())
	if err != nil {
		return err
	}
	for _, one := range stats {
		if one.Failed > 0 {
			body.Behind = append(body.Behind, one)
		}
	}
	body.NextURL, body.FirstURL = pageURLs(r, next)
	p := d.page(w, r, s, "events.title")
	p.Section = "events"
	d.show(w, r, http.StatusOK, "events", p, body)
	return nil
}

// onEvent previews a step on a notification, which moves no money.
func onEvent(ctx context.Context, d *Dashboard, q *stepRequest) ([]effect, error) {
	_, err := d.store.Event(ctx, q.id)
	return []effect{{}}, err
}
