package notify

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"tolem/config"
	"tolem/store"
)

const (
	// pollEvery is how often due deliveries are looked up, and pollDown how often at an
	// endpoint that cannot be reached: all that waits there is looked through.
	pollEvery = 500 * time.Millisecond
	pollDown  = 2 * time.Second
	// paceOver is how long a round takes at least when it has all that is due. Its
	// attempts are spread over this time and noted in one transaction: callbacks wait
	// less for the processor and the disk.
	paceOver = 100 * time.Millisecond
	// perRound bounds the contracts of a round, perContract the notifications of one
	// contract that follow each other in it.
	perRound, perContract = 64, 100
	// What came of attempts is noted after saveEvery at the latest, perSave attempts
	// in a transaction.
	saveEvery = 100 * time.Millisecond
	perSave   = 64
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
	FollowingDelivery(ctx context.Context, d store.DueDelivery) (*store.DueDelivery, error)
	SaveAttempts(ctx context.Context, attempts []store.Attempt) error
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
	for {
		pause := pollEvery
		if d.o.Leads(ctx) {
			switch r := d.round(ctx, e, paceOver); {
			case r.unnoted: // what would be made again at once
			case r.attempted > 0 && r.answered == 0:
				pause = pollDown
			case r.attempted > 0:
				pause = 0
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
	}
}

// round is what is due at an endpoint at one time. What came of the attempts is
// noted for several at once: after a crash those that were not noted yet are made
// again, of each contract in the same order.
type round struct {
	d *Dispatcher
	e *endpoint

	mu        sync.Mutex
	made      []store.Attempt // that are not noted yet
	attempted int
	answered  int  // of them, with whatever status
	unnoted   bool // something could not be noted
}

// round makes the deliveries of an endpoint that are due, spread over pace unless
// more than a round has are due. It returns when all that came of them is on disk.
func (d *Dispatcher) round(ctx context.Context, e *endpoint, pace time.Duration) *round {
	r := &round{d: d, e: e}
	if ctx.Err() != nil {
		return r
	}
	due, err := d.o.Outbox.DueDeliveries(ctx, e.name, perRound)
	if err != nil {
		d.failed(ctx, "look for notifications", e, err)
		return r
	}
	var between time.Duration // two attempts
	if len(due) > 0 && len(due) < perRound {
		between = pace / time.Duration(len(due))
	}
	var workers, saver sync.WaitGroup
	ended := make(chan struct{})
	saver.Go(func() {
		ticker := time.NewTicker(saveEvery)
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
				r.save(ctx)
			case <-ended:
				r.save(ctx)
				return
			}
		}
	})
	work := make(chan store.DueDelivery)
	for range min(maxConcurrent, len(due)) {
		workers.Go(func() {
			for delivery := range work {
				r.contract(ctx, delivery)
			}
		})
	}
	for _, delivery := range due {
		work <- delivery
		if between > 0 {
			select {
			case <-time.After(between):
			case <-ctx.Done():
			}
		}
	}
	close(work)
	workers.Wait()
	close(ended)
	saver.Wait()
	return r
}

// contract makes the deliveries of a contract, one after another, until one fails.
func (r *round) contract(ctx context.Context, delivery store.DueDelivery) {
	for range perContract {
		if ctx.Err() != nil || !r.attempt(ctx, delivery) {
			return
		}
		if !delivery.More {
			return
		}
		following, err := r.d.o.Outbox.FollowingDelivery(ctx, delivery)
		if err != nil {
			r.d.failed(ctx, "look for notifications", r.e, err)
			return
		}
		if following == nil {
			return
		}
		delivery = *following
	}
}

// attempt makes a delivery. It reports whether the receiver has the notification
// and the next one of its contract may be made.
func (r *round) attempt(ctx context.Context, delivery store.DueDelivery) bool {
	d, e := r.d, r.e
	began := d.o.Now()
	status, err := e.post(ctx, delivery.EventID, delivery.Body, began)
	if ctx.Err() != nil && err != nil {
		return false // cut off by the stop
	}
	now := d.o.Now()
	a := store.Attempt{Delivery: delivery, State: store.DeliveryDelivered, At: now, Status: status}
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
		d.o.Log.Warn("a notification was not delivered", zap.String("endpoint", e.name), zap.String("event_id", delivery.EventID),
			zap.Int64("attempts", delivery.Attempts+1), zap.String("outcome", outcome), zap.Error(err))
	}
	d.o.Observe(e.name, outcome, now.Sub(began))
	r.mu.Lock()
	defer r.mu.Unlock()
	r.made = append(r.made, a)
	r.attempted++
	if status != 0 {
		r.answered++
	}
	return err == nil && !r.unnoted
}

// save notes what came of the attempts so far. What the receiver has is noted even
// if the server stops meanwhile. Only one goroutine calls it.
func (r *round) save(ctx context.Context) {
	r.mu.Lock()
	made := r.made
	r.made = nil
	r.mu.Unlock()
	for some := range slices.Chunk(made, perSave) {
		if err := r.d.o.Outbox.SaveAttempts(context.WithoutCancel(ctx), some); err != nil {
			r.d.failed(ctx, "note deliveries", r.e, err)
			r.mu.Lock()
			r.unnoted = true
			r.mu.Unlock()
			return
		}
	}
}

func (d *Dispatcher) failed(ctx context.Context, what string, e *endpoint, err error) {
	if ctx.Err() == nil {
		d.o.Log.Error(what, zap.String("endpoint", e.name), zap.Error(err))
	}
}
