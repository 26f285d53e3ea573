package store

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"time"

	"tolem/store/internal/events"
	"tolem/topup"
)

// What is read of notifications, and what came of them, is [events.Outbox], which a
// Store embeds.
type (
	// Event is a notification as it is stored.
	Event = events.Event
	// Delivery is what became of a notification at one endpoint.
	Delivery = events.Delivery
	// DeliveryState is what became of a notification at an endpoint.
	DeliveryState = events.DeliveryState
	// EventFilter selects notifications.
	EventFilter = events.EventFilter
	// DueDelivery is a delivery that is to be made.
	DueDelivery = events.DueDelivery
	// Attempt is what came of an attempt to deliver.
	Attempt = events.Attempt
	// EndpointStats is how far an endpoint is behind.
	EndpointStats = events.EndpointStats
)

// States of a delivery.
const (
	DeliveryPending   = events.DeliveryPending
	DeliveryDelivered = events.DeliveryDelivered
	DeliveryFailed    = events.DeliveryFailed
	DeliverySkipped   = events.DeliverySkipped
)

// DeliveryStates lists them.
func DeliveryStates() []DeliveryState { return events.DeliveryStates() }

// EventStats returns how far each configured endpoint is behind.
func (s *Store) EventStats(ctx context.Context) ([]EndpointStats, error) {
	var names []string
	for _, e := range s.Endpoints() {
		names = append(names, e.Name)
	}
	return s.StatsOf(ctx, names)
}

// Actions on notifications.
const (
	ActionSkipEvent    Action = "skip_event"
	ActionResendEvents Action = "resend_events"
)

// ResendEvent makes a notification due at every endpoint, whatever became of it.
// The error is of KindNotFound when there is none.
func (s *Store) ResendEvent(ctx context.Context, eventID string, by By) error {
	_, err := s.resend(ctx, by, eventID, true, `v.event_id = ?`, eventID)
	return err
}

// EventStep is what was done to a notification, for [Once.Answer].
type EventStep struct {
	EventID string        // or the period of several
	State   DeliveryState // in which its deliveries are now
}

// maxResend bounds what is sent again at once.
const maxResend = 100_000

// ResendEvents makes the notifications of a period due at every endpoint, and
// returns how many deliveries that are.
func (s *Store) ResendEvents(ctx context.Context, period Period, by By) (int64, error) {
	if period.From.IsZero() || period.To.IsZero() {
		return 0, topup.Invalid("from", "and to must both be given")
	}
	conditions, args := events.Within(period)
	which := strings.Join(conditions, " AND ")
	var n int64
	if err := s.raw(ctx, `SELECT count(*) FROM (SELECT 1 FROM events v WHERE `+which+` LIMIT ?) x`, append(args, maxResend+1)...).Row().Scan(&n); err != nil {
		return 0, fmt.Errorf("count notifications: %w", err)
	}
	if n > maxResend {
		return 0, topup.Invalid("from", "there are more than %d events between from and to: name a shorter period", maxResend)
	}
	return s.resend(ctx, by, fmt.Sprintf("%s to %s", period.From.UTC().Format(time.RFC3339), period.To.UTC().Format(time.RFC3339)), false, which, args...)
}

// resend makes notifications due; one says that object is the id of one.
func (s *Store) resend(ctx context.Context, by By, object string, one bool, which string, args ...any) (int64, error) {
	if strings.TrimSpace(by.Reason) == "" {
		by.Reason = "resend"
	}
	var n int64
	err := s.stepOnce(ctx, by, nil, func(tx *wtx) (any, error) {
		if one {
			if _, err := tx.eventPlace(object); err != nil {
				return nil, err
			}
		}
		if _, _, err := events.Spread(tx.Tx, which, args...); err != nil {
			return nil, err
		}
		done := tx.gorm().Exec(`UPDATE event_deliveries SET state = 'pending', open = 1, next_at = ?, first_at = 0, attempts = 0
			WHERE id IN (SELECT v.id FROM events v WHERE `+which+`)`, append([]any{micros(tx.now())}, args...)...)
		shown := EventStep{object, DeliveryPending}
		if n = done.RowsAffected; done.Error != nil {
			return nil, done.Error
		}
		return shown, tx.audit(by, Audited{ActionResendEvents, object, ResultDone, fmt.Sprintf("%d deliveries", n)})
	})
	if err != nil {
		return 0, fmt.Errorf("send notifications again: %w", err)
	}
	return n, nil
}

// SkipEventStep gives up a notification at every endpoint that does not have it,
// so that the later ones of its contract pass.
//
// Errors: KindNotFound when there is no such event; KindConflict when it is
// delivered or skipped everywhere.
type SkipEventStep struct {
	EventID string `json:"event_id"`
}

func (SkipEventStep) Action() Action     { return ActionSkipEvent }
func (SkipEventStep) kind() string       { return "skip_event" }
func (s SkipEventStep) Object() string   { return s.EventID }
func (s SkipEventStep) describe() string { return "skip event " + s.EventID }
func (s SkipEventStep) run(r stepRun) ([]posted, error) {
	place, err := r.eventPlace(s.EventID)
	if err != nil {
		return nil, err
	}
	if _, _, err := events.Spread(r.Tx, `v.id = ?`, place); err != nil {
		return nil, err
	}
	done := r.gorm().Exec(`UPDATE event_deliveries SET state = 'skipped', open = 0, error = '' WHERE id = ? AND open = 1`, place)
	if done.Error == nil && done.RowsAffected == 0 {
		return nil, topup.Conflict("the event is not waiting at any endpoint: it was delivered or skipped")
	}
	return nil, done.Error
}

func (s SkipEventStep) changed(stepRun) (any, error) {
	return EventStep{s.EventID, DeliverySkipped}, nil
}

// SkipEvent is [Store.Do] of a [SkipEventStep].
func (s *Store) SkipEvent(ctx context.Context, eventID string, by By) error {
	_, err := s.Do(ctx, SkipEventStep{eventID}, by)
	return err
}

// eventPlace is the place of an event.
func (tx *wtx) eventPlace(eventID string) (int64, error) {
	var place sql.NullInt64
	if err := tx.raw(`SELECT max(v.id) FROM events v WHERE v.event_id = ?`, eventID).Row().Scan(&place); err != nil {
		return 0, fmt.Errorf("read a notification: %w", err)
	}
	if !place.Valid {
		return 0, topup.NotFound("event does not exist")
	}
	return place.Int64, nil
}
