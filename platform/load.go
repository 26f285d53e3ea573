package platform

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"tolem/topup"
)

// LoadOptions say what to load a server with.
type LoadOptions struct {
	TopUp TopUp // Currency must be set
	// Contracts, if there are any, are topped up one after another: each top-up
	// is TopUp with the customer, the contract and the currency of the next
	// one.
	Contracts   []Contract
	Count       int // top-ups, each of three messages
	Concurrency int // how many run at the same time; 0: 1
	// Progress, if not nil, is called after each top-up with the number of
	// completed ones; one call at a time.
	Progress func(done int)
	// Delivered, if not nil, is called for every callback that was sent, with
	// its body, acknowledged or not; one call at a time. A crash test resends
	// the bodies later.
	Delivered func(Delivery)
}

// Contract is what a load tops up.
type Contract struct {
	CustomerID string
	EntityID   string
	Currency   string
}

// Delivery is one callback that was sent.
type Delivery struct {
	PaymentID    string
	OperationID  int64
	Body         []byte
	Acknowledged bool // HTTP 200 was read
}

// Latency says how long one kind of message took. Percentiles are exact to
// two in a hundred.
type Latency struct {
	Count    int
	P50, P99 time.Duration
	Max      time.Duration
}

// Summary is the result of a load.
type Summary struct {
	Count    int            // top-ups that were started
	Done     int            // top-ups of which all three messages were answered with success
	Messages int            // messages that were answered, with whatever status
	Errors   map[string]int // by kind, such as "check_deposit: HTTP 503, code 500"
	Elapsed  time.Duration
	Rate     float64            // answered messages per second
	Latency  map[string]Latency // by message
	Overall  Latency
	// Acknowledged are the payments whose callback was answered with HTTP 200:
	// with OutcomeSuccess, every one of them must be booked, once.
	Acknowledged []string
}

// ErrorCount is the number of top-ups that failed.
func (s Summary) ErrorCount() int {
	n := 0
	for _, count := range s.Errors {
		n += count
	}
	return n
}

// load is one run.
type load struct {
	player  *Player
	options LoadOptions

	mu      sync.Mutex // guards what follows, and Player.Random
	started int
	ended   int
	summary Summary
	times   map[string]*histogram
	overall histogram
}

// Load runs top-ups concurrently and measures them. A failure is counted, not
// returned, and not retried. When ctx ends, so does the load, and the summary
// covers what was done until then.
func (p *Player) Load(ctx context.Context, o LoadOptions) (Summary, error) {
	if o.Count < 1 {
		return Summary{}, fmt.Errorf("load: the count must be at least 1, got %d", o.Count)
	}
	if len(o.Contracts) == 0 {
		o.Contracts = []Contract{{o.TopUp.CustomerID, o.TopUp.EntityID, o.TopUp.Currency}}
	}
	for _, c := range o.Contracts {
		if c.Currency == "" {
			return Summary{}, errors.New("load: the currency must be given")
		}
	}
	if _, err := ParseOutcome(string(o.TopUp.Outcome)); err != nil {
		return Summary{}, fmt.Errorf("load: %w", err)
	}
	if o.Concurrency < 1 {
		o.Concurrency = 1
	}
	l := &load{player: p, options: o, times: map[string]*histogram{}, summary: Summary{Errors: map[string]int{}}}
	for _, message := range []string{MessageVerify, MessageCheckDeposit, MessageCallback} {
		l.times[message] = &histogram{}
	}
	begun := time.Now()
	var workers sync.WaitGroup
	for range min(o.Concurrency, o.Count) {
		workers.Go(func() { l.work(ctx) })
	}
	workers.Wait()
	return l.summarise(time.Since(begun)), nil
}

func (l *load) work(ctx context.Context) {
	for ctx.Err() == nil {
		topUp, operation, ok, err := l.next()
		if !ok {
			return
		}
		if err == nil {
			err = l.topUp(ctx, topUp, operation)
		}
		l.end(err)
	}
}

// next starts one more top-up, unless all are started.
func (l *load) next() (t TopUp, operation int64, ok bool, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.started == l.options.Count {
		return t, 0, false, nil
	}
	t = l.options.TopUp
	c := l.options.Contracts[l.started%len(l.options.Contracts)]
	t.CustomerID, t.EntityID, t.Currency = c.CustomerID, c.EntityID, c.Currency
	l.started++
	operation, err = OperationID(l.player.Random)
	return t, operation, true, err
}

func (l *load) topUp(ctx context.Context, t TopUp, operation int64) error {
	_, x, err := l.player.verify(ctx, t.CustomerID)
	l.measure(x)
	if err != nil {
		return err
	}
	money := topup.Money{Amount: t.Amount, Currency: t.Currency}
	issued, x, err := l.player.checkDeposit(ctx, Deposit{CustomerID: t.CustomerID, EntityID: t.EntityID, Money: money})
	l.measure(x)
	if err != nil {
		return err
	}
	body, err := l.player.Project.Callback(NewCallback(t.Outcome, issued.PaymentID, operation, money, l.player.Now()))
	if err != nil {
		return err
	}
	x, err = l.player.deliver(ctx, body)
	l.measure(x)
	l.delivered(Delivery{PaymentID: issued.PaymentID, OperationID: operation, Body: body, Acknowledged: err == nil})
	return err
}

func (l *load) measure(x Exchange) {
	if x.Answer.Status == 0 {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.summary.Messages++
	l.times[x.Message].add(x.Answer.Took)
	l.overall.add(x.Answer.Took)
}

func (l *load) delivered(d Delivery) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if d.Acknowledged {
		l.summary.Acknowledged = append(l.summary.Acknowledged, d.PaymentID)
	}
	if l.options.Delivered != nil {
		l.options.Delivered(d)
	}
}

func (l *load) end(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ended++
	if err == nil {
		l.summary.Done++
	} else {
		l.summary.Errors[errorKind(err)]++
	}
	if l.options.Progress != nil {
		l.options.Progress(l.ended)
	}
}

// errorKind sorts errors into few kinds, without ids or addresses in them.
func errorKind(err error) string {
	var refused *RefusedError
	switch {
	case errors.As(err, &refused) && refused.Code >= 0:
		return fmt.Sprintf("%s: HTTP %d, code %d", refused.Message, refused.Status, refused.Code)
	case refused != nil:
		return fmt.Sprintf("%s: HTTP %d", refused.Message, refused.Status)
	case errors.Is(err, context.Canceled):
		return "stopped"
	case isTimeout(err):
		return "timed out"
	case errors.Is(err, ErrAnswerTooLarge):
		return ErrAnswerTooLarge.Error()
	}
	return "no answer"
}

func isTimeout(err error) bool {
	var timeout interface{ Timeout() bool }
	return errors.As(err, &timeout) && timeout.Timeout()
}

func (l *load) summarise(elapsed time.Duration) Summary {
	s := l.summary
	s.Count, s.Elapsed = l.started, elapsed
	s.Latency = map[string]Latency{}
	for message, times := range l.times {
		s.Latency[message] = times.latency()
	}
	s.Overall = l.overall.latency()
	if elapsed > 0 {
		s.Rate = float64(s.Messages) / elapsed.Seconds()
	}
	return s
}
