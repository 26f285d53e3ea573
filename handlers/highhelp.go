package handlers

import (
	"fmt"
	"time"

	"github.com/labstack/echo/v4"
	"go.uber.org/zap"

	"tolem/config"
	"tolem/highhelp"
	"tolem/jetpay"
	"tolem/signing"
	"tolem/store"
	"tolem/topup"
	"tolem/watch"
)

// highhelpAlert takes all three kinds of HighHelp alert. Which URL an alert
// was posted to is ignored: its status is believed.
func (s *Server) highhelpAlert(c echo.Context) error {
	x := c.(*exchange)
	x.kind = kindAlert
	body, err := s.receive(x)
	if err != nil {
		return err
	}
	defer s.dismiss(body)
	claimed := highhelp.AlertProject(body)
	project := x.settings.highhelp.projects[claimed]
	if project == nil {
		return s.unproven(x, highhelp.Provider, claimed, &signing.SenderError{Reason: signing.ReasonUnknownProject})
	}
	x.named = project.id
	dialect, err := project.alerts.Verify(body, x.Request().Header, x.started)
	if err != nil {
		return err
	}
	if project.alerts.NewDialect(dialect) {
		s.warnOfDialect(project.id, dialect)
	}
	event := highhelp.ReadAlert(body, project.id).Event(topup.SourceAlert, x.settings.highhelp.maxOver)
	ctx, cancel := x.deadline()
	defer cancel()
	recorded, err := s.store.Record(ctx, event, x.body)
	if err != nil {
		return fmt.Errorf("alert: %w", err)
	}
	x.paymentID = recorded.PaymentID
	project.counters.recorded(recorded)
	// The body is as for JetPay: HighHelp reads the status alone.
	x.answer = jetpay.AppendStored(x.answer[:0])
	return s.done(x, outcomeOfDisposition(recorded.Disposition))
}

// highhelpSide is what the server knows of HighHelp.
type highhelpSide struct {
	projects  map[string]*highhelpProject
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
	alerts   *highhelp.AlertVerifier
	counters projectCounters
}

func newHighHelp(c *config.Config, m *Metrics, now func() time.Time) (*highhelpSide, error) {
	h := &highhelpSide{
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
		alerts, err := highhelp.NewAlertVerifier(project)
		if err != nil {
			return nil, fmt.Errorf("HighHelp project %s: %w", project.ID, err)
		}
		h.only = &highhelpProject{id: project.ID, client: client, alerts: alerts, counters: m.project(project.ID)}
		h.projects[project.ID] = h.only
	}
	if len(h.projects) != 1 {
		h.only = nil
	}
	return h, nil
}

// providers are what the watcher polls with these settings.
func (now *settings) providers(c *config.Config) (watch.Polled, error) {
	gate, err := jetpay.NewGate(c.JetPay)
	if err != nil {
		return watch.Polled{}, fmt.Errorf("JetPay's Gate: %w", err)
	}
	clients := make(map[string]*highhelp.Client, len(now.highhelp.projects))
	for id, p := range now.highhelp.projects {
		clients[id] = p.client
	}
	return watch.Polled{Clients: clients, Gate: gate, MaxOver: now.highhelp.maxOver, MaxAge: now.highhelp.maxAge}, nil
}

// newWatcher makes the watcher.
func (s *Server) newWatcher(p watch.Polled, interval time.Duration) *watch.Watcher {
	return watch.New(watch.Options{
		Store: s.store, Polled: p, Interval: interval, Log: s.log, Now: s.now,
		OnCall: s.metrics.call, OnPoll: s.metrics.look,
		OnRecorded: func(project string, r store.Recorded) {
			if p := s.settings.Load().highhelp.projects[project]; p != nil {
				p.counters.recorded(r)
			}
		},
	})
}

// warnOfDialect says how to pin a dialect that was found by trying.
func (s *Server) warnOfDialect(project string, d signing.Dialect) {
	s.requests.Warn("the dialect of alerts was found by trying; pin it in the configuration: highhelp.projects[].alert_dialect",
		zap.String("project", project), zap.String("alert_dialect", "{"+d.String()+"}"))
}
