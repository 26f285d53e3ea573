// Package events has the notifications that the transactions of payments have written: it lists
// them, gives each endpoint what is due there, notes what came of that, and deletes what is old.
package events

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"tolem/store/internal/database"
	"tolem/store/internal/engine"
	"tolem/store/internal/ledger"
	"tolem/topup"
)

// Outbox are the notifications of a database.
type Outbox struct {
	reader *engine.Reader
	writer *engine.Writer
	ledger *ledger.Ledger
	now    func() time.Time
}

// New returns the notifications of a database.
func New(r *engine.Reader, w *engine.Writer, l *ledger.Ledger, now func() time.Time) *Outbox {
	return &Outbox{r, w, l, now}
}

// Prefix is how the ids of notifications begin. What follows is a ULID of their
// time, so that the index of the ids is one of times too.
const Prefix = "evt_"

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
	Period ledger.Period // in which they happened
	Cursor string        // where the next page goes on; empty: from the newest
	Limit  int           // 1 to 1000, 100 if zero
}

const (
	eventsSQL = `SELECT v.id, v.event_id, v.type, v.at, v.payment_id, v.payout_id, coalesce(t.transaction_id, ''), v.contract, v.body,
		CASE WHEN ` + aheadSQL + ` THEN v.receivers ELSE '' END
		FROM events v LEFT JOIN transactions t ON t.seq = v.seq WHERE %s ORDER BY v.id DESC LIMIT ?`
	deliveriesSQL = `SELECT d.id, d.endpoint, d.state, d.attempts, d.next_at, d.last_at, d.status, d.error
		FROM event_deliveries d WHERE d.id IN ? ORDER BY d.id, d.endpoint`
	// pendingSQL are the places of those that are pending somewhere, the others of
	// those in another state but delivered, from the short index.
	pendingSQL = `v.id IN (SELECT o.id FROM event_deliveries o WHERE o.state = ? AND o.state <> 'delivered'
		UNION ALL SELECT v.id FROM events v WHERE ` + unspreadSQL + `)`
	otherSQL     = `v.id IN (SELECT o.id FROM event_deliveries o WHERE o.state = ? AND o.state <> 'delivered')`
	deliveredSQL = `EXISTS (SELECT 1 FROM event_deliveries d WHERE d.id = v.id AND d.state = ?)`
)

// Within are the conditions that a notification v happened in a period.
func Within(p ledger.Period) (conditions []string, args []any) {
	conditions = []string{"1 = 1"}
	if !p.From.IsZero() {
		conditions, args = append(conditions, "v.event_id >= ? AND v.at >= ?"), append(args, engine.FirstID(Prefix, p.From), database.Micros(p.From))
	}
	if !p.To.IsZero() {
		conditions, args = append(conditions, "v.event_id < ? AND v.at < ?"), append(args, engine.FirstID(Prefix, p.To.Add(time.Millisecond)), database.Micros(p.To))
	}
	return conditions, args
}

// Events returns notifications, the newest first, and the cursor of the next
// page, empty if there is none.
func (o *Outbox) Events(ctx context.Context, f EventFilter) (list []Event, next string, err error) {
	limit, err := ledger.PageSize(f.Limit, 100, 1000)
	if err != nil {
		return nil, "", err
	}
	conditions, args := Within(f.Period)
	if f.Cursor != "" {
		parts, err := ledger.DecodeCursor(f.Cursor, 1)
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
	case DeliveryPending:
		conditions, args = append(conditions, pendingSQL), append(args, string(f.State))
	case DeliveryFailed, DeliverySkipped:
		conditions, args = append(conditions, otherSQL), append(args, string(f.State))
	case DeliveryDelivered:
		conditions, args = append(conditions, deliveredSQL), append(args, string(f.State))
	default:
		return nil, "", topup.Invalid("status", "must be one of pending, delivered, failed, skipped")
	}
	if list, err = o.read(ctx, strings.Join(conditions, " AND "), append(args, limit)...); err != nil {
		return nil, "", err
	}
	if len(list) == limit {
		next = ledger.EncodeCursor(strconv.FormatInt(list[len(list)-1].place, 10))
	}
	return list, next, nil
}

// Event returns a notification; the error is of KindNotFound when there is none.
func (o *Outbox) Event(ctx context.Context, eventID string) (Event, error) {
	list, err := o.read(ctx, "v.event_id = ?", eventID, 1)
	if err != nil {
		return Event{}, err
	}
	if len(list) == 0 {
		return Event{}, topup.NotFound("event does not exist")
	}
	return list[0], nil
}

func (o *Outbox) read(ctx context.Context, where string, args ...any) (list []Event, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("read notifications: %w", err)
		}
	}()
	rows, err := o.reader.Raw(ctx, fmt.Sprintf(eventsSQL, where), args...).Rows()
	if err != nil {
		return nil, err
	}
	places := map[int64]int{}
	var ids []int64
	for rows.Next() {
		var e Event
		var at int64
		var body, receivers string
		if err := rows.Scan(&e.place, &e.ID, (*string)(&e.Type), &at, &e.PaymentID, &e.PayoutID, &e.TransactionID, &e.Contract, &body, &receivers); err != nil {
			return nil, errors.Join(err, rows.Close())
		}
		e.At, e.Body = database.FromMicros(at), []byte(body)
		for _, name := range strings.Fields(receivers) {
			e.Deliveries = append(e.Deliveries, Delivery{Endpoint: name, State: DeliveryPending, NextAt: e.At})
		}
		places[e.place], ids = len(list), append(ids, e.place)
		list = append(list, e)
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil || len(list) == 0 {
		return list, err
	}
	rows, err = o.reader.Raw(ctx, deliveriesSQL, ids).Rows()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	var last int64
	for rows.Next() {
		var d Delivery
		var id, nextAt, lastAt int64
		if err := rows.Scan(&id, &d.Endpoint, (*string)(&d.State), &d.Attempts, &nextAt, &lastAt, &d.Status, &d.Error); err != nil {
			return nil, err
		}
		if d.State == DeliveryPending {
			d.NextAt = database.FromMicros(nextAt)
		}
		d.LastAt = database.FromMicros(lastAt)
		e := &list[places[id]]
		if id != last { // its rows, not what is ahead of them
			e.Deliveries, last = nil, id
		}
		e.Deliveries = append(e.Deliveries, d)
	}
	return list, rows.Err()
}

// pruneEventsBatch bounds how long a sweep keeps others from writing.
const pruneEventsBatch = 200

const oldSQL = `SELECT v.id FROM events v WHERE v.event_id < ? AND NOT ` + aheadSQL + `
	AND NOT EXISTS (SELECT 1 FROM event_deliveries d WHERE d.id = v.id AND (d.open = 1 OR d.last_at >= ?)) ORDER BY v.event_id LIMIT ?`

// PruneEvents deletes the notifications that are older than the retention and
// wait nowhere, and returns how many.
func (o *Outbox) PruneEvents(ctx context.Context, olderThan time.Duration) (int, error) {
	before, pruned := o.now().Add(-olderThan), 0
	for {
		var ids []int64
		err := o.reader.Raw(ctx, oldSQL, engine.FirstID(Prefix, before), database.Micros(before), pruneEventsBatch).Scan(&ids).Error
		if err != nil {
			return pruned, fmt.Errorf("look for old notifications: %w", err)
		}
		if len(ids) == 0 {
			return pruned, nil
		}
		err = o.writer.Do(ctx, func(tx *engine.Tx) error {
			// Nobody can have made one of them wait again but an operator, whose resending it wins.
			err := tx.Gorm().Exec(`DELETE FROM event_deliveries WHERE open = 0 AND id IN ?`, ids).Error
			if err == nil {
				err = tx.Gorm().Exec(`DELETE FROM events WHERE id IN ? AND NOT EXISTS (SELECT 1 FROM event_deliveries d WHERE d.id = events.id)`, ids).Error
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

const (
	waitingStatsSQL = `SELECT x.endpoint, x.state, x.waiting, v.at AS oldest FROM (
		SELECT d.endpoint, d.state, count(*) AS waiting, min(d.id) AS first FROM event_deliveries d
		WHERE d.state <> 'delivered' AND d.state IN ('pending', 'failed') GROUP BY d.endpoint, d.state) x CROSS JOIN events v WHERE v.id = x.first`
	unspreadStatsSQL = `SELECT v.receivers AS endpoint, 'pending' AS state, count(*) AS waiting, min(v.at) AS oldest FROM events v WHERE ` + unspreadSQL + ` GROUP BY v.receivers`
)

// StatsOf returns how far each of the endpoints is behind.
func (o *Outbox) StatsOf(ctx context.Context, endpoints []string) ([]EndpointStats, error) {
	list := make([]EndpointStats, len(endpoints))
	for i, name := range endpoints {
		list[i].Endpoint = name
	}
	for _, query := range []string{waitingStatsSQL, unspreadStatsSQL} {
		var groups []struct {
			Endpoint, State string // one endpoint, or several with blanks between
			Waiting, Oldest int64
		}
		if err := o.reader.Raw(ctx, query).Scan(&groups).Error; err != nil {
			return nil, fmt.Errorf("count notifications: %w", err)
		}
		for _, g := range groups {
			for i := range list {
				if slices.Contains(strings.Fields(g.Endpoint), list[i].Endpoint) {
					list[i].add(DeliveryState(g.State), g.Waiting, database.FromMicros(g.Oldest))
				}
			}
		}
	}
	return list, nil
}

func (e *EndpointStats) add(state DeliveryState, n int64, oldest time.Time) {
	if state == DeliveryFailed {
		e.Failed += n
	} else {
		e.Pending += n
	}
	if e.Oldest.IsZero() || oldest.Before(e.Oldest) {
		e.Oldest = oldest
	}
}
