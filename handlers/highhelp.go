package handlers

import (
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/labstack/echo/v4"
	"go.uber.org/zap"

	"tolem/config"
	"tolem/highhelp"
	"tolem/signing"
	"tolem/store"
	"tolem/topup"
	"tolem/watch"
)

// highhelpAlert takes all three kinds of HighHelp alert. Which URL an alert
// came to is not looked at: its status is believed.
func (s *Server) highhelpAlert(c echo.Context) error {
	x := c.(*exchange)
	x.kind = kindAlert
	body, err := s.receive(x)
	if err != nil {
		return err
	}
	defer s.dismiss(body)
	project, err := s.highhelp.sender(x, body)
	if err != nil {
		return err
	}
	if x.dialect != "" {
		s.warnOfDialect(x)
	}
	event := saidOf(body, project.id).Event(topup.SourceAlert, s.highhelp.maxOver)
	ctx, cancel := x.patience()
	defer cancel()
	recorded, err := s.store.Record(ctx, event, x.body)
	if err != nil {
		// The writer may still be at work on these bytes.
		x.body = nil
		return fmt.Errorf("alert: %w", err)
	}
	x.paymentID = recorded.PaymentID
	project.counters.recorded(recorded)
	x.answer = append(x.answer[:0], `{"code":0}`...)
	return s.done(x, outcomeOfDisposition(recorded.Disposition))
}

// highhelpSide is what the server knows of HighHelp.
type highhelpSide struct {
	projects  map[string]*highhelpProject
	former    *formerProjects
	only      *highhelpProject // the one project, nil when there are none or several
	catalogue *highhelp.Catalogue
	alertsURL string
	maxOver   int64
	maxAge    time.Duration // after which an open pay-in is handed to a person
	timeout   time.Duration // of a call
}

// highhelpProject is a HighHelp project of the merchant.
type highhelpProject struct {
	id       string
	client   *highhelp.Client
	key      signing.AlertKey // zero: there is none, every alert is refused
	dialect  signing.Dialect
	headers  config.AlertHeaders
	window   time.Duration // how far from now an alert may have been signed; 0: any time
	counters projectCounters

	mu   sync.Mutex
	told map[signing.Dialect]bool // dialects that the log has named
}

func newHighHelp(c *config.Config, m *Metrics, now func() time.Time, former *formerProjects) (*highhelpSide, error) {
	h := &highhelpSide{
		former:    former,
		projects:  make(map[string]*highhelpProject, len(c.HighHelp.Projects)),
		catalogue: highhelp.NewCatalogue(c.HighHelp.Methods, c.Environment),
		alertsURL: highhelp.AlertsURL(c.PublicURL),
		maxOver:   c.HighHelp.MaxOver,
		maxAge:    c.Watch.MaxAge,
		timeout:   c.HighHelp.Timeout,
	}
	for _, project := range c.HighHelp.Projects {
		options, err := highhelp.OptionsOf(c.Environment, c.HighHelp, project)
		if err != nil {
			return nil, err
		}
		options.Now = now
		client, err := highhelp.NewClient(options)
		if err != nil {
			return nil, fmt.Errorf("HighHelp project %s: %w", project.ID, err)
		}
		key, err := highhelp.AlertKeyOf(project.AlertKey)
		if err != nil {
			return nil, fmt.Errorf("HighHelp project %s: %w", project.ID, err)
		}
		h.only = &highhelpProject{
			id: project.ID, client: client, key: key, dialect: highhelp.AlertDialectOf(project.AlertDialect),
			headers: project.AlertHeaders, window: project.AlertWindow, counters: m.project(project.ID), told: make(map[signing.Dialect]bool),
		}
		h.projects[project.ID] = h.only
	}
	if len(h.projects) != 1 {
		h.only = nil
	}
	return h, nil
}

// newWatcher makes the watcher on the same clients.
func (s *Server) newWatcher(c *config.Config) (*watch.Watcher, error) {
	gate, err := watch.NewGate(c.JetPay)
	if err != nil {
		return nil, fmt.Errorf("JetPay's Gate: %w", err)
	}
	clients := make(map[string]*highhelp.Client, len(s.highhelp.projects))
	for id, p := range s.highhelp.projects {
		clients[id] = p.client
	}
	return watch.New(watch.Options{
		Store: s.store, Clients: clients, Gate: gate, MaxOver: s.highhelp.maxOver,
		Interval: c.Watch.Interval, MaxAge: c.Watch.MaxAge, Log: s.log, Now: s.now,
		OnCall: s.metrics.call, OnLook: s.metrics.look,
		OnRecorded: func(project string, r store.Recorded) {
			if p := s.highhelp.projects[project]; p != nil {
				p.counters.recorded(r)
			}
		},
	}), nil
}

// sender returns the project whose key has signed the alert. The error is a
// *signatureError.
func (h *highhelpSide) sender(x *exchange, b *signing.Body) (*highhelpProject, error) {
	claimed, _ := b.Lookup("project_id")
	id := word(claimed)
	project := h.projects[id]
	if project == nil {
		if h.former.has(highhelp.Provider, id) {
			x.named = id
		}
		return nil, &signatureError{h.former.reason(highhelp.Provider, id)}
	}
	x.named = project.id
	if project.key.Algorithm() == "" {
		return nil, &signatureError{reasonNoKey}
	}
	header := x.Request().Header
	signature, timestamp := header.Values(project.headers.Signature), header.Values(project.headers.Timestamp)
	if len(signature) != 1 || len(timestamp) != 1 {
		return nil, &signatureError{reasonNotSigned}
	}
	dialect, err := b.VerifyHighHelp(project.key, signature[0], timestamp[0], project.dialect)
	if err != nil {
		return nil, &signatureError{reasonOf(err)}
	}
	if !project.inWindow(timestamp[0], x.started) {
		return nil, &signatureError{reasonOutOfWindow}
	}
	project.tell(x, dialect)
	return project, nil
}

// inWindow reports whether a timestamp, which was signed and so is Unix seconds,
// is near enough to the moment at which its alert came.
func (p *highhelpProject) inWindow(timestamp string, came time.Time) bool {
	if p.window == 0 {
		return true
	}
	seconds, err := strconv.ParseInt(timestamp, 10, 64)
	return err == nil && came.Sub(time.Unix(seconds, 0)).Abs() <= p.window
}

// tell notes for the log in which dialect an alert was signed, where that was
// found by trying: once, and once more for a dialect that is known in full.
func (p *highhelpProject) tell(x *exchange, d signing.Dialect) {
	if p.dialect.Pinned() {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.told[d] || len(p.told) > 0 && !d.Pinned() {
		return
	}
	p.told[d] = true
	x.dialect = d.String()
}

// warnOfDialect says how to pin a dialect that was found by trying.
func (s *Server) warnOfDialect(x *exchange) {
	s.requests.Warn("the dialect of alerts was found by trying; pin it in the configuration: highhelp.projects[].alert_dialect",
		zap.String("project", x.named), zap.String("alert_dialect", "{"+x.dialect+"}"))
}
