package events

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"tolem/store/internal/database"
	"tolem/store/internal/engine"
)

// A callback writes its notification alone, with the names of the endpoints that
// get it. Their deliveries are rows that are inserted later, for many notifications
// at once and in the order of their places (fan-out; here: spread). The one row of event_progress has
// the place up to which all are.
const (
	// aheadSQL is true of a notification v behind that place, and unspreadSQL if it has no
	// rows yet; one that an operator sends again or skips has.
	aheadSQL    = `v.id > (SELECT p.spread FROM event_progress p)`
	unspreadSQL = aheadSQL + ` AND v.receivers <> '' AND NOT EXISTS (SELECT 1 FROM event_deliveries d WHERE d.id = v.id)`
	nextSQL     = aheadSQL + ` AND v.id < ? ORDER BY v.id LIMIT ?`
	// spreadBatch bounds how long spreading keeps others from writing.
	spreadBatch = 250
)

// Spread inserts the deliveries of the notifications v that are ahead and for which a
// condition holds; it returns how many and the last one's place.
func Spread(tx *engine.Tx, which string, args ...any) (n int, last int64, err error) {
	var list []struct {
		ID, At              int64
		Contract, Receivers string
	}
	if err := tx.Raw(`SELECT v.id, v.at, v.contract, v.receivers FROM events v WHERE `+aheadSQL+` AND `+which, args...).Scan(&list).Error; err != nil {
		return 0, 0, err
	}
	for _, v := range list {
		for _, name := range strings.Fields(v.Receivers) {
			if err := tx.Put(tx.Statements.InsertDelivery, name, v.ID, v.Contract, v.At); err != nil {
				return 0, 0, fmt.Errorf("insert the delivery of a notification: %w", err)
			}
		}
		last = v.ID
	}
	return len(list), last, nil
}

// spreadNext spreads the next notifications before end, behind which others may
// still be committed with lower places, and returns how many.
func spreadNext(tx *engine.Tx, end int64) (int, error) {
	n, last, err := Spread(tx, nextSQL, end, spreadBatch)
	if err != nil || n == 0 {
		return 0, err
	}
	return n, tx.Gorm().Exec(`UPDATE event_progress SET spread = ? WHERE spread < ?`, last, last).Error
}

// spread does that in a write of its own, if there are any.
func (o *Outbox) spread(ctx context.Context) (int, error) {
	end, err := o.ledger.FeedEnd(ctx)
	if err != nil {
		return 0, err
	}
	var some bool
	if err := o.reader.Raw(ctx, `SELECT EXISTS (SELECT 1 FROM events v WHERE `+nextSQL+`)`, end, 1).Row().Scan(&some); err != nil || !some {
		return 0, err
	}
	var n int // which the write may set after its caller has left
	if err := o.writer.Do(ctx, func(tx *engine.Tx) (err error) { n, err = spreadNext(tx, end); return err }); err != nil {
		return 0, err
	}
	return n, nil
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
	// waitingSQL are the deliveries o that an endpoint does not have, from the short
	// index of these; without the comparison of contracts, which are never empty, and with
	// the bare id SQLite would read all that was ever delivered there.
	waitingSQL = `FROM event_deliveries o WHERE o.endpoint = ? AND o.open = 1 AND o.contract > ''`
	// dueSQL is what is due of waiting deliveries h. SQLite keeps the order of a cross join.
	dueSQL = `SELECT d.id, d.contract, d.attempts, d.first_at, h.more, v.event_id, v.body
		FROM (SELECT min(o.id) AS id, count(*) > 1 AS more %s) h CROSS JOIN event_deliveries d JOIN events v ON v.id = d.id
		WHERE d.endpoint = ? AND d.id = h.id AND d.state = 'pending' AND d.next_at <= ? ORDER BY d.next_at, d.id LIMIT ?`
)

var (
	// headsSQL finds, of each contract, its first notification that an endpoint does
	// not have, if it is due. No other is still to be committed or spread before it.
	headsSQL = fmt.Sprintf(dueSQL, waitingSQL+` AND o.id + 0 <= (SELECT p.spread FROM event_progress p) GROUP BY o.contract`)
	// followingSQL finds the first one of a contract behind another.
	followingSQL = fmt.Sprintf(dueSQL, waitingSQL+` AND o.contract = ? AND o.id > ? AND o.id <= (SELECT p.spread FROM event_progress p)`)
)

// backSQL makes all that waits or has failed at an endpoint due.
const backSQL = `UPDATE event_deliveries SET state = 'pending', next_at = ?, first_at = CASE state WHEN 'failed' THEN 0 ELSE first_at END
	WHERE endpoint = ? AND id IN (SELECT o.id ` + waitingSQL + `) AND (state = 'failed' OR next_at > ?) AND last_at <= ?`

// DueDeliveries returns the deliveries to an endpoint that are due: at most one a
// contract, its first that is not made.
func (o *Outbox) DueDeliveries(ctx context.Context, endpoint string, limit int) ([]DueDelivery, error) {
	for n := spreadBatch; ; {
		list, err := o.due(ctx, endpoint, headsSQL, endpoint, endpoint, database.Micros(o.now()), limit)
		if err != nil || len(list) > 0 || n < spreadBatch {
			return list, err
		}
		// Otherwise SaveAttempts spreads, in the transaction that it needs anyway.
		if n, err = o.spread(ctx); err != nil || n == 0 {
			return nil, err
		}
	}
}

// FollowingDelivery returns the first delivery of the same contract to the same
// endpoint behind d, which is made and need not be noted; nil if there is none or it
// is not due.
func (o *Outbox) FollowingDelivery(ctx context.Context, d DueDelivery) (*DueDelivery, error) {
	list, err := o.due(ctx, d.Endpoint, followingSQL, d.Endpoint, d.Contract, d.place, d.Endpoint, database.Micros(o.now()), 1)
	if err != nil || len(list) == 0 {
		return nil, err
	}
	return &list[0], nil
}

func (o *Outbox) due(ctx context.Context, endpoint, query string, args ...any) (list []DueDelivery, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("look for due notifications: %w", err)
		}
	}()
	rows, err := o.reader.Raw(ctx, query, args...).Rows()
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
		d.FirstAt, d.Body = database.FromMicros(first), []byte(body)
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
// all that waits or has failed there is due now. New notifications are spread.
func (o *Outbox) SaveAttempts(ctx context.Context, attempts []Attempt) error {
	attempts = slices.Clone(attempts) // the write may outlive its caller
	end, err := o.ledger.FeedEnd(ctx)
	if err != nil {
		return err
	}
	spread := 0
	err = o.writer.Do(ctx, func(tx *engine.Tx) (err error) {
		var back *Attempt
		for i := range attempts {
			a := &attempts[i]
			if err := saveAttempt(tx, a); err != nil {
				return fmt.Errorf("%s: %w", a.Delivery.EventID, err)
			}
			if a.State == DeliveryDelivered && a.Delivery.Attempts > 0 {
				back = a
			}
		}
		if spread, err = spreadNext(tx, end); err != nil || back == nil {
			return err
		}
		at, endpoint := database.Micros(back.At), back.Delivery.Endpoint
		return tx.Gorm().Exec(backSQL, at, endpoint, endpoint, at, at).Error
	})
	for err == nil && spread == spreadBatch {
		spread, err = o.spread(ctx)
	}
	if err != nil {
		return fmt.Errorf("note deliveries: %w", err)
	}
	return nil
}

func saveAttempt(tx *engine.Tx, a *Attempt) error {
	first, open := a.At, 0
	if !a.Delivery.FirstAt.IsZero() {
		first = a.Delivery.FirstAt
	}
	if a.State == DeliveryPending || a.State == DeliveryFailed {
		open = 1
	}
	return tx.Put(tx.Statements.SaveDelivery, string(a.State), open, database.Micros(a.NextAt), database.Micros(first), database.Micros(a.At), a.Status, a.Error, a.Delivery.Endpoint, a.Delivery.place)
}
