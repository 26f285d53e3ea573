package notify

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"tolem/config"
	"tolem/store"
)

const (
	// pollEvery is how often due deliveries are looked up.
	pollEvery = 500 * time.Millisecond
	// perRound bounds the contracts of a round, perContract the notifications of one
	// contract that follow each other in it.
	perRound, perContract = 64, 100
)

// Outcomes of an attempt, for the metric.
const (
	OutcomeDelivered = "delivered"
	OutcomeRetry     = "retry"  // it failed and is tried again
	OutcomeFailed    = "failed" // it is given up
)

// Outcomes are all of them.
func Outcomes() []string { return []string{OutcomeDelivered, OutcomeRetry, OutcomeFailed} }

// Outbox is the store's.
type Outbox interface {
	DueDeliveries(ctx context.Context, endpoint string, limit int) ([]store.DueDelivery, error)
	FollowingDelivery(ctx context.Context, endpoint, contract string) (*store.DueDelivery, error)
	SaveAttempt(ctx context.Context, d store.DueDelivery, a store.Attempt) error
}

// Options make a dispatcher.
type Options struct {
	Endpoints []config.Endpoint
	Outbox    Outbox
	Log       *zap.Logger
	Now       func() time.Time
	// Leads reports whether this process delivers; one of all that share a database
	// does.
	Leads func(ctx context.Context) bool
	// Observe is called after each attempt; nil: nobody counts.
	Observe func(endpoint, outcome string, took time.Duration)
	// Timeout of an attempt; 0: [Timeout].
	Timeout time.Duration
}

// Dispatcher delivers. Endpoints are served side by side: one that is down
// holds up no other.
type Dispatcher struct {
	o         Options
	endpoints atomic.Pointer[[]*endpoint]
	changed   chan struct{} // has a value when there are other endpoints
}

// New makes a dispatcher. It opens no connection.
func New(o Options) (*Dispatcher, error) {
	if o.Timeout == 0 {
		o.Timeout = Timeout
	}
	if o.Observe == nil {
		o.Observe = func(string, string, time.Duration) {}
	}
	d := &Dispatcher{o: o, changed: make(chan struct{}, 1)}
	return d, d.Use(o.Endpoints)
}

// Use replaces the endpoints. With an error nothing changes.
func (d *Dispatcher) Use(endpoints []config.Endpoint) error {
	var list []*endpoint
	for _, c := range endpoints {
		e, err := newEndpoint(c, d.o.Timeout)
		if err != nil {
			return err
		}
		list = append(list, e)
	}
	d.endpoints.Store(&list)
	select {
	case d.changed <- struct{}{}:
	default:
	}
	return nil
}

// Run delivers until ctx ends. Attempts that are under way then are cut off, and
// made again by whoever delivers next.
func (d *Dispatcher) Run(ctx context.Context) {
	for ctx.Err() == nil {
		select { // what is run is what is there now
		case <-d.changed:
		default:
		}
		running, stop := context.WithCancel(ctx)
		var all sync.WaitGroup
		for _, e := range *d.endpoints.Load() {
			all.Go(func() { d.poll(running, e) })
		}
		select {
		case <-ctx.Done():
		case <-d.changed:
		}
		stop()
		all.Wait()
	}
}

// poll makes the deliveries of an endpoint whenever they are due, until ctx ends.
func (d *Dispatcher) poll(ctx context.Context, e *endpoint) {
	defer e.http.CloseIdleConnections()
	ticker := time.NewTicker(pollEvery)
	defer ticker.Stop()
	for {
		for d.o.Leads(ctx) && d.round(ctx, e) > 0 {
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// round makes the deliveries of an endpoint that are due.
func (d *Dispatcher) round(ctx context.Context, e *endpoint) (attempted int) {
	if ctx.Err() != nil {
		return 0
	}
	due, err := d.o.Outbox.DueDeliveries(ctx, e.name, perRound)
	if err != nil {
		d.failed(ctx, "look for notifications", e, err)
		return 0
	}
	var all sync.WaitGroup
	var mu sync.Mutex
	work := make(chan store.DueDelivery)
	for range min(maxConcurrent, len(due)) {
		all.Go(func() {
			for delivery := range work {
				n := d.contract(ctx, e, delivery)
				mu.Lock()
				attempted += n
				mu.Unlock()
			}
		})
	}
	for _, delivery := range due {
		work <- delivery
	}
	close(work)
	all.Wait()
	return attempted
}

// contract makes the deliveries of a contract, one after another, until one fails.
func (d *Dispatcher) contract(ctx context.Context, e *endpoint, delivery store.DueDelivery) (attempted int) {
	for {
		if ctx.Err() != nil || !d.attempt(ctx, e, delivery) {
			return attempted
		}
		attempted++
		if attempted == perContract {
			return attempted
		}
		following, err := d.o.Outbox.FollowingDelivery(ctx, e.name, delivery.Contract)
		if err != nil {
			d.failed(ctx, "look for notifications", e, err)
			return attempted
		}
		if following == nil {
			return attempted
		}
		delivery = *following
	}
}

// attempt makes a delivery and notes what came of it. It reports whether the
// receiver has the notification and that is on disk.
func (d *Dispatcher) attempt(ctx context.Context, e *endpoint, delivery store.DueDelivery) bool {
	began := d.o.Now()
	status, err := e.post(ctx, delivery.EventID, delivery.Body, began)
	if ctx.Err() != nil && err != nil {
		return false // cut off by the stop
	}
	now := d.o.Now()
	a := store.Attempt{State: store.DeliveryDelivered, At: now, Status: status}
	outcome := OutcomeDelivered
	if err != nil {
		a.Error = err.Error()
		first := delivery.FirstAt
		if first.IsZero() {
			first = now
		}
		again := false
		a.NextAt, again = next(delivery.Attempts+1, first, now, random)
		a.State, outcome = store.DeliveryPending, OutcomeRetry
		if !again {
			a.State, a.NextAt, outcome = store.DeliveryFailed, time.Time{}, OutcomeFailed
		}
	}
	d.o.Observe(e.name, outcome, now.Sub(began))
	// What the receiver has is noted even if the server stops meanwhile.
	if saved := d.o.Outbox.SaveAttempt(context.WithoutCancel(ctx), delivery, a); saved != nil {
		d.failed(ctx, "note a delivery", e, saved)
		return false
	}
	if err != nil {
		d.o.Log.Warn("a notification was not delivered", zap.String("endpoint", e.name), zap.String("event_id", delivery.EventID),
			zap.Int64("attempts", delivery.Attempts+1), zap.String("outcome", outcome), zap.Error(err))
	}
	return err == nil
}

func (d *Dispatcher) failed(ctx context.Context, what string, e *endpoint, err error) {
	if ctx.Err() == nil {
		d.o.Log.Error(what, zap.String("endpoint", e.name), zap.Error(err))
	}
}
