// Package watch polls the providers for the status of payments that stay open,
// because the message with the result may never arrive.
//
// HighHelp's pay-ins are polled with info. The answer is subject to the same
// decision and the same unique keys as an alert, so that a success in it
// credits, and the later alert is a duplicate. An error is not final: such a
// payment is declined, and polled further. JetPay's Gate is polled for the
// status of pending payments. Its answer is stored, compared and shown, and
// sets a flag; only the callback, or an operator, credits.
//
// The package serves no HTTP. It logs tolem's payment ids and, of a provider's
// answer, the code and the text of a refusal, and the sum and status of a
// payment.
package watch

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"tolem/highhelp"
	"tolem/jetpay"
	"tolem/store"
	"tolem/topup"
)

const (
	// batch bounds how many pay-ins a round reads at once.
	batch = 100
	// gap is the shortest time between two requests to a provider.
	gap = 50 * time.Millisecond
	// maxFailures is the number of consecutive failures that end a round: an
	// unavailable provider is not polled for every payment.
	maxFailures = 3
	// maxBackoff bounds the time between two polls of one pay-in.
	maxBackoff = time.Hour
	// turnTime bounds the question whose turn it is.
	turnTime = 10 * time.Second
)

// Options are what a watcher needs from outside.
type Options struct {
	Store *store.Store
	Polled

	// Sweeps reports whether this process is the leader; the store's method if
	// nil. It is called before every round and every poll in it.
	Sweeps func(context.Context) (bool, error)

	Interval time.Duration // between two rounds

	Log *zap.Logger
	Now func() time.Time
	// Jitter returns a number from 0 to 1, which spreads the polls;
	// rand.Float64 if nil.
	Jitter func() float64

	// Hooks for the metrics. Each may be nil.
	OnCall     func(provider, op, outcome string, took time.Duration)
	OnPoll     func(provider, outcome string)
	OnRecorded func(project string, r store.Recorded)
}

// Polled are the providers that the watcher polls. They can change while it runs.
type Polled struct {
	Clients map[string]*highhelp.Client // of the HighHelp projects, by id
	Gate    *jetpay.Gate                // nil: JetPay's Gate is not polled
	MaxOver int64                       // see [highhelp.Report.Event]
	MaxAge  time.Duration               // a pay-in that is open for longer gets the status review; an error is polled no longer
}

// The outcomes of a poll: label values, which must not change.
const (
	PollAnswered = "answered" // the provider reported the current status
	PollResult   = "result"   // … which is a result that no message had reported
	PollAbsent   = "absent"   // the provider does not know the payment
	PollFailed   = "failed"   // no answer, or an unusable one
	PollReview   = "review"   // open for too long: an operator must decide
)

// Call is a kind of call to a provider.
type Call struct{ Provider, Op string }

// The label values of the metrics: outcomes of polls, providers, and calls.
var (
	PollOutcomes = []string{PollAnswered, PollResult, PollAbsent, PollFailed, PollReview}
	Providers    = []string{highhelp.Provider, jetpay.Provider}
	Calls        = []Call{
		{highhelp.Provider, "payin"}, {highhelp.Provider, "info"}, {highhelp.Provider, "confirm"}, {highhelp.Provider, "cancel"},
		{jetpay.Provider, "status"},
	}
)

// Watcher polls the providers. It is safe for concurrent use.
type Watcher struct {
	o         Options
	providers atomic.Pointer[Polled]
	gate      gateWatch
}

// New makes a watcher. It polls only in [Watcher.Run] and [Watcher.Poll].
func New(o Options) *Watcher {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Sweeps == nil {
		o.Sweeps = o.Store.Sweeps
	}
	if o.Jitter == nil {
		o.Jitter = rand.Float64
	}
	if o.OnCall == nil {
		o.OnCall = func(string, string, string, time.Duration) {}
	}
	if o.OnPoll == nil {
		o.OnPoll = func(string, string) {}
	}
	if o.OnRecorded == nil {
		o.OnRecorded = func(string, store.Recorded) {}
	}
	w := &Watcher{o: o}
	w.Use(o.Polled)
	return w
}

// Use polls these providers from now on.
func (w *Watcher) Use(p Polled) { w.providers.Store(&p) }

// Run watches until ctx ends.
func (w *Watcher) Run(ctx context.Context) {
	var both sync.WaitGroup
	both.Go(func() { w.every(ctx, w.Round) })
	both.Go(func() { w.every(ctx, w.GateRound) })
	both.Wait()
}

func (w *Watcher) every(ctx context.Context, round func(context.Context)) {
	tick := time.NewTicker(w.o.Interval)
	defer tick.Stop()
	for {
		round(ctx)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// isLeader reports whether this process is the leader. Several processes may
// serve one database, and each would poll the same payments.
func (w *Watcher) isLeader(ctx context.Context) bool {
	asking, cancel := context.WithTimeout(ctx, turnTime)
	defer cancel()
	leader, err := w.o.Sweeps(asking)
	if err != nil {
		w.complain(ctx, "ask whose turn it is to ask the providers", err)
		return false
	}
	return leader
}

// Round polls the pay-ins that are due now, if this process is the leader. A
// project whose pay-ins cannot be polled does not block the others.
func (w *Watcher) Round(ctx context.Context) {
	if !w.isLeader(ctx) {
		return
	}
	var (
		now      = w.o.Now() // what becomes due later is left to the next round
		failures = make(map[string]int)
		last     *store.Payin // it only moves forward, so that a round ends
		asked    bool
	)
	for {
		due, err := w.o.Store.DuePayins(ctx, last, now, batch)
		if err != nil {
			w.complain(ctx, "look for pay-ins to ask about", err)
			return
		}
		for _, y := range due {
			if failures[y.Payment.Project] == maxFailures {
				continue // it remains due
			}
			if asked && (!pause(ctx) || !w.isLeader(ctx)) {
				return
			}
			_, err := w.Poll(ctx, y)
			if ctx.Err() != nil {
				return
			}
			asked = !errors.Is(err, errNoProject)
			w.tally(failures, y.Payment, err)
		}
		if len(due) < batch {
			return
		}
		last = due[len(due)-1]
	}
}

// tally counts the failures in a row of a pay-in's project, and logs them.
func (w *Watcher) tally(failures map[string]int, p *topup.Payment, err error) {
	if err == nil {
		failures[p.Project] = 0
		return
	}
	w.o.Log.Warn("a pay-in could not be asked about", zap.String("payment_id", p.ID), zap.Error(err))
	if errors.Is(err, errNoProject) {
		return // no request was sent, so none has failed
	}
	if failures[p.Project]++; failures[p.Project] == maxFailures {
		w.o.Log.Warn("this round asks no more about the pay-ins of a project", zap.String("project", p.Project))
	}
}

// complain logs an error, except during shutdown.
func (w *Watcher) complain(ctx context.Context, what string, err error) {
	if ctx.Err() == nil {
		w.o.Log.Error(what, zap.Error(err))
	}
}

// pause limits the rate, and reports whether to continue.
func pause(ctx context.Context) bool {
	timer := time.NewTimer(gap)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// backoff is the time until the next poll after so many: the interval, doubled
// each time up to a bound, give or take a quarter.
func (w *Watcher) backoff(looks int) time.Duration {
	d := min(w.o.Interval, maxBackoff)
	for range looks {
		if d >= maxBackoff {
			break
		}
		d *= 2
	}
	d = min(d, maxBackoff)
	return time.Duration(float64(d) * (0.75 + 0.5*w.o.Jitter()))
}
