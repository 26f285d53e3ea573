package handlers

import (
	"time"

	"go.uber.org/zap"

	"tolem/billing"
	"tolem/config"
	"tolem/jetpay"
	"tolem/watch"
)

// settings are what the configuration says and what can change while the server
// runs. They are immutable: a request has those with which it began.
type settings struct {
	maxAmount int64 // minor units
	expiry    time.Duration
	mirror    bool // the HTTP status repeats the code of the body
	sign      bool // answers carry a signature
	projects  *jetpay.Projects
	counters  []projectCounters // of JetPay projects, by their index
	highhelp  *highhelpSide
	tokens    []token
	config    *config.Config

	accounts *billing.Source // nil: accounts are what the store has
}

func (s *Server) newSettings(c *config.Config) (*settings, watch.Polled, error) {
	projects, err := jetpay.NewProjects(c.JetPay.Projects)
	if err != nil {
		return nil, watch.Polled{}, err
	}
	now := &settings{
		maxAmount: c.MaxAmount,
		expiry:    c.JetPay.PaymentExpiry,
		mirror:    c.JetPay.ErrorStatus == config.ErrorStatusMirror,
		sign:      c.JetPay.SignResponses,
		projects:  projects,
		config:    c,
		tokens:    newTokens(c.Admin.Tokens, s.zone),
	}
	for _, p := range projects.All() {
		now.counters = append(now.counters, s.metrics.project(p.ID))
	}
	for _, e := range c.Notify {
		s.metrics.endpoint(e.Name)
	}
	if now.highhelp, err = newHighHelp(c, s.metrics, s.now); err != nil {
		return nil, watch.Polled{}, err
	}
	if now.accounts, err = s.newAccountSource(c); err != nil {
		return nil, watch.Polled{}, err
	}
	providers, err := now.providers(c)
	return now, providers, err
}

// Configure puts a configuration in the place of the one that the server runs
// with. Requests that are under way keep theirs. On an error nothing has changed.
// Of the configuration these have no effect: the listeners, the time zone, how
// customers' ids are normalised, and the interval of the watch.
func (s *Server) Configure(c *config.Config) error {
	next, providers, err := s.newSettings(c)
	if err != nil {
		return err
	}
	s.settings.Store(next)
	s.watcher.Use(providers)
	s.warnOfExpired()
	return nil
}

// warnOfExpired names the tokens that nobody can use any more.
func (s *Server) warnOfExpired() {
	for i := range s.settings.Load().tokens {
		if t := &s.settings.Load().tokens[i]; t.expired(s.now()) {
			s.log.Warn("a token has expired: give its holder another one, or take it out of the configuration",
				zap.String("token_name", t.name), zap.String("expires", t.expires))
		}
	}
}
