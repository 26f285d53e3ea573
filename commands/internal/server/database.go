package server

import (
	"context"
	"time"

	"go.uber.org/zap"

	"tolem/config"
)

// reportDatabase logs which database it is and when it was made, so that an empty
// book in a mistyped place is seen at once.
func (s *Server) reportDatabase(ctx context.Context, started time.Time) {
	fields := []zap.Field{zap.String("database", s.cfg.Load().Database.DSN)}
	if path := s.Store.Path(); path != "" {
		fields = []zap.Field{zap.String("file", path)}
	}
	created, err := s.Store.Created(ctx)
	if err != nil {
		s.log.Warn("the database", append(fields, zap.Error(err))...)
		return
	}
	fields = append(fields, zap.Time("created", created))
	switch isNew := !created.Before(started.Truncate(time.Second)); {
	case isNew && s.cfg.Load().Environment == config.Production:
		s.log.Warn("the database is new and empty; if there was one before, correct database.dsn", fields...)
	case isNew:
		s.log.Info("the database is new", fields...)
	default:
		s.log.Info("the database", fields...)
	}
}

// reportProjects warns of projects that are no longer configured while payments
// of theirs wait: their callbacks are refused until the platform gives up.
func (s *Server) reportProjects(ctx context.Context) {
	known, err := s.Store.Projects(ctx)
	if err != nil {
		if ctx.Err() == nil {
			s.log.Warn("whether all projects with open payments are configured", zap.Error(err))
		}
		return
	}
	for _, project := range s.handlers.NoteProjects(known) {
		if project.Open > 0 {
			s.log.Warn("a project with open payments is not configured: its messages are refused; put it back into the configuration until they are done",
				zap.String("provider", project.Provider), zap.String("project", project.ID), zap.Int64("open_payments", project.Open))
		}
	}
}
