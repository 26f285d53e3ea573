package handlers

import (
	"context"
	"reflect"
	"time"

	"go.uber.org/zap"

	"tolem/billing"
	"tolem/config"
)

// newAccountSource makes what asks the merchant's billing for accounts, nil where
// the store has them.
//
// One with the same configuration as before is the same one: what it has cached,
// and what it knows of billing's state, stays.
func (s *Server) newAccountSource(c *config.Config) (*billing.Source, error) {
	if c.Accounts.Source != config.SourceHTTP {
		return nil, nil
	}
	if before := s.settings.Load(); before != nil && before.accounts != nil && reflect.DeepEqual(before.config.Accounts, c.Accounts) {
		return before.accounts, nil
	}
	return billing.New(billing.Options{
		Config: c.Accounts.HTTP, Normalize: s.normalize, Records: s.store, Now: s.now,
		Observe: func(outcome string, took time.Duration) { s.metrics.lookUp(outcome, took) },
		OnState: func(available bool, cause error) {
			if available {
				s.log.Info("billing answers again")
				return
			}
			s.log.Error("billing fails: accounts are answered from records that are young enough", zap.Error(cause))
		},
	})
}

// refresh brings a customer's record up to date where accounts come from the
// merchant's billing. While it waits, the request does not count among those under
// way: a billing that is slow keeps no callback out.
func (s *Server) refresh(ctx context.Context, customerID string) error {
	accounts := s.settings.Load().accounts
	if accounts == nil {
		return nil
	}
	s.leave()
	err := accounts.Refresh(ctx, customerID)
	if !s.enter() && err == nil {
		return errBusy
	}
	return err
}
