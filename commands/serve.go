package commands

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

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

// serveCommand is the main job.
type serveCommand struct{}

// Help is shown by --help.
func (serveCommand) Help() string {
	return `Opens the configured database, migrates it, and serves the provider routes on listen and the admin API on admin.listen. A SQLite file is created when it is missing and has one server; a second one is refused. A PostgreSQL database must exist and may have any number of servers, one of which, the leader, does the background jobs.

In development an empty database is filled with the configured demo data first. Production refuses a database that ever had demo data.

SIGINT or SIGTERM, also during the start: no new connections, requests in progress are answered, everything is on disk, exit code 0. A second signal ends the program at once; what was acknowledged is on disk even then. SIGHUP: the configuration is read again. A token or secret that is no longer in it stops working at once; an invalid one is refused, with its problems in the log, and the server goes on with the old one; the log names the keys that need a restart. SIGPIPE, which is sent when the reader of the log has ended, is ignored.

Example:

  tolem serve
  TOLEM_CONFIG=/etc/tolem/config.yaml tolem serve`
}

// threadsInC are the writer and the checkpoints of SQLite. They spend their time
// in C and wait there for the disk, and meanwhile keep a place of Go's from the
// requests: it has that many more, unless GOMAXPROCS says otherwise.
const threadsInC = 2

// gcPercent is how far the heap grows between two garbage collections, unless
// GOGC says otherwise. What a server keeps is a few megabytes, so at Go's own 100
// it collects hundreds of times a second under load; at 400 it does a twelfth less
// work for a callback, and stays far below 150 MB.
const gcPercent = 400

// Run serves until ctx ends. When that is before it serves, it has been stopped,
// and has not failed.
func (serveCommand) Run(ctx context.Context, p *console.Program) error {
	load := func() (*config.Config, []string, error) { return config.Load(p.ConfigFile(), p.Env) }
	cfg, warnings, err := load()
	if err != nil {
		p.Warn(warnings...)
		return fmt.Errorf("the configuration is invalid:\n%w", err)
	}
	log := newLogger(cfg.Log, p.Stdio.Err)
	for _, warning := range warnings {
		log.Warn("configuration", zap.String("warning", warning))
	}
	hangups, stop := outlive()
	defer stop()
	s, err := startServer(ctx, cfg, log)
	if err != nil && ctx.Err() != nil {
		log.Info("stopped before it served", zap.Error(err))
		return nil
	}
	if err != nil {
		return err
	}
	addresses := []zap.Field{zap.String("listen", s.public.Addr().String()), zap.String("admin_listen", s.admin.Addr().String())}
	if s.merchant != nil {
		addresses = append(addresses, zap.String("merchant_listen", s.merchant.Addr().String()))
	}
	moreThreads := p.Variable("GOMAXPROCS") == "" && cfg.Database.Driver == config.DriverSQLite
	if moreThreads {
		procs := runtime.GOMAXPROCS(0)
		defer runtime.GOMAXPROCS(procs)
		runtime.GOMAXPROCS(procs + threadsInC)
	}
	largerHeap := p.Variable("GOGC") == ""
	if largerHeap {
		// Back to the other runs of this process in the end: tests have several.
		defer debug.SetGCPercent(debug.SetGCPercent(gcPercent))
	}
	logOptimizations(log, append(s.store.Optimizations(),
		store.Optimization{Name: "batch_scheduling", Live: s.batchScheduling},
		store.Optimization{Name: "threads_for_sqlite", Live: moreThreads},
		store.Optimization{Name: "larger_heap", Live: largerHeap},
		store.Optimization{Name: "log_write_back", Live: writesBack(p.Stdio.Err)},
	))
	log.Info("serving", append(addresses, zap.String("environment", cfg.Environment), zap.String("version", version()))...)
	err = s.run(ctx, hangups, load)
	log.Info("stopped", zap.Error(err))
	return err
}

// logOptimizations says which optimizations are live in this process. What each
// is, and how it is switched off, is in docs/architecture.md.
func logOptimizations(log *zap.Logger, all []store.Optimization) {
	live, off := []string{}, []string{}
	for _, o := range all {
		if o.Live {
			live = append(live, o.Name)
		} else {
			off = append(off, o.Name)
		}
	}
	log.Info("optimizations", zap.Strings("live", live), zap.Strings("off", off))
}

// newLogger makes the program's logger.
func newLogger(c config.Log, w io.Writer) *zap.Logger {
	level, err := zapcore.ParseLevel(c.Level)
	if err != nil {
		level = zapcore.InfoLevel // the configuration knows no other words
	}
	encoding := zap.NewProductionEncoderConfig()
	encoding.TimeKey = "time"
	encoding.EncodeTime = func(t time.Time, out zapcore.PrimitiveArrayEncoder) {
		out.AppendString(t.UTC().Format("2006-01-02T15:04:05.000000Z"))
	}
	encoding.EncodeDuration = zapcore.SecondsDurationEncoder
	encoder := zapcore.NewJSONEncoder(encoding)
	if c.Format == config.LogConsole {
		encoder = zapcore.NewConsoleEncoder(encoding)
	}
	return zap.New(zapcore.NewCore(encoder, zapcore.Lock(zapcore.AddSync(evenly(w))), level))
}

// server is an open store with its listeners.
type server struct {
	cfg      atomic.Pointer[config.Config] // which SIGHUP changes
	log      *zap.Logger
	store    *store.Store
	sweeping atomic.Bool // whether this process was the leader at the last check
	handlers *handlers.Server
	notifier *notify.Dispatcher
	public   net.Listener
	admin    net.Listener
	merchant net.Listener // nil unless configured

	batchScheduling bool // whether its threads were given SCHED_BATCH
}

// startServer opens the store and binds the listeners, so that clients can
// connect. The caller runs it, which also closes it.
func startServer(ctx context.Context, cfg *config.Config, log *zap.Logger) (s *server, err error) {
	s = &server{log: log}
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
	s.batchScheduling = cfg.Scheduling == config.SchedulingBatch && useBatchScheduling()
	if s.batchScheduling {
		options.OnThread = useNormalScheduling // everybody waits for it
	}
	started := time.Now()
	if s.store, err = store.Open(ctx, options); err != nil {
		return s, fmt.Errorf("open the database %s: %w", cfg.Database.DSN, store.ExplainDamage(err))
	}
	s.reportDatabase(ctx, started)
	if err = prepareDemo(ctx, cfg, s.store, log); err != nil {
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
		Endpoints: cfg.Notify, Outbox: s.store, Log: log, Now: time.Now, Leads: s.isLeader, Observe: metrics.ObserveDelivery,
	})
	if err != nil {
		return s, err
	}
	s.handlers, err = handlers.New(handlers.Options{
		Config: cfg, Store: s.store, Log: log, Metrics: metrics, Now: time.Now, Version: version(),
	})
	if err != nil {
		return s, fmt.Errorf("handlers: %w", err)
	}
	if s.public, err = listen("listen", cfg.Listen); err != nil {
		return s, err
	}
	if s.admin, err = listen("admin.listen", cfg.Admin.Listen); err != nil || cfg.Merchant.Listen == "" {
		return s, err
	}
	s.merchant, err = listen("merchant.listen", cfg.Merchant.Listen)
	return s, err
}

// closeBooks writes into the database up to which day the books are closed, so
// that it counts for every process.
func (s *server) closeBooks(ctx context.Context) error {
	cfg := s.cfg.Load()
	before, err := s.store.SetClosedPeriod(ctx, cfg.BooksClosedTo, cfg.ClosedUntil())
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
func (s *server) setFourEyes(ctx context.Context) error {
	words := s.cfg.Load().FourEyes
	actions := make([]store.Action, len(words))
	for i, word := range words {
		actions[i] = store.Action(word)
	}
	by := store.By{Actor: console.OSUser(), OSUser: console.OSUser(), Role: store.RoleCommand, Reason: "the configuration of serve"}
	before, err := s.store.SetFourEyes(ctx, actions, by)
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
func (s *server) setApprovers(ctx context.Context) error {
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
	return s.store.SetApprovers(ctx, list)
}

// setEndpoints writes into the database who is notified, so that every process
// writes notifications for them.
func (s *server) setEndpoints(ctx context.Context) error {
	configured := s.cfg.Load().Notify
	endpoints := make([]store.Endpoint, len(configured))
	for i, e := range configured {
		endpoints[i].Name = e.Name
		for _, t := range e.Events {
			endpoints[i].Types = append(endpoints[i].Types, topup.EventType(t))
		}
	}
	return s.store.SetEndpoints(ctx, endpoints)
}

func listen(key, address string) (net.Listener, error) {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("%s %s cannot be opened: %w; %s", key, address, err, listenAdvice(err, "change "+key+" in the configuration"))
	}
	return listener, nil
}

// close frees what startServer has taken, for a server that does not run.
func (s *server) close() error {
	var errs []error
	for _, listener := range []net.Listener{s.public, s.admin, s.merchant} {
		if listener != nil {
			errs = append(errs, listener.Close())
		}
	}
	if s.store != nil {
		errs = append(errs, s.store.Close())
	}
	return errors.Join(errs...)
}

// run serves until ctx ends or a listener fails, then drains and closes.
func (s *server) run(ctx context.Context, hangups <-chan os.Signal, load loadConfig) error {
	var sides []*http.Server
	failed := make(chan error, 3)
	for _, side := range []struct {
		handler  http.Handler
		listener net.Listener
	}{{s.handlers.Public(), s.public}, {s.handlers.Merchant(), s.merchant}, {s.handlers.Admin(), s.admin}} {
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
	if closing := s.store.Close(); closing != nil {
		return errors.Join(err, fmt.Errorf("close the database: %w", closing))
	}
	return err
}

// shutdown stops accepting and waits for requests in progress, the public
// listener first, so that the admin listener answers until the end. A request
// that takes longer is cut off: it was not acknowledged.
func (s *server) shutdown(sides ...*http.Server) {
	ctx, cancel := context.WithTimeout(context.Background(), drainTime)
	defer cancel()
	for _, side := range sides {
		if err := side.Shutdown(ctx); err != nil {
			s.log.Warn("requests were cut off by the stop", zap.Duration("waited", drainTime), zap.Error(err))
			_ = side.Close() // its listener is closed already
		}
	}
}

// startSweeps starts the background jobs, the watcher included, and returns
// what stops it and waits.
func (s *server) startSweeps(hangups <-chan os.Signal, load loadConfig) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var done sync.WaitGroup
	done.Go(func() { s.reportProjects(ctx) }) // which may take a while; nothing waits for it
	done.Go(func() { s.sweep(ctx) })
	done.Go(func() { s.handlers.Watcher().Run(ctx) })
	done.Go(func() { s.reloadAt(ctx, hangups, load) })
	done.Go(func() { s.notifier.Run(ctx) })
	return func() {
		cancel()
		done.Wait()
	}
}

// sweep does the background jobs, one step at a time.
func (s *server) sweep(ctx context.Context) {
	expire, prune, turnover := time.NewTicker(expireEvery), time.NewTicker(pruneEvery), time.NewTicker(turnoverEvery)
	defer expire.Stop()
	defer prune.Stop()
	s.expire(ctx)
	s.prune(ctx)
	s.seal(ctx)
	for {
		select {
		case <-ctx.Done():
			return
		case <-expire.C:
			s.expire(ctx)
		case <-prune.C:
			s.prune(ctx)
			s.seal(ctx)
		case <-turnover.C:
			s.sumTurnover(ctx)
		}
	}
}

// isLeader reports whether this process does the background jobs. It is called
// before every step of them: on PostgreSQL another server may have become the
// leader.
func (s *server) isLeader(ctx context.Context) bool {
	asking, cancel := context.WithTimeout(ctx, leaderTimeout)
	defer cancel()
	leader, err := s.store.Sweeps(asking)
	if err != nil && ctx.Err() == nil {
		s.log.Warn("ask whose turn the regular work is", zap.Error(err))
	}
	if s.sweeping.Swap(leader) != leader {
		s.log.Info("the regular work", zap.Bool("leader", leader))
	}
	return leader
}

// expire marks payments that have had no result in time.
func (s *server) expire(ctx context.Context) {
	if !s.isLeader(ctx) {
		return
	}
	n, err := s.store.ExpirePending(ctx)
	s.swept(ctx, "expire pending payments", n, err)
}

// sumTurnover keeps the sums that reports and settlement are read from up to date.
func (s *server) sumTurnover(ctx context.Context) {
	if !s.isLeader(ctx) {
		return
	}
	_, err := s.store.SumTurnover(ctx, s.cfg.Load().Location())
	s.swept(ctx, "sum the turnover", 0, err)
	s.swept(ctx, "sum the settlement", 0, s.store.SumSettlement(ctx))
}

// prune deletes raw messages older than raw_retention, expired idempotency
// keys, and the leftovers of killed servers.
func (s *server) prune(ctx context.Context) {
	for _, work := range []struct {
		what string
		do   func(context.Context) (int, error)
	}{
		{"drop old raw messages", func(ctx context.Context) (int, error) { return s.store.PruneRaw(ctx, s.cfg.Load().RawRetention) }},
		{"drop old idempotency keys", s.store.SweepIdempotency},
		{"drop old notifications", func(ctx context.Context) (int, error) { return s.store.PruneEvents(ctx, notify.Retention) }},
		{"forget servers that are gone", func(ctx context.Context) (int, error) { return 0, s.store.SweepWriters(ctx) }},
	} {
		if !s.isLeader(ctx) {
			return
		}
		n, err := work.do(ctx)
		s.swept(ctx, work.what, n, err)
	}
}

func (s *server) swept(ctx context.Context, what string, n int, err error) {
	switch {
	case ctx.Err() != nil: // stopping; the rest is done after the next start
	case err != nil:
		s.log.Error(what, zap.Error(err))
	case n > 0:
		s.log.Info(what, zap.Int("count", n))
	}
}
