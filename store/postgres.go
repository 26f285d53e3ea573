package store

import (
	"context"

	"tolem/store/internal/database"
	"tolem/store/internal/engine"
	"tolem/store/migrations"
)

const (
	// pgLanes is how many connections of a process write. While one waits for
	// its commit, the other fills a batch.
	pgLanes = 2
	// pgReaders is how many connections serve reads.
	pgReaders = 12
)

// openPostgres opens a store on a PostgreSQL server.
func (s *Store) openPostgres(ctx context.Context, o Options) error {
	var err error
	if s.postgres, s.dialect, err = database.FindServer(ctx, o.Postgres); err != nil {
		return err
	}
	if err := migrations.Postgres(ctx, s.postgres, o.Existing, o.OnMigrate); err != nil {
		return errMigrate(o.Existing, err)
	}
	s.reader, err = engine.OpenPostgresReader(s.postgres, s.dialect, pgReaders)
	if err != nil {
		return err
	}
	s.leadership = database.NewLeadership(s.postgres)
	s.writer = s.newWriter(o)
	return s.writer.OpenPostgres(ctx, s.postgres, pgLanes)
}
