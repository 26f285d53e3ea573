package handlers

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"go.uber.org/zap"

	"tolem/billing"
	"tolem/highhelp"
	"tolem/notify"
	"tolem/signing"
	"tolem/store"
	"tolem/topup"
	"tolem/watch"
)

// booksCache is how long the figures that the database knows are kept, so that
// no number of scrapes makes it work more often.
const booksCache = 10 * time.Second

// booksTimeout is how long a scrape waits for those figures. A scraper gives up
// after some seconds, and would then see the server down, all its counters gone.
const booksTimeout = time.Second

// Metrics counts what the server does, on a registry of its own. docs/metrics.md
// lists every name and what to alert on.
type Metrics struct {
	registry *prometheus.Registry

	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec

	mu     sync.RWMutex
	series map[seriesKey]series

	signatureFailures [signing.Reasons]prometheus.Counter
	issued            *prometheus.CounterVec
	credits           *prometheus.CounterVec
	repeats           *prometheus.CounterVec
	suspended         *prometheus.CounterVec
	calls             *prometheus.CounterVec
	lookUps           *prometheus.CounterVec
	lookUpSeconds     prometheus.Histogram
	deliveries        *prometheus.CounterVec
	deliverySeconds   *prometheus.HistogramVec
	callSeconds       *prometheus.HistogramVec
	looks             *prometheus.CounterVec
	batchSize         prometheus.Histogram
	commitSeconds     prometheus.Histogram
}

// seriesKey names what requests are counted by: a route template (never a
// path), a kind of message and an outcome. There are few of each.
type seriesKey struct {
	route   string
	kind    kind
	outcome outcome
}

// series are the metrics of one key, found once.
type series struct {
	total   prometheus.Counter
	seconds prometheus.Observer
}

// projectCounters are the counters of one project, found once.
type projectCounters struct {
	issued, credits, repeats, suspended prometheus.Counter
}

// NewMetrics makes the metrics. Make them before the store, and pass
// [Metrics.ObserveCommit] to it.
func NewMetrics() *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		series:   make(map[seriesKey]series),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tolem_requests_total",
			Help: "Requests by route template, kind of message and outcome.",
		}, []string{"route", "kind", "outcome"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "tolem_request_seconds",
			Help:    "How long requests took, in seconds.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
		}, []string{"route", "kind"}),
		issued:    byProject("tolem_payments_issued_total", "Payments issued: by check_deposit, or as a pay-in."),
		credits:   byProject("tolem_credits_total", "Messages that credited a contract."),
		repeats:   byProject("tolem_duplicates_total", "Messages that repeated an earlier one and had no effect."),
		suspended: byProject("tolem_suspense_postings_total", "Messages whose money went to suspense."),
		calls: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tolem_provider_calls_total",
			Help: "Calls of ours to a provider, by operation and outcome.",
		}, []string{"provider", "op", "outcome"}),
		callSeconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "tolem_provider_call_seconds",
			Help:    "How long calls to a provider took, in seconds.",
			Buckets: []float64{.025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30},
		}, []string{"provider", "op"}),
		lookUps: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tolem_account_lookups_total",
			Help: "Look-ups of accounts in the merchant's billing (accounts.source: http), by outcome.",
		}, []string{"outcome"}),
		lookUpSeconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "tolem_account_lookup_seconds",
			Help:    "How long requests to the merchant's billing took, in seconds.",
			Buckets: []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5},
		}),
		deliveries: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tolem_event_deliveries_total",
			Help: "Attempts to deliver notifications to the merchant's own systems, by outcome.",
		}, []string{"endpoint", "outcome"}),
		deliverySeconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "tolem_event_delivery_seconds",
			Help:    "How long attempts to deliver notifications took, in seconds.",
			Buckets: []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 15},
		}, []string{"endpoint"}),
		looks: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tolem_watch_looks_total",
			Help: "Payments that a provider was asked about because they stay open, by what came of it.",
		}, []string{"provider", "outcome"}),
		batchSize: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "tolem_commit_batch_size",
			Help:    "Writes that shared a commit.",
			Buckets: []float64{1, 2, 4, 8, 16, 32, 64, 128, 256},
		}),
		commitSeconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "tolem_commit_seconds",
			Help:    "How long a commit with its writes took, in seconds.",
			Buckets: []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5},
		}),
	}
	failures := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "tolem_signature_failures_total",
		Help: "Provider messages whose sender is not proven, by reason.",
	}, []string{"reason"})
	for reason := signing.ReasonNone + 1; reason < signing.Reasons; reason++ {
		m.signatureFailures[reason] = failures.WithLabelValues(reason.String())
	}
	for _, op := range watch.Calls {
		m.callSeconds.WithLabelValues(op.Provider, op.Op)
		for _, outcome := range highhelp.CallOutcomes {
			m.calls.WithLabelValues(op.Provider, op.Op, outcome)
		}
	}
	for _, outcome := range billing.Outcomes() {
		m.lookUps.WithLabelValues(outcome)
	}
	for _, provider := range watch.Providers {
		for _, outcome := range watch.PollOutcomes {
			m.looks.WithLabelValues(provider, outcome)
		}
	}
	for _, key := range providerSeries() {
		m.seriesOf(key)
	}
	m.registry.MustRegister(m.requests, m.seconds, failures, m.issued, m.credits, m.repeats, m.suspended,
		m.calls, m.callSeconds, m.lookUps, m.lookUpSeconds, m.deliveries, m.deliverySeconds, m.looks,
		m.batchSize, m.commitSeconds,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

func byProject(name, help string) *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, []string{"project"})
}

// ObserveCommit is told of every commit of the store: how many writes shared
// it and how long it took.
func (m *Metrics) ObserveCommit(batch int, took time.Duration) {
	m.batchSize.Observe(float64(batch))
	m.commitSeconds.Observe(took.Seconds())
}

func (m *Metrics) request(route string, k kind, o outcome, took time.Duration) {
	s := m.seriesOf(seriesKey{route, k, o})
	s.total.Inc()
	s.seconds.Observe(took.Seconds())
}

// seriesOf finds the metrics of a key, and makes them the first time.
func (m *Metrics) seriesOf(key seriesKey) series {
	m.mu.RLock()
	s, known := m.series[key]
	m.mu.RUnlock()
	if known {
		return s
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	s = series{
		total:   m.requests.WithLabelValues(key.route, key.kind.String(), key.outcome.String()),
		seconds: m.seconds.WithLabelValues(key.route, key.kind.String()),
	}
	m.series[key] = s
	return s
}

func (m *Metrics) signatureFailure(reason signing.Reason) { m.signatureFailures[reason].Inc() }

func (m *Metrics) project(id string) projectCounters {
	return projectCounters{
		issued:    m.issued.WithLabelValues(id),
		credits:   m.credits.WithLabelValues(id),
		repeats:   m.repeats.WithLabelValues(id),
		suspended: m.suspended.WithLabelValues(id),
	}
}

// recorded counts what became of a message.
func (c projectCounters) recorded(r store.Recorded) {
	switch r.Disposition {
	case topup.DispositionCredited:
		c.credits.Inc()
	case topup.DispositionSuspended:
		c.suspended.Inc()
	case topup.DispositionRepeat:
		c.repeats.Inc()
	}
}

// call counts a call of ours to a provider.
func (m *Metrics) call(provider, op, outcome string, took time.Duration) {
	m.calls.WithLabelValues(provider, op, outcome).Inc()
	m.callSeconds.WithLabelValues(provider, op).Observe(took.Seconds())
}

// lookUp counts a look-up in the merchant's billing.
func (m *Metrics) lookUp(outcome string, took time.Duration) {
	m.lookUps.WithLabelValues(outcome).Inc()
	if outcome != billing.OutcomeSkipped {
		m.lookUpSeconds.Observe(took.Seconds())
	}
}

// endpoint lets the counters of an endpoint begin at 0.
func (m *Metrics) endpoint(name string) {
	for _, outcome := range notify.Outcomes() {
		m.deliveries.WithLabelValues(name, outcome)
	}
	m.deliverySeconds.WithLabelValues(name)
}

// ObserveDelivery counts an attempt to deliver a notification.
func (m *Metrics) ObserveDelivery(endpoint, outcome string, took time.Duration) {
	m.deliveries.WithLabelValues(endpoint, outcome).Inc()
	m.deliverySeconds.WithLabelValues(endpoint).Observe(took.Seconds())
}

// look counts a payment that a provider was asked about.
func (m *Metrics) look(provider, outcome string) { m.looks.WithLabelValues(provider, outcome).Inc() }

// watch adds the metrics that are asked of the store when they are scraped.
func (m *Metrics) watch(s *store.Store, log *zap.Logger, now func() time.Time, version string) error {
	if version == "" {
		version = "unknown"
	}
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Name:        "tolem_build_info",
		Help:        "Always 1; the labels say which program runs.",
		ConstLabels: prometheus.Labels{"version": version, "go_version": runtime.Version()},
	})
	build.Set(1)
	depth := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "tolem_write_queue_depth",
		Help: "Writes that wait for the writer.",
	}, func() float64 { return float64(s.QueueDepth()) })
	free := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "tolem_disk_free_bytes",
		Help: "What is free on the disk of the SQLite file, in bytes; 0 on PostgreSQL.",
	}, func() float64 { free, _ := s.Disk(); return float64(free) })
	least := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "tolem_disk_min_free_bytes",
		Help: "Below so many free bytes the server is not ready; 0 on PostgreSQL.",
	}, func() float64 { _, least := s.Disk(); return float64(least) })
	intact := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "tolem_database_file_intact",
		Help: "1 while the SQLite file that is open is the one that has its name, 0 once it is not; always 1 on PostgreSQL.",
	}, func() float64 {
		if s.Intact() != nil {
			return 0
		}
		return 1
	})
	for _, c := range []prometheus.Collector{build, depth, free, least, intact, newBooks(s, log, now)} {
		if err := m.registry.Register(c); err != nil {
			return fmt.Errorf("register metrics: %w", err)
		}
	}
	return nil
}

// books are the figures that only the database knows.
type books struct {
	store *store.Store
	log   *zap.Logger
	now   func() time.Time

	up                                                               *prometheus.Desc
	pending, oldest, review, suspense, seq, wal, payins, oldestPayin *prometheus.Desc
	messages                                                         *prometheus.Desc
	events, oldestEvent                                              *prometheus.Desc

	mu      sync.Mutex
	last    *figures      // nil: they could not be read, or not yet
	reading chan struct{} // closed when the read that is under way ends; nil: none is
}

// figures are what was read at one time.
type figures struct {
	readAt     time.Time
	stats      store.Stats
	openPayins int64
	payinSince time.Time
	endpoints  []store.EndpointStats
}

func newBooks(s *store.Store, log *zap.Logger, now func() time.Time) *books {
	gauge := func(name, help string) *prometheus.Desc { return prometheus.NewDesc(name, help, nil, nil) }
	return &books{
		store: s, log: log, now: now,
		up: gauge("tolem_database_gauges_up", "1 if the gauges that are read from the database are there, 0 if it did not answer within a second."),

		pending:  gauge("tolem_pending_payments", "Payments that wait for their result."),
		oldest:   gauge("tolem_oldest_pending_seconds", "Age of the oldest payment that waits for its result, in seconds; 0 if none does."),
		review:   gauge("tolem_review_payments", "Payments that somebody must look at."),
		suspense: gauge("tolem_open_suspense_items", "Money in suspense that nobody has resolved, in items."),
		messages: prometheus.NewDesc("tolem_open_messages", "Messages that somebody must deal with, by what they told.", []string{"told"}, nil),
		seq:      gauge("tolem_ledger_last_seq", "The newest place in the ledger's feed."),
		wal:      gauge("tolem_wal_bytes", "Size of the database's write-ahead log, in bytes."),

		events:      prometheus.NewDesc("tolem_events_waiting", "Notifications that an endpoint does not have: pending ones, and failed ones that are given up.", []string{"endpoint", "state"}, nil),
		oldestEvent: prometheus.NewDesc("tolem_oldest_waiting_event_seconds", "Age of the oldest notification that an endpoint does not have, in seconds; 0 if it has all.", []string{"endpoint"}, nil),

		payins:      gauge("tolem_open_payins", "Pay-ins that wait for their result."),
		oldestPayin: gauge("tolem_oldest_open_payin_seconds", "Age of the oldest pay-in that waits for its result, in seconds; 0 if none does."),
	}
}

// Describe implements [prometheus.Collector].
func (b *books) Describe(ch chan<- *prometheus.Desc) {
	for _, desc := range []*prometheus.Desc{b.up, b.pending, b.oldest, b.review, b.suspense, b.seq, b.wal, b.payins, b.oldestPayin, b.messages, b.events, b.oldestEvent} {
		ch <- desc
	}
}

// Collect implements [prometheus.Collector]. Figures that cannot be read in time
// are left out, and tolem_database_gauges_up says so.
func (b *books) Collect(ch chan<- prometheus.Metric) {
	gauge := func(desc *prometheus.Desc, value float64) {
		ch <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, value)
	}
	f := b.figures()
	if f == nil {
		gauge(b.up, 0)
		return
	}
	now := b.now()
	age := func(since time.Time) float64 {
		if since.IsZero() {
			return 0
		}
		return max(0, now.Sub(since).Seconds())
	}
	gauge(b.up, 1)
	gauge(b.pending, float64(f.stats.Pending))
	gauge(b.oldest, age(f.stats.OldestPending))
	gauge(b.review, float64(f.stats.Review))
	gauge(b.suspense, float64(f.stats.OpenSuspense))
	for told, n := range map[topup.Told]int64{
		topup.ToldUnreadable: f.stats.OpenUnreadable, topup.ToldRefund: f.stats.OpenRefunds,
		topup.ToldReversal: f.stats.OpenReversals, topup.ToldConflict: f.stats.OpenConflicts,
	} {
		ch <- prometheus.MustNewConstMetric(b.messages, prometheus.GaugeValue, float64(n), string(told))
	}
	gauge(b.seq, float64(f.stats.LastSeq))
	gauge(b.wal, float64(f.stats.WALBytes))
	gauge(b.payins, float64(f.openPayins))
	gauge(b.oldestPayin, age(f.payinSince))
	for _, e := range f.endpoints {
		ch <- prometheus.MustNewConstMetric(b.events, prometheus.GaugeValue, float64(e.Pending), e.Endpoint, string(store.DeliveryPending))
		ch <- prometheus.MustNewConstMetric(b.events, prometheus.GaugeValue, float64(e.Failed), e.Endpoint, string(store.DeliveryFailed))
		ch <- prometheus.MustNewConstMetric(b.oldestEvent, prometheus.GaugeValue, age(e.Oldest), e.Endpoint)
	}
}

// figures are fresh ones, nil if they cannot be had in time. Scrapes that come
// while they are read wait for the same read.
func (b *books) figures() *figures {
	b.mu.Lock()
	if f := b.fresh(); f != nil {
		b.mu.Unlock()
		return f
	}
	if b.reading == nil {
		b.reading = make(chan struct{})
		go b.read(b.reading)
	}
	reading := b.reading
	b.mu.Unlock()

	timeout := time.NewTimer(booksTimeout)
	defer timeout.Stop()
	select {
	case <-reading:
	case <-timeout.C:
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.fresh()
}

// fresh are the last figures, unless they are too old. The caller holds mu.
func (b *books) fresh() *figures {
	if b.last == nil || b.now().Sub(b.last.readAt) >= booksCache {
		return nil
	}
	return b.last
}

// read reads the figures. A database that is only slow may take longer than a
// scrape waits: the next scrape then finds them.
func (b *books) read(done chan<- struct{}) {
	ctx, cancel := context.WithTimeout(context.Background(), storeTimeout)
	defer cancel()
	f := &figures{}
	var err error
	if f.stats, err = b.store.Stats(ctx); err == nil {
		f.openPayins, f.payinSince, err = b.store.PayinStats(ctx)
	}
	if err == nil {
		f.endpoints, err = b.store.EventStats(ctx)
	}
	if err != nil {
		b.log.Warn("metrics about the books are left out", zap.Error(err))
		f = nil
	} else {
		f.readAt = b.now()
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.last, b.reading = f, nil
	close(done)
}
