package billing

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/sony/gobreaker/v2"
	"golang.org/x/sync/singleflight"

	"tolem/config"
	"tolem/topup"
)

// ErrUnavailable means that billing did not answer, or not with an account record,
// and that no record is young enough to be used instead.
var ErrUnavailable = errors.New("the account cannot be looked up at the moment, please try again later")

const (
	// maxWaiting bounds how many requests of providers wait for billing; those
	// beyond are answered from records at once.
	maxWaiting = 128
	// maxFailures is how many failures in a row stop the requests to billing for
	// retryAfter; then one is tried.
	maxFailures = 5
	retryAfter  = 5 * time.Second
)

// Outcomes of a look-up, for the metric.
const (
	OutcomeOK      = "ok"
	OutcomeUnknown = "unknown_customer"
	OutcomeFailed  = "failed"  // asked, and no usable answer
	OutcomeSkipped = "skipped" // not asked: it keeps failing, or too many are waiting
)

// Outcomes are all of them.
func Outcomes() []string {
	return []string{OutcomeOK, OutcomeUnknown, OutcomeFailed, OutcomeSkipped}
}

// Records are the accounts of the store.
type Records interface {
	// ConfirmAccount makes billing's answer the account's record, as of at. An
	// error of KindInvalid says that the record breaks a rule.
	ConfirmAccount(ctx context.Context, account *topup.Account, at time.Time, slack time.Duration) error
	// AccountConfirmedAt is when the record of a customer was last known to be
	// right; zero if there is none, or billing said since that there is none.
	AccountConfirmedAt(ctx context.Context, customerID string) (time.Time, error)
	// ForgetConfirmation notes that billing does not know the customer.
	ForgetConfirmation(ctx context.Context, customerID string) error
}

// Options make a source.
type Options struct {
	Config    config.AccountsHTTP
	Normalize topup.Normalizer
	Records   Records
	Now       func() time.Time
	// Observe is called after each look-up, OnState when requests to billing stop
	// (false) and when they are made again. Both may be nil.
	Observe func(outcome string, took time.Duration)
	OnState func(available bool, cause error)
}

// Source keeps the store's accounts as billing has them. It is safe for
// concurrent use.
type Source struct {
	o       Options
	client  *client
	breaker *gobreaker.CircuitBreaker[*topup.Account]
	flights singleflight.Group
	waiting chan struct{}
	recent  recent
	// confirmed is when billing last answered with a record: the store does not
	// write that down each time.
	confirmed recent

	mu   sync.Mutex
	last error // why billing failed last
}

// New makes a source. It opens no connection.
func New(o Options) (*Source, error) {
	c, err := newClient(o.Config, o.Normalize, o.Now)
	if err != nil {
		return nil, fmt.Errorf("the account source: %w", err)
	}
	if o.Observe == nil {
		o.Observe = func(string, time.Duration) {}
	}
	if o.OnState == nil {
		o.OnState = func(bool, error) {}
	}
	s := &Source{o: o, client: c, waiting: make(chan struct{}, maxWaiting), recent: recent{keep: o.Config.Cache}, confirmed: recent{keep: o.Config.Stale}}
	s.breaker = gobreaker.NewCircuitBreaker[*topup.Account](gobreaker.Settings{
		Name:         "billing",
		MaxRequests:  1,
		Timeout:      retryAfter,
		ReadyToTrip:  func(c gobreaker.Counts) bool { return c.ConsecutiveFailures >= maxFailures },
		IsSuccessful: func(err error) bool { return err == nil || errors.Is(err, errUnknown) },
		OnStateChange: func(_ string, from, to gobreaker.State) {
			switch {
			case to == gobreaker.StateOpen && from == gobreaker.StateClosed:
				s.o.OnState(false, s.cause())
			case to == gobreaker.StateClosed:
				s.o.OnState(true, nil)
			}
		},
	})
	return s, nil
}

// Refresh brings the record of a customer up to date, within the time-out of the
// configuration. Without an error, the store's record may be used: it is billing's
// answer, or, while billing fails, not older than stale.
//
// Errors: KindNotFound when billing does not know the customer; ErrUnavailable;
// of the store.
func (s *Source) Refresh(ctx context.Context, customerID string) error {
	if known, err := s.recent.get(customerID, s.o.Now()); known {
		return err
	}
	select {
	case s.waiting <- struct{}{}:
	default:
		s.o.Observe(OutcomeSkipped, 0)
		return s.fallBack(ctx, customerID)
	}
	defer func() { <-s.waiting }()
	// Equal look-ups share one, which does not end with the request that began it.
	result := s.flights.DoChan(customerID, func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.o.Config.Timeout)
		defer cancel()
		return nil, s.lookUp(ctx, customerID)
	})
	select {
	case r := <-result:
		return r.Err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// lookUp asks billing and stores the answer.
func (s *Source) lookUp(ctx context.Context, customerID string) error {
	// What waited for a place may find the answer of the one before it.
	if known, err := s.recent.get(customerID, s.o.Now()); known {
		return err
	}
	asked := s.o.Now()
	account, err := s.breaker.Execute(func() (*topup.Account, error) {
		account, err := s.client.account(ctx, customerID)
		if err != nil && !errors.Is(err, errUnknown) {
			s.fail(err)
		}
		return account, err
	})
	took := s.o.Now().Sub(asked)
	// From here on the time-out of the request to billing does not count: the store has its own.
	ctx = context.WithoutCancel(ctx)
	switch {
	case errors.Is(err, errUnknown):
		s.o.Observe(OutcomeUnknown, took)
		if err := s.o.Records.ForgetConfirmation(ctx, customerID); err != nil {
			return err
		}
		unknown := topup.NotFound("account does not exist")
		s.recent.put(customerID, asked, unknown)
		return unknown
	case errors.Is(err, gobreaker.ErrOpenState), errors.Is(err, gobreaker.ErrTooManyRequests):
		s.o.Observe(OutcomeSkipped, took)
		return s.fallBack(ctx, customerID)
	case err != nil:
		s.o.Observe(OutcomeFailed, took)
		return s.fallBack(ctx, customerID)
	}
	if err := s.o.Records.ConfirmAccount(ctx, account, asked, s.o.Config.Stale/4); err != nil {
		var refusal *topup.Error
		if errors.As(err, &refusal) && refusal.Kind == topup.KindInvalid {
			// The record that the store has stays; nobody is to be credited in another currency.
			s.fail(err)
			s.o.Observe(OutcomeFailed, took)
			return s.fallBack(ctx, customerID)
		}
		return err
	}
	s.o.Observe(OutcomeOK, took)
	s.recent.put(customerID, asked, nil)
	s.confirmed.put(customerID, asked, nil)
	return nil
}

// fallBack lets the store's record be used if it is young enough.
func (s *Source) fallBack(ctx context.Context, customerID string) error {
	at, err := s.o.Records.AccountConfirmedAt(ctx, customerID)
	if err != nil {
		return err
	}
	if at.IsZero() {
		return ErrUnavailable
	}
	if now := s.o.Now(); now.Sub(at) > s.o.Config.Stale {
		if known, _ := s.confirmed.get(customerID, now); !known {
			return ErrUnavailable
		}
	}
	return nil
}

func (s *Source) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last = err
}

func (s *Source) cause() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last
}

// Close ends idle connections.
func (s *Source) Close() { s.client.http.CloseIdleConnections() }
