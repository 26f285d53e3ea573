// Package handlers is the HTTP face of tolem. It reads a provider's message, has
// the provider's package verify and translate it, asks the store, and writes the
// answer; and it serves the admin API, health and metrics. What a provider's
// fields and status values mean, only that provider's package knows.
//
// routes.go lists every route. A provider's message goes from its route
// through jetpay.go or highhelp.go to the store, and a merchant's pay-in through
// payins.go to the store, the provider and the store again; errors.go is the one place that turns an
// error into an answer, and logging.go the one that writes the request's line.
//
// Only this package and the wiring import Echo.
package handlers

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/labstack/echo/v4"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"tolem/config"
	"tolem/dashboard"
	"tolem/store"
	"tolem/topup"
	"tolem/watch"
)

// Limits of the HTTP servers. A provider's message is at most 1 MiB and comes
// over a data-centre network, so ten seconds to read it are generous.
const (
	readHeaderTimeout = 5 * time.Second
	readTimeout       = 10 * time.Second
	writeTimeout      = 30 * time.Second
	maxHeaderBytes    = 32 << 10

	// storeTimeout bounds how long a request waits for the store. It is
	// shorter than writeTimeout, so that the caller still hears of it, and
	// longer than the store's own wait for another process's write.
	storeTimeout = 15 * time.Second

	retryAfterSeconds = "5"
)

// Options are what a server needs from outside.
type Options struct {
	Config  *config.Config
	Store   *store.Store
	Log     *zap.Logger
	Metrics *Metrics         // made before the store, which reports its commits to it
	Now     func() time.Time // time.Now if nil
	Version string           // of the program, for tolem_build_info
}

// Server holds what the handlers share. It is safe for concurrent use.
type Server struct {
	store     *store.Store
	log       *zap.Logger
	requests  *zap.Logger // log, without a caller and stack on every line
	metrics   *Metrics
	now       func() time.Time
	normalize topup.Normalizer
	zone      *time.Location // in which days are cut
	settings  atomic.Pointer[settings]
	former    *formerProjects
	watcher   *watch.Watcher

	follower      *follower
	keys          sync.Map // keyInUse: of requests that run
	draining      atomic.Bool
	underWay      atomic.Int64 // messages of providers
	largeUnderWay atomic.Int64 // large ones among them, from before they are read
	idPrefix      string
	lastID        atomic.Uint64
	exchanges     sync.Pool

	public, admin, merchant *echo.Echo

	pages      *dashboard.Dashboard
	pageRoutes map[string]bool // their templates on the admin listener
}

// New makes a server. Its metrics are registered with o.Metrics, so one
// Metrics serves one Server.
func New(o Options) (*Server, error) {
	now := o.Now
	if now == nil {
		now = time.Now
	}
	prefix := make([]byte, 6)
	if _, err := rand.Read(prefix); err != nil {
		return nil, fmt.Errorf("make request ids: %w", err)
	}
	s := &Server{
		store:     o.Store,
		log:       o.Log,
		requests:  o.Log.WithOptions(zap.WithCaller(false), zap.AddStacktrace(zapcore.FatalLevel)),
		metrics:   o.Metrics,
		now:       now,
		normalize: topup.Normalizer(o.Config.Accounts.Normalize),
		zone:      o.Config.Location(),
		former:    &formerProjects{},
		follower:  newFollower(),
		idPrefix:  hex.EncodeToString(prefix) + "-",
	}
	s.exchanges.New = func() any { return &exchange{} }
	first, providers, err := s.newSettings(o.Config)
	if err != nil {
		return nil, err
	}
	s.settings.Store(first)
	s.watcher = s.newWatcher(providers, o.Config.Watch.Interval)
	s.warnOfExpired()
	if err := o.Metrics.watch(o.Store, o.Log, now, o.Version); err != nil {
		return nil, err
	}
	if s.pages, err = s.newDashboard(o.Config, o.Version); err != nil {
		return nil, err
	}
	s.public, s.admin, s.merchant = newEcho(), newEcho(), newEcho()
	s.routePublic(s.public)
	s.routeAdmin(s.admin)
	s.routeMerchant(s.merchant)
	return s, nil
}

func newEcho() *echo.Echo {
	e := echo.New()
	e.HideBanner, e.HidePort = true, true
	// Forwarded headers are anybody's word.
	e.IPExtractor = echo.ExtractIPDirect()
	return e
}

// Public serves the providers.
func (s *Server) Public() http.Handler { return s.public }

// Admin serves the merchant's own people and machines.
func (s *Server) Admin() http.Handler { return s.admin }

// Merchant serves the merchant's own routes, and nothing else, for a listener
// of their own.
func (s *Server) Merchant() http.Handler { return s.merchant }

// Watcher asks the providers about payments that stay open. The caller runs it,
// for as long as the server.
func (s *Server) Watcher() *watch.Watcher { return s.watcher }

// Drain makes the provider routes answer 503, so that the platform comes again
// later, takes no new pay-ins, and makes the server not ready. Requests that are
// under way are finished; those that wait for the feed are answered.
func (s *Server) Drain() {
	s.draining.Store(true)
	s.follower.stop()
}

// NewHTTPServer makes the http.Server for one of the listeners, with its
// time-outs and limits set and its complaints going to log as warnings. It keeps a
// connection without requests for as long as idle.
func NewHTTPServer(h http.Handler, idle time.Duration, log *zap.Logger) *http.Server {
	complaints := zap.NewStdLog(log)
	if std, err := zap.NewStdLogAt(log, zapcore.WarnLevel); err == nil {
		complaints = std
	}
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: readHeaderTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idle,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          complaints,
	}
}
