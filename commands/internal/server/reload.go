package server

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"go.uber.org/zap"

	"tolem/commands/internal/console"
	"tolem/config"
	"tolem/store"
)

// LoadConfig reads the configuration of serve anew.
type LoadConfig func() (*config.Config, []string, error)

// reloadAt reads the configuration anew at each signal, until ctx ends.
func (s *Server) reloadAt(ctx context.Context, signals <-chan os.Signal, load LoadConfig) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-signals:
			s.reload(ctx, load)
		}
	}
}

// reload puts the configuration, as it is now, in the place of the one that the
// server runs with. An invalid one changes nothing. What needs a restart keeps its
// value. The log has keys, never values.
func (s *Server) reload(ctx context.Context, load LoadConfig) {
	next, warnings, err := load()
	for _, warning := range warnings {
		s.log.Warn("configuration", zap.String("warning", warning))
	}
	if err != nil {
		problems := strings.Split(err.Error(), "\n")
		s.log.Error("the configuration was read again and is invalid: the server goes on with the one that it has", zap.Strings("problems", problems))
		s.auditRefusedReload(ctx, fmt.Sprintf("the configuration is invalid: %s, which the log has", console.Counted(int64(len(problems)), "problem")))
		return
	}
	r, err := s.cfg.Load().Reloaded(next)
	if err == nil {
		err = s.handlers.Configure(r.Config)
	}
	if err == nil {
		err = s.notifier.Use(r.Config.Notify)
	}
	if err != nil {
		s.log.Error("the configuration was read again and cannot be used: the server goes on with the one that it has", zap.Error(err))
		s.auditRefusedReload(ctx, "the configuration cannot be used; the log says why")
		return
	}
	s.cfg.Store(r.Config)
	if r.Kept != nil {
		s.log.Warn("these keys of the configuration have changed and need a restart: until then they keep their values", zap.Strings("keys", r.Kept))
	}
	s.log.Info("the configuration was read again", zap.Strings("changed", r.Changed))
	if err := errors.Join(s.closeBooks(ctx), s.setFourEyes(ctx), s.setEndpoints(ctx), s.auditReload(ctx, r)); err != nil {
		s.log.Error("books_closed_to, four_eyes and notify could not be written to the database: send SIGHUP again", zap.Error(err))
	}
	s.reportProjects(ctx)
}

// auditReload writes the new configuration into the audit: its keys that changed.
func (s *Server) auditReload(ctx context.Context, r config.Reload) error {
	return s.Store.Audit(ctx, byReload(), store.Audited{Action: "reload", Result: store.ResultDone, Detail: strings.Join(r.Changed, " ")})
}

// auditRefusedReload writes into the audit that a new configuration was refused.
func (s *Server) auditRefusedReload(ctx context.Context, why string) {
	if err := s.Store.Audit(ctx, byReload(), store.Audited{Action: "reload", Result: store.ResultRefused, Detail: why}); err != nil {
		s.log.Error("that the configuration was refused could not be written into the audit", zap.Error(err))
	}
}

// byReload is who reloads: whoever may send the process a signal, of whom it knows
// that it is its own user or root.
func byReload() store.By {
	return store.By{Actor: console.OSUser(), OSUser: console.OSUser(), Role: store.RoleCommand, Reason: "SIGHUP"}
}
