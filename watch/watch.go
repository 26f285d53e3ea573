// Package watch asks the providers what became of payments that stay open,
// because the message that would say so may never come.
//
// HighHelp's pay-ins are asked about with info; what the answer says goes
// through the same decision and the same unique keys as an alert, so that a
// success read here credits, and the alert that comes later is a repeat.
// An error is not final: it is asked about on, though the payment is declined.
// JetPay's Gate is asked for the status of pending payments; its answer is kept,
// compared and shown, and flags, since the callback, or an operator, credits.
//
// The package serves no HTTP. It logs our own payment ids; of what a provider
// wrote, the code and the text of a refusal, and the sum and status of a payment.
package watch

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
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
	// gap bounds the rate: at most this often a provider is asked.
	gap = 50 * time.Millisecond
	// patience is how many failures in a row are enough for a round: a provider
	// that is away is not asked about every payment there is.
	patience = 3
	// maxBackoff bounds the time between two looks at one pay-in.
	maxBackoff = time.Hour
	// turnTime bounds the question whose turn it is.
	turnTime = 10 * time.Second
)

// Options are what a watcher needs from outside.
type Options struct {
	Store   *store.Store
	Clients map[string]*highhelp.Client // of the HighHelp projects, by id
	Gate    *jetpay.Gate                // nil: JetPay's Gate is not asked
	MaxOver int64                       // see [highhelp.Report.Event]

	// Sweeps tells whether this process is the one that asks; the store's own
	// answer if nil. It is asked before every round and every question in it.
	Sweeps func(context.Context) (bool, error)

	Interval time.Duration // between two rounds
	MaxAge   time.Duration // a pay-in that is open for longer goes to review; an error is asked about no longer

	Log *zap.Logger
	Now func() time.Time
	// Jitter gives a number from 0 to 1, so that looks spread; rand.Float64 if
	// nil.
	Jitter func() float64

	// What is counted. Each may be nil.
	OnCall     func(provider, op, outcome string, took time.Duration)
	OnLook     func(provider, outcome string)
	OnRecorded func(project string, r store.Recorded)
}

// What became of a look, in few words that never change.
const (
	LookAnswered = "answered" // the provider said where it stands
	LookResult   = "result"   // … and that is a result that had not reached us
	LookAbsent   = "absent"   // the provider does not know of it
	LookFailed   = "failed"   // no answer, or none that can be used
	LookReview   = "review"   // open for too long: handed to a person
)

// Call is a kind of call to a provider.
type Call struct{ Provider, Op string }

// The label values of the metrics: what becomes of looks, who is asked, and
// which calls there are.
var (
	LookOutcomes = []string{LookAnswered, LookResult, LookAbsent, LookFailed, LookReview}
	Providers    = []string{highhelp.Provider, jetpay.Provider}
	Calls        = []Call{
		{highhelp.Provider, "payin"}, {highhelp.Provider, "info"}, {highhelp.Provider, "confirm"}, {highhelp.Provider, "cancel"},
		{jetpay.Provider, "status"},
	}
)

// Watcher asks. It is safe for concurrent use.
type Watcher struct {
	o    Options
	gate gateWatch
}

// New makes a watcher. It asks nobody before [Watcher.Run] or [Watcher.Look].
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
	if o.OnLook == nil {
		o.OnLook = func(string, string) {}
	}
	if o.OnRecorded == nil {
		o.OnRecorded = func(string, store.Recorded) {}
	}
	return &Watcher{o: o}
}

// Run watches until ctx ends.
func (w *Watcher) Run(ctx context.Context) {
	var both sync.WaitGroup
	both.Go(func() { w.every(ctx, w.Round) })
	if w.o.Gate != nil {
		both.Go(func() { w.every(ctx, w.GateRound) })
	}
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

// ours reports whether this process is the one that asks now. Several may serve
// one database, and each would ask about the same payments.
func (w *Watcher) ours(ctx context.Context) bool {
	asking, cancel := context.WithTimeout(ctx, turnTime)
	defer cancel()
	ours, err := w.o.Sweeps(asking)
	if err != nil {
		w.complain(ctx, "ask whose turn it is to ask the providers", err)
		return false
	}
	return ours
}

// Round asks about the pay-ins that are due now, if this process is the one
// that does. A project whose pay-ins cannot be asked about holds up no other.
func (w *Watcher) Round(ctx context.Context) {
	if !w.ours(ctx) {
		return
	}
	var (
		now      = w.o.Now() // what becomes due later is for the next round
		failures = make(map[string]int)
		last     *store.Payin // it only goes forward, so that a round has an end
		asked    bool
	)
	for {
		due, err := w.o.Store.DuePayins(ctx, last, now, batch)
		if err != nil {
			w.complain(ctx, "look for pay-ins to ask about", err)
			return
		}
		for _, y := range due {
			if failures[y.Payment.Project] == patience {
				continue // it stays due
			}
			if asked && (!pause(ctx) || !w.ours(ctx)) {
				return
			}
			_, err := w.Look(ctx, y)
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
		return // nobody was asked, and nobody has failed
	}
	if failures[p.Project]++; failures[p.Project] == patience {
		w.o.Log.Warn("this round asks no more about the pay-ins of a project", zap.String("project", p.Project))
	}
}

// complain logs an error, unless everything is being stopped.
func (w *Watcher) complain(ctx context.Context, what string, err error) {
	if ctx.Err() == nil {
		w.o.Log.Error(what, zap.Error(err))
	}
}

// pause keeps the rate, and reports whether to go on.
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

// backoff is the time until the next look after so many: the interval, doubled
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
