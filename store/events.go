package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"tolem/topup"
)

// DeliveryState is what became of a notification at an endpoint.
type DeliveryState string

// States of a delivery. A pending or failed one keeps the later notifications of
// its contract from the endpoint.
const (
	DeliveryPending   DeliveryState = "pending"
	DeliveryDelivered DeliveryState = "delivered"
	DeliveryFailed    DeliveryState = "failed"  // given up after three days
	DeliverySkipped   DeliveryState = "skipped" // by an operator
)

// DeliveryStates lists them.
func DeliveryStates() []DeliveryState {
	return []DeliveryState{DeliveryPending, DeliveryDelivered, DeliveryFailed, DeliverySkipped}
}

// Event is a notification as it is stored.
type Event struct {
	ID            string
	Type          topup.EventType
	At            time.Time
	PaymentID     string // empty: of a payout
	PayoutID      string // empty: of a payment
	TransactionID string // empty: none
	Contract      string // whose notifications arrive in order
	Body          []byte // JSON, as it is sent
	Deliveries    []Delivery
	place         int64
}

// Delivery is what became of a notification at one endpoint.
type Delivery struct {
	Endpoint string
	State    DeliveryState
	Attempts int64
	NextAt   time.Time // of a pending one: when it is due
	LastAt   time.Time // the last attempt; zero: none yet
	Status   int       // the HTTP status of the last attempt, 0 for none
	Error    string    // why the last attempt failed
}

// EventFilter selects notifications. The zero value selects the newest.
type EventFilter struct {
	State  DeliveryState // that have a delivery in it; empty: all
	Period Period        // in which they happened
	Cursor string        // where the next page goes on; empty: from the newest
	Limit  int           // 1 to 1000, 100 if zero
}

const eventColumns = `v.id, v.event_id, v.type, v.at, v.payment_id, v.payout_id, coalesce(t.transaction_id, ''), v.contract, v.body`

const eventsSQL = `SELECT ` + eventColumns + ` FROM events v LEFT JOIN transactions t ON t.seq = v.seq WHERE %s ORDER BY v.id DESC LIMIT ?`

// Events returns notifications, the newest first, and the cursor of the next
// page, empty if there is none.
func (s *Store) Events(ctx context.Context, f EventFilter) (list []Event, next string, err error) {
	limit, err := pageSize(f.Limit, 100, 1000)
	if err != nil {
		return nil, "", err
	}
	conditions, args := []string{"1 = 1"}, []any{}
	if f.Cursor != "" {
		parts, err := decodeCursor(f.Cursor, 1)
		if err != nil {
			return nil, "", err
		}
		before, err := strconv.ParseInt(parts[0], 10, 64)
		if err != nil {
			return nil, "", topup.Invalid("cursor", "is not one that this server gave")
		}
		conditions, args = append(conditions, "v.id < ?"), append(args, before)
	}
	switch f.State {
	case "":
	case DeliveryPending, DeliveryFailed, DeliverySkipped, DeliveryDelivered:
		conditions, args = append(conditions, "EXISTS (SELECT 1 FROM event_deliveries d WHERE d.id = v.id AND d.state = ?)"), append(args, string(f.State))
		if f.State != DeliveryDelivered { // from the short index of those that are not
			conditions, args = append(conditions, "v.id IN (SELECT o.id FROM event_deliveries o WHERE o.state = ? AND o.state <> 'delivered')"), append(args, string(f.State))
		}
	default:
		return nil, "", topup.Invalid("status", "must be one of pending, delivered, failed, skipped")
	}
	if !f.Period.From.IsZero() {
		conditions, args = append(conditions, "v.at >= ?"), append(args, micros(f.Period.From))
	}
	if !f.Period.To.IsZero() {
		conditions, args = append(conditions, "v.at < ?"), append(args, micros(f.Period.To))
	}
	if list, err = s.events(ctx, strings.Join(conditions, " AND "), append(args, limit)...); err != nil {
		return nil, "", err
	}
	if len(list) == limit {
		next = encodeCursor(strconv.FormatInt(list[len(list)-1].place, 10))
	}
	return list, next, nil
}

// Event returns a notification; the error is of KindNotFound when there is none.
func (s *Store) Event(ctx context.Context, eventID string) (Event, error) {
	list, err := s.events(ctx, "v.event_id = ?", eventID, 1)
	if err != nil {
		return Event{}, err
	}
	if len(list) == 0 {
		return Event{}, topup.NotFound("event does not exist")
	}
	return list[0], nil
}

func (s *Store) events(ctx context.Context, where string, args ...any) (list []Event, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("read notifications: %w", err)
		}
	}()
	rows, err := s.raw(ctx, fmt.Sprintf(eventsSQL, where), args...).Rows()
	if err != nil {
		return nil, err
	}
	places := map[int64]int{}
	var ids []int64
	for rows.Next() {
		var e Event
		var at int64
		var body string
		if err := rows.Scan(&e.place, &e.ID, (*string)(&e.Type), &at, &e.PaymentID, &e.PayoutID, &e.TransactionID, &e.Contract, &body); err != nil {
			return nil, errors.Join(err, rows.Close())
		}
		e.At, e.Body = fromMicros(at), []byte(body)
		places[e.place], ids = len(list), append(ids, e.place)
		list = append(list, e)
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil || len(list) == 0 {
		return list, err
	}
	rows, err = s.raw(ctx, `SELECT d.id, d.endpoint, d.state, d.attempts, d.next_at, d.last_at, d.status, d.error
		FROM event_deliveries d WHERE d.id IN ? ORDER BY d.id, d.endpoint`, ids).Rows()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var d Delivery
		var id, nextAt, lastAt int64
		if err := rows.Scan(&id, &d.Endpoint, (*string)(&d.State), &d.Attempts, &nextAt, &lastAt, &d.Status, &d.Error); err != nil {
			return nil, err
		}
		if d.State == DeliveryPending {
			d.NextAt = fromMicros(nextAt)
		}
		d.LastAt = fromMicros(lastAt)
		e := &list[places[id]]
		e.Deliveries = append(e.Deliveries, d)
	}
	return list, rows.Err()
}

// DueDelivery is a delivery that is to be made.
type DueDelivery struct {
	Endpoint string
	EventID  string
	Contract string
	Body     []byte
	Attempts int64     // made so far
	FirstAt  time.Time // the first of them; zero: none
	More     bool      // others of the contract wait behind it
	place    int64
}

const (
	dueColumns = `SELECT d.id, d.contract, d.attempts, d.first_at, h.more, v.event_id, v.body`
	// headsSQL finds, of each contract, its first notification that an endpoint does
	// not have, if it is due. In PostgreSQL no other is still to be committed before it.
	headsSQL = dueColumns + ` FROM (SELECT o.contract, min(o.id) AS id, count(*) > 1 AS more
			FROM event_deliveries o WHERE o.endpoint = ? AND o.open = 1 AND o.id < ? GROUP BY o.contract) h
		JOIN event_deliveries d ON d.endpoint = ? AND d.id = h.id JOIN events v ON v.id = d.id
		WHERE d.state = 'pending' AND d.next_at <= ? ORDER BY d.next_at, d.id LIMIT ?`
	// followingSQL finds the first one of a contract behind another.
	followingSQL = dueColumns + ` FROM (SELECT min(o.id) AS id, count(*) > 1 AS more
			FROM event_deliveries o WHERE o.endpoint = ? AND o.open = 1 AND o.contract = ? AND o.id > ? AND o.id < ?) h
		JOIN event_deliveries d ON d.endpoint = ? AND d.id = h.id JOIN events v ON v.id = d.id
		WHERE d.state = 'pending' AND d.next_at <= ?`
)

// DueDeliveries returns the deliveries to an endpoint that are due: at most one a
// contract, its first that is not made.
func (s *Store) DueDeliveries(ctx context.Context, endpoint string, limit int) ([]DueDelivery, error) {
	end, err := s.feedEnd(ctx)
	if err != nil {
		return nil, err
	}
	return s.due(ctx, endpoint, headsSQL, endpoint, end, endpoint, micros(s.now()), limit)
}

// FollowingDelivery returns the first delivery of the same contract to the same
// endpoint behind d, which is made and need not be noted; nil if there is none or it
// is not due.
func (s *Store) FollowingDelivery(ctx context.Context, d DueDelivery) (*DueDelivery, error) {
	end, err := s.feedEnd(ctx)
	if err != nil {
		return nil, err
	}
	list, err := s.due(ctx, d.Endpoint, followingSQL, d.Endpoint, d.Contract, d.place, end, d.Endpoint, micros(s.now()))
	if err != nil || len(list) == 0 {
		return nil, err
	}
	return &list[0], nil
}

func (s *Store) due(ctx context.Context, endpoint, query string, args ...any) (list []DueDelivery, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("look for due notifications: %w", err)
		}
	}()
	rows, err := s.raw(ctx, query, args...).Rows()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		d := DueDelivery{Endpoint: endpoint}
		var first int64
		var body string
		if err := rows.Scan(&d.place, &d.Contract, &d.Attempts, &first, &d.More, &d.EventID, &body); err != nil {
			return nil, err
		}
		d.FirstAt, d.Body = fromMicros(first), []byte(body)
		list = append(list, d)
	}
	return list, rows.Err()
}

// Attempt is what came of an attempt to deliver.
type Attempt struct {
	Delivery DueDelivery
	State    DeliveryState // DeliveryDelivered, DeliveryPending for another attempt, DeliveryFailed
	At       time.Time
	NextAt   time.Time // of another attempt
	Status   int       // HTTP, 0 for none
	Error    string    // without anything of the answer; empty if it was delivered
}

// SaveAttempts notes what came of attempts at one endpoint, all in one transaction.
// When a delivery succeeded after an attempt that had failed, the endpoint is back:
// all that waits or has failed there is due now.
func (s *Store) SaveAttempts(ctx context.Context, attempts []Attempt) error {
	attempts = slices.Clone(attempts) // the write may outlive its caller
	err := s.writer.do(ctx, func(tx *wtx) error {
		var back *Attempt
		for i := range attempts {
			a := &attempts[i]
			if err := tx.saveAttempt(a); err != nil {
				return fmt.Errorf("%s: %w", a.Delivery.EventID, err)
			}
			if a.State == DeliveryDelivered && a.Delivery.Attempts > 0 {
				back = a
			}
		}
		if back == nil {
			return nil
		}
		return tx.gorm().Exec(`UPDATE event_deliveries SET state = 'pending', next_at = ?, first_at = CASE state WHEN 'failed' THEN 0 ELSE first_at END
			WHERE endpoint = ? AND open = 1 AND (state = 'failed' OR next_at > ?) AND last_at <= ?`, micros(back.At), back.Delivery.Endpoint, micros(back.At), micros(back.At)).Error
	})
	if err != nil {
		return fmt.Errorf("note deliveries: %w", err)
	}
	return nil
}

func (tx *wtx) saveAttempt(a *Attempt) error {
	first, open := a.At, 0
	if !a.Delivery.FirstAt.IsZero() {
		first = a.Delivery.FirstAt
	}
	if a.State == DeliveryPending || a.State == DeliveryFailed {
		open = 1
	}
	return tx.Put(tx.Statements.SaveDelivery, string(a.State), open, micros(a.NextAt), micros(first), micros(a.At), a.Status, a.Error, a.Delivery.Endpoint, a.Delivery.place)
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
	from, to := micros(period.From), micros(period.To)
	var n int64
	if err := s.raw(ctx, `SELECT count(*) FROM (SELECT 1 FROM events v WHERE v.at >= ? AND v.at < ? LIMIT ?) x`, from, to, maxResend+1).Row().Scan(&n); err != nil {
		return 0, fmt.Errorf("count notifications: %w", err)
	}
	if n > maxResend {
		return 0, topup.Invalid("from", "there are more than %d events between from and to: name a shorter period", maxResend)
	}
	return s.resend(ctx, by, fmt.Sprintf("%s to %s", period.From.UTC().Format(time.RFC3339), period.To.UTC().Format(time.RFC3339)), false, `v.at >= ? AND v.at < ?`, from, to)
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

// pruneEventsBatch bounds how long a sweep keeps others from writing.
const pruneEventsBatch = 200

// PruneEvents deletes the notifications that are older than the retention and
// wait nowhere, and returns how many.
func (s *Store) PruneEvents(ctx context.Context, olderThan time.Duration) (int, error) {
	before, pruned := micros(s.now().Add(-olderThan)), 0
	for {
		var ids []int64
		err := s.raw(ctx, `SELECT v.id FROM events v WHERE v.at < ?
			AND NOT EXISTS (SELECT 1 FROM event_deliveries d WHERE d.id = v.id AND (d.open = 1 OR d.last_at >= ?)) ORDER BY v.at, v.id LIMIT ?`,
			before, before, pruneEventsBatch).Scan(&ids).Error
		if err != nil {
			return pruned, fmt.Errorf("look for old notifications: %w", err)
		}
		if len(ids) == 0 {
			return pruned, nil
		}
		err = s.writer.do(ctx, func(tx *wtx) error {
			// Nobody can have made one of them wait again but an operator, whose resending it wins.
			err := tx.gorm().Exec(`DELETE FROM event_deliveries WHERE open = 0 AND id IN ?`, ids).Error
			if err == nil {
				err = tx.gorm().Exec(`DELETE FROM events WHERE id IN ? AND NOT EXISTS (SELECT 1 FROM event_deliveries d WHERE d.id = events.id)`, ids).Error
			}
			return err
		})
		if err != nil {
			return pruned, fmt.Errorf("prune notifications: %w", err)
		}
		pruned += len(ids)
	}
}

// EndpointStats is how far an endpoint is behind.
type EndpointStats struct {
	Endpoint        string
	Pending, Failed int64
	Oldest          time.Time // when the oldest that it does not have happened; zero: it has all
}

// EventStats returns how far each configured endpoint is behind.
func (s *Store) EventStats(ctx context.Context) ([]EndpointStats, error) {
	var list []EndpointStats
	for _, e := range s.Endpoints() {
		stats := EndpointStats{Endpoint: e.Name}
		var oldest int64
		err := s.raw(ctx, `SELECT x.pending, x.failed, coalesce((SELECT v.at FROM events v WHERE v.id = x.first), 0) FROM (
			SELECT coalesce(sum(CASE d.state WHEN 'pending' THEN 1 ELSE 0 END), 0) AS pending,
				coalesce(sum(CASE d.state WHEN 'failed' THEN 1 ELSE 0 END), 0) AS failed, min(d.id) AS first
			FROM event_deliveries d WHERE d.endpoint = ? AND d.open = 1) x`, e.Name).
			Row().Scan(&stats.Pending, &stats.Failed, &oldest)
		if err != nil {
			return nil, fmt.Errorf("count notifications: %w", err)
		}
		stats.Oldest = fromMicros(oldest)
		list = append(list, stats)
	}
	return list, nil
}
