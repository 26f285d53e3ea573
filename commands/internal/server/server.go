// Package server is the process of serve: it opens the database and the listeners,
// runs the background jobs, reads the configuration again, and stops without losing
// a request.
package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"slices"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"tolem/calendar"
	"tolem/commands/internal/console"
	"tolem/config"
	"tolem/handlers"
	"tolem/notify"
	"tolem/store"
	"tolem/topup"
)

const (
	// expireEvery is well under the minute within which an expired payment
	// must be shown as one.
	expireEvery = 20 * time.Second
	pruneEvery  = time.Hour
	// turnoverEvery keeps what a report has to read small.
	turnoverEvery = time.Minute

	// drainTime bounds how long a stop waits for requests in progress.
	drainTime = 20 * time.Second

	// leaderTimeout bounds the query whether this process is the leader.
	leaderTimeout = 10 * time.Second
)

// Server is an open store with its listeners.
type Server struct {
	cfg      atomic.Pointer[config.Config] // which SIGHUP changes
	log      *zap.Logger
	Store    *store.Store
	sweeping atomic.Bool // whether this process was the leader at the last check
	handlers *handlers.Server
	notifier *notify.Dispatcher
	Public   net.Listener
	Admin    net.Listener
	Merchant net.Listener // nil unless configured

	BatchScheduling bool // whether its threads were given SCHED_BATCH
}

// Start opens the store and binds the listeners, so that clients can
// connect. The caller runs it, which also closes it.
func Start(ctx context.Context, cfg *config.Config, log *zap.Logger) (s *Server, err error) {
	s = &Server{log: log}
	s.cfg.Store(cfg)
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close())
			s = nil
		}
	}()
	metrics := handlers.NewMetrics()
	options := console.StoreOptions(cfg)
	options.Exclusive, options.OnCommit = true, metrics.ObserveCommit
	options.OnMigrate = func(m store.Migration) {
		log.Info("the database was migrated", zap.String("migration", m.Name), zap.Int64("from", m.From), zap.Int64("to", m.To), zap.Duration("took", m.Took))
	}
	options.OnLost = func(err error) { log.Error("the database file", zap.Error(err)) }
	s.BatchScheduling = cfg.Scheduling == config.SchedulingBatch && useBatchScheduling()
	if s.BatchScheduling {
		options.OnThread = useNormalScheduling // everybody waits for it
	}
	started := time.Now()
	if s.Store, err = store.Open(ctx, options); err != nil {
		return s, fmt.Errorf("open the database %s: %w", cfg.Database.DSN, store.ExplainDamage(err))
	}
	s.reportDatabase(ctx, started)
	if err = prepareDemo(ctx, cfg, s.Store, log); err != nil {
		return s, err
	}
	if err = s.closeBooks(ctx); err != nil {
		return s, err
	}
	if err = s.setFourEyes(ctx); err != nil {
		return s, err
	}
	if err = s.setEndpoints(ctx); err != nil {
		return s, err
	}
	s.notifier, err = notify.New(notify.Options{
		Endpoints: cfg.Notify, Outbox: s.Store, Log: log, Now: time.Now, Leads: s.isLeader, Observe: metrics.ObserveDelivery,
	})
	if err != nil {
		return s, err
	}
	s.handlers, err = handlers.New(handlers.Options{
		Config: cfg, Store: s.Store, Log: log, Metrics: metrics, Now: time.Now, Version: Version(),
	})
	if err != nil {
		return s, fmt.Errorf("handlers: %w", err)
	}
	if s.Public, err = listen("listen", cfg.Listen); err != nil {
		return s, err
	}
	if s.Admin, err = listen("admin.listen", cfg.Admin.Listen); err != nil || cfg.Merchant.Listen == "" {
		return s, err
	}
	s.Merchant, err = listen("merchant.listen", cfg.Merchant.Listen)
	return s, err
}

// closeBooks writes into the database up to which day the books are closed, so
// that it counts for every process.
func (s *Server) closeBooks(ctx context.Context) error {
	cfg := s.cfg.Load()
	before, err := s.Store.SetClosedPeriod(ctx, cfg.BooksClosedTo, cfg.ClosedUntil())
	if err != nil {
		return err
	}
	if before > cfg.BooksClosedTo { // days sort as texts
		s.log.Warn("books_closed_to was set back: days that were closed can be posted to again",
			zap.String("before", before), zap.String("books_closed_to", cfg.BooksClosedTo))
	}
	return nil
}

// setFourEyes writes into the database which steps need a second person, so that
// it counts for every process.
func (s *Server) setFourEyes(ctx context.Context) error {
	words := s.cfg.Load().FourEyes
	actions := make([]store.Action, len(words))
	for i, word := range words {
		actions[i] = store.Action(word)
	}
	by := store.By{Actor: console.OSUser(), OSUser: console.OSUser(), Role: store.RoleCommand, Reason: "the configuration of serve"}
	before, err := s.Store.SetFourEyes(ctx, actions, by)
	if err != nil {
		return err
	}
	for _, action := range before {
		if !slices.Contains(actions, action) {
			s.log.Warn("four_eyes was weakened: a step that needed a second person needs none", zap.String("step", string(action)))
		}
	}
	return s.setApprovers(ctx)
}

// setApprovers writes into the database whose tokens can approve on the command
// line, where a configuration of one's own must not count.
func (s *Server) setApprovers(ctx context.Context) error {
	cfg := s.cfg.Load()
	var list []store.Approver
	for _, token := range cfg.Admin.Tokens {
		if token.Role != config.RoleAdmin && token.Role != config.RoleOperator {
			continue
		}
		a := store.Approver{Name: token.Name, Role: token.Role, Token: token.Token.Reveal()}
		if day, err := calendar.ParseDay(token.Expires); err == nil {
			a.Until = day.End(cfg.Location())
		}
		list = append(list, a)
	}
	return s.Store.SetApprovers(ctx, list)
}

// setEndpoints writes into the database who is notified, so that every process
// writes notifications for them.
func (s *Server) setEndpoints(ctx context.Context) error {
	configured := s.cfg.Load().Notify
	endpoints := make([]store.Endpoint, len(configured))
	for i, e := range configured {
		endpoints[i].Name = e.Name
		for _, t := range e.Events {
			endpoints[i].Types = append(endpoints[i].Types, topup.EventType(t))
		}
	}
	return s.Store.SetEndpoints(ctx, endpoints)
}

func listen(key, address string) (net.Listener, error) {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("%s %s cannot be opened: %w; %s", key, address, err, ListenAdvice(err, "change "+key+" in the configuration"))
	}
	return listener, nil
}

// close frees what startServer has taken, for a server that does not run.
func (s *Server) close() error {
	var errs []error
	for _, listener := range []net.Listener{s.Public, s.Admin, s.Merchant} {
		if listener != nil {
			errs = append(errs, listener.Close())
		}
	}
	if s.Store != nil {
		errs = append(errs, s.Store.Close())
	}
	return errors.Join(errs...)
}

// Run serves until ctx ends or a listener fails, then drains and closes.
func (s *Server) Run(ctx context.Context, hangups <-chan os.Signal, load LoadConfig) error {
	var sides []*http.Server
	failed := make(chan error, 3)
	for _, side := range []struct {
		handler  http.Handler
		listener net.Listener
	}{{s.handlers.Public(), s.Public}, {s.handlers.Merchant(), s.Merchant}, {s.handlers.Admin(), s.Admin}} {
		if side.listener == nil {
			continue
		}
		serving := handlers.NewHTTPServer(side.handler, s.cfg.Load().IdleTimeout, s.log)
		sides = append(sides, serving)
		go func() { failed <- serving.Serve(side.listener) }()
	}
	stopSweeps := s.startSweeps(hangups, load)
	var err error
	select {
	case <-ctx.Done():
		s.log.Info("draining")
	case err = <-failed:
		err = fmt.Errorf("serve: %w", err)
	}
	s.handlers.Drain()
	s.shutdown(sides...)
	s.handlers.Close()
	stopSweeps()
	if closing := s.Store.Close(); closing != nil {
		return errors.Join(err, fmt.Errorf("close the database: %w", closing))
	}
	return err
}

// shutdown stops accepting and waits for requests in progress, the public
// listener first, so that the admin listener answers until the end. A request
// that takes longer is cut off: it was not acknowledged.
func (s *Server) shutdown(sides ...*http.Server) {
	ctx, cancel := context.WithTimeout(context.Background(), drainTime)
	defer cancel()
	for _, side := range sides {
		if err := side.Shutdown(ctx); err != nil {
			s.log.Warn("requests were cut off by the stop", zap.Duration("waited", drainTime), zap.Error(err))
			_ = side.Close() // its listener is closed already
		}
	}
}
